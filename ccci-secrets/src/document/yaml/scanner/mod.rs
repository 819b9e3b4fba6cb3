//! Tokens of YAML, with the limits that go-yaml sets and the comments beside them.
//!
//! Indentation is kept as a *margin*: the column of the innermost block collection plus one, and 0 outside of any.

mod block_scalar;
mod directive;
mod flow_scalar;
mod plain_scalar;
mod properties;

use std::collections::VecDeque;

use super::chars::ends_token;
use super::comments::{Before, Comments};
use super::cursor::{Cursor, Mark};
use super::token::{Token, TokenKind};
use crate::document::{MAX_DEPTH, ParseError, ParseErrorKind};

/// Tokens that must be known beyond the next one, so that the comments behind it have been attached.
const LOOK_AHEAD: usize = 2;

/// A simple key has at most this many characters before its `:`.
const MAX_SIMPLE_KEY: usize = 1024;

/// Turns the source into tokens, a few at a time.
pub(super) struct Scanner<'s> {
    cursor: Cursor<'s>,
    pub(super) comments: Comments,
    tokens: VecDeque<Token>,
    /// Tokens that were handed out.
    taken: usize,
    margin: usize,
    outer_margins: Vec<usize>,
    flow_depth: usize,
    simple_key_allowed: bool,
    /// What may turn out to be a key, per level of flow collections.
    keys: Vec<Option<SimpleKey>>,
    /// No level below this one holds a possible key.
    lowest_key: usize,
    ended: bool,
}

/// A token that is a key if a `:` follows.
#[derive(Clone, Copy)]
struct SimpleKey {
    /// Number of the token, counted from the start of the stream.
    token: usize,
    mark: Mark,
    /// It stands where only a key can stand.
    required: bool,
}

impl<'s> Scanner<'s> {
    pub(super) fn new(bytes: &'s [u8]) -> Self {
        let cursor = Cursor::new(bytes);
        let start = Token {
            kind: TokenKind::StreamStart,
            start: cursor.mark(),
            end: cursor.mark().at,
        };
        Self {
            cursor,
            comments: Comments::default(),
            tokens: VecDeque::from([start]),
            taken: 0,
            margin: 0,
            outer_margins: Vec::new(),
            flow_depth: 0,
            simple_key_allowed: true,
            keys: vec![None],
            lowest_key: 0,
            ended: false,
        }
    }

    /// The next token, which stays.
    pub(super) fn peek(&mut self) -> Result<Token, ParseError> {
        while !self.ended && (self.tokens.len() <= LOOK_AHEAD || self.next_may_be_key()?) {
            self.fetch()?;
        }
        let here = self.cursor.mark();
        Ok(self.tokens.front().copied().unwrap_or(Token {
            kind: TokenKind::StreamEnd,
            start: here,
            end: here.at,
        }))
    }

    /// Passes the token that [`Self::peek`] gave.
    pub(super) fn advance(&mut self) {
        if self.tokens.pop_front().is_some() {
            self.taken += 1;
        }
    }

    /// Whether a key token may still have to be put before the next token.
    fn next_may_be_key(&mut self) -> Result<bool, ParseError> {
        while self.lowest_key + 1 < self.keys.len() && self.key_at(self.lowest_key).is_none() {
            self.lowest_key += 1;
        }
        match self.key_at(self.lowest_key) {
            Some(key) if key.token == self.taken => self.check_key(self.lowest_key),
            _ => Ok(false),
        }
    }

    fn key_at(&self, level: usize) -> Option<SimpleKey> {
        self.keys.get(level).copied().flatten()
    }

    fn set_key(&mut self, key: Option<SimpleKey>) {
        let level = self.keys.len().saturating_sub(1);
        if let Some(place) = self.keys.last_mut() {
            *place = key;
        }
        if key.is_some() {
            self.lowest_key = self.lowest_key.min(level);
        }
    }

