//! One field of the metadata block: added in the style of its neighbour, replaced, or taken out with its line or comma.

use super::{
    Collection, Document, Edit, Entry, Format, Item, Layout, NewScalar, Node, Part, Scalar, Span,
};

/// Every block has this field, and it is a lone text: new fields go before it and look like it.
const NEIGHBOUR: &str = "lastmodified";

pub(super) fn set(
    document: &Document,
    part: &Part,
    name: &str,
    envelope: Option<&str>,
) -> Vec<Edit> {
    let Some(block) = block(document, part) else {
        return Vec::new();
    };
    let old = field(document, block, name);
    match (old, envelope) {
        (None, None) => Vec::new(),
        (Some((at, field)), None) => vec![remove(document, block, at, field)],
        (Some((_, field)), Some(envelope)) => match scalar(document, field) {
            Some(scalar) if document.source.slice(scalar.span) != envelope.as_bytes() => {
                document.rewrite_scalar(scalar, &NewScalar::Envelope(envelope))
            }
            _ => Vec::new(),
        },
        (None, Some(envelope)) => field_before_neighbour(document, block, name, envelope)
            .into_iter()
            .collect(),
    }
}

fn block<'d>(document: &'d Document, part: &Part) -> Option<&'d Collection> {
    let (_, entry) = document.metadata_entry(part)?;
    match document.node(entry.value) {
        Node::Map(block) => Some(block),
        _ => None,
    }
}

/// A field and its number among the items; the case of names does not count.
fn field<'d>(document: &Document, block: &'d Collection, name: &str) -> Option<(usize, &'d Entry)> {
    let items = block.items.iter().enumerate();
    items
        .filter_map(|(at, item)| as_entry(item).map(|entry| (at, entry)))
        .find(|(_, entry)| document.key(entry).eq_ignore_ascii_case(name))
}

fn as_entry(item: &Item) -> Option<&Entry> {
    match item {
        Item::Entry(entry) => Some(entry),
        Item::Comment(_) | Item::Element(_) => None,
    }
}

fn scalar<'d>(document: &'d Document, field: &Entry) -> Option<&'d Scalar> {
    match document.node(field.value) {
        Node::Scalar(scalar) => Some(scalar),
        _ => None,
    }
}

fn field_before_neighbour(
    document: &Document,
    block: &Collection,
    name: &str,
    envelope: &str,
) -> Option<Edit> {
    let (_, neighbour) = field(document, block, NEIGHBOUR)?;
    let value = scalar(document, neighbour)?;
    let source = &document.source;
    let start = neighbour.key.start();
    let quote = match source.slice(neighbour.key).first() {
        Some(b'"') => "\"",
        Some(b'\'') => "'",
        _ => "",
    };
    let between = source.slice(Span::new(neighbour.key.end(), value.text_span().start()));
    let is_usual = |byte: &u8| matches!(byte, b' ' | b'\t' | b':' | b'=');
    let between = match std::str::from_utf8(between) {
        Ok(between) if between.bytes().all(|byte| is_usual(&byte)) => between,
        _ => ": ",
    };
    let value_quote = match block.layout {
        Layout::Flow => "\"",
        Layout::Block => "",
    };
    let mut text = format!("{quote}{name}{quote}{between}{value_quote}{envelope}{value_quote}");
    let before = source.slice(Span::new(0, start));
    match block.layout {
        Layout::Flow => {
            text.push(',');
            text.push_str(blanks_at_end(before));
        }
        Layout::Block => {
            let indent = match document.format {
                Format::Dotenv => "sops_",
                _ => blanks_at_end(before).trim_start_matches(['\r', '\n']),
            };
            let lines = before.get(..before.len() - indent.len());
            text.push_str(line_break(lines.unwrap_or_default()));
            text.push_str(indent);
        }
    }
    Some(Edit::new(Span::new(start, start), text.as_bytes()))
}

/// The blanks and line breaks that a text ends with.
fn blanks_at_end(text: &[u8]) -> &str {
    let is_blank = |byte: &u8| byte.is_ascii_whitespace();
    let start = text.iter().rposition(|byte| !is_blank(byte));
    let blanks = text.get(start.map_or(0, |last| last + 1)..);
    std::str::from_utf8(blanks.unwrap_or_default()).unwrap_or_default()
}

/// The line break that a text ends with.
fn line_break(text: &[u8]) -> &'static str {
    match text {
        [.., b'\r', b'\n'] => "\r\n",
        [.., b'\r'] => "\r",
        _ => "\n",
    }
}

