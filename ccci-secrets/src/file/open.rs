//! Opening: every leaf, then the MAC, then the plaintext document.

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use super::convert;
use super::index::{self, Index, What};
use super::sequence::Sequence;
use super::sidecar::Stored;
use super::unproved::{ClosedComments, NoProof};
use super::{Assurance, OpenError, SealError, SealedFile, State};
use crate::crypto::Cipher;
use crate::document::binary::DATA_KEY;
use crate::document::plain_text::text_of;
use crate::document::{
    Collection, Document, Edit, Format, Item, Layout, NewScalar, Node, NodeId, Resolved, Scalar,
    Span, Style,
};
use crate::envelope::Envelope;
use crate::error::Location;
use crate::keyring::{Keyring, OpenedBy};
use crate::leaf::{Arena, LeafCipher, LeafError};
use crate::mac::{Authentic, Mac, MacError, MacStream};
use crate::metadata::Metadata;
use crate::path::{Segment, TreePath};
use crate::secret::Secret;
use crate::selection::Selection;
use crate::value::{Kind, Value};

/// A file whose every leaf opened and whose MAC matched.
///
/// What that proves is said at [`Authentic`]: it is the proof that such a file holds, and nothing outside of this crate
/// can name another one. Plaintext leaves it only through calls named `expose…`.
#[derive(Debug)]
pub struct OpenFile<Proof = Authentic> {
    pub(crate) sealed: SealedFile,
    pub(crate) content: Content,
    pub(crate) cipher: LeafCipher,
    pub(super) sidecar: Stored,
    opened_by: OpenedBy,
    also_opened_by: Vec<OpenedBy>,
    pub(super) closed_comments: ClosedComments,
    _proof: Proof,
}

/// The opened leaves of a file, parallel to the entries of its index.
#[derive(Debug)]
pub(crate) struct Content {
    arena: Arena,
    pub(crate) leaves: Vec<Option<Opened>>,
}

/// Where an opened leaf lies in the arena.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Opened {
    pub(crate) kind: Kind,
    start: u32,
    len: u32,
    /// False for a leaf in the clear.
    pub(crate) sealed: bool,
}

impl Opened {
    /// The arena is no larger than the text of the file, which is smaller than 4 GiB.
    fn at(kind: Kind, range: Range<usize>, sealed: bool) -> Self {
        let narrow = |offset: usize| u32::try_from(offset).unwrap_or(u32::MAX);
        Self {
            kind,
            start: narrow(range.start),
            len: narrow(range.len()),
            sealed,
        }
    }
}

impl Content {
    pub(crate) fn bytes(&self, opened: &Opened) -> &[u8] {
        self.arena.slice(opened.start as usize, opened.len as usize)
    }
}

impl SealedFile {
    /// Opens every sealed leaf and checks the MAC.
    ///
    /// # Errors
    /// [`OpenError::NoKey`] lists what was tried; [`OpenError::Leaf`] and [`OpenError::Mac`] mean that the values are not
    /// the ones that were sealed.
    pub fn open(self, keyring: &Keyring) -> Result<OpenFile, OpenError> {
        let (file, authentic) = self.open_leaves(keyring)?;
        Ok(file.with_proof(authentic?))
    }

    /// Opens every sealed leaf, and tells what the MAC says.
    pub(super) fn open_leaves(
        self,
        keyring: &Keyring,
    ) -> Result<(OpenFile<NoProof>, Result<Authentic, MacError>), OpenError> {
        let unwrapped = keyring.unwrap(&self.metadata.groups, self.metadata.threshold)?;
        let cipher = LeafCipher::new(Cipher::new(unwrapped.key));
        let (content, mac) = open_leaves(&self, &cipher)?;
        let stored = self.metadata.mac.as_deref().map(str::as_bytes);
        let authentic = match self.metadata.mac_aad() {
            Some(aad) => mac.verify(&cipher, stored, &aad),
            None => Err(MacError::DoesNotOpen),
        };
        let file = OpenFile {
            sidecar: Stored::of(&self.metadata, &cipher, &mac),
            sealed: self,
            content,
            cipher,
            opened_by: unwrapped.opened_by,
            also_opened_by: unwrapped.also_opened_by,
            closed_comments: ClosedComments::AreRefused,
            _proof: NoProof,
        };
        Ok((file, authentic))
    }
}

