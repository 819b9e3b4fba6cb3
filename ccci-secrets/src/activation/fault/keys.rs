//! What is known when a key is missing, or none opens a file.

use std::fmt;
use std::io;
use std::path::PathBuf;

use crate::error::ErrorCode;
use crate::keyring::{AttemptReport, KeyFileReason};

/// Everything that can be known when the key file is missing (design, section 4).
#[derive(Debug)]
#[non_exhaustive]
pub struct MissingKeyFile {
    /// The field of the manifest.
    pub field: &'static str,
    /// The path.
    pub path: PathBuf,
    /// The error of the system.
    pub source: io::Error,
    /// The closest directory above it that exists.
    pub nearest_existing_parent: Option<PathBuf>,
    /// The sops files of the manifest.
    pub files: Vec<NeededFile>,
    /// Recipients of those files that no other identity here stands for: the key file should hold one of them.
    pub expected: Vec<String>,
    /// The other key sources.
    pub other_keys: Vec<KeySource>,
}

impl fmt::Display for MissingKeyFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "key file {} ({}): {}",
            self.path.display(),
            self.field,
            self.source
        )
    }
}

/// A sops file and who can open it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct NeededFile {
    /// The file.
    pub path: PathBuf,
    /// Its recipients.
    pub recipients: Vec<String>,
    /// Whether one of the other identities is, by its label, among them.
    pub opened_by_another: bool,
}

/// One configured source of identities and what came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct KeySource {
    /// The field of the manifest.
    pub field: &'static str,
    /// The path.
    pub path: PathBuf,
    /// What it gave.
    pub state: KeyState,
}

/// What a source of identities gave.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyState {
    /// A home of GnuPG, which gpg is asked with.
    Asked,
    /// There is no such file, or no such home.
    Missing,
    /// A home of GnuPG, and the manifest does not let gpg be started.
    NotAllowed,
    /// It cannot be used.
    Unusable(KeyFileReason),
    /// Identities with these public halves.
    Usable {
        /// The public halves; of an SSH key the derived `age1…` first.
        recipients: Vec<String>,
        /// Whether any of them is a recipient of any file.
        is_recipient: bool,
    },
}

/// No configured identity opens a file.
#[derive(Debug)]
#[non_exhaustive]
pub struct NoIdentity {
    /// The sops file.
    pub file: PathBuf,
    /// Its recipients.
    pub recipients: Vec<String>,
    /// Every configured source.
    pub keys: Vec<KeySource>,
    /// What was tried.
    pub report: Option<AttemptReport>,
}

impl NoIdentity {
    /// A program that does not run is worth more than a key that is not there.
    pub(super) fn code(&self) -> ErrorCode {
        let failed = self
            .report
            .as_ref()
            .is_some_and(AttemptReport::program_failed);
        match failed {
            true => ErrorCode::KeyProgramFailed,
            false => ErrorCode::NoIdentity,
        }
    }
}

impl fmt::Display for NoIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(report) = self
            .report
            .as_ref()
            .filter(|report| report.groups.len() > 1)
        {
            let (file, summary) = (self.file.display(), report.summary());
            return write!(f, "cannot open {file}: {summary}");
        }
        let count = self.recipients.len();
        let plural = if count == 1 { "" } else { "s" };
        write!(
            f,
            "cannot open {}: no configured identity matches any of its {count} recipient{plural}",
            self.file.display()
        )
    }
}
