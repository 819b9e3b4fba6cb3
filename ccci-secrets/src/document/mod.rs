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
pub(crate) mod ini;
pub(crate) mod json;
mod metadata_field;
mod number;
pub(crate) mod plain_text;
mod span;
mod walk;
pub(crate) mod yaml;

use std::collections::HashSet;
use std::fmt;
use std::num::NonZeroU32;

pub use self::canonical::{ConvertError, Layout as CanonicalLayout};
pub use self::plain_text::Unwritable;
pub use self::span::{Edit, Source, Span, SpliceError, Splicer};
use crate::error::ErrorCode;
use crate::path::TreePath;
use crate::secret::Secret;
use crate::value::{Text, Value};

/// The name of the entry that holds the metadata, at the top of every document.
pub const METADATA_KEY: &str = "sops";

/// Deepest nesting that is read, in every format. Deeper input is an error with its line.
pub const MAX_DEPTH: usize = 5_000;

/// A file format of sops.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Format {
    /// The whole file is one value.
    Binary,
    /// `KEY=value` lines.
    Dotenv,
    /// Sections of `key = value`.
    Ini,
    /// JSON.
    Json,
    /// YAML as go-yaml reads it.
    Yaml,
}

impl Format {
    /// The name that `--input-type` takes.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Binary => "binary",
            Self::Dotenv => "dotenv",
            Self::Ini => "ini",
            Self::Json => "json",
            Self::Yaml => "yaml",
        }
    }

    /// The format that a name means.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [
            Self::Binary,
            Self::Dotenv,
            Self::Ini,
            Self::Json,
            Self::Yaml,
        ]
        .into_iter()
        .find(|f| f.as_str() == name)
    }

    /// The format that sops takes from the end of a file name (sops-cli.md 4): case matters, the rest is binary.
    #[must_use]
    pub fn of_file_name(name: &str) -> Self {
        match () {
            () if name.ends_with(".yaml") || name.ends_with(".yml") => Self::Yaml,
            () if name.ends_with(".json") => Self::Json,
            () if name.ends_with(".env") => Self::Dotenv,
            () if name.ends_with(".ini") => Self::Ini,
            () => Self::Binary,
        }
    }
}

/// Deepest nesting of new content, and of what is taken out of a document, in every format.
pub(crate) const MAX_NEW_DEPTH: usize = 500;

/// Names a node of one [`Document`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeId(pub(crate) u32);

/// A parsed file: its source and the nodes that point into it.
pub struct Document {
    pub(crate) format: Format,
    pub(crate) source: Source,
    pub(crate) nodes: Vec<Node>,
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

/// A node of the arena.
#[derive(Debug)]
#[expect(clippy::exhaustive_enums, reason = "these are all the nodes there are")]
pub enum Node {
    /// `*name`: stands for everything below its target.
    Alias(Alias),
    /// A list.
    List(Box<Collection>),
    /// A map.
    Map(Box<Collection>),
    /// A scalar.
    Scalar(Scalar),
}

impl Node {
    pub(crate) fn list(collection: Collection) -> Self {
        Self::List(Box::new(collection))
    }

