#![no_main]

use ccci_secrets::document::Format;
use ccci_secrets::file::SealedFile;
use ccci_secrets::secret::Secret;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &[u8]| {
    for format in [Format::Dotenv, Format::Ini, Format::Json, Format::Yaml] {
        let Ok(file) = SealedFile::parse(format, Secret::from_slice(text)) else {
            continue;
        };
        assert_eq!(file.text(), text);
        assert!(!file.recipients().is_empty());
        assert!(!file.lastmodified().is_empty());
    }
});
