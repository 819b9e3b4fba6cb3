//! The field `credentials`: which unit may ask for which file of the generation, and under which name.

use std::collections::BTreeMap;
use std::fmt;

use super::fields::{Faults, Fields};
use super::{Manifest, ManifestProblem};
use crate::activation::json::Json;
use crate::nearest::nearest;

/// A file of the generation that a unit may ask for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CredentialEntry {
    /// JSON pointer of the entry.
    pub(crate) pointer: String,
    pub(crate) unit: UnitPattern,
    /// What the unit calls it.
    pub(crate) name: String,
    /// Below the generation: a secret, or a template.
    pub(crate) file: String,
}

/// One unit, or every instance of a template unit.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum UnitPattern {
    Instances {
        /// With the `@`.
        prefix: String,
        /// With the dot.
        suffix: String,
    },
    Unit(String),
}

impl UnitPattern {
    pub(crate) fn matches(&self, unit: &str) -> bool {
        match self {
            Self::Unit(name) => name == unit,
            Self::Instances { prefix, suffix } => {
                let rest = unit.strip_prefix(prefix.as_str());
                let instance = rest.and_then(|rest| rest.strip_suffix(suffix.as_str()));
                instance.is_some_and(|instance| !instance.is_empty())
            }
        }
    }

    /// The shortest name of a unit that it stands for, in bytes.
    fn shortest(&self) -> usize {
        match self {
            Self::Unit(name) => name.len(),
            Self::Instances { prefix, suffix } => prefix.len() + 1 + suffix.len(),
        }
    }
}

impl fmt::Display for UnitPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unit(name) => f.write_str(name),
            Self::Instances { prefix, suffix } => write!(f, "{prefix}*{suffix}"),
        }
    }
}

/// The longest name of a unit that systemd takes.
const LONGEST_UNIT: usize = 255;
/// The longest name of a credential: it becomes that of a file.
const LONGEST_NAME: usize = 255;
/// Kinds of units that start processes and so have credentials.
const SUFFIXES: [&str; 4] = [".mount", ".service", ".socket", ".swap"];

/// How many bytes the names of a unit and a credential may have together. systemd binds the socket that it asks with to an
/// address which holds both: of its 108 bytes, a NUL, 16 digits, `/unit/` and a slash are spoken for.
pub(crate) const MOST_NAME_BYTES: usize = 108 - 1 - 16 - "/unit/".len() - "/".len();

/// Whether systemd would take this as the name of a unit that has credentials.
pub(crate) fn is_unit(name: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b":-_.\\@".contains(&byte);
    let Some(stem) = SUFFIXES.iter().find_map(|suffix| name.strip_suffix(suffix)) else {
        return false;
    };
    // What ends with the `@` is a template, which never runs by itself.
    let is_runnable = !stem.is_empty() && !stem.starts_with('@') && !stem.ends_with('@');
    is_runnable && name.len() <= LONGEST_UNIT && name.bytes().all(is_allowed)
}

/// Whether systemd would take this as the name of a credential.
pub(crate) fn is_credential_name(name: &str) -> bool {
    let is_allowed = |byte: u8| (b' '..=b'~').contains(&byte) && byte != b'/' && byte != b':';
    !matches!(name, "" | "." | "..") && name.len() <= LONGEST_NAME && name.bytes().all(is_allowed)
}

fn parse_pattern(text: &str) -> Option<UnitPattern> {
    let Some((prefix, suffix)) = text.split_once('*') else {
        return is_unit(text).then(|| UnitPattern::Unit(text.into()));
    };
    let is_whole_instance = prefix.ends_with('@')
        && prefix.matches('@').count() == 1
        && SUFFIXES.contains(&suffix)
        && is_unit(&format!("{prefix}x{suffix}"));
    is_whole_instance.then(|| UnitPattern::Instances {
        prefix: prefix.into(),
        suffix: suffix.into(),
    })
}

pub(super) fn read(fields: &mut Fields<'_>, faults: &Faults) -> Vec<CredentialEntry> {
    let items = fields.items("credentials");
    items
        .into_iter()
        .filter_map(|(pointer, item)| entry(item, pointer, faults))
        .collect()
}

/// One entry; none if a part of it cannot be used.
fn entry(json: &Json, pointer: String, faults: &Faults) -> Option<CredentialEntry> {
    let mut fields = Fields::of(json, pointer.clone(), faults)?;
    let unit = fields.required_text("unit").and_then(|text| {
        let unit = parse_pattern(text);
        if unit.is_none() {
            fields.fault("unit", ManifestProblem::BadCredentialUnit(text.into()));
        }
        unit
    });
    let name = fields.required_text("name").filter(|text| {
        let is_valid = is_credential_name(text);
        if !is_valid {
            let problem = ManifestProblem::BadCredentialName((*text).into());
            fields.fault("name", problem);
        }
        is_valid
    });
    let file = fields.required_text("secret");
    fields.finish();
    Some(CredentialEntry {
        pointer,
        unit: unit?,
        name: name?.into(),
        file: file?.into(),
    })
}

