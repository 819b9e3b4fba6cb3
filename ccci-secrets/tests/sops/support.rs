//! What the tests of whole files share.

use ccci_secrets::document::{Comment, Document, Format, Item, Node, NodeId, Resolved, Scalar};
use ccci_secrets::secret::Secret;
use ccci_secrets::value::Value;

/// Every value with its path, type and canonical bytes, and every comment between the values it stands between, in
/// order.
///
/// Layout, style and the spelling of values do not show. An alias is the values it stands for, without comments: what is
/// sealed behind one is written out in brackets. Nor does the collection show that holds a comment: sops prints
/// `- k: v # text` as a comment above the item, outside of the map it was in.
pub(crate) fn outline(format: Format, text: &[u8]) -> Vec<String> {
    let document = Document::parse(format, Secret::from_slice(text)).unwrap();
    let mut outline = Outline {
        document: &document,
        lines: Vec::new(),
        aliases: 0,
    };
    for (nth, part) in document.parts().iter().enumerate() {
        outline.add(part.root, &nth.to_string());
    }
    outline.lines
}

struct Outline<'d> {
    document: &'d Document,
    lines: Vec<String>,
    /// How many aliases lead here.
    aliases: usize,
}

impl Outline<'_> {
    fn add(&mut self, id: NodeId, path: &str) {
        let (collection, brackets) = match self.document.node(id) {
            Node::Alias(alias) => {
                self.aliases += 1;
                self.add(alias.target, path);
                self.aliases -= 1;
                return;
            }
            Node::Scalar(scalar) => {
                let text = scalar_text(self.document, scalar);
                return self.lines.push(format!("{path} {text}"));
            }
            Node::List(list) => (list, "[]"),
            Node::Map(map) => (map, "{}"),
        };
        let mut nth = 0;
        for item in &collection.items {
            match item {
                Item::Comment(comment) => self.comment(comment),
                Item::Element(value) => {
                    self.add(*value, &format!("{path}[{nth}]"));
                    nth += 1;
                }
                Item::Entry(entry) => {
                    let key = self.document.key(entry);
                    self.add(entry.value, &format!("{path}.{key}"));
                    nth += 1;
                }
            }
        }
        if nth == 0 {
            self.lines.push(format!("{path} {brackets}"));
        }
    }

    fn comment(&mut self, comment: &Comment) {
        if self.aliases == 0 {
            let text = self.document.comment_text(comment);
            let text = String::from_utf8_lossy(text.expose());
            self.lines.push(format!("#{}", text.trim()));
        }
    }
}

fn scalar_text(document: &Document, scalar: &Scalar) -> String {
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
