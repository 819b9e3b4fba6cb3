//! Literal and folded scalars.

use super::Scanner;
use crate::document::yaml::chars::line_end;
use crate::document::yaml::token::TokenKind;
use crate::document::{BlockScalar, Chomp, ParseError, ParseErrorKind, Span, Style};

/// What the header of a block scalar says.
struct Header {
    chomp: Chomp,
    /// The indentation indicator; 0 if there is none.
    indent: usize,
}

impl Scanner<'_> {
    /// Reads the scalar whose `|` or `>` stands here, with all blank lines behind it.
    pub(super) fn fetch_block_scalar(&mut self, sign: u8) -> Result<(), ParseError> {
        self.drop_key()?;
        self.simple_key_allowed = true;
        let start = self.cursor.mark();
        self.cursor.bump_run(1);
        let header = self.take_header()?;
        let header_span = Span::new(start.at, self.cursor.mark().at);
        self.end_header_line(start.at)?;
        let body = self.cursor.mark().at;
        let mut indent = match header.indent {
            0 => 0,
            indent => self.margin.saturating_sub(1) + indent,
        };
        let mut end = header_span.end();
        self.take_blank_lines(&mut indent)?;
        while self.cursor.mark().column == indent && self.cursor.byte().is_some() {
            self.cursor.bump_run(line_end(self.cursor.rest()));
            end = self.cursor.mark().at;
            self.cursor.bump_break();
            self.take_blank_lines(&mut indent)?;
        }
        let block = BlockScalar {
            header: header_span,
            body: Span::new(body, self.body_end(body)),
            indent: u32::try_from(indent).unwrap_or(u32::MAX),
            chomp: header.chomp,
        };
        let style = if sign == b'|' {
            Style::Literal(block)
        } else {
            Style::Folded(block)
        };
        self.push_until(TokenKind::Scalar(style), start, end);
        Ok(())
    }

    /// The body ends where the line starts that is not part of it: the blanks at its start were only looked at.
    fn body_end(&self, body: usize) -> usize {
        let mark = self.cursor.mark();
        if self.cursor.byte().is_none() {
            return mark.at;
        }
        // Only spaces stand before the cursor on its line, so columns are bytes.
        mark.at.saturating_sub(mark.column).max(body)
    }

    /// The indicators, in either order.
    fn take_header(&mut self) -> Result<Header, ParseError> {
        let mut header = Header {
            chomp: Chomp::Clip,
            indent: 0,
        };
        let chomp_first = self.take_chomp(&mut header);
        self.take_indent(&mut header)?;
        if !chomp_first && header.indent > 0 {
            self.take_chomp(&mut header);
        }
        Ok(header)
    }

    fn take_chomp(&mut self, header: &mut Header) -> bool {
        header.chomp = match self.cursor.byte() {
            Some(b'+') => Chomp::Keep,
            Some(b'-') => Chomp::Strip,
            _ => return false,
        };
        self.cursor.bump_run(1);
        true
    }

    fn take_indent(&mut self, header: &mut Header) -> Result<(), ParseError> {
        match self.cursor.byte() {
            Some(b'0') => Err(self.error_here(ParseErrorKind::Syntax(
                "the indentation indicator of a block scalar cannot be 0",
            ))),
            Some(digit @ b'1'..=b'9') => {
                header.indent = usize::from(digit - b'0');
                self.cursor.bump_run(1);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Nothing but a comment may follow the indicators.
    fn end_header_line(&mut self, token: usize) -> Result<(), ParseError> {
        self.cursor.bump_blanks();
        if self.cursor.byte() == Some(b'#') {
            self.comments.scan_behind(&mut self.cursor, token);
        }
        if self.cursor.byte().is_some() && !self.cursor.at_break() {
            return Err(self.error_here(ParseErrorKind::Syntax(
                "text follows on the line of `|` or `>`; it starts on the next line",
            )));
        }
        self.cursor.bump_break();
        Ok(())
    }

    /// Passes blank lines and the indentation of the line that follows. An `indent` of 0 is not known yet: it becomes
    /// that of the deepest line here, and at least one more than the collection around.
    fn take_blank_lines(&mut self, indent: &mut usize) -> Result<(), ParseError> {
        let mut deepest = 0;
        loop {
            let column = self.cursor.mark().column;
            let room = match *indent {
                0 => usize::MAX,
                indent => indent.saturating_sub(column),
            };
            let rest = self.cursor.rest();
            let spaces = rest
                .iter()
                .take(room)
                .take_while(|&&byte| byte == b' ')
                .count();
            self.cursor.bump_run(spaces);
            deepest = deepest.max(self.cursor.mark().column);
            let may_indent = *indent == 0 || self.cursor.mark().column < *indent;
            if may_indent && self.cursor.byte() == Some(b'\t') {
                return Err(self.error_here(ParseErrorKind::Tab));
            }
            if !self.cursor.at_break() {
                break;
            }
            self.cursor.bump_break();
        }
        if *indent == 0 {
            *indent = deepest.max(self.margin).max(1);
        }
        Ok(())
    }
}
