//! How a file breaks and indents its lines, and text written the same way.

use super::parse::is_space;
use super::text::{Escapes, push_string, push_value};
use super::write::{blanks_before, members, root};
use crate::document::content::Content;
use crate::document::{Collection, Document, Span};
use crate::secret::Secret;

/// The layout of the members of one object or list.
pub(super) struct Layout {
    /// What separates two members, apart from the comma.
    separator: Vec<u8>,
    /// What stands before the closing bracket.
    closing: Vec<u8>,
    /// What each level adds behind a line break; `None`: everything on one line.
    step: Option<Vec<u8>>,
    /// What stands between a key and its value.
    colon: Vec<u8>,
}

impl Layout {
    /// As the last member of the collection has it; for an empty one, as the root has it, indented once more than the
    /// line on which the collection starts.
    pub(super) fn of(document: &Document, collection: &Collection) -> Self {
        let Some(last) = members(document, collection).last() else {
            return Self::around(document, collection.span).inside();
        };
        let around = Self::around(document, collection.span);
        let blanks = blanks_before(document, last.key.start());
        let separator = if blanks.is_empty() {
            FileStyle::of(document).gap
        } else {
            blanks.to_vec()
        };
        let step = match (
            &around.step,
            indent_of(&separator),
            indent_of(&around.separator),
        ) {
            (Some(_), Some(inner), Some(outer)) => inner
                .strip_prefix(outer)
                .map(<[u8]>::to_vec)
                .or(around.step),
            (step, Some(_), _) => step.clone(),
            (_, None, _) => None,
        };
        Self {
            separator,
            step,
            ..around
        }
    }

    /// The layout of what stands at `span`, seen from outside: its own line's indent.
    pub(super) fn around(document: &Document, span: Span) -> Self {
        let style = FileStyle::of(document);
        let mut line = style.newline.to_vec();
        line.extend_from_slice(line_indent(document, span.start()));
        let separator = if style.step.is_some() {
            line
        } else {
            style.gap
        };
        Self {
            closing: separator.clone(),
            separator,
            step: style.step,
            colon: style.colon,
        }
    }

    /// One level further in.
    fn inside(&self) -> Self {
        let (mut separator, closing) = (self.separator.clone(), self.separator.clone());
        separator.extend_from_slice(self.step.as_deref().unwrap_or_default());
        Self {
            separator,
            closing,
            step: self.step.clone(),
            colon: self.colon.clone(),
        }
    }

    /// A comma, the separator and an item.
    pub(super) fn push_next(
        &self,
        out: &mut Secret,
        key: Option<&str>,
        content: &Content<'_>,
        escapes: Escapes,
    ) {
        self.push_separator(out);
        self.push_item(out, key, content, escapes);
    }

    pub(super) fn push_separator(&self, out: &mut Secret) {
        out.extend(b",");
        out.extend(&self.separator);
    }

    /// An item, its key first if it has one.
    pub(super) fn push_item(
        &self,
        out: &mut Secret,
        key: Option<&str>,
        content: &Content<'_>,
        escapes: Escapes,
    ) {
        if let Some(key) = key {
            push_string(out, key.as_bytes(), escapes);
            out.extend(&self.colon);
        }
        self.push_value(out, content, escapes);
    }

    /// An item with everything between two brackets.
    pub(super) fn push_only(
        &self,
        out: &mut Secret,
        key: Option<&str>,
        content: &Content<'_>,
        escapes: Escapes,
    ) {
        if self.step.is_some() {
            out.extend(&self.separator);
        }
        self.push_item(out, key, content, escapes);
        if self.step.is_some() {
            out.extend(&self.closing);
        }
    }

    /// A value whose own line has the indent of this layout's items.
    pub(super) fn push_value(&self, out: &mut Secret, content: &Content<'_>, escapes: Escapes) {
        match content {
            Content::Null => out.extend(b"null"),
            Content::Value(value) => push_value(out, value, None, escapes),
            Content::List(items) => {
                let items = items.iter().map(|item| (None, item));
                self.push_container(out, [b"[", b"]"], items, escapes);
            }
            Content::Map(entries) => {
                let items = entries.iter().map(|(key, item)| (Some(*key), item));
                self.push_container(out, [b"{", b"}"], items, escapes);
            }
        }
    }

    fn push_container<'c>(
        &self,
        out: &mut Secret,
        [opening, closing]: [&[u8]; 2],
        items: impl Iterator<Item = (Option<&'c str>, &'c Content<'c>)>,
        escapes: Escapes,
    ) {
        let inside = self.inside();
        let mut first = true;
        out.extend(opening);
        for (key, item) in items {
            match (first, self.step.is_some()) {
                (true, true) => out.extend(&inside.separator),
                (true, false) => {}
                (false, _) => inside.push_separator(out),
            }
            first = false;
            inside.push_item(out, key, item, escapes);
        }
        if !first && self.step.is_some() {
            out.extend(&inside.closing);
        }
        out.extend(closing);
    }
}

/// What the root object shows of the file's layout.
struct FileStyle {
    newline: &'static [u8],
    step: Option<Vec<u8>>,
    gap: Vec<u8>,
    colon: Vec<u8>,
}

impl FileStyle {
    /// Taken from the last member of the root; like sops where there is none: tabs.
    fn of(document: &Document) -> Self {
        let root = root(document);
        let Some((root, last)) =
            root.and_then(|root| Some((root, members(document, root).last()?)))
        else {
            return Self {
                newline: b"\n",
                step: Some(b"\t".to_vec()),
                gap: Vec::new(),
                colon: b": ".to_vec(),
            };
        };
        let blanks = blanks_before(document, last.key.start());
        let newline: &[u8] = if memchr::memmem::find(blanks, b"\r\n").is_some() {
            b"\r\n"
        } else {
            b"\n"
        };
        let outer = line_indent(document, root.span.start());
        let step =
            indent_of(blanks).map(|indent| indent.strip_prefix(outer).unwrap_or(indent).to_vec());
        let colon = document
            .source
            .slice(Span::new(last.key.end(), last.value.start()));
        let colon = if colon.contains(&b'\n') { b": " } else { colon };
        // A single member has no blanks before it that would tell what stands behind a comma.
        let gap = if members(document, root).count() == 1 {
            colon
                .iter()
                .copied()
                .filter(|byte| *byte == b' ')
                .take(1)
                .collect()
        } else {
            blanks.to_vec()
        };
        Self {
            newline,
            step,
            gap,
            colon: colon.to_vec(),
        }
    }
}

/// What stands behind the last line break, if there is one.
fn indent_of(blanks: &[u8]) -> Option<&[u8]> {
    let newline = memchr::memrchr(b'\n', blanks)?;
    blanks.get(newline + 1..)
}

/// The blanks at the start of the line of an offset.
fn line_indent(document: &Document, at: usize) -> &[u8] {
    let before = document.source.slice(Span::new(0, at));
    let start = memchr::memrchr(b'\n', before).map_or(0, |newline| newline + 1);
    let line = before.get(start..).unwrap_or_default();
    let indent = line.iter().take_while(|byte| is_space(**byte)).count();
    line.get(..indent).unwrap_or_default()
}
