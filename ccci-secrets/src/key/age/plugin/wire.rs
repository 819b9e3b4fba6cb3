//! Stanzas as a plugin and its client exchange them: those of the age header, one after the other (c2sp.org/age-plugin).

use std::io::{self, ErrorKind, Read, Write};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use zeroize::Zeroizing;

use crate::secret::Secret;

/// What came from the other side. The body may be a file key.
#[derive(Debug)]
pub(super) struct Message {
    pub(super) tag: String,
    pub(super) arguments: Vec<String>,
    pub(super) body: Secret,
}

/// Why no message could be read.
#[derive(Debug)]
pub(super) enum ReadFault {
    /// The other side has closed the pipe, or it broke.
    Ended,
    /// What came is no stanza.
    NoStanza,
}

/// Writes a stanza whose words hold neither blanks nor line ends.
pub(super) fn write(out: &mut impl Write, words: &[&str], body: &[u8]) -> io::Result<()> {
    let mut text = Zeroizing::new(String::with_capacity(HEADER_LIMIT + body.len() * 2));
    text.push_str("->");
    for word in words {
        text.push(' ');
        text.push_str(word);
    }
    text.push('\n');
    let encoded = Zeroizing::new(STANDARD_NO_PAD.encode(body));
    let mut rest = encoded.as_str();
    // The last line is a short one, if need be an empty one.
    while let Some((line, more)) = rest.split_at_checked(COLUMNS) {
        text.push_str(line);
        text.push('\n');
        rest = more;
    }
    text.push_str(rest);
    text.push('\n');
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// Reads one stanza.
///
/// A byte at a time, so that no buffer keeps what was read: a conversation is a few hundred bytes.
pub(super) fn read(input: &mut impl Read) -> Result<Message, ReadFault> {
    let header = read_line(input)?;
    // EXPOSE: the words of a stanza, which are not secret.
    let header = std::str::from_utf8(header.expose()).map_err(|_| ReadFault::NoStanza)?;
    let mut words = header
        .strip_prefix("-> ")
        .ok_or(ReadFault::NoStanza)?
        .split(' ')
        .map(str::to_owned);
    let tag = words.next().ok_or(ReadFault::NoStanza)?;
    let arguments = words.collect();
    Ok(Message {
        tag,
        arguments,
        body: read_body(input)?,
    })
}

fn read_body(input: &mut impl Read) -> Result<Secret, ReadFault> {
    let mut body = Secret::with_capacity(BODY_LIMIT);
    loop {
        let line = read_line(input)?;
        let mut bytes = Zeroizing::new([0; COLUMNS]);
        // EXPOSE: into the body.
        let read = STANDARD_NO_PAD
            .decode_slice(line.expose(), bytes.as_mut_slice())
            .map_err(|_| ReadFault::NoStanza)?;
        if line.len() > COLUMNS || body.len() + read > BODY_LIMIT {
            return Err(ReadFault::NoStanza);
        }
        body.extend(bytes.get(..read).unwrap_or_default());
        if line.len() < COLUMNS {
            return Ok(body);
        }
    }
}

/// A line without its end.
fn read_line(input: &mut impl Read) -> Result<Secret, ReadFault> {
    let mut line = Secret::with_capacity(HEADER_LIMIT);
    loop {
        let mut byte = [0];
        match input.read(&mut byte) {
            Ok(0) => return Err(ReadFault::Ended),
            Ok(_) if byte == *b"\n" => return Ok(line),
            Ok(_) if line.len() < HEADER_LIMIT => line.extend(&byte),
            Ok(_) => return Err(ReadFault::NoStanza),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) => return Err(ReadFault::Ended),
        }
    }
}

const COLUMNS: usize = 64;
/// No header of a plugin comes near it.
const HEADER_LIMIT: usize = 4096;
/// No message or key comes near it.
const BODY_LIMIT: usize = 16 * 1024;

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use age_core::format::read::age_stanza;

    use super::*;

    #[test]
    fn stanzas_are_those_of_the_age_crate() {
        for len in [0, 1, 47, 48, 49, 96, 1000] {
            let body: Vec<u8> = (0..len).map(|at| u8::try_from(at % 251).unwrap()).collect();
            let mut text = Vec::new();
            write(&mut text, &["recipient-stanza", "0", "X25519"], &body).unwrap();
            let (rest, theirs) = age_stanza(&text).unwrap();
            assert!(rest.is_empty(), "{len}");
            assert_eq!(theirs.tag, "recipient-stanza");
            assert_eq!(theirs.body(), body);
            let ours = read(&mut text.as_slice()).unwrap();
            assert_eq!(ours.tag, "recipient-stanza");
            assert_eq!(ours.arguments, ["0", "X25519"]);
            assert!(ours.body.ct_eq(&body), "{len}");
        }
    }

    #[test]
    fn what_is_no_stanza_is_not_waited_for() {
        for text in [
            "hello\n".to_owned(),
            "-> done\n!!!\n".to_owned(),
            format!("-> {}", "x".repeat(2 * HEADER_LIMIT)),
            format!("-> msg\n{}", format!("{}\n", "A".repeat(64)).repeat(1000)),
        ] {
            let read = read(&mut text.as_bytes());
            assert!(matches!(read, Err(ReadFault::NoStanza)), "{text:.20}");
        }
        let cut = read(&mut "-> done\n".as_bytes());
        assert!(matches!(cut, Err(ReadFault::Ended)));
    }
}
