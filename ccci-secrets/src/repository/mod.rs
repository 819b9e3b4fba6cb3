//! Facts about the git tree around a path, read without running git: the boot path has none, and hooks of a stranger's
//! repository must not run.
//!
//! Everything here only looks. What cannot be read or understood is no fact, so the answer is then `None`.

mod content;
mod credential;
mod git_config;
mod git_directory;
mod index;
mod tree;

use std::ffi::OsString;
use std::fs;
use std::io::Read;
use std::path::{Component, Path, PathBuf};

pub use self::content::{NotSealedBecause, classify_content};
pub use self::credential::{StoredCredential, credentials_in, credentials_in_file};
pub use self::tree::{Tree, read_file, tree};

use self::git_directory::GitDirectory;

/// A submodule that is recorded in its superproject, but whose content is not there.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct UninitialisedSubmodule {
    /// The work tree that records it, with symbolic links resolved.
    pub superproject: PathBuf,
    /// Its path there, as `.gitmodules` or the index writes it.
    pub path: String,
    /// Whether the superproject lies in a Nix store, which copies submodules only when asked to.
    pub under_store: bool,
}

/// The submodule that a missing file belongs to, when the submodule is not initialised.
///
/// `None` when the file is there, or when nothing records such a submodule: then the file is just missing.
#[must_use]
pub fn uninitialised_submodule(path: &Path) -> Option<UninitialisedSubmodule> {
    let path = physical(path)?;
    if has_content(&path) {
        return None;
    }
    path.ancestors().find_map(|superproject| {
        let path = submodules_around(superproject, &path)
            .into_iter()
            .find(|submodule| !has_content(&superproject.join(submodule)))?;
        Some(UninitialisedSubmodule {
            superproject: superproject.to_owned(),
            path,
            under_store: in_store(superproject),
        })
    })
}

/// The work tree that holds a path.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct WorkTree {
    /// Its top directory, with symbolic links resolved.
    pub root: PathBuf,
    /// The commit that is checked out, in hexadecimal; none before the first commit.
    pub commit: Option<String>,
    /// Whether it is a submodule of another one.
    pub submodule: bool,
    /// The commit that the work tree around a submodule records for it, in hexadecimal. It is another one than
    /// `commit` after a pull without `git submodule update`.
    pub recorded_commit: Option<String>,
}

/// The innermost work tree around a path; the path itself need not exist.
#[must_use]
pub fn work_tree_of(path: &Path) -> Option<WorkTree> {
    let path = physical(path)?;
    path.ancestors().find_map(|root| {
        let git = GitDirectory::of_work_tree(root)?;
        Some(WorkTree {
            root: root.to_owned(),
            commit: git.commit(),
            submodule: git.is_of_submodule() || is_recorded_outside(root),
            recorded_commit: recorded_commit(root),
        })
    })
}

/// Whether a file holds other bytes than the index of its work tree records for it, or is not recorded at all; none
/// outside of any work tree. What git makes of line ends on the way plays no part.
#[must_use]
pub fn is_changed(path: &Path, content: &[u8]) -> Option<bool> {
    let path = physical(path)?;
    path.ancestors().find_map(|root| {
        let git = GitDirectory::of_work_tree(root)?;
        let file = path.strip_prefix(root).ok()?;
        Some(!git.records(file, content))
    })
}

/// Whether a work tree further out lists this one, as it does for a submodule that was cloned by hand.
fn is_recorded_outside(root: &Path) -> bool {
    root.ancestors().skip(1).any(|superproject| {
        submodules_around(superproject, root)
            .iter()
            .any(|submodule| superproject.join(submodule) == root)
    })
}

/// The commit that the index of a work tree further out records for this one.
fn recorded_commit(root: &Path) -> Option<String> {
    root.ancestors().skip(1).find_map(|superproject| {
        let gitlinks = GitDirectory::of_work_tree(superproject)?.gitlinks();
        let own = gitlinks.into_iter().find(|gitlink| {
            is_plain_relative(&gitlink.path) && superproject.join(&gitlink.path) == root
        });
        own.map(|gitlink| gitlink.commit)
    })
}

