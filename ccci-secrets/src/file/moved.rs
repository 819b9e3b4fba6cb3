//! Sealed comments that come to stand at another place, because of a change somewhere near: they are sealed anew there.

use std::collections::HashSet;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;

use super::comments::{open_at, open_near};
use super::index::{self, Index, State, What};
use super::places::Places;
use super::{SealError, SealedFile};
use crate::document::{Comment, Document, Edit};
use crate::envelope::Envelope;
use crate::leaf::LeafCipher;
use crate::selection::Selection;
use crate::value::Kind;

/// The sealed comments of a file, and where they stood.
#[derive(Debug)]
pub(super) struct SealedComments {
    hasher: RandomState,
    /// In the order of their texts.
    found: Vec<Found>,
    places: Places,
}

/// A comment, without its text and its place: only equality counts, and the hasher's keys are random.
#[derive(Clone, Copy, Debug)]
struct Found {
    text: u64,
    place: u64,
    /// Its number among the places.
    number: usize,
}

/// A comment that has another place than before.
struct Moved {
    comment: Comment,
    /// Its number in the index.
    at: usize,
    aad: String,
    /// The number of its old place.
    number: usize,
}

impl SealedComments {
    pub(super) fn of(file: &SealedFile) -> Self {
        let (document, index) = (&file.document, &file.index);
        let hasher = RandomState::new();
        let mut places = Places::default();
        let mut found = Vec::new();
        for entry in index.entries(document).filter(|entry| entry.selected) {
            let What::Comment(comment) = entry.what else {
                continue;
            };
            let text = document.comment_text(&comment);
            // EXPOSE: an envelope, to find it again.
            let text = text.expose();
            if !Envelope::is_one(text) {
                continue;
            }
            let aad = index.aad(document, &entry);
            found.push(Found {
                text: hasher.hash_one(text),
                place: hasher.hash_one(&aad),
                number: found.len(),
            });
            places.push(&aad);
        }
        found.sort_unstable_by_key(|found| (found.text, found.number));
        Self {
            hasher,
            found,
            places,
        }
    }

    /// The last one with this text.
    fn find(&self, text: &[u8]) -> Option<Found> {
        let text = self.hasher.hash_one(text);
        let behind = self.found.partition_point(|found| found.text <= text);
        let last = self.found.get(behind.checked_sub(1)?)?;
        (last.text == text).then_some(*last)
    }

    /// The document with each comment sealed under the place where it stands now.
    ///
    /// # Errors
    /// [`SealError::CommentMoves`] for one that would stand where comments are in the clear.
    pub(super) fn reseal_moved(
        self,
        document: Document,
        selection: &Selection,
        cipher: &mut LeafCipher,
    ) -> Result<Document, SealError> {
        let index = Index::of(&document, selection, State::Sealed)?;
        let moved = self.moved(&document, &index)?;
        if moved.is_empty() {
            return Ok(document);
        }
        let numbers: HashSet<usize> = moved.iter().map(|moved| moved.number).collect();
        let places = self.places.numbered(&numbers);
        let mut edits: Vec<Edit> = Vec::new();
        for moved in moved {
            let text = document.comment_text(&moved.comment);
            // EXPOSE: an envelope.
            let text = text.expose();
            let old = places.get(&moved.number);
            let opened = old
                .and_then(|place| open_at(cipher, text, place))
                .or_else(|| Some(open_near((&document, &index), cipher, moved.at, text)?.0));
            if let Some(plain) = opened {
                // EXPOSE: to the cipher.
                let envelope = cipher.seal(Kind::Comment, plain.expose(), &moved.aad)?;
                edits.extend(document.seal_comment(&moved.comment, &envelope));
            }
        }
        drop(index);
        let format = document.format();
        Ok(Document::parse(format, document.into_spliced(edits)?)?)
    }

    fn moved(&self, document: &Document, index: &Index) -> Result<Vec<Moved>, SealError> {
        let mut moved = Vec::new();
        for (at, entry) in index.entries(document).enumerate() {
            let What::Comment(comment) = entry.what else {
                continue;
            };
            // EXPOSE: an envelope, if it is found.
            let Some(old) = self.find(document.comment_text(&comment).expose()) else {
                continue;
            };
            let aad = index.aad(document, &entry);
            if entry.selected && old.place == self.hasher.hash_one(&aad) {
                continue;
            }
            if !entry.selected {
                return Err(SealError::CommentMoves {
                    place: index::place(document, index, &entry),
                });
            }
            moved.push(Moved {
                comment,
                at,
                aad,
                number: old.number,
            });
        }
        Ok(moved)
    }
}
