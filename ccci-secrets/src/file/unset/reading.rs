//! What a document holds, with or without what stands at one path: the text that is left must read as the rest.

use crate::document::{Document, Resolved};
use crate::file::SealError;
use crate::file::sequence::Sequence;
use crate::path::{Segment, TreePath};
use crate::tree::{Event, Walk};

/// What a document holds, comments aside, but for what stands at `path`; none if nothing stands there.
pub(super) fn reading_without(
    document: &Document,
    path: &TreePath,
) -> Result<Option<Sequence>, SealError> {
    let mut way = Way::to(path);
    let rest = sequence(document, |event, in_list| way.leads_past(event, in_list))?;
    Ok((way.at == At::Behind).then_some(rest))
}

/// What a document holds, comments aside.
pub(super) fn reading(document: &Document) -> Result<Sequence, SealError> {
    sequence(document, |_, _| true)
}

/// What a document holds, comments aside, of what `is_kept` lets pass: it is told whether the innermost collection is a
/// list.
fn sequence(
    document: &Document,
    mut is_kept: impl FnMut(&Event<'_>, bool) -> bool,
) -> Result<Sequence, SealError> {
    let mut sequence = Sequence::default();
    let mut walk = Walk::new(document);
    while let Some(event) = walk.next()? {
        if !is_kept(&event, walk.in_list()) {
            continue;
        }
        match event {
            Event::Comment(_) | Event::ItemDone | Event::LeaveKey => {}
            Event::EnterCollection if walk.in_list() => sequence.mark("list"),
            Event::EnterCollection => sequence.mark("map"),
            Event::EnterKey(key) => sequence.key(key),
            Event::LeaveCollection => sequence.mark("close"),
            Event::Part => sequence.mark("part"),
            Event::Scalar(_, scalar) => match document.resolve(scalar) {
                Ok(Resolved::Null) => sequence.null(""),
                Ok(Resolved::Value(value)) => sequence.clear(&value, ""),
                Err(_) => sequence.unreadable(document.source().slice(scalar.span)),
            },
        }
    }
    Ok(sequence)
}

/// The way of a walk to what stands at one path of the first part, and past it.
struct Way<'p> {
    /// The steps that are left to go.
    left: &'p [Segment],
    /// How many collections are open.
    depth: usize,
    /// The depth of the collection in which the next step is looked for.
    from: usize,
    /// How many elements of that collection came before; none in a map.
    elements: Option<usize>,
    at: At,
}

/// Where a walk is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum At {
    Ahead,
    There,
    Behind,
    /// The way ended before.
    Nowhere,
}

impl<'p> Way<'p> {
    fn to(path: &'p TreePath) -> Self {
        Self {
            left: path.segments(),
            depth: 0,
            from: 1,
            elements: None,
            at: At::Ahead,
        }
    }

    /// Whether an event belongs to anything else than what stands at the path.
    fn leads_past(&mut self, event: &Event<'_>, in_list: bool) -> bool {
        if self.at == At::Ahead && self.depth == self.from && self.is_next(event) {
            self.step();
        }
        let is_there = self.at == At::There;
        match event {
            Event::EnterCollection => {
                self.depth += 1;
                if self.depth == self.from {
                    self.elements = in_list.then_some(0);
                }
            }
            Event::LeaveCollection => {
                self.depth -= 1;
                if self.depth == 0 {
                    self.end_item();
                }
            }
            Event::ItemDone if self.depth < self.from => self.end_item(),
            _ => {}
        }
        !is_there
    }

    /// Whether the next step leads to the item that begins with this event.
    fn is_next(&mut self, event: &Event<'_>) -> bool {
        let next = self.left.first();
        match (event, self.elements.as_mut()) {
            (Event::EnterKey(key), _) => {
                matches!(next, Some(Segment::Key(wanted)) if wanted == key)
            }
            (Event::EnterCollection | Event::Scalar(..), Some(before)) => {
                let number = *before;
                *before += 1;
                matches!(next, Some(Segment::Index(wanted)) if *wanted == number)
            }
            _ => false,
        }
    }

    fn step(&mut self) {
        self.left = self.left.get(1..).unwrap_or_default();
        self.from += 1;
        if self.left.is_empty() {
            self.at = At::There;
        }
    }

    /// The item that the last step led to is over, or the first part is.
    fn end_item(&mut self) {
        self.at = match self.at {
            At::Ahead => At::Nowhere,
            At::There => At::Behind,
            end => end,
        };
    }
}