/// The submodules of a directory that `path` is, or lies in, from `.gitmodules` and from the index.
fn submodules_around(superproject: &Path, path: &Path) -> Vec<String> {
    let around = |submodule: &String| {
        is_plain_relative(submodule) && path.starts_with(superproject.join(submodule))
    };
    let listed = read_bounded(&superproject.join(".gitmodules"), MAX_TEXT)
        .map(|text| git_config::values(&text, "submodule", "path"))
        .unwrap_or_default();
    let mut submodules: Vec<String> = listed.into_iter().filter(around).collect();
    if submodules.is_empty()
        && let Some(git) = GitDirectory::of_work_tree(superproject)
    {
        let paths = git.gitlinks().into_iter().map(|gitlink| gitlink.path);
        submodules = paths.filter(around).collect();
    }
    submodules
}

/// Whether a submodule's path stays inside its superproject.
fn is_plain_relative(path: &str) -> bool {
    !path.is_empty()
        && Path::new(path)
            .components()
            .all(|part| matches!(part, Component::Normal(_)))
}

/// Whether a file is there, or a directory that holds more than a link to its repository.
fn has_content(path: &Path) -> bool {
    let Ok(found) = fs::metadata(path) else {
        return false;
    };
    if !found.is_dir() {
        return true;
    }
    // A directory that may not be listed is not known to be empty.
    fs::read_dir(path).map_or(true, |entries| {
        entries.flatten().any(|entry| entry.file_name() != ".git")
    })
}

/// Whether a file lies in a Nix store, where everybody can read it, symbolic links resolved.
#[must_use]
pub fn is_in_store(path: &Path) -> bool {
    physical(path).is_some_and(|path| in_store(&path))
}

/// Whether a path lies in a Nix store, that of this machine or one below another root.
fn in_store(path: &Path) -> bool {
    let parts: Vec<_> = path.components().map(Component::as_os_str).collect();
    parts
        .windows(2)
        .any(|pair| matches!(pair, [nix, store] if *nix == "nix" && *store == "store"))
}

/// The path with every symbolic link resolved, as far as it exists; git records physical paths, and a link may lead
/// into a submodule that is not there.
fn physical(path: &Path) -> Option<PathBuf> {
    let absolute = std::path::absolute(path).ok()?;
    let mut rest: Vec<OsString> = parts_reversed(&absolute);
    let mut resolved = PathBuf::new();
    let mut links = 0;
    while let Some(part) = rest.pop() {
        if part == ".." {
            resolved.pop();
            continue;
        }
        let next = resolved.join(&part);
        match fs::read_link(&next) {
            Ok(target) => {
                links += 1;
                if links > MAX_LINKS {
                    return None;
                }
                rest.extend(parts_reversed(&target));
            }
            Err(_) => resolved = next,
        }
    }
    Some(resolved)
}

/// The parts of a path, last one first; an absolute path ends with its root.
fn parts_reversed(path: &Path) -> Vec<OsString> {
    path.components()
        .rev()
        .filter(|part| *part != Component::CurDir)
        .map(|part| part.as_os_str().to_owned())
        .collect()
}

/// The bytes of a regular file of at most `limit` bytes; nothing else is opened, because a FIFO would wait.
fn read_bounded(path: &Path, limit: u64) -> Option<Vec<u8>> {
    if !fs::metadata(path).ok()?.is_file() {
        return None;
    }
    let mut bytes = Vec::new();
    let read = fs::File::open(path)
        .ok()?
        .take(limit + 1)
        .read_to_end(&mut bytes)
        .ok()?;
    (u64::try_from(read).ok()? <= limit).then_some(bytes)
}

/// How many symbolic links a path may go through, as in Linux.
const MAX_LINKS: usize = 40;

/// The longest file of git that is read as text.
const MAX_TEXT: u64 = 16 << 20;

#[cfg(test)]
mod tests;
