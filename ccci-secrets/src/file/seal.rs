//! Sealing: plaintext and a policy to a sealed file, checked before anybody can write it.

use std::collections::HashSet;

use super::envelopes::{Envelopes, Reuse};
use super::index::{self, Entries, Index, State, What};
use super::older::OldBlock;
use super::sequence::Sequence;
use super::sidecar::{self, Candidates, Copies, Sidecar};
use super::spliced::spans_after;
use super::{FileError, SealError, SealedFile};
use crate::config::{Policy, PolicyKey};
use crate::crypto::{Cipher, DataKey};
use crate::document::{
    Comment, Document, Edit, Format, NewNode, NewScalar, Node, NodeId, ParseError, Resolved, Scalar,
};
use crate::error::Location;
use crate::key;
use crate::key::group::{self, WrappedGroups};
use crate::leaf::{LeafCipher, sealed_spelling};
use crate::mac::{Coverage, MacStream};
use crate::metadata::{self, Metadata, WRITTEN_VERSION};
use crate::secret::Secret;
use crate::selection::Selection;
use crate::value::{Kind, Value};

/// Seals a new file under a fresh data key.
pub(crate) fn seal_draft(
    document: Document,
    policy: &Policy,
    now: jiff::Timestamp,
) -> Result<SealedFile, SealError> {
    let key = DataKey::make_random()?;
    let format = document.format();
    let metadata = new_metadata(format, policy, &key, now)?;
    let selection = metadata.selection.clone();
    let mut sealer = Sealer {
        cipher: LeafCipher::new(Cipher::new(key)),
        selection: &selection,
        coverage: metadata.coverage,
        reuse: Reuse::default(),
    };
    let body = sealer.seal_values(document)?;
    let mac_aad = metadata
        .mac_aad()
        .ok_or(SealError::Check("the time is not RFC 3339"))?;
    let mac = body.mac.seal(&mut sealer.cipher, &mac_aad)?;
    let sidecar = body.sidecar.seal(&mut sealer.cipher, &body.mac)?;
    let block = metadata::print(
        Metadata {
            mac: Some(mac),
            ..metadata
        },
        format,
    );
    sealer.finish(body, &Block::New(&block), sidecar.as_deref())
}

fn new_metadata(
    format: Format,
    policy: &Policy,
    key: &DataKey,
    now: jiff::Timestamp,
) -> Result<Metadata, SealError> {
    if let Some(unsupported) = policy.unsupported() {
        return Err(SealError::Unsupported(unsupported.to_string()));
    }
    let wrapped = wrap_for(policy, key)?;
    Ok(Metadata {
        groups: wrapped.groups,
        threshold: wrapped.threshold,
        selection: selection_for(policy, format),
        coverage: coverage_for(policy, format),
        lastmodified: timestamp(now),
        mac: None,
        layout: None,
        version: Some(WRITTEN_VERSION.into()),
        extra: Vec::new(),
    })
}

/// A binary file is one value: rules for its parts mean nothing (sops-format.md 11).
fn selection_for(policy: &Policy, format: Format) -> Selection {
    match format {
        Format::Binary => Selection::of_binary(),
        _ => policy.selection.clone(),
    }
}

/// What the MAC of a new file covers.
pub(super) fn coverage_for(policy: &Policy, format: Format) -> Coverage {
    if policy.mac_only_encrypted && format != Format::Binary {
        Coverage::OnlySealed
    } else {
        Coverage::All
    }
}

/// Wraps the data key, or its shares, for every key of a policy.
fn wrap_for(policy: &Policy, key: &DataKey) -> Result<WrappedGroups, SealError> {
    let parse = |key: &PolicyKey| key::parse_recipient(&key.text);
    let groups: Vec<Vec<_>> = policy
        .groups
        .iter()
        .map(|group| group.iter().map(parse).collect())
        .collect::<Result<_, _>>()?;
    Ok(group::wrap(key, &groups, policy.threshold)?)
}

/// A time as the metadata holds it: UTC, whole seconds.
pub(crate) fn timestamp(now: jiff::Timestamp) -> String {
    now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// What is needed to seal the leaves of one file.
#[derive(Debug)]
pub(crate) struct Sealer<'a> {
    pub(crate) cipher: LeafCipher,
    pub(crate) selection: &'a Selection,
    pub(crate) coverage: Coverage,
    pub(crate) reuse: Reuse,
}

