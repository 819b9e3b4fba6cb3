//! dotenv as sops reads it (sops-format.md 12.1): lines, split at the first `=`. No quotes, no trimming, no `export`.
//!
//! The metadata are the lines whose key starts with `sops_`. They appear as one entry `sops`, as in the other formats,
//! whose value is the map of these lines.

use super::plain_text::{Unwritable, text_of};
use super::walk::Found;
use super::{
    Collection, Comment, Document, Edit, Entry, Format, Item, KeyTexts, Layout, METADATA_KEY,
    NewNode, NewScalar, Node, NodeId, ParseError, ParseErrorKind, Part, Place, Props, Scalar,
    SetError, Source, Span, Style,
};
use crate::path::{Segment, TreePath};
use crate::secret::Secret;
use crate::value::{Text, Value};

/// What the key of every metadata line starts with.
const PREFIX: &[u8] = b"sops_";

/// Splits a file into its lines.
///
/// # Errors
/// [`ParseErrorKind::Syntax`] for a line without `=`, [`ParseErrorKind::NotUtf8`] for a key that is no text.
pub(crate) fn parse(bytes: Secret) -> Result<Document, ParseError> {
    let source = Source::new(bytes);
    let mut reader = Reader::default();
    for (nth, line) in lines(source.bytes()).enumerate() {
        reader
            .line(source.slice(line), line.start())
            .map_err(|kind| ParseError::new(kind, nth + 1))?;
    }
    let end = source.bytes().len();
    let (nodes, key_texts, root) = reader.finish(end);
    let part = Part {
        root,
        span: Span::new(0, end),
    };
    Ok(Document {
        format: Format::Dotenv,
        source,
        nodes: nodes.into(),
        key_texts,
        parts: vec![part],
        blocks: Default::default(),
    })
}

#[derive(Default)]
struct Reader {
    nodes: Vec<Node>,
    key_texts: KeyTexts,
    items: Vec<Item>,
    metadata: Vec<Item>,
    /// From the first line of the metadata to the end of the last.
    block: Option<Span>,
}

impl Reader {
    fn line(&mut self, line: &[u8], start: usize) -> Result<(), ParseErrorKind> {
        let end = start + line.len();
        match line.first() {
            None => return Ok(()),
            Some(b'#') => {
                self.items.push(Item::Comment(Comment {
                    span: Span::new(start, end),
                    place: Place::OwnLine,
                }));
                return Ok(());
            }
            Some(_) => {}
        }
        let equals = memchr::memchr(b'=', line)
            .ok_or(ParseErrorKind::Syntax("expected KEY=value, or a comment"))?;
        let key = line.get(..equals).unwrap_or_default();
        std::str::from_utf8(key).map_err(|_| ParseErrorKind::NotUtf8)?;
        let is_metadata = key.starts_with(PREFIX);
        let value = self.add(scalar(Span::new(start + equals + 1, end)));
        let name_start = if is_metadata {
            start + PREFIX.len()
        } else {
            start
        };
        let entry = Item::Entry(Entry {
            key: Span::new(name_start, start + equals),
            key_text: None,
            value,
        });
        if is_metadata {
            let first = self.block.map_or(start, Span::start);
            self.block = Some(Span::new(first, end));
            self.metadata.push(entry);
        } else {
            self.items.push(entry);
        }
        Ok(())
    }

    fn finish(mut self, end: usize) -> (Vec<Node>, KeyTexts, NodeId) {
        if let Some(block) = self.block {
            let fields = std::mem::take(&mut self.metadata);
            let value = self.add(Node::map(map(fields, block)));
            self.items.push(Item::Entry(Entry {
                key: Span::new(block.start(), block.start() + METADATA_KEY.len()),
                key_text: Some(self.key_texts.add(METADATA_KEY)),
                value,
            }));
        }
        let items = std::mem::take(&mut self.items);
        let root = self.add(Node::map(map(items, Span::new(0, end))));
        (self.nodes, self.key_texts, root)
    }

