//! Secrets as credentials of units: who may ask for what, and what they get.
//!
//! A refusal must be one to the unit too. systemd takes a connection that is closed without data for an empty credential
//! and starts the unit with it, so who refuses sends more than systemd takes: [`REFUSAL_BYTES`].

mod address;
mod budget;
mod narrow;

use std::io;
use std::os::fd::AsFd as _;
use std::path::Path;

pub use self::address::{AddressFault, CredentialRequest};
pub use self::budget::{CredentialProblem, MOST_CREDENTIAL_BYTES};
pub(super) use self::budget::{Overdrawn, overdrawn};
use super::Options;
use super::fault::Fault;
use super::manifest::Manifest;
use super::observe::{self, Frame};
use super::open::{self, OpenContext, Owners};
use super::site::{Site, read_all};
use super::transaction::site_of;
use crate::secret::Secret;

/// How many bytes are sent instead of a credential that is refused: one more than systemd takes, so that the unit fails.
pub const REFUSAL_BYTES: usize = MOST_CREDENTIAL_BYTES + 1;

/// Where the content of a credential comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the two that the design has")]
pub enum CredentialSource {
    /// The sops file, opened for this one credential; nothing is on disk.
    Decrypted,
    /// The active generation.
    Generation,
}

/// Why somebody does not get a credential.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CredentialRefusal {
    /// Not an address that systemd asks with.
    #[error(transparent)]
    Address(#[from] AddressFault),
    /// The content is there and will not do.
    #[error(transparent)]
    Content(#[from] CredentialProblem),
    /// The file is in the generation and cannot be read.
    #[error("the file cannot be read: {0}")]
    File(#[source] io::Error),
    /// The manifest names no such credential for this unit.
    #[error("the manifest gives the unit no credential of this name")]
    NameNotListed,
    /// Nothing was activated yet.
    #[error("no generation is active")]
    NoGeneration,
    /// A peer that is bound to no address, or to one in the file system.
    #[error("it asks without an abstract address, as systemd never does")]
    NoAddress,
    /// The active generation has no such file.
    #[error("`{}` is not in the active generation {generation}", file.escape_debug())]
    NotInGeneration {
        /// The file.
        file: String,
        /// The number of the generation.
        generation: u64,
    },
    /// The sops file does not open, or the value is not there.
    #[error("{}", .0.first().map_or_else(|| "it cannot be had".to_owned(), ToString::to_string))]
    NotOpened(Vec<Fault>),
    /// The manifest names no credential for this unit.
    #[error("the manifest gives the unit no credential")]
    UnitNotListed,
    /// Somebody else than the manager of the units.
    #[error("user {0} asks, who does not manage units here")]
    User(u32),
}

/// Who is connected.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::exhaustive_structs, reason = "the caller fills it in")]
pub struct CredentialPeer<'a> {
    /// The user, as the system vouches for it.
    pub uid: u32,
    /// The name of the abstract address that it is bound to, without the NUL in front.
    pub address: Option<&'a [u8]>,
}

impl CredentialPeer<'_> {
    /// What is asked for, if this peer may ask at all: only root may, and whom we run as, since a manager of units is one of
    /// these.
    ///
    /// # Errors
    /// [`CredentialRefusal::User`], [`CredentialRefusal::NoAddress`], or [`CredentialRefusal::Address`].
    pub fn request(self, own_uid: u32) -> Result<CredentialRequest, CredentialRefusal> {
        if self.uid != 0 && self.uid != own_uid {
            return Err(CredentialRefusal::User(self.uid));
        }
        let address = self.address.ok_or(CredentialRefusal::NoAddress)?;
        Ok(CredentialRequest::parse(address)?)
    }
}

/// Finds what a unit asks for.
///
/// # Errors
/// The unit may not have it, or it cannot be had.
pub fn credential(
    manifest: &Manifest,
    mut options: Options<'_>,
    source: CredentialSource,
    request: &CredentialRequest,
) -> Result<Secret, CredentialRefusal> {
    let entry = manifest
        .credential(&request.unit, &request.name)
        .ok_or_else(|| match manifest.has_credentials_of(&request.unit) {
            true => CredentialRefusal::NameNotListed,
            false => CredentialRefusal::UnitNotListed,
        })?;
    let content = match source {
        CredentialSource::Decrypted => decrypted(manifest, &mut options, &entry.file)?,
        CredentialSource::Generation => {
            let site = site_of(manifest, &options);
            from_generation(&site, &Frame::of(manifest), &entry.file)?
        }
    };
    let bytes = content.len().saturating_add(request.name.len());
    match () {
        () if content.is_empty() => Err(CredentialProblem::Empty(request.name.clone()).into()),
        () if bytes > MOST_CREDENTIAL_BYTES => {
            Err(CredentialProblem::TooLarge { bytes, exact: true }.into())
        }
        () => Ok(content),
    }
}

/// How often the active generation is looked for again when it goes while it is being read.
const ATTEMPTS: usize = 5;

fn from_generation(
    site: &Site<'_>,
    frame: &Frame,
    file: &str,
) -> Result<Secret, CredentialRefusal> {
    let mut result = Err(CredentialRefusal::NoGeneration);
    let mut looked_at = None;
    for _ in 0..ATTEMPTS {
        let active = observe::active(site, frame).map(|active| active.generation);
        // Only one that went meanwhile can be missed for another reason than that it lacks the file.
        let Some(generation) = active.filter(|_| active != looked_at) else {
            break;
        };
        looked_at = active;
        result = read_from(site, frame, generation, file);
        if result.is_ok() {
            break;
        }
    }
    result
}

fn read_from(
    site: &Site<'_>,
    frame: &Frame,
    generation: u64,
    file: &str,
) -> Result<Secret, CredentialRefusal> {
    let absent = || CredentialRefusal::NotInGeneration {
        file: file.into(),
        generation,
    };
    let path = frame.mount.join(generation.to_string());
    let directory = site.open_dir(&path).ok_or_else(absent)?;
    let opened = match site.fs.open_file(directory.as_fd(), Path::new(file)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(absent()),
        opened => opened.map_err(CredentialRefusal::File)?,
    };
    read_all(site.fs, opened.as_fd(), REFUSAL_BYTES).map_err(|error| match error.kind() {
        io::ErrorKind::FileTooLarge => CredentialRefusal::Content(CredentialProblem::TooLarge {
            bytes: REFUSAL_BYTES,
            exact: false,
        }),
        _ => CredentialRefusal::File(error),
    })
}

/// Opens what one file of the generation is made of. As ever, no value is taken from a sops file before every leaf of it
/// has opened and its MAC has matched.
fn decrypted(
    manifest: &Manifest,
    options: &mut Options<'_>,
    file: &str,
) -> Result<Secret, CredentialRefusal> {
    let checking = Some(options.checking());
    let narrow = narrow::to_file(manifest, file)
        .map_err(|fault| CredentialRefusal::NotOpened(vec![fault]))?;
    let context = OpenContext {
        owners: Owners::AllRoot,
        ambient: options.ambient.take(),
        gnupg: options.gnupg.take(),
        checking,
    };
    let opened = open::open(&narrow, context)
        .map_err(|not_opened| CredentialRefusal::NotOpened(not_opened.faults))?;
    let mut wanted = opened.wanted.into_iter();
    let found = wanted.find(|wanted| wanted.name == file);
    found
        .map(|wanted| wanted.content)
        .ok_or(CredentialRefusal::NotOpened(Vec::new()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
mod tests;
