//! The key under which this machine writes down digests of contents. Activation makes it, after all else is done; nobody
//! else does.

use std::os::fd::AsFd;
use std::path::Path;

use super::fault::Fault;
use super::parents::{self, Manner};
use super::records::{EntryRecord, Journal, Records};
use super::site::Site;
use super::wanted::Wanted;
use super::write;
use crate::fs::Entry;
use crate::hmac_key::HmacKey;

/// The key, if there is one that can be used.
pub(super) fn read(site: &Site<'_>, path: &Path) -> Option<HmacKey> {
    let bytes = site.read_small(path).ok().flatten()?;
    HmacKey::from_bytes(bytes).ok()
}

/// Puts a new key into its place; a half-written one of an earlier run goes.
pub(super) fn put(site: &Site<'_>, path: &Path, key: &HmacKey) -> Result<(), Fault> {
    let failed = |source| site.failed("write", path, source);
    let dir = parents::make(site, path.parent().unwrap_or(path), Manner::Records)?;
    let persists = !site
        .fs
        .file_system(dir.as_fd())
        .map_err(failed)?
        .is_memory();
    let name = path.file_name().unwrap_or_default();
    let mut new = name.to_owned();
    new.push(".new");
    let at = |name| Entry {
        dir: dir.as_fd(),
        name,
    };
    if site.fs.facts_at(dir.as_fd(), &new).is_ok() {
        site.fs.remove_file(dir.as_fd(), &new).map_err(failed)?;
    }
    // EXPOSE: into the file, which nobody but root may read.
    let bytes = key.bytes().expose();
    let written = write::new_file(site.fs, dir.as_fd(), Path::new(&new), bytes, persists)
        .and_then(|file| site.fs.change_mode(file.as_fd(), 0o600))
        .and_then(|()| site.fs.rename(at(&new), at(name)));
    if let Err(error) = written {
        // The error that led here is the one to report.
        drop(site.fs.remove_file(dir.as_fd(), &new));
        return Err(failed(error));
    }
    match persists {
        true => site.fs.sync(dir.as_fd()).map_err(failed),
        false => Ok(()),
    }
}

/// Adds the digests of contents to what the journal says of the active generation.
pub(super) fn enter(
    site: &Site<'_>,
    key: &HmacKey,
    wanted: &[Wanted],
    records: &mut Records,
) -> Result<(), Fault> {
    let journal = records.journal.value();
    let mut active = journal.active.clone();
    for entry in &mut active.entries {
        let content = wanted.iter().find(|wanted| wanted.name == entry.name);
        entry.hmac = content.map(|wanted| key.digest(&wanted.name, &wanted.content));
    }
    let journal = Journal::new(active, journal.run.clone());
    records.journal.set(site, journal)
}

impl EntryRecord {
    /// The same entry with the digest of its content.
    pub(super) fn with_digest(mut self, key: Option<&HmacKey>, wanted: &Wanted) -> Self {
        self.hmac = key.map(|key| key.digest(&wanted.name, &wanted.content));
        self
    }
}
