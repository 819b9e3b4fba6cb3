//! The `sops` block: last in every part, and taken out again without a trace (yaml.md 5.3).

use super::block::{self, LastLine};
use super::ending::{Ending, last_block_scalar};
use super::flow::{self, Quotes};
use super::place;
use crate::document::content::Content;
use crate::document::{
    Collection, Document, Edit, Entry, Item, Layout, METADATA_KEY, NewNode, Node, NodeId, Part,
    Span, Style,
};
use crate::secret::Secret;

/// Puts the block at the end of every part that has none, each level `step` columns further in.
pub(crate) fn append_metadata(document: &Document, block: &NewNode, step: usize) -> Vec<Edit> {
    let content = Content::of(block);
    let without = document
        .parts
        .iter()
        .filter(|part| document.metadata_entry(part).is_none());
    without
        .flat_map(|part| match document.node(part.root) {
            Node::Map(root) if root.layout == Layout::Flow => {
                vec![append_member(document, root, &content)]
            }
            Node::Map(root) => append_lines(document, (part, root), &content, step),
            _ => Vec::new(),
        })
        .collect()
}

pub(crate) fn remove_metadata(document: &Document) -> Vec<Edit> {
    let found = document.parts.iter().filter_map(|part| {
        let (at, entry) = document.metadata_entry(part)?;
        match document.node(part.root) {
            Node::Map(root) => Some((part, root, at, entry)),
            _ => None,
        }
    });
    found
        .flat_map(|(part, root, at, entry)| match root.layout {
            Layout::Flow => vec![remove_member(document, root, at, entry)],
            Layout::Block => remove_lines(document, part, root, at, entry),
        })
        .collect()
}

fn append_lines(
    document: &Document,
    (part, root): (&Part, &Collection),
    content: &Content<'_>,
    step: usize,
) -> Vec<Edit> {
    let at = end_of_content(document, part);
    let is_open = !place::is_line_start(document, at);
    let newline = place::newline(document, at);
    let base = if entries(root).next().is_some() {
        place::column(root)
    } else {
        0
    };
    let last_line = if is_open {
        LastLine::Open
    } else {
        LastLine::Closed
    };
    let block = block::entry(
        METADATA_KEY,
        content,
        0,
        block::Layout {
            base,
            step,
            newline,
            last_line,
        },
    );
    let mut edits = Vec::new();
    let mut text = Secret::with_capacity(block.len() + base + 8);
    if is_open {
        text.extend(newline);
        if let Some((edit, marks)) = close_last_line(document, part.root, at) {
            edits.push(edit);
            (0..marks).for_each(|_| text.extend(newline));
        }
    }
    text.extend(&vec![b' '; base]);
    // EXPOSE: metadata, into the text of an edit.
    text.extend(block.expose());
    if !is_open {
        text.extend(newline);
    }
    edits.push(Edit {
        span: Span::new(at, at),
        text,
    });
    edits
}

/// The end of a part. Blanks on its last line stay behind the block: with a line break behind them a block scalar would
/// count them.
fn end_of_content(document: &Document, part: &Part) -> usize {
    let end = part.span.end();
    let line = place::start_of_line(document, end);
    let is_text =
        last_block_scalar(document, part.root).is_some_and(|(scalar, _)| scalar.span.end() > line);
    if place::is_first_on_line(document, end) && !is_text {
        line
    } else {
        end
    }
}

/// A block scalar that ends with the file, and gains a line break once a line follows, gets a header under which its
/// value stays the same. As many blank lines as the chomping was lowered by tell [`remove_metadata`] how it was: no
/// other file without a last line break has blank lines there.
fn close_last_line(document: &Document, root: NodeId, end: usize) -> Option<(Edit, usize)> {
    let (scalar, block) = last_block_scalar(document, root)?;
    // The line break ends the header itself and counts for nothing.
    if !place::is_line_start(document, block.body.start()) {
        return None;
    }
    let ending = Ending::of(document, (scalar, block), end)?;
    let (lowered, marks) = ending.closed()?;
    Some((lowered.header_edit(document), marks))
}

