//! Creation rules.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;

use regex::bytes::Regex;

use super::error::{ConfigError, ConfigFault, ConfigNote};
use super::group;
use super::policy::PolicyKey;
use super::read::{Field, Reader};
use crate::document::NodeId;
use crate::error::Location;
use crate::metadata::selection_field;
use crate::selection::{SelectionSettings, go_regex};
use crate::wrapped::KeyKind;

const KNOWN: [&str; 18] = [
    "age",
    "aws_profile",
    "azure_keyvault",
    "encrypted_comment_regex",
    "encrypted_regex",
    "encrypted_suffix",
    "gcp_kms",
    "hc_vault_transit_uri",
    "hckms",
    "key_groups",
    "kms",
    "mac_only_encrypted",
    "path_regex",
    "pgp",
    "shamir_threshold",
    "unencrypted_comment_regex",
    "unencrypted_regex",
    "unencrypted_suffix",
];

const DESTINATION_TEXTS: [&str; 8] = [
    "gcs_bucket",
    "gcs_prefix",
    "path_regex",
    "s3_bucket",
    "s3_prefix",
    "vault_address",
    "vault_kv_mount_name",
    "vault_path",
];

/// The flat key fields, in the order in which their keys join the group.
const FLAT: [(&str, KeyKind); 7] = [
    ("age", KeyKind::Age),
    ("pgp", KeyKind::Pgp),
    ("kms", KeyKind::AwsKms),
    ("gcp_kms", KeyKind::GcpKms),
    ("hckms", KeyKind::HuaweiKms),
    ("azure_keyvault", KeyKind::AzureKeyVault),
    ("hc_vault_transit_uri", KeyKind::HashicorpVault),
];

/// One creation rule, its recipients and selection not yet looked at.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Rule {
    /// File and line.
    pub place: Location,
    /// Which files it is for, where it is not for all.
    path_regex: Option<PathRegex>,
    /// The key groups. A rule without any key has one that is empty.
    pub groups: Vec<Vec<RuleKey>>,
    /// `shamir_threshold`, where it is set.
    pub threshold: Option<u32>,
    /// What the rule says about selection: at most one of the six.
    pub selection: SelectionSettings,
    /// File and line of that one.
    pub(super) selection_place: Option<Location>,
    /// `mac_only_encrypted`
    pub mac_only_encrypted: bool,
}

/// A key of a rule, and where it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RuleKey {
    /// The key.
    pub key: PolicyKey,
    /// File and line.
    pub place: Location,
}

#[derive(Clone, Debug)]
struct PathRegex {
    place: Location,
    text: String,
    compiled: Result<Regex, String>,
}

impl Rule {
    /// The pattern of the files that it is for.
    #[must_use]
    pub fn path_regex(&self) -> Option<&str> {
        self.path_regex.as_ref().map(|regex| regex.text.as_str())
    }

    /// Whether the rule is for the file of this subject. As in sops, a pattern that is never reached may be wrong.
    pub(super) fn matches(&self, subject: &OsStr) -> Result<bool, ConfigError> {
        let Some(path_regex) = &self.path_regex else {
            return Ok(true);
        };
        match &path_regex.compiled {
            Ok(regex) => Ok(regex.is_match(subject.as_bytes())),
            Err(reason) => Err(ConfigError::Invalid {
                place: path_regex.place.clone(),
                fault: ConfigFault::PathRegex {
                    pattern: path_regex.text.clone(),
                    reason: reason.clone(),
                },
            }),
        }
    }
}

/// Reads `creation_rules`; null is none at all.
pub(super) fn read_rules(
    reader: &Reader<'_>,
    id: NodeId,
    notes: &mut Vec<ConfigNote>,
) -> Result<Option<Vec<Rule>>, ConfigError> {
    let Some(elements) = reader.items("creation_rules", id)? else {
        return Ok(None);
    };
    let rules = elements
        .into_iter()
        .map(|element| read_rule(reader, "a creation rule", element, notes));
    rules.collect::<Result<_, _>>().map(Some)
}

