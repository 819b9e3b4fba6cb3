//! What activation would do, found out without doing any of it: phases P0 to P5. Nothing is written, nothing is mounted,
//! no lock is taken.

use std::path::PathBuf;

use super::Options;
use super::checks::CheckedCertificate;
use super::contents::open;
pub use super::current::Before;
use super::fault::{Fault, KeySource, Refusal, Warning};
use super::glance::{glance, is_for_want_of_permission};
use super::manifest::Manifest;
use super::naming::Naming;
use super::observed::{Observed, observe};
use super::open::Opened;
use super::owners::NOBODY_YET;
use super::provenance::FileProvenance;
use super::receipt::{Change, EntryResult};
use super::records::Records;
use super::transaction::Transaction;
use super::units::Units;
use crate::fs::MemoryMount;

/// What activation would do, and nothing of what it would write: a plan names files and holds none of their contents, but
/// for a digest that somebody has asked for with a key.
///
/// Only [`plan`] and [`preview`] make one. Planning reads neither file nor clock: of the same [`Observed`] comes the same
/// plan, and it is what [`super::activate`] itself goes by, as long as nothing changes between the two.
#[derive(Debug)]
#[non_exhaustive]
pub struct Plan {
    /// There is something to compare with: without it every file counts as added, and no unit would be told.
    pub compared: bool,
    /// The manifest is another one than that of the last run.
    pub manifest_changed: bool,
    /// The generation that is active.
    pub previous: Option<u64>,
    /// The generation that would be made; none if nothing changes, or if nobody can tell.
    pub generation: Option<u64>,
    /// The link under which the active generation is read, as it is seen from outside.
    pub link: PathBuf,
    /// What the link says, if it leads nowhere.
    pub link_dangles: Option<PathBuf>,
    /// What would be mounted, and where.
    pub mount: Option<(MemoryMount, PathBuf)>,
    /// Every file that there would be, in the order of the manifest.
    pub entries: Vec<PlanEntry>,
    /// Names that are in the active generation and would go.
    pub removed: Vec<String>,
    /// Links beside the generation that would be placed, as they are seen from outside.
    pub links_placed: Vec<PathBuf>,
    /// Links of earlier runs that would be removed, as they are seen from outside.
    pub links_removed: Vec<PathBuf>,
    /// Generations that would be removed.
    pub pruned: Vec<u64>,
    /// Private keys that sops-nix has left beside the generations and that would be removed, as they are seen from outside.
    pub foreign_keys_removed: Vec<PathBuf>,
    /// Units that would be told.
    pub units: Units,
    /// A run before this one did not come to its end: activation would finish it first.
    pub unfinished: bool,
    /// The user who may not read everything, so that some things are not known.
    pub unreadable_for: Option<u32>,
    /// What came of each source of keys that the manifest names.
    pub keys: Vec<KeySource>,
    /// Where the contents come from.
    pub provenance: Vec<FileProvenance>,
    /// Certificates that were checked.
    pub certificates: Vec<CheckedCertificate>,
    /// What was noticed.
    pub warnings: Vec<Warning>,
    /// Why not everything would be there, on a first boot for which the manifest allows that.
    pub faults: Vec<Fault>,
}

/// One file as it would be.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PlanEntry {
    /// What a receipt would say.
    pub result: EntryResult,
    /// Whether what is there could be read. If not, its content is not known, and the file counts as changed.
    pub compared: bool,
    /// What the active generation has under this name.
    pub before: Option<Before>,
    /// The digest of its content under the key that was given.
    pub digest: Option<String>,
}

impl PlanEntry {
    /// How the file would change; none if that is not known.
    #[must_use]
    pub fn change(&self) -> Option<Change> {
        self.compared.then_some(self.result.change)
    }

    /// The owner; none if the account does not exist yet.
    #[must_use]
    pub fn uid(&self) -> Option<u32> {
        existing(self.result.uid)
    }

    /// The group; none if it does not exist yet.
    #[must_use]
    pub fn gid(&self) -> Option<u32> {
        existing(self.result.gid)
    }
}

fn existing(id: u32) -> Option<u32> {
    (id != NOBODY_YET).then_some(id)
}

impl Plan {
    /// Whether activation would do nothing; false if that is not known.
    #[must_use]
    pub fn changes_nothing(&self) -> bool {
        self.unreadable_for.is_none()
            && self.generation.is_none()
            && self.links_placed.is_empty()
            && self.links_removed.is_empty()
            && self.pruned.is_empty()
            && self.foreign_keys_removed.is_empty()
            && !self.unfinished
    }
}

