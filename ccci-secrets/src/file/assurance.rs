//! How well the values of a file are protected, which can be said without a key.

use super::SealedFile;
use super::index::{Entry, scalar};
use crate::document::Resolved;
use crate::mac::Coverage;
use crate::path::TreePath;

/// How well a leaf is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Assurance {
    /// In the clear, but covered by the MAC.
    MacOnly,
    /// Neither sealed nor covered by the MAC.
    None,
    /// Sealed.
    Sealed,
}

impl Assurance {
    pub(super) fn of(entry: &Entry, coverage: Coverage) -> Self {
        match (entry.selected, coverage) {
            (true, _) => Self::Sealed,
            (false, Coverage::All) => Self::MacOnly,
            (false, Coverage::OnlySealed) => Self::None,
        }
    }
}

impl SealedFile {
    /// How well the leaf at a path of the first part is protected.
    #[must_use]
    pub fn assurance(&self, path: &TreePath) -> Option<Assurance> {
        let at = self.entry_at(path)?;
        let entry = self.entry(at)?;
        Some(Assurance::of(&entry, self.metadata.coverage))
    }

    /// Whether any value of the file, null aside, is neither sealed nor covered by the MAC.
    #[must_use]
    pub fn has_unprotected_leaf(&self) -> bool {
        self.metadata.coverage == Coverage::OnlySealed
            && self.entries().any(|entry| {
                let scalar = entry.leaf(&self.document);
                !entry.selected
                    && scalar.is_some_and(|scalar| {
                        !matches!(self.document.resolve(scalar), Ok(Resolved::Null))
                    })
            })
    }

    /// The position in the index of the leaf at a path of the first part.
    pub(super) fn entry_at(&self, path: &TreePath) -> Option<usize> {
        let (target, _) = self.document.target(self.node_at(path)?);
        scalar(&self.document, target)?;
        self.leaf_at(target)
    }
}