fn remove(document: &Document, block: &Collection, at: usize, field: &Entry) -> Edit {
    let source = document.source.bytes();
    let key = field.key.start();
    let value_end = document.text_span(field.value).end().max(field.key.end());
    let (before, behind) = block.items.split_at_checked(at).unwrap_or_default();
    let span = match block.layout {
        Layout::Block => {
            let line = document.source.slice(Span::new(0, key));
            let start = memchr::memrchr2(b'\n', b'\r', line).map_or(0, |end| end + 1);
            let rest = source.get(value_end..).unwrap_or_default();
            match memchr::memchr2(b'\n', b'\r', rest) {
                Some(len) => {
                    let is_two = rest.get(len..len + 2) == Some(b"\r\n");
                    Span::new(start, value_end + len + 1 + usize::from(is_two))
                }
                // The last line of a file without a line break at its end takes the one before with it.
                None => {
                    let line_break = line_break(line.get(..start).unwrap_or_default());
                    Span::new(start.saturating_sub(line_break.len()), source.len())
                }
            }
        }
        Layout::Flow => {
            let next = behind.iter().skip(1).find_map(as_entry);
            let previous = before.iter().rev().find_map(as_entry);
            match (next, previous) {
                (Some(next), _) => Span::new(key, next.key.start()),
                (None, Some(previous)) => {
                    Span::new(document.text_span(previous.value).end(), value_end)
                }
                (None, None) => Span::new(key, value_end),
            }
        }
    };
    Edit::new(span, b"")
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
mod tests {
    use super::*;
    use crate::secret::Secret;

    fn with_field(format: Format, text: &[u8], envelope: Option<&str>) -> Vec<u8> {
        let document = Document::parse(format, Secret::from_slice(text)).unwrap();
        let part = &document.parts()[0];
        let edits = document.set_metadata_field(part, "ccsec_layout", envelope);
        document.source.splice(edits).unwrap().expose().to_vec()
    }

    const BLOCKS: [(Format, &str, &str); 9] = [
        (
            Format::Yaml,
            "a: 1\nsops:\n    age: []\n    lastmodified: \"x\"\n    mac: y\n",
            "a: 1\nsops:\n    age: []\n    ccsec_layout: ENC[z]\n    lastmodified: \"x\"\n    mac: y\n",
        ),
        (
            Format::Yaml,
            "a: 1\r\nsops:\r\n  mac: y\r\n  lastmodified: \"x\"",
            "a: 1\r\nsops:\r\n  mac: y\r\n  ccsec_layout: ENC[z]\r\n  lastmodified: \"x\"",
        ),
        (
            Format::Yaml,
            "{a: 1, \"sops\": {\"lastmodified\": \"x\", \"mac\": \"y\"}}",
            "{a: 1, \"sops\": {\"ccsec_layout\": \"ENC[z]\",\"lastmodified\": \"x\", \"mac\": \"y\"}}",
        ),
        (
            Format::Json,
            "{\n\t\"sops\": {\n\t\t\"lastmodified\": \"x\",\n\t\t\"mac\": \"y\"\n\t}\n}\n",
            "{\n\t\"sops\": {\n\t\t\"ccsec_layout\": \"ENC[z]\",\n\t\t\"lastmodified\": \"x\",\n\t\t\"mac\": \"y\"\n\t}\n}\n",
        ),
        (
            Format::Json,
            "{\"sops\":{\"mac\":\"y\",\"lastmodified\":\"x\"}}",
            "{\"sops\":{\"mac\":\"y\",\"ccsec_layout\":\"ENC[z]\",\"lastmodified\":\"x\"}}",
        ),
        (
            Format::Ini,
            "[s]\na = b\n\n[sops]\nlastmodified = x\nmac          = y\n",
            "[s]\na = b\n\n[sops]\nccsec_layout = ENC[z]\nlastmodified = x\nmac          = y\n",
        ),
        (
            Format::Ini,
            "[sops]\r\nmac = y\r\nlastmodified = x",
            "[sops]\r\nmac = y\r\nccsec_layout = ENC[z]\r\nlastmodified = x",
        ),
        (
            Format::Dotenv,
            "a=1\nsops_lastmodified=x\nsops_mac=y\n",
            "a=1\nsops_ccsec_layout=ENC[z]\nsops_lastmodified=x\nsops_mac=y\n",
        ),
        (
            Format::Dotenv,
            "sops_mac=y\nb=2\nsops_lastmodified=x",
            "sops_mac=y\nb=2\nsops_ccsec_layout=ENC[z]\nsops_lastmodified=x",
        ),
    ];

    #[test]
    fn a_field_looks_like_its_neighbour_and_goes_without_a_trace() {
        for (format, without, with) in BLOCKS {
            let added = with_field(format, without.as_bytes(), Some("ENC[z]"));
            assert_eq!(String::from_utf8_lossy(&added), with);
            assert_eq!(with_field(format, &added, Some("ENC[z]")), added);
            let other = with_field(format, &added, Some("ENC[other]"));
            assert_eq!(
                String::from_utf8_lossy(&other),
                with.replace("ENC[z]", "ENC[other]")
            );
            let gone = with_field(format, &added, None);
            assert_eq!(String::from_utf8_lossy(&gone), without);
        }
    }

    #[test]
    fn a_field_that_stands_last_goes_as_well() {
        for (format, with, without) in [
            (
                Format::Yaml,
                "sops:\n  mac: y\n  ccsec_layout: z",
                "sops:\n  mac: y",
            ),
            (
                Format::Json,
                "{\"sops\": {\"mac\": \"y\", \"CCSEC_layout\": \"z\"}}",
                "{\"sops\": {\"mac\": \"y\"}}",
            ),
            (
                Format::Dotenv,
                "sops_mac=y\nsops_ccsec_layout=z\n",
                "sops_mac=y\n",
            ),
        ] {
            let gone = with_field(format, with.as_bytes(), None);
            assert_eq!(String::from_utf8_lossy(&gone), without);
        }
    }
}
