//! The tree that activation works in: `/`, or a directory given as its root. Paths are walked one component at a time
//! on handles, links included, so that no link of somebody else's leads elsewhere and nothing leaves the root.

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Component, Path, PathBuf};
use std::rc::Rc;

use super::fault::Fault;
use crate::fs::{FileFacts, FileKind, Fs};
use crate::secret::Secret;

/// Which tree it is. Data only.
#[derive(Clone, Debug)]
pub(super) struct Tree {
    /// `/`, or the directory that stands for it.
    pub(super) base: PathBuf,
    /// Whether `base` was given: links are then relative, and nothing is mounted.
    pub(super) rebased: bool,
    /// Whether files are given to those that the manifest names: only root may, and not in user mode.
    pub(super) sets_owners: bool,
}

impl Tree {
    /// A path of this tree as it is seen from outside.
    pub(super) fn shown(&self, path: &Path) -> PathBuf {
        self.base.join(path.strip_prefix("/").unwrap_or(path))
    }
}

/// A tree and the means to look at it.
pub(super) struct Site<'a> {
    pub(super) fs: &'a dyn Fs,
    pub(super) tree: Tree,
    pub(super) euid: u32,
}

/// Where a path leads.
#[derive(Debug)]
pub(super) struct Place {
    /// The deepest directory on the way that exists; none if not even the root does.
    pub(super) dir: Option<Rc<OwnedFd>>,
    /// Where `dir` really is, from the root, without links.
    pub(super) real: PathBuf,
    /// Directories that would have to be made below `dir`.
    pub(super) missing: Vec<OsString>,
    /// The last component.
    pub(super) name: OsString,
}

impl Place {
    /// The directory that holds the name, if it exists.
    pub(super) fn parent(&self) -> Option<BorrowedFd<'_>> {
        match &self.dir {
            Some(dir) if self.missing.is_empty() => Some(dir.as_fd()),
            _ => None,
        }
    }

    /// The directory that holds the name, from the root, without links.
    pub(super) fn real_parent(&self) -> PathBuf {
        self.missing
            .iter()
            .fold(self.real.clone(), |path, name| path.join(name))
    }

    /// The whole path, from the root, without links before the name.
    pub(super) fn real_path(&self) -> PathBuf {
        self.real_parent().join(&self.name)
    }
}

/// Why a path cannot be walked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Hazard {
    /// A link on the way leads to nothing.
    #[error("the link {} on the way leads nowhere, to {}", link.display(), text.display())]
    DanglingLink {
        /// The link.
        link: PathBuf,
        /// What it says.
        text: PathBuf,
    },
    /// A component cannot be looked at.
    #[error("{}: {source}", path.display())]
    Io {
        /// The component.
        path: PathBuf,
        /// The error of the system.
        source: io::Error,
    },
    /// Links that lead in a circle, or too many.
    #[error("too many links at {}", .0.display())]
    Loop(PathBuf),
    /// A component is no directory.
    #[error("{} on the way is not a directory", .0.display())]
    NotADirectory(PathBuf),
    /// A link that somebody else may have made.
    #[error("unsafe path: the link {} lies where others than root may write", .0.display())]
    UnsafeLink(PathBuf),
}

/// As many links as the kernel follows.
const MOST_LINKS: usize = 40;

struct Step {
    dir: Rc<OwnedFd>,
    name: OsString,
    /// Somebody else may write here, or above.
    exposed: bool,
}

impl<'a> Site<'a> {
    pub(super) fn new(fs: &'a dyn Fs, root: Option<&Path>) -> Self {
        Self {
            fs,
            tree: Tree {
                base: root.unwrap_or(Path::new("/")).to_owned(),
                rebased: root.is_some(),
                sets_owners: fs.effective_uid() == 0,
            },
            euid: fs.effective_uid(),
        }
    }

    /// The same tree, in which everything is the user's own.
    pub(super) fn of_user(mut self) -> Self {
        self.tree.sets_owners = false;
        self
    }

