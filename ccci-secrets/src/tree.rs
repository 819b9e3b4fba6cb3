//! The order in which sops walks a document: it is the order of the MAC, and it gives every leaf and every comment its
//! associated data.

use crate::document::{
    ALIAS_BUDGET, Collection, Comment, Document, Entry, Item, MAX_DEPTH, Node, NodeId, ParseError,
    ParseErrorKind, Scalar, Span, TEXT_PER_NODE,
};
use crate::large::Large;

/// What a [`Walk`] meets.
#[derive(Debug)]
pub(crate) enum Event<'d> {
    /// A comment, in the collection that was entered last.
    Comment(&'d Comment),
    /// A map or list opens.
    EnterCollection,
    /// The key of an entry; its value follows.
    EnterKey(&'d str),
    /// An entry or element is complete.
    ItemDone,
    /// The map or list entered last closes.
    LeaveCollection,
    /// The value of the key entered last is complete.
    LeaveKey,
    /// The next YAML document begins.
    Part,
    /// A scalar, at the place that [`Walk::spot`] names.
    Scalar(NodeId, &'d Scalar),
}

/// Walks a document depth first, in source order, over all its parts, without the metadata.
///
/// It keeps an explicit stack, so that no input can exhaust the thread's, and counts what aliases repeat.
#[derive(Debug)]
pub(crate) struct Walk<'d> {
    document: &'d Document,
    next_part: usize,
    frames: Vec<Frame<'d>>,
    visits: Visits,
    keeps_visits: bool,
    /// How much was repeated through aliases.
    repeated: usize,
    /// Set while the current scalar is an alias of its own.
    scalar_alias: Option<NodeId>,
}

#[derive(Debug)]
struct Frame<'d> {
    id: NodeId,
    visit: VisitId,
    collection: &'d Collection,
    /// The next item.
    item: usize,
    is_list: bool,
    is_root: bool,
    /// The outermost alias through which this collection is seen.
    alias: Option<NodeId>,
    /// What is due before the next item.
    due: Due,
}

/// What is due before the next item of a frame, in the order of the fields.
#[derive(Debug, Default)]
struct Due {
    /// The value of an entry.
    value: Option<NodeId>,
    leave_key: bool,
    item_done: bool,
}

impl<'d> Walk<'d> {
    pub(crate) fn new(document: &'d Document) -> Self {
        Self {
            document,
            next_part: 0,
            frames: Vec::new(),
            visits: Visits::default(),
            keeps_visits: false,
            repeated: 0,
            scalar_alias: None,
        }
    }

    /// A walk that keeps all collections that it enters, for [`Walk::into_visits`].
    pub(crate) fn keeping_visits(document: &'d Document) -> Self {
        Self {
            keeps_visits: true,
            ..Self::new(document)
        }
    }

    /// The associated data of the current leaf or comment.
    pub(crate) fn aad(&self) -> String {
        self.visits.aad(self.document, self.spot())
    }

    /// Where the current leaf or comment stands, among the collections that are kept.
    pub(crate) fn spot(&self) -> Spot {
        let last = self.frames.last();
        last.map_or(Spot::default(), |frame| Spot {
            visit: frame.visit,
            item: narrow(frame.item.saturating_sub(1)),
        })
    }

    /// All collections that were entered.
    pub(crate) fn into_visits(self) -> Visits {
        self.visits
    }

    /// The outermost alias through which the current place is seen, if it is a repetition.
    pub(crate) fn alias(&self) -> Option<NodeId> {
        self.scalar_alias
            .or_else(|| self.frames.last().and_then(|frame| frame.alias))
    }

    /// The collection around the current place that is so many levels up; the innermost is 1.
    pub(crate) fn collection(&self, levels: usize) -> Option<NodeId> {
        let at = self.frames.len().checked_sub(levels)?;
        self.frames.get(at).map(|frame| frame.id)
    }

