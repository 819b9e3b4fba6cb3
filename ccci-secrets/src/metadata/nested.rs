//! The nested wire form of the metadata: a map under `sops`, in YAML and JSON.

use super::{LAYOUT_FIELD, Metadata, MetadataError, required_fields, selection_field};
use crate::document::{Collection, Document, Item, NewNode, Node, NodeId, Resolved};
use crate::mac::Coverage;
use crate::selection::{Selection, SelectionSettings};
use crate::value::Value;
use crate::wrapped::{KeyKind, WrappedGroup, WrappedKey};

/// Metadata is a few levels deep; what is deeper is not ours.
pub(super) const MAX_LEVELS: usize = 32;

/// A file for a thousand recipients has some thousands of fields.
const MAX_NODES: usize = 100_000;

/// The block of the first part of a document.
///
/// # Errors
/// [`MetadataError`]; [`MetadataError::Missing`] for plaintext.
pub(super) fn fields(document: &Document) -> Result<Vec<(String, NewNode)>, MetadataError> {
    let part = document.parts().first().ok_or(MetadataError::Missing)?;
    refuse_second_blocks(document)?;
    let (_, entry) = document
        .metadata_entry(part)
        .ok_or(MetadataError::Missing)?;
    let NewNode::Map(fields) = plain_tree(document, entry.value)? else {
        return Err(MetadataError::NotAMap);
    };
    Ok(fields)
}

/// Only one block of a part can be the one that was meant.
fn refuse_second_blocks(document: &Document) -> Result<(), MetadataError> {
    for part in document.parts() {
        let Node::Map(root) = document.node(part.root) else {
            continue;
        };
        let blocks = root
            .items
            .iter()
            .filter(|item| matches!(item, Item::Entry(entry) if document.is_metadata(entry)));
        if blocks.count() > 1 {
            return Err(MetadataError::Duplicate);
        }
    }
    Ok(())
}

/// The numbers of those parts with which documents begin that were sealed together: copies of one block have the same MAC
/// and time. A part without a block belongs to the one before.
pub(crate) fn first_parts(document: &Document) -> Vec<usize> {
    let mut starts = vec![0];
    let mut current = None;
    for (nth, part) in document.parts().iter().enumerate() {
        let Some((_, entry)) = document.metadata_entry(part) else {
            continue;
        };
        let found = Some(seal(document, entry.value));
        if nth > 0 && found != current {
            starts.push(nth);
        }
        current = found;
    }
    starts
}

/// The MAC and the time of a block.
fn seal(document: &Document, block: NodeId) -> [Option<String>; 2] {
    let Node::Map(map) = document.target(block).1 else {
        return [None, None];
    };
    let field = |wanted: &str| {
        let (_, value) =
            entries(document, map).find(|(key, _)| key.eq_ignore_ascii_case(wanted))?;
        let node = plain_tree(document, value).ok()?;
        text(wanted, &node).ok()?
    };
    [field("mac"), field("lastmodified")]
}

/// A subtree as owned content, comments left out.
///
/// # Errors
/// [`MetadataError::BadField`] when it is larger than metadata is, or holds a scalar that has no value.
pub(crate) fn plain_tree(document: &Document, id: NodeId) -> Result<NewNode, MetadataError> {
    let mut budget = MAX_NODES;
    subtree(document, id, MAX_LEVELS, &mut budget)
}

fn subtree(
    document: &Document,
    id: NodeId,
    levels: usize,
    budget: &mut usize,
) -> Result<NewNode, MetadataError> {
    let bad = |expected| MetadataError::BadField {
        field: "sops".into(),
        expected,
    };
    let levels = levels
        .checked_sub(1)
        .ok_or_else(|| bad("nested less deeply"))?;
    // Aliases repeat what they stand for, each time they are met.
    *budget = budget.checked_sub(1).ok_or_else(|| bad("shorter"))?;
    match document.target(id).1 {
        Node::Map(map) => {
            let mut fields = Vec::new();
            for (key, value) in entries(document, map) {
                fields.push((key.to_owned(), subtree(document, value, levels, budget)?));
            }
            Ok(NewNode::Map(fields))
        }
        Node::List(list) => {
            let mut items = Vec::new();
            for item in &list.items {
                if let Item::Element(value) = item {
                    items.push(subtree(document, *value, levels, budget)?);
                }
            }
            Ok(NewNode::List(items))
        }
        Node::Scalar(scalar) => match document.resolve(scalar) {
            Ok(Resolved::Null) => Ok(NewNode::Null),
            Ok(Resolved::Value(value)) => Ok(NewNode::Value(value.into_owned())),
            Err(_) => Err(bad("a value that sops can carry")),
        },
        Node::Alias(_) => Err(bad("free of aliases to aliases")),
    }
}

