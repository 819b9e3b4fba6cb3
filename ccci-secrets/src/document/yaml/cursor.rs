//! The reading position: where the scanner is, in bytes, characters, lines and columns.

use super::chars::{is_blank, line_break};

/// The mark that may open a file.
pub(super) const BYTE_ORDER_MARK: &[u8] = "\u{FEFF}".as_bytes();

/// A place in the source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Mark {
    /// Offset in bytes.
    pub(super) at: usize,
    /// Offset in characters, which is what the length of a simple key is measured in.
    pub(super) index: usize,
    /// Lines before it.
    pub(super) line: usize,
    /// Characters before it on its line.
    pub(super) column: usize,
}

/// Reads characters and line breaks in order.
pub(super) struct Cursor<'s> {
    bytes: &'s [u8],
    mark: Mark,
    newlines: usize,
}

impl<'s> Cursor<'s> {
    /// At the first character; a byte order mark before it does not count.
    pub(super) fn new(bytes: &'s [u8]) -> Self {
        let skipped = if bytes.starts_with(BYTE_ORDER_MARK) {
            BYTE_ORDER_MARK.len()
        } else {
            0
        };
        let mark = Mark {
            at: skipped,
            ..Mark::default()
        };
        Self {
            bytes,
            mark,
            newlines: 0,
        }
    }

    pub(super) fn mark(&self) -> Mark {
        self.mark
    }

    /// Line breaks since the last character that was neither blank nor a line break.
    pub(super) fn newlines(&self) -> usize {
        self.newlines
    }

    /// Everything from here on.
    pub(super) fn rest(&self) -> &'s [u8] {
        self.ahead(0)
    }

    /// Everything from `distance` bytes ahead on.
    pub(super) fn ahead(&self, distance: usize) -> &'s [u8] {
        self.bytes
            .get(self.mark.at + distance..)
            .unwrap_or_default()
    }

    /// The byte here; `None` at the end.
    pub(super) fn byte(&self) -> Option<u8> {
        self.bytes.get(self.mark.at).copied()
    }

    pub(super) fn at_break(&self) -> bool {
        line_break(self.rest()).is_some()
    }

    pub(super) fn at_blank(&self) -> bool {
        self.byte().is_some_and(is_blank)
    }

    /// Whether the line starts with `---` or `...` and something that ends a token.
    pub(super) fn at_document_marker(&self) -> bool {
        self.mark.column == 0
            && matches!(self.rest(), [b'-', b'-', b'-', after @ ..] | [b'.', b'.', b'.', after @ ..]
                if super::chars::ends_token(after))
    }

    /// Passes one character that is no line break.
    pub(super) fn bump(&mut self) {
        let width = match self.byte() {
            None => return,
            Some(0xF0..) => 4,
            Some(0xE0..) => 3,
            Some(0xC0..) => 2,
            Some(_) => 1,
        };
        self.bump_run(width);
    }

    /// Passes `len` bytes without a line break among them.
    pub(super) fn bump_run(&mut self, len: usize) {
        let run = self.rest().get(..len).unwrap_or(self.rest());
        if !run.iter().copied().all(is_blank) {
            self.newlines = 0;
        }
        // Bytes that continue a character are not counted.
        let characters = run.iter().filter(|&&byte| byte & 0xC0 != 0x80).count();
        self.mark.at += run.len();
        self.mark.index += characters;
        self.mark.column += characters;
    }

    /// Passes the blanks here.
    pub(super) fn bump_blanks(&mut self) {
        let blanks = self.rest().iter().take_while(|&&byte| is_blank(byte));
        self.bump_run(blanks.count());
    }

    /// Passes the line break here, if there is one.
    pub(super) fn bump_break(&mut self) {
        if let Some(found) = line_break(self.rest()) {
            self.mark.at += found.len;
            self.mark.index += if self.rest_before(found.len) == b"\r\n" {
                2
            } else {
                1
            };
            self.mark.line += 1;
            self.mark.column = 0;
            self.newlines += 1;
        }
    }

    /// Passes everything up to `offset`, line breaks included.
    pub(super) fn bump_to(&mut self, offset: usize) {
        while self.mark.at < offset {
            if self.at_break() {
                self.bump_break();
            } else {
                self.bump();
            }
        }
    }

    /// At the end of the source the last line counts as ended.
    pub(super) fn end_line(&mut self) {
        if self.mark.column != 0 {
            self.mark.column = 0;
            self.mark.line += 1;
        }
    }

    fn rest_before(&self, len: usize) -> &'s [u8] {
        self.bytes
            .get(self.mark.at.saturating_sub(len)..self.mark.at)
            .unwrap_or_default()
    }
}
