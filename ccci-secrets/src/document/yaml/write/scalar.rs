//! A scalar gets new content in its place and, where that can carry it, in its style (yaml.md 5.1 and 5.2).

use super::ending::with_chomp;
use super::lines::{BlockText, Lines};
use super::literal;
use super::place;
use super::token::{
    Setting, fits_single_quotes, is_plain_string, is_plain_syntax, push_binary, push_double_quoted,
    push_single_quoted, push_typed,
};
use crate::document::yaml::resolve::Tag;
use crate::document::{BlockScalar, Document, Edit, NewScalar, Scalar, Span, Style};
use crate::secret::Secret;
use crate::value::Value;

pub(crate) fn rewrite_scalar(
    document: &Document,
    scalar: &Scalar,
    new: &NewScalar<'_>,
) -> Vec<Edit> {
    let tag = tag(document, scalar);
    let mut edits = Vec::new();
    match new {
        NewScalar::Envelope(envelope) => {
            if tag.retypes() {
                edits.extend(remove_tag(document, scalar));
            }
            edits.extend(rewrite_text(document, scalar, envelope, Role::Envelope));
        }
        NewScalar::PlainEnvelope(envelope) => {
            if tag.retypes() {
                edits.extend(remove_tag(document, scalar));
            }
            let token = Secret::from_slice(envelope.as_bytes());
            edits.extend(replace_token(document, scalar, token));
        }
        NewScalar::Value {
            value: Value::Str(text),
            ..
        } => {
            // EXPOSE: into the wiping text of an edit.
            match std::str::from_utf8(text.expose()) {
                Ok(text) => match literal::in_place(document, scalar, text) {
                    Some(lines) => edits.extend(lines),
                    None => {
                        if tag.retypes() {
                            edits.extend(remove_tag(document, scalar));
                        }
                        edits.extend(rewrite_text(document, scalar, text, Role::Text));
                    }
                },
                Err(_) => {
                    edits.extend(remove_tag(document, scalar));
                    let mut token = Secret::with_capacity(text.expose().len() * 2);
                    push_binary(&mut token, text.expose());
                    edits.extend(replace_token(document, scalar, token));
                }
            }
        }
        NewScalar::Value { value, spelling } => {
            if tag != Tag::None {
                edits.extend(remove_tag(document, scalar));
            }
            let mut token = Secret::with_capacity(32);
            push_typed(&mut token, value, Some(spelling), scalar.in_flow);
            edits.extend(replace_token(document, scalar, token));
        }
    }
    edits
}

pub(super) fn tag(document: &Document, scalar: &Scalar) -> Tag {
    scalar
        .props()
        .tag
        .map_or(Tag::None, |span| Tag::read(document.source.slice(span)))
}

/// Takes a tag away together with the blanks that separate it from what follows.
pub(super) fn remove_tag(document: &Document, scalar: &Scalar) -> Option<Edit> {
    let tag = scalar.props().tag?;
    // An absent value stands right behind the tag, before the blanks.
    let end = place::end_of_blanks(document, tag.end()).min(scalar.span.start());
    Some(Edit::new(Span::new(tag.start(), end), b""))
}

/// Whether a string is plaintext or an envelope, whose style only carries that of the plaintext.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    Envelope,
    Text,
}

fn rewrite_text(document: &Document, scalar: &Scalar, text: &str, role: Role) -> Vec<Edit> {
    let setting = Setting {
        in_flow: scalar.in_flow,
        tagged: matches!(tag(document, scalar), Tag::Str | Tag::Other),
    };
    let mut token = Secret::with_capacity(text.len() + 2);
    match carried_style(document, scalar) {
        Style::Literal(block) | Style::Folded(block) => {
            if let Some(edits) = rewrite_block(document, scalar, block, text) {
                return edits;
            }
            push_double_quoted(&mut token, text);
        }
        Style::Plain if is_plain_string(text, setting) => token.extend(text.as_bytes()),
        Style::Plain if role == Role::Envelope => push_quoted_for_plain(&mut token, text),
        // In quotes only because it would be of another type: sops takes double ones then.
        Style::Plain if is_plain_syntax(text, setting.in_flow) => {
            push_double_quoted(&mut token, text)
        }
        Style::Plain | Style::SingleQuoted if fits_single_quotes(text) => {
            push_single_quoted(&mut token, text)
        }
        Style::Plain | Style::SingleQuoted | Style::DoubleQuoted => {
            push_double_quoted(&mut token, text)
        }
    }
    replace_token(document, scalar, token)
}

