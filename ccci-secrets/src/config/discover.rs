//! Finding and reading `.sops.yaml`: the only file access of this module.

use std::path::{Path, PathBuf};

use super::{Config, ConfigError, ConfigNote};
use crate::error::IoResultExt as _;

pub(super) const FILE_NAME: &str = ".sops.yaml";
const ALTERNATE_NAME: &str = ".sops.yml";

/// How many directories are looked into.
const LEVELS: usize = 100;

/// What a search for the configuration found.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Discovered {
    /// The configuration, where there is one.
    pub config: Option<Config>,
    /// What is worth a word: those of the search, then those of the configuration.
    pub notes: Vec<ConfigNote>,
}

impl Config {
    /// Reads and parses a file.
    ///
    /// # Errors
    /// As [`Config::parse`], and [`ConfigError::Read`].
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let bytes = std::fs::read(path).at(path).map_err(ConfigError::Read)?;
        Self::parse(path, &bytes)
    }

    /// Looks for `.sops.yaml` in the directory `start` and the 99 above it. To find none is no error.
    ///
    /// `start` should be absolute; sops starts at the working directory, not at the file.
    ///
    /// # Errors
    /// As [`Config::read`].
    pub fn discover(start: &Path) -> Result<Discovered, ConfigError> {
        let mut alternate = None;
        let mut found = None;
        for directory in start.ancestors().take(LEVELS) {
            found = existing(directory, FILE_NAME);
            if found.is_some() {
                break;
            }
            alternate = alternate.or_else(|| existing(directory, ALTERNATE_NAME));
        }
        let note = alternate.map(|path| ConfigNote::AlternateName {
            path,
            used: found.clone(),
        });
        let config = found.map(|path| Self::read(&path)).transpose()?;
        let own = config.iter().flat_map(|config| config.notes().to_vec());
        Ok(Discovered {
            notes: note.into_iter().chain(own).collect(),
            config,
        })
    }
}

/// The path of that name, if anything stands there that can be looked at.
fn existing(directory: &Path, name: &str) -> Option<PathBuf> {
    let path = directory.join(name);
    std::fs::metadata(&path).is_ok().then_some(path)
}
