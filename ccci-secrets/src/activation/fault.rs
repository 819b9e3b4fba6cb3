//! Why nothing was activated, and what was noticed on the way. Facts only: what to do about them, and the names of
//! commands, are the caller's.

mod keys;
mod problems;

use std::io;
use std::path::{Path, PathBuf};

pub use self::keys::{KeySource, KeyState, MissingKeyFile, NeededFile, NoIdentity};
pub use self::problems::{TargetProblem, TemplateProblem, TreeProblem, UnitProblem, ValueProblem};
use super::checks::CheckProblem;
use super::credentials::CredentialProblem;
use super::manifest::ManifestFault;
pub use super::site::Hazard;
pub use super::warning::{Warning, WarningKind};
use crate::certificate::Fingerprint;
use crate::error::ErrorCode;
use crate::file::{FileError, OpenError, SealError};
use crate::keyring::KeyFileReason;

/// One reason why nothing was activated.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// A content that will not do.
    #[error("certificate `{}`{}: {problem}", certificate.escape_debug(), with_key(key.as_deref()))]
    Check {
        /// The secret that holds the certificate.
        certificate: String,
        /// The secret that holds its key.
        key: Option<String>,
        /// What is wrong.
        problem: CheckProblem,
    },
    /// Credentials that systemd would not take, or that would be none.
    #[error("credentials of {unit}: {problem}")]
    Credentials {
        /// The unit, or `NAME@*.service` for the instances of a template.
        unit: String,
        /// What is wrong.
        problem: CredentialProblem,
    },
    /// A file that is sealed but cannot be opened.
    #[error("cannot open {}: {source}", file.display())]
    DoesNotOpen {
        /// The sops file.
        file: PathBuf,
        /// Why.
        source: OpenError,
    },
    /// The system refused a change.
    #[error("cannot {step} {}: {source}", path.display())]
    FileSystem {
        /// What was tried.
        step: &'static str,
        /// On what.
        path: PathBuf,
        /// The error of the system.
        source: io::Error,
    },
    /// The key file that the manifest names is not there.
    #[error("{}", .0)]
    KeyFileMissing(Box<MissingKeyFile>),
    /// The key file that the manifest names cannot be used.
    #[error("{} ({field}): {reason}", path.display())]
    KeyFileUnusable {
        /// The field of the manifest.
        field: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        reason: KeyFileReason,
    },
    /// A key file in a place that strict rules forbid.
    #[error("{} ({field}): {}", path.display(), place.sentence())]
    KeyFileMisplaced {
        /// The field of the manifest.
        field: &'static str,
        /// The file.
        path: PathBuf,
        /// What is wrong with its place.
        place: WarningKind,
    },
    /// The generation that was activated last is not there, and so nothing can lead to it.
    #[error("{} is not there any more", .0.display())]
    GenerationLost(PathBuf),
    /// Somebody else activates.
    #[error("another activation holds the lock {}", .0.display())]
    Locked(PathBuf),
    /// The manifest breaks a rule.
    #[error(transparent)]
    Manifest(#[from] ManifestFault),
    /// The manifest cannot be read.
    #[error("cannot read the manifest {}: {source}", path.display())]
    ManifestUnreadable {
        /// The file.
        path: PathBuf,
        /// The error of the system.
        source: io::Error,
    },
    /// No identity opens a file.
    #[error("{}", .0)]
    NoIdentity(Box<NoIdentity>),
    /// None of the certificates is the one that was expected.
    #[error("{}", other_leaf(expected, found))]
    OtherLeaf {
        /// Its fingerprint.
        expected: Fingerprint,
        /// Those of the certificates that the manifest has checked.
        found: Vec<Fingerprint>,
    },
    /// No file is kept for a path.
    #[error("no file is kept for {}", .0.display())]
    NothingKept(PathBuf),
    /// No run has written down what it did.
    #[error("no activation has been written down in {} since the machine was started", .0.display())]
    NothingRecorded(PathBuf),
    /// The plaintext of a whole file cannot be produced.
    #[error("cannot write out {}: {source}", file.display())]
    Plaintext {
        /// The sops file.
        file: PathBuf,
        /// Why.
        source: SealError,
    },
    /// A file that is not a sops file.
    #[error("{}", sops_file(file, source))]
    SopsFile {
        /// The file.
        file: PathBuf,
        /// Why.
        source: FileError,
    },
    /// A path that cannot be used.
    #[error("{}: {problem}", path.display())]
    Target {
        /// The path, as it is seen from outside.
        path: PathBuf,
        /// What is in the way.
        problem: TargetProblem,
    },
    /// A template that cannot be rendered.
    #[error("template `{}`: {problem}", template.escape_debug())]
    Template {
        /// Its name.
        template: String,
        /// Why.
        problem: TemplateProblem,
    },
    /// The file of a template cannot be read.
    #[error("template `{}`: cannot read {}: {source}", template.escape_debug(), path.display())]
    TemplateUnreadable {
        /// Its name.
        template: String,
        /// The file.
        path: PathBuf,
        /// The error of the system.
        source: io::Error,
    },
    /// The tree around a sops file explains why it cannot be read.
    #[error("{}: {problem}", file.display())]
    Tree {
        /// The sops file.
        file: PathBuf,
        /// What git would say.
        problem: TreeProblem,
    },
    /// A unit that could not be told that something changed for it.
    #[error("unit {}: {problem}", unit.escape_debug())]
    Unit {
        /// Its name.
        unit: String,
        /// Why.
        problem: UnitProblem,
    },
    /// A key of the manifest leads to nothing usable.
    #[error("secret `{}`: key `{}` of {} {problem}", secret.escape_debug(), key.escape_debug(), file.display())]
    Value {
        /// Name of the secret.
        secret: String,
        /// The whole key.
        key: String,
        /// The sops file.
        file: PathBuf,
        /// What is wrong.
        problem: ValueProblem,
    },
}