/// A document whose values are sealed; its comments are not yet, and it has no metadata.
pub(crate) struct SealedValues {
    document: Document,
    /// The leaves as they must read in the result.
    leaves: Sequence,
    pub(crate) mac: crate::mac::Mac,
    /// What would not come back from it.
    pub(super) sidecar: Sidecar,
}

/// Where the metadata block comes from.
pub(crate) enum Block<'a> {
    New(&'a NewNode),
    /// An older block: its very text, as it stood in each part, and its content for the case that the text does not fit
    /// the new place.
    Kept {
        old: &'a OldBlock,
        mac: &'a str,
        lastmodified: &'a str,
        version: Option<&'a str>,
    },
}

impl Sealer<'_> {
    /// Seals every selected value of a plaintext document.
    pub(crate) fn seal_values(&mut self, document: Document) -> Result<SealedValues, SealError> {
        let Expanded {
            document,
            selected,
            mut copies,
        } = expand_aliases(document, self.selection)?;
        let mut candidates = Candidates::default();
        let mut mac = MacStream::new(self.coverage);
        let mut leaves = Sequence::default();
        // Comments and metadata find room in the same text later.
        let room = document.source().bytes().len() + selected * ENVELOPE_LEN + METADATA_LEN;
        let mut splicer = document.source().splicer(Vec::new(), room);
        let mut entries = Entries::of(&document, self.selection, State::Clear);
        let mut numbers = 0..;
        while let Some(entry) = entries.next()? {
            let Some(scalar) = entry.leaf(&document) else {
                continue;
            };
            let number = numbers.next().unwrap_or_default();
            let resolved = document
                .resolve(scalar)
                .map_err(|source| FileError::Scalar {
                    place: entries.place(&entry),
                    source,
                })?;
            let copied = copies.take(number);
            let Resolved::Value(value) = resolved else {
                if let Some(copied) = copied {
                    candidates.alias(number, copied);
                }
                leaves.null(&entries.aad());
                continue;
            };
            let canonical = value.canonical();
            // EXPOSE: to the MAC and the cipher.
            mac.value(canonical.expose(), entry.selected);
            if !entry.selected || canonical.expose().is_empty() {
                if let Some(copied) = copied {
                    candidates.alias(number, copied);
                }
                leaves.clear(&value, &entries.aad());
                // Even an empty binary file gets its JSON.
                if document.format() == Format::Binary {
                    let spelling = &[];
                    let value = &value;
                    let new = NewScalar::Value { value, spelling };
                    for edit in document.rewrite_scalar(scalar, &new) {
                        splicer.push(edit)?;
                    }
                }
                continue;
            }
            let aad = entries.aad();
            let old = self.reuse.values.next_at(&aad);
            let sealed = sealed_spelling(&value, document.source().slice(scalar.span));
            // EXPOSE: to the cipher, and to be compared with what will be opened.
            let (kind, sealed) = (value.kind(), sealed.expose());
            let (envelope, shown) =
                self.reuse
                    .values
                    .seal(old, &mut self.cipher, (kind, sealed), &aad)?;
            let new = match shown {
                Some(shown) if shown.is_of(scalar) => NewScalar::PlainEnvelope(&envelope),
                _ => NewScalar::Envelope(&envelope),
            };
            for edit in document.rewrite_scalar(scalar, &new) {
                splicer.push(edit)?;
            }
            leaves.envelope(envelope.as_bytes());
            candidates.name(number, envelope);
            if let Some(copied) = copied {
                candidates.alias(number, copied);
            } else if !copies.holds(number) {
                candidates.sealed(&document, scalar, (kind, sealed));
            }
        }
        let format = document.format();
        let text = splicer.finish()?;
        drop(document);
        // Only comments are left to be sealed.
        self.reuse.values = Envelopes::default();
        let document = Document::parse(format, text)?;
        Ok(SealedValues {
            sidecar: candidates.lost(&document)?,
            document,
            leaves,
            mac: mac.finish(),
        })
    }

    /// Places the block, seals the comments under the paths they have in that very text, and checks the result.
    pub(crate) fn finish(
        &mut self,
        body: SealedValues,
        block: &Block<'_>,
        sidecar: Option<&str>,
    ) -> Result<SealedFile, SealError> {
        let SealedValues {
            document, leaves, ..
        } = body;
        let document = sidecar::place(place_block(document, block)?, sidecar);
        let format = document.format();
        let (text, comments) = self.seal_comments(document)?;
        let sealed = SealedFile::parse(format, text)?;
        check(&sealed, leaves, comments)?;
        Ok(sealed)
    }

    /// Comments are sealed in the order of the source. Beside their envelopes, no more than one text is held at a time.
    fn seal_comments(&mut self, document: Document) -> Result<(Secret, Sequence), SealError> {
        let index = Index::of(&document, self.selection, State::Clear)?;
        let mut sealed = Sequence::default();
        let found: Vec<_> = comments(&document, &index)
            .map(|(comment, entry)| {
                let old = self.reuse.comments.next_at(&index.aad(&document, &entry));
                (comment, entry.spot(), old)
            })
            .collect();
        let visits = index.into_visits();
        if found.is_empty() {
            return Ok((document.into_text(), sealed));
        }
        let mut edits = Vec::with_capacity(found.len());
        for (comment, spot, old) in in_source_order(found, |found| found.0) {
            let aad = visits.aad(&document, spot);
            let envelope = self.seal_comment(&document, &comment, &aad, old)?;
            sealed.comment(&aad, envelope.as_bytes());
            edits.extend(document.seal_comment(&comment, &envelope));
        }
        drop(visits);
        self.reuse = Reuse::default();
        Ok((document.into_spliced(edits)?, sealed))
    }

    /// Seals a comment; `old` is the number of the envelope that may serve again.
    ///
    /// A sealed comment that matches the rule for clear ones would be taken for one of these when the file is read, and
    /// what follows it, too. A new nonce gives another text.
    fn seal_comment(
        &mut self,
        document: &Document,
        comment: &Comment,
        aad: &str,
        old: Option<usize>,
    ) -> Result<String, SealError> {
        let text = document.comment_text(comment);
        // EXPOSE: to the cipher.
        let text = text.expose();
        let comments = &self.reuse.comments;
        let (mut envelope, _) = comments.seal(old, &mut self.cipher, (Kind::Comment, text), aad)?;
        for _ in 0..COMMENT_ATTEMPTS {
            if !self.selection.leaves_clear(envelope.as_bytes()) {
                return Ok(envelope);
            }
            envelope = self.cipher.seal(Kind::Comment, text, aad)?;
        }
        Err(SealError::CommentRule {
            place: Location::line(document.line(comment.span)),
        })
    }
}

