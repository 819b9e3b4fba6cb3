//! The tokens of a line: key, value, inline comment.

use crate::document::{ParseErrorKind, Span};
use crate::secret::Secret;
use crate::value::Text;

/// How a value is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Backtick,
    Bare,
    /// Bare, with a backslash at the end of a line: it goes on with the next.
    Continued,
    Double,
    Single,
    Triple,
}

impl Form {
    pub(super) fn quote(self) -> &'static [u8] {
        match self {
            Self::Backtick => b"`",
            Self::Bare | Self::Continued => b"",
            Self::Double => b"\"",
            Self::Single => b"'",
            Self::Triple => b"\"\"\"",
        }
    }
}

/// A value and what stands on its line behind it.
#[derive(Clone, Copy, Debug)]
pub(super) struct ScannedValue {
    pub(super) form: Form,
    /// With its quotes; for an empty value its place.
    pub(super) token: Span,
    /// Without its quotes.
    pub(super) inner: Span,
    /// The inline comment from its sign on.
    pub(super) comment: Option<Span>,
    /// What stands behind a closing quote and is read as nothing: a comment, too, or text that gets lost.
    pub(super) lost: Span,
    /// The first byte of the next line that is not part of this value.
    pub(super) next: usize,
}

impl ScannedValue {
    /// The value.
    pub(super) fn text<'s>(&self, source: &'s [u8]) -> Text<'s> {
        if self.form == Form::Continued {
            return Text::Owned(join_continued(slice(source, self.token)));
        }
        Text::Borrowed(slice(source, self.inner))
    }
}

/// Reads a value from behind its delimiter on.
///
/// # Errors
/// [`ParseErrorKind::Syntax`] for a quote that is never closed.
pub(super) fn scan_value(source: &[u8], start: usize) -> Result<ScannedValue, ParseErrorKind> {
    let next = line_end(source, start);
    let raw = slice(source, Span::new(start, next));
    let line = trim_start(raw);
    let at = start + (raw.len() - line.len());
    if line.is_empty() {
        return Ok(empty(start, raw, next, None));
    }
    if line.len() > 3 && line.starts_with(Form::Triple.quote()) {
        return scan_quoted(source, at, Form::Triple);
    }
    if line.starts_with(Form::Backtick.quote()) {
        return scan_quoted(source, at, Form::Backtick);
    }
    let line = trim_end(line);
    if line.ends_with(b"\\") {
        return Ok(scan_continued(source, at, at + line.len(), next));
    }
    let (text, comment) = match find_comment(line) {
        Some(sign) => (
            trim_end(line.get(..sign).unwrap_or_default()),
            Some(Span::new(at + sign, at + line.len())),
        ),
        None => (line, None),
    };
    if text.is_empty() {
        return Ok(empty(start, raw, next, comment));
    }
    let form = match text {
        _ if is_surrounded(text, b'\'') => Form::Single,
        _ if is_surrounded(text, b'"') => Form::Double,
        _ => Form::Bare,
    };
    let token = Span::new(at, at + text.len());
    let quote = form.quote().len();
    Ok(ScannedValue {
        form,
        token,
        inner: Span::new(token.start() + quote, token.end() - quote),
        comment,
        lost: Span::new(token.end(), token.end()),
        next,
    })
}

/// An empty value has its place behind the delimiter and one blank.
fn empty(start: usize, raw: &[u8], next: usize, comment: Option<Span>) -> ScannedValue {
    let at = start + usize::from(raw.first() == Some(&b' '));
    let place = Span::new(at, at);
    ScannedValue {
        form: Form::Bare,
        token: place,
        inner: place,
        comment,
        lost: place,
        next,
    }
}

