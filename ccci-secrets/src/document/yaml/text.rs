//! The text that a scalar token stands for: folding, escapes and chomping.
//!
//! The scanner has checked the token; what cannot be in a checked token is passed over here without an error.

use crate::document::BlockScalar;
use crate::document::Chomp;
use crate::document::Scalar;
use crate::document::Span;
use crate::document::Style;
use crate::document::yaml::chars::Break;
use crate::document::yaml::chars::has_break;
use crate::document::yaml::chars::is_blank;
use crate::document::yaml::chars::line_break;
use crate::document::yaml::chars::line_end;
use crate::secret::Secret;
use crate::value::Text;

/// The text of a scalar; borrowed from the source where the token holds it as it is.
pub(crate) fn decode<'a>(source: &'a [u8], scalar: &Scalar) -> Text<'a> {
    let token = slice(source, scalar.span);
    match scalar.style() {
        Style::Plain if has_break(token) => Text::Owned(unfold_plain(token)),
        Style::Plain => Text::Borrowed(token),
        Style::SingleQuoted => single_quoted(unquote(token)),
        Style::DoubleQuoted => double_quoted(unquote(token)),
        Style::Literal(block) => Text::Owned(block_scalar(source, block, Lines::Kept)),
        Style::Folded(block) => Text::Owned(block_scalar(source, block, Lines::Folded)),
    }
}

/// The bytes of a span; empty if it lies outside.
pub(super) fn slice(source: &[u8], span: Span) -> &[u8] {
    source.get(span.range()).unwrap_or_default()
}

fn unquote(token: &[u8]) -> &[u8] {
    token
        .get(1..token.len().saturating_sub(1))
        .unwrap_or_default()
}

fn unfold_plain(token: &[u8]) -> Secret {
    let mut out = Secret::with_capacity(token.len());
    let mut rest = token;
    while !rest.is_empty() {
        push_word(&mut out, &mut rest, |_| false);
        push_gap(&mut out, &mut rest, Gap::Between);
    }
    out
}

fn single_quoted(inner: &[u8]) -> Text<'_> {
    if memchr::memchr(b'\'', inner).is_none() && !has_break(inner) {
        return Text::Borrowed(inner);
    }
    let mut out = Secret::with_capacity(inner.len());
    let mut rest = inner;
    while !rest.is_empty() {
        push_word(&mut out, &mut rest, |byte| byte == b'\'');
        if let [b'\'', after @ ..] = rest {
            out.extend(b"'");
            rest = after.strip_prefix(b"'").unwrap_or(after);
        } else {
            push_gap(&mut out, &mut rest, Gap::Between);
        }
    }
    Text::Owned(out)
}

fn double_quoted(inner: &[u8]) -> Text<'_> {
    if memchr::memchr(b'\\', inner).is_none() && !has_break(inner) {
        return Text::Borrowed(inner);
    }
    let mut out = Secret::with_capacity(inner.len());
    let mut rest = inner;
    while !rest.is_empty() {
        push_word(&mut out, &mut rest, |byte| byte == b'\\');
        match rest {
            [b'\\', after @ ..] => match line_break(after) {
                Some(Break { len, .. }) => {
                    rest = after.get(len..).unwrap_or_default();
                    push_gap(&mut out, &mut rest, Gap::AfterEscapedBreak);
                }
                None => rest = push_escape(&mut out, after),
            },
            _ => push_gap(&mut out, &mut rest, Gap::Between),
        }
    }
    Text::Owned(out)
}

/// Moves bytes up to the next blank, line break or `stop` byte.
fn push_word(out: &mut Secret, rest: &mut &[u8], stop: impl Fn(u8) -> bool) {
    let ends = |(at, &byte): (usize, &u8)| {
        let ended = match byte {
            b' ' | b'\t' | b'\n' | b'\r' => true,
            0xC2 | 0xE2 => rest.get(at..).and_then(line_break).is_some(),
            _ => stop(byte),
        };
        ended.then_some(at)
    };
    let end = rest.iter().enumerate().find_map(ends).unwrap_or(rest.len());
    let (word, after) = rest.split_at_checked(end).unwrap_or((rest, &[]));
    out.extend(word);
    *rest = after;
}

