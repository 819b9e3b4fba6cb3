//! The text of typed values in formats that know only text (sops-format.md 12.3).

use super::number;
use crate::secret::Secret;
use crate::value::{Text, Value};

/// The text that a value becomes.
pub(crate) fn text_of<'a>(value: &'a Value<'_>) -> Text<'a> {
    let text = match value {
        // EXPOSE: handed on under the same redaction, nothing is copied.
        Value::Str(text) => return Text::Borrowed(text.expose()),
        Value::Bool(true) => "true".to_owned(),
        Value::Bool(false) => "false".to_owned(),
        Value::Float(float) => float_text(*float),
        Value::Int(int) => int.to_string(),
        Value::Time(time) => whole_seconds(time.as_str()),
    };
    Text::Owned(Secret::from_vec(text.into_bytes()))
}

/// A float never looks like an integer.
fn float_text(float: f64) -> String {
    let text = number::general(float, 'E');
    if float.is_finite() && !text.contains(['.', 'E']) {
        return text + ".0";
    }
    text
}

/// RFC 3339 without the fraction.
fn whole_seconds(time: &str) -> String {
    let Some((seconds, rest)) = time.split_once('.') else {
        return time.to_owned();
    };
    let zone = rest.trim_start_matches(|c: char| c.is_ascii_digit());
    format!("{seconds}{zone}")
}

/// Why a text cannot stand in a document: reading it back would give another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unwritable {
    /// dotenv reads a backslash before an `n` as a line break and knows no way to say otherwise.
    #[error("a backslash followed by `n` would be read back as a line break in a dotenv file")]
    BackslashN,
    /// JSON is UTF-8.
    #[error("it is not UTF-8 text, which JSON cannot hold")]
    NotUtf8,
    /// Quotes, comment signs and line breaks in a combination that no form of quoting carries.
    #[error("no form of quoting in an INI file carries this value")]
    Quoting,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::Time;

    #[track_caller]
    fn assert_text(value: &Value<'_>, expected: &str) {
        assert_eq!(std::str::from_utf8(text_of(value).expose()), Ok(expected));
    }

    // The rows of sops-format.md 12.3.
    #[test]
    fn typed_values_have_the_text_of_sops() {
        assert_text(&Value::Float(3.0), "3.0");
        assert_text(&Value::Float(1e6), "1E+06");
        assert_text(&Value::Float(1e21), "1E+21");
        assert_text(&Value::Float(0.5), "0.5");
        assert_text(&Value::Float(f64::NAN), "NaN");
        assert_text(&Value::Bool(true), "true");
        assert_text(&Value::Int(-7), "-7");
        let time = Time::parse_rfc3339("2001-12-14T21:59:43.25-05:00");
        assert_text(
            &Value::Time(time.expect("valid")),
            "2001-12-14T21:59:43-05:00",
        );
    }
}