/// What sealing adds to a value: names, nonce and tag.
const ENVELOPE_LEN: usize = 120;

/// What the metadata of most files take.
const METADATA_LEN: usize = 16 << 10;

/// How often a comment is sealed anew before its rule is taken to match every sealed text.
const COMMENT_ATTEMPTS: usize = 16;

/// A document without aliases for what is sealed.
struct Expanded {
    document: Document,
    /// How many leaves and comments are to be sealed.
    selected: usize,
    copies: Copies,
}

/// Writes out the aliases that stand for sealed leaves: one ciphertext cannot fit two paths (yaml.md 7).
fn expand_aliases(document: Document, selection: &Selection) -> Result<Expanded, SealError> {
    if document.has_aliases()
        && let Some(expanded) = with_copies(&document, selection)?
    {
        return Ok(expanded);
    }
    Ok(Expanded {
        selected: count_selected(&document, selection)?,
        document,
        copies: Copies::default(),
    })
}

/// The document with the aliases written out that have to be; none if all may stay.
fn with_copies(document: &Document, selection: &Selection) -> Result<Option<Expanded>, SealError> {
    let index = Index::of(document, selection, State::Clear)?;
    let expand = aliases_to_expand(document, &index);
    if expand.is_empty() {
        return Ok(None);
    }
    let mut edits = document.expand_aliases(&|alias| expand.contains(&alias))?;
    edits.sort_by_key(|edit| edit.span);
    let alias = |edit: &Edit| Secret::from_slice(document.source().slice(edit.span));
    let aliases: Vec<Secret> = edits.iter().map(alias).collect();
    let spans = spans_after(&edits);
    let text = document.source().splice(edits)?;
    let expanded = Document::parse(document.format(), text)?;
    require_same_selection((document, &index), &expanded, selection)?;
    let copies = Copies::find(&expanded, spans.into_iter().zip(aliases).collect())?;
    Ok(Some(Expanded {
        selected: count_selected(&expanded, selection)?,
        document: expanded,
        copies,
    }))
}

