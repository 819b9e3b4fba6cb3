//! A block scalar whose value depends on the line breaks behind it.

use super::place;
use crate::document::{BlockScalar, Chomp, Document, Edit, Node, NodeId, Scalar, Span, Style};

/// A block scalar and the line breaks between its last content line and a place.
#[derive(Clone, Copy)]
pub(super) struct Ending {
    header: Span,
    chomp: Chomp,
    has_content: bool,
    pub(super) breaks: usize,
}

impl Ending {
    /// `None` where the scalar ends before `end`, so that what stands there does not matter to it.
    pub(super) fn of(
        document: &Document,
        (scalar, block): (Scalar, BlockScalar),
        end: usize,
    ) -> Option<Self> {
        let content_end = scalar.span.end().max(block.body.start());
        let tail = document.source.slice(Span::new(content_end, end));
        let is_blank = tail.iter().all(|byte| matches!(byte, b' ' | b'\n' | b'\r'));
        is_blank.then(|| Self {
            header: block.header,
            chomp: block.chomp,
            has_content: content_end > block.body.start(),
            breaks: place::breaks(tail).0,
        })
    }

    pub(super) fn with_breaks(self, breaks: usize) -> Self {
        Self { breaks, ..self }
    }

    /// How many line breaks the value ends with.
    pub(super) fn value_breaks(self) -> usize {
        match self.chomp {
            Chomp::Strip => 0,
            Chomp::Clip => self.breaks.min(usize::from(self.has_content)),
            Chomp::Keep => self.breaks,
        }
    }

    /// With one more line break behind it, and the chomping under which the value stays the same, and by how many steps
    /// that was lowered. `None` where nothing needs to change, or nothing would help.
    pub(super) fn closed(self) -> Option<(Self, usize)> {
        let closed = self.with_breaks(self.breaks + 1);
        if closed.value_breaks() == self.value_breaks() {
            return None;
        }
        [1, 2].into_iter().find_map(|steps| {
            let lowered = closed.lowered(steps)?;
            (lowered.value_breaks() == self.value_breaks()).then_some((lowered, steps))
        })
    }

    /// With chomping that keeps less, by a number of steps.
    fn lowered(self, steps: usize) -> Option<Self> {
        let chomp = match (self.chomp, steps) {
            (Chomp::Keep, 1) => Chomp::Clip,
            (Chomp::Keep, 2) | (Chomp::Clip, 1) => Chomp::Strip,
            _ => return None,
        };
        Some(Self { chomp, ..self })
    }

    /// With chomping that keeps more, by a number of steps.
    pub(super) fn raised(self, steps: usize) -> Option<Self> {
        let chomp = match (self.chomp, steps) {
            (Chomp::Clip, 1) | (Chomp::Strip, 2) => Chomp::Keep,
            (Chomp::Strip, 1) => Chomp::Clip,
            _ => return None,
        };
        Some(Self { chomp, ..self })
    }

    /// The edit that writes this chomping into the header.
    pub(super) fn header_edit(self, document: &Document) -> Edit {
        Edit::new(
            self.header,
            &with_chomp(document.source.slice(self.header), self.chomp),
        )
    }
}

/// A header with another chomping indicator, in the place of the old one if there is one.
pub(super) fn with_chomp(header: &[u8], chomp: Chomp) -> Vec<u8> {
    let mut indicator = match chomp {
        Chomp::Clip => None,
        Chomp::Keep => Some(b'+'),
        Chomp::Strip => Some(b'-'),
    };
    let mut out = Vec::with_capacity(3);
    for &byte in header {
        match byte {
            b'+' | b'-' => out.extend(indicator.take()),
            other => out.push(other),
        }
    }
    out.extend(indicator);
    out
}

/// The block scalar that the last line of a node belongs to.
pub(super) fn last_block_scalar(document: &Document, id: NodeId) -> Option<(Scalar, BlockScalar)> {
    let mut id = id;
    loop {
        id = match document.node(id) {
            Node::Map(collection) | Node::List(collection) => collection.items.last()?.value()?,
            Node::Scalar(scalar) => match scalar.style() {
                Style::Literal(block) | Style::Folded(block) => {
                    return Some((scalar.clone(), block));
                }
                _ => return None,
            },
            Node::Alias(_) => return None,
        };
    }
}