/// Opens all leaves into one arena and computes the MAC on the way.
pub(crate) fn open_leaves(
    file: &SealedFile,
    cipher: &LeafCipher,
) -> Result<(Content, Mac), OpenError> {
    let document = &file.document;
    let mut mac = MacStream::new(file.metadata.coverage);
    let mut arena = Arena::with_capacity(document.source().bytes().len() / 4);
    let mut leaves = Vec::with_capacity(file.index.entries.len());
    for entry in &file.index.entries {
        let Some(scalar) = entry.leaf(document) else {
            leaves.push(None);
            continue;
        };
        let place = || index::place(document, &file.index, entry);
        let resolved = document
            .resolve(scalar)
            .map_err(|source| OpenError::Scalar {
                place: place(),
                source,
            })?;
        let Resolved::Value(value) = resolved else {
            leaves.push(None);
            continue;
        };
        let start = arena.len();
        let canonical = value.canonical();
        // EXPOSE: an envelope is opened into the arena; a clear value goes to the MAC and the arena.
        let text = canonical.expose();
        if !entry.selected || text.is_empty() {
            mac.value(text, entry.selected);
            arena.push(text);
            leaves.push(Some(Opened::at(value.kind(), start..arena.len(), false)));
            continue;
        }
        let leaf_error = |source: LeafError| OpenError::Leaf {
            place: place(),
            source,
        };
        let envelope = Envelope::parse(text).map_err(|error| leaf_error(error.into()))?;
        let aad = file.index.aad(document, entry);
        let len = cipher
            .open(&envelope, &aad, &mut arena)
            .map_err(leaf_error)?;
        let kind = envelope.kind();
        let value = Value::parse(kind, arena.slice(start, len))
            .map_err(|error| leaf_error(error.into()))?;
        // EXPOSE: to the MAC.
        mac.value(value.canonical().expose(), true);
        leaves.push(Some(Opened::at(kind, start..start + len, true)));
    }
    Ok((Content { arena, leaves }, mac.finish()))
}

impl<Proof> OpenFile<Proof> {
    fn with_proof<New>(self, proof: New) -> OpenFile<New> {
        OpenFile {
            sealed: self.sealed,
            content: self.content,
            cipher: self.cipher,
            sidecar: self.sidecar,
            opened_by: self.opened_by,
            also_opened_by: self.also_opened_by,
            closed_comments: self.closed_comments,
            _proof: proof,
        }
    }

    /// For a change, which no old proof says anything about.
    pub(super) fn without_proof(self) -> OpenFile<NoProof> {
        self.with_proof(NoProof)
    }

    /// A newer version of this file, sealed under the same key; and what was known about the layout of the older one.
    pub(super) fn succeeded_by(
        mut self,
        sealed: SealedFile,
        content: Content,
        authentic: Authentic,
    ) -> (OpenFile, Stored) {
        let older = std::mem::replace(&mut self.sidecar, Stored::Absent);
        self.sealed = sealed;
        self.content = content;
        (self.with_proof(authentic), older)
    }

    /// Which identity opened it, or the first of its key groups.
    #[must_use]
    pub fn opened_by(&self) -> &OpenedBy {
        &self.opened_by
    }

    /// Which identities opened the other key groups of a file that needs several.
    #[must_use]
    pub fn also_opened_by(&self) -> &[OpenedBy] {
        &self.also_opened_by
    }

    /// The metadata.
    #[must_use]
    pub fn metadata(&self) -> &Metadata {
        &self.sealed.metadata
    }

    /// The labels of all recipients.
    #[must_use]
    pub fn recipients(&self) -> Vec<String> {
        self.sealed.recipients()
    }

    /// `lastmodified`, as it stands in the file.
    #[must_use]
    pub fn lastmodified(&self) -> &str {
        self.sealed.lastmodified()
    }

    /// What stands at a path of the first part.
    #[must_use]
    pub fn shape(&self, path: &TreePath) -> super::Shape {
        self.sealed.shape(path)
    }

