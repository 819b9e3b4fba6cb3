//! Comments that go-yaml attaches to nothing: found, and put where they can be sealed (yaml.md 9, risk 7).

use std::collections::{HashMap, HashSet};

use crate::document::{Comment, Item, Node, NodeId, Part, Place, Span};

/// Puts every comment of `all` that no collection holds into the innermost one around it.
pub(super) fn place_lost(nodes: &mut [Node], parts: &[Part], all: &[Span]) {
    let held: HashSet<Span> = nodes.iter().flat_map(comments).collect();
    if held.len() == all.len() {
        return;
    }
    let mut around = Around::new(nodes);
    let mut lost: HashMap<NodeId, Vec<Item>> = HashMap::new();
    for span in all.iter().filter(|span| !held.contains(*span)) {
        let at = parts.partition_point(|part| part.span.end() <= span.start());
        let Some(part) = parts.get(at).or(parts.last()) else {
            return;
        };
        let innermost = around.innermost(*span).unwrap_or(part.root);
        lost.entry(innermost)
            .or_default()
            .push(Item::Comment(Comment {
                span: *span,
                place: Place::Lost,
            }));
    }
    for (id, comments) in lost {
        let node = nodes.get_mut(id.0 as usize);
        if let Some(Node::Map(collection) | Node::List(collection)) = node {
            let items = std::mem::take(&mut collection.items).into_iter();
            collection.items = items.chain(comments).collect();
        }
    }
}

fn comments(node: &Node) -> impl Iterator<Item = Span> + '_ {
    let items = match node {
        Node::Map(collection) | Node::List(collection) => &*collection.items,
        Node::Alias(_) | Node::Scalar(_) => &[],
    };
    items.iter().filter_map(|item| match item {
        Item::Comment(comment) => Some(comment.span),
        _ => None,
    })
}

/// Finds the collections around places that are asked for in the order of the source.
struct Around {
    /// Where each collection lies, by its start; one inside another comes later.
    collections: Vec<(Span, NodeId)>,
    next: usize,
    /// Those that have started, and of which none inside has ended before an outer one.
    open: Vec<(Span, NodeId)>,
}

impl Around {
    fn new(nodes: &[Node]) -> Self {
        let spans = (0..).map(NodeId).zip(nodes);
        let mut collections: Vec<_> = spans
            .filter_map(|(id, node)| match node {
                Node::Map(collection) | Node::List(collection) => Some((collection.span, id)),
                Node::Alias(_) | Node::Scalar(_) => None,
            })
            .collect();
        collections.sort_by_key(|(span, id)| (span.start(), *id));
        Self {
            collections,
            next: 0,
            open: Vec::new(),
        }
    }

    fn innermost(&mut self, place: Span) -> Option<NodeId> {
        while let Some(collection) = self.collections.get(self.next)
            && collection.0.start() <= place.start()
        {
            self.open.push(*collection);
            self.next += 1;
        }
        while self
            .open
            .pop_if(|(span, _)| span.end() < place.end())
            .is_some()
        {}
        self.open.last().map(|(_, id)| *id)
    }
}
