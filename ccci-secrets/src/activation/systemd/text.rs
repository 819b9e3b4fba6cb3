//! How paths and names are written for systemd: what systemd.syntax(7), systemd.unit(5) and tmpfiles.d(5) ask for.

use super::UnitError;

/// A path as the name of the unit that is responsible for it, without a suffix.
pub(super) fn escaped_path(path: &str) -> String {
    let inner = path.trim_matches('/');
    if inner.is_empty() {
        return "-".into();
    }
    let mut name = String::new();
    for (position, byte) in inner.bytes().enumerate() {
        match byte {
            b'/' => name.push('-'),
            b'.' if position == 0 => name.push_str("\\x2e"),
            _ if byte.is_ascii_alphanumeric() || b":_.".contains(&byte) => name.push(byte.into()),
            _ => name.push_str(&format!("\\x{byte:02x}")),
        }
    }
    name
}

/// A path as one word of a list of paths, or of a line of tmpfiles.d. Specifiers are not expanded in it.
pub(super) fn word(path: &str) -> Result<String, UnitError> {
    check(path)?;
    Ok(quoted(&path.replace('%', "%%")))
}

/// A word of a command line: variables are not expanded in it either.
pub(super) fn argument(word: &str) -> Result<String, UnitError> {
    check(word)?;
    Ok(quoted(&word.replace('%', "%%").replace('$', "$$")))
}

/// The program of a command line, in which no variable is looked for.
pub(super) fn program(path: &str) -> Result<String, UnitError> {
    word(path)
}

/// The value of a setting that takes the rest of the line as it stands.
pub(super) fn line(path: &str) -> Result<String, UnitError> {
    check(path)?;
    // Blanks at the end of a line are dropped, and a backslash joins it with the next.
    match path.ends_with([' ', '\\']) {
        true => Err(UnitError::UnwritablePath(path.into())),
        false => Ok(path.replace('%', "%%")),
    }
}

fn check(path: &str) -> Result<(), UnitError> {
    match path.contains(char::is_control) {
        true => Err(UnitError::UnwritablePath(path.into())),
        false => Ok(()),
    }
}

fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+:@,=%".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return text.into();
    }
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// Whether a unit can have this name.
#[must_use]
pub fn is_unit_name(name: &str) -> bool {
    let is_part = |c: char| c.is_ascii_alphanumeric() || ":-_.\\@".contains(c);
    let Some((stem, suffix)) = name.rsplit_once('.') else {
        return false;
    };
    name.len() <= LONGEST_NAME
        && SUFFIXES.contains(&suffix)
        && !stem.is_empty()
        && !stem.starts_with('@')
        && stem.chars().all(is_part)
}

/// A name as systemctl takes it: without a suffix it is that of a service.
pub(super) fn full_name(name: &str) -> String {
    let suffix = name.rsplit_once('.').map(|(_, suffix)| suffix);
    match suffix {
        Some(suffix) if SUFFIXES.contains(&suffix) => name.into(),
        _ => format!("{name}.service"),
    }
}

const LONGEST_NAME: usize = 255;
const SUFFIXES: [&str; 11] = [
    "automount",
    "device",
    "mount",
    "path",
    "scope",
    "service",
    "slice",
    "socket",
    "swap",
    "target",
    "timer",
];