/// What stands before a run of blanks and line breaks.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Gap {
    /// A backslash that has taken the first line break away.
    AfterEscapedBreak,
    /// Text, or the opening quote.
    Between,
}

/// Takes the run of blanks and line breaks at the start of `rest` and writes what folding makes of it.
fn push_gap(out: &mut Secret, rest: &mut &[u8], kind: Gap) {
    let start = *rest;
    let mut first = None;
    let mut later = false;
    if kind == Gap::AfterEscapedBreak {
        first = Some(Break { len: 0, text: b"" });
    }
    loop {
        if let [byte, after @ ..] = *rest
            && is_blank(*byte)
        {
            *rest = after;
        } else if let Some(found) = line_break(rest) {
            *rest = rest.get(found.len..).unwrap_or_default();
            if first.is_some() {
                later = true;
                out.extend(found.text);
            } else {
                first = Some(found);
                // A single line break becomes a space below; LS and PS are text that stays.
                if !found.folds() {
                    out.extend(found.text);
                }
            }
        } else {
            break;
        }
    }
    match first {
        None => out.extend(start.get(..start.len() - rest.len()).unwrap_or_default()),
        Some(found) if found.folds() && !later => out.extend(b" "),
        Some(_) => {}
    }
}

/// Writes what the escape after a backslash stands for, and gives what follows it.
fn push_escape<'a>(out: &mut Secret, after: &'a [u8]) -> &'a [u8] {
    let [letter, rest @ ..] = after else {
        return &[];
    };
    let fixed: &[u8] = match letter {
        b'0' => b"\0",
        b'a' => b"\x07",
        b'b' => b"\x08",
        b't' | b'\t' => b"\t",
        b'n' => b"\n",
        b'v' => b"\x0B",
        b'f' => b"\x0C",
        b'r' => b"\r",
        b'e' => b"\x1B",
        b'N' => "\u{85}".as_bytes(),
        b'_' => "\u{A0}".as_bytes(),
        b'L' => "\u{2028}".as_bytes(),
        b'P' => "\u{2029}".as_bytes(),
        b' ' => b" ",
        b'"' => b"\"",
        b'\'' => b"'",
        b'\\' => b"\\",
        _ => {
            let digits = hex_digits(*letter).unwrap_or(0);
            let (code, rest) = rest.split_at_checked(digits).unwrap_or((rest, &[]));
            if let Some(character) = code_point(code) {
                out.extend(character.encode_utf8(&mut [0; 4]).as_bytes());
            }
            return rest;
        }
    };
    out.extend(fixed);
    rest
}

/// How many hexadecimal digits follow `\x`, `\u` and `\U`.
pub(super) fn hex_digits(letter: u8) -> Option<usize> {
    match letter {
        b'x' => Some(2),
        b'u' => Some(4),
        b'U' => Some(8),
        _ => None,
    }
}

/// The character that hexadecimal digits name; surrogates are none.
pub(super) fn code_point(digits: &[u8]) -> Option<char> {
    let digits = std::str::from_utf8(digits)
        .ok()
        .filter(|digits| digits.bytes().all(|d| d.is_ascii_hexdigit()))?;
    char::from_u32(u32::from_str_radix(digits, 16).ok()?)
}

/// Whether a block scalar keeps its line breaks.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Lines {
    Folded,
    Kept,
}

