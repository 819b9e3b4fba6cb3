//! Letting out one value, or one part of an opened file.

use std::collections::HashMap;

use super::open::{OpenFile, Opened};
use super::{What, find_child};
use crate::document::{Document, Item, NewNode, Node, NodeId};
use crate::error::ErrorCode;
use crate::path::{Segment, TreePath};
use crate::secret::Secret;
use crate::value::Value;

impl OpenFile {
    /// Lets out what stands at a path of the first part: a string as its bytes, anything else as text in the format of
    /// the file, laid out as sops does it. Comments stay sealed, so they are left out.
    ///
    /// # Errors
    /// [`ExtractError`] names the step that leads nowhere.
    pub fn expose_at(&self, path: &TreePath) -> Result<Secret, ExtractError> {
        let document = &self.sealed.document;
        let id = self.walk(path)?;
        match self.copy(id, &self.opened_by_node()) {
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
    fn copy(&self, id: NodeId, opened: &HashMap<NodeId, &Opened>) -> NewNode {
        let document = &self.sealed.document;
        let (target, node) = document.target(id);
        match node {
            Node::Map(map) => {
                let entries = map.items.iter().filter_map(|item| match item {
                    Item::Entry(entry) => Some((
                        document.key(entry).to_owned(),
                        self.copy(entry.value, opened),
                    )),
                    _ => None,
                });
                NewNode::Map(entries.collect())
            }
            Node::List(list) => {
                let elements = list.items.iter().filter_map(|item| match item {
                    Item::Element(value) if !self.is_sealed_comment(*value) => {
                        Some(self.copy(*value, opened))
                    }
                    _ => None,
                });
                NewNode::List(elements.collect())
            }
            Node::Scalar(_) | Node::Alias(_) => {
                let value = opened
                    .get(&target)
                    .and_then(|opened| Value::parse(opened.kind, self.content.bytes(opened)).ok());
                value.map_or(NewNode::Null, |value| NewNode::Value(value.into_owned()))
            }
        }
    }

    /// sops seals a comment of a list into an item of that list.
    fn is_sealed_comment(&self, id: NodeId) -> bool {
        let entries = self.sealed.index.entries.iter();
        entries
            .filter_map(|entry| match entry.what {
                What::ListComment(comment) => Some(comment),
                _ => None,
            })
            .any(|comment| comment == id)
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

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::config::Policy;
    use crate::document::Format;
    use crate::env::Environment;
    use crate::file::DraftFile;
    use crate::keyring::Keyring;

    fn opened(text: &str) -> OpenFile {
        let keys = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata/sops/keys");
        let recipient = std::fs::read_to_string(keys.join("age-1.pub")).unwrap();
        let environment =
            Environment::empty().with_var("SOPS_AGE_KEY_FILE", keys.join("age-1.txt"));
        let draft = DraftFile::parse(Format::Yaml, Secret::from_slice(text.as_bytes())).unwrap();
        let now = "2026-01-02T03:04:05Z".parse().unwrap();
        let sealed = draft
            .seal(&Policy::age(&[recipient.trim()]).unwrap(), now)
            .unwrap();
        sealed.open(&Keyring::discover(&environment)).unwrap()
    }

    #[test]
    fn a_part_comes_without_its_comments_and_with_aliases_written_out() {
        let file = opened(
            "a: &x\n  # why\n  k: v # inline\n  l:\n    # in a list\n    - 1\nb_unencrypted: *x\n",
        );
        let expected = b"k: v\nl:\n    - 1\n";
        for path in ["a", "b_unencrypted"] {
            assert!(
                file.expose_at(&path.parse().unwrap())
                    .unwrap()
                    .ct_eq(expected),
                "{path}"
            );
        }
    }

    #[test]
    fn a_step_that_leads_nowhere_is_named() {
        let file = opened("a: {b: x, l: [1]}\n");
        let fails = |path: &str| file.expose_at(&path.parse().unwrap()).unwrap_err();
        assert_eq!(fails("zz"), ExtractError::Absent("zz".into()));
        assert_eq!(fails("sops"), ExtractError::Absent("sops".into()));
        assert_eq!(fails("a.l[1]"), ExtractError::OutOfBounds(1));
        assert_eq!(fails("a[0]"), ExtractError::IndexOnMap("a".into()));
        assert_eq!(fails("a.l.x"), ExtractError::KeyOnList("a.l".into()));
        assert_eq!(fails("a.b.c"), ExtractError::BelowValue("a.b".into()));
    }
}
