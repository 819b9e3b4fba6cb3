//! Floats as Go's `strconv` writes them: the same shortest digits as the canonical text, with an exponent.

use crate::value::Value;

/// The digits of a finite float and where its decimal point stands.
struct Digits {
    negative: bool,
    /// Without zeros at either end; `0` for zero.
    digits: String,
    /// The decimal exponent of the first digit.
    exponent: i32,
}

impl Digits {
    /// `None` for NaN and the infinities, which have no digits.
    fn of(float: f64) -> Option<Self> {
        if !float.is_finite() {
            return None;
        }
        let text = fixed(float);
        let (negative, unsigned) = match text.strip_prefix('-') {
            Some(unsigned) => (true, unsigned),
            None => (false, text.as_str()),
        };
        let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
        let all = format!("{whole}{fraction}");
        let significant = all.trim_start_matches('0');
        if significant.is_empty() {
            return Some(Self {
                negative,
                digits: "0".to_owned(),
                exponent: 0,
            });
        }
        let zeros = all.len() - significant.len();
        let place = |length: usize| i32::try_from(length).unwrap_or(i32::MAX);
        Some(Self {
            negative,
            digits: significant.trim_end_matches('0').to_owned(),
            exponent: place(whole.len()) - place(zeros) - 1,
        })
    }

    /// One digit, the point, the rest, and the exponent with at least `width` digits.
    fn scientific(&self, letter: char, width: usize) -> String {
        let (first, rest) = self.digits.split_at_checked(1).unwrap_or(("0", ""));
        let sign = if self.negative { "-" } else { "" };
        let point = if rest.is_empty() { "" } else { "." };
        let exponent_sign = if self.exponent < 0 { '-' } else { '+' };
        let exponent = self.exponent.unsigned_abs();
        format!("{sign}{first}{point}{rest}{letter}{exponent_sign}{exponent:0width$}")
    }
}

/// Without an exponent: Go's format `f`.
pub(super) fn fixed(float: f64) -> String {
    let value = Value::Float(float);
    // EXPOSE: into the text of the document; the caller puts it into a wiping buffer.
    String::from_utf8_lossy(value.canonical().expose()).into_owned()
}

/// With an exponent below 1e-4 and from 1e6 on: Go's formats `g` and `G` for the shortest digits; the letter says which.
pub(super) fn general(float: f64, letter: char) -> String {
    match Digits::of(float) {
        Some(digits) if !(-4..6).contains(&digits.exponent) => digits.scientific(letter, 2),
        _ => fixed(float),
    }
}

/// As Go's `encoding/json` writes it: with an exponent below 1e-6 and from 1e21 on.
pub(super) fn json(float: f64) -> String {
    match Digits::of(float) {
        Some(digits) if digits.digits != "0" && !(-6..21).contains(&digits.exponent) => {
            digits.scientific('e', 1)
        }
        _ => fixed(float),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // go: strconv.FormatFloat(f, 'g', -1, 64)
    #[test]
    fn exponents_begin_where_go_begins_them() {
        for (float, expected) in [
            (0.0, "0"),
            (-0.0, "-0"),
            (1.5, "1.5"),
            (100_000.0, "100000"),
            (999_999.5, "999999.5"),
            (1e6, "1e+06"),
            (1_234_567.5, "1.2345675e+06"),
            (0.0001, "0.0001"),
            (0.00001, "1e-05"),
            (1e21, "1e+21"),
            (-1.25e-300, "-1.25e-300"),
            (f64::NAN, "NaN"),
            (f64::INFINITY, "+Inf"),
        ] {
            assert_eq!(general(float, 'e'), expected);
        }
    }

    // go: json.Marshal(f)
    #[test]
    fn json_numbers_follow_go() {
        for (float, expected) in [
            (-0.0, "-0"),
            (0.000_001, "0.000001"),
            (1e-7, "1e-7"),
            (1.5e-10, "1.5e-10"),
            (9.223_372_036_854_776e18, "9223372036854776000"),
            (1e20, "100000000000000000000"),
            (1e21, "1e+21"),
        ] {
            assert_eq!(json(float), expected);
        }
    }
}
