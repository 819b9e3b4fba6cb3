//! What changed, in its words: a line each for what is new, changed and gone, of secrets and then of templates.

use std::fmt::Write as _;

use ccci_secrets::activation::{Change, EntryResult, Origin, Plan, Receipt};

/// Names of files by what happens to them.
#[derive(Debug, Default)]
pub(super) struct Changes<'a> {
    secrets: Names<'a>,
    templates: Names<'a>,
}

#[derive(Debug, Default)]
struct Names<'a> {
    added: Vec<&'a str>,
    modified: Vec<&'a str>,
    removed: Vec<&'a str>,
}

/// How additions, changes and removals are called.
pub(super) type Words = [&'static str; 3];

/// After the fact.
pub(super) const DONE: Words = ["adding", "modifying", "removing"];
/// Before it.
pub(super) const EXPECTED: Words = ["would add", "would modify", "would remove"];

impl<'a> Changes<'a> {
    pub(super) fn of_receipt(receipt: &'a Receipt) -> Self {
        Self::of(receipt.entries.iter(), &receipt.removed)
    }

    pub(super) fn of_preview(preview: &'a Plan) -> Self {
        let entries = preview.entries.iter().map(|entry| &entry.result);
        Self::of(entries, &preview.removed)
    }

    fn of(entries: impl Iterator<Item = &'a EntryResult>, removed: &'a [String]) -> Self {
        let mut changes = Self::default();
        for entry in entries {
            let names = match entry.origin {
                Origin::Template => &mut changes.templates,
                _ => &mut changes.secrets,
            };
            match entry.change {
                Change::Added => names.added.push(shown(&entry.name)),
                Change::Modified { .. } => names.modified.push(shown(&entry.name)),
                _ => {}
            }
        }
        for name in removed {
            match name.strip_prefix(RENDERED) {
                Some(name) => changes.templates.removed.push(name),
                None => changes.secrets.removed.push(name),
            }
        }
        changes
    }

    /// The lines.
    pub(super) fn lines(&self, words: Words) -> String {
        let mut text = String::new();
        self.secrets.lines(words, "secret", &mut text);
        self.templates.lines(words, "rendered secret", &mut text);
        text
    }
}

impl Names<'_> {
    fn lines(&self, words: Words, what: &str, text: &mut String) {
        let lists = [&self.added, &self.modified, &self.removed];
        for (word, names) in words.into_iter().zip(lists) {
            let mut names = names.clone();
            names.sort_unstable();
            let plural = match names.len() {
                0 => continue,
                1 => "",
                _ => "s",
            };
            writeln!(text, "{word} {what}{plural}: {}", names.join(", "))
                .expect("writing to a string does not fail");
        }
    }
}

/// The name as the manifest spells it.
fn shown(name: &str) -> &str {
    name.strip_prefix(RENDERED).unwrap_or(name)
}

/// Where templates lie in a generation.
const RENDERED: &str = "rendered/";

#[cfg(test)]
mod tests {
    use super::*;

    // F09.
    #[test]
    fn s39_lists_are_sorted_and_told_by_kind() {
        let changes = Changes {
            secrets: Names {
                added: vec!["sub/n2", "n1"],
                modified: vec!["b", "a"],
                removed: vec!["old1", "old2"],
            },
            templates: Names {
                added: vec!["n3"],
                modified: vec!["t", "u"],
                removed: vec!["gone"],
            },
        };
        assert_eq!(
            changes.lines(DONE),
            "adding secrets: n1, sub/n2\nmodifying secrets: a, b\nremoving secrets: old1, old2\n\
             adding rendered secret: n3\nmodifying rendered secrets: t, u\nremoving rendered secret: gone\n"
        );
        assert_eq!(Changes::default().lines(DONE), "");
    }

    // F15.
    #[test]
    fn s39_before_the_fact_other_words_are_used() {
        let mut changes = Changes::default();
        changes.secrets.added.push("new");
        changes.secrets.modified.push("a");
        assert_eq!(
            changes.lines(EXPECTED),
            "would add secret: new\nwould modify secret: a\n"
        );
    }
}
