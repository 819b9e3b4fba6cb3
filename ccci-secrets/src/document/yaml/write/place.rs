//! Where lines begin and end, and what surrounds a place in a document.

use std::ops::Range;

use super::block::LastLine;
use crate::document::yaml::chars::{line_break, line_end};
use crate::document::{Chomp, Collection, Document, Item, Layout, Node, NodeId, Span, Style};

/// The kind of line break that ends the line before `at`, or the first one there is.
pub(super) fn newline(document: &Document, at: usize) -> &'static [u8] {
    let bytes = document.source.bytes();
    let before = bytes.get(..at).unwrap_or(bytes);
    // A lone one is a line break too, and would become half of another with a line feed behind it.
    if before.last() == Some(&b'\r') {
        return b"\r";
    }
    let newline = memchr::memrchr(b'\n', before).or_else(|| memchr::memchr(b'\n', bytes));
    let carriage = newline
        .and_then(|at| at.checked_sub(1))
        .and_then(|at| bytes.get(at));
    if carriage == Some(&b'\r') {
        b"\r\n"
    } else {
        b"\n"
    }
}

/// The end of the line of `at`, its break left out.
pub(super) fn end_of_line(document: &Document, at: usize) -> usize {
    let bytes = document.source.bytes();
    at + line_end(bytes.get(at..).unwrap_or_default())
}

/// The start of the line after the one of `at`; the end of the source if there is none.
pub(super) fn next_line(document: &Document, at: usize) -> usize {
    let end = end_of_line(document, at);
    let rest = document.source.bytes().get(end..).unwrap_or_default();
    end + line_break(rest).map_or(0, |found| found.len)
}

/// The start of the line of `at`.
pub(super) fn start_of_line(document: &Document, at: usize) -> usize {
    let before = document.source.slice(Span::new(0, at));
    let ends_line = |end: &usize| {
        matches!(
            before.get(..*end),
            Some([.., b'\n' | b'\r'] | [.., 0xC2, 0x85] | [.., 0xE2, 0x80, 0xA8 | 0xA9])
        )
    };
    (1..=before.len()).rev().find(ends_line).unwrap_or(0)
}

/// Whether `at` is where a line starts.
pub(super) fn is_line_start(document: &Document, at: usize) -> bool {
    start_of_line(document, at) == at
}

/// Whether nothing but blanks stands before `at` on its line.
pub(super) fn is_first_on_line(document: &Document, at: usize) -> bool {
    let before = document
        .source
        .slice(Span::new(start_of_line(document, at), at));
    before.iter().all(|byte| matches!(byte, b' ' | b'\t'))
}

/// The blanks directly before `at`, as the place where they start.
pub(super) fn start_of_blanks(document: &Document, at: usize) -> usize {
    let before = document.source.slice(Span::new(0, at));
    before
        .iter()
        .rposition(|byte| !matches!(byte, b' ' | b'\t'))
        .map_or(0, |last| last + 1)
}

/// The place after the blanks at `at`.
pub(super) fn end_of_blanks(document: &Document, at: usize) -> usize {
    let rest = document.source.bytes().get(at..).unwrap_or_default();
    at + rest
        .iter()
        .take_while(|byte| matches!(byte, b' ' | b'\t'))
        .count()
}

/// What follows new content that ends where a line starts, or at the end of the source, below a key at `column`.
pub(super) fn last_line(document: &Document, at: usize, column: usize) -> LastLine {
    let bytes = document.source.bytes();
    if !is_line_start(document, at) && at == bytes.len() {
        return LastLine::Open;
    }
    let mut line = at;
    loop {
        let text = end_of_blanks(document, line);
        let is_comment = bytes.get(text) == Some(&b'#');
        let is_blank = end_of_line(document, text) == text;
        if (is_comment || is_blank) && text - line > column {
            return LastLine::BeforeText;
        }
        let next = next_line(document, text);
        if !is_blank || next == text {
            return LastLine::Closed;
        }
        line = next;
    }
}

