//! INI as gopkg.in/ini.v1 reads it with repeated sections allowed (sops-format.md 12.2), with spans.
//!
//! The root map has one entry per section; keys before the first header stand in a section `DEFAULT`, which is always
//! there. The comment of a key follows its key, that of a section is its first item, as in sops' tree. A comment may
//! consist of several lines and a piece behind the value; its [`Comment`](super::Comment) spans the lines, and
//! `comment` finds the pieces again.
//!
//! Refused, where ini.v1 silently drops text that would then stay readable in a sealed file: a second key of the same
//! name in a section, and text behind a closing quote or a section header that is no comment.

mod comment;
mod parse;
mod remove;
mod scan;
mod set;
mod value;
mod write;

pub(crate) use self::comment::{comment_text, open_comment, seal_comment};
pub(crate) use self::parse::{DEFAULT_SECTION, parse};
pub(crate) use self::remove::remove;
pub(crate) use self::scan::trim;
pub(crate) use self::set::set;
pub(crate) use self::value::{
    can_hold, free_token, is_section_name, key_token, rewrite_scalar, value_text,
};
pub(crate) use self::write::{append_metadata, remove_metadata};

#[cfg(test)]
#[allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stderr,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "tests"
)]
mod tests;
