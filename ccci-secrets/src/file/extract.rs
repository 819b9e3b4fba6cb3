//! Letting out one value, or one part of an opened file.

use std::collections::{HashMap, HashSet};

use super::open::{OpenFile, Opened};
use super::{What, find_child};
use crate::document::{Document, Item, NewNode, Node, NodeId};
use crate::error::ErrorCode;
use crate::path::{Segment, TreePath};
use crate::secret::Secret;
use crate::value::Value;

/// What the scalars of a file hold.
struct Leaves<'a> {
    opened: HashMap<NodeId, &'a Opened>,
    /// Sealed comments that stand as items of lists.
    comments: HashSet<NodeId>,
}

impl OpenFile {
    /// Lets out what stands at a path of the first part: a string as its bytes, anything else as text in the format of
    /// the file, laid out as sops does it. Comments stay sealed, so they are left out.
    ///
    /// # Errors
    /// [`ExtractError`] names the step that leads nowhere.
    pub fn expose_at(&self, path: &TreePath) -> Result<Secret, ExtractError> {
        let document = &self.sealed.document;
        let id = self.walk(path)?;
        let leaves = Leaves {
            opened: self.opened_by_node(),
            comments: self.sealed_comments(),
        };
        match self.copy(id, &leaves) {
            // EXPOSE: into the secret that the caller gets.
            NewNode::Value(Value::Str(text)) => Ok(Secret::from_slice(text.expose())),
            node => Ok(Document::print(document.format(), &node)),
        }
    }

    fn walk(&self, path: &TreePath) -> Result<NodeId, ExtractError> {
        let document = &self.sealed.document;
        let mut parts = document.parts().iter();
        let mut id = parts.next().ok_or(ExtractError::NoDocument)?.root;
        for (depth, segment) in path.segments().iter().enumerate() {
            let here = || {
                let walked = path.segments().iter().take(depth).cloned().collect();
                TreePath::from_segments(walked).to_string()
            };
            id = match (document.target(id).1, segment) {
                (Node::Map(_), Segment::Key(key)) => find_child(document, id, segment, depth)
                    .ok_or_else(|| ExtractError::Absent(key.clone()))?,
                (Node::List(_), Segment::Index(index)) => find_child(document, id, segment, depth)
                    .ok_or(ExtractError::OutOfBounds(*index))?,
                (Node::Map(_), Segment::Index(_)) => return Err(ExtractError::IndexOnMap(here())),
                (Node::List(_), Segment::Key(_)) => return Err(ExtractError::KeyOnList(here())),
                (Node::Scalar(_) | Node::Alias(_), _) => {
                    return Err(ExtractError::BelowValue(here()));
                }
            };
        }
        Ok(id)
    }

    fn opened_by_node(&self) -> HashMap<NodeId, &Opened> {
        let entries = self.sealed.index.entries.iter().zip(&self.content.leaves);
        entries
            .filter_map(|(entry, opened)| match entry.what {
                What::Leaf(node) if entry.alias.is_none() => Some((node, opened.as_ref()?)),
                _ => None,
            })
            .collect()
    }

    /// A subtree with its values, as new content. A leaf without a value is null.
    fn copy(&self, id: NodeId, leaves: &Leaves<'_>) -> NewNode {
        let document = &self.sealed.document;
        let (target, node) = document.target(id);
        match node {
            Node::Map(map) => {
                let entries = map.items.iter().filter_map(|item| match item {
                    Item::Entry(entry) => Some((
                        document.key(entry).to_owned(),
                        self.copy(entry.value, leaves),
                    )),
                    _ => None,
                });
                NewNode::Map(entries.collect())
            }
            Node::List(list) => {
                let elements = list.items.iter().filter_map(|item| match item {
                    Item::Element(value) if !leaves.comments.contains(value) => {
                        Some(self.copy(*value, leaves))
                    }
                    _ => None,
                });
                NewNode::List(elements.collect())
            }
            Node::Scalar(_) | Node::Alias(_) => {
                let value = leaves
                    .opened
                    .get(&target)
                    .and_then(|opened| Value::parse(opened.kind, self.content.bytes(opened)).ok());
                value.map_or(NewNode::Null, |value| NewNode::Value(value.into_owned()))
            }
        }
    }

    /// sops seals a comment of a list into an item of that list.
    fn sealed_comments(&self) -> HashSet<NodeId> {
        let entries = self.sealed.index.entries.iter();
        entries
            .filter_map(|entry| match entry.what {
                What::ListComment(node) => Some(node),
                What::Comment(_) | What::Leaf(_) => None,
            })
            .collect()
    }
}

/// Why nothing can be taken out at a path.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ExtractError {
    /// A map has no such key.
    #[error("component ['{0}'] not found")]
    Absent(String),
    /// A value where a map or a list would have to be.
    #[error("`{0}` is a value; nothing stands below it")]
    BelowValue(String),
    /// An index on a map.
    #[error("`{0}` is a map; its items have names")]
    IndexOnMap(String),
    /// A key on a list.
    #[error("`{0}` is a list; its items are numbered")]
    KeyOnList(String),
    /// The file has no content.
    #[error("the file holds no document")]
    NoDocument,
    /// A list has no such item.
    #[error("component [{0}] accesses out of bounds")]
    OutOfBounds(usize),
}

impl ExtractError {
    /// The stable code.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        ErrorCode::PathNotFound
    }
}
