//! Links outside the generation: made under temporary names before the commit, renamed over their targets after it.
//!
//! Placing looks at the target again: what the plan found there may have changed, and a run that was interrupted knows
//! no contents, so a file is compared with the active generation and not with what was decrypted.

use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use super::backup;
use super::fault::{Fault, TargetProblem, Warning};
use super::manifest::OnConflict;
use super::parents::{self, Manner};
use super::records::{LinkRecord, Records, Role, Run, StagedLink, is_placed};
use super::remove::remove_tree;
use super::site::{Site, read_all};
use super::wanted::Directories;
use crate::fs::{Entry, FileFacts, FileKind, Fs};

/// Makes a link under its temporary name, and the directories on the way.
pub(super) fn stage(
    site: &Site<'_>,
    link: &StagedLink,
    directories: Directories,
) -> Result<(), Fault> {
    let path = link.directory.join(&link.name);
    let failed = |source| site.failed("make a link for", &path, source);
    let dir = parents::make(site, &link.directory, Manner::Inherit(directories))?;
    site.fs
        .make_link(&link.text, dir.as_fd(), &link.staged)
        .map_err(failed)?;
    match link.role {
        Role::Target { uid, gid, .. } if site.tree.sets_owners => {
            give_away(site, dir.as_fd(), link, uid, gid).map_err(failed)
        }
        _ => Ok(()),
    }
}

/// Sets the owner of a staged link. The directory may be somebody else's, who could put another thing under the name:
/// so it is the inode that is looked at and changed.
fn give_away(
    site: &Site<'_>,
    dir: BorrowedFd<'_>,
    link: &StagedLink,
    uid: u32,
    gid: u32,
) -> io::Result<()> {
    let inode = site.fs.open_hop(dir, link.staged.as_os_str())?;
    let facts = site.fs.facts(inode.as_fd())?;
    if facts.kind != FileKind::Link || facts.uid != site.euid {
        return Err(io::Error::other("something else has taken its place"));
    }
    if (facts.uid, facts.gid) == (uid, gid) {
        return Ok(());
    }
    site.fs.change_link_owner(inode.as_fd(), uid, gid)
}

/// What placing came to.
#[derive(Debug, Default)]
pub(super) struct Placed {
    pub(super) faults: Vec<Fault>,
    pub(super) warnings: Vec<Warning>,
    /// Links that should be gone and are not.
    pub(super) not_removed: Vec<LinkRecord>,
}

/// Does everything of a run that comes after its commit and before its end. What is done already stays done.
pub(super) fn place_all(
    site: &Site<'_>,
    generation: Option<&OwnedFd>,
    run: &Run,
    records: &mut Records,
) -> Placed {
    let mut placed = Placed::default();
    for link in &run.staged {
        let result = match &link.role {
            Role::Active => remove_replaced_directory(site, link),
            Role::Target {
                entry, on_conflict, ..
            } => Placement {
                site,
                link,
                entry,
                on_conflict: *on_conflict,
                generation,
            }
            .place(records, &mut placed.warnings),
        };
        placed.faults.extend(result.err());
    }
    for record in &run.removals {
        if let Err(fault) = remove_former(site, record) {
            placed.faults.push(fault);
            placed.not_removed.push(record.clone());
        }
    }
    placed
}

/// One link on its way to its place.
struct Placement<'a> {
    site: &'a Site<'a>,
    link: &'a StagedLink,
    entry: &'a str,
    on_conflict: OnConflict,
    generation: Option<&'a OwnedFd>,
}