    fn add(&mut self, node: Node) -> NodeId {
        let id = u32::try_from(self.nodes.len())
            .expect("fewer nodes than bytes, of which there are fewer than 2^32");
        self.nodes.push(node);
        NodeId(id)
    }
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

fn scalar(span: Span) -> Node {
    Node::Scalar(Scalar::new(span, Style::Plain, Props::default(), false))
}

/// The spans of all lines, without their line feeds; what stands behind the last line feed is a line, too.
fn lines(bytes: &[u8]) -> impl Iterator<Item = Span> {
    let ends = memchr::memchr_iter(b'\n', bytes).chain(std::iter::once(bytes.len()));
    let mut start = 0;
    ends.map(move |end| {
        let line = Span::new(start, end);
        start = end + 1;
        line
    })
}

/// The text of a value: the two characters `\n` mean a line break, nothing else means anything.
pub(crate) fn value_text(raw: &[u8]) -> Text<'_> {
    let finder = memchr::memmem::Finder::new(b"\\n");
    if finder.find(raw).is_none() {
        return Text::Borrowed(raw);
    }
    let mut text = Secret::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(at) = finder.find(rest) {
        let (before, from) = rest.split_at_checked(at).unwrap_or((rest, &[]));
        text.extend(before);
        text.extend(b"\n");
        rest = from.get(2..).unwrap_or_default();
    }
    text.extend(rest);
    Text::Owned(text)
}

/// A value as it stands in the file.
///
/// # Errors
/// [`Unwritable::BackslashN`].
pub(crate) fn raw_value(value: &Value<'_>) -> Result<Secret, Unwritable> {
    let text = text_of(value);
    // EXPOSE: into a wiping buffer.
    let text = text.expose();
    if memchr::memmem::find(text, b"\\n").is_some() {
        return Err(Unwritable::BackslashN);
    }
    let breaks = memchr::memchr_iter(b'\n', text).count();
    let mut raw = Secret::with_capacity(text.len() + breaks);
    for (nth, line) in text.split(|byte| *byte == b'\n').enumerate() {
        if nth > 0 {
            raw.extend(b"\\n");
        }
        raw.extend(line);
    }
    Ok(raw)
}

/// The edit that gives a value new content; one that cannot be written stays as it is, and the check that follows every
/// write finds it.
pub(crate) fn rewrite_scalar(scalar: &Scalar, new: &NewScalar<'_>) -> Vec<Edit> {
    let text = match new {
        NewScalar::Envelope(envelope) | NewScalar::PlainEnvelope(envelope) => {
            Secret::from_slice(envelope.as_bytes())
        }
        NewScalar::Value { value, .. } => match raw_value(value) {
            Ok(raw) => raw,
            Err(_) => return Vec::new(),
        },
    };
    vec![Edit {
        span: scalar.span,
        text,
    }]
}

/// The lines of the metadata behind everything else. A file without a line feed at its end has none with them either.
pub(crate) fn append_metadata(document: &Document, block: &NewNode) -> Vec<Edit> {
    let NewNode::Map(fields) = block else {
        return Vec::new();
    };
    if metadata(document).is_some() {
        return Vec::new();
    }
    let source = document.source.bytes();
    let is_open = source.last().is_some_and(|byte| *byte != b'\n');
    let mut text = Secret::with_capacity(4096);
    for (nth, (key, node)) in fields.iter().enumerate() {
        if is_open || nth > 0 {
            text.extend(b"\n");
        }
        text.extend(PREFIX);
        text.extend(key.as_bytes());
        text.extend(b"=");
        if let NewNode::Value(value) = node
            && let Ok(raw) = raw_value(value)
        {
            // EXPOSE: metadata, into the text of the file.
            text.extend(raw.expose());
        }
    }
    if !is_open {
        text.extend(b"\n");
    }
    vec![Edit {
        span: Span::new(source.len(), source.len()),
        text,
    }]
}

/// Takes every line of the metadata out, wherever it stands.
pub(crate) fn remove_metadata(document: &Document) -> Vec<Edit> {
    let Some(fields) = metadata(document) else {
        return Vec::new();
    };
    let source = document.source.bytes();
    let mut runs: Vec<Span> = Vec::new();
    for item in &fields.items {
        let Item::Entry(entry) = item else { continue };
        let Node::Scalar(value) = document.node(entry.value) else {
            continue;
        };
        let start = entry.key.start() - PREFIX.len();
        let end = (value.span.end() + 1).min(source.len());
        match runs.last_mut() {
            Some(run) if run.end() == start => *run = Span::new(run.start(), end),
            _ => runs.push(Span::new(start, end)),
        }
    }
    // Without a line feed at its end, the file got the one before its metadata with them.
    if source.last() != Some(&b'\n')
        && let Some(last) = runs.last_mut()
        && last.end() == source.len()
    {
        *last = Span::new(last.start().saturating_sub(1), last.end());
    }
    runs.into_iter().map(|run| Edit::new(run, b"")).collect()
}

