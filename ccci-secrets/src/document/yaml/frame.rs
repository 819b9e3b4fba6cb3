//! A collection that is being read, and the order of its entries and comments in sops' tree.

use std::collections::HashSet;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;

use super::comments::Line;
use super::stream::NodeComments;
use crate::document::{
    Collection, Comment, Entry, Item, KeyText, Layout, Node, NodeId, Place, Props, Span,
};

/// How the items of a collection are marked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    BlockList,
    BlockMap,
    FlowList,
    FlowMap,
    /// `a: b` inside the brackets of a list: a map of one entry.
    FlowPair,
    /// A list whose dashes stand in the column of the keys around it.
    IndentlessList,
}

impl Shape {
    fn is_map(self) -> bool {
        matches!(self, Self::BlockMap | Self::FlowMap | Self::FlowPair)
    }

    fn layout(self) -> Layout {
        match self {
            Self::BlockList | Self::BlockMap | Self::IndentlessList => Layout::Block,
            Self::FlowList | Self::FlowMap | Self::FlowPair => Layout::Flow,
        }
    }
}

/// A key that waits for its value.
pub(super) struct PendingKey {
    pub(super) span: Span,
    pub(super) text: Option<KeyText>,
    pub(super) comments: NodeComments,
    /// Its line, if go-yaml merges what follows when it checks the document.
    pub(super) merges_on_line: Option<usize>,
    /// Nothing but an absent value can follow.
    pub(super) without_value: bool,
}

/// A node with the comments that its container decides about.
pub(super) struct Child {
    pub(super) id: NodeId,
    pub(super) comments: NodeComments,
    pub(super) is_collection: bool,
}

/// The names of a map with many entries, to find one that stands twice.
///
/// Only numbers that stand for them: the names of a large file take a good part of its size. The hasher's keys are random.
#[derive(Default)]
struct Names {
    hasher: RandomState,
    hashes: HashSet<u64>,
}

impl Names {
    /// Takes a name. If it says that there was none like it, there was none; `names` are all before it.
    fn may_hold<'n>(&mut self, name: &[u8], names: impl Iterator<Item = &'n [u8]>) -> bool {
        if self.hashes.is_empty() {
            self.hashes = names.map(|name| self.hasher.hash_one(name)).collect();
        }
        !self.hashes.insert(self.hasher.hash_one(name))
    }
}

/// So many items are looked through faster than their names are put into a table.
const FEW_ITEMS: usize = 16;

/// A collection whose end was not read yet.
pub(super) struct Frame {
    pub(super) id: NodeId,
    pub(super) shape: Shape,
    pub(super) key: Option<PendingKey>,
    pub(super) is_first: bool,
    names: Names,
    /// The comments that the start of the collection took.
    head: Vec<Line>,
    items: Vec<Item>,
    has_entry: bool,
    /// The foot comments of the last entry, which what follows may still replace.
    last_foot: Vec<Line>,
    start: usize,
    column: usize,
    props: Props,
}

impl Frame {
    pub(super) fn new(
        id: NodeId,
        shape: Shape,
        (start, column): (usize, usize),
        props: Props,
        head: Vec<Line>,
    ) -> Self {
        Self {
            id,
            shape,
            key: None,
            is_first: true,
            names: Names::default(),
            head,
            items: Vec::new(),
            has_entry: false,
            last_foot: Vec::new(),
            start,
            column,
            props,
        }
    }

