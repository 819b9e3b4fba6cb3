//! Aliases written out as flow text (yaml.md 7).

use super::token::{Setting, is_plain_string, push_double_quoted};
use crate::document::yaml::chars::has_break;
use crate::document::yaml::resolve::plain_value;
use crate::document::yaml::text::decode;
use crate::document::{
    ALIAS_BUDGET, Document, Edit, Entry, Item, Node, NodeId, ParseError, ParseErrorKind, Scalar,
    Span, Style, TEXT_PER_NODE,
};
use crate::secret::Secret;

pub(crate) fn expand_aliases(
    document: &Document,
    expand: &dyn Fn(NodeId) -> bool,
) -> Result<Vec<Edit>, ParseError> {
    let mut budget = ALIAS_BUDGET;
    let mut edits = Vec::new();
    for (id, node) in (0..).map(NodeId).zip(&document.nodes) {
        let Node::Alias(alias) = node else { continue };
        if expand(id) {
            let text = copy(document, alias.target, &mut budget).ok_or_else(|| {
                ParseError::new(ParseErrorKind::AliasBudget, document.line(alias.span))
            })?;
            edits.push(Edit {
                span: alias.span,
                text,
            });
        }
    }
    Ok(edits)
}

/// What is still to be written, the last first: no recursion, however deep the aliases go.
enum Task<'d> {
    Key(&'d Entry),
    Node(NodeId),
    Text(&'static [u8]),
}

/// A node as flow text without anchors and comments; `None` when the budget is spent.
fn copy(document: &Document, id: NodeId, budget: &mut usize) -> Option<Secret> {
    let mut out = Secret::with_capacity(256);
    let mut tasks = vec![Task::Node(id)];
    while let Some(task) = tasks.pop() {
        match task {
            Task::Text(text) => out.extend(text),
            Task::Key(entry) => push_key(&mut out, document, entry),
            Task::Node(id) => {
                let text = match document.node(id) {
                    Node::Scalar(scalar) => scalar.span.len() / TEXT_PER_NODE,
                    _ => 0,
                };
                *budget = budget.checked_sub(1 + text)?;
                push_node(&mut out, document, id, &mut tasks);
            }
        }
    }
    Some(out)
}

fn push_node<'d>(out: &mut Secret, document: &'d Document, id: NodeId, tasks: &mut Vec<Task<'d>>) {
    let (items, tag, [open, close]): (&[Item], _, [&'static [u8]; 2]) = match document.node(id) {
        Node::Alias(alias) => return tasks.push(Task::Node(alias.target)),
        Node::Scalar(scalar) => return push_scalar(out, document, scalar),
        Node::List(list) => (&list.items, list.props().tag, [b"[", b"]"]),
        Node::Map(map) => (&map.items, map.props().tag, [b"{", b"}"]),
    };
    push_tag(out, document, tag);
    out.extend(open);
    tasks.push(Task::Text(close));
    let mut is_last = true;
    for item in items.iter().rev() {
        if matches!(item, Item::Comment(_)) {
            continue;
        }
        if !is_last {
            tasks.push(Task::Text(b", "));
        }
        is_last = false;
        match item {
            Item::Comment(_) => {}
            Item::Element(id) => tasks.push(Task::Node(*id)),
            Item::Entry(entry) => {
                tasks.push(Task::Node(entry.value));
                tasks.push(Task::Text(b": "));
                tasks.push(Task::Key(entry));
            }
        }
    }
}

fn push_tag(out: &mut Secret, document: &Document, tag: Option<Span>) {
    if let Some(tag) = tag {
        out.extend(document.source.slice(tag));
        out.extend(b" ");
    }
}

/// The merge key keeps its look, any other is quoted unless it can stand as it is.
fn push_key(out: &mut Secret, document: &Document, entry: &Entry) {
    let key = document.key(entry);
    let setting = Setting {
        in_flow: true,
        tagged: false,
    };
    let is_token = document.source.slice(entry.key) == key.as_bytes();
    if is_token && is_plain_string(key, setting) {
        out.extend(key.as_bytes());
    } else {
        push_double_quoted(out, key);
    }
}

/// The token as it is where it fits on one line inside brackets, else in double quotes.
fn push_scalar(out: &mut Secret, document: &Document, scalar: &Scalar) {
    push_tag(out, document, scalar.props().tag);
    let token = document.source.slice(scalar.span);
    let is_one_line = !has_break(token);
    let stays = match scalar.style() {
        Style::DoubleQuoted | Style::SingleQuoted => is_one_line,
        Style::Plain if token.is_empty() => {
            return out.extend(if scalar.props().tag.is_some() {
                b"\"\"".as_slice()
            } else {
                b"null"
            });
        }
        Style::Plain => is_one_line && stands_in_flow(token),
        Style::Folded(_) | Style::Literal(_) => false,
    };
    if stays {
        out.extend(token);
    } else {
        let text = decode(document.source.bytes(), scalar);
        // EXPOSE: into the wiping output buffer.
        push_double_quoted(out, &String::from_utf8_lossy(text.expose()));
    }
}

/// Numbers, dates and words have no character that brackets would cut; other text is looked at.
fn stands_in_flow(token: &[u8]) -> bool {
    let setting = Setting {
        in_flow: true,
        tagged: true,
    };
    plain_value(token).is_some()
        || std::str::from_utf8(token).is_ok_and(|text| is_plain_string(text, setting))
}
