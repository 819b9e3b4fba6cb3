//! One place that keys come from: loaded when first needed, and once.

use std::fmt;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;

use crate::key::Identity;
use crate::key::age::plugin::PluginIdentity;
use crate::key::age::ssh::SshIdentity;
use crate::key::age::ssh_file::SshKeyError;
use crate::keyring::command;
use crate::keyring::key_file::KeyFileReason;
use crate::keyring::open::Named;
use crate::keyring::open::OpenFault;
use crate::keyring::open::read_as_sops;
use crate::keyring::parse::AgeKeys;
use crate::keyring::parse::Layout;
use crate::keyring::parse::UnbuiltIdentity;
use crate::keyring::parse::parse_age_keys;
use crate::keyring::report::SourceState;
use crate::secret::SecretStr;

/// What kind of place an identity came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum SourceKind {
    /// What a command printed, in the form of a key file.
    AgeCommand,
    /// A variable.
    AgeEnvironment,
    /// An age key file.
    AgeFile,
    /// The caller of the library.
    Given,
    /// A home of GnuPG.
    Gpg,
    /// An SSH private key file.
    Ssh,
    /// An SSH private key that a command printed.
    SshCommand,
}

impl SourceKind {
    /// The name in reports.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AgeCommand => "age-command",
            Self::AgeEnvironment => "age-environment",
            Self::AgeFile => "age-file",
            Self::Given => "given",
            Self::Gpg => "gpg",
            Self::Ssh => "ssh",
            Self::SshCommand => "ssh-command",
        }
    }
}

/// How people know a source: the variable that names it, its path, or both.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) variable: Option<&'static str>,
    pub(super) path: Option<PathBuf>,
}

/// What a source gave.
#[derive(Default)]
pub(super) struct Loaded {
    pub(super) identities: Vec<HeldIdentity>,
    /// What plugins hold: a program is started for each.
    pub(super) plugins: Vec<PluginIdentity>,
    pub(super) state: SourceState,
    pub(super) unbuilt: Vec<UnbuiltIdentity>,
    /// The public half of a key that is there and asks for a passphrase.
    pub(super) locked: Vec<String>,
}

/// An identity with its public halves, computed once.
#[derive(Clone)]
pub(super) struct HeldIdentity {
    pub(super) identity: Arc<dyn Identity>,
    pub(super) recipients: Vec<String>,
}

impl HeldIdentity {
    pub(super) fn new(identity: Box<dyn Identity>) -> Self {
        let recipients = identity.recipients();
        Self {
            identity: identity.into(),
            recipients,
        }
    }

    pub(super) fn is_for(&self, comparable: &str) -> bool {
        self.recipients.iter().any(|own| own == comparable)
    }
}

/// How a source is read.
pub(super) enum Loader {
    AgeCommand(String),
    AgeFile(Named),
    AgeText(SecretStr),
    /// Nothing to read: it was read already, or is not there.
    None,
    SshCommand(String),
    SshFile(Named),
}

/// A place that keys come from.
pub(super) struct Source {
    pub(super) kind: SourceKind,
    pub(super) place: Place,
    pub(super) ambient: bool,
    loader: Loader,
    /// What was loaded; for a command by the recipient it was asked for, which may change its answer.
    loaded: Mutex<Vec<(Option<String>, Arc<Loaded>)>>,
}

impl Source {
    /// A source to be read later.
    pub(super) fn lazy(kind: SourceKind, place: Place, loader: Loader) -> Self {
        Self {
            kind,
            place,
            ambient: true,
            loader,
            loaded: Mutex::default(),
        }
    }

    /// A source that was read, or that is known to have nothing.
    pub(super) fn ready(kind: SourceKind, place: Place, ambient: bool, loaded: Loaded) -> Self {
        Self {
            kind,
            place,
            ambient,
            loader: Loader::None,
            loaded: Mutex::new(vec![(None, Arc::new(loaded))]),
        }
    }

    pub(super) fn is_command(&self) -> bool {
        matches!(self.loader, Loader::AgeCommand(_) | Loader::SshCommand(_))
    }

    /// Whether asking it starts a program that nobody should start for what opens without.
    pub(super) fn is_gnupg(&self) -> bool {
        self.kind == SourceKind::Gpg
    }

    /// What the source holds, for a command when asked for `recipient`.
    pub(super) fn load(&self, recipient: Option<&str>) -> Arc<Loaded> {
        // The lock is held while a command runs: two threads must not make two prompts.
        let mut cache = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        let cached = cache
            .iter()
            .find(|(asked, _)| asked.as_deref() == recipient);
        if let Some((_, loaded)) = cached {
            return Arc::clone(loaded);
        }
        let loaded = Arc::new(self.read(recipient.unwrap_or_default()));
        cache.push((recipient.map(str::to_owned), Arc::clone(&loaded)));
        loaded
    }

