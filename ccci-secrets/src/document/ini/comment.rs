//! Comments: several lines above a key, and a piece behind its value, are one text.
//!
//! A sealed comment keeps its layout: the envelope takes the place of the text of its first line, and of every other
//! line only the sign stays. sops reads all of it as one envelope with something behind it, which it ignores; opened,
//! each line of the text goes back to its place.
//!
//! A header ends at the last bracket of its line, and an envelope has one. So the envelope of a comment behind a header
//! stands on a line above, and the sign that stays behind says where the text goes back to.

use super::scan::{
    line_end, line_start, scan_key, scan_value, slice, trim_end, trim_start, trimmed_span,
};
use crate::document::{Comment, Document, Edit, Item, Node, Place, Span};
use crate::secret::Secret;
use crate::value::Text;

/// The text: all pieces joined, without the sign and the blanks of the first.
pub(crate) fn comment_text<'d>(document: &'d Document, comment: &Comment) -> Text<'d> {
    let source = document.source.bytes();
    let pieces = pieces(source, comment);
    let Some((last, before)) = pieces.split_last() else {
        return Text::Borrowed(&[]);
    };
    if before.is_empty() {
        return Text::Borrowed(without_sign(slice(source, *last)));
    }
    let mut text = Secret::with_capacity(comment.span.len() + last.len() + 1);
    for piece in before {
        let end = line_end(source, piece.start());
        text.extend(slice(source, Span::new(piece.start(), end)));
    }
    text.extend(trim_end(slice(source, *last)));
    // EXPOSE: into a second wiping buffer, without the sign.
    Text::Owned(Secret::from_slice(without_sign(text.expose())))
}

/// The edits that seal a comment.
pub(crate) fn seal_comment(document: &Document, comment: &Comment, envelope: &str) -> Vec<Edit> {
    let source = document.source.bytes();
    if comment.place == Place::Inline && is_behind_header(document, comment.span) {
        return seal_above(source, comment.span, envelope);
    }
    let pieces = pieces(source, comment);
    let mut edits = Vec::with_capacity(pieces.len());
    for (nth, piece) in pieces.iter().enumerate() {
        let line = slice(source, *piece);
        edits.push(if nth == 0 {
            let text = without_sign(line);
            let span = Span::new(piece.end() - text.len(), piece.end());
            Edit::new(span, envelope.as_bytes())
        } else {
            let sign = usize::from(!line.is_empty());
            Edit::new(Span::new(piece.start() + sign, piece.end()), b"")
        });
    }
    edits
}

fn seal_above(source: &[u8], comment: Span, envelope: &str) -> Vec<Edit> {
    let text = without_sign(slice(source, comment));
    let text = Span::new(comment.end() - text.len(), comment.end());
    let sign = slice(source, Span::new(comment.start(), text.start()));
    let mut above = sign.to_vec();
    above.extend_from_slice(envelope.as_bytes());
    above.extend_from_slice(newline(source));
    let start = line_start(source, comment.start());
    let behind_sign = Span::new(comment.start() + 1, comment.end());
    vec![
        Edit::new(Span::new(start, start), &above),
        Edit::new(behind_sign, b""),
    ]
}

/// Whether a comment stands on the line of a section header.
fn is_behind_header(document: &Document, comment: Span) -> bool {
    let Some(Node::Map(root)) = document.parts.first().map(|part| document.node(part.root)) else {
        return false;
    };
    let key_end = |item: &Item| match item {
        Item::Entry(section) => section.key.end(),
        Item::Comment(_) | Item::Element(_) => 0,
    };
    let before = root
        .items
        .partition_point(|item| key_end(item) <= comment.start());
    let header = before.checked_sub(1).and_then(|at| root.items.get(at));
    header.is_some_and(|header| {
        let between = Span::new(key_end(header), comment.start());
        document.source.slice(between).first() == Some(&b']')
            && !document.source.slice(between).contains(&b'\n')
    })
}

