//! Where a path leads in the first part of a document, and what is missing there.

use super::{Collection, Document, Entry, Item, Node, NodeId, SetError};
use crate::path::{Segment, TreePath};

/// The place where a path ends, or from which on it has to be made.
pub(super) enum Place<'a> {
    /// A node stands at the path.
    Existing { value: NodeId },
    /// A scalar stands in the way: it becomes a container for the rest of the path.
    InTheWay { value: NodeId, rest: &'a [Segment] },
    /// The map has no such key, or the list no such item.
    Missing {
        collection: NodeId,
        step: &'a Segment,
        rest: &'a [Segment],
    },
}

/// Follows `path` from the root of the first part.
///
/// # Errors
/// [`SetError`] when the path cannot lead anywhere.
pub(super) fn find<'a>(document: &Document, path: &'a TreePath) -> Result<Place<'a>, SetError> {
    let mut rest = path.segments();
    let Some(part) = document.parts.first() else {
        return Err(SetError::Root);
    };
    if rest.is_empty() {
        return Err(SetError::Root);
    }
    let mut current = part.root;
    while let Some((step, after)) = rest.split_first() {
        let here = || display(path, rest);
        let next = match (document.node(current), step) {
            (Node::Alias(_), _) => return Err(SetError::BehindAlias(here())),
            (Node::Scalar(_), _) => {
                return Ok(Place::InTheWay {
                    value: current,
                    rest,
                });
            }
            (Node::Map(map), Segment::Key(key)) => {
                entry(document, map, key).map(|entry| entry.value)
            }
            (Node::List(list), Segment::Index(index)) => elements(list).nth(*index),
            (Node::Map(_), Segment::Index(_)) => return Err(SetError::IndexOnMap(here())),
            (Node::List(_), Segment::Key(_)) => return Err(SetError::KeyOnList(here())),
        };
        let Some(next) = next else {
            return Ok(Place::Missing {
                collection: current,
                step,
                rest: after,
            });
        };
        (current, rest) = (next, after);
    }
    Ok(Place::Existing { value: current })
}

/// An item of a collection, which is no comment.
pub(crate) struct Found<'d> {
    /// The collection.
    pub(crate) parent: NodeId,
    pub(crate) collection: &'d Collection,
    /// Where in it.
    pub(crate) at: usize,
    item: &'d Item,
}

impl<'d> Found<'d> {
    /// The item.
    pub(crate) fn item(&self) -> &'d Item {
        self.item
    }
}

/// The item at a path of the first part; none where it leads through an alias.
pub(super) fn find_item<'d>(document: &'d Document, path: &TreePath) -> Option<Found<'d>> {
    let mut current = document.parts.first()?.root;
    let mut found = None;
    for step in path.segments() {
        let (Node::Map(collection) | Node::List(collection)) = document.node(current) else {
            return None;
        };
        let mut members = collection
            .items
            .iter()
            .enumerate()
            .filter(|(_, item)| !matches!(item, Item::Comment(_)));
        let (at, item) = match step {
            Segment::Index(index) => members.nth(*index)?,
            Segment::Key(key) => members.find(
                |(_, item)| matches!(item, Item::Entry(entry) if document.key(entry) == key),
            )?,
        };
        found = Some(Found {
            parent: current,
            collection,
            at,
            item,
        });
        current = item.value()?;
    }
    found
}

/// The first entry of that name: the one that sops sets, too.
pub(super) fn entry<'d>(document: &Document, map: &'d Collection, key: &str) -> Option<&'d Entry> {
    map.items.iter().find_map(|item| match item {
        Item::Entry(entry) if document.key(entry) == key => Some(entry),
        _ => None,
    })
}

pub(super) fn elements(list: &Collection) -> impl Iterator<Item = NodeId> {
    list.items.iter().filter_map(|item| match item {
        Item::Element(id) => Some(*id),
        _ => None,
    })
}

/// The path without its last `rest` steps.
fn display(path: &TreePath, rest: &[Segment]) -> String {
    let segments = path.segments();
    let walked = segments.len() - rest.len();
    TreePath::from_segments(segments.iter().take(walked).cloned().collect()).to_string()
}
