//! Sealing: plaintext and a policy to a sealed file, checked before anybody can write it.

use std::collections::{HashMap, HashSet};

use super::index::{Index, State, What};
use super::{FileError, SealError, SealedFile};
use crate::config::{Policy, PolicyKey};
use crate::crypto::{Cipher, DataKey};
use crate::document::{
    Comment, Document, Edit, METADATA_KEY, NewNode, NewScalar, Node, NodeId, Resolved, Scalar, Span,
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
    let metadata = new_metadata(policy, &key, now)?;
    let mut sealer = Sealer {
        cipher: LeafCipher::new(Cipher::new(key)),
        selection: &policy.selection,
        coverage: metadata.coverage,
        reuse: Reuse::default(),
    };
    let body = sealer.seal_values(document)?;
    let mac_aad = metadata
        .mac_aad()
        .ok_or(SealError::Check("the time is not RFC 3339"))?;
    let mac = body.mac.seal(&mut sealer.cipher, &mac_aad)?;
    let block = metadata::print(Metadata {
        mac: Some(mac),
        ..metadata
    });
    sealer.finish(body, &Block::New(&block))
}

fn new_metadata(
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
        selection: Selection::compile(policy.selection.settings().clone())
            .map_err(metadata::MetadataError::from)
            .map_err(FileError::from)?,
        coverage: if policy.mac_only_encrypted {
            Coverage::OnlySealed
        } else {
            Coverage::All
        },
        lastmodified: timestamp(now),
        mac: None,
        version: Some(WRITTEN_VERSION.into()),
        extra: Vec::new(),
    })
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

/// Envelopes of an older version of the file that may serve again, by place, order at that place, and content.
#[derive(Debug, Default)]
pub(crate) struct Reuse {
    /// Number of the older leaf or comment by (place, how many came before it there, whether a comment).
    pub(crate) places: HashMap<(String, usize, bool), usize>,
    pub(crate) old: Vec<OldLeaf>,
}

/// A leaf or comment of the older version: what it held, and the envelope that held it.
#[derive(Debug)]
pub(crate) struct OldLeaf {
    pub(crate) kind: Kind,
    pub(crate) plain: Secret,
    pub(crate) envelope: String,
}

impl Reuse {
    /// The envelope that sealed exactly this here. Anything else would use a nonce twice.
    fn find(&self, aad: &str, nth: usize, kind: Kind, plain: &[u8]) -> Option<&str> {
        let old = self.old.get(*self.places.get(&(
            aad.to_owned(),
            nth,
            kind == Kind::Comment,
        ))?)?;
        (old.kind == kind && old.plain.ct_eq(plain)).then_some(old.envelope.as_str())
    }
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
    /// The leaves as they must read in the result, in order.
    leaves: Vec<Intended>,
    pub(crate) mac: crate::mac::Mac,
}

