//! The envelopes of an older version of a file, which serve again for what did not change.
//!
//! Neither the texts of the envelopes nor what they hold is kept: a value that is sealed again under the nonce that it had
//! gives the very envelope, if it is the same value at the same place. Anything else gives another tag, and is thrown away:
//! it would use a nonce twice.

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;

use super::OpenFile;
use super::access::Access;
use super::index::{self, What};
use super::seal::first_line;
use crate::crypto::{NONCE_LEN, RandomError, TAG_LEN};
use crate::document::{Comment, Document, NewScalar, NodeId, Resolved, Scalar, Style};
use crate::envelope::{self, Envelope};
use crate::large::Large;
use crate::leaf::{LeafCipher, sealed_spelling};
use crate::metadata::Metadata;
use crate::secret::Secret;
use crate::value::{Kind, Value};

/// The envelopes of an older version. Values are all sealed again before the first comment is.
#[derive(Debug, Default)]
pub(crate) struct Reuse {
    pub(super) values: Envelopes,
    pub(super) comments: Envelopes,
}

/// Envelopes by place.
#[derive(Debug, Default)]
pub(super) struct Envelopes {
    hasher: RandomState,
    /// Sorted by place, those at the same place in the order of the older version.
    places: Large<Place>,
    /// By number; nothing where an envelope cannot serve again.
    old: Large<Option<OldEnvelope>>,
    /// By number, where the plaintext document does not spell a value as it was sealed.
    spelled: HashMap<usize, Spelled>,
    /// By number, where an envelope does not look as it is printed here.
    texts: HashMap<usize, String>,
}

/// A place of one envelope.
#[derive(Debug)]
struct Place {
    /// Stands for the place; the hasher's keys are random.
    hash: u64,
    number: u32,
    /// At the first of several with the same hash: how many were asked for.
    met: u32,
}

#[derive(Clone, Copy)]
struct OldEnvelope {
    nonce: [u8; NONCE_LEN],
    tag: [u8; TAG_LEN],
    kind: Kind,
    /// Where the envelope stood without quotes: the style that its text was shown in. Text that still has this style was
    /// not touched, and its envelope goes back to where it came from.
    shown: Option<Shown>,
}

impl std::fmt::Debug for OldEnvelope {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "OldEnvelope({})", self.kind.as_str())
    }
}

/// `1` of type float stands in the plaintext document as `1.0`.
#[derive(Debug)]
struct Spelled {
    shown: Secret,
    sealed: Secret,
}

/// The style of a text that a plain envelope held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shown {
    DoubleQuoted,
    Literal,
    Plain,
    SingleQuoted,
}

impl Shown {
    /// The style of a token that is about to be written.
    fn of_token(token: &[u8]) -> Self {
        match token.first() {
            Some(b'"') => Self::DoubleQuoted,
            Some(b'|') => Self::Literal,
            Some(b'\'') => Self::SingleQuoted,
            _ => Self::Plain,
        }
    }

    pub(crate) fn is_of(self, scalar: &Scalar) -> bool {
        let shown = match scalar.style() {
            Style::DoubleQuoted => Self::DoubleQuoted,
            Style::Literal(_) => Self::Literal,
            Style::Plain => Self::Plain,
            Style::SingleQuoted => Self::SingleQuoted,
            Style::Folded(_) => return false,
        };
        self == shown && !scalar.in_flow
    }
}

impl Reuse {
    /// Those of every sealed leaf and comment of an opened file, which ends here: the envelopes are read when its index and
    /// its values are let go.
    pub(super) fn of<Proof>(file: OpenFile<Proof>) -> (Self, Document, Metadata, Access) {
        let mut reuse = Self::default();
        let sealed = reuse.take_places(&file);
        let (document, metadata, access) = file.into_parts();
        reuse.values.old.reserve_exact(sealed.values.len());
        for (node, shown) in sealed.values {
            reuse.values.read_value(&document, node, shown);
        }
        reuse.comments.old.reserve_exact(sealed.comments.len());
        for comment in sealed.comments {
            reuse.comments.read_comment(&document, &comment);
        }
        (reuse, document, metadata, access)
    }

    /// Takes down the places, and gives what stands there.
    fn take_places<Proof>(&mut self, file: &OpenFile<Proof>) -> Sealed {
        let (document, index) = (&file.sealed.document, &file.sealed.index);
        let entries = file.sealed.entries().zip(&file.content.leaves);
        let entries = entries.filter(|(entry, _)| entry.selected && entry.alias.is_none());
        let (values, comments) = entries
            .clone()
            .fold((0, 0), |(values, comments), (entry, _)| {
                let is_comment = matches!(entry.what, What::Comment(_));
                (
                    values + usize::from(!is_comment),
                    comments + usize::from(is_comment),
                )
            });
        self.values.places.reserve_exact(values);
        self.comments.places.reserve_exact(comments);
        let mut found = Sealed {
            values: Vec::with_capacity(values),
            comments: Vec::with_capacity(comments),
        };
        for (entry, opened) in entries {
            match (entry.what, opened) {
                (What::Leaf(node), Some(opened)) if opened.sealed => {
                    self.values.push_place(&index.aad(document, &entry));
                    let scalar = index::scalar(document, node);
                    let spelling = (opened.kind, file.content.bytes(opened));
                    let number = found.values.len();
                    let shown = scalar.and_then(|scalar| {
                        self.values.spell(number, (document, scalar), spelling)
                    });
                    found.values.push((node, shown));
                }
                (What::Comment(comment), _)
                    // EXPOSE: only its length.
                    if !document.comment_text(&comment).expose().is_empty() =>
                {
                    self.comments.push_place(&index.aad(document, &entry));
                    found.comments.push(comment);
                }
                _ => {}
            }
        }
        self.values.sort_places();
        self.comments.sort_places();
        found
    }
}

