//! Values as sops types them, and the exact bytes that the cipher and the MAC see (sops-format.md 2.1 and 4).

use std::fmt;

use crate::secret::Secret;

/// The type of a value, as the `type:` field of an envelope names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// `bool`
    Bool,
    /// `bytes`: never written by sops; read as a string
    Bytes,
    /// `comment`
    Comment,
    /// `float`
    Float,
    /// `int`
    Int,
    /// `str`
    Str,
    /// `time`
    Time,
}

impl Kind {
    /// The word in an envelope.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Bool => "bool",
            Self::Bytes => "bytes",
            Self::Comment => "comment",
            Self::Float => "float",
            Self::Int => "int",
            Self::Str => "str",
            Self::Time => "time",
        }
    }

    /// The kind that a word names.
    #[must_use]
    pub fn parse(word: &[u8]) -> Option<Self> {
        Some(match word {
            b"bool" => Self::Bool,
            b"bytes" => Self::Bytes,
            b"comment" => Self::Comment,
            b"float" => Self::Float,
            b"int" => Self::Int,
            b"str" => Self::Str,
            b"time" => Self::Time,
            _ => return None,
        })
    }
}

/// The bytes of a string: borrowed from the source where it holds them as they are, else decoded into a wiping buffer.
#[expect(
    clippy::exhaustive_enums,
    reason = "borrowed or owned, there is no third"
)]
pub enum Text<'a> {
    /// The very bytes of the source.
    Borrowed(&'a [u8]),
    /// Decoded: escapes, folds or chomping were applied.
    Owned(Secret),
}

impl Text<'_> {
    /// Lets the bytes out. Every call says in an `// EXPOSE:` line where they go.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        match self {
            Self::Borrowed(bytes) => bytes,
            Self::Owned(secret) => secret.expose(),
        }
    }

    /// The same bytes, independent of the source.
    #[must_use]
    pub fn into_owned(self) -> Text<'static> {
        Text::Owned(match self {
            Self::Borrowed(bytes) => Secret::from_slice(bytes),
            Self::Owned(secret) => secret,
        })
    }
}

impl fmt::Debug for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

/// One typed value. Null and comments are not values: sops neither seals nor hashes them.
#[non_exhaustive]
pub enum Value<'a> {
    /// True or false.
    Bool(bool),
    /// A 64-bit float.
    Float(f64),
    /// A signed 64-bit integer.
    Int(i64),
    /// A string; bytes, because YAML's `!!binary` may hold anything.
    Str(Text<'a>),
    /// A point in time with its offset.
    Time(Time),
}

impl<'a> Value<'a> {
    /// A string value over borrowed bytes.
    #[must_use]
    pub fn borrowed(bytes: &'a [u8]) -> Self {
        Self::Str(Text::Borrowed(bytes))
    }

