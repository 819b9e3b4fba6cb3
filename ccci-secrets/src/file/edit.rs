//! Changing an opened file: every untouched leaf keeps its envelope, every untouched byte stays.

use std::collections::{HashMap, HashSet};

use super::index::{Index, State, What};
use super::open::{Content, open_leaves};
use super::seal::{Block, OldLeaf, Reuse, Sealer, Shown, first_line, refresh_block, timestamp};
use super::sidecar::{self, Stored};
use super::unchanged::{check_opens, leaves_at, subtree};
use super::unproved::NoProof;
use super::{DraftFile, FileError, OpenFile, SealError, SealedFile, find};
use crate::document::binary::DATA_KEY;
use crate::document::plain_text::text_of;
use crate::document::{
    Document, Edit, Format, Item, NewNode, NewScalar, Node, NodeId, Resolved, Scalar, SetError,
    Span, Style,
};
use crate::envelope::Envelope;
use crate::leaf::{LeafCipher, sealed_spelling};
use crate::mac::{Authentic, Mac};
use crate::metadata::{Metadata, WRITTEN_VERSION, mac_aad, plain_tree};
use crate::path::{Segment, TreePath};
use crate::secret::Secret;
use crate::value::{Kind, Value};

/// A file after a change. Its only way out is [`EditedFile::seal`]: nothing claims the old proof any more.
#[derive(Debug)]
pub struct EditedFile {
    pub(super) base: OpenFile<NoProof>,
    pub(super) change: Change,
}

#[derive(Debug)]
pub(super) enum Change {
    /// New plaintext for the whole document.
    Document(Document),
    /// The sealed text with new content in it, and where that content lies.
    Spliced {
        document: Document,
        fresh: Vec<Span>,
        /// How many leaves of the old text it takes the place of.
        replaced: usize,
    },
}

impl<Proof> OpenFile<Proof> {
    /// Sets what stands at a path of the first part: replaces it, or inserts it (yaml.md 5.4).
    ///
    /// # Errors
    /// [`SealError::Set`] when the path cannot lead anywhere.
    pub fn set(self, path: &TreePath, new: &NewNode) -> Result<EditedFile, SealError> {
        let document = &self.sealed.document;
        if document.format() == Format::Binary {
            return self.set_content(path, new);
        }
        let written_out = without_aliases_of(document, path)?;
        let document = written_out.as_ref().unwrap_or(document);
        let edits = document.set(path, new)?;
        let fresh = spans_after(&edits);
        let text = document.source().splice(edits)?;
        let document = Document::parse(document.format(), text)?;
        let replaced = leaves_at(&self.sealed, path);
        Ok(EditedFile {
            base: self.without_proof(),
            change: Change::Spliced {
                document,
                fresh,
                replaced,
            },
        })
    }

    /// The content of a binary file may be bytes that its JSON could not hold in the clear.
    fn set_content(self, path: &TreePath, new: &NewNode) -> Result<EditedFile, SealError> {
        let is_content =
            |segment: &Segment| matches!(segment, Segment::Key(key) if key == DATA_KEY);
        match (path.segments(), new) {
            ([segment], NewNode::Value(value)) if is_content(segment) => {
                // EXPOSE: into a wiping copy that is sealed.
                self.edit(Secret::from_slice(text_of(value).expose()))
            }
            ([], _) => Err(SetError::Root.into()),
            ([Segment::Key(key)], NewNode::Value(_)) => Err(SetError::BadKey {
                key: key.clone(),
                format: Format::Binary,
            }
            .into()),
            _ => Err(SetError::NoContainers {
                path: path.to_string(),
                format: Format::Binary,
            }
            .into()),
        }
    }

    /// Takes new plaintext for the whole document, as an editor leaves it.
    ///
    /// # Errors
    /// [`SealError::File`] when it does not parse, or holds a top-level `sops` entry.
    pub fn edit(self, plaintext: Secret) -> Result<EditedFile, SealError> {
        let draft = DraftFile::parse(self.sealed.format(), plaintext)?;
        Ok(EditedFile::over(self, draft.document))
    }

    /// Whether a value equal to `new`, type included, stands at `path` already.
    #[must_use]
    pub fn holds(&self, path: &TreePath, new: &NewNode) -> bool {
        find(&self.sealed.document, path).is_some_and(|id| self.equals(id, new, 0))
    }

