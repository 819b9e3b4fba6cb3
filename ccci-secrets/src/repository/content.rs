//! What stands in a file that should be sealed and is not.

use std::fmt;

use crate::error::ErrorCode;

/// Why a file cannot hold sealed content, seen from its bytes alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NotSealedBecause {
    /// Conflict markers of a git merge.
    ConflictMarkers {
        /// The line of the first one, from 1.
        line: usize,
    },
    /// Nothing but white space.
    Empty,
    /// The cipher text of git-crypt, whose repository is locked.
    GitCrypt,
    /// The pointer of git LFS, whose file was not fetched.
    LfsPointer,
}

impl NotSealedBecause {
    /// The stable code.
    #[must_use]
    pub fn code(self) -> ErrorCode {
        match self {
            Self::ConflictMarkers { .. } => ErrorCode::ConflictMarkers,
            Self::Empty | Self::GitCrypt => ErrorCode::FileNotSealed,
            Self::LfsPointer => ErrorCode::LfsPointer,
        }
    }
}

impl fmt::Display for NotSealedBecause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ConflictMarkers { line } => {
                write!(f, "conflict markers of git, the first on line {line}")
            }
            Self::Empty => f.write_str("the file is empty"),
            Self::GitCrypt => f.write_str("the file is encrypted by git-crypt"),
            Self::LfsPointer => {
                f.write_str("a pointer of git LFS: the file itself was not fetched")
            }
        }
    }
}

/// Recognises what a repository leaves in place of a file.
#[must_use]
pub fn classify_content(bytes: &[u8]) -> Option<NotSealedBecause> {
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Some(NotSealedBecause::Empty);
    }
    if bytes.starts_with(GIT_CRYPT_MAGIC) {
        return Some(NotSealedBecause::GitCrypt);
    }
    if bytes.len() <= MAX_LFS_POINTER && LFS_VERSIONS.iter().any(|text| bytes.starts_with(text)) {
        return Some(NotSealedBecause::LfsPointer);
    }
    first_conflict(bytes).map(|line| NotSealedBecause::ConflictMarkers { line })
}

/// The line of the first complete conflict: its three markers in their order, each at the start of a line. A document
/// may hold a line that looks like one of them.
fn first_conflict(bytes: &[u8]) -> Option<usize> {
    let mut opened = None;
    let mut divided = false;
    for (number, line) in (1..).zip(bytes.split(|byte| *byte == b'\n')) {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if is_marker(line, b"<<<<<<<") {
            (opened, divided) = (Some(number), false);
        } else if line == b"=======" {
            divided = opened.is_some();
        } else if divided && is_marker(line, b">>>>>>>") {
            return opened;
        }
    }
    None
}

/// Seven signs, and behind a space the name of a side.
fn is_marker(line: &[u8], signs: &[u8]) -> bool {
    line.strip_prefix(signs)
        .is_some_and(|name| name.first().is_none_or(|byte| *byte == b' '))
}

/// The first bytes of every file that git-crypt wrote.
const GIT_CRYPT_MAGIC: &[u8] = b"\0GITCRYPT\0";

/// The first line of a pointer, today's and the two from before its first release.
const LFS_VERSIONS: [&[u8]; 3] = [
    b"version https://git-lfs.github.com/spec/",
    b"version https://hawser.github.com/spec/",
    b"version http://git-media.io/v/",
];

/// git LFS takes nothing longer for a pointer.
const MAX_LFS_POINTER: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_in_place_of_a_file_is_recognised() {
        let pointer = "version https://git-lfs.github.com/spec/v1\n\
            oid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\nsize 12345\n";
        let conflict =
            "a: 1\n<<<<<<< HEAD\nb: 1\n||||||| base\nb: 0\n=======\nb: 2\n>>>>>>> other\n";
        for (bytes, expected) in [
            ("", Some(NotSealedBecause::Empty)),
            (" \n\t\r\n", Some(NotSealedBecause::Empty)),
            ("\0GITCRYPT\0\x01\x02", Some(NotSealedBecause::GitCrypt)),
            (pointer, Some(NotSealedBecause::LfsPointer)),
            (
                conflict,
                Some(NotSealedBecause::ConflictMarkers { line: 2 }),
            ),
            (
                "<<<<<<<\r\na\r\n=======\r\n>>>>>>>\r\n",
                Some(NotSealedBecause::ConflictMarkers { line: 1 }),
            ),
            ("a: 1\n", None),
        ] {
            assert_eq!(classify_content(bytes.as_bytes()), expected, "{bytes:?}");
        }
    }

    #[test]
    fn a_lone_marker_is_content() {
        for text in [
            "a: |\n  <<<<<<< HEAD\n  =======\n  >>>>>>> x\n",
            "title\n=======\n>>>>>>> quoted\n",
            "<<<<<<< a\n>>>>>>> b\n",
            "<<<<<<<a\n=======\n>>>>>>> b\n",
        ] {
            assert_eq!(classify_content(text.as_bytes()), None, "{text:?}");
        }
    }

    #[test]
    fn a_long_file_that_begins_like_a_pointer_is_none() {
        let mut bytes = b"version https://git-lfs.github.com/spec/v1\n".to_vec();
        bytes.resize(2000, b'x');
        assert_eq!(classify_content(&bytes), None);
    }
}