fn remove_lines(
    document: &Document,
    part: &Part,
    root: &Collection,
    at: usize,
    entry: &Entry,
) -> Vec<Edit> {
    let start = place::start_of_line(document, entry.key.start());
    let value_end = place::end_of_node(document, entry.value).max(entry.key.end());
    let end = place::next_line(document, value_end);
    if entries(root).count() == 1
        && !has_start_marker(document, Span::new(part.span.start(), start))
    {
        // What would be left is no document.
        let line_end = place::end_of_line(document, value_end);
        let map = Span::new(entry.key.start(), line_end);
        return vec![Edit::new(map, b"{}")];
    }
    if !place::is_line_start(document, end) || start == 0 {
        return reopen_last_line(document, root, at, Span::new(start, end));
    }
    let Some(comment) = comment_behind(document, entry) else {
        return vec![Edit::new(Span::new(start, end), b"")];
    };
    let next = place::next_line(document, comment);
    vec![
        Edit::new(Span::new(start, comment), b""),
        Edit::new(Span::new(next, end), b""),
    ]
}

/// A comment on the line of the block's key: sops puts one there that had no entry left to stand before.
fn comment_behind(document: &Document, entry: &Entry) -> Option<usize> {
    let rest = document.source.bytes().get(entry.key.end()..)?;
    let blanks = rest.strip_prefix(b":")?;
    let len = blanks.iter().take_while(|byte| **byte == b' ').count();
    (blanks.get(len) == Some(&b'#')).then(|| entry.key.end() + 1 + len)
}

/// Whether a `---` stands in what comes before the first entry of a part.
fn has_start_marker(document: &Document, before: Span) -> bool {
    document
        .source
        .slice(before)
        .split(|byte| matches!(byte, b'\n' | b'\r'))
        .any(|line| line.starts_with(b"---"))
}

/// The file has no last line break, so the block came with the one before it.
fn reopen_last_line(document: &Document, root: &Collection, at: usize, lines: Span) -> Vec<Edit> {
    let before = document.source.slice(Span::new(0, lines.start()));
    let previous = root.items.get(..at).and_then(<[Item]>::last);
    let scalar = match previous {
        Some(Item::Entry(entry)) => last_block_scalar(document, entry.value),
        _ => None,
    };
    // Behind a header alone there is no line break that could count.
    let ending = scalar
        .and_then(|scalar| Ending::of(document, scalar, lines.start()))
        .filter(|ending| ending.breaks > 0);
    let Some(ending) = ending else {
        return vec![Edit::new(
            Span::new(without_break(before), lines.end()),
            b"",
        )];
    };
    let marks = blank_lines_at_end(before);
    let raised = (1..=2)
        .contains(&marks)
        .then(|| ending.raised(marks))
        .flatten();
    for (candidate, marks) in [(raised, marks), (Some(ending), 0)] {
        let Some(candidate) = candidate else { continue };
        let Some(breaks) = ending.breaks.checked_sub(marks + 1) else {
            continue;
        };
        let reopened = candidate.with_breaks(breaks);
        if reopened.value_breaks() == ending.value_breaks() {
            let start = (0..=marks)
                .fold(before, |text, _| {
                    text.get(..without_break(text)).unwrap_or_default()
                })
                .len();
            let mut edits = vec![Edit::new(Span::new(start, lines.end()), b"")];
            if marks > 0 {
                edits.push(reopened.header_edit(document));
            }
            return edits;
        }
    }
    vec![Edit::new(lines, b"")]
}

/// The length of `text` without the line break at its end.
fn without_break(text: &[u8]) -> usize {
    let rest = text
        .strip_suffix(b"\r\n")
        .or(text.strip_suffix(b"\n"))
        .or(text.strip_suffix(b"\r"));
    rest.unwrap_or(text).len()
}

fn blank_lines_at_end(text: &[u8]) -> usize {
    let mut count = 0;
    let mut rest = text.get(..without_break(text)).unwrap_or_default();
    while let Some(shorter) = rest
        .get(..without_break(rest))
        .filter(|shorter| shorter.len() < rest.len())
    {
        (count, rest) = (count + 1, shorter);
    }
    count
}

fn append_member(document: &Document, root: &Collection, content: &Content<'_>) -> Edit {
    let mut text = Secret::with_capacity(4096);
    let at = match entries(root).last() {
        Some(last) => {
            text.extend(separator(document, last));
            end_of_entry(document, last)
        }
        None => root.span.start() + 1,
    };
    flow::push_entry(&mut text, METADATA_KEY, content, Quotes::Always);
    Edit {
        span: Span::new(at, at),
        text,
    }
}

