//! What activation would do, found out without doing any of it: phases P0 to P5. Nothing is written, nothing is mounted,
//! no lock is taken.

use std::path::{Path, PathBuf};

use super::Options;
use super::accounts::Accounts;
use super::checks::CheckedCertificate;
use super::fault::{Fault, Refusal, Warning};
use super::glance::{self, is_for_want_of_permission};
use super::manifest::{Manifest, ManifestProblem};
use super::observe;
use super::open::{self, OpenContext, Opened, Owners};
use super::owners::UNKNOWN;
use super::provenance::FileProvenance;
use super::receipt::{Change, Origin};
use super::records::Records;
use super::transaction::{AccountFiles, Seen, Transaction};
use super::units::Units;
use super::wanted::Wanted;
use crate::fs::{FileFacts, MemoryMount};
use crate::hmac_key::HmacKey;

/// What activation would do.
#[derive(Debug)]
#[non_exhaustive]
pub struct Preview {
    /// The generation that is active.
    pub previous: Option<u64>,
    /// The generation that would be made; none if nothing changes, or if nobody can tell.
    pub generation: Option<u64>,
    /// The link under which the active generation is read, as it is seen from outside.
    pub link: PathBuf,
    /// What would be mounted, and where.
    pub mount: Option<(MemoryMount, PathBuf)>,
    /// Every file of the generation, in the order of the manifest.
    pub entries: Vec<PreviewEntry>,
    /// Names that would go.
    pub removed: Vec<String>,
    /// Links beside the generation that would be placed, as they are seen from outside.
    pub links_placed: Vec<PathBuf>,
    /// Links of earlier runs that would be removed, as they are seen from outside.
    pub links_removed: Vec<PathBuf>,
    /// Old generations that would be removed.
    pub pruned: Vec<u64>,
    /// Units that would be told.
    pub units: Units,
    /// Users and groups that do not exist yet, each with what it is; the configuration that names them may bring them.
    pub missing_accounts: Vec<(&'static str, String)>,
    /// Why not everything would be there after a first boot; none where nothing but everything will do.
    pub faults: Vec<Fault>,
    /// A run before this one did not come to its end: activation would finish it first.
    pub unfinished: bool,
    /// The user who may not read everything, so that some things are not known.
    pub unreadable_for: Option<u32>,
    /// Where the contents come from.
    pub provenance: Vec<FileProvenance>,
    /// Certificates that were checked.
    pub certificates: Vec<CheckedCertificate>,
    /// What was noticed.
    pub warnings: Vec<Warning>,
}

/// One file as it would be.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PreviewEntry {
    /// Its name below the generation.
    pub name: String,
    /// Where its content comes from.
    pub origin: Origin,
    /// Where else it can be read, as it is seen from outside.
    pub path: Option<PathBuf>,
    /// Its mode.
    pub mode: u32,
    /// Owner; none if the account does not exist yet.
    pub uid: Option<u32>,
    /// Group; none if it does not exist yet.
    pub gid: Option<u32>,
    /// What the active generation has under this name.
    pub before: Option<Before>,
    /// How it would change; none if it cannot be read.
    pub change: Option<Change>,
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

impl Preview {
    /// Whether activation would do nothing; false if that is not known.
    #[must_use]
    pub fn changes_nothing(&self) -> bool {
        self.unreadable_for.is_none()
            && self.generation.is_none()
            && self.links_placed.is_empty()
            && self.links_removed.is_empty()
            && self.pruned.is_empty()
            && !self.unfinished
    }
}

/// Finds out what [`super::activate`] would do. Contents get digests under the key, if one is given.
///
/// # Errors
/// Every reason why it would refuse, at once.
pub fn preview(
    manifest: &Manifest,
    mut options: Options<'_>,
    key: Option<&HmacKey>,
) -> Result<Preview, Refusal> {
    let ambient = options.ambient.take();
    let checking = options.checking();
    let open = |accounts: Option<&Accounts<'_>>| {
        let context = OpenContext {
            owners: accounts.map_or(Owners::AllRoot, Owners::IfKnown),
            ambient,
            checking: Some(checking),
        };
        open::open(manifest, context)
    };
    let site = super::site::Site::new(options.fs, options.root);
    let frame = observe::Frame::of(manifest);
    let transaction = Transaction {
        site: &site,
        frame: &frame,
        manifest,
        options: &options,
    };
    look(transaction, key, open).or_else(|mut refusal| {
        let is_permission = refusal.faults.iter().all(is_for_want_of_permission);
        if !site.is_root_user() && is_permission {
            return Ok(glance::glance(transaction, refusal.warnings));
        }
        refusal.still_active = observe::active(&site, &frame);
        Err(refusal)
    })
}

