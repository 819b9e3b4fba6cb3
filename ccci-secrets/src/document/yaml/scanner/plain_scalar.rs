//! Scalars without quotes.

use super::Scanner;
use crate::document::yaml::chars::{ends_token, line_break};
use crate::document::yaml::token::TokenKind;
use crate::document::{ParseError, ParseErrorKind, Style};

impl Scanner<'_> {
    /// Reads the scalar that starts here. The blanks and line breaks behind it are passed, too: only what follows
    /// them says whether it has ended.
    pub(super) fn fetch_plain_scalar(&mut self) -> Result<(), ParseError> {
        self.save_key()?;
        self.simple_key_allowed = false;
        let start = self.cursor.mark();
        let mut end = start.at;
        let mut at_line_start = false;
        loop {
            if self.cursor.at_document_marker() || self.cursor.byte() == Some(b'#') {
                break;
            }
            let run = self.plain_run();
            if run > 0 {
                self.cursor.bump_run(run);
                end = self.cursor.mark().at;
                at_line_start = false;
            }
            if !self.cursor.at_blank() && !self.cursor.at_break() {
                break;
            }
            at_line_start |= self.take_gap(at_line_start)?;
            if self.flow_depth == 0 && self.cursor.mark().column < self.margin {
                break;
            }
        }
        self.push_until(TokenKind::Scalar(Style::Plain), start, end);
        if at_line_start {
            self.simple_key_allowed = true;
        }
        Ok(())
    }

    /// Length of the text here without blanks, line breaks or what ends a plain scalar.
    fn plain_run(&self) -> usize {
        let rest = self.cursor.rest();
        let in_flow = self.flow_depth > 0;
        let stops = |(at, &byte): (usize, &u8)| match byte {
            b' ' | b'\t' | b'\n' | b'\r' => true,
            b':' => rest.get(at + 1..).is_none_or(ends_token),
            b',' | b'?' | b'[' | b']' | b'{' | b'}' => in_flow,
            0xC2 | 0xE2 => rest.get(at..).and_then(line_break).is_some(),
            _ => false,
        };
        rest.iter()
            .enumerate()
            .position(stops)
            .unwrap_or(rest.len())
    }

    /// Passes blanks and line breaks; whether there was a line break.
    fn take_gap(&mut self, mut at_line_start: bool) -> Result<bool, ParseError> {
        loop {
            if self.cursor.at_break() {
                self.cursor.bump_break();
                at_line_start = true;
            } else if self.cursor.at_blank() {
                let indents = at_line_start && self.cursor.mark().column < self.margin;
                if indents && self.cursor.byte() == Some(b'\t') {
                    return Err(self.error_here(ParseErrorKind::Tab));
                }
                self.cursor.bump_run(1);
            } else {
                return Ok(at_line_start);
            }
        }
    }
}
