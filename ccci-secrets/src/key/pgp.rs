//! PGP entries, opened by the `gpg` of the system.
//!
//! GnuPG keeps private keys in a process of its own, the agent, which makes its sockets in the home. A home may lie on a
//! disk that cannot be written, and an agent that stays holds an open key: so gpg is shown a private home that only leads
//! to the given one, and both the agent and that home are gone when the identity is.

use std::ffi::OsString;
use std::fs;
use std::fs::File;
use std::io;
use std::io::Write;
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::fs::MetadataExt;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::process::Output;
use std::process::Stdio;
use std::sync::OnceLock;

use rustix::fs::FlockOperation;
use rustix::fs::flock;
use zeroize::Zeroize;

use crate::atomic::temporary_name;
use crate::key::Identity;
use crate::key::IdentityError;
use crate::secret::Secret;
use crate::wrapped::KeyKind;
use crate::wrapped::WrappedKey;

/// How GnuPG is run.
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_structs, reason = "the caller fills it in")]
pub struct Gnupg {
    /// The program.
    pub program: PathBuf,
    /// All variables that it gets.
    pub variables: Vec<(OsString, OsString)>,
    /// Where a private home is made for as long as it is needed. Without one gpg is run in the given home itself, and its
    /// agent stays: it may be that of a user, and know the passphrase.
    pub scratch: Option<PathBuf>,
}

/// Why gpg could not be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GnupgFault {
    /// It ended in an unusual way.
    #[error("gpg was stopped before it was done")]
    Ended,
    /// There is no place for its agent.
    #[error("no directory could be made for the agent of gpg: {}", system(*.0))]
    NoScratch(i32),
    /// It could not be started.
    #[error("gpg could not be started: {}", system(*.0))]
    NotStarted(i32),
}

fn system(errno: i32) -> io::Error {
    io::Error::from_raw_os_error(errno)
}

/// The private keys in a home of GnuPG. Which they are nobody knows before gpg is asked.
#[derive(Debug)]
pub struct GnupgIdentity {
    home: PathBuf,
    gnupg: Gnupg,
    private: OnceLock<Result<PrivateHome, i32>>,
}

impl GnupgIdentity {
    /// The keys in that home. Nothing is started before an entry has to be opened.
    #[must_use]
    pub fn new(home: &Path, gnupg: Gnupg) -> Self {
        Self {
            home: home.into(),
            gnupg,
            private: OnceLock::new(),
        }
    }

    /// The home that gpg is shown.
    fn shown_home(&self) -> Result<&Path, GnupgFault> {
        let Some(scratch) = &self.gnupg.scratch else {
            return Ok(&self.home);
        };
        let private = self.private.get_or_init(|| {
            PrivateHome::make(scratch, &self.home, self.gnupg.clone())
                .map_err(|error| error.raw_os_error().unwrap_or_default())
        });
        match private {
            Ok(private) => Ok(&private.path),
            Err(errno) => Err(GnupgFault::NoScratch(*errno)),
        }
    }

    fn ask(&self, message: &str) -> Result<Option<Secret>, IdentityError> {
        let home = self.shown_home()?;
        let mut child = self
            .gnupg
            .command(&self.gnupg.program, home)
            .args(["--batch", "--no-tty", "--no-options", "--quiet"])
            .args(["--trust-model", "always", "--no-auto-check-trustdb"])
            .args(self.gnupg.prompts())
            .args(["--status-fd", "2", "--decrypt"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| GnupgFault::NotStarted(error.raw_os_error().unwrap_or_default()))?;
        if let Some(mut input) = child.stdin.take() {
            // One that does not read says why when it ends.
            drop(input.write_all(message.as_bytes()));
        }
        let output = child.wait_with_output().map_err(|_| GnupgFault::Ended)?;
        opened(output)
    }
}

/// What gpg made of an entry.
fn opened(mut output: Output) -> Result<Option<Secret>, IdentityError> {
    let status = String::from_utf8_lossy(&output.stderr);
    let says = |word| status.lines().any(|line| line.starts_with(word));
    let damaged = says("[GNUPG:] NODATA");
    let did_not_open = says("[GNUPG:] DECRYPTION_FAILED");
    match output.status.code() {
        Some(0) if !output.stdout.is_empty() => Ok(Some(Secret::from_vec(output.stdout))),
        code => {
            output.stdout.zeroize();
            match code {
                _ if damaged => Err(IdentityError::Damaged),
                Some(_) if did_not_open => Ok(None),
                _ => Err(GnupgFault::Ended.into()),
            }
        }
    }
}

impl Identity for GnupgIdentity {
    fn recipients(&self) -> Vec<String> {
        Vec::new()
    }

