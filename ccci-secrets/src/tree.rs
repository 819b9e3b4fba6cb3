//! The order in which sops walks a document: it is the order of the MAC, and it gives every leaf and every comment its
//! associated data.

use crate::document::{
    ALIAS_BUDGET, Collection, Comment, Document, Entry, Item, MAX_DEPTH, Node, NodeId, ParseError,
    ParseErrorKind, Scalar, Span, TEXT_PER_NODE,
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
    /// A scalar, at the place that [`Walk::path`] names.
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
    paths: Paths,
    keeps_paths: bool,
    path: PathId,
    /// How much was repeated through aliases.
    repeated: usize,
    /// Set while the current scalar is an alias of its own.
    scalar_alias: Option<NodeId>,
}

#[derive(Debug)]
struct Frame<'d> {
    id: NodeId,
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
    /// Go back to this path.
    leave_key: Option<PathId>,
    item_done: bool,
}

impl<'d> Walk<'d> {
    pub(crate) fn new(document: &'d Document) -> Self {
        Self {
            document,
            next_part: 0,
            frames: Vec::new(),
            paths: Paths::default(),
            keeps_paths: false,
            path: PathId::ROOT,
            repeated: 0,
            scalar_alias: None,
        }
    }

    /// A walk that keeps all paths that it meets, for [`Walk::into_paths`].
    pub(crate) fn keeping_paths(document: &'d Document) -> Self {
        Self {
            // At most one for each node, unless aliases repeat them.
            paths: Paths(Vec::with_capacity(document.nodes.len())),
            keeps_paths: true,
            ..Self::new(document)
        }
    }

    /// The associated data of the current leaf or comment.
    pub(crate) fn aad(&self) -> String {
        self.paths.aad(self.document, self.path)
    }

    /// The path of the current leaf or comment; it names one of the paths that are kept.
    pub(crate) fn path(&self) -> PathId {
        self.path
    }

    /// All paths that were met.
    pub(crate) fn into_paths(self) -> Paths {
        self.paths
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
                leave_key: Some(self.path),
                item_done: true,
            };
            self.path = self.paths.push(Step {
                parent: self.path,
                map: frame.id,
                item: u32::try_from(frame.item - 1).unwrap_or(u32::MAX),
            });
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
        if let Some(path) = frame.due.leave_key.take() {
            self.path = path;
            if !self.keeps_paths {
                self.paths.keep_only(path);
            }
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
                id: root,
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
        self.frames.push(Frame {
            id,
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

/// Names the path of a leaf or comment within one [`Paths`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PathId(u32);

impl PathId {
    /// The top of a document.
    const ROOT: Self = Self(0);
}

/// The paths of a document, each as one key below another path.
///
/// Written out, the paths of a deep document would take the square of its size.
#[derive(Debug, Default)]
pub(crate) struct Paths(Vec<Step>);

#[derive(Clone, Copy, Debug)]
struct Step {
    parent: PathId,
    /// The map and the number of the item that holds the key.
    map: NodeId,
    item: u32,
}

impl Paths {
    fn push(&mut self, step: Step) -> PathId {
        self.0.push(step);
        PathId(u32::try_from(self.0.len()).unwrap_or(u32::MAX))
    }

    /// Lets go of all that was met since a path, if only what leads there was kept before it.
    fn keep_only(&mut self, id: PathId) {
        self.0.truncate(id.0 as usize);
    }

    fn step(&self, id: PathId) -> Option<&Step> {
        self.0.get((id.0 as usize).checked_sub(1)?)
    }

    /// The associated data that a path stands for: each key with a `:` behind it; `:` alone at the top.
    pub(crate) fn aad(&self, document: &Document, id: PathId) -> String {
        let steps = std::iter::successors(self.step(id), |step| self.step(step.parent));
        let keys: Vec<&str> = steps.map(|step| key_of(document, step)).collect();
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

fn key_of<'d>(document: &'d Document, step: &Step) -> &'d str {
    let Node::Map(map) = document.node(step.map) else {
        return "";
    };
    match map.items.get(step.item as usize) {
        Some(Item::Entry(entry)) => document.key(entry),
        _ => "",
    }
}
