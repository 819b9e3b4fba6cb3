//! Replacing a value, and adding keys and sections.

use super::comment::newline;
use super::parse::DEFAULT_SECTION;
use super::scan::{line_start, scan_key, scan_value, slice};
use super::value::{fitting_token, free_token, is_section_name, key_token};
use super::write::{metadata_span, push_section};
use crate::document::plain_text::text_of;
use crate::document::{
    Collection, Document, Edit, Entry, Format, Item, METADATA_KEY, NewNode, Node, Scalar, SetError,
    Span, Unwritable,
};
use crate::path::{Segment, TreePath};
use crate::secret::Secret;
use crate::value::Value;

/// Sets a key of a section, or adds a whole section of texts.
pub(crate) fn set(
    document: &Document,
    path: &TreePath,
    new: &NewNode,
) -> Result<Vec<Edit>, SetError> {
    let only_text = || SetError::NoContainers {
        path: path.to_string(),
        format: Format::Ini,
    };
    let not_an_index = || SetError::IndexOnMap(path.to_string());
    match (path.segments(), new) {
        ([], _) => Err(SetError::Root),
        ([Segment::Key(name)], NewNode::Map(fields)) if section(document, name).is_none() => {
            let fields = fields
                .iter()
                .map(|(key, node)| match node {
                    NewNode::Value(value) => Ok((key.as_str(), value)),
                    _ => Err(only_text()),
                })
                .collect::<Result<Vec<_>, _>>()?;
            add_section(document, name, &fields)
        }
        ([Segment::Key(name), Segment::Key(key)], NewNode::Value(value)) => {
            let Some(found) = section(document, name) else {
                return add_section(document, name, &[(key, value)]);
            };
            match entry(document, found, key) {
                Some((entry, scalar)) => replace(document, entry, scalar, value, path),
                None => add_key(document, name, found, key, value),
            }
        }
        ([Segment::Index(_), ..] | [_, Segment::Index(_), ..], _) => Err(not_an_index()),
        _ => Err(only_text()),
    }
}

fn root(document: &Document) -> Option<&Collection> {
    match document.node(document.parts.first()?.root) {
        Node::Map(root) => Some(root),
        _ => None,
    }
}

/// The first section of a name: the one that sops sets, too.
fn section<'d>(document: &'d Document, name: &str) -> Option<&'d Collection> {
    root(document)?.items.iter().find_map(|item| match item {
        Item::Entry(entry) if document.key(entry) == name && name != METADATA_KEY => {
            match document.node(entry.value) {
                Node::Map(section) => Some(&**section),
                _ => None,
            }
        }
        _ => None,
    })
}

fn entries<'d>(
    document: &'d Document,
    section: &'d Collection,
) -> impl Iterator<Item = (&'d Entry, &'d Scalar)> {
    section.items.iter().filter_map(|item| match item {
        Item::Entry(entry) => match document.node(entry.value) {
            Node::Scalar(scalar) => Some((entry, scalar)),
            _ => None,
        },
        _ => None,
    })
}

fn entry<'d>(
    document: &'d Document,
    section: &'d Collection,
    key: &str,
) -> Option<(&'d Entry, &'d Scalar)> {
    entries(document, section).find(|(entry, _)| document.key(entry) == key)
}

fn replace(
    document: &Document,
    entry: &Entry,
    scalar: &Scalar,
    value: &Value<'_>,
    path: &TreePath,
) -> Result<Vec<Edit>, SetError> {
    let unwritable = |reason| SetError::Unwritable {
        path: path.to_string(),
        reason,
    };
    // EXPOSE: into the text that is to be sealed.
    let text = text_of(value);
    if let Some(text) = fitting_token(document, scalar, text.expose()) {
        return Ok(vec![Edit {
            span: scalar.span,
            text,
        }]);
    }
    // The comment behind the value is in the way of its quotes: it moves to a line of its own.
    let source = document.source.bytes();
    let old =
        scan_value(source, scalar.span.start()).map_err(|_| unwritable(Unwritable::Quoting))?;
    let comment = old.comment.ok_or_else(|| unwritable(Unwritable::Quoting))?;
    let token = free_token(text.expose()).map_err(unwritable)?;
    let start = line_start(source, entry.key.start());
    let indent = source
        .get(start..)
        .unwrap_or_default()
        .iter()
        .take_while(|byte| matches!(byte, b' ' | b'\t'))
        .count();
    let mut above = slice(source, Span::new(start, start + indent)).to_vec();
    above.extend_from_slice(slice(source, comment));
    above.extend_from_slice(newline(source));
    Ok(vec![
        Edit::new(Span::new(start, start), &above),
        Edit {
            span: Span::new(scalar.span.start(), comment.end()),
            text: token,
        },
    ])
}

