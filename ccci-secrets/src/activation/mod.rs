//! Secrets as files, in one transaction.
mod accounts;
mod check;
mod explain;
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

pub use self::check::{Checked, check_manifest, check_sops_files};
pub use self::provenance::{FileProvenance, GitFacts};
