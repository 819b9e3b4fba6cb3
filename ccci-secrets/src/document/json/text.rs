//! Scalars: escapes read as Go reads them, and written with as few as JSON allows.

use super::parse::number_length;
use crate::document::{Document, Edit, NewScalar, Resolved, Scalar, ScalarError, Style};
use crate::secret::Secret;
use crate::value::{Text, Value};

pub(crate) fn resolve<'a>(
    document: &'a Document,
    scalar: &Scalar,
) -> Result<Resolved<'a>, ScalarError> {
    let token = document.source.slice(scalar.span);
    Ok(Resolved::Value(match (scalar.style(), token) {
        (Style::Plain, b"null") => return Ok(Resolved::Null),
        (Style::Plain, b"true") => Value::Bool(true),
        (Style::Plain, b"false") => Value::Bool(false),
        (Style::Plain, number) => read_number(number).ok_or(ScalarError::NumberRange)?,
        (_, string) => Value::Str(decode(string)),
    }))
}

/// The edit that gives a scalar new content.
pub(crate) fn rewrite_scalar(_: &Document, scalar: &Scalar, new: &NewScalar<'_>) -> Vec<Edit> {
    let mut text = Secret::with_capacity(scalar.span.len() + 2);
    match new {
        NewScalar::Envelope(envelope) | NewScalar::PlainEnvelope(envelope) => {
            push_string(&mut text, envelope.as_bytes(), Escapes::Fewest)
        }
        NewScalar::Value { value, spelling } => {
            push_value(&mut text, value, Some(spelling), Escapes::Fewest)
        }
    }
    vec![Edit {
        span: scalar.span,
        text,
    }]
}

/// An integer literal that fits 64 bits is an int, `-0` too; any other number is a float.
fn read_number(token: &[u8]) -> Option<Value<'static>> {
    let text = std::str::from_utf8(token).ok()?;
    if let Ok(int) = text.parse() {
        return Some(Value::Int(int));
    }
    let float: f64 = text.parse().ok()?;
    float.is_finite().then_some(Value::Float(float))
}

/// The text of a string token; borrowed where it has no escapes.
pub(super) fn decode(token: &[u8]) -> Text<'_> {
    let inner = token
        .get(1..token.len().saturating_sub(1))
        .unwrap_or_default();
    if memchr::memchr(b'\\', inner).is_none() {
        return Text::Borrowed(inner);
    }
    // No escape is longer decoded than written.
    let mut out = Secret::with_capacity(inner.len());
    let mut rest = inner;
    while let Some(at) = memchr::memchr(b'\\', rest) {
        let (before, escape) = rest.split_at_checked(at).unwrap_or((rest, &[]));
        out.extend(before);
        rest = push_unescaped(&mut out, escape);
    }
    out.extend(rest);
    Text::Owned(out)
}

/// Writes what the escape at the start of `text` stands for and gives back what follows it.
fn push_unescaped<'a>(out: &mut Secret, text: &'a [u8]) -> &'a [u8] {
    let (byte, rest) = match text {
        [b'\\', b'u', ..] => return push_code_point(out, text),
        [b'\\', b'b', rest @ ..] => (8, rest),
        [b'\\', b'f', rest @ ..] => (12, rest),
        [b'\\', b'n', rest @ ..] => (b'\n', rest),
        [b'\\', b'r', rest @ ..] => (b'\r', rest),
        [b'\\', b't', rest @ ..] => (b'\t', rest),
        [b'\\', other, rest @ ..] => (*other, rest),
        _ => return &[],
    };
    out.extend(&[byte]);
    rest
}

/// `\uXXXX`, or two of them that make a pair. A surrogate without its partner becomes U+FFFD.
fn push_code_point<'a>(out: &mut Secret, text: &'a [u8]) -> &'a [u8] {
    let Some((unit, rest)) = code_unit(text) else {
        return &[];
    };
    let pair = code_unit(rest).and_then(|(second, after)| {
        let decoded = char::decode_utf16([unit, second]).next()?.ok()?;
        (decoded.len_utf16() == 2).then_some((decoded, after))
    });
    let (decoded, rest) = pair.unwrap_or((
        char::from_u32(u32::from(unit)).unwrap_or(char::REPLACEMENT_CHARACTER),
        rest,
    ));
    out.extend(decoded.encode_utf8(&mut [0; 4]).as_bytes());
    rest
}

