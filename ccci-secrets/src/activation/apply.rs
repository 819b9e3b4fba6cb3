//! Carries a plan out.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::os::fd::AsFd;
use std::time::Duration;

use super::Options;
use super::draft::{Draft, Scene, draft};
use super::fault::{Fault, Refusal, Warning, WarningKind};
use super::finish::{close, open_generation};
use super::generation::{commit, is_committed, seal, sync_commit};
use super::links::{self, place_all};
use super::manifest::MountWish;
use super::mount;
use super::parents;
use super::prune::{GRACE, prune};
use super::receipt::{FailedStep, Step};
use super::records::{Journal, Ledger, Records, Role, Run, StagedLink};
use super::stage;
use super::undo::Undo;
use super::units::{UnitManager, tell_pending};
use super::wanted::Directories;

/// What carrying out came to.
#[derive(Debug, Default)]
pub(super) struct Applied {
    /// Units that have to be told by a later run.
    pub(super) untold: BTreeSet<String>,
    pub(super) warnings: Vec<Warning>,
    pub(super) failed_step: Option<FailedStep>,
}

/// Makes what the plan says.
pub(super) fn apply(
    scene: Scene<'_>,
    records: &mut Records,
    options: &Options<'_>,
) -> Result<Applied, Refusal> {
    let before = records.ledger.value().clone();
    let draft = draft(scene, records).map_err(Refusal::of)?;
    let mut work = Work {
        scene,
        run: draft.run.clone(),
        mounted: false,
        applied: Applied::default(),
    };
    if let Err(fault) = work.up_to_commit(draft, records) {
        match is_committed(scene.site, &work.run) {
            Ok(true) => work.fail(Step::Commit, vec![fault]),
            Ok(false) => return Err(work.undo(fault, before, records)),
            // The journal leaves it to the next run.
            Err(unknown) => return Err(work.give_up(vec![fault, unknown])),
        }
    }
    work.after_commit(records);
    let is_complete = work.applied.failed_step.is_none();
    if let Some(manager) = options.units {
        work.tell_units(manager, records);
    }
    // Only when all links lead to the new generation.
    if is_complete {
        work.prune(options.pause);
    }
    Ok(work.applied)
}

/// A run under way.
struct Work<'a> {
    scene: Scene<'a>,
    run: Run,
    mounted: bool,
    applied: Applied,
}

