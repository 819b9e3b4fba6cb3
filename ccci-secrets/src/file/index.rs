//! Every leaf and comment of a document in tree order, with its associated data and whether it is selected.

use crate::document::{Comment, Document, Item, Node, NodeId, ParseError, Scalar, Span, Style};
use crate::envelope::Envelope;
use crate::error::Location;
use crate::large::Large;
use crate::selection::{Cursor, Selection};
use crate::tree::{Event, Spot, Visits, Walk};
use crate::value::Kind;

/// The leaves and comments of one document.
///
/// Of each only the place is kept; what stands there is looked up in the document.
#[derive(Debug)]
pub(crate) struct Index {
    spots: Large<Spot>,
    marks: Large<Mark>,
    visits: Visits,
}

/// What the document does not say of an entry.
#[derive(Clone, Copy, Debug)]
struct Mark {
    selected: bool,
    is_list_comment: bool,
}

/// One leaf or comment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Entry {
    pub(crate) what: What,
    spot: Spot,
    /// Whether the rule selects it for sealing.
    pub(crate) selected: bool,
    /// The alias through which it is a repetition.
    pub(crate) alias: Option<NodeId>,
}

impl Entry {
    /// Its place, for the [`Visits`] of its index.
    pub(crate) fn spot(&self) -> Spot {
        self.spot
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
        let mut spots = Large::with_capacity(document.nodes.len());
        let mut marks = Large::with_capacity(document.nodes.len());
        let walk = Walk::keeping_visits(document);
        let mut found = Entries::of_walk(walk, document, selection, state);
        while let Some(entry) = found.next()? {
            spots.push(entry.spot);
            marks.push(Mark {
                selected: entry.selected,
                is_list_comment: matches!(entry.what, What::ListComment(_)),
            });
        }
        Ok(Self {
            spots,
            marks,
            visits: found.walk.into_visits(),
        })
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.spots.len()
    }

    /// The entry with this number, of the document that this is the index of.
    pub(crate) fn entry(&self, document: &Document, at: usize) -> Option<Entry> {
        let (&spot, mark) = (self.spots.get(at)?, self.marks.get(at)?);
        let item = self.visits.item(document, spot)?;
        // An alias stands for another node.
        let value = item.value().map(|id| (id, document.target(id).0));
        let alias = value.filter(|(id, node)| id != node).map(|(id, _)| id);
        let what = match (item, value) {
            (Item::Comment(comment), _) => What::Comment(*comment),
            (_, Some((_, node))) if mark.is_list_comment => What::ListComment(node),
            (_, value) => What::Leaf(value?.1),
        };
        Some(Entry {
            what,
            spot,
            selected: mark.selected,
            alias: self.visits.alias_around(spot).or(alias),
        })
    }

    /// All entries, in the order of the tree.
    pub(crate) fn entries<'i>(
        &'i self,
        document: &'i Document,
    ) -> impl Iterator<Item = Entry> + Clone + 'i {
        (0..self.len()).filter_map(|at| self.entry(document, at))
    }

    /// Only the places: what stands there is let go.
    pub(crate) fn into_visits(self) -> Visits {
        self.visits
    }

    /// The associated data of an entry.
    pub(crate) fn aad(&self, document: &Document, entry: &Entry) -> String {
        self.visits.aad(document, entry.spot)
    }
}

/// The leaves and comments of a document one after the other, for whoever meets each only once: an [`Index`] of a large
/// document takes a good part of the room of its text.
#[derive(Debug)]
pub(crate) struct Entries<'d> {
    document: &'d Document,
    walk: Walk<'d>,
    cursor: Cursor<'d>,
    state: State,
    /// Whether the current item is a sealed comment.
    was_comment: bool,
}

impl<'d> Entries<'d> {
    pub(crate) fn of(document: &'d Document, selection: &'d Selection, state: State) -> Self {
        Self::of_walk(Walk::new(document), document, selection, state)
    }

    fn of_walk(
        walk: Walk<'d>,
        document: &'d Document,
        selection: &'d Selection,
        state: State,
    ) -> Self {
        Self {
            document,
            walk,
            cursor: selection.cursor(),
            state,
            was_comment: false,
        }
    }

    /// The next one. Its place counts only where the walk keeps collections.
    ///
    /// # Errors
    /// [`ParseError`] when aliases blow the document up.
    pub(crate) fn next(&mut self) -> Result<Option<Entry>, ParseError> {
        while let Some(event) = self.walk.next()? {
            let (what, selected) = match event {
                Event::Comment(comment) => {
                    let text = self.document.comment_text(comment);
                    // EXPOSE: only matched against the rule.
                    (What::Comment(*comment), self.cursor.comment(text.expose()))
                }
                Event::Scalar(node, scalar) => self.scalar(node, scalar),
                // An item that is a sealed comment does not end the reach of the comments before it.
                Event::ItemDone if std::mem::take(&mut self.was_comment) => continue,
                other => {
                    follow(&mut self.cursor, &other);
                    continue;
                }
            };
            return Ok(Some(Entry {
                what,
                spot: self.walk.spot(),
                selected,
                alias: self.walk.alias(),
            }));
        }
        Ok(None)
    }

    fn scalar(&mut self, node: NodeId, scalar: &Scalar) -> (What, bool) {
        self.was_comment = self.state == State::Sealed
            && self.walk.in_list()
            && self.cursor.value()
            && is_sealed_comment(self.document, scalar);
        if self.was_comment {
            let text = self.document.source().slice(scalar.span);
            (What::ListComment(node), self.cursor.comment(text))
        } else {
            (What::Leaf(node), self.cursor.value())
        }
    }

    /// The associated data of the entry that came last.
    pub(crate) fn aad(&self) -> String {
        self.walk.aad()
    }

    /// Where the entry that came last stands, for a message.
    pub(crate) fn place(&self, entry: &Entry) -> Location {
        let line = line(self.document, entry);
        Location::leaf(self.aad().trim_end_matches(':'), line)
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
