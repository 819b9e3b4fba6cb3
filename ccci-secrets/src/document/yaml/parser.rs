//! From tokens to nodes, with an explicit stack: no input can overflow it.

use std::borrow::Cow;
use std::collections::HashMap;

use super::comments::Line;
use super::frame::{Child, Frame, PendingKey, Shape, surround};
use super::scanner::error_at;
use super::stream::{NodeComments, Stream};
use super::token::{Token, TokenKind};
use super::{lost, merge, resolve, text};
use crate::document::{
    Alias, Collection, Layout, MAX_DEPTH, Node, NodeId, ParseError, ParseErrorKind, Part, Props,
    Scalar, Span, Style,
};

/// Reads every document of the source.
///
/// # Errors
/// [`ParseError`] with the line.
pub(super) fn compose(bytes: &[u8]) -> Result<(Vec<Node>, Vec<Part>), ParseError> {
    let mut parser = Parser {
        bytes,
        stream: Stream::new(bytes),
        nodes: Vec::new(),
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
        parts,
        ..
    } = parser;
    let comments = stream.into_all_comments();
    if parts.is_empty() {
        return Err(nothing_there(&comments));
    }
    lost::place_lost(&mut nodes, &parts, &comments);
    Ok((nodes, parts))
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
    stream: Stream<'s>,
    nodes: Vec<Node>,
    parts: Vec<Part>,
    stack: Vec<Frame<'s>>,
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
                TokenKind::TagDirective(handle) => {
                    let handle = text::slice(self.bytes, handle);
                    if self.tag_handles.contains(&handle) {
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
            items: Vec::new(),
            layout: Layout::Block,
            span: Span::new(at, at),
            column: 0,
            props: Props::default(),
        };
        Child {
            id: self.push(Node::Map(empty)),
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
        match self.root.as_ref().and_then(|root| self.nodes.get(root.id.0 as usize)) {
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

    /// Reads a node, or the start of a collection, which is then the top of the stack.
    fn node(
        &mut self,
        context: Context,
        stem: Vec<Line>,
    ) -> Result<(), ParseError> {
        match self.start(context)? {
            Start::Done(child) => self.deliver(child),
            Start::Open(shape, token, props) => return self.open(shape, &token, props, stem),
        }
        Ok(())
    }

    /// Reads a scalar or an alias, or the anchor and tag before a collection.
    fn start(&mut self, context: Context) -> Result<Start, ParseError> {
        let token = self.stream.peek()?;
        if token.kind == TokenKind::Alias {
            return self.alias(&token).map(Start::Done);
        }
        let props = self.props()?;
        let token = self.stream.peek()?;
        let in_block = context != Context::Flow;
        let shape = match token.kind {
            TokenKind::Scalar(style) => {
                let comments = self.stream.take_comments();
                self.stream.skip(&token);
                let scalar = Scalar {
                    span: token.span(),
                    style,
                    props,
                    in_flow: !in_block,
                };
                return Ok(Start::Done(self.scalar(scalar, comments)));
            }
            TokenKind::BlockEntry if context == Context::BlockOrIndentlessList => {
                Shape::IndentlessList
            }
            TokenKind::FlowListStart => Shape::FlowList,
            TokenKind::FlowMapStart => Shape::FlowMap,
            TokenKind::BlockListStart if in_block => Shape::BlockList,
            TokenKind::BlockMapStart if in_block => Shape::BlockMap,
            _ if props != Props::default() => {
                return Ok(Start::Done(self.absent(props, !in_block)));
            }
            _ => return Err(syntax(&token, "a value is missing before this")),
        };
        Ok(Start::Open(shape, token, props))
    }

    /// An anchor and a tag in either order.
    fn props(&mut self) -> Result<Props, ParseError> {
        let mut props = Props::default();
        loop {
            let token = self.stream.peek()?;
            match token.kind {
                TokenKind::Anchor if props.anchor.is_none() => props.anchor = Some(token.span()),
                TokenKind::Tag(handle) if props.tag.is_none() => {
                    self.check_handle(handle, &token)?;
                    props.tag = Some(token.span());
                }
                _ => return Ok(props),
            }
            self.stream.skip(&token);
        }
    }

    fn check_handle(&self, handle: Option<Span>, token: &Token) -> Result<(), ParseError> {
        let Some(handle) = handle else {
            return Ok(());
        };
        if self.tag_handles.contains(&text::slice(self.bytes, handle)) {
            return Ok(());
        }
        Err(syntax(token, "the handle of this tag is not declared"))
    }

    fn alias(&mut self, token: &Token) -> Result<Child, ParseError> {
        let comments = self.stream.take_comments();
        self.stream.skip(token);
        let span = token.span();
        let name = self.name(span);
        let Some(&target) = self.anchors.get(name) else {
            let name = String::from_utf8_lossy(name).into_owned();
            return Err(error_at(token.start, ParseErrorKind::UnknownAnchor(name)));
        };
        // Collections are numbered as they open, so that the stack is in order.
        if self.stack.binary_search_by_key(&target, |frame| frame.id).is_ok() {
            let name = String::from_utf8_lossy(name).into_owned();
            return Err(error_at(token.start, ParseErrorKind::AliasCycle(name)));
        }
        Ok(Child {
            id: self.push(Node::Alias(Alias { span, target })),
            comments,
            is_collection: false,
        })
    }

    /// The name in an anchor or alias.
    fn name(&self, token: Span) -> &'s [u8] {
        text::slice(self.bytes, Span::new(token.start() + 1, token.end()))
    }

    fn scalar(&mut self, scalar: Scalar, comments: NodeComments) -> Child {
        let id = self.push(Node::Scalar(scalar));
        self.anchor(scalar.props, id);
        Child {
            id,
            comments,
            is_collection: false,
        }
    }

    /// A null that is not written; it takes no comments.
    fn absent(&mut self, props: Props, in_flow: bool) -> Child {
        let at = self.stream.last_end();
        let scalar = Scalar {
            span: Span::new(at, at),
            style: Style::Plain,
            props,
            in_flow,
        };
        self.scalar(scalar, NodeComments::default())
    }

    fn anchor(&mut self, props: Props, id: NodeId) {
        if let Some(anchor) = props.anchor {
            self.anchors.insert(self.name(anchor), id);
        }
    }

    fn push(&mut self, node: Node) -> NodeId {
        let id = NodeId(u32::try_from(self.nodes.len()).unwrap_or(u32::MAX));
        self.nodes.push(node);
        id
    }

    fn open(
        &mut self,
        shape: Shape,
        token: &Token,
        props: Props,
        stem: Vec<Line>,
    ) -> Result<(), ParseError> {
        if self.stack.len() >= MAX_DEPTH {
            return Err(error_at(token.start, ParseErrorKind::TooDeep));
        }
        let head = match shape {
            // Of what the opening bracket took only the head survives its end.
            Shape::FlowList | Shape::FlowMap => self.stream.take_comments().head,
            _ => stem,
        };
        if !matches!(shape, Shape::IndentlessList | Shape::FlowPair) {
            self.stream.skip(token);
        }
        let placeholder = Collection {
            items: Vec::new(),
            layout: Layout::Block,
            span: token.span(),
            column: 0,
            props,
        };
        let id = self.push(Node::List(placeholder));
        self.anchor(props, id);
        let place = (token.start.at, token.start.column);
        self.stack.push(Frame::new(id, shape, place, props, head));
        Ok(())
    }

    fn deliver(&mut self, child: Child) {
        let key = self.stack.last().and_then(|frame| frame.key.as_ref());
        if let Some(line) = key.and_then(|key| key.merges_on_line) {
            self.merged.push((child.id, line));
        }
        match self.stack.last_mut() {
            Some(frame) => frame.accept(child),
            None => self.root = Some(child),
        }
    }

    /// Ends the innermost collection.
    fn close(&mut self, end: NodeComments) {
        let end_offset = self.stream.last_end();
        let Some(frame) = self.stack.pop() else {
            return;
        };
        let id = frame.id;
        let (mut node, mut comments) = frame.close(end, end_offset);
        if let Some(parent) = self.stack.last()
            && parent.key.is_some()
        {
            // Of a value, head and line stand inside; its foot does only if the key has one of its own.
            let mut before = std::mem::take(&mut comments.head);
            before.append(&mut comments.line);
            let behind = if parent.key_takes_foot() {
                Vec::new()
            } else {
                std::mem::take(&mut comments.foot)
            };
            surround(&mut node, before, behind);
        }
        if let Some(place) = self.nodes.get_mut(id.0 as usize) {
            *place = node;
        }
        self.deliver(Child {
            id,
            comments,
            is_collection: true,
        });
    }

    fn deliver_absent(&mut self, in_flow: bool) {
        let absent = self.absent(Props::default(), in_flow);
        self.deliver(absent);
    }

    fn awaits_value(&self) -> bool {
        self.stack.last().is_some_and(|frame| frame.key.is_some())
    }

    /// Passes a token if it is of that kind.
    fn skip_if(&mut self, kind: TokenKind) -> Result<bool, ParseError> {
        let token = self.stream.peek()?;
        let is_it = token.kind == kind;
        if is_it {
            self.stream.skip(&token);
        }
        Ok(is_it)
    }

    fn block_list(&mut self) -> Result<(), ParseError> {
        let token = self.stream.peek()?;
        match token.kind {
            TokenKind::BlockEntry => {
                let stem = self.skip_dash(&token)?;
                match self.stream.kind()? {
                    TokenKind::BlockEntry | TokenKind::BlockEnd => self.deliver_absent(false),
                    _ => self.node(Context::Block, stem)?,
                }
            }
            TokenKind::BlockEnd => {
                self.stream.skip(&token);
                self.close(NodeComments::default());
            }
            _ => return Err(syntax(&token, "a `-` is missing before this list item")),
        }
        Ok(())
    }

    fn indentless_list(&mut self) -> Result<(), ParseError> {
        let token = self.stream.peek()?;
        if token.kind != TokenKind::BlockEntry {
            self.close(NodeComments::default());
            return Ok(());
        }
        let stem = self.skip_dash(&token)?;
        match self.stream.kind()? {
            TokenKind::BlockEntry
            | TokenKind::Key
            | TokenKind::Value
            | TokenKind::BlockEnd => self.deliver_absent(false),
            _ => self.node(Context::Block, stem)?,
        }
        Ok(())
    }

    /// Passes a dash. Comments before it are about the item as a whole if that is a collection, and those behind it
    /// about the first thing inside.
    fn skip_dash(&mut self, dash: &Token) -> Result<Vec<Line>, ParseError> {
        let before = self.stream.waiting_heads().len();
        self.stream.skip(dash);
        let next = self.stream.kind()?;
        let opens = matches!(next, TokenKind::BlockListStart | TokenKind::BlockMapStart);
        if before == 0 || !opens {
            return Ok(Vec::new());
        }
        let waiting = self.stream.waiting_heads();
        let behind = waiting.split_off(before.min(waiting.len()));
        Ok(std::mem::replace(waiting, behind))
    }

    fn block_map(&mut self) -> Result<(), ParseError> {
        if self.awaits_value() {
            return self.block_value();
        }
        let token = self.stream.peek()?;
        match token.kind {
            TokenKind::Key => {
                self.stream.skip(&token);
                let next = self.stream.peek()?;
                match next.kind {
                    TokenKind::Key | TokenKind::Value | TokenKind::BlockEnd => {
                        Err(error_at(token.start, ParseErrorKind::NonStringKey))
                    }
                    _ => self.key(Context::BlockOrIndentlessList, false),
                }
            }
            TokenKind::BlockEnd => {
                let end = self.stream.take_comments();
                self.stream.skip(&token);
                self.close(end);
                Ok(())
            }
            _ => Err(syntax(
                &token,
                "a key is missing, or the indentation does not fit the lines before",
            )),
        }
    }

    fn block_value(&mut self) -> Result<(), ParseError> {
        if self.skip_if(TokenKind::Value)? {
            let next = self.stream.kind()?;
            let is_absent = matches!(
                next,
                TokenKind::Key | TokenKind::Value | TokenKind::BlockEnd
            );
            if !is_absent {
                return self.node(Context::BlockOrIndentlessList, Vec::new());
            }
        }
        self.deliver_absent(false);
        Ok(())
    }

    fn flow_list(&mut self) -> Result<(), ParseError> {
        let Some(token) = self.flow_item(TokenKind::FlowListEnd)? else {
            return Ok(());
        };
        if token.kind != TokenKind::Key {
            return self.node(Context::Flow, Vec::new());
        }
        self.stream.skip(&token);
        // The pair starts where its key does.
        let first = self.stream.peek()?;
        self.open(Shape::FlowPair, &first, Props::default(), Vec::new())
    }

    /// The first token of the next item; `None` when the collection has ended.
    fn flow_item(&mut self, end: TokenKind) -> Result<Option<Token>, ParseError> {
        let is_first = self.stack.last().is_some_and(|frame| frame.is_first);
        let mut token = self.stream.peek()?;
        if token.kind != end && !is_first {
            if token.kind != TokenKind::FlowEntry {
                return Err(syntax(&token, "a `,` or the closing bracket is missing"));
            }
            self.stream.skip(&token);
            token = self.stream.peek()?;
        }
        if token.kind != end {
            return Ok(Some(token));
        }
        let comments = self.stream.take_comments();
        self.stream.skip(&token);
        self.close(comments);
        Ok(None)
    }

    fn flow_pair(&mut self) -> Result<(), ParseError> {
        let is_first = self.stack.last().is_some_and(|frame| frame.is_first);
        if !is_first {
            self.close(NodeComments::default());
            return Ok(());
        }
        if !self.awaits_value() {
            let next = self.stream.peek()?;
            return match next.kind {
                TokenKind::Value | TokenKind::FlowEntry | TokenKind::FlowListEnd => {
                    Err(error_at(next.start, ParseErrorKind::NonStringKey))
                }
                _ => self.key(Context::Flow, false),
            };
        }
        self.flow_value(TokenKind::FlowListEnd)
    }

    fn flow_map(&mut self) -> Result<(), ParseError> {
        if self.awaits_value() {
            return self.flow_value(TokenKind::FlowMapEnd);
        }
        let Some(token) = self.flow_item(TokenKind::FlowMapEnd)? else {
            return Ok(());
        };
        if token.kind != TokenKind::Key {
            return self.key(Context::Flow, true);
        }
        self.stream.skip(&token);
        let next = self.stream.peek()?;
        match next.kind {
            TokenKind::Value | TokenKind::FlowEntry | TokenKind::FlowMapEnd => {
                Err(error_at(next.start, ParseErrorKind::NonStringKey))
            }
            _ => self.key(Context::Flow, false),
        }
    }

    fn flow_value(&mut self, end: TokenKind) -> Result<(), ParseError> {
        let key = self.stack.last().and_then(|frame| frame.key.as_ref());
        let without_value = key.is_some_and(|key| key.without_value);
        if !without_value && self.skip_if(TokenKind::Value)? {
            let next = self.stream.kind()?;
            if next != TokenKind::FlowEntry && next != end {
                return self.node(Context::Flow, Vec::new());
            }
        }
        self.deliver_absent(true);
        Ok(())
    }

    /// Reads a key, which must be text.
    fn key(&mut self, context: Context, without_value: bool) -> Result<(), ParseError> {
        let token = self.stream.peek()?;
        let Start::Done(child) = self.start(context)? else {
            return Err(error_at(token.start, ParseErrorKind::NonStringKey));
        };
        let Some(Node::Scalar(scalar)) = self.nodes.get(child.id.0 as usize) else {
            return Err(syntax(&token, "an alias as a key is not supported"));
        };
        let scalar = *scalar;
        let (name, merges) = self.key_text(&scalar, &token)?;
        self.check_name(&name, &token)?;
        let text = match name {
            Cow::Borrowed(bytes) if bytes == text::slice(self.bytes, scalar.span) => None,
            name => Some(String::from_utf8_lossy(&name).into_owned().into_boxed_str()),
        };
        if let Some(frame) = self.stack.last_mut() {
            frame.accept_key(PendingKey {
                span: scalar.span,
                text,
                comments: child.comments,
                merges_on_line: (merges && self.parts.is_empty()).then_some(token.start.line + 1),
                without_value,
            });
        }
        Ok(())
    }

    /// The text of a key, and whether it merges its value.
    fn key_text(
        &self,
        scalar: &Scalar,
        token: &Token,
    ) -> Result<(Cow<'s, [u8]>, bool), ParseError> {
        let decoded = match text::decode(self.bytes, scalar) {
            crate::value::Text::Borrowed(bytes) => Cow::Borrowed(bytes),
            // EXPOSE: a key, which is no secret in any format of sops.
            crate::value::Text::Owned(secret) => Cow::Owned(secret.expose().to_vec()),
        };
        let tag = scalar.props.tag.map_or(resolve::Tag::None, |tag| {
            resolve::Tag::read(text::slice(self.bytes, tag))
        });
        if tag.retypes() {
            return Err(error_at(token.start, ParseErrorKind::NonStringKey));
        }
        if tag != resolve::Tag::None || scalar.style != Style::Plain {
            let merges = scalar.props.tag.map(|tag| text::slice(self.bytes, tag));
            let merges = merges == Some(b"!!merge") && decoded.as_ref() == b"<<";
            return Ok((decoded, merges));
        }
        match resolve::plain_kind(&decoded) {
            resolve::PlainKind::Str => Ok((decoded, false)),
            resolve::PlainKind::Merge => Ok((decoded, true)),
            _ => Err(error_at(token.start, ParseErrorKind::NonStringKey)),
        }
    }

    /// go-yaml refuses a name that stands twice, and sops asks it to in the first document only.
    fn check_name(&mut self, name: &Cow<'s, [u8]>, token: &Token) -> Result<(), ParseError> {
        if !self.parts.is_empty() {
            return Ok(());
        }
        let Some(frame) = self.stack.last_mut() else {
            return Ok(());
        };
        if frame.names.insert(name.clone()) {
            return Ok(());
        }
        let name = String::from_utf8_lossy(name).into_owned();
        Err(error_at(token.start, ParseErrorKind::DuplicateKey(name)))
    }

    fn check_merges(&self) -> Result<(), ParseError> {
        let refused = self
            .merged
            .iter()
            .find(|(value, _)| !merge::is_mergeable(&self.nodes, *value));
        refused.map_or(Ok(()), |(_, line)| {
            let kind = ParseErrorKind::Syntax("`<<` takes a map or a list of maps; a name is quoted");
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
        TokenKind::VersionDirective(..) | TokenKind::TagDirective(_) | TokenKind::DocumentStart
    )
}

fn ends_document(kind: TokenKind) -> bool {
    matches!(
        kind,
        TokenKind::DocumentEnd | TokenKind::StreamEnd
    ) || starts_document(kind)
}
