//! Taking an entry out, with the comments that are its own (yaml.md 5.4).

use super::ending::last_block_scalar;
use super::metadata::end_of_entry;
use super::{place, replace};
use crate::document::content::Content;
use crate::document::walk::Found;
use crate::document::{
    BlockScalar, Chomp, Collection, Comment, Document, Edit, Item, Layout, Node, NodeId, Place,
    Span,
};

/// The edits that take an item out. A collection that would be left without any becomes `{}` or `[]`.
pub(crate) fn remove(document: &Document, found: &Found<'_>) -> Vec<Edit> {
    if members(found.collection).count() == 1 {
        let empty = match document.node(found.parent) {
            Node::List(_) => Content::List(Vec::new()),
            _ => Content::Map(Vec::new()),
        };
        return replace::replace(document, found.parent, &empty);
    }
    match found.collection.layout {
        Layout::Block => vec![remove_lines(document, found)],
        Layout::Flow => remove_member(document, found),
    }
}

/// The items that are no comments.
fn members(collection: &Collection) -> impl DoubleEndedIterator<Item = &Item> {
    let is_member = |item: &&Item| !matches!(item, Item::Comment(_));
    collection.items.iter().filter(is_member)
}

fn comments(collection: &Collection) -> impl Iterator<Item = &Comment> {
    collection.items.iter().filter_map(|item| match item {
        Item::Comment(comment) => Some(comment),
        _ => None,
    })
}

/// The members before and behind the one that goes.
fn neighbours<'d>(found: &Found<'d>) -> (Option<&'d Item>, Option<&'d Item>) {
    let is_member = |item: &&Item| !matches!(item, Item::Comment(_));
    let (before, rest) = found
        .collection
        .items
        .split_at_checked(found.at)
        .unwrap_or_default();
    (
        before.iter().rfind(is_member),
        rest.iter().skip(1).find(is_member),
    )
}

fn remove_lines(document: &Document, found: &Found<'_>) -> Edit {
    let collection = found.collection;
    let (previous, next) = neighbours(found);
    let start = start_of_item(document, collection, found.item());
    let last_line = end_of_item(document, found.item());
    if !place::is_first_on_line(document, start) {
        return remove_behind_sign(document, collection, next, Span::new(start, last_line));
    }
    let from = start_with_comments(document, found, start);
    let end = place::next_line(document, last_line);
    let end = match previous.and_then(|item| block_at_end(document, item)) {
        Some(block) => behind_absorbed(document, end, block),
        None => end,
    };
    Edit::new(Span::new(from, end), b"")
}

/// The first entry of a collection that starts on the line of a dash or a key: the sign stays for the next one.
fn remove_behind_sign(
    document: &Document,
    collection: &Collection,
    next: Option<&Item>,
    item: Span,
) -> Edit {
    let next = next.map(|next| start_of_item(document, collection, next));
    let has_comment = |until: usize| {
        comments(collection).any(|comment| {
            (item.end()..until).contains(&comment.span.start()) && is_own_line(document, comment)
        })
    };
    let span = match next {
        Some(next) if place::is_first_on_line(document, next) && !has_comment(next) => {
            Span::new(item.start(), next)
        }
        _ => Span::new(
            place::start_of_blanks(document, item.start()),
            place::end_of_line(document, item.end()),
        ),
    };
    Edit::new(span, b"")
}

/// Where an entry of a block collection starts: its dash, its `?`, its anchor or its key.
fn start_of_item(document: &Document, collection: &Collection, item: &Item) -> usize {
    let column = place::column(collection);
    let (at, sign) = match item {
        Item::Comment(comment) => return comment.span.start(),
        Item::Element(id) => (place::span(document, *id).start(), Some(b'-')),
        Item::Entry(entry) => (entry.key.start(), None),
    };
    let bytes = document.source.bytes();
    let mut line = place::start_of_line(document, at);
    if let Some(sign) = sign {
        while bytes.get(line + column) != Some(&sign) && line > 0 {
            line = place::start_of_line(document, line - 1);
        }
    }
    (line + column).min(at)
}

