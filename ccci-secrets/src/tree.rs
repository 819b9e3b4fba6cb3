//! The order in which sops walks a document: it is the order of the MAC, and it gives every leaf and every comment its
//! associated data.

use crate::document::{
    ALIAS_BUDGET, Collection, Comment, Document, Item, MAX_DEPTH, Node, NodeId, ParseError,
    ParseErrorKind, Scalar,
};

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
    /// A scalar, at the place that [`Walk::aad`] names.
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
    aad: String,
    /// How many nodes were repeated through aliases.
    repeated: usize,
    /// Set while the current scalar is an alias of its own.
    scalar_alias: Option<NodeId>,
}

#[derive(Debug)]
struct Frame<'d> {
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
    /// Cut the associated data back to this length.
    leave_key: Option<usize>,
    item_done: bool,
}

impl<'d> Walk<'d> {
    pub(crate) fn new(document: &'d Document) -> Self {
        Self {
            document,
            next_part: 0,
            frames: Vec::new(),
            aad: String::new(),
            repeated: 0,
            scalar_alias: None,
        }
    }

    /// The associated data of the current leaf or comment: each key with a `:` behind it; `:` alone at the top.
    pub(crate) fn aad(&self) -> &str {
        if self.aad.is_empty() { ":" } else { &self.aad }
    }

    /// The outermost alias through which the current place is seen, if it is a repetition.
    pub(crate) fn alias(&self) -> Option<NodeId> {
        self.scalar_alias
            .or_else(|| self.frames.last().and_then(|frame| frame.alias))
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
        let Some(frame) = self.frames.last_mut() else {
            return Ok(self.enter_part());
        };
        let Some(item) = frame.collection.items.get(frame.item) else {
            self.frames.pop();
            return Ok(Some(Event::LeaveCollection));
        };
        frame.item += 1;
        match item {
            Item::Comment(comment) => Ok(Some(Event::Comment(comment))),
            Item::Element(value) => {
                frame.due.item_done = true;
                self.value(*value).map(Some)
            }
            Item::Entry(entry) => {
                let key = document.key(entry);
                if frame.is_root && document.is_metadata(entry) {
                    return self.next();
                }
                frame.due = Due {
                    value: Some(entry.value),
                    leave_key: Some(self.aad.len()),
                    item_done: true,
                };
                self.aad.push_str(key);
                self.aad.push(':');
                Ok(Some(Event::EnterKey(key)))
            }
        }
    }

    fn due(&mut self) -> Result<Option<Event<'d>>, ParseError> {
        let Some(frame) = self.frames.last_mut() else {
            return Ok(None);
        };
        if let Some(node) = frame.due.value.take() {
            return self.value(node).map(Some);
        }
        if let Some(len) = frame.due.leave_key.take() {
            self.aad.truncate(len);
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
            let frame = Frame {
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
            Node::Map(collection) => self.enter(collection, false, alias),
            Node::List(collection) => self.enter(collection, true, alias),
            Node::Scalar(scalar) => {
                if alias.is_some() {
                    self.count_repeated(scalar.span.start())?;
                }
                self.scalar_alias = self.frames.last().and_then(|frame| frame.alias).or(alias);
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
        collection: &'d Collection,
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
            for _ in 0..=collection.items.len() {
                self.count_repeated(collection.span.start())?;
            }
        }
        self.frames.push(Frame {
            collection,
            item: 0,
            is_list,
            is_root: false,
            alias,
            due: Due::default(),
        });
        Ok(Event::EnterCollection)
    }

    fn count_repeated(&mut self, offset: usize) -> Result<(), ParseError> {
        self.repeated += 1;
        if self.repeated > ALIAS_BUDGET {
            return Err(ParseError::new(
                ParseErrorKind::AliasBudget,
                self.document.source().line(offset),
            ));
        }
        Ok(())
    }
}
