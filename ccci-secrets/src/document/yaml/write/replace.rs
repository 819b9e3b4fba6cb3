//! New content where there is some already.

use super::block;
use super::flow::{self, Quotes};
use super::place;
use super::scalar::{remove_tag, replace_token, rewrite_scalar, tag};
use crate::document::content::Content;
use crate::document::yaml::chars::line_end;
use crate::document::yaml::resolve::Tag;
use crate::document::{
    Collection, Document, Edit, Entry, Item, Layout, NewScalar, Node, NodeId, Props, Scalar, Span,
    Style,
};
use crate::secret::Secret;
use crate::value::Value;

/// Columns per level where a file shows none, as sops indents.
const DEFAULT_STEP: usize = 4;

/// Where a node stands in its collection.
struct Spot<'d> {
    parent: &'d Collection,
    /// Its entry in a map; `None` in a list.
    entry: Option<&'d Entry>,
}

pub(super) fn replace(document: &Document, id: NodeId, content: &Content<'_>) -> Vec<Edit> {
    let Some(spot) = spot(document, id) else {
        return Vec::new();
    };
    if let Some(key) = key_without_colon(document, &spot, id) {
        return vec![behind_key(document, &spot, key, content)];
    }
    if let (Node::Scalar(scalar), Content::Value(value)) = (document.node(id), content)
        && !wants_lines(scalar, value)
    {
        let canonical = value.canonical();
        // EXPOSE: as the spelling of an edit, which wipes it.
        return rewrite_scalar(
            document,
            scalar,
            &NewScalar::Value {
                value,
                spelling: canonical.expose(),
            },
        );
    }
    let tag = drop_tag(document, id, content);
    let mut edits = Vec::new();
    if spot.parent.layout == Layout::Flow {
        edits.extend(tag);
        let mut text = Secret::with_capacity(256);
        flow::push(&mut text, content, Quotes::WhereNeeded);
        match document.node(id) {
            Node::Scalar(scalar) => edits.extend(replace_token(document, scalar, text)),
            _ => edits.push(Edit {
                span: place::span(document, id),
                text,
            }),
        }
    } else {
        match document.node(id) {
            Node::Map(old) | Node::List(old) if old.layout == Layout::Block => {
                edits.extend(tag);
                edits.extend(replace_lines(document, &spot, id, old, content));
            }
            _ => edits.extend(replace_inline(document, &spot, id, content, tag)),
        }
    }
    edits
}

/// The key of an entry without a value and without the colon before one: `{a}`, or `? a`.
fn key_without_colon<'d>(document: &Document, spot: &Spot<'d>, id: NodeId) -> Option<&'d Entry> {
    let entry = spot.entry?;
    let end = place::span(document, id).end();
    (end == entry.key.end()).then_some(entry)
}

fn behind_key(document: &Document, spot: &Spot<'_>, key: &Entry, content: &Content<'_>) -> Edit {
    let at = key.key.end();
    let mut text = Secret::with_capacity(256);
    let span = if spot.parent.layout == Layout::Flow {
        text.extend(b": ");
        flow::push(&mut text, content, Quotes::WhereNeeded);
        Span::new(at, at)
    } else {
        let line_end = place::end_of_line(document, at);
        let behind = place::next_line(document, line_end);
        let layout = layout(document, spot, line_end, behind);
        text.extend(layout.newline);
        text.extend(&vec![b' '; layout.base]);
        text.extend(b":");
        // EXPOSE: moved into the wiping text of an edit.
        text.extend(block::value(content, 0, layout).expose());
        Span::new(line_end, line_end)
    };
    Edit { span, text }
}

/// Whether a string of several lines comes where no block scalar is, and quotes would be all that could carry it.
fn wants_lines(scalar: &Scalar, value: &Value<'_>) -> bool {
    // EXPOSE: looked at, not kept.
    let has_lines = matches!(value, Value::Str(text) if text.expose().contains(&b'\n'));
    has_lines && !scalar.in_flow && matches!(scalar.style(), Style::Plain | Style::SingleQuoted)
}

