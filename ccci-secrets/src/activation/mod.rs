//! Secrets as files, in one transaction.
mod json;
pub mod manifest;
