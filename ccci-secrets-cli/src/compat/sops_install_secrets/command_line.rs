//! Its command line, as the flag package of Go reads it: one dash or two, `-flag=value` or `-flag value`, and nothing after
//! the first word that is no flag.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::error::CommandError;

/// What a command line asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    Help,
    Run(Typed),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Typed {
    pub(super) check_mode: CheckMode,
    pub(super) ignore_passwd: bool,
    /// Exit with 1 whenever nothing was changed, whatever the reason.
    pub(super) folds_exits: bool,
    pub(super) manifest: PathBuf,
}

/// What is looked at without installing anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CheckMode {
    Manifest,
    Off,
    SopsFile,
}

/// Reads a command line whose first word is the program.
pub(super) fn parse(arguments: &[OsString]) -> Result<Asked, CommandError> {
    let mut words = arguments.iter().skip(1).peekable();
    let mut typed = Typed {
        check_mode: CheckMode::Off,
        ignore_passwd: false,
        folds_exits: false,
        manifest: PathBuf::new(),
    };
    while let Some(flag) = words.peek().and_then(|word| word.to_str()).and_then(flag) {
        words.next();
        let (name, value) = match flag {
            Flag::End => break,
            Flag::Named(name, value) => (name, value.map(str::to_owned)),
        };
        match name {
            "h" | "help" => return Ok(Asked::Help),
            "check-mode" => {
                let mut next = || words.next().and_then(|word| word.to_str());
                let value = value.or_else(|| next().map(str::to_owned));
                typed.check_mode = check_mode(value.as_deref())?;
            }
            "ignore-passwd" => typed.ignore_passwd = boolean(name, value.as_deref())?,
            "compat-exit" => typed.folds_exits = boolean(name, value.as_deref())?,
            _ => {
                return Err(wrong(format!(
                    "there is no flag `-{}`",
                    name.escape_debug()
                )));
            }
        }
    }
    let manifest = words.next();
    match (manifest, words.next()) {
        (Some(manifest), None) => {
            typed.manifest = PathBuf::from(manifest);
            Ok(Asked::Run(typed))
        }
        (None, _) => Err(wrong("no manifest was named")),
        (Some(_), Some(_)) => Err(wrong("one manifest is enough")),
    }
}

/// A word that begins as a flag.
enum Flag<'a> {
    /// Two dashes: the rest are no flags.
    End,
    Named(&'a str, Option<&'a str>),
}

fn flag(word: &str) -> Option<Flag<'_>> {
    let name = word.strip_prefix('-')?;
    let name = name.strip_prefix('-').unwrap_or(name);
    match (word, name.split_once('=')) {
        ("-", _) => None,
        ("--", _) => Some(Flag::End),
        (_, Some((name, value))) => Some(Flag::Named(name, Some(value))),
        (_, None) => Some(Flag::Named(name, None)),
    }
}

fn check_mode(value: Option<&str>) -> Result<CheckMode, CommandError> {
    match value {
        Some("manifest") => Ok(CheckMode::Manifest),
        Some("off") => Ok(CheckMode::Off),
        Some("sopsfile") => Ok(CheckMode::SopsFile),
        Some(other) => Err(wrong(format!(
            "`{}` is not one of manifest, off, sopsfile (-check-mode)",
            other.escape_debug()
        ))),
        None => Err(wrong("-check-mode needs one of manifest, off, sopsfile")),
    }
}

/// The words for yes and no that Go knows.
fn boolean(name: &str, value: Option<&str>) -> Result<bool, CommandError> {
    match value {
        None | Some("1" | "t" | "T" | "true" | "TRUE" | "True") => Ok(true),
        Some("0" | "f" | "F" | "false" | "FALSE" | "False") => Ok(false),
        Some(other) => Err(wrong(format!(
            "`{}` is neither true nor false (-{name})",
            other.escape_debug()
        ))),
    }
}

fn wrong(message: impl Into<String>) -> CommandError {
    CommandError::usage(message).hint("see `sops-install-secrets -help`")
}

/// What `-help` says.
pub(super) fn help(arguments: &[OsString]) -> String {
    let program = arguments.first().map_or(Path::new(super::NAME), Path::new);
    format!(
        "Usage: {} [OPTION] manifest.json
  -check-mode MODE
    \tlook at the manifest alone (manifest), or at the sops files that it names too (sopsfile); no key is needed
  -compat-exit
    \texit with 1 whenever nothing was changed, whatever the reason
  -ignore-passwd
    \tlook nobody up: everything belongs to root
",
        program.display()
    )
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn parsed(words: &[&str]) -> Result<Asked, CommandError> {
        let words: Vec<OsString> = std::iter::once(&"sops-install-secrets")
            .chain(words)
            .map(OsString::from)
            .collect();
        parse(&words)
    }

    fn typed(words: &[&str]) -> Typed {
        match parsed(words).unwrap() {
            Asked::Run(typed) => typed,
            Asked::Help => panic!("help was not asked for: {words:?}"),
        }
    }

    // Reference, section 3.
    #[test]
    fn s51_flags_are_read_as_by_go() {
        let plain = typed(&["m.json"]);
        assert_eq!(plain.check_mode, CheckMode::Off);
        assert!(!plain.ignore_passwd && !plain.folds_exits);
        for words in [
            &["-check-mode=manifest", "m.json"][..],
            &["--check-mode", "manifest", "m.json"],
            &["-check-mode", "sopsfile", "--check-mode=manifest", "m.json"],
        ] {
            assert_eq!(typed(words).check_mode, CheckMode::Manifest, "{words:?}");
        }
        assert!(typed(&["-ignore-passwd", "m.json"]).ignore_passwd);
        assert!(typed(&["--ignore-passwd=T", "--", "m.json"]).ignore_passwd);
        assert!(!typed(&["-ignore-passwd=false", "m.json"]).ignore_passwd);
        assert!(typed(&["--compat-exit", "m.json"]).folds_exits);
        assert_eq!(typed(&["-"]).manifest, Path::new("-"));
        assert_eq!(typed(&["--", "-m"]).manifest, Path::new("-m"));
        for words in [
            &["-h"][..],
            &["--help", "a", "b"],
            &["-ignore-passwd", "-help"],
        ] {
            assert_eq!(parsed(words).unwrap(), Asked::Help, "{words:?}");
        }
    }

    #[test]
    fn s51_what_is_not_meant_is_a_usage_error() {
        for words in [
            &[][..],
            &["a", "b"],
            &["a", "-ignore-passwd"],
            &["-bogus", "a"],
            &["-check-mode=bogus", "a"],
            &["-check-mode"],
            &["-ignore-passwd=maybe", "a"],
        ] {
            assert!(parsed(words).is_err(), "{words:?}");
        }
    }
}
