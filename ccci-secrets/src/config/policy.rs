//! Recipients, groups and selection of a file that is to be sealed.

use std::fmt;

use super::rule::{Rule, RuleKey};
use crate::crypto::ThresholdError;
use crate::error::{ErrorCode, Location};
use crate::key::group;
use crate::key::{self, RecipientError};
use crate::selection::{Selection, SelectionError, SelectionSettings};
use crate::wrapped::KeyKind;

/// Who shall open a new file, and which of its leaves are sealed.
#[derive(Clone, Debug)]
pub struct Policy {
    /// The key groups; any one key of a group opens it.
    pub groups: Vec<Vec<PolicyKey>>,
    /// How many groups are needed, where a rule says so.
    pub threshold: Option<u32>,
    /// Which leaves are sealed.
    pub selection: Selection,
    /// Whether the MAC covers only sealed values.
    pub mac_only_encrypted: bool,
}

/// One key of a rule, as it is written there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyKey {
    /// What kind of key it is.
    pub kind: KeyKind,
    /// The recipient, fingerprint or address.
    pub text: String,
}

impl PolicyKey {
    /// What stands between the commas of a list: trimmed, and nothing where nothing stands.
    pub(super) fn split(list: &str) -> impl Iterator<Item = &str> {
        list.split(',')
            .map(str::trim)
            .filter(|text| !text.is_empty())
    }
}

/// What the command line, or the program that embeds this library, says about a new file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "these are all the flags of sops that make a policy"
)]
pub struct PolicyRequest {
    /// Keys given by name. Any at all replace those of the rule.
    pub keys: Vec<PolicyKey>,
    /// Settings of selection, each of which replaces that of the rule.
    pub selection: SelectionSettings,
    /// The threshold, where it is not that of the rule.
    pub threshold: Option<u32>,
    /// Whether the MAC covers only sealed values, whatever the rule says.
    pub mac_only_encrypted: bool,
}

impl PolicyRequest {
    /// Adds the keys of a flag or variable: texts between commas.
    pub fn add_keys(&mut self, kind: KeyKind, list: &str) {
        self.keys
            .extend(PolicyKey::split(list).map(|text| PolicyKey {
                kind,
                text: text.to_owned(),
            }));
    }
}

impl Policy {
    /// What a rule and a request make together: the request wins, key by key and setting by setting.
    ///
    /// # Errors
    /// [`PolicyError`]: anything that would make another file than was asked for. Every pattern is compiled, every
    /// recipient parsed, and what this build cannot write is refused.
    pub fn resolve(rule: Option<&Rule>, request: &PolicyRequest) -> Result<Self, PolicyError> {
        let keys = Keys::of(rule, request)?;
        keys.check()?;
        let none = SelectionSettings::default();
        let of_rule = rule.map_or(&none, |rule| &rule.selection);
        let settings = request.selection.clone().or(of_rule);
        let asked = request.threshold.filter(|threshold| *threshold > 0);
        let policy = Self {
            groups: keys.groups(),
            threshold: asked.or(rule.and_then(|rule| rule.threshold)),
            selection: Selection::compile(settings)
                .map_err(|error| PolicyError::selection(error, rule, request))?,
            mac_only_encrypted: request.mac_only_encrypted
                || rule.is_some_and(|rule| rule.mac_only_encrypted),
        };
        if let Some(unsupported) = policy.unsupported() {
            return Err(PolicyError::Unsupported(unsupported));
        }
        match group::written_threshold(policy.groups.len(), policy.threshold) {
            Ok(_) => Ok(policy),
            Err(source) => Err(PolicyError::Threshold {
                place: rule
                    .filter(|_| asked.is_none())
                    .map(|rule| rule.place.clone()),
                source,
            }),
        }
    }

    /// A threshold that has no effect, because there is one key group: any one of its keys opens the file.
    #[must_use]
    pub fn idle_threshold(&self) -> Option<u32> {
        let threshold = self.threshold.filter(|_| self.groups.len() == 1);
        threshold.filter(|threshold| *threshold > 1)
    }

    /// One group of age recipients, with the default selection.
    ///
    /// # Errors
    /// [`SelectionError`] never in practice: the default rule compiles.
    pub fn age(recipients: &[&str]) -> Result<Self, SelectionError> {
        let key = |text: &&str| PolicyKey {
            kind: KeyKind::Age,
            text: text.trim().to_owned(),
        };
        Ok(Self {
            groups: vec![recipients.iter().map(key).collect()],
            threshold: None,
            selection: Selection::compile(SelectionSettings::default())?,
            mac_only_encrypted: false,
        })
    }

    /// The first thing of this policy that this build cannot write. A file with fewer recipients than its rule is
    /// never made.
    #[must_use]
    pub fn unsupported(&self) -> Option<UnsupportedPolicy> {
        let other = self
            .groups
            .iter()
            .flatten()
            .find(|key| key.kind != KeyKind::Age)?;
        Some(UnsupportedPolicy::Kind(other.kind))
    }
}

