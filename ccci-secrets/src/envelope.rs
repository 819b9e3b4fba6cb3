//! The written form of a sealed value: `ENC[AES256_GCM,data:…,iv:…,tag:…,type:…]` (sops-format.md 2).
//!
//! Text to fields and back, without a regular expression. No keys here.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::GeneralPurposeConfig;

use crate::secret::Secret;
use crate::value::Kind;

const PREFIX: &[u8] = b"ENC[AES256_GCM,data:";

/// The longest nonce that is read.
const MAX_NONCE_LEN: usize = 64;

/// The fields of an envelope, borrowed from its text. Base64 was not decoded yet.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Envelope<'a> {
    data: &'a [u8],
    iv: &'a [u8],
    tag: &'a [u8],
    kind: Kind,
}

impl<'a> Envelope<'a> {
    /// Whether sops would take a text for an envelope. It looks at the beginning only: bytes after the last `]` do not
    /// matter, and an empty field makes it ordinary text.
    #[must_use]
    pub fn is_one(text: &[u8]) -> bool {
        split(text).is_some()
    }

    /// Splits an envelope into its fields.
    ///
    /// # Errors
    /// [`EnvelopeError`] when the text is no envelope or names a type that sops does not know.
    pub fn parse(text: &'a [u8]) -> Result<Self, EnvelopeError> {
        let [data, iv, tag, kind] = split(text).ok_or(EnvelopeError::NotAnEnvelope)?;
        let kind = Kind::parse(kind).ok_or(EnvelopeError::UnknownType)?;
        Ok(Self {
            data,
            iv,
            tag,
            kind,
        })
    }

    /// The type of the sealed value.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// An upper bound of the number of sealed bytes.
    #[must_use]
    pub fn data_len_estimate(&self) -> usize {
        base64::decoded_len_estimate(self.data.len())
    }

    /// The sealed bytes, still sealed.
    ///
    /// # Errors
    /// [`EnvelopeError::Base64`].
    pub(crate) fn data(&self) -> Result<Vec<u8>, EnvelopeError> {
        decode(self.data)
    }

    /// The nonce: 1 to 64 bytes.
    ///
    /// # Errors
    /// [`EnvelopeError::Base64`], [`EnvelopeError::NonceLength`].
    pub(crate) fn nonce(&self) -> Result<Vec<u8>, EnvelopeError> {
        let nonce = decode(self.iv)?;
        if (1..=MAX_NONCE_LEN).contains(&nonce.len()) {
            Ok(nonce)
        } else {
            Err(EnvelopeError::NonceLength)
        }
    }

    /// The tag.
    ///
    /// # Errors
    /// [`EnvelopeError::Base64`], [`EnvelopeError::TagLength`].
    pub(crate) fn tag(&self) -> Result<[u8; 16], EnvelopeError> {
        decode(self.tag)?
            .try_into()
            .map_err(|_| EnvelopeError::TagLength)
    }
}

impl fmt::Debug for Envelope<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Envelope({})", self.kind.as_str())
    }
}

/// Writes an envelope.
#[must_use]
pub(crate) fn print(data: &[u8], iv: &[u8], tag: &[u8], kind: Kind) -> String {
    let engine = engine();
    let mut text = String::with_capacity(PREFIX.len() + data.len().div_ceil(3) * 4 + 110);
    text.push_str("ENC[AES256_GCM,data:");
    engine.encode_string(data, &mut text);
    text.push_str(",iv:");
    engine.encode_string(iv, &mut text);
    text.push_str(",tag:");
    engine.encode_string(tag, &mut text);
    text.push_str(",type:");
    text.push_str(kind.as_str());
    text.push(']');
    text
}

/// Why a text is no envelope that can be opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EnvelopeError {
    /// A field is not standard base64 with padding.
    #[error("a field of the sealed value is not base64")]
    Base64,
    /// A nonce of 0 or of more than 64 bytes.
    #[error("the nonce of the sealed value has an unusual length")]
    NonceLength,
    /// Ordinary text where an envelope is due.
    #[error("the value does not match sops' data format: it is not sealed")]
    NotAnEnvelope,
    /// A tag that is not 16 bytes.
    #[error("the tag of the sealed value is not 16 bytes")]
    TagLength,
    /// A `type:` that sops does not know.
    #[error("the sealed value names an unknown datatype")]
    UnknownType,
}

