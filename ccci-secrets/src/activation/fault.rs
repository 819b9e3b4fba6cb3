//! Why nothing was activated, and what was noticed on the way. Facts only: what to do about them, and the names of
//! commands, are the caller's.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use super::checks::CheckProblem;
use super::credentials::CredentialProblem;
use super::manifest::{ManifestFault, SecretEntry, TemplateEntry};
pub use super::site::Hazard;
pub use super::warning::{Warning, WarningKind};
use crate::certificate::Fingerprint;
use crate::error::ErrorCode;
use crate::file::{FileError, OpenError, SealError, Shape};
use crate::keyring::AttemptReport;
use crate::keyring::KeyFileReason;
use crate::repository::NotSealedBecause;

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

/// What the tree around a sops file says about it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TreeProblem {
    /// A merge was not finished.
    #[error("holds conflict markers, the first in line {line}")]
    ConflictMarkers {
        /// The first line with one.
        line: usize,
    },
    /// No bytes.
    #[error("is empty")]
    Empty,
    /// git-crypt has locked it.
    #[error("is encrypted by git-crypt")]
    GitCrypt,
    /// A pointer of git LFS.
    #[error("is a pointer of git LFS: the file itself was not fetched")]
    LfsPointer,
    /// It belongs to a submodule whose content is not there.
    #[error("belongs to the submodule {}, which is not initialised", submodule.display())]
    SubmoduleNotInitialised {
        /// Path of the submodule inside its repository.
        submodule: PathBuf,
        /// The work tree that holds the submodule.
        repository: PathBuf,
        /// Whether the tree looks like a copy in the Nix store, where submodules have to be asked for.
        in_store: bool,
    },
}

impl TreeProblem {
    pub(super) fn of_content(found: NotSealedBecause) -> Self {
        match found {
            NotSealedBecause::ConflictMarkers { line } => Self::ConflictMarkers { line },
            NotSealedBecause::Empty => Self::Empty,
            NotSealedBecause::GitCrypt => Self::GitCrypt,
            NotSealedBecause::LfsPointer => Self::LfsPointer,
        }
    }

    fn code(&self) -> ErrorCode {
        match self {
            Self::ConflictMarkers { .. } => ErrorCode::ConflictMarkers,
            Self::Empty | Self::GitCrypt => ErrorCode::FileNotSealed,
            Self::LfsPointer => ErrorCode::LfsPointer,
            Self::SubmoduleNotInitialised { .. } => ErrorCode::SubmoduleNotInitialised,
        }
    }
}

/// What is wrong at a path that activation needs.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TargetProblem {
    /// A regular file with other content.
    #[error("a file with other content is there")]
    Differs,
    /// A directory where a link is due.
    #[error("a directory is there")]
    Directory,
    /// A link where a file is to be given back.
    #[error("a link is there that activation has not placed")]
    ForeignLink,
    /// Something is mounted there.
    #[error("something is mounted there")]
    MountPoint,
    /// No directory where one is due.
    #[error("is not a directory")]
    NotADirectory,
    /// A disk is mounted where secrets are due.
    #[error("a persistent file system is mounted there")]
    PersistentMount,
    /// A device, a socket or a FIFO.
    #[error("neither a file nor a link is there")]
    Special,
    /// The way there is not safe or not possible.
    #[error("{0}")]
    Way(#[source] Hazard),
}

/// What is wrong with what a key leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ValueProblem {
    /// It leads nowhere.
    #[error("cannot be found")]
    Absent,
    /// It leads to something that is no string.
    #[error("is {}, not a string", shape_text(*.0))]
    NotAString(Shape),
    /// Neither cipher nor MAC protects what it leads to.
    #[error("is neither sealed nor covered by the MAC")]
    NotProtected,
}

impl ValueProblem {
    pub(super) fn of(self, secret: &SecretEntry) -> Fault {
        Fault::Value {
            secret: secret.file.name.clone(),
            key: secret.key.shown(),
            file: secret.sops_file.clone(),
            problem: self,
        }
    }

    fn code(self) -> ErrorCode {
        match self {
            Self::Absent | Self::NotAString(_) => ErrorCode::PathNotFound,
            Self::NotProtected => ErrorCode::LeafNotProtected,
        }
    }
}

/// Why a unit could not be told.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UnitProblem {
    /// What tells units did not do it.
    #[error("{0}")]
    Failed(String),
    /// There is no such unit.
    #[error("is not found")]
    NotFound,
}

/// What is wrong with a template.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TemplateProblem {
    /// A secret that another manifest has: one that is needed for users, for example.
    #[error("secret `{}` is not in this manifest", .0.escape_debug())]
    Elsewhere(String),
    /// Something that looks like a placeholder.
    #[error("`{}` stands for no secret", .0.escape_debug())]
    Leftover(String),
    /// A secret that was left out.
    #[error("secret `{}` cannot be had", .0.escape_debug())]
    Lost(String),
}

impl TemplateProblem {
    pub(super) fn of(self, template: &TemplateEntry) -> Fault {
        Fault::Template {
            template: template.name().into(),
            problem: self,
        }
    }
}

fn shape_text(shape: Shape) -> &'static str {
    use crate::value::Kind;
    match shape {
        Shape::Leaf(Kind::Bool) => "a boolean",
        Shape::Leaf(Kind::Float | Kind::Int) => "a number",
        Shape::Leaf(Kind::Time) => "a time",
        Shape::List => "a list",
        Shape::Map => "a map",
        Shape::Null => "null",
        _ => "something",
    }
}

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
    fn code(&self) -> ErrorCode {
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