    /// Whether the possible key of a level can still be one; it is forgotten if not.
    fn check_key(&mut self, level: usize) -> Result<bool, ParseError> {
        let Some(key) = self.key_at(level) else {
            return Ok(false);
        };
        let here = self.cursor.mark();
        if key.mark.line == here.line && here.index <= key.mark.index + MAX_SIMPLE_KEY {
            return Ok(true);
        }
        if key.required {
            return Err(missing_colon(key));
        }
        if let Some(place) = self.keys.get_mut(level) {
            *place = None;
        }
        Ok(false)
    }

    /// Notes that the token that starts here may be a key.
    fn save_key(&mut self) -> Result<(), ParseError> {
        if !self.simple_key_allowed {
            return Ok(());
        }
        self.drop_key()?;
        let mark = self.cursor.mark();
        self.set_key(Some(SimpleKey {
            token: self.taken + self.tokens.len(),
            mark,
            required: self.flow_depth == 0 && self.margin == mark.column + 1,
        }));
        Ok(())
    }

    fn drop_key(&mut self) -> Result<(), ParseError> {
        match self.keys.last().copied().flatten() {
            Some(key) if key.required => Err(missing_colon(key)),
            _ => {
                self.set_key(None);
                Ok(())
            }
        }
    }

    fn fetch(&mut self) -> Result<(), ParseError> {
        let scan = self.cursor.mark();
        self.skip_to_token(scan);
        self.close_blocks(self.cursor.mark().column + 1, scan);
        let Some(byte) = self.cursor.byte() else {
            return self.fetch_stream_end();
        };
        if byte == b'%' && self.cursor.mark().column == 0 {
            self.end_blocks_before_marker()?;
            return self.fetch_directive();
        }
        if self.cursor.at_document_marker() {
            return self.fetch_document_marker(byte);
        }
        let attached_to = self.comment_target(byte);
        self.fetch_content(byte)?;
        // The comment behind a dash alone is the head of whatever follows.
        let is_dash = self.last_kind() == Some(TokenKind::BlockEntry);
        if !is_dash {
            self.comments.scan_behind(&mut self.cursor, attached_to);
        }
        Ok(())
    }

    /// Where the comment behind the token that starts here goes: behind `:` and `,` to the token before.
    fn comment_target(&self, byte: u8) -> usize {
        let to_previous = byte == if self.flow_depth == 0 { b':' } else { b',' };
        match self.tokens.back() {
            Some(previous) if to_previous => previous.start.at,
            _ => self.cursor.mark().at,
        }
    }

    fn last_kind(&self) -> Option<TokenKind> {
        self.tokens.back().map(|token| token.kind)
    }

    /// Passes blanks, line breaks and comments.
    fn skip_to_token(&mut self, scan: Mark) {
        loop {
            let tabs_pass = self.flow_depth > 0 || !self.simple_key_allowed;
            let blank = |byte: u8| byte == b' ' || tabs_pass && byte == b'\t';
            let blanks = self
                .cursor
                .rest()
                .iter()
                .take_while(|&&byte| blank(byte))
                .count();
            self.cursor.bump_run(blanks);
            if self.at_first_item() && !self.cursor.at_break() {
                self.comments.move_to_first_item(self.cursor.mark());
            }
            if self.cursor.byte() == Some(b'#') {
                self.scan_comments(scan);
            }
            if !self.cursor.at_break() {
                return;
            }
            self.cursor.bump_break();
            if self.flow_depth == 0 {
                self.simple_key_allowed = true;
            }
        }
    }

    /// Whether the last tokens are those of the first dash of a list.
    fn at_first_item(&self) -> bool {
        let mut last = self.tokens.iter().rev().map(|token| token.kind);
        last.next() == Some(TokenKind::BlockEntry) && last.next() == Some(TokenKind::BlockListStart)
    }

    fn scan_comments(&mut self, scan: Mark) {
        let mut last = self.tokens.iter().rev();
        let token = match (last.next(), last.next()) {
            (Some(comma), Some(before)) if comma.kind == TokenKind::FlowEntry => before,
            (Some(token), _) => token,
            (None, _) => return,
        };
        let before = Before {
            token: *token,
            scan,
            column: self.margin.saturating_sub(1),
            in_flow: self.flow_depth > 0,
        };
        self.comments.scan_lines(&mut self.cursor, &before);
    }

