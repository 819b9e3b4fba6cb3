//! Edits that place the metadata, and that insert or replace, in the layout the file already has.

use std::collections::HashSet;

use super::layout::Layout;
use super::parse::is_space;
use super::text::Escapes;
use crate::document::content::Content;
use crate::document::walk::{self, Found, Place};
use crate::document::{
    Collection, Document, Edit, Item, METADATA_KEY, NewNode, Node, NodeId, SetError, Span,
};
use crate::path::{Segment, TreePath};
use crate::secret::Secret;

/// Puts the block behind the last member of the root object.
pub(crate) fn append_metadata(document: &Document, block: &NewNode) -> Vec<Edit> {
    let Some(root) = root(document) else {
        return Vec::new();
    };
    if members(document, root).any(|member| member.is_metadata) {
        return Vec::new();
    }
    let layout = Layout::of(document, root);
    let content = Content::of(block);
    let mut text = Secret::with_capacity(4096);
    let at = match members(document, root).last() {
        Some(last) => {
            layout.push_next(&mut text, Some(METADATA_KEY), &content, Escapes::LikeGo);
            last.value.end()
        }
        // An object without members. Blanks in it stay before the block, so that a block with blanks behind it can
        // only come from `{}`.
        None if inner(document, root).is_empty() => {
            layout.push_only(&mut text, Some(METADATA_KEY), &content, Escapes::LikeGo);
            root.span.end() - 1
        }
        None => {
            layout.push_item(&mut text, Some(METADATA_KEY), &content, Escapes::LikeGo);
            root.span.end() - 1
        }
    };
    vec![Edit {
        span: Span::new(at, at),
        text,
    }]
}

/// Takes the block out together with the comma and the blanks that came with it.
pub(crate) fn remove_metadata(document: &Document) -> Vec<Edit> {
    let Some(root) = root(document) else {
        return Vec::new();
    };
    let mut before = None;
    let mut all = members(document, root);
    let Some(block) = all.by_ref().find(|member| {
        let found = member.is_metadata;
        if !found {
            before = Some(member.value.end());
        }
        found
    }) else {
        return Vec::new();
    };
    let span = match (before, all.next()) {
        (Some(previous), _) => Span::new(previous, block.value.end()),
        (None, Some(next)) => Span::new(block.key.start(), next.key.start()),
        (None, None) => {
            let behind = Span::new(block.value.end(), root.span.end() - 1);
            if behind.is_empty() {
                Span::new(block.key.start(), block.value.end())
            } else {
                Span::new(root.span.start() + 1, behind.end())
            }
        }
    };
    vec![Edit::new(span, b"")]
}

/// Replaces what stands at `path`, or makes it.
pub(crate) fn set(
    document: &Document,
    path: &TreePath,
    new: &NewNode,
) -> Result<Vec<Edit>, SetError> {
    let edit = match walk::find(document, path)? {
        Place::Existing { value } => replace(document, value, &Content::of(new)),
        Place::InTheWay { value, rest } => replace(document, value, &Content::nested(rest, new)),
        Place::Missing {
            collection,
            step,
            rest,
        } => insert(document, collection, step, &Content::nested(rest, new)),
    };
    Ok(vec![edit])
}

fn replace(document: &Document, value: NodeId, content: &Content<'_>) -> Edit {
    let span = span(document, value);
    let mut text = Secret::with_capacity(span.len() + 64);
    Layout::around(document, span).push_value(&mut text, content, Escapes::Fewest);
    Edit { span, text }
}

/// Behind the last item, but before the metadata.
fn insert(document: &Document, collection: NodeId, step: &Segment, content: &Content<'_>) -> Edit {
    let (Node::Map(into) | Node::List(into)) = document.node(collection) else {
        return Edit::new(span(document, collection), b"");
    };
    let key = match step {
        Segment::Key(key) => Some(key.as_str()),
        Segment::Index(_) => None,
    };
    let is_root = root(document).is_some_and(|root| root.span == into.span);
    let layout = Layout::of(document, into);
    let mut text = Secret::with_capacity(256);
    let last = members(document, into)
        .filter(|member| !(is_root && member.is_metadata))
        .last();
    let first = members(document, into).next();
    let span = match (last, first) {
        (Some(last), _) => {
            layout.push_next(&mut text, key, content, Escapes::Fewest);
            Span::new(last.value.end(), last.value.end())
        }
        (None, Some(metadata)) => {
            layout.push_item(&mut text, key, content, Escapes::Fewest);
            layout.push_separator(&mut text);
            Span::new(metadata.key.start(), metadata.key.start())
        }
        (None, None) => {
            layout.push_only(&mut text, key, content, Escapes::Fewest);
            Span::new(into.span.start() + 1, into.span.end() - 1)
        }
    };
    Edit { span, text }
}

