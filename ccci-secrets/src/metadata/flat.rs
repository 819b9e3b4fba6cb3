//! The flat wire form of the metadata, in dotenv and INI (sops-format.md 9): one key per value, whose name is the way
//! through the maps and lists around it.

use std::collections::BTreeMap;

use super::MetadataError;
use super::nested::MAX_LEVELS;
use crate::document::NewNode;
use crate::secret::Secret;
use crate::value::{Text, Value};

const MAP_STEP: &str = "__map_";
const LIST_STEP: &str = "__list_";

/// How much of a key is shown when something is wrong with it.
const SHOWN: usize = 80;

/// How a line break may stand in a flattened value that is read. One that is written stands there as itself: both formats
/// have their own way to write one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LineBreaks {
    /// As the two characters `\n`, or as itself.
    Escaped,
    /// As itself.
    Real,
}

/// A tree to flat fields, in its order. Empty containers and nulls leave nothing behind.
pub(super) fn flatten(block: NewNode) -> NewNode {
    let mut fields = Vec::new();
    match block {
        NewNode::Map(entries) => {
            for (key, node) in entries {
                push_flat(key, node, &mut fields);
            }
        }
        lone => push_flat(String::new(), lone, &mut fields),
    }
    NewNode::Map(fields)
}

fn push_flat(key: String, node: NewNode, out: &mut Vec<(String, NewNode)>) {
    match node {
        NewNode::Map(entries) => {
            for (name, node) in entries {
                push_flat(format!("{key}{MAP_STEP}{name}"), node, out);
            }
        }
        NewNode::List(items) => {
            for (index, node) in items.into_iter().enumerate() {
                push_flat(format!("{key}{LIST_STEP}{index}"), node, out);
            }
        }
        NewNode::Null => {}
        value @ NewNode::Value(_) => out.push((key, value)),
    }
}

/// Flat fields to the entries of the tree.
///
/// # Errors
/// [`MetadataError::Flat`].
pub(super) fn unflatten(
    fields: Vec<(String, NewNode)>,
    breaks: LineBreaks,
) -> Result<Vec<(String, NewNode)>, MetadataError> {
    let mut root = Flat::default();
    for (key, node) in fields {
        let NewNode::Value(value) = node else {
            return Err(problem(&key, "is not a text"));
        };
        let value = match breaks {
            LineBreaks::Escaped => with_line_breaks(value),
            LineBreaks::Real => value,
        };
        root.place(&key, value)?;
    }
    match root.into_node(&mut "sops".to_owned())? {
        NewNode::Map(entries) => Ok(entries),
        _ => Err(problem("sops", "is not a map")),
    }
}

/// A node while its parts are still coming in.
#[derive(Default)]
struct Flat {
    value: Option<Value<'static>>,
    entries: BTreeMap<String, Self>,
    items: BTreeMap<usize, Self>,
}

impl Flat {
    fn place(&mut self, key: &str, value: Value<'static>) -> Result<(), MetadataError> {
        let steps = steps(key).ok_or_else(|| problem(key, "is nested too deeply"))?;
        let mut node = self;
        for step in steps {
            node = match step {
                Step::Entry(name) => node.entries.entry(name.to_owned()).or_default(),
                Step::Item(index) => node.items.entry(index).or_default(),
            };
        }
        if node.value.replace(value).is_some() {
            return Err(problem(key, "stands twice"));
        }
        Ok(())
    }

    /// The node as content; `key` is its name.
    fn into_node(self, key: &mut String) -> Result<NewNode, MetadataError> {
        match (self.value, self.entries.is_empty(), self.items.is_empty()) {
            (Some(value), true, true) => Ok(NewNode::Value(value)),
            (None, false, true) => self
                .entries
                .into_iter()
                .map(|(name, node)| {
                    let node = node.into_part(key, (MAP_STEP, &name))?;
                    Ok((name, node))
                })
                .collect::<Result<_, _>>()
                .map(NewNode::Map),
            (None, true, false) => self
                .items
                .into_iter()
                .enumerate()
                .map(|(nth, (index, node))| {
                    if nth != index {
                        return Err(problem(key, "is a list with an item missing"));
                    }
                    node.into_part(key, (LIST_STEP, &index.to_string()))
                })
                .collect::<Result<_, _>>()
                .map(NewNode::List),
            (None, true, true) => Ok(NewNode::Map(Vec::new())),
            _ => Err(problem(key, "is of two kinds at once")),
        }
    }

    /// A part of the node with this key.
    fn into_part(
        self,
        key: &mut String,
        (separator, name): (&str, &str),
    ) -> Result<NewNode, MetadataError> {
        let len = key.len();
        key.push_str(separator);
        key.push_str(name);
        let node = self.into_node(key)?;
        key.truncate(len);
        Ok(node)
    }
}

enum Step<'k> {
    Entry(&'k str),
    Item(usize),
}

/// The steps that a key names; the first has no separator. An index that is no number counts as 0, as in sops.
///
/// None if there are more than metadata have: the tree is walked by functions that call themselves, and to look for each
/// step takes as long as the key.
fn steps(key: &str) -> Option<Vec<Step<'_>>> {
    let mut steps = Vec::new();
    let (mut rest, mut in_list) = (key, false);
    loop {
        let next = [MAP_STEP, LIST_STEP]
            .into_iter()
            .filter_map(|separator| Some((rest.find(separator)?, separator)))
            .min();
        let (name, after) = match next {
            Some((at, separator)) => {
                let (name, from) = rest.split_at_checked(at).unwrap_or((rest, ""));
                (name, Some((separator, from.get(separator.len()..))))
            }
            None => (rest, None),
        };
        steps.push(if in_list {
            Step::Item(name.parse().unwrap_or_default())
        } else {
            Step::Entry(name)
        });
        let Some((separator, Some(after))) = after else {
            return Some(steps);
        };
        if steps.len() == MAX_LEVELS {
            return None;
        }
        (rest, in_list) = (after, separator == LIST_STEP);
    }
}