impl Work<'_> {
    fn up_to_commit(&mut self, draft: Draft, records: &mut Records) -> Result<(), Fault> {
        let site = self.scene.site;
        records.journal.set(site, draft.journal)?;
        records.ledger.set(site, draft.ledger)?;
        if self.run.stage.is_some() {
            self.make_mount()?;
            self.make_stage()?;
        }
        for (link, directories) in self.run.staged.iter().zip(draft.manners) {
            links::stage(site, link, directories)?;
        }
        self.seal(records)?;
        match self.active_link() {
            Some(link) => commit(site, link, self.scene.steps.exchange),
            None => Ok(()),
        }
    }

    fn make_mount(&mut self) -> Result<(), Fault> {
        let Scene {
            site,
            mount,
            steps,
            manifest,
            ..
        } = self.scene;
        let directories = Directories {
            mode: manifest.dialect.mount_directory_mode(),
            ..Directories::default()
        };
        mount::make_directory(site, &mount.real, directories)?;
        if let Some(what) = steps.mount {
            let mounted = mount::mount(site, mount, what, manifest.allow_swap)?;
            self.mounted = mounted.made;
            self.applied.warnings.extend(mounted.warnings);
        }
        let is_ours = manifest.mount == MountWish::Auto || !mount.exists;
        match is_ours {
            true => mount::dress(site, &mount.real, self.scene.keys_group),
            false => Ok(()),
        }
    }

    fn make_stage(&self) -> Result<(), Fault> {
        let Some(stage) = &self.run.stage else {
            return Ok(());
        };
        let Scene {
            site,
            mount,
            wanted,
            keys_group,
            ..
        } = self.scene;
        let failed = |source| site.failed("open", &mount.real, source);
        let dir = parents::open(site, &mount.real).map_err(failed)?;
        let ground = stage::Ground {
            site,
            mount: dir.as_fd(),
            path: &mount.real,
            keys_group,
            persists: !site
                .fs
                .file_system(dir.as_fd())
                .map_err(failed)?
                .is_memory(),
        };
        stage::make(ground, stage, wanted)
    }

    /// Everything is made: it gets its number, and the journal says that only the commit is missing.
    fn seal(&mut self, records: &mut Records) -> Result<(), Fault> {
        let Scene { site, mount, .. } = self.scene;
        if let (Some(stage), Some(number)) = (&self.run.stage, self.run.next.generation) {
            let dir = parents::open(site, &mount.real)
                .map_err(|source| site.failed("open", &mount.real, source))?;
            seal(site, dir.as_fd(), &mount.real, stage, number)?;
        }
        let sealed = Run {
            sealed: true,
            ..self.run.clone()
        };
        let active = records.journal.value().active.clone();
        records
            .journal
            .set(site, Journal::new(active, Some(sealed.clone())))?;
        self.run = sealed;
        Ok(())
    }

    fn active_link(&self) -> Option<&StagedLink> {
        let mut staged = self.run.staged.iter();
        staged.find(|link| link.role == Role::Active)
    }

    fn undo(self, fault: Fault, ledger: Ledger, records: &mut Records) -> Refusal {
        let undo = Undo {
            site: self.scene.site,
            mount: &self.scene.mount.real,
            run: &self.run,
            mounted: self.mounted,
            ledger,
        };
        Refusal {
            left_behind: undo.roll_back(records),
            warnings: self.applied.warnings,
            ..Refusal::of(fault)
        }
    }

    fn give_up(self, faults: Vec<Fault>) -> Refusal {
        let Scene { site, mount, .. } = self.scene;
        let number = self.run.next.generation;
        Refusal {
            left_behind: number
                .map(|number| site.shown(&mount.real.join(number.to_string())))
                .into_iter()
                .collect(),
            warnings: self.applied.warnings,
            ..Refusal::new(faults)
        }
    }

    /// From here on nothing is undone; what fails is left to the next run.
    fn after_commit(&mut self, records: &mut Records) {
        let Scene {
            site, frame, steps, ..
        } = self.scene;
        if let Some(Err(fault)) = self.active_link().map(|link| sync_commit(site, link)) {
            self.fail(Step::Commit, vec![fault]);
        }
        if steps.exchange {
            let warning = Warning::at(WarningKind::DirectoryReplaced, &site.shown(&frame.link));
            self.applied.warnings.push(warning);
        }
        let generation = open_generation(site, &self.scene.mount.real, &self.run.next);
        let placed = place_all(site, generation.as_ref(), &self.run, records);
        self.applied.warnings.extend(placed.warnings);
        if !placed.faults.is_empty() {
            self.fail(Step::Links, placed.faults);
        } else if let Err(fault) = close(site, &self.run, Vec::new(), records) {
            self.fail(Step::Records, vec![fault]);
        }
    }

    fn tell_units(&mut self, manager: &UnitManager<'_>, records: &mut Records) {
        let Scene {
            site,
            manifest,
            untold,
            ..
        } = self.scene;
        let told = tell_pending(site, manifest, manager, records, untold);
        self.applied.warnings.extend(told.warnings);
        self.applied.untold = told.left;
        if !told.faults.is_empty() {
            self.fail(Step::Units, told.faults);
        }
    }

    fn prune(&mut self, pause: &dyn Fn(Duration)) {
        let steps = self.scene.steps;
        if steps.generation.is_some() && !steps.prune.is_empty() {
            pause(GRACE);
        }
        let Scene { site, mount, .. } = self.scene;
        let old = steps.prune.iter().map(|number| number.to_string().into());
        let names: Vec<OsString> = old.chain(steps.foreign_keys.iter().cloned()).collect();
        if names.is_empty() {
            return;
        }
        let faults = prune(site, &mount.real, &names);
        if !faults.is_empty() {
            self.fail(Step::Prune, faults);
            return;
        }
        for name in &steps.foreign_keys {
            let path = site.shown(&mount.real.join(name));
            let warning = Warning::at(WarningKind::ForeignKeyRemoved, &path);
            self.applied.warnings.push(warning);
        }
    }

    /// The first failure names the step.
    fn fail(&mut self, step: Step, faults: Vec<Fault>) {
        let failed = FailedStep { step, faults };
        self.applied.failed_step.get_or_insert(failed);
    }
}
