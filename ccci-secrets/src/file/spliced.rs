//! Sealing new content in the text of a sealed file, of which every other byte stays.

use super::access::Access;
use super::index::{Entries, State};
use super::moved::SealedComments;
use super::open::{Content, open_leaves};
use super::seal::refresh_block;
use super::sidecar::{self, Stored};
use super::unchanged::Leaves;
use super::{FileError, OpenFile, SealError, SealedFile};
use crate::document::{Document, Edit, NewScalar, Resolved, Scalar, Span, Style};
use crate::leaf::sealed_spelling;
use crate::mac::{Authentic, Mac};
use crate::metadata::mac_aad;
use crate::path::TreePath;
use crate::selection::Selection;

/// A sealed text with new content in it, and what has to be known of the file as it was.
#[derive(Debug)]
pub(super) struct Spliced {
    pub(super) document: Document,
    /// Where the new content lies.
    fresh: Vec<Span>,
    selection: Selection,
    access: Access,
    leaves: Leaves,
    comments: SealedComments,
}

impl Spliced {
    /// Changes a file at one path. Of the file itself nothing stays but its text with the edits in it: beside the new one,
    /// it would take as much room again.
    ///
    /// `written_out` is the document that the edits are of, where that is not the file's own.
    pub(super) fn of<Proof>(
        file: OpenFile<Proof>,
        written_out: Option<Document>,
        path: &TreePath,
        edits: Vec<Edit>,
    ) -> Result<Self, SealError> {
        let leaves = Leaves::before_change(&file.sealed, &file.content, path);
        let comments = SealedComments::of(&file.sealed);
        let fresh = spans_after(&edits);
        let (document, metadata, access) = file.into_parts();
        let document = written_out.unwrap_or(document);
        let format = document.format();
        let text = document.into_spliced(edits)?;
        Ok(Self {
            document: Document::parse(format, text)?,
            fresh,
            selection: metadata.selection,
            access,
            leaves,
            comments,
        })
    }

    /// Seals the fresh leaves, then gives the file a new MAC.
    pub(super) fn seal(mut self, lastmodified: &str) -> Result<SealedFile, SealError> {
        let edits = self.seal_fresh()?;
        let format = self.document.format();
        let text = self.document.into_spliced(edits)?;
        let spliced = SealedFile::parse(format, text)?;
        let cipher = &mut self.access.cipher;
        let mac = open_leaves(&spliced, cipher)?.1;
        let aad = mac_aad(lastmodified).ok_or(SealError::Check("the time is not RFC 3339"))?;
        let stamp = mac.seal(cipher, &aad)?;
        let refreshed = refresh_block(spliced.into_document(), &stamp, lastmodified, None)?;
        let resealed = self
            .comments
            .reseal_moved(refreshed, &self.selection, cipher)?;
        let sealed = SealedFile::parse(format, resealed.into_text())?;
        let opened = self.leaves.check(&sealed, cipher)?;
        if sealed.metadata.layout.is_none() {
            return Ok(sealed);
        }
        renew_sidecar(self.access, sealed, opened, &mac)
    }

    fn seal_fresh(&mut self) -> Result<Vec<Edit>, SealError> {
        let document = &self.document;
        let mut entries = Entries::of(document, &self.selection, State::Sealed);
        let mut edits = Vec::new();
        while let Some(entry) = entries.next()? {
            if !entry.selected || entry.alias.is_some() {
                continue;
            }
            let leaf = entry.leaf(document);
            let Some(scalar) = leaf.filter(|leaf| is_fresh(leaf, &self.fresh)) else {
                continue;
            };
            let Resolved::Value(value) =
                document
                    .resolve(scalar)
                    .map_err(|source| FileError::Scalar {
                        place: entries.place(&entry),
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
            let aad = entries.aad();
            let cipher = &mut self.access.cipher;
            let envelope = cipher.seal(value.kind(), plain.expose(), &aad)?;
            edits.extend(document.rewrite_scalar(scalar, &NewScalar::Envelope(&envelope)));
        }
        Ok(edits)
    }
}

/// Binds the sidecar to the new MAC, without what no longer fits.
fn renew_sidecar(
    mut access: Access,
    sealed: SealedFile,
    (content, authentic): (Content, Authentic),
    mac: &Mac,
) -> Result<SealedFile, SealError> {
    let old = std::mem::replace(&mut access.sidecar, Stored::Absent);
    let mut file = OpenFile::new(sealed, content, access, authentic);
    let sidecar = match old {
        Stored::Opened(old) => file.fitting(old).seal(&mut file.access.cipher, mac)?,
        Stored::Absent | Stored::Refused => None,
    };
    let document = file.sealed.into_document();
    let format = document.format();
    let placed = sidecar::place(document, sidecar.as_deref());
    Ok(SealedFile::parse(format, placed.into_text())?)
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