/// What a leaf of the result must be.
enum Intended {
    Null,
    Envelope(String),
    Clear(Value<'static>),
}

/// Where the metadata block comes from.
pub(crate) enum Block<'a> {
    New(&'a NewNode),
    /// An older block: its very text, and its content for the case that the text does not fit the new place.
    Kept {
        text: &'a [u8],
        node: &'a NewNode,
        mac: &'a str,
        lastmodified: &'a str,
        version: Option<&'a str>,
    },
}

impl Sealer<'_> {
    /// Seals every selected value of a plaintext document.
    pub(crate) fn seal_values(&mut self, document: Document) -> Result<SealedValues, SealError> {
        let index = Index::of(&document, self.selection, State::Clear)?;
        let expand = aliases_to_expand(&document, &index);
        if !expand.is_empty() {
            let edits = document.expand_aliases(&|alias| expand.contains(&alias))?;
            let text = document.source().splice(edits)?;
            return self.seal_values(Document::parse(document.format(), text)?);
        }
        let mut mac = MacStream::new(self.coverage);
        let (mut edits, mut leaves) = (Vec::new(), Vec::new());
        let mut counts: HashMap<String, usize> = HashMap::new();
        for entry in &index.entries {
            let What::Leaf(_, scalar) = entry.what else {
                continue;
            };
            let aad = index.aad(entry);
            let place = || Location::leaf(aad.trim_end_matches(':'), document.line(scalar.span));
            let resolved = document
                .resolve(&scalar)
                .map_err(|source| FileError::Scalar {
                    place: place(),
                    source,
                })?;
            let Resolved::Value(value) = resolved else {
                leaves.push(Intended::Null);
                continue;
            };
            let canonical = value.canonical();
            // EXPOSE: to the MAC and the cipher.
            mac.value(canonical.expose(), entry.selected);
            if !entry.selected || canonical.expose().is_empty() {
                drop(canonical);
                leaves.push(Intended::Clear(value.into_owned()));
                continue;
            }
            let nth = counts.entry(aad.to_owned()).or_default();
            let envelope =
                self.seal_value(&value, document.source().slice(scalar.span), aad, *nth)?;
            *nth += 1;
            edits.extend(document.rewrite_scalar(&scalar, &NewScalar::Envelope(&envelope)));
            leaves.push(Intended::Envelope(envelope));
        }
        let text = document.source().splice(edits)?;
        let document = Document::parse(document.format(), text)?;
        Ok(SealedValues {
            document,
            leaves,
            mac: mac.finish(),
        })
    }

    fn seal_value(
        &mut self,
        value: &Value<'_>,
        token: &[u8],
        aad: &str,
        nth: usize,
    ) -> Result<String, SealError> {
        let plain = sealed_spelling(value, token);
        // EXPOSE: to the cipher.
        self.seal_bytes(value.kind(), plain.expose(), aad, nth)
    }

    fn seal_bytes(
        &mut self,
        kind: Kind,
        plain: &[u8],
        aad: &str,
        nth: usize,
    ) -> Result<String, SealError> {
        if let Some(envelope) = self.reuse.find(aad, nth, kind, plain) {
            return Ok(envelope.to_owned());
        }
        Ok(self.cipher.seal(kind, plain, aad)?)
    }

    /// Places the block, seals the comments under the paths they have in that very text, and checks the result.
    pub(crate) fn finish(
        &mut self,
        body: SealedValues,
        block: &Block<'_>,
    ) -> Result<SealedFile, SealError> {
        let SealedValues {
            document, leaves, ..
        } = body;
        let document = place_block(document, block)?;
        let index = Index::of(&document, self.selection, State::Clear)?;
        let (mut edits, mut comments) = (Vec::new(), Vec::new());
        let mut counts: HashMap<String, usize> = HashMap::new();
        for entry in &index.entries {
            let What::Comment(comment) = entry.what else {
                continue;
            };
            let text = document.source().slice(comment.text());
            if !entry.selected || text.is_empty() || entry.alias.is_some() {
                continue;
            }
            let aad = index.aad(entry);
            let nth = counts.entry(aad.to_owned()).or_default();
            let envelope = self.seal_bytes(Kind::Comment, text, aad, *nth)?;
            *nth += 1;
            edits.push(Document::rewrite_comment(&comment, envelope.as_bytes()));
            comments.push((aad.to_owned(), envelope));
        }
        let text = document.source().splice(edits)?;
        let sealed = SealedFile::parse(document.format(), text)?;
        check(&sealed, &leaves, &comments)?;
        Ok(sealed)
    }
}

/// An alias can stay only where nothing below it is sealed: one ciphertext cannot fit two paths (yaml.md 7).
fn aliases_to_expand(document: &Document, index: &Index) -> HashSet<NodeId> {
    let seals = |what: &What| match what {
        What::Leaf(_, scalar) => !scalar.span.is_empty(),
        What::Comment(comment) => !document.source().slice(comment.text()).is_empty(),
        What::ListComment(..) => false,
    };
    let start = |what: &What| match what {
        What::Comment(comment) => comment.span.start(),
        What::Leaf(_, scalar) | What::ListComment(scalar) => scalar.span.start(),
    };
    let sealed: HashSet<usize> = index
        .entries
        .iter()
        .filter(|entry| entry.selected && seals(&entry.what))
        .map(|entry| start(&entry.what))
        .collect();
    index
        .entries
        .iter()
        .filter(|entry| sealed.contains(&start(&entry.what)))
        .filter_map(|entry| entry.alias)
        .collect()
}

