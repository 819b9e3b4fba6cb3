//! The identities that a manifest names: what each source gave, and whether it is kept as it should be. Identities
//! stay in memory.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::fault::{Fault, KeySource, KeyState, MissingKeyFile, NeededFile, Warning, WarningKind};
use super::manifest::KeySources;
use crate::keyring::{
    Gnupg, KeyFileError, KeyFileFacts, KeyFileModes, KeyFileReason, KeyFileWarning, Keyring,
    NoUser, OpenedBy,
};
use crate::repository;

/// The keys of a run.
#[derive(Debug, Default)]
pub(super) struct Keys {
    pub(super) keyring: Keyring,
    pub(super) faults: Vec<Fault>,
    pub(super) warnings: Vec<Warning>,
    /// The key file that must be there and is not.
    missing: Option<Missing>,
    sources: Vec<Source>,
}

#[derive(Debug)]
struct Missing {
    path: PathBuf,
    source: std::io::Error,
    nearest_existing_parent: Option<PathBuf>,
}

/// One source of identities that the manifest names.
#[derive(Debug)]
struct Source {
    field: &'static str,
    path: PathBuf,
    given: Given,
}

#[derive(Debug)]
enum Given {
    /// gpg, for what nothing else opens.
    Asked,
    Identities(KeyFileFacts),
    Missing,
    /// The manifest does not let gpg be started.
    NotAllowed,
    Unusable(KeyFileReason),
}

/// A sops file and its recipients, as far as keys are concerned.
#[derive(Clone, Debug)]
pub(super) struct Lock {
    pub(super) path: PathBuf,
    pub(super) recipients: Vec<String>,
}

const KEY_FILE: &str = "ageKeyFile";
const SSH_KEYS: &str = "ageSshKeyPaths";
const GNUPG_HOME: &str = "gnupgHome";

/// Reads every key that the manifest names, SSH keys first, as the reference does; keys found by looking around come
/// last.
pub(super) fn load(wanted: &KeySources, ambient: Option<Keyring>, gnupg: Option<Gnupg>) -> Keys {
    let mut keys = Keys::default();
    if wanted.allow_plugins {
        // Nobody is there at boot to answer what a plugin asks.
        keys.keyring = Keyring::empty().with_plugins(Arc::new(NoUser));
    }
    for path in &wanted.age_ssh_key_paths {
        keys.add_ssh_key(path, wanted);
    }
    if let Some(path) = &wanted.age_key_file {
        keys.add_key_file(path, wanted);
    }
    for path in &wanted.gpg_ssh_key_paths {
        keys.warn(WarningKind::SshKeysForGpg, path.display());
    }
    if let Some(home) = &wanted.gnupg_home {
        keys.add_gnupg_home(home, gnupg.filter(|_| wanted.allow_gnupg));
    }
    if let Some(ambient) = ambient {
        keys.keyring.append(match wanted.allow_commands {
            true => ambient,
            false => ambient.without_commands(),
        });
    }
    keys
}

impl Keys {
    fn add_ssh_key(&mut self, path: &Path, wanted: &KeySources) {
        match self.keyring.add_ssh_key_file(path, modes(wanted)) {
            Ok(facts) => self.accept(SSH_KEYS, facts, wanted),
            Err(KeyFileError::Missing { .. }) => self.note(SSH_KEYS, path, Given::Missing),
            Err(KeyFileError::Unusable { reason, .. }) => {
                if is_hygiene(&reason) {
                    self.refuse(SSH_KEYS, path, reason.clone());
                }
                self.note(SSH_KEYS, path, Given::Unusable(reason));
            }
        }
    }

    fn add_key_file(&mut self, path: &Path, wanted: &KeySources) {
        match self.keyring.add_age_key_file(path, modes(wanted)) {
            Ok(facts) => self.accept(KEY_FILE, facts, wanted),
            Err(KeyFileError::Missing {
                path,
                source,
                nearest_existing_parent,
            }) => {
                self.note(KEY_FILE, &path, Given::Missing);
                if wanted.age_key_file_optional {
                    self.warn(WarningKind::KeyFileMissing, path.display());
                } else {
                    self.missing = Some(Missing {
                        path,
                        source,
                        nearest_existing_parent,
                    });
                }
            }
            Err(KeyFileError::Unusable { reason, .. }) => {
                self.refuse(KEY_FILE, path, reason.clone());
                self.note(KEY_FILE, path, Given::Unusable(reason));
            }
        }
    }

    /// What is in a home is known only to gpg, which is not started before it is needed.
    fn add_gnupg_home(&mut self, home: &Path, gnupg: Option<Gnupg>) {
        let given = match gnupg {
            None => {
                self.warn(WarningKind::GnupgUnused, home.display());
                Given::NotAllowed
            }
            Some(_) if !home.is_dir() => Given::Missing,
            Some(gnupg) => {
                self.keyring.add_gnupg_home(home, gnupg);
                Given::Asked
            }
        };
        self.note(GNUPG_HOME, home, given);
    }

    fn accept(&mut self, field: &'static str, facts: KeyFileFacts, wanted: &KeySources) {
        let path = facts.path.clone();
        for warning in &facts.warnings {
            let kind = match warning {
                KeyFileWarning::NotBuilt { .. } => WarningKind::KeyUnusable,
                _ => WarningKind::KeyFileCare,
            };
            self.warn(kind, format_args!("{} ({warning})", path.display()));
        }
        if let Some(place) = misplaced(&path) {
            if wanted.strict_modes {
                let path = path.clone();
                self.faults
                    .push(Fault::KeyFileMisplaced { field, path, place });
            } else {
                self.warn(place, path.display());
            }
        }
        self.note(field, &path, Given::Identities(facts));
    }

