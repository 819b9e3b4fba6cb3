//! The YAML of a configuration by type: maps with `<<` applied, scalars as go-yaml decodes them, and the line of each.

use std::cell::Cell;
use std::collections::HashSet;
use std::path::Path;

use super::error::{self, ConfigError, ConfigFault};
use crate::document::yaml::text;
use crate::document::{
    Document, Entry, Item, Node, NodeId, ParseErrorKind, Resolved, Scalar, Span,
};
use crate::error::Location;
use crate::nearest::nearest;
use crate::value::Value;

/// How deep maps merge each other, and groups hold groups.
const MAX_LEVELS: usize = 64;

/// How many nodes a configuration may stand for, aliases written out.
const BUDGET: usize = 100_000;

/// The key that merges another map.
const MERGE: &[u8] = b"<<";

/// Reads one document.
pub(super) struct Reader<'d> {
    document: &'d Document,
    path: &'d Path,
    /// Offsets of all line ends.
    line_ends: Vec<usize>,
    /// How many more nodes may be looked at: aliases can make a short text stand for a very long one.
    budget: Cell<usize>,
}

/// An entry of a map.
pub(super) struct Field<'d> {
    pub(super) name: &'d str,
    /// The line of the name.
    pub(super) line: usize,
    pub(super) value: NodeId,
}

impl<'d> Reader<'d> {
    pub(super) fn new(document: &'d Document, path: &'d Path) -> Self {
        Self {
            document,
            path,
            line_ends: memchr::memchr_iter(b'\n', document.source().bytes()).collect(),
            budget: Cell::new(BUDGET),
        }
    }

