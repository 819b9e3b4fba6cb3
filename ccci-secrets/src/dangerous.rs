//! Opening a file although its MAC does not match: for recovery, and for `--ignore-mac`.
//!
//! Whoever opens a file this way gives up what the MAC proves: that its values are those that were sealed, all of them
//! and in that order ([`Authentic`](crate::mac::Authentic)). Each sealed value still has to open, so each of them was
//! sealed at this path of a file with this data key; but it may be an older value, or that of another item of the same
//! list, and clear values may be anything.
//!
//! An [`UnverifiedFile`] lets text out and nothing else. Nothing that installs secrets takes it, and there is no way from
//! it to an [`OpenFile`]. That this does not compile is its point:
//!
//! ```compile_fail,E0308
//! use ccci_secrets::dangerous::UnverifiedFile;
//! use ccci_secrets::file::{DraftFile, EditedFile, SealError};
//!
//! fn over(draft: DraftFile, old: UnverifiedFile) -> Result<EditedFile, SealError> {
//!     draft.onto(old)
//! }
//! ```
//!
//! With a file whose MAC matched it does:
//!
//! ```
//! use ccci_secrets::file::{DraftFile, EditedFile, OpenFile, SealError};
//!
//! fn over(draft: DraftFile, old: OpenFile) -> Result<EditedFile, SealError> {
//!     draft.onto(old)
//! }
//! ```

use crate::document::{CanonicalLayout, Format, NewNode};
use crate::file::{
    EditedFile, ExtractError, NoProof, Note, Older, OpenError, OpenFile, SealError, SealedFile,
    UnsetError,
};
use crate::keyring::Keyring;
use crate::mac::MacError;
use crate::path::TreePath;
use crate::secret::Secret;

/// Opens every sealed leaf of a file, and does not insist on its MAC: missing, damaged or not matching, it is only
/// remembered ([`UnverifiedFile::fault`]).
///
/// `reason` says why this is right here; it stands in the code, and in whatever prints the file for debugging.
///
/// # Errors
/// [`OpenError::NoKey`], and [`OpenError::Leaf`] for a leaf that does not open.
pub fn open_unverified(
    file: SealedFile,
    keyring: &Keyring,
    reason: &'static str,
) -> Result<UnverifiedFile, OpenError> {
    let (file, fault) = file.open_unproved(keyring)?;
    Ok(UnverifiedFile {
        file,
        fault,
        reason,
    })
}

/// A file whose every leaf opened. Nobody knows whether its values are those that were sealed.
#[derive(Debug)]
pub struct UnverifiedFile {
    file: OpenFile<NoProof>,
    fault: Option<MacError>,
    reason: &'static str,
}

impl UnverifiedFile {
    /// What is wrong with the MAC; nothing if it matches.
    #[must_use]
    pub fn fault(&self) -> Option<MacError> {
        self.fault
    }

    /// Why it was opened all the same.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        self.reason
    }

    /// As [`OpenFile::expose_document`]; a comment that opens nowhere stays sealed in it.
    ///
    /// # Errors
    /// As there.
    pub fn expose_document(&self) -> Result<(Secret, Vec<Note>), SealError> {
        self.file.expose_document()
    }

    /// As [`OpenFile::expose_as`]; a comment that opens nowhere stays sealed in it.
    ///
    /// # Errors
    /// As there.
    pub fn expose_as(
        &self,
        format: Format,
        layout: CanonicalLayout,
    ) -> Result<(Secret, Vec<Note>), SealError> {
        self.file.expose_as(format, layout)
    }

    /// As [`OpenFile::holds`].
    #[must_use]
    pub fn holds(&self, path: &TreePath, new: &NewNode) -> bool {
        self.file.holds(path, new)
    }

    /// As [`OpenFile::expose_at_as`].
    ///
    /// # Errors
    /// As there.
    pub fn expose_at_as(
        &self,
        path: &TreePath,
        format: Format,
        layout: CanonicalLayout,
    ) -> Result<Secret, ExtractError> {
        self.file.expose_at_as(path, format, layout)
    }
}

/// Takes the values of a file as they are: whatever is written from them carries a MAC that matches.
///
/// This is the only way from an [`UnverifiedFile`] to a file that can be written. The data key, the recipients and the
/// envelopes of unchanged values stay, so that a repair changes no more than it must. `reason` says who looked at the
/// values, and stands in the code.
#[must_use]
pub fn adopt(file: UnverifiedFile, reason: &'static str) -> AdoptedFile {
    AdoptedFile {
        file: file.file,
        reason,
    }
}

/// A file whose values somebody answers for. It can be changed; it cannot be installed.
#[derive(Debug)]
pub struct AdoptedFile {
    file: OpenFile<NoProof>,
    reason: &'static str,
}

impl AdoptedFile {
    /// Why its values are taken as they are.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        self.reason
    }

    /// As [`OpenFile::set`].
    ///
    /// # Errors
    /// As there.
    pub fn set(self, path: &TreePath, new: &NewNode) -> Result<EditedFile, SealError> {
        self.file.set(path, new)
    }

    /// As [`OpenFile::unset`].
    ///
    /// # Errors
    /// As there.
    pub fn unset(self, path: &TreePath) -> Result<EditedFile, UnsetError> {
        self.file.unset(path)
    }

    /// As [`OpenFile::into_editing`]; a comment that opens nowhere stays sealed in the text.
    ///
    /// # Errors
    /// As there.
    pub fn into_editing(self) -> Result<(Secret, Vec<Note>, Older), SealError> {
        self.file.into_editing()
    }

    /// As [`OpenFile::edit`].
    ///
    /// # Errors
    /// As there.
    pub fn edit(self, plaintext: Secret) -> Result<EditedFile, SealError> {
        self.file.edit(plaintext)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "tests")]
mod tests;