fn place_block(document: Document, block: &Block<'_>) -> Result<Document, SealError> {
    let format = document.format();
    let node = match block {
        Block::New(node) | Block::Kept { node, .. } => node,
    };
    let text = document.source().splice(document.append_metadata(node))?;
    let document = Document::parse(format, text)?;
    let Block::Kept {
        text,
        mac,
        lastmodified,
        version,
        ..
    } = block
    else {
        return Ok(document);
    };
    let spans: Vec<Span> = document
        .parts()
        .iter()
        .filter_map(|part| block_span(&document, part))
        .collect();
    let edits = spans.iter().map(|span| Edit::new(*span, text)).collect();
    let kept = document.source().splice(edits)?;
    let document = match Document::parse(format, kept) {
        Ok(kept)
            if kept
                .parts()
                .iter()
                .all(|part| kept.metadata_entry(part).is_some()) =>
        {
            kept
        }
        // The old text does not fit here, for example between braces: the same content in the file's own style.
        _ => document,
    };
    refresh_block(document, mac, lastmodified, *version)
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
    let text = document.source().splice(edits)?;
    Ok(Document::parse(document.format(), text)?)
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

/// From the key of the block to the end of its value.
pub(crate) fn block_span(document: &Document, part: &crate::document::Part) -> Option<Span> {
    let (_, entry) = document.metadata_entry(part)?;
    let Node::Map(map) = document.node(entry.value) else {
        return None;
    };
    debug_assert_eq!(document.key(entry), METADATA_KEY);
    Some(Span::new(entry.key.start(), map.span.end()))
}

/// Reads the text back: the same leaves in the same order, each the envelope or the value that was meant.
fn check(
    sealed: &SealedFile,
    leaves: &[Intended],
    comments: &[(String, String)],
) -> Result<(), SealError> {
    let document = &sealed.document;
    let mut intended = leaves.iter();
    let mut sealed_comments = comments.iter();
    for entry in &sealed.index.entries {
        match entry.what {
            What::ListComment(..) => {
                return Err(SealError::Check("a list item reads as a comment"));
            }
            What::Comment(comment) => check_comment(sealed, entry, &comment, &mut sealed_comments)?,
            What::Leaf(_, scalar) => {
                let resolved = document
                    .resolve(&scalar)
                    .map_err(|_| SealError::Check("a value changed its type"))?;
                let same = match (intended.next(), &resolved) {
                    (Some(Intended::Null), Resolved::Null) => true,
                    (Some(Intended::Clear(clear)), Resolved::Value(value)) => clear.same_as(value),
                    (Some(Intended::Envelope(text)), Resolved::Value(Value::Str(found))) => {
                        // EXPOSE: an envelope, compared only.
                        found.expose() == text.as_bytes() && entry.selected
                    }
                    _ => false,
                };
                if !same {
                    return Err(SealError::Check("a value changed"));
                }
            }
        }
    }
    if intended.next().is_some() || sealed_comments.next().is_some() {
        return Err(SealError::Check("something is missing"));
    }
    Ok(())
}

fn check_comment<'c>(
    sealed: &SealedFile,
    entry: &super::Entry,
    comment: &Comment,
    intended: &mut impl Iterator<Item = &'c (String, String)>,
) -> Result<(), SealError> {
    let text = sealed.document.source().slice(comment.text());
    if !entry.selected || text.is_empty() || entry.alias.is_some() {
        return Ok(());
    }
    match intended.next() {
        Some((aad, envelope)) if envelope.as_bytes() == text && aad == sealed.index.aad(entry) => {
            Ok(())
        }
        _ => Err(SealError::Check("a comment changed its place")),
    }
}
