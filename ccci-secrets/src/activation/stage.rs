//! A generation that nobody can see yet.

use std::collections::BTreeSet;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use super::current::inner_text;
use super::fault::Fault;
use super::manifest::Target;
use super::mount::DIRECTORY_MODE;
use super::site::Site;
use super::wanted::Wanted;
use super::write;
use crate::fs::Fs;

/// Where a stage is made.
#[derive(Clone, Copy)]
pub(super) struct Ground<'a> {
    pub(super) site: &'a Site<'a>,
    /// The mount.
    pub(super) mount: BorrowedFd<'a>,
    /// The mount, for messages.
    pub(super) path: &'a Path,
    pub(super) keys_group: u32,
    /// Whether it has to be brought to a disk.
    pub(super) persists: bool,
}

/// Makes the whole generation under a temporary name: every file with its content, owner and mode, then the directories.
pub(super) fn make(ground: Ground<'_>, name: &Path, wanted: &[Wanted]) -> Result<(), Fault> {
    let shown = ground.path.join(name);
    let failed = |source| ground.site.failed("make", &shown, source);
    let fs = ground.site.fs;
    fs.make_dir(ground.mount, name.as_os_str(), 0o700)
        .map_err(failed)?;
    let stage = fs.open_dir(ground.mount, name).map_err(failed)?;
    let mut directories = BTreeSet::new();
    for wanted in wanted {
        let path = shown.join(&wanted.name);
        make_directories(fs, &stage, &wanted.name, &mut directories)
            .map_err(|source| ground.site.failed("write", &path, source))?;
        make_file(ground, &stage, wanted, &path)?;
    }
    for wanted in wanted {
        if let Target::Inside(rest) = &wanted.target {
            make_directories(fs, &stage, rest, &mut directories)
                .and_then(|()| make_inner_link(fs, &stage, rest, &wanted.name))
                .map_err(|source| ground.site.failed("link", &shown.join(rest), source))?;
        }
    }
    // The innermost first: once the outer ones have their owner, this run may not enter them any more.
    for directory in directories.iter().rev() {
        let dir = fs.open_dir(stage.as_fd(), directory);
        dir.and_then(|dir| dress(ground, &dir))
            .map_err(|source| ground.site.failed("make", &shown.join(directory), source))?;
    }
    dress(ground, &stage).map_err(failed)
}

fn make_directories(
    fs: &dyn Fs,
    stage: &OwnedFd,
    name: &str,
    made: &mut BTreeSet<PathBuf>,
) -> io::Result<()> {
    let above: Vec<&Path> = Path::new(name).ancestors().skip(1).collect();
    for directory in above.into_iter().rev() {
        if directory.as_os_str().is_empty() || made.contains(directory) {
            continue;
        }
        let (dir, last) = holder(fs, stage, directory)?;
        fs.make_dir(dir.as_fd(), last.as_os_str(), 0o700)?;
        made.insert(directory.to_owned());
    }
    Ok(())
}

/// The directory that holds a path of the stage, and the last component.
fn holder(fs: &dyn Fs, stage: &OwnedFd, path: &Path) -> io::Result<(OwnedFd, PathBuf)> {
    let parent = path.parent().filter(|path| !path.as_os_str().is_empty());
    let dir = fs.open_dir(stage.as_fd(), parent.unwrap_or(Path::new(".")))?;
    Ok((dir, path.file_name().unwrap_or_default().into()))
}

/// The inode comes without any permission, and gets owner and then mode when its content is complete.
fn make_file(
    ground: Ground<'_>,
    stage: &OwnedFd,
    wanted: &Wanted,
    path: &Path,
) -> Result<(), Fault> {
    let fs = ground.site.fs;
    let failed = |source| ground.site.failed("write", path, source);
    // EXPOSE: into the file of the generation that asks for it.
    let content = wanted.content.expose();
    let name = Path::new(&wanted.name);
    let file = write::new_file(fs, stage.as_fd(), name, content, false).map_err(failed)?;
    if ground.site.tree.sets_owners {
        fs.change_owner(file.as_fd(), wanted.uid, wanted.gid)
            .map_err(|source| ground.site.failed("set the owner of", path, source))?;
    }
    fs.change_mode(file.as_fd(), wanted.mode).map_err(failed)?;
    match ground.persists {
        true => fs.sync(file.as_fd()).map_err(failed),
        false => Ok(()),
    }
}

fn make_inner_link(fs: &dyn Fs, stage: &OwnedFd, rest: &str, name: &str) -> io::Result<()> {
    let (dir, last) = holder(fs, stage, Path::new(rest))?;
    fs.make_link(&inner_text(rest, name), dir.as_fd(), &last)
}

fn dress(ground: Ground<'_>, dir: &OwnedFd) -> io::Result<()> {
    let fs = ground.site.fs;
    if ground.site.tree.sets_owners {
        fs.change_owner(dir.as_fd(), 0, ground.keys_group)?;
    }
    fs.change_mode(dir.as_fd(), DIRECTORY_MODE)?;
    match ground.persists {
        true => fs.sync(dir.as_fd()),
        false => Ok(()),
    }
}
