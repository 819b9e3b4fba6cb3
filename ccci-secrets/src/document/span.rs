//! The source text and pieces of it.

use std::fmt;
use std::num::NonZeroU32;
use std::ops::Range;
use std::sync::OnceLock;

use crate::secret::Secret;

/// A range of bytes of a [`Source`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    start: u32,
    /// The end plus one, so that an optional span takes no more room than a span: a large file has many of them.
    past_end: NonZeroU32,
}

impl Span {
    /// A span from offsets; a document is smaller than 4 GiB, checked when it is parsed.
    #[must_use]
    pub(crate) fn new(start: usize, end: usize) -> Self {
        let clamp = |offset: usize| u32::try_from(offset).unwrap_or(u32::MAX - 1);
        Self {
            start: clamp(start),
            past_end: NonZeroU32::MIN.saturating_add(clamp(end.max(start))),
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
        self.past_end.get() as usize - 1
    }

    /// Length in bytes.
    #[must_use]
    pub fn len(self) -> usize {
        self.end() - self.start()
    }

    /// Whether the span holds no bytes; it still is a place.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.start() == self.end()
    }

    /// As a range of offsets.
    #[must_use]
    pub fn range(self) -> Range<usize> {
        self.start()..self.end()
    }
}

impl Default for Span {
    fn default() -> Self {
        Self::new(0, 0)
    }
}

impl fmt::Debug for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.range())
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
            self.span.start(),
            self.span.end()
        )
    }
}

/// The bytes of a file in one wiping buffer. Plaintext leaves are spans of it.
///
/// It cannot be cloned and prints as its length.
pub struct Source {
    bytes: Secret,
    /// Where lines end; found when a line is first asked for.
    line_ends: OnceLock<Vec<u32>>,
}

impl Source {
    /// Takes over the bytes of a file.
    #[must_use]
    pub fn new(bytes: Secret) -> Self {
        Self {
            bytes,
            line_ends: OnceLock::new(),
        }
    }

    /// Gives the bytes back.
    #[must_use]
    pub fn into_bytes(self) -> Secret {
        self.bytes
    }

    /// All bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        // EXPOSE: to readers inside the crate; what they keep are spans or wiping buffers.
        self.bytes.expose()
    }

    /// The bytes of a span; empty if it lies outside.
    #[must_use]
    pub fn slice(&self, span: Span) -> &[u8] {
        self.bytes().get(span.range()).unwrap_or_default()
    }

    /// The line of an offset, from 1.
    #[must_use]
    pub fn line(&self, offset: usize) -> usize {
        let ends = self.line_ends.get_or_init(|| {
            let breaks = memchr::memchr_iter(b'\n', self.bytes());
            breaks.filter_map(|at| u32::try_from(at).ok()).collect()
        });
        1 + ends.partition_point(|&end| (end as usize) < offset)
    }

    /// The source with the edits applied: every byte outside their spans is copied.
    ///
    /// Edits may come in any order; those at the same place are applied in the order given.
    ///
    /// # Errors
    /// [`SpliceError`] if two edits overlap or one lies outside the source. That is a bug of the caller, and an
    /// error all the same: nothing is written then.
    pub fn splice(&self, edits: Vec<Edit>) -> Result<Secret, SpliceError> {
        let added: usize = edits.iter().map(|edit| edit.text.len()).sum();
        self.splicer(edits, self.bytes().len() + added).finish()
    }

    /// Applies edits as they are made, so that they need not all be kept: `edits` in any order, and those that are
    /// pushed later in the order of the source. `room` is how long the text may become; it grows if that is too little.
    #[must_use]
    pub fn splicer(&self, mut edits: Vec<Edit>, room: usize) -> Splicer<'_> {
        // Stable: edits at the same place stay in order.
        edits.sort_by_key(|edit| (edit.span.start(), edit.span.end()));
        Splicer {
            source: self.bytes(),
            done: 0,
            out: Secret::with_capacity(room),
            waiting: edits.into_iter().peekable(),
        }
    }
}

/// A text under construction from a source and edits of it.
pub struct Splicer<'s> {
    source: &'s [u8],
    done: usize,
    out: Secret,
    waiting: std::iter::Peekable<std::vec::IntoIter<Edit>>,
}

impl Splicer<'_> {
    /// Applies an edit that lies behind all that were pushed before.
    ///
    /// # Errors
    /// [`SpliceError`] if it does not, or lies outside the source.
    pub fn push(&mut self, edit: Edit) -> Result<(), SpliceError> {
        let place = (edit.span.start(), edit.span.end());
        while let Some(earlier) = self
            .waiting
            .next_if(|other| (other.span.start(), other.span.end()) <= place)
        {
            self.apply(&earlier)?;
        }
        self.apply(&edit)
    }

    fn apply(&mut self, edit: &Edit) -> Result<(), SpliceError> {
        let kept = self.source.get(self.done..edit.span.start());
        self.out.extend(kept.ok_or(SpliceError)?);
        // EXPOSE: into the wiping output buffer.
        self.out.extend(edit.text.expose());
        self.done = edit.span.end();
        Ok(())
    }

    /// The finished text.
    ///
    /// # Errors
    /// [`SpliceError`] as for [`Source::splice`].
    pub fn finish(mut self) -> Result<Secret, SpliceError> {
        while let Some(edit) = self.waiting.next() {
            self.apply(&edit)?;
        }
        let rest = self.source.get(self.done..).ok_or(SpliceError)?;
        self.out.extend(rest);
        Ok(self.out)
    }
}

impl fmt::Debug for Splicer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Splicer({} of {} bytes)", self.done, self.source.len())
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Source({} bytes)", self.bytes.len())
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
