//! A file of the operator's that a link took the place of, back in its place.

use std::io;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use super::Options;
use super::backup::KEPT_MODE;
use super::fault::{Fault, Refusal, TargetProblem, Warning};
use super::links::{kind_at, sync};
use super::manifest::Manifest;
use super::observe::target_fault;
use super::parents;
use super::receipt::{FailedStep, Step};
use super::records::{BackupRecord, Records, is_placed};
use super::repair::of;
use super::site::Site;
use super::survey::active_number;
use super::transaction::Transaction;
use crate::fs::{Entry, FileKind};

/// What was given back.
#[derive(Debug)]
#[non_exhaustive]
pub struct GivenBack {
    /// The active generation.
    pub generation: Option<u64>,
    /// Where the file is again, as it is seen from outside.
    pub path: PathBuf,
    /// Under which name it was kept.
    pub kept_as: PathBuf,
    /// Older files of the same place that are still kept.
    pub still_kept: Vec<PathBuf>,
    /// What was noticed.
    pub warnings: Vec<Warning>,
    /// The file is back, but something after that failed.
    pub failed_step: Option<FailedStep>,
}

/// Puts the file that was kept last for a path back into its place, with the mode that it had; the link goes. The path is
/// that of the manifest, or as it is seen from outside.
///
/// The manifest still wants a link there: the next activation does again what it says about conflicts.
///
/// # Errors
/// No file is kept for the path, or something that is not ours stands there.
pub fn give_back(
    manifest: &Manifest,
    options: &Options<'_>,
    path: &Path,
) -> Result<GivenBack, Refusal> {
    of(manifest, options, |transaction, records, warnings, _| {
        let Transaction { site, .. } = transaction;
        let mut kept = kept_for(site, path, records);
        let Some(last) = kept.pop() else {
            let path = match path.starts_with(site.base()) {
                true => path.to_owned(),
                false => site.shown(path),
            };
            return Err(Refusal::of(Fault::NothingKept(path)));
        };
        let left = restore(site, &last, records).map_err(Refusal::of)?;
        let shown = |record: &BackupRecord, name: &Path| site.shown(&record.directory.join(name));
        Ok(GivenBack {
            generation: active_number(site, transaction.frame),
            path: shown(&last, &last.name),
            kept_as: shown(&last, &last.backup),
            still_kept: kept
                .iter()
                .map(|record| shown(record, &record.backup))
                .collect(),
            warnings,
            failed_step: left.err().map(|fault| FailedStep {
                step: Step::Records,
                faults: vec![fault],
            }),
        })
    })
}

/// Files that are kept for a path and still there, the oldest first.
fn kept_for(site: &Site<'_>, path: &Path, records: &Records) -> Vec<BackupRecord> {
    let seen_from_inside = match site.tree.rebased {
        true => path.strip_prefix(site.base()).ok(),
        false => None,
    };
    let inside = seen_from_inside.map_or_else(|| path.to_owned(), |rest| Path::new("/").join(rest));
    let Ok(place) = site.walk(&inside) else {
        return Vec::new();
    };
    let is_here = |record: &&BackupRecord| {
        record.directory == place.real_parent() && record.name.as_os_str() == place.name
    };
    let is_kept = |record: &&BackupRecord| {
        let found = parents::open(site, &record.directory)
            .and_then(|dir| kind_at(site.fs, dir.as_fd(), &record.backup));
        found.is_ok_and(|found| found.is_some_and(|facts| facts.kind == FileKind::Regular))
    };
    let backups = records.ledger.value().backups.iter();
    backups.filter(is_here).filter(is_kept).cloned().collect()
}

/// Puts it back. What fails behind the rename comes apart from what leaves all as it was.
fn restore(
    site: &Site<'_>,
    record: &BackupRecord,
    records: &mut Records,
) -> Result<Result<(), Fault>, Fault> {
    let path = record.directory.join(&record.name);
    let failed = |source| site.failed("give back", &path, source);
    let dir = parents::open(site, &record.directory).map_err(failed)?;
    let there = kind_at(site.fs, dir.as_fd(), &record.name).map_err(failed)?;
    if let Some(facts) = there {
        let problem = match facts.kind {
            FileKind::Link if is_ours(site, &path, records) => None,
            FileKind::Link => Some(TargetProblem::ForeignLink),
            FileKind::Directory => Some(TargetProblem::Directory),
            FileKind::Regular => Some(TargetProblem::Differs),
            FileKind::Special => Some(TargetProblem::Special),
        };
        if let Some(problem) = problem {
            return Err(target_fault(site, &path, problem));
        }
    }
    let file = site
        .fs
        .open_file(dir.as_fd(), &record.backup)
        .map_err(failed)?;
    // The directory may be somebody else's: only the file that was kept gets its mode back.
    let facts = site.fs.facts(file.as_fd()).map_err(failed)?;
    if !record.is_of(&facts) {
        return Err(failed(io::Error::other(
            "something else has taken its place",
        )));
    }
    let at = |name: &'_ Path| name.as_os_str().to_owned();
    let (from, to) = (at(&record.backup), at(&record.name));
    let entry = |name| Entry {
        dir: dir.as_fd(),
        name,
    };
    // Of a file that only its name tells apart from others, nothing is opened that is closed.
    let mode = match record.inode {
        Some(_) => record.mode,
        None => record.mode & facts.mode,
    };
    // It is as open as it ever was before it has its name again, so that nobody finds it closed there.
    site.fs.change_mode(file.as_fd(), mode).map_err(failed)?;
    if let Err(error) = site.fs.rename(entry(&from), entry(&to)) {
        // The error that led here is the one to report.
        drop(site.fs.change_mode(file.as_fd(), KEPT_MODE));
        return Err(failed(error));
    }
    let mut ledger = records.ledger.value().clone();
    ledger.backups.retain(|known| known != record);
    Ok(sync(site, dir.as_fd())
        .map_err(failed)
        .and_then(|()| records.ledger.set(site, ledger)))
}

/// Whether the link at a path is one that activation has placed.
fn is_ours(site: &Site<'_>, path: &Path, records: &Records) -> bool {
    let is_here = |recorded: &str| {
        let place = site.walk(Path::new(recorded));
        place.is_ok_and(|place| place.real_path() == path)
    };
    let links = records.links();
    links
        .iter()
        .any(|link| is_here(&link.path) && is_placed(site, link))
}
