//! The MAC of a file: SHA-512 over its values in order (sops-format.md 4).

use std::fmt;

use subtle::ConstantTimeEq as _;

use crate::crypto::RandomError;
use crate::digest::Sha512Stream;
use crate::envelope::Envelope;
use crate::leaf::{Arena, LeafCipher};
use crate::secret::SecretStr;
use crate::value::Kind;

/// SHA-256 of "sops": what the hash starts with when only sealed values are covered.
const ONLY_SEALED_PREFIX: [u8; 32] = [
    0x8a, 0x3f, 0xd2, 0xad, 0x54, 0xce, 0x66, 0x52, 0x7b, 0x10, 0x34, 0xf3, 0xd1, 0x47, 0xbe, 0x0b,
    0x0b, 0x97, 0x5b, 0x3b, 0xf4, 0x4f, 0x72, 0xc6, 0xfd, 0xad, 0xec, 0x81, 0x76, 0xf2, 0x7d, 0x69,
];

/// Which values the MAC covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the two settings of the format")]
pub enum Coverage {
    /// Every value of the file.
    All,
    /// Only the values selected for sealing (`mac_only_encrypted`).
    OnlySealed,
}

/// Takes in the values of a file in tree order. It is never given null, comments or empty collections.
#[derive(Debug)]
pub(crate) struct MacStream {
    hash: Sha512Stream,
    coverage: Coverage,
}

impl MacStream {
    pub(crate) fn new(coverage: Coverage) -> Self {
        let mut hash = Sha512Stream::default();
        if coverage == Coverage::OnlySealed {
            hash.update(&ONLY_SEALED_PREFIX);
        }
        Self { hash, coverage }
    }

    /// A value, as its canonical bytes.
    pub(crate) fn value(&mut self, canonical: &[u8], selected: bool) {
        if selected || self.coverage == Coverage::All {
            self.hash.update(canonical);
        }
    }

    pub(crate) fn finish(self) -> Mac {
        let digits = |byte: u8| {
            let digit = |nibble: u8| {
                if nibble < 10 {
                    b'0' + nibble
                } else {
                    b'A' + nibble - 10
                }
            };
            [digit(byte >> 4), digit(byte & 15)]
        };
        Mac(self.hash.finish().into_iter().flat_map(digits).collect())
    }
}

/// The digest of a file's values as 128 upper-case hexadecimal digits. It is computed from plaintext, so it is a
/// secret: never printed.
pub(crate) struct Mac(Vec<u8>);

impl Mac {
    /// The envelope that stands under `mac`. Its place is the time of the last change.
    pub(crate) fn seal(&self, cipher: &mut LeafCipher, aad: &str) -> Result<String, RandomError> {
        cipher.seal(Kind::Str, &self.0, aad)
    }

    /// The place of something that belongs to exactly these values. The place of a leaf ends in a colon, and that of a
    /// MAC starts with a digit, so it is neither.
    pub(crate) fn place_of(&self, what: &str) -> SecretStr {
        let digest = String::from_utf8_lossy(&self.0);
        SecretStr::from_string(format!("{what} of {digest}"))
    }

    /// Compares with the MAC that a file carries.
    ///
    /// # Errors
    /// [`MacError`]: missing, not to be opened, or not equal.
    pub(crate) fn verify(
        &self,
        cipher: &LeafCipher,
        stored: Option<&[u8]>,
        aad: &str,
    ) -> Result<Authentic, MacError> {
        let stored = stored
            .filter(|text| !text.is_empty())
            .ok_or(MacError::Missing)?;
        let envelope = Envelope::parse(stored).map_err(|_| MacError::DoesNotOpen)?;
        let mut opened = Arena::with_capacity(envelope.data_len_estimate());
        let len = cipher
            .open(&envelope, aad, &mut opened)
            .map_err(|_| MacError::DoesNotOpen)?;
        if bool::from(opened.slice(0, len).ct_eq(&self.0)) {
            Ok(Authentic { _private: () })
        } else {
            Err(MacError::Mismatch)
        }
    }
}

impl fmt::Debug for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Mac([redacted])")
    }
}

/// Proof that a file's values and their order are those that were sealed. Only this module makes one.
///
/// The digest covers values in order. The names of keys and their nesting are bound only through the associated data of
/// sealed leaves; comments and nulls not at all; metadata only through `lastmodified`; clear values not at all under
/// `mac_only_encrypted`.
#[derive(Debug)]
pub struct Authentic {
    _private: (),
}

/// Why a file is not authentic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MacError {
    /// The MAC is damaged, or the time of the last change was edited.
    #[error("MAC mismatch: the MAC of the file does not open")]
    DoesNotOpen,
    /// The values are not those that were sealed: edited by hand, merged, or tampered with.
    #[error("MAC mismatch: values were changed, moved, added or removed since the file was sealed")]
    Mismatch,
    /// The file carries none.
    #[error("MAC mismatch: the file has no MAC")]
    Missing,
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::digest::sha256;

    #[test]
    fn the_prefix_is_the_digest_that_the_format_names() {
        assert_eq!(sha256(b"sops"), ONLY_SEALED_PREFIX);
    }

    // printf 'aTrue1' | sha512sum
    #[test]
    fn values_are_hashed_without_separators() {
        let mut stream = MacStream::new(Coverage::All);
        for value in ["a", "True", "1"] {
            stream.value(value.as_bytes(), true);
        }
        let expected = crate::digest::hex(&crate::digest::sha512(b"aTrue1")).to_uppercase();
        assert_eq!(String::from_utf8(stream.finish().0).unwrap(), expected);
    }
}
