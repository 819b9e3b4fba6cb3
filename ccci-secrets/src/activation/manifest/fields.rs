//! Reads the fields of JSON objects: each fault names its JSON pointer, and reading goes on behind it.

use std::cell::RefCell;

use super::{Dialect, ManifestFault, ManifestProblem};
use crate::activation::json::Json;
use crate::nearest::nearest;

/// The faults found so far, by the rules of a dialect.
#[derive(Debug, Default)]
pub(super) struct Faults {
    pub(super) dialect: Dialect,
    found: RefCell<Vec<ManifestFault>>,
}

impl Faults {
    pub(super) fn new(dialect: Dialect) -> Self {
        Self {
            dialect,
            found: RefCell::default(),
        }
    }

    pub(super) fn add(&self, pointer: impl Into<String>, problem: ManifestProblem) {
        self.found.borrow_mut().push(ManifestFault {
            pointer: pointer.into(),
            problem,
        });
    }

    pub(super) fn into_vec(self) -> Vec<ManifestFault> {
        self.found.into_inner()
    }
}

/// One object and where it stands.
pub(super) struct Fields<'a> {
    pointer: String,
    entries: &'a [(String, Json)],
    known: Vec<&'static str>,
    faults: &'a Faults,
}

impl<'a> Fields<'a> {
    /// The fields of a value that must be an object.
    pub(super) fn of(json: &'a Json, pointer: String, faults: &'a Faults) -> Option<Self> {
        let Json::Map(entries) = json else {
            faults.add(pointer, wrong_type("an object", json));
            return None;
        };
        Some(Self {
            pointer,
            entries,
            known: Vec::new(),
            faults,
        })
    }

    /// The JSON pointer of a field.
    pub(super) fn pointer_to(&self, name: &str) -> String {
        format!("{}/{}", self.pointer, escape(name))
    }

    pub(super) fn fault(&self, name: &str, problem: ManifestProblem) {
        self.faults.add(self.pointer_to(name), problem);
    }

    /// The value of a field; null is the same as absent. Where a field may stand twice, the last one counts.
    pub(super) fn value(&mut self, name: &'static str) -> Option<&'a Json> {
        self.known.push(name);
        let is_meant = |(field, value): &&(String, Json)| {
            self.faults.dialect.is_field(field, name) && !matches!(value, Json::Null)
        };
        let (_, value) = self.entries.iter().rev().find(is_meant)?;
        Some(value)
    }

    fn typed<T>(
        &mut self,
        name: &'static str,
        expected: &'static str,
        take: impl FnOnce(&'a Json) -> Option<T>,
    ) -> Option<T> {
        let value = self.value(name)?;
        let taken = take(value);
        if taken.is_none() {
            self.fault(name, wrong_type(expected, value));
        }
        taken
    }

    pub(super) fn text(&mut self, name: &'static str) -> Option<&'a str> {
        self.typed(name, "a string", as_text)
    }

    /// A string that says something; in the lenient dialect an empty one is the same as none.
    pub(super) fn filled_text(&mut self, name: &'static str) -> Option<&'a str> {
        let text = self.text(name);
        match text {
            Some("") if self.faults.dialect.is_lenient() => None,
            Some("") => {
                self.fault(name, ManifestProblem::EmptyText);
                text
            }
            _ => text,
        }
    }

    /// A string that must be there.
    pub(super) fn required_text(&mut self, name: &'static str) -> Option<&'a str> {
        if self.value(name).is_none() {
            self.fault(name, ManifestProblem::Missing);
            return None;
        }
        self.text(name)
    }

    pub(super) fn boolean(&mut self, name: &'static str) -> Option<bool> {
        self.typed(name, "true or false", |json| match json {
            Json::Bool(value) => Some(*value),
            _ => None,
        })
    }

    pub(super) fn whole(&mut self, name: &'static str) -> Option<i128> {
        self.typed(name, "a whole number", |json| match json {
            Json::Int(value) => Some(*value),
            _ => None,
        })
    }

    /// The items of a list with their pointers.
    pub(super) fn items(&mut self, name: &'static str) -> Vec<(String, &'a Json)> {
        let items = self.typed(name, "a list", |json| match json {
            Json::List(items) => Some(items),
            _ => None,
        });
        let pointer = self.pointer_to(name);
        items
            .into_iter()
            .flatten()
            .enumerate()
            .map(|(nth, item)| (format!("{pointer}/{nth}"), item))
            .collect()
    }

    /// The strings of a list.
    pub(super) fn texts(&mut self, name: &'static str) -> Vec<&'a str> {
        let faults = self.faults;
        let items = self.items(name);
        items
            .into_iter()
            .filter_map(|(pointer, item)| {
                let text = as_text(item);
                if text.is_none() {
                    faults.add(pointer, wrong_type("a string", item));
                }
                text
            })
            .collect()
    }

    /// The entries of an object whose names are free.
    pub(super) fn entries_of(&mut self, name: &'static str) -> Vec<(String, &'a str, &'a Json)> {
        let entries = self.typed(name, "an object", |json| match json {
            Json::Map(entries) => Some(entries),
            _ => None,
        });
        let pointer = self.pointer_to(name);
        let entries = entries.map(Vec::as_slice).unwrap_or_default();
        report_repeated(&pointer, entries, self.faults);
        entries
            .iter()
            .map(|(key, value)| (format!("{pointer}/{}", escape(key)), key.as_str(), value))
            .collect()
    }

    /// One of a few words.
    pub(super) fn word<T: Copy>(
        &mut self,
        name: &'static str,
        words: &'static [(&'static str, T)],
    ) -> Option<T> {
        let text = self.text(name)?;
        let found = words.iter().find(|(word, _)| *word == text);
        if found.is_none() {
            let expected = words.iter().map(|(word, _)| *word).collect();
            self.fault(
                name,
                ManifestProblem::NotOneOf {
                    found: text.into(),
                    expected,
                },
            );
        }
        found.map(|(_, value)| *value)
    }

    /// Reports repeated names, and names that nobody asked for. Call it when every field has been read.
    pub(super) fn finish(self) {
        if self.faults.dialect.is_lenient() {
            return;
        }
        report_repeated(&self.pointer, self.entries, self.faults);
        for (name, _) in self.entries {
            if !self.known.contains(&name.as_str()) {
                let nearest = nearest(name, &self.known);
                self.fault(name, ManifestProblem::UnknownField { nearest });
            }
        }
    }
}

fn report_repeated(pointer: &str, entries: &[(String, Json)], faults: &Faults) {
    for (nth, (name, _)) in entries.iter().enumerate() {
        if entries.iter().take(nth).any(|(earlier, _)| earlier == name) {
            faults.add(
                format!("{pointer}/{}", escape(name)),
                ManifestProblem::RepeatedField,
            );
        }
    }
}

fn as_text(json: &Json) -> Option<&str> {
    match json {
        Json::Text(text) => Some(text),
        _ => None,
    }
}

pub(super) fn wrong_type(expected: &'static str, found: &Json) -> ManifestProblem {
    ManifestProblem::WrongType {
        expected,
        found: found.kind(),
    }
}

/// RFC 6901, section 3.
fn escape(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}
