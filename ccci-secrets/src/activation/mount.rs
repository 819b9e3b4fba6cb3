//! The file system in memory that holds the generations.

use std::io;
use std::os::fd::AsFd;
use std::path::Path;

use super::fault::{Fault, Warning, WarningKind};
use super::kernel::{has_swap, would_be_hidden};
use super::observe::MountFound;
use super::parents::{self, Manner};
use super::site::Site;
use super::wanted::Directories;
use crate::fs::MemoryMount;

/// Mode of every directory that holds secrets: those who know a name may reach it, the group may list.
pub(super) const DIRECTORY_MODE: u32 = 0o751;

/// What mounting came to.
#[derive(Debug, Default)]
pub(super) struct Mounted {
    /// A mount was made.
    pub(super) made: bool,
    pub(super) warnings: Vec<Warning>,
}

/// Mounts. Where that is not permitted, a directory that lies in memory already will do.
pub(super) fn mount(
    site: &Site<'_>,
    found: &MountFound,
    what: MemoryMount,
    may_swap: bool,
) -> Result<Mounted, Fault> {
    let target = site.shown(&found.real);
    let failed = |source| site.failed("mount a file system in memory on", &found.real, source);
    let mut mounted = Mounted::default();
    match would_be_hidden(site.fs, &target) {
        Ok(false) => {}
        Ok(true) => return Err(failed(io::Error::other(HIDDEN))),
        Err(_) => mounted.warn(WarningKind::MountUnchecked, &target),
    }
    let result = match site.fs.mount(what, &target) {
        // Kernels before 6.4 do not know the option, user namespaces do not permit it.
        Err(error) if what == MemoryMount::TmpfsNoSwap && is_refusal(&error) => {
            if may_swap || !has_swap(site.fs) {
                mounted.warn(WarningKind::Swappable, &target);
                site.fs.mount(MemoryMount::TmpfsSwappable, &target)
            } else {
                Err(io::Error::new(error.kind(), UNSAFE_SWAP))
            }
        }
        result => result,
    };
    match result {
        Ok(()) => mounted.made = true,
        Err(error)
            if error.kind() == io::ErrorKind::PermissionDenied && found.file_system.is_memory() =>
        {
            mounted.warnings.clear();
            mounted.warn(WarningKind::MountNotPermitted, &target);
        }
        Err(source) => return Err(failed(source)),
    }
    Ok(mounted)
}

impl Mounted {
    fn warn(&mut self, kind: WarningKind, target: &Path) {
        self.warnings.push(Warning::at(kind, target));
    }
}

fn is_refusal(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::InvalidInput | io::ErrorKind::PermissionDenied
    )
}

const HIDDEN: &str = "nobody outside of this process' own mount namespace would see it";

const UNSAFE_SWAP: &str =
    "the system refuses `noswap`, swap is in use, and the manifest does not allow it";

/// Gives the root of the mount its group and mode: a mount unit cannot, ramfs knows no `gid=`.
pub(super) fn dress(site: &Site<'_>, real: &Path, keys_group: u32) -> Result<(), Fault> {
    let failed = |source| site.failed("set owner and mode of", real, source);
    let dir = parents::open(site, real).map_err(failed)?;
    let facts = site.fs.facts(dir.as_fd()).map_err(failed)?;
    if site.tree.sets_owners && (facts.uid, facts.gid) != (0, keys_group) {
        site.fs
            .change_owner(dir.as_fd(), 0, keys_group)
            .map_err(failed)?;
    }
    if facts.mode != DIRECTORY_MODE {
        site.fs
            .change_mode(dir.as_fd(), DIRECTORY_MODE)
            .map_err(failed)?;
    }
    Ok(())
}

/// Makes the directory of the mount if it is missing.
pub(super) fn make_directory(
    site: &Site<'_>,
    real: &Path,
    directories: Directories,
) -> Result<(), Fault> {
    parents::make(site, real, Manner::Inherit(directories)).map(drop)
}