/// Comments are not repeated where an alias stood, and one behind it moves into what it stood for: what they decide about
/// would be sealed, or left clear, against the rule.
fn require_same_selection(
    (document, index): (&Document, &Index),
    expanded: &Document,
    selection: &Selection,
) -> Result<(), SealError> {
    let again = Index::of(expanded, selection, State::Clear)?;
    let mut leaves = again.entries(expanded).filter(is_leaf);
    for entry in index.entries(document).filter(is_leaf) {
        if leaves.next().map(|leaf| leaf.selected) != Some(entry.selected) {
            return Err(SealError::AliasRule {
                place: index::place(document, index, &entry),
            });
        }
    }
    Ok(())
}

/// How many leaves and comments are to be sealed.
fn count_selected(document: &Document, selection: &Selection) -> Result<usize, ParseError> {
    let mut entries = Entries::of(document, selection, State::Clear);
    let mut selected = 0;
    while let Some(entry) = entries.next()? {
        selected += usize::from(entry.selected);
    }
    Ok(selected)
}

fn is_leaf(entry: &super::Entry) -> bool {
    matches!(entry.what, What::Leaf(_))
}

fn aliases_to_expand(document: &Document, index: &Index) -> HashSet<NodeId> {
    if index.entries(document).all(|entry| entry.alias.is_none()) {
        return HashSet::new();
    }
    let sealed: HashSet<usize> = index
        .entries(document)
        .filter(|entry| entry.selected && has_text(document, entry))
        .map(|entry| index::span(document, &entry).start())
        .collect();
    index
        .entries(document)
        .filter(|entry| sealed.contains(&index::span(document, entry).start()))
        .filter_map(|entry| entry.alias)
        .collect()
}

/// Whether there is anything to seal: no null, no empty string, no empty comment.
fn has_text(document: &Document, entry: &super::Entry) -> bool {
    match (entry.what, entry.leaf(document)) {
        // EXPOSE: only its length.
        (What::Comment(comment), _) => !document.comment_text(&comment).expose().is_empty(),
        (_, Some(scalar)) => match document.resolve(scalar) {
            // EXPOSE: only its length.
            Ok(Resolved::Value(value)) => !value.canonical().expose().is_empty(),
            Ok(Resolved::Null) => false,
            Err(_) => true,
        },
        (_, None) => false,
    }
}

fn place_block(document: Document, block: &Block<'_>) -> Result<Document, SealError> {
    let format = document.format();
    let node = match block {
        Block::New(node) => node,
        Block::Kept { old, .. } => &old.node,
    };
    let edits = document.append_metadata(node);
    let document = Document::parse(format, document.into_spliced(edits)?)?;
    let Block::Kept {
        old,
        mac,
        lastmodified,
        version,
    } = block
    else {
        return Ok(document);
    };
    let spans = document.parts().iter().enumerate();
    let edits: Vec<Edit> = spans
        .filter_map(|(nth, part)| {
            // A part that is new takes the text of the first.
            let of_part = old.texts.get(nth).and_then(Option::as_ref);
            let text = of_part.or(old.texts.first().and_then(Option::as_ref))?;
            let span = document.metadata_span(part)?;
            // EXPOSE: a sealed text.
            let text = text.expose();
            (document.source().slice(span) != text).then(|| Edit::new(span, text))
        })
        .collect();
    let document = if edits.is_empty() {
        document
    } else {
        with_old_text(document, edits)?
    };
    refresh_block(document, mac, lastmodified, *version)
}

/// The document with the old text of its block; as it was where that does not fit, for example between braces: then the same
/// content stands there in the file's own style.
fn with_old_text(document: Document, edits: Vec<Edit>) -> Result<Document, SealError> {
    let format = document.format();
    let kept = document.source().splice(edits)?;
    // Without its nodes, for as long as the other one is read.
    let text = document.into_text();
    match Document::parse(format, kept) {
        Ok(kept)
            if kept
                .parts()
                .iter()
                .all(|part| kept.metadata_entry(part).is_some()) =>
        {
            Ok(kept)
        }
        _ => Ok(Document::parse(format, text)?),
    }
}

