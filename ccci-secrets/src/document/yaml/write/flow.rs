//! New content on one line, inside brackets.

use super::token::{Setting, is_plain_string, push_binary, push_double_quoted, push_typed};
use crate::document::content::Content;
use crate::secret::Secret;
use crate::value::Value;

/// Which strings are quoted.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Quotes {
    Always,
    WhereNeeded,
}

pub(super) fn push(out: &mut Secret, content: &Content<'_>, quotes: Quotes) {
    match content {
        Content::Null => out.extend(b"null"),
        Content::Value(Value::Str(text)) => {
            // EXPOSE: into the wiping output buffer.
            match std::str::from_utf8(text.expose()) {
                Ok(text) => push_string(out, text, quotes),
                Err(_) => push_binary(out, text.expose()),
            }
        }
        Content::Value(value) => push_typed(out, value, None, true),
        Content::List(items) => {
            out.extend(b"[");
            for (nth, item) in items.iter().enumerate() {
                push_separator(out, nth);
                push(out, item, quotes);
            }
            out.extend(b"]");
        }
        Content::Map(entries) => {
            out.extend(b"{");
            for (nth, (key, value)) in entries.iter().enumerate() {
                push_separator(out, nth);
                push_entry(out, key, value, quotes);
            }
            out.extend(b"}");
        }
    }
}

pub(super) fn push_entry(out: &mut Secret, key: &str, value: &Content<'_>, quotes: Quotes) {
    push_string(out, key, quotes);
    out.extend(b": ");
    push(out, value, quotes);
}

fn push_separator(out: &mut Secret, nth: usize) {
    if nth > 0 {
        out.extend(b", ");
    }
}

fn push_string(out: &mut Secret, text: &str, quotes: Quotes) {
    let setting = Setting {
        in_flow: true,
        tagged: false,
    };
    if quotes == Quotes::WhereNeeded && text != "<<" && is_plain_string(text, setting) {
        out.extend(text.as_bytes());
    } else {
        push_double_quoted(out, text);
    }
}
