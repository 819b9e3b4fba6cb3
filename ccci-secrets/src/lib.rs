//! Reads, edits and writes sops files.
pub mod crypto;
pub mod digest;
pub mod document;
mod envelope;
pub mod error;
mod leaf;
pub mod mac;
pub mod metadata;
pub mod path;
pub mod secret;
pub mod selection;
mod tree;
pub mod value;
pub mod wrapped;
