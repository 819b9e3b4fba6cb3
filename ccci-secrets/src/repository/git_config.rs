//! The text of `.gitmodules` and of a repository's `config`: as much of git's configuration syntax as their values need.

/// The values of a key in all sections of a name, subsection or not; both names in lower case.
pub(super) fn values(text: &[u8], section: &str, key: &str) -> Vec<String> {
    let text = String::from_utf8_lossy(text);
    let mut inside = false;
    let mut found = Vec::new();
    for line in text.trim_start_matches('\u{feff}').lines() {
        let line = line.trim();
        let entry = match line.strip_prefix('[') {
            Some(header) => {
                let (name, behind) = split_header(header);
                inside = name.eq_ignore_ascii_case(section);
                behind
            }
            None => line,
        };
        if let Some((name, value)) = entry.split_once('=')
            && inside
            && name.trim().eq_ignore_ascii_case(key)
        {
            found.push(unquote(value.trim_start()));
        }
    }
    found
}

/// The name of a section, and what follows its header on the same line.
fn split_header(header: &str) -> (&str, &str) {
    let end_of_name = |sign: char| sign.is_whitespace() || sign == ']' || sign == '"';
    let name = header.split(end_of_name).next().unwrap_or_default();
    // A subsection may hold a bracket; its header ends behind the closing quote.
    let behind = header.rsplit_once("\"]").or_else(|| header.split_once(']'));
    (name, behind.map_or("", |(_, behind)| behind))
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
    }
}
