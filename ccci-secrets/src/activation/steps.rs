//! From what is wanted and what is there to what will be done. Pure: no file is touched, no clock is read, and a plan
//! names files but holds none of their bytes.

mod links;
mod mount;

use std::ffi::OsString;
use std::path::PathBuf;

use super::current::FileFound;
use super::fault::{Fault, Warning, WarningKind};
use super::manifest::{MountWish, OnConflict};
use super::observe::{Found, LinkFound};
use super::receipt::Change;
use super::records::LinkRecord;
use crate::fs::MemoryMount;

/// What decides besides the files themselves.
#[derive(Clone, Copy, Debug)]
pub(super) struct Settings {
    pub(super) idempotent: bool,
    pub(super) keep_generations: u64,
    pub(super) mount: MountWish,
    pub(super) use_tmpfs: bool,
    pub(super) rebased: bool,
}

/// A wanted file, without its bytes.
#[derive(Clone, Debug)]
pub(super) struct Item {
    /// The target outside, as it is seen from outside.
    pub(super) shown: PathBuf,
    pub(super) on_conflict: OnConflict,
}

/// What will be done.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Steps {
    /// For each wanted file.
    pub(super) changes: Vec<Change>,
    pub(super) removed: Vec<String>,
    /// There was something to compare with.
    pub(super) compared: bool,
    pub(super) previous: Option<u64>,
    /// The number of the new generation, if one is made.
    pub(super) generation: Option<u64>,
    pub(super) mount: Option<MemoryMount>,
    /// A directory stands where the link will be.
    pub(super) exchange: bool,
    /// Indices of the wanted files whose target gets a link, and whether what is there is kept aside.
    pub(super) links: Vec<LinkStep>,
    pub(super) removals: Vec<LinkRecord>,
    pub(super) prune: Vec<u64>,
    /// Names beside the generations under which another program has left private keys.
    pub(super) foreign_keys: Vec<OsString>,
    /// Something of an earlier run has to be cleared away.
    pub(super) finish: bool,
    pub(super) warnings: Vec<Warning>,
}

/// One link to be placed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct LinkStep {
    pub(super) wanted: usize,
    pub(super) backup: bool,
}

impl Steps {
    /// Whether everything is as it should be.
    pub(super) fn changes_nothing(&self) -> bool {
        self.generation.is_none()
            && self.links.is_empty()
            && self.removals.is_empty()
            && self.prune.is_empty()
            && self.foreign_keys.is_empty()
    }

    /// The generation that is active when all is done.
    pub(super) fn active(&self) -> Option<u64> {
        self.generation.or(self.previous)
    }
}

/// Decides.
pub(super) fn decide(
    settings: Settings,
    items: &[Item],
    mut observed: Found,
) -> Result<Steps, Vec<Fault>> {
    let mut steps = Steps {
        compared: observed.current.is_some(),
        previous: observed.current.as_ref().and_then(|current| current.number),
        finish: observed.unfinished,
        removals: std::mem::take(&mut observed.former),
        ..Steps::default()
    };
    let mut faults = steps.plan_links(items, &mut observed.targets);
    steps.plan_changes(items, &observed);
    let wants_generation = !settings.idempotent
        || observed.current.is_none()
        || !has_exact_link(&observed)
        || mount::is_lacking(settings, &observed)
        || !steps.removed.is_empty()
        || has_broken_inner_link(&observed)
        || steps
            .changes
            .iter()
            .any(|change| *change != Change::Unchanged);
    if wants_generation {
        steps.generation = Some(next_number(&observed));
        steps.exchange = observed.link == LinkFound::Directory;
        faults.extend(steps.plan_mount(settings, &observed));
    }
    steps.plan_prune(settings.keep_generations, &observed);
    if steps.mount.is_none() {
        steps.foreign_keys = std::mem::take(&mut observed.mount.foreign_keys);
        steps.warn_of_kept_keys(&observed);
    }
    if faults.is_empty() {
        Ok(steps)
    } else {
        Err(faults)
    }
}

fn has_exact_link(observed: &Found) -> bool {
    matches!(observed.link, LinkFound::Generation { exact: true, .. })
}

fn has_broken_inner_link(observed: &Found) -> bool {
    let files = observed.current.iter().flat_map(|current| &current.files);
    files.into_iter().any(|file| {
        matches!(
            file,
            FileFound::Present {
                inner_link: false,
                ..
            }
        )
    })
}

/// One more than every number in use; a dangling link's counts as well (F03), an inactive complete generation's too.
fn next_number(observed: &Found) -> u64 {
    let linked = match &observed.link {
        LinkFound::Generation { active, .. } => active.generation,
        _ => 0,
    };
    let highest = observed.mount.numbers.iter().copied().max().unwrap_or(0);
    highest.max(linked).saturating_add(1)
}

impl Steps {
    fn plan_changes(&mut self, items: &[Item], observed: &Found) {
        let Some(current) = &observed.current else {
            self.changes = items.iter().map(|_| Change::Added).collect();
            return;
        };
        self.changes = current.files.iter().map(|file| change_of(*file)).collect();
        self.removed.clone_from(&current.gone);
    }

    fn plan_prune(&mut self, keep: u64, observed: &Found) {
        let Some(active) = self.active() else {
            return;
        };
        if self.mount.is_none() {
            let has_active = self.previous.is_some();
            let numbers = observed.mount.removable(&observed.recorded, has_active);
            self.prune = surplus(&numbers, active, keep);
        }
    }

    fn warn_of_kept_keys(&mut self, observed: &Found) {
        let paths = observed.kept_keys.iter();
        let paths = paths.map(|name| observed.mount.real.join(name));
        self.warnings
            .extend(paths.map(|path| Warning::at(WarningKind::ForeignKeyKept, &path)));
    }
}

/// Generations that are not to be kept: too old, or never activated. None is too old where 0 are to be kept.
pub(super) fn surplus(numbers: &[u64], active: u64, keep: u64) -> Vec<u64> {
    if keep == 0 {
        return Vec::new();
    }
    let oldest_gone = active.checked_sub(keep);
    let is_surplus =
        |number: &u64| *number > active || oldest_gone.is_some_and(|last| *number <= last);
    numbers.iter().copied().filter(is_surplus).collect()
}

fn change_of(file: FileFound) -> Change {
    match file {
        FileFound::Absent => Change::Added,
        FileFound::Present {
            content: true,
            mode: true,
            owner: true,
            ..
        } => Change::Unchanged,
        FileFound::Present {
            content,
            mode,
            owner,
            ..
        } => Change::Modified {
            content: !content,
            mode: !mode,
            owner: !owner,
        },
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
mod tests;
