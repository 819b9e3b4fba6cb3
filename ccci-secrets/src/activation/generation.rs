//! A stage becomes a generation, and a generation becomes the active one: one rename each.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;

use super::fault::Fault;
use super::links::sync;
use super::parents;
use super::records::{Role, Run, StagedLink};
use super::site::Site;
use crate::fs::Entry;

/// Gives a complete stage its number.
pub(super) fn seal(
    site: &Site<'_>,
    mount: BorrowedFd<'_>,
    mount_path: &Path,
    stage: &Path,
    number: u64,
) -> Result<(), Fault> {
    let number = number.to_string();
    let from = Entry {
        dir: mount,
        name: stage.as_os_str(),
    };
    let to = Entry {
        dir: mount,
        name: number.as_ref(),
    };
    site.fs
        .rename_new(from, to)
        .and_then(|()| sync(site, mount))
        .map_err(|source| site.failed("make the generation", &mount_path.join(&number), source))
}

/// The commit. A directory in the place of the link changes places with it.
pub(super) fn commit(
    site: &Site<'_>,
    link: &StagedLink,
    takes_directory: bool,
) -> Result<(), Fault> {
    let path = link.directory.join(&link.name);
    let failed = |source| site.failed("replace the link", &path, source);
    let dir = parents::open(site, &link.directory).map_err(failed)?;
    let at = |name| Entry {
        dir: dir.as_fd(),
        name,
    };
    let (staged, name) = (at(link.staged.as_os_str()), at(link.name.as_os_str()));
    match takes_directory {
        true => site.fs.exchange(staged, name),
        false => site.fs.rename(staged, name),
    }
    .map_err(failed)
}

/// Brings the commit to the disk.
pub(super) fn sync_commit(site: &Site<'_>, link: &StagedLink) -> Result<(), Fault> {
    let synced: io::Result<()> =
        parents::open(site, &link.directory).and_then(|dir| sync(site, dir.as_fd()));
    synced.map_err(|source| site.failed("bring to the disk", &link.directory, source))
}

/// Whether a run came to its commit. The link says so; a run without a new generation commits when all is staged. A link
/// that cannot be read says nothing: then nobody may conclude that the generation is not active.
pub(super) fn is_committed(site: &Site<'_>, run: &Run) -> Result<bool, Fault> {
    let Some(link) = run.staged.iter().find(|link| link.role == Role::Active) else {
        return Ok(run.sealed);
    };
    let text = parents::open(site, &link.directory)
        .and_then(|dir| site.fs.read_link(dir.as_fd(), link.name.as_os_str()));
    match text {
        Ok(text) => Ok(text == link.text),
        // Nothing is there, or no link.
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::InvalidInput
            ) =>
        {
            Ok(false)
        }
        Err(source) => {
            let path = link.directory.join(&link.name);
            Err(site.failed("look at", &path, source))
        }
    }
}