    fn equals(&self, id: NodeId, new: &NewNode, depth: usize) -> bool {
        let document = &self.sealed.document;
        if depth > crate::document::MAX_NEW_DEPTH {
            return false;
        }
        let (target, node) = document.target(id);
        match (node, new) {
            (Node::Scalar(scalar), NewNode::Null) => {
                matches!(document.resolve(scalar), Ok(Resolved::Null))
            }
            (Node::Scalar(_), NewNode::Value(value)) => {
                let is_leaf =
                    |entry: &super::Entry| matches!(entry.what, What::Leaf(node) if node == target);
                let at = self.sealed.index.entries.iter().position(is_leaf);
                let opened = at.and_then(|at| self.content.leaves.get(at)?.as_ref());
                opened.is_some_and(|opened| {
                    Value::parse(opened.kind, self.content.bytes(opened))
                        .is_ok_and(|old| old.same_as(value))
                })
            }
            (Node::Map(map), NewNode::Map(fields)) => {
                let old: Vec<_> = map
                    .items
                    .iter()
                    .filter_map(|item| {
                        if let Item::Entry(entry) = item {
                            Some(entry)
                        } else {
                            None
                        }
                    })
                    .collect();
                old.len() == fields.len()
                    && old.iter().zip(fields).all(|(entry, (key, value))| {
                        document.key(entry) == key && self.equals(entry.value, value, depth + 1)
                    })
            }
            (Node::List(list), NewNode::List(items)) => {
                let old: Vec<_> = list
                    .items
                    .iter()
                    .filter_map(|item| {
                        if let Item::Element(value) = item {
                            Some(*value)
                        } else {
                            None
                        }
                    })
                    .collect();
                old.len() == items.len()
                    && old
                        .iter()
                        .zip(items)
                        .all(|(value, new)| self.equals(*value, new, depth + 1))
            }
            _ => false,
        }
    }
}

/// The document with every alias written out that repeats what stands at `path`, or what that is a part of: the change
/// is meant for one place. `None` where there is none.
pub(super) fn without_aliases_of(
    document: &Document,
    path: &TreePath,
) -> Result<Option<Document>, SealError> {
    let is_alias = |node: &Node| matches!(node, Node::Alias(_));
    if !document.nodes.iter().any(is_alias) {
        return Ok(None);
    }
    let segments = path.segments();
    let on_the_way = (0..=segments.len()).map_while(|len| {
        find(
            document,
            &TreePath::from_segments(segments.get(..len)?.to_vec()),
        )
    });
    let mut changed: HashSet<NodeId> = on_the_way.collect();
    if let Some(replaced) = find(document, path) {
        changed.extend(subtree(document, replaced));
    }
    let repeats = |id: NodeId| matches!(document.node(id), Node::Alias(alias) if changed.contains(&alias.target));
    let edits = document.expand_aliases(&repeats)?;
    if edits.is_empty() {
        return Ok(None);
    }
    let text = document.source().splice(edits)?;
    Ok(Some(Document::parse(document.format(), text)?))
}

impl EditedFile {
    /// New plaintext for the whole of a file.
    pub(super) fn over<Proof>(base: OpenFile<Proof>, document: Document) -> Self {
        Self {
            base: base.without_proof(),
            change: Change::Document(document),
        }
    }

    /// Seals the change under the file's own data key, keys and rule. Unchanged leaves give back their very envelopes,
    /// and a file in which nothing changes is given back as it was, with its old MAC and time.
    ///
    /// # Errors
    /// [`SealError`]; nothing was written.
    pub fn seal(self, now: jiff::Timestamp) -> Result<SealedFile, SealError> {
        match self.change {
            Change::Document(document) => {
                seal_document(self.base, document, &timestamp(now)).map(|resealed| resealed.file)
            }
            Change::Spliced {
                document,
                fresh,
                replaced,
            } => {
                let time = timestamp(now);
                seal_spliced(self.base, document, &fresh, replaced, &time)
            }
        }
    }
}

/// A file that was sealed over an older version of it.
pub(super) struct Resealed {
    pub(super) file: SealedFile,
    /// How many of its values and comments have a new envelope, and one more if something else is known about its layout.
    pub(super) fresh: usize,
}

