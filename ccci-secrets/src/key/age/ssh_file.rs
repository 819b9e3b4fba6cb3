//! SSH key files: public lines, OpenSSH private keys, and PKCS#8 ed25519 keys.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use curve25519_dalek::edwards::EdwardsPoint;
use zeroize::Zeroizing;

use crate::key::age::derived::derived_recipient;
use crate::key::age::derived::derived_scalar;
use crate::secret::Secret;

/// An SSH key that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SshKeyError {
    /// It says that it is a key, and does not parse, or its halves do not belong together.
    #[error("damaged SSH key")]
    Damaged,
    /// There is no SSH key.
    #[error("not an SSH key")]
    NotAKey,
    /// An age key instead.
    #[error("an age key and not an SSH key")]
    AgeKey,
    /// A public key where a private one is due.
    #[error("a public key and not a private key")]
    PublicKey,
    /// The private key asks for a passphrase.
    #[error("protected with a passphrase")]
    PassphraseProtected {
        /// The public half, where the file shows it and it is of a usable type.
        public: Option<SshPublicKey>,
    },
    /// A key of another type than ed25519.
    #[error("SSH key of type {0}, only ssh-ed25519 can be used")]
    UnsupportedType(String),
}

/// An ed25519 public key.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct SshPublicKey([u8; 32]);

impl SshPublicKey {
    /// Reads a line that starts with the key type, as a recipient does.
    ///
    /// # Errors
    /// [`SshKeyError`] when it is no ed25519 key.
    pub fn parse(line: &str) -> Result<Self, SshKeyError> {
        let mut words = line.split_whitespace();
        let kind = words.next().ok_or(SshKeyError::NotAKey)?;
        Self::from_words(kind, words.next())
    }

    /// Reads the first key of a line that may begin with options or host names.
    ///
    /// # Errors
    /// [`SshKeyError`] when there is no ed25519 key.
    pub fn find_in_line(line: &str) -> Result<Self, SshKeyError> {
        let mut words = line.split_whitespace();
        let kind = words
            .find(|word| is_key_type(word))
            .ok_or_else(|| no_public_key(line))?;
        Self::from_words(kind, words.next())
    }

    /// The recipient: type and base64, no comment.
    #[must_use]
    pub fn text(&self) -> String {
        format!("{ED25519} {}", STANDARD.encode(self.wire()))
    }

    /// The `age1…` recipient that ssh-to-age derives.
    ///
    /// # Errors
    /// [`SshKeyError::Damaged`] when the bytes are no point of the curve that a key can have.
    pub fn derived_recipient(&self) -> Result<String, SshKeyError> {
        derived_recipient(&self.0).ok_or(SshKeyError::Damaged)
    }

    /// The bytes under the base64.
    pub(super) fn wire(&self) -> Vec<u8> {
        [WIRE_PREFIX, &self.0].concat()
    }

    fn from_words(kind: &str, key: Option<&str>) -> Result<Self, SshKeyError> {
        if kind != ED25519 {
            return Err(if is_key_type(kind) {
                SshKeyError::UnsupportedType(kind.into())
            } else {
                no_public_key(kind)
            });
        }
        let wire = STANDARD
            .decode(key.unwrap_or_default())
            .map_err(|_| SshKeyError::Damaged)?;
        Self::from_wire(&wire).ok_or(SshKeyError::Damaged)
    }

    fn from_wire(wire: &[u8]) -> Option<Self> {
        let public = wire.strip_prefix(WIRE_PREFIX)?;
        Some(Self(public.try_into().ok()?))
    }
}

impl fmt::Debug for SshPublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text())
    }
}

/// An ed25519 key pair whose halves belong together.
pub(super) struct SshPrivateKey {
    seed: Zeroizing<[u8; 32]>,
    public: SshPublicKey,
}

impl SshPrivateKey {
    fn from_seed(seed: Zeroizing<[u8; 32]>) -> Self {
        let point = EdwardsPoint::mul_base_clamped(*derived_scalar(&seed));
        let public = SshPublicKey(point.compress().to_bytes());
        Self { seed, public }
    }

    pub(super) fn seed(&self) -> &[u8; 32] {
        &self.seed
    }

    pub(super) fn public(&self) -> SshPublicKey {
        self.public
    }
}

/// The public half of a private key file, which an OpenSSH file shows even where the rest asks for a passphrase.
///
/// # Errors
/// [`SshKeyError`] when the file holds no ed25519 private key, or hides its public half.
pub fn read_public_half(private_key_file: &[u8]) -> Result<SshPublicKey, SshKeyError> {
    match read_private_key(private_key_file) {
        Ok(key) => Ok(key.public()),
        Err(SshKeyError::PassphraseProtected {
            public: Some(public),
        }) => Ok(public),
        Err(error) => Err(error),
    }
}

