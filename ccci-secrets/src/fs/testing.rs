//! A file system that counts changes and fails at one of them.

use std::cell::{Cell, RefCell};
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use super::{Entry, FileFacts, FileSystem, Fs, MemoryMount, RealFs};

/// What happens at the chosen change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Injected {
    /// The call fails with this number, the following ones work.
    Error(i32),
    /// This call and all after it fail: the process is gone.
    Death,
    /// A write takes only its first byte; other calls work.
    ShortWrite,
}

/// The real file system with every change written down and, at one of them, an injected fault.
#[derive(Debug, Default)]
pub(crate) struct Watched {
    real: RealFs,
    fault: Option<(usize, Injected)>,
    count: Cell<usize>,
    log: RefCell<Vec<String>>,
}

impl Watched {
    pub(crate) fn recording() -> Self {
        Self::default()
    }

    pub(crate) fn failing(at: usize, what: Injected) -> Self {
        Self {
            fault: Some((at, what)),
            ..Self::default()
        }
    }

    pub(crate) fn changes(&self) -> usize {
        self.count.get()
    }

    pub(crate) fn log(&self) -> Vec<String> {
        self.log.borrow().clone()
    }

    /// Counts a change; the injected fault if it is due.
    fn change(&self, call: &str, on: &dyn AsRef<Path>) -> io::Result<Option<Injected>> {
        let nth = self.count.replace(self.count.get() + 1);
        self.log
            .borrow_mut()
            .push(format!("{call} {}", on.as_ref().display()));
        match self.fault {
            Some((at, Injected::Error(number))) if nth == at => {
                Err(io::Error::from_raw_os_error(number))
            }
            Some((at, Injected::Death)) if nth >= at => Err(io::Error::other("dead")),
            Some((at, what)) if nth == at => Ok(Some(what)),
            _ => Ok(None),
        }
    }
}

impl Fs for Watched {
    fn effective_uid(&self) -> u32 {
        self.real.effective_uid()
    }
    fn open_start(&self, path: &Path) -> io::Result<OwnedFd> {
        self.real.open_start(path)
    }
    fn open_hop(&self, dir: BorrowedFd<'_>, name: &OsStr) -> io::Result<OwnedFd> {
        self.real.open_hop(dir, name)
    }
    fn open_dir(&self, dir: BorrowedFd<'_>, path: &Path) -> io::Result<OwnedFd> {
        self.real.open_dir(dir, path)
    }
    fn open_file(&self, dir: BorrowedFd<'_>, path: &Path) -> io::Result<OwnedFd> {
        self.real.open_file(dir, path)
    }
    fn facts(&self, fd: BorrowedFd<'_>) -> io::Result<FileFacts> {
        self.real.facts(fd)
    }
    fn facts_at(&self, dir: BorrowedFd<'_>, name: &OsStr) -> io::Result<FileFacts> {
        self.real.facts_at(dir, name)
    }
    fn read_link(&self, dir: BorrowedFd<'_>, name: &OsStr) -> io::Result<PathBuf> {
        self.real.read_link(dir, name)
    }
    fn read_at(&self, fd: BorrowedFd<'_>, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.real.read_at(fd, buffer, offset)
    }
    fn list(&self, dir: BorrowedFd<'_>) -> io::Result<Vec<OsString>> {
        self.real.list(dir)
    }
    /// Always a disk, so that bringing things to it is among the changes.
    fn file_system(&self, fd: BorrowedFd<'_>) -> io::Result<FileSystem> {
        self.real.file_system(fd).map(|_| FileSystem::Persistent)
    }

    fn is_closed_mount(&self, fd: BorrowedFd<'_>) -> io::Result<bool> {
        self.real.is_closed_mount(fd)
    }

    fn make_dir(&self, dir: BorrowedFd<'_>, name: &OsStr, mode: u32) -> io::Result<()> {
        self.change("make_dir", &name)?;
        self.real.make_dir(dir, name, mode)
    }
    fn make_start(&self, path: &Path, mode: u32) -> io::Result<()> {
        self.change("make_start", &path)?;
        self.real.make_start(path, mode)
    }
    fn create(&self, dir: BorrowedFd<'_>, path: &Path) -> io::Result<OwnedFd> {
        self.change("create", &path)?;
        self.real.create(dir, path)
    }
    fn open_lock(&self, dir: BorrowedFd<'_>, name: &OsStr) -> io::Result<OwnedFd> {
        self.change("open_lock", &name)?;
        self.real.open_lock(dir, name)
    }
    fn write(&self, fd: BorrowedFd<'_>, bytes: &[u8]) -> io::Result<usize> {
        if self.change("write", &"")? == Some(Injected::ShortWrite) {
            return self.real.write(fd, bytes.get(..1).unwrap_or_default());
        }
        self.real.write(fd, bytes)
    }
    fn change_owner(&self, fd: BorrowedFd<'_>, uid: u32, gid: u32) -> io::Result<()> {
        self.change("change_owner", &"")?;
        self.real.change_owner(fd, uid, gid)
    }
    fn change_link_owner(&self, link: BorrowedFd<'_>, uid: u32, gid: u32) -> io::Result<()> {
        self.change("change_link_owner", &"")?;
        self.real.change_link_owner(link, uid, gid)
    }
    fn change_mode(&self, fd: BorrowedFd<'_>, mode: u32) -> io::Result<()> {
        self.change("change_mode", &format!("{mode:o}"))?;
        self.real.change_mode(fd, mode)
    }
    fn rename(&self, from: Entry<'_>, to: Entry<'_>) -> io::Result<()> {
        self.change("rename", &to.name)?;
        self.real.rename(from, to)
    }
    fn rename_new(&self, from: Entry<'_>, to: Entry<'_>) -> io::Result<()> {
        self.change("rename_new", &to.name)?;
        self.real.rename_new(from, to)
    }
    fn exchange(&self, one: Entry<'_>, other: Entry<'_>) -> io::Result<()> {
        self.change("exchange", &other.name)?;
        self.real.exchange(one, other)
    }
    fn make_link(&self, text: &Path, dir: BorrowedFd<'_>, path: &Path) -> io::Result<()> {
        self.change("make_link", &path)?;
        self.real.make_link(text, dir, path)
    }
    fn remove_file(&self, dir: BorrowedFd<'_>, name: &OsStr) -> io::Result<()> {
        self.change("remove_file", &name)?;
        self.real.remove_file(dir, name)
    }
    fn remove_dir(&self, dir: BorrowedFd<'_>, name: &OsStr) -> io::Result<()> {
        self.change("remove_dir", &name)?;
        self.real.remove_dir(dir, name)
    }
    fn remove_start(&self, path: &Path) -> io::Result<()> {
        self.change("remove_start", &path)?;
        self.real.remove_start(path)
    }
    /// Nothing a test can see depends on the disk.
    fn sync(&self, _fd: BorrowedFd<'_>) -> io::Result<()> {
        self.change("sync", &"").map(drop)
    }
    fn lock(&self, fd: BorrowedFd<'_>) -> io::Result<bool> {
        self.change("lock", &"")?;
        self.real.lock(fd)
    }
    fn mount(&self, what: MemoryMount, target: &Path) -> io::Result<()> {
        self.change("mount", &target)?;
        self.real.mount(what, target)
    }
    fn unmount(&self, target: &Path) -> io::Result<()> {
        self.change("unmount", &target)?;
        self.real.unmount(target)
    }
}
