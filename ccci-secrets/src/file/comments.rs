//! The sealed comments of an opened file, and the edits that give them back as comments.

use std::collections::{HashMap, HashSet};

use super::index::{self, Index, What};
use super::unproved::ClosedComments;
use super::{Note, OpenError, OpenFile, SealError};
use crate::document::{
    Collection, Document, Edit, Format, Item, Layout, Node, NodeId, Resolved, Scalar, Span,
};
use crate::envelope::Envelope;
use crate::error::Location;
use crate::leaf::{Arena, LeafCipher, LeafError};
use crate::secret::Secret;
use crate::value::{Kind, Value};

impl<Proof> OpenFile<Proof> {
    /// The edits that give back every sealed comment as text.
    pub(super) fn comment_edits(&self) -> Result<(Vec<Edit>, Vec<Note>), SealError> {
        let document = &self.sealed.document;
        let (mut edits, mut notes) = (Vec::new(), Vec::new());
        let emptied = emptied_lists(document, &self.sealed.index);
        let mut dropped = HashSet::new();
        for (at, entry) in self.sealed.entries().enumerate() {
            if !entry.selected || entry.alias.is_some() {
                continue;
            }
            let Some(opened) = self.opened_comment(at, &mut notes)? else {
                continue;
            };
            // EXPOSE: into the plaintext document.
            let opened = opened.expose();
            match entry.what {
                What::Leaf(_) => {}
                What::Comment(comment) => edits.extend(document.open_comment(&comment, opened)),
                // As sops drops them.
                What::ListComment(node) if document.format() != Format::Yaml => {
                    dropped.insert(node);
                }
                What::ListComment(node) => {
                    let Some(scalar) = index::scalar(document, node) else {
                        continue;
                    };
                    if scalar.in_flow {
                        edits.push(comment_in_brackets(document, scalar, opened));
                        continue;
                    }
                    let mut text = Secret::with_capacity(opened.len() + 8);
                    text.extend(emptied.get(&node).copied().unwrap_or_default());
                    text.extend(b"#");
                    text.extend(opened);
                    let span = item_span(document, scalar.span);
                    edits.push(Edit { span, text });
                }
            }
        }
        edits.extend(document.remove_items(&dropped));
        Ok((edits, notes))
    }

    /// The text of a sealed comment; `None` for one in the clear, and for a value.
    pub(super) fn opened_comment(
        &self,
        at: usize,
        notes: &mut Vec<Note>,
    ) -> Result<Option<Secret>, SealError> {
        let document = &self.sealed.document;
        let Some(entry) = self.sealed.entry(at) else {
            return Ok(None);
        };
        let text = match entry.what {
            What::Leaf(_) => return Ok(None),
            _ if !entry.selected => return Ok(None),
            // EXPOSE: an envelope, not plaintext.
            What::Comment(comment) => document.comment_text(&comment).expose().to_vec(),
            What::ListComment(node) => match index::scalar(document, node) {
                Some(scalar) => self.item_text(scalar)?,
                None => return Ok(None),
            },
        };
        if text.is_empty() {
            return Ok(None);
        }
        let line = index::line(document, &entry);
        if !Envelope::is_one(&text) {
            notes.push(Note::ClearComment { line });
            return Ok(None);
        }
        let Some((opened, moved)) = self.open_comment(at, &text) else {
            // As an item of a list, it would be a value.
            let is_comment = matches!(entry.what, What::Comment(_));
            if is_comment && self.access.closed_comments == ClosedComments::AreKept {
                notes.push(Note::ClosedComment { line });
                return Ok(None);
            }
            let place = Location::line(line);
            let source = LeafError::NotAuthentic;
            return Err(OpenError::Leaf { place, source }.into());
        };
        if moved {
            notes.push(Note::MovedComment { line });
        }
        Ok(Some(opened))
    }

    /// Opens a comment at its place, or else near it, and tells which.
    pub(super) fn open_comment(&self, at: usize, text: &[u8]) -> Option<(Secret, bool)> {
        let places = (&self.sealed.document, &self.sealed.index);
        open_near(places, &self.access.cipher, at, text)
    }

    fn item_text(&self, scalar: &Scalar) -> Result<Vec<u8>, SealError> {
        match self.sealed.document.resolve(scalar) {
            // EXPOSE: an envelope, not plaintext.
            Ok(Resolved::Value(Value::Str(text))) => Ok(text.expose().to_vec()),
            _ => Err(self.leaf_error(scalar, LeafError::NotAuthentic)),
        }
    }
}