/// Decides what would be done about what was seen. Pure: nothing is read, whatever time it is.
///
/// ```
/// # use std::path::Path;
/// use ccci_secrets::activation::manifest::Manifest;
/// use ccci_secrets::activation::{Options, Plan, observe, open, plan};
/// use ccci_secrets::fs::RealFs;
///
/// let text = br#"{
///   "secrets": [],
///   "templates": [],
///   "secretsMountPoint": "/run/secrets.d",
///   "symlinkPath": "/run/secrets",
///   "keepGenerations": 1
/// }"#;
/// let manifest = Manifest::parse(text, Path::new("/etc/ccsec")).expect("a manifest");
/// let fs = RealFs::new();
/// let root = std::env::temp_dir().join("a-root-that-nobody-has-made");
/// let mut options = Options::new(&fs, &std::thread::sleep);
/// options.root = Some(&root);
///
/// let contents = open(&manifest, &mut options)?;
/// let observed = observe(contents, &options)?;
/// assert_eq!(observed.generation(), None);
/// let plan: Plan = plan(observed)?;
/// assert_eq!(plan.generation, Some(1));
/// assert!(!root.exists());
/// # Ok::<(), ccci_secrets::activation::fault::Refusal>(())
/// ```
///
/// A plan is not made in any other way:
///
/// ```compile_fail,E0639
/// use ccci_secrets::activation::{Plan, plan};
/// # fn f(observed: ccci_secrets::activation::Observed<'_>) {
/// let plan: Plan = plan(observed).expect("a plan");
/// let other = Plan { generation: None, ..plan };
/// # }
/// ```
///
/// # Errors
/// Everything that stands where a file has to go, and is not to give way.
pub fn plan(observed: Observed<'_>) -> Result<Plan, Refusal> {
    let still_active = observed.active();
    let Observed {
        contents,
        tree,
        frame,
        reals,
        found,
        last,
    } = observed;
    let naming = Naming {
        tree: &tree,
        frame: &frame,
        manifest: contents.manifest,
    };
    let Opened {
        wanted,
        keys,
        provenance,
        certificates,
        mut warnings,
    } = contents.opened;
    let mount = found.mount.clone();
    let before = found.before();
    let link_dangles = found.lost_link();
    let steps = match naming.decide(&wanted, found) {
        Ok(steps) => steps,
        Err(faults) => {
            return Err(Refusal {
                warnings,
                still_active,
                ..Refusal::new(faults)
            });
        }
    };
    let mut units = naming.units(&wanted, &steps, &last);
    units.add(&last.pending.restart, &last.pending.reload);
    warnings.extend(naming.warnings(&steps, &mount));
    let results = naming.entries(&wanted, &steps).into_iter();
    let entries = results.zip(contents.digests).enumerate();
    let foreign_keys = steps.foreign_keys.iter();
    let foreign_keys = foreign_keys.map(|name| tree.shown(&mount.real.join(name)));
    Ok(Plan {
        compared: steps.compared,
        manifest_changed: naming.has_new_manifest(&last),
        previous: steps.previous,
        generation: steps.generation,
        link: naming.link(),
        link_dangles,
        mount: steps.mount.map(|what| (what, tree.shown(&reals.mount))),
        entries: entries
            .map(|(nth, (result, digest))| PlanEntry {
                result,
                compared: true,
                before: before.get(nth).copied().flatten(),
                digest,
            })
            .collect(),
        links_placed: naming.links_placed(&wanted, &steps),
        links_removed: naming.links_removed(&steps),
        foreign_keys_removed: foreign_keys.collect(),
        removed: steps.removed,
        pruned: steps.prune,
        units,
        unfinished: steps.finish,
        unreadable_for: None,
        keys,
        provenance,
        certificates,
        warnings,
        faults: contents.missing.unwrap_or_default(),
    })
}

/// Opens, observes and plans: what [`super::activate`] would do. Nothing is changed, and no lock is taken; somebody who may
/// not read everything learns what can be seen without that.
///
/// # Errors
/// Every reason at once for which a run would be refused.
pub fn preview(manifest: &Manifest, mut options: Options<'_>) -> Result<Plan, Refusal> {
    let result = records_are_readable(manifest, &options)
        .and_then(|()| open(manifest, &mut options))
        .and_then(|contents| observe(contents, &options))
        .and_then(plan);
    result.or_else(|refusal| {
        let is_permission = refusal.faults.iter().all(is_for_want_of_permission);
        match is_permission && options.fs.effective_uid() != 0 {
            true => Ok(glance(manifest, &options, refusal.warnings)),
            false => Err(refusal),
        }
    })
}

/// Whoever may not read what earlier runs have written down is not asked for keys.
fn records_are_readable(manifest: &Manifest, options: &Options<'_>) -> Result<(), Refusal> {
    Transaction::with(manifest, options, |transaction| {
        let paths = transaction.record_paths().map_err(Refusal::of)?;
        Records::read(transaction.site, &paths).map_err(Refusal::of)?;
        Ok(())
    })
}
