//! What activation remembers between runs: a journal that dies with `/run`, and a ledger of links outside `/run`.
//!
//! Neither holds anything about contents. Both name, before it happens, whatever a run is going to make in foreign
//! directories, so that the run after a crash can remove it.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::site::Site;
use crate::digest;

/// Where the records of one mount are.
#[derive(Debug)]
pub(super) struct RecordPaths {
    pub(super) lock: PathBuf,
    pub(super) journal: PathBuf,
    pub(super) ledger: PathBuf,
}

impl RecordPaths {
    /// Derived from the mount: two manifests with one mount share them.
    pub(super) fn of(mount_path: &Path, rebased: bool) -> Self {
        let digest = digest::sha256(mount_path.as_os_str().as_encoded_bytes());
        let id: String = digest::hex(&digest).chars().take(16).collect();
        Self {
            lock: match rebased {
                true => "/.ccsec-lock".into(),
                false => format!("/run/ccsec/lock/{id}").into(),
            },
            journal: format!("/run/ccsec/{id}/journal.json").into(),
            ledger: format!("/var/lib/ccsec/links-{id}.json").into(),
        }
    }
}

/// How far a run came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum RunState {
    /// Everything, or everything was undone.
    #[default]
    Done,
    /// Nothing is active yet.
    Intent,
    /// The generation is complete; it may be active, and links may be missing.
    Sealed,
}

/// A link of ours.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct LinkRecord {
    pub(super) path: String,
    pub(super) text: String,
}

/// A name that exists only while a run lasts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct StagedRecord {
    pub(super) directory: String,
    pub(super) name: String,
    /// It may become a whole directory: the one that stood at the link's place.
    #[serde(default)]
    pub(super) takes_directory: bool,
}

/// A file that was replaced and kept.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct BackupRecord {
    pub(super) path: String,
    pub(super) backup: String,
    pub(super) mode: u32,
    pub(super) uid: u32,
    pub(super) gid: u32,
}

/// A file of the generation, without anything of its content.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct EntryRecord {
    pub(super) name: String,
    pub(super) mode: u32,
    pub(super) uid: u32,
    pub(super) gid: u32,
}

/// The journal.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Journal {
    pub(super) schema: u32,
    pub(super) state: RunState,
    pub(super) manifest_sha256: String,
    pub(super) generation: Option<u64>,
    pub(super) entries: Vec<EntryRecord>,
    pub(super) links: Vec<LinkRecord>,
    /// Directories that the run makes outside the mount, the outermost first.
    pub(super) directories: Vec<String>,
    pub(super) staged: Vec<StagedRecord>,
}

/// The ledger.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Ledger {
    pub(super) schema: u32,
    pub(super) links: Vec<LinkRecord>,
    pub(super) staged: Vec<StagedRecord>,
    pub(super) backups: Vec<BackupRecord>,
}

pub(super) const SCHEMA: u32 = 1;

/// What earlier runs left behind in writing.
#[derive(Clone, Debug, Default)]
pub(super) struct Records {
    pub(super) journal: Journal,
    pub(super) ledger: Ledger,
}

impl Records {
    /// Reads both. One that is absent, or written by a newer program, counts as empty.
    pub(super) fn read(site: &Site<'_>, paths: &RecordPaths) -> Self {
        let journal: Journal = parse(site, &paths.journal);
        let ledger: Ledger = parse(site, &paths.ledger);
        Self {
            journal: if journal.schema <= SCHEMA {
                journal
            } else {
                Journal::default()
            },
            ledger: if ledger.schema <= SCHEMA {
                ledger
            } else {
                Ledger::default()
            },
        }
    }

    /// All links that were ever placed and not yet removed.
    pub(super) fn links(&self) -> Vec<LinkRecord> {
        let mut links = self.journal.links.clone();
        links.extend(self.ledger.links.iter().cloned());
        links.sort();
        links.dedup();
        links
    }

    /// All temporary names of runs that did not end.
    pub(super) fn staged(&self) -> Vec<StagedRecord> {
        let mut staged = self.journal.staged.clone();
        staged.extend(self.ledger.staged.iter().cloned());
        staged.sort();
        staged.dedup();
        staged
    }

    /// Whether a run did not come to its end.
    pub(super) fn is_unfinished(&self) -> bool {
        self.journal.state != RunState::Done || !self.staged().is_empty()
    }
}

fn parse<T: Default + for<'de> Deserialize<'de>>(site: &Site<'_>, path: &Path) -> T {
    let Some(text) = site.read_small(path) else {
        return T::default();
    };
    // EXPOSE: to the parser; records hold nothing secret.
    serde_json::from_slice(text.expose()).unwrap_or_default()
}

/// Whether a link at this path outlives a reboot.
pub(super) fn outlives_reboot(path: &str) -> bool {
    !path.starts_with("/run/")
}