    pub(crate) fn map(collection: Collection) -> Self {
        Self::Map(Box::new(collection))
    }
}

// A large file has many of them, and each byte more is one more for every leaf.
const _: () = assert!(size_of::<Node>() <= 24 && size_of::<Item>() <= 20);

/// An alias and what it stands for.
#[derive(Debug)]
pub struct Alias {
    /// The token, `*` included.
    pub span: Span,
    /// The anchored node; never an ancestor of the alias.
    pub target: NodeId,
}

/// A map or a list with its items in source order.
#[derive(Debug)]
pub struct Collection {
    /// Entries (map) or elements (list), and the comments among them, in the order of sops' tree: a head comment
    /// before its entry, an inline comment before its entry too (it carries [`Place::Inline`]), a foot comment
    /// directly after its entry.
    pub items: Vec<Item>,
    /// Block or flow.
    pub layout: Layout,
    /// From the first byte of the first entry (block: also the `-`) or the opening bracket, to the end of the last
    /// entry or the closing bracket.
    pub span: Span,
    /// Column of the entries of a block collection, from 0.
    pub column: u32,
    /// Anchor and tag, which most have not.
    pub(crate) props: Option<Box<Props>>,
}

impl Collection {
    /// Anchor and tag.
    #[must_use]
    pub fn props(&self) -> Props {
        self.props.as_deref().copied().unwrap_or_default()
    }
}

/// How a collection is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "YAML has two")]
pub enum Layout {
    /// By indentation.
    Block,
    /// With brackets; JSON always.
    Flow,
}

/// Something inside a collection.
#[derive(Debug)]
#[expect(clippy::exhaustive_enums, reason = "these are all there are")]
pub enum Item {
    /// A comment line or an inline comment.
    Comment(Comment),
    /// A value of a list.
    Element(NodeId),
    /// A key and its value.
    Entry(Entry),
}

/// A key and its value.
#[derive(Debug)]
pub struct Entry {
    /// The key's token.
    pub key: Span,
    /// The key as text where the token, without the quotes around it, is not the text itself.
    pub(crate) key_text: Option<KeyText>,
    /// The value.
    pub value: NodeId,
}

/// The texts of keys that do not stand in the source as they are.
#[derive(Debug, Default)]
pub(crate) struct KeyTexts(Vec<Box<str>>);

/// Names one of [`KeyTexts`]: most entries have none, and this takes no more room than the place in a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct KeyText(NonZeroU32);

impl KeyTexts {
    /// Takes in a text.
    pub(crate) fn add(&mut self, text: impl Into<Box<str>>) -> KeyText {
        self.0.push(text.into());
        // No document has more keys than bytes, of which there are fewer than 2^32.
        let count = u32::try_from(self.0.len()).ok().and_then(NonZeroU32::new);
        KeyText(count.unwrap_or(NonZeroU32::MAX))
    }

    pub(crate) fn get(&self, text: KeyText) -> &str {
        let at = text.0.get() as usize - 1;
        self.0.get(at).map_or("", AsRef::as_ref)
    }
}

/// A token without the quotes around it.
pub(crate) fn unquoted(token: &[u8]) -> &[u8] {
    match token {
        [b'"', inner @ .., b'"'] | [b'\'', inner @ .., b'\''] => inner,
        _ => token,
    }
}

/// One physical comment line, or the comment behind a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Comment {
    /// From the `#` to the last byte before the line end.
    pub span: Span,
    /// Where it stands.
    pub place: Place,
}

impl Comment {
    /// The text after the `#`.
    #[must_use]
    pub fn text(&self) -> Span {
        Span::new(self.span.start() + 1, self.span.end())
    }
}

/// Where a comment stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "these are all there are")]
pub enum Place {
    /// Behind a scalar value on its line; sops flags it inline.
    Inline,
    /// go-yaml attaches it to nothing and sops drops it (yaml.md 9, risk 7). It stands in the innermost enclosing
    /// collection here, so that it can be sealed and is not lost.
    Lost,
    /// Any other.
    OwnLine,
}

/// Anchor and tag before a node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Props {
    /// `&name`.
    pub anchor: Option<Span>,
    /// `!!str`, `!custom`, `!<…>`.
    pub tag: Option<Span>,
}

impl Props {
    /// In the form in which a node keeps them.
    pub(crate) fn boxed(self) -> Option<Box<Self>> {
        (self != Self::default()).then(|| Box::new(self))
    }

    /// From the first of them to the end of the token that they stand before.
    fn with(self, token: Span) -> Span {
        let starts = [self.anchor, self.tag].into_iter().flatten();
        let start = starts.fold(token.start(), |start, prop| start.min(prop.start()));
        Span::new(start, token.end())
    }
}

