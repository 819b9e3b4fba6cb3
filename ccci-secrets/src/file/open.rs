//! Opening: every leaf, then the MAC.

use std::ops::Range;

use super::access::Access;
use super::index;
use super::sidecar::Stored;
use super::unproved::{ClosedComments, NoProof};
use super::{Assurance, OpenError, SealedFile};
use crate::crypto::Cipher;
use crate::document::{Document, NewScalar, Resolved, Style};
use crate::envelope::Envelope;
use crate::keyring::{Keyring, OpenedBy};
use crate::large::Large;
use crate::leaf::{Arena, LeafCipher, LeafError};
use crate::mac::{Authentic, Mac, MacError, MacStream};
use crate::metadata::Metadata;
use crate::path::TreePath;
use crate::secret::Secret;
use crate::value::{Kind, Value};

/// A file whose every leaf opened and whose MAC matched.
///
/// What that proves is said at [`Authentic`]: it is the proof that such a file holds, and nothing outside of this crate
/// can name another one. Plaintext leaves it only through calls named `expose…`.
#[derive(Debug)]
pub struct OpenFile<Proof = Authentic> {
    pub(crate) sealed: SealedFile,
    pub(crate) content: Content,
    pub(crate) access: Access,
    _proof: Proof,
}

/// The opened leaves of a file, parallel to the entries of its index.
#[derive(Debug)]
pub(crate) struct Content {
    arena: Arena,
    pub(crate) leaves: Large<Option<Opened>>,
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
        let access = Access {
            sidecar: Stored::of(&self.metadata, &cipher, &mac),
            cipher,
            opened_by: unwrapped.opened_by,
            also_opened_by: unwrapped.also_opened_by,
            closed_comments: ClosedComments::AreRefused,
        };
        Ok((OpenFile::new(self, content, access, NoProof), authentic))
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
    let mut leaves = Large::with_capacity(file.index.len());
    for entry in file.entries() {
        let Some(scalar) = entry.leaf(document) else {
            leaves.push(None);
            continue;
        };
        let place = || index::place(document, &file.index, &entry);
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
        let aad = file.index.aad(document, &entry);
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
    pub(super) fn new(sealed: SealedFile, content: Content, access: Access, proof: Proof) -> Self {
        Self {
            sealed,
            content,
            access,
            _proof: proof,
        }
    }

    /// Ends the file. Its index and its values are let go.
    pub(super) fn into_parts(self) -> (Document, Metadata, Access) {
        let Self { sealed, access, .. } = self;
        (sealed.document, sealed.metadata, access)
    }

    fn with_proof<New>(self, proof: New) -> OpenFile<New> {
        OpenFile::new(self.sealed, self.content, self.access, proof)
    }

    /// Which identity opened it, or the first of its key groups.
    #[must_use]
    pub fn opened_by(&self) -> &OpenedBy {
        &self.access.opened_by
    }

    /// Which identities opened the other key groups of a file that needs several.
    #[must_use]
    pub fn also_opened_by(&self) -> &[OpenedBy] {
        &self.access.also_opened_by
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
        let entry = self.sealed.entry(at)?;
        Some(Leaf {
            kind: opened.kind,
            bytes: self.content.bytes(opened),
            assurance: Assurance::of(&entry, self.sealed.metadata.coverage),
        })
    }

    /// The leaf at a path of the first part as the plaintext document writes it: a number, boolean or time as its
    /// token, a string as its bytes.
    #[must_use]
    pub fn expose_token(&self, path: &TreePath) -> Option<Secret> {
        let at = self.sealed.entry_at(path)?;
        let opened = self.content.leaves.get(at)?.as_ref()?;
        let document = &self.sealed.document;
        let scalar = self.sealed.entry(at)?.leaf(document)?;
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
