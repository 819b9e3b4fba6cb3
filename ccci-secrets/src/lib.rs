//! Reads, edits and writes sops files.
pub mod digest;
pub mod document;
pub mod path;
pub mod secret;
pub mod value;
