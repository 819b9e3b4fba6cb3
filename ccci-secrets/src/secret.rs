//! Bytes and text that are wiped when they go out of scope.

use std::fmt;

use subtle::ConstantTimeEq;
use zeroize::{Zeroize, Zeroizing};

use crate::large::give_back;

/// Secret bytes.
///
/// The buffer is wiped on drop, [`fmt::Debug`] prints `[redacted]`, and there is neither `Clone` nor `PartialEq`:
/// compare with [`Secret::ct_eq`].
pub struct Secret(Vec<u8>);

impl Secret {
    /// Takes over a buffer; the caller's allocation becomes the secret, nothing is copied.
    #[must_use]
    pub fn from_vec(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// Copies a slice into a buffer of exactly its size.
    #[must_use]
    pub fn from_slice(bytes: &[u8]) -> Self {
        Self::from_vec(bytes.to_vec())
    }

    /// An empty secret that can take `capacity` bytes without moving.
    #[must_use]
    pub fn with_capacity(capacity: usize) -> Self {
        Self::from_vec(Vec::with_capacity(capacity))
    }

    /// Appends bytes. A buffer that has to grow is wiped before it is given back to the allocator.
    pub fn extend(&mut self, more: &[u8]) {
        let needed = self.0.len().saturating_add(more.len());
        if needed > self.0.capacity() {
            let mut larger = Vec::with_capacity(needed.max(self.0.capacity().saturating_mul(2)));
            larger.extend_from_slice(&self.0);
            self.wipe();
            self.0 = larger;
        }
        self.0.extend_from_slice(more);
    }

    /// Wipes all of the buffer, and gives it back.
    fn wipe(&mut self) {
        self.0.zeroize();
        give_back(&mut self.0);
    }

    /// Makes it as long as that with zeros, if it is shorter and has the room.
    pub(crate) fn grow_to(&mut self, len: usize) {
        if (self.0.len()..=self.0.capacity()).contains(&len) {
            self.0.resize(len, 0);
        }
    }

    /// How many bytes it can take without moving.
    pub(crate) fn capacity(&self) -> usize {
        self.0.capacity()
    }

    /// Cuts the end off; the bytes cut are wiped.
    pub fn truncate(&mut self, len: usize) {
        if let Some(tail) = self.0.get_mut(len..) {
            tail.zeroize();
        }
        self.0.truncate(len);
    }

    /// Lets the bytes out. Every call says in an `// EXPOSE:` line where they go.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// The bytes for writing in place, for example by a cipher.
    #[must_use]
    pub fn expose_mut(&mut self) -> &mut [u8] {
        &mut self.0
    }

    /// Length in bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are no bytes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Compares in time that depends on the lengths only.
    #[must_use]
    pub fn ct_eq(&self, other: &[u8]) -> bool {
        self.0.ct_eq(other).into()
    }
}

impl Drop for Secret {
    fn drop(&mut self) {
        self.wipe();
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

/// Secret text, valid UTF-8; otherwise as [`Secret`].
pub struct SecretStr(Zeroizing<String>);

impl SecretStr {
    /// Takes over a string.
    #[must_use]
    pub fn from_string(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// Lets the text out. Every call says in an `// EXPOSE:` line where it goes.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SecretStr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_nothing() {
        assert_eq!(format!("{:?}", Secret::from_slice(b"canary")), "[redacted]");
        assert_eq!(
            format!("{:?}", SecretStr::from_string("canary".into())),
            "[redacted]"
        );
    }

    #[test]
    fn growing_keeps_the_bytes() {
        let mut secret = Secret::with_capacity(2);
        secret.extend(b"abc");
        secret.extend(b"def");
        assert!(secret.ct_eq(b"abcdef"));
    }
}
