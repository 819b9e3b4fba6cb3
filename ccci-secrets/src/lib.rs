//! Reads, edits and writes sops files.
//!
//! What that means in detail, and what it does not, stands in the [`manual`].
pub mod activation;
pub mod atomic;
pub mod audit;
pub mod certificate;
pub mod config;
pub mod crypto;
pub mod dangerous;
pub mod digest;
pub mod doctor;
pub mod document;
pub mod drill;
pub mod env;
pub mod envelope;
pub mod error;
pub mod file;
pub mod finding;
pub mod fs;
pub mod hmac_key;
pub mod key;
pub mod keyring;
mod large;
pub mod leaf;
pub mod mac;
pub mod manual;
pub mod metadata;
mod nearest;
pub mod path;
pub mod repository;
pub mod secret;
pub mod selection;
pub mod survey;
mod tree;
pub mod value;
pub mod words;
pub mod wrapped;
