//! Which type a scalar has (yaml.md 3): the schema of go-yaml v3, which is YAML 1.2 with leftovers of 1.1.

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{GeneralPurpose, GeneralPurposeConfig};
use zeroize::Zeroizing;

use super::text;
use crate::document::{Document, Resolved, Scalar, ScalarError, Style};
use crate::secret::Secret;
use crate::value::{Text, Time, TimeParts, Value, nanoseconds, parse_go_float};

/// The type of an untagged plain scalar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PlainKind {
    /// `true` or `false` in three casings.
    Bool,
    /// A number with a fraction or exponent, or one that fits no integer.
    Float,
    /// A number within signed 64 bits.
    Int,
    /// `<<`: as a key it merges, as a value it is text.
    Merge,
    /// Nothing, `~` or `null`.
    Null,
    /// Text.
    Str,
    /// A date, or a date with a time of day.
    Time,
    /// An integer above the signed range and within the unsigned one, which sops cannot carry.
    Uint64,
}

/// The type of the decoded text of an untagged plain scalar.
pub(crate) fn plain_kind(text: &[u8]) -> PlainKind {
    match read(text, Dates::Read) {
        Plain::Bool(_) => PlainKind::Bool,
        Plain::Float(_) => PlainKind::Float,
        Plain::Int(_) => PlainKind::Int,
        Plain::Null => PlainKind::Null,
        Plain::Str if text == b"<<" => PlainKind::Merge,
        Plain::Str => PlainKind::Str,
        Plain::Time(_) | Plain::TimeOffset => PlainKind::Time,
        Plain::Uint64 => PlainKind::Uint64,
    }
}

/// The value of an untagged plain scalar, where it is neither text nor null.
pub(super) fn plain_value(text: &[u8]) -> Option<Value<'static>> {
    match read(text, Dates::Read).resolved(Tag::None) {
        Ok(Resolved::Value(value)) => Some(value),
        _ => None,
    }
}

/// What a scalar means, its tag considered.
///
/// In every part but the first, a tag that does not fit its text makes the value null, as sops reads it.
///
/// # Errors
/// [`ScalarError`] for what sops refuses.
pub(crate) fn resolve<'a>(
    document: &'a Document,
    scalar: &Scalar,
) -> Result<Resolved<'a>, ScalarError> {
    let decoded = text::decode(document.source.bytes(), scalar);
    let tag = scalar
        .props()
        .tag
        .map_or(Tag::None, |span| Tag::read(document.source.slice(span)));
    let resolved = match (tag, scalar.style()) {
        (Tag::Str | Tag::Other, _) => Ok(text_value(decoded)),
        (Tag::None, Style::Plain) => untagged(decoded),
        (Tag::None, _) => Ok(text_value(decoded)),
        (Tag::Binary, _) => binary(&decoded),
        (tag, _) => tagged(tag, &decoded),
    };
    match resolved {
        Err(ScalarError::BadTag(_)) if !in_first_part(document, scalar) => Ok(Resolved::Null),
        resolved => resolved,
    }
}

/// A tag that decides what a scalar means.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Tag {
    Binary,
    Bool,
    Float,
    Int,
    None,
    Null,
    /// Any other: the scalar is a string.
    Other,
    Str,
    Timestamp,
}

impl Tag {
    /// Reads the token: `!!int`, `!<tag:yaml.org,2002:int>`, `!custom`, or the `!` that says nothing. Handles that a
    /// `%TAG` line redefines are taken for their usual meaning.
    pub(super) fn read(token: &[u8]) -> Self {
        let token = percent_decoded(token);
        let verbatim = token
            .strip_prefix(b"!<")
            .and_then(|rest| rest.strip_suffix(b">"));
        let name = match (verbatim, token.strip_prefix(b"!!")) {
            (Some(b"!"), _) => return Self::None,
            (Some(verbatim), _) => verbatim
                .strip_prefix(b"tag:yaml.org,2002:")
                .or(verbatim.strip_prefix(b"!!")),
            (None, short) => short,
        };
        match name {
            None if token == b"!" => Self::None,
            Some(b"binary") => Self::Binary,
            Some(b"bool") => Self::Bool,
            Some(b"float") => Self::Float,
            Some(b"int") => Self::Int,
            Some(b"null") => Self::Null,
            Some(b"str") => Self::Str,
            Some(b"timestamp") => Self::Timestamp,
            _ => Self::Other,
        }
    }

