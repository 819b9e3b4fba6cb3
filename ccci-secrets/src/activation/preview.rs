//! What activation would do, found out without doing any of it: phases P0 to P5. Nothing is written, nothing is mounted,
//! no lock is taken.

use std::collections::BTreeSet;
use std::io;
use std::path::PathBuf;

use super::Options;
use super::accounts::Accounts;
use super::checks::CheckedCertificate;
use super::draft::Scene;
use super::fault::{Fault, Hazard, KeySource, Refusal, Warning};
use super::glance::{self, is_for_want_of_permission};
use super::manifest::Manifest;
use super::observe::{self, Frame};
use super::open::{self, NotOpened, OpenContext, Opened, Owners};
use super::owners::NOBODY_YET;
use super::provenance::FileProvenance;
use super::receipt::{Change, EntryResult};
use super::records::Records;
use super::transaction::{Seen, Transaction, site_of};
use super::units::Units;
use super::wanted::Wanted;
use crate::fs::{FileFacts, MemoryMount};
use crate::hmac_key::HmacKey;

/// What activation would do.
#[derive(Debug)]
#[non_exhaustive]
pub struct Preview {
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
    /// What would be mounted, and where.
    pub mount: Option<(MemoryMount, PathBuf)>,
    /// Every file that there would be, in the order of the manifest.
    pub entries: Vec<PreviewEntry>,
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
pub struct PreviewEntry {
    /// What a receipt would say.
    pub result: EntryResult,
    /// Whether what is there could be read. If not, its content is not known, and the file counts as changed.
    pub compared: bool,
    /// What the active generation has under this name.
    pub before: Option<Before>,
    /// The digest of its content under the key that was given.
    pub digest: Option<String>,
}

/// Mode and owner of a file as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Before {
    /// Mode.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
}

impl Before {
    pub(super) fn of(facts: &FileFacts) -> Self {
        Self {
            mode: facts.mode,
            uid: facts.uid,
            gid: facts.gid,
        }
    }
}

impl PreviewEntry {
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

impl Preview {
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

/// Finds out what [`super::activate`] would do. Nothing is changed, and no lock is taken; somebody who may not read
/// everything learns what can be seen without that.
///
/// # Errors
/// Every reason at once for which a run would be refused.
pub fn preview(manifest: &Manifest, mut options: Options<'_>) -> Result<Preview, Refusal> {
    let (ambient, gnupg) = (options.ambient.take(), options.gnupg.take());
    let checking = Some(options.checking());
    let open = |accounts: Option<&Accounts<'_>>| {
        let context = OpenContext {
            owners: accounts.map_or(Owners::AllRoot, Owners::Expected),
            ambient,
            gnupg,
            checking,
        };
        open::open(manifest, context)
    };
    let site = site_of(manifest, &options);
    let frame = Frame::of(manifest);
    let transaction = Transaction {
        site: &site,
        frame: &frame,
        manifest,
        options: &options,
    };
    transaction.preview(open).or_else(|mut refusal| {
        let is_permission = refusal.faults.iter().all(is_for_want_of_permission);
        if site.euid != 0 && is_permission {
            return Ok(glance::glance(transaction, refusal.warnings));
        }
        refusal.still_active = observe::active(&site, &frame);
        Err(refusal)
    })
}

impl Transaction<'_> {
    fn preview(
        &self,
        open: impl FnOnce(Option<&Accounts<'_>>) -> Result<Opened, Box<NotOpened>>,
    ) -> Result<Preview, Refusal> {
        let refuse = |fault| Refusal::new(vec![fault]);
        let paths = self.record_paths().map_err(refuse)?;
        let records = Records::read(self.site, &paths).map_err(refuse)?;
        let account_files = self.account_files().map_err(refuse)?;
        let accounts = account_files
            .as_ref()
            .map(|files| files.parse(self.options));
        let mut warnings = Vec::new();
        let (opened, missing) = self.open(open, accounts.as_ref(), &mut warnings)?;
        warnings.extend(opened.warnings);
        let seen = self
            .look(&opened.wanted, &records)
            .map_err(|faults| Refusal {
                warnings: warnings.clone(),
                ..Refusal::new(faults)
            })?;
        let mut units = self.units(&opened.wanted, &seen.plan, &records);
        let scene = Scene {
            site: self.site,
            frame: self.frame,
            reals: &seen.reals,
            manifest: self.manifest,
            wanted: &opened.wanted,
            mount: &seen.mount,
            plan: &seen.plan,
            keys_group: 0,
            drift_key: None,
            units: &units,
            untold: &BTreeSet::new(),
        };
        warnings.extend(self.warnings(scene));
        let entries = self.preview_entries(scene);
        let pending = &records.journal.value().active.pending;
        units.add(&pending.restart, &pending.reload);
        Ok(Preview {
            compared: seen.plan.compared,
            manifest_changed: self.has_new_manifest(&records),
            previous: seen.plan.previous,
            generation: seen.plan.generation,
            link: self.site.shown(&self.frame.link),
            mount: self.mount(&seen),
            entries,
            removed: seen.plan.removed.clone(),
            links_placed: self.links_placed(&opened.wanted, &seen.plan),
            links_removed: self.links_removed(&seen.plan),
            pruned: seen.plan.prune.clone(),
            foreign_keys_removed: self.foreign_keys_removed(&seen),
            units,
            unfinished: seen.plan.finish,
            unreadable_for: None,
            keys: opened.keys,
            provenance: opened.provenance,
            certificates: opened.certificates,
            warnings,
            faults: missing.unwrap_or_default(),
        })
    }

    fn foreign_keys_removed(&self, seen: &Seen) -> Vec<PathBuf> {
        let names = seen.plan.foreign_keys.iter();
        let paths = names.map(|name| seen.mount.real.join(name));
        paths.map(|path| self.site.shown(&path)).collect()
    }

    fn mount(&self, seen: &Seen) -> Option<(MemoryMount, PathBuf)> {
        let shown = || self.site.shown(&seen.reals.mount);
        seen.plan.mount.map(|what| (what, shown()))
    }

    fn preview_entries(&self, scene: Scene<'_>) -> Vec<PreviewEntry> {
        let before = |name: &str| {
            let found = self.file_of(scene.plan.previous?, name);
            found.ok().flatten().map(|facts| Before::of(&facts))
        };
        let digest = |wanted: &Wanted| {
            let key: Option<&HmacKey> = self.options.digest_key;
            key.map(|key| key.digest(&wanted.name, &wanted.content))
        };
        let results = self.entries(scene).into_iter().zip(scene.wanted);
        results
            .map(|(result, wanted)| PreviewEntry {
                compared: true,
                before: before(&result.name),
                digest: digest(wanted),
                result,
            })
            .collect()
    }

    /// What a generation has under a name.
    pub(super) fn file_of(&self, number: u64, name: &str) -> io::Result<Option<FileFacts>> {
        let path = self.frame.mount.join(number.to_string()).join(name);
        match self.site.walk(&path) {
            Ok(place) => self.site.look(&place),
            Err(Hazard::Io { source, .. }) => Err(source),
            Err(hazard) => Err(io::Error::other(hazard)),
        }
    }
}