    /// The leaf at a path of the first part.
    #[must_use]
    pub fn leaf(&self, path: &TreePath) -> Option<Leaf<'_>> {
        let at = self.sealed.entry_at(path)?;
        let opened = self.content.leaves.get(at)?.as_ref()?;
        let entry = self.sealed.index.entries.get(at)?;
        Some(Leaf {
            kind: opened.kind,
            bytes: self.content.bytes(opened),
            assurance: Assurance::of(entry, self.sealed.metadata.coverage),
        })
    }

    /// The leaf at a path of the first part as the plaintext document writes it: a number, boolean or time as its
    /// token, a string as its bytes.
    #[must_use]
    pub fn expose_token(&self, path: &TreePath) -> Option<Secret> {
        let at = self.sealed.entry_at(path)?;
        let opened = self.content.leaves.get(at)?.as_ref()?;
        let document = &self.sealed.document;
        let scalar = self.sealed.index.entries.get(at)?.leaf(document)?;
        let spelling = self.content.bytes(opened);
        if matches!(opened.kind, Kind::Str | Kind::Bytes) {
            return Some(Secret::from_slice(spelling));
        }
        if !opened.sealed && scalar.style() == Style::Plain {
            return Some(Secret::from_slice(document.source().slice(scalar.span)));
        }
        let value = Value::parse(opened.kind, spelling).ok()?;
        let value = NewScalar::Value {
            value: &value,
            spelling,
        };
        let edits = document.rewrite_scalar(scalar, &value);
        // One edit holds the token; another may take away the tag that it had while it was sealed.
        let token = edits.into_iter().find(|edit| !edit.text.is_empty());
        token.map(|edit| edit.text)
    }

    /// The whole plaintext document, as its author wrote it where that is known, else in the layout of the sealed one, and
    /// what was noticed on the way.
    ///
    /// # Errors
    /// [`SealError::Open`] for a comment that opens nowhere; [`SealError::Check`] if the text does not read back as the
    /// values that were opened.
    pub fn expose_document(&self) -> Result<(Secret, Vec<Note>), SealError> {
        if self.sealed.format() == Format::Binary {
            return Ok((self.binary_content()?, Vec::new()));
        }
        let (plain, mut notes) = self.plain_document()?;
        let text = match &self.sidecar {
            Stored::Absent => plain.into_text(),
            Stored::Refused => {
                notes.push(self.layout_lost());
                plain.into_text()
            }
            Stored::Opened(sidecar) => {
                let respelled = self.respell(plain, sidecar)?;
                notes.extend(respelled.misfit.map(|line| Note::LayoutLost { line }));
                respelled.text
            }
        };
        Ok((text, notes))
    }

    /// As [`OpenFile::expose_document`], for a file that is not needed afterwards: where it can be, it is let go before
    /// the plaintext is read back, so that a large one takes less memory.
    ///
    /// # Errors
    /// As [`OpenFile::expose_document`].
    pub fn into_exposed_document(self) -> Result<(Secret, Vec<Note>), SealError> {
        let is_needed = matches!(self.sidecar, Stored::Opened(_));
        if is_needed || self.sealed.format() == Format::Binary {
            return self.expose_document();
        }
        let lost = matches!(self.sidecar, Stored::Refused).then(|| self.layout_lost());
        let plain = self.plain_text()?;
        drop(self);
        let (document, mut notes) = plain.check()?;
        notes.extend(lost);
        Ok((document.into_text(), notes))
    }

    fn layout_lost(&self) -> Note {
        let line = self.metadata_line();
        Note::LayoutLost { line }
    }

    pub(super) fn metadata_line(&self) -> usize {
        let document = &self.sealed.document;
        let part = document.parts().first();
        let entry = part.and_then(|part| document.metadata_entry(part));
        entry.map_or(1, |(_, entry)| document.line(entry.key))
    }

    /// The plaintext in the layout of the sealed document, proved to hold the values that were opened.
    pub(super) fn plain_document(&self) -> Result<(Document, Vec<Note>), SealError> {
        self.plain_text()?.check()
    }

    /// The plaintext, which nobody has read back yet.
    fn plain_text(&self) -> Result<PlainText, SealError> {
        let document = &self.sealed.document;
        let selection = self.sealed.metadata.selection.clone();
        let format = document.format();
        let (mut edits, notes) = self.comment_edits()?;
        // In INI it depends on the comment behind a value which quotes can stand around it: comments come first there.
        let commented = match format {
            Format::Ini => {
                let text = document.source().splice(std::mem::take(&mut edits))?;
                Some(Document::parse(Format::Ini, text)?)
            }
            _ => None,
        };
        let moved = commented.as_ref().map(convert::scalars).transpose()?;
        let mut moved = moved.into_iter().flatten();
        let document = commented.as_ref().unwrap_or(document);
        let cuts = plain_cuts(document, &edits);
        let has_metadata = cuts.is_none();
        edits.extend(cuts.into_iter().flatten());
        // An envelope is some four times as long as a short value.
        let room = document.source().bytes().len() / 3;
        let mut splicer = document.source().splicer(edits, room);
        for (entry, opened) in self.sealed.index.entries.iter().zip(&self.content.leaves) {
            let Some(scalar) = entry.leaf(&self.sealed.document) else {
                continue;
            };
            let moved = moved.next();
            let scalar = moved.as_ref().unwrap_or(scalar);
            let Some(opened) = opened else {
                continue;
            };
            if !opened.sealed || entry.alias.is_some() {
                continue;
            }
            let spelling = self.content.bytes(opened);
            let value = Value::parse(opened.kind, spelling)
                .map_err(|error| self.leaf_error(scalar, error.into()))?;
            let new = NewScalar::Value {
                value: &value,
                spelling,
            };
            document
                .can_hold(scalar, &value)
                .map_err(|source| SealError::Unwritable {
                    place: index::place(&self.sealed.document, &self.sealed.index, entry),
                    source,
                })?;
            for edit in document.rewrite_scalar(scalar, &new) {
                splicer.push(edit)?;
            }
        }
        Ok(PlainText {
            text: splicer.finish()?,
            format,
            selection,
            has_metadata,
            expected: self.expected()?,
            notes,
        })
    }

    /// The values that the plaintext must hold, each at its place.
    fn expected(&self) -> Result<Sequence, SealError> {
        let document = &self.sealed.document;
        let mut expected = Sequence::default();
        for (entry, opened) in self.sealed.index.entries.iter().zip(&self.content.leaves) {
            let What::Leaf(_) = entry.what else { continue };
            let aad = self.sealed.index.aad(document, entry);
            let Some(opened) = opened else {
                expected.null(&aad);
                continue;
            };
            let value = Value::parse(opened.kind, self.content.bytes(opened))
                .map_err(|_| SealError::Check("a value changed its type"))?;
            if document.has_types() {
                expected.clear(&value, &aad);
            } else {
                // EXPOSE: to a digest that is only compared.
                expected.placed((Kind::Str, text_of(&value).expose()), &aad);
            }
        }
        Ok(expected)
    }

    /// The content of a binary file: what stands under `data`.
    fn binary_content(&self) -> Result<Secret, SealError> {
        let path = TreePath::from_segments(vec![Segment::Key(DATA_KEY.into())]);
        match self.leaf(&path) {
            // EXPOSE: into the wiping buffer that is handed out.
            Some(leaf) if leaf.kind == Kind::Str => Ok(Secret::from_slice(leaf.bytes)),
            _ => Err(SealError::NotBinary),
        }
    }

    fn leaf_error(&self, scalar: &Scalar, source: LeafError) -> SealError {
        let place = Location::line(self.sealed.document.line(scalar.span));
        OpenError::Leaf { place, source }.into()
    }

    /// The edits that give back every sealed comment as text.
    fn comment_edits(&self) -> Result<(Vec<Edit>, Vec<Note>), SealError> {
        let document = &self.sealed.document;
        let (mut edits, mut notes) = (Vec::new(), Vec::new());
        let emptied = emptied_lists(document, &self.sealed.index);
        let mut dropped = HashSet::new();
        for (at, entry) in self.sealed.index.entries.iter().enumerate() {
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
        let Some(entry) = self.sealed.index.entries.get(at) else {
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
        let line = index::line(document, entry);
        if !Envelope::is_one(&text) {
            notes.push(Note::ClearComment { line });
            return Ok(None);
        }
        let Some((opened, moved)) = self.open_comment(at, &text) else {
            // As an item of a list, it would be a value.
            let is_comment = matches!(entry.what, What::Comment(_));
            if is_comment && self.closed_comments == ClosedComments::AreKept {
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

    fn item_text(&self, scalar: &Scalar) -> Result<Vec<u8>, SealError> {
        match self.sealed.document.resolve(scalar) {
            // EXPOSE: an envelope, not plaintext.
            Ok(Resolved::Value(Value::Str(text))) => Ok(text.expose().to_vec()),
            _ => Err(self.leaf_error(scalar, LeafError::NotAuthentic)),
        }
    }

    /// Opens a comment at its place, or else at another place of the file, nearest first: sops itself prints comments
    /// where its own reader then attaches them to another map (yaml.md 5.3).
    pub(crate) fn open_comment(&self, at: usize, text: &[u8]) -> Option<(Secret, bool)> {
        let entries = &self.sealed.index.entries;
        // Sealed as a value, it would be one that somebody put where it is read as a comment.
        let envelope = Envelope::parse(text)
            .ok()
            .filter(|envelope| envelope.kind() == Kind::Comment)?;
        let document = &self.sealed.document;
        let own = self.sealed.index.aad(document, entries.get(at)?);
        if let Some(opened) = self.open_text(&envelope, &own) {
            return Some((opened, false));
        }
        let mut tried = vec![own];
        let reach = entries.len().min(MOVED_COMMENT_REACH);
        let nearest = (1..reach)
            .flat_map(|step| [at.checked_sub(step), at.checked_add(step)])
            .flatten();
        for entry in nearest.filter_map(|near| entries.get(near)) {
            for place in containers(&self.sealed.index.aad(document, entry)) {
                if tried.iter().any(|known| known == place) {
                    continue;
                }
                if let Some(opened) = self.open_text(&envelope, place) {
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

    fn open_text(&self, envelope: &Envelope<'_>, aad: &str) -> Option<Secret> {
        let mut arena = Arena::with_capacity(envelope.data_len_estimate());
        let len = self.cipher.open(envelope, aad, &mut arena).ok()?;
        Some(Secret::from_slice(arena.slice(0, len)))
    }
}

/// A plaintext document that has to be read back before it is given out.
struct PlainText {
    text: Secret,
    format: Format,
    selection: Selection,
    /// The block is still in it: it is cut from text in which every token has its final size.
    has_metadata: bool,
    /// What it must hold.
    expected: Sequence,
    notes: Vec<Note>,
}

impl PlainText {
    /// Reads the text back, and gives it out if it holds the values that were opened.
    fn check(self) -> Result<(Document, Vec<Note>), SealError> {
        let mut plain = self.text;
        if self.has_metadata {
            let clear = Document::parse(self.format, plain)?;
            let cuts = clear.remove_metadata();
            plain = clear.into_spliced(cuts)?;
        }
        let document = Document::parse_plaintext(self.format, plain)?;
        let index = Index::of(&document, &self.selection, State::Clear)?;
        let mut found = Sequence::default();
        for entry in &index.entries {
            let Some(scalar) = entry.leaf(&document) else {
                continue;
            };
            let aad = index.aad(&document, entry);
            match document.resolve(scalar) {
                Ok(Resolved::Null) => found.null(&aad),
                Ok(Resolved::Value(value)) => found.clear(&value, &aad),
                Err(_) => return Err(SealError::Check("a value changed its type")),
            }
        }
        if !found.is(self.expected) {
            return Err(SealError::Check("a value or its place changed"));
        }
        Ok((document, self.notes))
    }
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

/// The edits that take the metadata out, where they do no more than cut lines out of a file that goes on to a line break:
/// then they do not depend on the values before them, and reading the whole text once more is saved.
fn plain_cuts(document: &Document, others: &[Edit]) -> Option<Vec<Edit>> {
    let is_yaml = document.format() == Format::Yaml;
    if !is_yaml || !document.source().bytes().ends_with(b"\n") {
        return None;
    }
    let cuts = document.remove_metadata();
    let mut others: Vec<Span> = others.iter().map(|edit| edit.span).collect();
    others.sort();
    let is_free = |cut: &Edit| {
        let next = others.partition_point(|other| other.end() <= cut.span.start());
        let is_apart = others
            .get(next)
            .is_none_or(|other| cut.span.end() <= other.start());
        cut.text.is_empty() && is_apart
    };
    cuts.iter().all(is_free).then_some(cuts)
}

/// The first items of lists that hold nothing but sealed comments, and what stands for the list once these are comments
/// again: sops seals `[] # c` to such a list.
fn emptied_lists(document: &Document, index: &Index) -> HashMap<NodeId, &'static [u8]> {
    let comments: HashSet<NodeId> = index
        .entries
        .iter()
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
    collection.items.iter().filter_map(|item| match item {
        Item::Comment(_) => None,
        Item::Element(id) => Some(*id),
        Item::Entry(entry) => Some(entry.value),
    })
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

/// One opened leaf.
#[derive(Debug)]
pub struct Leaf<'a> {
    kind: Kind,
    bytes: &'a [u8],
    assurance: Assurance,
}

impl<'a> Leaf<'a> {
    /// Its type.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// How well it is protected.
    #[must_use]
    pub fn assurance(&self) -> Assurance {
        self.assurance
    }

    /// Lets the value out: a string as its bytes, another type as it is spelled.
    #[must_use]
    pub fn expose(&self) -> &'a [u8] {
        self.bytes
    }
}

/// Something noticed that is no error.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Note {
    /// A comment where a sealed one is due is in the clear; it is kept.
    ClearComment {
        /// Its line.
        line: usize,
    },
    /// A sealed comment opens nowhere in the file; it is kept as it is. Only in a file whose MAC was not asked for.
    ClosedComment {
        /// Its line.
        line: usize,
    },
    /// What the file says about how its values were written does not fit it, here first; that is left out.
    LayoutLost {
        /// Its line.
        line: usize,
    },
    /// A comment was sealed under another place of the file.
    MovedComment {
        /// Its line.
        line: usize,
    },
}