    /// Whether an entry of this name stands here already; if not, the next one is taken to have it. `name_of` gives the name
    /// of an entry.
    pub(super) fn holds<'n>(&mut self, name: &[u8], name_of: impl Fn(&Entry) -> &'n [u8]) -> bool {
        let names = self.items.iter().filter_map(|item| match item {
            Item::Entry(entry) => Some(name_of(entry)),
            Item::Comment(_) | Item::Element(_) => None,
        });
        let is_few = self.items.len() < FEW_ITEMS;
        (is_few || self.names.may_hold(name, names.clone()))
            && names.clone().any(|other| other == name)
    }

    /// Takes a key. The foot comments before it belong to the entry before, if there is one.
    pub(super) fn accept_key(&mut self, mut key: PendingKey) {
        let is_block = self.shape == Shape::BlockMap;
        if is_block && self.has_entry && !key.comments.foot.is_empty() {
            self.last_foot = std::mem::take(&mut key.comments.foot);
        }
        self.flush_foot();
        self.key = Some(key);
    }

    /// Takes a value, or an item of a list.
    pub(super) fn accept(&mut self, child: Child) {
        match self.key.take() {
            Some(key) => self.accept_value(key, child),
            None => {
                let NodeComments { head, line, foot } = child.comments;
                self.push_comments(head, Place::OwnLine);
                self.push_comments(line, Place::Inline);
                self.items.push(Item::Element(child.id));
                self.push_comments(foot, Place::OwnLine);
            }
        }
        self.is_first = false;
    }

    fn accept_value(&mut self, mut key: PendingKey, child: Child) {
        self.push_comments(key.comments.head, Place::OwnLine);
        self.push_comments(key.comments.line, Place::OwnLine);
        let NodeComments {
            head,
            line,
            mut foot,
        } = child.comments;
        if key.comments.foot.is_empty() {
            key.comments.foot = std::mem::take(&mut foot);
        }
        // Those of a collection stand inside it.
        if !child.is_collection {
            self.push_comments(head, Place::OwnLine);
            self.push_comments(line, Place::Inline);
        }
        self.items.push(Item::Entry(Entry {
            key: key.span,
            key_text: key.text,
            value: child.id,
        }));
        self.push_comments(foot, Place::OwnLine);
        self.last_foot = key.comments.foot;
        self.has_entry = true;
    }

    /// Whether the foot comments of the value that is being read go to its key.
    pub(super) fn key_takes_foot(&self) -> bool {
        self.key
            .as_ref()
            .is_some_and(|key| key.comments.foot.is_empty())
    }

    fn flush_foot(&mut self) {
        let foot = std::mem::take(&mut self.last_foot);
        self.push_comments(foot, Place::OwnLine);
    }

    fn push_comments(&mut self, lines: Vec<Line>, place: Place) {
        push_comments(&mut self.items, lines, place);
    }

    /// Ends the collection; `end` holds the comments that its end took. Gives the node, and the comments that are its
    /// container's to place.
    pub(super) fn close(
        mut self,
        mut end: NodeComments,
        end_offset: usize,
    ) -> (Node, NodeComments) {
        if self.shape == Shape::BlockMap && self.has_entry && !end.foot.is_empty() {
            self.last_foot = std::mem::take(&mut end.foot);
        }
        self.flush_foot();
        let collection = Collection {
            items: fitted(self.items),
            layout: self.shape.layout(),
            span: Span::new(self.start, end_offset),
            column: u32::try_from(self.column).unwrap_or(u32::MAX),
            props: self.props.boxed(),
        };
        let node = if self.shape.is_map() {
            Node::map(collection)
        } else {
            Node::list(collection)
        };
        let comments = NodeComments {
            head: self.head,
            ..end
        };
        (node, comments)
    }
}

/// Items in an allocation of their size. Most collections are small: moved, they leave a hole that the next collection
/// grows in, while cutting the allocation down would leave one that nothing fits.
fn fitted(mut items: Vec<Item>) -> Box<[Item]> {
    const SMALL: usize = 1024;
    if items.len() > SMALL {
        return items.into_boxed_slice();
    }
    let mut fitted = Vec::with_capacity(items.len());
    fitted.append(&mut items);
    fitted.into_boxed_slice()
}

/// Puts comments before the items of a collection and behind them.
pub(super) fn surround(node: &mut Node, before: Vec<Line>, behind: Vec<Line>) {
    let (Node::Map(collection) | Node::List(collection)) = node else {
        return;
    };
    if !before.iter().chain(&behind).any(Option::is_some) {
        return;
    }
    let mut items = Vec::with_capacity(before.len() + collection.items.len() + behind.len());
    push_comments(&mut items, before, Place::OwnLine);
    items.extend(std::mem::take(&mut collection.items));
    push_comments(&mut items, behind, Place::OwnLine);
    collection.items = fitted(items);
}

fn push_comments(items: &mut Vec<Item>, lines: Vec<Line>, place: Place) {
    let comments = lines.into_iter().flatten();
    items.extend(comments.map(|span| Item::Comment(Comment { span, place })));
}