/// Where the keys come from: the request, or a rule, which knows the line of each.
enum Keys<'a> {
    Request(&'a [PolicyKey]),
    Rule(&'a Rule),
}

impl<'a> Keys<'a> {
    fn of(rule: Option<&'a Rule>, request: &'a PolicyRequest) -> Result<Self, PolicyError> {
        match rule {
            _ if !request.keys.is_empty() => Ok(Self::Request(&request.keys)),
            None => Err(PolicyError::NoKeys),
            Some(rule) if rule.groups.iter().any(Vec::is_empty) => Err(PolicyError::EmptyGroup {
                place: rule.place.clone(),
            }),
            Some(rule) => Ok(Self::Rule(rule)),
        }
    }

    /// Parses every recipient whose kind this build knows.
    fn check(&self) -> Result<(), PolicyError> {
        match self {
            Self::Request(keys) => keys.iter().try_for_each(|key| check(key, None)),
            Self::Rule(rule) => rule
                .groups
                .iter()
                .flatten()
                .try_for_each(|key| check(&key.key, Some(&key.place))),
        }
    }

    fn groups(&self) -> Vec<Vec<PolicyKey>> {
        match self {
            Self::Request(keys) => vec![keys.to_vec()],
            Self::Rule(rule) => {
                let keys = |group: &Vec<RuleKey>| group.iter().map(|key| key.key.clone()).collect();
                rule.groups.iter().map(keys).collect()
            }
        }
    }
}

fn check(key: &PolicyKey, place: Option<&Location>) -> Result<(), PolicyError> {
    if key.kind != KeyKind::Age {
        return Ok(());
    }
    match key::parse_recipient(&key.text) {
        Ok(_) => Ok(()),
        Err(source) => Err(PolicyError::Recipient {
            place: place.cloned(),
            source,
        }),
    }
}

/// A rule and a request that make no policy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PolicyError {
    /// Settings of selection that exclude each other; sops gives an exit code of its own to this.
    #[error("cannot use more than one of {} in the same file", .0.join(", "))]
    ConflictingSelection(Vec<&'static str>),
    /// A rule with a group that has no keys.
    #[error("{place}: the rule has a group without keys")]
    EmptyGroup {
        /// File and line of the rule.
        place: Location,
    },
    /// Neither keys nor a rule.
    #[error("there are neither keys nor a creation rule")]
    NoKeys,
    /// A recipient that cannot be used.
    #[error("{}{source}", place.as_ref().map(|place| format!("{place}: ")).unwrap_or_default())]
    Recipient {
        /// File and line, for a recipient of a rule.
        place: Option<Location>,
        /// Why.
        source: RecipientError,
    },
    /// A pattern that is none.
    #[error("{}{source}", place.as_ref().map(|place| format!("{place}: ")).unwrap_or_default())]
    Selection {
        /// File and line, for a pattern of a rule.
        place: Option<Box<Location>>,
        /// Why.
        source: SelectionError,
    },
    /// A number of key groups that can never be met, or that protects nothing.
    #[error("{}{source}", place.as_ref().map(|place| format!("{place}: ")).unwrap_or_default())]
    Threshold {
        /// File and line of the rule, if the number is from there.
        place: Option<Location>,
        /// Why.
        source: ThresholdError,
    },
    /// A kind of key, which this build cannot write.
    #[error(
        "the rule asks for {0}, which this build cannot write; a file with fewer recipients than its rule is never made"
    )]
    Unsupported(UnsupportedPolicy),
}

impl PolicyError {
    /// The stable code.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::ConflictingSelection(_) | Self::Selection { .. } => ErrorCode::SelectionInvalid,
            Self::EmptyGroup { .. } => ErrorCode::NoRecipients,
            Self::NoKeys => ErrorCode::ConfigMissing,
            Self::Recipient { source, .. } => source.code(),
            Self::Threshold { place: None, .. } => ErrorCode::Usage,
            Self::Threshold { .. } => ErrorCode::ConfigInvalid,
            Self::Unsupported(_) => ErrorCode::NotBuilt,
        }
    }

    /// The rule is at fault only where the request sets nothing: one that sets the same wins, and one that sets
    /// something else conflicts.
    fn selection(error: SelectionError, rule: Option<&Rule>, request: &PolicyRequest) -> Self {
        match error {
            SelectionError::Several(names) => Self::ConflictingSelection(names),
            source => Self::Selection {
                place: rule
                    .filter(|_| request.selection.named().next().is_none())
                    .and_then(|rule| rule.selection_place.clone())
                    .map(Box::new),
                source,
            },
        }
    }
}

/// Part of a policy that this build cannot write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum UnsupportedPolicy {
    /// A kind of key.
    Kind(KeyKind),
}

impl fmt::Display for UnsupportedPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kind(kind) => write!(f, "a key of kind `{}`", kind.metadata_key()),
        }
    }
}
