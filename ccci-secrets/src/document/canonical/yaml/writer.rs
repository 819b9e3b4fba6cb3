//! Lines, indents and blanks, and the one rule about blank lines: one after a foot comment, before what follows at the
//! same indent.

use super::scalar::{is_break, is_printable};
use crate::secret::Secret;

/// The text so far and where it stands.
pub(super) struct Writer {
    pub(super) out: Secret,
    column: usize,
    /// Whether a blank, or nothing, stands before the place.
    pub(super) is_after_blank: bool,
    /// Whether only indentation and dashes stand on the line.
    is_in_indentation: bool,
    pub(super) indent: usize,
    /// The indent of the foot comment just written.
    pub(super) foot_indent: Option<usize>,
}

impl Writer {
    pub(super) fn new() -> Self {
        Self {
            out: Secret::with_capacity(1024),
            column: 0,
            is_after_blank: true,
            is_in_indentation: true,
            indent: 0,
            foot_indent: None,
        }
    }

    pub(super) fn line_break(&mut self) {
        self.out.extend(b"\n");
        self.column = 0;
        self.is_in_indentation = true;
    }

    /// Goes to the indent: on this line if nothing stands there yet, else on a new one.
    pub(super) fn indent(&mut self) {
        if !self.is_in_indentation
            || self.column > self.indent
            || (self.column == self.indent && !self.is_after_blank)
        {
            self.line_break();
        }
        if self.foot_indent.take() == Some(self.indent) {
            self.line_break();
        }
        while self.column < self.indent {
            self.push(b" ", 1);
        }
        self.is_after_blank = true;
    }

    /// A sign that begins or separates nodes, set apart from what stands before it.
    pub(super) fn sign(&mut self, sign: &str) {
        self.blank();
        self.push(sign.as_bytes(), sign.len());
        self.is_after_blank = false;
        self.is_in_indentation &= matches!(sign, "-" | "?" | ":");
    }

    /// A sign that follows directly.
    pub(super) fn sign_behind(&mut self, sign: &str) {
        self.push(sign.as_bytes(), sign.len());
        self.is_after_blank = false;
        self.is_in_indentation = false;
    }

    pub(super) fn blank(&mut self) {
        if !self.is_after_blank {
            self.push(b" ", 1);
        }
    }

    /// Comment lines, each with its sign, and a line break.
    pub(super) fn comment(&mut self, text: &str) {
        let (mut broke, mut has_sign) = (false, false);
        for c in text.chars() {
            if is_break(c) {
                self.break_char(c);
                (broke, has_sign) = (true, false);
                continue;
            }
            if std::mem::take(&mut broke) {
                self.indent();
            }
            if !has_sign && c != '#' {
                self.push(b"# ", 2);
            }
            has_sign = true;
            self.char(c);
            self.is_in_indentation = false;
        }
        if !broke {
            self.line_break();
        }
        self.is_after_blank = true;
    }

    pub(super) fn plain(&mut self, text: &str) {
        if !text.is_empty() {
            self.blank();
        }
        self.push(text.as_bytes(), text.chars().count());
        self.is_after_blank &= text.is_empty();
        self.is_in_indentation = false;
    }

    /// Line breaks other than the line feed stand raw, each followed by the indent, which is read as nothing.
    pub(super) fn single_quoted(&mut self, text: &str) {
        self.sign("'");
        let mut broke = false;
        for c in text.chars() {
            if is_break(c) {
                self.break_char(c);
                broke = true;
                continue;
            }
            if c != ' ' {
                if std::mem::take(&mut broke) {
                    self.indent();
                }
                self.is_in_indentation = false;
            }
            if c == '\'' {
                self.char('\'');
            }
            self.char(c);
        }
        self.sign_behind("'");
    }

    pub(super) fn double_quoted(&mut self, text: &str) {
        self.sign("\"");
        // go-yaml looks for a byte order mark at the start of the text, whatever character it is about.
        let escapes_all = text.starts_with('\u{feff}');
        for c in text.chars() {
            if is_printable(c) && !is_break(c) && !matches!(c, '"' | '\\') && !escapes_all {
                self.char(c);
            } else {
                let escape = escape(c);
                self.push(escape.as_bytes(), escape.len());
            }
        }
        self.sign_behind("\"");
    }

    /// The lines of a block scalar.
    pub(super) fn block(&mut self, text: &str) {
        self.is_after_blank = true;
        let mut broke = true;
        for c in text.chars() {
            if is_break(c) {
                self.break_char(c);
                broke = true;
                continue;
            }
            if std::mem::take(&mut broke) {
                self.indent();
            }
            self.char(c);
            self.is_in_indentation = false;
        }
    }

    fn break_char(&mut self, c: char) {
        if c == '\n' {
            self.line_break();
        } else {
            self.char(c);
            self.column = 0;
            self.is_in_indentation = true;
        }
    }

    fn char(&mut self, c: char) {
        self.push(c.encode_utf8(&mut [0; 4]).as_bytes(), 1);
    }

    fn push(&mut self, bytes: &[u8], columns: usize) {
        self.out.extend(bytes);
        self.column += columns;
    }
}

fn escape(c: char) -> String {
    let letter = match c {
        '\0' => '0',
        '\u{7}' => 'a',
        '\u{8}' => 'b',
        '\t' => 't',
        '\n' => 'n',
        '\u{b}' => 'v',
        '\u{c}' => 'f',
        '\r' => 'r',
        '\u{1b}' => 'e',
        '"' => '"',
        '\\' => '\\',
        '\u{85}' => 'N',
        '\u{a0}' => '_',
        '\u{2028}' => 'L',
        '\u{2029}' => 'P',
        other => {
            return match u32::from(other) {
                code @ ..=0xff => format!("\\x{code:02X}"),
                code @ ..=0xffff => format!("\\u{code:04X}"),
                code => format!("\\U{code:08X}"),
            };
        }
    };
    format!("\\{letter}")
}
