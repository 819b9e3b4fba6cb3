//! How loud a sentence is, for the journal of systemd: a number in front of each line, as sd-daemon(3) has it.

use std::borrow::Cow;
use std::sync::OnceLock;

/// How loud.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Level {
    Error,
    /// As loud as what a service prints by itself.
    Note,
    Warning,
}

/// Whether standard error is the journal, and not what somebody has put in its place meanwhile.
pub(super) fn reads_along() -> bool {
    static IS_JOURNAL: OnceLock<bool> = OnceLock::new();
    *IS_JOURNAL.get_or_init(|| {
        #[expect(
            clippy::disallowed_methods,
            reason = "errors are printed where no Context is, too"
        )]
        let stream = std::env::var("JOURNAL_STREAM");
        let found = rustix::fs::fstat(std::io::stderr());
        match (stream, found) {
            (Ok(stream), Ok(found)) => stream == format!("{}:{}", found.st_dev, found.st_ino),
            _ => false,
        }
    })
}

/// The text, loud. The journal takes each line for itself.
pub(super) fn lines(level: Level, text: &str) -> Cow<'_, str> {
    let priority = match level {
        Level::Error => "<3>",
        Level::Warning => "<4>",
        Level::Note => return text.into(),
    };
    let lines = text.split_inclusive('\n');
    lines.flat_map(|line| [priority, line]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_line_of_an_error_is_one() {
        let text = "error: a\nhint: b\n";
        assert_eq!(lines(Level::Error, text), "<3>error: a\n<3>hint: b\n");
        assert_eq!(lines(Level::Warning, "a\n"), "<4>a\n");
        assert_eq!(lines(Level::Note, text), text);
        assert_eq!(lines(Level::Error, ""), "");
    }
}
