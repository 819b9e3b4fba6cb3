//! All files of a repository and of its submodules.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use ignore::WalkBuilder;

use super::git_directory::GitDirectory;
use super::{
    MAX_TEXT, UninitialisedSubmodule, WorkTree, git_config, has_content, in_store,
    is_plain_relative, physical, read_bounded, work_tree_of,
};
use crate::error::{IoResultExt as _, PathError};
use crate::secret::Secret;

/// What belongs to a repository, or to a directory that is none: what git tracks, and what it would not ignore.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Tree {
    /// The top, with symbolic links resolved.
    pub root: PathBuf,
    /// Every regular file below the top, in order; symbolic links are not followed. Paths are relative to the top.
    pub files: BTreeSet<PathBuf>,
    /// What git tracks and is not there.
    pub missing: BTreeSet<PathBuf>,
    /// The work trees of the repository and of its submodules.
    pub work_trees: Vec<WorkTree>,
    /// The submodules without content.
    pub uninitialised: Vec<UninitialisedSubmodule>,
    /// What could not be looked at.
    pub unreadable: Vec<PathError>,
}

/// Lists what belongs to the repository at or around a directory, as far as it lies below the directory.
///
/// # Errors
/// [`PathError`] when the directory is none, or cannot be listed.
pub fn tree(root: &Path) -> Result<Tree, PathError> {
    // Listed at once, so that a wrong path is one error and no empty repository.
    drop(std::fs::read_dir(root).at(root)?);
    let mut tree = Tree {
        root: root.canonicalize().at(root)?,
        ..Tree::default()
    };
    match work_tree_of(&tree.root) {
        Some(work_tree) => tree.add_work_tree(work_tree),
        None => tree.add_submodules(&tree.root.clone()),
    }
    tree.walk();
    Ok(tree)
}

/// The bytes of a regular file; at most 256 MiB of them.
///
/// # Errors
/// [`PathError`]; also for a file that is larger.
pub fn read_file(path: &Path) -> Result<Secret, PathError> {
    let found = std::fs::metadata(path).at(path)?;
    if !found.is_file() {
        return Err(std::io::Error::other("not a regular file")).at(path);
    }
    if found.len() > MAX_FILE {
        return Err(std::io::Error::from(std::io::ErrorKind::FileTooLarge)).at(path);
    }
    std::fs::read(path).map(Secret::from_vec).at(path)
}

impl Tree {
    fn add_work_tree(&mut self, work_tree: WorkTree) {
        let top = work_tree.root.clone();
        if self.work_trees.iter().any(|known| known.root == top) {
            return;
        }
        self.work_trees.push(work_tree);
        for file in GitDirectory::of_work_tree(&top)
            .map(|git| git.files())
            .unwrap_or_default()
        {
            self.add_tracked(&top.join(file));
        }
        self.add_submodules(&top);
    }

    /// A tracked file belongs to the repository even where a rule says that git should ignore it.
    fn add_tracked(&mut self, file: &Path) {
        let Ok(relative) = file.strip_prefix(&self.root).map(Path::to_owned) else {
            return;
        };
        match std::fs::symlink_metadata(file) {
            Ok(found) if found.is_file() => self.files.insert(relative),
            Ok(_) => false,
            Err(_) => self.missing.insert(relative),
        };
    }

    fn add_submodules(&mut self, superproject: &Path) {
        for submodule in submodules_of(superproject) {
            let top = superproject.join(&submodule);
            let concerned = top.starts_with(&self.root) || self.root.starts_with(&top);
            match physical(&top) {
                // A link in the place of a submodule leads elsewhere.
                Some(real) if concerned && real == top => {}
                _ => continue,
            }
            if !has_content(&top) {
                self.uninitialised.push(UninitialisedSubmodule {
                    superproject: superproject.to_owned(),
                    path: submodule,
                    under_store: in_store(superproject),
                });
            } else if let Some(work_tree) = work_tree_of(&top).filter(|found| found.root == top) {
                self.add_work_tree(work_tree);
            } else {
                self.add_submodules(&top);
            }
        }
    }

    /// Adds what git does not track, except for what it ignores.
    fn walk(&mut self) {
        let mut walk = WalkBuilder::new(&self.root);
        walk.hidden(false)
            .ignore(false)
            .git_global(false)
            .require_git(false)
            .follow_links(false)
            .filter_entry(|entry| entry.file_name() != ".git");
        for entry in walk.build() {
            match entry {
                Ok(entry) if entry.file_type().is_some_and(|kind| kind.is_file()) => {
                    if let Ok(relative) = entry.path().strip_prefix(&self.root) {
                        self.files.insert(relative.to_owned());
                    }
                }
                Ok(_) => {}
                Err(error) => self.unreadable.extend(path_error(error)),
            }
        }
    }
}

/// All submodules that a work tree records; without a repository, those that `.gitmodules` lists.
fn submodules_of(superproject: &Path) -> Vec<String> {
    let recorded: Vec<String> = match GitDirectory::of_work_tree(superproject) {
        Some(git) => git.gitlinks().into_iter().map(|link| link.path).collect(),
        None => read_bounded(&superproject.join(".gitmodules"), MAX_TEXT)
            .map(|text| git_config::values(&text, "submodule", "path"))
            .unwrap_or_default(),
    };
    let plain = |path: &String| is_plain_relative(path);
    recorded.into_iter().filter(plain).collect()
}

/// The path and the system's error. What is wrong with a rule of `.gitignore` is git's business.
fn path_error(error: ignore::Error) -> Option<PathError> {
    let mut path = PathBuf::new();
    let mut inner = &error;
    loop {
        match inner {
            ignore::Error::WithPath { path: at, err } => {
                path.clone_from(at);
                inner = err;
            }
            ignore::Error::WithDepth { err, .. } => inner = err,
            ignore::Error::Io(_) => break,
            _ => return None,
        }
    }
    Some(PathError {
        path,
        source: error.into_io_error()?,
    })
}

/// No sops file is as long.
const MAX_FILE: u64 = 256 << 20;
