//! PEM text: blocks, and nothing around them but blank lines and comments.
//!
//! A block that holds a private key stays in wiped memory. No text of the file is ever part of an error: what stands in a
//! wrong place may be a secret.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::secret::Secret;

/// One block.
pub(super) struct Block {
    pub(super) label: Label,
    /// The line that it begins in, from 1.
    pub(super) line: usize,
    pub(super) der: Secret,
}

/// What a block says it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Label {
    Certificate,
    /// The curve, which OpenSSL writes before a key unless it is told not to.
    EcParameters,
    EcPrivateKey,
    EncryptedPrivateKey,
    OpensshPrivateKey,
    Other,
    PrivateKey,
    RsaPrivateKey,
}

const LABELS: [(&[u8], Label); 8] = [
    (b"CERTIFICATE", Label::Certificate),
    (b"X509 CERTIFICATE", Label::Certificate),
    (b"EC PARAMETERS", Label::EcParameters),
    (b"EC PRIVATE KEY", Label::EcPrivateKey),
    (b"ENCRYPTED PRIVATE KEY", Label::EncryptedPrivateKey),
    (b"OPENSSH PRIVATE KEY", Label::OpensshPrivateKey),
    (b"PRIVATE KEY", Label::PrivateKey),
    (b"RSA PRIVATE KEY", Label::RsaPrivateKey),
];

impl Label {
    fn of(text: &[u8]) -> Self {
        let known = LABELS.iter().find(|(name, _)| *name == text);
        known.map_or(Self::Other, |(_, label)| *label)
    }
}

/// Text that is not PEM.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line} {problem}")]
#[non_exhaustive]
pub struct PemError {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong there.
    pub problem: PemProblem,
}

/// What can be wrong with PEM text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PemProblem {
    /// A block whose content is not base64.
    #[error("begins a block that is not base64")]
    Base64,
    /// Headers inside of a block: it is encrypted as OpenSSL did it long ago.
    #[error("has a header, as keys have that are encrypted with a passphrase")]
    Header,
    /// An end without a beginning, or with another name.
    #[error("ends a block that does not begin")]
    Stray,
    /// Text outside of all blocks.
    #[error("is outside of all blocks and no comment")]
    Text,
    /// A block that does not end.
    #[error("begins a block that does not end")]
    Unfinished,
}

/// A block that is being read.
struct Open<'a> {
    name: &'a [u8],
    line: usize,
    base64: Secret,
}

/// All blocks of a text.
pub(super) fn parse(text: &[u8]) -> Result<Vec<Block>, PemError> {
    let mut blocks = Vec::new();
    let mut open: Option<Open<'_>> = None;
    for (line, content) in (1..).zip(text.split(|byte| *byte == b'\n')) {
        let content = content.trim_ascii();
        let fault = |problem| Err(PemError { line, problem });
        open = match (open, frame(content)) {
            (None, Some(Frame::Begin(name))) => Some(Open {
                name,
                line,
                base64: Secret::with_capacity(text.len()),
            }),
            (None, None) if content.is_empty() || content.starts_with(b"#") => None,
            (None, None) => return fault(PemProblem::Text),
            (Some(block), Some(Frame::End(name))) if name == block.name => {
                blocks.push(finish(&block)?);
                None
            }
            (_, Some(Frame::End(_))) => return fault(PemProblem::Stray),
            (Some(block), Some(Frame::Begin(_))) => return unfinished(&block),
            (Some(_), None) if content.contains(&b':') => return fault(PemProblem::Header),
            (Some(mut block), None) => {
                block.base64.extend(content);
                Some(block)
            }
        };
    }
    match open {
        Some(block) => unfinished(&block),
        None => Ok(blocks),
    }
}

fn unfinished<T>(block: &Open<'_>) -> Result<T, PemError> {
    Err(PemError {
        line: block.line,
        problem: PemProblem::Unfinished,
    })
}

fn finish(block: &Open<'_>) -> Result<Block, PemError> {
    let mut der = Secret::from_vec(vec![0; block.base64.len()]);
    // EXPOSE: decoded into another secret.
    let decoded = STANDARD.decode_slice(block.base64.expose(), der.expose_mut());
    let count = decoded.map_err(|_| PemError {
        line: block.line,
        problem: PemProblem::Base64,
    })?;
    der.truncate(count);
    Ok(Block {
        label: Label::of(block.name),
        line: block.line,
        der,
    })
}

enum Frame<'a> {
    Begin(&'a [u8]),
    End(&'a [u8]),
}

fn frame(line: &[u8]) -> Option<Frame<'_>> {
    let inner = line.strip_suffix(b"-----")?;
    inner
        .strip_prefix(b"-----BEGIN ")
        .map(Frame::Begin)
        .or_else(|| inner.strip_prefix(b"-----END ").map(Frame::End))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
mod tests {
    use super::*;

    fn problem(text: &str) -> (usize, PemProblem) {
        let error = parse(text.as_bytes()).map(|_| ()).unwrap_err();
        (error.line, error.problem)
    }

    #[test]
    fn blocks_stand_between_comments_and_blank_lines_with_any_line_end() {
        let text = "# a comment\r\n\r\n-----BEGIN CERTIFICATE-----\r\nYWJj\r\nZGVm\r\n-----END CERTIFICATE-----\r\n\n \
                    # another\n-----BEGIN PRIVATE KEY-----\nZw==\n-----END PRIVATE KEY-----";
        let blocks = parse(text.as_bytes()).unwrap();
        let found: Vec<_> = blocks
            .iter()
            .map(|block| (block.label, block.line))
            .collect();
        assert_eq!(found, [(Label::Certificate, 3), (Label::PrivateKey, 9)]);
        assert!(blocks[0].der.ct_eq(b"abcdef") && blocks[1].der.ct_eq(b"g"));
    }

    #[test]
    fn text_outside_of_blocks_is_named_by_its_line() {
        let block = "-----BEGIN CERTIFICATE-----\nYWJj\n-----END CERTIFICATE-----\n";
        assert_eq!(problem(&format!("{block}canary\n")), (4, PemProblem::Text));
        assert_eq!(
            problem(&format!("Bag Attributes\n{block}")),
            (1, PemProblem::Text)
        );
    }

    #[test]
    fn blocks_that_are_cut_off_or_damaged_are_refused() {
        let begin = "-----BEGIN CERTIFICATE-----\n";
        let end = "-----END CERTIFICATE-----\n";
        assert_eq!(
            problem(&format!("\n{begin}YWJj\n")),
            (2, PemProblem::Unfinished)
        );
        assert_eq!(
            problem(&format!("{begin}YWJj\n{begin}{end}")),
            (1, PemProblem::Unfinished)
        );
        assert_eq!(
            problem(&format!("{begin}YW!j\n{end}")),
            (1, PemProblem::Base64)
        );
        assert_eq!(problem(end), (1, PemProblem::Stray));
        assert_eq!(
            problem(&format!("{begin}-----END PRIVATE KEY-----\n")),
            (2, PemProblem::Stray)
        );
        let old = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nYWJj\n-----END RSA PRIVATE KEY-----\n";
        assert_eq!(problem(old), (2, PemProblem::Header));
    }
}