fn entries<'d>(
    document: &'d Document,
    map: &'d Collection,
) -> impl Iterator<Item = (&'d str, NodeId)> {
    map.items.iter().filter_map(|item| match item {
        Item::Entry(entry) => Some((document.key(entry), entry.value)),
        Item::Comment(_) | Item::Element(_) => None,
    })
}

/// Decodes as weakly as sops does: names in any case, null for absent, numbers and bools given as strings.
pub(super) fn typed(fields: Vec<(String, NewNode)>) -> Result<Metadata, MetadataError> {
    let mut settings = SelectionSettings::default();
    let mut flat: Vec<(KeyKind, NewNode)> = Vec::new();
    let mut key_groups = None;
    let mut metadata = Metadata {
        groups: Vec::new(),
        threshold: None,
        selection: Selection::compile(SelectionSettings::default())?,
        coverage: Coverage::All,
        lastmodified: String::new(),
        mac: None,
        layout: None,
        version: None,
        extra: Vec::new(),
    };
    for (name, node) in fields {
        let key = name.to_ascii_lowercase();
        if let Some(kind) = KeyKind::from_metadata_key(&key) {
            flat.push((kind, node));
        } else if let Some(setting) = selection_field(&mut settings, &key) {
            *setting = text(&key, &node)?;
        } else {
            match key.as_str() {
                "key_groups" => key_groups = Some(node),
                "shamir_threshold" => metadata.threshold = number(&key, &node)?,
                "mac_only_encrypted" if truth(&key, &node)? => {
                    metadata.coverage = Coverage::OnlySealed
                }
                "mac_only_encrypted" => {}
                "lastmodified" => metadata.lastmodified = string(&key, &node)?,
                "mac" => metadata.mac = text(&key, &node)?,
                "version" => metadata.version = version(&node)?,
                // What it holds is never a reason to refuse the file.
                LAYOUT_FIELD if matches!(node, NewNode::Value(Value::Str(_))) => {
                    metadata.layout = text(&key, &node).unwrap_or_default();
                }
                _ => metadata.extra.push((name, node)),
            }
        }
    }
    if metadata.version.is_none() {
        return Err(bad("version", "there"));
    }
    if metadata.mac_aad().is_none() {
        return Err(bad("lastmodified", "an RFC 3339 time in quotes"));
    }
    metadata.selection = Selection::compile(settings)?;
    let group = flat_group(flat)?;
    if group.keys.is_empty() {
        metadata.groups = groups(key_groups)?;
    } else {
        metadata.groups = vec![group];
    }
    if metadata.groups.iter().all(|group| group.keys.is_empty()) {
        return Err(MetadataError::NoKeys);
    }
    Ok(metadata)
}

/// One group out of the flat lists, in the order in which sops loads them.
fn flat_group(lists: Vec<(KeyKind, NewNode)>) -> Result<WrappedGroup, MetadataError> {
    let mut lists = lists;
    let order = |kind: KeyKind| KeyKind::LOAD_ORDER.iter().position(|of| *of == kind);
    lists.sort_by_key(|(kind, _)| order(*kind));
    let mut keys = Vec::new();
    for (kind, list) in lists {
        for entry in as_list(list) {
            keys.push(wrapped_key(kind, entry)?);
        }
    }
    Ok(WrappedGroup::new(keys))
}

fn groups(node: Option<NewNode>) -> Result<Vec<WrappedGroup>, MetadataError> {
    let Some(node) = node else {
        return Ok(Vec::new());
    };
    as_list(node)
        .into_iter()
        .map(|group| {
            let fields = match group {
                NewNode::Map(fields) => fields,
                NewNode::Null => Vec::new(),
                NewNode::List(_) | NewNode::Value(_) => {
                    return Err(bad("key_groups", "a list of maps"));
                }
            };
            let (mut lists, mut carried) = (Vec::new(), Vec::new());
            for (name, node) in fields {
                match KeyKind::from_metadata_key(&name) {
                    Some(kind) => lists.push((kind, node)),
                    None => carried.push((name, to_json(node))),
                }
            }
            let group = flat_group(lists)?;
            Ok(WrappedGroup { carried, ..group })
        })
        .collect()
}

