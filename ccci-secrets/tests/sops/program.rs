//! Real sops in the versions that files are exchanged with, as far as they are installed.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The versions, newest first. 3.13.2 is none of them: it computes a wrong MAC over comments in lists.
pub(crate) const VERSIONS: [&str; 3] = ["3.13.3", "3.13.1", "3.9.0"];

/// One of them: the program `sops-VERSION`, or `sops` where that is this version.
#[derive(Debug)]
pub(crate) struct Sops {
    program: PathBuf,
    pub(crate) version: &'static str,
}

impl Sops {
    /// All that are installed. Of the others is said that nothing was compared with them.
    pub(crate) fn all() -> &'static [Self] {
        static FOUND: OnceLock<Vec<Sops>> = OnceLock::new();
        FOUND.get_or_init(|| VERSIONS.into_iter().filter_map(Self::find).collect())
    }

    /// The one whose printed text and messages we follow.
    pub(crate) fn newest() -> Option<&'static Self> {
        Self::all().iter().find(|sops| sops.version == VERSIONS[0])
    }

    fn find(version: &'static str) -> Option<Self> {
        let named = on_path(&format!("sops-{version}"));
        let plain = || on_path("sops").filter(|program| says(program, version));
        let Some(program) = named.or_else(plain) else {
            // Past the test's capture: it is to be seen when the test passes, too.
            drop(writeln!(
                std::io::stderr(),
                "skip: sops {version} is not on PATH (as sops-{version} or sops), so nothing was compared with it"
            ));
            return None;
        };
        Some(Self { program, version })
    }

    /// What 3.9.0 cannot do is left out by the tests, each time with what it says to it. Some it says to nothing that is
    /// compared: `--config` before a command is ignored, and JSON ends without a line break.
    pub(crate) fn is_old(&self) -> bool {
        self.version == "3.9.0"
    }

    /// A command that sees this directory, and neither home nor keys of the user.
    pub(crate) fn command(&self, dir: &Path) -> Command {
        let mut command = Command::new(&self.program);
        command
            .current_dir(dir)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("SOPS_DISABLE_VERSION_CHECK", "1")
            .env("HOME", "/nonexistent");
        command
    }
}

fn on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut candidates = std::env::split_paths(&path).map(|directory| directory.join(name));
    candidates.find(|candidate| candidate.is_file())
}

fn says(program: &Path, version: &str) -> bool {
    let output = Command::new(program)
        .args(["--version", "--disable-version-check"])
        .env("SOPS_DISABLE_VERSION_CHECK", "1")
        .output();
    output.is_ok_and(|output| {
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        said.split_whitespace().nth(1) == Some(version)
    })
}