    /// Whether the innermost collection is a list.
    pub(crate) fn in_list(&self) -> bool {
        self.frames.last().is_some_and(|frame| frame.is_list)
    }

    /// The next event; `None` at the end.
    ///
    /// # Errors
    /// [`ParseErrorKind::AliasBudget`] or [`ParseErrorKind::TooDeep`] when aliases blow the document up.
    pub(crate) fn next(&mut self) -> Result<Option<Event<'d>>, ParseError> {
        self.scalar_alias = None;
        if let Some(event) = self.due()? {
            return Ok(Some(event));
        }
        let document = self.document;
        while let Some(frame) = self.frames.last_mut() {
            let Some(item) = frame.collection.items.get(frame.item) else {
                if !self.keeps_visits {
                    self.visits.forget(frame.visit);
                }
                self.frames.pop();
                return Ok(Some(Event::LeaveCollection));
            };
            frame.item += 1;
            match item {
                Item::Comment(comment) => return Ok(Some(Event::Comment(comment))),
                Item::Element(value) => {
                    frame.due.item_done = true;
                    return self.value(*value).map(Some);
                }
                Item::Entry(entry) if frame.is_root && document.is_metadata(entry) => {}
                Item::Entry(entry) => return Ok(Some(self.enter_key(entry))),
            }
        }
        Ok(self.enter_part())
    }

    fn enter_key(&mut self, entry: &'d Entry) -> Event<'d> {
        if let Some(frame) = self.frames.last_mut() {
            frame.due = Due {
                value: Some(entry.value),
                leave_key: true,
                item_done: true,
            };
        }
        Event::EnterKey(self.document.key(entry))
    }

    fn due(&mut self) -> Result<Option<Event<'d>>, ParseError> {
        let Some(frame) = self.frames.last_mut() else {
            return Ok(None);
        };
        if let Some(node) = frame.due.value.take() {
            return self.value(node).map(Some);
        }
        if std::mem::take(&mut frame.due.leave_key) {
            return Ok(Some(Event::LeaveKey));
        }
        Ok(std::mem::take(&mut frame.due.item_done).then_some(Event::ItemDone))
    }

    fn enter_part(&mut self) -> Option<Event<'d>> {
        let part = self.next_part;
        // The part is announced first, then its root map opens.
        let root = self.document.parts().get(part / 2)?.root;
        self.next_part += 1;
        if part.is_multiple_of(2) {
            return Some(Event::Part);
        }
        if let Node::Map(collection) = self.document.node(root) {
            let visit = self.visits.push(Visit {
                around: None,
                node: root,
                alias: None,
            });
            let frame = Frame {
                id: root,
                visit,
                collection,
                item: 0,
                is_list: false,
                is_root: true,
                alias: None,
                due: Due::default(),
            };
            self.frames.push(frame);
        }
        Some(Event::EnterCollection)
    }

    fn value(&mut self, id: NodeId) -> Result<Event<'d>, ParseError> {
        let alias = matches!(self.document.node(id), Node::Alias(_)).then_some(id);
        let (id, node) = self.document.target(id);
        match node {
            Node::Map(collection) => self.enter((id, collection), false, alias),
            Node::List(collection) => self.enter((id, collection), true, alias),
            Node::Scalar(scalar) => {
                self.scalar_alias = self.frames.last().and_then(|frame| frame.alias).or(alias);
                if self.scalar_alias.is_some() {
                    self.count_repeated(1 + scalar.span.len() / TEXT_PER_NODE, scalar.span)?;
                }
                Ok(Event::Scalar(id, scalar))
            }
            // A target is never an alias: the reader resolves them as it meets them.
            Node::Alias(alias) => Err(ParseError::new(
                ParseErrorKind::AliasBudget,
                self.document.line(alias.span),
            )),
        }
    }

    fn enter(
        &mut self,
        (id, collection): (NodeId, &'d Collection),
        is_list: bool,
        alias: Option<NodeId>,
    ) -> Result<Event<'d>, ParseError> {
        if self.frames.len() >= MAX_DEPTH {
            return Err(ParseError::new(
                ParseErrorKind::TooDeep,
                self.document.line(collection.span),
            ));
        }
        let alias = self.frames.last().and_then(|frame| frame.alias).or(alias);
        if alias.is_some() {
            self.count_repeated(1 + collection.items.len(), collection.span)?;
        }
        let visit = self.visits.push(Visit {
            around: Some(self.spot()),
            node: id,
            alias,
        });
        self.frames.push(Frame {
            id,
            visit,
            collection,
            item: 0,
            is_list,
            is_root: false,
            alias,
            due: Due::default(),
        });
        Ok(Event::EnterCollection)
    }

    fn count_repeated(&mut self, more: usize, at: Span) -> Result<(), ParseError> {
        self.repeated = self.repeated.saturating_add(more);
        if self.repeated > ALIAS_BUDGET {
            return Err(ParseError::new(
                ParseErrorKind::AliasBudget,
                self.document.line(at),
            ));
        }
        Ok(())
    }
}

