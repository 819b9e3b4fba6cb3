//! Looks at everything that activation has made, contents included, without comparing anything.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use super::current::{inner_text, list_names};
use super::drift::{Expected, ExpectedContent, ExpectedFile, ExpectedLink, Leads};
use super::fault::{Active, Fault, Hazard};
use super::observe::{Frame, LinkFound, Reals, find_link, find_mount};
use super::site::{LARGEST_STATE, Site, read_all};
use super::targets::target_text;
use crate::fs::{FileFacts, FileKind};
use crate::secret::Secret;

/// What was found. Contents are in memory and wiped with it.
#[derive(Debug)]
pub(super) struct Survey {
    pub(super) mount: MountSeen,
    /// The link to the active generation, as it is seen from outside.
    pub(super) link_path: String,
    pub(super) link: LinkSeen,
    /// For each expected file.
    pub(super) files: Vec<EntrySeen>,
    /// For each expected link.
    pub(super) links: Vec<LinkPlace>,
    /// Names in the generation that nobody expects.
    pub(super) extra: Vec<String>,
}

#[derive(Debug)]
pub(super) struct MountSeen {
    /// As it is seen from outside.
    pub(super) path: String,
    pub(super) in_memory: bool,
    pub(super) is_mount_point: bool,
    /// Neither devices nor set-user-id programs nor programs at all work there.
    pub(super) is_closed: bool,
    pub(super) mode: u32,
}

