//! The file system as activation sees it: a handful of reads, and every change there is as one method.
//!
//! All changes go through [`Fs`], relative to directory handles, so that a test can count them, stop at any one of
//! them and inject an error. Reads are not counted.

#[cfg(test)]
pub(crate) mod testing;

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Component, Path, PathBuf};

use rustix::fs::{
    AtFlags, FlockOperation, Mode, OFlags, RenameFlags, ResolveFlags, StatVfsMountFlags,
};
use rustix::io::Errno;

/// What kind of thing a name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FileKind {
    /// A directory.
    Directory,
    /// A symbolic link.
    Link,
    /// A device, a socket or a FIFO.
    Special,
    /// A regular file.
    Regular,
}

/// What the inode says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FileFacts {
    /// Its kind.
    pub kind: FileKind,
    /// The twelve mode bits.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Length in bytes.
    pub size: u64,
    /// Device and inode number, which together name it.
    pub inode: (u64, u64),
    /// Whether something is mounted here.
    pub mount_point: bool,
}

/// The file systems that matter here: the two in memory, and the rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FileSystem {
    /// Anything that may be on a disk.
    Persistent,
    /// In memory, never swapped.
    Ramfs,
    /// In memory, swapped unless mounted with `noswap`.
    Tmpfs,
}

impl FileSystem {
    /// Whether its content is gone after a reboot.
    #[must_use]
    pub fn is_memory(self) -> bool {
        !matches!(self, Self::Persistent)
    }
}

/// What to mount.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MemoryMount {
    /// A ramfs.
    Ramfs,
    /// A tmpfs with the option `noswap` (kernel 6.4).
    TmpfsNoSwap,
    /// A tmpfs that may be swapped out.
    TmpfsSwappable,
}

/// Reads, and the changes that activation makes. Names are relative to a directory handle; none of the methods but
/// [`Fs::open_start`] follows a symbolic link in its last component, and those that take a path of several components
/// follow none at all and never leave the directory.
pub trait Fs {
    /// The effective user id of this process.
    fn effective_uid(&self) -> u32;

    /// Opens the directory from which others are reached; links are followed, this path is the caller's.
    ///
    /// # Errors
    /// Those of the system.
    fn open_start(&self, path: &Path) -> io::Result<OwnedFd>;

