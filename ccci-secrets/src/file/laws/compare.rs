//! Two texts of a document, compared by what they hold.

use super::*;

/// The values that differ, and comments that are in one text only. A comment behind an alias moves into what the alias
/// stood for.
pub(super) fn difference(old: &str, new: &str) -> String {
    let (old, new) = (values(old), values(new));
    let text = |line: &String| line.split_once('#').map(|(_, text)| text.to_owned());
    let texts = |lines: &[String]| {
        let mut texts: Vec<_> = lines.iter().filter_map(text).collect();
        texts.sort();
        texts
    };
    let first = |old: &[String], new: &[String]| {
        let at = old.iter().zip(new).position(|(old, new)| old != new);
        let at = at.unwrap_or(old.len().min(new.len()));
        (old != new).then(|| format!("{:?} -> {:?}\n", old.get(at), new.get(at)))
    };
    let changed = [first(&old.0, &new.0), first(&texts(&old.1), &texts(&new.1))];
    changed.into_iter().flatten().collect()
}

/// The parts of two texts that may differ, found by walking both trees side by side.
pub(super) struct Pairs<'d> {
    pub(super) plain: &'d Document,
    pub(super) sealed: &'d Document,
    pub(super) cut: Vec<(Span, Span)>,
}

impl Pairs<'_> {
    pub(super) fn node(&mut self, plain: NodeId, sealed: NodeId) {
        match (self.plain.node(plain), self.sealed.node(sealed)) {
            (Node::Alias(_), Node::Alias(_)) => {}
            (Node::Alias(alias), Node::Scalar(copy)) => self
                .cut
                .push((alias.span, join(copy.props().tag, copy.span))),
            (Node::Alias(alias), Node::Map(copy) | Node::List(copy)) => {
                self.cut
                    .push((alias.span, join(copy.props().tag, copy.span)));
            }
            (Node::Scalar(old), Node::Scalar(new)) => {
                let is_sealed = matches!(self.sealed.resolve(new), Ok(Resolved::Value(crate::value::Value::Str(text))) if Envelope::is_one(text.expose()));
                if is_sealed {
                    if let (Some(old), None) = (old.props().tag, new.props().tag) {
                        let end = old.end();
                        let blanks = self.plain.source().bytes()[end..]
                            .iter()
                            .take_while(|byte| matches!(byte, b' ' | b'\t'))
                            .count();
                        let at = new.props().anchor.map_or(new.span.start(), |anchor| {
                            anchor.start().min(new.span.start())
                        });
                        self.cut
                            .push((Span::new(old.start(), end + blanks), Span::new(at, at)));
                    }
                    self.scalar(old, new);
                }
            }
            (Node::Map(old) | Node::List(old), Node::Map(new) | Node::List(new)) => {
                let skip = |document: &Document, item: &Item| {
                    matches!(item, Item::Comment(_))
                        || matches!(item, Item::Entry(entry) if document.key(entry) == "sops")
                };
                let old = old.items.iter().filter(|item| !skip(self.plain, item));
                let new = new.items.iter().filter(|item| !skip(self.sealed, item));
                for (old, new) in old.zip(new) {
                    match (old, new) {
                        (Item::Entry(old), Item::Entry(new)) => self.node(old.value, new.value),
                        (Item::Element(old), Item::Element(new)) => self.node(*old, *new),
                        _ => panic!("the trees differ"),
                    }
                }
            }
            _ => panic!("the trees differ"),
        }
    }

    /// A comment may stand between the header and the body of a block scalar.
    fn scalar(&mut self, old: &crate::document::Scalar, new: &crate::document::Scalar) {
        let parts = |scalar: &crate::document::Scalar| match scalar.style() {
            Style::Literal(block) | Style::Folded(block) => vec![
                block.header,
                Span::new(
                    block.body.start(),
                    scalar.span.end().max(block.body.start()),
                ),
            ],
            _ => vec![scalar.span],
        };
        let (old, new) = (parts(old), parts(new));
        assert_eq!(old.len(), new.len(), "a block scalar is sealed as one");
        self.cut.extend(old.into_iter().zip(new));
    }
}

pub(super) fn join(tag: Option<Span>, span: Span) -> Span {
    Span::new(tag.map_or(span.start(), Span::start), span.end())
}

/// The text with these spans cut out.
pub(super) fn without(text: &[u8], mut spans: Vec<Span>) -> String {
    spans.sort();
    let mut kept = Vec::new();
    let mut at = 0;
    for span in spans {
        kept.extend(&text[at.min(span.start())..span.start()]);
        kept.push(b'~');
        at = span.end();
    }
    kept.extend(&text[at..]);
    String::from_utf8(kept).unwrap()
}

pub(super) fn comments(document: &Document) -> Vec<Span> {
    let items = document.nodes.iter().flat_map(|node| match node {
        Node::Map(collection) | Node::List(collection) => &*collection.items,
        _ => &[],
    });
    items
        .filter_map(|item| match item {
            Item::Comment(comment) => Some(comment.text()),
            _ => None,
        })
        .collect()
}

/// The lines of the block, or the member with its comma in a flow root.
pub(super) fn block_lines(document: &Document, part: &crate::document::Part) -> Span {
    let text = document.source().bytes();
    let (_, entry) = document.metadata_entry(part).unwrap();
    let Node::Map(root) = document.node(part.root) else {
        panic!("no map")
    };
    let Node::Map(block) = document.node(entry.value) else {
        panic!("no map")
    };
    let is_flow = root.layout == crate::document::Layout::Flow;
    let mut start = entry.key.start();
    let mut end = block.span.end();
    while start > 0 && text[start - 1] == b' ' {
        start -= 1;
    }
    if is_flow && start > 0 && text[start - 1] == b',' {
        start -= 1;
        // Behind a key without a value.
        start -= usize::from(text[start - 1] == b' ');
    }
    if !is_flow {
        let rest = &text[end..];
        let line_break = rest
            .iter()
            .take_while(|byte| matches!(byte, b'\r' | b'\n'))
            .count();
        let line_break = line_break.min(if rest.starts_with(b"\r\n") { 2 } else { 1 });
        end += line_break;
    }
    Span::new(start, end)
}
