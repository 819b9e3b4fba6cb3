//! Files that are opened without a MAC that matches; for [`crate::dangerous`], which says what that means.

use super::{OpenError, OpenFile, SealedFile};
use crate::document::{Document, NewNode};
use crate::keyring::Keyring;
use crate::mac::MacError;
use crate::metadata::plain_tree;

/// In place of a proof: every leaf opened, and nobody knows whether the values are those that were sealed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NoProof;

/// What becomes of a sealed comment that opens nowhere, when a document is let out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ClosedComments {
    /// It stays in the text, sealed.
    AreKept,
    /// It is an error.
    AreRefused,
}

impl SealedFile {
    /// Opens every sealed leaf, whatever the MAC says.
    pub(crate) fn open_unproved(
        self,
        keyring: &Keyring,
    ) -> Result<(OpenFile<NoProof>, Option<MacError>), OpenError> {
        let file = match self.metadata.mac {
            Some(_) => self,
            // Where it stands is where a change puts the new one.
            None => self.with_empty_mac().unwrap_or(self),
        };
        let (mut file, authentic) = file.open_leaves(keyring)?;
        file.access.closed_comments = ClosedComments::AreKept;
        Ok((file, authentic.err()))
    }

    /// The same file with an empty `mac` in a block made anew; nothing if it cannot be made.
    fn with_empty_mac(&self) -> Option<Self> {
        let old = &self.document;
        let (_, entry) = old.metadata_entry(old.parts().first()?)?;
        let NewNode::Map(mut fields) = plain_tree(old, entry.value).ok()? else {
            return None;
        };
        fields.retain(|(name, _)| !name.eq_ignore_ascii_case("mac"));
        fields.push(("mac".into(), NewNode::text("")));
        fields.sort_by(|(left, _), (right, _)| left.cmp(right));
        let without = old.source().splice(old.remove_metadata()).ok()?;
        let without = Document::parse(old.format(), without).ok()?;
        let edits = without.append_metadata(&NewNode::Map(fields));
        Self::parse(old.format(), without.source().splice(edits).ok()?).ok()
    }
}
