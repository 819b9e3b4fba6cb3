//! Scalars: their tokens, styles and meaning.

use super::{Props, Span};
use crate::value::Value;

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
