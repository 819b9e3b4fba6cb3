//! A directory with keys and files, and programs that run in it.

use std::ffi::OsStr;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::program::Sops;

/// A directory of its own for a test. Neither home nor environment of the user is seen in it.
pub(crate) struct Place {
    directory: tempfile::TempDir,
    variables: Vec<(String, String)>,
}

/// What a program did.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) code: Option<i32>,
    pub(crate) out: Vec<u8>,
    pub(crate) err: String,
}

impl Run {
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.out).unwrap()
    }

    /// Fails the test, with what was said, unless the program ended with this code.
    #[track_caller]
    pub(crate) fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "standard error: {}", self.err);
        self
    }

    /// Fails the test unless the message holds all of these.
    #[track_caller]
    pub(crate) fn says(self, parts: &[&str]) -> Self {
        for part in parts {
            assert!(self.err.contains(part), "no {part:?} in: {}", self.err);
        }
        self
    }
}

impl Place {
    /// With the first key of `testdata/sops/keys`.
    pub(crate) fn new() -> Self {
        let mut place = Self {
            directory: tempfile::tempdir().unwrap(),
            variables: Vec::new(),
        };
        place.set("SOPS_AGE_KEY_FILE", key("age-1.txt").to_str().unwrap());
        place
    }

    /// Sets a variable for all programs that run here.
    pub(crate) fn set(&mut self, name: &str, value: &str) {
        self.variables.retain(|(known, _)| known != name);
        self.variables.push((name.into(), value.into()));
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, content).unwrap();
        path
    }

    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path(name)).unwrap()
    }

    pub(crate) fn read_text(&self, name: &str) -> String {
        String::from_utf8(self.read(name)).unwrap()
    }

    /// Seals text under the first key into a file.
    pub(crate) fn seal(&self, name: &str, text: &str) -> PathBuf {
        let path = self.write(name, text);
        self.ccsec(["encrypt", "-i", "--age", &recipient(1), name])
            .expect(0);
        path
    }

    pub(crate) fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.directory.path()).unwrap();
        let mut names: Vec<_> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    pub(crate) fn ccsec<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Run {
        self.ccsec_with(args, b"")
    }

    pub(crate) fn ccsec_with<A: AsRef<OsStr>>(
        &self,
        args: impl IntoIterator<Item = A>,
        input: &[u8],
    ) -> Run {
        run(
            self.command(Path::new(env!("CARGO_BIN_EXE_ccsec")))
                .args(args),
            input,
        )
        .unwrap()
    }

    /// Real sops, the newest that we compare with; `None`, saying so, where it is not installed.
    pub(crate) fn sops<A: AsRef<OsStr>>(
        &self,
        args: impl IntoIterator<Item = A>,
        input: &[u8],
    ) -> Option<Run> {
        Sops::newest().map(|sops| self.sops_of(sops, args, input))
    }

    /// Real sops in this version.
    pub(crate) fn sops_of<A: AsRef<OsStr>>(
        &self,
        sops: &Sops,
        args: impl IntoIterator<Item = A>,
        input: &[u8],
    ) -> Run {
        let mut command = sops.command(self.directory.path());
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        run(command.args(args), input).unwrap()
    }

    /// A command that sees this place only.
    pub(crate) fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command
            .current_dir(self.directory.path())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", "/nonexistent")
            .env("SOPS_DISABLE_VERSION_CHECK", "1")
            .envs(self.variables.iter().map(|(name, value)| (name, value)));
        command
    }
}

fn run(command: &mut Command, input: &[u8]) -> Option<Run> {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .ok()?;
    // A program that does not read its input closes the pipe.
    drop(child.stdin.take().unwrap().write_all(input));
    let output = child.wait_with_output().unwrap();
    Some(Run {
        code: output.status.code(),
        out: output.stdout,
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    })
}

pub(crate) fn testdata(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../testdata")
        .join(name)
}

pub(crate) fn key(name: &str) -> PathBuf {
    testdata("sops/keys").join(name)
}

/// The recipient of one of the keys there.
pub(crate) fn recipient(number: u32) -> String {
    let path = key(&format!("age-{number}.pub"));
    std::fs::read_to_string(path).unwrap().trim().to_owned()
}

/// A file laid out as sops lays it out, so that both programs print it alike.
pub(crate) const PLAIN: &str = "\
string: canary-text
int: 7
big: 9007199254740993
float: 1.5
bool: true
nothing: null
map:
    inner: canary-inner
    list:
        - one
        - two
        - deep: x
lines: |
    first
    second
note_unencrypted: visible
";
