//! The sops files of a manifest: each is read once, and what stands in place of one is recognised. No key is needed.

use std::io;
use std::path::Path;

use super::fault::{Fault, TreeProblem};
use super::manifest::{Manifest, SecretEntry};
use crate::digest;
use crate::error::IoResultExt as _;
use crate::file::{FileError, SealedFile};
use crate::repository;
use crate::secret::Secret;

/// One sops file and the secrets that are taken from it.
#[derive(Debug)]
pub(super) struct SopsFile<'m> {
    pub(super) path: &'m Path,
    /// Positions in the manifest's list of secrets; never empty, and in order.
    pub(super) entries: Vec<usize>,
}

impl SopsFile<'_> {
    /// Whether a secret is taken from it.
    pub(super) fn holds(&self, secret: usize) -> bool {
        self.entries.binary_search(&secret).is_ok()
    }
}

/// A sops file that was read.
#[derive(Debug)]
pub(super) struct ReadFile {
    pub(super) sealed: SealedFile,
    pub(super) facts: ReadFacts,
}

/// What is known of the bytes that were read.
#[derive(Clone, Copy, Debug)]
pub(super) struct ReadFacts {
    pub(super) sha256: [u8; 32],
    /// Whether git records other bytes; none outside of a work tree.
    pub(super) changed: Option<bool>,
}

/// The sops files that a manifest names, in the order in which it first names them.
pub(super) fn of_manifest(manifest: &Manifest) -> Vec<SopsFile<'_>> {
    let mut files: Vec<SopsFile<'_>> = Vec::new();
    for (nth, secret) in manifest.secrets.iter().enumerate() {
        let known = files
            .iter_mut()
            .find(|file| file.path == secret.sops_file.as_path());
        match known {
            Some(file) => file.entries.push(nth),
            None => files.push(SopsFile {
                path: &secret.sops_file,
                entries: vec![nth],
            }),
        }
    }
    files
}

/// Reads and parses a file as the format of one of its secrets; all of them have the same.
pub(super) fn read(path: &Path, secret: &SecretEntry) -> Result<ReadFile, Fault> {
    let bytes = bytes_of(path).map_err(|error| explained(path, error))?;
    // EXPOSE: only looked at; what lies in a repository is sealed, or should be.
    if let Some(found) = repository::classify_content(bytes.expose()) {
        return Err(Fault::Tree {
            file: path.into(),
            problem: TreeProblem::of_content(found),
        });
    }
    // EXPOSE: hashed; see above.
    let facts = ReadFacts {
        sha256: digest::sha256(bytes.expose()),
        changed: repository::is_changed(path, bytes.expose()),
    };
    match SealedFile::parse(secret.format, bytes) {
        Ok(sealed) => Ok(ReadFile { sealed, facts }),
        Err(source) => Err(sops_file_fault(path, source)),
    }
}

fn bytes_of(path: &Path) -> Result<Secret, FileError> {
    Ok(Secret::from_vec(read_regular(path).at(path)?))
}

/// Reads a file, and only a regular one: a FIFO would make a boot wait for ever.
pub(super) fn read_regular(path: &Path) -> io::Result<Vec<u8>> {
    let found = std::fs::metadata(path)?;
    match () {
        () if found.is_file() => std::fs::read(path),
        () if found.is_dir() => Err(io::ErrorKind::IsADirectory.into()),
        () => Err(io::Error::other("neither a file nor a directory")),
    }
}

/// A file that cannot be read, or the submodule that it would belong to.
fn explained(path: &Path, error: FileError) -> Fault {
    match repository::uninitialised_submodule(path) {
        Some(found) => Fault::Tree {
            file: path.into(),
            problem: TreeProblem::SubmoduleNotInitialised {
                submodule: found.path.into(),
                repository: found.superproject,
                in_store: found.under_store,
            },
        },
        None => sops_file_fault(path, error),
    }
}

fn sops_file_fault(path: &Path, source: FileError) -> Fault {
    Fault::SopsFile {
        file: path.into(),
        source,
    }
}