/// How an envelope ends that stands in quotes only because it stands in brackets, where it cannot do without. Readers of
/// YAML, and of JSON, take the escape for the bracket that it is.
const PLAIN_MARK: &[u8] = b"\\u005d\"";

/// The style that a token stands for.
fn carried_style(document: &Document, scalar: &Scalar) -> Style {
    let is_marked = || {
        let token = document.source.slice(scalar.span);
        scalar.in_flow && token.starts_with(b"\"ENC[") && token.ends_with(PLAIN_MARK)
    };
    match scalar.style() {
        Style::DoubleQuoted if is_marked() => Style::Plain,
        style => style,
    }
}

/// An envelope in brackets where a plain token stood. Only strings need the mark: others are never quoted.
fn push_quoted_for_plain(token: &mut Secret, envelope: &str) {
    match envelope.strip_suffix(']') {
        Some(text) if text.ends_with(",type:str") => {
            token.extend(b"\"");
            token.extend(text.as_bytes());
            token.extend(PLAIN_MARK);
        }
        _ => push_double_quoted(token, envelope),
    }
}

/// Puts a one-line token in the place of a scalar of any style. A comment on the header line of a block scalar stays.
pub(super) fn replace_token(document: &Document, scalar: &Scalar, mut token: Secret) -> Vec<Edit> {
    match scalar.style() {
        Style::Literal(block) | Style::Folded(block) => {
            let header_line = place::end_of_line(document, block.header.end());
            let lines = Span::new(header_line, scalar.span.end().max(header_line));
            vec![
                Edit {
                    span: block.header,
                    text: behind_column(document, block.header.start(), token),
                },
                Edit::new(lines, b""),
            ]
        }
        _ => {
            let at = scalar.span.start();
            let is_absent = scalar.span.is_empty();
            let touches_key = is_absent
                && place::start_of_blanks(document, at) == at
                && !place::is_line_start(document, at);
            // `&a:b` is an anchor and a scalar: only some characters may follow a name without a blank.
            let touches_anchor = scalar
                .props()
                .anchor
                .is_some_and(|anchor| anchor.end() == at);
            if touches_key || touches_anchor {
                let mut spaced = Secret::with_capacity(token.len() + 1);
                spaced.extend(b" ");
                // EXPOSE: moved into the wiping text of an edit.
                spaced.extend(token.expose());
                token = spaced;
            }
            vec![Edit {
                span: scalar.span,
                text: token,
            }]
        }
    }
}

/// A header may stand in the column of the keys around it; what takes its place there would be read as one of them.
fn behind_column(document: &Document, at: usize, token: Secret) -> Secret {
    let column = at - place::start_of_line(document, at);
    if token.is_empty() || !place::is_first_on_line(document, at) {
        return token;
    }
    let missing = (place::enclosing_column(document, at) + 1).saturating_sub(column);
    let mut out = Secret::with_capacity(missing + token.len());
    out.extend(&vec![b' '; missing]);
    // EXPOSE: moved into the wiping text of an edit.
    out.extend(token.expose());
    out
}

/// New lines for a block scalar, with the chomping that their trailing line breaks need. `None` where a block scalar
/// cannot carry the text.
fn rewrite_block(
    document: &Document,
    scalar: &Scalar,
    block: BlockScalar,
    text: &str,
) -> Option<Vec<Edit>> {
    let text = BlockText::of(text)?;
    let header = new_header(document, scalar, block, text)?;
    let mut edits = Vec::new();
    if document.source.slice(block.header) != header {
        edits.push(Edit::new(block.header, &header));
    }
    let (span, has_content) = content(scalar, block);
    let tail = document
        .source
        .slice(Span::new(span.end(), block.body.end()));
    let (present, tail_end) = place::breaks(tail);
    let newline = place::newline(document, block.body.start());
    let mut lines = Secret::with_capacity(text.core.len() * 2);
    if place::breaks(
        document
            .source
            .slice(Span::new(block.header.end(), block.body.start())),
    )
    .0 == 0
    {
        lines.extend(newline);
    }
    let folded = matches!(scalar.style(), Style::Folded(_));
    text.push(
        &mut lines,
        Lines {
            folded,
            indent: usize::try_from(block.indent).ok()?,
            newline,
        },
    );
    let is_last = span.end() == document.source.bytes().len();
    let end = match breaks_behind(text, present, has_content) {
        // What follows needs a line of its own, also where there was no content to end.
        Behind::AsIs if !text.core.is_empty() && !has_content && !is_last => {
            lines.extend(newline);
            span.end()
        }
        Behind::Added => {
            lines.extend(newline);
            span.end()
        }
        Behind::AsIs => span.end(),
        Behind::Dropped => place::next_line(document, span.end()),
        Behind::Replaced(count) => {
            (0..count).for_each(|_| lines.extend(newline));
            span.end() + tail_end
        }
    };
    edits.push(Edit {
        span: Span::new(span.start(), end),
        text: lines,
    });
    Some(edits)
}

