//! Additions to the units that need the secrets.

use std::collections::{BTreeMap, BTreeSet};

use super::credentials::{self, CREDENTIALS_SOCKET};
use super::text::{full_name, is_unit_name};
use super::{Frame, UnitFile, UnitNote};

/// `Requires=` alone lets a unit start beside an activation that fails, `After=` alone lets it start behind it. Both keep it
/// from starting, and its status names the addition.
///
/// Whoever is given a credential fails by itself without it, and needs no more than somebody to ask.
pub(super) fn add(frame: &Frame<'_>, files: &mut Vec<UnitFile>, notes: &mut Vec<UnitNote>) {
    let service = &frame.service;
    let name = service.trim_end_matches(".service");
    let mut additions: BTreeMap<String, String> = BTreeMap::new();
    for unit in units(frame) {
        match directory(&unit) {
            None => notes.push(UnitNote::NotOneUnit(unit)),
            // It cannot wait for itself.
            Some(directory) if directory == format!("{service}.d") => {}
            Some(directory) => {
                let text = format!("[Unit]\nRequires={service}\nAfter={service}\n");
                additions.insert(directory, text);
            }
        }
    }
    for (unit, lines) in credentials::of_units(frame) {
        let Some(directory) = directory(&unit) else {
            continue;
        };
        let text = additions.entry(directory).or_insert("[Unit]\n".into());
        *text += &format!(
            "Wants={CREDENTIALS_SOCKET}\nAfter={CREDENTIALS_SOCKET}\n\n{}\n",
            lines.join("\n")
        );
    }
    for (directory, text) in additions {
        files.push(frame.unit(&format!("{directory}/50-{name}.conf"), &text));
    }
}

/// Every unit that the manifest names, once.
fn units(frame: &Frame<'_>) -> BTreeSet<String> {
    let files = frame.manifest.files();
    let units = files.flat_map(|file| file.restart_units.iter().chain(&file.reload_units));
    units.map(|unit| full_name(unit)).collect()
}

/// Where additions to a unit are looked for. `a@*.service` is all instances of a template, and those have a place.
fn directory(unit: &str) -> Option<String> {
    let unit = unit.replace("@*.", "@.");
    is_unit_name(&unit).then(|| format!("{unit}.d"))
}
