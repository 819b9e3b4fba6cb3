#![no_main]

use ccci_secrets::path::TreePath;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    for path in [text.parse::<TreePath>(), TreePath::parse_brackets(text)] {
        let Ok(path) = path else { continue };
        let printed = path.to_string();
        assert_eq!(printed.parse(), Ok(path), "{printed}");
    }
});
