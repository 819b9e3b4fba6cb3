//! Recipients, which wrap a data key, and identities, which unwrap it.

pub mod age;
pub(crate) mod group;
pub mod pgp;
#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "tests")]
pub(crate) mod test_data;

use std::fmt;

use crate::error::ErrorCode;
use crate::secret::Secret;
use crate::wrapped::KeyKind;
use crate::wrapped::WrappedKey;

use self::age::plugin::{PluginFault, plugin_of_recipient};
use self::age::ssh::SshRecipient;
use self::age::x25519::X25519Recipient;
use self::pgp::GnupgFault;

/// Somebody a data key can be wrapped for.
pub trait Recipient: Send + Sync {
    /// The text by which a sops file names the recipient, SSH comment included.
    fn label(&self) -> &str;

    /// The list of a sops file that the recipient belongs to.
    fn kind(&self) -> KeyKind;

    /// Wraps a data key.
    ///
    /// # Errors
    /// [`WrapError`] when the cipher refuses.
    fn wrap(&self, data_key: &[u8]) -> Result<WrappedKey, WrapError>;
}

/// A private key, or whatever else opens a wrapped data key.
pub trait Identity: Send + Sync {
    /// The public halves in the text form of recipients, without comments: `age1…`, `ssh-ed25519 AAAA…`.
    fn recipients(&self) -> Vec<String>;

    /// Opens an entry: `Ok(None)` when it is for somebody else.
    ///
    /// # Errors
    /// [`IdentityError`] when the entry is damaged, or is for this identity and does not open.
    fn unwrap(&self, key: &WrappedKey) -> Result<Option<Secret>, IdentityError>;
}

/// A kind of recipient or identity that this build knows by name only.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum UnbuiltKind {
    /// An age plugin, with its name.
    Plugin(String),
    /// Hybrid keys, `age1pq1…`.
    PostQuantum,
    /// An SSH key other than ed25519, with its type.
    Ssh(String),
}

impl fmt::Display for UnbuiltKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plugin(name) => write!(f, "age plugin {name}"),
            Self::PostQuantum => f.write_str("post-quantum age"),
            Self::Ssh(kind) => f.write_str(kind),
        }
    }
}

impl serde::Serialize for UnbuiltKind {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A text that names no recipient of this build.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RecipientError {
    /// The right kind, but the text is damaged or the key is not usable.
    #[error("recipient \"{0}\" is damaged")]
    Invalid(String),
    /// A kind that this build cannot wrap for.
    #[error("recipient \"{text}\": {kind} recipients are not supported by this build")]
    NotBuilt {
        /// The recipient.
        text: String,
        /// Its kind.
        kind: UnbuiltKind,
    },
    /// No recipient at all.
    #[error("unknown recipient type: \"{0}\"")]
    Unknown(String),
    /// A private key where a recipient is due; the text is not kept.
    #[error("a private key stands where a recipient is due")]
    PrivateKey,
}

impl RecipientError {
    /// The stable code.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::NotBuilt { .. } => ErrorCode::NotBuilt,
            Self::Invalid(_) | Self::Unknown(_) | Self::PrivateKey => ErrorCode::RecipientInvalid,
        }
    }
}

/// A data key could not be wrapped.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the data key could not be wrapped for {recipient}")]
pub struct WrapError {
    /// The recipient.
    pub recipient: String,
}

impl WrapError {
    /// The stable code.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        ErrorCode::Internal
    }
}

/// An entry that cannot be opened because it is damaged, or because a program that should open it did not.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IdentityError {
    /// The entry is for this identity and does not open, or its header is not valid.
    #[error("the wrapped data key is damaged")]
    Damaged,
    /// gpg could not be asked.
    #[error(transparent)]
    Gnupg(#[from] GnupgFault),
    /// The entry has no `enc`.
    #[error("the entry holds no wrapped data key")]
    NoCiphertext,
    /// `enc` is no armored age file.
    #[error("the wrapped data key is not an age file")]
    NotAgeFile,
    /// The plugin that was asked gave no key.
    #[error(transparent)]
    Plugin(#[from] PluginFault),
    /// What was wrapped is no data key, or no share where one is due.
    #[error(
        "what was wrapped is no data key of 32 bytes, nor, where there are several key groups, a share of 33"
    )]
    WrongLength,
}

impl IdentityError {
    /// The stable code.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::Gnupg(_) | Self::Plugin(_) => ErrorCode::KeyProgramFailed,
            Self::Damaged | Self::NoCiphertext | Self::NotAgeFile | Self::WrongLength => {
                ErrorCode::DoesNotOpen
            }
        }
    }
}

/// Reads a recipient as `--age`, `SOPS_AGE_RECIPIENTS` and `.sops.yaml` hold it, surrounding space ignored.
///
/// # Errors
/// [`RecipientError::NotBuilt`] names the kinds that this build cannot wrap for: post-quantum, plugin, SSH other than
/// ed25519.
pub fn parse_recipient(text: &str) -> Result<Box<dyn Recipient>, RecipientError> {
    let text = text.trim();
    let kind = RecipientKind::of(text).ok_or_else(|| unknown(text))?;
    let invalid = || RecipientError::Invalid(text.into());
    match kind {
        RecipientKind::X25519 => Ok(Box::new(X25519Recipient::parse(text).ok_or_else(invalid)?)),
        RecipientKind::SshEd25519 => Ok(Box::new(SshRecipient::parse(text).ok_or_else(invalid)?)),
        RecipientKind::Unbuilt(kind) => Err(RecipientError::NotBuilt {
            text: text.into(),
            kind,
        }),
    }
}