impl Placement<'_> {
    fn place(&self, records: &mut Records, warnings: &mut Vec<Warning>) -> Result<(), Fault> {
        let (site, link) = (self.site, self.link);
        let dir = parents::open(site, &link.directory).map_err(|source| self.failed(source))?;
        let staged = kind_at(site.fs, dir.as_fd(), &link.staged);
        let there = kind_at(site.fs, dir.as_fd(), &link.name);
        let (staged, there) = (
            staged.map_err(|source| self.failed(source))?,
            there.map_err(|source| self.failed(source))?,
        );
        let spot = backup::Spot {
            site,
            dir: dir.as_fd(),
            link,
        };
        match (staged.map(|facts| facts.kind), there) {
            // The file that was there has changed places with the link, and was not put aside yet.
            (Some(FileKind::Regular), _) => warnings.push(spot.put_aside(records)?),
            (Some(FileKind::Directory), _) if self.has_text(dir.as_fd(), &link.name) => {
                self.remove_directory(dir.as_fd(), &link.staged)?;
            }
            (Some(FileKind::Link), there) if self.has_text(dir.as_fd(), &link.staged) => {
                match self.conflict(dir.as_fd(), there)? {
                    Obstacle::None => {
                        self.rename(dir.as_fd())?;
                        spot.close_backup(records)?;
                    }
                    Obstacle::EmptyDirectory => self.replace_directory(dir.as_fd())?,
                    Obstacle::File(facts) => warnings.push(spot.back_up(facts, records)?),
                }
            }
            (None, _) if self.has_text(dir.as_fd(), &link.name) => spot.close_backup(records)?,
            _ => {
                return Err(self.failed(io::Error::other("the link made for it is gone")));
            }
        }
        sync(site, dir.as_fd()).map_err(|source| self.failed(source))
    }

    fn failed(&self, source: io::Error) -> Fault {
        let path = self.link.directory.join(&self.link.name);
        self.site.failed("place the link", &path, source)
    }

    fn has_text(&self, dir: BorrowedFd<'_>, name: &Path) -> bool {
        let text = self.site.fs.read_link(dir, name.as_os_str());
        text.is_ok_and(|text| text == self.link.text)
    }

    fn rename(&self, dir: BorrowedFd<'_>) -> Result<(), Fault> {
        let at = |name: &'_ Path| name.as_os_str().to_owned();
        let (from, to) = (at(&self.link.staged), at(&self.link.name));
        let from = Entry { dir, name: &from };
        let to = Entry { dir, name: &to };
        self.site
            .fs
            .rename(from, to)
            .map_err(|source| self.failed(source))
    }

    /// Lets an empty directory and the link change places, and removes the directory; whatever is in it by then stops that.
    fn replace_directory(&self, dir: BorrowedFd<'_>) -> Result<(), Fault> {
        let at = |name: &'_ Path| name.as_os_str().to_owned();
        let (staged, name) = (at(&self.link.staged), at(&self.link.name));
        let exchanged = self
            .site
            .fs
            .exchange(Entry { dir, name: &staged }, Entry { dir, name: &name });
        match exchanged {
            Ok(()) => self.remove_directory(dir, &self.link.staged),
            // A file system that cannot let two names change places.
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported
                ) =>
            {
                self.remove_directory(dir, &self.link.name)?;
                self.rename(dir)
            }
            Err(source) => Err(self.failed(source)),
        }
    }

    fn remove_directory(&self, dir: BorrowedFd<'_>, name: &Path) -> Result<(), Fault> {
        self.site
            .fs
            .remove_dir(dir, name.as_os_str())
            .map_err(|source| self.failed(source))
    }

    /// What has to be done about the thing that stands at the target.
    fn conflict(&self, dir: BorrowedFd<'_>, there: Option<FileFacts>) -> Result<Obstacle, Fault> {
        let Some(facts) = there else {
            return Ok(Obstacle::None);
        };
        let problem = match facts.kind {
            _ if facts.mount_point => TargetProblem::MountPoint,
            FileKind::Link => return Ok(Obstacle::None),
            FileKind::Directory
                if self.on_conflict != OnConflict::Refuse
                    && is_empty(self.site.fs, dir, &self.link.name) =>
            {
                return Ok(Obstacle::EmptyDirectory);
            }
            FileKind::Directory => TargetProblem::Directory,
            FileKind::Special => TargetProblem::Special,
            FileKind::Regular if self.is_same(dir).unwrap_or(false) => return Ok(Obstacle::None),
            FileKind::Regular => match self.on_conflict {
                OnConflict::Replace => return Ok(Obstacle::None),
                OnConflict::Backup => return Ok(Obstacle::File(facts)),
                OnConflict::Refuse => TargetProblem::Differs,
            },
        };
        Err(Fault::Target {
            path: self.site.shown(&self.link.directory.join(&self.link.name)),
            problem,
        })
    }

    /// Whether the file at the target holds what the generation holds.
    fn is_same(&self, dir: BorrowedFd<'_>) -> io::Result<bool> {
        let Some(generation) = self.generation else {
            return Ok(false);
        };
        let fs = self.site.fs;
        let ours = fs.open_file(generation.as_fd(), Path::new(self.entry))?;
        let theirs = fs.open_file(dir, &self.link.name)?;
        let size = usize::try_from(fs.facts(ours.as_fd())?.size).unwrap_or(usize::MAX);
        let theirs_size = fs.facts(theirs.as_fd())?.size;
        if usize::try_from(theirs_size) != Ok(size) {
            return Ok(false);
        }
        let ours = read_all(fs, ours.as_fd(), size)?;
        let theirs = read_all(fs, theirs.as_fd(), size)?;
        // EXPOSE: compared in memory, in constant time.
        Ok(ours.ct_eq(theirs.expose()))
    }
}

