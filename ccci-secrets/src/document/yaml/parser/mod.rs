//! From tokens to nodes, with an explicit stack: no input can overflow it.

mod collection;
mod key;
mod node;

use std::collections::HashMap;

use super::comments::Line;
use super::frame::{Child, Frame, Shape, surround};
use super::scanner::error_at;
use super::stream::{NodeComments, Stream};
use super::token::{Token, TokenKind};
use super::{Keys, lost, merge, text};
use crate::document::{
    Collection, KeyTexts, Layout, Node, NodeId, ParseError, ParseErrorKind, Part, Props, Span,
};
use crate::large::Large;

/// Reads every document of the source.
///
/// # Errors
/// [`ParseError`] with the line.
pub(super) fn compose(
    bytes: &[u8],
    keys: Keys,
) -> Result<(Large<Node>, KeyTexts, Vec<Part>), ParseError> {
    let mut parser = Parser {
        bytes,
        keys,
        stream: Stream::new(bytes),
        nodes: Large::with_capacity(expected_nodes(bytes)),
        key_texts: KeyTexts::default(),
        parts: Vec::new(),
        stack: Vec::new(),
        root: None,
        anchors: HashMap::new(),
        tag_handles: Vec::new(),
        merged: Vec::new(),
    };
    let start = parser.stream.peek()?;
    parser.stream.skip(&start);
    while parser.document()? {}
    parser.check_merges()?;
    let Parser {
        stream,
        mut nodes,
        key_texts,
        parts,
        ..
    } = parser;
    let comments = stream.into_all_comments();
    if parts.is_empty() {
        return Err(nothing_there(&comments));
    }
    lost::place_lost(&mut nodes, &parts, &comments);
    Ok((nodes, key_texts, parts))
}

/// Room for the nodes of a file, so that their list need not move while it grows: it would stand in memory twice. Most lines
/// hold one node, and some a collection besides.
fn expected_nodes(bytes: &[u8]) -> usize {
    const LINES_PER_COLLECTION: usize = 8;
    const MOST: usize = 1 << 20;
    let lines = memchr::memchr_iter(b'\n', bytes).count();
    (1 + lines + lines / LINES_PER_COLLECTION).min(MOST)
}

fn nothing_there(comments: &[Span]) -> ParseError {
    let kind = if comments.is_empty() {
        ParseErrorKind::Empty
    } else {
        ParseErrorKind::OnlyComments
    };
    ParseError::new(kind, 1)
}

struct Parser<'s> {
    bytes: &'s [u8],
    keys: Keys,
    stream: Stream<'s>,
    nodes: Large<Node>,
    key_texts: KeyTexts,
    parts: Vec<Part>,
    stack: Vec<Frame>,
    root: Option<Child>,
    /// As in go-yaml, a later document may name the anchors of an earlier one.
    anchors: HashMap<&'s [u8], NodeId>,
    tag_handles: Vec<&'s [u8]>,
    /// The values of `<<` in the first document, and the lines of these keys.
    merged: Vec<(NodeId, usize)>,
}

/// What may follow at some place.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Context {
    /// Whatever stands on lines of its own.
    Block,
    /// The same, or a list whose dashes stand in the column of the key.
    BlockOrIndentlessList,
    /// Only what can stand inside brackets.
    Flow,
}

/// What a node starts with.
enum Start {
    Done(Child),
    Open(Shape, Token, Props),
}

impl<'s> Parser<'s> {
    /// Reads one document; false at the end of the stream.
    fn document(&mut self) -> Result<bool, ParseError> {
        let is_first = self.parts.is_empty();
        let mut token = self.stream.peek()?;
        while !is_first && token.kind == TokenKind::DocumentEnd {
            self.stream.skip(&token);
            token = self.stream.peek()?;
        }
        if token.kind == TokenKind::StreamEnd {
            return Ok(false);
        }
        let mut head = Vec::new();
        if is_first && !starts_document(token.kind) {
            head = self.split_document_head();
            self.root_node()?;
        } else {
            self.directives()?;
            if ends_document(self.stream.kind()?) {
                let here = self.stream.last_end();
                self.root = Some(self.empty_root(here));
            } else {
                self.root_node()?;
            }
        }
        self.end_document(head)?;
        Ok(true)
    }

    /// What stands before the last blank line is about the document, the rest about its first entry.
    fn split_document_head(&mut self) -> Vec<Line> {
        let waiting = self.stream.waiting_heads();
        let Some(blank) = waiting.iter().rposition(Option::is_none) else {
            return Vec::new();
        };
        let rest = waiting.split_off(blank);
        let rest = rest.into_iter().skip(1).collect();
        std::mem::replace(waiting, rest)
    }