/// The edits that give a sealed comment its text back: each line to its piece, or all behind the first piece where
/// there are not as many.
pub(crate) fn open_comment(document: &Document, comment: &Comment, text: &[u8]) -> Vec<Edit> {
    let source = document.source.bytes();
    let pieces = pieces(source, comment);
    let Some((first, others)) = pieces.split_first() else {
        return Vec::new();
    };
    let lines: Vec<&[u8]> = text
        .split(|byte| *byte == b'\n')
        .map(|line| line.strip_suffix(b"\r").unwrap_or(line))
        .collect();
    let Some((head, tail)) = lines.split_first() else {
        return Vec::new();
    };
    let token = without_sign(slice(source, *first));
    let span = Span::new(first.end() - token.len(), first.end());
    if others.len() == tail.len() {
        let mut edits = vec![Edit::new(span, head)];
        for (piece, line) in others.iter().zip(tail) {
            edits.push(Edit {
                span: *piece,
                text: with_sign(line),
            });
        }
        return edits;
    }
    if let ([sign], []) = (others, tail)
        && sign.len() == 1
        && sign.start() > comment.span.end()
    {
        return open_behind(source, *first, *sign, head);
    }
    let between = line_break(source, first.start());
    let mut opened = Secret::with_capacity(text.len() + tail.len() * (between.len() + 2));
    opened.extend(head);
    for line in tail {
        if comment.place == Place::OwnLine {
            opened.extend(&between);
            // EXPOSE: into the plaintext document.
            opened.extend(with_sign(line).expose());
        } else {
            opened.extend(b" ");
            opened.extend(line);
        }
    }
    vec![Edit { span, text: opened }]
}

/// The line of the envelope goes, and its text behind the sign on the line below.
fn open_behind(source: &[u8], envelope: Span, sign: Span, text: &[u8]) -> Vec<Edit> {
    let line = Span::new(
        line_start(source, envelope.start()),
        line_end(source, envelope.start()),
    );
    let whole = slice(source, envelope);
    let blanks = whole.len() - without_sign(whole).len();
    let mut behind = Secret::with_capacity(blanks + text.len());
    behind.extend(whole.get(1..blanks).unwrap_or_default());
    behind.extend(text);
    vec![
        Edit::new(line, b""),
        Edit {
            span: Span::new(sign.end(), sign.end()),
            text: behind,
        },
    ]
}

/// A line break and the indent of the line of an offset.
fn line_break(source: &[u8], at: usize) -> Vec<u8> {
    let start = line_start(source, at);
    let mut text = newline(source).to_vec();
    text.extend_from_slice(slice(source, Span::new(start, at)));
    text
}

/// How the file ends its lines.
pub(super) fn newline(source: &[u8]) -> &'static [u8] {
    match memchr::memchr(b'\n', source) {
        Some(at) if at > 0 && source.get(at - 1) == Some(&b'\r') => b"\r\n",
        _ => b"\n",
    }
}

/// A line that is read as a comment.
fn with_sign(line: &[u8]) -> Secret {
    let mut text = Secret::with_capacity(line.len() + 2);
    if !matches!(trim_start(line).first(), Some(b'#' | b';')) {
        text.extend(b"; ");
    }
    text.extend(line);
    text
}

/// Without all of its signs and blanks at the start, as sops strips them; signs of the other kind stay.
fn without_sign(text: &[u8]) -> &[u8] {
    let Some(sign) = text.first() else {
        return text;
    };
    let length = text
        .iter()
        .take_while(|byte| *byte == sign || **byte == b' ')
        .count();
    text.get(length..).unwrap_or_default()
}

/// The pieces of a comment: its lines, then what stands behind the key or header that it belongs to.
fn pieces(source: &[u8], comment: &Comment) -> Vec<Span> {
    if comment.place != Place::OwnLine {
        return vec![comment.span];
    }
    let mut pieces = Vec::new();
    let mut at = comment.span.start();
    while at < source.len() {
        let next = line_end(source, at);
        let line = trimmed_span(slice(source, Span::new(at, next)), at);
        match slice(source, line).first() {
            None => {}
            Some(b'#' | b';') => pieces.push(line),
            Some(_) => {
                pieces.extend(inline_piece(source, line));
                break;
            }
        }
        at = next;
    }
    let Some((_, before)) = pieces.split_last_mut() else {
        return pieces;
    };
    // Only the last piece loses the blanks at its end; the others are joined as they are.
    for piece in before {
        let end = line_end(source, piece.start());
        let line = slice(source, Span::new(piece.start(), end));
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        *piece = Span::new(piece.start(), piece.start() + line.len());
    }
    pieces
}

/// The comment on the line of a key or a header.
fn inline_piece(source: &[u8], line: Span) -> Option<Span> {
    let text = slice(source, line);
    if text.starts_with(b"[") {
        let close = memchr::memrchr(b']', text)?;
        let rest = text.get(close..)?;
        let sign = super::scan::find_comment(rest)?;
        return Some(Span::new(line.start() + close + sign, line.end()));
    }
    let key = scan_key(source, line.start()).ok()?;
    scan_value(source, key.value).ok()?.comment
}