    /// Opens a block collection at `mark` if that is deeper than the innermost one.
    fn open_block(&mut self, kind: TokenKind, mark: Mark, place: usize) -> Result<(), ParseError> {
        if self.flow_depth > 0 || self.margin > mark.column {
            return Ok(());
        }
        self.outer_margins.push(self.margin);
        self.margin = mark.column + 1;
        if self.outer_margins.len() > MAX_DEPTH {
            return Err(too_deep(mark));
        }
        let end = mark.at;
        self.tokens.insert(
            place,
            Token {
                kind,
                start: mark,
                end,
            },
        );
        Ok(())
    }

    /// Closes the block collections that stand right of `margin`.
    fn close_blocks(&mut self, margin: usize, scan: Mark) {
        if self.flow_depth > 0 || self.margin <= margin {
            return;
        }
        let ends = self.comments.block_ends(scan.at);
        let mut at = scan.at.saturating_sub(1);
        while self.margin > margin {
            at = ends.get(&self.margin).copied().unwrap_or(at);
            let start = Mark { at, ..scan };
            self.tokens.push_back(Token {
                kind: TokenKind::BlockEnd,
                start,
                end: at,
            });
            self.margin = self.outer_margins.pop().unwrap_or(0);
        }
    }

    fn end_blocks_before_marker(&mut self) -> Result<(), ParseError> {
        self.close_blocks(0, self.cursor.mark());
        self.drop_key()?;
        self.simple_key_allowed = false;
        Ok(())
    }

    fn fetch_stream_end(&mut self) -> Result<(), ParseError> {
        self.cursor.end_line();
        self.end_blocks_before_marker()?;
        self.push(TokenKind::StreamEnd, self.cursor.mark());
        self.ended = true;
        Ok(())
    }

    fn fetch_document_marker(&mut self, byte: u8) -> Result<(), ParseError> {
        self.end_blocks_before_marker()?;
        let start = self.cursor.mark();
        self.cursor.bump_run(3);
        let kind = if byte == b'-' {
            TokenKind::DocumentStart
        } else {
            TokenKind::DocumentEnd
        };
        self.push(kind, start);
        Ok(())
    }

    /// Appends the token that ends here.
    fn push(&mut self, kind: TokenKind, start: Mark) {
        self.push_until(kind, start, self.cursor.mark().at);
    }

    fn push_until(&mut self, kind: TokenKind, start: Mark, end: usize) {
        self.tokens.push_back(Token { kind, start, end });
    }

    /// Passes an indicator of one byte and appends its token.
    fn push_indicator(&mut self, kind: TokenKind) {
        let start = self.cursor.mark();
        self.cursor.bump_run(1);
        self.push(kind, start);
    }

    fn fetch_content(&mut self, byte: u8) -> Result<(), ParseError> {
        let in_flow = self.flow_depth > 0;
        let stands_alone = ends_token(self.cursor.ahead(1));
        match byte {
            b'[' => self.open_flow(TokenKind::FlowListStart),
            b'{' => self.open_flow(TokenKind::FlowMapStart),
            b']' => self.close_flow(TokenKind::FlowListEnd),
            b'}' => self.close_flow(TokenKind::FlowMapEnd),
            b',' => self.fetch_comma(),
            b'-' if stands_alone => self.fetch_dash(),
            b'?' if in_flow || stands_alone => self.fetch_question_mark(),
            b':' if in_flow || stands_alone => self.fetch_colon(),
            b'*' => self.fetch_anchor(TokenKind::Alias),
            b'&' => self.fetch_anchor(TokenKind::Anchor),
            b'!' => self.fetch_tag(),
            b'|' | b'>' if !in_flow => self.fetch_block_scalar(byte),
            b'\'' | b'"' => self.fetch_quoted_scalar(byte),
            b'#' | b'|' | b'>' | b'%' | b'@' | b'`' => Err(self.unexpected_character()),
            b'\t' => Err(self.error_here(ParseErrorKind::Tab)),
            _ => self.fetch_plain_scalar(),
        }
    }

