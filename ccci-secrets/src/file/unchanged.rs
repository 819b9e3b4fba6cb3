//! After a change at one place everything else must be what it was.

use std::collections::HashSet;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;

use super::index::{self, What};
use super::open::{Content, Opened, open_leaves};
use super::{Entry, SealError, SealedFile, find};
use crate::document::{Document, Item, Node, NodeId};
use crate::error::Location;
use crate::large::Large;
use crate::leaf::LeafCipher;
use crate::mac::Authentic;
use crate::path::TreePath;

/// The leaves of a file before a change, each as a number that stands for its place, its value and whether it is sealed.
/// The file itself would take as much room as the new one.
///
/// The numbers are compared with those of the new file and go nowhere else; the hasher's keys are random.
#[derive(Debug)]
pub(super) struct Leaves {
    hasher: RandomState,
    numbers: Large<u64>,
    /// How many of them the change takes the place of.
    replaced: usize,
}

impl Leaves {
    /// Those of a file that is changed at `path`.
    pub(super) fn before_change(file: &SealedFile, content: &Content, path: &TreePath) -> Self {
        let hasher = RandomState::new();
        Self {
            numbers: leaves(file, content)
                .map(|(entry, opened)| number(&hasher, file, content, &entry, opened))
                .collect(),
            hasher,
            replaced: leaves_at(file, path),
        }
    }

    /// The result must open under the same data key, with a matching MAC, and hold all leaves but those that were replaced.
    pub(super) fn check(
        &self,
        sealed: &SealedFile,
        cipher: &LeafCipher,
    ) -> Result<(Content, Authentic), SealError> {
        let (content, mac) = open_leaves(sealed, cipher)?;
        let aad = sealed
            .metadata
            .mac_aad()
            .ok_or(SealError::Check("the time is not RFC 3339"))?;
        let stored = sealed.metadata.mac.as_deref().map(str::as_bytes);
        let authentic = mac
            .verify(cipher, stored, &aad)
            .map_err(|_| SealError::Check("the MAC does not match"))?;
        self.check_others(sealed, &content)?;
        Ok((content, authentic))
    }

    /// All leaves but those that were replaced must be what they were, and as well protected: what a comment rule seals
    /// can depend on where comments stand, and these can move with any change.
    fn check_others(&self, sealed: &SealedFile, content: &Content) -> Result<(), SealError> {
        let new: Vec<u64> = leaves(sealed, content)
            .map(|(entry, opened)| number(&self.hasher, sealed, content, &entry, opened))
            .collect();
        let old = &self.numbers;
        let before = old.iter().zip(&new).take_while(|(old, new)| old == new);
        let before = before.count();
        let rest = old.len().min(new.len()) - before;
        let behind = old.iter().rev().zip(new.iter().rev()).take(rest);
        let behind = behind.take_while(|(old, new)| old == new).count();
        if before + behind + self.replaced >= old.len() {
            return Ok(());
        }
        let place = leaves(sealed, content)
            .nth(before)
            .map_or_else(Location::default, |(entry, _)| {
                index::place(&sealed.document, &sealed.index, &entry)
            });
        Err(SealError::RuleMoves { place })
    }
}

/// The leaves of a file and what they hold; nothing if it is null.
fn leaves<'f>(
    file: &'f SealedFile,
    content: &'f Content,
) -> impl Iterator<Item = (Entry, Option<&'f Opened>)> {
    let all = file.entries().zip(&content.leaves);
    all.filter(|(entry, _)| matches!(entry.what, What::Leaf(_)))
        .map(|(entry, opened)| (entry, opened.as_ref()))
}

fn number(
    hasher: &RandomState,
    file: &SealedFile,
    content: &Content,
    entry: &Entry,
    opened: Option<&Opened>,
) -> u64 {
    let value = opened.map(|opened| (opened.kind, content.bytes(opened)));
    let place = file.index.aad(&file.document, entry);
    hasher.hash_one((entry.selected, place, value))
}

/// How many leaves a change at `path` replaces: those at and below it, or the value that stands in its way.
fn leaves_at(file: &SealedFile, path: &TreePath) -> usize {
    let document = &file.document;
    let segments = path.segments();
    let on_the_way = (0..=segments.len()).map_while(|len| {
        let prefix = segments.get(..len)?.to_vec();
        Some((len, find(document, &TreePath::from_segments(prefix))?))
    });
    let Some((len, last)) = on_the_way.last() else {
        return 0;
    };
    let is_scalar = matches!(document.node(last), Node::Scalar(_));
    if len < segments.len() && !is_scalar {
        return 0;
    }
    let replaced = subtree(document, last);
    let entries = file.entries();
    let is_replaced = |entry: &Entry| match (entry.what, entry.alias) {
        (What::Leaf(_), Some(alias)) => replaced.contains(&alias),
        (What::Leaf(node), None) => replaced.contains(&node),
        (What::Comment(_) | What::ListComment(_), _) => false,
    };
    entries.filter(is_replaced).count()
}

/// A node and all below it; aliases are not followed.
pub(super) fn subtree(document: &Document, root: NodeId) -> HashSet<NodeId> {
    let mut found = HashSet::new();
    let mut open = vec![root];
    while let Some(id) = open.pop() {
        found.insert(id);
        if let Node::Map(collection) | Node::List(collection) = document.node(id) {
            open.extend(collection.items.iter().filter_map(Item::value));
        }
    }
    found
}