fn spot(document: &Document, id: NodeId) -> Option<Spot<'_>> {
    document.nodes.iter().find_map(|node| {
        let (Node::Map(parent) | Node::List(parent)) = node else {
            return None;
        };
        parent.items.iter().find_map(|item| match item {
            Item::Entry(entry) if entry.value == id => Some(Spot {
                parent,
                entry: Some(entry),
            }),
            Item::Element(element) if *element == id => Some(Spot {
                parent,
                entry: None,
            }),
            _ => None,
        })
    })
}

pub(super) fn is_in_flow(document: &Document, id: NodeId) -> bool {
    spot(document, id).is_some_and(|spot| spot.parent.layout == Layout::Flow)
}

/// A tag stays only where it says no more than that the text is a string, and a string it remains.
fn drop_tag(document: &Document, id: NodeId, content: &Content<'_>) -> Option<Edit> {
    let is_string = matches!(content, Content::Value(Value::Str(_)));
    match document.node(id) {
        Node::Scalar(scalar) if is_string && !tag(document, scalar).retypes() => None,
        Node::Scalar(scalar) if tag(document, scalar) == Tag::None => None,
        Node::Scalar(scalar) => remove_tag(document, scalar),
        Node::Map(collection) | Node::List(collection) => {
            let tag = collection.props().tag?;
            Some(Edit::new(
                Span::new(tag.start(), place::end_of_blanks(document, tag.end())),
                b"",
            ))
        }
        Node::Alias(_) => None,
    }
}

/// Replaces a scalar, an alias or a flow collection in a block collection, and its tag.
fn replace_inline(
    document: &Document,
    spot: &Spot<'_>,
    id: NodeId,
    content: &Content<'_>,
    tag: Option<Edit>,
) -> Vec<Edit> {
    let span = place::span(document, id);
    let header = match document.node(id) {
        Node::Scalar(scalar) => match scalar.style() {
            Style::Literal(block) | Style::Folded(block) => Some(block.header),
            Style::DoubleQuoted | Style::Plain | Style::SingleQuoted => None,
        },
        Node::Alias(_) | Node::List(_) | Node::Map(_) => None,
    };
    let line_end = place::end_of_line(document, header.unwrap_or(span).end());
    let behind = place::next_line(document, span.end().max(line_end));
    let layout = layout(document, spot, line_end, behind);
    if content.has_items() && header.is_none() && starts_well(document, spot, span, line_end) {
        let column = span.start() - place::start_of_line(document, span.start());
        let text = block::text(
            content,
            0,
            block::Layout {
                base: column,
                ..layout
            },
        );
        return tag.into_iter().chain([Edit { span, text }]).collect();
    }
    let (head, lines) = cut(block::value(content, 0, layout));
    let mut edits = Vec::new();
    match document.node(id) {
        Node::Scalar(scalar) if !head.is_empty() || header.is_some() => {
            edits.extend(tag);
            edits.extend(replace_token(document, scalar, head));
        }
        _ if head.is_empty() => match tag {
            Some(tag) if tag.span.end() == span.start() => {
                let both = Span::new(tag.span.start(), span.end());
                edits.push(remove_inline(document, both, line_end));
            }
            tag => {
                edits.extend(tag);
                edits.push(remove_inline(document, span, line_end));
            }
        },
        _ => {
            edits.extend(tag);
            edits.push(Edit { span, text: head });
        }
    }
    if !lines.is_empty() {
        edits.push(Edit {
            span: Span::new(line_end, line_end),
            text: lines,
        });
    }
    edits
}

/// Whether a container can start right where the old token starts: nothing stands behind that, and before it stands
/// only indentation or the dash of the item.
fn starts_well(document: &Document, spot: &Spot<'_>, span: Span, line_end: usize) -> bool {
    let has_props = !place::is_first_on_line(document, span.start()) && {
        let before = document
            .source
            .slice(Span::new(0, place::start_of_blanks(document, span.start())));
        !before.ends_with(b"-")
    };
    let column = span.start() - place::start_of_line(document, span.start());
    let behind = document.source.slice(Span::new(span.end(), line_end));
    !span.is_empty()
        && behind.iter().all(u8::is_ascii_whitespace)
        && column > place::column(spot.parent)
        && (place::is_first_on_line(document, span.start()) || (spot.entry.is_none() && !has_props))
}