/// A list; null is an empty one, and a lone map is a list of one.
fn as_list(node: NewNode) -> Vec<NewNode> {
    match node {
        NewNode::List(items) => items,
        NewNode::Null => Vec::new(),
        lone => vec![lone],
    }
}

fn wrapped_key(kind: KeyKind, node: NewNode) -> Result<WrappedKey, MetadataError> {
    let NewNode::Map(fields) = node else {
        return Err(bad(kind.metadata_key(), "a list of maps"));
    };
    let mut key = WrappedKey::new(kind, Vec::new());
    for (name, node) in fields {
        let name = name.to_ascii_lowercase();
        if matches!(node, NewNode::Map(_) | NewNode::List(_)) {
            key.carried.push((name, to_json(node)));
            continue;
        }
        let is_time = name == "created_at" && kind != KeyKind::Age;
        let value = if is_time {
            string(&name, &node)?
        } else {
            text(&name, &node)?.unwrap_or_default()
        };
        key.fields.push((name, value));
    }
    Ok(key)
}

/// What is carried and not read.
fn to_json(node: NewNode) -> serde_json::Value {
    match node {
        NewNode::List(items) => items.into_iter().map(to_json).collect(),
        NewNode::Map(fields) => {
            let fields = fields.into_iter().map(|(key, node)| (key, to_json(node)));
            serde_json::Value::Object(fields.collect())
        }
        NewNode::Null => serde_json::Value::Null,
        NewNode::Value(Value::Bool(truth)) => truth.into(),
        NewNode::Value(Value::Float(number)) => number.into(),
        NewNode::Value(Value::Int(number)) => number.into(),
        // EXPOSE: metadata is not secret.
        NewNode::Value(other) => String::from_utf8_lossy(other.canonical().expose()).into(),
    }
}

/// What was carried, its keys sorted.
fn of_json(value: &serde_json::Value) -> NewNode {
    match value {
        serde_json::Value::Array(items) => NewNode::List(items.iter().map(of_json).collect()),
        serde_json::Value::Bool(truth) => NewNode::Value(Value::Bool(*truth)),
        serde_json::Value::Null => NewNode::Null,
        serde_json::Value::Number(number) => NewNode::Value(match number.as_i64() {
            Some(number) => Value::Int(number),
            None => Value::Float(number.as_f64().unwrap_or_default()),
        }),
        serde_json::Value::Object(fields) => {
            let fields = fields.iter();
            let mut fields: Vec<_> = fields
                .map(|(key, value)| (key.clone(), of_json(value)))
                .collect();
            fields.sort_by(|(left, _), (right, _)| left.cmp(right));
            NewNode::Map(fields)
        }
        serde_json::Value::String(text) => NewNode::text(text),
    }
}

fn bad(field: &str, expected: &'static str) -> MetadataError {
    MetadataError::BadField {
        field: field.into(),
        expected,
    }
}

/// A scalar as text; null and empty mean absent. A time is refused: sops cannot read it back as a string.
fn text(field: &str, node: &NewNode) -> Result<Option<String>, MetadataError> {
    match node {
        NewNode::Null => Ok(None),
        NewNode::Value(Value::Time(_)) | NewNode::List(_) | NewNode::Map(_) => {
            Err(bad(field, "a string"))
        }
        NewNode::Value(value) => {
            // EXPOSE: metadata is not secret.
            let bytes = value.canonical().expose().to_vec();
            let text = String::from_utf8(bytes).map_err(|_| bad(field, "UTF-8 text"))?;
            Ok(Some(text).filter(|text| !text.is_empty()))
        }
    }
}

/// A version as sops parses it before it opens a file. It stands last in the block, so this also tells a file that was
/// cut off.
fn version(node: &NewNode) -> Result<Option<String>, MetadataError> {
    let Some(version) = text("version", node)? else {
        return Ok(None);
    };
    let number = |part: &str| {
        let has_zero = part.len() > 1 && part.starts_with('0');
        !has_zero && part.parse::<u64>().is_ok() && part.bytes().all(|byte| byte.is_ascii_digit())
    };
    let plain = version.strip_prefix('v').unwrap_or(&version);
    let release = plain.split(['-', '+']).next().unwrap_or_default();
    let is_full = release.split('.').count() == 3 && release.split('.').all(number);
    if is_full || version.starts_with("1.") {
        Ok(Some(version))
    } else {
        Err(bad("version", "of the form Major.Minor.Patch"))
    }
}

