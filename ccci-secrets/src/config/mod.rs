//! What a new file is sealed to, and which of its leaves.

mod policy;

pub use self::policy::{Policy, PolicyKey, UnsupportedPolicy};