pub(super) fn seal_document(
    base: OpenFile<NoProof>,
    document: Document,
    lastmodified: &str,
) -> Result<Resealed, SealError> {
    let reuse = reuse_of(&base)?;
    let old = &base.sealed.document;
    let part = old.parts().first().ok_or(SealError::Check("no document"))?;
    let (_, entry) = old
        .metadata_entry(part)
        .ok_or(SealError::Check("no metadata"))?;
    let node = plain_tree(old, entry.value).map_err(FileError::from)?;
    let block = |part| old.metadata_span(part).map(|span| old.source().slice(span));
    let texts: Vec<Option<&[u8]>> = old.parts().iter().map(block).collect();
    let mut sealer = Sealer {
        cipher: base.cipher,
        selection: &base.sealed.metadata.selection,
        coverage: base.sealed.metadata.coverage,
        reuse,
    };
    let metadata = &base.sealed.metadata;
    let body = sealer.seal_values(document)?;
    let values = sealer.cipher.sealed();
    let version = metadata.version.as_deref();
    let version = version
        .filter(|version| is_older(version))
        .map(|_| WRITTEN_VERSION);
    let kept = Stamp::kept(metadata, &body.mac, &sealer.cipher);
    let fresh = Stamp::fresh(&body.mac, &mut sealer.cipher, lastmodified, version)?;
    let stamp = kept.as_ref().unwrap_or(&fresh);
    let is_known = base.sidecar.holds(&body.sidecar);
    let sidecar = match &metadata.layout {
        // The MAC is that of the same values.
        Some(old) if is_known && kept.is_some() => Some(old.clone()),
        _ => body.sidecar.seal(&mut sealer.cipher, &body.mac)?,
    };
    let before_comments = sealer.cipher.sealed();
    let file = sealer.finish(
        body,
        &Block::Kept {
            texts: &texts,
            node: &node,
            mac: &stamp.mac,
            lastmodified: &stamp.lastmodified,
            version: stamp.version,
        },
        sidecar.as_deref(),
    )?;
    let comments = sealer.cipher.sealed() - before_comments;
    let count = values + comments + usize::from(!is_known);
    if kept.is_none() || file.text() == old.source().bytes() {
        return Ok(Resealed { file, fresh: count });
    }
    // The values are those of before, and the text is not: comments or layout changed.
    let Stamp {
        mac,
        lastmodified,
        version,
    } = &fresh;
    let document = refresh_block(file.into_document(), mac, lastmodified, *version)?;
    Ok(Resealed {
        file: SealedFile::parse(document.format(), document.into_text())?,
        fresh: count,
    })
}

/// What a change leaves in the metadata.
struct Stamp {
    mac: String,
    lastmodified: String,
    version: Option<&'static str>,
}

impl Stamp {
    /// That of the file as it was, if its values are still the same.
    fn kept(metadata: &Metadata, mac: &Mac, cipher: &LeafCipher) -> Option<Self> {
        let stored = metadata.mac.clone()?;
        let aad = metadata.mac_aad()?;
        mac.verify(cipher, Some(stored.as_bytes()), &aad).ok()?;
        Some(Self {
            mac: stored,
            lastmodified: metadata.lastmodified.clone(),
            version: None,
        })
    }

    fn fresh(
        mac: &Mac,
        cipher: &mut LeafCipher,
        lastmodified: &str,
        version: Option<&'static str>,
    ) -> Result<Self, SealError> {
        let aad = mac_aad(lastmodified).ok_or(SealError::Check("the time is not RFC 3339"))?;
        Ok(Self {
            mac: mac.seal(cipher, &aad)?,
            lastmodified: lastmodified.to_owned(),
            version,
        })
    }
}

/// Whether sops would raise this version when it edits the file.
fn is_older(version: &str) -> bool {
    let numbers = |text: &str| -> Vec<u64> {
        text.trim_start_matches('v')
            .split('.')
            .map_while(|part| part.parse().ok())
            .collect()
    };
    numbers(version) < numbers(WRITTEN_VERSION)
}

