//! Replacing a file: old content or new content at every moment, never neither.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{
    DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _,
};
use std::path::{Path, PathBuf};

use crate::crypto::random_name;
use crate::error::{IoResultExt as _, PathError};

/// The mode of a file that did not exist before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NewFileMode {
    /// 0600: it holds plaintext or a key.
    Private,
    /// 0666 minus the umask: it is sealed.
    Umask,
}

impl NewFileMode {
    fn bits(self) -> u32 {
        match self {
            Self::Private => 0o600,
            Self::Umask => 0o666,
        }
    }
}

/// Replaces a file, or creates it: a temporary file in the same directory gets mode and owner first, then the bytes,
/// reaches the disk, and is renamed over the old one. A symbolic link is followed to its target.
///
/// # Errors
/// [`PathError`]; the old file is intact, and no temporary is left.
pub fn replace(path: &Path, bytes: &[u8], new: NewFileMode) -> Result<(), PathError> {
    let target = follow(path).at(path)?;
    let old = match fs::metadata(&target) {
        Ok(metadata) if metadata.is_dir() => {
            return Err(io::Error::from(io::ErrorKind::IsADirectory)).at(&target);
        }
        // What a rename would put in the place of a device or a pipe is a plain file, and nobody's wish.
        Ok(metadata) if !metadata.is_file() => {
            return Err(io::Error::other("not a regular file")).at(&target);
        }
        Ok(metadata) => Some(metadata),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(error).at(&target),
    };
    // Until it has the old file's owner and mode, nobody else may read it.
    let mode = if old.is_some() {
        NewFileMode::Private
    } else {
        new
    }
    .bits();
    let temporary = Temporary::create(&target, mode)?;
    temporary.fill(bytes, old.as_ref()).at(&target)?;
    fs::rename(&temporary.path, &target).at(&target)?;
    temporary.keep();
    sync_directory(&target)
}

/// Creates a file that must not exist yet, and brings it to the disk.
///
/// # Errors
/// [`PathError`]; of kind `AlreadyExists` when anything stands there. What was half written is removed.
pub fn create_new(path: &Path, bytes: &[u8], new: NewFileMode) -> Result<(), PathError> {
    let file = open_new(path, new.bits()).at(path)?;
    let created = Temporary {
        file,
        path: path.to_owned(),
        remove: std::cell::Cell::new(true),
    };
    created.fill(bytes, None).at(path)?;
    created.keep();
    sync_directory(path)
}

/// Creates a directory of mode 0700 whose name begins with `prefix` and ends at random.
///
/// # Errors
/// [`PathError`].
pub fn create_private_directory(parent: &Path, prefix: &str) -> Result<PathBuf, PathError> {
    loop {
        let random = random_name().map_err(io::Error::other).at(parent)?;
        let path = parent.join(format!("{prefix}{random}"));
        match fs::DirBuilder::new().mode(0o700).create(&path) {
            Ok(()) => return Ok(path),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error).at(path),
        }
    }
}

/// A random part for the name of something that exists for a short time.
pub(crate) fn temporary_name() -> io::Result<String> {
    random_name().map_err(io::Error::other)
}

/// A file that is removed again unless it is kept.
struct Temporary {
    file: File,
    path: PathBuf,
    remove: std::cell::Cell<bool>,
}

impl Temporary {
    fn create(target: &Path, mode: u32) -> Result<Self, PathError> {
        let name = target.file_name().unwrap_or_default().to_string_lossy();
        loop {
            let random = temporary_name().at(target)?;
            let path = target.with_file_name(format!(".{name}.{random}"));
            match open_new(&path, mode) {
                Ok(file) => {
                    return Ok(Self {
                        file,
                        path,
                        remove: std::cell::Cell::new(true),
                    });
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error).at(target),
            }
        }
    }

    fn fill(&self, bytes: &[u8], old: Option<&fs::Metadata>) -> io::Result<()> {
        if let Some(old) = old {
            keep_owner(&self.file, old)?;
            self.file
                .set_permissions(fs::Permissions::from_mode(old.mode() & 0o7777))?;
        }
        (&self.file).write_all(bytes)?;
        self.file.sync_all()
    }

    fn keep(&self) {
        self.remove.set(false);
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if self.remove.get() {
            // Nothing more can be done if even this fails; the error that led here is the one to report.
            drop(fs::remove_file(&self.path));
        }
    }
}

/// Only root can give a file away; for others an owner that differs is no reason to lose the edit.
fn keep_owner(file: &File, old: &fs::Metadata) -> io::Result<()> {
    let made = file.metadata()?;
    if (made.uid(), made.gid()) == (old.uid(), old.gid()) {
        return Ok(());
    }
    match std::os::unix::fs::fchown(file, Some(old.uid()), Some(old.gid())) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(()),
        result => result,
    }
}

fn open_new(path: &Path, mode: u32) -> io::Result<File> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(path)
}

/// The end of a chain of symbolic links; the last target need not exist.
fn follow(path: &Path) -> io::Result<PathBuf> {
    let mut current = path.to_owned();
    for _ in 0..MAX_LINKS {
        match fs::read_link(&current) {
            Ok(next) => current = current.parent().unwrap_or(Path::new("")).join(next),
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::InvalidInput | io::ErrorKind::NotFound
                ) =>
            {
                return Ok(current);
            }
            Err(error) => return Err(error),
        }
    }
    Err(io::Error::other("too many levels of symbolic links"))
}

const MAX_LINKS: usize = 40;

fn sync_directory(file: &Path) -> Result<(), PathError> {
    let directory = match file.parent() {
        Some(parent) if parent.as_os_str().is_empty() => Path::new("."),
        Some(parent) => parent,
        None => Path::new("/"),
    };
    File::open(directory)
        .and_then(|directory| directory.sync_all())
        .at(directory)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_replaced_file_keeps_its_mode_and_leaves_nothing_behind() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.yaml");
        fs::write(&path, "old").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        replace(&path, b"new", NewFileMode::Umask).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o640);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_link_is_followed_to_its_target() {
        let dir = tempfile::tempdir().unwrap();
        let (target, link) = (dir.path().join("target"), dir.path().join("link"));
        fs::write(&target, "old").unwrap();
        std::os::unix::fs::symlink("target", &link).unwrap();
        replace(&link, b"new", NewFileMode::Umask).unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read(&target).unwrap(), b"new");
    }

    #[test]
    fn what_is_no_regular_file_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("socket");
        let _listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
        assert!(replace(&path, b"x", NewFileMode::Umask).is_err());
        assert!(!fs::metadata(&path).unwrap().is_file());
    }

    #[test]
    fn a_private_directory_is_new_and_closed_to_others() {
        let dir = tempfile::tempdir().unwrap();
        let one = create_private_directory(dir.path(), "p-").unwrap();
        let other = create_private_directory(dir.path(), "p-").unwrap();
        assert_ne!(one, other);
        assert_eq!(fs::metadata(&one).unwrap().mode() & 0o7777, 0o700);
    }

    #[test]
    fn a_directory_is_refused_and_an_existing_file_is_not_created_again() {
        let dir = tempfile::tempdir().unwrap();
        assert!(replace(dir.path(), b"x", NewFileMode::Umask).is_err());
        let path = dir.path().join("key");
        create_new(&path, b"1", NewFileMode::Private).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o600);
        assert!(create_new(&path, b"2", NewFileMode::Private).is_err());
        assert_eq!(fs::read(&path).unwrap(), b"1");
    }
}
