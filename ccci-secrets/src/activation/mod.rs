//! Secrets as files, in one transaction.
mod accounts;
pub mod fault;
mod findings;
mod json;
mod keys;
pub mod manifest;
mod observe;
mod open;
mod owners;
mod plan;
mod provenance;
mod records;
mod select;
mod site;
mod sops_file;
mod wanted;

pub use self::provenance::{FileProvenance, GitFacts};
