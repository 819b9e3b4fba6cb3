//! Where links lie that an earlier manifest asked for.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::activation::fault::Fault;
use crate::activation::manifest::Manifest;
use crate::activation::records::{Home, RecordPaths, Records};
use crate::activation::site::Site;
use crate::fs::Fs;

/// The directories outside `/run` in which activation has placed links, as the machine remembers them. A service has to be
/// able to write there to remove those that went from the manifest ([`UnitWish::also_writable`](super::UnitWish)).
///
/// # Errors
/// Records that are there and cannot be read.
pub fn linked_directories(
    manifest: &Manifest,
    fs: &dyn Fs,
    root: Option<&Path>,
) -> Result<BTreeSet<PathBuf>, Fault> {
    if manifest.user_mode {
        return Ok(BTreeSet::new());
    }
    let site = Site::new(fs, root);
    let mount = Path::new(&manifest.mount_path);
    let real = site
        .walk(mount)
        .map_or_else(|_| mount.to_owned(), |place| place.real_path());
    let home = match root {
        Some(_) => Home::Tree,
        None => Home::System,
    };
    let records = Records::read(&site, &RecordPaths::of(&real, home))?;
    let ledger = records.ledger.value();
    let parents = ledger
        .links
        .iter()
        .filter_map(|link| Path::new(&link.path).parent());
    Ok(parents.map(Path::to_owned).collect())
}
