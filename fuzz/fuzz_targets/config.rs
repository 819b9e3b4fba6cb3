#![no_main]

use std::path::Path;

use ccci_secrets::config::{Config, Policy, PolicyRequest};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &[u8]| {
    let config = match Config::parse(Path::new("/repo/.sops.yaml"), text) {
        Ok(config) => config,
        Err(error) => {
            assert!(error.to_string().starts_with("/repo/.sops.yaml, line "));
            return;
        }
    };
    for note in config.notes() {
        assert!(note.to_string().starts_with("/repo/.sops.yaml, line "));
    }
    for file in ["/repo/secrets/a.yaml", "/repo/f.json", "/elsewhere/f.yaml"] {
        let Ok(rule) = config.rule_for(Path::new(file)) else {
            continue;
        };
        if let Ok(policy) = Policy::resolve(Some(rule), &PolicyRequest::default()) {
            assert_eq!(policy.unsupported(), None);
            assert!(policy.groups.iter().all(|group| !group.is_empty()));
        }
    }
});
