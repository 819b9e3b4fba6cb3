//! New content in block style, laid out as sops lays it out.

use super::flow::{self, Quotes};
use super::lines::{BlockText, Lines};
use super::token::{
    Setting, fits_single_quotes, is_plain_string, push_binary, push_double_quoted,
    push_single_quoted,
};
use crate::document::Chomp;
use crate::document::content::Content;
use crate::secret::Secret;
use crate::value::Value;

/// Where content goes and how its lines are indented.
#[derive(Clone, Copy)]
pub(super) struct Layout<'a> {
    /// Column from which indentation is counted.
    pub(super) base: usize,
    /// Columns that each level adds.
    pub(super) step: usize,
    pub(super) newline: &'a [u8],
    /// Whether the last line of the content ends with a line break once it stands in the file.
    pub(super) last_line: LastLine,
}

/// What follows the last line of new content.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum LastLine {
    /// A comment, or blanks, so far in that a block scalar before them would take them for text.
    BeforeText,
    /// A line break, and nothing that a `|+` could count.
    Closed,
    /// The end of the file.
    Open,
}

/// The text of `content`, without a line break at its end, for a place at column `base + indent`.
pub(super) fn text(content: &Content<'_>, indent: usize, layout: Layout<'_>) -> Secret {
    written(layout, |writer| writer.push(content, indent))
}

/// The text of an entry: its key, and the value behind it or below it.
pub(super) fn entry(key: &str, content: &Content<'_>, indent: usize, layout: Layout<'_>) -> Secret {
    written(layout, |writer| {
        writer.push_key(key);
        writer.push_value(content, indent);
    })
}

/// The text of a list item, its dash included.
pub(super) fn item(content: &Content<'_>, indent: usize, layout: Layout<'_>) -> Secret {
    written(layout, |writer| writer.push_item(content, indent))
}

/// The text of a value behind the `:` of a key at column `base + indent`, its leading blank or line break included.
pub(super) fn value(content: &Content<'_>, indent: usize, layout: Layout<'_>) -> Secret {
    written(layout, |writer| writer.push_value(content, indent))
}

/// A literal at the very end may count on a line break that does not come; then strings are quoted instead.
fn written(layout: Layout<'_>, write: impl Fn(&mut Writer<'_>)) -> Secret {
    let with = |literals| {
        let mut writer = Writer {
            out: Secret::with_capacity(4096),
            layout,
            literals,
            last: None,
        };
        write(&mut writer);
        writer
    };
    let writer = with(true);
    if writer.fits_at_the_end() {
        writer.out
    } else {
        with(false).out
    }
}

struct Writer<'a> {
    out: Secret,
    layout: Layout<'a>,
    literals: bool,
    /// The chomping of the block scalar that was written last, if nothing follows it.
    last: Option<Chomp>,
}

