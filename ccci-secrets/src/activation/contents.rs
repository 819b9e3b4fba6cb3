//! The contents that a manifest wants, opened and verified, before anybody has looked at where they go.

use super::Options;
use super::accounts::Accounts;
use super::fault::{Fault, Refusal, Warning};
use super::manifest::Manifest;
use super::open::{self, OpenContext, Opened, Owners};
use super::transaction::Transaction;
use super::wanted::Wanted;

/// Everything that a manifest wants, in memory: every sops file opened, every MAC verified, every template rendered, every
/// certificate checked.
///
/// Only [`open`] makes one. The contents themselves stay inside; what can be had are the names.
#[derive(Debug)]
pub struct Contents<'m> {
    pub(super) manifest: &'m Manifest,
    pub(super) opened: Opened,
    /// For each wanted file the digest of its content, if a key for that was given.
    pub(super) digests: Vec<Option<String>>,
    /// Why not everything is there, on a first boot for which the manifest allows that.
    pub(super) missing: Option<Vec<Fault>>,
}

impl Contents<'_> {
    /// The names of the files below the generation, in the order of the manifest.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.opened.wanted.iter().map(|wanted| wanted.name.as_str())
    }

    /// What was noticed.
    #[must_use]
    pub fn warnings(&self) -> &[Warning] {
        &self.opened.warnings
    }
}

/// Opens everything that a manifest names. Nothing is written, and where the files go is not looked at: a user or group
/// that does not exist yet may still come.
///
/// The keyring and GnuPG are taken out of the options.
///
/// # Errors
/// Every reason at once for which the contents cannot be had; with them, whatever stands in the way of the files in any
/// case.
pub fn open<'m>(
    manifest: &'m Manifest,
    options: &mut Options<'_>,
) -> Result<Contents<'m>, Refusal> {
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
    Transaction::with(manifest, options, |transaction| {
        // A user without a runtime directory is told so, and not that keys are missing which may lie in it.
        transaction.record_paths().map_err(Refusal::of)?;
        let account_files = transaction.account_files().map_err(Refusal::of)?;
        let accounts = account_files
            .as_ref()
            .map(|files| files.parse(transaction.options));
        let (opened, missing) = transaction.open(open, accounts.as_ref(), &mut Vec::new())?;
        let key = transaction.options.digest_key;
        let digest = |wanted: &Wanted| Some(key?.digest(&wanted.name, &wanted.content));
        Ok(Contents {
            manifest,
            digests: opened.wanted.iter().map(digest).collect(),
            opened,
            missing,
        })
    })
}