fn code_unit(text: &[u8]) -> Option<(u16, &[u8])> {
    let (digits, rest) = text.strip_prefix(b"\\u")?.split_at_checked(4)?;
    Some((
        u16::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?,
        rest,
    ))
}

/// Which characters of a string are escaped.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Escapes {
    /// Quotes, backslashes and control characters: what JSON demands.
    Fewest,
    /// Also what Go escapes for the sake of HTML and JavaScript: `<`, `>`, `&`, U+2028 and U+2029.
    LikeGo,
}

/// A string token. Bytes that are no UTF-8 become U+FFFD, as in Go.
pub(super) fn push_string(out: &mut Secret, bytes: &[u8], escapes: Escapes) {
    out.extend(b"\"");
    for chunk in bytes.utf8_chunks() {
        let mut rest = chunk.valid();
        while let Some((plain, special, after)) = split_at_special(rest, escapes) {
            out.extend(plain.as_bytes());
            push_escaped(out, special);
            rest = after;
        }
        out.extend(rest.as_bytes());
        for _ in chunk.invalid() {
            out.extend("\u{FFFD}".as_bytes());
        }
    }
    out.extend(b"\"");
}

/// A string token as Go writes it.
pub(crate) fn push_json_string(out: &mut Secret, bytes: &[u8]) {
    push_string(out, bytes, Escapes::LikeGo);
}

fn split_at_special(text: &str, escapes: Escapes) -> Option<(&str, char, &str)> {
    let is_special = |c: char| match c {
        '"' | '\\' | '\0'..='\u{1f}' => true,
        '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => escapes == Escapes::LikeGo,
        _ => false,
    };
    let (at, special) = text.char_indices().find(|(_, c)| is_special(*c))?;
    let (plain, rest) = text.split_at_checked(at)?;
    Some((plain, special, rest.get(special.len_utf8()..)?))
}

fn push_escaped(out: &mut Secret, special: char) {
    match special {
        '"' => out.extend(b"\\\""),
        '\\' => out.extend(b"\\\\"),
        '\n' => out.extend(b"\\n"),
        '\r' => out.extend(b"\\r"),
        '\t' => out.extend(b"\\t"),
        '\u{8}' => out.extend(b"\\b"),
        '\u{c}' => out.extend(b"\\f"),
        other => out.extend(format!("\\u{:04x}", u32::from(other)).as_bytes()),
    }
}

/// A value; a number in the given spelling where that reads back as the same value, and so that it keeps its type.
pub(super) fn push_value(
    out: &mut Secret,
    value: &Value<'_>,
    spelling: Option<&[u8]>,
    escapes: Escapes,
) {
    match value {
        Value::Bool(true) => out.extend(b"true"),
        Value::Bool(false) => out.extend(b"false"),
        // EXPOSE: into the wiping output buffer.
        Value::Str(text) => push_string(out, text.expose(), escapes),
        Value::Int(_) | Value::Float(_) => match spelling.filter(|text| spells(text, value)) {
            Some(spelling) => out.extend(spelling),
            None => push_number(out, value, escapes),
        },
        // EXPOSE: into the wiping output buffer.
        Value::Time(_) => push_string(out, value.canonical().expose(), escapes),
    }
}

fn spells(text: &[u8], value: &Value<'_>) -> bool {
    number_length(text) == Some(text.len())
        && read_number(text).is_some_and(|read| read.same_as(value))
}

/// The canonical digits; `.0` where a float would read back as an int, quotes where JSON has no such number.
fn push_number(out: &mut Secret, value: &Value<'_>, escapes: Escapes) {
    let canonical = value.canonical();
    // EXPOSE: into the wiping output buffer.
    let digits = canonical.expose();
    if number_length(digits) != Some(digits.len()) {
        return push_string(out, digits, escapes);
    }
    out.extend(digits);
    if matches!(
        (value, read_number(digits)),
        (Value::Float(_), Some(Value::Int(_)))
    ) {
        out.extend(b".0");
    }
}
