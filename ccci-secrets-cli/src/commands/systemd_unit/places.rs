//! Where the files of systemd belong.

use std::path::{Path, PathBuf};

use ccci_secrets::activation::systemd::{UnitFile, UnitKind, UnitPlace};

use crate::context::Context;
use crate::error::CommandError;

/// The directories of one installation.
#[derive(Debug)]
pub(super) struct Places {
    pub(super) kind: UnitKind,
    /// The root of the machine, if it is not this one.
    pub(super) root: Option<PathBuf>,
    /// Where units are.
    pub(super) units: PathBuf,
    /// Where lines of tmpfiles.d are.
    tmpfiles: PathBuf,
}

impl Places {
    pub(super) fn of(
        kind: UnitKind,
        root: Option<PathBuf>,
        unit_dir: Option<&Path>,
        context: &Context,
    ) -> Result<Self, CommandError> {
        let units = match unit_dir {
            Some(directory) if root.is_some() => directory.to_owned(),
            Some(directory) => context.absolute(directory),
            None => usual(kind, root.is_some(), context)?,
        };
        let below = |path: PathBuf| match &root {
            Some(root) => root.join(path.strip_prefix("/").unwrap_or(&path)),
            None => path,
        };
        Ok(Self {
            kind,
            units: below(units),
            tmpfiles: below("/etc/tmpfiles.d".into()),
            root,
        })
    }

    /// Where a file goes.
    pub(super) fn of_file(&self, file: &UnitFile) -> PathBuf {
        match file.place {
            UnitPlace::Tmpfiles => self.tmpfiles.join(&file.path),
            _ => self.units.join(&file.path),
        }
    }
}

/// Root installs units of users for all of them, everybody else for themselves.
fn usual(kind: UnitKind, rebased: bool, context: &Context) -> Result<PathBuf, CommandError> {
    if kind != UnitKind::User {
        return Ok("/etc/systemd/system".into());
    }
    if rebased || rustix::process::geteuid().is_root() {
        return Ok("/etc/systemd/user".into());
    }
    let configuration = context
        .environment
        .var_os("XDG_CONFIG_HOME")
        .map(PathBuf::from);
    let home = context.environment.var_os("HOME").map(PathBuf::from);
    configuration
        .filter(|path| path.is_absolute())
        .or_else(|| home.map(|home| home.join(".config")))
        .map(|above| above.join("systemd/user"))
        .ok_or_else(|| {
            CommandError::usage("neither $XDG_CONFIG_HOME nor $HOME is set")
                .hint("say where the units go: --unit-dir DIR")
        })
}