    /// The type that an envelope of this value carries.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::Bool(_) => Kind::Bool,
            Self::Float(_) => Kind::Float,
            Self::Int(_) => Kind::Int,
            Self::Str(_) => Kind::Str,
            Self::Time(_) => Kind::Time,
        }
    }

    /// The bytes that are hashed, and that are sealed unless the source's own spelling can be (see [`crate::leaf`]).
    #[must_use]
    pub fn canonical(&self) -> Text<'_> {
        let text = match self {
            // EXPOSE: handed on under the same redaction, nothing is copied.
            Self::Str(text) => return Text::Borrowed(text.expose()),
            Self::Bool(true) => "True".into(),
            Self::Bool(false) => "False".into(),
            Self::Float(float) => float_digits(*float),
            Self::Int(int) => int.to_string(),
            Self::Time(time) => time.as_str().to_owned(),
        };
        Text::Owned(Secret::from_vec(text.into_bytes()))
    }

    /// Reads the plaintext of an envelope of `kind`, as Go's parsers would.
    ///
    /// # Errors
    /// [`ValueError`] when the bytes are no value of that kind, or `kind` is [`Kind::Comment`], which is no value.
    pub fn parse(kind: Kind, bytes: &'a [u8]) -> Result<Self, ValueError> {
        let text = || std::str::from_utf8(bytes).map_err(|_| ValueError::NotOfKind(kind));
        match kind {
            Kind::Str | Kind::Bytes => Ok(Self::borrowed(bytes)),
            Kind::Bool => parse_go_bool(bytes)
                .map(Self::Bool)
                .ok_or(ValueError::NotOfKind(kind)),
            Kind::Int => parse_go_int(text()?)
                .map(Self::Int)
                .ok_or(ValueError::NotOfKind(kind)),
            Kind::Float => parse_go_float(text()?)
                .map(Self::Float)
                .ok_or(ValueError::NotOfKind(kind)),
            Kind::Time => Time::parse_rfc3339(text()?)
                .map(Self::Time)
                .ok_or(ValueError::NotOfKind(kind)),
            Kind::Comment => Err(ValueError::CommentAsValue),
        }
    }

    /// The same value, independent of the source.
    #[must_use]
    pub fn into_owned(self) -> Value<'static> {
        match self {
            Self::Bool(value) => Value::Bool(value),
            Self::Float(value) => Value::Float(value),
            Self::Int(value) => Value::Int(value),
            Self::Str(text) => Value::Str(text.into_owned()),
            Self::Time(time) => Value::Time(time),
        }
    }

    /// Same type and same canonical bytes, compared without a hint of where they differ.
    #[must_use]
    pub fn same_as(&self, other: &Value<'_>) -> bool {
        use subtle::ConstantTimeEq as _;
        // EXPOSE: compared in constant time, not kept.
        self.kind() == other.kind()
            && self
                .canonical()
                .expose()
                .ct_eq(other.canonical().expose())
                .into()
    }
}

impl fmt::Debug for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Value({}, [redacted])", self.kind().as_str())
    }
}

/// Why bytes are not a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ValueError {
    /// An envelope of type `comment` stands where a value is due.
    #[error("a value is sealed as a comment")]
    CommentAsValue,
    /// The opened bytes do not parse as the type that the envelope names.
    #[error("the sealed text is not of type {}", .0.as_str())]
    NotOfKind(Kind),
}

/// A point in time, kept as sops prints it: RFC 3339, nanoseconds without trailing zeros, `Z` for UTC.
#[derive(Clone, PartialEq, Eq)]
pub struct Time(Box<str>);

/// The parts of a [`Time`] as they are read.
#[derive(Clone, Copy)]
pub(crate) struct TimeParts {
    pub(crate) year: u32,
    pub(crate) month: u32,
    pub(crate) day: u32,
    pub(crate) hour: u32,
    pub(crate) minute: u32,
    pub(crate) second: u32,
    pub(crate) nanosecond: u32,
    /// East of UTC.
    pub(crate) offset_minutes: i32,
}

impl Time {
    /// The canonical text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether this is midnight UTC, which YAML may write as a bare date.
    #[must_use]
    pub fn is_midnight_utc(&self) -> bool {
        self.0.ends_with("T00:00:00Z")
    }

