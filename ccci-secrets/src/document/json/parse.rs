//! The tokenizer: strict syntax, an explicit stack, spans of every token.

use super::text::decode;
use crate::document::{
    Collection, Document, Entry, Format, Item, KeyText, KeyTexts, Layout, MAX_DEPTH, METADATA_KEY,
    Node, NodeId, ParseError, ParseErrorKind, Part, Props, Scalar, Source, Span, Style,
};
use crate::secret::Secret;
use crate::value::Text;

/// Reads the object at the start of a file. What stands behind it is kept and means nothing, as in sops.
pub(crate) fn parse(bytes: Secret) -> Result<Document, ParseError> {
    let source = Source::new(bytes);
    let all = source.bytes();
    let valid = std::str::from_utf8(all).map_or_else(|error| error.valid_up_to(), str::len);
    let mut reader = Reader {
        bytes: all.get(..valid).unwrap_or(all),
        at: 0,
        nodes: Vec::new(),
        key_texts: KeyTexts::default(),
    };
    let root = reader.document().map_err(|kind| match kind {
        // Everything up to bytes that are no UTF-8 was good, so these are what is wrong.
        _ if reader.at >= valid && valid < all.len() => (ParseErrorKind::NotUtf8, reader.at),
        kind => (kind, reader.at),
    });
    let root = root.map_err(|(kind, at)| ParseError::new(kind, source.line(at)))?;
    let Reader {
        nodes, key_texts, ..
    } = reader;
    let part = Part {
        root,
        span: Span::new(0, all.len()),
    };
    let document = Document {
        format: Format::Json,
        source,
        nodes: nodes.into(),
        key_texts,
        parts: vec![part],
        blocks: Default::default(),
    };
    single_metadata(&document, root)?;
    Ok(document)
}

/// Go keeps both of two equal keys; two `sops` entries would leave it open which one counts.
fn single_metadata(document: &Document, root: NodeId) -> Result<(), ParseError> {
    let Node::Map(map) = document.node(root) else {
        return Ok(());
    };
    let mut found = map.items.iter().filter_map(|item| match item {
        Item::Entry(entry) if document.key(entry) == METADATA_KEY => Some(entry.key),
        _ => None,
    });
    match found.nth(1) {
        Some(second) => Err(ParseError::new(
            ParseErrorKind::DuplicateKey(METADATA_KEY.into()),
            document.line(second),
        )),
        None => Ok(()),
    }
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    nodes: Vec<Node>,
    key_texts: KeyTexts,
}

/// A container that is not closed yet.
struct Open {
    bracket: Bracket,
    start: usize,
    items: Vec<Item>,
    /// The key whose value comes next.
    key: Option<Key>,
    /// Whether a comma or a colon was read, so that a value must follow.
    value_due: bool,
}

impl Open {
    fn ends_with(&self, byte: u8) -> bool {
        byte == self.bracket.closer() && !self.value_due
    }
}

struct Key {
    span: Span,
    /// Where it is not the token without its quotes.
    text: Option<KeyText>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Bracket {
    Curly,
    Square,
}

impl Bracket {
    fn opened_by(byte: u8) -> Option<Self> {
        match byte {
            b'{' => Some(Self::Curly),
            b'[' => Some(Self::Square),
            _ => None,
        }
    }

    fn closer(self) -> u8 {
        match self {
            Self::Curly => b'}',
            Self::Square => b']',
        }
    }
}

impl Reader<'_> {
    fn document(&mut self) -> Result<NodeId, ParseErrorKind> {
        match self.next_byte() {
            None => return Err(ParseErrorKind::Empty),
            Some(b'{') => {}
            Some(b'[' | b'"' | b'-' | b'0'..=b'9' | b't' | b'f' | b'n') => {
                return Err(ParseErrorKind::RootNotAMap);
            }
            Some(_) => return Err(ParseErrorKind::Syntax("expected an object")),
        }
        let mut stack = vec![self.open(Bracket::Curly)];
        self.first_key(&mut stack)?;
        loop {
            let closed = match self.next_byte() {
                Some(byte) if stack.last().is_some_and(|open| open.ends_with(byte)) => {
                    self.at += 1;
                    stack.pop().map(|open| self.close(open))
                }
                Some(byte) => match Bracket::opened_by(byte) {
                    Some(_) if stack.len() >= MAX_DEPTH => return Err(ParseErrorKind::TooDeep),
                    Some(bracket) => {
                        stack.push(self.open(bracket));
                        self.first_key(&mut stack)?;
                        None
                    }
                    None => Some(self.scalar()?),
                },
                None => return Err(ParseErrorKind::Syntax("unexpected end of the file")),
            };
            if let Some(node) = closed {
                let id = self.add(node);
                let Some(open) = stack.last_mut() else {
                    return Ok(id);
                };
                self.attach(open, id)?;
            }
        }
    }

    fn open(&mut self, bracket: Bracket) -> Open {
        let start = self.at;
        self.at += 1;
        Open {
            bracket,
            start,
            items: Vec::new(),
            key: None,
            value_due: false,
        }
    }

    fn first_key(&mut self, stack: &mut [Open]) -> Result<(), ParseErrorKind> {
        match stack.last_mut() {
            Some(open) if open.bracket == Bracket::Curly && self.next_byte() != Some(b'}') => {
                self.key(open)
            }
            _ => Ok(()),
        }
    }

