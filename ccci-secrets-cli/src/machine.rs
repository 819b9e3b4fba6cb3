//! What the doctor looks up on the machine. Nothing is changed, and what cannot be looked up is left open.

use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};

use ccci_secrets::audit;
use ccci_secrets::doctor::{self, Facts, KeyPlace};
use ccci_secrets::finding::Finding;
use ccci_secrets::fs::{FileSystem, Fs as _, RealFs};
use ccci_secrets::keyring::{KeyFileModes, Keyring};
use ccci_secrets::repository;
use rustix::fs::Mode;

use crate::context::Context;

/// What somebody said about the machine.
#[derive(Debug)]
pub(crate) struct Said<'a> {
    /// The key files that it has; none for the usual places.
    pub(crate) keys: &'a [PathBuf],
    /// Where secrets go.
    pub(crate) target: &'a Path,
}

/// Looks at the machine.
pub(crate) fn look(context: &Context, said: &Said<'_>) -> Facts {
    let places = if said.keys.is_empty() {
        let of_user = context.environment.var_os("SOPS_AGE_KEY_FILE");
        let mut places = doctor::usual_places(context.environment.config_dir());
        places.extend(of_user.map(PathBuf::from));
        places
    } else {
        said.keys.to_vec()
    };
    Facts {
        now: Context::now(),
        umask: umask(),
        swaps: doctor::names_swap(std::fs::read("/proc/swaps").ok().as_deref()),
        // The kernel has this file where a policy is loaded.
        selinux: Path::new("/sys/fs/selinux/enforce").exists(),
        is_root: rustix::process::geteuid().is_root(),
        target: said.target.to_owned(),
        target_file_system: file_system(said.target),
        keys: places.into_iter().map(key).collect(),
    }
}

/// Credentials in the settings of git that are the user's or the machine's.
pub(crate) fn git_settings(context: &Context) -> Vec<Finding> {
    let environment = &context.environment;
    let of_user = [
        environment.home().map(|home| home.join(".gitconfig")),
        environment
            .config_dir()
            .map(|directory| directory.join("git/config")),
    ];
    let files = of_user
        .into_iter()
        .flatten()
        .chain([PathBuf::from("/etc/gitconfig")]);
    let stored = files.flat_map(|file| repository::credentials_in_file(&file));
    audit::credentials(stored.collect())
}

fn key(path: PathBuf) -> KeyPlace {
    KeyPlace {
        found: Keyring::empty().add_key_file(&path, KeyFileModes::Warn),
        path,
    }
}

/// The system tells the mask only to whoever sets it.
fn umask() -> u32 {
    let mask = rustix::process::umask(Mode::from_raw_mode(0o077));
    rustix::process::umask(mask);
    mask.as_raw_mode()
}

/// The file system of a directory, or of the nearest one above it that is there.
fn file_system(path: &Path) -> Option<FileSystem> {
    let fs = RealFs::new();
    path.ancestors().find_map(|directory| {
        let handle = fs.open_start(directory).ok()?;
        fs.file_system(handle.as_fd()).ok()
    })
}
