//! Changing an opened file: every untouched leaf keeps its envelope, every untouched byte stays.

use std::collections::HashSet;

use super::index::What;
use super::older::Older;
use super::resealed::seal_document;
use super::seal::timestamp;
use super::spliced::Spliced;
use super::unchanged::subtree;
use super::{OpenFile, SealError, SealedFile, find};
use crate::document::binary::DATA_KEY;
use crate::document::plain_text::text_of;
use crate::document::{Document, Format, Item, NewNode, Node, NodeId, Resolved, SetError};
use crate::path::{Segment, TreePath};
use crate::secret::Secret;
use crate::value::Value;

/// A file after a change. Its only way out is [`EditedFile::seal`]: nothing claims the old proof any more.
#[derive(Debug)]
pub struct EditedFile(Change);

#[derive(Debug)]
enum Change {
    /// New plaintext for the whole document.
    Document(Box<Older>, Document),
    /// New content at one place.
    Spliced(Box<Spliced>),
}

impl<Proof> OpenFile<Proof> {
    /// Sets what stands at a path of the first part: replaces it, or inserts it (yaml.md 5.4).
    ///
    /// # Errors
    /// [`SealError::Set`] when the path cannot lead anywhere.
    pub fn set(self, path: &TreePath, new: &NewNode) -> Result<EditedFile, SealError> {
        let document = &self.sealed.document;
        if document.format() == Format::Binary {
            return self.set_content(path, new);
        }
        let written_out = without_aliases_of(document, path)?;
        let document = written_out.as_ref().unwrap_or(document);
        let edits = document.set(path, new)?;
        Ok(Spliced::of(self, written_out, path, edits)?.into())
    }

    /// The content of a binary file may be bytes that its JSON could not hold in the clear.
    fn set_content(self, path: &TreePath, new: &NewNode) -> Result<EditedFile, SealError> {
        let is_content =
            |segment: &Segment| matches!(segment, Segment::Key(key) if key == DATA_KEY);
        match (path.segments(), new) {
            ([segment], NewNode::Value(value)) if is_content(segment) => {
                // EXPOSE: into a wiping copy that is sealed.
                self.edit(Secret::from_slice(text_of(value).expose()))
            }
            ([], _) => Err(SetError::Root.into()),
            ([Segment::Key(key)], NewNode::Value(_)) => Err(SetError::BadKey {
                key: key.clone(),
                format: Format::Binary,
            }
            .into()),
            _ => Err(SetError::NoContainers {
                path: path.to_string(),
                format: Format::Binary,
            }
            .into()),
        }
    }

    /// Takes new plaintext for the whole document, as an editor leaves it.
    ///
    /// # Errors
    /// [`SealError::File`] when it does not parse, or holds a top-level `sops` entry.
    pub fn edit(self, plaintext: Secret) -> Result<EditedFile, SealError> {
        self.into_older()?.edit(plaintext)
    }

    /// Whether a value equal to `new`, type included, stands at `path` already.
    #[must_use]
    pub fn holds(&self, path: &TreePath, new: &NewNode) -> bool {
        find(&self.sealed.document, path).is_some_and(|id| self.equals(id, new, 0))
    }

    fn equals(&self, id: NodeId, new: &NewNode, depth: usize) -> bool {
        let document = &self.sealed.document;
        if depth > crate::document::MAX_NEW_DEPTH {
            return false;
        }
        let (target, node) = document.target(id);
        match (node, new) {
            (Node::Scalar(scalar), NewNode::Null) => {
                matches!(document.resolve(scalar), Ok(Resolved::Null))
            }
            (Node::Scalar(_), NewNode::Value(value)) => {
                let is_leaf =
                    |entry: super::Entry| matches!(entry.what, What::Leaf(node) if node == target);
                let at = self.sealed.entries().position(is_leaf);
                let opened = at.and_then(|at| self.content.leaves.get(at)?.as_ref());
                opened.is_some_and(|opened| {
                    Value::parse(opened.kind, self.content.bytes(opened))
                        .is_ok_and(|old| old.same_as(value))
                })
            }
            (Node::Map(map), NewNode::Map(fields)) => {
                let old: Vec<_> = map
                    .items
                    .iter()
                    .filter_map(|item| {
                        if let Item::Entry(entry) = item {
                            Some(entry)
                        } else {
                            None
                        }
                    })
                    .collect();
                old.len() == fields.len()
                    && old.iter().zip(fields).all(|(entry, (key, value))| {
                        document.key(entry) == key && self.equals(entry.value, value, depth + 1)
                    })
            }
            (Node::List(list), NewNode::List(items)) => {
                let old: Vec<_> = list
                    .items
                    .iter()
                    .filter_map(|item| {
                        if let Item::Element(value) = item {
                            Some(*value)
                        } else {
                            None
                        }
                    })
                    .collect();
                old.len() == items.len()
                    && old
                        .iter()
                        .zip(items)
                        .all(|(value, new)| self.equals(*value, new, depth + 1))
            }
            _ => false,
        }
    }
}

/// The document with every alias written out that repeats what stands at `path`, or what that is a part of: the change
/// is meant for one place. `None` where there is none.
pub(super) fn without_aliases_of(
    document: &Document,
    path: &TreePath,
) -> Result<Option<Document>, SealError> {
    if !document.has_aliases() {
        return Ok(None);
    }
    let segments = path.segments();
    let on_the_way = (0..=segments.len()).map_while(|len| {
        find(
            document,
            &TreePath::from_segments(segments.get(..len)?.to_vec()),
        )
    });
    let mut changed: HashSet<NodeId> = on_the_way.collect();
    if let Some(replaced) = find(document, path) {
        changed.extend(subtree(document, replaced));
    }
    let repeats = |id: NodeId| matches!(document.node(id), Node::Alias(alias) if changed.contains(&alias.target));
    let edits = document.expand_aliases(&repeats)?;
    if edits.is_empty() {
        return Ok(None);
    }
    let text = document.source().splice(edits)?;
    Ok(Some(Document::parse(document.format(), text)?))
}

impl EditedFile {
    /// New plaintext for the whole of a file.
    pub(super) fn over(older: Older, document: Document) -> Self {
        Self(Change::Document(Box::new(older), document))
    }

    /// Seals the change under the file's own data key, keys and rule. Unchanged leaves give back their very envelopes,
    /// and a file in which nothing changes is given back as it was, with its old MAC and time.
    ///
    /// # Errors
    /// [`SealError`]; nothing was written.
    pub fn seal(self, now: jiff::Timestamp) -> Result<SealedFile, SealError> {
        let time = timestamp(now);
        match self.0 {
            Change::Document(older, document) => {
                seal_document(*older, document, &time).map(|resealed| resealed.file)
            }
            Change::Spliced(spliced) => spliced.seal(&time),
        }
    }
}

impl From<Spliced> for EditedFile {
    fn from(spliced: Spliced) -> Self {
        Self(Change::Spliced(Box::new(spliced)))
    }
}