/// Where the last line of an item ends at the earliest.
fn end_of_item(document: &Document, item: &Item) -> usize {
    match item {
        Item::Comment(comment) => comment.span.end(),
        Item::Element(id) => place::end_of_node(document, *id),
        Item::Entry(entry) => place::end_of_node(document, entry.value).max(entry.key.end()),
    }
}

/// The start of the lines that go: comments directly above the entry are its own, as long as no blank line parts them.
fn start_with_comments(document: &Document, found: &Found<'_>, start: usize) -> usize {
    let mut from = place::start_of_line(document, start);
    let before = found.collection.items.get(..found.at).unwrap_or_default();
    for item in before.iter().rev() {
        match item {
            Item::Comment(comment) if comment.span.start() > start => {}
            Item::Comment(comment)
                if comment.place != Place::Lost
                    && is_own_line(document, comment)
                    && place::next_line(document, comment.span.end()) == from =>
            {
                from = place::start_of_line(document, comment.span.start());
            }
            _ => break,
        }
    }
    from
}

fn is_own_line(document: &Document, comment: &Comment) -> bool {
    place::is_first_on_line(document, comment.span.start())
}

fn block_at_end(document: &Document, item: &Item) -> Option<BlockScalar> {
    let (_, block) = last_block_scalar(document, item.value()?)?;
    Some(block)
}

/// Behind the lines that would become part of the block scalar before: blank ones under `|+`, and comments that are
/// indented as far as its text.
fn behind_absorbed(document: &Document, start: usize, block: BlockScalar) -> usize {
    let bytes = document.source.bytes();
    let (mut end, mut line) = (start, start);
    loop {
        let text = place::end_of_blanks(document, line);
        let next = place::next_line(document, text);
        let is_blank = place::end_of_line(document, text) == text;
        let column = u32::try_from(text - line).unwrap_or(u32::MAX);
        let is_comment = bytes.get(text) == Some(&b'#') && column >= block.indent;
        if next == text || !(is_blank || is_comment) {
            return end;
        }
        if is_comment || block.chomp == Chomp::Keep {
            end = next;
        }
        line = next;
    }
}

fn remove_member(document: &Document, found: &Found<'_>) -> Vec<Edit> {
    let (previous, next) = neighbours(found);
    let own = member_span(document, found.item());
    let previous = previous.map(|item| member_span(document, item).end());
    let next = next.map(|item| member_span(document, item).start());
    let around = previous.unwrap_or(own.start())..next.unwrap_or(own.end());
    let mut near = comments(found.collection)
        .filter(|comment| around.contains(&comment.span.start()))
        .peekable();
    if near.peek().is_none() {
        let span = match (previous, next) {
            (Some(previous), _) => {
                // Blanks before the comma stay: they keep a key without a value from what follows.
                let start = comma(document, previous).map_or(previous, Span::start);
                Span::new(start, own.end())
            }
            (None, Some(next)) => Span::new(own.start(), next),
            (None, None) => own,
        };
        return vec![Edit::new(span, b"")];
    }
    let start = start_with_comments(document, found, own.start());
    let start = if start < place::start_of_line(document, own.start()) {
        place::end_of_blanks(document, start)
    } else {
        own.start()
    };
    if let Some(next) = next {
        let head_of_next = near
            .map(|comment| comment.span.start())
            .find(|at| *at > own.end() && place::is_first_on_line(document, *at));
        let end = head_of_next.unwrap_or(next);
        return vec![Edit::new(Span::new(start, end), b"")];
    }
    let comma = previous.and_then(|end| comma(document, end));
    let mut edits: Vec<Edit> = comma.map(|span| Edit::new(span, b"")).into_iter().collect();
    edits.push(Edit::new(Span::new(start, own.end()), b""));
    edits
}

/// The comma that follows directly.
fn comma(document: &Document, at: usize) -> Option<Span> {
    let at = place::end_of_blanks(document, at);
    (document.source.bytes().get(at) == Some(&b',')).then(|| Span::new(at, at + 1))
}

fn member_span(document: &Document, item: &Item) -> Span {
    let span = |id: NodeId| place::span(document, id);
    match item {
        Item::Comment(comment) => comment.span,
        Item::Element(id) => span(*id),
        Item::Entry(entry) => Span::new(entry.key.start(), end_of_entry(document, entry)),
    }
}