    /// Whether it gives the text a meaning that an envelope in its place could not have.
    pub(super) fn retypes(self) -> bool {
        !matches!(self, Self::None | Self::Other | Self::Str)
    }

    fn name(self) -> &'static str {
        match self {
            Self::Binary => "!!binary",
            Self::Bool => "!!bool",
            Self::Float => "!!float",
            Self::Int => "!!int",
            Self::None => "!",
            Self::Null => "!!null",
            Self::Other => "!…",
            Self::Str => "!!str",
            Self::Timestamp => "!!timestamp",
        }
    }

    fn misfit(self) -> ScalarError {
        ScalarError::BadTag(self.name().to_owned())
    }
}

fn percent_decoded(token: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(token.len());
    let mut rest = token;
    while let Some((&byte, tail)) = rest.split_first() {
        let escaped = (byte == b'%').then(|| tail.split_at_checked(2)).flatten();
        let decoded = escaped.and_then(|(hex, after)| {
            let hex = std::str::from_utf8(hex).ok()?;
            Some((u8::from_str_radix(hex, 16).ok()?, after))
        });
        let (byte, after) = decoded.unwrap_or((byte, tail));
        out.push(byte);
        rest = after;
    }
    out
}

fn in_first_part(document: &Document, scalar: &Scalar) -> bool {
    document
        .parts
        .first()
        .is_none_or(|part| scalar.span.start() <= part.span.end())
}

fn text_value(text: Text<'_>) -> Resolved<'_> {
    Resolved::Value(Value::Str(text))
}

fn untagged(text: Text<'_>) -> Result<Resolved<'_>, ScalarError> {
    // EXPOSE: to the number and date readers below; strings stay where they are.
    let value = match read(text.expose(), Dates::Read) {
        Plain::Str => return Ok(text_value(text)),
        plain => plain,
    };
    value.resolved(Tag::None)
}

fn tagged<'a>(tag: Tag, text: &Text<'_>) -> Result<Resolved<'a>, ScalarError> {
    let dates = if tag == Tag::Timestamp {
        Dates::Read
    } else {
        Dates::Ignore
    };
    // EXPOSE: to the number and date readers below.
    let plain = read(text.expose(), dates);
    match (tag, &plain) {
        (Tag::Bool, Plain::Bool(_))
        | (Tag::Int, Plain::Int(_) | Plain::Uint64)
        | (Tag::Float, Plain::Float(_))
        | (Tag::Null, Plain::Null)
        | (Tag::Timestamp, Plain::Time(_) | Plain::TimeOffset) => plain.resolved(tag),
        #[expect(
            clippy::cast_precision_loss,
            reason = "a float of the nearest value is what the tag asks for"
        )]
        (Tag::Float, Plain::Int(int)) => Ok(Resolved::Value(Value::Float(*int as f64))),
        _ => Err(tag.misfit()),
    }
}

/// Go ignores line breaks anywhere and stray bits in the last digit, and insists on the padding.
fn binary<'a>(text: &Text<'_>) -> Result<Resolved<'a>, ScalarError> {
    let engine = GeneralPurpose::new(
        &STANDARD,
        GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true),
    );
    // EXPOSE: decoded into a wiping buffer.
    let digits = Zeroizing::new(
        text.expose()
            .iter()
            .copied()
            .filter(|byte| !b"\r\n".contains(byte))
            .collect::<Vec<u8>>(),
    );
    let bytes = engine
        .decode(digits.as_slice())
        .map_err(|_| Tag::Binary.misfit())?;
    Ok(text_value(Text::Owned(Secret::from_vec(bytes))))
}

