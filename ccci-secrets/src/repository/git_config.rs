//! The text of `.gitmodules` and of a repository's `config`: as much of git's configuration syntax as their values need.

/// One setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Setting {
    /// The section, in lower case.
    pub(super) section: String,
    /// The subsection, as it is written.
    pub(super) subsection: Option<String>,
    /// The key, in lower case.
    pub(super) key: String,
    /// The value, without quotes and comment.
    pub(super) value: String,
}

/// The values of a key in all sections of a name, subsection or not; both names in lower case.
pub(super) fn values(text: &[u8], section: &str, key: &str) -> Vec<String> {
    let wanted = |setting: &Setting| setting.section == section && setting.key == key;
    let found = settings(text).into_iter().filter(wanted);
    found.map(|setting| setting.value).collect()
}

/// All settings, in order.
pub(super) fn settings(text: &[u8]) -> Vec<Setting> {
    let text = String::from_utf8_lossy(text);
    let mut section = String::new();
    let mut subsection = None;
    let mut found = Vec::new();
    for line in text.trim_start_matches('\u{feff}').lines() {
        let line = line.trim();
        let entry = match line.strip_prefix('[') {
            Some(header) => {
                let (head, behind) = split_header(header);
                (section, subsection) = names(head);
                behind
            }
            None => line,
        };
        if let Some((name, value)) = entry.split_once('=') {
            found.push(Setting {
                section: section.clone(),
                subsection: subsection.clone(),
                key: name.trim().to_ascii_lowercase(),
                value: unquote(value.trim_start()),
            });
        }
    }
    found
}

/// The header of a section up to its bracket, and what follows on the same line.
fn split_header(header: &str) -> (&str, &str) {
    // A subsection may hold a bracket; its header ends behind the closing quote.
    header
        .rsplit_once("\"]")
        .or_else(|| header.split_once(']'))
        .unwrap_or((header, ""))
}

/// Section and subsection of a header.
fn names(head: &str) -> (String, Option<String>) {
    let (section, subsection) = match head.split_once('"') {
        Some((section, subsection)) => (section, Some(subsection)),
        None => (head, None),
    };
    let unescaped = |text: &str| unquote(&format!("\"{text}\""));
    (
        section.trim().to_ascii_lowercase(),
        subsection.map(unescaped),
    )
}

/// A value without its quotes, escapes and comment; white space at the end counts only inside quotes.
fn unquote(value: &str) -> String {
    let mut out = String::new();
    let mut kept = 0;
    let mut quoted = false;
    let mut signs = value.chars();
    while let Some(sign) = signs.next() {
        match sign {
            '"' => quoted = !quoted,
            '#' | ';' if !quoted => break,
            '\\' => match signs.next() {
                Some('n') => out.push('\n'),
                Some('t') => out.push('\t'),
                Some('b') => out.push('\u{8}'),
                Some(other) => out.push(other),
                None => break,
            },
            _ => out.push(sign),
        }
        if quoted || !sign.is_whitespace() {
            kept = out.len();
        }
    }
    out.truncate(kept);
    out
}

#[cfg(test)]
#[allow(clippy::indexing_slicing, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_as_git_reads_them() {
        let text = b"# path = no\n[core]\n\tpath = no\n[submodule \"a\"]\n\tpath = secrets\n\turl = ../x\n\
            [Submodule \"b ] c\"]\n  Path=\"with space \" ; comment\n[submodule \"d\"] path = d/e # f\n\
            [submodule \"q\"]\n\tpath = \"a\\\"b\"\n";
        assert_eq!(
            values(text, "submodule", "path"),
            ["secrets", "with space ", "d/e", "a\"b"]
        );
        let named = settings(b"[url \"https://a ] \\\"b\\\"/\"]\n\tInsteadOf = x\n[http] a=1\n");
        assert_eq!(named[0].subsection.as_deref(), Some("https://a ] \"b\"/"));
        assert_eq!((&*named[0].section, &*named[0].key), ("url", "insteadof"));
        assert_eq!((&*named[1].section, &*named[1].key), ("http", "a"));
        assert_eq!(named[1].subsection, None);
    }
}
