//! The index of git, versions 2 to 4 (gitformat-index): submodules, and the names of single files' contents.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;

use sha2::Digest as _;

use crate::digest;

/// How many bytes a commit's name takes in this repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ObjectFormat {
    /// 20 bytes.
    Sha1,
    /// 32 bytes.
    Sha256,
}

impl ObjectFormat {
    /// The name of a file's content (git-hash-object).
    pub(super) fn name_of(self, content: &[u8]) -> Vec<u8> {
        let header = format!("blob {}\0", content.len());
        match self {
            Self::Sha1 => {
                let hash = sha1::Sha1::new_with_prefix(header);
                hash.chain_update(content).finalize().to_vec()
            }
            Self::Sha256 => {
                let hash = sha2::Sha256::new_with_prefix(header);
                hash.chain_update(content).finalize().to_vec()
            }
        }
    }

    fn len(self) -> usize {
        match self {
            Self::Sha1 => 20,
            Self::Sha256 => 32,
        }
    }
}

/// An entry that is a commit of another repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Gitlink {
    pub(super) path: String,
    /// The commit, in hexadecimal.
    pub(super) commit: String,
}

/// All entries that are commits of another repository; those before the first damaged entry.
pub(super) fn gitlinks(bytes: &[u8], format: ObjectFormat) -> Vec<Gitlink> {
    let mut found = Vec::new();
    each(bytes, format, |path, mode, object| {
        if mode == MODE_GITLINK
            && let Ok(path) = std::str::from_utf8(path)
        {
            found.push(Gitlink {
                path: path.into(),
                commit: digest::hex(object),
            });
        }
    });
    found
}

/// The paths of all regular files; those before the first damaged entry.
pub(super) fn files(bytes: &[u8], format: ObjectFormat) -> Vec<PathBuf> {
    let mut found = Vec::new();
    each(bytes, format, |path, mode, _| {
        if mode & MODE_KIND == MODE_REGULAR {
            found.push(PathBuf::from(OsStr::from_bytes(path)));
        }
    });
    found
}

/// The name of the content that is recorded for a file; none if there is no such entry.
pub(super) fn object_of(bytes: &[u8], format: ObjectFormat, file: &[u8]) -> Option<Vec<u8>> {
    let mut found = None;
    each(bytes, format, |path, mode, object| {
        if path == file && mode != MODE_GITLINK {
            found = Some(object.to_vec());
        }
    });
    found
}

/// Path, mode and object of every entry before the first damaged one.
fn each(bytes: &[u8], format: ObjectFormat, mut visit: impl FnMut(&[u8], u32, &[u8])) {
    let mut reader = Reader { rest: bytes };
    let Some((version, count)) = header(&mut reader) else {
        return;
    };
    let mut path = Vec::new();
    for _ in 0..count {
        let Some((mode, object)) = entry(&mut reader, version, format, &mut path) else {
            return;
        };
        visit(&path, mode, object);
    }
}

/// The version, and the number of entries.
fn header(reader: &mut Reader<'_>) -> Option<(u32, u32)> {
    if reader.take(4)? != b"DIRC" {
        return None;
    }
    let version = reader.number()?;
    (2..=4)
        .contains(&version)
        .then_some((version, reader.number()?))
}

/// One entry: its mode and the name of its object; `path` holds the path of the entry before, from which version 4 builds the next one.
fn entry<'b>(
    reader: &mut Reader<'b>,
    version: u32,
    format: ObjectFormat,
    path: &mut Vec<u8>,
) -> Option<(u32, &'b [u8])> {
    let before = reader.rest.len();
    reader.take(BEFORE_MODE)?;
    let mode = reader.number()?;
    reader.take(BEHIND_MODE)?;
    let object = reader.take(format.len())?;
    let flags = reader.take(2)?;
    if flags.first()? & EXTENDED != 0 {
        reader.take(2)?;
    }
    if version == 4 {
        let dropped = reader.offset()?;
        path.truncate(path.len().checked_sub(dropped)?);
        path.extend_from_slice(reader.until_nul()?);
    } else {
        path.clear();
        path.extend_from_slice(reader.until_nul()?);
        // One to eight zero bytes end an entry, so that its length is a multiple of eight; one is read.
        let length = before - reader.rest.len();
        reader.take(length.next_multiple_of(8) - length)?;
    }
    Some((mode, object))
}

/// What is left to read.
struct Reader<'b> {
    rest: &'b [u8],
}

impl<'b> Reader<'b> {
    fn take(&mut self, count: usize) -> Option<&'b [u8]> {
        let (taken, rest) = self.rest.split_at_checked(count)?;
        self.rest = rest;
        Some(taken)
    }

    fn number(&mut self) -> Option<u32> {
        Some(u32::from_be_bytes(self.take(4)?.try_into().ok()?))
    }

    fn until_nul(&mut self) -> Option<&'b [u8]> {
        let end = memchr::memchr(0, self.rest)?;
        let text = self.take(end)?;
        self.take(1)?;
        Some(text)
    }

    /// A number of variable width as in pack offsets: every further byte adds one before it shifts.
    fn offset(&mut self) -> Option<usize> {
        let mut value = 0_usize;
        loop {
            let byte = *self.take(1)?.first()?;
            value |= usize::from(byte & 0x7f);
            if byte & 0x80 == 0 {
                return Some(value);
            }
            value = value.checked_add(1)?.checked_mul(128)?;
        }
    }
}

/// Times of change, device and inode.
const BEFORE_MODE: usize = 24;

/// Owner, group and size.
const BEHIND_MODE: usize = 12;

/// The flag for two more bytes of flags, in the first byte.
const EXTENDED: u8 = 0x40;

/// A commit of another repository.
const MODE_GITLINK: u32 = 0o160_000;

/// The bits that tell the kind of an entry.
const MODE_KIND: u32 = 0o170_000;

/// A regular file.
const MODE_REGULAR: u32 = 0o100_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_index_has_no_submodules() {
        for bytes in [
            b"".as_slice(),
            b"DIRC",
            b"DIRC\0\0\0\x05\0\0\0\x01",
            b"DIRC\0\0\0\x02\xff\xff\xff\xff",
            b"DIRC\0\0\0\x04\0\0\0\x01 short",
        ] {
            assert!(gitlinks(bytes, ObjectFormat::Sha1).is_empty());
            assert!(files(bytes, ObjectFormat::Sha1).is_empty());
        }
    }
}
