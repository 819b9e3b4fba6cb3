//! What opened a file, and what a newer version of it is sealed with.

use super::sidecar::Stored;
use super::unproved::ClosedComments;
use crate::keyring::OpenedBy;
use crate::leaf::LeafCipher;

/// All that is known of an opened file besides its text, its metadata and its values.
#[derive(Debug)]
pub(crate) struct Access {
    pub(crate) cipher: LeafCipher,
    /// How the values were written.
    pub(super) sidecar: Stored,
    pub(super) opened_by: OpenedBy,
    pub(super) also_opened_by: Vec<OpenedBy>,
    pub(super) closed_comments: ClosedComments,
}
