//! What goes into the sidecar, found while a file is sealed.

use std::collections::HashMap;

use super::{START, Sidecar, Spelling, leaf_name};
use crate::document::{
    Document, Edit, Format, NewScalar, Node, ParseError, Scalar, Source, Span, Style,
};
use crate::secret::Secret;
use crate::tree::{Event, Walk};
use crate::value::{Kind, Value};

/// Texts that might not come back from the sealed file.
#[derive(Default)]
pub(in crate::file) struct Candidates {
    waiting: Vec<Candidate>,
    /// The leaf that was sealed last, and its number.
    last: Option<(usize, String)>,
}

struct Candidate {
    /// The number of its leaf among all leaves of the file.
    number: usize,
    spelling: Spelling,
    /// What is sealed; none for an alias, which never comes back from what it was expanded to.
    sealed: Option<(Kind, Secret)>,
}

impl Candidates {
    /// Takes note of a leaf that was sealed, unless its text is what would be written for its value.
    pub(in crate::file) fn sealed(
        &mut self,
        document: &Document,
        scalar: &Scalar,
        (kind, sealed): (Kind, &[u8]),
    ) {
        if document.format() == Format::Binary || writes_itself(document, scalar, kind, sealed) {
            return;
        }
        let Some((number, _)) = self.last else { return };
        let Some(text) = author_text(document, scalar, sealed) else {
            return;
        };
        let text = Secret::from_slice(document.source().slice(text));
        let sealed = Some((kind, Secret::from_slice(sealed)));
        self.push(number, 0, text, sealed);
    }

    /// Takes note of the alias that a copy stands for, of which this leaf is the first.
    pub(in crate::file) fn alias(&mut self, number: usize, copied: Copied) {
        self.push(number, copied.levels, copied.alias, None);
    }

    /// The next leaves are found by this one.
    pub(in crate::file) fn name(&mut self, number: usize, envelope: String) {
        self.last = Some((number, envelope));
    }

    fn push(&mut self, number: usize, levels: u16, text: Secret, sealed: Option<(Kind, Secret)>) {
        let (since, leaf) = match &self.last {
            Some((since, envelope)) => (*since, leaf_name(envelope.as_bytes())),
            None => (0, Some(START)),
        };
        let (Some(leaf), Ok(behind)) = (leaf, u32::try_from(number - since)) else {
            return;
        };
        let spelling = Spelling {
            leaf,
            behind,
            levels,
            text,
        };
        self.waiting.push(Candidate {
            number,
            spelling,
            sealed,
        });
    }

    /// Those that indeed do not come back from this sealed document.
    ///
    /// # Errors
    /// None in practice: the document was walked before.
    pub(in crate::file) fn lost(self, sealed: &Document) -> Result<Sidecar, ParseError> {
        let mut waiting = self.waiting.into_iter().peekable();
        let mut sidecar = Sidecar::default();
        if waiting.peek().is_none() {
            return Ok(sidecar);
        }
        let mut walk = Walk::new(sealed);
        let mut number = 0;
        while let Some(event) = walk.next()? {
            let Event::Scalar(_, scalar) = event else {
                continue;
            };
            while let Some(candidate) = waiting.next_if(|candidate| candidate.number == number) {
                if !candidate.comes_back(sealed, scalar) {
                    sidecar.spellings.push(candidate.spelling);
                }
            }
            number += 1;
        }
        Ok(sidecar)
    }
}

impl Candidate {
    fn comes_back(&self, document: &Document, scalar: &Scalar) -> bool {
        let Some((kind, sealed)) = &self.sealed else {
            return false;
        };
        // EXPOSE: into the wiping text that is compared.
        let edits = opening(document, scalar, *kind, sealed.expose());
        let text = edits.and_then(|edits| edited(document.source(), scalar.text_span(), edits));
        // EXPOSE: compared in constant time.
        text.is_some_and(|text| text.ct_eq(self.spelling.text.expose()))
    }
}

/// The text of a leaf, and blanks around it that would stay behind, or would not. None where also something else would,
/// such as a comment.
fn author_text(document: &Document, scalar: &Scalar, sealed: &[u8]) -> Option<Span> {
    let source = document.source();
    let text = scalar.text_span();
    let props = scalar.props();
    let Some(tag) = props.tag.filter(|tag| tag.start() == text.start()) else {
        let is_plain = scalar.style() == Style::Plain && !scalar.in_flow;
        let becomes_literal = is_plain && props.tag.is_none() && sealed.contains(&b'\n');
        if becomes_literal && document.format() == Format::Yaml {
            return Some(to_end_of_line(source, text));
        }
        return Some(text);
    };
    // Where the tag stands on a line of its own, it leaves blanks and a line break behind when it goes.
    let next = props.anchor.unwrap_or(scalar.span).start();
    let gap = source.slice(Span::new(tag.end(), next));
    if !gap.iter().all(u8::is_ascii_whitespace) {
        return None;
    }
    let is_apart = gap.iter().any(|byte| matches!(byte, b'\n' | b'\r'));
    Some(if is_apart {
        with_blanks(source, text)
    } else {
        text
    })
}

