//! The source text and pieces of it.

use std::fmt;
use std::ops::Range;

use crate::secret::Secret;

/// A range of bytes of a [`Source`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Span {
    start: u32,
    end: u32,
}

impl Span {
    /// A span from offsets; a document is smaller than 4 GiB, checked when it is parsed.
    #[must_use]
    pub(crate) fn new(start: usize, end: usize) -> Self {
        let clamp = |offset: usize| u32::try_from(offset).unwrap_or(u32::MAX);
        Self {
            start: clamp(start),
            end: clamp(end.max(start)),
        }
    }

    /// Offset of the first byte.
    #[must_use]
    pub fn start(self) -> usize {
        self.start as usize
    }

    /// Offset after the last byte.
    #[must_use]
    pub fn end(self) -> usize {
        self.end as usize
    }

    /// Length in bytes.
    #[must_use]
    pub fn len(self) -> usize {
        self.end() - self.start()
    }

    /// Whether the span holds no bytes; it still is a place.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.start == self.end
    }

    /// As a range of offsets.
    #[must_use]
    pub fn range(self) -> Range<usize> {
        self.start()..self.end()
    }
}

/// One replacement: the bytes of `span` become `text`. An empty span inserts.
pub struct Edit {
    /// What is replaced.
    pub span: Span,
    /// What stands there afterwards.
    pub text: Secret,
}

impl Edit {
    /// A replacement of `span` by bytes.
    #[must_use]
    pub fn new(span: Span, text: &[u8]) -> Self {
        Self {
            span,
            text: Secret::from_slice(text),
        }
    }
}

impl fmt::Debug for Edit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Edit({}..{}, [redacted])",
            self.span.start, self.span.end
        )
    }
}

/// The bytes of a file in one wiping buffer. Plaintext leaves are spans of it.
///
/// It cannot be cloned and prints as its length.
pub struct Source(Secret);

impl Source {
    /// Takes over the bytes of a file.
    #[must_use]
    pub fn new(bytes: Secret) -> Self {
        Self(bytes)
    }

    /// All bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        // EXPOSE: to readers inside the crate; what they keep are spans or wiping buffers.
        self.0.expose()
    }

    /// The bytes of a span; empty if it lies outside.
    #[must_use]
    pub fn slice(&self, span: Span) -> &[u8] {
        self.bytes().get(span.range()).unwrap_or_default()
    }

    /// The line of an offset, from 1.
    #[must_use]
    pub fn line(&self, offset: usize) -> usize {
        let before = self.bytes().get(..offset).unwrap_or(self.bytes());
        1 + memchr::memchr_iter(b'\n', before).count()
    }

    /// The source with the edits applied: every byte outside their spans is copied.
    ///
    /// Edits may come in any order; those at the same place are applied in the order given.
    ///
    /// # Errors
    /// [`SpliceError`] if two edits overlap or one lies outside the source. That is a bug of the caller, and an
    /// error all the same: nothing is written then.
    pub fn splice(&self, mut edits: Vec<Edit>) -> Result<Secret, SpliceError> {
        edits.sort_by_key(|edit| (edit.span.start, edit.span.end));
        let source = self.bytes();
        let added: usize = edits.iter().map(|edit| edit.text.len()).sum();
        let removed: usize = edits.iter().map(|edit| edit.span.len()).sum();
        let mut out = Secret::with_capacity((source.len() + added).saturating_sub(removed));
        let mut done = 0;
        for edit in &edits {
            let kept = source.get(done..edit.span.start()).ok_or(SpliceError)?;
            out.extend(kept);
            // EXPOSE: into the wiping output buffer.
            out.extend(edit.text.expose());
            done = edit.span.end();
        }
        out.extend(source.get(done..).ok_or(SpliceError)?);
        Ok(out)
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Source({} bytes)", self.0.len())
    }
}

/// Two edits touch the same bytes, or one lies outside the source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("edits overlap")]
pub struct SpliceError;

#[cfg(test)]
mod tests {
    use super::*;

    fn source(text: &str) -> Source {
        Source::new(Secret::from_slice(text.as_bytes()))
    }

    #[test]
    fn no_edits_copy_every_byte() {
        let out = source("a: 1\r\n").splice(Vec::new()).expect("no edits");
        assert_eq!(out.expose(), b"a: 1\r\n");
    }

    #[test]
    fn edits_apply_in_place_whatever_their_order() {
        let edits = vec![
            Edit::new(Span::new(4, 4), b"!"),
            Edit::new(Span::new(0, 1), b"key"),
        ];
        assert_eq!(
            source("a: 1\n").splice(edits).expect("disjoint").expose(),
            b"key: 1!\n"
        );
    }

    #[test]
    fn overlapping_edits_are_refused() {
        let edits = vec![
            Edit::new(Span::new(0, 3), b""),
            Edit::new(Span::new(2, 4), b""),
        ];
        assert_eq!(source("a: 1\n").splice(edits).map(|_| ()), Err(SpliceError));
    }
}