/// What the text of a plain scalar says.
enum Plain {
    Bool(bool),
    Float(f64),
    Int(i64),
    Null,
    Str,
    Time(Time),
    /// A timestamp that Go reads and sops cannot print.
    TimeOffset,
    Uint64,
}

impl Plain {
    fn resolved<'a>(self, tag: Tag) -> Result<Resolved<'a>, ScalarError> {
        Ok(Resolved::Value(match self {
            Self::Null => return Ok(Resolved::Null),
            Self::Bool(value) => Value::Bool(value),
            Self::Float(value) => Value::Float(value),
            Self::Int(value) => Value::Int(value),
            Self::Time(time) => Value::Time(time),
            Self::TimeOffset => return Err(ScalarError::TimeOffset),
            Self::Uint64 => return Err(ScalarError::Uint64),
            Self::Str => return Err(tag.misfit()),
        }))
    }
}

/// Whether text that looks like a date is one: a tag for another type turns that off.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Dates {
    Ignore,
    Read,
}

fn read(text: &[u8], dates: Dates) -> Plain {
    let Ok(text) = std::str::from_utf8(text) else {
        return Plain::Str;
    };
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Plain::Null,
        "true" | "True" | "TRUE" => return Plain::Bool(true),
        "false" | "False" | "FALSE" => return Plain::Bool(false),
        ".nan" | ".NaN" | ".NAN" => return Plain::Float(f64::NAN),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => {
            return Plain::Float(f64::INFINITY);
        }
        "-.inf" | "-.Inf" | "-.INF" => return Plain::Float(f64::NEG_INFINITY),
        _ => {}
    }
    match text.bytes().next() {
        Some(b'.') => parse_go_float(text).map_or(Plain::Str, Plain::Float),
        Some(b'+' | b'-' | b'0'..=b'9') => {
            if dates == Dates::Read
                && let Some(time) = read_time(text)
            {
                return time;
            }
            read_number(text)
        }
        _ => Plain::Str,
    }
}

/// A number that starts with a digit or a sign. Underscores mean nothing, wherever they stand.
fn read_number(text: &str) -> Plain {
    let digits: Zeroizing<String> = Zeroizing::new(text.chars().filter(|&c| c != '_').collect());
    match read_int(&digits) {
        Some(Ok(int)) => return Plain::Int(int),
        Some(Err(Unsigned)) => return Plain::Uint64,
        None => {}
    }
    if is_float_shape(&digits)
        && let Some(float) = parse_go_float(&digits)
    {
        return Plain::Float(float);
    }
    read_signed_after_prefix(&digits).map_or(Plain::Str, Plain::Int)
}

/// Fits 64 bits, but only without a sign.
struct Unsigned;

/// An integer in the base that its prefix names; a leading zero alone means octal.
fn read_int(text: &str) -> Option<Result<i64, Unsigned>> {
    let (sign, unsigned) = match text.as_bytes().first()? {
        b'+' => ("", text.get(1..)?),
        b'-' => ("-", text.get(1..)?),
        _ => ("", text),
    };
    let (base, digits) = split_base(unsigned);
    if digits.is_empty() || !digits.chars().all(|c| c.is_digit(base)) {
        return None;
    }
    let signed = Zeroizing::new(format!("{sign}{digits}"));
    match i64::from_str_radix(&signed, base) {
        Ok(int) => Some(Ok(int)),
        // An explicit `+` is no unsigned number to Go, and becomes a float.
        Err(_) if unsigned.len() == text.len() && u64::from_str_radix(digits, base).is_ok() => {
            Some(Err(Unsigned))
        }
        Err(_) => None,
    }
}

