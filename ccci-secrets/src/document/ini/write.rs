//! The section of the metadata: put at the end, and taken out again.

use super::comment::newline;
use super::scan::line_end;
use super::value::{free_token, key_token};
use crate::document::plain_text::text_of;
use crate::document::{Document, Edit, METADATA_KEY, NewNode, Node, Span};
use crate::secret::Secret;
use crate::value::Value;

/// The section behind everything else, after a blank line. A file without a line feed at its end has none with it
/// either.
pub(crate) fn append_metadata(document: &Document, block: &NewNode) -> Vec<Edit> {
    let NewNode::Map(fields) = block else {
        return Vec::new();
    };
    if metadata_span(document).is_some() {
        return Vec::new();
    }
    let source = document.source.bytes();
    let newline = newline(source);
    let is_open = source.last().is_some_and(|byte| *byte != b'\n');
    let is_first = document.parts.first().is_none_or(|part| {
        let Node::Map(root) = document.node(part.root) else {
            return true;
        };
        root.span.len() == bom(source)
    });
    let mut text = Secret::with_capacity(4096);
    if !is_first {
        text.extend(newline);
    }
    if is_open && !is_first {
        text.extend(newline);
    }
    let fields: Vec<(&str, &Value<'static>)> = fields
        .iter()
        .filter_map(|(key, node)| match node {
            NewNode::Value(value) => Some((key.as_str(), value)),
            _ => None,
        })
        .collect();
    push_section(&mut text, METADATA_KEY, &fields, newline);
    if is_open && !is_first {
        text.truncate(text.len() - newline.len());
    }
    vec![Edit {
        span: Span::new(source.len(), source.len()),
        text,
    }]
}

/// A section as ini.v1 writes one, its keys padded to one width. What cannot be written is left empty, which the check
/// after every write finds.
pub(super) fn push_section(
    out: &mut Secret,
    name: &str,
    fields: &[(&str, &Value<'static>)],
    newline: &[u8],
) {
    out.extend(b"[");
    out.extend(name.as_bytes());
    out.extend(b"]");
    out.extend(newline);
    let keys: Vec<String> = fields
        .iter()
        .map(|(key, _)| key_token(key).unwrap_or_default())
        .collect();
    let width = keys.iter().map(String::len).max().unwrap_or_default();
    for (key, (_, value)) in keys.iter().zip(fields) {
        out.extend(format!("{key:width$} = ").as_bytes());
        // EXPOSE: into the text of the document.
        if let Ok(token) = free_token(text_of(value).expose()) {
            out.extend(token.expose());
        }
        out.extend(newline);
    }
}

/// Cuts the section, and the blank line before it.
pub(crate) fn remove_metadata(document: &Document) -> Vec<Edit> {
    metadata_span(document)
        .map(|span| Edit::new(span, b""))
        .into_iter()
        .collect()
}

/// The section with its blank line, and the line feed that an open file got with it.
pub(super) fn metadata_span(document: &Document) -> Option<Span> {
    let part = document.parts.first()?;
    let (_, entry) = document.metadata_entry(part)?;
    let Node::Map(section) = document.node(entry.value) else {
        return None;
    };
    let source = document.source.bytes();
    let mut start = super::scan::line_start(source, section.span.start()).max(bom(source));
    let end = line_end(source, section.span.end());
    let is_open = end == source.len() && source.last() != Some(&b'\n');
    if let Some(before) = before_newline(source, start)
        && (before == bom(source) || before_newline(source, before).is_some())
    {
        start = before;
        if is_open {
            start = before_newline(source, before).unwrap_or(before);
        }
    }
    Some(Span::new(start, end))
}

/// The offset before the line break that ends at `at`.
fn before_newline(source: &[u8], at: usize) -> Option<usize> {
    let before = source.get(..at)?.strip_suffix(b"\n")?;
    Some(before.strip_suffix(b"\r").unwrap_or(before).len())
}

fn bom(source: &[u8]) -> usize {
    if source.starts_with("\u{feff}".as_bytes()) {
        3
    } else {
        0
    }
}
