//! Lines to sections, keys and comments.

use std::collections::HashSet;

use super::scan::{find_comment, line_end, scan_key, scan_value, slice, trim_start, trimmed_span};
use crate::document::{
    Collection, Comment, Document, Entry, Format, Item, KeyTexts, Layout, METADATA_KEY, Node,
    NodeId, ParseError, ParseErrorKind, Part, Place, Props, Scalar, Source, Span, Style,
};
use crate::secret::Secret;

/// The section of the keys before the first header.
pub(crate) const DEFAULT_SECTION: &str = "DEFAULT";

/// Reads a file.
///
/// # Errors
/// [`ParseError`] with the line.
pub(crate) fn parse(bytes: Secret) -> Result<Document, ParseError> {
    let source = Source::new(bytes);
    let all = source.bytes();
    let start = if all.starts_with("\u{feff}".as_bytes()) {
        3
    } else {
        0
    };
    let mut reader = Reader::new(all, start);
    if all.starts_with(&[0xff, 0xfe]) || all.starts_with(&[0xfe, 0xff]) {
        return Err(ParseError::new(ParseErrorKind::Utf16, 1));
    }
    while reader.at < all.len() {
        reader
            .line()
            .map_err(|kind| ParseError::new(kind, source.line(reader.at)))?;
    }
    let (nodes, key_texts, root) = reader.finish();
    let part = Part {
        root,
        span: Span::new(0, all.len()),
    };
    Ok(Document {
        format: Format::Ini,
        source,
        nodes: nodes.into(),
        key_texts,
        parts: vec![part],
        blocks: Default::default(),
    })
}

struct Reader<'s> {
    source: &'s [u8],
    at: usize,
    nodes: Vec<Node>,
    key_texts: KeyTexts,
    sections: Vec<Section>,
    names: HashSet<Box<[u8]>>,
    /// Comment lines whose key or section has not come yet.
    pending: Vec<Span>,
    /// How many keys of this section are called `-`, plus one.
    count: usize,
}

struct Section {
    name: Box<str>,
    key: Span,
    items: Vec<Item>,
    /// From the header to the end of the last line that belongs to it.
    span: Span,
}

impl Section {
    fn is_metadata(&self) -> bool {
        &*self.name == METADATA_KEY
    }
}

impl<'s> Reader<'s> {
    fn new(source: &'s [u8], start: usize) -> Self {
        let place = Span::new(start, start);
        Self {
            source,
            at: start,
            nodes: Vec::new(),
            key_texts: KeyTexts::default(),
            sections: vec![Section {
                name: DEFAULT_SECTION.into(),
                key: place,
                items: Vec::new(),
                span: place,
            }],
            names: HashSet::new(),
            pending: Vec::new(),
            count: 1,
        }
    }

    fn line(&mut self) -> Result<(), ParseErrorKind> {
        let next = line_end(self.source, self.at);
        let raw = slice(self.source, Span::new(self.at, next));
        let line = trim_start(raw);
        let start = self.at + (raw.len() - line.len());
        match line.first() {
            None => self.at = next,
            Some(b'#' | b';') => {
                self.pending.push(trimmed_span(line, start));
                self.at = next;
            }
            Some(b'[') => {
                self.header(line, start)?;
                self.at = next;
            }
            Some(_) => self.at = self.entry(start)?,
        }
        Ok(())
    }

    fn header(&mut self, line: &[u8], start: usize) -> Result<(), ParseErrorKind> {
        let close = memchr::memrchr(b']', line).ok_or(ParseErrorKind::Syntax(
            "a section header without its closing bracket",
        ))?;
        let key = Span::new(start + 1, start + close);
        let name = text(slice(self.source, key))?;
        if name.is_empty() {
            return Err(ParseErrorKind::Syntax("a section has no name"));
        }
        let rest_start = start + close + 1;
        let rest = slice(self.source, Span::new(rest_start, start + line.len()));
        let sign = find_comment(rest);
        let junk = rest.get(..sign.unwrap_or(rest.len())).unwrap_or_default();
        if !trim_start(junk).is_empty() {
            return Err(ParseErrorKind::Syntax(
                "text behind a section header would be lost",
            ));
        }
        let is_metadata = name == METADATA_KEY;
        if is_metadata && self.sections.iter().any(Section::is_metadata) {
            return Err(ParseErrorKind::DuplicateKey(METADATA_KEY.into()));
        }
        // What stands above the metadata belongs to nothing that stays.
        if is_metadata {
            self.lose_pending();
        }
        let inline =
            sign.map(|sign| trimmed_span(rest.get(sign..).unwrap_or_default(), rest_start + sign));
        let items = self.take_comment(inline).map(Item::Comment);
        let end = without_newline(self.source, start + line.len());
        self.sections.push(Section {
            name: name.into(),
            key,
            items: items.into_iter().collect(),
            span: Span::new(start, end),
        });
        self.names.clear();
        self.count = 1;
        Ok(())
    }