/// A line behind the last one of the section, laid out like it.
fn add_key(
    document: &Document,
    name: &str,
    section: &Collection,
    key: &str,
    value: &Value<'_>,
) -> Result<Vec<Edit>, SetError> {
    let source = document.source.bytes();
    let newline = newline(source);
    let written = key_token(key).ok_or_else(|| bad_key(key))?;
    let path = TreePath::from_segments(vec![
        Segment::Key(name.to_owned()),
        Segment::Key(key.to_owned()),
    ]);
    // EXPOSE: into the text that is to be sealed.
    let token = free_token(text_of(value).expose()).map_err(|reason| SetError::Unwritable {
        path: path.to_string(),
        reason,
    })?;
    let last = entries(document, section).last();
    let mut line = Secret::with_capacity(written.len() + token.len() + 16);
    match last {
        Some((entry, _)) => line.extend(&like_line(source, entry.key.start(), &written)),
        None => line.extend(format!("{written} = ").as_bytes()),
    }
    line.extend(token.expose());
    let mut text = Secret::with_capacity(line.len() + 4);
    let is_implicit = section.span.is_empty();
    let at = if last.is_none() && is_implicit {
        // Before the first header, and what stands above it.
        text.extend(line.expose());
        text.extend(newline);
        text.extend(newline);
        section.span.start()
    } else {
        text.extend(newline);
        text.extend(line.expose());
        section.span.end()
    };
    debug_assert!(!is_implicit || name == DEFAULT_SECTION);
    Ok(vec![Edit {
        span: Span::new(at, at),
        text,
    }])
}

/// The start of a new line: indent, key, padding and delimiter like those of the line of another key.
fn like_line(source: &[u8], other: usize, key: &str) -> Vec<u8> {
    let start = line_start(source, other);
    let line = source.get(start..).unwrap_or_default();
    let indent = line
        .iter()
        .take_while(|byte| matches!(byte, b' ' | b'\t'))
        .count();
    let mut text = line.get(..indent).unwrap_or_default().to_vec();
    let delimiter = scan_key(source, start + indent).map_or(0, |key| key.value - 1 - start);
    let before = line.get(..delimiter).unwrap_or_default();
    text.extend_from_slice(key.as_bytes());
    if before.ends_with(b" ") {
        text.resize(delimiter.max(text.len() + 1), b' ');
    }
    text.extend(line.get(delimiter));
    if line.get(delimiter + 1) == Some(&b' ') {
        text.push(b' ');
    }
    text
}

/// A section at the end, but before the metadata.
fn add_section(
    document: &Document,
    name: &str,
    fields: &[(&str, &Value<'static>)],
) -> Result<Vec<Edit>, SetError> {
    if !is_section_name(name) || name == METADATA_KEY {
        return Err(bad_key(name));
    }
    for (nth, (key, value)) in fields.iter().enumerate() {
        let again = fields.iter().take(nth).any(|(other, _)| other == key);
        if again || key_token(key).is_none() {
            return Err(bad_key(key));
        }
        // EXPOSE: only tried.
        free_token(text_of(value).expose()).map_err(|reason| SetError::Unwritable {
            path: TreePath::from_segments(vec![
                Segment::Key(name.to_owned()),
                Segment::Key((*key).to_owned()),
            ])
            .to_string(),
            reason,
        })?;
    }
    let source = document.source.bytes();
    let newline = newline(source);
    let mut text = Secret::with_capacity(256);
    let last = root(document)
        .into_iter()
        .flat_map(|root| &root.items)
        .filter_map(|item| match item {
            Item::Entry(entry) if !document.is_metadata(entry) => Some(document.node(entry.value)),
            _ => None,
        })
        .next_back();
    let at = match last {
        // Directly behind the last section; comments at the end of the file stay there.
        Some(Node::Map(section)) if !section.span.is_empty() => {
            text.extend(newline);
            text.extend(newline);
            push_section(&mut text, name, fields, newline);
            text.truncate(text.len() - newline.len());
            section.span.end()
        }
        _ => {
            push_section(&mut text, name, fields, newline);
            text.extend(newline);
            metadata_span(document).map_or(source.len(), Span::start)
        }
    };
    Ok(vec![Edit {
        span: Span::new(at, at),
        text,
    }])
}

fn bad_key(key: &str) -> SetError {
    SetError::BadKey {
        key: key.to_owned(),
        format: Format::Ini,
    }
}
