//! A private directory in memory for plaintext that an editor works on.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use ccci_secrets::atomic::{self, NewFileMode};
use ccci_secrets::env::Environment;
use ccci_secrets::error::{ErrorCode, PathError};
use ccci_secrets::secret::Secret;

use crate::error::CommandError;
use crate::input;

/// The directory, which is removed with all that is in it, unless it is kept.
#[derive(Debug)]
pub(crate) struct Workspace {
    directory: PathBuf,
    file: PathBuf,
    /// The sealed file, from the root and free of links.
    edited: Option<PathBuf>,
    keep: bool,
}

/// The text of an edit that was cut off.
#[derive(Debug)]
pub(crate) struct Kept {
    /// The directory, in which there is nothing else to keep.
    pub(crate) directory: PathBuf,
    /// The text.
    pub(crate) text: PathBuf,
    /// Whether it may be that of another file of the same name.
    pub(crate) is_doubtful: bool,
}

impl Workspace {
    /// Makes the directory, and in it a file with the plaintext, of the same name as the sealed one.
    pub(crate) fn create(
        environment: &Environment,
        edited: &Path,
        plain: &Secret,
    ) -> Result<Self, CommandError> {
        let place = memory(environment)?;
        let directory =
            atomic::create_private_directory(&place, PREFIX).map_err(CommandError::cannot_write)?;
        let file = directory.join(edited.file_name().unwrap_or("plaintext".as_ref()));
        let workspace = Self {
            directory,
            file,
            edited: canonical(edited),
            keep: false,
        };
        // EXPOSE: into a file in memory that only this user can reach; it goes with the directory.
        atomic::create_new(&workspace.file, plain.expose(), NewFileMode::Private)
            .map_err(CommandError::cannot_write)?;
        Ok(workspace)
    }

    /// The file.
    pub(crate) fn file(&self) -> &Path {
        &self.file
    }

    /// What the file holds now.
    pub(crate) fn read(&self) -> Result<Secret, CommandError> {
        input::read_file(&self.file)
    }

    /// Leaves the directory behind, for work that would be lost otherwise, and says where it is.
    pub(crate) fn keep(mut self, error: CommandError) -> CommandError {
        self.keep = true;
        error.hint(format!(
            "your text is kept in {}, as plaintext: remove it with `rm -r {}` when you have it back",
            self.file.display(),
            self.directory.display()
        ))
    }

    /// The same when perhaps nobody is there to be told: the directory gets a name by which [`kept`] finds it.
    pub(crate) fn keep_for_later(mut self, error: CommandError) -> CommandError {
        // Without the marker the text is found by its name, which is better than not at all.
        drop(self.mark());
        let place = self.directory.parent().unwrap_or(Path::new("/"));
        if let Ok(kept) = atomic::create_private_directory(place, KEPT)
            && std::fs::rename(&self.directory, &kept).is_ok()
        {
            let name = self.file.file_name().unwrap_or_default();
            self.file = kept.join(name);
            self.directory = kept;
        }
        self.keep(error)
    }

    /// Says beside the text whose it is.
    fn mark(&self) -> Result<(), PathError> {
        let (Some(edited), Some(name)) = (&self.edited, self.file.file_name()) else {
            return Ok(());
        };
        let marker = [edited.as_os_str().as_bytes(), name.as_bytes()].join(&0);
        atomic::create_new(&self.directory.join(MARKER), &marker, NewFileMode::Private)
    }
}

/// Texts that edits of this file have left behind when they were cut off.
pub(crate) fn kept(environment: &Environment, edited: &Path) -> Vec<Kept> {
    let own = rustix::process::geteuid().as_raw();
    let is_own = |path: &PathBuf| {
        use std::os::unix::fs::MetadataExt as _;
        std::fs::symlink_metadata(path).is_ok_and(|found| found.is_dir() && found.uid() == own)
    };
    let Ok(place) = memory(environment) else {
        return Vec::new();
    };
    let canonical = canonical(edited);
    let entries = std::fs::read_dir(place).into_iter().flatten().flatten();
    let directories = entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(KEPT));
    let directories = directories.map(|entry| entry.path()).filter(is_own);
    directories
        .filter_map(|directory| kept_in(directory, edited, canonical.as_deref()))
        .collect()
}

/// The text in such a directory, if it is one of this file. One without a marker is known by its name alone.
fn kept_in(directory: PathBuf, edited: &Path, canonical: Option<&Path>) -> Option<Kept> {
    let marker = std::fs::read(directory.join(MARKER)).ok();
    let marker = marker.as_deref().and_then(read_marker);
    let name = match marker {
        Some((path, name)) => (Some(path) == canonical).then_some(name)?,
        None => edited.file_name()?,
    };
    let text = directory.join(name);
    text.exists().then(|| Kept {
        text,
        is_doubtful: marker.is_none(),
        directory,
    })
}

/// The sealed file, and the name of the text.
fn read_marker(marker: &[u8]) -> Option<(&Path, &OsStr)> {
    let mut parts = marker.splitn(2, |byte| *byte == 0).map(OsStr::from_bytes);
    Some((Path::new(parts.next()?), parts.next()?))
}

/// The path of a file without links, also of one that is still to be made.
fn canonical(path: &Path) -> Option<PathBuf> {
    path.canonicalize().ok().or_else(|| {
        let parent = path
            .parent()
            .filter(|parent| !parent.as_os_str().is_empty());
        let parent = parent.unwrap_or(Path::new(".")).canonicalize().ok()?;
        Some(parent.join(path.file_name()?))
    })
}

impl Drop for Workspace {
    fn drop(&mut self) {
        if !self.keep {
            // Nothing more can be done if even this fails; it is in memory and goes with the session.
            drop(std::fs::remove_dir_all(&self.directory));
        }
    }
}

/// A directory of the user whose files never reach a disk.
fn memory(environment: &Environment) -> Result<PathBuf, CommandError> {
    let runtime = environment.var_os("XDG_RUNTIME_DIR");
    let runtime = runtime.filter(|path| !path.is_empty()).map(PathBuf::from);
    let mut found = Vec::new();
    for place in runtime.into_iter().chain([PathBuf::from(SHARED_MEMORY)]) {
        match rustix::fs::statfs(&place) {
            Ok(facts) if is_memory(&facts) => return Ok(place),
            Ok(_) => found.push(format!("{} is on a disk", place.display())),
            Err(error) => found.push(format!("{}: {error}", place.display())),
        }
    }
    Err(CommandError::new(
        ErrorCode::FileUnwritable,
        format!(
            "there is no place in memory for the plaintext: {}",
            found.join("; ")
        ),
    )
    .hint("set XDG_RUNTIME_DIR to a directory on a tmpfs or ramfs, or change single values with `ccsec set`"))
}

fn is_memory(facts: &rustix::fs::StatFs) -> bool {
    // The type is signed on some architectures and unsigned on others.
    let kind = facts.f_type as u64 & u64::from(u32::MAX);
    matches!(kind, TMPFS | RAMFS)
}

const PREFIX: &str = "ccsec-edit-";
const KEPT: &str = "ccsec-kept-";
/// Holds the path of the sealed file, a zero byte and the name of the text.
const MARKER: &str = ".ccsec-edited";
const SHARED_MEMORY: &str = "/dev/shm";
const TMPFS: u64 = 0x0102_1994;
const RAMFS: u64 = 0x8584_58f6;
