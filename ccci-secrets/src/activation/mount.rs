//! The file system in memory that holds the generations.

use std::io;
use std::os::fd::AsFd;
use std::path::Path;

use super::fault::{Fault, Warning, WarningKind};
use super::observe::MountFound;
use super::parents::{self, Manner};
use super::site::Site;
use crate::fs::{Fs, MemoryMount};

/// Mode of every directory that holds secrets: those who know a name may reach it, the group may list.
pub(super) const DIRECTORY_MODE: u32 = 0o751;

/// What mounting came to.
#[derive(Debug, Default)]
pub(super) struct Mounted {
    /// A mount was made.
    pub(super) made: bool,
    pub(super) warning: Option<Warning>,
}

/// Mounts. Where that is not permitted, a directory that lies in memory already will do.
pub(super) fn mount(
    site: &Site<'_>,
    found: &MountFound,
    what: MemoryMount,
    may_swap: bool,
) -> Result<Mounted, Fault> {
    let target = site.shown(&found.real);
    let mut mounted = Mounted {
        made: true,
        warning: None,
    };
    let mut result = site.fs.mount(what, &target);
    if what == MemoryMount::TmpfsNoSwap && result.is_err() {
        // Kernels before 6.4 do not know the option, user namespaces do not permit it.
        if !may_swap && has_swap(site.fs) {
            let source = io::Error::new(io::ErrorKind::Unsupported, UNSAFE_SWAP);
            return Err(site.failed(STEP, &found.real, source));
        }
        result = site.fs.mount(MemoryMount::TmpfsSwappable, &target);
        mounted.warning = Some(Warning::at(WarningKind::Swappable, &target));
    }
    match result {
        Ok(()) => Ok(mounted),
        Err(error)
            if error.kind() == io::ErrorKind::PermissionDenied && found.file_system.is_memory() =>
        {
            Ok(Mounted {
                made: false,
                warning: Some(Warning::at(WarningKind::MountNotPermitted, &target)),
            })
        }
        Err(source) => Err(site.failed(STEP, &found.real, source)),
    }
}

const STEP: &str = "mount a file system in memory on";

const UNSAFE_SWAP: &str =
    "the system refuses `noswap`, swap is in use, and the manifest does not allow it";

/// Gives the root of the mount its group and mode: a mount unit cannot, ramfs knows no `gid=`.
pub(super) fn dress(site: &Site<'_>, real: &Path, keys_group: u32) -> Result<(), Fault> {
    let failed = |source| site.failed("set owner and mode of", real, source);
    let dir = parents::open(site, real).map_err(failed)?;
    let facts = site.fs.facts(dir.as_fd()).map_err(failed)?;
    if site.is_root_user() && (facts.uid, facts.gid) != (0, keys_group) {
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
pub(super) fn make_directory(site: &Site<'_>, real: &Path) -> Result<(), Fault> {
    let inherit = Manner::Inherit(Default::default());
    parents::make(site, real, inherit).map(drop)
}

/// Whether the machine swaps; yes if it does not say.
fn has_swap(fs: &dyn Fs) -> bool {
    let list = fs.open_start(Path::new("/proc")).and_then(|proc| {
        let file = fs.open_file(proc.as_fd(), Path::new("swaps"))?;
        let mut buffer = [0; 4096];
        let count = fs.read_at(file.as_fd(), &mut buffer, 0)?;
        Ok(buffer.get(..count).unwrap_or_default().to_vec())
    });
    // The first line names the columns.
    list.map_or(true, |list| {
        list.iter().filter(|byte| **byte == b'\n').count() > 1
    })
}