fn split_base(text: &str) -> (u32, &str) {
    let prefixes = [
        ("0x", 16),
        ("0X", 16),
        ("0o", 8),
        ("0O", 8),
        ("0b", 2),
        ("0B", 2),
    ];
    let prefixed = prefixes
        .into_iter()
        .find_map(|(prefix, base)| Some((base, text.strip_prefix(prefix)?)));
    match (prefixed, text.strip_prefix('0')) {
        (Some(found), _) => found,
        (None, Some(rest)) if !rest.is_empty() => (8, rest),
        _ => (10, text),
    }
}

/// `0b+1` and `0o-7`: go-yaml takes a sign behind the prefix, in lower case only.
fn read_signed_after_prefix(text: &str) -> Option<i64> {
    let (base, rest) = match (text.strip_prefix("0b"), text.strip_prefix("0o")) {
        (Some(rest), _) => (2, rest),
        (_, Some(rest)) => (8, rest),
        _ => return None,
    };
    i64::from_str_radix(rest, base).ok()
}

/// `[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?`
fn is_float_shape(text: &str) -> bool {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (unsigned, None),
    };
    let all_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let exponent_fits = exponent.is_none_or(|exponent| {
        let digits = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
        !digits.is_empty() && all_digits(digits)
    });
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    exponent_fits
        && all_digits(whole)
        && all_digits(fraction)
        && !(whole.is_empty() && fraction.is_empty())
}

/// A timestamp in one of the four layouts that go-yaml tries: with `T` or `t` and a zone, with blanks and no zone, or
/// a date alone. Month, day and time of day may have one digit.
fn read_time(text: &str) -> Option<Plain> {
    let (year, rest) = text.split_at_checked(4)?;
    let year = year
        .bytes()
        .all(|byte| byte.is_ascii_digit())
        .then(|| year.parse().ok())??;
    let (month, rest) = one_or_two_digits(rest.strip_prefix('-')?)?;
    let (day, rest) = one_or_two_digits(rest.strip_prefix('-')?)?;
    let mut parts = TimeParts {
        year,
        month,
        day,
        hour: 0,
        minute: 0,
        second: 0,
        nanosecond: 0,
        offset_minutes: 0,
    };
    let rest = match rest.bytes().next() {
        None => return Time::from_parts(parts).map(Plain::Time),
        Some(b'T' | b't') => {
            let zone = time_of_day(&mut parts, rest.get(1..)?)?;
            parts.offset_minutes = zone_offset(zone)?;
            ""
        }
        Some(b' ') => time_of_day(&mut parts, rest.trim_start_matches(' '))?,
        Some(_) => return None,
    };
    if !rest.is_empty() {
        return None;
    }
    if parts.offset_minutes.unsigned_abs() >= 24 * 60 {
        let real = Time::from_parts(TimeParts {
            offset_minutes: 0,
            ..parts
        })
        .is_some();
        return real.then_some(Plain::TimeOffset);
    }
    Time::from_parts(parts).map(Plain::Time)
}

fn time_of_day<'a>(parts: &mut TimeParts, text: &'a str) -> Option<&'a str> {
    let (hour, rest) = one_or_two_digits(text)?;
    let (minute, rest) = one_or_two_digits(rest.strip_prefix(':')?)?;
    let (second, rest) = one_or_two_digits(rest.strip_prefix(':')?)?;
    let (nanosecond, rest) = match rest.strip_prefix(['.', ',']) {
        Some(fraction) => nanoseconds(fraction)?,
        None => (0, rest),
    };
    (parts.hour, parts.minute, parts.second, parts.nanosecond) = (hour, minute, second, nanosecond);
    Some(rest)
}

/// `Z` or `±hh:mm`. Go lets through 24 hours and 60 minutes.
fn zone_offset(text: &str) -> Option<i32> {
    if text == "Z" {
        return Some(0);
    }
    let sign = match text.bytes().next()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let (hours, minutes) = text.get(1..)?.split_once(':')?;
    let two_digits = |text: &str| {
        (text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit()))
            .then(|| text.parse::<i32>().ok())?
    };
    let (hours, minutes) = (two_digits(hours)?, two_digits(minutes)?);
    (hours <= 24 && minutes <= 60).then_some(sign * (hours * 60 + minutes))
}