fn remove_member(document: &Document, root: &Collection, at: usize, entry: &Entry) -> Edit {
    let (before, rest) = root.items.split_at_checked(at).unwrap_or_default();
    let only_entry = |item: &'_ Item| matches!(item, Item::Entry(_));
    let end = end_of_entry(document, entry);
    let previous = before.iter().rev().find_map(as_entry);
    let next = rest
        .iter()
        .filter(|item| only_entry(item))
        .nth(1)
        .and_then(as_entry);
    let span = match (previous, next) {
        (Some(previous), _) => Span::new(end_of_entry(document, previous), end),
        (None, Some(next)) => Span::new(entry.key.start(), next.key.start()),
        (None, None) => Span::new(entry.key.start(), end),
    };
    Edit::new(span, b"")
}

/// What separates a new member of a flow map from `last`. Behind the colon of a key without a value a blank keeps the
/// comma out of the key; behind a key that ends in a colon of its own it would cut that off.
pub(super) fn separator(document: &Document, last: &Entry) -> &'static [u8] {
    let has_own_colon = document.source.slice(last.key).ends_with(b":");
    if is_absent(document, last.value) && !has_own_colon {
        b" , "
    } else {
        b", "
    }
}

/// Where an entry of a flow map ends, its colon included if nothing follows that.
pub(super) fn end_of_entry(document: &Document, entry: &Entry) -> usize {
    let end = entry.key.end();
    if !is_absent(document, entry.value) {
        return place::span(document, entry.value).end().max(end);
    }
    let rest = document.source.bytes().get(end..).unwrap_or_default();
    let blanks = rest
        .iter()
        .take_while(|byte| byte.is_ascii_whitespace())
        .count();
    match rest.get(blanks) {
        Some(b':') => end + blanks + 1,
        _ => end,
    }
}

fn is_absent(document: &Document, id: NodeId) -> bool {
    matches!(document.node(id), Node::Scalar(scalar) if scalar.span.is_empty() && scalar.style() == Style::Plain)
}

pub(super) fn entries(map: &Collection) -> impl Iterator<Item = &Entry> {
    map.items.iter().filter_map(as_entry)
}

pub(super) fn as_entry(item: &Item) -> Option<&Entry> {
    match item {
        Item::Entry(entry) => Some(entry),
        _ => None,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic, reason = "tests")]
mod tests {
    use crate::document::{Document, Format, NewNode, Node};
    use crate::secret::Secret;

    #[test]
    fn a_key_that_ends_in_a_colon_stays_what_it_is() {
        let block = NewNode::Map(vec![("version".into(), NewNode::text("3"))]);
        for text in [
            "{a b:}",
            "{a:}\n",
            "{x: 1, a::}",
            "{a: }",
            "{a}",
            "{'a':}",
            "{? a}",
        ] {
            let document = parse(text.as_bytes());
            let key = |document: &Document| {
                let Node::Map(root) = document.node(document.parts().first().unwrap().root) else {
                    panic!("a map");
                };
                let keys = super::entries(root).map(|entry| document.key(entry).to_owned());
                keys.filter(|key| key != "sops").collect::<Vec<_>>()
            };
            let edits = super::append_metadata(&document, &block, 4);
            let sealed = parse(document.source.splice(edits).unwrap().expose());
            assert_eq!(key(&sealed), key(&document), "{text}");
            let edits = super::remove_metadata(&sealed);
            let back = sealed.source.splice(edits).unwrap();
            assert_eq!(String::from_utf8_lossy(back.expose()), text);
        }
    }

    fn parse(text: &[u8]) -> Document {
        Document::parse(Format::Yaml, Secret::from_slice(text)).unwrap()
    }

    // Found by fuzzing.
    #[test]
    fn a_header_at_the_end_of_a_file_stays_without_its_line_break() {
        let block = NewNode::Map(vec![("version".into(), NewNode::text("3"))]);
        for text in [
            "a: |",
            "a: >-",
            "b:\n  a: |+",
            "a:\n  > # x",
            "a: |\n",
            "a: |\n\n",
        ] {
            let document = parse(text.as_bytes());
            let edits = super::append_metadata(&document, &block, 4);
            let sealed = parse(document.source.splice(edits).unwrap().expose());
            let edits = super::remove_metadata(&sealed);
            let back = sealed.source.splice(edits).unwrap();
            assert_eq!(String::from_utf8_lossy(back.expose()), text);
        }
    }
}