fn read_rule(
    reader: &Reader<'_>,
    name: &'static str,
    id: NodeId,
    notes: &mut Vec<ConfigNote>,
) -> Result<Rule, ConfigError> {
    let fields = reader.fields(name, id)?;
    reader.refuse_unknown(&fields, &KNOWN, name)?;
    let mut rule = Rule {
        place: reader.place(fields.first().map_or(reader.line(id), |field| field.line)),
        path_regex: None,
        groups: Vec::new(),
        threshold: None,
        selection: SelectionSettings::default(),
        selection_place: None,
        mac_only_encrypted: false,
    };
    for field in &fields {
        match field.name {
            "aws_profile" => {
                reader.text(field.name, field.value)?;
            }
            "key_groups" => rule.groups = group::read_groups(reader, field.value)?,
            "mac_only_encrypted" => {
                rule.mac_only_encrypted = reader.truth(field.name, field.value)?
            }
            "path_regex" => rule.path_regex = path_regex(reader, field)?,
            "shamir_threshold" => rule.threshold = threshold(reader, field)?,
            other => {
                if let Some(setting) = selection_field(&mut rule.selection, other) {
                    *setting = reader.text(other, field.value)?;
                    if setting.as_ref().is_some_and(|text| !text.is_empty()) {
                        rule.selection_place = Some(reader.place(reader.line(field.value)));
                    }
                }
            }
        }
    }
    refuse_several_selections(reader, &rule, &fields)?;
    rule.add_flat_keys(reader, &fields, notes)?;
    Ok(rule)
}

impl Rule {
    /// Flat fields make one group; beside `key_groups` they count for nothing.
    fn add_flat_keys(
        &mut self,
        reader: &Reader<'_>,
        fields: &[Field<'_>],
        notes: &mut Vec<ConfigNote>,
    ) -> Result<(), ConfigError> {
        let mut group = Vec::new();
        for (name, kind) in FLAT {
            let Some(field) = fields.iter().find(|field| field.name == name) else {
                continue;
            };
            let before = group.len();
            group::read_flat(reader, field, kind, &mut group)?;
            if !self.groups.is_empty() && group.len() > before {
                notes.push(ConfigNote::IgnoredKeys {
                    place: reader.place(field.line),
                    key: name,
                });
            }
        }
        if self.groups.is_empty() {
            self.groups.push(group);
        }
        Ok(())
    }
}

fn path_regex(reader: &Reader<'_>, field: &Field<'_>) -> Result<Option<PathRegex>, ConfigError> {
    let text = reader.text(field.name, field.value)?.unwrap_or_default();
    Ok((!text.is_empty()).then(|| PathRegex {
        place: reader.place(reader.line(field.value)),
        compiled: go_regex::compile(&text),
        text,
    }))
}

/// Zero is the same as none.
fn threshold(reader: &Reader<'_>, field: &Field<'_>) -> Result<Option<u32>, ConfigError> {
    let number = reader.number(field.name, field.value)?.unwrap_or_default();
    let threshold = u32::try_from(number)
        .map_err(|_| reader.wrong_type(field.name, "a number of groups", field.value))?;
    Ok((threshold > 0).then_some(threshold))
}

fn refuse_several_selections(
    reader: &Reader<'_>,
    rule: &Rule,
    fields: &[Field<'_>],
) -> Result<(), ConfigError> {
    let set: Vec<&'static str> = rule.selection.named().map(|(name, _)| name).collect();
    if set.len() < 2 {
        return Ok(());
    }
    let lines = fields.iter().filter(|field| set.contains(&field.name));
    let line = lines.map(|field| field.line).max().unwrap_or_default();
    Err(reader.fault(line, ConfigFault::SeveralSelections(set)))
}

/// Checks `destination_rules`, which nothing here uses, for what can be seen to be wrong.
pub(super) fn check_destination_rules(reader: &Reader<'_>, id: NodeId) -> Result<(), ConfigError> {
    for element in reader.items("destination_rules", id)?.unwrap_or_default() {
        for field in reader.fields("a destination rule", element)? {
            match field.name {
                "omit_extensions" => {
                    reader.truth(field.name, field.value)?;
                }
                "vault_kv_version" => {
                    reader.number(field.name, field.value)?;
                }
                "recreation_rule" => {
                    read_rule(reader, "a recreation rule", field.value, &mut Vec::new())?;
                }
                text if DESTINATION_TEXTS.contains(&text) => {
                    reader.text(text, field.value)?;
                }
                _ => {}
            }
        }
    }
    Ok(())
}