/// A scalar that must be a string, such as a quoted time.
fn string(field: &str, node: &NewNode) -> Result<String, MetadataError> {
    match node {
        NewNode::Value(Value::Str(_)) => Ok(text(field, node)?.unwrap_or_default()),
        _ => Err(bad(field, "a string; a time must be quoted")),
    }
}

/// A number of groups as Go decodes it weakly; none at all unless it is above 0.
fn number(field: &str, node: &NewNode) -> Result<Option<u32>, MetadataError> {
    let number = match node {
        NewNode::Null => Some(0),
        NewNode::Value(Value::Bool(truth)) => Some(i64::from(*truth)),
        NewNode::Value(Value::Int(number)) => Some(*number),
        NewNode::Value(Value::Float(number)) => Some(*number as i64),
        // sops 3.9.0 writes a threshold of 2 into INI as `2.000000`, which no version of it reads.
        other => text(field, other)?.map_or(Some(0), |text| {
            go_integer(text.strip_suffix(".000000").unwrap_or(&text))
        }),
    };
    let number = number.ok_or_else(|| bad(field, "a whole number"))?;
    // What is too large stays too large for any number of groups.
    let number = u32::try_from(number.max(0)).unwrap_or(u32::MAX);
    Ok(Some(number).filter(|&number| number > 0))
}

/// An integer as Go reads one whose base is in its prefix: `2`, `-2`, `0x2`, `0b10`, `0o2`, `02`, `2_0`.
fn go_integer(text: &str) -> Option<i64> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let sign = if text.starts_with('-') { "-" } else { "" };
    let lower = digits.to_ascii_lowercase();
    let with_base = [("0x", 16), ("0b", 2), ("0o", 8), ("0", 8)]
        .into_iter()
        .find_map(|(prefix, base)| Some((lower.strip_prefix(prefix)?, base)))
        .filter(|(rest, _)| !rest.is_empty());
    let is_one_underscore_each =
        !lower.starts_with('_') && !lower.ends_with('_') && !lower.contains("__");
    let (rest, base) = with_base.unwrap_or((&lower, 10));
    let digits = rest.replace('_', "");
    let is_number =
        is_one_underscore_each && digits.bytes().all(|byte| byte.is_ascii_alphanumeric());
    is_number
        .then(|| i64::from_str_radix(&format!("{sign}{digits}"), base).ok())
        .flatten()
}

fn truth(field: &str, node: &NewNode) -> Result<bool, MetadataError> {
    match node {
        NewNode::Value(Value::Int(number)) => return Ok(*number != 0),
        NewNode::Value(Value::Float(number)) => return Ok(*number != 0.0),
        _ => {}
    }
    match text(field, node)?.as_deref() {
        None | Some("0" | "f" | "F" | "false" | "False" | "FALSE") => Ok(false),
        Some("1" | "t" | "T" | "true" | "True" | "TRUE") => Ok(true),
        Some(_) => Err(bad(field, "true or false")),
    }
}

/// The block as it is written: all keys sorted at all levels.
#[must_use]
pub(super) fn print(metadata: Metadata) -> NewNode {
    let mut fields: Vec<(String, NewNode)> = Vec::new();
    let mut put = |name: &str, node: NewNode| fields.push((name.to_owned(), node));
    let settings = metadata.selection.settings();
    for (name, value) in settings.named() {
        put(name, NewNode::text(value));
    }
    put("lastmodified", NewNode::text(&metadata.lastmodified));
    if let Some(mac) = &metadata.mac {
        put("mac", NewNode::text(mac));
    }
    if let Some(version) = &metadata.version {
        put("version", NewNode::text(version));
    }
    if metadata.coverage == Coverage::OnlySealed {
        put("mac_only_encrypted", NewNode::Value(Value::Bool(true)));
    }
    if let Some(threshold) = metadata.threshold {
        put(
            "shamir_threshold",
            NewNode::Value(Value::Int(i64::from(threshold))),
        );
    }
    if let [group] = metadata.groups.as_slice() {
        for (name, list) in print_group(group) {
            put(&name, list);
        }
    } else {
        let groups = metadata.groups.iter().map(grouped).collect();
        put("key_groups", NewNode::List(groups));
    }
    fields.extend(metadata.extra);
    fields.sort_by(|(left, _), (right, _)| left.cmp(right));
    NewNode::Map(fields)
}

