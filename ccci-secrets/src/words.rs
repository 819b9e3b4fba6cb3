//! Command lines in variables: split like a shell would, run without one.

/// Splits a command line into words; `None` when a quote is open at the end.
///
/// The rules are those of the splitter that sops uses: single quotes keep everything, double quotes keep everything but
/// the backslash, a backslash keeps the next character, `#` at the start of a word begins a comment.
#[must_use]
pub fn split(line: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut characters = line.chars();
    while let Some(character) = characters.next() {
        match character {
            ' ' | '\t' | '\r' | '\n' => words.extend(word.take()),
            '#' if word.is_none() => {
                // The comment ends with its line.
                characters.by_ref().find(|character| *character == '\n');
            }
            '\\' => word.get_or_insert_default().push(characters.next()?),
            '\'' | '"' => quoted(character, &mut characters, word.get_or_insert_default())?,
            _ => word.get_or_insert_default().push(character),
        }
    }
    words.extend(word);
    Some(words)
}

fn quoted(quote: char, characters: &mut std::str::Chars<'_>, word: &mut String) -> Option<()> {
    loop {
        match characters.next()? {
            character if character == quote => return Some(()),
            '\\' if quote == '"' => word.push(characters.next()?),
            character => word.push(character),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_split_like_a_shell_would() {
        let words = |line: &str| split(line).unwrap_or_else(|| vec!["open".into()]);
        assert_eq!(words(r"a  b\ c"), ["a", "b c"]);
        assert_eq!(
            words(r#"a 'b "c\' "d 'e\"f""#),
            ["a", r#"b "c\"#, r#"d 'e"f"#]
        );
        assert_eq!(words("a'b'\"c\" ''"), ["abc", ""]);
        assert_eq!(words("a b#c # d 'e"), ["a", "b#c"]);
        assert_eq!(words("a # b\nc"), ["a", "c"]);
        assert_eq!(words("$HOME *.txt a;b"), ["$HOME", "*.txt", "a;b"]);
        assert_eq!(words(" \t\n"), [""; 0]);
        for open in ["'a", "\"a", "a\\", "\"a\\"] {
            assert_eq!(split(open), None);
        }
    }
}
