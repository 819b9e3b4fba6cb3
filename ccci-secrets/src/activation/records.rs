//! What activation remembers between runs: a journal that dies with `/run`, and a ledger of links outside `/run`.
//!
//! Neither holds anything that contents could be learnt from. Both name, before it happens, whatever a run is going to make in foreign
//! directories, so that the run after a crash can remove it, or finish it. Only who holds the lock writes them.

mod record;

use std::path::{Component, Path, PathBuf};

use serde::{Deserialize, Serialize};

use self::record::Record;
use super::fault::Fault;
use super::manifest::OnConflict;
use super::site::Site;
use super::units::Units;
use crate::digest;
use crate::fs::{FileFacts, FileKind};

/// Whose records they are.
#[derive(Clone, Copy, Debug)]
pub(super) enum Home<'a> {
    /// The machine's.
    System,
    /// Those of a tree below a directory.
    Tree,
    /// A user's.
    User {
        /// Gone when the user is.
        runtime: &'a Path,
        /// Where what lasts is kept.
        state: &'a Path,
    },
}

/// Where the records of one mount are.
#[derive(Clone, Debug)]
pub(super) struct RecordPaths {
    pub(super) lock: PathBuf,
    pub(super) journal: PathBuf,
    pub(super) ledger: PathBuf,
    /// The key for digests of contents.
    pub(super) drift_key: PathBuf,
}

impl RecordPaths {
    /// Derived from the mount: two manifests with one mount share them.
    pub(super) fn of(mount_path: &Path, home: Home<'_>) -> Self {
        let digest = digest::sha256(mount_path.as_os_str().as_encoded_bytes());
        let id: String = digest::hex(&digest).chars().take(16).collect();
        let (volatile, lasting) = match home {
            Home::Tree | Home::System => (Path::new("/run"), Path::new("/var/lib")),
            Home::User { runtime, state } => (runtime, state),
        };
        Self {
            lock: match home {
                Home::Tree => "/.ccsec-lock".into(),
                Home::System => volatile.join("ccsec/lock").join(&id),
                Home::User { .. } => volatile.join("ccsec/lock"),
            },
            journal: volatile.join("ccsec").join(&id).join("journal.json"),
            drift_key: lasting.join("ccsec/drift.key"),
            ledger: lasting.join("ccsec").join(format!("links-{id}.json")),
        }
    }
}

/// A link of ours.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct LinkRecord {
    pub(super) path: String,
    pub(super) text: PathBuf,
}

/// A link that is made under a temporary name and takes its own after the commit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct StagedLink {
    /// The directory of both names, from the root, without links.
    pub(super) directory: PathBuf,
    pub(super) staged: PathBuf,
    pub(super) name: PathBuf,
    pub(super) text: PathBuf,
    pub(super) role: Role,
}

/// What a staged link is for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", rename_all_fields = "kebab-case")]
pub(super) enum Role {
    /// It names the active generation. A directory that stands in its place goes.
    Active,
    /// It leads to a file of the generation.
    Target {
        /// The path of the manifest.
        path: String,
        /// The file's name below the generation.
        entry: String,
        on_conflict: OnConflict,
        uid: u32,
        gid: u32,
    },
}

/// A file that was replaced and kept.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct BackupRecord {
    /// The directory of both names, from the root, without links.
    pub(super) directory: PathBuf,
    pub(super) name: PathBuf,
    pub(super) backup: PathBuf,
    pub(super) mode: u32,
    pub(super) uid: u32,
    pub(super) gid: u32,
    /// Which file it is, whatever name it has. The device goes unsaid: a disk may have another number after a boot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) inode: Option<u64>,
}

/// A file of the generation, without anything that its content could be learnt from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct EntryRecord {
    pub(super) name: String,
    pub(super) mode: u32,
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) restart_units: Vec<String>,
    pub(super) reload_units: Vec<String>,
    /// The digest of the content under the machine's key, if there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) hmac: Option<String>,
}

/// A state of the machine that a run leads to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Outcome {
    pub(super) manifest_sha256: String,
    pub(super) generation: Option<u64>,
    pub(super) entries: Vec<EntryRecord>,
    /// Links outside the generation.
    pub(super) links: Vec<LinkRecord>,
    /// Under which key the digests of the entries are, if it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) drift_key: Option<String>,
    /// Units that something has changed for, and that have not been told.
    #[serde(default, skip_serializing_if = "Units::is_empty")]
    pub(super) pending: Units,
}

