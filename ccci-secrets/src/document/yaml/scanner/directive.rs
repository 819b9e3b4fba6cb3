//! `%YAML` and `%TAG`.

use super::Scanner;
use crate::document::yaml::chars::{ends_token, is_word};
use crate::document::yaml::token::TokenKind;
use crate::document::{ParseError, ParseErrorKind, Span};

impl<'s> Scanner<'s> {
    /// Reads the directive whose `%` stands here.
    pub(super) fn fetch_directive(&mut self) -> Result<(), ParseError> {
        let start = self.cursor.mark();
        self.cursor.bump_run(1);
        let kind = match self.take_words() {
            b"YAML" if self.at_token_end() => self.version_directive(),
            b"TAG" if self.at_token_end() => self.tag_directive(),
            _ => None,
        };
        let kind = kind.ok_or_else(|| self.error_here(ParseErrorKind::Directive))?;
        self.push(kind, start);
        self.cursor.bump_blanks();
        if self.cursor.byte() == Some(b'#') {
            self.comments.scan_unattached(&mut self.cursor);
        }
        if self.cursor.byte().is_some() && !self.cursor.at_break() {
            return Err(self.error_here(ParseErrorKind::Directive));
        }
        self.cursor.bump_break();
        Ok(())
    }

    fn version_directive(&mut self) -> Option<TokenKind> {
        self.cursor.bump_blanks();
        let major = self.take_version_number()?;
        if self.cursor.byte() != Some(b'.') {
            return None;
        }
        self.cursor.bump_run(1);
        let minor = self.take_version_number()?;
        Some(TokenKind::VersionDirective(major, minor))
    }

    /// One or two digits.
    fn take_version_number(&mut self) -> Option<u8> {
        let rest = self.cursor.rest();
        let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        if !(1..=2).contains(&digits) {
            return None;
        }
        let number = std::str::from_utf8(rest.get(..digits)?).ok()?.parse().ok();
        self.cursor.bump_run(digits);
        number
    }

    /// `%TAG !handle! prefix`
    fn tag_directive(&mut self) -> Option<TokenKind> {
        self.cursor.bump_blanks();
        let start = self.cursor.mark().at;
        if self.cursor.byte() != Some(b'!') {
            return None;
        }
        self.cursor.bump_run(1);
        let is_primary = self.take_words().is_empty();
        if self.cursor.byte() == Some(b'!') {
            self.cursor.bump_run(1);
        } else if !is_primary {
            return None;
        }
        let handle = Span::new(start, self.cursor.mark().at);
        if !self.cursor.at_blank() {
            return None;
        }
        self.cursor.bump_blanks();
        let start = self.cursor.mark().at;
        let has_prefix = self.take_uri().ok()?;
        let prefix = Span::new(start, self.cursor.mark().at);
        (has_prefix && self.at_token_end()).then_some(TokenKind::TagDirective(handle, prefix))
    }

    /// Passes letters, digits, `_` and `-`.
    pub(super) fn take_words(&mut self) -> &'s [u8] {
        let rest = self.cursor.rest();
        let len = rest.iter().take_while(|&&byte| is_word(byte)).count();
        self.cursor.bump_run(len);
        rest.get(..len).unwrap_or_default()
    }

    pub(super) fn at_token_end(&self) -> bool {
        ends_token(self.cursor.rest())
    }

    /// Passes the characters of a tag's name; whether there were any.
    pub(super) fn take_uri(&mut self) -> Result<bool, ParseError> {
        let start = self.cursor.mark().at;
        while let Some(byte) = self.cursor.byte() {
            if byte == b'%' {
                self.take_escaped_character()?;
            } else if is_word(byte) || b";/?:@&=+$,.!~*'()[]".contains(&byte) {
                self.cursor.bump_run(1);
            } else {
                break;
            }
        }
        Ok(self.cursor.mark().at > start)
    }

    /// `%C3%A9`: the bytes of one character.
    fn take_escaped_character(&mut self) -> Result<(), ParseError> {
        let mut lead = None;
        let mut left = 1;
        while left > 0 {
            let octet = self.escaped_byte().ok_or_else(|| self.bad_escape())?;
            match lead {
                None => {
                    left = character_width(octet).ok_or_else(|| self.bad_escape())?;
                    lead = Some(octet);
                }
                Some(_) if octet & 0xC0 != 0x80 => return Err(self.bad_escape()),
                Some(_) => {}
            }
            self.cursor.bump_run(3);
            left -= 1;
        }
        Ok(())
    }

    fn escaped_byte(&self) -> Option<u8> {
        let [b'%', digits @ ..] = self.cursor.rest() else {
            return None;
        };
        let digits = std::str::from_utf8(digits.get(..2)?).ok()?;
        if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return None;
        }
        u8::from_str_radix(digits, 16).ok()
    }

    fn bad_escape(&self) -> ParseError {
        self.error_here(ParseErrorKind::Syntax("a tag holds a broken % escape"))
    }
}

/// How many bytes a character has that starts with this one.
fn character_width(lead: u8) -> Option<usize> {
    match lead {
        0x00..=0x7F => Some(1),
        0xC0..=0xDF => Some(2),
        0xE0..=0xEF => Some(3),
        0xF0..=0xF7 => Some(4),
        _ => None,
    }
}
