//! A plan with names: everything a run is going to make in the file system, said before any of it is made.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::fault::{Fault, TargetProblem};
use super::finish::lasting;
use super::manifest::{FileEntry, Manifest, Target};
use super::observe::{Frame, MountFound, Reals, generation_text, target_fault};
use super::parents;
use super::records::{
    EntryRecord, Journal, LINK_PREFIX, Ledger, LinkRecord, Outcome, Records, Role, Run,
    STAGE_PREFIX, StagedLink, outlives_reboot,
};
use super::site::Site;
use super::steps::Steps;
use super::targets::target_text;
use super::units::Units;
use super::wanted::{Directories, Wanted};
use crate::atomic::temporary_name;
use crate::digest;
use crate::hmac_key::HmacKey;

/// Everything that is known before the first change.
#[derive(Clone, Copy)]
pub(super) struct Scene<'a> {
    pub(super) site: &'a Site<'a>,
    pub(super) frame: &'a Frame,
    pub(super) reals: &'a Reals,
    pub(super) manifest: &'a Manifest,
    pub(super) wanted: &'a [Wanted],
    pub(super) mount: &'a MountFound,
    pub(super) steps: &'a Steps,
    pub(super) keys_group: u32,
    /// The key for digests in the journal, if there is one.
    pub(super) drift_key: Option<&'a HmacKey>,
    /// Units that the run makes a change for, if anybody tells units.
    pub(super) units: &'a Units,
    /// Units that this run could not tell before.
    pub(super) untold: &'a BTreeSet<String>,
}

/// A run that has not begun.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) run: Run,
    /// How directories are made on the way to each of the staged links.
    pub(super) manners: Vec<Directories>,
    pub(super) journal: Journal,
    pub(super) ledger: Ledger,
}

/// Names everything.
pub(super) fn draft(scene: Scene<'_>, records: &Records) -> Result<Draft, Fault> {
    let mut run = Run {
        next: outcome(scene, records)?,
        removals: scene.steps.removals.clone(),
        ..Run::default()
    };
    let random = temporary_name().map_err(|source| {
        scene
            .site
            .failed("choose a name in", &scene.reals.mount, source)
    })?;
    let mut manners = Vec::new();
    if let Some(number) = scene.steps.generation {
        run.stage = Some(format!("{STAGE_PREFIX}{}-{random}", std::process::id()).into());
        run.staged.push(active_link(scene, number, &random));
        manners.push(Directories {
            mode: scene.manifest.dialect.target_directory_mode(),
            ..Directories::default()
        });
    }
    for step in &scene.steps.links {
        let Some(wanted) = scene.wanted.get(step.wanted) else {
            continue;
        };
        let staged = format!("{LINK_PREFIX}{random}-{}", run.staged.len());
        if let Some(link) = target_link(scene, wanted, staged.into())? {
            run.staged.push(link);
            manners.push(wanted.directories);
        }
    }
    let mut ledger = intended_ledger(&run, records);
    run.directories = directories(scene.site, &scene.reals.mount, &run, &ledger, records)?;
    if !ledger.staged.is_empty() {
        ledger.directories.clone_from(&run.directories);
    }
    let active = records.journal.value().active.clone();
    Ok(Draft {
        journal: Journal::new(active, Some(run.clone())),
        ledger,
        manners,
        run,
    })
}

/// What the machine will be like.
pub(super) fn outcome(scene: Scene<'_>, records: &Records) -> Result<Outcome, Fault> {
    let mut pending = records.journal.value().active.pending.clone();
    pending.add(&scene.units.restart, &scene.units.reload);
    let mut links = Vec::new();
    for wanted in scene.wanted {
        if let Target::Outside(path) = &wanted.target {
            let text = text_at(scene, &directory_of(scene, path)?, &wanted.name);
            links.push(LinkRecord {
                path: path.clone(),
                text,
            });
        }
    }
    let by_name = scene.manifest.by_name();
    let record = |wanted: &Wanted| {
        let entry = by_name.get(wanted.name.as_str()).copied();
        entry_record(entry, wanted).with_digest(scene.drift_key, wanted)
    };
    Ok(Outcome {
        manifest_sha256: digest::hex(&scene.manifest.sha256),
        drift_key: scene.drift_key.map(HmacKey::id),
        generation: scene.steps.active(),
        entries: scene.wanted.iter().map(record).collect(),
        links,
        pending,
    })
}