    /// `None` when the parts name no real day or time of day, or the offset is 24 hours or more, which sops refuses.
    pub(crate) fn from_parts(parts: TimeParts) -> Option<Self> {
        let TimeParts {
            year,
            month,
            day,
            hour,
            minute,
            second,
            nanosecond,
            offset_minutes,
        } = parts;
        let real_day = (1..=12).contains(&month) && day >= 1 && day <= days_in_month(year, month);
        let real_time = hour < 24 && minute < 60 && second < 60 && nanosecond < 1_000_000_000;
        if year > 9999 || !real_day || !real_time || offset_minutes.unsigned_abs() >= 24 * 60 {
            return None;
        }
        let mut text = format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}");
        if nanosecond > 0 {
            let digits = format!("{nanosecond:09}");
            text.push('.');
            text.push_str(digits.trim_end_matches('0'));
        }
        if offset_minutes == 0 {
            text.push('Z');
        } else {
            let sign = if offset_minutes < 0 { '-' } else { '+' };
            let offset = offset_minutes.unsigned_abs();
            text.push_str(&format!("{sign}{:02}:{:02}", offset / 60, offset % 60));
        }
        Some(Self(text.into()))
    }

    /// Reads RFC 3339 as Go does: `T` and `Z` in upper case, any number of fractional digits, no second 60.
    #[must_use]
    pub fn parse_rfc3339(text: &str) -> Option<Self> {
        let (year, rest) = digits(text, 4)?;
        let (month, rest) = digits(rest.strip_prefix('-')?, 2)?;
        let (day, rest) = digits(rest.strip_prefix('-')?, 2)?;
        let (hour, rest) = digits(rest.strip_prefix('T')?, 2)?;
        let (minute, rest) = digits(rest.strip_prefix(':')?, 2)?;
        let (second, rest) = digits(rest.strip_prefix(':')?, 2)?;
        let (nanosecond, rest) = match rest.strip_prefix(['.', ',']) {
            Some(fraction) => nanoseconds(fraction)?,
            None => (0, rest),
        };
        let offset_minutes = offset(rest)?;
        Self::from_parts(TimeParts {
            year,
            month,
            day,
            hour,
            minute,
            second,
            nanosecond,
            offset_minutes,
        })
    }
}

impl fmt::Debug for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Time([redacted])")
    }
}

fn digits(text: &str, count: usize) -> Option<(u32, &str)> {
    let head = text.get(..count)?;
    let rest = text.get(count..)?;
    head.bytes()
        .all(|byte| byte.is_ascii_digit())
        .then_some(())?;
    Some((head.parse().ok()?, rest))
}

/// The leading digits of `text` as nanoseconds; digits after the ninth are dropped, as Go does.
pub(crate) fn nanoseconds(text: &str) -> Option<(u32, &str)> {
    let end = text
        .bytes()
        .position(|byte| !byte.is_ascii_digit())
        .unwrap_or(text.len());
    let (fraction, rest) = text.split_at_checked(end)?;
    if fraction.is_empty() {
        return None;
    }
    let mut padded: String = fraction.chars().take(9).collect();
    while padded.len() < 9 {
        padded.push('0');
    }
    Some((padded.parse().ok()?, rest))
}

fn offset(text: &str) -> Option<i32> {
    if text == "Z" {
        return Some(0);
    }
    let sign = match text.bytes().next()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let (hours, rest) = digits(text.get(1..)?, 2)?;
    let (minutes, rest) = digits(rest.strip_prefix(':')?, 2)?;
    (rest.is_empty() && hours < 24 && minutes < 60).then_some(())?;
    Some(sign * i32::try_from(hours * 60 + minutes).ok()?)
}

