//! Age key files that are about to be made, and the recipients of key files that are there.

use std::fmt;
use std::path::Path;

use jiff::Timestamp;

use crate::atomic;
use crate::atomic::NewFileMode;
use crate::error::PathError;
use crate::key::age::derived::age_identity_text_from_ssh;
use crate::key::age::ssh_file::SshKeyError;
use crate::key::age::ssh_file::SshPublicKey;
use crate::key::age::ssh_file::read_public_half;
use crate::key::age::x25519::X25519Identity;
use crate::key::age::x25519::generate_x25519;
use crate::keyring::key_file::KeyFileError;
use crate::keyring::key_file::KeyFileModes;
use crate::keyring::key_file::KeyFileReason;
use crate::keyring::open::KEY_FILE_LIMIT;
use crate::keyring::open::Named;
use crate::keyring::open::OpenFault;
use crate::keyring::open::read_as_sops;
use crate::keyring::open::read_checked;
use crate::keyring::parse::Layout;
use crate::keyring::parse::parse_age_keys;
use crate::secret::Secret;
use crate::secret::SecretStr;

/// The text of an age key file that is sound: every line is an identity or a comment, and one identity is usable.
pub struct NewKeyFile {
    text: Secret,
    recipients: Vec<String>,
}

impl NewKeyFile {
    /// A fresh X25519 key, in the words of age-keygen.
    #[must_use]
    pub fn generate(created: Timestamp) -> Self {
        let (identity, recipient) = generate_x25519();
        let created = created.strftime("%Y-%m-%dT%H:%M:%SZ");
        Self::compose(&format!("# created: {created}\n"), &identity, recipient)
    }

    /// The age key that ssh-to-age derives from an SSH private key. The file is read under the rules for key files of a
    /// machine: a regular one, reached through links of trusted owners only, without a passphrase.
    ///
    /// # Errors
    /// [`KeyFileError`] when there is no such file, or no ed25519 private key in it.
    pub fn derive_from_ssh(path: &Path) -> Result<Self, KeyFileError> {
        let (file, _warnings) =
            read_checked(path, KeyFileModes::Warn).map_err(|fault| fault.on(path))?;
        Self::derive_from_text(&file).map_err(|reason| OpenFault::from(reason).on(path))
    }

    fn derive_from_text(file: &Secret) -> Result<Self, KeyFileReason> {
        // EXPOSE: to the parser, which keeps the key in types that wipe themselves.
        let text = file.expose();
        if text.trim_ascii().is_empty() {
            return Err(KeyFileReason::Empty);
        }
        let identity = age_identity_text_from_ssh(text)?;
        // EXPOSE: to the parser, as above.
        let recipient = X25519Identity::parse(identity.expose())
            .map(|identity| identity.recipient().to_owned())
            .ok_or(KeyFileReason::Damaged)?;
        let head = "# derived from an SSH key\n";
        Ok(Self::compose(head, &identity, recipient))
    }

    /// A key that somebody hands over. Its text stays as it is.
    ///
    /// # Errors
    /// [`KeyFileReason`] when it is not a sound age key file; the reason holds nothing of the text.
    pub fn from_text(text: Secret) -> Result<Self, KeyFileReason> {
        if text.len() >= KEY_FILE_LIMIT {
            let limit = KEY_FILE_LIMIT;
            return Err(KeyFileReason::TooLarge { limit });
        }
        let recipients = recipients_of(&text)?;
        Ok(Self { text, recipients })
    }

    /// Creates the file: mode 0600, never over anything that is there, and on the disk when this returns.
    ///
    /// # Errors
    /// [`PathError`]; of kind `AlreadyExists` when anything stands there.
    pub fn create(&self, path: &Path) -> Result<(), PathError> {
        // EXPOSE: into the file that was asked for.
        atomic::create_new(path, self.text.expose(), NewFileMode::Private)
    }

    /// The public halves.
    #[must_use]
    pub fn recipients(&self) -> &[String] {
        &self.recipients
    }

    /// The whole text.
    #[must_use]
    pub fn text(&self) -> &Secret {
        &self.text
    }

