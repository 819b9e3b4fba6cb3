//! What the tests of whole files share.

use ccci_secrets::document::{Document, Format, Item, Node, NodeId, Resolved};
use ccci_secrets::secret::Secret;
use ccci_secrets::value::Value;

/// Every value with its path, type and canonical bytes, and every comment between the values it stands between, in order.
///
/// Layout, style and the spelling of values do not show; aliases are what they stand for. Nor does the collection that
/// holds a comment: sops prints `- k: v # text` as a comment above the item, outside of the map it was in.
pub(crate) fn outline(format: Format, text: &[u8]) -> Vec<String> {
    let document = Document::parse(format, Secret::from_slice(text)).unwrap();
    let mut lines = Vec::new();
    for (nth, part) in document.parts().iter().enumerate() {
        add(&document, part.root, &nth.to_string(), &mut lines);
    }
    lines
}

fn add(document: &Document, id: NodeId, path: &str, lines: &mut Vec<String>) {
    let items = match document.target(id).1 {
        Node::Scalar(scalar) => {
            lines.push(format!("{path} {}", scalar_text(document, scalar)));
            return;
        }
        Node::Alias(_) => unreachable!("an alias of an alias"),
        Node::List(list) if list.items.is_empty() => return lines.push(format!("{path} []")),
        Node::Map(map) if map.items.is_empty() => return lines.push(format!("{path} {{}}")),
        Node::List(collection) | Node::Map(collection) => &collection.items,
    };
    let mut nth = 0;
    for item in items {
        match item {
            Item::Comment(comment) => {
                let text = document.comment_text(comment);
                let text = String::from_utf8_lossy(text.expose());
                lines.push(format!("#{}", text.trim()));
            }
            Item::Element(value) => {
                add(document, *value, &format!("{path}[{nth}]"), lines);
                nth += 1;
            }
            Item::Entry(entry) => {
                let key = document.key(entry);
                add(document, entry.value, &format!("{path}.{key}"), lines);
            }
        }
    }
}

fn scalar_text(document: &Document, scalar: &ccci_secrets::document::Scalar) -> String {
    let Resolved::Value(value) = document.resolve(scalar).unwrap() else {
        return "null".into();
    };
    // sops writes the float 3.0 as `3` and -0.0 as `-0`, which read back as integers: numbers compare by their digits.
    let kind = match &value {
        Value::Float(zero) if *zero == 0.0 => return "number 0".into(),
        Value::Int(_) | Value::Float(_) => "number",
        other => other.kind().as_str(),
    };
    let text = value.canonical();
    format!("{kind} {}", text.expose().escape_ascii())
}
