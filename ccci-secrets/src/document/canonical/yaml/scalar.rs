//! How go-yaml writes a scalar of sops: its text, its tag, and the style that the text allows.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::document::canonical::Floats;
use crate::document::number;
use crate::document::yaml::old_types;
use crate::document::yaml::resolve::{PlainKind, plain_kind};
use crate::secret::Secret;
use crate::value::{Text, Value};

/// A scalar before its place is known.
pub(super) struct ScalarText<'t> {
    pub(super) text: Text<'t>,
    /// `!!binary`, or `!!merge` for the text `<<`.
    pub(super) tag: Option<&'static str>,
    wanted: Style,
    pub(super) analysis: Analysis,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    Double,
    Literal,
    Plain,
    Single,
}

impl<'t> ScalarText<'t> {
    pub(super) fn null() -> Self {
        Self::plain(Text::Borrowed(b"null"))
    }

    pub(super) fn key(key: &'t str) -> Self {
        Self::string(Text::Borrowed(key.as_bytes()))
    }

    pub(super) fn value(value: &'t Value<'_>, floats: Floats) -> Self {
        let text = match value {
            // EXPOSE: handed on under the same redaction.
            Value::Str(text) => return Self::string(Text::Borrowed(text.expose())),
            Value::Bool(true) => "true".to_owned(),
            Value::Bool(false) => "false".to_owned(),
            Value::Int(int) => int.to_string(),
            Value::Time(time) => time.as_str().to_owned(),
            Value::Float(float) => float_text(*float, floats),
        };
        Self::plain(Text::Owned(Secret::from_vec(text.into_bytes())))
    }

    /// A text `<<` in quotes is only a text.
    pub(super) fn forbid_merge(&mut self) {
        if self.tag == Some("!!merge") {
            (self.tag, self.wanted) = (None, Style::Double);
        }
    }

    fn plain(text: Text<'t>) -> Self {
        // EXPOSE: only looked at.
        let analysis = Analysis::of(std::str::from_utf8(text.expose()).unwrap_or_default());
        Self {
            text,
            tag: None,
            wanted: Style::Plain,
            analysis,
        }
    }

    fn string(text: Text<'t>) -> Self {
        // EXPOSE: only looked at, or encoded into a wiping buffer.
        let Ok(string) = std::str::from_utf8(text.expose()) else {
            let encoded = Text::Owned(base64_lines(text.expose()));
            return Self {
                wanted: if memchr::memchr(b'\n', encoded.expose()).is_some() {
                    Style::Literal
                } else {
                    Style::Plain
                },
                tag: Some("!!binary"),
                ..Self::plain(encoded)
            };
        };
        let analysis = Analysis::of(string);
        let wanted = if string.contains('\n') {
            Style::Literal
        } else if reads_as_string(string) {
            Style::Plain
        } else {
            Style::Double
        };
        // go-yaml writes a node twice here, and in between a plain `<<` gets the tag of a merge key.
        let tag = (string == "<<").then_some("!!merge");
        Self {
            text,
            tag,
            wanted: analysis.allowed(wanted),
            analysis,
        }
    }

    /// The style at a place; a key on its line cannot have several lines.
    pub(super) fn style(&self, is_simple_key: bool) -> Style {
        let wanted = if is_simple_key && self.analysis.multiline {
            Style::Double
        } else {
            self.wanted
        };
        let style = self.analysis.allowed(wanted);
        if is_simple_key && style == Style::Literal {
            Style::Double
        } else {
            style
        }
    }
}

/// Whether a text without quotes is a string, to YAML 1.1 as well.
fn reads_as_string(text: &str) -> bool {
    let kind = plain_kind(text.as_bytes());
    matches!(kind, PlainKind::Str | PlainKind::Merge) && !old_types::has_one(text)
}

fn float_text(float: f64, floats: Floats) -> String {
    if float.is_nan() {
        return ".nan".into();
    }
    if float.is_infinite() {
        return if float > 0.0 { ".inf" } else { "-.inf" }.into();
    }
    let text = number::general(float, 'e');
    if floats == Floats::KeepType && !text.contains(['.', 'e']) {
        return text + ".0";
    }
    text
}

