//! Secrets as files, in one transaction.
//!
//! [`activate`] opens every sops file that a [`Manifest`] names, verifies every MAC, compares what is wanted with what
//! is there, and only then changes anything: it makes the new generation out of sight, renames one link to commit it,
//! and places the links outside. An error before the commit is a [`Refusal`] and leaves everything as it was; an error
//! behind it is told in the [`Receipt`], and the next run finishes.
//!
//! The steps before the first change are there for themselves, and each takes what the one before it gave:
//!
//! ```text
//! Manifest ── open ──> Contents ── observe ──> Observed ── plan (pure) ──> Plan
//!     │                                                                     activate carries one out ──> Receipt
//!     └────── verify ──> Verified: a Drift for everything that is not as it should be
//! ```

mod accounts;
mod apply;
mod backup;
mod check;
mod checks;
mod contents;
mod credentials;
mod current;
mod draft;
mod drift;
mod drift_key;
mod explain;
pub mod fault;
mod findings;
mod finish;
mod generation;
mod give_back;
mod glance;
mod json;
mod kernel;
mod keys;
mod links;
mod lock;
pub mod manifest;
mod mount;
mod naming;
mod observe;
mod observed;
mod open;
mod owners;
mod parents;
mod plan;
mod provenance;
mod prune;
mod receipt;
mod records;
mod remove;
mod repair;
mod report;
mod select;
mod site;
mod sops_file;
mod stage;
mod steps;
mod survey;
pub mod systemd;
mod targets;
mod template;
#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
mod testing;
#[cfg(test)]
mod tests;
mod told_kinds;
mod transaction;
mod undo;
mod units;
mod unparsed;
mod verify;
mod wanted;
mod warning;
mod write;

use std::fmt;
use std::io;
use std::path::Path;
use std::time::Duration;

pub use self::accounts::{AccountKind, AccountLookup};
pub use self::check::{Checked, check_manifest, check_sops_files};
use self::checks::Checking;
pub use self::checks::{CheckProblem, CheckedCertificate};
pub use self::contents::{Contents, open};
pub use self::credentials::{
    AddressFault, CredentialPeer, CredentialProblem, CredentialRefusal, CredentialRequest,
    CredentialSource, MOST_CREDENTIAL_BYTES, REFUSAL_BYTES, credential,
};
pub use self::drift::{Drift, DriftClass, ExpectedDigest};
use self::fault::Refusal;
pub use self::give_back::{GivenBack, give_back};
use self::manifest::Manifest;
pub use self::observed::{Observed, observe};
use self::open::{OpenContext, Owners};
pub use self::plan::{Before, Plan, PlanEntry, plan, preview};
pub use self::provenance::{FileProvenance, GitFacts};
pub use self::receipt::{
    Change, EntryResult, FailedStep, Origin, Receipt, Step, UnitAction, UnitResult,
};
pub use self::repair::{Pruned, Repaired, prune, repair};
pub use self::report::{PlanReport, Report, Run, VerifiedReport};
pub use self::units::{UnitFault, UnitManager, Units};
pub use self::unparsed::{refuse_manifest, refuse_unreadable};
pub use self::verify::{Verification, Verified, VerifiedFile, verify};
use crate::certificate::Fingerprint;
use crate::fs::Fs;
use crate::hmac_key::HmacKey;
use crate::keyring::{Gnupg, Keyring};

/// What a run needs besides the manifest; everything that the library does not do by itself is handed in.
#[non_exhaustive]
pub struct Options<'a> {
    /// The file system.
    pub fs: &'a dyn Fs,
    /// A directory that stands for `/`: mount, link, targets and records lie below it, nothing is mounted, links are
    /// relative. It is made if it does not exist.
    pub root: Option<&'a Path>,
    /// Where a user's records are kept that outlive the session, in user mode (`$XDG_STATE_HOME`).
    pub state_home: Option<&'a Path>,
    /// Keys found by looking around, if those may be used: they come after the manifest's own.
    pub ambient: Option<Keyring>,
    /// How GnuPG is run, for a home that the manifest names; without it none is asked.
    pub gnupg: Option<Gnupg>,
    /// Finds accounts that `passwd` and `group` do not have.
    pub accounts: Option<&'a AccountLookup<'a>>,
    /// Tells units that something changed for them, after the commit; without it nobody is told.
    pub units: Option<&'a UnitManager<'a>>,
    /// No account is looked up; everything belongs to root.
    pub ignore_passwd: bool,
    /// The time, for the expiry of certificates; without one nothing is said about it.
    pub now: Option<jiff::Timestamp>,
    /// The certificate that has to be among those that the manifest has checked.
    pub expected_leaf: Option<Fingerprint>,
    /// With it a plan holds digests of contents.
    pub digest_key: Option<&'a HmacKey>,
    /// How long to wait for another run to end.
    pub lock_timeout: Duration,
    /// Makes the key for digests of contents, which a machine gets once.
    make_key: fn() -> io::Result<HmacKey>,
    /// Waits for as long as it is told.
    pub pause: &'a dyn Fn(Duration),
}

impl<'a> Options<'a> {
    /// The machine itself, no ambient keys, a minute for the lock.
    #[must_use]
    pub fn new(fs: &'a dyn Fs, pause: &'a dyn Fn(Duration)) -> Self {
        Self {
            fs,
            root: None,
            state_home: None,
            ambient: None,
            gnupg: None,
            accounts: None,
            units: None,
            ignore_passwd: false,
            now: None,
            expected_leaf: None,
            digest_key: None,
            lock_timeout: Duration::from_secs(60),
            make_key: HmacKey::make_random,
            pause,
        }
    }
}

impl Options<'_> {
    fn checking(&self) -> Checking {
        Checking {
            now: self.now,
            expected_leaf: self.expected_leaf,
        }
    }
}

impl fmt::Debug for Options<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("root", &self.root)
            .field("ignore_passwd", &self.ignore_passwd)
            .field("now", &self.now)
            .field("expected_leaf", &self.expected_leaf)
            .field("lock_timeout", &self.lock_timeout)
            .finish_non_exhaustive()
    }
}

/// Makes what the manifest says, or changes nothing.
///
/// A receipt without a generation means that everything was right already. One with a failed step means that the new
/// generation is active and something behind the commit is missing, which the next run does.
///
/// # Errors
/// Every reason at once, and what is still active.
pub fn activate(manifest: &Manifest, mut options: Options<'_>) -> Result<Receipt, Refusal> {
    let (ambient, gnupg) = (options.ambient.take(), options.gnupg.take());
    let checking = Some(options.checking());
    transaction::run(manifest, &options, |accounts| {
        let owners = accounts.map_or(Owners::AllRoot, Owners::Of);
        let context = OpenContext {
            owners,
            ambient,
            gnupg,
            checking,
        };
        open::open(manifest, context)
    })
}
