//! What may stand where inside each kind of collection.

use super::{Context, Parser, syntax};
use crate::document::yaml::comments::Line;
use crate::document::yaml::frame::Shape;
use crate::document::yaml::scanner::error_at;
use crate::document::yaml::stream::NodeComments;
use crate::document::yaml::token::{Token, TokenKind};
use crate::document::{ParseError, ParseErrorKind, Props};

impl<'s> Parser<'s> {
    pub(super) fn awaits_value(&self) -> bool {
        self.stack.last().is_some_and(|frame| frame.key.is_some())
    }

    /// Passes a token if it is of that kind.
    pub(super) fn skip_if(&mut self, kind: TokenKind) -> Result<bool, ParseError> {
        let token = self.stream.peek()?;
        let is_it = token.kind == kind;
        if is_it {
            self.stream.skip(&token);
        }
        Ok(is_it)
    }

    pub(super) fn block_list(&mut self) -> Result<(), ParseError> {
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

    pub(super) fn indentless_list(&mut self) -> Result<(), ParseError> {
        let token = self.stream.peek()?;
        if token.kind != TokenKind::BlockEntry {
            self.close(NodeComments::default());
            return Ok(());
        }
        let stem = self.skip_dash(&token)?;
        match self.stream.kind()? {
            TokenKind::BlockEntry | TokenKind::Key | TokenKind::Value | TokenKind::BlockEnd => {
                self.deliver_absent(false)
            }
            _ => self.node(Context::Block, stem)?,
        }
        Ok(())
    }

    /// Passes a dash. Comments before it are about the item as a whole if that is a collection, and those behind it
    /// about the first thing inside.
    pub(super) fn skip_dash(&mut self, dash: &Token) -> Result<Vec<Line>, ParseError> {
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

    pub(super) fn block_map(&mut self) -> Result<(), ParseError> {
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

    pub(super) fn block_value(&mut self) -> Result<(), ParseError> {
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

    pub(super) fn flow_list(&mut self) -> Result<(), ParseError> {
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
    pub(super) fn flow_item(&mut self, end: TokenKind) -> Result<Option<Token>, ParseError> {
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

    pub(super) fn flow_pair(&mut self) -> Result<(), ParseError> {
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

    pub(super) fn flow_map(&mut self) -> Result<(), ParseError> {
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

    pub(super) fn flow_value(&mut self, end: TokenKind) -> Result<(), ParseError> {
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
}
