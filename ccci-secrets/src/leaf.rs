//! The one meeting of cipher and format: a value and its place to an envelope, and back.

use subtle::ConstantTimeEq as _;

use crate::crypto::{Cipher, CipherError, NONCE_LEN, RandomError, RandomPool, TAG_LEN};
use crate::envelope::{self, Envelope, EnvelopeError};
use crate::secret::Secret;
use crate::value::{Kind, Value, ValueError};

/// Seals and opens the leaves of one file under its data key.
#[derive(Debug)]
pub(crate) struct LeafCipher {
    cipher: Cipher,
    nonces: RandomPool,
    sealed: usize,
}

impl LeafCipher {
    pub(crate) fn new(cipher: Cipher) -> Self {
        Self {
            cipher,
            nonces: RandomPool::new(),
            sealed: 0,
        }
    }

    /// How many envelopes it made.
    pub(crate) fn sealed(&self) -> usize {
        self.sealed
    }

    /// Seals `plain` as a value of `kind` at the place that `aad` names, under a fresh nonce.
    pub(crate) fn seal(
        &mut self,
        kind: Kind,
        plain: &[u8],
        aad: &str,
    ) -> Result<String, RandomError> {
        let nonce: [u8; NONCE_LEN] = self.nonces.take()?;
        self.sealed += 1;
        let mut buffer = Secret::from_slice(plain);
        let tag = self
            .cipher
            .seal(&nonce, aad.as_bytes(), buffer.expose_mut());
        // EXPOSE: ciphertext now.
        Ok(envelope::print(buffer.expose(), &nonce, &tag, kind))
    }

    /// The envelope of a value under a nonce that it was sealed with before; nothing if that gives another tag.
    ///
    /// A nonce must not serve twice, so nothing is let out but the very envelope that there was: the tag is one of just this
    /// value at just this place.
    pub(crate) fn seal_again(
        &self,
        kind: Kind,
        plain: &[u8],
        aad: &str,
        (nonce, tag): (&[u8; NONCE_LEN], &[u8; TAG_LEN]),
    ) -> Option<String> {
        let mut buffer = Secret::from_slice(plain);
        let found = self.cipher.seal(nonce, aad.as_bytes(), buffer.expose_mut());
        let same: bool = found.ct_eq(tag).into();
        // EXPOSE: ciphertext now.
        same.then(|| envelope::print(buffer.expose(), nonce, tag, kind))
    }

    /// Opens an envelope into the end of `arena` and gives the number of bytes it holds there.
    ///
    /// On an error the arena has its old length: nothing unauthenticated can be read from it.
    pub(crate) fn open(
        &self,
        envelope: &Envelope<'_>,
        aad: &str,
        arena: &mut Arena,
    ) -> Result<usize, LeafError> {
        let (nonce, tag) = (envelope.nonce()?, envelope.tag()?);
        let len = envelope::append_data(envelope, &mut arena.0)?;
        let start = arena.0.len() - len;
        let opened = match arena.0.expose_mut().get_mut(start..) {
            Some(buffer) => self.cipher.open(&nonce, aad.as_bytes(), buffer, &tag),
            None => Err(CipherError::NotAuthentic),
        };
        if opened.is_err() {
            arena.0.truncate(start);
        }
        opened.map_err(LeafError::from)?;
        Ok(len)
    }
}

/// Opened leaves of one file, one after the other in one wiping buffer.
#[derive(Debug)]
pub(crate) struct Arena(Secret);

impl Arena {
    pub(crate) fn with_capacity(capacity: usize) -> Self {
        Self(Secret::with_capacity(capacity))
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Appends bytes that were never sealed.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.0.extend(bytes);
    }

    pub(crate) fn slice(&self, start: usize, len: usize) -> &[u8] {
        // EXPOSE: to the holder of the arena, which decides what leaves the program.
        self.0
            .expose()
            .get(start..start.saturating_add(len))
            .unwrap_or_default()
    }
}

/// The text of a typed value that is sealed: the source's own spelling where Go's parser, which sops opens it with,
/// reads it as the same value (yaml.md 5.1, T1b), else the canonical bytes. So `1.10` comes back as `1.10`.
pub(crate) fn sealed_spelling<'a>(
    value: &'a Value<'_>,
    spelling: &'a [u8],
) -> crate::value::Text<'a> {
    let keeps = matches!(value.kind(), Kind::Int | Kind::Float)
        && Value::parse(value.kind(), spelling).is_ok_and(|parsed| parsed.same_as(value));
    if keeps {
        crate::value::Text::Borrowed(spelling)
    } else {
        value.canonical()
    }
}

/// Why a sealed leaf gives no value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LeafError {
    /// The envelope is damaged.
    #[error(transparent)]
    Envelope(#[from] EnvelopeError),
    /// Wrong key, wrong place, or damaged bytes.
    #[error("the value does not open: it was moved, damaged, or sealed under another key")]
    NotAuthentic,
    /// It opened to something that is no value of its type.
    #[error(transparent)]
    Value(#[from] ValueError),
}

impl From<CipherError> for LeafError {
    fn from(error: CipherError) -> Self {
        match error {
            CipherError::NotAuthentic => Self::NotAuthentic,
            CipherError::NonceLength => Self::Envelope(EnvelopeError::NonceLength),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::crypto::DataKey;

    fn cipher() -> LeafCipher {
        LeafCipher::new(Cipher::new(DataKey::from_unwrapped(&[3; 32]).unwrap()))
    }

    #[test]
    fn a_leaf_opens_only_at_its_place() {
        let mut cipher = cipher();
        let text = cipher.seal(Kind::Str, b"hello", "a:b:").unwrap();
        let envelope = Envelope::parse(text.as_bytes()).unwrap();
        let mut arena = Arena::with_capacity(16);
        assert_eq!(cipher.open(&envelope, "a:b:", &mut arena), Ok(5));
        assert_eq!(arena.slice(0, 5), b"hello");
        assert_eq!(
            cipher.open(&envelope, "a:c:", &mut arena),
            Err(LeafError::NotAuthentic)
        );
        assert_eq!(arena.len(), 5);
    }

    // sops 3.13.3 opens the left column and hashes the canonical value (yaml.md 5.1).
    #[test]
    fn spellings_that_sops_reads_back_are_kept() {
        let spelled = |value: Value<'_>, spelling: &str| {
            String::from_utf8(
                sealed_spelling(&value, spelling.as_bytes())
                    .expose()
                    .to_vec(),
            )
            .unwrap()
        };
        assert_eq!(spelled(Value::Float(1.1), "1.10"), "1.10");
        assert_eq!(spelled(Value::Float(1000.0), "1e3"), "1e3");
        assert_eq!(spelled(Value::Int(5), "+5"), "+5");
        assert_eq!(spelled(Value::Int(31), "0x1F"), "31");
        assert_eq!(spelled(Value::Int(15), "017"), "15");
        assert_eq!(spelled(Value::Float(f64::INFINITY), ".inf"), "+Inf");
        assert_eq!(spelled(Value::Bool(true), "true"), "True");
    }
}
