//! Secrets as files, in one transaction.
mod accounts;
pub mod fault;
mod json;
pub mod manifest;
mod observe;
mod open;
mod plan;
mod provenance;
mod records;
mod site;
mod wanted;

pub use self::provenance::{FileProvenance, GitFacts};