fn block_scalar(source: &[u8], block: BlockScalar, lines: Lines) -> Secret {
    let mut rest = slice(source, block.body);
    let mut out = Secret::with_capacity(rest.len());
    // The break of the last content line, and the blank lines after it: both wait for what follows.
    let mut pending: Option<Break> = None;
    let mut blank_lines = skip_blank_lines(&mut rest, block.indent);
    let mut was_indented = false;
    while let Some(line) = content_line(&mut rest, block.indent) {
        let is_indented = line.first().is_some_and(|&byte| is_blank(byte));
        let folds = lines == Lines::Folded
            && !was_indented
            && !is_indented
            && pending.is_some_and(Break::folds);
        if !folds {
            out.extend(pending.map_or(&[], |found| found.text));
        } else if blank_lines.is_empty() {
            out.extend(b" ");
        }
        push_breaks(&mut out, blank_lines);
        out.extend(line);
        was_indented = is_indented;
        pending = line_break(rest);
        rest = rest
            .get(pending.map_or(0, |found| found.len)..)
            .unwrap_or_default();
        blank_lines = skip_blank_lines(&mut rest, block.indent);
    }
    if block.chomp != Chomp::Strip {
        out.extend(pending.map_or(&[], |found| found.text));
    }
    if block.chomp == Chomp::Keep {
        push_breaks(&mut out, blank_lines);
    }
    out
}

/// Takes lines of nothing but indentation.
fn skip_blank_lines<'a>(rest: &mut &'a [u8], indent: u32) -> &'a [u8] {
    let start = *rest;
    loop {
        let spaces = indentation(rest, indent);
        let after = rest.get(spaces..).unwrap_or_default();
        let Some(found) = line_break(after) else {
            break;
        };
        *rest = after.get(found.len..).unwrap_or_default();
    }
    start.get(..start.len() - rest.len()).unwrap_or_default()
}

/// Takes a content line without its break; `None` at the end of the scalar.
fn content_line<'a>(rest: &mut &'a [u8], indent: u32) -> Option<&'a [u8]> {
    let spaces = indentation(rest, indent);
    let content = rest.get(spaces..)?;
    if content.is_empty() || u32::try_from(spaces).ok()? < indent {
        return None;
    }
    let (line, after) = content.split_at_checked(line_end(content))?;
    *rest = after;
    Some(line)
}

fn indentation(line: &[u8], indent: u32) -> usize {
    line.iter()
        .take(usize::try_from(indent).unwrap_or(usize::MAX))
        .take_while(|&&byte| byte == b' ')
        .count()
}

