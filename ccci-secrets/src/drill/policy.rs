//! What a drill is to prove: which key must open which files, and which it must not.

use std::collections::BTreeMap;

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

use crate::error::ErrorCode;

/// The demands of a repository on its keys.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct DrillPolicy {
    /// How old the last drill may be, in days.
    pub max_age_days: Option<u32>,
    pub(super) keys: BTreeMap<String, Demands>,
}

/// The demands on one key, which is named by its recipient, or as `.sops.yaml` calls it.
#[derive(Debug)]
pub(super) struct Demands {
    pub(super) must_open: Patterns,
    pub(super) must_not_open: Patterns,
}

/// Patterns of paths below the top of the repository.
#[derive(Debug)]
pub(super) struct Patterns {
    texts: Vec<String>,
    set: GlobSet,
}

/// A policy that cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DrillPolicyError {
    /// Both demands match a file.
    #[error("{key} must open {path} and must not open it")]
    Contradiction {
        /// The key.
        key: String,
        /// The file.
        path: String,
    },
    /// A pattern that does not compile.
    #[error("{key}: the pattern cannot be used: {source}")]
    Pattern {
        /// The key.
        key: String,
        /// Why.
        source: globset::Error,
    },
    /// The text is no TOML, or says something that means nothing.
    #[error("{0}")]
    Syntax(#[from] toml::de::Error),
    /// A name that is nobody's.
    #[error("no recipient is called {0}, neither here nor in a .sops.yaml of the repository")]
    UnknownKey(String),
}

impl DrillPolicyError {
    /// The stable code.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        ErrorCode::ConfigInvalid
    }
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Text {
    max_age_days: Option<u32>,
    #[serde(default)]
    keys: BTreeMap<String, KeyText>,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyText {
    #[serde(default)]
    must_open: Vec<String>,
    #[serde(default)]
    must_not_open: Vec<String>,
}

impl DrillPolicy {
    /// Reads the text of a policy.
    ///
    /// ```
    /// use ccci_secrets::drill::DrillPolicy;
    ///
    /// let policy = DrillPolicy::parse(
    ///     r#"
    ///     max_age_days = 90
    ///     [keys.recovery]
    ///     must_open = ["**"]
    ///     [keys.web]
    ///     must_open = ["hosts/web/**"]
    ///     must_not_open = ["hosts/db/**", "people/**"]
    ///     "#,
    /// );
    /// assert!(policy.is_ok());
    /// ```
    ///
    /// # Errors
    /// [`DrillPolicyError`]; an unknown field is one.
    pub fn parse(text: &str) -> Result<Self, DrillPolicyError> {
        let text: Text = toml::from_str(text)?;
        let keys = text.keys.into_iter().map(|(key, demands)| {
            let demands = Demands {
                must_open: Patterns::compile(&key, demands.must_open)?,
                must_not_open: Patterns::compile(&key, demands.must_not_open)?,
            };
            Ok((key, demands))
        });
        Ok(Self {
            max_age_days: text.max_age_days,
            keys: keys.collect::<Result<_, DrillPolicyError>>()?,
        })
    }
}

impl Patterns {
    fn compile(key: &str, texts: Vec<String>) -> Result<Self, DrillPolicyError> {
        let failed = |source| DrillPolicyError::Pattern {
            key: key.to_owned(),
            source,
        };
        let mut set = GlobSetBuilder::new();
        for text in &texts {
            // `*` stays inside a directory, as in a shell.
            let glob = GlobBuilder::new(text).literal_separator(true).build();
            set.add(glob.map_err(failed)?);
        }
        Ok(Self {
            texts,
            set: set.build().map_err(failed)?,
        })
    }

    pub(super) fn matches(&self, path: &str) -> bool {
        self.set.is_match(path)
    }

    /// The patterns that match none of the paths.
    pub(super) fn idle<'a>(&'a self, paths: &[&str]) -> impl Iterator<Item = &'a str> {
        let used: std::collections::BTreeSet<usize> = paths
            .iter()
            .flat_map(|path| self.set.matches(path))
            .collect();
        let texts = self.texts.iter().enumerate();
        texts
            .filter(move |(nth, _)| !used.contains(nth))
            .map(|(_, text)| text.as_str())
    }
}
