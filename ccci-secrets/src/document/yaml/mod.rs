//! YAML as go-yaml reads it (spec: yaml.md).
//!
//! The scanner finds tokens, the comments beside them are attached to tokens as go-yaml attaches them, and the parser
//! builds nodes from both. Text is decoded and typed when it is asked for.

mod chars;
mod comments;
mod cursor;
mod frame;
mod lost;
mod merge;
pub(crate) mod old_types;
mod parser;
pub(crate) mod resolve;
mod scanner;
mod stream;
pub(crate) mod text;
mod token;
pub(crate) mod write;

use super::{Document, Format, ParseError, ParseErrorKind, Source};
use crate::secret::Secret;

/// Parses YAML.
///
/// # Errors
/// [`ParseError`] with the line.
pub(crate) fn parse(bytes: Secret) -> Result<Document, ParseError> {
    parse_with(bytes, Keys::Names)
}

/// What may stand for the keys of maps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Keys {
    /// Text, each once in a map: what sops can seal.
    Names,
    /// Every scalar, taken as the text that it is written with. Whoever reads the map looks for names that stand twice.
    Scalars,
}

/// Parses YAML that is no sops file.
///
/// # Errors
/// [`ParseError`] with the line.
pub(crate) fn parse_with(bytes: Secret, keys: Keys) -> Result<Document, ParseError> {
    let source = Source::new(bytes);
    check_characters(source.bytes())?;
    let (nodes, key_texts, parts) = parser::compose(source.bytes(), keys)?;
    Ok(Document {
        format: Format::Yaml,
        source,
        nodes,
        key_texts,
        parts,
        blocks: Default::default(),
    })
}

/// Refuses what YAML does not count as text.
fn check_characters(bytes: &[u8]) -> Result<(), ParseError> {
    if bytes.starts_with(&[0xFF, 0xFE]) || bytes.starts_with(&[0xFE, 0xFF]) {
        return Err(ParseError::new(ParseErrorKind::Utf16, 1));
    }
    let unmarked = bytes.strip_prefix(cursor::BYTE_ORDER_MARK);
    if unmarked.is_some_and(|rest| rest.starts_with(cursor::BYTE_ORDER_MARK)) {
        let kind = ParseErrorKind::Syntax("two byte order marks stand at the start");
        return Err(ParseError::new(kind, 1));
    }
    let valid = match std::str::from_utf8(bytes) {
        Ok(_) => bytes.len(),
        Err(error) => error.valid_up_to(),
    };
    let text = bytes.get(..valid).unwrap_or_default();
    match text
        .iter()
        .enumerate()
        .position(|(at, &byte)| chars::is_control(byte, text.get(at..)))
    {
        Some(at) => Err(not_text(bytes, at)),
        None if valid < bytes.len() => Err(not_text(bytes, valid)),
        None => Ok(()),
    }
}

fn not_text(bytes: &[u8], at: usize) -> ParseError {
    let before = bytes.get(..at).unwrap_or_default();
    let line = 1 + memchr::memchr_iter(b'\n', before).count();
    ParseError::new(ParseErrorKind::NotUtf8, line)
}

#[cfg(test)]
#[allow(clippy::string_slice, reason = "tests")]
pub(crate) mod samples;
#[cfg(test)]
#[allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "tests"
)]
pub(crate) mod tests;
