//! The identities of a run, and the unwrapping of data keys with them.

mod command;
mod discover;
mod key_file;
mod new_file;
mod open;
mod parse;
mod report;
mod source;
mod unwrap;

use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use crate::crypto::DataKey;
use crate::env::Environment;
use crate::key::Identity;
use crate::key::age::ssh::SshIdentity;
use crate::key::pgp::GnupgIdentity;
use crate::secret::Secret;
use crate::wrapped::WrappedGroup;

pub use self::command::CommandFault;
pub use self::key_file::FileKind;
pub use self::key_file::KeyFileError;
pub use self::key_file::KeyFileFacts;
pub use self::key_file::KeyFileModes;
pub use self::key_file::KeyFileReason;
pub use self::key_file::KeyFileWarning;
pub use self::key_file::SystemError;
pub use self::new_file::NewKeyFile;
pub use self::new_file::age_file_recipients;
pub use self::new_file::ssh_file_recipient;
pub use self::parse::UnbuiltIdentity;
pub use self::report::AttemptReport;
pub use self::report::GroupAttempt;
pub use self::report::KeyAttempt;
pub use self::report::KeyOutcome;
pub use self::report::SourceAttempt;
pub use self::report::SourceState;
pub use self::source::SourceKind;
pub use self::unwrap::UnwrapError;
pub use crate::key::age::plugin::NoUser;
pub use crate::key::age::plugin::PluginUser;
pub use crate::key::pgp::Gnupg;
pub use crate::key::pgp::GnupgFault;

use self::open::Named;
use self::open::OpenFault;
use self::open::read_as_sops;
use self::open::read_checked;
use self::parse::Layout;
use self::parse::parse_age_keys;
use self::source::HeldIdentity;
use self::source::Loaded;
use self::source::Place;
use self::source::Source;

/// Places that identities come from, in order. A place is read when it is first needed, and once.
///
/// ```
/// use ccci_secrets::env::Environment;
/// use ccci_secrets::keyring::Keyring;
///
/// let keyring = Keyring::discover(&Environment::empty());
/// assert!(keyring.recipients().is_empty());
/// ```
#[derive(Debug, Default)]
pub struct Keyring {
    sources: Vec<Source>,
    /// Who answers what age plugins ask; without it none is started.
    plugins: Option<Arc<dyn PluginUser>>,
}

/// A public half that a keyring can open for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownRecipient {
    /// The recipient: `age1…` or `ssh-ed25519 AAAA…`.
    pub recipient: String,
    /// What kind of place its identity came from.
    pub kind: SourceKind,
    /// The path of that place.
    pub source: Option<PathBuf>,
}

/// A data key, and what opened it.
#[derive(Debug)]
pub struct Unwrapped {
    /// The data key.
    pub key: DataKey,
    /// What opened it; the first group, where there are several.
    pub opened_by: OpenedBy,
    /// What opened the other groups that a file with several needs.
    pub also_opened_by: Vec<OpenedBy>,
}

/// The identity that opened a file, or one of its key groups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenedBy {
    /// What kind of place it came from.
    pub kind: SourceKind,
    /// The recipient whose entry it opened, as the file labels it.
    pub recipient: String,
    /// The path of the place.
    pub source: Option<PathBuf>,
    /// Whether it was found by looking around, and not named by the caller.
    pub ambient: bool,
}

impl Keyring {
    /// A keyring without identities.
    #[must_use]
    pub fn empty() -> Self {
        Self::default()
    }

    /// A keyring of the places that sops looks in. Nothing is read and no command is run before it is needed.
    #[must_use]
    pub fn discover(environment: &Environment) -> Self {
        Self {
            sources: discover::sources(environment),
            plugins: None,
        }
    }

    /// A keyring of identities that the caller has.
    #[must_use]
    pub fn from_identities(identities: Vec<Box<dyn Identity>>) -> Self {
        let loaded = Loaded {
            identities: identities.into_iter().map(HeldIdentity::new).collect(),
            ..Loaded::default()
        };
        Self {
            sources: vec![Source::ready(
                SourceKind::Given,
                Place::default(),
                false,
                loaded,
            )],
            plugins: None,
        }
    }

