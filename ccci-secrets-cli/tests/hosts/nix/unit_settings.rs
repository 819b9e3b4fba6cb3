//! Units as settings: those that the program prints, and those of the module.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

/// Sections, and in each every setting with its values. Lists of names and paths are taken apart; their order says nothing.
pub(super) type Settings = BTreeMap<String, BTreeMap<String, BTreeSet<String>>>;

/// What describes the unit, and what follows from where a manifest lies, is different on purpose.
const PASSED_OVER: [&str; 1] = ["Description"];
/// Settings that may be given in several lines and several words.
const LISTS: [&str; 9] = [
    "After",
    "Before",
    "Conflicts",
    "RequiredBy",
    "RequiresMountsFor",
    "ReadWritePaths",
    "WantedBy",
    "Wants",
    "Requires",
];

pub(super) fn add(settings: &mut Settings, section: &str, name: &str, value: &str) {
    if PASSED_OVER.contains(&name) {
        return;
    }
    let value = match value {
        "yes" => "true",
        "no" => "false",
        other => other,
    };
    let values = settings.entry(section.into()).or_default();
    let values = values.entry(name.into()).or_default();
    if LISTS.contains(&name) {
        values.extend(value.split(' ').map(str::to_owned));
    } else {
        values.insert(value.into());
    }
}

/// Every file that the program prints, by its path.
pub(super) fn printed(text: &str) -> BTreeMap<String, Vec<String>> {
    let mut files: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut here = String::new();
    for line in text.lines() {
        match line.strip_prefix("# ") {
            Some(path) if path.starts_with('/') => here = path.into(),
            Some(_) => {}
            None if line.is_empty() => {}
            None => files.entry(here.clone()).or_default().push(line.into()),
        }
    }
    files
}

/// The settings of a printed unit.
pub(super) fn of_text(lines: &[String]) -> Settings {
    let mut settings = Settings::new();
    let mut section = "";
    for line in lines {
        match line.split_once('=') {
            Some((name, value)) => add(&mut settings, section, name, value),
            None => section = line.trim_matches(['[', ']']),
        }
    }
    settings
}

/// The settings that NixOS makes of a unit of the module.
pub(super) fn of_module(unit: &Value) -> Settings {
    let mut settings = Settings::new();
    for (section, field, name) in [
        ("Unit", "after", "After"),
        ("Unit", "before", "Before"),
        ("Unit", "conflicts", "Conflicts"),
        ("Unit", "onFailure", "OnFailure"),
        ("Unit", "requires", "Requires"),
        ("Unit", "wants", "Wants"),
        ("Socket", "listenStreams", "ListenStream"),
        ("Install", "requiredBy", "RequiredBy"),
        ("Install", "wantedBy", "WantedBy"),
        ("Mount", "what", "What"),
        ("Mount", "where", "Where"),
        ("Mount", "type", "Type"),
        ("Mount", "options", "Options"),
    ] {
        add_all(&mut settings, section, name, &unit[field]);
    }
    for (section, field) in [
        ("Unit", "unitConfig"),
        ("Service", "serviceConfig"),
        ("Socket", "socketConfig"),
    ] {
        for (name, value) in unit[field].as_object().into_iter().flatten() {
            add_all(&mut settings, section, name, value);
        }
    }
    if unit["reloadIfChanged"] == true {
        add(&mut settings, "Service", "X-ReloadIfChanged", "true");
    }
    settings
}

fn add_all(settings: &mut Settings, section: &str, name: &str, value: &Value) {
    match value {
        Value::Null => {}
        Value::Array(values) => values
            .iter()
            .for_each(|value| add_all(settings, section, name, value)),
        Value::String(text) => add(settings, section, name, text),
        other => add(settings, section, name, &other.to_string()),
    }
}

/// The text of a unit with these settings.
pub(super) fn to_text(settings: &Settings) -> String {
    let mut text = String::new();
    for (section, settings) in settings {
        text += &format!("[{section}]\n");
        for (name, values) in settings {
            // In the order in which they are sorted, what is taken away comes behind what is given.
            values
                .iter()
                .for_each(|value| text += &format!("{name}={value}\n"));
        }
    }
    text
}
