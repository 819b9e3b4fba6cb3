//! Taking one entry out of an opened file.

mod reading;

use self::reading::{reading, reading_without};
use super::edit::{EditedFile, without_aliases_of};
use super::spliced::Spliced;
use super::{OpenFile, SealError, Shape, find_child};
use crate::document::{Format, Node};
use crate::error::ErrorCode;
use crate::path::{Segment, TreePath};
use crate::value::Kind;

impl<Proof> OpenFile<Proof> {
    /// Takes out what stands at a path of the first part, with the comments directly above and behind it; a map or list
    /// that is left without any item becomes an empty one (yaml.md 5.4).
    ///
    /// # Errors
    /// [`UnsetError`] names the step that leads nowhere.
    pub fn unset(self, path: &TreePath) -> Result<EditedFile, UnsetError> {
        self.require(path)?;
        let document = &self.sealed.document;
        let written_out = without_aliases_of(document, path)?;
        let before = written_out.as_ref().unwrap_or(document);
        let expected = reading_without(before, path)?;
        let edits = before.remove(path);
        let spliced = Spliced::of(self, written_out, path, edits)?;
        let found = reading(&spliced.document)?;
        if !expected.is_some_and(|expected| expected.is(found)) {
            return Err(SealError::Check("something else would be taken out").into());
        }
        Ok(spliced.into())
    }

    /// Follows the path, as sops does it.
    fn require(&self, path: &TreePath) -> Result<(), UnsetError> {
        let document = &self.sealed.document;
        let mut parts = document.parts().iter();
        let mut id = parts.next().ok_or(UnsetError::Root)?.root;
        if path.is_root() {
            return Err(UnsetError::Root);
        }
        for (depth, segment) in path.segments().iter().enumerate() {
            let here =
                || TreePath::from_segments(path.segments().iter().take(depth).cloned().collect());
            id = match (document.target(id).1, segment) {
                (Node::Map(_), Segment::Key(key)) => find_child(document, id, segment, depth)
                    .ok_or_else(|| UnsetError::NoKey(key.clone()))?,
                (Node::Map(_), Segment::Index(index)) => {
                    return Err(UnsetError::NoKey(format!("[{index}]")));
                }
                (Node::List(_), Segment::Index(index)) => find_child(document, id, segment, depth)
                    .ok_or(UnsetError::OutOfBounds(*index))?,
                (Node::List(_), Segment::Key(_)) => {
                    return Err(UnsetError::KeyOnList(here().to_string()));
                }
                (Node::Scalar(_) | Node::Alias(_), _) => {
                    return Err(UnsetError::BelowValue {
                        kind: type_name(self.shape(&here())),
                        step: match segment {
                            Segment::Index(index) => index.to_string(),
                            Segment::Key(key) => key.clone(),
                        },
                    });
                }
            };
        }
        if document.format() == Format::Binary {
            return Err(UnsetError::Content);
        }
        Ok(())
    }
}

/// What sops calls the type of a value.
fn type_name(shape: Shape) -> &'static str {
    match shape {
        Shape::Leaf(Kind::Bool) => "bool",
        Shape::Leaf(Kind::Float) => "float64",
        Shape::Leaf(Kind::Int) => "int",
        Shape::Leaf(Kind::Time) => "time.Time",
        Shape::Leaf(_) => "string",
        Shape::Absent | Shape::List | Shape::Map | Shape::Null => "<nil>",
    }
}

/// Why nothing can be taken out at a path. Scripts look for the words of sops.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UnsetError {
    /// A value where a map or a list would have to be.
    #[error("Unsupported type: {kind} for item '{step}'")]
    BelowValue {
        /// The type of the value, as sops calls it.
        kind: &'static str,
        /// The step below it.
        step: String,
    },
    /// A binary file is its content.
    #[error("a binary file is nothing but its content, which cannot be taken out")]
    Content,
    /// A key on a list.
    #[error("`{0}` is a list; its items are numbered")]
    KeyOnList(String),
    /// A map has no such key.
    #[error("Key not found: {0}")]
    NoKey(String),
    /// A list has no such item.
    #[error("Index {0} out of bounds")]
    OutOfBounds(usize),
    /// The root itself.
    #[error("the root cannot be taken out")]
    Root,
    /// The text that would come out.
    #[error(transparent)]
    Seal(#[from] SealError),
}

impl UnsetError {
    /// Whether nothing stands at the path, so that there is nothing to do.
    #[must_use]
    pub fn is_absence(&self) -> bool {
        matches!(self, Self::NoKey(_) | Self::OutOfBounds(_))
    }

    /// The stable code.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::Seal(error) => error.code(),
            _ => ErrorCode::PathNotFound,
        }
    }
}

#[cfg(test)]
#[allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "tests"
)]
mod tests;