/// What every sealed leaf and comment of the old version held, by place and order.
fn reuse_of(base: &OpenFile<NoProof>) -> Result<Reuse, SealError> {
    let mut reuse = Reuse::default();
    let mut counts: HashMap<(String, bool), usize> = HashMap::new();
    let document = &base.sealed.document;
    for (at, (entry, opened)) in base
        .sealed
        .index
        .entries
        .iter()
        .zip(&base.content.leaves)
        .enumerate()
    {
        if !entry.selected || entry.alias.is_some() {
            continue;
        }
        let old = match (entry.what, opened) {
            (What::Leaf(node), Some(opened)) if opened.sealed => {
                let Some(scalar) = super::index::scalar(document, node) else {
                    continue;
                };
                match old_leaf(document, scalar, opened.kind, base.content.bytes(opened)) {
                    Some(old) => old,
                    None => continue,
                }
            }
            (What::Comment(comment), _) => {
                let text = document.comment_text(&comment);
                // EXPOSE: an envelope.
                let text = text.expose();
                match base.open_comment(at, text) {
                    Some((plain, false)) => OldLeaf {
                        kind: Kind::Comment,
                        plain,
                        spelled: None,
                        envelope: String::from_utf8_lossy(first_line(text)).into_owned(),
                        shown: None,
                    },
                    _ => continue,
                }
            }
            _ => continue,
        };
        // Only what prints back to itself is reused: an envelope with junk behind it, or an odd nonce, is not.
        let whole = Envelope::parse(old.envelope.as_bytes()).is_ok_and(|envelope| {
            envelope
                .nonce()
                .is_ok_and(|nonce| nonce.len() == crate::crypto::NONCE_LEN)
        });
        let is_comment = old.kind == Kind::Comment;
        let aad = base.sealed.index.aad(document, entry);
        let nth = counts.entry((aad.clone(), is_comment)).or_default();
        if whole && old.envelope.ends_with(']') {
            reuse
                .places
                .insert((aad, *nth, is_comment), reuse.old.len());
            reuse.old.push(old);
        }
        *nth += 1;
    }
    Ok(reuse)
}

/// A sealed leaf, as it was sealed and as the plaintext document spells it.
fn old_leaf(document: &Document, scalar: &Scalar, kind: Kind, spelling: &[u8]) -> Option<OldLeaf> {
    let Ok(Resolved::Value(Value::Str(text))) = document.resolve(scalar) else {
        return None;
    };
    let value = Value::parse(kind, spelling).ok()?;
    let written = document.rewrite_scalar(
        scalar,
        &NewScalar::Value {
            value: &value,
            spelling,
        },
    );
    let token = written.iter().find(|edit| !edit.text.is_empty());
    // EXPOSE: into the wiping copy that the new plaintext is compared with.
    let token = token.map_or(spelling, |edit| edit.text.expose());
    let spelled = sealed_spelling(&value, token);
    let spelled = (spelled.expose() != spelling).then(|| Secret::from_slice(spelled.expose()));
    let shown = (scalar.style() == Style::Plain).then(|| Shown::of_token(token));
    // EXPOSE: an envelope.
    let envelope = String::from_utf8_lossy(text.expose()).into_owned();
    Some(OldLeaf {
        kind,
        plain: Secret::from_slice(spelling),
        spelled,
        envelope,
        shown,
    })
}

/// Seals the fresh leaves of a spliced text, then gives it a new MAC.
fn seal_spliced(
    mut base: OpenFile<NoProof>,
    document: Document,
    fresh: &[Span],
    replaced: usize,
    lastmodified: &str,
) -> Result<SealedFile, SealError> {
    let selection = &base.sealed.metadata.selection;
    let index = Index::of(&document, selection, State::Sealed)?;
    let mut edits = Vec::new();
    for entry in index
        .entries
        .iter()
        .filter(|entry| entry.selected && entry.alias.is_none())
    {
        let Some(scalar) = entry.leaf(&document).filter(|leaf| is_fresh(leaf, fresh)) else {
            continue;
        };
        let Resolved::Value(value) =
            document
                .resolve(scalar)
                .map_err(|source| FileError::Scalar {
                    place: super::index::place(&document, &index, entry),
                    source,
                })?
        else {
            continue;
        };
        let plain = sealed_spelling(&value, document.source().slice(scalar.span));
        // EXPOSE: to the cipher.
        if plain.expose().is_empty() {
            continue;
        }
        let aad = index.aad(&document, entry);
        let envelope = base.cipher.seal(value.kind(), plain.expose(), &aad)?;
        edits.extend(document.rewrite_scalar(scalar, &NewScalar::Envelope(&envelope)));
    }
    let format = document.format();
    drop(index);
    let text = document.into_spliced(edits)?;
    let spliced = SealedFile::parse(format, text)?;
    let mac = open_leaves(&spliced, &base.cipher)?.1;
    let aad = mac_aad(lastmodified).ok_or(SealError::Check("the time is not RFC 3339"))?;
    let stamp = mac.seal(&mut base.cipher, &aad)?;
    let refreshed = refresh_block(spliced.into_document(), &stamp, lastmodified, None)?;
    let resealed = reseal_moved_comments(&mut base, refreshed)?;
    let sealed = SealedFile::parse(format, resealed.into_text())?;
    let opened = check_opens(&base, &sealed, replaced)?;
    if sealed.metadata.layout.is_none() {
        return Ok(sealed);
    }
    renew_sidecar(base, sealed, opened, &mac)
}

