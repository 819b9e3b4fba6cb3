//! The plaintext document of an opened file, read back before it is let out.

use super::convert;
use super::index::{self, Entries, What};
use super::sequence::Sequence;
use super::sidecar::Stored;
use super::{Older, OpenError, OpenFile, SealError, State};
use crate::document::binary::DATA_KEY;
use crate::document::plain_text::text_of;
use crate::document::{Document, Edit, Format, NewScalar, Resolved, Scalar, Span};
use crate::error::Location;
use crate::leaf::LeafError;
use crate::path::{Segment, TreePath};
use crate::secret::Secret;
use crate::selection::Selection;
use crate::value::{Kind, Value};

impl<Proof> OpenFile<Proof> {
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
        let text = match &self.access.sidecar {
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
        let (text, notes, ()) = self.expose_and_end(|_| Ok(()))?;
        Ok((text, notes))
    }

    /// As [`OpenFile::into_exposed_document`], for an editor: what it leaves goes to [`Older::edit`].
    ///
    /// # Errors
    /// As [`OpenFile::expose_document`].
    pub fn into_editing(self) -> Result<(Secret, Vec<Note>, Older), SealError> {
        self.expose_and_end(Self::into_older)
    }

    /// Lets the document out, and ends the file as soon as it can.
    fn expose_and_end<End>(
        self,
        end: impl FnOnce(Self) -> Result<End, SealError>,
    ) -> Result<(Secret, Vec<Note>, End), SealError> {
        let is_needed = matches!(self.access.sidecar, Stored::Opened(_));
        if is_needed || self.sealed.format() == Format::Binary {
            let (text, notes) = self.expose_document()?;
            return Ok((text, notes, end(self)?));
        }
        let lost = matches!(self.access.sidecar, Stored::Refused).then(|| self.layout_lost());
        let plain = self.plain_text()?;
        let end = end(self)?;
        let (document, mut notes) = plain.check()?;
        notes.extend(lost);
        Ok((document.into_text(), notes, end))
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
            Format::Ini if !edits.is_empty() => {
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
        for (entry, opened) in self.sealed.entries().zip(&self.content.leaves) {
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
                    place: index::place(&self.sealed.document, &self.sealed.index, &entry),
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
        for (entry, opened) in self.sealed.entries().zip(&self.content.leaves) {
            let What::Leaf(_) = entry.what else { continue };
            let aad = self.sealed.index.aad(document, &entry);
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
            Some(leaf) if leaf.kind() == Kind::Str => Ok(Secret::from_slice(leaf.expose())),
            _ => Err(SealError::NotBinary),
        }
    }

    pub(super) fn leaf_error(&self, scalar: &Scalar, source: LeafError) -> SealError {
        let place = Location::line(self.sealed.document.line(scalar.span));
        OpenError::Leaf { place, source }.into()
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
        let mut entries = Entries::of(&document, &self.selection, State::Clear);
        let mut found = Sequence::default();
        while let Some(entry) = entries.next()? {
            let Some(scalar) = entry.leaf(&document) else {
                continue;
            };
            let aad = entries.aad();
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
