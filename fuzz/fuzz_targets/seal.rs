#![no_main]

#[path = "../../ccci-secrets/tests/sops/support.rs"]
mod support;

use ccci_secrets::config::Policy;
use ccci_secrets::document::Format;
use ccci_secrets::file::{DraftFile, SealError, SealedFile};
use ccci_secrets::key::age::x25519::X25519Identity;
use ccci_secrets::keyring::Keyring;
use ccci_secrets::secret::Secret;
use libfuzzer_sys::fuzz_target;

const KEY: &str = include_str!("../../testdata/sops/keys/age-1.txt");
const RECIPIENT: &str = include_str!("../../testdata/sops/keys/age-1.pub");

const FORMATS: [Format; 5] = [
    Format::Binary,
    Format::Dotenv,
    Format::Ini,
    Format::Json,
    Format::Yaml,
];

fuzz_target!(|text: &[u8]| {
    for format in FORMATS {
        let Ok(draft) = DraftFile::parse(format, Secret::from_slice(text)) else {
            continue;
        };
        let policy = Policy::age(&[RECIPIENT.trim()]).unwrap();
        let now = jiff::Timestamp::UNIX_EPOCH;
        let sealed = match draft.seal(&policy, now) {
            Ok(sealed) => sealed,
            Err(error @ SealError::Check(_)) => panic!("{error}"),
            Err(_) => continue,
        };
        let sealed = SealedFile::parse(format, Secret::from_slice(sealed.text())).unwrap();
        let identity = KEY.lines().find_map(X25519Identity::parse).unwrap();
        let keyring = Keyring::from_identities(vec![Box::new(identity)]);
        let (plain, notes) = sealed.open(&keyring).unwrap().expose_document().unwrap();
        assert_eq!(notes, []);
        let in_bytes = [Format::Binary, Format::Dotenv, Format::Json];
        if in_bytes.contains(&format) {
            assert_eq!(plain.expose(), text);
        }
        if format != Format::Binary {
            assert_eq!(
                support::outline(format, plain.expose()),
                support::outline(format, text)
            );
        }
    }
});
