//! Key groups, and the flat key fields that stand for one.

use super::error::{ConfigError, ConfigFault};
use super::policy::PolicyKey;
use super::read::{Field, Reader};
use super::rule::RuleKey;
use crate::document::NodeId;
use crate::key::{self, RecipientError, RecipientKind};
use crate::wrapped::{KeyKind, WrappedKey};

const KNOWN: [&str; 8] = [
    "age",
    "azure_keyvault",
    "gcp_kms",
    "hc_vault",
    "hckms",
    "kms",
    "merge",
    "pgp",
];

const LIST: &str = "a list of texts";
const TEXT_OR_LIST: &str = "text, or a list of texts";

/// How deep groups merge groups.
const MAX_LEVELS: usize = 64;

/// The keys of the map form of a kind, and the fields of a sealed file that they become.
type MapForm = &'static [(&'static str, &'static str)];

const AWS: MapForm = &[
    ("arn", "arn"),
    ("aws_profile", "aws_profile"),
    ("context", "context"),
    ("role", "role"),
];
const AZURE: MapForm = &[
    ("key", "name"),
    ("vaultUrl", "vault_url"),
    ("version", "version"),
];
const GCP: MapForm = &[("resource_id", "resource_id")];
const HUAWEI: MapForm = &[("key_id", "key_id")];

/// Reads `key_groups`.
pub(super) fn read_groups(
    reader: &Reader<'_>,
    id: NodeId,
) -> Result<Vec<Vec<RuleKey>>, ConfigError> {
    let elements = reader.items("key_groups", id)?.unwrap_or_default();
    elements
        .into_iter()
        .map(|element| {
            let mut group = Vec::new();
            add_group(reader, element, MAX_LEVELS, &mut group)?;
            Ok(without_duplicates(group))
        })
        .collect()
}

fn add_group(
    reader: &Reader<'_>,
    id: NodeId,
    levels: usize,
    group: &mut Vec<RuleKey>,
) -> Result<(), ConfigError> {
    let levels = reader.step(levels, id)?;
    let fields = reader.fields("a key group", id)?;
    reader.refuse_unknown(&fields, &KNOWN, "a key group")?;
    let field = |name| fields.iter().find(|field: &&Field<'_>| field.name == name);
    if let Some(merge) = field("merge") {
        for element in reader.items("merge", merge.value)?.unwrap_or_default() {
            add_group(reader, element, levels, group)?;
        }
    }
    // In the order in which sops adds them.
    for (name, kind, form) in [
        ("age", KeyKind::Age, None),
        ("pgp", KeyKind::Pgp, None),
        ("kms", KeyKind::AwsKms, Some(AWS)),
        ("gcp_kms", KeyKind::GcpKms, Some(GCP)),
        ("hckms", KeyKind::HuaweiKms, Some(HUAWEI)),
        ("azure_keyvault", KeyKind::AzureKeyVault, Some(AZURE)),
        ("hc_vault", KeyKind::HashicorpVault, None),
    ] {
        let Some(field) = field(name) else { continue };
        for element in reader.items(name, field.value)?.unwrap_or_default() {
            match form {
                None => add_text(reader, name, element, kind, group)?,
                Some(form) => add_map(reader, name, element, kind, form, group)?,
            }
        }
    }
    Ok(())
}

/// An element that is text. Those of age may be lists with commas.
fn add_text(
    reader: &Reader<'_>,
    name: &str,
    id: NodeId,
    kind: KeyKind,
    group: &mut Vec<RuleKey>,
) -> Result<(), ConfigError> {
    let text = reader.text(name, id)?.unwrap_or_default();
    if kind == KeyKind::Age {
        return add_list(reader, &text, id, kind, group);
    }
    add_key(reader, &text, id, kind, group)
}

/// An element that is a map.
fn add_map(
    reader: &Reader<'_>,
    name: &str,
    id: NodeId,
    kind: KeyKind,
    form: MapForm,
    group: &mut Vec<RuleKey>,
) -> Result<(), ConfigError> {
    let fields = reader.fields(name, id)?;
    let known: Vec<&'static str> = form.iter().map(|(known, _)| *known).collect();
    reader.refuse_unknown(&fields, &known, "a key")?;
    let mut wrapped = WrappedKey::new(kind, Vec::new());
    for field in &fields {
        if field.name == "context" {
            for entry in reader.fields("context", field.value)? {
                reader.text(entry.name, entry.value)?;
            }
        } else if let Some((_, stored)) = form.iter().find(|(known, _)| *known == field.name) {
            let text = reader.text(field.name, field.value)?.unwrap_or_default();
            wrapped.fields.push(((*stored).to_owned(), text));
        }
    }
    add_key(reader, &wrapped.label(), id, kind, group)
}

/// A flat field: text, or a list of texts, each of which may be a list with commas.
pub(super) fn read_flat(
    reader: &Reader<'_>,
    field: &Field<'_>,
    kind: KeyKind,
    group: &mut Vec<RuleKey>,
) -> Result<(), ConfigError> {
    // sops takes this one as a list only.
    if reader.is_list(field.value) || kind == KeyKind::HuaweiKms {
        let elements = reader.elements(field.name, field.value)?;
        for element in elements.unwrap_or_default() {
            let text = reader
                .string(field.name, LIST, element)?
                .ok_or_else(|| reader.wrong_type(field.name, LIST, element))?;
            add_list(reader, &text, element, kind, group)?;
        }
        return Ok(());
    }
    let text = reader.string(field.name, TEXT_OR_LIST, field.value)?;
    add_list(reader, &text.unwrap_or_default(), field.value, kind, group)
}

/// Adds what stands between commas; nothing between two commas is nothing.
fn add_list(
    reader: &Reader<'_>,
    list: &str,
    id: NodeId,
    kind: KeyKind,
    group: &mut Vec<RuleKey>,
) -> Result<(), ConfigError> {
    for text in PolicyKey::split(list) {
        add_key(reader, text, id, kind, group)?;
    }
    Ok(())
}

fn add_key(
    reader: &Reader<'_>,
    text: &str,
    id: NodeId,
    kind: KeyKind,
    group: &mut Vec<RuleKey>,
) -> Result<(), ConfigError> {
    let line = reader.line(id);
    if kind == KeyKind::Age && is_private_key(text) {
        return Err(reader.fault(line, ConfigFault::PrivateKey));
    }
    group.push(RuleKey {
        key: PolicyKey {
            kind,
            text: text.to_owned(),
        },
        place: reader.place(line),
    });
    Ok(())
}

fn is_private_key(text: &str) -> bool {
    RecipientKind::of(text).is_none()
        && matches!(key::parse_recipient(text), Err(RecipientError::PrivateKey))
}

/// The first of equal keys stays.
fn without_duplicates(group: Vec<RuleKey>) -> Vec<RuleKey> {
    let mut seen = std::collections::HashSet::new();
    group
        .into_iter()
        .filter(|key| seen.insert((key.key.kind, key.key.text.clone())))
        .collect()
}