    /// The entries of a map, its own before those merged in; null is an empty map.
    pub(super) fn fields(&self, name: &str, id: NodeId) -> Result<Vec<Field<'d>>, ConfigError> {
        let mut fields = Vec::new();
        self.add_fields(name, id, MAX_LEVELS, &mut HashSet::new(), &mut fields)?;
        Ok(fields)
    }

    fn add_fields(
        &self,
        name: &str,
        id: NodeId,
        levels: usize,
        known: &mut HashSet<&'d str>,
        fields: &mut Vec<Field<'d>>,
    ) -> Result<(), ConfigError> {
        let levels = self.step(levels, id)?;
        let map = match self.document.target(id).1 {
            Node::Map(map) => map,
            _ if self.is_null(id) => return Ok(()),
            _ => return Err(self.wrong_type(name, "a map", id)),
        };
        let mut merged = Vec::new();
        let mut own = HashSet::new();
        for item in &map.items {
            let Item::Entry(entry) = item else { continue };
            self.spend(1, id)?;
            let key = self.document.key(entry);
            if !own.insert(key) {
                let twice = ParseErrorKind::DuplicateKey(key.to_owned());
                return Err(self.fault(self.line_at(entry.key), twice.into()));
            }
            if self.document.source().slice(entry.key) == MERGE {
                merged.extend(self.merged_maps(entry)?);
            } else if known.insert(key) {
                fields.push(self.field(entry));
            }
        }
        // An earlier map wins over a later one, and what the map says itself over both.
        for value in merged {
            self.add_fields("<<", value, levels, known, fields)?;
        }
        Ok(())
    }

    fn merged_maps(&self, entry: &Entry) -> Result<Vec<NodeId>, ConfigError> {
        match self.document.target(entry.value).1 {
            Node::List(_) => Ok(self.elements("<<", entry.value)?.unwrap_or_default()),
            _ => Ok(vec![entry.value]),
        }
    }

    fn field(&self, entry: &'d Entry) -> Field<'d> {
        Field {
            name: self.document.key(entry),
            line: self.line_at(entry.key),
            value: entry.value,
        }
    }

    /// The elements of a list; null is no list at all.
    pub(super) fn elements(
        &self,
        name: &str,
        id: NodeId,
    ) -> Result<Option<Vec<NodeId>>, ConfigError> {
        let list = match self.document.target(id).1 {
            Node::List(list) => list,
            _ if self.is_null(id) => return Ok(None),
            _ => return Err(self.wrong_type(name, "a list", id)),
        };
        self.spend(list.items.len(), id)?;
        let elements = list.items.iter().filter_map(|item| match item {
            Item::Element(value) => Some(*value),
            Item::Comment(_) | Item::Entry(_) => None,
        });
        Ok(Some(elements.collect()))
    }

    /// The elements of a list without those that are null, which go-yaml leaves out; null is no list at all.
    pub(super) fn items(&self, name: &str, id: NodeId) -> Result<Option<Vec<NodeId>>, ConfigError> {
        let elements = self.elements(name, id)?;
        let is_item = |id: &NodeId| !self.is_null(*id);
        Ok(elements.map(|elements| elements.into_iter().filter(is_item).collect()))
    }

    /// The text of a scalar, whatever type it looks like; null is none.
    pub(super) fn text(&self, name: &str, id: NodeId) -> Result<Option<String>, ConfigError> {
        let scalar = self.scalar(name, "text", id)?;
        Ok((!self.is_null(id)).then(|| self.decode(scalar)))
    }

    /// The text of a scalar that is a string; null is none.
    pub(super) fn string(
        &self,
        name: &str,
        expected: &'static str,
        id: NodeId,
    ) -> Result<Option<String>, ConfigError> {
        let scalar = self.scalar(name, expected, id)?;
        match self.document.resolve(scalar) {
            Ok(Resolved::Null) => Ok(None),
            Ok(Resolved::Value(Value::Str(_))) => Ok(Some(self.decode(scalar))),
            _ => Err(self.wrong_type(name, expected, id)),
        }
    }

    /// A whole number; null is none.
    pub(super) fn number(&self, name: &str, id: NodeId) -> Result<Option<i64>, ConfigError> {
        const EXPECTED: &str = "a whole number";
        match self.document.resolve(self.scalar(name, EXPECTED, id)?) {
            Ok(Resolved::Null) => Ok(None),
            Ok(Resolved::Value(Value::Int(number))) => Ok(Some(number)),
            _ => Err(self.wrong_type(name, EXPECTED, id)),
        }
    }

    /// True or false, in the words of YAML 1.1 too.
    pub(super) fn truth(&self, name: &str, id: NodeId) -> Result<bool, ConfigError> {
        const EXPECTED: &str = "true or false";
        let scalar = self.scalar(name, EXPECTED, id)?;
        match self.document.resolve(scalar) {
            Ok(Resolved::Null) => Ok(false),
            Ok(Resolved::Value(Value::Bool(truth))) => Ok(truth),
            Ok(Resolved::Value(Value::Str(_))) => {
                old_truth(&self.decode(scalar)).ok_or_else(|| self.wrong_type(name, EXPECTED, id))
            }
            _ => Err(self.wrong_type(name, EXPECTED, id)),
        }
    }

    /// Refuses a name that means nothing, with the one that is probably meant.
    pub(super) fn refuse_unknown(
        &self,
        fields: &[Field<'_>],
        known: &[&'static str],
        inside: &'static str,
    ) -> Result<(), ConfigError> {
        let unknown = fields.iter().find(|field| !known.contains(&field.name));
        match unknown {
            None => Ok(()),
            Some(field) => Err(self.fault(
                field.line,
                ConfigFault::UnknownKey {
                    key: field.name.into(),
                    inside,
                    nearest: nearest(field.name, known),
                },
            )),
        }
    }

    pub(super) fn is_list(&self, id: NodeId) -> bool {
        matches!(self.document.target(id).1, Node::List(_))
    }

    /// The line on which a value stands; that of an alias is where it is used, so this follows it to what it names.
    pub(super) fn line(&self, id: NodeId) -> usize {
        self.line_at(match self.document.target(id).1 {
            Node::Alias(alias) => alias.span,
            Node::List(collection) | Node::Map(collection) => collection.span,
            Node::Scalar(scalar) => scalar.span,
        })
    }

    pub(super) fn line_at(&self, span: Span) -> usize {
        1 + self.line_ends.partition_point(|end| *end < span.start())
    }

    pub(super) fn place(&self, line: usize) -> Location {
        super::location(self.path, line)
    }

    pub(super) fn fault(&self, line: usize, fault: ConfigFault) -> ConfigError {
        error::invalid(self.path, line, fault)
    }

    pub(super) fn wrong_type(&self, name: &str, expected: &'static str, id: NodeId) -> ConfigError {
        let fault = ConfigFault::WrongType {
            key: name.into(),
            expected,
        };
        self.fault(self.line(id), fault)
    }

    /// One level down.
    pub(super) fn step(&self, levels: usize, id: NodeId) -> Result<usize, ConfigError> {
        self.spend(1, id)?;
        levels
            .checked_sub(1)
            .ok_or_else(|| self.fault(self.line(id), ParseErrorKind::TooDeep.into()))
    }

    fn spend(&self, nodes: usize, id: NodeId) -> Result<(), ConfigError> {
        let left = self.budget.get().checked_sub(nodes);
        self.budget.set(
            left.ok_or_else(|| self.fault(self.line(id), ParseErrorKind::AliasBudget.into()))?,
        );
        Ok(())
    }

    fn scalar(
        &self,
        name: &str,
        expected: &'static str,
        id: NodeId,
    ) -> Result<&'d Scalar, ConfigError> {
        match self.document.target(id).1 {
            Node::Scalar(scalar) => Ok(scalar),
            _ => Err(self.wrong_type(name, expected, id)),
        }
    }

    fn is_null(&self, id: NodeId) -> bool {
        matches!(self.document.target(id).1, Node::Scalar(scalar)
            if matches!(self.document.resolve(scalar), Ok(Resolved::Null)))
    }

    fn decode(&self, scalar: &Scalar) -> String {
        decoded(self.document, scalar)
    }
}

/// The text of a scalar.
pub(super) fn decoded(document: &Document, scalar: &Scalar) -> String {
    let text = text::decode(document.source().bytes(), scalar);
    // EXPOSE: configuration, which holds no secrets.
    String::from_utf8_lossy(text.expose()).into_owned()
}

/// The words that go-yaml takes where a truth value is due.
fn old_truth(word: &str) -> Option<bool> {
    match word {
        "y" | "Y" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" => Some(true),
        "n" | "N" | "no" | "No" | "NO" | "off" | "Off" | "OFF" => Some(false),
        _ => None,
    }
}
