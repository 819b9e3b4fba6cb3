//! What can be said about a key file: its facts, its warnings, and why it cannot be used.

use std::fmt;
use std::path::PathBuf;

use crate::error::ErrorCode;
use crate::key::UnbuiltKind;
use crate::key::age::plugin::plugin_of_recipient;
use crate::key::age::ssh_file::SshKeyError;
use crate::key::comparable_recipient;

/// What to do about a key file that others may read, or that somebody else owns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyFileModes {
    /// Refuse it.
    Strict,
    /// Use it, with a warning.
    Warn,
}

/// A key file that was read and can be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyFileFacts {
    /// The file, as it was named.
    pub path: PathBuf,
    /// The public halves: for an SSH key the derived `age1…` first, then the SSH public key.
    pub recipients: Vec<String>,
    /// The names of the age plugins that hold further identities: what those open, only they know.
    pub plugins: Vec<String>,
    /// What is not as it should be.
    pub warnings: Vec<KeyFileWarning>,
}

impl KeyFileFacts {
    /// Whether a label of a file is that of one of its identities, or names a plugin of one.
    #[must_use]
    pub fn is_for(&self, label: &str) -> bool {
        let plugin = plugin_of_recipient(label);
        let is_known = plugin.is_some_and(|name| self.plugins.iter().any(|own| own == name));
        is_known || self.recipients.contains(&comparable_recipient(label))
    }
}

/// Something about a usable key file that its owner should change.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, thiserror::Error)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum KeyFileWarning {
    /// The file belongs neither to root nor to the user who runs the program.
    #[error("is owned by user {0}, neither root nor the user who runs this")]
    ForeignOwner(u32),
    /// Group or others may read or write it.
    #[error("has mode {0:04o}, group and others should have no access")]
    OpenMode(u32),
    /// An identity of a kind that this build does not support.
    #[error("line {line}: {kind} identities are not supported by this build")]
    NotBuilt {
        /// The line.
        line: usize,
        /// The kind.
        kind: UnbuiltKind,
    },
}

/// A key file that cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyFileError {
    /// There is no such file.
    #[error("key file {} does not exist", path.display())]
    Missing {
        /// The file, as it was named.
        path: PathBuf,
        /// The error of the system.
        source: std::io::Error,
        /// The closest directory above it that exists; far above the file it tells of a missing mount.
        nearest_existing_parent: Option<PathBuf>,
    },
    /// There is something, but no usable key.
    #[error("key file {}: {reason}", path.display())]
    Unusable {
        /// The file, as it was named.
        path: PathBuf,
        /// Why.
        reason: KeyFileReason,
    },
}

impl KeyFileError {
    /// The stable code.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::Missing { .. } => ErrorCode::KeyFileMissing,
            Self::Unusable { .. } => ErrorCode::KeyFileUnusable,
        }
    }
}

/// Why what was read holds no usable key. No variant holds text of the file, other than the name of a key type.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, thiserror::Error)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum KeyFileReason {
    /// An age identity where an SSH key is due.
    #[error("holds an age key, not an SSH private key")]
    AgeKey,
    /// A line that is no identity.
    #[error("line {line} is not an age identity")]
    BadLine {
        /// The line, from 1.
        line: usize,
    },
    /// Comments and empty lines, no identity.
    #[error("holds only comments, no identity")]
    CommentsOnly,
    /// An SSH key that does not parse.
    #[error("the SSH key is damaged")]
    Damaged,
    /// A directory.
    #[error("is a directory")]
    Directory,
    /// No bytes, or nothing but space.
    #[error("is empty")]
    Empty,
    /// A symbolic link that belongs neither to root nor to the user who runs the program.
    #[error("symbolic link {} is owned by user {owner}, neither root nor the user who runs this", link.display())]
    ForeignLink {
        /// The link.
        #[serde(serialize_with = "super::report::path_text")]
        link: PathBuf,
        /// Its owner.
        owner: u32,
    },
    /// The file belongs neither to root nor to the user who runs the program, and modes are strict.
    #[error("is owned by user {owner}, neither root nor the user who runs this")]
    ForeignOwner {
        /// Its owner.
        owner: u32,
    },
    /// An identity of a kind that this build does not support, and no other.
    #[error("line {line}: {kind} identities are not supported by this build")]
    NotBuilt {
        /// The line, from 1.
        line: usize,
        /// The kind.
        kind: UnbuiltKind,
    },
    /// Neither a key nor anything else that is known.
    #[error("is not a key file")]
    NotAKey,
    /// A FIFO, a socket or a device.
    #[error("is a {0}, not a regular file")]
    NotRegular(FileKind),
    /// Group or others have access, and modes are strict.
    #[error("has mode {mode:04o}, group and others must have no access")]
    OpenMode {
        /// The permission bits.
        mode: u32,
    },
    /// The key asks for a passphrase.
    #[error("is protected with a passphrase")]
    PassphraseProtected,
    /// A public key where a private one is due.
    #[error("holds a public key, not the private one")]
    PublicKey,
    /// More than one key where one is due.
    #[error("holds {0} different ed25519 keys, one is needed")]
    SeveralKeys(usize),
    /// An SSH private key where an age key file is due.
    #[error("holds an SSH private key, not an age identity")]
    SshKey,
    /// More bytes than any key file has.
    #[error("is larger than {limit} bytes")]
    TooLarge {
        /// The limit.
        limit: usize,
    },
    /// The system does not let us read it.
    #[error("cannot be read: {0}")]
    Unreadable(SystemError),
    /// An SSH key of another type than ed25519.
    #[error("SSH key of type {0}, only ssh-ed25519 can be used")]
    UnsupportedType(String),
}

impl From<SshKeyError> for KeyFileReason {
    fn from(error: SshKeyError) -> Self {
        match error {
            SshKeyError::AgeKey => Self::AgeKey,
            SshKeyError::Damaged => Self::Damaged,
            SshKeyError::NotAKey => Self::NotAKey,
            SshKeyError::PassphraseProtected { .. } => Self::PassphraseProtected,
            SshKeyError::PublicKey => Self::PublicKey,
            SshKeyError::UnsupportedType(kind) => Self::UnsupportedType(kind),
        }
    }
}

/// What stands in the place of a regular file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, thiserror::Error)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum FileKind {
    /// A device.
    #[error("device")]
    Device,
    /// A named pipe.
    #[error("named pipe")]
    Fifo,
    /// A socket.
    #[error("socket")]
    Socket,
}

/// An error number of the system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SystemError(pub i32);

impl fmt::Display for SystemError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        std::io::Error::from_raw_os_error(self.0).fmt(f)
    }
}

impl serde::Serialize for SystemError {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl From<rustix::io::Errno> for SystemError {
    fn from(error: rustix::io::Errno) -> Self {
        Self(error.raw_os_error())
    }
}