    fn unexpected_character(&self) -> ParseError {
        self.error_here(ParseErrorKind::Syntax(
            "no value can start with this character; write it in quotes",
        ))
    }

    fn error_here(&self, kind: ParseErrorKind) -> ParseError {
        error_at(self.cursor.mark(), kind)
    }

    fn open_flow(&mut self, kind: TokenKind) -> Result<(), ParseError> {
        self.save_key()?;
        self.keys.push(None);
        self.flow_depth += 1;
        if self.flow_depth > MAX_DEPTH {
            return Err(too_deep(self.cursor.mark()));
        }
        self.simple_key_allowed = true;
        self.push_indicator(kind);
        Ok(())
    }

    fn close_flow(&mut self, kind: TokenKind) -> Result<(), ParseError> {
        self.drop_key()?;
        if self.flow_depth > 0 {
            self.flow_depth -= 1;
            self.keys.pop();
            self.lowest_key = self.lowest_key.min(self.flow_depth);
        }
        self.simple_key_allowed = false;
        self.push_indicator(kind);
        Ok(())
    }

    fn fetch_comma(&mut self) -> Result<(), ParseError> {
        self.drop_key()?;
        self.simple_key_allowed = true;
        self.push_indicator(TokenKind::FlowEntry);
        Ok(())
    }

    fn fetch_dash(&mut self) -> Result<(), ParseError> {
        if self.flow_depth == 0 {
            self.begin_block_entry(
                TokenKind::BlockListStart,
                "a list item is not allowed in this place",
            )?;
        }
        self.drop_key()?;
        self.simple_key_allowed = true;
        self.push_indicator(TokenKind::BlockEntry);
        Ok(())
    }

    fn fetch_question_mark(&mut self) -> Result<(), ParseError> {
        if self.flow_depth == 0 {
            self.begin_block_entry(TokenKind::BlockMapStart, KEY_NOT_ALLOWED)?;
        }
        self.drop_key()?;
        self.simple_key_allowed = self.flow_depth == 0;
        self.push_indicator(TokenKind::Key);
        Ok(())
    }

    fn fetch_colon(&mut self) -> Result<(), ParseError> {
        let level = self.keys.len().saturating_sub(1);
        if self.check_key(level)?
            && let Some(key) = self.key_at(level)
        {
            let place = key.token.saturating_sub(self.taken);
            self.tokens.insert(
                place,
                Token {
                    kind: TokenKind::Key,
                    start: key.mark,
                    end: key.mark.at,
                },
            );
            self.open_block(TokenKind::BlockMapStart, key.mark, place)?;
            self.set_key(None);
            self.simple_key_allowed = false;
        } else {
            if self.flow_depth == 0 {
                self.begin_block_entry(
                    TokenKind::BlockMapStart,
                    "a second `:` on one line, or a value without its key; quote text that holds `: `",
                )?;
            }
            self.simple_key_allowed = self.flow_depth == 0;
        }
        self.push_indicator(TokenKind::Value);
        Ok(())
    }

    fn begin_block_entry(
        &mut self,
        kind: TokenKind,
        refusal: &'static str,
    ) -> Result<(), ParseError> {
        if !self.simple_key_allowed {
            return Err(self.error_here(ParseErrorKind::Syntax(refusal)));
        }
        self.open_block(kind, self.cursor.mark(), self.tokens.len())
    }
}

const KEY_NOT_ALLOWED: &str = "a key is not allowed in this place";

fn missing_colon(key: SimpleKey) -> ParseError {
    error_at(
        key.mark,
        ParseErrorKind::Syntax(
            "a `:` is missing after this key, or the key is longer than 1024 characters or one line",
        ),
    )
}

fn too_deep(mark: Mark) -> ParseError {
    error_at(mark, ParseErrorKind::TooDeep)
}

/// An error on the line of a mark.
pub(super) fn error_at(mark: Mark, kind: ParseErrorKind) -> ParseError {
    ParseError::new(kind, mark.line + 1)
}