/// Base64 in lines of 70, each with a line feed, unless one line holds it with room to spare.
fn base64_lines(bytes: &[u8]) -> Secret {
    let encoded = Secret::from_vec(STANDARD.encode(bytes).into_bytes());
    if encoded.len() < BASE64_LINE {
        return encoded;
    }
    let lines = encoded.len().div_ceil(BASE64_LINE);
    let mut out = Secret::with_capacity(encoded.len() + lines);
    // EXPOSE: into a second wiping buffer.
    for line in encoded.expose().chunks(BASE64_LINE) {
        out.extend(line);
        out.extend(b"\n");
    }
    out
}

const BASE64_LINE: usize = 70;

/// What the characters of a text forbid.
#[derive(Clone, Copy, Debug)]
pub(super) struct Analysis {
    pub(super) multiline: bool,
    plain: bool,
    single: bool,
    block: bool,
}

impl Analysis {
    fn of(text: &str) -> Self {
        let mut seen = Seen::default();
        let mut previous = None;
        let mut chars = text.chars().peekable();
        while let Some(c) = chars.next() {
            seen.character(previous, c, chars.peek().copied());
            previous = Some(c);
        }
        let starts = text.chars().next();
        let ends = text.chars().next_back();
        let trailing_space = ends == Some(' ');
        let at_the_edges = starts.is_some_and(|c| c == ' ' || is_break(c))
            || trailing_space
            || ends.is_some_and(is_break);
        let mark = text.starts_with("---") || text.starts_with("...");
        Self {
            multiline: seen.breaks,
            plain: !(at_the_edges
                || seen.breaks
                || seen.space_at_break
                || seen.tab
                || seen.special
                || seen.indicator
                || mark),
            single: !(seen.space_at_break || seen.tab || seen.special),
            block: !(text.is_empty() || trailing_space || seen.space_break || seen.special),
        }
    }

    /// The nearest style that can carry the text.
    fn allowed(self, wanted: Style) -> Style {
        let wanted = if wanted == Style::Plain && !self.plain {
            Style::Single
        } else {
            wanted
        };
        match wanted {
            Style::Single if !self.single => Style::Double,
            Style::Literal if !self.block => Style::Double,
            style => style,
        }
    }
}

#[derive(Default)]
struct Seen {
    breaks: bool,
    /// A space before or behind a line break.
    space_at_break: bool,
    /// A space before a line break.
    space_break: bool,
    tab: bool,
    /// Not printable to go-yaml.
    special: bool,
    /// Something that would begin another token.
    indicator: bool,
}

impl Seen {
    fn character(&mut self, previous: Option<char>, c: char, next: Option<char>) {
        let blank_follows = next.is_none_or(is_blank);
        let blank_before = previous.is_none_or(|c| is_blank(c) || is_break(c) || c == '\0');
        self.indicator |= match (previous, c) {
            (
                None,
                '#' | ',' | '[' | ']' | '{' | '}' | '&' | '*' | '!' | '|' | '>' | '\'' | '"' | '%'
                | '@' | '`',
            ) => true,
            (None, '?' | '-') | (_, ':') => blank_follows,
            (Some(_), '#') => blank_before,
            _ => false,
        };
        if c == '\t' {
            self.tab = true;
        } else if !is_printable(c) {
            self.special = true;
        }
        let broke = previous.is_some_and(is_break);
        if c == ' ' {
            self.space_at_break |= broke;
        } else if is_break(c) {
            self.breaks = true;
            let spaced = previous == Some(' ');
            self.space_break |= spaced;
            self.space_at_break |= spaced;
        }
    }
}

pub(super) fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t')
}

pub(super) fn is_break(c: char) -> bool {
    matches!(c, '\r' | '\n' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

/// What go-yaml writes as it is; everything beyond U+FFFF is not in its view.
pub(super) fn is_printable(c: char) -> bool {
    match c {
        '\n' | ' '..='~' => true,
        '\u{feff}' | '\u{fffe}' | '\u{ffff}' => false,
        '\u{a0}'..='\u{ffff}' => true,
        _ => false,
    }
}
