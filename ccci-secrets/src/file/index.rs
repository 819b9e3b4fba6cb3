//! Every leaf and comment of a document in tree order, with its associated data and whether it is selected.

use crate::document::{Comment, Document, Node, NodeId, ParseError, Scalar, Span, Style};
use crate::envelope::Envelope;
use crate::error::Location;
use crate::selection::{Cursor, Selection};
use crate::tree::{Event, PathId, Paths, Walk};
use crate::value::Kind;

/// The leaves and comments of one document.
#[derive(Debug)]
pub(crate) struct Index {
    pub(crate) entries: Vec<Entry>,
    paths: Paths,
}

/// One leaf or comment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Entry {
    pub(crate) what: What,
    path: PathId,
    /// Whether the rule selects it for sealing.
    pub(crate) selected: bool,
    /// The alias through which it is a repetition.
    pub(crate) alias: Option<NodeId>,
}

impl Entry {
    /// Its place, for the paths of its index.
    pub(crate) fn path(&self) -> PathId {
        self.path
    }

    /// The scalar of a leaf.
    pub(crate) fn leaf<'d>(&self, document: &'d Document) -> Option<&'d Scalar> {
        match self.what {
            What::Leaf(node) => scalar(document, node),
            What::Comment(_) | What::ListComment(_) => None,
        }
    }
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum What {
    Comment(Comment),
    /// A scalar.
    Leaf(NodeId),
    /// A comment that sops sealed into a list: it stands there as a string item.
    ListComment(NodeId),
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
        // Most nodes are leaves. What stays unused is never touched; a list that grows would stand in memory twice.
        let mut entries: Vec<Entry> = Vec::with_capacity(document.nodes.len());
        let mut cursor = selection.cursor();
        let mut walk = Walk::new(document);
        let mut was_comment = false;
        while let Some(event) = walk.next()? {
            let (what, selected) = match event {
                Event::Comment(comment) => {
                    // EXPOSE: only matched against the rule.
                    let selected = cursor.comment(document.comment_text(comment).expose());
                    (What::Comment(*comment), selected)
                }
                Event::Scalar(node, scalar) => {
                    was_comment = state == State::Sealed
                        && walk.in_list()
                        && cursor.value()
                        && is_sealed_comment(document, scalar);
                    if was_comment {
                        let selected = cursor.comment(document.source().slice(scalar.span));
                        (What::ListComment(node), selected)
                    } else {
                        (What::Leaf(node), cursor.value())
                    }
                }
                // An item that is a sealed comment does not end the reach of the comments before it.
                Event::ItemDone if std::mem::take(&mut was_comment) => continue,
                other => {
                    follow(&mut cursor, &other);
                    continue;
                }
            };
            entries.push(Entry {
                what,
                path: walk.path(),
                selected,
                alias: walk.alias(),
            });
        }
        Ok(Self {
            entries,
            paths: walk.into_paths(),
        })
    }

    /// Only the paths: the entries are let go.
    pub(crate) fn into_paths(self) -> Paths {
        self.paths
    }

    /// The associated data of an entry.
    pub(crate) fn aad(&self, document: &Document, entry: &Entry) -> String {
        self.paths.aad(document, entry.path)
    }
}

fn follow(cursor: &mut Cursor<'_>, event: &Event<'_>) {
    match event {
        Event::EnterCollection => cursor.enter_collection(),
        Event::EnterKey(key) => cursor.enter_key(key),
        Event::ItemDone => cursor.item_done(),
        Event::LeaveCollection => cursor.leave_collection(),
        Event::LeaveKey => cursor.leave_key(),
        Event::Comment(_) | Event::Part | Event::Scalar(..) => {}
    }
}

fn is_sealed_comment(document: &Document, scalar: &Scalar) -> bool {
    let text = document.source().slice(scalar.span);
    let text = match scalar.style() {
        Style::Plain => text,
        Style::DoubleQuoted | Style::SingleQuoted => text.get(1..).unwrap_or_default(),
        Style::Literal(_) | Style::Folded(_) => return false,
    };
    Envelope::parse(text).is_ok_and(|envelope| envelope.kind() == Kind::Comment)
}

/// Where a leaf or comment stands, for a message.
pub(crate) fn place(document: &Document, index: &Index, entry: &Entry) -> Location {
    let aad = index.aad(document, entry);
    Location::leaf(aad.trim_end_matches(':'), line(document, entry))
}

/// The line of a leaf or comment.
pub(crate) fn line(document: &Document, entry: &Entry) -> usize {
    document.line(span(document, entry))
}

/// The token of a leaf, or a whole comment.
pub(crate) fn span(document: &Document, entry: &Entry) -> Span {
    match entry.what {
        What::Comment(comment) => comment.span,
        What::ListComment(node) | What::Leaf(node) => {
            scalar(document, node).map_or(Span::default(), |scalar| scalar.span)
        }
    }
}

/// The scalar at a node.
pub(crate) fn scalar(document: &Document, id: NodeId) -> Option<&Scalar> {
    match document.target(id).1 {
        Node::Scalar(scalar) => Some(scalar),
        Node::Alias(_) | Node::List(_) | Node::Map(_) => None,
    }
}
