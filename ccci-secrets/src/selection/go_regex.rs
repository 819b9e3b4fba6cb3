//! Go's pattern syntax for the `regex` crate, which silently means other things by some of the same text.

use regex::bytes::Regex;

/// Largest repetition count that Go takes.
const MAX_REPEAT: u32 = 1000;

/// Compiles a pattern of Go's `regexp`.
///
/// # Errors
/// Why the pattern is not one, or cannot mean here what it means in Go.
pub(crate) fn compile(pattern: &str) -> Result<Regex, String> {
    let translated = Translation::of(pattern)?;
    Regex::new(&translated).map_err(|error| last_line(&error.to_string()))
}

/// The reason of the regex crate stands on the last line of its message.
fn last_line(message: &str) -> String {
    message
        .lines()
        .last()
        .unwrap_or("not a pattern")
        .trim_start_matches("error: ")
        .to_owned()
}

/// Reads the pattern once, from left to right.
struct Translation<'p> {
    rest: &'p str,
    out: String,
    /// Whether the last thing read was a repetition: Go refuses another one behind it.
    after_repeat: bool,
}

impl Translation<'_> {
    fn of(pattern: &str) -> Result<String, String> {
        let mut translation = Translation {
            rest: pattern,
            out: String::new(),
            after_repeat: false,
        };
        while let Some(next) = translation.take() {
            translation.step(next)?;
        }
        Ok(translation.out)
    }

    fn take(&mut self) -> Option<char> {
        let next = self.rest.chars().next()?;
        self.rest = self.rest.get(next.len_utf8()..).unwrap_or_default();
        Some(next)
    }

    fn eat(&mut self, text: &str) -> bool {
        let Some(rest) = self.rest.strip_prefix(text) else {
            return false;
        };
        self.rest = rest;
        true
    }

    fn step(&mut self, next: char) -> Result<(), String> {
        let repeated = std::mem::take(&mut self.after_repeat);
        match next {
            '\\' => self.escape(false),
            '[' => self.class(),
            '*' | '+' | '?' => self.repeat(&next.to_string(), repeated),
            '{' => self.braces(repeated),
            '}' | ']' => {
                self.out.push('\\');
                self.out.push(next);
                Ok(())
            }
            '(' => self.group(),
            _ => {
                self.out.push(next);
                Ok(())
            }
        }
    }

    fn repeat(&mut self, operator: &str, repeated: bool) -> Result<(), String> {
        if repeated {
            return Err("invalid nested repetition operator".into());
        }
        self.out.push_str(operator);
        if self.eat("?") {
            self.out.push('?');
        }
        self.after_repeat = true;
        Ok(())
    }

    /// `{n}`, `{n,}`, `{n,m}` repeat; any other brace is text.
    fn braces(&mut self, repeated: bool) -> Result<(), String> {
        let Some((inner, rest)) = self
            .rest
            .split_once('}')
            .filter(|(inner, _)| is_repeat(inner))
        else {
            self.out.push_str("\\{");
            return Ok(());
        };
        let too_large = |number: &str| {
            !number.is_empty() && number.parse::<u32>().map_or(true, |n| n > MAX_REPEAT)
        };
        if inner.split(',').any(too_large) {
            return Err("invalid repeat count".into());
        }
        self.rest = rest;
        self.repeat(&format!("{{{inner}}}"), repeated)
    }

    fn group(&mut self) -> Result<(), String> {
        self.out.push('(');
        if !self.eat("?") {
            return Ok(());
        }
        self.out.push('?');
        if self.rest.starts_with("P<") || self.rest.starts_with('<') {
            return Ok(());
        }
        // Go knows the flags i, m, s and U; others mean something only to the other engine.
        while let Some(next) = self.take() {
            self.out.push(next);
            match next {
                ')' | ':' => return Ok(()),
                'i' | 'm' | 's' | 'U' | '-' => {}
                _ => return Err("invalid or unsupported Perl syntax".into()),
            }
        }
        Err("missing closing )".into())
    }

    fn escape(&mut self, in_class: bool) -> Result<(), String> {
        let Some(next) = self.take() else {
            return Err("trailing backslash at end of expression".into());
        };
        let text = match (next, in_class) {
            ('w', false) => r"[0-9A-Za-z_]".into(),
            ('w', true) => "0-9A-Za-z_".into(),
            ('W', false) => r"[^0-9A-Za-z_]".into(),
            ('d', false) => "[0-9]".into(),
            ('d', true) => "0-9".into(),
            ('D', false) => "[^0-9]".into(),
            ('s', false) => r"[\t\n\x0C\r ]".into(),
            ('s', true) => r"\t\n\x0C\r ".into(),
            ('S', false) => r"[^\t\n\x0C\r ]".into(),
            ('W', true) => r"[^0-9A-Za-z_]".into(),
            ('D', true) => "[^0-9]".into(),
            ('S', true) => r"[^\t\n\x0C\r ]".into(),
            ('b', false) => r"(?-u:\b)".into(),
            ('B', false) => r"(?-u:\B)".into(),
            ('A' | 'z', false) => format!("\\{next}"),
            ('a' | 'f' | 'n' | 'r' | 't' | 'v', _) => format!("\\{next}"),
            ('p' | 'P', _) => return self.unicode_class(next),
            ('x', _) => return self.hexadecimal(),
            ('Q', false) => {
                let (literal, rest) = self.rest.split_once("\\E").unwrap_or((self.rest, ""));
                self.rest = rest;
                regex::escape(literal)
            }
            ('0'..='7', _) => return self.octal(next),
            (punctuation, _) if punctuation.is_ascii() && !punctuation.is_ascii_alphanumeric() => {
                literal(punctuation)
            }
            _ => return Err(format!("invalid escape sequence: `\\{next}`")),
        };
        self.out.push_str(&text);
        Ok(())
    }

    fn unicode_class(&mut self, letter: char) -> Result<(), String> {
        let name = if self.eat("{") {
            let (name, rest) = self
                .rest
                .split_once('}')
                .ok_or("invalid character class range")?;
            self.rest = rest;
            name.to_owned()
        } else {
            self.take()
                .ok_or("invalid character class range")?
                .to_string()
        };
        self.out.push_str(&format!("\\{letter}{{{name}}}"));
        Ok(())
    }

    fn hexadecimal(&mut self) -> Result<(), String> {
        let bad = || String::from("invalid escape sequence");
        let digits = if self.eat("{") {
            let (digits, rest) = self.rest.split_once('}').ok_or_else(bad)?;
            self.rest = rest;
            digits
        } else {
            let (digits, rest) = self.rest.split_at_checked(2).ok_or_else(bad)?;
            self.rest = rest;
            digits
        };
        let code = u32::from_str_radix(digits, 16).map_err(|_| bad())?;
        self.out.push_str(&format!("\\x{{{code:X}}}"));
        Ok(())
    }

    /// Octal: `\0` with up to two more digits, or two to three digits; a lone `\1` is a reference back, which neither has.
    fn octal(&mut self, first: char) -> Result<(), String> {
        let more = self
            .rest
            .chars()
            .take(2)
            .take_while(|digit| ('0'..='7').contains(digit))
            .count();
        if first != '0' && more == 0 {
            return Err("invalid escape sequence".into());
        }
        let (digits, rest) = self.rest.split_at(more);
        let code = u32::from_str_radix(&format!("{first}{digits}"), 8)
            .map_err(|_| "invalid escape sequence")?;
        self.rest = rest;
        self.out.push_str(&format!("\\x{{{code:X}}}"));
        Ok(())
    }

    /// A class: a `[` or `&&` inside is text to Go, and would nest or intersect here.
    fn class(&mut self) -> Result<(), String> {
        self.out.push('[');
        if self.eat("^") {
            self.out.push('^');
        }
        let mut first = true;
        loop {
            let Some(next) = self.take() else {
                return Err("missing closing ]".into());
            };
            match next {
                ']' if !first => break,
                ']' => self.out.push_str("\\]"),
                '[' if self.rest.starts_with(':') => self.posix_class()?,
                '[' | '&' | '~' | '^' => {
                    self.out.push('\\');
                    self.out.push(next);
                }
                '-' if self.rest.starts_with('-') => {
                    return Err("invalid character class range: `--`".into());
                }
                '\\' => self.escape(true)?,
                _ => self.out.push(next),
            }
            first = false;
        }
        self.out.push(']');
        Ok(())
    }

    fn posix_class(&mut self) -> Result<(), String> {
        let (name, rest) = self
            .rest
            .split_once(":]")
            .ok_or("invalid character class range")?;
        let name = name.to_owned();
        self.rest = rest;
        self.out.push_str(&format!("[{name}:]"));
        Ok(())
    }
}