    /// A key and its value; gives the offset behind them.
    fn entry(&mut self, start: usize) -> Result<usize, ParseErrorKind> {
        let key = scan_key(self.source, start)?;
        let name = text(key.name)?;
        let numbered = (name == "-").then(|| format!("#{}", self.count));
        if numbered.is_some() {
            self.count += 1;
        }
        let name = numbered.as_deref().unwrap_or(name);
        if !self.names.insert(name.as_bytes().into()) {
            return Err(ParseErrorKind::DuplicateKey(name.to_owned()));
        }
        let value = scan_value(self.source, key.value)?;
        let lost = slice(self.source, value.lost);
        if !matches!(lost.first(), None | Some(b'#' | b';')) {
            return Err(ParseErrorKind::Syntax(
                "text behind a closing quote would be lost",
            ));
        }
        let node = self.add(Node::Scalar(Scalar::new(
            value.token,
            Style::Plain,
            Props::default(),
            false,
        )));
        let entry = Item::Entry(Entry {
            key: key.span,
            key_text: numbered.map(|name| self.key_texts.add(name)),
            value: node,
        });
        let comment = self.take_comment(value.comment).map(Item::Comment);
        let lost = (!lost.is_empty()).then_some(Item::Comment(Comment {
            span: value.lost,
            place: Place::Lost,
        }));
        let end = without_newline(self.source, value.next);
        if let Some(section) = self.sections.last_mut() {
            section.items.push(entry);
            section.items.extend(comment);
            section.items.extend(lost);
            section.span = Span::new(section.span.start(), end);
        }
        Ok(value.next)
    }

    /// One comment out of the lines above and the piece behind.
    fn take_comment(&mut self, inline: Option<Span>) -> Option<Comment> {
        let above = std::mem::take(&mut self.pending);
        match (above.first(), above.last()) {
            (Some(first), Some(last)) => Some(Comment {
                span: Span::new(first.start(), last.end()),
                place: Place::OwnLine,
            }),
            _ => inline.map(|span| Comment {
                span,
                place: Place::Inline,
            }),
        }
    }

    /// Comments that ini.v1 drops stay in the last section of data.
    fn lose_pending(&mut self) {
        let lost = std::mem::take(&mut self.pending);
        let section = self
            .sections
            .iter_mut()
            .rev()
            .find(|section| !section.is_metadata());
        if let Some(section) = section {
            section.items.extend(lost.into_iter().map(|span| {
                Item::Comment(Comment {
                    span,
                    place: Place::Lost,
                })
            }));
        }
    }

    fn finish(mut self) -> (Vec<Node>, KeyTexts, NodeId) {
        self.lose_pending();
        let mut items = Vec::with_capacity(self.sections.len());
        for section in std::mem::take(&mut self.sections) {
            let value = self.add(Node::map(map(section.items, section.span)));
            items.push(Item::Entry(Entry {
                key: section.key,
                key_text: Some(self.key_texts.add(section.name)),
                value,
            }));
        }
        let root = self.add(Node::map(map(items, Span::new(0, self.source.len()))));
        (self.nodes, self.key_texts, root)
    }

    fn add(&mut self, node: Node) -> NodeId {
        let id = u32::try_from(self.nodes.len())
            .expect("fewer nodes than bytes, of which there are fewer than 2^32");
        self.nodes.push(node);
        NodeId(id)
    }
}

/// The end of the line that ends at `end`, without its line break.
fn without_newline(source: &[u8], end: usize) -> usize {
    let text = source.get(..end).unwrap_or_default();
    let line = text.strip_suffix(b"\n").unwrap_or(text);
    line.strip_suffix(b"\r").unwrap_or(line).len()
}

fn map(items: Vec<Item>, span: Span) -> Collection {
    Collection {
        items: items.into(),
        layout: Layout::Block,
        span,
        column: 0,
        props: None,
    }
}

fn text(bytes: &[u8]) -> Result<&str, ParseErrorKind> {
    std::str::from_utf8(bytes).map_err(|_| ParseErrorKind::NotUtf8)
}