    /// The same keyring, which starts the age plugins of its identities (`age-plugin-NAME` on the search path) for what
    /// nothing else opens. Without this, such identities are only named in reports.
    #[must_use]
    pub fn with_plugins(mut self, user: Arc<dyn PluginUser>) -> Self {
        self.plugins = Some(user);
        self
    }

    /// Adds the places of another keyring after those of this one.
    pub fn append(&mut self, other: Self) {
        self.sources.extend(other.sources);
    }

    /// The same keyring without the commands that print keys, and without plugins: nobody is asked anything.
    #[must_use]
    pub fn without_commands(mut self) -> Self {
        self.plugins = None;
        self.sources.retain(|source| !source.is_command());
        self
    }

    /// Reads an age key file now and adds its identities.
    ///
    /// The file has to be a regular one, small, and reached only through symbolic links that root or the user owns;
    /// nothing in its place can make this hang.
    ///
    /// # Errors
    /// [`KeyFileError::Missing`] when there is no such file, [`KeyFileError::Unusable`] for all else.
    pub fn add_age_key_file(
        &mut self,
        path: &Path,
        modes: KeyFileModes,
    ) -> Result<KeyFileFacts, KeyFileError> {
        let (text, mut warnings) = read_checked(path, modes).map_err(|fault| fault.on(path))?;
        // EXPOSE: to the parser, which keeps keys in types that wipe themselves.
        let keys = parse_age_keys(text.expose(), Layout::Lines)
            .map_err(|reason| OpenFault::from(reason).on(path))?;
        let unbuilt = keys.unbuilt.iter().cloned();
        warnings.extend(
            unbuilt.map(|UnbuiltIdentity { line, kind }| KeyFileWarning::NotBuilt { line, kind }),
        );
        let loaded = Loaded::of_age(keys);
        Ok(self.add_file(SourceKind::AgeFile, path, loaded, warnings))
    }

    /// Reads an SSH private key file now and adds both of its identities: the SSH key itself, and the age key that
    /// ssh-to-age derives from it. The rules are those of [`Keyring::add_age_key_file`]; a key that asks for a
    /// passphrase is not usable here.
    ///
    /// # Errors
    /// As [`Keyring::add_age_key_file`].
    pub fn add_ssh_key_file(
        &mut self,
        path: &Path,
        modes: KeyFileModes,
    ) -> Result<KeyFileFacts, KeyFileError> {
        let (text, warnings) = read_checked(path, modes).map_err(|fault| fault.on(path))?;
        let identity = parse_ssh_key(&text).map_err(|reason| OpenFault::from(reason).on(path))?;
        let loaded = Loaded::of_ssh(identity);
        Ok(self.add_file(SourceKind::Ssh, path, loaded, warnings))
    }

    /// Adds the private keys in a home of GnuPG. gpg is started only for a file that has a PGP recipient and that no other
    /// identity of the keyring opens.
    pub fn add_gnupg_home(&mut self, home: &Path, gnupg: Gnupg) {
        let identity = HeldIdentity::new(Box::new(GnupgIdentity::new(home, gnupg)));
        let loaded = Loaded::of_one(identity);
        self.add_file(SourceKind::Gpg, home, loaded, Vec::new());
    }

    /// Reads a key file of either kind, under the rules of [`Keyring::add_age_key_file`].
    ///
    /// # Errors
    /// As [`Keyring::add_age_key_file`].
    pub fn add_key_file(
        &mut self,
        path: &Path,
        modes: KeyFileModes,
    ) -> Result<KeyFileFacts, KeyFileError> {
        let (text, warnings) = read_checked(path, modes).map_err(|fault| fault.on(path))?;
        self.add_text(path, &text, warnings)
    }

    /// Reads a key file of either kind that somebody names at a prompt: a pipe from the shell (`<(…)`) is as good as a
    /// file, and nobody asks about modes.
    ///
    /// # Errors
    /// As [`Keyring::add_age_key_file`].
    pub fn add_named_key_file(&mut self, path: &Path) -> Result<KeyFileFacts, KeyFileError> {
        let text = read_as_sops(path, Named::ByUser).map_err(|fault| fault.on(path))?;
        self.add_text(path, &text, Vec::new())
    }

