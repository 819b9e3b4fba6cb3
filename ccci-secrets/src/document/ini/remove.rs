//! Taking a key or a section out, with its comment.

use super::scan::{line_end, line_start, scan_value};
use crate::document::walk::Found;
use crate::document::{Collection, Comment, Document, Edit, Entry, Item, Node, Place, Span};

pub(crate) fn remove(document: &Document, found: &Found<'_>) -> Vec<Edit> {
    let Item::Entry(entry) = found.item() else {
        return Vec::new();
    };
    match document.node(entry.value) {
        Node::Map(section) => remove_section(document, section),
        _ => remove_key(document, found.collection, found.at, entry)
            .into_iter()
            .collect(),
    }
}

/// The header goes with all below it. Keys before the first header have none.
fn remove_section(document: &Document, section: &Collection) -> Vec<Edit> {
    let source = document.source.bytes();
    if source.get(section.span.start()) != Some(&b'[') {
        let keys = section.items.iter().enumerate();
        return keys
            .filter_map(|(at, item)| match item {
                Item::Entry(entry) => remove_key(document, section, at, entry),
                _ => None,
            })
            .collect();
    }
    let header = line_start(source, section.span.start());
    let start = above(source, section.items.first(), header);
    let end = line_end(source, section.span.end());
    vec![Edit::new(
        Span::new(start, behind_blank_line(source, end)),
        b"",
    )]
}

fn remove_key(document: &Document, section: &Collection, at: usize, entry: &Entry) -> Option<Edit> {
    let source = document.source.bytes();
    let Node::Scalar(scalar) = document.node(entry.value) else {
        return None;
    };
    let line = line_start(source, entry.key.start());
    let start = above(source, section.items.get(at + 1), line);
    let end = scan_value(source, scalar.span.start()).ok()?.next;
    Some(Edit::new(Span::new(start, end), b""))
}

/// Where the comment starts that stands above a line and belongs to it.
fn above(source: &[u8], comment: Option<&Item>, line: usize) -> usize {
    match comment {
        Some(Item::Comment(Comment {
            span,
            place: Place::OwnLine,
        })) if span.start() < line => line_start(source, span.start()),
        _ => line,
    }
}

/// A section takes the blank line along that parts it from the next.
fn behind_blank_line(source: &[u8], at: usize) -> usize {
    let end = line_end(source, at);
    let line = source.get(at..end).unwrap_or_default();
    if line.iter().all(u8::is_ascii_whitespace) {
        end
    } else {
        at
    }
}
