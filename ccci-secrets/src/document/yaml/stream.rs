//! Tokens with the comments that have come up before them.

use super::comments::{Line, Relation};
use super::scanner::Scanner;
use super::token::{Token, TokenKind};
use crate::document::{ParseError, Span};

/// The comments that one node takes.
#[derive(Debug, Default)]
pub(super) struct NodeComments {
    pub(super) head: Vec<Line>,
    pub(super) line: Vec<Line>,
    pub(super) foot: Vec<Line>,
}

/// A scanner, and the comments that wait for the next node that takes any.
pub(super) struct Stream<'s> {
    scanner: Scanner<'s>,
    waiting: NodeComments,
    last_end: usize,
}

impl<'s> Stream<'s> {
    pub(super) fn new(bytes: &'s [u8]) -> Self {
        Self {
            scanner: Scanner::new(bytes),
            waiting: NodeComments::default(),
            last_end: 0,
        }
    }

    /// The next token, which stays. The comments attached to it wait from now on.
    pub(super) fn peek(&mut self) -> Result<Token, ParseError> {
        let token = self.scanner.peek()?;
        let is_end = token.kind == TokenKind::BlockEnd;
        let comments = &mut self.scanner.comments;
        while let Some(next) = comments.next_for(token.start.at) {
            // What stands before the next node is no business of the block that ends here.
            if next.relation == Relation::Head && is_end {
                break;
            }
            let Some(remark) = comments.take_next() else {
                break;
            };
            let lines = match remark.relation {
                Relation::Foot => &mut self.waiting.foot,
                Relation::Head => &mut self.waiting.head,
                Relation::Line => &mut self.waiting.line,
            };
            lines.extend(remark.lines);
        }
        Ok(token)
    }

    /// Passes the token that [`Self::peek`] gave.
    pub(super) fn skip(&mut self, token: &Token) {
        // Tokens without text have no end of their own.
        if token.end > token.start.at {
            self.last_end = self.last_end.max(token.end);
        }
        self.scanner.advance();
    }

    pub(super) fn kind(&mut self) -> Result<TokenKind, ParseError> {
        Ok(self.peek()?.kind)
    }

    /// The offset after the last token passed.
    pub(super) fn last_end(&self) -> usize {
        self.last_end
    }

    pub(super) fn take_comments(&mut self) -> NodeComments {
        std::mem::take(&mut self.waiting)
    }

    pub(super) fn waiting_heads(&mut self) -> &mut Vec<Line> {
        &mut self.waiting.head
    }

    /// Every comment of the source that was read so far.
    pub(super) fn into_all_comments(self) -> Vec<Span> {
        self.scanner.comments.all
    }
}
