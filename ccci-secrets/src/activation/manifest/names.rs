//! Names inside a generation, paths outside it, modes and numbers.

use super::ManifestProblem;

/// What a kernel takes as one component of a path.
const LONGEST_COMPONENT: usize = 255;

/// A name below the generation: components separated by single slashes, none of them special.
pub(super) fn check_name(name: &str) -> Result<(), ManifestProblem> {
    if name.is_empty() {
        return Err(ManifestProblem::EmptyName);
    }
    for part in name.split('/') {
        let fault = match part {
            "" => "an empty component",
            "." | ".." => "a component that is `.` or `..`",
            _ if part.contains('\0') => "a NUL byte",
            _ if part.len() > LONGEST_COMPONENT => "a component of more than 255 bytes",
            _ => continue,
        };
        return Err(ManifestProblem::UnsafeName {
            name: name.into(),
            fault,
        });
    }
    Ok(())
}

/// A name of a unit: one word, as it can stand in a list that has one name a line.
pub(super) fn check_unit(name: &str) -> Result<(), ManifestProblem> {
    let is_foreign = |c: char| c.is_whitespace() || c.is_control() || c == '/';
    match name.is_empty() || name.contains(is_foreign) {
        true => Err(ManifestProblem::BadUnit(name.into())),
        false => Ok(()),
    }
}

/// A path outside: absolute, with nothing in it that could be spelt in another way.
pub(super) fn check_path(path: &str) -> Result<(), ManifestProblem> {
    let fault = match path.strip_prefix('/') {
        None => "is not absolute",
        Some("") => "is the root directory",
        Some(rest) => match check_name(rest) {
            Ok(()) => return Ok(()),
            Err(_) => "is not clean (empty, `.`, `..` or overlong component)",
        },
    };
    Err(ManifestProblem::BadPath {
        path: path.into(),
        fault,
    })
}

/// `^0?[0-7]{3}$`
pub(super) fn parse_mode(text: &str) -> Result<u32, ManifestProblem> {
    let digits = match text.len() {
        4 => text.strip_prefix('0'),
        3 => Some(text),
        _ => None,
    };
    digits
        .filter(|digits| digits.bytes().all(|digit| (b'0'..=b'7').contains(&digit)))
        .and_then(|digits| u32::from_str_radix(digits, 8).ok())
        .ok_or_else(|| ManifestProblem::BadMode(text.into()))
}

/// Octal digits, as many as there are, that say no more than the nine bits of a mode.
pub(super) fn parse_any_mode(text: &str) -> Result<u32, ManifestProblem> {
    let is_octal = text.bytes().all(|digit| (b'0'..=b'7').contains(&digit));
    let mode = u32::from_str_radix(text, 8).ok();
    mode.filter(|mode| is_octal && *mode <= 0o777)
        .ok_or_else(|| ManifestProblem::BadMode(text.into()))
}

/// A user or group id: the last one means "leave as it is" to the kernel and is refused.
pub(super) fn parse_id(number: i128) -> Result<u32, ManifestProblem> {
    u32::try_from(number)
        .ok()
        .filter(|id| *id != u32::MAX)
        .ok_or(ManifestProblem::IdOutOfRange(number))
}

/// What is left of `path` below `parent`, both clean.
pub(super) fn below<'a>(path: &'a str, parent: &str) -> Option<&'a str> {
    path.strip_prefix(parent)?.strip_prefix('/')
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn modes_are_three_octal_digits_with_an_optional_zero() {
        assert_eq!(parse_mode("0400").unwrap(), 0o400);
        assert_eq!(parse_mode("444").unwrap(), 0o444);
        for bad in [
            "", "u=r", "200000", "4755", "0999", " 0400", "0o400", "00400", "44", "+444",
        ] {
            assert!(parse_mode(bad).is_err(), "{bad:?}");
        }
    }

    // The reference takes 16 bits, and drops all but nine.
    #[test]
    fn other_octal_numbers_are_modes_to_the_reference() {
        for (text, mode) in [("0400", 0o400), ("400", 0o400), ("4", 4), ("000777", 0o777)] {
            assert_eq!(parse_any_mode(text).unwrap(), mode);
        }
        for bad in ["", "u=r", "4755", "0999", " 0400", "0o400", "+444", "-1"] {
            assert!(parse_any_mode(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn names_stay_inside() {
        for good in ["a", "a/b", "a..b", "...", "ä/ö"] {
            assert!(check_name(good).is_ok(), "{good:?}");
        }
        for bad in [
            "", ".", "..", "a/", "/a", "a//b", "../../x", "a/../b", "a\0b",
        ] {
            assert!(check_name(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn ids_end_before_minus_one() {
        assert_eq!(parse_id(4_294_967_294).unwrap(), 4_294_967_294);
        for bad in [-1, 4_294_967_295, 4_294_967_296] {
            assert!(parse_id(bad).is_err(), "{bad}");
        }
    }
}
