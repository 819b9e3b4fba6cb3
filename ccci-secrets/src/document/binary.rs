//! Binary files (sops-format.md 11): in the clear the whole file is one value; sealed, JSON holds it under `data`.

use super::{
    Collection, Document, Edit, Entry, Format, Item, KeyTexts, Layout, NewScalar, Node, NodeId,
    ParseError, Part, Props, Resolved, Scalar, ScalarError, Source, Span, Style, json,
};
use crate::secret::Secret;
use crate::value::{Text, Value};

/// The key under which the content stands.
pub(crate) const DATA_KEY: &str = "data";

/// Reads the sealed form.
///
/// # Errors
/// [`ParseError`], as for JSON.
pub(crate) fn parse(bytes: Secret) -> Result<Document, ParseError> {
    Ok(Document {
        format: Format::Binary,
        ..json::parse(bytes)?
    })
}

/// Plaintext: any bytes, even none.
pub(crate) fn whole_file(bytes: Secret) -> Document {
    let all = Span::new(0, bytes.len());
    let start = Span::new(0, 0);
    let value = Node::Scalar(Scalar::new(all, Style::Plain, Props::default(), false));
    let mut key_texts = KeyTexts::default();
    let root = Node::map(Collection {
        items: Box::new([Item::Entry(Entry {
            key: start,
            key_text: Some(key_texts.add(DATA_KEY)),
            value: NodeId(0),
        })]),
        layout: Layout::Block,
        span: all,
        column: 0,
        props: None,
    });
    Document {
        format: Format::Binary,
        source: Source::new(bytes),
        nodes: vec![value, root].into(),
        key_texts,
        parts: vec![Part {
            root: NodeId(1),
            span: all,
        }],
        blocks: Default::default(),
    }
}

pub(crate) fn resolve<'a>(
    document: &'a Document,
    scalar: &Scalar,
) -> Result<Resolved<'a>, ScalarError> {
    if scalar.in_flow {
        return json::resolve(document, scalar);
    }
    let bytes = document.source.slice(scalar.span);
    Ok(Resolved::Value(Value::Str(Text::Borrowed(bytes))))
}

/// Sealing plaintext puts the JSON around it, laid out as sops does.
pub(crate) fn rewrite_scalar(
    document: &Document,
    scalar: &Scalar,
    new: &NewScalar<'_>,
) -> Vec<Edit> {
    let mut edits = json::rewrite_scalar(document, scalar, new);
    if !scalar.in_flow {
        let (start, end) = (scalar.span.start(), scalar.span.end());
        edits.insert(0, Edit::new(Span::new(start, start), b"{\n\t\"data\": "));
        edits.push(Edit::new(Span::new(end, end), b"\n}\n"));
    }
    edits
}

/// The sealed form with spaces for the tabs at the start of its lines. No string in JSON holds a line break or a tab.
pub(crate) fn indented(sealed: &[u8], spaces: u8) -> Secret {
    let mut text = Secret::with_capacity(sealed.len() * 2);
    for line in sealed.split_inclusive(|byte| *byte == b'\n') {
        let tabs = line.iter().take_while(|byte| **byte == b'\t').count();
        text.extend(&vec![b' '; tabs * usize::from(spaces)]);
        text.extend(line.get(tabs..).unwrap_or_default());
    }
    text
}
