//! Removing what is ours: always by name below a handle, never through a link, never across a mount.

use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;

use crate::fs::{FileKind, Fs};

/// Removes a name and everything below it; one that does not exist is fine.
pub(super) fn remove_tree(fs: &dyn Fs, dir: BorrowedFd<'_>, name: &OsStr) -> io::Result<()> {
    let facts = match fs.facts_at(dir, name) {
        Ok(facts) => facts,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    if facts.mount_point {
        return Err(io::ErrorKind::ResourceBusy.into());
    }
    if facts.kind != FileKind::Directory {
        return fs.remove_file(dir, name);
    }
    let below = fs.open_dir(dir, Path::new(name))?;
    for child in fs.list(below.as_fd())? {
        remove_tree(fs, below.as_fd(), &child)?;
    }
    fs.remove_dir(dir, name)
}

#[cfg(test)]
#[allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "tests write their own files"
)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::fs::RealFs;

    #[test]
    fn links_are_removed_and_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        let keep = dir.path().join("keep");
        std::fs::create_dir(&keep).unwrap();
        std::fs::write(keep.join("file"), "x").unwrap();
        std::fs::create_dir_all(dir.path().join("tree/deep")).unwrap();
        std::fs::write(dir.path().join("tree/deep/file"), "x").unwrap();
        symlink(&keep, dir.path().join("tree/deep/link")).unwrap();
        symlink(&keep, dir.path().join("link")).unwrap();
        let fs = RealFs::new();
        let start = fs.open_start(dir.path()).unwrap();
        for name in ["tree", "link", "absent"] {
            remove_tree(&fs, start.as_fd(), OsStr::new(name)).unwrap();
        }
        assert!(keep.join("file").exists());
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}