/// A run between its first change and its last.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Run {
    pub(super) next: Outcome,
    /// Everything before the commit is done. Whether the commit is, the link itself says.
    pub(super) sealed: bool,
    /// The directory in the mount that becomes the generation; none if the run only places and removes links.
    pub(super) stage: Option<PathBuf>,
    /// Directories that the run makes, the outermost first; from the root, without links.
    pub(super) directories: Vec<PathBuf>,
    pub(super) staged: Vec<StagedLink>,
    pub(super) removals: Vec<LinkRecord>,
}

/// The form in which a record is written; a program that knows a later one is not understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
struct Schema(u32);

impl Default for Schema {
    fn default() -> Self {
        Self(1)
    }
}

impl Schema {
    fn is_known(self) -> bool {
        self.0 <= Self::default().0
    }
}

/// How directories begin that are not generations yet.
pub(super) const STAGE_PREFIX: &str = ".stage-";
/// How links begin that have not taken their places yet.
pub(super) const LINK_PREFIX: &str = ".ccsec-";

/// Whether a name stays in its directory. Below a directory that was given as the root, records may be anybody's, and
/// what they name is renamed and removed.
fn is_one_name(name: &Path) -> bool {
    let mut components = name.components();
    let first = components.next();
    matches!(first, Some(Component::Normal(only)) if only == name.as_os_str())
        && components.next().is_none()
}

fn begins_with(name: &Path, prefix: &str) -> bool {
    name.as_os_str()
        .as_encoded_bytes()
        .starts_with(prefix.as_bytes())
}

impl Run {
    fn is_sound(&self) -> bool {
        let is_stage = |stage: &PathBuf| is_one_name(stage) && begins_with(stage, STAGE_PREFIX);
        self.stage.as_ref().is_none_or(is_stage) && self.staged.iter().all(StagedLink::is_sound)
    }
}

impl StagedLink {
    fn is_sound(&self) -> bool {
        is_one_name(&self.name)
            && is_one_name(&self.staged)
            && begins_with(&self.staged, LINK_PREFIX)
    }
}

impl BackupRecord {
    /// Whether a file is the one that was kept: whoever owns its directory can give its name to another.
    pub(super) fn is_of(&self, facts: &FileFacts) -> bool {
        facts.kind == FileKind::Regular
            && facts.uid == self.uid
            && self.inode.is_none_or(|inode| inode == facts.inode.1)
    }

    fn is_sound(&self) -> bool {
        is_one_name(&self.name) && is_one_name(&self.backup)
    }
}

/// The journal.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Journal {
    schema: Schema,
    /// Where the last run that came to its end led to.
    pub(super) active: Outcome,
    /// A run that did not come to its end.
    pub(super) run: Option<Run>,
}

impl Journal {
    pub(super) fn new(active: Outcome, run: Option<Run>) -> Self {
        Self {
            schema: Schema::default(),
            active,
            run,
        }
    }

    fn is_usable(&self) -> bool {
        self.schema.is_known() && self.run.as_ref().is_none_or(Run::is_sound)
    }
}

/// The ledger.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Ledger {
    schema: Schema,
    pub(super) links: Vec<LinkRecord>,
    pub(super) directories: Vec<PathBuf>,
    pub(super) staged: Vec<StagedLink>,
    pub(super) backups: Vec<BackupRecord>,
}

impl Ledger {
    fn is_usable(&self) -> bool {
        self.schema.is_known()
            && self.staged.iter().all(StagedLink::is_sound)
            && self.backups.iter().all(BackupRecord::is_sound)
    }
}

/// What earlier runs left behind in writing.
#[derive(Debug)]
pub(super) struct Records {
    pub(super) journal: Record<Journal>,
    pub(super) ledger: Record<Ledger>,
}

impl Records {
    /// Generations that the journal names.
    pub(super) fn generations(&self) -> Vec<u64> {
        let journal = self.journal.value();
        let next = journal.run.as_ref().map(|run| &run.next);
        let outcomes = std::iter::once(&journal.active).chain(next);
        outcomes.filter_map(|outcome| outcome.generation).collect()
    }

    /// Reads both. One that is absent, damaged, or written by a newer program, counts as empty.
    pub(super) fn read(site: &Site<'_>, paths: &RecordPaths) -> Result<Self, Fault> {
        Ok(Self {
            journal: Record::read(site, &paths.journal, Journal::is_usable)?,
            ledger: Record::read(site, &paths.ledger, Ledger::is_usable)?,
        })
    }

