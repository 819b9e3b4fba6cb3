//! The world as a command sees it, captured once: variables, working directory, clock, terminals.

use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ccci_secrets::env::Environment;
use ccci_secrets::error::ErrorCode;
use ccci_secrets::keyring::Keyring;

use crate::cli::GlobalArgs;
use crate::error::CommandError;
use crate::prompt::TerminalUser;

/// What every command gets.
#[derive(Debug)]
pub(crate) struct Context {
    /// The variables and directories of the user.
    pub(crate) environment: Environment,
    /// The working directory; empty when it is gone.
    pub(crate) directory: PathBuf,
    /// The configuration that was named before the command.
    pub(crate) config: Option<PathBuf>,
    /// Spaces per level for text that is laid out anew.
    pub(crate) indent: Option<i64>,
    /// Whether the MAC of new files covers encrypted values only, said before the command.
    pub(crate) mac_only_encrypted: bool,
    /// Whether standard input is a terminal, so that somebody can be asked.
    pub(crate) stdin_is_terminal: bool,
}

impl Context {
    /// What reports call this program.
    pub(crate) const TOOL: &'static str = concat!("ccsec ", env!("CARGO_PKG_VERSION"));

    /// Captures the world of the process, with what was said before the command.
    pub(crate) fn capture(global: GlobalArgs) -> Self {
        Self {
            config: global.config,
            indent: global.indent,
            mac_only_encrypted: global.mac_only_encrypted,
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

    /// The file of this program.
    pub(crate) fn program() -> Result<PathBuf, CommandError> {
        std::env::current_exe().map_err(|error| {
            CommandError::new(
                ErrorCode::FileUnreadable,
                format!("the path of this program is not known: {error}"),
            )
            .hint("name it with --program FILE")
        })
    }

    /// The identities in the places that sops looks in.
    pub(crate) fn keyring(&self) -> Keyring {
        Keyring::discover(&self.environment).with_plugins(Arc::new(TerminalUser))
    }

    /// A path from the root. Lexical only, as in sops: links are not followed.
    pub(crate) fn absolute(&self, path: &Path) -> PathBuf {
        self.directory.join(path)
    }
}
