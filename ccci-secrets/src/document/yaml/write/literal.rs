//! Text of several lines where a plain token stands: sops seals a literal into one.

use super::block::{self, Layout};
use super::place;
use super::replace::{cut, step};
use crate::document::content::Content;
use crate::document::{Document, Edit, Scalar, Span, Style};
use crate::secret::Secret;
use crate::value::{Text, Value};

/// The edits that write the text as a literal; `None` where the token is not plain, something stands behind it, or a
/// literal could not carry the text.
pub(super) fn in_place(document: &Document, scalar: &Scalar, text: &str) -> Option<Vec<Edit>> {
    let span = scalar.span;
    let is_candidate = text.contains('\n')
        && scalar.style() == Style::Plain
        && !scalar.in_flow
        && !span.is_empty()
        && scalar.props().tag.is_none();
    let line_end = place::end_of_line(document, span.end());
    let behind = document
        .source
        .slice(Span::new(span.end(), line_end.max(span.end())));
    if !is_candidate || !behind.iter().all(u8::is_ascii_whitespace) {
        return None;
    }
    let base = place::enclosing_column(document, span.start());
    let layout = Layout {
        base,
        step: step(document),
        newline: place::newline(document, line_end),
        last_line: place::last_line(document, place::next_line(document, line_end), base),
    };
    // EXPOSE: into a wiping value, which the writer takes.
    let value = Value::Str(Text::Owned(Secret::from_slice(text.as_bytes())));
    let (head, lines) = cut(block::value(&Content::Value(&value), 0, layout));
    if lines.is_empty() {
        return None;
    }
    Some(vec![
        Edit { span, text: head },
        Edit {
            span: Span::new(line_end, line_end),
            text: lines,
        },
    ])
}
