//! What the kernel tells in files of `/proc`.

use std::ffi::OsString;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use crate::fs::Fs;

/// Whether the machine swaps; yes if it does not say.
pub(super) fn has_swap(fs: &dyn Fs) -> bool {
    // The first line names the columns.
    read(fs, "/proc", "swaps").map_or(true, |list| {
        list.iter().filter(|byte| **byte == b'\n').count() > 1
    })
}

/// Whether a mount made at a path would be seen in this process' mount namespace alone, as in a service that systemd
/// has sandboxed: the mount above receives from elsewhere what is mounted, and sends nothing there.
pub(super) fn would_be_hidden(fs: &dyn Fs, target: &Path) -> io::Result<bool> {
    read(fs, "/proc/self", "mountinfo").map(|mounts| is_below_slave(&mounts, target))
}

/// Whether files can belong to a group in the user namespace of this process; yes if the kernel does not say.
pub(super) fn maps_group(fs: &dyn Fs, gid: u32) -> bool {
    read(fs, "/proc/self", "gid_map").map_or(true, |map| has_in_a_range(&map, gid))
}

/// Each line has the first id inside, the first one outside, and how many there are (user_namespaces(7)).
fn has_in_a_range(map: &[u8], id: u32) -> bool {
    String::from_utf8_lossy(map).lines().any(|line| {
        let mut numbers = line.split_whitespace().map(str::parse::<u64>);
        match (numbers.next(), numbers.nth(1)) {
            (Some(Ok(first)), Some(Ok(count))) => {
                (first..first.saturating_add(count)).contains(&u64::from(id))
            }
            _ => false,
        }
    })
}

/// A file of `/proc` has no length.
fn read(fs: &dyn Fs, directory: &str, name: &str) -> io::Result<Vec<u8>> {
    let directory = fs.open_start(Path::new(directory))?;
    let file = fs.open_file(directory.as_fd(), Path::new(name))?;
    let mut all = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let offset = u64::try_from(all.len()).unwrap_or(u64::MAX);
        match fs.read_at(file.as_fd(), &mut buffer, offset)? {
            0 => return Ok(all),
            count => all.extend_from_slice(buffer.get(..count).unwrap_or_default()),
        }
    }
}

/// Of the mounts that hold the target the deepest counts, and of those at one place the last.
fn is_below_slave(mounts: &[u8], target: &Path) -> bool {
    mounts
        .split(|byte| *byte == b'\n')
        .filter_map(mount_point)
        .filter(|(point, _)| target.starts_with(point))
        .max_by_key(|(point, _)| point.components().count())
        .is_some_and(|(_, is_slave)| is_slave)
}

/// Where a line of `mountinfo` says that something is mounted, and whether it is a slave (proc(5)).
fn mount_point(line: &[u8]) -> Option<(PathBuf, bool)> {
    let mut fields = line.split(|byte| *byte == b' ');
    let point = unescaped(fields.nth(4)?);
    let is_slave = fields
        .skip(1)
        .take_while(|field| *field != b"-")
        .any(|field| field.starts_with(b"master:"));
    Some((PathBuf::from(OsString::from_vec(point)), is_slave))
}

/// Blanks and backslashes stand there as three octal digits.
fn unescaped(field: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = field;
    while let Some((first, behind)) = rest.split_first() {
        let digits = behind
            .get(..3)
            .filter(|_| *first == b'\\')
            .and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 8).ok());
        bytes.push(digits.unwrap_or(*first));
        rest = match digits {
            Some(_) => behind.get(3..).unwrap_or_default(),
            None => behind,
        };
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNTS: &[u8] = b"\
21 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
22 21 0:5 / /run rw,nosuid shared:9 master:2 - tmpfs tmpfs rw
23 22 0:6 / /run/own rw - tmpfs tmpfs rw
24 21 0:7 / /with\\040blank rw master:3 propagate_from:2 - tmpfs master:9 rw
25 21 0:8 / /srv rw master:4 - tmpfs tmpfs rw
26 25 0:9 / /srv rw - tmpfs master:4 rw
";

    #[test]
    fn the_deepest_and_last_mount_decides() {
        let hidden = |path| is_below_slave(MOUNTS, Path::new(path));
        assert!(hidden("/run/secrets.d"));
        assert!(hidden("/with blank/x"));
        assert!(!hidden("/run/own/secrets.d"));
        assert!(!hidden("/runs"));
        assert!(!hidden("/etc"));
        assert!(!hidden("/srv/x"));
    }

    #[test]
    fn a_group_is_mapped_in_one_of_the_ranges_or_not_at_all() {
        let rootless = b"         0       1000          1\n         1     100000      65535\n";
        for (id, is_mapped) in [(0, true), (1, true), (65535, true), (65536, false)] {
            assert_eq!(has_in_a_range(rootless, id), is_mapped, "{id}");
        }
        assert!(has_in_a_range(b"0 0 4294967295\n", 65534));
        assert!(!has_in_a_range(b"", 0));
    }

    #[test]
    fn this_process_can_read_its_mounts() {
        let fs = crate::fs::RealFs::new();
        // /proc is mounted, so the file is there and longer than one buffer or not: what counts is its end.
        let mounts = read(&fs, "/proc/self", "mountinfo");
        assert!(mounts.is_ok_and(|mounts| mounts.ends_with(b"\n")));
    }
}
