//! Opening key files: the careful way for machines, and the way of sops for people.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::fs::File;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStringExt;
use std::path::Component;
use std::path::Path;
use std::path::PathBuf;

use rustix::fs::AtFlags;
use rustix::fs::CWD;
use rustix::fs::FileType;
use rustix::fs::Mode;
use rustix::fs::OFlags;
use rustix::fs::Stat;
use rustix::fs::fcntl_setfl;
use rustix::fs::fstat;
use rustix::fs::openat;
use rustix::fs::readlinkat;
use rustix::fs::statat;
use rustix::io::Errno;
use zeroize::Zeroizing;

use crate::keyring::key_file::FileKind;
use crate::keyring::key_file::KeyFileError;
use crate::keyring::key_file::KeyFileModes;
use crate::keyring::key_file::KeyFileReason;
use crate::keyring::key_file::KeyFileWarning;
use crate::secret::Secret;

/// Key files of a machine are below this size (activation design, section 4).
pub(super) const KEY_FILE_LIMIT: usize = 64 * 1024;

/// Why a file could not be read.
#[derive(Debug)]
pub(super) enum OpenFault {
    Missing(Errno),
    Unusable(KeyFileReason),
}

impl From<Errno> for OpenFault {
    fn from(error: Errno) -> Self {
        if error == Errno::NOENT {
            Self::Missing(error)
        } else {
            Self::Unusable(KeyFileReason::Unreadable(error.into()))
        }
    }
}

impl From<KeyFileReason> for OpenFault {
    fn from(reason: KeyFileReason) -> Self {
        Self::Unusable(reason)
    }
}

impl OpenFault {
    /// The error for a file that was named by the user.
    pub(super) fn on(self, path: &Path) -> KeyFileError {
        match self {
            Self::Missing(error) => KeyFileError::Missing {
                path: path.into(),
                source: error.into(),
                nearest_existing_parent: nearest_existing_parent(path),
            },
            Self::Unusable(reason) => KeyFileError::Unusable {
                path: path.into(),
                reason,
            },
        }
    }
}

/// Reads a key file of a machine: a regular file below the size limit, reached through links of trusted owners only.
pub(super) fn read_checked(
    path: &Path,
    modes: KeyFileModes,
) -> Result<(Secret, Vec<KeyFileWarning>), OpenFault> {
    let file = open_through_trusted_links(path)?;
    let stat = fstat(&file)?;
    regular(&stat)?;
    let warnings = access_warnings(&stat);
    if let (KeyFileModes::Strict, Some(warning)) = (modes, warnings.first()) {
        return Err(refusal(warning).into());
    }
    Ok((read_limited(file, KEY_FILE_LIMIT)?, warnings))
}

/// Whether a file that the user named may be something else than a regular file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Named {
    /// A default place: only a regular file is taken.
    ByDefault,
    /// Named in a variable: a pipe from the shell (`<(…)`) is as good.
    ByUser,
}

/// Reads a file as sops does, except that nothing can make it hang or fill the memory.
pub(super) fn read_as_sops(path: &Path, named: Named) -> Result<Secret, OpenFault> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY;
    let file = openat(CWD, path, flags, Mode::empty())?;
    let stat = fstat(&file)?;
    match (FileType::from_raw_mode(stat.st_mode), named) {
        (FileType::Fifo | FileType::CharacterDevice, Named::ByUser) => {
            // Opened without waiting: a pipe that nobody writes to ends at once, one with a writer is waited for.
            fcntl_setfl(&file, OFlags::empty())?;
        }
        _ => regular(&stat)?,
    }
    read_limited(file, USER_FILE_LIMIT)
}

/// Walks the path itself, so that every link on the way is looked at and then used, with nothing in between.
fn open_through_trusted_links(path: &Path) -> Result<OwnedFd, OpenFault> {
    if path.as_os_str().is_empty() {
        return Err(Errno::NOENT.into());
    }
    let mut todo: VecDeque<OsString> = VecDeque::new();
    push_components(&mut todo, path);
    let mut directory = open_directory(CWD, Path::new("."))?;
    let mut walked = PathBuf::new();
    let mut links = 0;
    while let Some(name) = todo.pop_front() {
        walked.push(&name);
        let stat = statat(&directory, &name, AtFlags::SYMLINK_NOFOLLOW)?;
        if FileType::from_raw_mode(stat.st_mode) == FileType::Symlink {
            links += 1;
            if links > LINK_LIMIT {
                return Err(Errno::LOOP.into());
            }
            let target = read_trusted_link(&directory, &name, &walked)?;
            push_components(&mut todo, &target);
            walked.pop();
        } else if todo.is_empty() {
            // Opening a device can do something; what is opened is looked at again.
            regular(&stat)?;
            return Ok(open_file(&directory, &name)?);
        } else {
            directory = open_directory(&directory, Path::new(&name))?;
        }
    }
    Err(KeyFileReason::Directory.into())
}

