//! What a file holds, looked at piece by piece: a large one need not stand in memory for that.

use std::fmt;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use ccci_secrets::digest::Sha512Stream;
use zeroize::Zeroizing;

/// Stands for what a file holds, to see whether somebody changed it. It says nothing of itself: the file may be a secret.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fingerprint([u8; 64]);

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Fingerprint")
    }
}

impl Fingerprint {
    pub(crate) fn of(bytes: &[u8]) -> Self {
        let mut digest = Sha512Stream::default();
        digest.update(bytes);
        Self(digest.finish())
    }

    pub(crate) fn of_file(path: &Path) -> io::Result<Self> {
        let mut digest = Sha512Stream::default();
        read_pieces(path, |piece| {
            digest.update(piece);
            true
        })?;
        Ok(Self(digest.finish()))
    }
}

/// Whether a file holds just these bytes.
pub(crate) fn is(path: &Path, bytes: &[u8]) -> io::Result<bool> {
    let mut left = bytes;
    let mut is_same = true;
    read_pieces(path, |piece| {
        match left.strip_prefix(piece) {
            Some(rest) => left = rest,
            None => is_same = false,
        }
        is_same
    })?;
    Ok(is_same && left.is_empty())
}

/// Reads a file for as long as `wants_more` says so.
fn read_pieces(path: &Path, mut wants_more: impl FnMut(&[u8]) -> bool) -> io::Result<()> {
    let mut file = File::open(path)?;
    let mut buffer = Zeroizing::new(vec![0; PIECE]);
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(read) if wants_more(buffer.get(..read).unwrap_or_default()) => {}
            Ok(_) => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

const PIECE: usize = 64 * 1024;

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn a_file_is_told_from_every_other_one() {
        let text: Vec<u8> = (0..=250).cycle().take(3 * PIECE + 5).collect();
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(&text).unwrap();
        let path = file.path();
        let mut last_differs = text.clone();
        *last_differs.last_mut().unwrap() += 1;
        let longer = [text.as_slice(), b"x"].concat();
        let shorter = text.get(..text.len() - 1).unwrap();
        for other in [&last_differs, &longer, shorter, b""] {
            assert!(!is(path, other).unwrap());
            assert_ne!(Fingerprint::of_file(path).unwrap(), Fingerprint::of(other));
        }
        assert!(is(path, &text).unwrap());
        assert_eq!(Fingerprint::of_file(path).unwrap(), Fingerprint::of(&text));
    }
}
