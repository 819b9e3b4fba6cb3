//! The active generation, compared with what is wanted.

use std::collections::BTreeSet;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};

use super::manifest::Target;
use super::observe::Frame;
use super::site::{Site, read_all, relative};
use super::wanted::Wanted;
use crate::fs::{FileFacts, FileKind};

/// The active generation.
#[derive(Debug)]
pub(super) struct Current {
    /// None for a directory that is no generation of ours, to which the link leads all the same.
    pub(super) number: Option<u64>,
    /// For each wanted file.
    pub(super) files: Vec<FileFound>,
    /// Names that nobody wants any more.
    pub(super) gone: Vec<String>,
}

/// How a file of the active generation compares with what is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FileFound {
    Absent,
    Present {
        content: bool,
        mode: bool,
        owner: bool,
        /// The second name inside the generation, if one is wanted.
        inner_link: bool,
        before: Before,
    },
}

impl FileFound {
    pub(super) fn before(&self) -> Option<Before> {
        match self {
            Self::Absent => None,
            Self::Present { before, .. } => Some(*before),
        }
    }
}

/// Mode and owner of a file as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Before {
    /// Mode.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
}

impl Before {
    pub(super) fn of(facts: &FileFacts) -> Self {
        Self {
            mode: facts.mode,
            uid: facts.uid,
            gid: facts.gid,
        }
    }
}

/// Compares the active generation with what is wanted; none if it does not exist.
pub(super) fn find_current(
    site: &Site<'_>,
    frame: &Frame,
    number: u64,
    wanted: &[Wanted],
) -> Option<Current> {
    let dir = site.open_dir(&frame.mount.join(number.to_string()))?;
    let files = compare_all(site, dir.as_fd(), wanted);
    let mut names = BTreeSet::new();
    list_names(site, dir.as_fd(), "", &mut names);
    for wanted in wanted {
        names.remove(&wanted.name);
        if let Target::Inside(rest) = &wanted.target {
            names.remove(rest);
        }
    }
    Some(Current {
        number: Some(number),
        files,
        gone: names.into_iter().collect(),
    })
}

/// Compares whatever directory a link leads to, which somebody else has set, with what is wanted. What else is in there is
/// nobody's business.
pub(super) fn find_foreign(site: &Site<'_>, path: &Path, wanted: &[Wanted]) -> Option<Current> {
    let dir = site.open_dir(path)?;
    Some(Current {
        number: None,
        files: compare_all(site, dir.as_fd(), wanted),
        gone: Vec::new(),
    })
}

fn compare_all(site: &Site<'_>, dir: BorrowedFd<'_>, wanted: &[Wanted]) -> Vec<FileFound> {
    wanted
        .iter()
        .map(|wanted| compare(site, dir, wanted))
        .collect()
}

/// What cannot be read differs.
fn compare(site: &Site<'_>, generation: BorrowedFd<'_>, wanted: &Wanted) -> FileFound {
    let Ok(file) = site.fs.open_file(generation, Path::new(&wanted.name)) else {
        return FileFound::Absent;
    };
    let Ok(facts) = site.fs.facts(file.as_fd()) else {
        return FileFound::Absent;
    };
    if facts.kind != FileKind::Regular {
        return FileFound::Absent;
    }
    FileFound::Present {
        content: has_content(site, file.as_fd(), &facts, wanted),
        before: Before::of(&facts),
        mode: facts.mode == wanted.mode,
        owner: !site.tree.sets_owners || (facts.uid, facts.gid) == (wanted.uid, wanted.gid),
        inner_link: match &wanted.target {
            Target::Inside(rest) => has_inner_link(site, generation, rest, &wanted.name),
            Target::Outside(_) | Target::Own => true,
        },
    }
}

/// Whether a file holds the wanted bytes.
pub(super) fn has_content(
    site: &Site<'_>,
    file: BorrowedFd<'_>,
    facts: &FileFacts,
    wanted: &Wanted,
) -> bool {
    if usize::try_from(facts.size) != Ok(wanted.content.len()) {
        return false;
    }
    let found = read_all(site.fs, file, wanted.content.len());
    // EXPOSE: compared in memory, in constant time.
    found.is_ok_and(|found| found.ct_eq(wanted.content.expose()))
}

fn has_inner_link(site: &Site<'_>, generation: BorrowedFd<'_>, rest: &str, name: &str) -> bool {
    let (dir, last) = match rest.rsplit_once('/') {
        Some((dir, last)) => (dir, last),
        None => (".", rest),
    };
    let text = site
        .fs
        .open_dir(generation, Path::new(dir))
        .and_then(|dir| site.fs.read_link(dir.as_fd(), last.as_ref()));
    text.is_ok_and(|text| text == inner_text(rest, name))
}

/// The text of a link inside a generation: it stays inside.
pub(super) fn inner_text(rest: &str, name: &str) -> PathBuf {
    let from = Path::new(rest).parent().unwrap_or(Path::new(""));
    relative(from, Path::new(name))
}

/// Names of everything below a generation that is no directory. Names that are not text cannot be ours; they are shown
/// as well as they can be.
pub(super) fn list_names(
    site: &Site<'_>,
    dir: BorrowedFd<'_>,
    prefix: &str,
    names: &mut BTreeSet<String>,
) {
    for name in site.fs.list(dir).unwrap_or_default() {
        let shown = format!("{prefix}{}", name.to_string_lossy());
        let facts = site.fs.facts_at(dir, &name);
        if facts.is_ok_and(|facts| facts.kind == FileKind::Directory) {
            if let Ok(below) = site.fs.open_dir(dir, Path::new(&name)) {
                list_names(site, below.as_fd(), &format!("{shown}/"), names);
            }
        } else {
            names.insert(shown);
        }
    }
}
