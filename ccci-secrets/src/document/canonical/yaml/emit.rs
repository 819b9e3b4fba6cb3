//! The order in which go-yaml prints nodes and the comments that wait for a place.
//!
//! A comment waits in a slot until the next place that prints its kind. A later one of the same kind takes the slot.

use super::nodes::{Content, Id, Node, Nodes};
use super::scalar::{ScalarText, Style};
use super::writer::Writer;
use crate::document::canonical::yaml_step;
use crate::secret::Secret;

/// Prints documents one after the other.
pub(super) struct Emitter {
    writer: Writer,
    /// Spaces per level.
    step: usize,
    waiting: Waiting,
    is_first: bool,
}

/// Comments that wait for their place.
#[derive(Default)]
struct Waiting {
    head: Option<Secret>,
    /// The foot of an earlier key, printed before the head of the next.
    tail: Option<Secret>,
    line: Option<Secret>,
    /// A line comment that came before the value of a key.
    key_line: Option<Secret>,
    foot: Option<Secret>,
}

/// A collection that is being printed.
struct Frame {
    id: Id,
    /// The next item; a key or a value in a map.
    next: usize,
    /// The indent around it.
    outer: usize,
    /// Whether the key stands on the line of its value.
    is_simple_key: bool,
}

/// Where a node stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Item,
    Root,
    Value,
}

impl Emitter {
    pub(super) fn new(indent: u8) -> Self {
        Self {
            writer: Writer::new(),
            step: yaml_step(indent),
            waiting: Waiting::default(),
            is_first: true,
        }
    }

    pub(super) fn finish(self) -> Secret {
        self.writer.out
    }

    pub(super) fn document(&mut self, nodes: &Nodes<'_>) {
        if !std::mem::take(&mut self.is_first) {
            self.writer.indent();
            self.writer.sign("---");
            self.writer.indent();
        }
        let mut frames: Vec<Frame> = Vec::new();
        if let Some(root) = nodes.all.get(nodes.root) {
            self.announce(root);
            self.print_head();
            self.node(nodes.root, root, Place::Root, &mut frames);
            self.print_line();
            self.print_foot();
        }
        while let Some(frame) = frames.last() {
            let Some(node) = nodes.all.get(frame.id) else {
                break;
            };
            let (items, is_map) = match &node.content {
                Content::List(items) => (items, false),
                Content::Map(items) => (items, true),
                Content::Scalar(_) => break,
            };
            match items.get(frame.next).copied() {
                None => self.end(nodes, node, &mut frames),
                Some(id) if !is_map => self.item(nodes, id, &mut frames),
                Some(id) if frame.next.is_multiple_of(2) => {
                    let before = frame
                        .next
                        .checked_sub(2)
                        .and_then(|at| items.get(at))
                        .copied();
                    self.key(nodes, before, id, &mut frames);
                }
                Some(id) => self.value(nodes, id, &mut frames),
            }
        }
        self.writer.foot_indent = Some(0);
        self.print_foot();
        self.writer.foot_indent = None;
        self.writer.indent();
    }

    fn item(&mut self, nodes: &Nodes<'_>, id: Id, frames: &mut Vec<Frame>) {
        let Some(node) = nodes.all.get(id) else {
            return;
        };
        self.announce(node);
        self.go_in(nodes, frames);
        self.print_head();
        self.writer.indent();
        self.writer.sign("-");
        self.advance(frames);
        self.node(id, node, Place::Item, frames);
        self.print_line();
        self.print_foot();
    }

    /// A key; the foot of the one before it is printed first.
    fn key(&mut self, nodes: &Nodes<'_>, before: Option<Id>, id: Id, frames: &mut [Frame]) {
        let Some(node) = nodes.all.get(id) else {
            return;
        };
        let foot = before.and_then(|before| nodes.all.get(before));
        put(&mut self.waiting.head, &node.head);
        put(
            &mut self.waiting.tail,
            foot.map_or(&[], |node| node.foot.as_slice()),
        );
        self.go_in(nodes, frames);
        self.print_head();
        self.writer.indent();
        if let Some(line) = self.waiting.line.take() {
            self.waiting.key_line = Some(line);
        }
        let Content::Scalar(scalar) = &node.content else {
            return;
        };
        // EXPOSE: only its length.
        let length = scalar.text.expose().len() + scalar.tag.map_or(0, str::len);
        let is_simple = !scalar.analysis.multiline && length <= SIMPLE_KEY;
        if !is_simple {
            self.writer.sign("?");
        }
        if let Some(frame) = frames.last_mut() {
            frame.is_simple_key = is_simple;
        }
        let outer = self.writer.indent;
        self.writer.indent = self.deeper(outer);
        self.scalar(scalar, outer, is_simple);
        self.writer.indent = outer;
        self.advance(frames);
    }