/// Puts the components of a path before what is still to be walked. A root is a component of its own and starts over.
fn push_components(todo: &mut VecDeque<OsString>, path: &Path) {
    for component in path.components().rev() {
        if component != Component::CurDir {
            todo.push_front(component.as_os_str().to_owned());
        }
    }
}

/// Reads a link through a handle on it, so that the link whose owner was checked is the one that is followed.
fn read_trusted_link(
    directory: &OwnedFd,
    name: &OsString,
    walked: &Path,
) -> Result<PathBuf, OpenFault> {
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let link = openat(directory, name, flags, Mode::empty())?;
    let stat = fstat(&link)?;
    if !trusted(stat.st_uid) {
        return Err(OpenFault::Unusable(KeyFileReason::ForeignLink {
            link: walked.into(),
            owner: stat.st_uid,
        }));
    }
    let target = readlinkat(&link, "", Vec::new())?;
    Ok(PathBuf::from(OsString::from_vec(target.into_bytes())))
}

fn open_directory(base: impl std::os::fd::AsFd, path: &Path) -> Result<OwnedFd, Errno> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    openat(base, path, flags, Mode::empty())
}

fn open_file(directory: &OwnedFd, name: &OsString) -> Result<OwnedFd, Errno> {
    // Without waiting, or a named pipe in this place would hang a boot for ever.
    let flags =
        OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NOCTTY;
    openat(directory, name, flags, Mode::empty())
}

fn regular(stat: &Stat) -> Result<(), KeyFileReason> {
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => Ok(()),
        FileType::Directory => Err(KeyFileReason::Directory),
        FileType::Fifo => Err(KeyFileReason::NotRegular(FileKind::Fifo)),
        FileType::Socket => Err(KeyFileReason::NotRegular(FileKind::Socket)),
        _ => Err(KeyFileReason::NotRegular(FileKind::Device)),
    }
}

fn access_warnings(stat: &Stat) -> Vec<KeyFileWarning> {
    let mode = stat.st_mode & 0o7777;
    let owner = (!trusted(stat.st_uid)).then_some(KeyFileWarning::ForeignOwner(stat.st_uid));
    let mode = (mode & 0o077 != 0).then_some(KeyFileWarning::OpenMode(mode));
    owner.into_iter().chain(mode).collect()
}

fn refusal(warning: &KeyFileWarning) -> KeyFileReason {
    match warning.clone() {
        KeyFileWarning::ForeignOwner(owner) => KeyFileReason::ForeignOwner { owner },
        KeyFileWarning::OpenMode(mode) => KeyFileReason::OpenMode { mode },
        KeyFileWarning::NotBuilt { line, kind } => KeyFileReason::NotBuilt { line, kind },
    }
}

fn trusted(owner: u32) -> bool {
    owner == 0 || owner == rustix::process::geteuid().as_raw()
}

/// Reads up to the limit into a buffer that never moves.
fn read_limited(file: OwnedFd, limit: usize) -> Result<Secret, OpenFault> {
    let mut secret = Secret::with_capacity(4096);
    let mut buffer = Zeroizing::new([0; 4096]);
    let mut file = File::from(file);
    loop {
        match file.read(buffer.as_mut_slice()) {
            Ok(0) => return Ok(secret),
            Ok(read) if secret.len() + read >= limit => {
                return Err(KeyFileReason::TooLarge { limit }.into());
            }
            Ok(read) => secret.extend(buffer.get(..read).unwrap_or_default()),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(Errno::from_io_error(&error).unwrap_or(Errno::IO).into()),
        }
    }
}

fn nearest_existing_parent(path: &Path) -> Option<PathBuf> {
    path.ancestors()
        .skip(1)
        .map(|parent| {
            if parent.as_os_str().is_empty() {
                Path::new(".")
            } else {
                parent
            }
        })
        .find(|parent| statat(CWD, *parent, AtFlags::empty()).is_ok())
        .map(Path::to_owned)
}

/// As the kernel has it.
const LINK_LIMIT: usize = 40;
/// Far above any key file of a person.
const USER_FILE_LIMIT: usize = 1024 * 1024;
