//! The directory in which a work tree's repository lies, and the commit that it names.

use std::path::{Path, PathBuf};

use super::index::{self, Gitlink, ObjectFormat};
use super::{MAX_TEXT, git_config, read_bounded};

/// Where the repository of one work tree lies.
#[derive(Debug)]
pub(super) struct GitDirectory {
    /// What belongs to this work tree alone: `HEAD` and the index.
    own: PathBuf,
    /// What all work trees of the repository share: branches and `config`.
    common: PathBuf,
}

impl GitDirectory {
    /// The repository of a work tree with this top directory.
    pub(super) fn of_work_tree(root: &Path) -> Option<Self> {
        let dot_git = root.join(".git");
        let own = if dot_git.is_dir() {
            dot_git
        } else {
            // A submodule or a further work tree: a file names the directory, relative to where it stands.
            root.join(line_of(&dot_git)?.strip_prefix("gitdir: ")?)
        };
        // git asks for no more before it takes a directory for a repository's.
        if !own.join("HEAD").is_file() {
            return None;
        }
        let common = match line_of(&own.join("commondir")) {
            Some(common) => own.join(common),
            None => own.clone(),
        };
        Some(Self { own, common })
    }

    /// The commit that is checked out.
    pub(super) fn commit(&self) -> Option<String> {
        let mut text = line_of(&self.own.join("HEAD"))?;
        for _ in 0..MAX_REFERENCES {
            match text.strip_prefix("ref:") {
                None => return commit_name(&text),
                Some(reference) => text = self.reference(reference.trim())?,
            }
        }
        None
    }

    /// Whether it lies among the submodules of another repository: `…/modules/<name>`.
    pub(super) fn is_of_submodule(&self) -> bool {
        let common = self.common.canonicalize().ok();
        common.iter().flat_map(|path| path.ancestors()).any(|path| {
            path.file_name().is_some_and(|name| name == "modules")
                && path
                    .parent()
                    .is_some_and(|outer| outer.join("HEAD").is_file())
        })
    }

    /// What the index records as commits of other repositories.
    pub(super) fn gitlinks(&self) -> Vec<Gitlink> {
        self.index()
            .map(|bytes| index::gitlinks(&bytes, self.object_format()))
            .unwrap_or_default()
    }

    /// The regular files that the index records.
    pub(super) fn files(&self) -> Vec<PathBuf> {
        self.index()
            .map(|bytes| index::files(&bytes, self.object_format()))
            .unwrap_or_default()
    }

    /// The files that hold settings of this work tree.
    pub(super) fn configurations(&self) -> [PathBuf; 2] {
        [self.common.join("config"), self.own.join("config.worktree")]
    }

    fn index(&self) -> Option<Vec<u8>> {
        read_bounded(&self.own.join("index"), MAX_INDEX)
    }

    /// Whether the index records this content for a file.
    pub(super) fn records(&self, file: &Path, content: &[u8]) -> bool {
        let format = self.object_format();
        let file = file.as_os_str().as_encoded_bytes();
        let recorded = self
            .index()
            .and_then(|index| index::object_of(&index, format, file));
        recorded.is_some_and(|object| object == format.name_of(content))
    }

    fn object_format(&self) -> ObjectFormat {
        let config = read_bounded(&self.common.join("config"), MAX_TEXT).unwrap_or_default();
        let formats = git_config::values(&config, "extensions", "objectformat");
        match formats.last() {
            Some(name) if name.eq_ignore_ascii_case("sha256") => ObjectFormat::Sha256,
            _ => ObjectFormat::Sha1,
        }
    }

    /// What a reference holds, from its own file or from the packed ones.
    fn reference(&self, name: &str) -> Option<String> {
        if !name.starts_with("refs/") || name.split('/').any(|part| part == "..") {
            return None;
        }
        line_of(&self.own.join(name))
            .or_else(|| line_of(&self.common.join(name)))
            .or_else(|| self.packed_reference(name))
    }

    fn packed_reference(&self, name: &str) -> Option<String> {
        let packed = read_bounded(&self.common.join("packed-refs"), MAX_TEXT)?;
        let packed = String::from_utf8_lossy(&packed);
        packed.lines().find_map(|line| {
            let (commit, reference) = line.split_once(' ')?;
            (reference == name).then(|| commit.to_owned())
        })
    }
}

/// The text of a file of one line.
fn line_of(path: &Path) -> Option<String> {
    let bytes = read_bounded(path, MAX_LINE)?;
    Some(String::from_utf8(bytes).ok()?.trim_end().to_owned())
}

/// A full name of a commit, in either of git's two formats.
fn commit_name(text: &str) -> Option<String> {
    let full = matches!(text.len(), 40 | 64) && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    full.then(|| text.to_ascii_lowercase())
}

/// How many symbolic references lead to a commit at most, as in git.
const MAX_REFERENCES: usize = 5;

/// The longest file that holds one line: a path, or a reference.
const MAX_LINE: u64 = 16 << 10;

/// The longest index that is read: a million entries take less.
const MAX_INDEX: u64 = 256 << 20;