    fn compose(head: &str, identity: &SecretStr, recipient: String) -> Self {
        let head = format!("{head}# public key: {recipient}\n");
        // EXPOSE: into the text, which wipes itself and does not grow on the way.
        let identity = identity.expose().as_bytes();
        let mut text = Secret::with_capacity(head.len() + identity.len() + 1);
        text.extend(head.as_bytes());
        text.extend(identity);
        text.extend(b"\n");
        Self {
            text,
            recipients: vec![recipient],
        }
    }
}

impl fmt::Debug for NewKeyFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewKeyFile")
            .field("recipients", &self.recipients)
            .finish_non_exhaustive()
    }
}

/// The recipients of the identities in an age key file.
///
/// # Errors
/// [`KeyFileError`] when there is no such file, or it is not sound.
pub fn age_file_recipients(path: &Path) -> Result<Vec<String>, KeyFileError> {
    let text = read_as_sops(path, Named::ByUser).map_err(|fault| fault.on(path))?;
    recipients_of(&text).map_err(|reason| OpenFault::from(reason).on(path))
}

/// The age recipient that ssh-to-age derives from an SSH key file: a public one, the output of `ssh-keyscan`, or a
/// private one, whose public half is readable even where the rest asks for a passphrase.
///
/// # Errors
/// [`KeyFileError`] when there is no such file, no ed25519 key in it, or more than one.
pub fn ssh_file_recipient(path: &Path) -> Result<String, KeyFileError> {
    let text = read_as_sops(path, Named::ByUser).map_err(|fault| fault.on(path))?;
    ssh_recipient_of(&text).map_err(|reason| OpenFault::from(reason).on(path))
}

fn recipients_of(text: &Secret) -> Result<Vec<String>, KeyFileReason> {
    // EXPOSE: to the parser, which keeps keys in types that wipe themselves.
    let keys = parse_age_keys(text.expose(), Layout::Lines)?;
    let recipients = keys.identities.iter().map(X25519Identity::recipient);
    Ok(recipients.map(str::to_owned).collect())
}

fn ssh_recipient_of(text: &Secret) -> Result<String, KeyFileReason> {
    // EXPOSE: to the parsers, which keep private keys in types that wipe themselves.
    let text = text.expose();
    if text.trim_ascii().is_empty() {
        return Err(KeyFileReason::Empty);
    }
    let public = if memchr::memmem::find(text, b"-----BEGIN ").is_some() {
        read_public_half(text)?
    } else {
        only_public_key(text)?
    };
    Ok(public.derived_recipient()?)
}

/// The one ed25519 key of lines that may hold keys of other types as well.
fn only_public_key(text: &[u8]) -> Result<SshPublicKey, KeyFileReason> {
    let text = std::str::from_utf8(text).map_err(|_| KeyFileReason::NotAKey)?;
    let mut found: Vec<SshPublicKey> = Vec::new();
    let mut first_fault = None;
    for line in text.lines().map(str::trim) {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        match SshPublicKey::find_in_line(line) {
            Ok(key) if !found.contains(&key) => found.push(key),
            Ok(_) => {}
            Err(SshKeyError::Damaged) => return Err(KeyFileReason::Damaged),
            Err(fault) => first_fault = first_fault.or(Some(fault)),
        }
    }
    match found.as_slice() {
        [key] => Ok(*key),
        [] => Err(first_fault.map_or(KeyFileReason::CommentsOnly, Into::into)),
        several => Err(KeyFileReason::SeveralKeys(several.len())),
    }
}