    fn note(&mut self, field: &'static str, path: &Path, given: Given) {
        self.sources.push(Source {
            field,
            path: path.into(),
            given,
        });
    }

    fn refuse(&mut self, field: &'static str, path: &Path, reason: KeyFileReason) {
        self.faults.push(Fault::KeyFileUnusable {
            field,
            path: path.into(),
            reason,
        });
    }

    fn warn(&mut self, kind: WarningKind, subject: impl std::fmt::Display) {
        self.warnings.push(Warning::new(kind, subject.to_string()));
    }

    /// All that can be said about a key file that must be there and is not.
    pub(super) fn missing_key_file(&mut self, locks: &[Lock]) -> Option<Fault> {
        let missing = self.missing.take()?;
        let mut expected: Vec<String> = Vec::new();
        for recipient in locks.iter().flat_map(|lock| &lock.recipients) {
            if !self.stands_for(recipient) && !expected.contains(recipient) {
                expected.push(recipient.clone());
            }
        }
        let files = locks.iter().map(|lock| NeededFile {
            path: lock.path.clone(),
            recipients: lock.recipients.clone(),
            opened_by_another: lock.recipients.iter().any(|label| self.stands_for(label)),
        });
        let mut other_keys = self.described(locks);
        other_keys.retain(|key| key.field != KEY_FILE);
        Some(Fault::KeyFileMissing(Box::new(MissingKeyFile {
            field: KEY_FILE,
            path: missing.path,
            source: missing.source,
            nearest_existing_parent: missing.nearest_existing_parent,
            files: files.collect(),
            expected,
            other_keys,
        })))
    }

    /// Whether any identity is, by the label, a recipient's.
    fn stands_for(&self, label: &str) -> bool {
        self.sources.iter().any(|source| source.is_for(label))
    }

    /// What came of each source.
    pub(super) fn described(&self, locks: &[Lock]) -> Vec<KeySource> {
        let describe = |source: &Source| KeySource {
            field: source.field,
            path: source.path.clone(),
            state: match &source.given {
                Given::Asked => KeyState::Asked,
                Given::NotAllowed => KeyState::NotAllowed,
                Given::Missing => KeyState::Missing,
                Given::Unusable(reason) => KeyState::Unusable(reason.clone()),
                Given::Identities(facts) => KeyState::Usable {
                    recipients: facts.recipients.clone(),
                    is_recipient: source.is_for_any(locks),
                },
            },
        };
        self.sources.iter().map(describe).collect()
    }

    /// SSH keys that were left out; not one of them was needed.
    pub(super) fn warn_of_unusable(&mut self) {
        let unusable = |source: &Source| match &source.given {
            Given::Missing if source.field != KEY_FILE => Some("does not exist".to_owned()),
            Given::Unusable(reason) => Some(reason.to_string()),
            _ => None,
        };
        let found: Vec<String> = self
            .sources
            .iter()
            .filter_map(|source| Some((source, unusable(source)?)))
            .map(|(source, reason)| format!("{} ({reason})", source.path.display()))
            .collect();
        for subject in found {
            self.warn(WarningKind::KeyUnusable, subject);
        }
    }

    /// Keys that are no recipient of any file, and opened none.
    pub(super) fn warn_of_idle(&mut self, locks: &[Lock], openers: &[&OpenedBy]) {
        let mut idle = Vec::new();
        for source in &self.sources {
            let Given::Identities(facts) = &source.given else {
                continue;
            };
            let opened = openers
                .iter()
                .any(|by| !by.ambient && by.source.as_deref() == Some(source.path.as_path()));
            if !opened && !source.is_for_any(locks) {
                let key = facts
                    .recipients
                    .first()
                    .map_or("no identity", String::as_str);
                idle.push(format!("{key} of {}", source.path.display()));
            }
        }
        for subject in idle {
            self.warn(WarningKind::KeyOpensNothing, subject);
        }
    }
}

impl Source {
    fn is_for(&self, label: &str) -> bool {
        match &self.given {
            Given::Identities(facts) => facts.is_for(label),
            _ => false,
        }
    }

    fn is_for_any(&self, locks: &[Lock]) -> bool {
        let mut labels = locks.iter().flat_map(|lock| &lock.recipients);
        labels.any(|label| self.is_for(label))
    }
}

fn modes(wanted: &KeySources) -> KeyFileModes {
    match wanted.strict_modes {
        true => KeyFileModes::Strict,
        false => KeyFileModes::Warn,
    }
}

/// Reasons that exist only because the manifest asks for strictness; they are never passed over.
fn is_hygiene(reason: &KeyFileReason) -> bool {
    matches!(
        reason,
        KeyFileReason::OpenMode { .. } | KeyFileReason::ForeignOwner { .. }
    )
}

/// A place where a private key should not lie.
fn misplaced(path: &Path) -> Option<WarningKind> {
    if repository::is_in_store(path) {
        Some(WarningKind::KeyInStore)
    } else {
        // git carries no mode but the executable bit.
        repository::work_tree_of(path).map(|_| WarningKind::KeyInWorkTree)
    }
}