impl Fault {
    /// The stable code.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::Check { .. } | Self::OtherLeaf { .. } => ErrorCode::CertificateInvalid,
            Self::Credentials { .. } => ErrorCode::CredentialInvalid,
            Self::DoesNotOpen { source, .. } => source.code(),
            Self::FileSystem { .. } => ErrorCode::ActivationFileSystem,
            Self::KeyFileMissing(_) => ErrorCode::KeyFileMissing,
            Self::KeyFileUnusable { .. } | Self::KeyFileMisplaced { .. } => {
                ErrorCode::KeyFileUnusable
            }
            Self::Locked(_) => ErrorCode::ActivationLocked,
            Self::Manifest(_) | Self::ManifestUnreadable { .. } => ErrorCode::ManifestInvalid,
            Self::NoIdentity(fault) => fault.code(),
            Self::NothingRecorded(_) | Self::GenerationLost(_) => ErrorCode::DriftFound,
            Self::Plaintext { source, .. } => source.code(),
            Self::SopsFile { source, .. } => source.code(),
            Self::Target { .. } | Self::NothingKept(_) => ErrorCode::TargetConflict,
            Self::Template { .. } | Self::TemplateUnreadable { .. } => ErrorCode::TemplateInvalid,
            Self::Tree { problem, .. } => problem.code(),
            Self::Unit { .. } => ErrorCode::CommittedWithFault,
            Self::Value { problem, .. } => problem.code(),
        }
    }

    /// Place in the order of the design's section 2; the lowest of several faults names the whole refusal.
    pub(super) fn rank(&self) -> u8 {
        match self.code() {
            ErrorCode::ManifestInvalid => 0,
            ErrorCode::SubmoduleNotInitialised | ErrorCode::LfsPointer => 1,
            ErrorCode::KeyFileMissing => 3,
            ErrorCode::KeyFileUnusable => 4,
            ErrorCode::NoIdentity | ErrorCode::NoRecipients => 5,
            ErrorCode::KeyProgramFailed => 6,
            ErrorCode::MacMismatch | ErrorCode::DoesNotOpen | ErrorCode::LeafNotProtected => 7,
            ErrorCode::PathNotFound => 8,
            ErrorCode::TemplateInvalid => 9,
            ErrorCode::CertificateInvalid | ErrorCode::CredentialInvalid => 10,
            ErrorCode::TargetConflict => 11,
            ErrorCode::ActivationLocked | ErrorCode::ActivationFileSystem => 12,
            // What is left is a file that cannot be read as a sops file.
            _ => 2,
        }
    }
}

fn with_key(key: Option<&str>) -> String {
    key.map(|key| format!(" with key `{}`", key.escape_debug()))
        .unwrap_or_default()
}

/// What the system says of a file names it already.
fn sops_file(file: &Path, source: &FileError) -> String {
    match source {
        FileError::Read(error) => error.to_string(),
        other => format!("{}: {other}", file.display()),
    }
}

fn other_leaf(expected: &Fingerprint, found: &[Fingerprint]) -> String {
    let found: Vec<String> = found.iter().map(ToString::to_string).collect();
    match found.as_slice() {
        [] => format!(
            "expected the certificate {expected}, but no check of the manifest has found a sound one"
        ),
        found => format!(
            "expected the certificate {expected}, not {}",
            found.join(", ")
        ),
    }
}

/// A generation that is active.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct Active {
    /// Its number.
    pub generation: u64,
    /// Where the link points, as it is written.
    pub link: PathBuf,
}

/// What a run that was refused has done about one before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum EarlierRun {
    /// Nothing: there was none, or it was not looked at.
    #[default]
    Untouched,
    /// It may be finished in part.
    Begun,
    /// It is finished, and the units that it has left may have been told.
    Finished,
}

impl EarlierRun {
    /// Its stable name in reports.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Untouched => "untouched",
            Self::Begun => "begun",
            Self::Finished => "finished",
        }
    }
}

/// Nothing was activated.
#[derive(Debug)]
#[non_exhaustive]
pub struct Refusal {
    /// All reasons, the one that names the refusal first.
    pub faults: Vec<Fault>,
    /// What was done about an earlier run before this one was refused.
    pub earlier_run: EarlierRun,
    /// What is active, as before.
    pub still_active: Option<Active>,
    /// What could not be removed again.
    pub left_behind: Vec<PathBuf>,
    /// What else was noticed.
    pub warnings: Vec<Warning>,
}

impl Refusal {
    pub(super) fn new(mut faults: Vec<Fault>) -> Self {
        faults.sort_by_key(Fault::rank);
        Self {
            faults,
            earlier_run: EarlierRun::Untouched,
            still_active: None,
            left_behind: Vec::new(),
            warnings: Vec::new(),
        }
    }

    /// For one reason.
    pub(super) fn of(fault: Fault) -> Self {
        Self::new(vec![fault])
    }

    /// The same refusal, after an earlier run was finished or units of it were told.
    pub(super) fn after(self, earlier_run: EarlierRun) -> Self {
        Self {
            earlier_run,
            ..self
        }
    }

    /// The code of the whole: that of the first of all faults in the order of the design.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        self.faults.first().map_or(ErrorCode::Internal, Fault::code)
    }
}