    fn add_text(
        &mut self,
        path: &Path,
        text: &Secret,
        mut warnings: Vec<KeyFileWarning>,
    ) -> Result<KeyFileFacts, KeyFileError> {
        // EXPOSE: to the parser, which keeps keys in types that wipe themselves.
        let (kind, loaded) = match parse_age_keys(text.expose(), Layout::Lines) {
            Ok(keys) => (SourceKind::AgeFile, Loaded::of_age(keys)),
            Err(KeyFileReason::SshKey) => {
                let identity =
                    parse_ssh_key(text).map_err(|reason| OpenFault::from(reason).on(path))?;
                (SourceKind::Ssh, Loaded::of_ssh(identity))
            }
            Err(reason) => return Err(OpenFault::from(reason).on(path)),
        };
        let unbuilt = loaded.unbuilt.iter().cloned();
        warnings.extend(
            unbuilt.map(|UnbuiltIdentity { line, kind }| KeyFileWarning::NotBuilt { line, kind }),
        );
        Ok(self.add_file(kind, path, loaded, warnings))
    }

    /// One keyring for each identity, which opens with that identity alone. Runs no command and no plugin.
    #[must_use]
    pub fn each_alone(&self) -> Vec<Self> {
        let files = self.sources.iter().filter(|source| !source.is_command());
        let alone = files.flat_map(|source| {
            let loaded = source.load(None);
            let held = loaded.identities.iter().cloned();
            let sources = held.map(|identity| source.with(Loaded::of_one(identity)));
            sources.collect::<Vec<Source>>()
        });
        alone
            .map(|source| Self {
                sources: vec![source],
                plugins: None,
            })
            .collect()
    }

    /// The public halves of all identities, in order. Reads every place that was not read yet; runs no command.
    #[must_use]
    pub fn recipients(&self) -> Vec<KnownRecipient> {
        let files = self.sources.iter().filter(|source| !source.is_command());
        let known = files.flat_map(|source| {
            let recipients = source.load(None).recipients();
            recipients
                .into_iter()
                .map(|recipient| source.known(recipient))
        });
        known.collect()
    }

    /// Opens the data key of a file.
    ///
    /// Entries whose label is one of our public halves are tried first. Labels are claims: if none of those opens, all
    /// others are tried as well.
    ///
    /// With several groups the key is joined from the shares of all that open, as sops does it; at least `threshold` of
    /// them have to, and two where a file lost its threshold. For more groups than that no command is run.
    ///
    /// # Errors
    /// [`UnwrapError::NoIdentity`] says what was tried and where keys were looked for.
    pub fn unwrap(
        &self,
        groups: &[WrappedGroup],
        threshold: Option<u32>,
    ) -> Result<Unwrapped, UnwrapError> {
        unwrap::unwrap(&self.sources, self.plugins.as_ref(), groups, threshold)
    }

    fn add_file(
        &mut self,
        kind: SourceKind,
        path: &Path,
        loaded: Loaded,
        warnings: Vec<KeyFileWarning>,
    ) -> KeyFileFacts {
        let facts = KeyFileFacts {
            path: path.into(),
            recipients: loaded.recipients(),
            plugins: loaded.plugin_names(),
            warnings,
        };
        let place = Place {
            variable: None,
            path: Some(path.into()),
        };
        self.sources.push(Source::ready(kind, place, false, loaded));
        facts
    }
}

impl Source {
    /// The same place with something else in it.
    fn with(&self, loaded: Loaded) -> Self {
        Self::ready(self.kind, self.place.clone(), self.ambient, loaded)
    }

    fn known(&self, recipient: String) -> KnownRecipient {
        KnownRecipient {
            recipient,
            kind: self.kind,
            source: self.place.path.clone(),
        }
    }
}

fn parse_ssh_key(text: &Secret) -> Result<SshIdentity, KeyFileReason> {
    // EXPOSE: to the parser, which keeps the key in types that wipe themselves.
    let text = text.expose();
    if text.trim_ascii().is_empty() {
        return Err(KeyFileReason::Empty);
    }
    Ok(SshIdentity::parse(text)?)
}

#[cfg(test)]
#[allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "tests"
)]
mod tests;
