//! The order of everything: lock, finish, open, look, plan, carry out.
//!
//! Up to the commit an error means that all is as before; behind it, that the new generation is active and the journal
//! names what is missing.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::Options;
use super::accounts::Accounts;
use super::apply::{Applied, apply};
use super::draft::{Scene, outcome};
use super::drift_key;
use super::fault::{EarlierRun, Fault, Refusal, Warning, WarningKind};
use super::finish::{close, finish};
use super::kernel::maps_group;
use super::lock::{Lock, Patience};
use super::manifest::{Manifest, ManifestFault, ManifestProblem, OnFirstBoot};
use super::naming::Naming;
use super::observe::{self, Found, Frame, Reals};
use super::open::{NotOpened, Opened};
use super::receipt::{FailedStep, Receipt, Step, UnitAction, UnitResult};
use super::records::{Home, RecordPaths, Records, Run};
use super::site::Site;
use super::units::{Units, tell_pending};
use super::wanted::Wanted;
use crate::fs::{FileKind, RealFs};

/// The whole run. `open` is phase P4; it gets no accounts if nobody is to be looked up.
pub(super) fn run(
    manifest: &Manifest,
    options: &Options<'_>,
    open: impl FnOnce(Option<&Accounts<'_>>) -> Result<Opened, Box<NotOpened>>,
) -> Result<Receipt, Refusal> {
    Transaction::with(manifest, options, |transaction| transaction.run(open))
}

/// The tree that a manifest is about.
pub(super) fn site_of<'a>(manifest: &Manifest, options: &Options<'a>) -> Site<'a> {
    let site = Site::new(options.fs, options.root);
    match manifest.user_mode {
        true => site.of_user(),
        false => site,
    }
}

/// Whose records hold for a manifest.
pub(super) fn home_of<'a>(
    site: &Site<'_>,
    manifest: &'a Manifest,
    options: &Options<'a>,
) -> Result<Home<'a>, Fault> {
    if !manifest.user_mode {
        return Ok(match site.tree.rebased {
            true => Home::Tree,
            false => Home::System,
        });
    }
    let fault = |problem| {
        Fault::Manifest(ManifestFault {
            pointer: "/userMode".into(),
            problem,
        })
    };
    let runtime = manifest.runtime_directory.as_deref();
    let runtime = runtime.ok_or_else(|| fault(ManifestProblem::NoRuntimeDirectory))?;
    if site.tree.rebased {
        return Ok(Home::Tree);
    }
    match fit_runtime_directory(site, runtime) {
        Ok(()) => Ok(Home::User {
            runtime,
            state: options.state_home.unwrap_or(runtime),
        }),
        Err(problem) => Err(fault(ManifestProblem::RuntimeDirectory {
            path: runtime.into(),
            fault: problem,
        })),
    }
}

/// Secrets of a user go nowhere but into a directory that nobody else can enter.
fn fit_runtime_directory(site: &Site<'_>, path: &Path) -> Result<(), &'static str> {
    if !path.is_absolute() {
        return Err("is not an absolute path");
    }
    let place = site.walk(path).map_err(|_| "cannot be reached")?;
    let facts = site.look(&place).map_err(|_| "cannot be looked at")?;
    let facts = facts.ok_or("does not exist")?;
    match () {
        () if facts.kind != FileKind::Directory => Err("is not a directory"),
        () if facts.uid != site.euid => Err("belongs to somebody else"),
        () if facts.mode & 0o077 != 0 => Err("is open to others: its mode has to be 0700"),
        () => Ok(()),
    }
}

/// Where a run plays, and what it is to do.
#[derive(Clone, Copy)]
pub(super) struct Transaction<'a> {
    pub(super) site: &'a Site<'a>,
    pub(super) frame: &'a Frame,
    pub(super) manifest: &'a Manifest,
    pub(super) options: &'a Options<'a>,
}