fn is_empty(fs: &dyn Fs, dir: BorrowedFd<'_>, name: &Path) -> bool {
    let names = fs
        .open_dir(dir, name)
        .and_then(|inside| fs.list(inside.as_fd()));
    names.is_ok_and(|names| names.is_empty())
}

enum Obstacle {
    EmptyDirectory,
    None,
    /// A file that has to be kept.
    File(FileFacts),
}

/// Whether anything is there under the temporary name.
pub(super) fn is_staged(site: &Site<'_>, link: &StagedLink) -> bool {
    let there = parents::open(site, &link.directory)
        .and_then(|dir| kind_at(site.fs, dir.as_fd(), &link.staged));
    match there {
        Ok(facts) => facts.is_some(),
        Err(error) => error.kind() != io::ErrorKind::NotFound,
    }
}

/// Takes a staged link away again. Whatever else stands under the name is not ours.
pub(super) fn discard(site: &Site<'_>, link: &StagedLink) -> io::Result<()> {
    let dir = match parents::open(site, &link.directory) {
        Ok(dir) => dir,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    let text = site.fs.read_link(dir.as_fd(), link.staged.as_os_str());
    if text.is_ok_and(|text| text == link.text) {
        site.fs.remove_file(dir.as_fd(), link.staged.as_os_str())?;
    }
    Ok(())
}

/// After a power cut only the ledger knows of a staged name: what is under it is a link of no use, or what the link had
/// changed places with.
pub(super) fn settle(
    site: &Site<'_>,
    link: &StagedLink,
    records: &mut Records,
) -> Result<Option<Warning>, Fault> {
    let path = link.directory.join(&link.staged);
    let failed = |source| site.failed("remove", &path, source);
    let dir = match parents::open(site, &link.directory) {
        Ok(dir) => dir,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    let found = kind_at(site.fs, dir.as_fd(), &link.staged).map_err(failed)?;
    let spot = backup::Spot {
        site,
        dir: dir.as_fd(),
        link,
    };
    match (found.map(|facts| facts.kind), &link.role) {
        (Some(FileKind::Regular), Role::Target { .. }) => spot.put_aside(records).map(Some),
        (None, Role::Target { .. }) => spot.close_backup(records).map(|()| None),
        (Some(FileKind::Directory), Role::Target { .. }) => site
            .fs
            .remove_dir(dir.as_fd(), link.staged.as_os_str())
            .map_err(failed)
            .map(|()| None),
        (Some(FileKind::Directory), Role::Active) => {
            remove_replaced_directory(site, link).map(|()| None)
        }
        _ => discard(site, link).map_err(failed).map(|()| None),
    }
}

/// Removes the directory that changed places with the link, if the link is where it was.
fn remove_replaced_directory(site: &Site<'_>, link: &StagedLink) -> Result<(), Fault> {
    let path = link.directory.join(&link.staged);
    let failed = |source| site.failed("remove the directory", &path, source);
    let dir = parents::open(site, &link.directory).map_err(failed)?;
    let there = kind_at(site.fs, dir.as_fd(), &link.name).map_err(failed)?;
    let staged = kind_at(site.fs, dir.as_fd(), &link.staged).map_err(failed)?;
    let is = |facts: Option<FileFacts>, kind| facts.is_some_and(|facts| facts.kind == kind);
    if is(staged, FileKind::Directory) && is(there, FileKind::Link) {
        remove_tree(site.fs, dir.as_fd(), link.staged.as_os_str()).map_err(failed)?;
    }
    Ok(())
}

/// Removes a link that nobody wants any more, if it still is ours.
fn remove_former(site: &Site<'_>, record: &LinkRecord) -> Result<(), Fault> {
    if !is_placed(site, record) {
        return Ok(());
    }
    let path = PathBuf::from(&record.path);
    let failed = |source| site.failed("remove the link", &path, source);
    let directory = path.parent().unwrap_or(Path::new("/"));
    let name = path.file_name().unwrap_or(OsStr::new(""));
    let dir = parents::open(site, directory).map_err(failed)?;
    site.fs
        .remove_file(dir.as_fd(), name)
        .and_then(|()| sync(site, dir.as_fd()))
        .map_err(failed)
}

/// Brings the names in a directory to the disk, if it lies on one.
pub(super) fn sync(site: &Site<'_>, dir: BorrowedFd<'_>) -> io::Result<()> {
    match site.fs.file_system(dir)?.is_memory() {
        true => Ok(()),
        false => site.fs.sync(dir),
    }
}

/// What stands under a name, if anything does.
pub(super) fn kind_at(
    fs: &dyn Fs,
    dir: BorrowedFd<'_>,
    name: &Path,
) -> io::Result<Option<FileFacts>> {
    match fs.facts_at(dir, name.as_os_str()) {
        Ok(facts) => Ok(Some(facts)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
