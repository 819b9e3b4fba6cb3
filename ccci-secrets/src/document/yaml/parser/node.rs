//! Scalars, aliases, and where collections begin and end.

use super::{Context, Parser, Start, syntax};
use crate::document::yaml::comments::Line;
use crate::document::yaml::frame::{Child, Frame, Shape, surround};
use crate::document::yaml::scanner::error_at;
use crate::document::yaml::stream::NodeComments;
use crate::document::yaml::text;
use crate::document::yaml::token::{Token, TokenKind};
use crate::document::{
    Alias, Collection, Layout, MAX_DEPTH, Node, NodeId, ParseError, ParseErrorKind, Props, Scalar,
    Span, Style,
};

impl<'s> Parser<'s> {
    /// Reads a node, or the start of a collection, which is then the top of the stack.
    pub(super) fn node(&mut self, context: Context, stem: Vec<Line>) -> Result<(), ParseError> {
        match self.start(context)? {
            Start::Done(child) => self.deliver(child),
            Start::Open(shape, token, props) => return self.open(shape, &token, props, stem),
        }
        Ok(())
    }

    /// Reads a scalar or an alias, or the anchor and tag before a collection.
    pub(super) fn start(&mut self, context: Context) -> Result<Start, ParseError> {
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
                let scalar = Scalar::new(token.span(), style, props, !in_block);
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
    pub(super) fn props(&mut self) -> Result<Props, ParseError> {
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

    pub(super) fn check_handle(
        &self,
        handle: Option<Span>,
        token: &Token,
    ) -> Result<(), ParseError> {
        let Some(handle) = handle else {
            return Ok(());
        };
        if self.tag_handles.contains(&text::slice(self.bytes, handle)) {
            return Ok(());
        }
        Err(syntax(token, "the handle of this tag is not declared"))
    }

    pub(super) fn alias(&mut self, token: &Token) -> Result<Child, ParseError> {
        let comments = self.stream.take_comments();
        self.stream.skip(token);
        let span = token.span();
        let name = self.name(span);
        let Some(&target) = self.anchors.get(name) else {
            let name = String::from_utf8_lossy(name).into_owned();
            return Err(error_at(token.start, ParseErrorKind::UnknownAnchor(name)));
        };
        // Collections are numbered as they open, so that the stack is in order.
        if self
            .stack
            .binary_search_by_key(&target, |frame| frame.id)
            .is_ok()
        {
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
    pub(super) fn name(&self, token: Span) -> &'s [u8] {
        text::slice(self.bytes, Span::new(token.start() + 1, token.end()))
    }

    pub(super) fn scalar(&mut self, scalar: Scalar, comments: NodeComments) -> Child {
        let props = scalar.props();
        let id = self.push(Node::Scalar(scalar));
        self.anchor(props, id);
        Child {
            id,
            comments,
            is_collection: false,
        }
    }

    /// A null that is not written; it takes no comments.
    pub(super) fn absent(&mut self, props: Props, in_flow: bool) -> Child {
        let at = self.stream.last_end();
        let scalar = Scalar::new(Span::new(at, at), Style::Plain, props, in_flow);
        self.scalar(scalar, NodeComments::default())
    }

    pub(super) fn anchor(&mut self, props: Props, id: NodeId) {
        if let Some(anchor) = props.anchor {
            self.anchors.insert(self.name(anchor), id);
        }
    }

    pub(super) fn push(&mut self, node: Node) -> NodeId {
        let id = NodeId(u32::try_from(self.nodes.len()).unwrap_or(u32::MAX));
        self.nodes.push(node);
        id
    }

    pub(super) fn open(
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
            items: Box::default(),
            layout: Layout::Block,
            span: token.span(),
            column: 0,
            props: None,
        };
        let id = self.push(Node::list(placeholder));
        self.anchor(props, id);
        let place = (token.start.at, token.start.column);
        self.stack.push(Frame::new(id, shape, place, props, head));
        Ok(())
    }

    pub(super) fn deliver(&mut self, child: Child) {
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
    pub(super) fn close(&mut self, end: NodeComments) {
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

    pub(super) fn deliver_absent(&mut self, in_flow: bool) {
        let absent = self.absent(Props::default(), in_flow);
        self.deliver(absent);
    }
}
