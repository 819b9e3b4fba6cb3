//! Where the contents of a generation come from.

use std::path::{Path, PathBuf};

use super::sops_file::ReadFacts;
use crate::file::OpenFile;
use crate::keyring::OpenedBy;
use crate::repository;

/// A sops file that was opened and whose MAC matched.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FileProvenance {
    /// The file.
    pub path: PathBuf,
    /// SHA-256 of the bytes that were read: of the sealed file.
    pub sha256_ciphertext: [u8; 32],
    /// What git knows about it; none outside a repository.
    pub git: Option<GitFacts>,
    /// `lastmodified`, as it stands in the file.
    pub lastmodified: String,
    /// What opened it, or the first of its key groups.
    pub opened_by: OpenedBy,
    /// What opened the other key groups of a file that needs several.
    pub also_opened_by: Vec<OpenedBy>,
    /// Its recipients but those that opened it, in the order of the file.
    pub other_recipients: Vec<String>,
}

/// The work tree that a file lies in.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct GitFacts {
    /// Its top directory.
    pub repository: PathBuf,
    /// The commit that is checked out; none before the first.
    pub commit: Option<String>,
    /// Whether it is a submodule of another one.
    pub submodule: bool,
    /// The commit that the work tree around a submodule records for it.
    pub recorded_commit: Option<String>,
    /// Whether the file is another one than the index of the work tree records.
    pub dirty: bool,
}

impl FileProvenance {
    /// Everything that opened it.
    pub fn openers(&self) -> impl Iterator<Item = &OpenedBy> {
        std::iter::once(&self.opened_by).chain(&self.also_opened_by)
    }

    pub(super) fn of(path: &Path, read: ReadFacts, open: &OpenFile) -> Self {
        let opened_by = open.opened_by().clone();
        let also_opened_by = open.also_opened_by().to_vec();
        let mut other_recipients = open.recipients();
        for opener in also_opened_by.iter().chain([&opened_by]) {
            let own = |recipient: &String| *recipient == opener.recipient;
            if let Some(own) = other_recipients.iter().position(own) {
                other_recipients.remove(own);
            }
        }
        Self {
            path: path.into(),
            sha256_ciphertext: read.sha256,
            git: GitFacts::of(path, read.changed),
            lastmodified: open.lastmodified().into(),
            opened_by,
            also_opened_by,
            other_recipients,
        }
    }
}

impl GitFacts {
    /// Whether a submodule stands at another commit than its superproject records.
    pub(super) fn is_elsewhere(&self) -> bool {
        self.recorded_commit.is_some() && self.recorded_commit != self.commit
    }

    fn of(path: &Path, changed: Option<bool>) -> Option<Self> {
        let tree = repository::work_tree_of(path)?;
        Some(Self {
            repository: tree.root,
            commit: tree.commit,
            submodule: tree.submodule,
            recorded_commit: tree.recorded_commit,
            dirty: changed.unwrap_or(false),
        })
    }
}
