//! What can be wrong with a document, or with a change of one.

use super::{Format, MAX_DEPTH, MAX_NEW_DEPTH, Unwritable};
use crate::error::ErrorCode;

/// A document that cannot be read, with its line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {kind}")]
pub struct ParseError {
    /// What is wrong.
    pub kind: ParseErrorKind,
    /// The line, from 1.
    pub line: usize,
}

impl ParseError {
    /// The stable code.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        ErrorCode::DocumentInvalid
    }

    pub(crate) fn new(kind: ParseErrorKind, line: usize) -> Self {
        Self { kind, line }
    }
}

/// What is wrong with a document. Nothing of its text is shown, except the names of keys, anchors and tags.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseErrorKind {
    /// Aliases stand for more nodes than any honest file has.
    #[error("aliases expand to too many nodes")]
    AliasBudget,
    /// An alias inside the node it names.
    #[error("anchor `{0}` contains itself")]
    AliasCycle(String),
    /// A directive that go-yaml refuses, such as `%YAML 1.2`, or one that gives YAML's own tags another meaning.
    #[error("this directive is not supported (only %YAML 1.1, and %TAG for tags of your own)")]
    Directive,
    /// The same key twice in one map.
    #[error("the key `{0}` is already in this map")]
    DuplicateKey(String),
    /// No document at all: an empty file.
    #[error("the file is empty")]
    Empty,
    /// Nothing but comments and blank lines.
    #[error("the file holds only comments")]
    OnlyComments,
    /// A key that is a map, a list, a number, a date, a bool or null.
    #[error("a key is not a string")]
    NonStringKey,
    /// Bytes that are not UTF-8, or control characters that YAML forbids.
    #[error("the file is not UTF-8 text")]
    NotUtf8,
    /// The root is a list or a scalar.
    #[error("the top level is not a map")]
    RootNotAMap,
    /// Not the syntax of the format; the text says what was expected.
    #[error("{0}")]
    Syntax(&'static str),
    /// A tab where indentation is due.
    #[error("a tab cannot be used for indentation")]
    Tab,
    /// Nesting beyond [`MAX_DEPTH`].
    #[error("nested deeper than {MAX_DEPTH} levels")]
    TooDeep,
    /// A value on its own nested beyond 500 levels.
    #[error("the value is nested deeper than {MAX_NEW_DEPTH} levels")]
    ValueTooDeep,
    /// 4 GiB or more.
    #[error("the file is larger than 4 GiB")]
    TooLarge,
    /// An alias without its anchor.
    #[error("unknown anchor `{0}`")]
    UnknownAnchor(String),
    /// UTF-16 or UTF-32.
    #[error("the file is UTF-16; convert it to UTF-8")]
    Utf16,
}

/// A scalar that sops cannot carry.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ScalarError {
    /// A tag that does not fit its text, such as `!!int abc`.
    #[error("the tag {0} does not fit its text")]
    BadTag(String),
    /// A JSON number beyond the range of a float.
    #[error("the number is out of range")]
    NumberRange,
    /// A timestamp whose offset is 24 hours or more.
    #[error("the time offset is 24 hours or more")]
    TimeOffset,
    /// An integer above the signed 64-bit range.
    #[error("the integer does not fit 64 bits with sign; write it in quotes")]
    Uint64,
}

/// Why nothing can be set at a path.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SetError {
    /// A key that would be read back as another one, or as something else than a key.
    #[error("`{key}` cannot be a key in the format {}", .format.as_str())]
    BadKey {
        /// The key.
        key: String,
        /// The format.
        format: Format,
    },
    /// The path leads through an alias; changing its target would change other places too.
    #[error("`{0}` is behind an alias")]
    BehindAlias(String),
    /// A key on a list.
    #[error("`{0}` is a list; its items are numbered")]
    KeyOnList(String),
    /// A list, a map or null where the format has only text.
    #[error("`{path}` can only be a text in the format {}", .format.as_str())]
    NoContainers {
        /// Where.
        path: String,
        /// The format.
        format: Format,
    },
    /// The root itself.
    #[error("the root cannot be replaced")]
    Root,
    /// An index on a map.
    #[error("`{0}` is a map; its items have names")]
    IndexOnMap(String),
    /// A path and a value that nest deeper than 500 levels.
    #[error("the new value is nested deeper than {MAX_NEW_DEPTH} levels")]
    TooDeep,
    /// A text that the format cannot hold.
    #[error("`{path}`: {reason}")]
    Unwritable {
        /// Where.
        path: String,
        /// Why.
        reason: Unwritable,
    },
}
