//! Content that is about to be written.

use super::{ParseError, json};
use crate::secret::Secret;
use crate::value::Value;

/// Content that is about to be written: a new entry, or the metadata block.
#[derive(Debug)]
#[expect(clippy::exhaustive_enums, reason = "these are all there are")]
pub enum NewNode {
    /// A list.
    List(Vec<Self>),
    /// A map in the order given.
    Map(Vec<(String, Self)>),
    /// Null.
    Null,
    /// A scalar.
    Value(Value<'static>),
}

impl NewNode {
    /// The content that a JSON text means: an int stays an int, the order of keys is kept.
    ///
    /// # Errors
    /// [`ParseError`] with the line in that text.
    pub fn from_json(text: &Secret) -> Result<Self, ParseError> {
        json::read_value(text)
    }

    /// Whether containers stand in each other more than `levels` deep. It looks no deeper than that.
    pub(super) fn is_deeper_than(&self, levels: usize) -> bool {
        let Some(left) = levels.checked_sub(1) else {
            return matches!(self, Self::List(_) | Self::Map(_));
        };
        match self {
            Self::List(items) => items.iter().any(|item| item.is_deeper_than(left)),
            Self::Map(entries) => entries.iter().any(|(_, value)| value.is_deeper_than(left)),
            Self::Null | Self::Value(_) => false,
        }
    }

    /// A string, from bytes that are taken as they are.
    #[must_use]
    pub fn string(bytes: Secret) -> Self {
        Self::Value(Value::Str(crate::value::Text::Owned(bytes)))
    }

    /// Whether every string in it is UTF-8.
    pub(super) fn is_text(&self) -> bool {
        match self {
            Self::List(items) => items.iter().all(Self::is_text),
            Self::Map(entries) => entries.iter().all(|(_, node)| node.is_text()),
            // EXPOSE: only looked at.
            Self::Value(Value::Str(text)) => std::str::from_utf8(text.expose()).is_ok(),
            Self::Null | Self::Value(_) => true,
        }
    }

    /// A string that is no secret.
    #[must_use]
    pub fn text(text: &str) -> Self {
        Self::string(Secret::from_slice(text.as_bytes()))
    }
}

/// What a scalar is to become.
#[derive(Debug)]
#[expect(clippy::exhaustive_enums, reason = "these are all there are")]
pub enum NewScalar<'a> {
    /// An envelope: ASCII without white space, starting `ENC[`. The token's style is kept as its carrier (T1).
    Envelope(&'a str),
    /// An envelope without quotes, as sops writes it: the style of the text says nothing about it.
    PlainEnvelope(&'a str),
    /// A value with the spelling to prefer, where that spelling reads back as the same value (T1b).
    Value {
        /// The value.
        value: &'a Value<'a>,
        /// The text it had before it was sealed; may be the canonical bytes.
        spelling: &'a [u8],
    },
}