impl Writer<'_> {
    fn fits_at_the_end(&self) -> bool {
        match (self.last, self.layout.last_line) {
            (None, _) => true,
            (Some(_), LastLine::BeforeText) | (Some(Chomp::Keep), _) => false,
            (Some(Chomp::Clip), LastLine::Open) => false,
            (Some(_), _) => true,
        }
    }

    /// Content whose first line stands at its column already.
    fn push(&mut self, content: &Content<'_>, indent: usize) {
        match content {
            Content::Map(entries) if !entries.is_empty() => {
                for (nth, (key, content)) in entries.iter().enumerate() {
                    if nth > 0 {
                        self.push_line(indent);
                    }
                    self.push_key(key);
                    self.push_value(content, indent);
                }
            }
            Content::List(items) if !items.is_empty() => {
                for (nth, content) in items.iter().enumerate() {
                    if nth > 0 {
                        self.push_line(indent);
                    }
                    self.push_item(content, indent);
                }
            }
            scalar => self.push_scalar(scalar, indent),
        }
    }

    fn push_key(&mut self, key: &str) {
        push_string(&mut self.out, key);
        self.out.extend(b":");
    }

    fn push_value(&mut self, content: &Content<'_>, indent: usize) {
        if content.has_items() {
            let inner = self.deeper(indent);
            self.push_line(inner);
            self.push(content, inner);
        } else {
            self.out.extend(b" ");
            self.push_scalar(content, indent);
        }
    }

    /// A container in a list starts on the line of its dash.
    fn push_item(&mut self, content: &Content<'_>, indent: usize) {
        self.out.extend(b"- ");
        if content.has_items() {
            self.push(content, indent + 2)
        } else {
            self.push_scalar(content, indent)
        }
    }

    fn push_scalar(&mut self, content: &Content<'_>, indent: usize) {
        self.last = None;
        match content {
            Content::Value(Value::Str(text)) => {
                // EXPOSE: into the wiping output buffer.
                match std::str::from_utf8(text.expose()) {
                    Ok(text) => match literal(text).filter(|_| self.literals) {
                        Some(text) => self.push_literal(text, indent),
                        None => push_string(&mut self.out, text),
                    },
                    Err(_) => push_binary(&mut self.out, text.expose()),
                }
            }
            other => flow::push(&mut self.out, other, Quotes::WhereNeeded),
        }
    }

    fn push_literal(&mut self, text: BlockText<'_>, indent: usize) {
        let inner = self.deeper(indent);
        let chomp = text.chomp();
        self.out.extend(b"|");
        if text.needs_indicator() {
            self.out.extend((inner - indent).to_string().as_bytes());
        }
        self.out.extend(match chomp {
            Chomp::Clip => b"",
            Chomp::Keep => b"+",
            Chomp::Strip => b"-",
        });
        self.out.extend(self.layout.newline);
        let lines = Lines {
            folded: false,
            indent: self.layout.base + inner,
            newline: self.layout.newline,
        };
        text.push(&mut self.out, lines);
        (1..text.breaks).for_each(|_| self.out.extend(self.layout.newline));
        self.last = Some(chomp);
    }

    fn push_line(&mut self, indent: usize) {
        self.out.extend(self.layout.newline);
        self.out.extend(&vec![b' '; self.layout.base + indent]);
    }

    /// sops aligns to multiples of the step, also inside list items, whose content is two columns in.
    fn deeper(&self, indent: usize) -> usize {
        let step = self.layout.step.max(1);
        step * ((indent + step) / step)
    }
}

/// Text of several lines is a literal, unless a line ends in a blank, which nobody sees.
fn literal(text: &str) -> Option<BlockText<'_>> {
    let block = BlockText::of(text)?;
    let fits = text.contains('\n')
        && !block.core.is_empty()
        && !text.split('\n').any(|line| line.ends_with([' ', '\t']));
    fits.then_some(block)
}

/// A string on one line, quoted where it has to be, or where an older reader would take it for something else.
pub(super) fn push_string(out: &mut Secret, text: &str) {
    let setting = Setting {
        in_flow: false,
        tagged: false,
    };
    let tagged = Setting {
        tagged: true,
        ..setting
    };
    if is_plain_string(text, setting) && !is_old_word(text) {
        out.extend(text.as_bytes());
    } else if !text.is_empty() && !is_plain_string(text, tagged) && fits_single_quotes(text) {
        push_single_quoted(out, text);
    } else {
        push_double_quoted(out, text);
    }
}

/// Booleans, base-60 numbers and the merge key of YAML 1.1.
fn is_old_word(text: &str) -> bool {
    let word = ["y", "n", "yes", "no", "on", "off"]
        .iter()
        .any(|word| text.eq_ignore_ascii_case(word));
    let sixty = text.contains(':')
        && text
            .bytes()
            .all(|byte| byte.is_ascii_digit() || b"+-_.:".contains(&byte));
    word || sixty || text == "<<"
}
