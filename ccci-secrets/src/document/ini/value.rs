//! Values: decoded, and written so that they read back.

use super::scan::{Form, find_comment, line_end, scan_key, scan_value, slice, trim};
use crate::document::plain_text::{Unwritable, text_of};
use crate::document::{Document, Edit, NewScalar, Scalar, Span};
use crate::secret::Secret;
use crate::value::{Text, Value};

/// The text of a value.
pub(crate) fn value_text<'d>(document: &'d Document, scalar: &Scalar) -> Text<'d> {
    let source = document.source.bytes();
    match scan_value(source, scalar.span.start()) {
        Ok(value) => value.text(source),
        // The token was read once already.
        Err(_) => Text::Borrowed(document.source.slice(scalar.span)),
    }
}

/// The edit that gives a value new content, in its old quotes where they carry it. One that nothing carries stays as it
/// is, and the check that follows every write finds it.
pub(crate) fn rewrite_scalar(
    document: &Document,
    scalar: &Scalar,
    new: &NewScalar<'_>,
) -> Vec<Edit> {
    let token = match new {
        NewScalar::Envelope(envelope) | NewScalar::PlainEnvelope(envelope) => {
            fitting_token(document, scalar, envelope.as_bytes())
        }
        // EXPOSE: into the token.
        NewScalar::Value { value, .. } => fitting_token(document, scalar, text_of(value).expose()),
    };
    match token {
        Some(text) => vec![Edit {
            span: scalar.span,
            text,
        }],
        None => Vec::new(),
    }
}

/// Whether some form of quoting carries a value at this place.
///
/// # Errors
/// [`Unwritable::Quoting`].
pub(crate) fn can_hold(
    document: &Document,
    scalar: &Scalar,
    value: &Value<'_>,
) -> Result<(), Unwritable> {
    // EXPOSE: tried in a wiping buffer.
    fitting_token(document, scalar, text_of(value).expose())
        .map(|_| ())
        .ok_or(Unwritable::Quoting)
}

/// A token for a value at the place of another: it reads back as the value, and what follows on the line keeps its
/// meaning.
pub(super) fn fitting_token(document: &Document, scalar: &Scalar, text: &[u8]) -> Option<Secret> {
    let source = document.source.bytes();
    let old = scan_value(source, scalar.span.start()).ok()?;
    let end = scalar.span.end();
    let rest = slice(source, Span::new(end, line_end(source, end)));
    let comment = old.comment.map(|span| slice(source, span));
    let blank = needs_blank(source, scalar.span);
    forms(text, Some(old.form))
        .into_iter()
        .map(|form| quoted(text, form, blank))
        .find(|token| reads_back(token, rest, text, comment))
}

/// A token for a value on a line of its own.
pub(crate) fn free_token(text: &[u8]) -> Result<Secret, Unwritable> {
    forms(text, None)
        .into_iter()
        .map(|form| quoted(text, form, false))
        .find(|token| reads_back(token, b"\n", text, None))
        .ok_or(Unwritable::Quoting)
}

/// The forms to try: the old one, the one that ini.v1 writes, then those that protect more.
fn forms(text: &[u8], old: Option<Form>) -> Vec<Form> {
    let usual = if text.iter().any(|byte| matches!(byte, b'\n' | b'`')) {
        Form::Triple
    } else if find_comment(text).is_some() {
        Form::Backtick
    } else if trim(text).len() != text.len() {
        Form::Double
    } else {
        Form::Bare
    };
    let old = old.filter(|form| !matches!(form, Form::Bare | Form::Continued));
    let all = [
        Form::Bare,
        Form::Double,
        Form::Single,
        Form::Backtick,
        Form::Triple,
    ];
    old.into_iter().chain([usual]).chain(all).collect()
}

/// A value that gets its first content stands apart from its delimiter as the delimiter does from its key.
fn needs_blank(source: &[u8], place: Span) -> bool {
    let before = source.get(..place.start()).unwrap_or_default();
    place.is_empty() && matches!(before, [.., b' ', b'=' | b':'])
}

fn quoted(text: &[u8], form: Form, blank: bool) -> Secret {
    let quote = form.quote();
    let mut token = Secret::with_capacity(text.len() + 2 * quote.len() + 1);
    if blank && !text.is_empty() {
        token.extend(b" ");
    }
    token.extend(quote);
    token.extend(text);
    token.extend(quote);
    token
}

/// Whether a token before the given rest of its line means exactly this text and this comment.
fn reads_back(token: &Secret, rest: &[u8], text: &[u8], comment: Option<&[u8]>) -> bool {
    let mut line = Secret::with_capacity(token.len() + rest.len());
    // EXPOSE: into the wiping buffer in which it is read back.
    line.extend(token.expose());
    line.extend(rest);
    let line = line.expose();
    let Ok(value) = scan_value(line, 0) else {
        return false;
    };
    // A backslash at the end would take the next line with it.
    value.form != Form::Continued
        && value.token.end() <= token.len()
        && value.next == line.len()
        && value.text(line).expose() == text
        && value.comment.map(|span| slice(line, span)) == comment
}

/// A key as it is written, in quotes where ini.v1 puts them or where it would not read back; `None` where nothing helps.
pub(crate) fn key_token(key: &str) -> Option<String> {
    let usual = if key.contains(['"', '=', ':']) {
        "`"
    } else if key.contains('`') {
        "\"\"\""
    } else {
        ""
    };
    [usual, "`", "\"", "\"\"\""]
        .into_iter()
        .map(|quote| format!("{quote}{key}{quote}"))
        .find(|token| key_reads_back(token, key))
}

fn key_reads_back(token: &str, key: &str) -> bool {
    let line = format!("{token} = ");
    let starts_like_a_key = !token.starts_with(['[', '#', ';']);
    let read = scan_key(line.as_bytes(), 0);
    let is_key = |read: super::scan::ScannedKey<'_>| {
        read.name == key.as_bytes() && read.value == token.len() + 2 && key != "-"
    };
    starts_like_a_key && !key.contains('\n') && read.is_ok_and(is_key)
}

/// Whether a name can stand between the brackets of a header.
pub(crate) fn is_section_name(name: &str) -> bool {
    !name.is_empty() && !name.contains('\n')
}
