//! One-line tokens: plain, quoted, typed.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::document::yaml::old_types;
use crate::document::yaml::resolve::{PlainKind, plain_kind, plain_value};
use crate::secret::Secret;
use crate::value::Value;

/// Where a token stands, as far as its text depends on that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Setting {
    /// Inside brackets.
    pub(super) in_flow: bool,
    /// Behind a tag that makes any text a string.
    pub(super) tagged: bool,
}

/// Text that reads back as the same string without quotes, also where YAML 1.1 is read.
pub(super) fn is_plain_string(text: &str, setting: Setting) -> bool {
    let is_text = || {
        matches!(
            plain_kind(text.as_bytes()),
            PlainKind::Str | PlainKind::Merge
        ) && !old_types::has_one(text)
    };
    is_plain_syntax(text, setting.in_flow) && (setting.tagged || is_text())
}

/// Text that the scanner takes as one plain scalar from its first byte to its last, whatever its type.
pub(super) fn is_plain_syntax(text: &str, in_flow: bool) -> bool {
    let mut previous = ' ';
    let mut rest = text.chars().peekable();
    while let Some(current) = rest.next() {
        let next = rest.peek().copied().unwrap_or(' ');
        let ends = match current {
            '#' => is_blank(previous),
            ':' => is_blank(next),
            ',' | '[' | ']' | '{' | '}' | '?' => in_flow,
            other => !is_inline(other),
        };
        if ends {
            return false;
        }
        previous = current;
    }
    may_start_plain(text, in_flow) && !is_blank(previous)
}

fn may_start_plain(text: &str, in_flow: bool) -> bool {
    let mut chars = text.chars();
    match chars.next() {
        None
        | Some(' ' | '\t' | ',' | '[' | ']' | '{' | '}' | '#' | '&' | '*' | '!' | '|' | '>') => {
            false
        }
        Some('\'' | '"' | '%' | '@' | '`') => false,
        Some('-') => chars.next().is_some_and(|next| !is_blank(next)) && !is_document_mark(text),
        Some('.') => !is_document_mark(text),
        Some('?' | ':') => !in_flow && chars.next().is_some_and(|next| !is_blank(next)),
        Some(_) => true,
    }
}

/// `---` and `...` end a document where a line starts with them.
fn is_document_mark(text: &str) -> bool {
    let rest = text.strip_prefix("---").or(text.strip_prefix("..."));
    rest.is_some_and(|rest| rest.chars().next().is_none_or(is_blank))
}

fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t')
}

/// Characters that may stand in a source as they are and break no line. A byte order mark may stand there, too, but
/// means something else at the start of a line.
pub(super) fn is_inline(c: char) -> bool {
    match c {
        '\t' | ' '..='~' => true,
        '\u{2028}' | '\u{2029}' | '\u{feff}' => false,
        '\u{a0}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'.. => true,
        _ => false,
    }
}

pub(super) fn fits_single_quotes(text: &str) -> bool {
    text.chars().all(is_inline)
}

pub(super) fn push_single_quoted(out: &mut Secret, text: &str) {
    out.extend(b"'");
    let mut parts = text.split('\'');
    out.extend(parts.next().unwrap_or_default().as_bytes());
    for part in parts {
        out.extend(b"''");
        out.extend(part.as_bytes());
    }
    out.extend(b"'");
}

/// Any text, with as few escapes as go-yaml's reader asks for.
pub(super) fn push_double_quoted(out: &mut Secret, text: &str) {
    out.extend(b"\"");
    for c in text.chars() {
        if is_inline(c) && !matches!(c, '"' | '\\' | '\t') {
            out.extend(c.encode_utf8(&mut [0; 4]).as_bytes());
        } else {
            push_escape(out, c);
        }
    }
    out.extend(b"\"");
}

fn push_escape(out: &mut Secret, c: char) {
    let letter = match c {
        '"' => b'"',
        '\\' => b'\\',
        '\0' => b'0',
        '\u{7}' => b'a',
        '\u{8}' => b'b',
        '\t' => b't',
        '\n' => b'n',
        '\u{b}' => b'v',
        '\u{c}' => b'f',
        '\r' => b'r',
        '\u{1b}' => b'e',
        '\u{85}' => b'N',
        '\u{2028}' => b'L',
        '\u{2029}' => b'P',
        other => {
            let code = u32::from(other);
            let text = if code < 0x100 {
                format!("\\x{code:02X}")
            } else {
                format!("\\u{code:04X}")
            };
            return out.extend(text.as_bytes());
        }
    };
    out.extend(&[b'\\', letter]);
}

/// Bytes that are no text.
pub(super) fn push_binary(out: &mut Secret, bytes: &[u8]) {
    let digits = Secret::from_vec(STANDARD.encode(bytes).into_bytes());
    out.extend(b"!!binary ");
    // EXPOSE: into the wiping output buffer.
    out.extend(digits.expose());
}

/// `YYYY-MM-DD`
const DATE_LEN: usize = 10;

/// A bool, number or time without quotes: in the given spelling where that reads back as the same value, and so that
/// it keeps its type.
pub(super) fn push_typed(
    out: &mut Secret,
    value: &Value<'_>,
    spelling: Option<&[u8]>,
    in_flow: bool,
) {
    let spells = |text: &[u8]| plain_value(text).is_some_and(|read| read.same_as(value));
    let fits = |text: &&[u8]| {
        std::str::from_utf8(text).is_ok_and(|text| is_plain_syntax(text, in_flow)) && spells(text)
    };
    let canonical = value.canonical();
    // EXPOSE: into the wiping output buffer.
    let digits = canonical.expose();
    match (spelling.filter(fits), value) {
        // Not as it was sealed, which is `True`.
        (_, Value::Bool(true)) => out.extend(b"true"),
        (_, Value::Bool(false)) => out.extend(b"false"),
        // A date alone is what most people write.
        (_, Value::Time(time)) if time.is_midnight_utc() => {
            out.extend(digits.get(..DATE_LEN).unwrap_or(digits))
        }
        (Some(spelling), _) => out.extend(spelling),
        (None, Value::Float(float)) => push_float(out, *float, digits, spells),
        (None, _) => out.extend(digits),
    }
}

/// Digits as sops prints them would come back as an int where there is no fraction.
fn push_float(out: &mut Secret, float: f64, digits: &[u8], spells: impl Fn(&[u8]) -> bool) {
    if float.is_nan() {
        out.extend(b".nan");
    } else if float.is_infinite() {
        out.extend(if float > 0.0 {
            b".inf".as_slice()
        } else {
            b"-.inf"
        });
    } else if digits.len() > 24 {
        let mut buffer = zmij::Buffer::new();
        let short = buffer.format_finite(float).as_bytes();
        out.extend(if spells(short) { short } else { digits });
    } else {
        out.extend(digits);
        if !spells(digits) {
            out.extend(b".0");
        }
    }
}
