//! What a run has left undone, done without any contents: links that are not in their places, units that were not told,
//! generations that nobody needs.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use super::Options;
use super::draft::{directories, intended_ledger};
use super::fault::{EarlierRun, Fault, Refusal, TargetProblem, Warning, WarningKind};
use super::finish::{close, open_generation};
use super::links::{self, place_all};
use super::manifest::{FileEntry, Manifest, Target};
use super::observe::{LinkFound, Reals, find_link, find_mount, generation_text, target_fault};
use super::parents;
use super::prune::GRACE;
use super::receipt::{FailedStep, Step};
use super::records::{
    Journal, LINK_PREFIX, LinkRecord, Outcome, Records, Role, Run, StagedLink, is_placed,
};
use super::steps::surplus;
use super::survey::active_number;
use super::transaction::{Transaction, finish_earlier};
use super::undo::Undo;
use super::units::{Units, tell_pending};
use super::wanted::Directories;
use crate::atomic::temporary_name;

/// What was repaired.
#[derive(Debug)]
#[non_exhaustive]
pub struct Repaired {
    /// The active generation.
    pub generation: Option<u64>,
    /// A run had not come to its end, and has now.
    pub finished: bool,
    /// Links that were placed, as they are seen from outside.
    pub links_placed: Vec<PathBuf>,
    /// Units that were told.
    pub units_told: Units,
    /// What was noticed.
    pub warnings: Vec<Warning>,
    /// What still does not work.
    pub failed_step: Option<FailedStep>,
}

impl Repaired {
    /// Whether there was nothing to repair.
    #[must_use]
    pub fn found_all_right(&self) -> bool {
        !self.finished
            && self.links_placed.is_empty()
            && self.units_told.is_empty()
            && self.failed_step.is_none()
    }
}

/// What was pruned.
#[derive(Debug)]
#[non_exhaustive]
pub struct Pruned {
    /// The active generation.
    pub generation: Option<u64>,
    /// Generations that were removed.
    pub removed: Vec<u64>,
    /// What was noticed.
    pub warnings: Vec<Warning>,
    /// What could not be removed.
    pub failed_step: Option<FailedStep>,
}

/// Finishes what earlier runs left undone: a run that was interrupted behind its commit, links that are not in their
/// places, units that were not told. Contents stay as they are, and no key is needed.
///
/// # Errors
/// Another run holds the lock, or what is there cannot be looked at.
pub fn repair(manifest: &Manifest, options: &Options<'_>) -> Result<Repaired, Refusal> {
    of(
        manifest,
        options,
        |transaction, records, mut warnings, finished| {
            let restored = restore_active(transaction, records)?;
            let mut done = place_missing(transaction, records)?;
            done.placed.splice(0..0, restored.placed);
            done.faults.extend(restored.faults);
            warnings.extend(done.warnings);
            let mut failed_step = failed(Step::Links, done.faults);
            let mut before = records.journal.value().active.pending.clone();
            if let Some(manager) = options.units {
                let nobody = BTreeSet::new();
                let told = tell_pending(transaction.site, manifest, manager, records, &nobody);
                before = before.except(&told.gone);
                warnings.extend(told.warnings);
                failed_step = failed_step.or(failed(Step::Units, told.faults));
            }
            Ok(Repaired {
                generation: active_number(transaction.site, transaction.frame)
                    .filter(|number| is_there(transaction, *number)),
                finished,
                links_placed: done.placed,
                units_told: before.without(&records.journal.value().active.pending),
                warnings,
                failed_step,
            })
        },
    )
}

