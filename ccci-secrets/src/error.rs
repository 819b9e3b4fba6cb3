//! What every error of the crate has in common: a stable code, and the place it happened.

use std::fmt;
use std::path::{Path, PathBuf};

macro_rules! error_codes {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)*) => {
        /// The stable name of a fault: scripts match on it, and every next step hangs on it.
        ///
        /// A code is never renamed or given another meaning.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum ErrorCode {
            $($(#[$doc])* $name,)*
        }

        impl ErrorCode {
            /// All codes there are.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The code as it stands in `--json` output.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }
        }
    };
}

error_codes! {
    /// Another activation holds the lock.
    ActivationLocked = "activation-locked",
    /// The file system refused a change during activation; the old generation is untouched.
    ActivationFileSystem = "activation-file-system",
    /// A certificate will not do.
    CertificateInvalid = "certificate-invalid",
    /// A step after the commit failed.
    CommittedWithFault = "committed-with-fault",
    /// `.sops.yaml` cannot be parsed or holds something it must not.
    ConfigInvalid = "config-invalid",
    /// There is no `.sops.yaml`, or it has no creation rules, and no keys were given.
    ConfigMissing = "config-missing",
    /// No creation rule matches the file.
    ConfigNoRule = "config-no-rule",
    /// Conflict markers of git in a sops file.
    ConflictMarkers = "conflict-markers",
    /// A credential that is empty, or more than systemd takes.
    CredentialInvalid = "credential-invalid",
    /// A value that does not open: wrong key, moved, or damaged.
    DoesNotOpen = "does-not-open",
    /// What is there is not what should be there.
    DriftFound = "drift-found",
    /// The file is not valid in its format.
    DocumentInvalid = "document-invalid",
    /// Not everything that a recovery drill demands is proved.
    DrillFailed = "drill-failed",
    /// No editor was found, or it failed.
    EditorFailed = "editor-failed",
    /// A server cannot be reached, or does not speak TLS.
    EndpointUnreachable = "endpoint-unreachable",
    /// The file is sealed already.
    FileAlreadySealed = "file-already-sealed",
    /// A file that should exist does not.
    FileMissing = "file-missing",
    /// The file holds no sops metadata.
    FileNotSealed = "file-not-sealed",
    /// The editor left the file as it was.
    FileUnchanged = "file-unchanged",
    /// A file cannot be read.
    FileUnreadable = "file-unreadable",
    /// A file cannot be written.
    FileUnwritable = "file-unwritable",
    /// A check found something that somebody has to do something about.
    FindingsFound = "findings-found",
    /// A format, kind or field that this build does not support.
    NotBuilt = "not-built",
    /// A bug of ours, seen by a check.
    Internal = "internal",
    /// A signal ended the run, or somebody cancelled it.
    Interrupted = "interrupted",
    /// A key file is missing.
    KeyFileMissing = "key-file-missing",
    /// A key file or SSH key cannot be used.
    KeyFileUnusable = "key-file-unusable",
    /// A key program failed.
    KeyProgramFailed = "key-program-failed",
    /// A recipient cannot be parsed or is of an unknown type.
    RecipientInvalid = "recipient-invalid",
    /// A Git LFS pointer stands where a sops file is due.
    LfsPointer = "lfs-pointer",
    /// No leaf protects this value: neither cipher nor MAC.
    LeafNotProtected = "leaf-not-protected",
    /// The MAC is missing, does not open, or does not match.
    MacMismatch = "mac-mismatch",
    /// The manifest cannot be read or is not valid.
    ManifestInvalid = "manifest-invalid",
    /// The `sops` block is not valid.
    MetadataInvalid = "metadata-invalid",
    /// No identity opens the file.
    NoIdentity = "no-identity",
    /// A file or a rule without recipients.
    NoRecipients = "no-recipients",
    /// A path that does not parse.
    PathInvalid = "path-invalid",
    /// A path that leads nowhere, or to a value of the wrong type.
    PathNotFound = "path-not-found",
    /// A selection rule that cannot be used.
    SelectionInvalid = "selection-invalid",
    /// A git submodule that is not initialised.
    SubmoduleNotInitialised = "submodule-not-initialised",
    /// A path that activation would have to overwrite, or cannot use.
    TargetConflict = "target-conflict",
    /// A template cannot be read, or a placeholder in it stands for nothing.
    TemplateInvalid = "template-invalid",
    /// The command line is not valid.
    Usage = "usage",
    /// A value that sops cannot carry.
    ValueUnsupported = "value-unsupported",
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Where in which file something is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Location {
    /// The file, as it was named.
    pub file: Option<PathBuf>,
    /// The path inside the file, printed.
    pub path: Option<String>,
    /// The line, from 1.
    pub line: Option<usize>,
}

impl Location {
    /// A place known only by its line.
    #[must_use]
    pub fn line(line: usize) -> Self {
        Self {
            line: Some(line),
            ..Self::default()
        }
    }

    /// A place known by its path inside the file and its line.
    #[must_use]
    pub fn leaf(path: impl Into<String>, line: usize) -> Self {
        Self {
            path: Some(path.into()),
            line: Some(line),
            file: None,
        }
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        if let Some(file) = &self.file {
            write!(f, "{}", file.display())?;
            separator = ", ";
        }
        if let Some(line) = self.line {
            write!(f, "{separator}line {line}")?;
            separator = ", ";
        }
        if let Some(path) = &self.path {
            write!(f, "{separator}{path}")?;
        }
        Ok(())
    }
}

/// An input/output error with the path it happened on.
#[derive(Debug, thiserror::Error)]
#[error("{}: {source}", path.display())]
pub struct PathError {
    /// The path.
    pub path: PathBuf,
    /// The error of the system.
    pub source: std::io::Error,
}

/// Adds the path to an input/output error.
pub trait IoResultExt<T> {
    /// The same result, with the path in its error.
    ///
    /// # Errors
    /// The error of `self`, with the path.
    fn at(self, path: impl AsRef<Path>) -> Result<T, PathError>;
}

impl<T, E: Into<std::io::Error>> IoResultExt<T> for Result<T, E> {
    fn at(self, path: impl AsRef<Path>) -> Result<T, PathError> {
        self.map_err(|source| PathError {
            path: path.as_ref().to_owned(),
            source: source.into(),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn codes_are_unique() {
        let names: BTreeSet<_> = ErrorCode::ALL.iter().map(|code| code.as_str()).collect();
        assert_eq!(names.len(), ErrorCode::ALL.len());
    }

    #[test]
    fn a_location_prints_what_it_knows() {
        let place = Location {
            file: Some("a.yaml".into()),
            ..Location::leaf("db.pw", 3)
        };
        assert_eq!(place.to_string(), "a.yaml, line 3, db.pw");
    }
}