    /// A path of this tree as it is seen from outside.
    pub(super) fn shown(&self, path: &Path) -> PathBuf {
        self.tree.shown(path)
    }

    /// A change that the system refused.
    pub(super) fn failed(&self, step: &'static str, path: &Path, source: io::Error) -> Fault {
        Fault::FileSystem {
            step,
            path: self.shown(path),
            source,
        }
    }

    pub(super) fn base(&self) -> &Path {
        &self.tree.base
    }

    /// Whether somebody else may write to a directory.
    pub(super) fn may_be_others(&self, facts: &FileFacts) -> bool {
        let owner_is_trusted = facts.uid == 0 || facts.uid == self.euid;
        !owner_is_trusted || facts.mode & 0o022 != 0
    }

    /// Walks an absolute path of this tree up to its last component.
    pub(super) fn walk(&self, path: &Path) -> Result<Place, Hazard> {
        let io_at = |path: PathBuf| move |source| Hazard::Io { path, source };
        let mut queue: VecDeque<(OsString, bool)> = components(path, false).collect();
        let (name, _) = queue.pop_back().unwrap_or_default();
        let nothing = |names: VecDeque<(OsString, bool)>, name| Place {
            dir: None,
            real: "/".into(),
            missing: names.into_iter().map(|(name, _)| name).collect(),
            name,
        };
        let start = match self.fs.open_start(&self.tree.base) {
            Ok(start) => Rc::new(start),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Ok(nothing(queue, name));
            }
            Err(error) => return Err(io_at(self.tree.base.clone())(error)),
        };
        let facts = self
            .fs
            .facts(start.as_fd())
            .map_err(io_at(self.tree.base.clone()))?;
        let root = || Step {
            dir: Rc::clone(&start),
            name: OsString::new(),
            exposed: self.may_be_others(&facts),
        };
        let mut stack = vec![root()];
        let mut links = 0;
        let mut followed = None;
        while let Some((part, from_link)) = queue.pop_front() {
            if part == ".." {
                if stack.len() > 1 {
                    stack.pop();
                }
                continue;
            }
            let Some(top) = stack.last() else {
                break;
            };
            let here = real(&stack).join(&part);
            let hop = match self.fs.open_hop(top.dir.as_fd(), &part) {
                Ok(hop) => hop,
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    let in_link = from_link || queue.iter().any(|(_, from_link)| *from_link);
                    if let (true, Some((link, text))) = (in_link, followed) {
                        return Err(Hazard::DanglingLink { link, text });
                    }
                    let missing = std::iter::once(part)
                        .chain(queue.into_iter().map(|(name, _)| name))
                        .collect();
                    return Ok(Place {
                        dir: Some(Rc::clone(&top.dir)),
                        real: real(&stack),
                        missing,
                        name,
                    });
                }
                Err(error) => return Err(io_at(self.shown(&here))(error)),
            };
            let facts = self
                .fs
                .facts(hop.as_fd())
                .map_err(io_at(self.shown(&here)))?;
            match facts.kind {
                FileKind::Directory => {
                    let exposed = top.exposed || self.may_be_others(&facts);
                    stack.push(Step {
                        dir: Rc::new(hop),
                        name: part,
                        exposed,
                    });
                }
                FileKind::Link => {
                    links += 1;
                    if links > MOST_LINKS {
                        return Err(Hazard::Loop(self.shown(&here)));
                    }
                    let own_link = facts.uid == 0 || facts.uid == self.euid;
                    if top.exposed || !own_link {
                        return Err(Hazard::UnsafeLink(self.shown(&here)));
                    }
                    let text = self
                        .fs
                        .read_link(hop.as_fd(), OsStr::new(""))
                        .map_err(io_at(self.shown(&here)))?;
                    if text.is_absolute() {
                        stack = vec![root()];
                    }
                    followed = Some((self.shown(&here), text.clone()));
                    for part in components(&text, true)
                        .collect::<Vec<_>>()
                        .into_iter()
                        .rev()
                    {
                        queue.push_front(part);
                    }
                }
                FileKind::Regular | FileKind::Special => {
                    return Err(Hazard::NotADirectory(self.shown(&here)));
                }
            }
        }
        let real = real(&stack);
        let top = stack.pop();
        Ok(Place {
            dir: top.map(|top| top.dir),
            real,
            missing: Vec::new(),
            name,
        })
    }

    /// What stands at the end of a walked path; none if nothing does.
    pub(super) fn look(&self, place: &Place) -> io::Result<Option<FileFacts>> {
        let Some(parent) = place.parent() else {
            return Ok(None);
        };
        match self.fs.facts_at(parent, &place.name) {
            Ok(facts) => Ok(Some(facts)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Opens a directory of this tree for listing; none if it does not exist or is something else.
    pub(super) fn open_dir(&self, path: &Path) -> Option<OwnedFd> {
        let place = self.walk(path).ok()?;
        self.fs
            .open_dir(place.parent()?, Path::new(&place.name))
            .ok()
    }

    /// Reads a small file of this tree; none if it is not there. One that is there and cannot be read must not pass for
    /// one that is absent.
    pub(super) fn read_small(&self, path: &Path) -> io::Result<Option<Secret>> {
        let place = match self.walk(path) {
            Ok(place) => place,
            Err(Hazard::DanglingLink { .. }) => return Ok(None),
            Err(Hazard::Io { source, .. }) => return Err(source),
            Err(hazard) => return Err(io::Error::other(hazard)),
        };
        let Some(parent) = place.parent() else {
            return Ok(None);
        };
        match self.fs.open_file(parent, Path::new(&place.name)) {
            Ok(file) => read_all(self.fs, file.as_fd(), LARGEST_STATE).map(Some),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// Largest `passwd`, journal or ledger that is read, and largest file whose length nothing else limits.
pub(super) const LARGEST_STATE: usize = 64 << 20;

/// Reads a regular file to its end.
pub(super) fn read_all(fs: &dyn Fs, file: BorrowedFd<'_>, most: usize) -> io::Result<Secret> {
    let facts = fs.facts(file)?;
    let size = usize::try_from(facts.size).unwrap_or(usize::MAX);
    if facts.kind != FileKind::Regular {
        return Err(io::Error::other("not a regular file"));
    }
    if size > most {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    let mut room = Vec::new();
    room.try_reserve_exact(size)?;
    room.resize(size, 0);
    let mut bytes = Secret::from_vec(room);
    let mut read = 0;
    // EXPOSE: filled from the file; the caller's secret wipes it.
    while let Some(rest) = bytes.expose_mut().get_mut(read..)
        && !rest.is_empty()
    {
        let offset = u64::try_from(read).unwrap_or(u64::MAX);
        match fs.read_at(file, rest, offset)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            count => read += count,
        }
    }
    Ok(bytes)
}

/// The components of a path; links bring `..` with them.
fn components(path: &Path, from_link: bool) -> impl Iterator<Item = (OsString, bool)> + '_ {
    path.components()
        .filter_map(move |component| match component {
            Component::Normal(name) => Some((name.to_owned(), from_link)),
            Component::ParentDir => Some(("..".into(), from_link)),
            _ => None,
        })
}

fn real(stack: &[Step]) -> PathBuf {
    let mut path = PathBuf::from("/");
    path.extend(stack.iter().skip(1).map(|step| step.name.as_os_str()));
    path
}

/// The text of a link in `from` (a directory) that leads to `to`; both from the root and free of links.
pub(super) fn relative(from: &Path, to: &Path) -> PathBuf {
    let from: Vec<_> = from.components().collect();
    let to: Vec<_> = to.components().collect();
    let shared = from.iter().zip(&to).take_while(|(a, b)| a == b).count();
    let ups = std::iter::repeat_n(Component::ParentDir, from.len() - shared);
    ups.chain(to.into_iter().skip(shared)).collect()
}

#[cfg(test)]
#[allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "tests"
)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::fs::RealFs;

    #[test]
    fn links_inside_the_root_are_followed_and_cannot_leave_it() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(dir.path().join("a/b")).unwrap();
        symlink("/a/b", dir.path().join("absolute")).unwrap();
        symlink("../../../a", dir.path().join("a/up")).unwrap();
        let fs = RealFs::new();
        let site = Site::new(&fs, Some(dir.path()));
        let real = |path: &str| site.walk(Path::new(path)).unwrap().real_path();
        assert_eq!(real("/absolute/x"), Path::new("/a/b/x"));
        assert_eq!(real("/a/up/b/x"), Path::new("/a/b/x"));
        assert_eq!(real("/a/new/deep/x"), Path::new("/a/new/deep/x"));
    }

    #[test]
    fn links_that_others_may_have_made_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(dir.path().join("open")).unwrap();
        symlink("/etc", dir.path().join("open/link")).unwrap();
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o777);
        std::fs::set_permissions(dir.path().join("open"), mode).unwrap();
        let fs = RealFs::new();
        let site = Site::new(&fs, Some(dir.path()));
        assert!(matches!(
            site.walk(Path::new("/open/link/x")),
            Err(Hazard::UnsafeLink(_))
        ));
    }

    #[test]
    fn circles_files_and_links_to_nothing_are_told_apart() {
        let dir = tempfile::tempdir().unwrap();
        symlink("loop", dir.path().join("loop")).unwrap();
        symlink("/nowhere/at/all", dir.path().join("dangling")).unwrap();
        std::fs::write(dir.path().join("file"), "").unwrap();
        let fs = RealFs::new();
        let site = Site::new(&fs, Some(dir.path()));
        let walk = |path: &str| site.walk(Path::new(path)).unwrap_err();
        assert!(matches!(walk("/loop/x"), Hazard::Loop(_)));
        assert_eq!(
            walk("/dangling/x").to_string(),
            format!(
                "the link {} on the way leads nowhere, to /nowhere/at/all",
                dir.path().join("dangling").display()
            )
        );
        assert!(matches!(walk("/file/x"), Hazard::NotADirectory(_)));
    }

    #[test]
    fn a_root_that_does_not_exist_has_nothing_in_it() {
        let dir = tempfile::tempdir().unwrap();
        let fs = RealFs::new();
        let site = Site::new(&fs, Some(&dir.path().join("new")));
        let place = site.walk(Path::new("/run/secrets")).unwrap();
        assert!(place.dir.is_none());
        assert_eq!(place.missing, ["run"]);
        assert_eq!(site.look(&place).unwrap(), None);
    }

    #[test]
    fn relative_texts_lead_from_a_directory_to_a_file() {
        let relative = |from, to| relative(Path::new(from), Path::new(to));
        assert_eq!(
            relative("/run", "/run/secrets.d/1"),
            Path::new("secrets.d/1")
        );
        assert_eq!(
            relative("/var/lib/live", "/run/secrets/a"),
            Path::new("../../../run/secrets/a")
        );
        assert_eq!(relative("/a", "/a"), Path::new(""));
    }

    // The owner of a file can stretch it beyond any memory.
    #[test]
    fn a_file_that_no_memory_can_hold_is_an_error() {
        let dir = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir());
        let path = dir.as_ref().unwrap().path().join("file");
        let file = std::fs::File::create(&path).unwrap();
        if let Err(error) = file.set_len(1000 << 40) {
            eprintln!("skipped: no file of this length can be made: {error}");
            return;
        }
        let file = std::fs::File::open(&path).unwrap();
        let result = read_all(&RealFs::new(), file.as_fd(), usize::MAX);
        assert_eq!(result.unwrap_err().kind(), io::ErrorKind::OutOfMemory);
    }
}
