//! The writer for converted and new documents: text as sops prints it (sops-format.md 10.2, 11, 12).
//!
//! It is given a tree as a flat row of [`Token`]s, so that no depth of nesting can exhaust the stack. Where sops would
//! print something that does not read back, another form of quoting is used, or there is an error.

mod dotenv;
mod ini;
mod json;
pub(crate) mod yaml;

use super::{Format, Unwritable};
use crate::secret::Secret;
use crate::value::{Text, Value};

/// One step through a tree, in the order of sops.
#[derive(Debug)]
pub(crate) enum Token<'a> {
    /// A map or list ends.
    Close,
    /// A comment inside the map or list opened last.
    Comment(CommentText<'a>),
    /// The key of the next value.
    Key(&'a str),
    /// A list begins.
    OpenList,
    /// A map begins; the root of every part is one.
    OpenMap,
    /// Null.
    Null,
    /// A value.
    Value(Value<'a>),
}

/// A comment without its sign.
#[derive(Debug)]
pub(crate) struct CommentText<'a> {
    pub(crate) text: Text<'a>,
    /// Behind the value that follows.
    pub(crate) is_inline: bool,
}

/// How a converted or new document is laid out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the two settings of sops")]
pub struct Layout {
    /// Spaces per level in JSON (and in the sealed form of binary files); `None` is a tab.
    pub json_indent: Option<u8>,
    /// Spaces per level in YAML; 0 means 4, and what go-yaml does not accept (1, and 10 or more) means 2.
    pub yaml_indent: u8,
}

impl Layout {
    /// Columns per level in YAML.
    pub(crate) fn yaml_step(self) -> usize {
        yaml_step(self.yaml_indent)
    }
}

fn yaml_step(indent: u8) -> usize {
    match indent {
        0 => YAML_STEP,
        2..=9 => usize::from(indent),
        _ => 2,
    }
}

/// Columns per level in YAML, unless something else is said.
pub(crate) const YAML_STEP: usize = 4;

/// Whether a float without a fraction keeps its type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Floats {
    /// `1`, as sops prints it: it reads back as an integer.
    AsSops,
    /// `1.0`.
    KeepType,
}

/// Writes a tree of one or more parts.
///
/// # Errors
/// [`ConvertError`] when the format cannot hold it.
pub(crate) fn write(
    parts: &[Vec<&Token<'_>>],
    format: Format,
    layout: Layout,
    floats: Floats,
) -> Result<Secret, ConvertError> {
    if format == Format::Yaml {
        return yaml::write(parts, layout.yaml_indent, floats);
    }
    let [part] = parts else {
        return Err(ConvertError::SeveralDocuments(format));
    };
    match format {
        Format::Binary => binary_content(part),
        Format::Dotenv => dotenv::write(part),
        Format::Ini => ini::write(part),
        Format::Json | Format::Yaml => {
            let mut text = json::write(part, layout.json_indent, floats)?;
            text.extend(b"\n");
            Ok(text)
        }
    }
}

/// Writes one value as `--extract` prints it: a map as a file of its own, a list or a typed value as it stands in one, a
/// string raw.
///
/// # Errors
/// [`ConvertError`] when the format cannot hold it.
pub(crate) fn write_value(
    tokens: &[&Token<'_>],
    format: Format,
    layout: Layout,
) -> Result<Secret, ConvertError> {
    match (tokens, format) {
        // EXPOSE: into the wiping buffer that is handed out.
        ([Token::Value(Value::Str(text))], _) => Ok(Secret::from_slice(text.expose())),
        // sops prints a map as a file of its own.
        ([Token::OpenMap, ..], _) => write(&[tokens.to_vec()], format, layout, Floats::AsSops),
        (_, Format::Json) => json::write(tokens, layout.json_indent, Floats::AsSops),
        (_, Format::Yaml) => yaml::write(&[tokens.to_vec()], 0, Floats::AsSops),
        // As JSON has them.
        ([Token::Null | Token::Value(_)], Format::Ini) => json::write(tokens, None, Floats::AsSops),
        (_, Format::Binary | Format::Dotenv | Format::Ini) => Err(ConvertError::OnlyText(format)),
    }
}

/// What stands as text under `data`.
fn binary_content(part: &[&Token<'_>]) -> Result<Secret, ConvertError> {
    let mut depth = 0_usize;
    for pair in part.windows(2) {
        match pair {
            [Token::OpenList | Token::OpenMap, _] => depth += 1,
            [Token::Close, _] => depth = depth.saturating_sub(1),
            [Token::Key(key), Token::Value(Value::Str(text))]
                if depth == 1 && *key == super::binary::DATA_KEY =>
            {
                // EXPOSE: into the wiping buffer that is handed out.
                return Ok(Secret::from_slice(text.expose()));
            }
            _ => {}
        }
    }
    Err(ConvertError::NoBinaryContent)
}

/// A tree that a format cannot hold, so that it could not be read back.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConvertError {
    /// A key that would be read back as another one, or twice.
    #[error("`{key}` cannot be a key in the format {}, or stands there twice", .format.as_str())]
    BadKey {
        /// The key.
        key: String,
        /// The format.
        format: Format,
    },
    /// A list or map where the format has only text, or text where it has only sections.
    #[error("`{key}` has a form that the format {} cannot hold", .format.as_str())]
    Container {
        /// The key.
        key: String,
        /// The format.
        format: Format,
    },
    /// There is no text under `data`.
    #[error("only a text under the key `data` can become a binary file")]
    NoBinaryContent,
    /// JSON has no such number.
    #[error("`{key}` is no finite number, which JSON cannot hold")]
    NotFinite {
        /// The key.
        key: String,
    },
    /// Bytes that are no UTF-8 where the format has no way to write them.
    #[error("`{key}` is not UTF-8 text, which the format {} cannot hold", .format.as_str())]
    NotText {
        /// The key.
        key: String,
        /// The format.
        format: Format,
    },
    /// A value other than a text on its own.
    #[error("only a text can be taken out on its own in the format {}", .0.as_str())]
    OnlyText(Format),
    /// Several YAML documents.
    #[error("the file holds several documents, and the format {} can hold only one", .0.as_str())]
    SeveralDocuments(Format),
    /// A text that the format cannot hold.
    #[error("`{key}`: {reason}")]
    Unwritable {
        /// The key.
        key: String,
        /// Why.
        reason: Unwritable,
    },
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests;
