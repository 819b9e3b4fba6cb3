#![no_main]

use std::path::Path;

use ccci_secrets::activation::manifest::Manifest;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &[u8]| {
    if let Err(faults) = Manifest::parse(text, Path::new("/etc/secrets")) {
        assert!(!faults.is_empty());
    }
});
