//! The key under which this machine writes down digests of contents. Activation makes it, after all else is done; nobody
//! else does.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};
use std::time::Duration;

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
    match look(site, path) {
        Ok(Found::Key(key)) => Some(key),
        _ => None,
    }
}

/// What stands where the key belongs.
enum Found {
    Absent,
    /// Too short to be a key.
    Damaged,
    Key(HmacKey),
}

fn look(site: &Site<'_>, path: &Path) -> io::Result<Found> {
    let bytes = site.read_small(path)?;
    Ok(bytes.map_or(Found::Absent, |bytes| {
        HmacKey::from_bytes(bytes).map_or(Found::Damaged, Found::Key)
    }))
}

/// The key that there is now.
pub(super) struct Obtained {
    pub(super) key: HmacKey,
    /// Where that is kept which stood in its place and was no key.
    pub(super) damaged: Option<PathBuf>,
}

/// The key, and a new one if there is none. One that cannot be read may be sound, and other journals rest on it: it stays. Manifests with other mounts have other locks and the same key: whoever is at
/// it has the directory to itself.
pub(super) fn obtain(
    site: &Site<'_>,
    path: &Path,
    make: fn() -> io::Result<HmacKey>,
    pause: &dyn Fn(Duration),
) -> Result<Obtained, Fault> {
    let failed = |source| site.failed("write", path, source);
    let dir = parents::make(site, path.parent().unwrap_or(path), Manner::Records)?;
    let mut attempts = 0..MOST_ATTEMPTS;
    while !site.fs.lock(dir.as_fd()).map_err(failed)? {
        if attempts.next().is_none() {
            return Err(failed(io::ErrorKind::WouldBlock.into()));
        }
        pause(STEP);
    }
    let mut damaged = None;
    match look(site, path).map_err(failed)? {
        Found::Key(key) => return Ok(Obtained { key, damaged }),
        Found::Absent => {}
        Found::Damaged => damaged = Some(path.with_extension("key.damaged")),
    }
    let key = make().map_err(failed)?;
    if let Some(aside) = &damaged {
        let at = |path: &'_ Path| path.file_name().unwrap_or_default().to_owned();
        let (from, to) = (at(path), at(aside));
        let entry = |name| Entry {
            dir: dir.as_fd(),
            name,
        };
        site.fs.rename(entry(&from), entry(&to)).map_err(failed)?;
    }
    put(site, dir.as_fd(), path, &key).map_err(failed)?;
    Ok(Obtained { key, damaged })
}

const STEP: Duration = Duration::from_millis(20);
const MOST_ATTEMPTS: usize = 100;

/// Puts a new key into its place; a half-written one of an earlier run goes.
fn put(site: &Site<'_>, dir: BorrowedFd<'_>, path: &Path, key: &HmacKey) -> io::Result<()> {
    let persists = !site.fs.file_system(dir)?.is_memory();
    let name = path.file_name().unwrap_or_default();
    let mut new = name.to_owned();
    new.push(".new");
    let at = |name| Entry { dir, name };
    if site.fs.facts_at(dir, &new).is_ok() {
        site.fs.remove_file(dir, &new)?;
    }
    // EXPOSE: into the file, which nobody but root may read.
    let bytes = key.bytes().expose();
    let written = write::new_file(site.fs, dir, Path::new(&new), bytes, persists)
        .and_then(|file| site.fs.change_mode(file.as_fd(), 0o600))
        .and_then(|()| site.fs.rename(at(&new), at(name)));
    if written.is_err() {
        // The error that led here is the one to report.
        drop(site.fs.remove_file(dir, &new));
        return written;
    }
    match persists {
        true => site.fs.sync(dir),
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
    let by_name: BTreeMap<&str, &Wanted> = wanted
        .iter()
        .map(|wanted| (wanted.name.as_str(), wanted))
        .collect();
    for entry in &mut active.entries {
        let content = by_name.get(entry.name.as_str());
        entry.hmac = content.map(|wanted| key.digest(&wanted.name, &wanted.content));
    }
    active.drift_key = Some(key.id());
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

#[cfg(test)]
#[allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "tests write their own files"
)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::fs::RealFs;

    const PATH: &str = "/var/lib/ccsec/drift.key";

    #[test]
    fn the_key_is_made_once_and_a_half_written_one_goes() {
        let dir = tempfile::tempdir().unwrap();
        let fs = RealFs::new();
        let site = Site::new(&fs, Some(dir.path()));
        let at = |path: &str| dir.path().join(path.trim_start_matches('/'));
        std::fs::create_dir_all(at("/var/lib/ccsec")).unwrap();
        std::fs::write(at("/var/lib/ccsec/drift.key.new"), "half").unwrap();
        let obtain = || {
            let key = obtain(&site, Path::new(PATH), HmacKey::make_random, &|_| ());
            key.unwrap().key
        };
        let first = obtain();
        assert!(obtain().bytes().ct_eq(first.bytes().expose()));
        assert!(first.bytes().ct_eq(&std::fs::read(at(PATH)).unwrap()));
        let mode = std::fs::metadata(at(PATH)).unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, 0o600);
        let names = std::fs::read_dir(at("/var/lib/ccsec")).unwrap().count();
        assert_eq!(names, 1);
    }

    #[test]
    fn a_damaged_key_is_kept_aside_and_one_that_cannot_be_read_is_not_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let fs = RealFs::new();
        let site = Site::new(&fs, Some(dir.path()));
        let at = |path: &str| dir.path().join(path.trim_start_matches('/'));
        let make = || {
            HmacKey::from_bytes(crate::secret::Secret::from_vec(vec![7; 32]))
                .map_err(io::Error::other)
        };
        std::fs::create_dir_all(at(PATH)).unwrap();
        assert!(obtain(&site, Path::new(PATH), make, &|_| ()).is_err());
        assert!(at(PATH).is_dir());
        std::fs::remove_dir(at(PATH)).unwrap();
        std::fs::write(at(PATH), "short").unwrap();
        let obtained = obtain(&site, Path::new(PATH), make, &|_| ()).unwrap();
        let aside = "/var/lib/ccsec/drift.key.damaged";
        assert_eq!(obtained.damaged.as_deref(), Some(Path::new(aside)));
        assert_eq!(std::fs::read(at(aside)).unwrap(), b"short");
        assert!(read(&site, Path::new(PATH)).is_some());
    }
}
