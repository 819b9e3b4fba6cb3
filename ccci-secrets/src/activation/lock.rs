//! One run at a time for each mount.
//!
//! A run that changes nothing leaves nothing: it removes the lock's file again if there was none before. So whoever gets
//! the lock of a file looks whether the file still has its name, and starts again if not.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::fault::{Fault, TargetProblem};
use super::observe::target_fault;
use super::parents::{self, Manner};
use super::site::Site;

/// The lock; it is free when this is dropped.
#[derive(Debug)]
pub(super) struct Lock {
    _held: OwnedFd,
    made: Made,
}

/// How a caller waits: for how long altogether, and what waits a while.
#[derive(Clone, Copy)]
pub(super) struct Patience<'a> {
    pub(super) timeout: Duration,
    pub(super) pause: &'a dyn Fn(Duration),
}

/// What had to be made for the lock.
#[derive(Debug, Default)]
struct Made {
    /// Directories from the root of the machine down to the tree's own, which was given.
    base: Vec<PathBuf>,
    directories: Vec<PathBuf>,
    file: Option<PathBuf>,
}

const STEP: Duration = Duration::from_millis(20);

/// How often the file may lose its name before the lock counts as not to be had.
const MOST_ATTEMPTS: usize = 100;

impl Lock {
    /// Waits for the lock.
    pub(super) fn take(
        site: &Site<'_>,
        path: &Path,
        patience: Patience<'_>,
    ) -> Result<Self, Fault> {
        let mut made = Made::default();
        let held = take(site, path, patience, &mut made);
        match held {
            Ok(held) => Ok(Self { _held: held, made }),
            Err(fault) => {
                made.unmake(site);
                Err(fault)
            }
        }
    }

    /// Gives the lock back and leaves no trace of it.
    pub(super) fn withdraw(self, site: &Site<'_>) -> Vec<PathBuf> {
        self.made.unmake(site)
    }
}

fn take(
    site: &Site<'_>,
    path: &Path,
    patience: Patience<'_>,
    made: &mut Made,
) -> Result<OwnedFd, Fault> {
    let mut waited = Duration::ZERO;
    for _ in 0..MOST_ATTEMPTS {
        let Some(attempt) = Attempt::open(site, path, made)? else {
            continue;
        };
        let failed = |source| site.failed("lock", path, source);
        while !site.fs.lock(attempt.file.as_fd()).map_err(failed)? {
            if waited >= patience.timeout {
                // It is in use, so it stays.
                *made = Made::default();
                return Err(Fault::Locked(site.shown(path)));
            }
            (patience.pause)(STEP);
            waited = waited.saturating_add(STEP);
        }
        if attempt.still_has_its_name(site) {
            return Ok(attempt.file);
        }
    }
    Err(Fault::Locked(site.shown(path)))
}

/// The open file of a lock.
struct Attempt {
    directory: OwnedFd,
    name: std::ffi::OsString,
    file: OwnedFd,
}

impl Attempt {
    /// None if the directory went away meanwhile.
    fn open(site: &Site<'_>, path: &Path, made: &mut Made) -> Result<Option<Self>, Fault> {
        make_base(site, &mut made.base)?;
        let parent = path.parent().unwrap_or(path);
        let hazard = |hazard| target_fault(site, parent, TargetProblem::Way(hazard));
        for directory in parents::missing(site, parent).map_err(hazard)? {
            if !made.directories.contains(&directory) {
                made.directories.push(directory);
            }
        }
        let directory = match parents::make(site, parent, Manner::Records) {
            Ok(directory) => directory,
            Err(Fault::FileSystem { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                return Ok(None);
            }
            Err(fault) => return Err(fault),
        };
        let name = path.file_name().unwrap_or_default().to_owned();
        let is_new = site.fs.facts_at(directory.as_fd(), &name).is_err();
        match site.fs.open_lock(directory.as_fd(), &name) {
            Ok(file) => {
                if is_new {
                    made.file = Some(path.to_owned());
                }
                Ok(Some(Self {
                    directory,
                    name,
                    file,
                }))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(site.failed("open the lock", path, source)),
        }
    }

    fn still_has_its_name(&self, site: &Site<'_>) -> bool {
        let held = site.fs.facts(self.file.as_fd());
        let named = site.fs.facts_at(self.directory.as_fd(), &self.name);
        match (held, named) {
            (Ok(held), Ok(named)) => held.inode == named.inode,
            _ => false,
        }
    }
}

/// Mode of the directory that stands for the root.
const OPEN_MODE: u32 = 0o755;

/// Makes the directory that stands for the root, and those above it, open to all.
fn make_base(site: &Site<'_>, made: &mut Vec<PathBuf>) -> Result<(), Fault> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| Fault::FileSystem {
            step: "make the directory",
            path,
            source,
        }
    };
    let is_missing = |path: &&Path| {
        !path.as_os_str().is_empty()
            && site
                .fs
                .open_start(path)
                .is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
    };
    let missing: Vec<&Path> = site.base().ancestors().take_while(is_missing).collect();
    for path in missing.into_iter().rev() {
        match site.fs.make_start(path, OPEN_MODE) {
            Ok(()) => made.push(path.to_owned()),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
            Err(error) => return Err(failed(path)(error)),
        }
        let start = site.fs.open_start(path).map_err(failed(path))?;
        let dir = site.fs.open_dir(start.as_fd(), Path::new("."));
        dir.and_then(|dir| match site.fs.facts(dir.as_fd())?.mode {
            OPEN_MODE => Ok(()),
            _ => site.fs.change_mode(dir.as_fd(), OPEN_MODE),
        })
        .map_err(failed(path))?;
    }
    Ok(())
}

impl Made {
    /// Removes what was made, as far as nobody else uses it; what could not be removed.
    fn unmake(&self, site: &Site<'_>) -> Vec<PathBuf> {
        let mut left = Vec::new();
        if let Some(file) = &self.file
            && let Ok(place) = site.walk(file)
            && let Some(parent) = place.parent()
            && let Err(error) = site.fs.remove_file(parent, &place.name)
            && error.kind() != io::ErrorKind::NotFound
        {
            left.push(site.shown(file));
        }
        left.extend(parents::unmake(site, &self.directories));
        for directory in self.base.iter().rev() {
            match site.fs.remove_start(directory) {
                Err(error)
                    if !matches!(
                        error.kind(),
                        io::ErrorKind::NotFound | io::ErrorKind::DirectoryNotEmpty
                    ) =>
                {
                    left.push(directory.clone());
                }
                _ => {}
            }
        }
        left
    }
}
