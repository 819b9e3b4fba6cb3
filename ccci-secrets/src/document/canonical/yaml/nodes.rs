//! Which comment belongs to which node, as sops gives them to go-yaml.

use super::scalar::ScalarText;
use crate::document::canonical::{Floats, Token};

/// A node by its place in [`Nodes::all`]; the last one is the root.
pub(super) type Id = usize;

/// The nodes of one document.
#[derive(Default)]
pub(super) struct Nodes<'t> {
    pub(super) all: Vec<Node<'t>>,
    pub(super) root: Id,
}

/// A node with its comments, each line without its sign.
pub(super) struct Node<'t> {
    pub(super) content: Content<'t>,
    pub(super) head: Vec<&'t [u8]>,
    pub(super) line: Vec<&'t [u8]>,
    pub(super) foot: Vec<&'t [u8]>,
}

pub(super) enum Content<'t> {
    List(Vec<Id>),
    /// Keys and values in turn.
    Map(Vec<Id>),
    Scalar(ScalarText<'t>),
}

struct Frame<'t> {
    id: Id,
    /// Comments that wait for the next item.
    pending: Vec<&'t [u8]>,
    inline: Vec<&'t [u8]>,
}

/// Builds the nodes of one part.
pub(super) fn collect<'t>(part: &[&'t Token<'_>], floats: Floats) -> Nodes<'t> {
    let mut builder = Builder {
        nodes: Nodes::default(),
        frames: Vec::new(),
    };
    for token in part {
        builder.token(token, floats);
    }
    builder.nodes
}

struct Builder<'t> {
    nodes: Nodes<'t>,
    frames: Vec<Frame<'t>>,
}

impl<'t> Builder<'t> {
    fn token(&mut self, token: &'t Token<'_>, floats: Floats) {
        match token {
            Token::Comment(comment) => {
                if let Some(frame) = self.frames.last_mut() {
                    // EXPOSE: written to the wiping output buffer.
                    let text = comment.text.expose();
                    if comment.is_inline {
                        frame.inline.push(text);
                    } else {
                        frame.pending.push(text);
                    }
                }
            }
            Token::Key(key) => {
                let head = self.take_head();
                let id = self.add(Content::Scalar(ScalarText::key(key)));
                if let Some(node) = self.nodes.all.get_mut(id) {
                    node.head = head;
                }
                self.attach(id);
            }
            Token::OpenList => self.open(Content::List(Vec::new())),
            Token::OpenMap => self.open(Content::Map(Vec::new())),
            Token::Close => self.close(),
            Token::Null => {
                self.value(Content::Scalar(ScalarText::null()));
            }
            Token::Value(value) => {
                self.value(Content::Scalar(ScalarText::value(value, floats)));
            }
        }
    }

    /// The comments before an item. Before the first one they are the head of the collection itself.
    fn take_head(&mut self) -> Vec<&'t [u8]> {
        let Some(frame) = self.frames.last_mut() else {
            return Vec::new();
        };
        let pending = std::mem::take(&mut frame.pending);
        match self.nodes.all.get_mut(frame.id) {
            Some(node) if node.is_empty() => {
                node.head.extend(pending);
                Vec::new()
            }
            _ => pending,
        }
    }

    fn value(&mut self, content: Content<'t>) -> Id {
        let in_list = self.frames.last().is_some_and(|frame| {
            let node = self.nodes.all.get(frame.id);
            node.is_some_and(|node| matches!(node.content, Content::List(_)))
        });
        let head = if in_list {
            self.take_head()
        } else {
            Vec::new()
        };
        let line = self
            .frames
            .last_mut()
            .map(|frame| std::mem::take(&mut frame.inline))
            .unwrap_or_default();
        if !in_list && matches!(content, Content::Scalar(_)) {
            self.quote_merge_key();
        }
        let id = self.add(content);
        if let Some(node) = self.nodes.all.get_mut(id) {
            (node.head, node.line) = (head, line);
        }
        self.attach(id);
        id
    }

    /// sops prints every key `<<` as a merge key, which cannot be read back where its value is no map.
    fn quote_merge_key(&mut self) {
        let map = self.frames.last().map(|frame| frame.id);
        let Some(Content::Map(items)) = map
            .and_then(|id| self.nodes.all.get(id))
            .map(|node| &node.content)
        else {
            return;
        };
        let key = items.last().copied();
        if let Some(Content::Scalar(key)) = key
            .and_then(|id| self.nodes.all.get_mut(id))
            .map(|node| &mut node.content)
        {
            key.forbid_merge();
        }
    }

    fn open(&mut self, content: Content<'t>) {
        let id = self.value(content);
        if self.frames.is_empty() {
            self.nodes.root = id;
        }
        self.frames.push(Frame {
            id,
            pending: Vec::new(),
            inline: Vec::new(),
        });
    }

    /// What is left is the foot of the last item, or the head of an empty collection.
    fn close(&mut self) {
        let Some(frame) = self.frames.pop() else {
            return;
        };
        let rest = frame.pending.into_iter().chain(frame.inline);
        let Some(node) = self.nodes.all.get_mut(frame.id) else {
            return;
        };
        let last = match &node.content {
            Content::List(items) => items.last().copied(),
            Content::Map(items) => items.iter().rev().nth(1).copied(),
            Content::Scalar(_) => None,
        };
        match last {
            None => node.head.extend(rest),
            Some(last) => {
                if let Some(last) = self.nodes.all.get_mut(last) {
                    last.foot.extend(rest);
                }
            }
        }
    }

    fn add(&mut self, content: Content<'t>) -> Id {
        self.nodes.all.push(Node {
            content,
            head: Vec::new(),
            line: Vec::new(),
            foot: Vec::new(),
        });
        self.nodes.all.len() - 1
    }

    fn attach(&mut self, id: Id) {
        let Some(frame) = self.frames.last() else {
            return;
        };
        if let Some(Content::List(items) | Content::Map(items)) = self
            .nodes
            .all
            .get_mut(frame.id)
            .map(|node| &mut node.content)
        {
            items.push(id);
        }
    }
}

impl Node<'_> {
    pub(super) fn is_empty(&self) -> bool {
        match &self.content {
            Content::List(items) | Content::Map(items) => items.is_empty(),
            Content::Scalar(_) => false,
        }
    }
}