    fn unwrap(&self, key: &WrappedKey) -> Result<Option<Secret>, IdentityError> {
        if key.kind != KeyKind::Pgp {
            return Ok(None);
        }
        self.ask(key.field("enc").ok_or(IdentityError::NoCiphertext)?)
    }
}

impl Gnupg {
    fn command(&self, program: &Path, home: &Path) -> Command {
        #[expect(
            clippy::disallowed_methods,
            reason = "gpg is one of the processes that the library starts"
        )]
        let mut command = Command::new(program);
        command.env_clear().envs(self.variables.iter().cloned());
        command.arg("--homedir").arg(home);
        command
    }

    /// At boot nobody is there who could answer.
    fn prompts(&self) -> &'static [&'static str] {
        match &self.scratch {
            Some(_) => &["--pinentry-mode", "error"],
            None => &[],
        }
    }

    /// The program that ends agents: the one beside gpg, where that is given with its path.
    fn gpgconf(&self) -> PathBuf {
        self.program.with_file_name("gpgconf")
    }
}

/// A home that leads to another one, and holds the sockets of an agent of our own.
#[derive(Debug)]
struct PrivateHome {
    path: PathBuf,
    gnupg: Gnupg,
    /// Whoever finds the directory and can lock it knows that nobody uses it any more.
    _lock: File,
}

/// What gpg and its agent read of a home.
const PARTS: [&str; 6] = [
    "gpg-agent.conf",
    "private-keys-v1.d",
    "pubring.gpg",
    "pubring.kbx",
    "public-keys.d",
    "scdaemon.conf",
];
/// How private homes begin.
const PREFIX: &str = "ccsec-gnupg-";

impl PrivateHome {
    fn make(scratch: &Path, home: &Path, gnupg: Gnupg) -> io::Result<Self> {
        sweep(scratch);
        let home = home.canonicalize()?;
        let path = scratch.join(format!("{PREFIX}{}", temporary_name()?));
        fs::DirBuilder::new().mode(0o700).create(&path)?;
        let lock = File::open(&path)?;
        flock(&lock, FlockOperation::NonBlockingLockExclusive)?;
        let private = Self {
            path,
            gnupg,
            _lock: lock,
        };
        for part in PARTS {
            let original = home.join(part);
            if original.symlink_metadata().is_ok() {
                symlink(original, private.path.join(part))?;
            }
        }
        Ok(private)
    }

    /// Ends the agent. One that cannot be told ends by itself as soon as its home is gone.
    fn end_agent(&self) {
        for order in [["--kill", "all"].as_slice(), &["--remove-socketdir"]] {
            let mut command = self.gnupg.command(&self.gnupg.gpgconf(), &self.path);
            command.args(order).stdin(Stdio::null());
            drop(command.stdout(Stdio::null()).stderr(Stdio::null()).status());
        }
    }
}

impl Drop for PrivateHome {
    fn drop(&mut self) {
        self.end_agent();
        // It holds sockets and links, and is found again by the next run.
        drop(fs::remove_dir_all(&self.path));
    }
}

/// Removes homes of runs that were killed.
fn sweep(scratch: &Path) {
    let user = rustix::process::geteuid().as_raw();
    let Ok(entries) = fs::read_dir(scratch) else {
        return;
    };
    for entry in entries.flatten() {
        let is_named = entry.file_name().to_string_lossy().starts_with(PREFIX);
        let is_ours = || {
            let found = entry.path().symlink_metadata();
            found.is_ok_and(|found| found.is_dir() && found.uid() == user)
        };
        if !is_named || !is_ours() {
            continue;
        }
        let Ok(directory) = File::open(entry.path()) else {
            continue;
        };
        if flock(&directory, FlockOperation::NonBlockingLockExclusive).is_ok() {
            // It is found again by the next run.
            drop(fs::remove_dir_all(entry.path()));
        }
    }
}

#[cfg(test)]
#[allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "tests run the real program"
)]
mod tests {
    use super::*;

    fn gnupg(scratch: Option<&Path>) -> Gnupg {
        Gnupg {
            program: "gpg".into(),
            variables: vec![("PATH".into(), "/usr/bin:/bin".into())],
            scratch: scratch.map(Path::to_owned),
        }
    }

    fn entry(message: &str) -> WrappedKey {
        let field = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        WrappedKey::new(KeyKind::Pgp, vec![field("enc", message)])
    }

    /// A home with a key, and a message for it.
    struct Sealed {
        home: tempfile::TempDir,
        message: String,
    }