fn is_repeat(inner: &str) -> bool {
    let (low, high) = inner.split_once(',').unwrap_or((inner, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    !low.is_empty() && digits(low) && digits(high)
}

/// A punctuation character as itself: `\<` would be the start of a word here.
fn literal(punctuation: char) -> String {
    format!("\\x{{{:X}}}", u32::from(punctuation))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    // Each row was asked of Go's regexp.MatchString.
    #[test]
    fn patterns_match_what_go_matches() {
        for (pattern, subject, expected) in [
            (r"^(data|stringData)$", "data", true),
            (r"\w", "é", false),
            (r"\d", "٣", false),
            (r"\s", "\u{b}", false),
            (r"\<a", "<a", true),
            (r"[[a]", "[", true),
            (r"[a&&b]", "&", true),
            (r"a{,3}", "a{,3}", true),
            (r"x{2", "x{2", true),
            (r"\Qa.b\E", "a.b", true),
            (r"\Qa.b\E", "axb", false),
            (r"\07", "\u{7}", true),
            (r"(?i)KEY", "key", true),
            (r"[[:alpha:]]", "a", true),
        ] {
            assert_eq!(
                compile(pattern).unwrap().is_match(subject.as_bytes()),
                expected,
                "{pattern} on {subject}"
            );
        }
    }

    #[test]
    fn what_go_refuses_is_refused() {
        for pattern in [
            "(", "a**", "x{1001}", "x{2}{3}", "(?x)a", "(?R)", r"\8", r"[z-a]", r"\", "[a",
        ] {
            assert!(compile(pattern).is_err(), "{pattern}");
        }
    }
}
