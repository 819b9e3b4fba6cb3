//! Directories on the way to something. Each is made relative to the handle of the one above it, and gets owner and mode
//! through its own handle before anything is put into it, whatever the umask.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use super::fault::{Fault, TargetProblem};
use super::observe::target_fault;
use super::site::{Hazard, Site};
use super::wanted::Directories;
use crate::fs::{FileFacts, FileKind};

/// How missing directories are made.
#[derive(Clone, Copy, Debug)]
pub(super) enum Manner {
    /// As the nearest one above, but for what is said.
    Inherit(Directories),
    /// For records: the last one is private, those above it are open to all.
    Records,
}

/// The directories that would have to be made so that this one exists, the outermost first; from the root, without
/// links.
pub(super) fn missing(site: &Site<'_>, directory: &Path) -> Result<Vec<PathBuf>, Hazard> {
    let place = site.walk(&inside(directory))?;
    let mut path = place.real;
    Ok(place
        .missing
        .iter()
        .map(|name| {
            path.push(name);
            path.clone()
        })
        .collect())
}

/// Opens a directory for changes in it, after making it and those above it where they are missing.
pub(super) fn make(site: &Site<'_>, directory: &Path, manner: Manner) -> Result<OwnedFd, Fault> {
    let place = site
        .walk(&inside(directory))
        .map_err(|hazard| target_fault(site, directory, TargetProblem::Way(hazard)))?;
    let failed = |source| site.failed("make the directory", directory, source);
    let above = place
        .dir
        .ok_or_else(|| failed(io::ErrorKind::NotFound.into()))?;
    let mut above_facts = site.fs.facts(above.as_fd()).map_err(failed)?;
    let mut dir = site
        .fs
        .open_dir(above.as_fd(), Path::new("."))
        .map_err(failed)?;
    let last = place.missing.len().saturating_sub(1);
    for (nth, name) in place.missing.iter().enumerate() {
        let wish = manner.wish(above_facts, nth == last, site);
        let below = match site.fs.make_dir(dir.as_fd(), name, wish.first_mode) {
            Ok(()) => {
                let below = site.fs.open_dir(dir.as_fd(), Path::new(name));
                let below = below.map_err(failed)?;
                dress(site, &below, wish, above_facts).map_err(failed)?;
                below
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => site
                .fs
                .open_dir(dir.as_fd(), Path::new(name))
                .map_err(failed)?,
            Err(error) => return Err(failed(error)),
        };
        above_facts = site.fs.facts(below.as_fd()).map_err(failed)?;
        if !site
            .fs
            .file_system(dir.as_fd())
            .map_err(failed)?
            .is_memory()
        {
            site.fs.sync(dir.as_fd()).map_err(failed)?;
        }
        dir = below;
    }
    Ok(dir)
}

/// Opens a directory that must exist, for changes in it.
pub(super) fn open(site: &Site<'_>, directory: &Path) -> io::Result<OwnedFd> {
    let place = site
        .walk(&inside(directory))
        .map_err(|hazard| match hazard {
            Hazard::Io { source, .. } => source,
            other => io::Error::other(other),
        })?;
    match place.parent() {
        Some(dir) => site.fs.open_dir(dir, Path::new(".")),
        None => Err(io::ErrorKind::NotFound.into()),
    }
}

/// Removes directories that were made, the innermost first, if nothing is in them. Those that could not be removed.
pub(super) fn unmake(site: &Site<'_>, directories: &[PathBuf]) -> Vec<PathBuf> {
    let mut left = Vec::new();
    for directory in directories.iter().rev() {
        let Ok(place) = site.walk(directory) else {
            continue;
        };
        let is_directory = |facts: FileFacts| facts.kind == FileKind::Directory;
        let (Ok(Some(facts)), Some(parent)) = (site.look(&place), place.parent()) else {
            continue;
        };
        if !is_directory(facts) || facts.mount_point {
            continue;
        }
        match site.fs.remove_dir(parent, &place.name) {
            Ok(()) => {}
            // Somebody else uses it by now.
            Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => {}
            Err(_) => left.push(site.shown(directory)),
        }
    }
    left
}

/// A path below a directory, so that walking it reaches the directory itself.
fn inside(directory: &Path) -> PathBuf {
    directory.join("-")
}

/// Mode, owner and group of a new directory.
struct Dress {
    /// Until it has its owner.
    first_mode: u32,
    mode: u32,
    uid: u32,
    gid: u32,
}

impl Manner {
    fn wish(self, above: FileFacts, last: bool, site: &Site<'_>) -> Dress {
        match self {
            Self::Inherit(directories) => Dress {
                first_mode: 0o700,
                mode: directories.mode.unwrap_or_else(|| inherited_mode(above)),
                uid: directories
                    .uid
                    .unwrap_or_else(|| inherited_owner(above, site)),
                gid: directories.gid.unwrap_or(above.gid),
            },
            Self::Records => {
                // They come before the journal, which no later run could therefore learn from: as far as the umask
                // permits they are right from the start.
                let mode = if last { 0o700 } else { 0o755 };
                Dress {
                    first_mode: mode,
                    mode,
                    uid: site.euid,
                    gid: above.gid,
                }
            }
        }
    }
}

const STICKY: u32 = 0o1000;
const SET_GROUP: u32 = 0o2000;

/// A place where everybody may leave things, such as `/tmp`, is no model for a directory that holds a link to a secret.
fn inherited_mode(above: FileFacts) -> u32 {
    match above.mode & STICKY {
        0 => above.mode & (SET_GROUP | 0o777),
        _ => 0o755,
    }
}

fn inherited_owner(above: FileFacts, site: &Site<'_>) -> u32 {
    match above.mode & STICKY {
        0 => above.uid,
        _ => site.euid,
    }
}

fn dress(site: &Site<'_>, dir: &OwnedFd, wish: Dress, above: FileFacts) -> io::Result<()> {
    let facts = site.fs.facts(dir.as_fd())?;
    // Whoever may write to the directory above could have put another one under the name meanwhile; an empty one of ours
    // that nobody else may write to is as good as new. Where only we may write, what is in it already is of another run,
    // which began at the same moment.
    let is_ours = facts.uid == site.euid && facts.mode & 0o022 == 0;
    let is_new = is_ours && (!site.may_be_others(&above) || site.fs.list(dir.as_fd())?.is_empty());
    if !is_new {
        return Err(io::ErrorKind::AlreadyExists.into());
    }
    if site.tree.sets_owners && (facts.uid, facts.gid) != (wish.uid, wish.gid) {
        site.fs.change_owner(dir.as_fd(), wish.uid, wish.gid)?;
    }
    match facts.mode == wish.mode {
        true => Ok(()),
        false => site.fs.change_mode(dir.as_fd(), wish.mode),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::fs::{Fs as _, RealFs};

    // Two runs on a blank machine make the directories of their lock at the same moment.
    #[test]
    fn what_another_run_has_put_into_a_new_directory_is_no_obstacle_where_nobody_else_may_write() {
        let above = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(above.path().join("new/of-the-other-run")).unwrap();
        let mode = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(above.path().join("new"), mode).unwrap();
        let fs = RealFs::new();
        let site = Site::new(&fs, None);
        let dressed = |mode| {
            let mode = std::fs::Permissions::from_mode(mode);
            std::fs::set_permissions(above.path(), mode).unwrap();
            let above = fs.open_start(above.path()).unwrap();
            let facts = fs.facts(above.as_fd()).unwrap();
            let new = fs.open_dir(above.as_fd(), Path::new("new")).unwrap();
            let wish = Manner::Records.wish(facts, false, &site);
            dress(&site, &new, wish, facts)
        };
        assert!(dressed(0o755).is_ok());
        assert!(dressed(0o777).is_err());
    }
}