/// Inside `key_groups` sops always writes `age` and `hc_vault`, empty or not.
fn grouped(group: &WrappedGroup) -> NewNode {
    let mut lists = print_group(group);
    for name in [
        KeyKind::Age.metadata_key(),
        KeyKind::HashicorpVault.metadata_key(),
    ] {
        if !lists.iter().any(|(of, _)| *of == name) {
            lists.push((name.to_owned(), NewNode::List(Vec::new())));
        }
    }
    lists.sort_by(|(left, _), (right, _)| left.cmp(right));
    NewNode::Map(lists)
}

fn print_group(group: &WrappedGroup) -> Vec<(String, NewNode)> {
    let of_kind = |kind: KeyKind| -> Vec<NewNode> {
        group
            .keys
            .iter()
            .filter(|key| key.kind == kind)
            .map(print_key)
            .collect()
    };
    let known = KeyKind::LOAD_ORDER
        .into_iter()
        .map(|kind| (kind.metadata_key().to_owned(), of_kind(kind)))
        .filter(|(_, keys)| !keys.is_empty())
        .map(|(name, keys)| (name, NewNode::List(keys)));
    known.chain(carried(&group.carried)).collect()
}

fn carried(fields: &[(String, serde_json::Value)]) -> impl Iterator<Item = (String, NewNode)> {
    fields
        .iter()
        .map(|(name, value)| (name.clone(), of_json(value)))
}

fn print_key(key: &WrappedKey) -> NewNode {
    let texts = key.fields.iter();
    let texts = texts.map(|(name, value)| (name.clone(), NewNode::text(value)));
    let mut fields: Vec<(String, NewNode)> = texts.chain(carried(&key.carried)).collect();
    for name in required_fields(key.kind) {
        if key.field(name).is_none() {
            fields.push(((*name).to_owned(), NewNode::text("")));
        }
    }
    fields.sort_by(|(left, _), (right, _)| left.cmp(right));
    NewNode::Map(fields)
}

#[cfg(test)]
#[allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "tests"
)]
mod tests {
    use super::*;
    use crate::document::Format;
    use crate::secret::Secret;