impl Transaction<'_> {
    /// Does something where a manifest plays. A refusal says what is still active.
    pub(super) fn with<T>(
        manifest: &Manifest,
        options: &Options<'_>,
        work: impl FnOnce(Transaction<'_>) -> Result<T, Refusal>,
    ) -> Result<T, Refusal> {
        let site = site_of(manifest, options);
        let frame = Frame::of(manifest);
        let transaction = Transaction {
            site: &site,
            frame: &frame,
            manifest,
            options,
        };
        work(transaction).map_err(|mut refusal| {
            refusal.still_active = observe::active(&site, &frame);
            refusal
        })
    }

    fn run(
        &self,
        open: impl FnOnce(Option<&Accounts<'_>>) -> Result<Opened, Box<NotOpened>>,
    ) -> Result<Receipt, Refusal> {
        self.locked(|paths| self.under_lock(&self.real_mount(), paths, open))
    }

    /// Where the mount really is: two spellings of one place share their records. One that cannot be walked is refused when
    /// it is looked at, together with whatever else is wrong.
    pub(super) fn real_mount(&self) -> PathBuf {
        let place = self.site.walk(&self.frame.mount);
        place.map_or_else(|_| self.frame.mount.clone(), |place| place.real_path())
    }

    pub(super) fn record_paths(&self) -> Result<RecordPaths, Fault> {
        let home = home_of(self.site, self.manifest, self.options)?;
        Ok(RecordPaths::of(&self.real_mount(), home))
    }

    /// Does something while no other run does anything. A refusal leaves no trace of the lock.
    pub(super) fn locked<T>(
        &self,
        work: impl FnOnce(&RecordPaths) -> Result<T, Refusal>,
    ) -> Result<T, Refusal> {
        let paths = self.record_paths().map_err(Refusal::of)?;
        let patience = Patience {
            timeout: self.options.lock_timeout,
            pause: self.options.pause,
        };
        let lock = Lock::take(self.site, &paths.lock, patience).map_err(Refusal::of)?;
        work(&paths).map_err(|mut refusal| {
            refusal.left_behind.extend(lock.withdraw(self.site));
            refusal
        })
    }

    fn under_lock(
        &self,
        real_mount: &Path,
        paths: &RecordPaths,
        open: impl FnOnce(Option<&Accounts<'_>>) -> Result<Opened, Box<NotOpened>>,
    ) -> Result<Receipt, Refusal> {
        let mut records = Records::read(self.site, paths).map_err(Refusal::of)?;
        let waited = records.journal.value().active.pending.clone();
        let was_unfinished = records.is_unfinished();
        let mut warnings = finish_earlier(self.site, real_mount, &mut records)?;
        let before = self.tell_pending(&mut records, &mut warnings);
        let told = records.journal.value().active.pending != waited;
        let earlier_run = match was_unfinished || told {
            true => EarlierRun::Finished,
            false => EarlierRun::Untouched,
        };
        match self.anew(before, warnings, paths, records, open) {
            Ok(receipt) => Ok(Receipt {
                earlier_run,
                ..receipt
            }),
            Err(refusal) => Err(refusal.after(earlier_run)),
        }
    }

    /// What this run does, after all earlier ones.
    fn anew(
        &self,
        before: Before,
        mut warnings: Vec<Warning>,
        paths: &RecordPaths,
        mut records: Records,
        open: impl FnOnce(Option<&Accounts<'_>>) -> Result<Opened, Box<NotOpened>>,
    ) -> Result<Receipt, Refusal> {
        let untold = before.left;
        let account_files = self.account_files().map_err(Refusal::of)?;
        let accounts = account_files
            .as_ref()
            .map(|files| files.parse(self.options));
        let (opened, missing) = self.open(open, accounts.as_ref(), &mut warnings)?;
        warnings.extend(opened.warnings.iter().cloned());
        let refused = |faults| refusal(faults, warnings.clone());
        let (reals, found) = self.look(&opened.wanted, &records).map_err(refused)?;
        let mount = found.mount.clone();
        let naming = self.naming();
        let steps = naming.decide(&opened.wanted, found).map_err(refused)?;
        let is_mapped = |gid| maps_group(self.site.fs, gid);
        let keys_group = accounts.map_or(0, |accounts| accounts.keys_group(is_mapped));
        let last = &records.journal.value().active;
        let units = naming.units(&opened.wanted, &steps, last);
        let manifest_changed = naming.has_new_manifest(last);
        let nobody = Units::default();
        let drift_key = drift_key::read(self.site, &paths.drift_key);
        let scene = Scene {
            site: self.site,
            frame: self.frame,
            reals: &reals,
            manifest: self.manifest,
            wanted: &opened.wanted,
            mount: &mount,
            steps: &steps,
            keys_group,
            drift_key: drift_key.as_ref(),
            units: match self.options.units {
                Some(_) => &units,
                None => &nobody,
            },
            untold: &untold,
        };
        warnings.extend(naming.warnings(&steps, &mount));
        let done = self.carry_out(scene, &mut records, &mut warnings)?;
        let unwritten = match drift_key {
            Some(_) => None,
            None => self.make_drift_key(scene, &paths.drift_key, &mut records, &mut warnings),
        };
        let results = self.unit_results(&units, &done.untold);
        // Only now: before the commit there was nothing to tell them.
        let untold = results.iter().filter(|_| self.options.units.is_none());
        warnings
            .extend(untold.map(|unit| Warning::new(WarningKind::UnitsNotRestarted, &unit.unit)));
        Ok(Receipt {
            compared: steps.compared,
            manifest_changed,
            earlier_run: EarlierRun::Untouched,
            previous: steps.previous,
            generation: steps.generation,
            link: naming.link(),
            entries: naming.entries(&opened.wanted, &steps),
            removed: steps.removed.clone(),
            links_placed: naming.links_placed(&opened.wanted, &steps),
            links_removed: naming.links_removed(&steps),
            keys: opened.keys,
            provenance: opened.provenance,
            certificates: opened.certificates,
            units: results,
            warnings,
            failed_step: done
                .failed_step
                .or(unwritten)
                .or_else(|| missing.map(not_everything))
                .or(before.failed_step),
        })
    }

    /// None when nobody is looked up: then they need not even be readable.
    pub(super) fn account_files(&self) -> Result<Option<AccountFiles>, Fault> {
        match self.options.ignore_passwd || self.manifest.user_mode {
            true => Ok(None),
            false => AccountFiles::read(self.site).map(Some),
        }
    }

    /// P4. On a first boot the manifest may ask for whatever is sound; the faults of the rest come with it.
    pub(super) fn open(
        &self,
        open: impl FnOnce(Option<&Accounts<'_>>) -> Result<Opened, Box<NotOpened>>,
        accounts: Option<&Accounts<'_>>,
        warnings: &mut Vec<Warning>,
    ) -> Result<(Opened, Option<Vec<Fault>>), Refusal> {
        let not_opened = match open(accounts) {
            Ok(opened) => return Ok((opened, None)),
            Err(not_opened) => *not_opened,
        };
        let is_first = observe::active(self.site, self.frame).is_none();
        let may_be_partial = is_first && self.manifest.on_first_boot == OnFirstBoot::Partial;
        match not_opened.sound {
            Some(sound) if may_be_partial => Ok((sound, Some(not_opened.faults))),
            _ => {
                let mut faults = not_opened.faults;
                faults.extend(observe::obstacles(self.site, self.frame, self.manifest));
                warnings.extend(not_opened.warnings);
                Err(refusal(faults, std::mem::take(warnings)))
            }
        }
    }

    /// P3 and what P5 compares with.
    pub(super) fn look(
        &self,
        wanted: &[Wanted],
        records: &Records,
    ) -> Result<(Reals, Found), Vec<Fault>> {
        let reals = Reals::find(self.site, self.frame)?;
        let found = observe::find(self.site, self.frame, self.manifest, wanted, records)?;
        Ok((reals, found))
    }

    /// What is seen, in the words of the manifest.
    pub(super) fn naming(&self) -> Naming<'_> {
        Naming {
            tree: &self.site.tree,
            frame: self.frame,
            manifest: self.manifest,
        }
    }

    /// P6 to P13.
    fn carry_out(
        &self,
        scene: Scene<'_>,
        records: &mut Records,
        warnings: &mut Vec<Warning>,
    ) -> Result<Applied, Refusal> {
        if scene.steps.changes_nothing() {
            // The manifest may have changed in ways that no file shows.
            return outcome(scene, records)
                .map(|next| Run {
                    next,
                    ..Run::default()
                })
                .and_then(|run| close(self.site, &run, Vec::new(), records))
                .map(|()| Applied::default())
                .map_err(|fault| refusal(vec![fault], std::mem::take(warnings)));
        }
        match apply(scene, records, self.options) {
            Ok(mut applied) => {
                warnings.append(&mut applied.warnings);
                Ok(applied)
            }
            Err(mut refusal) => {
                warnings.append(&mut refusal.warnings);
                refusal.warnings = std::mem::take(warnings);
                Err(refusal)
            }
        }
    }

    /// The key for digests of contents, and the digests. Without it there is less to verify with, and all else is well.
    fn make_drift_key(
        &self,
        scene: Scene<'_>,
        path: &Path,
        records: &mut Records,
        warnings: &mut Vec<Warning>,
    ) -> Option<FailedStep> {
        let Options {
            make_key, pause, ..
        } = self.options;
        let Ok(obtained) = drift_key::obtain(self.site, path, *make_key, *pause) else {
            let path = self.site.shown(path);
            warnings.push(Warning::at(WarningKind::DriftKeyMissing, &path));
            return None;
        };
        if let Some(aside) = &obtained.damaged {
            let aside = self.site.shown(aside);
            warnings.push(Warning::at(WarningKind::DriftKeyDamaged, &aside));
        }
        let entered = drift_key::enter(self.site, &obtained.key, scene.wanted, records);
        entered.err().map(|fault| FailedStep {
            step: Step::Records,
            faults: vec![fault],
        })
    }

    /// Units that a run before this one should have told; what could not be told is a failed step of this one.
    fn tell_pending(&self, records: &mut Records, warnings: &mut Vec<Warning>) -> Before {
        let Some(manager) = self.options.units else {
            return Before::default();
        };
        let nobody = BTreeSet::new();
        let told = tell_pending(self.site, self.manifest, manager, records, &nobody);
        warnings.extend(told.warnings);
        Before {
            left: told.left,
            failed_step: (!told.faults.is_empty()).then_some(FailedStep {
                step: Step::Units,
                faults: told.faults,
            }),
        }
    }

    fn unit_results(&self, units: &Units, untold: &BTreeSet<String>) -> Vec<UnitResult> {
        let is_told = |unit: &str| self.options.units.is_some() && !untold.contains(unit);
        let result = |action, unit: &String| UnitResult {
            unit: unit.clone(),
            action,
            told: is_told(unit),
        };
        let restart = units.restart.iter();
        let reload = units.reload.iter();
        restart
            .map(|unit| result(UnitAction::Restart, unit))
            .chain(reload.map(|unit| result(UnitAction::Reload, unit)))
            .collect()
    }
}

/// Finishes what earlier runs left, and says in a refusal that it had begun to.
pub(super) fn finish_earlier(
    site: &Site<'_>,
    mount: &Path,
    records: &mut Records,
) -> Result<Vec<Warning>, Refusal> {
    let begun = match records.is_unfinished() {
        true => EarlierRun::Begun,
        false => EarlierRun::Untouched,
    };
    finish(site, mount, records).map_err(|fault| Refusal::of(fault).after(begun))
}

/// What telling the units of an earlier run came to.
#[derive(Default)]
struct Before {
    /// Units that could not be told.
    left: BTreeSet<String>,
    failed_step: Option<FailedStep>,
}

fn refusal(faults: Vec<Fault>, warnings: Vec<Warning>) -> Refusal {
    Refusal {
        warnings,
        ..Refusal::new(faults)
    }
}

fn not_everything(faults: Vec<Fault>) -> FailedStep {
    FailedStep {
        step: Step::Open,
        faults,
    }
}

fn read_public(site: &Site<'_>, path: &Path) -> Result<Option<Vec<u8>>, Fault> {
    let text = site
        .read_small(path)
        .map_err(|source| site.failed("read", path, source))?;
    // EXPOSE: names and numbers of accounts, which everybody may read.
    Ok(text.map(|text| text.expose().to_vec()))
}

/// `passwd` and `group` of the tree, or, where a tree that was given has none, of the machine.
pub(super) struct AccountFiles {
    passwd: Vec<u8>,
    group: Vec<u8>,
    of_tree: bool,
}

impl AccountFiles {
    pub(super) fn read(site: &Site<'_>) -> Result<Self, Fault> {
        let (passwd, group) = (Path::new("/etc/passwd"), Path::new("/etc/group"));
        let own = read_public(site, passwd)?;
        let of_tree = site.tree.rebased && own.is_some();
        if site.tree.rebased && !of_tree {
            let machine = RealFs::new();
            return Self::read(&Site::new(&machine, None));
        }
        Ok(Self {
            passwd: own.unwrap_or_default(),
            group: read_public(site, group)?.unwrap_or_default(),
            of_tree,
        })
    }

    pub(super) fn parse<'a>(&self, options: &Options<'a>) -> Accounts<'a> {
        // Another system's accounts are not those of this machine's directory service.
        let elsewhere = options.accounts.filter(|_| !self.of_tree);
        Accounts::parse(&self.passwd, &self.group, elsewhere)
    }
}
