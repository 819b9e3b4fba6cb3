//! The process environment as a value, so that nothing else in the crate looks around by itself.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::{Path, PathBuf};

use zeroize::Zeroize;

use crate::secret::SecretStr;

/// The variables, the home directory and the configuration directory that the program works with.
///
/// [`Environment::capture`] is the only place that reads the process environment. Variables whose value is a secret
/// ([`SECRET_VARIABLES`]) are kept apart and given out by [`Environment::secret`] only.
#[derive(Default)]
pub struct Environment {
    variables: BTreeMap<OsString, OsString>,
    secrets: BTreeMap<String, SecretStr>,
    config_dir: Option<PathBuf>,
}

/// The variables whose value is a secret.
pub const SECRET_VARIABLES: &[&str] = &["SOPS_AGE_KEY"];

impl Environment {
    /// Reads the environment of the process.
    #[must_use]
    #[expect(
        clippy::disallowed_methods,
        reason = "the one reader of the process environment"
    )]
    pub fn capture() -> Self {
        let mut environment = Self::default();
        for (name, value) in std::env::vars_os() {
            environment.insert(name, value);
        }
        environment.settle();
        environment
    }

    /// An environment without variables, home or configuration directory.
    #[must_use]
    pub fn empty() -> Self {
        Self::default()
    }

    /// The same environment with a variable set; setting `HOME` or `XDG_CONFIG_HOME` moves the directories as well.
    #[must_use]
    pub fn with_var(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.insert(name.into(), value.into());
        self.settle();
        self
    }

    /// The same environment with a variable removed.
    #[must_use]
    pub fn without_var(mut self, name: &str) -> Self {
        self.variables.remove(OsStr::new(name));
        self.secrets.remove(name);
        self.settle();
        self
    }

    /// The same environment without the variables that start with `prefix`.
    #[must_use]
    pub fn without_prefix(mut self, prefix: &str) -> Self {
        self.variables
            .retain(|name, _| !name.as_encoded_bytes().starts_with(prefix.as_bytes()));
        self.secrets.retain(|name, _| !name.starts_with(prefix));
        self.settle();
        self
    }

    /// A variable that is no secret and is valid UTF-8.
    #[must_use]
    pub fn var(&self, name: &str) -> Option<&str> {
        self.var_os(name)?.to_str()
    }

    /// A variable that is no secret, whatever its bytes.
    #[must_use]
    pub fn var_os(&self, name: &str) -> Option<&OsStr> {
        self.variables
            .get(OsStr::new(name))
            .map(OsString::as_os_str)
    }

    /// A variable whose value is a secret.
    #[must_use]
    pub fn secret(&self, name: &str) -> Option<&SecretStr> {
        self.secrets.get(name)
    }

    /// The home directory: `$HOME` when it is set and not empty.
    #[must_use]
    pub fn home(&self) -> Option<&Path> {
        self.directory("HOME")
    }

    /// The directory for configuration, as Go's `os.UserConfigDir` finds it.
    #[must_use]
    pub fn config_dir(&self) -> Option<&Path> {
        self.config_dir.as_deref()
    }

    fn insert(&mut self, name: OsString, value: OsString) {
        match name.to_str() {
            Some(name) if SECRET_VARIABLES.contains(&name) => {
                self.secrets.insert(name.into(), secret_text(value));
            }
            _ => {
                self.variables.insert(name, value);
            }
        }
    }

    fn settle(&mut self) {
        self.config_dir = match self.directory("XDG_CONFIG_HOME") {
            // A relative directory is an error to Go, which leaves the program without one.
            Some(directory) => directory.is_absolute().then(|| directory.to_owned()),
            None => self.home().map(|home| home.join(DEFAULT_CONFIG_DIR)),
        };
    }

    fn directory(&self, name: &str) -> Option<&Path> {
        self.var_os(name)
            .filter(|value| !value.is_empty())
            .map(Path::new)
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Names only: any variable may hold somebody's secret.
        f.debug_struct("Environment")
            .field("variables", &self.variables.keys())
            .field("secrets", &self.secrets.keys())
            .field("config_dir", &self.config_dir)
            .finish()
    }
}

#[cfg(target_os = "macos")]
const DEFAULT_CONFIG_DIR: &str = "Library/Application Support";
#[cfg(not(target_os = "macos"))]
const DEFAULT_CONFIG_DIR: &str = ".config";

/// Moves a value into a secret. Keys are ASCII: what is not UTF-8 is replaced, and will not parse.
fn secret_text(value: OsString) -> SecretStr {
    match String::from_utf8(value.into_encoded_bytes()) {
        Ok(text) => SecretStr::from_string(text),
        Err(error) => {
            let mut bytes = error.into_bytes();
            bytes.zeroize();
            SecretStr::from_string(char::REPLACEMENT_CHARACTER.into())
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn the_age_key_is_a_secret_and_no_variable() {
        let environment = Environment::empty()
            .with_var("SOPS_AGE_KEY", "AGE-SECRET-KEY-CANARY")
            .with_var("OTHER", "canary-value");
        assert_eq!(environment.var("SOPS_AGE_KEY"), None);
        assert_eq!(
            environment.secret("SOPS_AGE_KEY").unwrap().expose(),
            "AGE-SECRET-KEY-CANARY"
        );
        let debug = format!("{environment:?}").to_lowercase();
        assert!(!debug.contains("canary"), "{debug}");
    }

    #[test]
    fn the_configuration_directory_follows_go() {
        let home = Environment::empty().with_var("HOME", "/h");
        assert_eq!(home.home(), Some(Path::new("/h")));
        #[cfg(not(target_os = "macos"))]
        assert_eq!(home.config_dir(), Some(Path::new("/h/.config")));
        let set = home.with_var("XDG_CONFIG_HOME", "/c");
        assert_eq!(set.config_dir(), Some(Path::new("/c")));
        let relative = set.with_var("XDG_CONFIG_HOME", "c");
        assert_eq!(relative.config_dir(), None);
        let empty = relative
            .with_var("XDG_CONFIG_HOME", "")
            .with_var("HOME", "");
        assert_eq!((empty.home(), empty.config_dir()), (None, None));
    }

    #[test]
    fn variables_are_dropped_by_prefix() {
        let environment = Environment::empty()
            .with_var("SOPS_AGE_KEY", "x")
            .with_var("SOPS_AGE_KEY_FILE", "y")
            .with_var("PATH", "z")
            .without_prefix("SOPS_AGE_");
        assert!(environment.secret("SOPS_AGE_KEY").is_none());
        assert!(environment.var("SOPS_AGE_KEY_FILE").is_none());
        assert_eq!(environment.var("PATH"), Some("z"));
    }
}
