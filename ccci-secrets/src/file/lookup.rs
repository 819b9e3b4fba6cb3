//! Finding many places of one file: a search through a map for each of them would take the square of its size.

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;
use std::sync::OnceLock;

use super::index::{Index, What};
use super::{SealedFile, find_child};
use crate::document::{Document, Item, METADATA_KEY, Node, NodeId};
use crate::path::{Segment, TreePath};

/// What was found out about a file when somebody first asked.
#[derive(Debug, Default)]
pub(super) struct Lookup {
    hasher: RandomState,
    /// The value of the first entry of a map whose key has this hash.
    values: OnceLock<HashMap<(NodeId, u64), FirstEntry>>,
    /// The position of each leaf in the index.
    leaves: OnceLock<HashMap<NodeId, usize>>,
}

#[derive(Clone, Copy, Debug)]
struct FirstEntry {
    /// The number of its item.
    item: usize,
    value: NodeId,
}

impl SealedFile {
    /// The node at a path of the first part.
    pub(super) fn node_at(&self, path: &TreePath) -> Option<NodeId> {
        let document = &self.document;
        let root = document.parts().first()?.root;
        let mut steps = path.segments().iter().enumerate();
        steps.try_fold(root, |id, (depth, segment)| {
            let quick = match segment {
                Segment::Key(key) if depth > 0 || key != METADATA_KEY => {
                    self.lookup.value(document, id, key)
                }
                _ => None,
            };
            // Where it is no map, or two keys have the same hash.
            quick.or_else(|| find_child(document, id, segment, depth))
        })
    }

    /// The position in the index of a leaf that is no repetition.
    pub(super) fn leaf_at(&self, leaf: NodeId) -> Option<usize> {
        self.lookup.leaf(&self.index, leaf)
    }
}

impl Lookup {
    fn value(&self, document: &Document, map: NodeId, key: &str) -> Option<NodeId> {
        let (map, node) = document.target(map);
        let values = self.values.get_or_init(|| self.values_of(document));
        let first = values.get(&(map, self.hasher.hash_one(key)))?;
        let Node::Map(collection) = node else {
            return None;
        };
        match collection.items.get(first.item) {
            Some(Item::Entry(entry)) if document.key(entry) == key => Some(first.value),
            _ => None,
        }
    }

    fn values_of(&self, document: &Document) -> HashMap<(NodeId, u64), FirstEntry> {
        let mut values = HashMap::new();
        for (id, node) in (0..).map(NodeId).zip(&document.nodes) {
            let Node::Map(map) = node else { continue };
            for (item, entry) in map.items.iter().enumerate() {
                if let Item::Entry(entry) = entry {
                    let hash = self.hasher.hash_one(document.key(entry));
                    let value = entry.value;
                    let first = FirstEntry { item, value };
                    values.entry((id, hash)).or_insert(first);
                }
            }
        }
        values
    }

    fn leaf(&self, index: &Index, leaf: NodeId) -> Option<usize> {
        let leaves = self.leaves.get_or_init(|| {
            let entries = index.entries.iter().enumerate();
            let leaves = entries.filter_map(|(at, entry)| match (entry.what, entry.alias) {
                (What::Leaf(node), None) => Some((node, at)),
                _ => None,
            });
            leaves.collect()
        });
        leaves.get(&leaf).copied()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
mod tests {
    use super::super::{find, testing};

    // Keys that stand twice are read in later documents only, and looked up in the first; the metadata is no value.
    #[test]
    fn a_place_is_found_as_by_searching() {
        let text = "a: &x {b: [one, {c: two}], sops: three}\nd: *x\ne: \"\"\n'q.r': {s: null}\n";
        let policy = testing::policy_with("encrypted_regex", "^nothing$");
        let sealed = testing::seal(&policy, text).unwrap();
        let file = testing::parse_sealed(&sealed).unwrap();
        let paths = [
            "[\"a\"]",
            "[\"a\"][\"b\"]",
            "[\"a\"][\"b\"][1][\"c\"]",
            "[\"a\"][\"b\"][2]",
            "[\"a\"][\"sops\"]",
            "[\"d\"][\"b\"][0]",
            "[\"e\"]",
            "[\"e\"][\"f\"]",
            "[\"q.r\"][\"s\"]",
            "[\"sops\"]",
            "[\"sops\"][\"mac\"]",
            "[\"absent\"]",
        ];
        let mut found = 0;
        for path in paths {
            let path = path.parse().unwrap();
            let node = find(&file.document, &path);
            assert_eq!(file.node_at(&path), node, "{path}");
            found += usize::from(node.is_some());
        }
        assert_eq!(found, 7);
    }
}