/// The lines that hold the text, and whether there are any.
fn content(scalar: &Scalar, block: BlockScalar) -> (Span, bool) {
    let start = block.body.start();
    let end = scalar.span.end().max(start);
    (Span::new(start, end), end > start)
}

/// What happens to the line breaks between the last content line and what follows the scalar.
enum Behind {
    /// One is added before those that are there.
    Added,
    /// Those that are there already fit.
    AsIs,
    /// The first one goes.
    Dropped,
    /// All of them are replaced by this many.
    Replaced(usize),
}

fn breaks_behind(text: BlockText<'_>, present: usize, has_content: bool) -> Behind {
    match (text.core.is_empty(), text.breaks) {
        (true, breaks) if has_content && present == breaks + 1 => Behind::Dropped,
        (true, breaks) if !has_content && present == breaks => Behind::AsIs,
        (false, 0) if has_content || present == 0 => Behind::AsIs,
        (false, 1) if has_content && present > 0 => Behind::AsIs,
        (false, 0 | 1) => Behind::Added,
        (false, breaks) if has_content && present == breaks => Behind::AsIs,
        (false, breaks) if !has_content && present + 1 == breaks => Behind::Added,
        (_, breaks) => Behind::Replaced(breaks),
    }
}

/// The header with another chomping indicator in the place of the old one, and an indentation indicator where the
/// first line needs one.
fn new_header(
    document: &Document,
    scalar: &Scalar,
    block: BlockScalar,
    text: BlockText<'_>,
) -> Option<Vec<u8>> {
    let mut header = with_chomp(document.source.slice(block.header), text.chomp());
    if text.needs_indicator() && !header.iter().any(u8::is_ascii_digit) {
        let column = place::enclosing_column(document, scalar.span.start());
        let relative = usize::try_from(block.indent).ok()?.checked_sub(column)?;
        let digit = u8::try_from(relative)
            .ok()
            .filter(|digit| (1..=9).contains(digit))?;
        header.insert(1.min(header.len()), b'0' + digit);
    }
    Some(header)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
mod tests {
    use super::*;
    use crate::document::yaml::text;
    use crate::document::{Format, Item, Node};

    // Found by fuzzing: the new content and the next entry stood on one line.
    #[test]
    fn an_empty_block_scalar_gains_content_before_what_follows() {
        for source in [
            "a: >\nb: 1\n",
            "a: |- # x\nb: 1\n",
            "a: |",
            "a: |\n ",
            "a: |\n\nb: 1\n",
            "a: |+\n\n",
        ] {
            for value in ["x", "x\n", "x\n\n", "x\ny"] {
                let bytes = Secret::from_slice(source.as_bytes());
                let document = Document::parse(Format::Yaml, bytes).unwrap();
                let scalar = first_scalar(&document);
                let new = Value::borrowed(value.as_bytes());
                let new = NewScalar::Value {
                    value: &new,
                    spelling: b"",
                };
                let edits = rewrite_scalar(&document, scalar, &new);
                let edited = document.source.splice(edits).unwrap();
                let shown = String::from_utf8_lossy(edited.expose()).into_owned();
                let again = Document::parse(Format::Yaml, edited).unwrap();
                let decoded = text::decode(again.source.bytes(), first_scalar(&again));
                assert_eq!(decoded.expose(), value.as_bytes(), "{shown:?}");
                assert_eq!(again.nodes.len(), document.nodes.len(), "{shown:?}");
            }
        }
    }

    #[test]
    fn a_token_comes_behind_the_column_of_the_keys_where_a_header_stood_in_it() {
        for (source, expected) in [
            ("a:\n|\n x\n", "a:\n \"\"\n"),
            ("a:\n>-\n  x\nb: 1\n", "a:\n \"\"\nb: 1\n"),
            ("  a:\n  |\n   x\n", "  a:\n   \"\"\n"),
            ("a:\n    |\n     x\n", "a:\n    \"\"\n"),
            ("a: |\n x\n", "a: \"\"\n"),
        ] {
            let bytes = Secret::from_slice(source.as_bytes());
            let document = Document::parse(Format::Yaml, bytes).unwrap();
            let new = Value::borrowed(b"");
            let new = NewScalar::Value {
                value: &new,
                spelling: b"",
            };
            let edits = rewrite_scalar(&document, first_scalar(&document), &new);
            let edited = document.source.splice(edits).unwrap();
            assert_eq!(String::from_utf8_lossy(edited.expose()), expected);
            assert!(Document::parse(Format::Yaml, edited).is_ok());
        }
    }

    // Readers of JSON take a flow map for an object: the mark must be an escape that they know.
    #[test]
    fn an_envelope_in_brackets_tells_whether_its_text_had_quotes() {
        let envelope = "ENC[AES256_GCM,data:YQ==,iv:YQ==,tag:YQ==,type:str]";
        for (source, sealed) in [
            (
                "{a: x}",
                "\"ENC[AES256_GCM,data:YQ==,iv:YQ==,tag:YQ==,type:str\\u005d\"",
            ),
            (
                "{a: \"x\"}",
                "\"ENC[AES256_GCM,data:YQ==,iv:YQ==,tag:YQ==,type:str]\"",
            ),
            (
                "{a: 'x'}",
                "'ENC[AES256_GCM,data:YQ==,iv:YQ==,tag:YQ==,type:str]'",
            ),
        ] {
            let parse = |text: Secret| Document::parse(Format::Yaml, text).unwrap();
            let document = parse(Secret::from_slice(source.as_bytes()));
            let new = NewScalar::Envelope(envelope);
            let edits = rewrite_scalar(&document, first_scalar(&document), &new);
            let document = parse(document.source.splice(edits).unwrap());
            let scalar = first_scalar(&document);
            let token = document.source.slice(scalar.span);
            assert_eq!(String::from_utf8_lossy(token), sealed);
            let decoded = text::decode(document.source.bytes(), scalar);
            assert_eq!(decoded.expose(), envelope.as_bytes());
            let value = Value::borrowed(b"x");
            let new = NewScalar::Value {
                value: &value,
                spelling: b"x",
            };
            let opened = rewrite_scalar(&document, scalar, &new);
            let opened = document.source.splice(opened).unwrap();
            assert_eq!(String::from_utf8_lossy(opened.expose()), source);
        }
    }

    // Found by fuzzing: both edits touched the blank behind the tag.
    #[test]
    fn a_tag_before_an_absent_value_makes_way() {
        for source in ["a: !!binary ", "a: !!binary \nb: 1\n", "a: !!binary # x\n"] {
            let bytes = Secret::from_slice(source.as_bytes());
            let document = Document::parse(Format::Yaml, bytes).unwrap();
            let new = NewScalar::Envelope("ENC[x]");
            let edits = rewrite_scalar(&document, first_scalar(&document), &new);
            let edited = document.source.splice(edits).unwrap();
            let again = Document::parse(Format::Yaml, edited).unwrap();
            let decoded = text::decode(again.source.bytes(), first_scalar(&again));
            assert_eq!(decoded.expose(), b"ENC[x]", "{source:?}");
        }
    }

    // Found by fuzzing.
    #[test]
    fn what_stands_right_behind_an_anchor_gains_a_blank() {
        let bytes = Secret::from_slice(b"a: &x:y\n");
        let document = Document::parse(Format::Yaml, bytes).unwrap();
        let new = NewScalar::Envelope("ENC[x]");
        let edits = rewrite_scalar(&document, first_scalar(&document), &new);
        let edited = document.source.splice(edits).unwrap();
        assert_eq!(edited.expose(), b"a: &x ENC[x]\n");
    }

    fn first_scalar(document: &Document) -> &Scalar {
        let Node::Map(root) = document.node(document.parts()[0].root) else {
            panic!("the root is a map");
        };
        let values = root.items.iter().filter_map(|item| match item {
            Item::Entry(entry) => Some(document.node(entry.value)),
            _ => None,
        });
        let scalars = values.filter_map(|node| match node {
            Node::Scalar(scalar) => Some(scalar),
            _ => None,
        });
        scalars.collect::<Vec<_>>()[0]
    }
}