/// Removes generations that the manifest does not want kept, and what interrupted runs have left beside them.
///
/// # Errors
/// Another run holds the lock, or what is there cannot be looked at.
pub fn prune(manifest: &Manifest, options: &Options<'_>) -> Result<Pruned, Refusal> {
    of(
        manifest,
        options,
        |transaction, records, mut warnings, _| {
            let Transaction { site, frame, .. } = transaction;
            let found = find_mount(site, frame).map_err(Refusal::of)?;
            let linked = active_number(site, frame);
            // Where the link leads nowhere, what is there is the last that was complete.
            let generation = linked.filter(|number| found.numbers.contains(number));
            if let (Some(number), None) = (linked, generation) {
                let lost = frame.mount.join(number.to_string());
                let (link, lost) = (site.shown(&frame.link), site.shown(&lost));
                let subject = format!("{} -> {}", link.display(), lost.display());
                warnings.push(Warning::new(WarningKind::LinkDangles, subject));
            }
            let numbers = generation.map_or(Vec::new(), |active| {
                let removable = found.removable(&records.generations(), true);
                surplus(&removable, active, manifest.keep_generations)
            });
            // A run that was finished just now may have changed the link this moment.
            if !numbers.is_empty() {
                (options.pause)(GRACE);
            }
            let names: Vec<OsString> = numbers
                .iter()
                .map(|number| number.to_string().into())
                .collect();
            let faults = super::prune::prune(site, &found.real, &names);
            let is_gone = |number: &u64| {
                let path = frame.mount.join(number.to_string());
                site.open_dir(&path).is_none()
            };
            Ok(Pruned {
                generation,
                removed: numbers.into_iter().filter(is_gone).collect(),
                warnings,
                failed_step: failed(Step::Prune, faults),
            })
        },
    )
}

/// Does something under the lock, after what earlier runs have left was finished; whether there was anything.
pub(super) fn of<T>(
    manifest: &Manifest,
    options: &Options<'_>,
    work: impl FnOnce(Transaction<'_>, &mut Records, Vec<Warning>, bool) -> Result<T, Refusal>,
) -> Result<T, Refusal> {
    Transaction::with(manifest, options, |transaction| {
        transaction.locked(|paths| {
            let site = transaction.site;
            let mut records = Records::read(site, paths).map_err(Refusal::of)?;
            let was_unfinished = records.is_unfinished();
            let warnings = finish_earlier(site, &transaction.real_mount(), &mut records)?;
            let earlier_run = match was_unfinished {
                true => EarlierRun::Finished,
                false => EarlierRun::Untouched,
            };
            work(transaction, &mut records, warnings, was_unfinished)
                .map_err(|refusal| refusal.after(earlier_run))
        })
    })
}

fn failed(step: Step, faults: Vec<Fault>) -> Option<FailedStep> {
    (!faults.is_empty()).then_some(FailedStep { step, faults })
}

/// What placing came to.
#[derive(Default)]
struct Done {
    placed: Vec<PathBuf>,
    faults: Vec<Fault>,
    warnings: Vec<Warning>,
}

/// Whether a generation exists: a link may lead to one that does not.
fn is_there(transaction: Transaction<'_>, number: u64) -> bool {
    let Transaction { site, frame, .. } = transaction;
    site.open_dir(&frame.mount.join(number.to_string()))
        .is_some()
}

/// Makes the link to the generation that was activated last, if somebody has removed it. One call makes it, so there is
/// nothing to write down before.
fn restore_active(transaction: Transaction<'_>, records: &Records) -> Result<Done, Refusal> {
    let Transaction { site, frame, .. } = transaction;
    let mut done = Done::default();
    let Some(number) = records.journal.value().active.generation else {
        return Ok(done);
    };
    if !is_there(transaction, number) {
        let generation = frame.mount.join(number.to_string());
        done.faults
            .push(Fault::GenerationLost(site.shown(&generation)));
        return Ok(done);
    }
    let reals = Reals::find(site, frame).map_err(Refusal::new)?;
    if !matches!(find_link(site, frame, &reals), Ok(LinkFound::Absent)) {
        return Ok(done);
    }
    let text = generation_text(site, frame, &reals, number);
    let made = parents::open(site, &reals.link_parent).and_then(|dir| {
        site.fs.make_link(&text, dir.as_fd(), &reals.link_name)?;
        match site.fs.file_system(dir.as_fd())?.is_memory() {
            true => Ok(()),
            false => site.fs.sync(dir.as_fd()),
        }
    });
    match made {
        Ok(()) => done.placed.push(site.shown(&frame.link)),
        Err(source) => done
            .faults
            .push(site.failed("make the link", &frame.link, source)),
    }
    Ok(done)
}

/// Places the links of the last run that are not in their places, if the manifest still wants them.
fn place_missing(transaction: Transaction<'_>, records: &mut Records) -> Result<Done, Refusal> {
    let Transaction { site, .. } = transaction;
    let active = records.journal.value().active.clone();
    let mount = transaction.real_mount();
    let Some(generation) = open_generation(site, &mount, &active) else {
        return Ok(Done::default());
    };
    let mut run = Run {
        next: active,
        ..Run::default()
    };
    let (staged, faults) = missing_links(transaction, &run.next).map_err(Refusal::of)?;
    let manners: Vec<Directories> = staged.iter().map(|_| Directories::default()).collect();
    run.staged = staged;
    if run.staged.is_empty() {
        return Ok(Done {
            faults,
            ..Done::default()
        });
    }
    let before = records.ledger.value().clone();
    let mut ledger = intended_ledger(&run, records);
    run.directories = directories(site, &mount, &run, &ledger, records).map_err(Refusal::of)?;
    if !ledger.staged.is_empty() {
        ledger.directories.clone_from(&run.directories);
    }
    let staged = records
        .journal
        .set(site, Journal::new(run.next.clone(), Some(run.clone())))
        .and_then(|()| records.ledger.set(site, ledger))
        .and_then(|()| {
            let mut links = run.staged.iter().zip(manners);
            links.try_for_each(|(link, manner)| links::stage(site, link, manner))
        })
        .and_then(|()| {
            run.sealed = true;
            let journal = Journal::new(run.next.clone(), Some(run.clone()));
            records.journal.set(site, journal)
        });
    if let Err(fault) = staged {
        let undo = Undo {
            site,
            mount: &mount,
            run: &run,
            mounted: false,
            ledger: before,
        };
        let left_behind = undo.roll_back(records);
        return Err(Refusal {
            left_behind,
            ..Refusal::of(fault)
        });
    }
    let mut placed = place_all(site, Some(&generation), &run, records);
    for link in &run.staged {
        // A link that could not be placed is of no use; the next run makes another.
        drop(links::discard(site, link));
    }
    placed
        .faults
        .extend(close(site, &run, Vec::new(), records).err());
    placed.faults.extend(faults);
    let shown = |link: &LinkRecord| site.shown(Path::new(&link.path));
    Ok(Done {
        placed: run
            .staged
            .iter()
            .filter_map(|link| record_of(link, &run.next))
            .filter(|record| is_placed(site, record))
            .map(shown)
            .collect(),
        faults: placed.faults,
        warnings: placed.warnings,
    })
}

fn record_of<'a>(link: &StagedLink, outcome: &'a Outcome) -> Option<&'a LinkRecord> {
    let Role::Target { path, .. } = &link.role else {
        return None;
    };
    outcome.links.iter().find(|record| record.path == *path)
}