    fn value(&mut self, nodes: &Nodes<'_>, id: Id, frames: &mut Vec<Frame>) {
        let Some(node) = nodes.all.get(id) else {
            return;
        };
        self.announce(node);
        if frames.last().is_some_and(|frame| frame.is_simple_key) {
            self.writer.sign_behind(":");
        } else {
            self.writer.indent();
            self.writer.sign(":");
        }
        match &node.content {
            Content::List(items) | Content::Map(items) if !items.is_empty() => {
                std::mem::swap(&mut self.waiting.line, &mut self.waiting.key_line);
                self.print_line();
                std::mem::swap(&mut self.waiting.line, &mut self.waiting.key_line);
            }
            // go-yaml writes a comment that still waits before an empty collection, and cannot read the result.
            _ if self.waiting.line.is_none() => self.waiting.line = self.waiting.key_line.take(),
            _ => {}
        }
        self.advance(frames);
        self.node(id, node, Place::Value, frames);
        self.print_line();
        self.print_foot();
    }

    /// A scalar or an empty collection is printed, any other is entered.
    fn node(&mut self, id: Id, node: &Node<'_>, place: Place, frames: &mut Vec<Frame>) {
        let outer = self.writer.indent;
        match &node.content {
            Content::Scalar(scalar) => {
                self.writer.indent = match place {
                    Place::Item => outer + 2,
                    Place::Root | Place::Value => self.deeper(outer),
                };
                self.scalar(scalar, outer, false);
                self.writer.indent = outer;
            }
            Content::List(items) if items.is_empty() => {
                self.writer.sign("[");
                self.announce_end(node);
                self.writer.sign_behind("]");
                self.print_line();
                self.print_foot();
            }
            Content::Map(items) if items.is_empty() => self.empty_map(node, place),
            Content::List(_) | Content::Map(_) => frames.push(Frame {
                id,
                next: 0,
                outer,
                is_simple_key: true,
            }),
        }
    }

    /// Its head comment stands between the braces.
    fn empty_map(&mut self, node: &Node<'_>, place: Place) {
        self.writer.sign("{");
        self.writer.is_after_blank = true;
        let outer = self.writer.indent;
        self.writer.indent = match place {
            Place::Item => outer + 2,
            Place::Root | Place::Value => self.deeper(outer),
        };
        self.announce_end(node);
        self.print_head();
        self.writer.indent = outer;
        self.writer.sign_behind("}");
        self.print_line();
        self.print_foot();
    }

    /// The end of a collection that has items.
    fn end(&mut self, nodes: &Nodes<'_>, node: &Node<'_>, frames: &mut Vec<Frame>) {
        if let Content::Map(items) = &node.content {
            let last = items.iter().rev().nth(1).and_then(|id| nodes.all.get(*id));
            let foot = last.map_or(&[][..], |last| last.foot.as_slice());
            put(&mut self.waiting.tail, foot);
        }
        self.announce_end(node);
        if matches!(node.content, Content::Map(_)) {
            self.print_head();
        }
        if let Some(frame) = frames.pop() {
            self.writer.indent = frame.outer;
        }
    }

    /// Before the first item, the indent grows.
    fn go_in(&mut self, nodes: &Nodes<'_>, frames: &mut [Frame]) {
        let Some((frame, around)) = frames.split_last() else {
            return;
        };
        if frame.next > 0 {
            return;
        }
        let in_list = around.last().and_then(|around| nodes.all.get(around.id));
        let in_list = in_list.is_some_and(|node| matches!(node.content, Content::List(_)));
        self.writer.indent = match (around.is_empty(), in_list) {
            (true, _) => 0,
            (false, true) => frame.outer + 2,
            (false, false) => self.deeper(frame.outer),
        };
    }

