//! Generations that nobody needs any more.

use std::os::fd::AsFd;
use std::path::Path;
use std::time::Duration;

use super::fault::Fault;
use super::parents;
use super::remove::remove_tree;
use super::site::Site;

/// A reader that has resolved the old link must be able to open what it found.
pub(super) const GRACE: Duration = Duration::from_millis(10);

/// Removes generations by their numbers. All are tried.
pub(super) fn prune(site: &Site<'_>, mount: &Path, numbers: &[u64]) -> Vec<Fault> {
    let dir = match parents::open(site, mount) {
        Ok(dir) => dir,
        Err(source) => return vec![site.failed("open", mount, source)],
    };
    let remove = |number: &u64| {
        let name = number.to_string();
        remove_tree(site.fs, dir.as_fd(), name.as_ref())
            .map_err(|source| site.failed("remove", &mount.join(&name), source))
    };
    numbers
        .iter()
        .filter_map(|number| remove(number).err())
        .collect()
}