    /// All that was loaded until now.
    pub(super) fn seen(&self) -> Vec<Arc<Loaded>> {
        let cache = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        cache.iter().map(|(_, loaded)| Arc::clone(loaded)).collect()
    }

    fn read(&self, recipient: &str) -> Loaded {
        let path = self.place.path.as_deref().unwrap_or(Path::new(""));
        match &self.loader {
            Loader::None => Loaded::default(),
            // EXPOSE: to the parser, which keeps keys in types that wipe themselves.
            Loader::AgeText(text) => load_age(text.expose().as_bytes(), Layout::Words),
            Loader::AgeFile(named) => match read_as_sops(path, *named) {
                // EXPOSE: to the parser, as above.
                Ok(text) => load_age(text.expose(), Layout::Lines),
                Err(fault) => Loaded::faulty(fault.into()),
            },
            Loader::SshFile(named) => match read_as_sops(path, *named) {
                // EXPOSE: to the parser, as above.
                Ok(text) => load_ssh(text.expose()),
                Err(fault) => Loaded::faulty(fault.into()),
            },
            Loader::AgeCommand(line) => match command::run(line, recipient) {
                // EXPOSE: to the parser, as above.
                Ok(output) => load_age(output.expose(), Layout::Lines),
                Err(fault) => Loaded::faulty(SourceState::Command(fault)),
            },
            Loader::SshCommand(line) => match command::run(line, recipient) {
                // EXPOSE: to the parser, as above.
                Ok(output) => load_ssh(output.expose()),
                Err(fault) => Loaded::faulty(SourceState::Command(fault)),
            },
        }
    }
}

impl Loaded {
    pub(super) fn of_age(keys: AgeKeys) -> Self {
        let held = |identity| HeldIdentity::new(Box::new(identity));
        Self {
            identities: keys.identities.into_iter().map(held).collect(),
            plugins: keys.plugins,
            unbuilt: keys.unbuilt,
            ..Self::default()
        }
    }

    pub(super) fn of_ssh(identity: SshIdentity) -> Self {
        Self {
            identities: vec![HeldIdentity::new(Box::new(identity))],
            ..Self::default()
        }
    }

    pub(super) fn of_one(identity: HeldIdentity) -> Self {
        Self {
            identities: vec![identity],
            ..Self::default()
        }
    }

    pub(super) fn faulty(state: SourceState) -> Self {
        Self {
            state,
            ..Self::default()
        }
    }

    pub(super) fn recipients(&self) -> Vec<String> {
        let recipients = self.identities.iter().flat_map(|held| &held.recipients);
        recipients.cloned().collect()
    }

    /// The names of the plugins that hold identities.
    pub(super) fn plugin_names(&self) -> Vec<String> {
        let names = self.plugins.iter().map(|plugin| plugin.name().to_owned());
        names.collect()
    }
}

impl From<OpenFault> for SourceState {
    fn from(fault: OpenFault) -> Self {
        match fault {
            OpenFault::Missing(_) => Self::Missing,
            OpenFault::Unusable(reason) => Self::Unusable(reason),
        }
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A loader may hold the text of a key, and a command line may too.
        f.debug_struct("Source")
            .field("kind", &self.kind)
            .field("place", &self.place)
            .field("ambient", &self.ambient)
            .finish_non_exhaustive()
    }
}

fn load_age(text: &[u8], layout: Layout) -> Loaded {
    match parse_age_keys(text, layout) {
        Ok(keys) => Loaded::of_age(keys),
        Err(reason) => Loaded::faulty(SourceState::Unusable(reason)),
    }
}

fn load_ssh(text: &[u8]) -> Loaded {
    if text.trim_ascii().is_empty() {
        return Loaded::faulty(SourceState::Unusable(KeyFileReason::Empty));
    }
    match SshIdentity::parse(text) {
        Ok(identity) => Loaded::of_ssh(identity),
        Err(error) => {
            let locked = locked_recipients(&error);
            Loaded {
                locked,
                ..Loaded::faulty(SourceState::Unusable(error.into()))
            }
        }
    }
}

/// The recipients that a key would open for, were its passphrase known.
pub(super) fn locked_recipients(error: &SshKeyError) -> Vec<String> {
    let SshKeyError::PassphraseProtected {
        public: Some(public),
    } = error
    else {
        return Vec::new();
    };
    let derived = public.derived_recipient().ok();
    derived.into_iter().chain([public.text()]).collect()
}
