//! Comments that go-yaml attaches to nothing: found, and put where they can be sealed (yaml.md 9, risk 7).

use std::collections::HashSet;

use crate::document::{Comment, Item, Node, NodeId, Part, Place, Span};

/// Puts every comment of `all` that no collection holds into the innermost one around it.
pub(super) fn place_lost(nodes: &mut [Node], parts: &[Part], all: &[Span]) {
    let held: HashSet<Span> = nodes.iter().flat_map(comments).collect();
    if held.len() == all.len() {
        return;
    }
    for lost in all.iter().filter(|span| !held.contains(*span)) {
        let at = parts.partition_point(|part| part.span.end() <= lost.start());
        let Some(part) = parts.get(at).or(parts.last()) else {
            return;
        };
        let around = innermost(nodes, part.root, *lost);
        if let Some(Node::Map(collection) | Node::List(collection)) = nodes.get_mut(around) {
            let comment = Comment {
                span: *lost,
                place: Place::Lost,
            };
            collection.items.push(Item::Comment(comment));
        }
    }
}

fn comments(node: &Node) -> impl Iterator<Item = Span> + '_ {
    let items = match node {
        Node::Map(collection) | Node::List(collection) => collection.items.as_slice(),
        Node::Alias(_) | Node::Scalar(_) => &[],
    };
    items.iter().filter_map(|item| match item {
        Item::Comment(comment) => Some(comment.span),
        _ => None,
    })
}

/// The index of the innermost collection around a place.
fn innermost(nodes: &[Node], root: NodeId, place: Span) -> usize {
    let mut current = root.0 as usize;
    while let Some(next) = child_around(nodes, current, place) {
        current = next;
    }
    current
}

fn child_around(nodes: &[Node], parent: usize, place: Span) -> Option<usize> {
    let (Node::Map(collection) | Node::List(collection)) = nodes.get(parent)? else {
        return None;
    };
    let children = collection.items.iter().filter_map(|item| match item {
        Item::Element(id) => Some(*id),
        Item::Entry(entry) => Some(entry.value),
        Item::Comment(_) => None,
    });
    children.map(|id| id.0 as usize).find(|&id| {
        matches!(nodes.get(id), Some(Node::Map(inner) | Node::List(inner))
            if inner.span.start() <= place.start() && place.end() <= inner.span.end())
    })
}
