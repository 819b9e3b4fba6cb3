//! What a configuration calls its recipients: the anchor before a recipient, else the comment behind it.

use super::read::decoded;
use crate::document::{Comment, Document, Item, Node, NodeId, Place};
use crate::wrapped::Names;

/// All names in a document.
pub(super) fn collect(document: &Document) -> Names {
    let mut anchors = Names::default();
    let mut comments = Vec::new();
    for node in &document.nodes {
        let (Node::List(collection) | Node::Map(collection)) = node else {
            continue;
        };
        let mut behind = None;
        for item in &collection.items {
            let value = match item {
                Item::Comment(comment) => {
                    behind = Some(comment).filter(|comment| comment.place == Place::Inline);
                    continue;
                }
                Item::Element(value) => *value,
                Item::Entry(entry) => entry.value,
            };
            let behind = behind.take();
            let Some((recipient, anchor)) = recipient(document, value) else {
                continue;
            };
            if let Some(anchor) = anchor {
                anchors.add(&recipient, &anchor);
            } else if let Some(label) = behind.and_then(|comment| label(document, comment)) {
                comments.push((recipient, label));
            }
        }
    }
    for (recipient, label) in comments {
        anchors.add(&recipient, &label);
    }
    anchors
}

/// A scalar that names one recipient, and its anchor with the `&`.
fn recipient(document: &Document, value: NodeId) -> Option<(String, Option<String>)> {
    let Node::Scalar(scalar) = document.node(value) else {
        return None;
    };
    let text = decoded(document, scalar).trim().to_owned();
    let anchor = scalar
        .props()
        .anchor
        .map(|span| String::from_utf8_lossy(document.source().slice(span)).into_owned());
    is_recipient(&text).then_some((text, anchor))
}

/// An age or SSH recipient, or a PGP fingerprint; not a list of them.
fn is_recipient(text: &str) -> bool {
    let fingerprint =
        || matches!(text.len(), 16 | 40) && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    !text.contains(',') && (text.starts_with("age1") || text.starts_with("ssh-") || fingerprint())
}

fn label(document: &Document, comment: &Comment) -> Option<String> {
    let text = String::from_utf8_lossy(document.source().slice(comment.text())).into_owned();
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}
