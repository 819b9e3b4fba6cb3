#![no_main]

mod laws;

use ccci_secrets::document::Format;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &[u8]| laws::document(Format::Dotenv, text));