/// Opens a comment at its place, or else at another place of the file, nearest first: sops itself prints comments where
/// its own reader then attaches them to another map (yaml.md 5.3). Tells whether it was another place.
pub(super) fn open_near(
    (document, index): (&Document, &Index),
    cipher: &LeafCipher,
    at: usize,
    text: &[u8],
) -> Option<(Secret, bool)> {
    let own = index.aad(document, &index.entry(document, at)?);
    if let Some(opened) = open_at(cipher, text, &own) {
        return Some((opened, false));
    }
    let mut tried = vec![own];
    let reach = index.len().min(MOVED_COMMENT_REACH);
    let nearest = (1..reach)
        .flat_map(|step| [at.checked_sub(step), at.checked_add(step)])
        .flatten();
    for entry in nearest.filter_map(|near| index.entry(document, near)) {
        for place in containers(&index.aad(document, &entry)) {
            if tried.iter().any(|known| known == place) {
                continue;
            }
            if let Some(opened) = open_at(cipher, text, place) {
                return Some((opened, true));
            }
            tried.push(place.to_owned());
            if tried.len() > MOVED_COMMENT_PLACES {
                return None;
            }
        }
    }
    None
}

/// Opens a comment that was sealed under a place.
pub(super) fn open_at(cipher: &LeafCipher, text: &[u8], aad: &str) -> Option<Secret> {
    // Sealed as a value, it would be one that somebody put where it is read as a comment.
    let envelope = Envelope::parse(text)
        .ok()
        .filter(|envelope| envelope.kind() == Kind::Comment)?;
    let mut arena = Arena::with_capacity(envelope.data_len_estimate());
    let len = cipher.open(&envelope, aad, &mut arena).ok()?;
    Some(Secret::from_slice(arena.slice(0, len)))
}

/// How many neighbours of a comment, and how many places in all, are tried for one that does not open at its own.
const MOVED_COMMENT_REACH: usize = 1_000;
const MOVED_COMMENT_PLACES: usize = 200;

/// The places of the collections around a leaf, innermost first, and of the leaf itself.
fn containers(aad: &str) -> impl Iterator<Item = &str> {
    let cuts = aad
        .rmatch_indices(':')
        .filter_map(move |(at, _)| aad.get(..=at));
    cuts.chain(std::iter::once(":"))
}
/// The first items of lists that hold nothing but sealed comments, and what stands for the list once these are comments
/// again: sops seals `[] # c` to such a list.
fn emptied_lists(document: &Document, index: &Index) -> HashMap<NodeId, &'static [u8]> {
    let comments: HashSet<NodeId> = index
        .entries(document)
        .filter_map(|entry| match entry.what {
            What::ListComment(node) => Some(node),
            What::Comment(_) | What::Leaf(_) => None,
        })
        .collect();
    let mut emptied = HashMap::new();
    if comments.is_empty() {
        return emptied;
    }
    for node in &document.nodes {
        let (Node::Map(parent) | Node::List(parent)) = node else {
            continue;
        };
        for child in children(parent) {
            let Node::List(list) = document.node(child) else {
                continue;
            };
            if list.layout == Layout::Flow {
                continue;
            }
            let Some(first) = children(list).next() else {
                continue;
            };
            if children(list).all(|item| comments.contains(&item)) {
                // Where the dashes stand in the column of the keys, brackets must not.
                let is_indented = list.column > parent.column;
                emptied.insert(
                    first,
                    if is_indented {
                        b"[] ".as_slice()
                    } else {
                        b"  [] "
                    },
                );
            }
        }
    }
    emptied
}

fn children(collection: &Collection) -> impl Iterator<Item = NodeId> + '_ {
    collection.items.iter().filter_map(Item::value)
}

/// The whole list item around a token: from its dash.
fn item_span(document: &Document, token: Span) -> Span {
    let before = document
        .source()
        .bytes()
        .get(..token.start())
        .unwrap_or_default();
    let dash = memchr::memrchr(b'-', before).unwrap_or(token.start());
    Span::new(dash, token.end())
}

/// A list item between brackets as the comment that it is, with a line of its own behind it; its comma goes.
fn comment_in_brackets(document: &Document, scalar: &Scalar, opened: &[u8]) -> Edit {
    let source = document.source().bytes();
    let item = scalar.text_span();
    let is_blank = |byte: &&u8| matches!(byte, b' ' | b'\t');
    let blanks_at = |at: usize| {
        let rest = source.get(at..).unwrap_or_default();
        rest.iter().take_while(is_blank).count()
    };
    let behind = item.end() + blanks_at(item.end());
    let end = match source.get(behind) {
        Some(b',') => behind + 1,
        _ => item.end(),
    };
    let mut text = Secret::with_capacity(opened.len() + 4);
    let before = item.start().checked_sub(1).and_then(|at| source.get(at));
    if !before.is_some_and(u8::is_ascii_whitespace) {
        text.extend(b" ");
    }
    text.extend(b"#");
    text.extend(opened);
    if !matches!(source.get(end + blanks_at(end)), Some(b'\n' | b'\r')) {
        text.extend(b"\n ");
    }
    Edit {
        span: Span::new(item.start(), end),
        text,
    }
}
