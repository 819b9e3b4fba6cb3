//! The sidecar: what the author wrote where the sealed file alone could not give that back (yaml.md 5.1, T2): fold
//! points, escapes, spellings of numbers, tags, aliases.
//!
//! It is one field of the metadata, sealed with the data key and bound to the MAC; a file that needs none has none. Other
//! programs skip the field, and drop it when they write. It is never trusted: a piece of text is used only where the
//! document still means the same with it.

mod collect;
mod restore;

pub(super) use self::collect::{Candidates, Copies};
use crate::crypto::RandomError;
use crate::document::Document;
use crate::envelope::Envelope;
use crate::leaf::{Arena, LeafCipher};
use crate::mac::Mac;
use crate::metadata::{LAYOUT_FIELD, Metadata};
use crate::secret::Secret;
use crate::value::Kind;

/// The first byte of the opened field.
const VERSION: u8 = 1;

/// The start of a leaf's nonce, which no other leaf of the file shares; or nothing but zeros for the start of the file.
type LeafName = [u8; 8];

const START: LeafName = [0; 8];

/// How one value is written.
#[derive(Debug)]
pub(super) struct Spelling {
    /// A sealed leaf.
    leaf: LeafName,
    /// How many leaves behind that one; 0 unless a value in the clear was an alias.
    behind: u32,
    /// How many collections up from there: 0 for the leaf itself, more for an alias that stood for a collection, of which
    /// that leaf is the first.
    levels: u16,
    text: Secret,
}

/// The spellings of a file, in the order of its leaves.
#[derive(Debug, Default)]
pub(super) struct Sidecar {
    spellings: Vec<Spelling>,
}

/// What a file holds under the name of the sidecar.
#[derive(Debug)]
pub(super) enum Stored {
    Absent,
    Opened(Sidecar),
    /// It belongs to other values, or was damaged.
    Refused,
}

impl Stored {
    /// Opens the sidecar of a file whose values have this MAC.
    pub(super) fn of(metadata: &Metadata, cipher: &LeafCipher, mac: &Mac) -> Self {
        match &metadata.layout {
            None => Self::Absent,
            Some(text) => match Sidecar::open(text, cipher, mac) {
                Some(sidecar) => Self::Opened(sidecar),
                None => Self::Refused,
            },
        }
    }

    /// Whether it holds just these spellings.
    pub(super) fn holds(&self, sidecar: &Sidecar) -> bool {
        match self {
            Self::Absent => sidecar.spellings.is_empty(),
            // EXPOSE: compared in constant time.
            Self::Opened(stored) => stored.encode().ct_eq(sidecar.encode().expose()),
            Self::Refused => false,
        }
    }
}

impl Sidecar {
    /// The envelope that stands in the metadata; none if there is nothing to hold.
    pub(super) fn seal(
        &self,
        cipher: &mut LeafCipher,
        mac: &Mac,
    ) -> Result<Option<String>, RandomError> {
        if self.spellings.is_empty() {
            return Ok(None);
        }
        let place = mac.place_of(LAYOUT_FIELD);
        // EXPOSE: to the cipher.
        let envelope = cipher.seal(Kind::Bytes, self.encode().expose(), place.expose())?;
        Ok(Some(envelope))
    }

    fn open(text: &str, cipher: &LeafCipher, mac: &Mac) -> Option<Self> {
        let envelope = Envelope::parse(text.as_bytes()).ok()?;
        let mut opened = Arena::with_capacity(envelope.data_len_estimate());
        // EXPOSE: as associated data.
        let place = mac.place_of(LAYOUT_FIELD);
        let len = cipher.open(&envelope, place.expose(), &mut opened).ok()?;
        Self::decode(opened.slice(0, len))
    }

    fn encode(&self) -> Secret {
        let texts: usize = self.spellings.iter().map(|one| one.text.len()).sum();
        let mut out = Secret::with_capacity(1 + self.spellings.len() * HEAD + texts);
        out.extend(&[VERSION]);
        for spelling in &self.spellings {
            let len = u32::try_from(spelling.text.len()).unwrap_or(u32::MAX);
            out.extend(&spelling.leaf);
            out.extend(&spelling.behind.to_le_bytes());
            out.extend(&spelling.levels.to_le_bytes());
            out.extend(&len.to_le_bytes());
            // EXPOSE: into the wiping buffer that is sealed.
            out.extend(spelling.text.expose());
        }
        out
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let mut rest = bytes.strip_prefix(&[VERSION])?;
        let mut spellings = Vec::new();
        while !rest.is_empty() {
            let (leaf, after) = rest.split_first_chunk()?;
            let (behind, after) = after.split_first_chunk()?;
            let (levels, after) = after.split_first_chunk()?;
            let (len, after) = after.split_first_chunk()?;
            let len = usize::try_from(u32::from_le_bytes(*len)).ok()?;
            let (text, after) = after.split_at_checked(len)?;
            spellings.push(Spelling {
                leaf: *leaf,
                behind: u32::from_le_bytes(*behind),
                levels: u16::from_le_bytes(*levels),
                text: Secret::from_slice(text),
            });
            rest = after;
        }
        Some(Self { spellings })
    }
}

/// The bytes of a spelling before its text.
const HEAD: usize = 18;

/// The name of a sealed leaf.
fn leaf_name(envelope: &[u8]) -> Option<LeafName> {
    let nonce = Envelope::parse(envelope).ok()?.nonce().ok()?;
    nonce.first_chunk().copied()
}

/// The document with this sidecar in its first part, and none elsewhere; as it was if that cannot be written into its
/// metadata.
pub(super) fn place(document: Document, sidecar: Option<&str>) -> Document {
    let parts = document.parts().iter().enumerate();
    let edits: Vec<_> = parts
        .flat_map(|(nth, part)| {
            let wanted = sidecar.filter(|_| nth == 0);
            document.set_metadata_field(part, LAYOUT_FIELD, wanted)
        })
        .collect();
    if edits.is_empty() {
        return document;
    }
    let text = document.source().splice(edits).ok();
    let placed = text.and_then(|text| Document::parse(document.format(), text).ok());
    let reads = |placed: &Document| {
        let metadata = crate::metadata::read(placed);
        metadata.is_ok_and(|metadata| metadata.layout.as_deref() == sidecar)
    };
    placed.filter(reads).unwrap_or(document)
}

#[cfg(test)]
#[allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests"
)]
mod tests;