fn one_or_two_digits(text: &str) -> Option<(u32, &str)> {
    let count = text.bytes().take(2).take_while(u8::is_ascii_digit).count();
    let (digits, rest) = text.split_at_checked(count)?;
    Some((digits.parse().ok()?, rest))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
mod tests {
    use super::*;
    use crate::document::{Format, Item, Node};

    /// The value of `k` in the first or in the second part.
    fn value_of_k(text: &str) -> Result<(String, String), ScalarError> {
        let document = Document::parse(Format::Yaml, Secret::from_slice(text.as_bytes())).unwrap();
        let Node::Map(root) = document.node(document.parts().last().unwrap().root) else {
            panic!("a map");
        };
        let Some(Item::Entry(entry)) = root
            .items
            .iter()
            .find(|item| matches!(item, Item::Entry(_)))
        else {
            panic!("an entry");
        };
        let Node::Scalar(scalar) = document.node(entry.value) else {
            panic!("a scalar")
        };
        Ok(match document.resolve(scalar)? {
            Resolved::Null => ("null".into(), String::new()),
            Resolved::Value(value) => {
                let bytes = value.canonical();
                let text = String::from_utf8_lossy(bytes.expose()).into_owned();
                (value.kind().as_str().into(), text)
            }
        })
    }

    fn expected(kind: &str, value: &str) -> Result<(String, String), ScalarError> {
        let value = match kind {
            "bad" => return Err(ScalarError::BadTag(String::new())),
            "uint64" => return Err(ScalarError::Uint64),
            "time" if value == "offset" => return Err(ScalarError::TimeOffset),
            "bool" if value == "true" => "True".into(),
            "bool" => "False".into(),
            "str" => serde_json::from_str(value).unwrap(),
            _ => value.to_owned(),
        };
        Ok((kind.to_owned(), value))
    }

    fn same(
        left: &Result<(String, String), ScalarError>,
        right: &Result<(String, String), ScalarError>,
    ) -> bool {
        match (left, right) {
            (Err(ScalarError::BadTag(_)), Err(ScalarError::BadTag(_))) => true,
            _ => left == right,
        }
    }

    // Each line of the file is what go-yaml 3.0.4 answered, see tests/go-scalars/main.go.
    #[test]
    fn scalars_mean_what_go_yaml_says() {
        for line in include_str!("../../../tests/go-scalars/vectors.tsv").lines() {
            let mut fields = line.split('\t');
            let text = fields.next().unwrap().replace("\\n", "\n");
            let expected = expected(fields.next().unwrap(), fields.next().unwrap_or_default());
            let found = value_of_k(&format!("k: {text}\n"));
            assert!(
                same(&found, &expected),
                "{text:?}: {found:?} is not {expected:?}"
            );
        }
    }

    // yaml.md 3, row "!!int abc".
    #[test]
    fn a_tag_that_does_not_fit_is_null_in_later_parts() {
        for text in ["!!int abc", "!!bool 1", "!!null x", "!!binary 5"] {
            assert_eq!(
                value_of_k(&format!("a: 1\n---\nk: {text}\n")).unwrap().0,
                "null"
            );
        }
        assert_eq!(
            value_of_k("a: 1\n---\nk: 18446744073709551615\n"),
            Err(ScalarError::Uint64)
        );
    }

    #[test]
    fn keys_are_typed_like_values() {
        for (text, expected) in [
            ("a", PlainKind::Str),
            ("n", PlainKind::Str),
            ("<<", PlainKind::Merge),
            ("1", PlainKind::Int),
            ("1.5", PlainKind::Float),
            ("true", PlainKind::Bool),
            ("~", PlainKind::Null),
            ("", PlainKind::Null),
            ("2001-01-02", PlainKind::Time),
            ("18446744073709551615", PlainKind::Uint64),
        ] {
            assert_eq!(plain_kind(text.as_bytes()), expected, "{text}");
        }
    }
}
