//! The key that seals every value of one file.

use std::fmt;

use zeroize::Zeroizing;

use super::random::{RandomError, fill};

/// The 32 bytes that seal every value of a file.
///
/// One exists only from the system's random number generator or from a successful unwrap. It cannot be cloned or
/// printed, and is wiped on drop.
pub struct DataKey(Zeroizing<[u8; 32]>);

impl DataKey {
    /// A fresh random key.
    ///
    /// # Errors
    /// [`RandomError`] when the system has no random numbers.
    pub fn make_random() -> Result<Self, RandomError> {
        let mut key = Zeroizing::new([0; 32]);
        fill(key.as_mut_slice())?;
        Ok(Self(key))
    }

    /// A key from unwrapped bytes; `None` unless they are exactly 32.
    #[must_use]
    pub fn from_unwrapped(bytes: &[u8]) -> Option<Self> {
        let mut key = Zeroizing::new([0; 32]);
        if bytes.len() != key.len() {
            return None;
        }
        key.copy_from_slice(bytes);
        Some(Self(key))
    }

    /// Lets the bytes out. Every call says in an `// EXPOSE:` line where they go.
    #[must_use]
    pub fn expose(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for DataKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DataKey([redacted])")
    }
}