    /// A file with three key groups of one age key each, made by sops.
    fn golden() -> String {
        let path = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../testdata/sops/3.13.3/yaml-shamir-2of3.yaml"
        );
        std::fs::read_to_string(path).unwrap()
    }

    fn metadata(text: &str) -> Result<Metadata, MetadataError> {
        let text = Secret::from_slice(text.as_bytes());
        crate::metadata::read(&Document::parse(Format::Yaml, text).unwrap())
    }

    fn threshold(value: &str) -> Result<Option<u32>, MetadataError> {
        let field = format!("shamir_threshold: {value}");
        metadata(&golden().replace("shamir_threshold: 2", &field)).map(|read| read.threshold)
    }

    // What sops 3.13.3 takes for a threshold, seen in the number that its key failure report names.
    #[test]
    fn a_threshold_is_read_as_weakly_as_sops_reads_it() {
        for two in [
            "2", "\"2\"", "2.7", "\"0x2\"", "\"02\"", "\"0b10\"", "\"+2\"",
        ] {
            assert_eq!(threshold(two).unwrap(), Some(2), "{two}");
        }
        assert_eq!(threshold("\"2_0\"").unwrap(), Some(20));
        assert_eq!(threshold("true").unwrap(), Some(1));
        for none in ["~", "\"\"", "-1", "0", "\"-0x1\"", "false"] {
            assert_eq!(threshold(none).unwrap(), None, "{none}");
        }
        assert_eq!(threshold("99999999999").unwrap(), Some(u32::MAX));
        for bad in [
            "\"2.0\"", "\" 2\"", "[2]", "{a: 1}", "two", "\"0x\"", "\"2__0\"", "\"_2\"",
        ] {
            let error = threshold(bad).unwrap_err().to_string();
            assert!(error.contains("`shamir_threshold`"), "{bad}: {error}");
        }
    }

    // Every shape here opens with sops 3.13.3.
    #[test]
    fn groups_are_read_as_weakly_as_sops_reads_them() {
        let text = golden();
        let end = "          hc_vault: []\n    lastmodified";
        let labels = metadata(&text).unwrap().recipients();
        for (name, text) in [
            (
                "null group",
                text.replace(end, "          hc_vault: []\n        - ~\n    lastmodified"),
            ),
            (
                "empty group",
                text.replace(
                    end,
                    "          hc_vault: []\n        - {}\n    lastmodified",
                ),
            ),
            (
                "case",
                text.replace("key_groups", "Key_Groups")
                    .replace("- age:", "- AGE:")
                    .replace("recipient:", "Recipient:"),
            ),
            ("null list", text.replace("hc_vault: []", "hc_vault: ~")),
            (
                "unknown kind",
                text.replace("hc_vault: []", "new_kind: [{a: 1}]"),
            ),
            (
                "empty flat lists",
                text.replace(
                    "    key_groups:",
                    "    age: []\n    pgp: ~\n    key_groups:",
                ),
            ),
            (
                "lone map",
                text.replace("- age:\n            - enc", "- age:\n              enc"),
            ),
        ] {
            let read = metadata(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
            assert_eq!(read.recipients(), labels, "{name}");
            assert_eq!(read.threshold, Some(2), "{name}");
            assert!(read.groups.len() >= 3, "{name}");
        }
    }

    #[test]
    fn what_sops_does_not_take_for_groups_is_refused() {
        let text = golden();
        let end = "          hc_vault: []\n    lastmodified";
        let number = text.replace(end, "          hc_vault: []\n        - 5\n    lastmodified");
        let error = metadata(&number).unwrap_err();
        assert!(error.to_string().contains("`key_groups`"), "{error}");
        let none = text.replace("key_groups:", "key_groups: ~\n    old_groups:");
        assert_eq!(metadata(&none).unwrap_err(), MetadataError::NoKeys);
    }

    // sops writes the groups before the time, and `age` and `hc_vault` even where they are empty.
    #[test]
    fn groups_are_printed_as_sops_prints_them() {
        let text = golden();
        let printed = print(metadata(&text).unwrap());
        let document = Document::parse(Format::Yaml, Secret::from_slice(text.as_bytes())).unwrap();
        let part = document.parts().first().unwrap();
        let (_, entry) = document.metadata_entry(part).unwrap();
        let theirs = plain_tree(&document, entry.value).unwrap();
        assert_eq!(
            format!("{:?}", shape(&printed)),
            format!("{:?}", shape(&theirs))
        );
    }

    // `context` and `quorum` are fields of KMS entries, `new_kind` is a kind of key that no version of sops has.
    #[test]
    fn what_is_not_read_is_printed_again() {
        let golden = golden();
        let kms = "          hc_vault: []\n          kms:\n            - arn: arn:aws:kms:eu-west-1:1:key/2\n              \
                   aws_profile: \"\"\n              context:\n                app: db\n                none: null\n              \
                   created_at: \"2020-01-01T00:00:00Z\"\n              enc: AQ==\n              quorum: [1, 1.5, true]\n          \
                   new_kind:\n            - a: x\n              b: [y, z]\n";
        let text = golden.replace("          hc_vault: []\n", kms);
        assert_ne!(text, golden);
        let printed = print(metadata(&text).unwrap());
        let document = Document::parse(Format::Yaml, Secret::from_slice(text.as_bytes())).unwrap();
        let (_, entry) = document
            .metadata_entry(document.parts().first().unwrap())
            .unwrap();
        let theirs = plain_tree(&document, entry.value).unwrap();
        assert_eq!(shape(&printed), shape(&theirs));
    }

    /// Keys, in order, with the texts below them.
    fn shape(node: &NewNode) -> Vec<String> {
        match node {
            NewNode::Map(fields) => fields
                .iter()
                .flat_map(|(key, value)| {
                    let below = shape(value);
                    std::iter::once(key.clone())
                        .chain(below)
                        .collect::<Vec<_>>()
                })
                .collect(),
            NewNode::List(items) => std::iter::once(format!("list of {}", items.len()))
                .chain(items.iter().flat_map(shape))
                .collect(),
            NewNode::Null => vec!["null".into()],
            NewNode::Value(value) => {
                vec![String::from_utf8_lossy(value.canonical().expose()).into_owned()]
            }
        }
    }
}
