#![no_main]

use ccci_secrets::envelope::Envelope;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &[u8]| {
    law(text);
    // Guessing the beginning would take long.
    law(&[b"ENC[AES256_GCM,data:".as_slice(), text].concat());
});

fn law(text: &[u8]) {
    let Ok(envelope) = Envelope::parse(text) else {
        return;
    };
    assert!(Envelope::is_one(text));
    assert!(envelope.data_len_estimate() <= text.len());
    let longer = [text, b"no bracket"].concat();
    assert_eq!(Envelope::parse(&longer), Ok(envelope));
}