fn problem(key: &str, problem: &'static str) -> MetadataError {
    let shown: String = key.chars().take(SHOWN).collect();
    let is_cut = shown.len() < key.len();
    MetadataError::Flat {
        key: if is_cut { shown + "…" } else { shown },
        problem,
    }
}

/// A value with a line break for every `\n` in its text; only strings have any.
fn with_line_breaks(value: Value<'static>) -> Value<'static> {
    let Value::Str(text) = value else {
        return value;
    };
    // EXPOSE: metadata is not secret.
    let mut rest = text.expose();
    let mut out = Secret::with_capacity(rest.len());
    while let Some(at) = memchr::memmem::find(rest, b"\\n") {
        let (before, found) = rest.split_at_checked(at).unwrap_or((rest, &[]));
        out.extend(before);
        out.extend(b"\n");
        rest = found.get(2..).unwrap_or_default();
    }
    out.extend(rest);
    Value::Str(Text::Owned(out))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic, reason = "tests")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn fields(pairs: &[(&str, &str)]) -> Vec<(String, NewNode)> {
        pairs
            .iter()
            .map(|(key, value)| ((*key).to_owned(), NewNode::text(value)))
            .collect()
    }

    fn show(node: &NewNode) -> String {
        match node {
            NewNode::List(items) => format!("{:?}", items.iter().map(show).collect::<Vec<_>>()),
            NewNode::Map(entries) => {
                let entries: Vec<String> = entries
                    .iter()
                    .map(|(key, node)| format!("{key}: {}", show(node)))
                    .collect();
                format!("{{{}}}", entries.join(", "))
            }
            NewNode::Null => "null".into(),
            NewNode::Value(value) => {
                String::from_utf8_lossy(value.canonical().expose()).into_owned()
            }
        }
    }

    // The keys of testdata/sops/3.13.3/env-shamir-2of3.env and ini-basic.ini.
    #[test]
    fn keys_name_the_way_through_lists_and_maps() {
        let tree = NewNode::Map(vec![(
            "key_groups".into(),
            NewNode::List(vec![NewNode::Map(vec![
                (
                    "age".into(),
                    NewNode::List(vec![NewNode::Map(vec![(
                        "enc".into(),
                        NewNode::text("a\nb"),
                    )])]),
                ),
                ("hc_vault".into(), NewNode::List(Vec::new())),
            ])]),
        )]);
        let flat = flatten(tree);
        assert_eq!(
            show(&flat),
            "{key_groups__list_0__map_age__list_0__map_enc: a\nb}"
        );
    }

    // All versions of sops but 3.13.0 and 3.13.1 write them escaped in INI.
    #[test]
    fn line_breaks_are_read_in_both_forms() {
        for text in ["a\nb", "a\\nb"] {
            let read = unflatten(fields(&[("k", text)]), LineBreaks::Escaped).unwrap();
            assert_eq!(show(&NewNode::Map(read)), "{k: a\nb}");
        }
    }

    // sops-format.md 9, "Unflattening"; each refused by sops with the error that the comment names.
    #[test]
    fn keys_that_make_no_tree_are_refused() {
        for bad in [
            // Incomplete list
            fields(&[("age__list_1__map_enc", "x")]),
            // Type mismatch
            fields(&[("a", "x"), ("a__map_b", "y")]),
            fields(&[("a__list_0", "x"), ("a__map_b", "y")]),
            // Duplicate value
            fields(&[("a", "x"), ("a", "y")]),
        ] {
            assert!(unflatten(bad, LineBreaks::Real).is_err());
        }
        // An index that is no number reads as 0.
        let read = unflatten(fields(&[("a__list_x", "v")]), LineBreaks::Real).unwrap();
        assert_eq!(show(&NewNode::Map(read)), "{a: [\"v\"]}");
    }

    #[test]
    fn keys_that_nest_without_end_are_refused_and_shown_in_part() {
        for step in ["__map_a", "__list_0", "__list_0__map_a"] {
            let deep = format!("x{}", step.repeat(200_000));
            let error = unflatten(fields(&[(&deep, "v")]), LineBreaks::Real).unwrap_err();
            assert!(error.to_string().len() < 200, "{error}");
        }
        let deepest = format!("x{}", "__map_a".repeat(MAX_LEVELS - 1));
        assert!(unflatten(fields(&[(&deepest, "v")]), LineBreaks::Real).is_ok());
    }

    fn tree() -> impl Strategy<Value = NewNode> {
        let leaf = "[a-z\n]{0,4}".prop_map(|text| NewNode::text(&text));
        leaf.prop_recursive(4, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 1..4).prop_map(NewNode::List),
                prop::collection::btree_map("[a-z]{1,3}", inner, 1..4)
                    .prop_map(|entries| NewNode::Map(entries.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn flat_and_back_is_the_same_tree(
            entries in prop::collection::btree_map("[a-z]{1,3}", tree(), 1..4),
            escaped in any::<bool>(),
        ) {
            let breaks = if escaped { LineBreaks::Escaped } else { LineBreaks::Real };
            let tree = NewNode::Map(entries.into_iter().collect());
            let shown = show(&tree);
            let NewNode::Map(flat) = flatten(tree) else { panic!("a map") };
            let back = unflatten(flat, breaks).unwrap();
            prop_assert_eq!(show(&NewNode::Map(back)), shown);
        }
    }
}
