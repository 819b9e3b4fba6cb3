//! Fingerprints of certificates, written as OpenSSL writes them.

use std::fmt;
use std::str::FromStr;

use crate::digest;

/// SHA-256 of a certificate: 32 bytes, printed as `AA:BB:…`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint([u8; 32]);

/// Text that is no fingerprint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a fingerprint is 32 bytes in hexadecimal digits, with colons between them or not")]
#[non_exhaustive]
pub struct NotAFingerprint;

impl Fingerprint {
    pub(super) fn new(sha256: [u8; 32]) -> Self {
        Self(sha256)
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = self.0.iter();
        let shown: Vec<String> = bytes
            .map(|byte| digest::hex(&[*byte]).to_ascii_uppercase())
            .collect();
        f.write_str(&shown.join(":"))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fingerprint({self})")
    }
}

impl FromStr for Fingerprint {
    type Err = NotAFingerprint;

    /// With or without what `openssl x509 -fingerprint` writes before it.
    fn from_str(text: &str) -> Result<Self, NotAFingerprint> {
        let text = text.trim();
        let digits = text.rsplit_once('=').map_or(text, |(_, digits)| digits);
        let digits = digits.replace(':', "");
        if digits.len() != 64 || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(NotAFingerprint);
        }
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(digits.as_bytes().chunks(2)) {
            let pair = std::str::from_utf8(pair).map_err(|_| NotAFingerprint)?;
            *byte = u8::from_str_radix(pair, 16).map_err(|_| NotAFingerprint)?;
        }
        Ok(Self(bytes))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn every_way_of_writing_is_read_and_one_is_written() {
        let colons = ["AB"; 32].join(":");
        let plain = "ab".repeat(32);
        let openssl = format!("sha256 Fingerprint={colons}\n");
        for text in [&colons, &plain, &openssl] {
            assert_eq!(text.parse::<Fingerprint>().unwrap().to_string(), colons);
        }
        for text in ["", "AB:CD", &"AB".repeat(33), &"GG".repeat(32)] {
            assert_eq!(text.parse::<Fingerprint>(), Err(NotAFingerprint), "{text}");
        }
    }
}
