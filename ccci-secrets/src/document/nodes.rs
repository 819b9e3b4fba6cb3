//! What a document consists of: collections with their entries and comments; scalars are in [`super::scalar`].

use super::{KeyText, NodeId, Scalar, Span};

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
    pub items: Box<[Item]>,
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

impl Item {
    /// The value of an entry, or an element; none for a comment.
    pub(crate) fn value(&self) -> Option<NodeId> {
        match self {
            Self::Comment(_) => None,
            Self::Element(id) => Some(*id),
            Self::Entry(entry) => Some(entry.value),
        }
    }
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
    pub(super) fn with(self, token: Span) -> Span {
        let starts = [self.anchor, self.tag].into_iter().flatten();
        let start = starts.fold(token.start(), |start, prop| start.min(prop.start()));
        Span::new(start, token.end())
    }
}
