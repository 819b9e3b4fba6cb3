//! JSON as Go's `encoding/json` reads it (sops-format.md 11), with spans.

mod layout;
mod parse;
mod text;
mod value;
mod write;

pub(crate) use self::parse::parse;
pub(crate) use self::text::{push_json_string, resolve, rewrite_scalar};
pub(crate) use self::value::read_value;
pub(crate) use self::write::{append_metadata, remove, remove_items, remove_metadata, set};

#[cfg(test)]
#[allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "tests"
)]
mod tests;
