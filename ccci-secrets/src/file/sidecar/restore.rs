//! The texts of the sidecar, put back where they still fit.

use std::collections::HashMap;

use super::collect::with_blanks;
use super::{LeafName, START, Sidecar, Spelling, leaf_name};
use crate::digest::Sha512Stream;
use crate::document::{Document, Edit, ParseError, Resolved, Scalar, Span};
use crate::file::index::{self, What};
use crate::file::{OpenFile, SealError};
use crate::secret::Secret;
use crate::tree::{Event, Walk};

/// How often a text is read again to find out which spellings do not fit. Only a file that was changed by hand has such.
const ATTEMPTS: usize = 64;

/// Where a spelling goes.
#[derive(Clone, Copy)]
struct Place {
    /// In the plaintext.
    span: Span,
    /// Its number in the sidecar.
    spelling: usize,
    /// The line of its leaf in the sealed file.
    line: usize,
}

/// A plaintext with the spellings in it that fit.
pub(in crate::file) struct Respelled {
    pub(in crate::file) text: Secret,
    /// The numbers of those that fit.
    fitting: Vec<usize>,
    /// The line of the first that does not, or of the metadata if its value is gone.
    pub(in crate::file) misfit: Option<usize>,
}

impl<Proof> OpenFile<Proof> {
    /// Puts spellings into the plaintext of this file.
    pub(in crate::file) fn respell(
        &self,
        plain: Document,
        sidecar: &Sidecar,
    ) -> Result<Respelled, SealError> {
        let places = self.places(&plain, sidecar)?;
        let mut respelled = None;
        let mut fitting: Vec<Place> = Vec::new();
        let mut waiting = vec![places.as_slice()];
        for _ in 0..ATTEMPTS {
            let Some(more) = waiting.pop() else { break };
            let together = [fitting.as_slice(), more].concat();
            if let Some(text) = attempt(&plain, sidecar, &together) {
                respelled = Some(text);
                fitting = together;
            } else if more.len() > 1 {
                let (first, rest) = more.split_at_checked(more.len() / 2).unwrap_or_default();
                waiting.extend([rest, first]);
            }
        }
        let mut fitting: Vec<usize> = fitting.iter().map(|place| place.spelling).collect();
        fitting.sort_unstable();
        let misfit = places
            .iter()
            .find(|place| fitting.binary_search(&place.spelling).is_err())
            .map(|place| place.line)
            .or_else(|| (fitting.len() < sidecar.spellings.len()).then(|| self.metadata_line()));
        Ok(Respelled {
            text: respelled.unwrap_or_else(|| plain.into_text()),
            fitting,
            misfit,
        })
    }

    /// Those spellings of an older version of this file that fit it as well.
    pub(in crate::file) fn fitting(&self, mut sidecar: Sidecar) -> Sidecar {
        let plain = self.plain_document().map(|(plain, _)| plain);
        let respelled = plain.and_then(|plain| self.respell(plain, &sidecar));
        let fitting = respelled.map_or(Vec::new(), |respelled| respelled.fitting);
        let mut number = 0..;
        sidecar.spellings.retain(|_| {
            let number = number.next();
            number.is_some_and(|number| fitting.binary_search(&number).is_ok())
        });
        sidecar
    }

    /// Where the spellings go whose leaf is still there. The plaintext has the leaves of the sealed file, in their order.
    fn places(&self, plain: &Document, sidecar: &Sidecar) -> Result<Vec<Place>, ParseError> {
        let mut spellings: HashMap<(LeafName, u32), Vec<usize>> = HashMap::new();
        for (number, spelling) in sidecar.spellings.iter().enumerate() {
            let leaf = (spelling.leaf, spelling.behind);
            spellings.entry(leaf).or_default().push(number);
        }
        let mut places = Vec::new();
        let mut leaves = self.leaf_names();
        let mut current = (START, 0);
        let mut walk = Walk::new(plain);
        while let Some(event) = walk.next()? {
            let Event::Scalar(id, _) = event else {
                continue;
            };
            let Some((name, line)) = leaves.next() else {
                break;
            };
            if let Some(name) = name {
                current = (name, 0);
            }
            let here = spellings.get(&current).into_iter().flatten();
            current.1 += 1;
            for &spelling in here {
                let Some(found) = sidecar.spellings.get(spelling) else {
                    continue;
                };
                let node = match usize::from(found.levels) {
                    0 => Some(id),
                    levels => walk.collection(levels),
                };
                let span = |node| found.place_of(plain, plain.text_span(node));
                places.extend(node.map(|node| Place {
                    span: span(node),
                    spelling,
                    line,
                }));
            }
        }
        Ok(places)
    }

