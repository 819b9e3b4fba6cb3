//! The lines of block scalars.

use super::token::is_inline;
use crate::document::Chomp;
use crate::secret::Secret;

/// Text cut for a block scalar: everything up to its trailing line breaks, and how many those are.
#[derive(Clone, Copy)]
pub(super) struct BlockText<'a> {
    pub(super) core: &'a str,
    pub(super) breaks: usize,
}

impl<'a> BlockText<'a> {
    /// `None` where no block scalar can carry the text.
    pub(super) fn of(text: &'a str) -> Option<Self> {
        let core = text.trim_end_matches('\n');
        let fits = !text.is_empty() && text.chars().all(|c| c == '\n' || is_inline(c));
        fits.then_some(Self {
            core,
            breaks: text.len() - core.len(),
        })
    }

    /// The chomping under which this many breaks survive.
    pub(super) fn chomp(self) -> Chomp {
        match (self.breaks, self.core.is_empty()) {
            (0, _) => Chomp::Strip,
            (1, false) => Chomp::Clip,
            _ => Chomp::Keep,
        }
    }

    /// Whether the reader would take the blanks of the first line for indentation.
    pub(super) fn needs_indicator(self) -> bool {
        self.core.trim_start_matches('\n').starts_with([' ', '\t'])
    }

    /// The lines as they stand in the source, indentation and the last line break left out.
    pub(super) fn push(self, out: &mut Secret, layout: Lines<'_>) {
        let mut previous: Option<&str> = None;
        let mut breaks = 0;
        for line in self.core.split('\n') {
            if !line.is_empty() {
                let folds = layout.folded
                    && previous.is_some_and(|before| !is_indented(before) && !is_indented(line));
                (0..breaks + usize::from(folds)).for_each(|_| out.extend(layout.newline));
                out.extend(&vec![b' '; layout.indent]);
                out.extend(line.as_bytes());
                (previous, breaks) = (Some(line), 0);
            }
            breaks += 1;
        }
    }
}

/// How lines are put down.
#[derive(Clone, Copy)]
pub(super) struct Lines<'a> {
    pub(super) folded: bool,
    pub(super) indent: usize,
    pub(super) newline: &'a [u8],
}

/// Lines that start with a blank are not folded.
fn is_indented(line: &str) -> bool {
    line.starts_with([' ', '\t'])
}
