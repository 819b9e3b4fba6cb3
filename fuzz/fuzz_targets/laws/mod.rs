//! What holds for every document that is read.

use ccci_secrets::document::{
    Document, Edit, Format, Item, NewNode, NewScalar, Node, NodeId, Resolved, Scalar,
};
use ccci_secrets::secret::Secret;
use ccci_secrets::value::Value;

const ENVELOPE: &str = "ENC[AES256_GCM,data:AAAA,iv:AAAA,tag:AAAA,type:str]";

pub fn document(format: Format, text: &[u8]) {
    let Ok(document) = Document::parse(format, Secret::from_slice(text)) else {
        return;
    };
    assert_eq!(document.source().bytes(), text);
    let copy = document.source().splice(Vec::new()).unwrap();
    assert_eq!(copy.expose(), text);
    metadata_comes_off_again(&document);
    values_become_envelopes_and_come_back(&document);
}

fn parse(format: Format, text: &Secret) -> Document {
    match Document::parse(format, Secret::from_slice(text.expose())) {
        Ok(document) => document,
        Err(error) => panic!("{error}\n{}", String::from_utf8_lossy(text.expose())),
    }
}

fn metadata_comes_off_again(document: &Document) {
    let parts = document.parts();
    if parts
        .iter()
        .any(|part| document.metadata_entry(part).is_some())
    {
        return;
    }
    let block = NewNode::Map(vec![("version".into(), NewNode::text("3.13.3"))]);
    let text = document
        .source()
        .splice(document.append_metadata(&block))
        .unwrap();
    let sealed = parse(document.format(), &text);
    let parts = sealed.parts();
    assert!(
        parts
            .iter()
            .all(|part| sealed.metadata_entry(part).is_some())
    );
    let back = sealed.source().splice(sealed.remove_metadata()).unwrap();
    assert_eq!(
        String::from_utf8_lossy(back.expose()),
        String::from_utf8_lossy(document.source().bytes())
    );
}

fn values_become_envelopes_and_come_back(document: &Document) {
    let plain = scalars(document);
    if plain.iter().any(|scalar| document.resolve(scalar).is_err()) {
        return;
    }
    let edits = plain
        .iter()
        .filter(|scalar| value(document, scalar).is_some())
        .flat_map(|scalar| document.rewrite_scalar(scalar, &NewScalar::Envelope(ENVELOPE)));
    let sealed = edited(document, edits.collect());
    let envelopes = scalars(&sealed);
    assert_eq!(plain.len(), envelopes.len(), "{}", text(&sealed));
    let mut edits = Vec::new();
    for (scalar, envelope) in plain.iter().zip(&envelopes) {
        let Some(value) = value(document, scalar) else {
            continue;
        };
        match sealed.resolve(envelope) {
            Ok(Resolved::Value(Value::Str(text))) if text.expose() == ENVELOPE.as_bytes() => {}
            other => panic!("{other:?}\n{}", text(&sealed)),
        }
        let canonical = value.canonical();
        if canonical.expose().is_empty() {
            continue;
        }
        let new = NewScalar::Value {
            value: &value,
            spelling: canonical.expose(),
        };
        edits.extend(sealed.rewrite_scalar(envelope, &new));
    }
    let opened = edited(&sealed, edits);
    let again = scalars(&opened);
    assert_eq!(plain.len(), again.len(), "{}", text(&opened));
    for (scalar, new) in plain.iter().zip(&again) {
        let (old, new) = (value(document, scalar), value(&opened, new));
        let same = match (&old, &new) {
            // An empty string is never sealed, so none is ever written back.
            (Some(old), Some(_)) if old.canonical().expose().is_empty() => true,
            (Some(old), Some(new)) => old.same_as(new),
            (old, new) => old.is_none() && new.is_none(),
        };
        assert!(
            same,
            "{:?} {:?}\n{}",
            shown(&old),
            shown(&new),
            text(&opened)
        );
    }
}

/// The value of a scalar, unless it is null.
fn value<'d>(document: &'d Document, scalar: &Scalar) -> Option<Value<'d>> {
    match document.resolve(scalar) {
        Ok(Resolved::Value(value)) => Some(value),
        _ => None,
    }
}

fn shown(value: &Option<Value<'_>>) -> Option<String> {
    let value = value.as_ref()?;
    Some(value.canonical().expose().escape_ascii().to_string())
}

fn edited(document: &Document, edits: Vec<Edit>) -> Document {
    parse(document.format(), &document.source().splice(edits).unwrap())
}

fn text(document: &Document) -> String {
    String::from_utf8_lossy(document.source().bytes()).into_owned()
}

/// All scalars in the order of the text; those behind an alias once.
fn scalars(document: &Document) -> Vec<Scalar> {
    let mut found = Vec::new();
    let mut open: Vec<NodeId> = document
        .parts()
        .iter()
        .rev()
        .map(|part| part.root)
        .collect();
    while let Some(id) = open.pop() {
        match document.node(id) {
            Node::Alias(_) => {}
            Node::Scalar(scalar) => found.push(scalar.clone()),
            Node::List(collection) | Node::Map(collection) => {
                open.extend(collection.items.iter().rev().filter_map(|item| match item {
                    Item::Comment(_) => None,
                    Item::Element(value) => Some(*value),
                    Item::Entry(entry) => Some(entry.value),
                }));
            }
        }
    }
    found
}