    /// All links that were ever placed and not yet removed.
    pub(super) fn links(&self) -> Vec<LinkRecord> {
        let journal = self.journal.value();
        let mut links = journal.active.links.clone();
        links.extend(self.ledger.value().links.iter().cloned());
        if let Some(run) = &journal.run {
            links.extend(run.next.links.iter().cloned());
        }
        links.sort();
        links.dedup();
        links
    }

    /// Whether a run did not come to its end.
    pub(super) fn is_unfinished(&self) -> bool {
        let ledger = self.ledger.value();
        self.journal.is_half_written()
            || self.ledger.is_half_written()
            || self.journal.value().run.is_some()
            || !ledger.staged.is_empty()
            || !ledger.directories.is_empty()
    }
}

/// Whether a link at this path outlives a reboot.
pub(super) fn outlives_reboot(path: &Path) -> bool {
    !path.starts_with("/run")
}

/// Whether a link is still what we made it.
pub(super) fn is_placed(site: &Site<'_>, record: &LinkRecord) -> bool {
    let Ok(place) = site.walk(Path::new(&record.path)) else {
        return false;
    };
    let text = place
        .parent()
        .and_then(|parent| site.fs.read_link(parent, &place.name).ok());
    text.is_some_and(|text| text == record.text)
}

#[cfg(test)]
#[allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "tests write their own files"
)]
mod tests {
    use super::*;
    use crate::fs::RealFs;

    /// A root, and the path of the journal below it.
    struct Place {
        dir: tempfile::TempDir,
        fs: RealFs,
        paths: RecordPaths,
    }

    impl Place {
        fn new() -> Self {
            Self {
                dir: tempfile::tempdir().unwrap(),
                fs: RealFs::new(),
                paths: RecordPaths::of(Path::new("/run/m"), Home::Tree),
            }
        }

        fn site(&self) -> Site<'_> {
            Site::new(&self.fs, Some(self.dir.path()))
        }

        fn journal(&self) -> PathBuf {
            let path = self.paths.journal.strip_prefix("/").unwrap();
            self.dir.path().join(path)
        }

        fn read(&self) -> Result<Records, Fault> {
            Records::read(&self.site(), &self.paths)
        }
    }

    fn staged(name: &str) -> StagedLink {
        StagedLink {
            directory: "/srv".into(),
            staged: name.into(),
            name: "name".into(),
            text: "text".into(),
            role: Role::Active,
        }
    }

    fn read_back(run: Run) -> Option<Run> {
        let place = Place::new();
        std::fs::create_dir_all(place.journal().parent().unwrap()).unwrap();
        let journal = Journal::new(Outcome::default(), Some(run));
        std::fs::write(place.journal(), serde_json::to_vec(&journal).unwrap()).unwrap();
        place.read().unwrap().journal.value().run.clone()
    }

    #[test]
    fn a_journal_that_names_something_outside_of_its_directories_is_not_believed() {
        let sound = Run {
            stage: Some(".stage-1".into()),
            staged: vec![staged(".ccsec-1")],
            ..Run::default()
        };
        assert_eq!(read_back(sound.clone()), Some(sound));
        for stage in ["../.stage-1", ".stage-1/..", "1", "", "/.stage-1"] {
            let run = Run {
                stage: Some(stage.into()),
                ..Run::default()
            };
            assert_eq!(read_back(run), None, "{stage}");
        }
        for name in [".ccsec-1/../x", "name", ".ccsec-1/"] {
            let run = Run {
                staged: vec![staged(name)],
                ..Run::default()
            };
            assert_eq!(read_back(run), None, "{name}");
        }
    }

    #[test]
    fn a_record_that_is_there_and_cannot_be_read_is_an_error() {
        let place = Place::new();
        std::fs::create_dir_all(place.journal()).unwrap();
        assert!(matches!(place.read(), Err(Fault::FileSystem { .. })));
    }

    #[test]
    fn a_record_that_says_nothing_is_no_file() {
        let place = Place::new();
        let mut records = place.read().unwrap();
        let journal = Journal::new(Outcome::default(), Some(Run::default()));
        records.journal.set(&place.site(), journal).unwrap();
        assert!(place.journal().exists());
        records
            .journal
            .set(&place.site(), Journal::default())
            .unwrap();
        assert!(!place.journal().exists());
    }
}
