//! Anchors, aliases and tags.

use super::Scanner;
use crate::document::yaml::chars::ends_token;
use crate::document::yaml::token::TokenKind;
use crate::document::{ParseError, ParseErrorKind, Span};

impl Scanner<'_> {
    /// `&name` or `*name`.
    pub(super) fn fetch_anchor(&mut self, kind: TokenKind) -> Result<(), ParseError> {
        self.save_key()?;
        self.simple_key_allowed = false;
        let start = self.cursor.mark();
        self.cursor.bump_run(1);
        let is_named = !self.take_words().is_empty();
        let ends = self.at_token_end()
            || self
                .cursor
                .byte()
                .is_some_and(|byte| b"?:,]}%@`".contains(&byte));
        if !is_named || !ends {
            return Err(self.error_here(ParseErrorKind::Syntax(
                "the name of an anchor holds letters, digits, `_` and `-` only",
            )));
        }
        self.push(kind, start);
        Ok(())
    }

    /// `!`, `!name`, `!!name`, `!handle!name` or `!<name>`.
    pub(super) fn fetch_tag(&mut self) -> Result<(), ParseError> {
        self.save_key()?;
        self.simple_key_allowed = false;
        let start = self.cursor.mark();
        let handle = if self.cursor.ahead(1).first() == Some(&b'<') {
            self.take_verbatim_tag()?;
            None
        } else {
            self.take_tag()?
        };
        if !ends_token(self.cursor.rest()) {
            return Err(self.bad_tag());
        }
        self.push(TokenKind::Tag(handle), start);
        Ok(())
    }

    fn take_verbatim_tag(&mut self) -> Result<(), ParseError> {
        self.cursor.bump_run(2);
        if !self.take_uri()? || self.cursor.byte() != Some(b'>') {
            return Err(self.bad_tag());
        }
        self.cursor.bump_run(1);
        Ok(())
    }

    /// The named handle of the tag, if it has one.
    fn take_tag(&mut self) -> Result<Option<Span>, ParseError> {
        let start = self.cursor.mark().at;
        self.cursor.bump_run(1);
        let is_named = !self.take_words().is_empty();
        if self.cursor.byte() != Some(b'!') {
            self.take_uri()?;
            return Ok(None);
        }
        self.cursor.bump_run(1);
        let handle = Span::new(start, self.cursor.mark().at);
        if !self.take_uri()? {
            return Err(self.bad_tag());
        }
        Ok(is_named.then_some(handle))
    }

    fn bad_tag(&self) -> ParseError {
        self.error_here(ParseErrorKind::Syntax("this tag is not well-formed"))
    }
}
