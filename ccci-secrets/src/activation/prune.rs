//! Generations that nobody needs any more, and private keys that nobody should have put beside them.

use std::ffi::OsString;
use std::os::fd::AsFd;
use std::path::Path;
use std::time::Duration;

use super::fault::Fault;
use super::parents;
use super::remove::remove_tree;
use super::site::Site;

/// A reader that has resolved the old link must be able to open what it found.
pub(super) const GRACE: Duration = Duration::from_millis(10);

/// Removes names beside the active generation. All are tried.
pub(super) fn prune(site: &Site<'_>, mount: &Path, names: &[OsString]) -> Vec<Fault> {
    // Where nothing was ever activated there is no mount to open.
    if names.is_empty() {
        return Vec::new();
    }
    let dir = match parents::open(site, mount) {
        Ok(dir) => dir,
        Err(source) => return vec![site.failed("open", mount, source)],
    };
    let remove = |name: &OsString| {
        remove_tree(site.fs, dir.as_fd(), name)
            .map_err(|source| site.failed("remove", &mount.join(name), source))
    };
    names.iter().filter_map(|name| remove(name).err()).collect()
}
