#![no_main]

use ccci_secrets::activation::CredentialRequest;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|address: &[u8]| {
    if let Ok(request) = CredentialRequest::parse(address) {
        let tail = format!("/unit/{}/{}", request.unit, request.name);
        assert!(address.ends_with(tail.as_bytes()));
        assert!((1..=16).contains(&(address.len() - tail.len())));
    }
});
