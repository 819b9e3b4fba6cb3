//! Documents: syntax, spans and edits. What is secret, and why, is decided elsewhere.
//!
//! A [`Document`] keeps the source and an arena of nodes whose scalars, keys and comments are spans of it. It knows
//! how to make the text edits that seal a scalar, open it again in its old style, place the `sops` block or insert an
//! entry; it knows nothing of keys or ciphers. `print(parse(x)) == x` holds by construction: printing is the source.

pub(crate) mod binary;
mod blocks;
pub(crate) mod canonical;
mod content;
pub(crate) mod dotenv;
mod errors;
mod format;
pub(crate) mod ini;
pub(crate) mod json;
mod key_texts;
mod metadata_field;
mod new_content;
mod nodes;
mod number;
pub(crate) mod plain_text;
mod scalar;
mod span;
mod walk;
pub(crate) mod yaml;

use std::collections::HashSet;
use std::fmt;

pub use self::canonical::{ConvertError, Layout as CanonicalLayout};
pub use self::errors::{ParseError, ParseErrorKind, ScalarError, SetError};
pub use self::format::Format;
pub(crate) use self::key_texts::{KeyText, KeyTexts, unquoted};
pub use self::new_content::{NewNode, NewScalar};
pub use self::nodes::{Alias, Collection, Comment, Entry, Item, Layout, Node, Place, Props};
pub use self::plain_text::Unwritable;
pub use self::scalar::{BlockScalar, Chomp, Resolved, Scalar, Style};
pub use self::span::{Edit, Source, Span, SpliceError, Splicer};
use crate::large::Large;
use crate::path::TreePath;
use crate::secret::Secret;
use crate::value::{Text, Value};

/// The name of the entry that holds the metadata, at the top of every document.
pub const METADATA_KEY: &str = "sops";

/// Deepest nesting that is read, in every format. Deeper input is an error with its line.
pub const MAX_DEPTH: usize = 5_000;

/// Deepest nesting of new content, and of what is taken out of a document, in every format.
pub(crate) const MAX_NEW_DEPTH: usize = 500;

/// Names a node of one [`Document`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeId(pub(crate) u32);

/// A parsed file: its source and the nodes that point into it.
pub struct Document {
    pub(crate) format: Format,
    pub(crate) source: Source,
    pub(crate) nodes: Large<Node>,
    pub(crate) key_texts: KeyTexts,
    pub(crate) parts: Vec<Part>,
    pub(crate) blocks: blocks::Blocks,
}

/// One YAML document of a file; every other format has exactly one.
#[derive(Debug)]
pub struct Part {
    /// The map at its root.
    pub root: NodeId,
    /// From the first byte after the previous part to the first byte of the `---` or `...` that ends this one (or the
    /// end of the file).
    pub span: Span,
}

impl Document {
    /// Parses a file.
    ///
    /// # Errors
    /// [`ParseError`] with the line.
    pub fn parse(format: Format, bytes: Secret) -> Result<Self, ParseError> {
        if u32::try_from(bytes.len()).is_err() {
            return Err(ParseError::new(ParseErrorKind::TooLarge, 1));
        }
        match format {
            Format::Yaml => yaml::parse(bytes),
            Format::Json => json::parse(bytes),
            Format::Binary => binary::parse(bytes),
            Format::Dotenv => dotenv::parse(bytes),
            Format::Ini => ini::parse(bytes),
        }
    }

    /// Parses plaintext: a binary file is one value then, and no JSON around it.
    ///
    /// # Errors
    /// As [`Document::parse`].
    pub fn parse_plaintext(format: Format, bytes: Secret) -> Result<Self, ParseError> {
        match format {
            Format::Binary if u32::try_from(bytes.len()).is_ok() => Ok(binary::whole_file(bytes)),
            _ => Self::parse(format, bytes),
        }
    }

    /// The format it was parsed as.
    #[must_use]
    pub fn format(&self) -> Format {
        self.format
    }