    /// `%YAML`, `%TAG` and the `---` that must follow.
    fn directives(&mut self) -> Result<(), ParseError> {
        let mut has_version = false;
        loop {
            let token = self.stream.peek()?;
            match token.kind {
                TokenKind::VersionDirective(1, 1) if !has_version => has_version = true,
                TokenKind::TagDirective(handle, prefix) => {
                    let handle = text::slice(self.bytes, handle);
                    let prefix = text::slice(self.bytes, prefix);
                    if self.tag_handles.contains(&handle) || !keeps_meaning(handle, prefix) {
                        return Err(error_at(token.start, ParseErrorKind::Directive));
                    }
                    self.tag_handles.push(handle);
                }
                TokenKind::VersionDirective(..) => {
                    return Err(error_at(token.start, ParseErrorKind::Directive));
                }
                TokenKind::DocumentStart => {
                    self.stream.skip(&token);
                    return Ok(());
                }
                _ => {
                    return Err(syntax(&token, "a `---` must stand before this document"));
                }
            }
            self.stream.skip(&token);
        }
    }

    fn empty_root(&mut self, at: usize) -> Child {
        let empty = Collection {
            items: Box::default(),
            layout: Layout::Block,
            span: Span::new(at, at),
            column: 0,
            props: None,
        };
        Child {
            id: self.push(Node::map(empty)),
            comments: NodeComments::default(),
            is_collection: true,
        }
    }

    fn root_node(&mut self) -> Result<(), ParseError> {
        let token = self.stream.peek()?;
        self.node(Context::Block, Vec::new())?;
        while let Some(shape) = self.stack.last().map(|frame| frame.shape) {
            match shape {
                Shape::BlockList => self.block_list()?,
                Shape::BlockMap => self.block_map()?,
                Shape::FlowList => self.flow_list()?,
                Shape::FlowMap => self.flow_map()?,
                Shape::FlowPair => self.flow_pair()?,
                Shape::IndentlessList => self.indentless_list()?,
            }
        }
        match self
            .root
            .as_ref()
            .and_then(|root| self.nodes.get(root.id.0 as usize))
        {
            Some(Node::Map(_)) => Ok(()),
            _ => Err(error_at(token.start, ParseErrorKind::RootNotAMap)),
        }
    }

    fn end_document(&mut self, head: Vec<Line>) -> Result<(), ParseError> {
        let token = self.stream.peek()?;
        if !ends_document(token.kind) {
            return Err(syntax(&token, UNEXPECTED));
        }
        if token.kind == TokenKind::DocumentEnd {
            self.stream.skip(&token);
        }
        let mut end = self.stream.take_comments();
        if end.foot.is_empty() {
            end.foot = std::mem::take(&mut end.head);
        }
        self.tag_handles.clear();
        let Some(root) = self.root.take() else {
            return Ok(());
        };
        let mut before = head;
        before.extend(root.comments.head);
        before.extend(root.comments.line);
        let mut behind = root.comments.foot;
        behind.extend(end.foot);
        if let Some(node) = self.nodes.get_mut(root.id.0 as usize) {
            surround(node, before, behind);
        }
        let start = self.parts.last().map_or(0, |part| part.span.end());
        self.parts.push(Part {
            root: root.id,
            span: Span::new(start, token.start.at),
        });
        Ok(())
    }

    fn check_merges(&self) -> Result<(), ParseError> {
        let refused = self
            .merged
            .iter()
            .find(|(value, _)| !merge::is_mergeable(&self.nodes, *value));
        refused.map_or(Ok(()), |(_, line)| {
            let kind =
                ParseErrorKind::Syntax("`<<` takes a map or a list of maps; a name is quoted");
            Err(ParseError::new(kind, *line))
        })
    }
}

const UNEXPECTED: &str = "the document should end here; check the indentation and the quotes";

fn syntax(token: &Token, expected: &'static str) -> ParseError {
    error_at(token.start, ParseErrorKind::Syntax(expected))
}

fn starts_document(kind: TokenKind) -> bool {
    matches!(
        kind,
        TokenKind::VersionDirective(..) | TokenKind::TagDirective(..) | TokenKind::DocumentStart
    )
}

/// Whether tags mean what they seem to mean under this `%TAG`: those of YAML itself stay what they are, and no other
/// handle comes to stand for them. A tag is read without its directive here.
fn keeps_meaning(handle: &[u8], prefix: &[u8]) -> bool {
    const YAML: &[u8] = b"tag:yaml.org,2002:";
    match handle {
        b"!" => prefix == b"!",
        b"!!" => prefix == YAML,
        _ => {
            let may_be_yaml = YAML.starts_with(prefix) || prefix.starts_with(YAML);
            let may_be_short = prefix == b"!" || prefix.starts_with(b"!!");
            !(may_be_yaml || may_be_short || prefix.contains(&b'%'))
        }
    }
}

fn ends_document(kind: TokenKind) -> bool {
    matches!(kind, TokenKind::DocumentEnd | TokenKind::StreamEnd) || starts_document(kind)
}