    fn advance(&mut self, frames: &mut [Frame]) {
        if let Some(frame) = frames.last_mut() {
            frame.next += 1;
        }
    }

    /// The next multiple of the step.
    fn deeper(&self, indent: usize) -> usize {
        (indent / self.step + 1) * self.step
    }

    fn scalar(&mut self, scalar: &ScalarText<'_>, outer: usize, is_simple_key: bool) {
        if let Some(tag) = scalar.tag {
            self.writer.plain(tag);
        }
        // EXPOSE: into the wiping output buffer.
        let text = std::str::from_utf8(scalar.text.expose()).unwrap_or_default();
        match scalar.style(is_simple_key) {
            Style::Plain => self.writer.plain(text),
            Style::Single => self.writer.single_quoted(text),
            Style::Double => self.writer.double_quoted(text),
            Style::Literal => self.literal(text, outer),
        }
    }

    fn literal(&mut self, text: &str, outer: usize) {
        let starts_blank =
            text.starts_with([' ', '\n']) || text.starts_with(super::scalar::is_break);
        // The hint of go-yaml names the step, which is wrong where the content stands elsewhere, as in a list.
        let has_content = !text.chars().all(super::scalar::is_break);
        if starts_blank && has_content && self.writer.indent != outer + self.step {
            return self.writer.double_quoted(text);
        }
        self.writer.sign("|");
        if starts_blank {
            self.writer.sign_behind(&self.step.to_string());
        }
        let mut from_end = text.chars().rev();
        let (last, before) = (from_end.next(), from_end.next());
        let is_broken = |c: Option<char>| c.is_some_and(super::scalar::is_break);
        if !is_broken(last) {
            self.writer.sign_behind("-");
        } else if before.is_none() || is_broken(before) {
            self.writer.sign_behind("+");
        }
        match self.waiting.line.take() {
            None => self.writer.line_break(),
            Some(line) => self.line_comment(&line),
        }
        self.writer.block(text);
    }

    /// The comments of a scalar, or those at the start of a collection.
    fn announce(&mut self, node: &Node<'_>) {
        put(&mut self.waiting.head, &node.head);
        if matches!(node.content, Content::Scalar(_)) {
            self.announce_end(node);
        }
    }

    /// The comments that come with the end of a node.
    fn announce_end(&mut self, node: &Node<'_>) {
        put(&mut self.waiting.line, &node.line);
        put(&mut self.waiting.foot, &node.foot);
    }

    fn print_head(&mut self) {
        if let Some(tail) = self.waiting.tail.take() {
            self.writer.indent();
            self.comment(&tail);
            self.writer.foot_indent = Some(self.writer.indent);
        }
        if let Some(head) = self.waiting.head.take() {
            self.writer.indent();
            self.comment(&head);
        }
    }

    fn print_line(&mut self) {
        if let Some(line) = self.waiting.line.take() {
            self.line_comment(&line);
        }
    }

    fn line_comment(&mut self, line: &Secret) {
        self.writer.blank();
        self.comment(line);
    }

    fn print_foot(&mut self) {
        if let Some(foot) = self.waiting.foot.take() {
            self.writer.indent();
            self.comment(&foot);
            self.writer.foot_indent = Some(self.writer.indent);
        }
    }

    fn comment(&mut self, text: &Secret) {
        // EXPOSE: into the wiping output buffer.
        self.writer.comment(&String::from_utf8_lossy(text.expose()));
    }
}

/// Puts comment lines into a slot; none leave it as it is.
fn put(slot: &mut Option<Secret>, lines: &[&[u8]]) {
    if lines.is_empty() {
        return;
    }
    let length = lines.iter().map(|line| line.len() + 2).sum();
    let mut text = Secret::with_capacity(length);
    for (nth, line) in lines.iter().enumerate() {
        text.extend(if nth == 0 { b"#" } else { b"\n#" });
        text.extend(line);
    }
    *slot = Some(text);
}

/// The longest key that stands on one line with its value.
const SIMPLE_KEY: usize = 128;