fn look(
    transaction: Transaction<'_>,
    key: Option<&HmacKey>,
    open: impl FnOnce(Option<&Accounts<'_>>) -> Result<Opened, Box<open::NotOpened>>,
) -> Result<Preview, Refusal> {
    let Transaction {
        site,
        manifest,
        options,
        ..
    } = transaction;
    let refuse = |fault| Refusal::new(vec![fault]);
    let records = Records::read(site, &transaction.record_paths()).map_err(refuse)?;
    let account_files = AccountFiles::read(site).map_err(refuse)?;
    let accounts = account_files.parse(options);
    let mut warnings = Vec::new();
    let (opened, missing) = transaction.open(open, accounts.as_ref(), &mut warnings)?;
    warnings.extend(opened.warnings);
    let seen = transaction
        .look(&opened.wanted, &records)
        .map_err(Refusal::new)?;
    let mut units = transaction.units(&opened.wanted, &seen.plan, &records);
    let pending = &records.journal.value().active.pending;
    units.add(&pending.restart, &pending.reload);
    warnings.extend(seen.plan.warnings.iter().cloned());
    let foreseen = Foreseen {
        transaction,
        seen: &seen,
        wanted: &opened.wanted,
    };
    Ok(Preview {
        previous: seen.plan.previous,
        generation: seen.plan.generation,
        link: site.shown(&transaction.frame.link),
        mount: foreseen.mount(),
        entries: foreseen.entries(key),
        removed: seen.plan.removed.clone(),
        links_placed: transaction.links_placed(&opened.wanted, &seen.plan),
        links_removed: transaction.links_removed(&seen.plan),
        pruned: seen.plan.prune.clone(),
        units,
        missing_accounts: missing_accounts(manifest, accounts.as_ref()),
        faults: missing.unwrap_or_default(),
        unfinished: seen.plan.finish,
        unreadable_for: None,
        provenance: opened.provenance,
        certificates: opened.certificates,
        warnings,
    })
}

/// What was found and decided.
struct Foreseen<'a> {
    transaction: Transaction<'a>,
    seen: &'a Seen,
    wanted: &'a [Wanted],
}

impl Foreseen<'_> {
    fn mount(&self) -> Option<(MemoryMount, PathBuf)> {
        let shown = || self.transaction.site.shown(&self.seen.reals.mount);
        self.seen.plan.mount.map(|what| (what, shown()))
    }

    fn entries(&self, key: Option<&HmacKey>) -> Vec<PreviewEntry> {
        let known = |id: u32| (id != UNKNOWN).then_some(id);
        let entry = |(wanted, change): (&Wanted, &Change)| PreviewEntry {
            name: wanted.name.clone(),
            origin: wanted.origin.clone(),
            path: self.transaction.target_shown(&wanted.target),
            mode: wanted.mode,
            uid: known(wanted.uid),
            gid: known(wanted.gid),
            before: self.before(&wanted.name),
            change: Some(*change),
            digest: key.map(|key| key.digest(&wanted.name, &wanted.content)),
        };
        let changes = self.seen.plan.changes.iter();
        self.wanted.iter().zip(changes).map(entry).collect()
    }

    fn before(&self, name: &str) -> Option<Before> {
        let number = self.seen.plan.previous?;
        let found = self.transaction.file_of(number, name).ok().flatten()?;
        Some(Before::of(&found))
    }
}

fn missing_accounts(
    manifest: &Manifest,
    accounts: Option<&Accounts<'_>>,
) -> Vec<(&'static str, String)> {
    let Some(accounts) = accounts else {
        return Vec::new();
    };
    let mut missing = Vec::new();
    for file in manifest.files() {
        for fault in Owners::Of(accounts).of(file).err().unwrap_or_default() {
            if let ManifestProblem::UnknownAccount { kind, name } = fault.problem
                && !missing.contains(&(kind, name.clone()))
            {
                missing.push((kind, name));
            }
        }
    }
    missing
}

impl Transaction<'_> {
    /// What a generation has under a name.
    pub(super) fn file_of(&self, number: u64, name: &str) -> std::io::Result<Option<FileFacts>> {
        let path = self.frame.mount.join(number.to_string()).join(name);
        match self.site.walk(Path::new(&path)) {
            Ok(place) => self.site.look(&place),
            Err(super::fault::Hazard::Io { source, .. }) => Err(source),
            Err(hazard) => Err(std::io::Error::other(hazard)),
        }
    }
}
