//! What YAML 1.1 reads as another type than sops does. A string like that stands in quotes, as sops writes it: what comes
//! out is often read by a program that still follows YAML 1.1.

/// Whether a text without quotes is no string to YAML 1.1.
pub(crate) fn has_one(text: &str) -> bool {
    is_old_bool(text) || is_base_60(text)
}

/// What YAML 1.1 took for a bool.
fn is_old_bool(text: &str) -> bool {
    matches!(
        text,
        "y" | "Y"
            | "yes"
            | "Yes"
            | "YES"
            | "on"
            | "On"
            | "ON"
            | "n"
            | "N"
            | "no"
            | "No"
            | "NO"
            | "off"
            | "Off"
            | "OFF"
    )
}

/// What YAML 1.1 took for a number to the base of 60: `-?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?`.
fn is_base_60(text: &str) -> bool {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
    let is_digit = |c: char| c.is_ascii_digit() || c == '_';
    if !fraction.chars().all(is_digit) {
        return false;
    }
    let mut parts = whole.split(':');
    let first = parts.next().unwrap_or_default();
    let mut count = 0;
    let rest = parts.all(|part| {
        count += 1;
        match part.as_bytes() {
            [unit] => unit.is_ascii_digit(),
            [b'0'..=b'5', unit] => unit.is_ascii_digit(),
            _ => false,
        }
    });
    first.starts_with(|c: char| c.is_ascii_digit())
        && first.chars().all(is_digit)
        && rest
        && count > 0
}