impl MountSeen {
    /// A directory that lies in memory anyway will do.
    pub(super) fn is_there(&self) -> bool {
        self.in_memory
    }
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum LinkSeen {
    Absent,
    /// A link to somewhere else, or with another text.
    Elsewhere {
        text: PathBuf,
        dangles: bool,
    },
    Generation(u64),
    /// A link to a generation that does not exist.
    Lost {
        text: PathBuf,
    },
    /// No link.
    Other,
}

#[derive(Debug)]
pub(super) struct EntrySeen {
    pub(super) file: FileSeen,
    /// Its other name inside the generation, if one is wanted.
    pub(super) inner: Option<PlaceSeen>,
}

#[derive(Debug)]
pub(super) enum FileSeen {
    Missing,
    NotRegular,
    Regular {
        /// None of a file that is larger than any that would be right: it is not read.
        content: Option<Secret>,
        mode: u32,
        uid: u32,
        gid: u32,
    },
}

/// A link beside the generation.
#[derive(Debug)]
pub(super) struct LinkPlace {
    /// As it is seen from outside.
    pub(super) path: String,
    pub(super) place: PlaceSeen,
}

/// What stands where a link should be.
#[derive(Debug)]
pub(super) enum PlaceSeen {
    Link {
        text: PathBuf,
        wanted: PathBuf,
        /// Nothing is where the text leads. Not asked of a link that is right: what it leads to is told by itself.
        dangles: bool,
        uid: u32,
        gid: u32,
    },
    Missing,
    Other,
}

/// Looks. What cannot be looked at is a fault: it might be anything.
pub(super) fn survey(
    site: &Site<'_>,
    frame: &Frame,
    expected: &Expected<'_>,
) -> Result<Survey, Vec<Fault>> {
    let reals = Reals::find(site, frame)?;
    let one = |fault| vec![fault];
    let (link, generation) = active(site, frame, &reals).map_err(one)?;
    let surveyor = Surveyor {
        site,
        frame,
        reals: &reals,
        generation,
    };
    let mut faults = Vec::new();
    let mut files = Vec::new();
    for file in &expected.files {
        match surveyor.entry(file) {
            Ok(seen) => files.push(seen),
            Err(source) => {
                let path = frame.link.join(&file.name);
                faults.push(site.failed("read", &path, source));
            }
        }
    }
    let mut links = Vec::new();
    for link in &expected.links {
        match surveyor.place(link) {
            Ok(place) => links.push(LinkPlace {
                path: shown(site, Path::new(&link.path)),
                place,
            }),
            Err(source) => faults.push(site.failed("look at", Path::new(&link.path), source)),
        }
    }
    if !faults.is_empty() {
        return Err(faults);
    }
    Ok(Survey {
        mount: mount(site, frame).map_err(one)?,
        link_path: shown(site, &frame.link),
        link,
        extra: surveyor.extra(expected),
        files,
        links,
    })
}

/// The number of the active generation, to see whether it is another one meanwhile.
pub(super) fn active_number(site: &Site<'_>, frame: &Frame) -> Option<u64> {
    let reals = Reals::find(site, frame).ok()?;
    match find_link(site, frame, &reals).ok()? {
        LinkFound::Generation { active, .. } => Some(active.generation),
        _ => None,
    }
}

fn shown(site: &Site<'_>, path: &Path) -> String {
    site.shown(path).display().to_string()
}

fn active(
    site: &Site<'_>,
    frame: &Frame,
    reals: &Reals,
) -> Result<(LinkSeen, Option<OwnedFd>), Fault> {
    let open = |number: u64| site.open_dir(&frame.mount.join(number.to_string()));
    Ok(match find_link(site, frame, reals) {
        Ok(LinkFound::Absent) => (LinkSeen::Absent, None),
        Ok(LinkFound::Directory) | Err(Fault::Target { .. }) => (LinkSeen::Other, None),
        Ok(LinkFound::Foreign(text)) => {
            let dangles = dangles(site, &reals.link_parent, &text);
            (LinkSeen::Elsewhere { text, dangles }, None)
        }
        Ok(LinkFound::Generation { active, exact }) => {
            let Active { generation, link } = active;
            let dir = open(generation);
            let seen = match (exact, &dir) {
                (true, Some(_)) => LinkSeen::Generation(generation),
                (true, None) => LinkSeen::Lost { text: link },
                (false, dir) => LinkSeen::Elsewhere {
                    text: link,
                    dangles: dir.is_none(),
                },
            };
            (seen, dir)
        }
        Err(fault) => return Err(fault),
    })
}

/// Whether nothing is where a link leads that lies in a directory. What cannot be looked at may be something.
fn dangles(site: &Site<'_>, directory: &Path, text: &Path) -> bool {
    match site.walk(&directory.join(text)) {
        Ok(place) => matches!(site.look(&place), Ok(None)),
        Err(hazard) => matches!(hazard, Hazard::DanglingLink { .. }),
    }
}

fn mount(site: &Site<'_>, frame: &Frame) -> Result<MountSeen, Fault> {
    let found = find_mount(site, frame)?;
    let dir = site.open_dir(&frame.mount);
    let failed = |source| site.failed("look at", &frame.mount, source);
    let facts = dir
        .as_ref()
        .map(|dir| site.fs.facts(dir.as_fd()))
        .transpose();
    let closed = dir
        .as_ref()
        .map(|dir| site.fs.is_closed_mount(dir.as_fd()))
        .transpose();
    Ok(MountSeen {
        path: shown(site, &frame.mount),
        in_memory: found.exists && found.file_system.is_memory(),
        is_mount_point: found.is_mount_point,
        is_closed: closed.map_err(failed)?.unwrap_or(false),
        mode: facts.map_err(failed)?.map_or(0, |facts| facts.mode),
    })
}

struct Surveyor<'a> {
    site: &'a Site<'a>,
    frame: &'a Frame,
    reals: &'a Reals,
    generation: Option<OwnedFd>,
}