/// A place in a document: an item of a collection, as a walk met it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Spot {
    visit: VisitId,
    /// The number of the item.
    item: u32,
}

/// Names a collection in one [`Visits`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct VisitId(u32);

/// The collections of a document in the order in which a walk entered them, one that is repeated through aliases each time.
///
/// With them, the place of a leaf or comment is a [`Spot`]. Written out, the paths of a deep document would take the square of
/// its size.
#[derive(Debug, Default)]
pub(crate) struct Visits(Large<Visit>);

#[derive(Clone, Copy, Debug)]
struct Visit {
    /// The item of the collection around it that it is the value of; none for a root.
    around: Option<Spot>,
    node: NodeId,
    /// The outermost alias through which it is seen.
    alias: Option<NodeId>,
}

impl Visits {
    fn push(&mut self, visit: Visit) -> VisitId {
        self.0.push(visit);
        VisitId(narrow(self.0.len() - 1))
    }

    /// Lets go of a collection and of all that were entered since.
    fn forget(&mut self, id: VisitId) {
        self.0.truncate(id.0 as usize);
    }

    fn visit(&self, spot: Spot) -> Option<&Visit> {
        self.0.get(spot.visit.0 as usize)
    }

    /// What stands at a place.
    pub(crate) fn item<'d>(&self, document: &'d Document, spot: Spot) -> Option<&'d Item> {
        match document.node(self.visit(spot)?.node) {
            Node::List(collection) | Node::Map(collection) => {
                collection.items.get(spot.item as usize)
            }
            Node::Alias(_) | Node::Scalar(_) => None,
        }
    }

    /// The outermost alias through which the collection around a place is seen, if it is a repetition.
    pub(crate) fn alias_around(&self, spot: Spot) -> Option<NodeId> {
        self.visit(spot)?.alias
    }

    /// The associated data of a place: each key that leads there with a `:` behind it; `:` alone at the top.
    pub(crate) fn aad(&self, document: &Document, spot: Spot) -> String {
        let around = |spot: &Spot| self.visit(*spot)?.around;
        let spots = std::iter::successors(Some(spot), around);
        let key = |spot| match self.item(document, spot) {
            Some(Item::Entry(entry)) => Some(document.key(entry)),
            _ => None,
        };
        let keys: Vec<&str> = spots.filter_map(key).collect();
        if keys.is_empty() {
            return ":".to_owned();
        }
        let len = keys.iter().map(|key| key.len() + 1).sum();
        let mut aad = String::with_capacity(len);
        for key in keys.iter().rev() {
            aad.push_str(key);
            aad.push(':');
        }
        aad
    }
}

/// No document has more collections, or items, than bytes, of which there are fewer than 2^32.
fn narrow(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
