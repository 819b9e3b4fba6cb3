//! Every leaf and comment of a document in tree order, with its associated data and whether it is selected.

use crate::document::{Comment, Document, Node, NodeId, ParseError, Scalar, Style};
use crate::envelope::Envelope;
use crate::error::Location;
use crate::selection::Selection;
use crate::tree::{Event, Walk};
use crate::value::Kind;

/// The leaves and comments of one document.
#[derive(Debug, Default)]
pub(crate) struct Index {
    pub(crate) entries: Vec<Entry>,
    /// All associated data, one after the other.
    aads: String,
}

/// One leaf or comment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Entry {
    pub(crate) what: What,
    aad_start: usize,
    aad_len: usize,
    /// Whether the rule selects it for sealing.
    pub(crate) selected: bool,
    /// The alias through which it is a repetition.
    pub(crate) alias: Option<NodeId>,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum What {
    Comment(Comment),
    /// A comment that sops sealed into a list: it stands there as a string item.
    ListComment(Scalar),
    Leaf(NodeId, Scalar),
}

/// Whether sealed comments in lists may stand as items.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Clear,
    Sealed,
}

impl Index {
    /// Walks a document once.
    ///
    /// # Errors
    /// [`ParseError`] when aliases blow it up.
    pub(crate) fn of(
        document: &Document,
        selection: &Selection,
        state: State,
    ) -> Result<Self, ParseError> {
        let mut index = Self::default();
        let mut cursor = selection.cursor();
        let mut walk = Walk::new(document);
        let mut was_comment = false;
        while let Some(event) = walk.next()? {
            match event {
                Event::EnterKey(key) => cursor.enter_key(key),
                Event::LeaveKey => cursor.leave_key(),
                Event::EnterCollection => cursor.enter_collection(),
                Event::LeaveCollection => cursor.leave_collection(),
                Event::Part => {}
                // An item that is a sealed comment does not end the reach of the comments before it.
                Event::ItemDone if was_comment => was_comment = false,
                Event::ItemDone => cursor.item_done(),
                Event::Comment(comment) => {
                    // EXPOSE: only matched against the rule.
                    let selected = cursor.comment(document.comment_text(comment).expose());
                    index.push(What::Comment(*comment), &walk, selected);
                }
                Event::Scalar(node, scalar) => {
                    let list_comment = state == State::Sealed
                        && walk.in_list()
                        && is_sealed_comment(document, scalar);
                    if list_comment {
                        was_comment = true;
                        let selected = cursor.comment(document.source().slice(scalar.span));
                        index.push(What::ListComment(*scalar), &walk, selected);
                    } else {
                        index.push(What::Leaf(node, *scalar), &walk, cursor.value());
                    }
                }
            }
        }
        Ok(index)
    }

    fn push(&mut self, what: What, walk: &Walk<'_>, selected: bool) {
        let aad = walk.aad();
        // Comments and list items in a row share their place.
        let aad_start = match self.entries.last() {
            Some(last) if self.aad(last) == aad => last.aad_start,
            _ => {
                self.aads.push_str(aad);
                self.aads.len() - aad.len()
            }
        };
        self.entries.push(Entry {
            what,
            aad_start,
            aad_len: aad.len(),
            selected,
            alias: walk.alias(),
        });
    }

    /// The associated data of an entry.
    pub(crate) fn aad(&self, entry: &Entry) -> &str {
        self.aads
            .get(entry.aad_start..entry.aad_start + entry.aad_len)
            .unwrap_or_default()
    }
}

fn is_sealed_comment(document: &Document, scalar: &Scalar) -> bool {
    let text = document.source().slice(scalar.span);
    let text = match scalar.style {
        Style::Plain => text,
        Style::DoubleQuoted | Style::SingleQuoted => text.get(1..).unwrap_or_default(),
        Style::Literal(_) | Style::Folded(_) => return false,
    };
    Envelope::parse(text).is_ok_and(|envelope| envelope.kind() == Kind::Comment)
}

/// Where a leaf or comment stands, for a message.
pub(crate) fn place(document: &Document, index: &Index, entry: &Entry) -> Location {
    Location::leaf(
        index.aad(entry).trim_end_matches(':'),
        line(document, entry),
    )
}

/// The line of a leaf or comment.
pub(crate) fn line(document: &Document, entry: &Entry) -> usize {
    match entry.what {
        What::Comment(comment) => document.line(comment.span),
        What::ListComment(scalar) | What::Leaf(_, scalar) => document.line(scalar.span),
    }
}

/// The scalar at a node.
pub(crate) fn scalar(document: &Document, id: NodeId) -> Option<&Scalar> {
    match document.target(id).1 {
        Node::Scalar(scalar) => Some(scalar),
        Node::Alias(_) | Node::List(_) | Node::Map(_) => None,
    }
}
