//! `<<`: sops keeps it as a key of that name, but lets go-yaml merge the first document once to see that it can.

use crate::document::{Item, Node, NodeId};

/// Whether the value of a `<<` can be merged: a map, an alias of one, or a list of these.
pub(super) fn is_mergeable(nodes: &[Node], value: NodeId) -> bool {
    match node(nodes, value) {
        Some(Node::List(list)) => list.items.iter().all(|item| match item {
            Item::Element(id) => is_map(nodes, *id),
            Item::Comment(_) | Item::Entry(_) => true,
        }),
        _ => is_map(nodes, value),
    }
}

fn is_map(nodes: &[Node], id: NodeId) -> bool {
    let target = match node(nodes, id) {
        Some(Node::Alias(alias)) => alias.target,
        _ => id,
    };
    matches!(node(nodes, target), Some(Node::Map(_)))
}

fn node(nodes: &[Node], id: NodeId) -> Option<&Node> {
    nodes.get(id.0 as usize)
}
