//! Scalars in quotes.

use super::{Scanner, error_at};
use crate::document::yaml::chars::line_break;
use crate::document::yaml::cursor::Mark;
use crate::document::yaml::text::{code_point, hex_digits};
use crate::document::yaml::token::TokenKind;
use crate::document::{ParseError, ParseErrorKind, Style};

impl Scanner<'_> {
    /// Reads the scalar whose opening quote stands here.
    pub(super) fn fetch_quoted_scalar(&mut self, quote: u8) -> Result<(), ParseError> {
        self.save_key()?;
        self.simple_key_allowed = false;
        let start = self.cursor.mark();
        self.cursor.bump_run(1);
        loop {
            if self.cursor.at_document_marker() {
                return Err(unclosed(start));
            }
            match self.cursor.byte() {
                None => return Err(unclosed(start)),
                Some(byte) if byte == quote => {
                    self.cursor.bump_run(1);
                    if quote == b'"' || self.cursor.byte() != Some(b'\'') {
                        break;
                    }
                    self.cursor.bump_run(1);
                }
                Some(b'\\') if quote == b'"' => self.take_escape()?,
                Some(_) if self.cursor.at_break() => self.cursor.bump_break(),
                Some(_) => self.cursor.bump_run(self.quoted_run(quote).max(1)),
            }
        }
        let style = if quote == b'"' {
            Style::DoubleQuoted
        } else {
            Style::SingleQuoted
        };
        self.push(TokenKind::Scalar(style), start);
        Ok(())
    }

    /// Length of the text here that is neither a quote, an escape nor a line break.
    fn quoted_run(&self, quote: u8) -> usize {
        let rest = self.cursor.rest();
        let stops = |(at, &byte): (usize, &u8)| match byte {
            b'\n' | b'\r' => true,
            b'\\' => quote == b'"',
            0xC2 | 0xE2 => rest.get(at..).and_then(line_break).is_some(),
            _ => byte == quote,
        };
        rest.iter()
            .enumerate()
            .position(stops)
            .unwrap_or(rest.len())
    }

    fn take_escape(&mut self) -> Result<(), ParseError> {
        let after = self.cursor.ahead(1);
        if line_break(after).is_some() {
            self.cursor.bump_run(1);
            self.cursor.bump_break();
            return Ok(());
        }
        let Some(&letter) = after.first() else {
            return Err(self.bad_escape_in_quotes());
        };
        let len = match hex_digits(letter) {
            Some(digits) => {
                let code = after.get(1..=digits).and_then(code_point);
                code.ok_or_else(|| self.bad_escape_in_quotes())?;
                2 + digits
            }
            None if b"0abt\tnvfre \"'\\N_LP".contains(&letter) => 2,
            None => return Err(self.bad_escape_in_quotes()),
        };
        self.cursor.bump_run(len);
        Ok(())
    }

    fn bad_escape_in_quotes(&self) -> ParseError {
        self.error_here(ParseErrorKind::Syntax(
            "an unknown escape in double quotes; a backslash itself is written twice",
        ))
    }
}

fn unclosed(start: Mark) -> ParseError {
    error_at(
        start,
        ParseErrorKind::Syntax("the closing quote is missing"),
    )
}