    /// The source; printing a document is printing this.
    #[must_use]
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// Ends the document and gives its text back.
    #[must_use]
    pub fn into_text(self) -> Secret {
        self.source.into_bytes()
    }

    /// Ends the document and gives its text back with the edits applied. The nodes are let go first: they and two
    /// texts of a large file would take more room than the text is worth.
    ///
    /// # Errors
    /// [`SpliceError`] as for [`Source::splice`].
    pub fn into_spliced(self, edits: Vec<Edit>) -> Result<Secret, SpliceError> {
        let Self { source, nodes, .. } = self;
        drop(nodes);
        if edits.is_empty() {
            return Ok(source.into_bytes());
        }
        source.into_spliced(edits)
    }

    /// The YAML documents of the file, in order.
    #[must_use]
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// A node.
    ///
    /// # Panics
    /// If the id belongs to another document.
    #[must_use]
    #[expect(
        clippy::indexing_slicing,
        reason = "ids are made by the parser of this very document"
    )]
    pub fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id.0 as usize]
    }

    /// Whether anything stands for something else.
    pub(crate) fn has_aliases(&self) -> bool {
        let is_alias = |node: &Node| matches!(node, Node::Alias(_));
        self.nodes.iter().any(is_alias)
    }

    /// A node, with aliases followed to what they stand for.
    #[must_use]
    pub fn target(&self, id: NodeId) -> (NodeId, &Node) {
        match self.node(id) {
            Node::Alias(alias) => (alias.target, self.node(alias.target)),
            node => (id, node),
        }
    }

    /// The whole text of a node: its anchor and tag, where it has any, and its token.
    pub(crate) fn text_span(&self, id: NodeId) -> Span {
        match self.node(id) {
            Node::Alias(alias) => alias.span,
            Node::List(collection) | Node::Map(collection) => {
                collection.props().with(collection.span)
            }
            Node::Scalar(scalar) => scalar.text_span(),
        }
    }

    /// The text of a key.
    #[must_use]
    pub fn key<'a>(&'a self, entry: &'a Entry) -> &'a str {
        if let Some(text) = entry.key_text {
            return self.key_texts.get(text);
        }
        let token = self.source.slice(entry.key);
        let text = match self.format {
            Format::Binary | Format::Json | Format::Yaml => unquoted(token),
            Format::Dotenv | Format::Ini => token,
        };
        std::str::from_utf8(text).unwrap_or_default()
    }

    /// The line of an offset, from 1.
    #[must_use]
    pub fn line(&self, span: Span) -> usize {
        self.source.line(span.start())
    }

    /// The top-level `sops` entry of a part, if it has one: the position of its item and its value.
    #[must_use]
    pub fn metadata_entry(&self, part: &Part) -> Option<(usize, &Entry)> {
        let Node::Map(map) = self.node(part.root) else {
            return None;
        };
        map.items
            .iter()
            .enumerate()
            .find_map(|(at, item)| match item {
                Item::Entry(entry) if self.is_metadata(entry) => Some((at, entry)),
                _ => None,
            })
    }

    /// Whether an entry of a root map is the metadata. In dotenv a key `sops` is a key like any other.
    #[must_use]
    pub fn is_metadata(&self, entry: &Entry) -> bool {
        self.key(entry) == METADATA_KEY
            && (self.format != Format::Dotenv || matches!(self.node(entry.value), Node::Map(_)))
    }

    /// Where the metadata of a part stand, if no data stand among them: from the key, or the first line, to the end.
    #[must_use]
    pub fn metadata_span(&self, part: &Part) -> Option<Span> {
        let (_, entry) = self.metadata_entry(part)?;
        let Node::Map(map) = self.node(entry.value) else {
            return None;
        };
        if self.format == Format::Dotenv && !dotenv::is_contiguous(self) {
            return None;
        }
        Some(Span::new(entry.key.start(), map.span.end()))
    }

    /// The text of a comment, as sops seals it.
    #[must_use]
    pub fn comment_text(&self, comment: &Comment) -> Text<'_> {
        match self.format {
            Format::Ini => ini::comment_text(self, comment),
            _ => Text::Borrowed(self.source.slice(comment.text())),
        }
    }

    /// What a scalar means: its type and its decoded text.
    ///
    /// # Errors
    /// [`ScalarError`] for values that sops cannot carry, or whose tag does not fit.
    pub fn resolve(&self, scalar: &Scalar) -> Result<Resolved<'_>, ScalarError> {
        let text = |text| Ok(Resolved::Value(Value::Str(text)));
        match self.format {
            Format::Binary => binary::resolve(self, scalar),
            Format::Dotenv => text(dotenv::value_text(self.source.slice(scalar.span))),
            Format::Ini => text(ini::value_text(self, scalar)),
            Format::Json => json::resolve(self, scalar),
            Format::Yaml => yaml::resolve::resolve(self, scalar),
        }
    }

    /// The edits that give a scalar a new content in its old style, or in the nearest style that can carry it.
    #[must_use]
    pub fn rewrite_scalar(&self, scalar: &Scalar, new: &NewScalar<'_>) -> Vec<Edit> {
        match self.format {
            Format::Binary => binary::rewrite_scalar(self, scalar, new),
            Format::Dotenv => dotenv::rewrite_scalar(scalar, new),
            Format::Ini => ini::rewrite_scalar(self, scalar, new),
            Format::Json => json::rewrite_scalar(self, scalar, new),
            Format::Yaml => yaml::write::rewrite_scalar(self, scalar, new),
        }
    }

    /// Whether [`Document::rewrite_scalar`] can write a value so that it reads back as itself.
    ///
    /// # Errors
    /// [`Unwritable`], in formats that know only text.
    pub fn can_hold(&self, scalar: &Scalar, value: &Value<'_>) -> Result<(), Unwritable> {
        match self.format {
            Format::Dotenv => dotenv::raw_value(value).map(|_| ()),
            Format::Ini => ini::can_hold(self, scalar, value),
            Format::Json => match value {
                // EXPOSE: only looked at.
                Value::Str(text) if std::str::from_utf8(text.expose()).is_err() => {
                    Err(Unwritable::NotUtf8)
                }
                _ => Ok(()),
            },
            Format::Binary | Format::Yaml => Ok(()),
        }
    }

    /// Whether values have types here; elsewhere each is a text (sops-format.md 12.3).
    #[must_use]
    pub fn has_types(&self) -> bool {
        matches!(self.format, Format::Json | Format::Yaml)
    }

    /// The edits that give a comment the text of an envelope.
    #[must_use]
    pub fn seal_comment(&self, comment: &Comment, envelope: &str) -> Vec<Edit> {
        match self.format {
            Format::Ini => ini::seal_comment(self, comment, envelope),
            _ => vec![Edit::new(comment.text(), envelope.as_bytes())],
        }
    }

    /// The edits that give a comment its text back.
    #[must_use]
    pub fn open_comment(&self, comment: &Comment, text: &[u8]) -> Vec<Edit> {
        match self.format {
            Format::Ini => ini::open_comment(self, comment, text),
            _ => vec![Edit::new(comment.text(), text)],
        }
    }

    /// The edits that put `block` as entry `sops` at the end of every part, where there is none yet (yaml.md 5.3).
    #[must_use]
    pub fn append_metadata(&self, block: &NewNode) -> Vec<Edit> {
        match self.format {
            Format::Binary | Format::Json => json::append_metadata(self, block),
            Format::Dotenv => dotenv::append_metadata(self, block),
            Format::Ini => ini::append_metadata(self, block),
            Format::Yaml => self.append_block(block, canonical::YAML_STEP),
        }
    }

    /// As [`Document::append_metadata`], for YAML, with so many columns per level.
    pub(crate) fn append_block(&self, block: &NewNode, step: usize) -> Vec<Edit> {
        yaml::write::append_metadata(self, block, step)
    }

    /// The edits that take the `sops` entry out of every part: exactly the bytes that
    /// [`Document::append_metadata`] put there.
    #[must_use]
    pub fn remove_metadata(&self) -> Vec<Edit> {
        match self.format {
            Format::Binary | Format::Json => json::remove_metadata(self),
            Format::Dotenv => dotenv::remove_metadata(self),
            Format::Ini => ini::remove_metadata(self),
            Format::Yaml => yaml::write::remove_metadata(self),
        }
    }

    /// The edits that give the metadata of a part a field with an envelope, or take the field out.
    pub(crate) fn set_metadata_field(
        &self,
        part: &Part,
        name: &str,
        envelope: Option<&str>,
    ) -> Vec<Edit> {
        metadata_field::set(self, part, name, envelope)
    }

    /// The edits that replace, or insert, what stands at `path` in the first part (yaml.md 5.4; a list index at or
    /// past the end appends; missing maps on the way are made).
    ///
    /// # Errors
    /// [`SetError`] when the path cannot lead anywhere.
    pub fn set(&self, path: &TreePath, new: &NewNode) -> Result<Vec<Edit>, SetError> {
        let levels = MAX_NEW_DEPTH.checked_sub(path.segments().len());
        if levels.is_none_or(|levels| new.is_deeper_than(levels)) {
            return Err(SetError::TooDeep);
        }
        match self.format {
            Format::Dotenv => dotenv::set(self, path, new),
            Format::Ini => ini::set(self, path, new),
            Format::Binary | Format::Json if !new.is_text() => Err(SetError::Unwritable {
                path: path.to_string(),
                reason: Unwritable::NotUtf8,
            }),
            Format::Binary | Format::Json => json::set(self, path, new),
            Format::Yaml => yaml::write::set(self, path, new),
        }
    }

    /// The edits that take what stands at `path` in the first part out, with the comments that are its own (yaml.md 5.4);
    /// none where nothing stands there, or where it stands behind an alias.
    #[must_use]
    pub fn remove(&self, path: &TreePath) -> Vec<Edit> {
        let Some(found) = walk::find_item(self, path) else {
            return Vec::new();
        };
        match self.format {
            Format::Binary | Format::Json => vec![json::remove(self, &found)],
            Format::Dotenv => vec![dotenv::remove(self, &found)],
            Format::Ini => ini::remove(self, &found),
            Format::Yaml => yaml::write::remove(self, &found),
        }
    }

    /// The edits that take items out of lists in JSON, where a comment has no other form than that of an item.
    #[must_use]
    pub fn remove_items(&self, items: &HashSet<NodeId>) -> Vec<Edit> {
        match self.format {
            Format::Binary | Format::Json => json::remove_items(self, items),
            Format::Dotenv | Format::Ini | Format::Yaml => Vec::new(),
        }
    }

    /// The edits that write every alias for which `expand` is true out as flow text (yaml.md 7): anchors inside the
    /// copy dropped. Aliases inside an expanded copy are expanded too.
    ///
    /// # Errors
    /// [`ParseError`] of kind [`ParseErrorKind::AliasBudget`] when the expansion grows beyond bounds.
    pub fn expand_aliases(&self, expand: &dyn Fn(NodeId) -> bool) -> Result<Vec<Edit>, ParseError> {
        match self.format {
            Format::Yaml => yaml::write::expand_aliases(self, expand),
            _ => Ok(Vec::new()),
        }
    }
}

impl fmt::Debug for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Document({}, {:?}, {} nodes)",
            self.format.as_str(),
            self.source,
            self.nodes.len()
        )
    }
}

/// Everything below an alias counts again at each of its uses; this many nodes in all are read.
pub(crate) const ALIAS_BUDGET: usize = 1_000_000;

/// So many bytes of repeated text count as much as one repeated node.
pub(crate) const TEXT_PER_NODE: usize = 64;
