//! After a change at one place everything else must be what it was.

use std::collections::HashSet;

use super::index::{self, What};
use super::open::{Content, open_leaves};
use super::unproved::NoProof;
use super::{Entry, OpenFile, SealError, SealedFile, find};
use crate::document::{Document, Item, Node, NodeId};
use crate::error::Location;
use crate::mac::Authentic;
use crate::path::TreePath;
use crate::value::Kind;

/// The result must open under the same data key, with a matching MAC.
pub(super) fn check_opens(
    base: &OpenFile<NoProof>,
    sealed: &SealedFile,
    replaced: usize,
) -> Result<(Content, Authentic), SealError> {
    let (content, mac) = open_leaves(sealed, &base.cipher)?;
    let aad = sealed
        .metadata
        .mac_aad()
        .ok_or(SealError::Check("the time is not RFC 3339"))?;
    let stored = sealed.metadata.mac.as_deref().map(str::as_bytes);
    let authentic = mac
        .verify(&base.cipher, stored, &aad)
        .map_err(|_| SealError::Check("the MAC does not match"))?;
    check_others(base, (sealed, &content), replaced)?;
    Ok((content, authentic))
}

/// All leaves but those that were replaced must be what they were, and as well protected: what a comment rule seals can
/// depend on where comments stand, and these can move with any change.
fn check_others(
    base: &OpenFile<NoProof>,
    (sealed, content): (&SealedFile, &Content),
    replaced: usize,
) -> Result<(), SealError> {
    let old: Vec<_> = leaves(&base.sealed, &base.content).collect();
    let new: Vec<_> = leaves(sealed, content).collect();
    let same = |old: &Leaf<'_>, new: &Leaf<'_>| {
        let place = |file: &SealedFile, leaf: &Leaf<'_>| file.index.aad(&file.document, leaf.entry);
        old.entry.selected == new.entry.selected
            && old.value == new.value
            && place(&base.sealed, old) == place(sealed, new)
    };
    let before = old.iter().zip(&new).take_while(|(old, new)| same(old, new));
    let before = before.count();
    let rest = old.len().min(new.len()) - before;
    let behind = old.iter().rev().zip(new.iter().rev()).take(rest);
    let behind = behind.take_while(|(old, new)| same(old, new)).count();
    if before + behind + replaced >= old.len() {
        return Ok(());
    }
    let place = new.get(before).map_or_else(Location::default, |leaf| {
        index::place(&sealed.document, &sealed.index, leaf.entry)
    });
    Err(SealError::RuleMoves { place })
}

/// A leaf, and what it holds in the clear; nothing if it is null.
struct Leaf<'a> {
    entry: &'a Entry,
    value: Option<(Kind, &'a [u8])>,
}

fn leaves<'a>(file: &'a SealedFile, content: &'a Content) -> impl Iterator<Item = Leaf<'a>> {
    let all = file.index.entries.iter().zip(&content.leaves);
    all.filter(|(entry, _)| matches!(entry.what, What::Leaf(_)))
        .map(|(entry, opened)| Leaf {
            entry,
            value: opened
                .as_ref()
                .map(|opened| (opened.kind, content.bytes(opened))),
        })
}

/// How many leaves a change at `path` replaces: those at and below it, or the value that stands in its way.
pub(super) fn leaves_at(file: &SealedFile, path: &TreePath) -> usize {
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
    let entries = file.index.entries.iter();
    let is_replaced = |entry: &&Entry| match (entry.what, entry.alias) {
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
            open.extend(collection.items.iter().filter_map(|item| match item {
                Item::Comment(_) => None,
                Item::Element(id) => Some(*id),
                Item::Entry(entry) => Some(entry.value),
            }));
        }
    }
    found
}
