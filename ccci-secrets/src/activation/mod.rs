//! Secrets as files, in one transaction.
mod json;
mod accounts;
pub mod manifest;
mod site;
