//! What the scanner hands to the parser.

use super::cursor::Mark;
use crate::document::{Span, Style};

/// A token and where it stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Token {
    pub(super) kind: TokenKind,
    /// Where it starts; tokens without text stand before the one they announce or after the one they end.
    pub(super) start: Mark,
    /// Offset after its last byte.
    pub(super) end: usize,
}

impl Token {
    pub(super) fn span(&self) -> Span {
        Span::new(self.start.at, self.end)
    }
}

/// The kinds of tokens, which are those of YAML 1.1's production in libyaml and its descendants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TokenKind {
    Alias,
    Anchor,
    BlockEnd,
    BlockEntry,
    BlockMapStart,
    BlockListStart,
    DocumentEnd,
    DocumentStart,
    FlowEntry,
    FlowListEnd,
    FlowListStart,
    FlowMapEnd,
    FlowMapStart,
    Key,
    Scalar(Style),
    StreamEnd,
    StreamStart,
    /// With its named handle, `!name!`, which must have been declared.
    Tag(Option<Span>),
    /// `%TAG` with the handle that it declares, and what that stands for.
    TagDirective(Span, Span),
    Value,
    /// `%YAML` with its version.
    VersionDirective(u8, u8),
}
