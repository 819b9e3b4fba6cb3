//! A private directory in memory for plaintext that an editor works on.

use std::path::{Path, PathBuf};

use ccci_secrets::atomic::{self, NewFileMode};
use ccci_secrets::env::Environment;
use ccci_secrets::error::ErrorCode;
use ccci_secrets::secret::Secret;

use crate::error::CommandError;
use crate::input;

/// The directory, which is removed with all that is in it, unless it is kept.
#[derive(Debug)]
pub(crate) struct Workspace {
    directory: PathBuf,
    file: PathBuf,
    keep: bool,
}

impl Workspace {
    /// Makes the directory, and in it a file of that name with the plaintext.
    pub(crate) fn create(
        environment: &Environment,
        name: &Path,
        plain: &Secret,
    ) -> Result<Self, CommandError> {
        let place = memory(environment)?;
        let directory =
            atomic::create_private_directory(&place, PREFIX).map_err(CommandError::cannot_write)?;
        let file = directory.join(name.file_name().unwrap_or("plaintext".as_ref()));
        let workspace = Self {
            directory,
            file,
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
}

/// Texts that edits of a file of this name have left behind when they were cut off.
pub(crate) fn kept(environment: &Environment, name: &Path) -> Vec<PathBuf> {
    let own = rustix::process::geteuid().as_raw();
    let is_own = |path: &PathBuf| {
        use std::os::unix::fs::MetadataExt as _;
        std::fs::symlink_metadata(path).is_ok_and(|found| found.is_dir() && found.uid() == own)
    };
    let (Ok(place), Some(name)) = (memory(environment), name.file_name()) else {
        return Vec::new();
    };
    let entries = std::fs::read_dir(place).into_iter().flatten().flatten();
    let directories = entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(KEPT));
    let directories = directories.map(|entry| entry.path()).filter(is_own);
    let files = directories.map(|directory| directory.join(name));
    files.filter(|file| file.exists()).collect()
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
const SHARED_MEMORY: &str = "/dev/shm";
const TMPFS: u64 = 0x0102_1994;
const RAMFS: u64 = 0x8584_58f6;
