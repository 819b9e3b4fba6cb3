//! The world as a command sees it, captured once: variables, working directory, clock, terminals.

use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};

use ccci_secrets::env::Environment;
use ccci_secrets::keyring::Keyring;

/// What every command gets.
#[derive(Debug)]
pub(crate) struct Context {
    /// The variables and directories of the user.
    pub(crate) environment: Environment,
    /// The working directory; empty when it is gone.
    pub(crate) directory: PathBuf,
    /// Whether standard input is a terminal, so that somebody can be asked.
    pub(crate) stdin_is_terminal: bool,
}

impl Context {
    /// Captures the world of the process.
    pub(crate) fn capture() -> Self {
        Self {
            environment: Environment::capture(),
            directory: std::env::current_dir().unwrap_or_default(),
            stdin_is_terminal: std::io::stdin().is_terminal(),
        }
    }

    /// The time now.
    #[expect(clippy::disallowed_methods, reason = "the one reader of the clock")]
    pub(crate) fn now() -> jiff::Timestamp {
        jiff::Timestamp::now()
    }

    /// The identities in the places that sops looks in.
    pub(crate) fn keyring(&self) -> Keyring {
        Keyring::discover(&self.environment)
    }

    /// A path from the root. Lexical only, as in sops: links are not followed.
    pub(crate) fn absolute(&self, path: &Path) -> PathBuf {
        self.directory.join(path)
    }
}
