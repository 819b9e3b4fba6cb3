//! What a new file is sealed to, and which of its leaves: `.sops.yaml` to rules to a [`Policy`] (sops-cli.md 6).
//!
//! A [`Config`] is the text of one `.sops.yaml`, understood; [`Config::rule_for`] finds the creation rule of a file, and
//! [`Policy::resolve`] makes a policy of it and of what the command line asks for.

mod discover;
mod error;
mod group;
mod names;
mod policy;
mod read;
mod rule;
mod stores;
#[cfg(test)]
#[allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "tests"
)]
mod tests;

use std::ffi::OsString;
use std::path::{Component, Path, PathBuf};

pub use self::discover::Discovered;
pub use self::error::{ConfigError, ConfigFault, ConfigNote};
pub use self::policy::{Policy, PolicyError, PolicyKey, PolicyRequest, UnsupportedPolicy};
pub use self::rule::{Rule, RuleKey};
pub use self::stores::Stores;

use self::read::Reader;
use crate::document::yaml::{self, Keys};
use crate::document::{Document, ParseErrorKind};
use crate::error::Location;
use crate::nearest;
use crate::secret::Secret;
use crate::wrapped::Names;

/// The top-level keys that mean something. Any other is allowed: `keys:` and `x-…:` hold anchors.
const KNOWN: [&str; 3] = ["creation_rules", "destination_rules", "stores"];

/// One `.sops.yaml`.
#[derive(Clone, Debug)]
pub struct Config {
    path: PathBuf,
    /// `None` where there is no `creation_rules`: to sops that is a file which does not exist.
    rules: Option<Vec<Rule>>,
    stores: Stores,
    names: Names,
    notes: Vec<ConfigNote>,
}

impl Config {
    /// Parses the text of the file at `path`, which is only named, and should be absolute: rules match what is below
    /// its directory by relative paths.
    ///
    /// # Errors
    /// [`ConfigError::Invalid`] with the line.
    pub fn parse(path: &Path, bytes: &[u8]) -> Result<Self, ConfigError> {
        let mut config = Self {
            path: path.to_owned(),
            rules: None,
            stores: Stores::default(),
            names: Names::default(),
            notes: Vec::new(),
        };
        match yaml::parse_with(Secret::from_slice(bytes), Keys::Scalars) {
            Ok(document) => config.read_document(&document)?,
            Err(error) if is_empty(&error.kind) => {}
            Err(error) => return Err(error::invalid(path, error.line, error.kind.into())),
        }
        Ok(config)
    }

    fn read_document(&mut self, document: &Document) -> Result<(), ConfigError> {
        let path = self.path.clone();
        let reader = Reader::new(document, &path);
        let mut parts = document.parts().iter();
        let Some(first) = parts.next() else {
            return Ok(());
        };
        if let Some(second) = parts.next() {
            self.notes.push(ConfigNote::SecondDocument {
                place: reader.place(reader.line_at(second.span)),
            });
        }
        for field in reader.fields("the top level", first.root)? {
            match field.name {
                "creation_rules" => {
                    self.rules = rule::read_rules(&reader, field.value, &mut self.notes)?
                }
                "destination_rules" => rule::check_destination_rules(&reader, field.value)?,
                "stores" => self.stores = stores::read(&reader, field.value)?,
                unknown => {
                    self.notes
                        .extend(mistyped(unknown).map(|nearest| ConfigNote::UnknownKey {
                            place: reader.place(field.line),
                            key: unknown.into(),
                            nearest,
                        }))
                }
            }
        }
        self.names = names::collect(document);
        Ok(())
    }

    /// The file, as it was named.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What the file calls its recipients: `&anchor`, or the comment behind them.
    #[must_use]
    pub fn names(&self) -> &Names {
        &self.names
    }

    /// What is worth a word and no error.
    #[must_use]
    pub fn notes(&self) -> &[ConfigNote] {
        &self.notes
    }

    /// How new text is laid out.
    #[must_use]
    pub fn stores(&self) -> Stores {
        self.stores
    }

    /// Whether there are creation rules, if only an empty list of them.
    #[must_use]
    pub fn has_rules(&self) -> bool {
        self.rules.is_some()
    }

    /// All creation rules, in order.
    #[must_use]
    pub fn rules(&self) -> &[Rule] {
        self.rules.as_deref().unwrap_or_default()
    }

    /// The creation rule for a file: the first whose `path_regex` matches its [subject](Config::subject).
    ///
    /// The path should be absolute, and need not exist.
    ///
    /// # Errors
    /// [`ConfigError::NoRules`] without `creation_rules`, [`ConfigError::NoRule`] if none matches, and
    /// [`ConfigError::Invalid`] for a pattern that does not compile and is reached.
    pub fn rule_for(&self, file: &Path) -> Result<&Rule, ConfigError> {
        let Some(rules) = &self.rules else {
            return Err(ConfigError::NoRules {
                path: self.path.clone(),
            });
        };
        let subject = self.subject(file);
        for rule in rules {
            if rule.matches(&subject)? {
                return Ok(rule);
            }
        }
        Err(ConfigError::NoRule {
            path: self.path.clone(),
            subject: PathBuf::from(subject),
        })
    }

    /// What `path_regex` is matched against: the path of the file below the directory of the configuration, or its
    /// whole path where it lies elsewhere. Links are not followed.
    #[must_use]
    pub fn subject(&self, file: &Path) -> OsString {
        let file = clean(file);
        let directory = clean(&self.path).parent().map(Path::to_owned);
        match directory.and_then(|directory| file.strip_prefix(directory).ok().map(Path::to_owned))
        {
            Some(below) => below.into(),
            None => file.into(),
        }
    }
}

/// The known key that a top-level key probably means. What starts with `x-` is meant as it is.
fn mistyped(key: &str) -> Option<&'static str> {
    if key.starts_with("x-") {
        return None;
    }
    nearest::within(key, &KNOWN, |_| 2)
}

/// A file without content is one without rules.
fn is_empty(kind: &ParseErrorKind) -> bool {
    matches!(kind, ParseErrorKind::Empty | ParseErrorKind::OnlyComments)
}

/// The path without `.` and `..`, as text: what Go calls clean.
fn clean(path: &Path) -> PathBuf {
    let mut cleaned = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => match cleaned.components().next_back() {
                Some(Component::Normal(_)) => {
                    cleaned.pop();
                }
                Some(Component::RootDir | Component::Prefix(_)) => {}
                _ => cleaned.push(".."),
            },
            other => cleaned.push(other),
        }
    }
    cleaned
}

fn location(path: &Path, line: usize) -> Location {
    Location {
        file: Some(path.to_owned()),
        ..Location::line(line)
    }
}
