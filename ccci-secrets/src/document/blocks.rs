//! Where the block collections of a document lie. That is found out once, when it is first asked for: looked for among all
//! nodes each time, every text of several lines would cost as much as the whole file.

use std::sync::OnceLock;

use super::{Collection, Document, Item, Layout, Node, NodeId, Span};
use crate::large::Large;

/// The block collections of one document.
#[derive(Debug, Default)]
pub(crate) struct Blocks {
    /// In the order of the source, an outer one before those in it.
    all: OnceLock<Large<Block>>,
    step: OnceLock<Option<usize>>,
}

#[derive(Debug)]
struct Block {
    span: Span,
    column: u32,
    /// The number of the one around it.
    outer: Option<u32>,
}

impl Document {
    /// The column of the innermost block collection around an offset.
    pub(super) fn column_around(&self, at: usize) -> Option<u32> {
        let blocks = self.blocks.all.get_or_init(|| blocks(self));
        let before = blocks.partition_point(|block| block.span.start() <= at);
        let mut next = blocks.get(before.checked_sub(1)?);
        while let Some(block) = next {
            if at < block.span.end() {
                return Some(block.column);
            }
            next = block.outer.and_then(|outer| blocks.get(outer as usize));
        }
        None
    }

    /// How many columns the first collection in a map stands further in than the map; none if no map shows any.
    pub(super) fn block_step(&self) -> Option<usize> {
        *self.blocks.step.get_or_init(|| step(self))
    }
}

fn block(node: &Node) -> Option<&Collection> {
    match node {
        Node::Map(collection) | Node::List(collection) if collection.layout == Layout::Block => {
            Some(collection)
        }
        _ => None,
    }
}

fn blocks(document: &Document) -> Large<Block> {
    let found = document.nodes.iter().filter_map(block);
    // Counted first: a list that grows would stand in memory twice.
    let mut blocks = Large::with_capacity(found.clone().count());
    blocks.extend(found.map(|collection| Block {
        span: collection.span,
        column: collection.column,
        outer: None,
    }));
    blocks.sort_by_key(|block| (block.span.start(), block.column));
    let mut open: Vec<(u32, usize)> = Vec::new();
    for (number, block) in (0..).zip(blocks.iter_mut()) {
        while open.pop_if(|(_, end)| *end <= block.span.start()).is_some() {}
        block.outer = open.last().map(|(outer, _)| *outer);
        open.push((number, block.span.end()));
    }
    blocks
}

fn step(document: &Document) -> Option<usize> {
    let steps = document.nodes.iter().filter_map(|node| match node {
        Node::Map(map) if map.layout == Layout::Block => Some(map),
        _ => None,
    });
    let steps = steps.flat_map(|map| {
        let values = map.items.iter().filter_map(value);
        values.filter_map(|id| {
            let inner = block(document.node(id))?;
            let step = inner.column.checked_sub(map.column)?;
            let is_usual = (1..=9).contains(&step);
            is_usual.then_some((inner.span.start(), step))
        })
    });
    let (_, step) = steps.min()?;
    usize::try_from(step).ok()
}

fn value(item: &Item) -> Option<NodeId> {
    match item {
        Item::Entry(entry) => Some(entry.value),
        Item::Comment(_) | Item::Element(_) => None,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::document::Format;
    use crate::document::yaml::samples;
    use crate::secret::Secret;

    // Looked for among all nodes, as the nesting of the source has it.
    #[test]
    fn the_innermost_collection_around_every_offset_is_found() {
        for seed in 1..300 {
            let text = samples::document(seed);
            let bytes = Secret::from_slice(text.as_bytes());
            let Ok(document) = Document::parse(Format::Yaml, bytes) else {
                continue;
            };
            for at in 0..text.len() {
                let around = document.nodes.iter().filter_map(block);
                let innermost = around
                    .filter(|collection| collection.span.range().contains(&at))
                    .max_by_key(|collection| (collection.span.start(), collection.column));
                let expected = innermost.map(|collection| collection.column);
                assert_eq!(document.column_around(at), expected, "{at} in:\n{text}");
            }
        }
    }
}
