//! What earlier runs left: whatever was committed is completed, whatever was not is removed.
//!
//! All of it is as good as it can be done: what cannot be finished is found again when the wanted state is compared with
//! what is there.

use std::os::fd::AsFd;
use std::path::Path;

use super::fault::{Fault, Warning};
use super::generation::is_committed;
use super::links::{self, place_all};
use super::parents;
use super::records::{
    Journal, LinkRecord, Outcome, Records, Run, STAGE_PREFIX, StagedLink, is_placed,
    outlives_reboot,
};
use super::remove::remove_tree;
use super::site::Site;
use super::undo::Undo;
use crate::fs::FileKind;

/// Finishes what earlier runs left; the mount is given from the root, without links.
pub(super) fn finish(
    site: &Site<'_>,
    mount: &Path,
    records: &mut Records,
) -> Result<Vec<Warning>, Fault> {
    let mut warnings = Vec::new();
    match records.journal.value().run.clone() {
        Some(run) if is_committed(site, &run)? => {
            warnings = complete(site, mount, &run, records)?;
        }
        Some(run) => {
            let undo = Undo {
                site,
                mount,
                run: &run,
                mounted: false,
                ledger: tidy_ledger(site, records, &[]),
            };
            undo.roll_back(records);
        }
        None if records.is_unfinished() => warnings = settle(site, records)?,
        None => {}
    }
    remove_stages(site, mount);
    Ok(warnings)
}

/// Everything between the commit and the end of a run.
fn complete(
    site: &Site<'_>,
    mount: &Path,
    run: &Run,
    records: &mut Records,
) -> Result<Vec<Warning>, Fault> {
    let generation = open_generation(site, mount, &run.next);
    let placed = place_all(site, generation.as_ref(), run, records);
    for link in &run.staged {
        // A link that cannot be placed is of no use; the comparison with the manifest makes another.
        drop(links::discard(site, link));
    }
    close(site, run, placed.not_removed, records)?;
    Ok(placed.warnings)
}

/// The handle of the generation that a run leads to.
pub(super) fn open_generation(
    site: &Site<'_>,
    mount: &Path,
    outcome: &Outcome,
) -> Option<std::os::fd::OwnedFd> {
    let number = outcome.generation?;
    parents::open(site, &mount.join(number.to_string())).ok()
}

/// Writes down that a run is over. What is still there under a temporary name is somebody's file that could not be put
/// aside: the ledger keeps it for later runs.
pub(super) fn close(
    site: &Site<'_>,
    run: &Run,
    not_removed: Vec<LinkRecord>,
    records: &mut Records,
) -> Result<(), Fault> {
    let mut next = run.next.clone();
    next.links.extend(not_removed);
    let mut ledger = records.ledger.value().clone();
    ledger.links = lasting(&next.links);
    ledger.directories.clear();
    for link in &run.staged {
        if !ledger.staged.contains(link) {
            ledger.staged.push(link.clone());
        }
    }
    ledger.staged.retain(|link| links::is_staged(site, link));
    records.ledger.set(site, ledger)?;
    records.journal.set(site, Journal::new(next, None))
}

/// Those links that a reboot does not remove.
pub(super) fn lasting(links: &[LinkRecord]) -> Vec<LinkRecord> {
    links
        .iter()
        .filter(|link| outlives_reboot(Path::new(&link.path)))
        .cloned()
        .collect()
}

/// The machine went down during a run, and its journal with it; the ledger knows what lies outside of `/run`.
fn settle(site: &Site<'_>, records: &mut Records) -> Result<Vec<Warning>, Fault> {
    let ledger = records.ledger.value().clone();
    let mut warnings = Vec::new();
    let mut unsettled: Vec<StagedLink> = Vec::new();
    for link in ledger.staged {
        match links::settle(site, &link, records) {
            Ok(warning) => warnings.extend(warning),
            Err(_) => unsettled.push(link),
        }
    }
    parents::unmake(site, &ledger.directories);
    let ledger = tidy_ledger(site, records, &unsettled);
    records.ledger.set(site, ledger)?;
    let journal = records.journal.value().clone();
    records.journal.set(site, journal)?;
    Ok(warnings)
}

/// The ledger without what a run intended: links that are there, and files that are kept.
fn tidy_ledger(
    site: &Site<'_>,
    records: &Records,
    unsettled: &[StagedLink],
) -> super::records::Ledger {
    let mut ledger = records.ledger.value().clone();
    ledger.links.retain(|link| is_placed(site, link));
    ledger.directories.clear();
    ledger.staged = unsettled.to_vec();
    ledger
}

/// Stages whose journal is lost.
fn remove_stages(site: &Site<'_>, mount: &Path) {
    let Ok(dir) = parents::open(site, mount) else {
        return;
    };
    for name in site.fs.list(dir.as_fd()).unwrap_or_default() {
        let is_stage = name.to_string_lossy().starts_with(STAGE_PREFIX);
        let is_ours = |facts: crate::fs::FileFacts| {
            facts.kind == FileKind::Directory && facts.uid == site.euid
        };
        if is_stage && site.fs.facts_at(dir.as_fd(), &name).is_ok_and(is_ours) {
            // It is found again by the next run.
            drop(remove_tree(site.fs, dir.as_fd(), &name));
        }
    }
}
