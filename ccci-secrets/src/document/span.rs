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

    /// As [`Source::splice`], in the buffer of the source if the text has room there: two texts of a large file at once are
    /// more than they need be. Where it has none, it gets some for the next time.
    ///
    /// # Errors
    /// [`SpliceError`] as for [`Source::splice`].
    pub fn into_spliced(self, mut edits: Vec<Edit>) -> Result<Secret, SpliceError> {
        edits.sort_by_key(|edit| (edit.span.start(), edit.span.end()));
        let moves = Moves::of(&edits, self.bytes().len())?;
        let mut text = self.bytes;
        if moves.new_len > text.capacity() {
            let room = moves.new_len + ROOM_FOR_MORE;
            return Self::new(text).splicer(edits, room).finish();
        }
        text.grow_to(moves.new_len);
        moves.apply(text.expose_mut());
        for (edit, at) in edits.iter().zip(&moves.texts) {
            let place = text.expose_mut().get_mut(*at..at + edit.text.len());
            // EXPOSE: into the wiping buffer of the text.
            place
                .ok_or(SpliceError)?
                .copy_from_slice(edit.text.expose());
        }
        text.truncate(moves.new_len);
        Ok(text)
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

/// Room that a text gets for later edits: new metadata fit in.
const ROOM_FOR_MORE: usize = 16 << 10;

/// Where everything goes when edits are applied in place.
struct Moves {
    /// What stays, with the offset that it gets.
    kept: Vec<(Range<usize>, usize)>,
    /// Where the texts of the edits start.
    texts: Vec<usize>,
    new_len: usize,
}

impl Moves {
    /// For edits in the order of the source.
    fn of(edits: &[Edit], len: usize) -> Result<Self, SpliceError> {
        let mut kept = Vec::with_capacity(edits.len() + 1);
        let mut texts = Vec::with_capacity(edits.len());
        let (mut done, mut new_len) = (0, 0);
        for edit in edits {
            let piece = done..edit.span.start();
            if piece.start > piece.end || edit.span.end() > len {
                return Err(SpliceError);
            }
            kept.push((piece.clone(), new_len));
            new_len += piece.len();
            texts.push(new_len);
            new_len += edit.text.len();
            done = edit.span.end();
        }
        kept.push((done..len, new_len));
        new_len += len - done;
        Ok(Self {
            kept,
            texts,
            new_len,
        })
    }

    /// No piece goes where another one still is: those that go to the left come in their order, those that go to the
    /// right in the opposite one, and between two that part nothing overlaps.
    fn apply(&self, bytes: &mut [u8]) {
        let left = self.kept.iter().filter(|(piece, to)| *to < piece.start);
        left.for_each(|(piece, to)| bytes.copy_within(piece.clone(), *to));
        let right = self.kept.iter().filter(|(piece, to)| *to > piece.start);
        right
            .rev()
            .for_each(|(piece, to)| bytes.copy_within(piece.clone(), *to));
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
#[allow(clippy::indexing_slicing, clippy::panic, reason = "tests")]
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
    fn edits_in_place_give_the_same_text_and_the_same_errors() {
        let mut state = 1_u64;
        let mut next = |below: usize| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (state >> 33) as usize % below
        };
        let (mut in_place, mut refused) = (0, 0);
        for _ in 0..3_000 {
            let len = next(40);
            let text: Vec<u8> = (b'a'..=b'z').cycle().take(len).collect();
            let mut bytes = Secret::with_capacity(len + next(60));
            bytes.extend(&text);
            let edits = |seeds: &[(usize, usize, usize)]| -> Vec<Edit> {
                let edit = |&(at, removed, added): &(usize, usize, usize)| {
                    Edit::new(Span::new(at, at + removed), &b"0123456789"[..added])
                };
                seeds.iter().map(edit).collect()
            };
            let mut seeds = Vec::new();
            let mut at = 0;
            while at <= len && seeds.len() < 5 {
                let removed = next(8);
                seeds.push((at, removed, next(10)));
                at += removed + next(9);
                if next(20) == 0 {
                    at = at.saturating_sub(3);
                }
            }
            let expected = source(std::str::from_utf8(&text).expect("ASCII")).splice(edits(&seeds));
            let buffer = bytes.expose().as_ptr();
            match (Source::new(bytes).into_spliced(edits(&seeds)), expected) {
                (Ok(found), Ok(expected)) => {
                    assert_eq!(found.expose(), expected.expose(), "{seeds:?}");
                    in_place += usize::from(found.expose().as_ptr() == buffer);
                }
                (Err(_), Err(_)) => refused += 1,
                _ => panic!("only one of them is refused: {seeds:?}"),
            }
        }
        assert!(in_place > 500 && refused > 100, "{in_place} {refused}");
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
