//! Letting out one value, or one part of an opened file.

use super::convert::{kept_values, steps_at};
use super::find_child;
use super::open::OpenFile;
use crate::document::canonical::{self, ConvertError, Token};
use crate::document::{CanonicalLayout, Format, Node, NodeId, ParseError};
use crate::error::ErrorCode;
use crate::path::{Segment, TreePath};
use crate::secret::Secret;

impl<Proof> OpenFile<Proof> {
    /// Lets out what stands at a path of the first part: a string as its bytes, anything else as text in the format of
    /// the file, laid out as sops does it. Comments stay sealed, so they are left out.
    ///
    /// # Errors
    /// [`ExtractError`] names the step that leads nowhere.
    pub fn expose_at(&self, path: &TreePath) -> Result<Secret, ExtractError> {
        self.expose_at_as(path, self.sealed.format(), CanonicalLayout::default())
    }

    /// As [`OpenFile::expose_at`], in another format.
    ///
    /// # Errors
    /// [`ExtractError`] names the step that leads nowhere, or what the format cannot hold.
    pub fn expose_at_as(
        &self,
        path: &TreePath,
        format: Format,
        layout: CanonicalLayout,
    ) -> Result<Secret, ExtractError> {
        self.walk(path)?;
        let tokens = kept_values(self, &steps_at(&self.sealed.document, path)?);
        let tokens: Vec<&Token<'_>> = tokens.iter().collect();
        Ok(canonical::write_value(&tokens, format, layout)?)
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
    /// What stands there has no form in the format that is asked for.
    #[error(transparent)]
    Convert(#[from] ConvertError),
    /// An index on a map.
    #[error("`{0}` is a map; its items have names")]
    IndexOnMap(String),
    /// A key on a list.
    #[error("`{0}` is a list; its items are numbered")]
    KeyOnList(String),
    /// The file has no content.
    #[error("the file holds no document")]
    NoDocument,
    /// Aliases that stand for more than can be written out.
    #[error(transparent)]
    Parse(#[from] ParseError),
    /// A list has no such item.
    #[error("component [{0}] accesses out of bounds")]
    OutOfBounds(usize),
}

impl ExtractError {
    /// The stable code.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::Convert(_) => ErrorCode::ValueUnsupported,
            Self::Parse(error) => error.code(),
            _ => ErrorCode::PathNotFound,
        }
    }
}