/// What is sealed in a file: the numbers of its envelopes are their positions here.
struct Sealed {
    values: Vec<(NodeId, Option<Shown>)>,
    comments: Vec<Comment>,
}

impl Envelopes {
    fn push_place(&mut self, aad: &str) {
        let place = Place {
            hash: self.hasher.hash_one(aad),
            number: u32::try_from(self.places.len()).unwrap_or(u32::MAX),
            met: 0,
        };
        self.places.push(place);
    }

    fn sort_places(&mut self) {
        let order = |place: &Place| (place.hash, place.number);
        self.places.sort_unstable_by_key(order);
    }

    /// Takes down how the plaintext document spells a leaf, if that is not how it was sealed, and gives the style that it has
    /// there, where the envelope tells none.
    fn spell(
        &mut self,
        number: usize,
        (document, scalar): (&Document, &Scalar),
        (kind, spelling): (Kind, &[u8]),
    ) -> Option<Shown> {
        let value = &Value::parse(kind, spelling).ok()?;
        let written = document.rewrite_scalar(scalar, &NewScalar::Value { value, spelling });
        let token = written.iter().find(|edit| !edit.text.is_empty());
        // EXPOSE: into the wiping copy that the new plaintext is compared with.
        let token = token.map_or(spelling, |edit| edit.text.expose());
        let shown = sealed_spelling(value, token);
        if shown.expose() != spelling {
            let spelled = Spelled {
                shown: Secret::from_slice(shown.expose()),
                sealed: Secret::from_slice(spelling),
            };
            self.spelled.insert(number, spelled);
        }
        (scalar.style() == Style::Plain).then(|| Shown::of_token(token))
    }

    /// Reads the next envelope, that of a value.
    fn read_value(&mut self, document: &Document, node: NodeId, shown: Option<Shown>) {
        let scalar = index::scalar(document, node);
        match scalar.map(|scalar| document.resolve(scalar)) {
            // EXPOSE: an envelope.
            Some(Ok(Resolved::Value(Value::Str(text)))) => self.push(text.expose(), shown),
            _ => self.old.push(None),
        }
    }

    /// Reads the next envelope, that of a comment.
    fn read_comment(&mut self, document: &Document, comment: &Comment) {
        // EXPOSE: an envelope, if it is one.
        let text = document.comment_text(comment);
        self.push(first_line(text.expose()), None);
    }

    /// Takes an envelope. Neither one with junk behind it nor one with an odd nonce serves again.
    fn push(&mut self, text: &[u8], shown: Option<Shown>) {
        let old = Envelope::parse(text).ok().and_then(|envelope| {
            let old = OldEnvelope {
                nonce: envelope.nonce().ok()?.try_into().ok()?,
                tag: envelope.tag().ok()?,
                kind: envelope.kind(),
                shown,
            };
            let data = envelope.data().ok()?;
            let printed = envelope::print(&data, &old.nonce, &old.tag, old.kind);
            (text.ends_with(b"]")).then_some((old, printed))
        });
        let differs = old
            .as_ref()
            .is_some_and(|(_, printed)| printed.as_bytes() != text);
        if differs {
            let text = String::from_utf8_lossy(text).into_owned();
            self.texts.insert(self.old.len(), text);
        }
        self.old.push(old.map(|(old, _)| old));
    }

    /// The number of the envelope at the same place, where this is the first, second … one that is asked for.
    pub(super) fn next_at(&mut self, aad: &str) -> Option<usize> {
        if self.places.is_empty() {
            return None;
        }
        let hash = self.hasher.hash_one(aad);
        let first = self.places.partition_point(|place| place.hash < hash);
        let place = self.places.get_mut(first)?;
        if place.hash != hash {
            return None;
        }
        let nth = place.met as usize;
        place.met += 1;
        let own = self.places.get(first + nth)?;
        (own.hash == hash).then_some(own.number as usize)
    }

    /// Seals a value or a comment; `old` is the number of the envelope that may serve again. One that does comes with the
    /// style in which its text was shown.
    pub(super) fn seal(
        &self,
        old: Option<usize>,
        cipher: &mut LeafCipher,
        (kind, plain): (Kind, &[u8]),
        aad: &str,
    ) -> Result<(String, Option<Shown>), RandomError> {
        let again = |old| self.seal_again(old, cipher, (kind, plain), aad);
        match old.and_then(again) {
            Some(same) => Ok(same),
            None => Ok((cipher.seal(kind, plain, aad)?, None)),
        }
    }

    /// The envelope with this number, if it holds just this, and the style in which its text was shown.
    fn seal_again(
        &self,
        number: usize,
        cipher: &LeafCipher,
        (kind, plain): (Kind, &[u8]),
        aad: &str,
    ) -> Option<(String, Option<Shown>)> {
        let old = self.old.get(number)?.as_ref()?;
        if old.kind != kind {
            return None;
        }
        let again = |plain: &[u8]| cipher.seal_again(kind, plain, aad, (&old.nonce, &old.tag));
        let spelled = || {
            let spelled = self.spelled.get(&number)?;
            // EXPOSE: to the cipher.
            let is_shown = spelled.shown.ct_eq(plain);
            is_shown.then(|| again(spelled.sealed.expose())).flatten()
        };
        let envelope = again(plain).or_else(spelled)?;
        let text = self.texts.get(&number).cloned();
        Some((text.unwrap_or(envelope), old.shown))
    }
}