fn entry_record(entry: Option<&FileEntry>, wanted: &Wanted) -> EntryRecord {
    let units = |list: fn(&FileEntry) -> &Vec<String>| entry.map(list).cloned().unwrap_or_default();
    EntryRecord {
        name: wanted.name.clone(),
        mode: wanted.mode,
        uid: wanted.uid,
        gid: wanted.gid,
        restart_units: units(|entry| &entry.restart_units),
        reload_units: units(|entry| &entry.reload_units),
        hmac: None,
    }
}

/// The directory that holds a target, from the root, without links.
fn directory_of(scene: Scene<'_>, path: &str) -> Result<PathBuf, Fault> {
    let path = Path::new(path);
    let place = scene.site.walk(path);
    place
        .map(|place| place.real_parent())
        .map_err(|hazard| target_fault(scene.site, path, TargetProblem::Way(hazard)))
}

fn text_at(scene: Scene<'_>, directory: &Path, name: &str) -> PathBuf {
    target_text(scene.site, scene.frame, scene.reals, directory, name)
}

fn active_link(scene: Scene<'_>, number: u64, random: &str) -> StagedLink {
    StagedLink {
        directory: scene.reals.link_parent.clone(),
        staged: format!("{LINK_PREFIX}{random}").into(),
        name: scene.reals.link_name.clone(),
        text: generation_text(scene.site, scene.frame, scene.reals, number),
        role: Role::Active,
    }
}

fn target_link(
    scene: Scene<'_>,
    wanted: &Wanted,
    staged: PathBuf,
) -> Result<Option<StagedLink>, Fault> {
    let Target::Outside(path) = &wanted.target else {
        return Ok(None);
    };
    let directory = directory_of(scene, path)?;
    Ok(Some(StagedLink {
        text: text_at(scene, &directory, &wanted.name),
        directory,
        staged,
        name: Path::new(path).file_name().unwrap_or_default().into(),
        role: Role::Target {
            path: path.clone(),
            entry: wanted.name.clone(),
            on_conflict: wanted.on_conflict,
            uid: wanted.uid,
            gid: wanted.gid,
        },
    }))
}

/// The ledger while the run lasts: all links that are ours before or after it, and all temporary names.
pub(super) fn intended_ledger(run: &Run, records: &Records) -> Ledger {
    let mut ledger = records.ledger.value().clone();
    for link in lasting(&run.next.links) {
        if !ledger.links.contains(&link) {
            ledger.links.push(link);
        }
    }
    let staged = run.staged.iter();
    ledger.staged.extend(
        staged
            .filter(|link| outlives_reboot(&link.directory))
            .cloned(),
    );
    ledger
}

/// All directories that are missing, each behind those above it.
pub(super) fn directories(
    site: &Site<'_>,
    mount: &Path,
    run: &Run,
    ledger: &Ledger,
    records: &Records,
) -> Result<Vec<PathBuf>, Fault> {
    let journal = Journal::new(Outcome::default(), Some(run.clone()));
    let mut wanted: Vec<&Path> = Vec::new();
    wanted.extend(records.journal.directory_for(&journal));
    wanted.extend(records.ledger.directory_for(ledger));
    if run.stage.is_some() {
        wanted.push(mount);
    }
    wanted.extend(run.staged.iter().map(|link| link.directory.as_path()));
    let mut all = Vec::new();
    for directory in wanted {
        let missing = parents::missing(site, directory)
            .map_err(|hazard| target_fault(site, directory, TargetProblem::Way(hazard)))?;
        for directory in missing {
            if !all.contains(&directory) {
                all.push(directory);
            }
        }
    }
    Ok(all)
}
