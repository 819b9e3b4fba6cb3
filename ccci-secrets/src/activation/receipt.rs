//! What a run did. Only the transaction makes one, and nothing in it is secret.

use std::fmt;
use std::path::PathBuf;

use super::checks::CheckedCertificate;
use super::fault::{EarlierRun, Fault, KeySource, Warning};
use super::provenance::FileProvenance;
pub use super::wanted::Origin;
use crate::error::ErrorCode;

/// The proof that a generation is active: the one that this run committed, or the one that was already right.
#[derive(Debug)]
#[non_exhaustive]
pub struct Receipt {
    /// There was something to compare with: without it every file counts as added, and no unit is told.
    pub compared: bool,
    /// The manifest is another one than that of the last run.
    pub manifest_changed: bool,
    /// What was done before about an earlier run that had not come to its end.
    pub earlier_run: EarlierRun,
    /// The generation that was active before.
    pub previous: Option<u64>,
    /// The generation that this run made; none if nothing had changed.
    pub generation: Option<u64>,
    /// The link under which the active generation is read, as it is seen from outside.
    pub link: PathBuf,
    /// Every file of the generation, in the order of the manifest.
    pub entries: Vec<EntryResult>,
    /// Names that were in the previous generation and are gone.
    pub removed: Vec<String>,
    /// Links beside the generation that were placed, as they are seen from outside.
    pub links_placed: Vec<PathBuf>,
    /// Links of earlier runs that were removed, as they were seen from outside.
    pub links_removed: Vec<PathBuf>,
    /// What came of each source of keys that the manifest names.
    pub keys: Vec<KeySource>,
    /// Where the contents come from.
    pub provenance: Vec<FileProvenance>,
    /// Certificates that were checked.
    pub certificates: Vec<CheckedCertificate>,
    /// Units that something changed for: without repetitions, in the order of the manifest, restarts first.
    pub units: Vec<UnitResult>,
    /// What was noticed.
    pub warnings: Vec<Warning>,
    /// What did not work although the generation is active.
    pub failed_step: Option<FailedStep>,
}

impl Receipt {
    /// The generation that is active now.
    #[must_use]
    pub fn active(&self) -> Option<u64> {
        self.generation.or(self.previous)
    }

    /// Whether everything was as the manifest says before the run.
    #[must_use]
    pub fn found_all_right(&self) -> bool {
        self.generation.is_none() && self.links_placed.is_empty() && self.links_removed.is_empty()
    }
}

/// One file of a generation.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct EntryResult {
    /// Its name below the generation.
    pub name: String,
    /// Where its content comes from.
    pub origin: Origin,
    /// Where else it can be read, as it is seen from outside; none if its name below the link is all.
    pub path: Option<PathBuf>,
    /// Mode.
    pub mode: u32,
    /// Owner that the manifest asks for.
    pub uid: u32,
    /// Group that the manifest asks for.
    pub gid: u32,
    /// How it differs from the previous generation.
    pub change: Change,
}

/// A unit that something changed for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct UnitResult {
    /// Its name.
    pub unit: String,
    /// What is done with it.
    pub action: UnitAction,
    /// Whether that was asked for. If not, and anybody tells units at all, the next run does.
    pub told: bool,
}

/// What is done with a unit that something changed for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum UnitAction {
    /// It is reloaded.
    Reload,
    /// It is restarted.
    Restart,
}

impl UnitAction {
    /// Its stable name in reports.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Reload => "reload",
            Self::Restart => "restart",
        }
    }
}

/// How a file differs from the one of the previous generation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Change {
    /// There was none.
    Added,
    /// In at least one of these.
    Modified {
        /// The bytes.
        content: bool,
        /// The mode.
        mode: bool,
        /// Owner or group.
        owner: bool,
    },
    /// In nothing.
    Unchanged,
}

/// A step that failed while a generation was active already.
#[derive(Debug)]
#[non_exhaustive]
pub struct FailedStep {
    /// Which.
    pub step: Step,
    /// Why; at least one.
    pub faults: Vec<Fault>,
}

impl FailedStep {
    /// The stable code.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        ErrorCode::CommittedWithFault
    }
}

impl fmt::Display for FailedStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.step.sentence())?;
        let mut separator = ": ";
        for fault in &self.faults {
            write!(f, "{separator}{fault}")?;
            separator = "; ";
        }
        Ok(())
    }
}

/// The steps behind the commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Step {
    /// Bringing the renamed link to the disk.
    Commit,
    /// Placing the links outside the generation, and removing those that left the manifest.
    Links,
    /// Opening everything: on a first boot the manifest lets the sound part be active.
    Open,
    /// Removing old generations.
    Prune,
    /// Writing down that the run is done.
    Records,
    /// Telling units that something changed for them.
    Units,
}

impl Step {
    /// Its stable name in reports.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Commit => "commit",
            Self::Links => "links",
            Self::Open => "open",
            Self::Prune => "prune",
            Self::Records => "records",
            Self::Units => "units",
        }
    }

    /// What its failure means.
    #[must_use]
    pub fn sentence(self) -> &'static str {
        match self {
            Self::Commit => "the link may not survive a power cut",
            Self::Links => "not all links are in place",
            Self::Open => "not everything could be opened",
            Self::Prune => "old generations could not be removed",
            Self::Records => "the end of the run could not be written down",
            Self::Units => "not all units were told",
        }
    }
}
