//! age keys: X25519, native ssh-ed25519, and the X25519 key that is derived from an ed25519 SSH key.

pub mod derived;
mod file;
pub mod ssh;
pub mod ssh_file;
pub mod x25519;
