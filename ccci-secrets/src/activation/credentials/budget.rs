//! How much a unit may be given: systemd takes so many bytes as credentials of one unit and no more, their names included.

use crate::activation::fault::Fault;
use crate::activation::manifest::Manifest;
use crate::activation::manifest::credentials::{CredentialEntry, UnitPattern};

/// How many bytes systemd takes as credentials of one unit, lengths of names and contents together.
pub const MOST_CREDENTIAL_BYTES: usize = 1 << 20;

/// What is wrong with the credentials of a unit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CredentialProblem {
    /// A credential without content, which a unit cannot tell from one that did not come.
    #[error("`{}` would be empty, as a credential is that did not come", .0.escape_debug())]
    Empty(String),
    /// More than systemd takes.
    #[error("{}{bytes} bytes together with their names, and systemd takes {MOST_CREDENTIAL_BYTES}", if *.exact { "" } else { "at least " })]
    TooLarge {
        /// How many there are, as far as that is known.
        bytes: usize,
        /// Whether that is all.
        exact: bool,
    },
}

/// What is wrong, and the files that are part of it.
#[derive(Debug)]
pub(crate) struct Overdrawn {
    pub(crate) fault: Fault,
    /// Counted as in [`Manifest::files`].
    pub(crate) files: Vec<usize>,
}

/// Adds up what each unit would be given. The length of a file that is not known counts as nothing.
pub(crate) fn overdrawn(
    manifest: &Manifest,
    length: impl Fn(&str) -> Option<usize>,
) -> Vec<Overdrawn> {
    let positions = |entries: &[&CredentialEntry]| {
        let files = manifest.files().enumerate();
        let is_part = |name: &String| entries.iter().any(|entry| entry.file == *name);
        let parts = files.filter(|(_, file)| is_part(&file.name));
        parts.map(|(nth, _)| nth).collect()
    };
    let mut found = Vec::new();
    for unit in units(manifest) {
        let entries = entries_of(manifest, unit);
        let fault = |problem| Fault::Credentials {
            unit: unit.to_string(),
            problem,
        };
        for entry in &entries {
            if length(&entry.file) == Some(0) {
                found.push(Overdrawn {
                    fault: fault(CredentialProblem::Empty(entry.name.clone())),
                    files: positions(&[entry]),
                });
            }
        }
        let lengths: Vec<Option<usize>> = entries.iter().map(|entry| length(&entry.file)).collect();
        let names = entries.iter().map(|entry| entry.name.len());
        let known = lengths.iter().map(|length| length.unwrap_or_default());
        let bytes = names.chain(known).fold(0, usize::saturating_add);
        if bytes > MOST_CREDENTIAL_BYTES {
            found.push(Overdrawn {
                fault: fault(CredentialProblem::TooLarge {
                    bytes,
                    exact: lengths.iter().all(Option::is_some),
                }),
                files: positions(&entries),
            });
        }
    }
    found
}

/// Every unit, and every template unit, that the manifest names, each once.
fn units(manifest: &Manifest) -> Vec<&UnitPattern> {
    let mut units: Vec<&UnitPattern> = Vec::new();
    for entry in &manifest.credentials {
        if !units.contains(&&entry.unit) {
            units.push(&entry.unit);
        }
    }
    units
}

/// What a unit would be given; of a template unit, what each of its instances is given that nothing is said of.
fn entries_of<'m>(manifest: &'m Manifest, unit: &UnitPattern) -> Vec<&'m CredentialEntry> {
    let entries = manifest.credentials.iter();
    match unit {
        UnitPattern::Instances { .. } => entries.filter(|entry| entry.unit == *unit).collect(),
        UnitPattern::Unit(name) => entries
            .filter(|entry| manifest.credential(name, &entry.name) == Some(entry))
            .collect(),
    }
}
