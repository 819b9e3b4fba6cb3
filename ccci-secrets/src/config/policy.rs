//! Recipients, groups and selection of a file that is to be sealed.

use std::fmt;

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

impl Policy {
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
        if self.groups.len() > 1 {
            return Some(UnsupportedPolicy::Groups(self.groups.len()));
        }
        if let Some(threshold) = self.threshold {
            return Some(UnsupportedPolicy::Threshold(threshold));
        }
        let other = self
            .groups
            .iter()
            .flatten()
            .find(|key| key.kind != KeyKind::Age)?;
        Some(UnsupportedPolicy::Kind(other.kind))
    }
}

/// Part of a policy that this build cannot write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum UnsupportedPolicy {
    /// Several key groups.
    Groups(usize),
    /// A kind of key.
    Kind(KeyKind),
    /// `shamir_threshold`.
    Threshold(u32),
}

impl fmt::Display for UnsupportedPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Groups(count) => write!(f, "{count} key groups (Shamir secret sharing)"),
            Self::Kind(kind) => write!(f, "a key of kind `{}`", kind.metadata_key()),
            Self::Threshold(threshold) => write!(f, "`shamir_threshold: {threshold}`"),
        }
    }
}
