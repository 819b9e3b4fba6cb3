//! What stays of an older version of a file while a newer one is made. The file itself, beside the text and the nodes of
//! the newer one, would take as much room again.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;

use super::access::Access;
use super::edit::EditedFile;
use super::envelopes::Reuse;
use super::{DraftFile, FileError, OpenFile, SealError};
use crate::document::{Document, Format, NewNode};
use crate::metadata::{Metadata, plain_tree};
use crate::secret::Secret;

/// An older version of a file, without its text: new plaintext is laid over it, and what did not change gets its very
/// envelopes again.
///
/// It comes from [`OpenFile::into_older`] and [`OpenFile::into_editing`].
#[derive(Debug)]
pub struct Older {
    pub(super) format: Format,
    pub(super) metadata: Metadata,
    pub(super) access: Access,
    pub(super) reuse: Reuse,
    pub(super) block: OldBlock,
    pub(super) text: TextNumber,
}

/// The metadata block as it stood in the file.
#[derive(Debug)]
pub(super) struct OldBlock {
    /// Its very text in each part.
    pub(super) texts: Vec<Option<Secret>>,
    /// Its content, for the case that the text does not fit.
    pub(super) node: NewNode,
}

impl OldBlock {
    fn of(document: &Document) -> Result<Self, SealError> {
        let part = document.parts().first();
        let part = part.ok_or(SealError::Check("no document"))?;
        let (_, entry) = document
            .metadata_entry(part)
            .ok_or(SealError::Check("no metadata"))?;
        let node = plain_tree(document, entry.value).map_err(FileError::from)?;
        let text = |part| {
            let span = document.metadata_span(part)?;
            Some(Secret::from_slice(document.source().slice(span)))
        };
        let texts = document.parts().iter().map(text).collect();
        Ok(Self { texts, node })
    }
}

/// Stands for the text of a file; the hasher's keys are random.
#[derive(Debug)]
pub(super) struct TextNumber {
    hasher: RandomState,
    number: u64,
}

impl TextNumber {
    fn of(text: &[u8]) -> Self {
        let hasher = RandomState::new();
        let number = hasher.hash_one(text);
        Self { hasher, number }
    }

    pub(super) fn is(&self, text: &[u8]) -> bool {
        self.hasher.hash_one(text) == self.number
    }
}

impl<Proof> OpenFile<Proof> {
    /// Lets go of the file, but for what a newer version of it is sealed over.
    ///
    /// # Errors
    /// [`SealError`], for metadata that cannot be kept.
    pub fn into_older(self) -> Result<Older, SealError> {
        let (reuse, document, metadata, access) = Reuse::of(self);
        let format = document.format();
        let block = OldBlock::of(&document)?;
        let text = TextNumber::of(document.source().bytes());
        Ok(Older {
            format,
            metadata,
            access,
            reuse,
            block,
            text,
        })
    }
}

impl Older {
    /// Takes new plaintext for the whole document, as an editor leaves it.
    ///
    /// # Errors
    /// [`SealError::File`] when it does not parse, or holds a top-level `sops` entry.
    pub fn edit(self, plaintext: Secret) -> Result<EditedFile, SealError> {
        let draft = DraftFile::parse(self.format, plaintext)?;
        Ok(EditedFile::over(self, draft.document))
    }

    /// Lays plaintext of the same format over it.
    ///
    /// # Errors
    /// [`SealError::OtherFormat`]
    pub fn lay_over(self, draft: DraftFile) -> Result<EditedFile, SealError> {
        self.require_format(&draft)?;
        Ok(EditedFile::over(self, draft.document))
    }

    pub(super) fn require_format(&self, draft: &DraftFile) -> Result<(), SealError> {
        let (new, old) = (draft.format(), self.format);
        if new == old {
            Ok(())
        } else {
            Err(SealError::OtherFormat {
                new: new.as_str(),
                old: old.as_str(),
            })
        }
    }
}