/// A text with the blanks behind it, if nothing else follows on its line: a literal in its place starts on the line above
/// them.
fn to_end_of_line(source: &Source, text: Span) -> Span {
    let rest = source.bytes().get(text.end()..).unwrap_or_default();
    let blanks = rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t'));
    let end = text.end() + blanks.count();
    match source.bytes().get(end) {
        None | Some(b'\n' | b'\r') => Span::new(text.start(), end),
        Some(_) => text,
    }
}

/// A text with the blanks and line breaks before it.
pub(super) fn with_blanks(source: &Source, text: Span) -> Span {
    let before = source.slice(Span::new(0, text.start()));
    let blanks = before.iter().rev();
    let count = blanks.take_while(|byte| byte.is_ascii_whitespace()).count();
    Span::new(text.start() - count, text.end())
}

/// Whether a leaf would be written just as it stands.
fn writes_itself(document: &Document, scalar: &Scalar, kind: Kind, sealed: &[u8]) -> bool {
    opening(document, scalar, kind, sealed).is_some_and(|edits| {
        let is_idle = |edit: &Edit| edit.text.ct_eq(document.source().slice(edit.span));
        !edits.is_empty() && edits.iter().all(is_idle)
    })
}

/// The edits that would give a leaf its plaintext.
fn opening(document: &Document, scalar: &Scalar, kind: Kind, sealed: &[u8]) -> Option<Vec<Edit>> {
    let value = Value::parse(kind, sealed).ok()?;
    let new = NewScalar::Value {
        value: &value,
        spelling: sealed,
    };
    Some(document.rewrite_scalar(scalar, &new))
}

/// A piece of a source with edits applied; none if one of them reaches beyond it.
fn edited(source: &Source, piece: Span, mut edits: Vec<Edit>) -> Option<Secret> {
    edits.sort_by_key(|edit| (edit.span.start(), edit.span.end()));
    let mut out = Secret::with_capacity(piece.len());
    let mut done = piece.start();
    for edit in edits {
        if edit.span.start() < done || edit.span.end() > piece.end() {
            return None;
        }
        out.extend(source.slice(Span::new(done, edit.span.start())));
        // EXPOSE: into a wiping buffer.
        out.extend(edit.text.expose());
        done = edit.span.end();
    }
    out.extend(source.slice(Span::new(done, piece.end())));
    Some(out)
}

/// The copies that stand in a document where aliases stood.
#[derive(Default)]
pub(in crate::file) struct Copies {
    /// The alias of each copy, until its first leaf is met.
    aliases: Vec<Option<Secret>>,
    /// The copy of each leaf, by the leaf's number, and how many collections up it is.
    leaves: HashMap<usize, (usize, u16)>,
}

/// The alias that a copy was made of.
pub(in crate::file) struct Copied {
    alias: Secret,
    levels: u16,
}

impl Copies {
    /// Finds the leaves of copies: `copies` are where they stand in `document`, in order, each with its alias.
    ///
    /// # Errors
    /// None in practice: the document was walked before.
    pub(in crate::file) fn find(
        document: &Document,
        copies: Vec<(Span, Secret)>,
    ) -> Result<Self, ParseError> {
        let (spans, aliases): (Vec<Span>, Vec<Secret>) = copies.into_iter().unzip();
        let mut found = Self {
            aliases: aliases.into_iter().map(Some).collect(),
            leaves: HashMap::new(),
        };
        let mut walk = Walk::new(document);
        let mut number = 0;
        while let Some(event) = walk.next()? {
            let Event::Scalar(_, scalar) = event else {
                continue;
            };
            let at = scalar.span.start();
            let copy = spans.partition_point(|span| span.end() <= at);
            let start = spans.get(copy).map(|span| span.start());
            if let Some(start) = start.filter(|start| *start <= at && walk.alias().is_none()) {
                let levels = levels_within(document, &walk, start);
                found.leaves.insert(number, (copy, levels));
            }
            number += 1;
        }
        Ok(found)
    }

    /// Whether a leaf stands in a copy.
    pub(in crate::file) fn holds(&self, number: usize) -> bool {
        self.leaves.contains_key(&number)
    }

    /// The alias, when the leaf is the first of its copy.
    pub(in crate::file) fn take(&mut self, number: usize) -> Option<Copied> {
        let (copy, levels) = *self.leaves.get(&number)?;
        let alias = self.aliases.get_mut(copy)?.take()?;
        Some(Copied { alias, levels })
    }
}

/// How many of the collections around the current place start behind an offset.
fn levels_within(document: &Document, walk: &Walk<'_>, start: usize) -> u16 {
    let is_within = |levels: &u16| {
        let collection = walk.collection(usize::from(*levels));
        collection.is_some_and(|id| match document.node(id) {
            Node::Map(collection) | Node::List(collection) => collection.span.start() >= start,
            Node::Alias(_) | Node::Scalar(_) => false,
        })
    };
    (1..u16::MAX).take_while(is_within).last().unwrap_or(0)
}
