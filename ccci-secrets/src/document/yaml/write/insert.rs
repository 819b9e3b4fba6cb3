//! New entries, and new content where there is some already (yaml.md 5.4).

use super::block;
use super::ending::{Ending, last_block_scalar};
use super::flow::{self, Quotes};
use super::metadata::{end_of_entry, separator};
use super::place;
use super::replace::{self, step};
use crate::document::content::Content;
use crate::document::walk::{self, Place};
use crate::document::{
    Collection, Document, Edit, Entry, Item, Layout, NewNode, Node, NodeId, Part, SetError, Span,
};
use crate::path::{Segment, TreePath};
use crate::secret::Secret;

pub(crate) fn set(
    document: &Document,
    path: &TreePath,
    new: &NewNode,
) -> Result<Vec<Edit>, SetError> {
    let Some(part) = document.parts.first() else {
        return Err(SetError::Root);
    };
    Ok(match walk::find(document, path)? {
        Place::Existing { value } => replace::replace(document, value, &Content::of(new)),
        Place::InTheWay { value, rest } => {
            replace::replace(document, value, &Content::nested(rest, new))
        }
        Place::Missing {
            collection,
            step,
            rest,
        } => {
            let Some(into) = as_collection(document, collection) else {
                return Err(SetError::Root);
            };
            let walked = path.segments().len() - rest.len() - 1;
            let from_here = path.segments().get(walked..).unwrap_or_default();
            if collection != part.root && is_empty_in_block(document, collection, into) {
                // sops writes every empty collection with brackets; what goes in is in block style as all else.
                replace::replace(document, collection, &Content::nested(from_here, new))
            } else {
                insert(
                    document,
                    part,
                    collection,
                    step,
                    &Content::nested(rest, new),
                )
            }
        }
    })
}

fn as_collection(document: &Document, id: NodeId) -> Option<&Collection> {
    match document.node(id) {
        Node::Map(collection) | Node::List(collection) => Some(collection),
        _ => None,
    }
}

fn is_empty_in_block(document: &Document, id: NodeId, collection: &Collection) -> bool {
    let inner = Span::new(
        collection.span.start() + 1,
        collection.span.end().saturating_sub(1),
    );
    let is_blank = document
        .source
        .slice(inner)
        .iter()
        .all(u8::is_ascii_whitespace);
    collection.layout == Layout::Flow && is_blank && !replace::is_in_flow(document, id)
}

fn insert(
    document: &Document,
    part: &Part,
    id: NodeId,
    step: &Segment,
    content: &Content<'_>,
) -> Vec<Edit> {
    let Some(into) = as_collection(document, id) else {
        return Vec::new();
    };
    let key = match step {
        Segment::Key(key) => Some(key.as_str()),
        Segment::Index(_) => None,
    };
    let metadata = if id == part.root {
        document.metadata_entry(part)
    } else {
        None
    };
    match into.layout {
        Layout::Flow => vec![insert_member(document, into, metadata, key, content)],
        Layout::Block => insert_lines(document, part, into, metadata, key, content),
    }
}

fn insert_member(
    document: &Document,
    into: &Collection,
    metadata: Option<(usize, &Entry)>,
    key: Option<&str>,
    content: &Content<'_>,
) -> Edit {
    let mut text = Secret::with_capacity(256);
    let before = into
        .items
        .get(..metadata.map_or(into.items.len(), |(at, _)| at))
        .unwrap_or_default();
    let last = before
        .iter()
        .rev()
        .find(|item| !matches!(item, Item::Comment(_)));
    let at = match (last, metadata) {
        (Some(Item::Entry(last)), _) => {
            text.extend(separator(document, last));
            end_of_entry(document, last)
        }
        (Some(Item::Element(last)), _) => {
            text.extend(b", ");
            place::span(document, *last).end()
        }
        (_, Some((_, metadata))) => metadata.key.start(),
        (_, None) => into.span.start() + 1,
    };
    match key {
        Some(key) => flow::push_entry(&mut text, key, content, Quotes::WhereNeeded),
        None => flow::push(&mut text, content, Quotes::WhereNeeded),
    }
    if last.is_none() && metadata.is_some() {
        text.extend(b", ");
    }
    Edit {
        span: Span::new(at, at),
        text,
    }
}

fn insert_lines(
    document: &Document,
    part: &Part,
    into: &Collection,
    metadata: Option<(usize, &Entry)>,
    key: Option<&str>,
    content: &Content<'_>,
) -> Vec<Edit> {
    let before = into
        .items
        .get(..metadata.map_or(into.items.len(), |(at, _)| at))
        .unwrap_or_default();
    let last = before
        .iter()
        .rposition(|item| !matches!(item, Item::Comment(_)));
    let at = match (last, metadata) {
        (Some(last), None) => place::next_line(document, end_of_items(document, before, last)),
        (Some(last), Some(_)) => behind_own_comments(document, before, last),
        (None, Some((_, metadata))) => place::start_of_line(document, metadata.key.start()),
        (None, None) => part.span.end(),
    };
    let is_open = !place::is_line_start(document, at);
    let base = if into.items.is_empty() {
        0
    } else {
        place::column(into)
    };
    let layout = block::Layout {
        base,
        step: step(document),
        newline: place::newline(document, at),
        last_line: place::last_line(document, at, base),
    };
    let lines = match key {
        Some(key) => block::entry(key, content, 0, layout),
        None => block::item(content, 0, layout),
    };
    let mut text = Secret::with_capacity(lines.len() + base + 4);
    let mut edits = Vec::new();
    if is_open {
        text.extend(layout.newline);
        edits.extend(keep_last_value(document, before.get(last.unwrap_or(0)), at));
    }
    text.extend(&vec![b' '; base]);
    // EXPOSE: into the wiping text of an edit.
    text.extend(lines.expose());
    if !is_open {
        text.extend(layout.newline);
    }
    edits.push(Edit {
        span: Span::new(at, at),
        text,
    });
    edits
}

/// The last entry's end, with the comments behind it that are its own.
fn end_of_items(document: &Document, items: &[Item], last: usize) -> usize {
    let ends = items.iter().skip(last).map(|item| match item {
        Item::Comment(comment) => comment.span.end(),
        Item::Element(id) => place::end_of_node(document, *id),
        Item::Entry(entry) => place::end_of_node(document, entry.value).max(entry.key.end()),
    });
    ends.max().unwrap_or(0)
}

/// Where the entry after the last one before the metadata starts. Comments directly behind that one are its own where a
/// blank line follows them; otherwise they belong to what comes next.
fn behind_own_comments(document: &Document, before: &[Item], last: usize) -> usize {
    let entry_end = end_of_items(document, before.get(..=last).unwrap_or_default(), last);
    let start = place::next_line(document, entry_end);
    let mut end = start;
    for item in before.iter().skip(last + 1) {
        match item {
            Item::Comment(comment)
                if place::start_of_line(document, comment.span.start()) == end =>
            {
                end = place::next_line(document, comment.span.end());
            }
            _ => break,
        }
    }
    let blank_line = place::end_of_blanks(document, end) == place::end_of_line(document, end);
    if blank_line { end } else { start }
}

/// A block scalar at the end of a file without a last line break gains one when a line follows.
fn keep_last_value(document: &Document, last: Option<&Item>, end: usize) -> Option<Edit> {
    let scalar = last_block_scalar(document, last?.value()?)?;
    let ending = Ending::of(document, scalar, end)?;
    Some(ending.closed()?.0.header_edit(document))
}