/// Links that are not in their places; a place that cannot be reached is a fault of that link.
fn missing_links(
    transaction: Transaction<'_>,
    active: &Outcome,
) -> Result<(Vec<StagedLink>, Vec<Fault>), Fault> {
    let Transaction { site, manifest, .. } = transaction;
    let random = temporary_name()
        .map_err(|source| site.failed("choose a name in", &transaction.frame.mount, source))?;
    let mut staged = Vec::new();
    let mut faults = Vec::new();
    for record in active.links.iter().filter(|link| !is_placed(site, link)) {
        let Some(file) = wanted_at(manifest, &record.path) else {
            continue;
        };
        let owner = active.entries.iter().find(|entry| entry.name == file.name);
        let path = Path::new(&record.path);
        match site.walk(path) {
            Ok(place) => staged.push(StagedLink {
                directory: place.real_parent(),
                staged: format!("{LINK_PREFIX}{random}-{}", staged.len()).into(),
                name: place.name.clone().into(),
                text: record.text.clone(),
                role: Role::Target {
                    path: record.path.clone(),
                    entry: file.name.clone(),
                    on_conflict: file.on_conflict,
                    uid: owner.map_or(0, |entry| entry.uid),
                    gid: owner.map_or(0, |entry| entry.gid),
                },
            }),
            Err(hazard) => faults.push(target_fault(site, path, TargetProblem::Way(hazard))),
        }
    }
    Ok((staged, faults))
}

fn wanted_at<'a>(manifest: &'a Manifest, path: &str) -> Option<&'a FileEntry> {
    let is_there = |file: &&FileEntry| matches!(&file.target, Target::Outside(own) if own == path);
    manifest.files().find(is_there)
}