/// Takes a token away with the blanks on one side of it.
fn remove_inline(document: &Document, span: Span, line_end: usize) -> Edit {
    let behind = place::end_of_blanks(document, span.end());
    let span = if span.is_empty() {
        span
    } else if behind == line_end {
        Span::new(place::start_of_blanks(document, span.start()), behind)
    } else {
        Span::new(span.start(), behind)
    };
    Edit::new(span, b"")
}

/// Replaces a block collection.
fn replace_lines(
    document: &Document,
    spot: &Spot<'_>,
    id: NodeId,
    old: &Collection,
    content: &Content<'_>,
) -> Vec<Edit> {
    let end = place::end_of_line(document, place::end_of_node(document, id));
    let behind = place::next_line(document, end);
    let start = old.span.start();
    if !place::is_first_on_line(document, start)
        && spot.entry.is_none()
        && old.props() == Props::default()
    {
        let layout = layout(document, spot, start, behind);
        let dash = place::start_of_line(document, start) + place::column(spot.parent);
        let text = block::item(content, 0, layout);
        return vec![Edit {
            span: Span::new(dash, end),
            text,
        }];
    }
    let introduction = introduction(document, spot, old);
    let line_end = place::end_of_line(document, introduction);
    let layout = layout(document, spot, line_end, behind);
    let (head, lines) = cut(block::value(content, 0, layout));
    let mut spaced = Secret::with_capacity(head.len() + 1);
    if !head.is_empty() {
        spaced.extend(b" ");
        // EXPOSE: moved into the wiping text of an edit.
        spaced.extend(head.expose());
    }
    vec![
        Edit {
            span: Span::new(introduction, introduction),
            text: spaced,
        },
        Edit {
            span: Span::new(line_end, end),
            text: lines,
        },
    ]
}

/// The end of what comes before the first line of a block collection: the colon or the dash, the anchor and the tag.
fn introduction(document: &Document, spot: &Spot<'_>, old: &Collection) -> usize {
    let start = match spot.entry {
        Some(entry) => {
            let rest = document
                .source
                .bytes()
                .get(entry.key.end()..)
                .unwrap_or_default();
            entry.key.end() + memchr::memchr(b':', rest).map_or(0, |colon| colon + 1)
        }
        None => {
            let before = document.source.slice(Span::new(0, old.span.start()));
            let mut line = place::start_of_line(document, old.span.start());
            let column = place::column(spot.parent);
            while before.get(line + column) != Some(&b'-') && line > 0 {
                line = place::start_of_line(document, line - 1);
            }
            line + column + 1
        }
    };
    [old.props().anchor, old.props().tag]
        .into_iter()
        .flatten()
        .fold(start, |end, prop| end.max(prop.end()))
}

fn layout(
    document: &Document,
    spot: &Spot<'_>,
    at: usize,
    behind: usize,
) -> block::Layout<'static> {
    let base = place::column(spot.parent);
    block::Layout {
        base,
        step: step(document),
        newline: place::newline(document, at),
        last_line: place::last_line(document, behind, base),
    }
}

/// Cuts the text of a value into what stands behind the key, without its blank, and the lines below.
pub(super) fn cut(text: Secret) -> (Secret, Secret) {
    // EXPOSE: into two wiping buffers.
    let text = text.expose();
    let (head, lines) = text.split_at_checked(line_end(text)).unwrap_or((text, &[]));
    (
        Secret::from_slice(head.strip_prefix(b" ").unwrap_or(head)),
        Secret::from_slice(lines),
    )
}

/// Columns per level: the first that the file shows.
pub(super) fn step(document: &Document) -> usize {
    document.block_step().unwrap_or(DEFAULT_STEP)
}
