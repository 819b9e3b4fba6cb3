//! Opens everything a manifest wants, in memory: identities, every sops file once, every MAC, and only then values.

use super::accounts::Accounts;
use super::fault::{Fault, Warning};
use super::manifest::Manifest;
use super::provenance::FileProvenance;
use super::wanted::Wanted;
use crate::keyring::Keyring;

/// What opening needs besides the manifest.
#[derive(Debug)]
pub(super) struct OpenContext<'a> {
    pub(super) owners: Owners<'a>,
    /// Keys found by looking around, if those were asked for: they come last.
    pub(super) ambient: Option<Keyring>,
}

/// Where the numbers of users and groups come from.
#[derive(Clone, Copy, Debug)]
pub(super) enum Owners<'a> {
    /// Nobody is looked up: everything belongs to root, also where the manifest gives a number.
    AllRoot,
    Of(&'a Accounts<'a>),
}

/// Everything that was opened.
#[derive(Debug, Default)]
pub(super) struct Opened {
    /// In the order of the manifest; entries that are not required and have a fault are left out.
    pub(super) wanted: Vec<Wanted>,
    /// One for each sops file, in the order in which the manifest first names them.
    pub(super) provenance: Vec<FileProvenance>,
    pub(super) warnings: Vec<Warning>,
}

/// Not everything could be opened.
#[derive(Debug)]
pub(super) struct NotOpened {
    /// All faults, of the manifest's order.
    pub(super) faults: Vec<Fault>,
    pub(super) warnings: Vec<Warning>,
    /// What is sound, when every fault belongs to single entries: for `onFirstBoot: partial`.
    pub(super) sound: Option<Opened>,
}

/// Opens every sops file of a manifest and takes the wanted values from them. Nothing is written.
pub(super) fn open(
    manifest: &Manifest,
    context: OpenContext<'_>,
) -> Result<Opened, Box<NotOpened>> {
    let _ = (manifest, context);
    Err(Box::new(NotOpened {
        faults: Vec::new(),
        warnings: Vec::new(),
        sound: None,
    }))
}
