//! age keys: X25519, native ssh-ed25519, the X25519 key that is derived from an ed25519 SSH key, and what plugins hold.

pub mod derived;
mod file;
pub mod plugin;
pub mod ssh;
pub mod ssh_file;
pub mod x25519;