impl Surveyor<'_> {
    fn entry(&self, expected: &ExpectedFile<'_>) -> io::Result<EntrySeen> {
        let name = &expected.name;
        let Some(generation) = &self.generation else {
            return Ok(EntrySeen {
                file: FileSeen::Missing,
                inner: None,
            });
        };
        let generation = generation.as_fd();
        Ok(EntrySeen {
            file: self.file(generation, name, most(expected))?,
            inner: expected
                .inner
                .as_ref()
                .map(|rest| self.inner(generation, rest, name))
                .transpose()?,
        })
    }

    fn file(&self, generation: BorrowedFd<'_>, name: &str, most: usize) -> io::Result<FileSeen> {
        let Some((dir, facts)) = self.look(generation, name)? else {
            return Ok(FileSeen::Missing);
        };
        if facts.kind != FileKind::Regular {
            return Ok(FileSeen::NotRegular);
        }
        let size = usize::try_from(facts.size).unwrap_or(usize::MAX);
        let read = || {
            let file = self.site.fs.open_file(dir.as_fd(), last(name))?;
            read_all(self.site.fs, file.as_fd(), most)
        };
        Ok(FileSeen::Regular {
            content: (size <= most).then(read).transpose()?,
            mode: facts.mode,
            uid: facts.uid,
            gid: facts.gid,
        })
    }

    fn inner(&self, generation: BorrowedFd<'_>, rest: &str, name: &str) -> io::Result<PlaceSeen> {
        let Some((dir, facts)) = self.look(generation, rest)? else {
            return Ok(PlaceSeen::Missing);
        };
        let wanted = inner_text(rest, name);
        self.link(dir.as_fd(), last(rest), &facts, wanted, |_| false)
    }

    /// What stands at a path below the generation, with the directory that it is in. What is on the way and no directory
    /// hides it as well as nothing does.
    fn look(
        &self,
        generation: BorrowedFd<'_>,
        path: &str,
    ) -> io::Result<Option<(OwnedFd, FileFacts)>> {
        let directory = match Path::new(path).parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        let found = self
            .site
            .fs
            .open_dir(generation, directory)
            .and_then(|dir| {
                let facts = self.site.fs.facts_at(dir.as_fd(), last(path).as_os_str())?;
                Ok((dir, facts))
            });
        match found {
            Ok(found) => Ok(Some(found)),
            Err(error) if is_absence(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn place(&self, link: &ExpectedLink) -> io::Result<PlaceSeen> {
        let path = Path::new(&link.path);
        let Ok(place) = self.site.walk(path) else {
            return Ok(PlaceSeen::Missing);
        };
        let wanted = match &link.leads {
            Leads::Text(text) => text.clone(),
            Leads::To(name) => target_text(
                self.site,
                self.frame,
                self.reals,
                &place.real_parent(),
                name,
            ),
        };
        match (self.site.look(&place)?, place.parent()) {
            (Some(facts), Some(parent)) => {
                let dangles = |text: &Path| dangles(self.site, &place.real_parent(), text);
                self.link(parent, Path::new(&place.name), &facts, wanted, dangles)
            }
            _ => Ok(PlaceSeen::Missing),
        }
    }

    fn link(
        &self,
        dir: BorrowedFd<'_>,
        name: &Path,
        facts: &FileFacts,
        wanted: PathBuf,
        dangles: impl FnOnce(&Path) -> bool,
    ) -> io::Result<PlaceSeen> {
        if facts.kind != FileKind::Link {
            return Ok(PlaceSeen::Other);
        }
        let text = self.site.fs.read_link(dir, name.as_os_str())?;
        Ok(PlaceSeen::Link {
            dangles: text != wanted && dangles(&text),
            text,
            wanted,
            uid: facts.uid,
            gid: facts.gid,
        })
    }

    fn extra(&self, expected: &Expected<'_>) -> Vec<String> {
        let Some(generation) = &self.generation else {
            return Vec::new();
        };
        let mut names = std::collections::BTreeSet::new();
        list_names(self.site, generation.as_fd(), "", &mut names);
        for file in &expected.files {
            names.remove(&file.name);
            if let Some(inner) = &file.inner {
                names.remove(inner);
            }
        }
        names.into_iter().collect()
    }
}

/// How much of a file is read: its owner can stretch it as far as the file system goes.
fn most(expected: &ExpectedFile<'_>) -> usize {
    match &expected.content {
        ExpectedContent::Bytes(wanted) => wanted.len().max(LARGEST_STATE),
        ExpectedContent::Digest { .. } | ExpectedContent::Unknown => LARGEST_STATE,
    }
}

fn last(path: &str) -> &Path {
    Path::new(path).file_name().map_or(Path::new(""), Path::new)
}

/// Whether an error says that nothing is there.
fn is_absence(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    ) || error.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error())
}
