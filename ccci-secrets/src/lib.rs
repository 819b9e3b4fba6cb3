//! Reads, edits and writes sops files.
mod crypto;
pub mod activation;
pub mod file;
pub mod fs;
pub mod digest;
pub mod document;
pub mod env;
pub mod error;
pub mod key;
pub mod keyring;
pub mod path;
pub mod secret;
pub mod value;
pub mod wrapped;