#[cfg(test)]
#[allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "tests"
)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::key::test_data;

    fn text_of(file: &NewKeyFile) -> &str {
        std::str::from_utf8(file.text().expose()).unwrap()
    }

    fn ssh_recipient(text: &str) -> Result<String, KeyFileReason> {
        ssh_recipient_of(&Secret::from_slice(text.as_bytes()))
    }

    #[test]
    fn a_generated_key_has_the_three_lines_of_age_keygen() {
        let made = NewKeyFile::generate("2026-01-02T03:04:05.678Z".parse().unwrap());
        let lines: Vec<&str> = text_of(&made).split('\n').collect();
        assert_eq!(lines[0], "# created: 2026-01-02T03:04:05Z");
        assert_eq!(lines[1], format!("# public key: {}", made.recipients()[0]));
        assert_eq!(
            X25519Identity::parse(lines[2]).unwrap().recipient(),
            made.recipients()[0]
        );
        assert_eq!(lines[3..], [""]);
        let other = NewKeyFile::generate("2026-01-02T03:04:05Z".parse().unwrap());
        assert_ne!(made.recipients(), other.recipients());
        assert!(!format!("{made:?}").contains("AGE-SECRET-KEY"));
    }

    #[test]
    fn a_derived_key_belongs_to_the_recipient_of_ssh_to_age() {
        let dir = tempfile::tempdir().unwrap();
        let (ssh, out) = (dir.path().join("ssh"), dir.path().join("key.txt"));
        std::fs::write(&ssh, test_data::bytes("ssh_ed25519")).unwrap();
        let derived = NewKeyFile::derive_from_ssh(&ssh).unwrap();
        let expected = ssh_recipient(&test_data::text("ssh_ed25519.pub")).unwrap();
        assert_eq!(derived.recipients(), [expected.as_str()]);
        derived.create(&out).unwrap();
        let mode = std::fs::metadata(&out).unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, 0o600);
        assert_eq!(age_file_recipients(&out).unwrap(), [expected]);
        let again = derived.create(&out).unwrap_err();
        assert_eq!(again.source.kind(), std::io::ErrorKind::AlreadyExists);
    }

    #[test]
    fn what_is_handed_over_is_kept_byte_for_byte_or_refused() {
        let key = test_data::text("age-1.txt");
        let taken = NewKeyFile::from_text(Secret::from_slice(key.as_bytes())).unwrap();
        assert_eq!(text_of(&taken), key);
        assert_eq!(taken.recipients(), [test_data::text("age-1.pub").trim()]);
        let refuse = |text: &[u8]| NewKeyFile::from_text(Secret::from_slice(text)).unwrap_err();
        assert_eq!(refuse(b" \n"), KeyFileReason::Empty);
        assert_eq!(refuse(b"# key\n"), KeyFileReason::CommentsOnly);
        assert_eq!(
            refuse(b"# key\nhello\n"),
            KeyFileReason::BadLine { line: 2 }
        );
        assert_eq!(
            refuse(&test_data::bytes("ssh_ed25519")),
            KeyFileReason::SshKey
        );
        assert_eq!(
            refuse(&test_data::bytes("locked-age.txt")),
            KeyFileReason::PassphraseProtected
        );
    }

    #[test]
    fn both_halves_of_an_ssh_key_show_the_same_recipient() {
        let public = ssh_recipient(&test_data::text("ssh_ed25519.pub")).unwrap();
        // The locked ones are the same key under a passphrase: their public half is in the clear.
        for name in ["ssh_ed25519", "ssh_locked_ctr", "ssh_locked_chacha"] {
            assert_eq!(ssh_recipient(&test_data::text(name)).unwrap(), public);
        }
    }

    #[test]
    fn of_many_lines_the_one_ed25519_key_is_taken_and_two_are_refused() {
        let one = test_data::text("ssh_ed25519.pub");
        let two = test_data::text("ssh_pkcs8.pub");
        let rsa = "host ssh-rsa AAAAB3NzaC1yc2E";
        let expected = ssh_recipient(&one).unwrap();
        let scan = format!("# host:22 SSH-2.0\n{rsa}\nhost {one}\n[host]:22 {one}");
        assert_eq!(ssh_recipient(&scan).unwrap(), expected);
        assert_eq!(
            ssh_recipient(&format!("{one}\n{two}")),
            Err(KeyFileReason::SeveralKeys(2))
        );
        assert_eq!(
            ssh_recipient(rsa),
            Err(KeyFileReason::UnsupportedType("ssh-rsa".into()))
        );
        assert_eq!(ssh_recipient("# none\n"), Err(KeyFileReason::CommentsOnly));
        assert_eq!(
            ssh_recipient(&test_data::text("age-1.txt")),
            Err(KeyFileReason::AgeKey)
        );
    }
}
