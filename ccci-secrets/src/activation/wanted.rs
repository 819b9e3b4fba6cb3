//! What should be in a generation: names, modes, owners, and the bytes, which only `materialise` and the comparison
//! with what is there let out.

use std::path::PathBuf;

use super::manifest::{OnConflict, SecretEntry, Target};
use super::owners::Ownership;
use crate::secret::Secret;

/// One file as it should be.
#[derive(Debug)]
pub(super) struct Wanted {
    /// Below the generation.
    pub(super) name: String,
    pub(super) content: Secret,
    pub(super) mode: u32,
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) target: Target,
    pub(super) on_conflict: OnConflict,
    pub(super) directories: Directories,
    /// The file that the content comes from, for reports.
    pub(super) sops_file: PathBuf,
    /// The key in it as the manifest spells it, empty for the whole file; for reports.
    pub(super) key: String,
}

impl Wanted {
    pub(super) fn new(secret: &SecretEntry, content: Secret, ownership: Ownership) -> Self {
        let file = &secret.file;
        Self {
            name: file.name.clone(),
            content,
            mode: file.mode,
            uid: ownership.uid,
            gid: ownership.gid,
            target: file.target.clone(),
            on_conflict: file.on_conflict,
            directories: ownership.directories,
            sops_file: secret.sops_file.clone(),
            key: secret.key.shown(),
        }
    }
}

/// How directories on the way to a target are made; what is not said is as the nearest parent's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Directories {
    pub(super) mode: Option<u32>,
    pub(super) uid: Option<u32>,
    pub(super) gid: Option<u32>,
}