/// Whether nothing but metadata stands between its first and its last line.
pub(crate) fn is_contiguous(document: &Document) -> bool {
    remove_metadata(document).len() <= 1
}

fn metadata(document: &Document) -> Option<&Collection> {
    let (_, entry) = document.metadata_entry(document.parts.first()?)?;
    match document.node(entry.value) {
        Node::Map(fields) => Some(fields),
        _ => None,
    }
}

/// Replaces the value of a key, or adds a line for it behind the last one.
pub(crate) fn set(
    document: &Document,
    path: &TreePath,
    new: &NewNode,
) -> Result<Vec<Edit>, SetError> {
    let only_text = || SetError::NoContainers {
        path: path.to_string(),
        format: Format::Dotenv,
    };
    let key = match path.segments() {
        [] => return Err(SetError::Root),
        [Segment::Index(_), ..] => return Err(SetError::IndexOnMap(path.to_string())),
        [Segment::Key(key)] => key,
        _ => return Err(only_text()),
    };
    let NewNode::Value(value) = new else {
        return Err(only_text());
    };
    let text = raw_value(value).map_err(|reason| SetError::Unwritable {
        path: path.to_string(),
        reason,
    })?;
    match value_of(document, key) {
        Some(scalar) => Ok(vec![Edit {
            span: scalar.span,
            text,
        }]),
        None => {
            check_key(key)?;
            Ok(vec![add_line(document, key, &text)])
        }
    }
}

/// What is no metadata.
fn data(document: &Document) -> impl DoubleEndedIterator<Item = &Item> {
    let root = document
        .parts
        .first()
        .and_then(|part| match document.node(part.root) {
            Node::Map(root) => Some(root),
            _ => None,
        });
    let is_data = |item: &&Item| !matches!(item, Item::Entry(entry) if document.is_metadata(entry));
    root.into_iter()
        .flat_map(|root| &root.items)
        .filter(is_data)
}

/// The first value of a key: the one that sops sets, too.
fn value_of<'d>(document: &'d Document, key: &str) -> Option<&'d Scalar> {
    let value = data(document).find_map(|item| match item {
        Item::Entry(entry) if document.key(entry) == key => Some(entry.value),
        _ => None,
    })?;
    match document.node(value) {
        Node::Scalar(scalar) => Some(scalar),
        _ => None,
    }
}

fn add_line(document: &Document, key: &str, raw: &Secret) -> Edit {
    let last = data(document).next_back().map(|item| match item {
        Item::Comment(comment) => comment.span.end(),
        Item::Element(id) | Item::Entry(Entry { value: id, .. }) => match document.node(*id) {
            Node::Scalar(scalar) => scalar.span.end(),
            _ => 0,
        },
    });
    let mut text = Secret::with_capacity(key.len() + raw.len() + 2);
    if last.is_some() {
        text.extend(b"\n");
    }
    text.extend(key.as_bytes());
    text.extend(b"=");
    // EXPOSE: into the text that is to be sealed.
    text.extend(raw.expose());
    if last.is_none() {
        text.extend(b"\n");
    }
    let at = last.unwrap_or_default();
    Edit {
        span: Span::new(at, at),
        text,
    }
}

/// Takes the line of a key out, with the comments directly above it.
pub(crate) fn remove(document: &Document, found: &Found<'_>) -> Edit {
    let Item::Entry(entry) = found.item() else {
        return Edit::new(Span::new(0, 0), b"");
    };
    let mut start = entry.key.start();
    let before = found.collection.items.get(..found.at).unwrap_or_default();
    for item in before.iter().rev() {
        match item {
            Item::Comment(comment) if comment.span.end() + 1 == start => {
                start = comment.span.start();
            }
            _ => break,
        }
    }
    let end = match document.node(entry.value) {
        Node::Scalar(scalar) => scalar.span.end(),
        _ => entry.key.end(),
    };
    let end = (end + 1).min(document.source.bytes().len());
    Edit::new(Span::new(start, end), b"")
}