/// Binds the sidecar to the new MAC, without what no longer fits.
fn renew_sidecar(
    base: OpenFile<NoProof>,
    sealed: SealedFile,
    (content, authentic): (Content, Authentic),
    mac: &Mac,
) -> Result<SealedFile, SealError> {
    let (mut file, old) = base.succeeded_by(sealed, content, authentic);
    let sidecar = match old {
        Stored::Opened(old) => file.fitting(old).seal(&mut file.cipher, mac)?,
        Stored::Absent | Stored::Refused => None,
    };
    let document = file.sealed.into_document();
    let format = document.format();
    let placed = sidecar::place(document, sidecar.as_deref());
    Ok(SealedFile::parse(format, placed.into_text())?)
}

/// A comment whose place changed through the edit is sealed anew under its new one.
fn reseal_moved_comments(
    base: &mut OpenFile<NoProof>,
    document: Document,
) -> Result<Document, SealError> {
    let index = Index::of(&document, &base.sealed.metadata.selection, State::Sealed)?;
    let mut old: HashMap<Vec<u8>, usize> = HashMap::new();
    for (at, entry) in base.sealed.index.entries.iter().enumerate() {
        if let What::Comment(comment) = entry.what {
            // EXPOSE: envelopes, to find them again.
            let text = base.sealed.document.comment_text(&comment);
            old.insert(text.expose().to_vec(), at);
        }
    }
    let mut moved = Vec::new();
    for entry in &index.entries {
        let What::Comment(comment) = entry.what else {
            continue;
        };
        let text = document.comment_text(&comment);
        // EXPOSE: an envelope.
        let text = text.expose();
        let Some(&at) = old.get(text) else { continue };
        let old_index = &base.sealed.index;
        let before = old_index
            .entries
            .get(at)
            .map(|entry| old_index.aad(&base.sealed.document, entry));
        let aad = index.aad(&document, entry);
        let was_sealed = old_index.entries.get(at).is_some_and(|old| old.selected);
        if !was_sealed || !Envelope::is_one(text) || entry.selected && before.as_ref() == Some(&aad)
        {
            continue;
        }
        if !entry.selected {
            return Err(SealError::CommentMoves {
                place: super::index::place(&document, &index, entry),
            });
        }
        if let Some((plain, _)) = base.open_comment(at, text) {
            moved.push((comment, plain, aad));
        }
    }
    let mut edits: Vec<Edit> = Vec::new();
    for (comment, plain, aad) in moved {
        // EXPOSE: to the cipher.
        let envelope = base.cipher.seal(Kind::Comment, plain.expose(), &aad)?;
        edits.extend(document.seal_comment(&comment, &envelope));
    }
    if edits.is_empty() {
        return Ok(document);
    }
    drop(index);
    let format = document.format();
    Ok(Document::parse(format, document.into_spliced(edits)?)?)
}

/// Whether new text is part of a scalar. The header of a block scalar does not count: it changes, too, when only the
/// lines behind the scalar do.
fn is_fresh(scalar: &Scalar, fresh: &[Span]) -> bool {
    let span = match scalar.style() {
        Style::Literal(block) | Style::Folded(block) => {
            Span::new(block.body.start(), scalar.span.end())
        }
        Style::DoubleQuoted | Style::Plain | Style::SingleQuoted => scalar.span,
    };
    fresh
        .iter()
        .any(|new| new.start().max(span.start()) < new.end().min(span.end()))
}

/// Where the texts of edits lie once they are applied.
pub(super) fn spans_after(edits: &[Edit]) -> Vec<Span> {
    let mut order: Vec<&Edit> = edits.iter().collect();
    order.sort_by_key(|edit| (edit.span.start(), edit.span.end()));
    let (mut added, mut removed) = (0, 0);
    let mut spans = Vec::new();
    for edit in order {
        let start = edit.span.start() + added - removed;
        spans.push(Span::new(start, start + edit.text.len()));
        added += edit.text.len();
        removed += edit.span.len();
    }
    spans
}