/// Takes an item out together with one comma and the blanks between it and its neighbour.
pub(crate) fn remove(document: &Document, found: &Found<'_>) -> Edit {
    let of = found.collection;
    let all: Vec<Member> = members(document, of).collect();
    let Some((own, previous, next)) = all.get(found.at).map(|own| {
        let previous = found.at.checked_sub(1).and_then(|at| all.get(at));
        (own, previous, all.get(found.at + 1))
    }) else {
        return Edit::new(Span::new(0, 0), b"");
    };
    let span = match (previous, next) {
        (Some(previous), _) => Span::new(previous.value.end(), own.value.end()),
        (None, Some(next)) => Span::new(own.key.start(), next.key.start()),
        (None, None) => Span::new(of.span.start() + 1, of.span.end() - 1),
    };
    Edit::new(span, b"")
}

/// Takes items out of lists, each with one comma and the blanks between it and a neighbour that stays.
pub(crate) fn remove_items(document: &Document, gone: &HashSet<NodeId>) -> Vec<Edit> {
    let lists = document.nodes.iter().filter_map(|node| match node {
        Node::List(list) => Some(list),
        _ => None,
    });
    lists
        .flat_map(|list| remove_from(document, list, gone))
        .collect()
}

fn remove_from(document: &Document, list: &Collection, gone: &HashSet<NodeId>) -> Vec<Edit> {
    let items: Vec<(bool, Span)> = walk::elements(list)
        .map(|id| (gone.contains(&id), span(document, id)))
        .collect();
    let Some((_, first)) = items.first() else {
        return Vec::new();
    };
    if items.iter().all(|(is_gone, _)| *is_gone) {
        let inner = Span::new(list.span.start() + 1, list.span.end() - 1);
        return vec![Edit::new(inner, b"")];
    }
    let mut edits = Vec::new();
    // Behind the last item that stays, or the last one that was cut behind it.
    let mut done: Option<usize> = None;
    for (is_gone, item) in &items {
        match (is_gone, done) {
            (true, None) => continue,
            (true, Some(end)) => edits.push(Edit::new(Span::new(end, item.end()), b"")),
            (false, None) => edits.push(Edit::new(Span::new(first.start(), item.start()), b"")),
            (false, Some(_)) => {}
        }
        done = Some(item.end());
    }
    edits
}

/// An item of an object or a list; that of a list has its value for a key.
pub(super) struct Member {
    pub(super) key: Span,
    pub(super) value: Span,
    pub(super) is_metadata: bool,
}

pub(super) fn members<'d>(
    document: &'d Document,
    of: &'d Collection,
) -> impl Iterator<Item = Member> + 'd {
    of.items.iter().filter_map(|item| match item {
        Item::Entry(entry) => Some(Member {
            key: entry.key,
            value: span(document, entry.value),
            is_metadata: document.key(entry) == METADATA_KEY,
        }),
        Item::Element(id) => {
            let value = span(document, *id);
            Some(Member {
                key: value,
                value,
                is_metadata: false,
            })
        }
        Item::Comment(_) => None,
    })
}

pub(super) fn root(document: &Document) -> Option<&Collection> {
    match document.node(document.parts.first()?.root) {
        Node::Map(root) => Some(root),
        _ => None,
    }
}

fn span(document: &Document, id: NodeId) -> Span {
    match document.node(id) {
        Node::Alias(alias) => alias.span,
        Node::List(collection) | Node::Map(collection) => collection.span,
        Node::Scalar(scalar) => scalar.span,
    }
}

/// The bytes between the brackets.
fn inner<'d>(document: &'d Document, of: &Collection) -> &'d [u8] {
    document
        .source
        .slice(Span::new(of.span.start() + 1, of.span.end() - 1))
}

/// The white space directly before an offset.
pub(super) fn blanks_before(document: &Document, at: usize) -> &[u8] {
    let before = document.source.slice(Span::new(0, at));
    let kept = before
        .iter()
        .rposition(|byte| !is_space(*byte))
        .map_or(0, |last| last + 1);
    before.get(kept..).unwrap_or_default()
}