/// Reads a private key file. Like Go's reader it takes any line width and text before the key.
pub(super) fn read_private_key(file: &[u8]) -> Result<SshPrivateKey, SshKeyError> {
    let text = std::str::from_utf8(file).map_err(|_| SshKeyError::NotAKey)?;
    let Some((_, rest)) = text.split_once("-----BEGIN ") else {
        return Err(no_private_key(text));
    };
    let (label, rest) = rest.split_once("-----").ok_or(SshKeyError::Damaged)?;
    let (body, _) = rest.split_once("-----END ").ok_or(SshKeyError::Damaged)?;
    match label {
        // EXPOSE: to the readers of this module, which keep the seed in a buffer that wipes itself.
        "OPENSSH PRIVATE KEY" => read_openssh(decode_body(body)?.expose()),
        "PRIVATE KEY" => read_pkcs8(decode_body(body)?.expose()),
        "ENCRYPTED PRIVATE KEY" => Err(SshKeyError::PassphraseProtected { public: None }),
        "RSA PRIVATE KEY" => Err(SshKeyError::UnsupportedType("ssh-rsa".into())),
        "DSA PRIVATE KEY" => Err(SshKeyError::UnsupportedType("ssh-dss".into())),
        "EC PRIVATE KEY" => Err(SshKeyError::UnsupportedType("ecdsa".into())),
        _ => Err(SshKeyError::NotAKey),
    }
}

fn read_openssh(bytes: &[u8]) -> Result<SshPrivateKey, SshKeyError> {
    let header = OpensshHeader::read(bytes).ok_or(SshKeyError::Damaged)?;
    if header.encrypted {
        return Err(SshKeyError::PassphraseProtected {
            public: SshPublicKey::from_wire(header.public),
        });
    }
    if header.kind != ED25519 {
        return Err(SshKeyError::UnsupportedType(header.kind.into()));
    }
    let key = ssh_key::PrivateKey::from_bytes(bytes).map_err(|_| SshKeyError::Damaged)?;
    let pair = key.key_data().ed25519().ok_or(SshKeyError::Damaged)?;
    let private = SshPrivateKey::from_seed(Zeroizing::new(pair.private.to_bytes()));
    if SshPublicKey::from_wire(header.public) != Some(private.public) {
        return Err(SshKeyError::Damaged);
    }
    Ok(private)
}

/// `ssh-keygen -m PKCS8` and openssl write an ed25519 key as a fixed header and its seed (RFC 8410, section 7).
fn read_pkcs8(bytes: &[u8]) -> Result<SshPrivateKey, SshKeyError> {
    let seed = bytes
        .strip_prefix(PKCS8_ED25519)
        .and_then(|seed| <[u8; 32]>::try_from(seed).ok())
        .ok_or_else(|| SshKeyError::UnsupportedType("PKCS#8".into()))?;
    Ok(SshPrivateKey::from_seed(Zeroizing::new(seed)))
}

/// What an OpenSSH private key file says before its private part.
struct OpensshHeader<'a> {
    encrypted: bool,
    kind: &'a str,
    public: &'a [u8],
}

impl<'a> OpensshHeader<'a> {
    fn read(bytes: &'a [u8]) -> Option<Self> {
        let (cipher, rest) = take_string(bytes.strip_prefix(b"openssh-key-v1\0")?)?;
        let (_kdf, rest) = take_string(rest)?;
        let (_kdf_options, rest) = take_string(rest)?;
        let (_number_of_keys, rest) = rest.split_first_chunk::<4>()?;
        let (public, _private) = take_string(rest)?;
        let (kind, _) = take_string(public)?;
        let kind = std::str::from_utf8(kind).ok()?;
        is_key_type(kind).then_some(Self {
            encrypted: cipher != b"none",
            kind,
            public,
        })
    }
}

/// A string of the SSH wire format: its length in four bytes, then its bytes.
fn take_string(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    rest.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)
}

fn decode_body(body: &str) -> Result<Secret, SshKeyError> {
    let mut base64 = Secret::with_capacity(body.len());
    for line in body.split_ascii_whitespace() {
        base64.extend(line.as_bytes());
    }
    let mut decoded = Zeroizing::new(vec![0; base64.len()]);
    // EXPOSE: into `decoded`, which wipes itself.
    let length = STANDARD
        .decode_slice(base64.expose(), &mut decoded)
        .map_err(|_| SshKeyError::Damaged)?;
    decoded.truncate(length);
    Ok(Secret::from_slice(&decoded))
}