    /// Opens whatever a name stands for, without the right to read it.
    ///
    /// # Errors
    /// Those of the system.
    fn open_hop(&self, dir: BorrowedFd<'_>, name: &OsStr) -> io::Result<OwnedFd>;

    /// Opens a directory for listing.
    ///
    /// # Errors
    /// Those of the system.
    fn open_dir(&self, dir: BorrowedFd<'_>, path: &Path) -> io::Result<OwnedFd>;

    /// Opens a file for reading; a FIFO does not block.
    ///
    /// # Errors
    /// Those of the system.
    fn open_file(&self, dir: BorrowedFd<'_>, path: &Path) -> io::Result<OwnedFd>;

    /// What the inode behind a handle says.
    ///
    /// # Errors
    /// Those of the system.
    fn facts(&self, fd: BorrowedFd<'_>) -> io::Result<FileFacts>;

    /// What the inode behind a name says.
    ///
    /// # Errors
    /// Those of the system.
    fn facts_at(&self, dir: BorrowedFd<'_>, name: &OsStr) -> io::Result<FileFacts>;

    /// Where a link points.
    ///
    /// # Errors
    /// Those of the system.
    fn read_link(&self, dir: BorrowedFd<'_>, name: &OsStr) -> io::Result<PathBuf>;

    /// Reads bytes at an offset; 0 at the end.
    ///
    /// # Errors
    /// Those of the system.
    fn read_at(&self, fd: BorrowedFd<'_>, buffer: &mut [u8], offset: u64) -> io::Result<usize>;

    /// The names in a directory, without `.` and `..`, in no particular order.
    ///
    /// # Errors
    /// Those of the system.
    fn list(&self, dir: BorrowedFd<'_>) -> io::Result<Vec<OsString>>;

    /// The file system that holds a handle.
    ///
    /// # Errors
    /// Those of the system.
    fn file_system(&self, fd: BorrowedFd<'_>) -> io::Result<FileSystem>;

    /// Whether neither devices nor set-user-id programs nor programs at all work where a file lies.
    ///
    /// # Errors
    /// Those of the system.
    fn is_closed_mount(&self, fd: BorrowedFd<'_>) -> io::Result<bool>;

    // --- changes ----------------------------------------------------------------------------------------------

    /// Makes a directory.
    ///
    /// # Errors
    /// Those of the system.
    fn make_dir(&self, dir: BorrowedFd<'_>, name: &OsStr, mode: u32) -> io::Result<()>;

    /// Makes a directory by its path, as [`Fs::open_start`] would find it.
    ///
    /// # Errors
    /// Those of the system.
    fn make_start(&self, path: &Path, mode: u32) -> io::Result<()>;

    /// Makes a file that did not exist, with no permission for anybody, and opens it for reading and writing.
    ///
    /// # Errors
    /// Those of the system.
    fn create(&self, dir: BorrowedFd<'_>, path: &Path) -> io::Result<OwnedFd>;

    /// Opens or makes the file that stands for a lock.
    ///
    /// # Errors
    /// Those of the system.
    fn open_lock(&self, dir: BorrowedFd<'_>, name: &OsStr) -> io::Result<OwnedFd>;

    /// Appends bytes; may write fewer.
    ///
    /// # Errors
    /// Those of the system.
    fn write(&self, fd: BorrowedFd<'_>, bytes: &[u8]) -> io::Result<usize>;

    /// Changes owner and group through a handle.
    ///
    /// # Errors
    /// Those of the system.
    fn change_owner(&self, fd: BorrowedFd<'_>, uid: u32, gid: u32) -> io::Result<()>;

    /// Changes owner and group of a link itself, through a handle that [`Fs::open_hop`] gave.
    ///
    /// # Errors
    /// Those of the system.
    fn change_link_owner(&self, link: BorrowedFd<'_>, uid: u32, gid: u32) -> io::Result<()>;

    /// Changes the mode through a handle.
    ///
    /// # Errors
    /// Those of the system.
    fn change_mode(&self, fd: BorrowedFd<'_>, mode: u32) -> io::Result<()>;

    /// Renames over whatever is there.
    ///
    /// # Errors
    /// Those of the system.
    fn rename(&self, from: Entry<'_>, to: Entry<'_>) -> io::Result<()>;

    /// Renames to a name that must be free.
    ///
    /// # Errors
    /// Those of the system.
    fn rename_new(&self, from: Entry<'_>, to: Entry<'_>) -> io::Result<()>;

    /// Lets two names change places.
    ///
    /// # Errors
    /// Those of the system.
    fn exchange(&self, one: Entry<'_>, other: Entry<'_>) -> io::Result<()>;

    /// Makes a link.
    ///
    /// # Errors
    /// Those of the system.
    fn make_link(&self, text: &Path, dir: BorrowedFd<'_>, path: &Path) -> io::Result<()>;

    /// Removes a name that is no directory.
    ///
    /// # Errors
    /// Those of the system.
    fn remove_file(&self, dir: BorrowedFd<'_>, name: &OsStr) -> io::Result<()>;

    /// Removes an empty directory.
    ///
    /// # Errors
    /// Those of the system.
    fn remove_dir(&self, dir: BorrowedFd<'_>, name: &OsStr) -> io::Result<()>;

    /// Removes an empty directory by the path that [`Fs::make_start`] made.
    ///
    /// # Errors
    /// Those of the system.
    fn remove_start(&self, path: &Path) -> io::Result<()>;

    /// Waits until what was written is on the disk.
    ///
    /// # Errors
    /// Those of the system.
    fn sync(&self, fd: BorrowedFd<'_>) -> io::Result<()>;

    /// Takes the exclusive lock of a file; false if somebody else has it.
    ///
    /// # Errors
    /// Those of the system.
    fn lock(&self, fd: BorrowedFd<'_>) -> io::Result<bool>;

    /// Mounts a file system in memory: `nodev,nosuid,noexec`, mode 0751.
    ///
    /// # Errors
    /// Those of the system.
    fn mount(&self, what: MemoryMount, target: &Path) -> io::Result<()>;

    /// Takes a mount away.
    ///
    /// # Errors
    /// Those of the system.
    fn unmount(&self, target: &Path) -> io::Result<()>;
}

/// A name in a directory.
#[derive(Clone, Copy, Debug)]
#[expect(
    clippy::exhaustive_structs,
    reason = "a directory and a name, there is no more to it"
)]
pub struct Entry<'a> {
    /// The directory.
    pub dir: BorrowedFd<'a>,
    /// The name.
    pub name: &'a OsStr,
}

/// The file system of the machine.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct RealFs;

impl RealFs {
    /// The file system of the machine.
    #[must_use]
    pub fn new() -> Self {
        Self
    }
}

const HOP: OFlags = OFlags::PATH.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);
const READ_DIR: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);
const READ_FILE: OFlags = OFlags::RDONLY
    .union(OFlags::NONBLOCK)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::NOCTTY)
    .union(OFlags::CLOEXEC);
const CREATE: OFlags = OFlags::RDWR
    .union(OFlags::CREATE)
    .union(OFlags::EXCL)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);

/// Opens a path below a directory: no link on the way, no way out.
fn open_beneath(dir: BorrowedFd<'_>, path: &Path, flags: OFlags) -> io::Result<OwnedFd> {
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    match rustix::fs::openat2(dir, path, flags, Mode::empty(), resolve) {
        // Kernels before 5.6, and sandboxes that know only older calls.
        Err(Errno::NOSYS | Errno::PERM) => open_by_components(dir, path, flags),
        other => Ok(other?),
    }
}

/// The same with one `openat` for each component.
fn open_by_components(dir: BorrowedFd<'_>, path: &Path, flags: OFlags) -> io::Result<OwnedFd> {
    let mut components = path.components().peekable();
    let mut holder: Option<OwnedFd> = None;
    while let Some(component) = components.next() {
        let at = holder.as_ref().map_or(dir, |fd| fd.as_fd());
        let (name, last) = match component {
            Component::CurDir => (OsStr::new("."), components.peek().is_none()),
            Component::Normal(name) => (name, components.peek().is_none()),
            _ => return Err(Errno::XDEV.into()),
        };
        if last {
            return Ok(rustix::fs::openat(at, name, flags, Mode::empty())?);
        }
        let hop = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        holder = Some(rustix::fs::openat(at, name, hop, Mode::empty())?);
    }
    Err(Errno::NOENT.into())
}

fn facts_from(found: &rustix::fs::Statx, parent_device: Option<(u32, u32)>) -> FileFacts {
    let mode = u32::from(found.stx_mode);
    let device = (found.stx_dev_major, found.stx_dev_minor);
    let attribute = rustix::fs::StatxAttributes::MOUNT_ROOT;
    FileFacts {
        kind: match rustix::fs::FileType::from_raw_mode(mode) {
            rustix::fs::FileType::Directory => FileKind::Directory,
            rustix::fs::FileType::Symlink => FileKind::Link,
            rustix::fs::FileType::RegularFile => FileKind::Regular,
            _ => FileKind::Special,
        },
        mode: mode & 0o7777,
        uid: found.stx_uid,
        gid: found.stx_gid,
        size: found.stx_size,
        inode: (
            u64::from(device.0) << 32 | u64::from(device.1),
            found.stx_ino,
        ),
        mount_point: if found.stx_attributes_mask.contains(attribute) {
            found.stx_attributes.contains(attribute)
        } else {
            // Kernels before 5.8 do not say; another device than that of the parent is a mount.
            parent_device.is_some_and(|parent| parent != device)
        },
    }
}

fn statx(dir: BorrowedFd<'_>, name: &OsStr, flags: AtFlags) -> io::Result<rustix::fs::Statx> {
    let flags = flags | AtFlags::SYMLINK_NOFOLLOW | AtFlags::NO_AUTOMOUNT;
    Ok(rustix::fs::statx(
        dir,
        name,
        flags,
        rustix::fs::StatxFlags::BASIC_STATS,
    )?)
}

fn ids(uid: u32, gid: u32) -> (Option<rustix::fs::Uid>, Option<rustix::fs::Gid>) {
    (
        Some(rustix::fs::Uid::from_raw(uid)),
        Some(rustix::fs::Gid::from_raw(gid)),
    )
}

impl Fs for RealFs {
    fn effective_uid(&self) -> u32 {
        rustix::process::geteuid().as_raw()
    }

    fn open_start(&self, path: &Path) -> io::Result<OwnedFd> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(rustix::fs::open(path, flags, Mode::empty())?)
    }

    fn open_hop(&self, dir: BorrowedFd<'_>, name: &OsStr) -> io::Result<OwnedFd> {
        Ok(rustix::fs::openat(dir, name, HOP, Mode::empty())?)
    }

    fn open_dir(&self, dir: BorrowedFd<'_>, path: &Path) -> io::Result<OwnedFd> {
        open_beneath(dir, path, READ_DIR)
    }

    fn open_file(&self, dir: BorrowedFd<'_>, path: &Path) -> io::Result<OwnedFd> {
        open_beneath(dir, path, READ_FILE)
    }

    fn facts(&self, fd: BorrowedFd<'_>) -> io::Result<FileFacts> {
        let found = statx(fd, OsStr::new(""), AtFlags::EMPTY_PATH)?;
        let parent = statx(fd, OsStr::new(".."), AtFlags::empty()).ok();
        Ok(facts_from(
            &found,
            parent.map(|parent| (parent.stx_dev_major, parent.stx_dev_minor)),
        ))
    }

    fn facts_at(&self, dir: BorrowedFd<'_>, name: &OsStr) -> io::Result<FileFacts> {
        let found = statx(dir, name, AtFlags::empty())?;
        let parent = statx(dir, OsStr::new(""), AtFlags::EMPTY_PATH).ok();
        Ok(facts_from(
            &found,
            parent.map(|parent| (parent.stx_dev_major, parent.stx_dev_minor)),
        ))
    }

    fn read_link(&self, dir: BorrowedFd<'_>, name: &OsStr) -> io::Result<PathBuf> {
        let text = rustix::fs::readlinkat(dir, name, Vec::new())?;
        Ok(PathBuf::from(OsString::from_vec(text.into_bytes())))
    }

    fn read_at(&self, fd: BorrowedFd<'_>, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        Ok(rustix::io::retry_on_intr(|| {
            rustix::io::pread(fd, &mut *buffer, offset)
        })?)
    }

    fn list(&self, dir: BorrowedFd<'_>) -> io::Result<Vec<OsString>> {
        let mut names = Vec::new();
        for entry in rustix::fs::Dir::read_from(dir)? {
            let entry = entry?;
            let name = entry.file_name().to_bytes();
            if name != b"." && name != b".." {
                names.push(OsStr::from_bytes(name).to_owned());
            }
        }
        Ok(names)
    }

    fn file_system(&self, fd: BorrowedFd<'_>) -> io::Result<FileSystem> {
        // Magic numbers of linux/magic.h; the field's type differs between machines, so it is widened by its bits.
        const RAMFS: u64 = 0x8584_58f6;
        const TMPFS: u64 = 0x0102_1994;
        let found = rustix::fs::fstatfs(fd)?;
        let magic = found.f_type as u64 & 0xffff_ffff;
        Ok(match magic {
            RAMFS => FileSystem::Ramfs,
            TMPFS => FileSystem::Tmpfs,
            _ => FileSystem::Persistent,
        })
    }

    fn is_closed_mount(&self, fd: BorrowedFd<'_>) -> io::Result<bool> {
        let found = rustix::fs::fstatvfs(fd)?;
        let closed =
            StatVfsMountFlags::NODEV | StatVfsMountFlags::NOSUID | StatVfsMountFlags::NOEXEC;
        Ok(found.f_flag.contains(closed))
    }

    fn make_dir(&self, dir: BorrowedFd<'_>, name: &OsStr, mode: u32) -> io::Result<()> {
        Ok(rustix::fs::mkdirat(dir, name, Mode::from_raw_mode(mode))?)
    }

    fn make_start(&self, path: &Path, mode: u32) -> io::Result<()> {
        Ok(rustix::fs::mkdir(path, Mode::from_raw_mode(mode))?)
    }

    fn create(&self, dir: BorrowedFd<'_>, path: &Path) -> io::Result<OwnedFd> {
        open_beneath(dir, path, CREATE)
    }

    fn open_lock(&self, dir: BorrowedFd<'_>, name: &OsStr) -> io::Result<OwnedFd> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        Ok(rustix::fs::openat(
            dir,
            name,
            flags,
            Mode::from_raw_mode(0o600),
        )?)
    }

    fn write(&self, fd: BorrowedFd<'_>, bytes: &[u8]) -> io::Result<usize> {
        Ok(rustix::io::write(fd, bytes)?)
    }

    fn change_owner(&self, fd: BorrowedFd<'_>, uid: u32, gid: u32) -> io::Result<()> {
        let (uid, gid) = ids(uid, gid);
        Ok(rustix::fs::fchown(fd, uid, gid)?)
    }

    fn change_link_owner(&self, link: BorrowedFd<'_>, uid: u32, gid: u32) -> io::Result<()> {
        let (uid, gid) = ids(uid, gid);
        Ok(rustix::fs::chownat(
            link,
            "",
            uid,
            gid,
            AtFlags::EMPTY_PATH,
        )?)
    }

    fn change_mode(&self, fd: BorrowedFd<'_>, mode: u32) -> io::Result<()> {
        Ok(rustix::fs::fchmod(fd, Mode::from_raw_mode(mode))?)
    }

    fn rename(&self, from: Entry<'_>, to: Entry<'_>) -> io::Result<()> {
        Ok(rustix::fs::renameat(from.dir, from.name, to.dir, to.name)?)
    }

    fn rename_new(&self, from: Entry<'_>, to: Entry<'_>) -> io::Result<()> {
        let flags = RenameFlags::NOREPLACE;
        match rustix::fs::renameat_with(from.dir, from.name, to.dir, to.name, flags) {
            // Odd file systems and old kernels do not know the flag; the caller holds the lock.
            Err(Errno::INVAL | Errno::NOSYS) => {
                if self.facts_at(to.dir, to.name).is_ok() {
                    return Err(Errno::EXIST.into());
                }
                self.rename(from, to)
            }
            other => Ok(other?),
        }
    }

    fn exchange(&self, one: Entry<'_>, other: Entry<'_>) -> io::Result<()> {
        let flags = RenameFlags::EXCHANGE;
        Ok(rustix::fs::renameat_with(
            one.dir, one.name, other.dir, other.name, flags,
        )?)
    }

    fn make_link(&self, text: &Path, dir: BorrowedFd<'_>, path: &Path) -> io::Result<()> {
        Ok(rustix::fs::symlinkat(text, dir, path)?)
    }

    fn remove_file(&self, dir: BorrowedFd<'_>, name: &OsStr) -> io::Result<()> {
        Ok(rustix::fs::unlinkat(dir, name, AtFlags::empty())?)
    }

    fn remove_dir(&self, dir: BorrowedFd<'_>, name: &OsStr) -> io::Result<()> {
        Ok(rustix::fs::unlinkat(dir, name, AtFlags::REMOVEDIR)?)
    }

    fn remove_start(&self, path: &Path) -> io::Result<()> {
        Ok(rustix::fs::rmdir(path)?)
    }

    fn sync(&self, fd: BorrowedFd<'_>) -> io::Result<()> {
        Ok(rustix::fs::fsync(fd)?)
    }

    fn lock(&self, fd: BorrowedFd<'_>) -> io::Result<bool> {
        match rustix::fs::flock(fd, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(true),
            Err(Errno::WOULDBLOCK) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    fn mount(&self, what: MemoryMount, target: &Path) -> io::Result<()> {
        let (kind, options) = match what {
            MemoryMount::Ramfs => ("ramfs", c"mode=0751"),
            MemoryMount::TmpfsNoSwap => ("tmpfs", c"mode=0751,noswap"),
            MemoryMount::TmpfsSwappable => ("tmpfs", c"mode=0751"),
        };
        let flags = rustix::mount::MountFlags::NODEV
            | rustix::mount::MountFlags::NOSUID
            | rustix::mount::MountFlags::NOEXEC;
        Ok(rustix::mount::mount("none", target, kind, flags, options)?)
    }

    fn unmount(&self, target: &Path) -> io::Result<()> {
        Ok(rustix::mount::unmount(
            target,
            rustix::mount::UnmountFlags::DETACH,
        )?)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
mod tests {
    use super::*;

    fn start(dir: &tempfile::TempDir) -> OwnedFd {
        RealFs.open_start(dir.path()).unwrap()
    }

    #[test]
    fn a_link_on_the_way_is_refused_by_both_ways_of_opening() {
        let dir = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink("/etc", dir.path().join("out")).unwrap();
        let fd = start(&dir);
        for open in [open_beneath, open_by_components] {
            assert!(open(fd.as_fd(), Path::new("out/passwd"), READ_FILE).is_err());
            assert!(open(fd.as_fd(), Path::new("../x"), READ_FILE).is_err());
            assert!(open(fd.as_fd(), Path::new("/etc/passwd"), READ_FILE).is_err());
        }
    }

    #[test]
    fn a_new_file_has_no_permission_at_all_and_is_readable_through_its_handle() {
        let dir = tempfile::tempdir().unwrap();
        let fd = start(&dir);
        let file = RealFs.create(fd.as_fd(), Path::new("a")).unwrap();
        assert_eq!(RealFs.facts(file.as_fd()).unwrap().mode, 0);
        assert_eq!(RealFs.write(file.as_fd(), b"abc").unwrap(), 3);
        let mut buffer = [0; 8];
        assert_eq!(
            RealFs.read_at(file.as_fd(), &mut buffer, 1).unwrap(),
            2,
            "b and c"
        );
        assert!(RealFs.create(fd.as_fd(), Path::new("a")).is_err());
    }

    #[test]
    fn mount_points_are_seen() {
        let root = RealFs.open_start(Path::new("/")).unwrap();
        assert!(
            RealFs
                .facts_at(root.as_fd(), OsStr::new("proc"))
                .unwrap()
                .mount_point
        );
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("d")).unwrap();
        assert!(
            !RealFs
                .facts_at(start(&dir).as_fd(), OsStr::new("d"))
                .unwrap()
                .mount_point
        );
    }
}