/// A value in backticks or three double quotes; on its first line it ends at the last quote there.
fn scan_quoted(source: &[u8], at: usize, form: Form) -> Result<ScannedValue, ParseErrorKind> {
    let quote = form.quote();
    let inner = at + quote.len();
    let next = line_end(source, inner);
    let line = slice(source, Span::new(inner, next));
    if let Some(end) = memchr::memmem::rfind(line, quote) {
        let token = Span::new(at, inner + end + quote.len());
        let rest = slice(source, Span::new(token.end(), next));
        return Ok(ScannedValue {
            form,
            token,
            inner: Span::new(inner, inner + end),
            comment: None,
            lost: trimmed_span(rest, token.end()),
            next,
        });
    }
    scan_lines(source, at, form, next)
}

/// The lines after the first of a quoted value. A line that holds the quote and ends in a backslash does not end it.
fn scan_lines(
    source: &[u8],
    at: usize,
    form: Form,
    mut current: usize,
) -> Result<ScannedValue, ParseErrorKind> {
    let quote = form.quote();
    while current < source.len() {
        let next = line_end(source, current);
        let line = slice(source, Span::new(current, next));
        let end = memchr::memmem::rfind(line, quote);
        let Some(end) = end.filter(|end| {
            let rest = line.get(end + quote.len()..).unwrap_or_default();
            !trim_end(rest).ends_with(b"\\")
        }) else {
            current = next;
            continue;
        };
        let token = Span::new(at, current + end + quote.len());
        let rest = slice(source, Span::new(token.end(), next));
        let sign = find_comment(rest);
        let junk = rest.get(..sign.unwrap_or(rest.len())).unwrap_or_default();
        let comment = sign.map(|sign| {
            let text = rest.get(sign..).unwrap_or_default();
            trimmed_span(text, token.end() + sign)
        });
        return Ok(ScannedValue {
            form,
            token,
            inner: Span::new(at + quote.len(), current + end),
            comment,
            lost: trimmed_span(junk, token.end()),
            next,
        });
    }
    Err(ParseErrorKind::Syntax("a quoted value is never closed"))
}

/// The lines behind one that ends in a backslash; a blank line ends the value.
fn scan_continued(source: &[u8], at: usize, end: usize, next: usize) -> ScannedValue {
    let (mut end, mut next) = (end, next);
    loop {
        let start = next;
        next = line_end(source, start);
        let line = trimmed_span(slice(source, Span::new(start, next)), start);
        if line.is_empty() {
            break;
        }
        end = line.end();
        if !slice(source, line).ends_with(b"\\") {
            break;
        }
    }
    let token = Span::new(at, end);
    ScannedValue {
        form: Form::Continued,
        token,
        inner: token,
        comment: None,
        lost: Span::new(end, end),
        next,
    }
}

/// The first line keeps the blanks before its backslash; every other loses those around it first.
fn join_continued(token: &[u8]) -> Secret {
    let mut text = Secret::with_capacity(token.len());
    for line in token.split(|byte| *byte == b'\n') {
        let line = trim(line);
        text.extend(line.strip_suffix(b"\\").unwrap_or(line));
    }
    text
}

/// A key and where its delimiter stands.
pub(super) struct ScannedKey<'s> {
    pub(super) name: &'s [u8],
    /// The name without quotes and blanks.
    pub(super) span: Span,
    /// Behind the `=` or `:`.
    pub(super) value: usize,
}

/// Reads the key that starts at `at`, up to its delimiter.
///
/// # Errors
/// [`ParseErrorKind::Syntax`] for a key without a delimiter, without a name, or with a quote that is never closed.
pub(super) fn scan_key(source: &[u8], at: usize) -> Result<ScannedKey<'_>, ParseErrorKind> {
    let line = slice(source, Span::new(at, line_end(source, at)));
    let quote: &[u8] = match line {
        [b'"', b'"', b'"', ..] if line.len() > 6 => b"\"\"\"",
        [b'"', ..] => b"\"",
        [b'`', ..] => b"`",
        _ => b"",
    };
    let missing = ParseErrorKind::Syntax("expected `key = value`");
    let (name, delimiter) = if quote.is_empty() {
        let end = find_delimiter(line).ok_or(missing)?;
        (Span::new(at, at + end), at + end)
    } else {
        let inner = line.get(quote.len()..).unwrap_or_default();
        let length = memchr::memmem::find(inner, quote)
            .ok_or(ParseErrorKind::Syntax("a quoted key is never closed"))?;
        let behind = quote.len() * 2 + length;
        let end = find_delimiter(line.get(behind..).unwrap_or_default()).ok_or(missing)?;
        let start = at + quote.len();
        (Span::new(start, start + length), at + behind + end)
    };
    let span = trimmed_span(slice(source, name), name.start());
    if span.is_empty() {
        return Err(ParseErrorKind::Syntax("a key has no name"));
    }
    Ok(ScannedKey {
        name: slice(source, span),
        span,
        value: delimiter + 1,
    })
}