/// A recipient in the form in which two of them are compared: an SSH key is its type and its base64, the comment does
/// not count.
#[must_use]
pub fn comparable_recipient(text: &str) -> String {
    let mut words = text.split_whitespace();
    match (words.next(), words.next()) {
        (Some(kind), Some(key)) => format!("{kind} {key}"),
        (Some(word), None) => word.into(),
        (None, _) => String::new(),
    }
}

/// What kind of recipient a text claims to be, by its beginning alone.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum RecipientKind {
    SshEd25519,
    Unbuilt(UnbuiltKind),
    X25519,
}

impl RecipientKind {
    /// The order of the tests is that of the format: sops-format.md 8.1.
    pub(crate) fn of(text: &str) -> Option<Self> {
        if text.starts_with("age1pq1") {
            return Some(Self::Unbuilt(UnbuiltKind::PostQuantum));
        }
        if text.starts_with("age1") {
            return Some(match plugin_of_recipient(text) {
                Some(name) => Self::Unbuilt(UnbuiltKind::Plugin(name.into())),
                None => Self::X25519,
            });
        }
        if !text.starts_with("ssh-") {
            return None;
        }
        Some(match text.split_whitespace().next() {
            Some("ssh-ed25519") => Self::SshEd25519,
            kind => Self::Unbuilt(UnbuiltKind::Ssh(kind.unwrap_or_default().into())),
        })
    }
}

fn unknown(text: &str) -> RecipientError {
    let upper = text.to_ascii_uppercase();
    if upper.contains("AGE-SECRET-KEY-")
        || upper.contains("AGE-PLUGIN-")
        || upper.contains("PRIVATE KEY")
    {
        return RecipientError::PrivateKey;
    }
    RecipientError::Unknown(text.into())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
mod tests {
    use super::*;

    const HOST: &str = "age10a73gefnvmgz29euzavnpvsfvhtw53uvtt0xc8pl7se69vwmg92q8wd94m";

    fn error(text: &str) -> RecipientError {
        match parse_recipient(text) {
            Ok(recipient) => panic!("{} is a recipient", recipient.label()),
            Err(error) => error,
        }
    }

    #[test]
    fn recipients_are_told_apart_by_their_beginning() {
        let kind = |text| match error(text) {
            RecipientError::NotBuilt { kind, .. } => kind.to_string(),
            other => panic!("{other}"),
        };
        // sops-format.md 8.1, in its order.
        assert_eq!(kind("age1pq1qqqq"), "post-quantum age");
        assert_eq!(kind("age1yubikey1qwt50d05"), "age plugin yubikey");
        assert_eq!(kind("ssh-rsa AAAAB3NzaC1yc2E x@y"), "ssh-rsa");
        assert_eq!(kind("ssh-dss AAAA"), "ssh-dss");
        let host = parse_recipient(&format!("  {HOST}\n")).unwrap();
        assert_eq!((host.label(), host.kind()), (HOST, KeyKind::Age));
        for text in [
            "foo",
            "",
            "AGE1QQQ",
            "sk-ssh-ed25519@openssh.com AAAA",
            "ecdsa-sha2-nistp256 AAAA",
        ] {
            assert_eq!(error(text), RecipientError::Unknown(text.into()));
        }
    }

    #[test]
    fn damaged_recipients_are_errors() {
        let swapped = HOST.replace("0a73", "a073");
        for text in [
            swapped.as_str(),
            "age1",
            "ssh-ed25519",
            "ssh-ed25519 AAAA",
            "ssh-ed25519 !",
        ] {
            assert_eq!(error(text), RecipientError::Invalid(text.into()));
            assert_eq!(error(text).code(), ErrorCode::RecipientInvalid);
        }
    }

    #[test]
    fn a_recipient_that_everybody_can_open_for_is_refused() {
        // The points of order 1, 2 and 4 of Curve25519 (RFC 7748, section 6.1 asks for the check).
        for first in [0, 1] {
            let mut point = [0; 32];
            point[0] = first;
            let hrp = bech32::Hrp::parse("age").unwrap();
            let text = bech32::encode::<bech32::Bech32>(hrp, &point).unwrap();
            assert_eq!(error(&text), RecipientError::Invalid(text.clone()));
        }
    }

    #[test]
    fn a_private_key_given_as_recipient_is_not_repeated() {
        let error = error(&test_data::age_identity("age-1.txt"));
        assert_eq!(error, RecipientError::PrivateKey);
        test_data::assert_silent(&format!("{error} {error:?}"));
    }

    #[test]
    fn the_comment_of_an_ssh_key_does_not_count() {
        assert_eq!(
            comparable_recipient(" ssh-ed25519  AAAA me@here "),
            "ssh-ed25519 AAAA"
        );
        assert_eq!(comparable_recipient(" age1x "), "age1x");
    }
}