/// What entries are to the rest of the manifest and to each other.
pub(super) fn check(manifest: &Manifest, faults: &Faults) {
    let files: Vec<&str> = manifest.files().map(|file| file.name.as_str()).collect();
    let mut taken: BTreeMap<(&UnitPattern, &str), &str> = BTreeMap::new();
    for entry in &manifest.credentials {
        if !files.contains(&entry.file.as_str()) {
            faults.add(
                format!("{}/secret", entry.pointer),
                ManifestProblem::UnknownFile {
                    name: entry.file.clone(),
                    nearest: nearest_file(&entry.file, manifest, &files),
                },
            );
        }
        let bytes = entry.unit.shortest() + entry.name.len();
        if bytes > MOST_NAME_BYTES {
            faults.add(
                format!("{}/name", entry.pointer),
                ManifestProblem::LongCredential { bytes },
            );
        }
        match taken.get(&(&entry.unit, entry.name.as_str())) {
            Some(other) => faults.add(
                format!("{}/name", entry.pointer),
                ManifestProblem::Duplicate {
                    value: entry.name.clone(),
                    other: format!("{other}/name"),
                },
            ),
            None => drop(taken.insert((&entry.unit, &entry.name), &entry.pointer)),
        }
    }
}

/// A template of this name, or a file with a name like it.
fn nearest_file(name: &str, manifest: &Manifest, files: &[&str]) -> Option<String> {
    let mut templates = manifest.templates.iter();
    let template = templates.find(|template| template.name() == name);
    match template {
        Some(template) => Some(template.file.name.clone()),
        None => nearest(name, files).map(str::to_owned),
    }
}

impl Manifest {
    /// What a unit gets under a name. An entry for the unit itself comes before one for all instances.
    pub(crate) fn credential(&self, unit: &str, name: &str) -> Option<&CredentialEntry> {
        let is_meant = |entry: &&CredentialEntry| entry.name == name && entry.unit.matches(unit);
        let is_exact = |entry: &&CredentialEntry| matches!(entry.unit, UnitPattern::Unit(_));
        let mut meant = self.credentials.iter().filter(is_meant);
        let exact = meant.clone().find(is_exact);
        exact.or_else(|| meant.next())
    }

    /// Whether a unit may ask for anything at all.
    pub(crate) fn has_credentials_of(&self, unit: &str) -> bool {
        let mut entries = self.credentials.iter();
        entries.any(|entry| entry.unit.matches(unit))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
mod tests {
    use super::*;

    // As `unit_name_is_valid` of systemd has it.
    #[test]
    fn names_of_units_are_those_that_systemd_takes() {
        for good in [
            "a.service",
            "a-b_c:d.e.service",
            "a@b.service",
            "a@b@c.service",
            r"a\x2db.mount",
            "a.socket",
            "dev-sda.swap",
        ] {
            assert!(is_unit(good), "{good}");
        }
        let long = format!("{}.service", "a".repeat(248));
        for bad in [
            "",
            "a",
            ".service",
            "@.service",
            "@a.service",
            "a@.service",
            "a.target",
            "a.timer",
            "a b.service",
            "a/b.service",
            "ä.service",
            "a\n.service",
            "a*.service",
            long.as_str(),
        ] {
            assert!(!is_unit(bad), "{bad:?}");
        }
    }

    // As `credential_name_valid` of systemd has it: a file name, and a name of a descriptor.
    #[test]
    fn names_of_credentials_are_those_that_systemd_takes() {
        for good in ["a", "a.b", "...", "a b", "~", "A-Z_9", &"a".repeat(255)] {
            assert!(is_credential_name(good), "{good:?}");
        }
        for bad in [
            "",
            ".",
            "..",
            "a/b",
            "a:b",
            "ä",
            "a\n",
            "a\0",
            "\x7f",
            &"a".repeat(256),
        ] {
            assert!(!is_credential_name(bad), "{bad:?}");
        }
    }

    #[test]
    fn a_star_stands_for_a_whole_instance_only() {
        let pattern = parse_pattern("foo@*.service").unwrap();
        assert_eq!(pattern.to_string(), "foo@*.service");
        for unit in ["foo@a.service", "foo@a@b.service", "foo@a.b.service"] {
            assert!(pattern.matches(unit), "{unit}");
        }
        for unit in [
            "foo@.service",
            "foo@a.socket",
            "foo.service",
            "xfoo@a.service",
            "foo@service",
        ] {
            assert!(!pattern.matches(unit), "{unit}");
        }
        for bad in [
            "*",
            "*.service",
            "foo*.service",
            "foo@a*.service",
            "foo@*",
            "foo@*a.service",
            "foo@*.target",
            "foo@**.service",
            "foo@b@*.service",
            "@*.service",
        ] {
            assert_eq!(parse_pattern(bad), None, "{bad}");
        }
    }
}