fn find_delimiter(line: &[u8]) -> Option<usize> {
    memchr::memchr2(b'=', b':', line)
}

/// Where a comment begins: at the first sign, whatever stands before it.
pub(super) fn find_comment(text: &[u8]) -> Option<usize> {
    memchr::memchr2(b'#', b';', text)
}

/// Whether a text starts and ends with a quote that stands nowhere else in it.
fn is_surrounded(text: &[u8], quote: u8) -> bool {
    match text {
        [first, inner @ .., last] => {
            *first == quote && *last == quote && memchr::memchr(quote, inner).is_none()
        }
        _ => false,
    }
}

/// The end of the line of an offset, its line feed included.
pub(super) fn line_end(source: &[u8], at: usize) -> usize {
    let rest = source.get(at..).unwrap_or_default();
    memchr::memchr(b'\n', rest).map_or(source.len(), |feed| at + feed + 1)
}

/// The start of the line of an offset.
pub(super) fn line_start(source: &[u8], at: usize) -> usize {
    let before = source.get(..at).unwrap_or_default();
    memchr::memrchr(b'\n', before).map_or(0, |feed| feed + 1)
}

pub(super) fn slice(source: &[u8], span: Span) -> &[u8] {
    source.get(span.range()).unwrap_or_default()
}

/// The span of a text that starts at `start`, without the blanks around it.
pub(super) fn trimmed_span(text: &[u8], start: usize) -> Span {
    let rest = trim_start(text);
    let start = start + (text.len() - rest.len());
    Span::new(start, start + trim_end(rest).len())
}

pub(crate) fn trim(text: &[u8]) -> &[u8] {
    trim_end(trim_start(text))
}

pub(super) fn trim_start(mut text: &[u8]) -> &[u8] {
    while let Some(rest) = SPACES.iter().find_map(|space| text.strip_prefix(*space)) {
        text = rest;
    }
    text
}

pub(super) fn trim_end(mut text: &[u8]) -> &[u8] {
    while let Some(rest) = SPACES.iter().find_map(|space| text.strip_suffix(*space)) {
        text = rest;
    }
    text
}

/// What Go counts as white space (`unicode.IsSpace`), as UTF-8; a file need not be UTF-8 as a whole.
const SPACES: &[&[u8]] = &[
    b" ",
    b"\t",
    b"\n",
    b"\r",
    b"\x0b",
    b"\x0c",
    "\u{85}".as_bytes(),
    "\u{a0}".as_bytes(),
    "\u{1680}".as_bytes(),
    "\u{2000}".as_bytes(),
    "\u{2001}".as_bytes(),
    "\u{2002}".as_bytes(),
    "\u{2003}".as_bytes(),
    "\u{2004}".as_bytes(),
    "\u{2005}".as_bytes(),
    "\u{2006}".as_bytes(),
    "\u{2007}".as_bytes(),
    "\u{2008}".as_bytes(),
    "\u{2009}".as_bytes(),
    "\u{200a}".as_bytes(),
    "\u{2028}".as_bytes(),
    "\u{2029}".as_bytes(),
    "\u{202f}".as_bytes(),
    "\u{205f}".as_bytes(),
    "\u{3000}".as_bytes(),
];