    impl Sealed {
        /// None where there is no GnuPG.
        fn make(content: &[u8]) -> Option<Self> {
            let home = tempfile::tempdir().unwrap();
            let script = r#"
                set -e; umask 077; export GNUPGHOME="$1"
                gpg --batch --quiet --passphrase '' --quick-generate-key root@localhost future-default default never
                gpg --batch --quiet --trust-model always --armor --recipient root@localhost --encrypt
                gpgconf --kill all
            "#;
            let mut child = Command::new("sh");
            child.args(["-c", script, "sh"]).arg(home.path());
            child.stdin(Stdio::piped()).stdout(Stdio::piped());
            let mut child = child.stderr(Stdio::null()).spawn().unwrap();
            drop(child.stdin.take().unwrap().write_all(content));
            let output = child.wait_with_output().unwrap();
            if !output.status.success() {
                eprintln!("SKIPPED: no GnuPG on PATH that makes keys");
                return None;
            }
            let message = String::from_utf8(output.stdout).unwrap();
            Some(Self { home, message })
        }
    }

    #[test]
    fn gpg_opens_what_is_for_a_key_of_the_home_and_leaves_neither_agent_nor_directory() {
        let Some(sealed) = Sealed::make(&[7; 32]) else {
            return;
        };
        let scratch = tempfile::tempdir().unwrap();
        let before = names(sealed.home.path());
        let identity = GnupgIdentity::new(sealed.home.path(), gnupg(Some(scratch.path())));
        let opened = identity.unwrap(&entry(&sealed.message)).unwrap().unwrap();
        assert!(opened.ct_eq(&[7; 32]));
        let agents = || agents_of(scratch.path());
        assert_eq!(agents(), 1);
        drop(identity);
        assert_eq!(names(scratch.path()), Vec::<OsString>::new());
        assert_eq!(agents(), 0);
        assert_eq!(names(sealed.home.path()), before);
    }

    #[test]
    fn what_gpg_does_not_open_is_for_somebody_else_and_what_is_no_message_is_damaged() {
        let (Some(sealed), Some(other)) = (Sealed::make(&[7; 32]), Sealed::make(&[8; 32])) else {
            return;
        };
        let scratch = tempfile::tempdir().unwrap();
        let identity = GnupgIdentity::new(other.home.path(), gnupg(Some(scratch.path())));
        assert!(identity.unwrap(&entry(&sealed.message)).unwrap().is_none());
        let damaged = identity.unwrap(&entry("no message"));
        assert_eq!(damaged.unwrap_err(), IdentityError::Damaged);
        let age = WrappedKey::age("age1x", "-----BEGIN AGE ENCRYPTED FILE-----");
        assert!(identity.unwrap(&age).unwrap().is_none());
    }

    #[test]
    fn a_program_that_is_not_there_is_named() {
        let home = tempfile::tempdir().unwrap();
        let mut gnupg = gnupg(None);
        gnupg.program = home.path().join("gpg");
        let identity = GnupgIdentity::new(home.path(), gnupg);
        let error = identity.unwrap(&entry("any")).unwrap_err();
        assert_eq!(error, IdentityError::Gnupg(GnupgFault::NotStarted(2)));
    }

    #[test]
    fn homes_of_runs_that_were_killed_go_and_those_in_use_stay() {
        let scratch = tempfile::tempdir().unwrap();
        let home = tempfile::tempdir().unwrap();
        let left = scratch.path().join(format!("{PREFIX}left"));
        fs::create_dir(&left).unwrap();
        symlink(home.path(), left.join("private-keys-v1.d")).unwrap();
        let first = PrivateHome::make(scratch.path(), home.path(), gnupg(None)).unwrap();
        assert!(!left.exists());
        let second = PrivateHome::make(scratch.path(), home.path(), gnupg(None)).unwrap();
        assert!(first.path.exists() && second.path.exists());
        assert!(home.path().exists());
    }

    fn names(directory: &Path) -> Vec<OsString> {
        let entries = fs::read_dir(directory).unwrap();
        let mut names: Vec<OsString> = entries.map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    }

    /// Agents that serve a home below a directory; one that has ended and was not waited for has no command line.
    fn agents_of(directory: &Path) -> usize {
        let directory = directory.to_str().unwrap();
        let processes = fs::read_dir("/proc").unwrap().flatten();
        let lines = processes.filter_map(|entry| fs::read(entry.path().join("cmdline")).ok());
        lines
            .filter(|line| {
                let line = String::from_utf8_lossy(line);
                line.starts_with("gpg-agent") && line.contains(directory)
            })
            .count()
    }
}
