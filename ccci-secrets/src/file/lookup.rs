//! Finding many places of one file: a search through a map for each of them would take the square of its size.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;
use std::sync::OnceLock;

use super::index::What;
use super::{SealedFile, find_child};
use crate::document::{Document, Item, METADATA_KEY, Node, NodeId};
use crate::large::Large;
use crate::path::{Segment, TreePath};

/// What was found out about a file when somebody first asked.
#[derive(Debug, Default)]
pub(super) struct Lookup {
    hasher: RandomState,
    /// The keys of all maps.
    keys: OnceLock<Large<Known>>,
    /// The positions in the index of all leaves that are no repetitions, in the order of their nodes.
    leaves: OnceLock<Large<u32>>,
}

/// A key of a map; sorted, the first of several with the same hash comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Known {
    /// Stands for the map and the key; the hasher's keys are random.
    hash: u64,
    /// The number of the entry among the items of the map.
    item: u32,
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
        let leaves = self.lookup.leaves.get_or_init(|| self.leaves());
        let node = |at: &u32| self.leaf_node(*at);
        let found = leaves.partition_point(|at| node(at) < Some(leaf));
        let at = leaves.get(found)?;
        (node(at) == Some(leaf)).then_some(*at as usize)
    }

    fn leaves(&self) -> Large<u32> {
        let count = u32::try_from(self.index.len()).unwrap_or(u32::MAX);
        let mut leaves: Large<u32> = (0..count)
            .filter(|at| self.leaf_node(*at).is_some())
            .collect();
        leaves.sort_by_key(|at| self.leaf_node(*at));
        leaves
    }

    /// The node of the leaf at a position; none for comments and repetitions.
    fn leaf_node(&self, at: u32) -> Option<NodeId> {
        let entry = self.entry(at as usize)?;
        match (entry.what, entry.alias) {
            (What::Leaf(node), None) => Some(node),
            _ => None,
        }
    }
}

impl Lookup {
    fn value(&self, document: &Document, map: NodeId, key: &str) -> Option<NodeId> {
        let (map, node) = document.target(map);
        let keys = self.keys.get_or_init(|| self.keys_of(document));
        let hash = self.hasher.hash_one((map, key));
        let first = keys.partition_point(|known| known.hash < hash);
        let known = keys.get(first).filter(|known| known.hash == hash)?;
        let Node::Map(collection) = node else {
            return None;
        };
        match collection.items.get(known.item as usize) {
            Some(Item::Entry(entry)) if document.key(entry) == key => Some(entry.value),
            _ => None,
        }
    }

    fn keys_of(&self, document: &Document) -> Large<Known> {
        let mut keys = Large::with_capacity(document.nodes.len());
        for (map, node) in (0..).map(NodeId).zip(&document.nodes) {
            let Node::Map(collection) = node else {
                continue;
            };
            for (item, entry) in (0..).zip(&collection.items) {
                if let Item::Entry(entry) = entry {
                    let hash = self.hasher.hash_one((map, document.key(entry)));
                    keys.push(Known { hash, item });
                }
            }
        }
        keys.sort_unstable();
        keys
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