    fn close(&self, open: Open) -> Node {
        let collection = Collection {
            items: open.items.into(),
            layout: Layout::Flow,
            span: Span::new(open.start, self.at),
            column: 0,
            props: None,
        };
        match open.bracket {
            Bracket::Curly => Node::map(collection),
            Bracket::Square => Node::list(collection),
        }
    }

    fn add(&mut self, node: Node) -> NodeId {
        let id = u32::try_from(self.nodes.len())
            .expect("fewer nodes than bytes, of which there are fewer than 2^32");
        self.nodes.push(node);
        NodeId(id)
    }

    /// Puts a value into its container and goes on to the next value or the end of the container.
    fn attach(&mut self, open: &mut Open, value: NodeId) -> Result<(), ParseErrorKind> {
        open.value_due = false;
        open.items.push(match open.key.take() {
            Some(key) => Item::Entry(Entry {
                key: key.span,
                key_text: key.text,
                value,
            }),
            None => Item::Element(value),
        });
        match self.next_byte() {
            Some(b',') => {
                self.at += 1;
                open.value_due = true;
                if open.bracket == Bracket::Curly {
                    self.key(open)
                } else {
                    Ok(())
                }
            }
            Some(byte) if byte == open.bracket.closer() => Ok(()),
            Some(_) => Err(ParseErrorKind::Syntax(
                "expected a comma or the end of the object or list",
            )),
            None => Err(ParseErrorKind::Syntax("unexpected end of the file")),
        }
    }

    fn key(&mut self, open: &mut Open) -> Result<(), ParseErrorKind> {
        if self.next_byte() != Some(b'"') {
            return Err(ParseErrorKind::Syntax("expected a key in double quotes"));
        }
        let span = self.string()?;
        let token = self.bytes.get(span.range()).unwrap_or_default();
        let text = match decode(token) {
            Text::Borrowed(bytes) if std::str::from_utf8(bytes).is_ok() => None,
            // EXPOSE: keys are no secrets; they stay readable in a sealed file.
            text => Some(self.key_texts.add(String::from_utf8_lossy(text.expose()))),
        };
        open.key = Some(Key { span, text });
        if self.next_byte() != Some(b':') {
            return Err(ParseErrorKind::Syntax("expected a colon after the key"));
        }
        self.at += 1;
        open.value_due = true;
        Ok(())
    }

    fn scalar(&mut self) -> Result<Node, ParseErrorKind> {
        let (span, style) = match self.next_byte() {
            Some(b'"') => (self.string()?, Style::DoubleQuoted),
            Some(b'-' | b'0'..=b'9') => (self.number()?, Style::Plain),
            _ => (self.literal()?, Style::Plain),
        };
        Ok(Node::Scalar(Scalar::new(
            span,
            style,
            Props::default(),
            true,
        )))
    }

    fn string(&mut self) -> Result<Span, ParseErrorKind> {
        let start = self.at;
        self.at += 1;
        loop {
            match self.rest() {
                [b'"', ..] => {
                    self.at += 1;
                    return Ok(Span::new(start, self.at));
                }
                [
                    b'\\',
                    b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't',
                    ..,
                ] => self.at += 2,
                [b'\\', b'u', a, b, c, d, ..]
                    if [a, b, c, d].iter().all(|digit| digit.is_ascii_hexdigit()) =>
                {
                    self.at += 6;
                }
                [b'\\', _, ..] => return Err(ParseErrorKind::Syntax("unknown escape in a string")),
                [0..=0x1f, ..] => {
                    return Err(ParseErrorKind::Syntax("control character in a string"));
                }
                [b'\\'] | [] => {
                    self.at = self.bytes.len();
                    return Err(ParseErrorKind::Syntax("unexpected end of the file"));
                }
                [_, ..] => self.at += 1,
            }
        }
    }

    fn number(&mut self) -> Result<Span, ParseErrorKind> {
        let length = number_length(self.rest()).ok_or(ParseErrorKind::Syntax("not a number"))?;
        let start = self.at;
        self.at += length;
        Ok(Span::new(start, self.at))
    }

    fn literal(&mut self) -> Result<Span, ParseErrorKind> {
        let words: [&[u8]; 3] = [b"true", b"false", b"null"];
        let word = words.into_iter().find(|word| self.rest().starts_with(word));
        let start = self.at;
        self.at += word
            .ok_or(ParseErrorKind::Syntax("expected a value"))?
            .len();
        Ok(Span::new(start, self.at))
    }

    /// The next byte that is no white space, not yet passed.
    fn next_byte(&mut self) -> Option<u8> {
        let spaces = self
            .rest()
            .iter()
            .take_while(|byte| is_space(**byte))
            .count();
        self.at += spaces;
        self.rest().first().copied()
    }

    fn rest(&self) -> &[u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }
}

pub(super) fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

/// Length of the number that `text` starts with: `-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?`.
pub(super) fn number_length(text: &[u8]) -> Option<usize> {
    let unsigned = text.strip_prefix(b"-").unwrap_or(text);
    let rest = match unsigned {
        [b'0', rest @ ..] => rest,
        _ => after_digits(unsigned)?,
    };
    let rest = match rest {
        [b'.', fraction @ ..] => after_digits(fraction)?,
        _ => rest,
    };
    let rest = match rest {
        [b'e' | b'E', b'+' | b'-', exponent @ ..] | [b'e' | b'E', exponent @ ..] => {
            after_digits(exponent)?
        }
        _ => rest,
    };
    Some(text.len() - rest.len())
}

/// What follows at least one digit.
fn after_digits(text: &[u8]) -> Option<&[u8]> {
    let count = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    (count > 0).then(|| text.get(count..))?
}
