//! Secrets as files, in one transaction.
mod accounts;
pub mod fault;
mod json;
pub mod manifest;
mod observe;
mod plan;
mod records;
mod site;
mod wanted;