/// Whether a word names a type of SSH key. Such words come from files: only plain ones are taken into messages.
fn is_key_type(word: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-@.".contains(&byte);
    KEY_TYPE_PREFIXES
        .iter()
        .any(|prefix| word.starts_with(prefix))
        && word.len() <= 64
        && word.bytes().all(plain)
}

fn no_public_key(text: &str) -> SshKeyError {
    let text = text.trim_start();
    if text.starts_with("age1") || text.starts_with("AGE-") {
        return SshKeyError::AgeKey;
    }
    SshKeyError::NotAKey
}

fn no_private_key(text: &str) -> SshKeyError {
    if text.lines().any(|line| line.starts_with("AGE-")) {
        return SshKeyError::AgeKey;
    }
    if text.split_whitespace().next().is_some_and(is_key_type) {
        return SshKeyError::PublicKey;
    }
    SshKeyError::NotAKey
}

const ED25519: &str = "ssh-ed25519";
const KEY_TYPE_PREFIXES: &[&str] = &["ssh-", "ecdsa-sha2-", "sk-ssh-", "sk-ecdsa-"];
/// Lengths and type before the 32 bytes of a public key (RFC 8709, section 4).
const WIRE_PREFIX: &[u8] = b"\0\0\0\x0bssh-ed25519\0\0\0\x20";
const PKCS8_ED25519: &[u8] = b"\x30\x2e\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20";

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
mod tests {
    use super::*;
    use crate::key::test_data;

    fn read(name: &str) -> Result<SshPublicKey, SshKeyError> {
        read_private_key(&test_data::bytes(name)).map(|key| key.public())
    }

    #[test]
    fn private_keys_give_the_public_half_that_their_maker_printed() {
        for name in ["ssh_ed25519", "ssh_pkcs8"] {
            let line = test_data::text(&format!("{name}.pub"));
            let public = SshPublicKey::parse(&line).unwrap();
            assert_eq!(read(name).unwrap(), public);
            assert!(line.starts_with(&public.text()));
        }
    }

    #[test]
    fn a_key_is_read_at_any_line_width_and_behind_other_text() {
        let text = test_data::text("ssh_ed25519");
        let body: String = text.lines().filter(|line| !line.starts_with('-')).collect();
        let one_line = format!(
            "# my key\r\n-----BEGIN OPENSSH PRIVATE KEY-----\r\n{body}\r\n-----END OPENSSH PRIVATE KEY-----"
        );
        let expected = read("ssh_ed25519").unwrap();
        let public = read_private_key(one_line.as_bytes()).unwrap().public();
        assert_eq!(public, expected);
    }

    #[test]
    fn keys_that_cannot_be_used_say_what_they_are() {
        let public = read("ssh_ed25519").unwrap();
        for name in ["ssh_locked_ctr", "ssh_locked_chacha"] {
            let error = read(name).unwrap_err();
            assert_eq!(
                error,
                SshKeyError::PassphraseProtected {
                    public: Some(public)
                }
            );
        }
        for (name, kind) in [
            ("ssh_rsa", "ssh-rsa"),
            ("ssh_rsa_pem", "ssh-rsa"),
            ("ssh_ecdsa", "ecdsa-sha2-nistp256"),
        ] {
            assert_eq!(
                read(name).unwrap_err(),
                SshKeyError::UnsupportedType(kind.into())
            );
        }
        assert_eq!(read("ssh_ed25519.pub").unwrap_err(), SshKeyError::PublicKey);
        assert_eq!(read("age-1.txt").unwrap_err(), SshKeyError::AgeKey);
        assert_eq!(read("yaml-ssh.yaml").unwrap_err(), SshKeyError::NotAKey);
        assert_eq!(
            read_private_key(b"\xff\xfe").err(),
            Some(SshKeyError::NotAKey)
        );
    }

    #[test]
    fn a_truncated_or_altered_key_is_damaged() {
        let text = test_data::text("ssh_ed25519");
        for end in 30..text.trim_end().len() - 25 {
            assert_eq!(
                read_private_key(&text.as_bytes()[..end]).err(),
                Some(SshKeyError::Damaged)
            );
        }
        let other = test_data::text("ssh_ed25519").replace("VguVz0d", "VguVz1d");
        let result = read_private_key(other.as_bytes());
        assert!(
            other == text || result.is_err(),
            "the halves do not belong together"
        );
    }

    #[test]
    fn no_byte_of_the_body_can_be_changed_into_another_key() {
        let text = test_data::bytes("ssh_ed25519");
        let public = read("ssh_ed25519").unwrap();
        for index in 0..text.len() {
            let mut changed = text.clone();
            changed[index] = if changed[index] == b'A' { b'B' } else { b'A' };
            if let Ok(key) = read_private_key(&changed) {
                assert_eq!(key.public(), public);
            }
        }
    }
}