/// The four fields, found from the end: the last `]` closes, and each field starts at the last of its names.
fn split(text: &[u8]) -> Option<[&[u8]; 4]> {
    let rest = text.strip_prefix(PREFIX)?;
    // The dot of sops' expression does not match a line feed, so everything lies on the first line.
    let line = rest.get(..memchr::memchr(b'\n', rest).unwrap_or(rest.len()))?;
    let inner = line.get(..memchr::memrchr(b']', line)?)?;
    let (inner, kind) = split_last(inner, b",type:")?;
    let (inner, tag) = split_last(inner, b",tag:")?;
    let (data, iv) = split_last(inner, b",iv:")?;
    let fields = [data, iv, tag, kind];
    fields
        .iter()
        .all(|field| !field.is_empty())
        .then_some(fields)
}

fn split_last<'a>(text: &'a [u8], name: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    // The fields behind `data` are short, so the name is looked for from the end.
    let at = text
        .windows(name.len())
        .rposition(|window| window == name)?;
    Some((text.get(..at)?, text.get(at + name.len()..)?))
}

/// Go's decoder takes non-zero trailing bits, and skips carriage returns and line feeds.
fn decode(text: &[u8]) -> Result<Vec<u8>, EnvelopeError> {
    let engine = engine();
    engine.decode(text).or_else(|_| {
        let clean: Vec<u8> = text
            .iter()
            .copied()
            .filter(|byte| !b"\r\n".contains(byte))
            .collect();
        engine.decode(clean).map_err(|_| EnvelopeError::Base64)
    })
}

#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
fn engine() -> base64::engine::Simd {
    base64::engine::Simd::standard(config())
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn engine() -> base64::engine::GeneralPurpose {
    base64::engine::GeneralPurpose::new(&base64::alphabet::STANDARD, config())
}

const fn config() -> GeneralPurposeConfig {
    GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true)
}

/// Sealed bytes on their way to a cipher: decoded in place of a wiping buffer, so that opening needs no second copy.
pub(crate) fn append_data(
    envelope: &Envelope<'_>,
    buffer: &mut Secret,
) -> Result<usize, EnvelopeError> {
    let data = envelope.data()?;
    buffer.extend(&data);
    Ok(data.len())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    const REAL: &[u8] =
        b"ENC[AES256_GCM,data:4w==,iv:vOHEhZ6EYSgpBhlfLIWas3pMyqrRqk2TIHvj/YOgmdI=,\
                          tag:QktwsTL8Y+vi77AZsvXugQ==,type:str]";

    #[test]
    fn a_real_envelope_prints_back_to_itself() {
        let envelope = Envelope::parse(REAL).unwrap();
        let printed = print(
            &envelope.data().unwrap(),
            &envelope.nonce().unwrap(),
            &envelope.tag().unwrap(),
            envelope.kind(),
        );
        assert_eq!(printed.as_bytes(), REAL);
    }

    // Each row was run through real sops (sops-format.md 2).
    #[test]
    fn what_sops_takes_for_an_envelope() {
        let junk_after = [REAL, b" trailing ] junk".as_slice()].concat();
        assert!(Envelope::is_one(REAL));
        assert!(Envelope::is_one(&junk_after));
        assert!(Envelope::is_one(&[REAL, b"\n".as_slice()].concat()));
        assert!(!Envelope::is_one(&[b" ", REAL].concat()));
        assert!(!Envelope::is_one(
            b"ENC[AES256_GCM,data:,iv:aaaa,tag:aaaa,type:str]"
        ));
        assert!(!Envelope::is_one(
            b"ENC[AES256_GCM,data:aaaa,iv:aaaa,tag:aaaa,type:str"
        ));
        assert!(!Envelope::is_one(
            b"ENC[AES256_GCM,data:aa\naa,iv:aaaa,tag:aaaa,type:str]"
        ));
        assert!(!Envelope::is_one(b"hello"));
    }

    #[test]
    fn broken_fields_are_named() {
        let parse = |text: &'static [u8]| Envelope::parse(text);
        assert_eq!(
            parse(b"ENC[AES256_GCM,data:aaaa,iv:aaaa,tag:aaaa,type:foo]"),
            Err(EnvelopeError::UnknownType)
        );
        let odd = parse(b"ENC[AES256_GCM,data:a*aa,iv:aaaa,tag:aaaa,type:str]").unwrap();
        assert_eq!(odd.data(), Err(EnvelopeError::Base64));
        assert_eq!(odd.tag(), Err(EnvelopeError::TagLength));
        assert_eq!(odd.nonce().map(|nonce| nonce.len()), Ok(3));
    }

    #[test]
    fn base64_is_read_as_go_reads_it() {
        assert_eq!(decode(b"4x=="), decode(b"4w=="));
        assert_eq!(decode(b"aa\raa"), decode(b"aaaa"));
        assert_eq!(decode(b"4w"), Err(EnvelopeError::Base64));
    }
}
