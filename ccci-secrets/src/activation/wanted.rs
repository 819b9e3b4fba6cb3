//! What should be in a generation: names, modes, owners, and the bytes, which only `materialise` and the comparison
//! with what is there let out.

use std::path::PathBuf;

use super::manifest::{FileEntry, OnConflict, SecretEntry, Target};
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
    pub(super) origin: Origin,
}

/// Where the content of a file comes from, for reports.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Origin {
    /// From one place of a sops file.
    #[non_exhaustive]
    Secret {
        /// The sops file.
        sops_file: PathBuf,
        /// The key as the manifest spells it; empty for a whole file.
        key: String,
    },
    /// From a template and the secrets in it.
    Template,
}

impl Origin {
    pub(super) fn of(secret: &SecretEntry) -> Self {
        Self::Secret {
            sops_file: secret.sops_file.clone(),
            key: secret.key.shown(),
        }
    }
}

impl Wanted {
    pub(super) fn new(
        file: &FileEntry,
        origin: Origin,
        content: Secret,
        ownership: Ownership,
    ) -> Self {
        Self {
            name: file.name.clone(),
            content,
            mode: file.mode,
            uid: ownership.uid,
            gid: ownership.gid,
            target: file.target.clone(),
            on_conflict: file.on_conflict,
            directories: ownership.directories,
            origin,
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
