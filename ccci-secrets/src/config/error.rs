//! What can be wrong with a `.sops.yaml`, and what is only worth a word.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::document::ParseErrorKind;
use crate::error::{ErrorCode, Location, PathError};

/// A configuration that cannot be used for a file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The text is not a configuration.
    #[error("{place}: {fault}")]
    Invalid {
        /// File and line.
        place: Location,
        /// What is wrong there.
        fault: ConfigFault,
    },
    /// No creation rule matches.
    #[error("{}: no creation rule matches {}", path.display(), subject.display())]
    NoRule {
        /// The configuration.
        path: PathBuf,
        /// What the patterns were matched against.
        subject: PathBuf,
    },
    /// There are no creation rules.
    #[error("{}: there are no creation rules", path.display())]
    NoRules {
        /// The configuration.
        path: PathBuf,
    },
    /// The file cannot be read.
    #[error("could not read config file: {0}")]
    Read(PathError),
}

impl ConfigError {
    /// The stable code.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::Invalid { .. } => ErrorCode::ConfigInvalid,
            Self::NoRule { .. } => ErrorCode::ConfigNoRule,
            Self::NoRules { .. } => ErrorCode::ConfigMissing,
            Self::Read(error) if error.source.kind() == std::io::ErrorKind::NotFound => {
                ErrorCode::FileMissing
            }
            Self::Read(_) => ErrorCode::FileUnreadable,
        }
    }
}

/// What is wrong at a place of the text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigFault {
    /// `path_regex` is not a pattern.
    #[error("path_regex: the pattern `{pattern}` cannot be used: {reason}")]
    PathRegex {
        /// The pattern.
        pattern: String,
        /// Why.
        reason: String,
    },
    /// A private key; its text is not kept.
    #[error("a private key stands where a recipient is due")]
    PrivateKey,
    /// More than one rule of selection.
    #[error("cannot use more than one of {} for the same rule", .0.join(", "))]
    SeveralSelections(Vec<&'static str>),
    /// Not the YAML that is read here.
    #[error(transparent)]
    Syntax(#[from] ParseErrorKind),
    /// A key that means nothing where it stands.
    #[error("unknown key `{key}` in {inside}{}", nearest.map(|name| format!(", did you mean `{name}`?")).unwrap_or_default())]
    UnknownKey {
        /// The key.
        key: String,
        /// What it stands in: `a creation rule`.
        inside: &'static str,
        /// The known key that is probably meant.
        nearest: Option<&'static str>,
    },
    /// A value of another type than its key demands.
    #[error("`{key}` is not {expected}")]
    WrongType {
        /// The key.
        key: String,
        /// What is due.
        expected: &'static str,
    },
}

pub(super) fn invalid(path: &Path, line: usize, fault: ConfigFault) -> ConfigError {
    ConfigError::Invalid {
        place: super::location(path, line),
        fault,
    }
}

/// Something about a configuration that is worth a word and no error.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConfigNote {
    /// A file with a name that sops does not look for.
    AlternateName {
        /// That file.
        path: PathBuf,
        /// The file that is used instead, if there is one.
        used: Option<PathBuf>,
    },
    /// Keys beside `key_groups`, which count for nothing there.
    IgnoredKeys {
        /// File and line.
        place: Location,
        /// The key of the rule.
        key: &'static str,
    },
    /// A second YAML document, which nobody reads.
    SecondDocument {
        /// File and line.
        place: Location,
    },
    /// A key at the top that looks like a known one.
    UnknownKey {
        /// File and line.
        place: Location,
        /// The key.
        key: String,
        /// The known key.
        nearest: &'static str,
    },
}

impl fmt::Display for ConfigNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // The text of sops, which scripts know.
            Self::AlternateName { path, used } => {
                write!(
                    f,
                    "ignoring \"{}\" when searching for config file; the config file must be called \"{}\"",
                    path.display(),
                    super::discover::FILE_NAME,
                )?;
                match used {
                    Some(used) => write!(f, "; using \"{}\" instead", used.display()),
                    None => Ok(()),
                }
            }
            Self::IgnoredKeys { place, key } => write!(
                f,
                "{place}: `{key}` counts for nothing beside `key_groups`; the file is not sealed to these keys"
            ),
            Self::SecondDocument { place } => {
                write!(
                    f,
                    "{place}: a second YAML document begins; only the first is read"
                )
            }
            Self::UnknownKey {
                place,
                key,
                nearest,
            } => write!(
                f,
                "{place}: the key `{key}` means nothing here, did you mean `{nearest}`?"
            ),
        }
    }
}