/// A scalar token.
#[derive(Clone, Debug)]
pub struct Scalar {
    /// The token only, without anchor and tag: quotes included; a block scalar from its `|` or `>` to the end of its
    /// last content line, line end excluded (trailing blank lines belong to no token, though `|+` counts them); an
    /// absent value is an empty span at its place.
    pub span: Span,
    /// Whether it stands inside brackets, where some text is not legal unquoted.
    pub in_flow: bool,
    quotes: Quotes,
    /// What most scalars have not.
    more: Option<Box<ScalarMore>>,
}

/// The styles that need no more said about them; a block scalar says it in [`ScalarMore`].
#[derive(Clone, Copy, Debug)]
enum Quotes {
    Double,
    None,
    Single,
}

#[derive(Clone, Debug)]
struct ScalarMore {
    props: Props,
    /// The style of a block scalar.
    block: Option<Style>,
}

impl Scalar {
    pub(crate) fn new(span: Span, style: Style, props: Props, in_flow: bool) -> Self {
        let (quotes, block) = match style {
            Style::DoubleQuoted => (Quotes::Double, None),
            Style::Plain => (Quotes::None, None),
            Style::SingleQuoted => (Quotes::Single, None),
            Style::Folded(_) | Style::Literal(_) => (Quotes::None, Some(style)),
        };
        let is_plain = block.is_none() && props == Props::default();
        Self {
            span,
            in_flow,
            quotes,
            more: (!is_plain).then(|| Box::new(ScalarMore { props, block })),
        }
    }

    /// How it is written.
    #[must_use]
    pub fn style(&self) -> Style {
        let block = self.more.as_ref().and_then(|more| more.block);
        block.unwrap_or(match self.quotes {
            Quotes::Double => Style::DoubleQuoted,
            Quotes::None => Style::Plain,
            Quotes::Single => Style::SingleQuoted,
        })
    }

    /// Anchor and tag.
    #[must_use]
    pub fn props(&self) -> Props {
        self.more
            .as_ref()
            .map(|more| more.props)
            .unwrap_or_default()
    }
}

impl Scalar {
    /// From its anchor or tag, where it has any, to the end of its token.
    pub(crate) fn text_span(&self) -> Span {
        self.props().with(self.span)
    }
}

/// How a scalar is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "these are all styles of YAML and JSON"
)]
pub enum Style {
    /// `"…"`, also every JSON string.
    DoubleQuoted,
    /// `>`, with the column of its content.
    Folded(BlockScalar),
    /// `|`, with the column of its content.
    Literal(BlockScalar),
    /// Without quotes; also every other JSON scalar, and an absent value.
    Plain,
    /// `'…'`.
    SingleQuoted,
}

/// The parts of a block scalar that its decoded text depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockScalar {
    /// From `|` or `>` to the last of its indicators; a comment may follow on that line.
    pub header: Span,
    /// From the first byte after the header's line end to the end of the region the scanner consumed, trailing blank
    /// lines included.
    pub body: Span,
    /// Column at which content starts.
    pub indent: u32,
    /// What happens to trailing line breaks.
    pub chomp: Chomp,
}

/// What happens to the trailing line breaks of a block scalar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "YAML has three")]
pub enum Chomp {
    /// No indicator: one stays.
    Clip,
    /// `+`: all stay.
    Keep,
    /// `-`: none stays.
    Strip,
}

/// What a scalar means.
#[derive(Debug)]
#[non_exhaustive]
pub enum Resolved<'a> {
    /// Null: neither sealed nor hashed.
    Null,
    /// A value.
    Value(Value<'a>),
}

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
    fn is_deeper_than(&self, levels: usize) -> bool {
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
    fn is_text(&self) -> bool {
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
        source.splice(edits)
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

/// Everything below an alias counts again at each of its uses; this many nodes in all are read.
pub(crate) const ALIAS_BUDGET: usize = 1_000_000;

/// So many bytes of repeated text count as much as one repeated node.
pub(crate) const TEXT_PER_NODE: usize = 64;