    /// The name of every leaf that is sealed, nothing for others, and its line.
    fn leaf_names(&self) -> impl Iterator<Item = (Option<LeafName>, usize)> {
        let document = &self.sealed.document;
        let entries = self.sealed.entries();
        let leaves = entries.filter(|entry| matches!(entry.what, What::Leaf(_)));
        leaves.map(move |entry| {
            let sealed = entry.leaf(document).filter(|_| entry.selected);
            let name = sealed.and_then(|scalar| match document.resolve(scalar) {
                // EXPOSE: an envelope.
                Ok(Resolved::Value(text)) => leaf_name(text.canonical().expose()),
                _ => None,
            });
            (name, index::line(document, &entry))
        })
    }
}

impl Spelling {
    /// A text with blanks before it takes the place of those, too.
    fn place_of(&self, plain: &Document, text: Span) -> Span {
        // EXPOSE: only looked at.
        match self.text.expose().first() {
            Some(first) if first.is_ascii_whitespace() => with_blanks(plain.source(), text),
            _ => text,
        }
    }
}

/// The text with these spellings in it, if it means the same.
fn attempt(plain: &Document, sidecar: &Sidecar, places: &[Place]) -> Option<Secret> {
    let edits = places.iter().filter_map(|place| {
        let spelling = sidecar.spellings.get(place.spelling)?;
        // EXPOSE: into the plaintext.
        Some(Edit::new(place.span, spelling.text.expose()))
    });
    let text = plain.source().splice(edits.collect()).ok()?;
    let again = Document::parse_plaintext(plain.format(), text).ok()?;
    let has_metadata = |part| again.metadata_entry(part).is_some();
    let same = !again.parts().iter().any(has_metadata) && means_the_same(plain, &again).ok()?;
    same.then(|| again.into_text())
}

/// Whether two documents have the same keys, values and types in the same collections, and comments of the same texts.
fn means_the_same(old: &Document, new: &Document) -> Result<bool, ParseError> {
    let (mut old, mut new) = (Reading::of(old), Reading::of(new));
    loop {
        let same = match (old.next()?, new.next()?) {
            (None, None) => return Ok(old.comments.finish() == new.comments.finish()),
            (Some(Event::EnterKey(one)), Some(Event::EnterKey(other))) => one == other,
            (Some(Event::EnterCollection), Some(Event::EnterCollection)) => {
                old.walk.in_list() == new.walk.in_list()
            }
            (Some(Event::Scalar(_, one)), Some(Event::Scalar(_, other))) => {
                is_equal((old.document, one), (new.document, other))
            }
            (Some(one), Some(other)) => {
                std::mem::discriminant(&one) == std::mem::discriminant(&other)
            }
            _ => false,
        };
        if !same {
            return Ok(false);
        }
    }
}

fn is_equal((old, one): (&Document, &Scalar), (new, other): (&Document, &Scalar)) -> bool {
    match (old.resolve(one), new.resolve(other)) {
        (Ok(Resolved::Null), Ok(Resolved::Null)) => true,
        (Ok(Resolved::Value(one)), Ok(Resolved::Value(other))) => one.same_as(&other),
        _ => false,
    }
}

/// A walk that takes the comments apart: behind an alias one belongs to another collection than behind what that stood
/// for, and through an alias it is seen again.
struct Reading<'d> {
    document: &'d Document,
    walk: Walk<'d>,
    comments: Sha512Stream,
}

impl<'d> Reading<'d> {
    fn of(document: &'d Document) -> Self {
        Self {
            document,
            walk: Walk::new(document),
            comments: Sha512Stream::default(),
        }
    }

    fn next(&mut self) -> Result<Option<Event<'d>>, ParseError> {
        loop {
            match self.walk.next()? {
                Some(Event::Comment(_)) if self.walk.alias().is_some() => {}
                Some(Event::Comment(comment)) => {
                    let text = self.document.comment_text(comment);
                    // EXPOSE: to a digest that is only compared with another one.
                    let text = text.expose();
                    self.comments.update(&text.len().to_le_bytes());
                    self.comments.update(text);
                }
                event => return Ok(event),
            }
        }
    }
}