/// How many line breaks a piece of text holds, and where the last one ends.
pub(super) fn breaks(text: &[u8]) -> (usize, usize) {
    let (count, last) = count_breaks(text);
    (count, last.end)
}

fn count_breaks(text: &[u8]) -> (usize, Range<usize>) {
    let (mut count, mut last) = (0, 0..0);
    loop {
        let start = last.end + line_end(text.get(last.end..).unwrap_or_default());
        let Some(found) = text.get(start..).and_then(line_break) else {
            return (count, last);
        };
        (count, last) = (count + 1, start..start + found.len);
    }
}

/// The column of the innermost block collection around `at`.
pub(super) fn enclosing_column(document: &Document, at: usize) -> usize {
    let column = document.column_around(at);
    column.map_or(0, |column| usize::try_from(column).unwrap_or(usize::MAX))
}

pub(super) fn column(collection: &Collection) -> usize {
    usize::try_from(collection.column).unwrap_or(usize::MAX)
}

/// The token of a scalar or alias, or the whole of a collection.
pub(super) fn span(document: &Document, id: NodeId) -> Span {
    match document.node(id) {
        Node::Alias(alias) => alias.span,
        Node::List(collection) | Node::Map(collection) => collection.span,
        Node::Scalar(scalar) => scalar.span,
    }
}

/// The end of the last line that belongs to a node, its break left out: also the blank lines that a `|+` counts, and
/// the comments inside a block collection.
pub(super) fn end_of_node(document: &Document, id: NodeId) -> usize {
    let mut end = 0;
    let mut current = Some(id);
    while let Some(id) = current.take() {
        end = end.max(span(document, id).end());
        match document.node(id) {
            Node::Scalar(scalar) => {
                if let Style::Literal(block) | Style::Folded(block) = scalar.style()
                    && block.chomp == Chomp::Keep
                {
                    let body = document.source.slice(block.body);
                    end = end.max(block.body.start() + count_breaks(body).1.start);
                }
            }
            Node::Map(collection) | Node::List(collection)
                if collection.layout == Layout::Block =>
            {
                for item in &collection.items {
                    match item {
                        Item::Comment(comment) => end = end.max(comment.span.end()),
                        Item::Element(id) => current = Some(*id),
                        Item::Entry(entry) => {
                            end = end.max(entry.key.end());
                            current = Some(entry.value);
                        }
                    }
                }
            }
            _ => {}
        }
    }
    end
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
mod tests {
    use crate::document::yaml::text;
    use crate::document::{Document, Format, Item, NewScalar, Node, Scalar};
    use crate::secret::Secret;
    use crate::value::Value;

    fn parse(text: &[u8]) -> Document {
        Document::parse(Format::Yaml, Secret::from_slice(text)).unwrap()
    }

    fn first_scalar(document: &Document) -> &Scalar {
        let Node::Map(root) = document.node(document.parts()[0].root) else {
            panic!("the root is a map");
        };
        let values = root.items.iter().filter_map(|item| match item {
            Item::Entry(entry) => Some(document.node(entry.value)),
            _ => None,
        });
        let scalars = values.filter_map(|node| match node {
            Node::Scalar(scalar) => Some(scalar),
            _ => None,
        });
        scalars.collect::<Vec<_>>()[0]
    }

    // Found by fuzzing: a line feed behind the carriage return of the header made one line break of two.
    #[test]
    fn a_lone_carriage_return_is_not_joined_by_a_line_feed() {
        let document = parse(b"a: |\r  x\nb: 1\n");
        let value = Value::borrowed(b"\n\nx\n");
        let new = NewScalar::Value {
            value: &value,
            spelling: b"",
        };
        let edits = document.rewrite_scalar(first_scalar(&document), &new);
        let again = parse(document.source.splice(edits).unwrap().expose());
        let decoded = text::decode(again.source.bytes(), first_scalar(&again));
        assert_eq!(decoded.expose(), b"\n\nx\n");
    }
}