/// A key that reads back as itself, and as no metadata.
pub(crate) fn check_key(key: &str) -> Result<(), SetError> {
    let bytes = key.as_bytes();
    let is_bad = bytes.starts_with(b"#") || bytes.starts_with(PREFIX) || key.contains(['=', '\n']);
    if is_bad {
        return Err(SetError::BadKey {
            key: key.to_owned(),
            format: Format::Dotenv,
        });
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic, reason = "tests")]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::document::Resolved;

    fn document(text: &str) -> Document {
        parse(Secret::from_slice(text.as_bytes())).unwrap()
    }

    /// Keys, values and comments in order, metadata as `sops_` again.
    fn describe(document: &Document) -> Vec<String> {
        let Node::Map(root) = document.node(document.parts[0].root) else {
            panic!("the root is a map");
        };
        let line = |item: &Item| match item {
            Item::Comment(comment) => {
                let text = document.source.slice(comment.text());
                format!("# {}", String::from_utf8_lossy(text))
            }
            Item::Entry(entry) => match document.node(entry.value) {
                Node::Scalar(scalar) => {
                    let Ok(Resolved::Value(Value::Str(text))) = document.resolve(scalar) else {
                        panic!("a value is text");
                    };
                    let text = String::from_utf8_lossy(text.expose()).into_owned();
                    format!("{:?} {text:?}", document.key(entry))
                }
                _ => format!("metadata {}", document.key(entry)),
            },
            Item::Element(_) => "element".to_owned(),
        };
        root.items.iter().map(line).collect()
    }

    // testdata/sops/inputs/basic.env and sops-format.md 12.1.
    #[test]
    fn nothing_is_trimmed_and_no_quote_means_anything() {
        let read =
            document("# a\n\nB = \"x\" # n\nexport C=1\n #x=2\nM=one\\ntwo\\\\n\nE=\nR=v\r\n");
        assert_eq!(
            describe(&read),
            [
                "#  a",
                "\"B \" \" \\\"x\\\" # n\"",
                "\"export C\" \"1\"",
                "\" #x\" \"2\"",
                "\"M\" \"one\\ntwo\\\\\\n\"",
                "\"E\" \"\"",
                "\"R\" \"v\\r\"",
            ]
        );
    }

    #[test]
    fn a_line_without_equals_sign_is_an_error_with_its_number() {
        let error = parse(Secret::from_slice(b"A=1\nB\n"))
            .map(|_| ())
            .unwrap_err();
        assert_eq!(error.line, 2);
    }

    #[test]
    fn a_key_called_sops_is_no_metadata() {
        assert_eq!(
            describe(&document("sops=1\nsops_version=3\nA=2\n")),
            ["\"sops\" \"1\"", "\"A\" \"2\"", "metadata sops"]
        );
    }

    #[test]
    fn metadata_lines_go_wherever_they_stand() {
        let read = document("sops_a=1\nsops_b=2\nA=1\n\nsops_c=3");
        let plain = read.source.splice(remove_metadata(&read)).unwrap();
        assert_eq!(plain.expose(), b"A=1\n");
        assert!(!is_contiguous(&read));
    }

    #[test]
    fn what_would_read_back_otherwise_is_refused() {
        let read = document("A=1\n");
        let path = "A".parse().unwrap();
        assert!(matches!(
            set(&read, &path, &NewNode::text("a\\nb")),
            Err(SetError::Unwritable { .. })
        ));
        for key in ["#a", "sops_a", "a=b"] {
            let path = TreePath::from_segments(vec![Segment::Key(key.into())]);
            assert!(set(&read, &path, &NewNode::text("x")).is_err(), "{key}");
        }
    }

    proptest! {
        #[test]
        fn metadata_comes_and_goes_without_a_trace(text in "(#c|A=x|B=\\\\n|\n){0,6}", last in "A=1|") {
            let text = format!("{text}\n{last}").replace("#c", "\n#c\n").replace("A=", "\nA=").replace("B=", "\nB=");
            let plain = document(&text);
            let block = NewNode::Map(vec![
                ("mac".into(), NewNode::text("x\ny")),
                ("version".into(), NewNode::text("1")),
            ]);
            let sealed = plain.source.splice(append_metadata(&plain, &block)).unwrap();
            let sealed = parse(sealed).unwrap();
            prop_assert!(metadata(&sealed).is_some());
            let again = sealed.source.splice(remove_metadata(&sealed)).unwrap();
            prop_assert_eq!(again.expose(), text.as_bytes());
        }

        #[test]
        fn a_value_that_can_be_written_reads_back(text in "[a\\\\n\n #'\"=]{0,12}") {
            let value = Value::borrowed(text.as_bytes());
            if let Ok(raw) = raw_value(&value) {
                prop_assert!(!raw.expose().contains(&b'\n'));
                let read = value_text(raw.expose());
                prop_assert_eq!(read.expose(), text.as_bytes());
            }
        }
    }
}
