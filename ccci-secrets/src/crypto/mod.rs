//! Ciphers and randomness. Knows bytes, nothing else.

mod aead;
mod data_key;
mod random;
mod shamir;

pub(crate) use self::aead::{Cipher, CipherError, NONCE_LEN, TAG_LEN};
pub use self::data_key::DataKey;
pub use self::random::RandomError;
pub(crate) use self::random::{RandomPool, fill, random_name};
pub use self::shamir::{JoinError, ThresholdError};
pub(crate) use self::shamir::{Share, Threshold, join, split};