fn days_in_month(year: u32, month: u32) -> u32 {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Shortest digits that round-trip, never an exponent: Go's `strconv.FormatFloat(f, 'f', -1, 64)`.
///
/// zmij chooses the digits; the standard formatter chooses others for some floats, and one digit breaks the MAC.
fn float_digits(float: f64) -> String {
    if float.is_nan() {
        return "NaN".into();
    }
    if float.is_infinite() {
        return if float > 0.0 { "+Inf" } else { "-Inf" }.into();
    }
    let mut buffer = zmij::Buffer::new();
    let printed = buffer.format_finite(float);
    let (sign, unsigned) = match printed.strip_prefix('-') {
        Some(unsigned) => ("-", unsigned),
        None => ("", printed),
    };
    let (mantissa, exponent) = unsigned.split_once(['e', 'E']).unwrap_or((unsigned, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    format!("{sign}{}", shift_point(whole, fraction, exponent))
}

/// Writes `whole.fraction` times ten to the `exponent` without an exponent and without useless zeros.
fn shift_point(whole: &str, fraction: &str, exponent: i32) -> String {
    let digits = format!("{whole}{fraction}");
    let point = i32::try_from(whole.len())
        .unwrap_or(0)
        .saturating_add(exponent);
    let mut text = String::new();
    let mut after = String::new();
    for (place, digit) in (0_i32..).zip(digits.chars()) {
        if place < point {
            text.push(digit)
        } else {
            after.push(digit)
        }
    }
    for _ in i32::try_from(digits.len()).unwrap_or(0)..point {
        text.push('0');
    }
    let padding: String = (point..0).map(|_| '0').collect();
    let after = format!("{padding}{after}");
    let after = after.trim_end_matches('0');
    let text = text.trim_start_matches('0');
    let text = if text.is_empty() { "0" } else { text };
    if after.is_empty() {
        text.into()
    } else {
        format!("{text}.{after}")
    }
}

fn parse_go_bool(bytes: &[u8]) -> Option<bool> {
    match bytes {
        b"1" | b"t" | b"T" | b"TRUE" | b"true" | b"True" => Some(true),
        b"0" | b"f" | b"F" | b"FALSE" | b"false" | b"False" => Some(false),
        _ => None,
    }
}

/// Go's Atoi: an optional sign and decimal digits, within 64 bits.
pub(crate) fn parse_go_int(text: &str) -> Option<i64> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    (!unsigned.is_empty() && unsigned.bytes().all(|byte| byte.is_ascii_digit())).then_some(())?;
    text.parse().ok()
}

/// Go's ParseFloat: decimal or hexadecimal, underscores between digits, `inf` and `nan` in any case.
pub(crate) fn parse_go_float(text: &str) -> Option<f64> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let negative = text.starts_with('-');
    let signed = |float: f64| if negative { -float } else { float };
    if unsigned.eq_ignore_ascii_case("inf") || unsigned.eq_ignore_ascii_case("infinity") {
        return Some(signed(f64::INFINITY));
    }
    if text.eq_ignore_ascii_case("nan") {
        return Some(f64::NAN);
    }
    if unsigned.contains('_') && !underscores_separate_digits(unsigned) {
        return None;
    }
    let plain: String = unsigned.chars().filter(|&c| c != '_').collect();
    if let Some(hex) = plain
        .strip_prefix("0x")
        .or_else(|| plain.strip_prefix("0X"))
    {
        return hex_float(hex).map(signed);
    }
    let shape_ok = plain.bytes().any(|byte| byte.is_ascii_digit())
        && plain
            .bytes()
            .all(|byte| byte.is_ascii_digit() || b".eE+-".contains(&byte));
    shape_ok.then_some(())?;
    let float: f64 = plain.parse().ok()?;
    // Go reports a range error where Rust gives infinity.
    float.is_finite().then_some(signed(float))
}

/// Go's rule: an underscore stands between two digits, or between a base prefix and a digit. The `e` of an exponent
/// is no digit in a decimal number.
fn underscores_separate_digits(text: &str) -> bool {
    let hex = text.starts_with("0x") || text.starts_with("0X");
    let digits = if hex {
        text.get(2..).unwrap_or_default()
    } else {
        text
    };
    let is_digit = |byte: u8| {
        if hex {
            byte.is_ascii_hexdigit()
        } else {
            byte.is_ascii_digit()
        }
    };
    let mut after_digit = hex;
    let mut after_underscore = false;
    for byte in digits.bytes() {
        if byte == b'_' {
            if !after_digit {
                return false;
            }
            (after_digit, after_underscore) = (false, true);
        } else if is_digit(byte) {
            (after_digit, after_underscore) = (true, false);
        } else if after_underscore {
            return false;
        } else {
            after_digit = false;
        }
    }
    !after_underscore
}

/// A hexadecimal float after its `0x`; the binary exponent is required.
fn hex_float(text: &str) -> Option<f64> {
    let (mantissa, exponent) = text.split_once(['p', 'P'])?;
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let mut exponent: i32 = exponent.parse().ok()?;
    let mut bits: u64 = 0;
    for (nth, digit) in whole.chars().chain(fraction.chars()).enumerate() {
        let digit = u64::from(digit.to_digit(16)?);
        if bits >> 60 == 0 {
            bits = (bits << 4) | digit;
        } else {
            // Too many digits for 64 bits: keep a trace of them, so that rounding goes the right way.
            bits |= u64::from(digit != 0);
            exponent = exponent.checked_add(4)?;
        }
        if nth >= whole.len() {
            exponent = exponent.checked_sub(4)?;
        }
    }
    #[expect(
        clippy::cast_precision_loss,
        reason = "rounding to the nearest float is what is wanted"
    )]
    let mantissa = bits as f64;
    let float = mantissa * 2_f64.powi(exponent / 2) * 2_f64.powi(exponent - exponent / 2);
    float.is_finite().then_some(float)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn assert_canonical(value: &Value<'_>, expected: &str) {
        assert_eq!(
            std::str::from_utf8(value.canonical().expose()),
            Ok(expected)
        );
    }

    // The expectations below are the rows of spec/yaml.md 3 and sops-format.md 2.1 that were run through real sops.
    #[test]
    fn floats_are_written_as_go_writes_them() {
        for (float, expected) in [
            (1e21, "1000000000000000000000"),
            (1.0, "1"),
            (1.50, "1.5"),
            (-0.0, "-0"),
            (0.1, "0.1"),
            (1e-7, "0.0000001"),
            (123_456.789, "123456.789"),
            (18_446_744_073_709_551_616.0, "18446744073709552000"),
            (f64::NAN, "NaN"),
            (f64::INFINITY, "+Inf"),
            (f64::NEG_INFINITY, "-Inf"),
        ] {
            assert_canonical(&Value::Float(float), expected);
        }
        let smallest = Value::Float(5e-324).canonical().expose().len();
        assert_eq!(smallest, "0.".len() + 324);
    }

    #[test]
    fn floats_are_read_as_go_reads_them() {
        for (text, expected) in [
            ("1.50", 1.5),
            ("1e3", 1000.0),
            (".5", 0.5),
            ("1.", 1.0),
            ("+1.5", 1.5),
            ("1_0.5", 10.5),
            ("0x1p4", 16.0),
        ] {
            assert_eq!(parse_go_float(text), Some(expected), "{text}");
        }
        for text in [
            "", ".", "1e400", "_1", ".5e_1", "1_e3", "1__0", "0x1", "1 ", " 1", ".inf", "e5",
        ] {
            assert_eq!(parse_go_float(text), None, "{text:?}");
        }
        assert_eq!(parse_go_float("-Inf"), Some(f64::NEG_INFINITY));
    }

    #[test]
    fn ints_follow_atoi() {
        assert_eq!(parse_go_int("+05"), Some(5));
        assert_eq!(parse_go_int("-9223372036854775808"), Some(i64::MIN));
        for text in ["", "+", "0x1", "1_0", "9223372036854775808", " 1"] {
            assert_eq!(parse_go_int(text), None, "{text:?}");
        }
    }

    #[test]
    fn times_keep_their_offset_and_drop_useless_zeros() {
        let time = |text: &str| Time::parse_rfc3339(text).map(|time| time.as_str().to_owned());
        assert_eq!(
            time("2001-12-14T21:59:43.10-05:00").as_deref(),
            Some("2001-12-14T21:59:43.1-05:00")
        );
        assert_eq!(
            time("2001-12-14T21:59:43+00:00").as_deref(),
            Some("2001-12-14T21:59:43Z")
        );
        for bad in [
            "2001-02-30T00:00:00Z",
            "2001-01-01T24:00:00Z",
            "2001-01-01 00:00:00Z",
            "2001-01-01T00:00:00",
        ] {
            assert_eq!(time(bad), None, "{bad}");
        }
    }

    #[test]
    fn nothing_secret_in_debug() {
        assert!(!format!("{:?}", Value::borrowed(b"canary")).contains("canary"));
        assert!(!format!("{:?}", Value::Int(424_242)).contains("424242"));
    }
}
