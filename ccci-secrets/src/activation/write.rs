//! New files, written and read back.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use super::site::read_all;
use crate::fs::Fs;

/// Makes a file that nobody may open, writes it, reads it back, and brings it to the disk if it is to last. The handle
/// is for owner and mode, which come last.
pub(super) fn new_file(
    fs: &dyn Fs,
    dir: BorrowedFd<'_>,
    path: &Path,
    bytes: &[u8],
    persists: bool,
) -> io::Result<OwnedFd> {
    let file = fs.create(dir, path)?;
    write_all(fs, file.as_fd(), bytes)?;
    let found = read_all(fs, file.as_fd(), bytes.len())?;
    if !found.ct_eq(bytes) {
        return Err(io::Error::other(
            "what was read back is not what was written",
        ));
    }
    if persists {
        fs.sync(file.as_fd())?;
    }
    Ok(file)
}

fn write_all(fs: &dyn Fs, file: BorrowedFd<'_>, bytes: &[u8]) -> io::Result<()> {
    let mut rest = bytes;
    while !rest.is_empty() {
        match fs.write(file, rest) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(count) => rest = rest.get(count..).unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