/// Gives every copy of the block a new MAC and time; nothing else of it changes.
pub(crate) fn refresh_block(
    document: Document,
    mac: &str,
    lastmodified: &str,
    version: Option<&str>,
) -> Result<Document, SealError> {
    let mut edits = Vec::new();
    for part in document.parts() {
        let Some((_, entry)) = document.metadata_entry(part) else {
            continue;
        };
        let Node::Map(map) = document.target(entry.value).1 else {
            continue;
        };
        let mut found = 0;
        for item in &map.items {
            let crate::document::Item::Entry(field) = item else {
                continue;
            };
            let Some(scalar) = super::index::scalar(&document, field.value) else {
                continue;
            };
            match (document.key(field).to_ascii_lowercase().as_str(), version) {
                ("mac", _) => {
                    edits.extend(document.rewrite_scalar(scalar, &NewScalar::Envelope(mac)))
                }
                ("lastmodified", _) => edits.extend(rewrite_text(&document, scalar, lastmodified)),
                ("version", Some(version)) => {
                    edits.extend(rewrite_text(&document, scalar, version));
                    continue;
                }
                _ => continue,
            }
            found += 1;
        }
        if found != 2 {
            return Err(SealError::Check(
                "the metadata lacks `mac` or `lastmodified`",
            ));
        }
    }
    let format = document.format();
    Ok(Document::parse(format, document.into_spliced(edits)?)?)
}

fn rewrite_text(document: &Document, scalar: &Scalar, text: &str) -> Vec<Edit> {
    let value = Value::borrowed(text.as_bytes());
    document.rewrite_scalar(
        scalar,
        &NewScalar::Value {
            value: &value,
            spelling: text.as_bytes(),
        },
    )
}

/// Reads the text back: the same leaves in the same order, each the envelope or the value that was meant.
fn check(sealed: &SealedFile, leaves: Sequence, comments: Sequence) -> Result<(), SealError> {
    let document = &sealed.document;
    let mut found_leaves = Sequence::default();
    for entry in sealed.entries() {
        match (entry.what, entry.leaf(document)) {
            (What::ListComment(_), _) | (What::Leaf(_), None) => {
                return Err(SealError::Check("a list item reads as a comment"));
            }
            (What::Comment(_), _) => {}
            (What::Leaf(_), Some(scalar)) => match document.resolve(scalar) {
                Err(_) => return Err(SealError::Check("a value changed its type")),
                Ok(Resolved::Null) => found_leaves.null(&sealed.index.aad(document, &entry)),
                Ok(Resolved::Value(Value::Str(text)))
                    // EXPOSE: an envelope, or the length of a clear value.
                    if entry.selected && !text.expose().is_empty() =>
                {
                    // EXPOSE: an envelope.
                    found_leaves.envelope(text.expose());
                }
                Ok(Resolved::Value(value)) => {
                    found_leaves.clear(&value, &sealed.index.aad(document, &entry));
                }
            },
        }
    }
    if !found_leaves.is(leaves) {
        return Err(SealError::Check("a value changed"));
    }
    let mut found_comments = Sequence::default();
    let found = self::comments(document, &sealed.index).collect();
    for (comment, entry) in in_source_order(found, |found| found.0) {
        let text = document.comment_text(&comment);
        // EXPOSE: an envelope, to a digest.
        let text = first_line(text.expose());
        found_comments.comment(&sealed.index.aad(document, &entry), text);
    }
    if !found_comments.is(comments) {
        return Err(SealError::Check("a comment changed its place"));
    }
    Ok(())
}

/// The comments that are sealed, or are to be, in the order of the tree.
fn comments<'i>(
    document: &'i Document,
    index: &'i Index,
) -> impl Iterator<Item = (Comment, super::Entry)> + 'i {
    let entries = index.entries(document);
    let entries = entries.filter(|entry| entry.selected && entry.alias.is_none());
    entries.filter_map(|entry| match entry.what {
        // EXPOSE: only its length.
        What::Comment(comment) if !document.comment_text(&comment).expose().is_empty() => {
            Some((comment, entry))
        }
        _ => None,
    })
}

fn in_source_order<T>(mut found: Vec<T>, comment: impl Fn(&T) -> Comment) -> Vec<T> {
    found.sort_by_key(|found| comment(found).span.start());
    found
}

/// The envelope of a comment; its other lines, where it has some, are only what is left of its layout.
pub(crate) fn first_line(text: &[u8]) -> &[u8] {
    let line = text.split(|byte| *byte == b'\n').next().unwrap_or_default();
    line.strip_suffix(b"\r").unwrap_or(line)
}