fn push_breaks(out: &mut Secret, blank_lines: &[u8]) {
    let mut rest = blank_lines;
    while !rest.is_empty() {
        let found = line_break(rest);
        out.extend(found.map_or(&[], |found| found.text));
        rest = rest
            .get(found.map_or(1, |found| found.len)..)
            .unwrap_or_default();
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
mod tests {
    use super::*;
    use crate::document::Props;

    fn text(source: &str, style: Style) -> String {
        let span = Span::new(0, source.len());
        let scalar = Scalar::new(span, style, Props::default(), false);
        // EXPOSE: to the assertion of a test.
        String::from_utf8(decode(source.as_bytes(), &scalar).expose().to_vec()).unwrap()
    }

    fn block(body: &str, indent: u32, chomp: Chomp) -> BlockScalar {
        BlockScalar {
            header: Span::new(0, 0),
            body: Span::new(0, body.len()),
            indent,
            chomp,
        }
    }

    fn literal(body: &str, indent: u32, chomp: Chomp) -> String {
        text(body, Style::Literal(block(body, indent, chomp)))
    }

    fn folded(body: &str, indent: u32, chomp: Chomp) -> String {
        text(body, Style::Folded(block(body, indent, chomp)))
    }

    #[test]
    fn one_line_break_is_a_space_and_more_are_one_less() {
        assert_eq!(text("x\n  y", Style::Plain), "x y");
        assert_eq!(text("x \t\r\n\n  y", Style::Plain), "x\ny");
        assert_eq!(text("x\n\n \n  y", Style::Plain), "x\n\ny");
        assert_eq!(text("'x\n  y'", Style::SingleQuoted), "x y");
        assert_eq!(text("\"x\n  y\"", Style::DoubleQuoted), "x y");
    }

    #[test]
    fn next_line_folds_but_line_separator_stays() {
        assert_eq!(text("x\u{85}  y", Style::Plain), "x y");
        assert_eq!(text("x\u{2028}  y", Style::Plain), "x\u{2028}y");
        assert_eq!(text("x\u{2029}\n  y", Style::Plain), "x\u{2029}\ny");
        assert_eq!(text("x\n\u{2028}  y", Style::Plain), "x\u{2028}y");
    }

    #[test]
    fn unfolded_tokens_are_borrowed() {
        let scalar = Scalar::new(
            Span::new(0, 5),
            Style::SingleQuoted,
            Props::default(),
            false,
        );
        assert!(matches!(decode(b"'a b'", &scalar), Text::Borrowed(b"a b")));
    }

    #[test]
    fn blanks_inside_a_line_are_kept_and_at_a_fold_dropped() {
        assert_eq!(text("a  b\tc", Style::Plain), "a  b\tc");
        assert_eq!(text("'  a  '", Style::SingleQuoted), "  a  ");
        assert_eq!(text("'  \n  a  \n '", Style::SingleQuoted), " a ");
    }

    #[test]
    fn doubled_quotes_are_one() {
        assert_eq!(text("'it''s'", Style::SingleQuoted), "it's");
        assert_eq!(text("''''", Style::SingleQuoted), "'");
        assert_eq!(text("'a '' b'", Style::SingleQuoted), "a ' b");
        assert_eq!(text("''", Style::SingleQuoted), "");
    }

    #[test]
    fn every_escape_stands_for_its_character() {
        let source = r#""\0\a\b\t\n\v\f\r\e\ \"\'\\\N\_\L\P\x41\u00e9\U0001F600""#;
        let expected =
            "\0\u{7}\u{8}\t\n\u{B}\u{C}\r\u{1B} \"'\\\u{85}\u{A0}\u{2028}\u{2029}A\u{e9}\u{1F600}";
        assert_eq!(text(source, Style::DoubleQuoted), expected);
        assert_eq!(text("\"a\\\tb\"", Style::DoubleQuoted), "a\tb");
    }

    #[test]
    fn escaped_line_break_joins_without_a_space() {
        assert_eq!(text("\"x\\\n  y\"", Style::DoubleQuoted), "xy");
        assert_eq!(text("\"x \\\r\n  y\"", Style::DoubleQuoted), "x y");
        assert_eq!(text("\"x\\\n\n  y\"", Style::DoubleQuoted), "x\ny");
        assert_eq!(text("\"x\\\n  \\  y\"", Style::DoubleQuoted), "x  y");
    }

    #[test]
    fn chomping_decides_the_last_breaks() {
        assert_eq!(literal("  a\n  b\n\n", 2, Chomp::Clip), "a\nb\n");
        assert_eq!(literal("  a\n  b\n\n", 2, Chomp::Keep), "a\nb\n\n");
        assert_eq!(literal("  a\n  b\n\n", 2, Chomp::Strip), "a\nb");
        assert_eq!(literal("  a", 2, Chomp::Clip), "a");
        assert_eq!(literal("\n\n", 2, Chomp::Clip), "");
        assert_eq!(literal("\n\n", 2, Chomp::Keep), "\n\n");
    }

    #[test]
    fn literal_normalises_breaks_and_keeps_deeper_indentation() {
        assert_eq!(
            literal("  a\r\n\r\n    b\r\n", 2, Chomp::Clip),
            "a\n\n  b\n"
        );
        assert_eq!(literal("  a\n     ", 2, Chomp::Clip), "a\n   ");
        assert_eq!(literal("\n  a\n", 2, Chomp::Clip), "\na\n");
        assert_eq!(literal("  a\n b\n", 2, Chomp::Clip), "a\n");
    }

    #[test]
    fn folded_joins_lines_except_around_indented_ones() {
        assert_eq!(folded("  a\n  b\n\n  c\n", 2, Chomp::Clip), "a b\nc\n");
        assert_eq!(folded("  a\n    b\n  c\n", 2, Chomp::Clip), "a\n  b\nc\n");
        assert_eq!(
            folded("  a\n\n    b\n\n  c\n", 2, Chomp::Strip),
            "a\n\n  b\n\nc"
        );
    }
}
