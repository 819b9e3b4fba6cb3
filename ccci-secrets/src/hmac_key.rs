//! Keys for digests that tell nobody anything: of a value that is easily guessed, a plain digest is as good as the value.

use std::{fmt, io};

use crate::crypto;
use crate::digest;
use crate::secret::Secret;

/// A key for digests of contents. Who does not have it learns from a digest only whether the same content stands under the
/// same name again.
pub struct HmacKey(Secret);

/// Too short to be a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a key has at least {} bytes", HmacKey::SHORTEST)]
#[non_exhaustive]
pub struct ShortKey;

impl HmacKey {
    const SHORTEST: usize = 16;

    /// A new one: 32 random bytes in hexadecimal digits, and a line end.
    ///
    /// # Errors
    /// The system has no random numbers.
    pub fn make_random() -> io::Result<Self> {
        let mut bytes = Secret::from_vec(vec![0; 32]);
        // EXPOSE: filled with random bytes.
        crypto::fill(bytes.expose_mut()).map_err(io::Error::other)?;
        // EXPOSE: written in digits into another secret.
        let mut text = Secret::from_vec(digest::hex(bytes.expose()).into_bytes());
        text.extend(b"\n");
        Ok(Self(text))
    }

    /// The key that the bytes of a file are, whatever they are.
    ///
    /// # Errors
    /// There are too few.
    pub fn from_bytes(bytes: Secret) -> Result<Self, ShortKey> {
        match bytes.len() < Self::SHORTEST {
            true => Err(ShortKey),
            false => Ok(Self(bytes)),
        }
    }

    /// What tells this key from others, and tells nothing of it. It stands for no content: eight bytes that are no length of
    /// any name begin its message.
    #[must_use]
    pub fn id(&self) -> String {
        // EXPOSE: to the hash.
        let id = digest::hmac_sha256(self.0.expose(), b"\xff\xff\xff\xff\xff\xff\xff\xffid");
        digest::hex(&id).chars().take(16).collect()
    }

    /// The bytes, for the file that holds it.
    #[must_use]
    pub fn bytes(&self) -> &Secret {
        &self.0
    }

    /// The digest of a content under a name: HMAC-SHA-256 of the length of the name in eight bytes, the name, and the
    /// content, so that two names with one content have nothing in common.
    #[must_use]
    pub fn digest(&self, name: &str, content: &Secret) -> String {
        let length = u64::try_from(name.len()).unwrap_or(u64::MAX);
        let mut message = Secret::with_capacity(8 + name.len() + content.len());
        message.extend(&length.to_be_bytes());
        message.extend(name.as_bytes());
        // EXPOSE: into the message, which is wiped.
        message.extend(content.expose());
        // EXPOSE: to the hash.
        let (key, message) = (self.0.expose(), message.expose());
        digest::hex(&digest::hmac_sha256(key, message))
    }
}

impl fmt::Debug for HmacKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HmacKey([redacted])")
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn key(text: &str) -> HmacKey {
        HmacKey::from_bytes(Secret::from_slice(text.as_bytes())).unwrap()
    }

    // printf '\0\0\0\0\0\0\0\4namecontent' | openssl dgst -sha256 -hmac 0123456789abcdef
    #[test]
    fn the_digest_is_that_of_openssl() {
        let digest = key("0123456789abcdef").digest("name", &Secret::from_slice(b"content"));
        assert_eq!(
            digest,
            "4074eea82b8bd8b0c6b3762d057d04a7108399addb56ea1cfa0f7deb390ecb23"
        );
    }

    #[test]
    fn names_and_contents_do_not_run_into_one_another() {
        let key = key("0123456789abcdef");
        let digest =
            |name, content: &str| key.digest(name, &Secret::from_slice(content.as_bytes()));
        assert_ne!(digest("ab", "c"), digest("a", "bc"));
        assert_ne!(digest("a", "same"), digest("b", "same"));
    }

    #[test]
    fn a_new_key_is_long_and_another_one_each_time() {
        let (one, other) = (
            HmacKey::make_random().unwrap(),
            HmacKey::make_random().unwrap(),
        );
        assert_eq!(one.bytes().len(), 65);
        assert!(!one.bytes().ct_eq(other.bytes().expose()));
        assert!(HmacKey::from_bytes(Secret::from_slice(b"short")).is_err());
        assert_eq!(format!("{one:?}"), "HmacKey([redacted])");
    }
}
