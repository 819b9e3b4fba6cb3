//! Character classes of YAML, over bytes of UTF-8.

/// A line break at the start of some bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Break {
    /// Bytes it takes in the source.
    pub(super) len: usize,
    /// What it becomes in a value: CRLF, CR and NEL are normalised, LS and PS stay.
    pub(super) text: &'static [u8],
}

impl Break {
    /// Whether folding turns it into a space.
    pub(super) fn folds(self) -> bool {
        self.text == b"\n"
    }
}

/// The line break that `bytes` starts with.
pub(super) fn line_break(bytes: &[u8]) -> Option<Break> {
    match bytes {
        [b'\r', b'\n', ..] => Some(Break {
            len: 2,
            text: b"\n",
        }),
        [b'\r' | b'\n', ..] => Some(Break {
            len: 1,
            text: b"\n",
        }),
        [0xC2, 0x85, ..] => Some(Break {
            len: 2,
            text: b"\n",
        }),
        [0xE2, 0x80, 0xA8, ..] => Some(Break {
            len: 3,
            text: "\u{2028}".as_bytes(),
        }),
        [0xE2, 0x80, 0xA9, ..] => Some(Break {
            len: 3,
            text: "\u{2029}".as_bytes(),
        }),
        _ => None,
    }
}

/// Offset of the first line break in `bytes`, or their length.
pub(super) fn line_end(bytes: &[u8]) -> usize {
    let end = memchr::memchr2(b'\n', b'\r', bytes).unwrap_or(bytes.len());
    let line = bytes.get(..end).unwrap_or(bytes);
    memchr::memchr2_iter(0xC2, 0xE2, line)
        .find(|&at| line.get(at..).and_then(line_break).is_some())
        .unwrap_or(end)
}

/// Whether there is a line break anywhere.
pub(super) fn has_break(bytes: &[u8]) -> bool {
    line_end(bytes) < bytes.len()
}

/// Space or tab.
pub(super) fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

/// Whether `bytes` is empty or starts with a blank or a line break: what must follow most indicators.
pub(super) fn ends_token(bytes: &[u8]) -> bool {
    match bytes.first() {
        None => true,
        Some(b' ' | b'\t' | b'\n' | b'\r') => true,
        Some(0xC2 | 0xE2) => line_break(bytes).is_some(),
        Some(_) => false,
    }
}

/// What anchors, tag handles and directive names are made of.
pub(super) fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-')
}

/// Whether a character that starts with `byte`, the first of `bytes`, is one that YAML forbids.
pub(super) fn is_control(byte: u8, bytes: Option<&[u8]>) -> bool {
    match byte {
        b'\t' | b'\n' | b'\r' => false,
        0x00..=0x1F | 0x7F => true,
        0xC2 => matches!(bytes, Some([_, 0x80..=0x84 | 0x86..=0x9F, ..])),
        0xEF => matches!(bytes, Some([_, 0xBF, 0xBE | 0xBF, ..])),
        _ => false,
    }
}
