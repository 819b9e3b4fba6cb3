//! Reads, edits and writes sops files.
mod crypto;
pub mod file;
pub mod keyring;
pub mod digest;
pub mod document;
pub mod error;
pub mod path;
pub mod secret;
pub mod value;
pub mod wrapped;
