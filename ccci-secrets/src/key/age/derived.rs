//! The X25519 key that ssh-to-age derives from an ed25519 SSH key: the same scalar, on the other form of the curve.

use bech32::{Bech32, Hrp};
use curve25519_dalek::edwards::CompressedEdwardsY;
use zeroize::Zeroizing;

use crate::digest::sha512;
use crate::key::age::ssh_file::SshKeyError;
use crate::key::age::ssh_file::SshPublicKey;
use crate::key::age::ssh_file::read_private_key;
use crate::secret::SecretStr;

/// The `age1…` recipient of an SSH public key, as ssh-to-age prints it.
///
/// The line may be that of a `.pub` file, of `authorized_keys`, or of `ssh-keyscan`.
///
/// # Errors
/// [`SshKeyError`] when the line holds no ed25519 key.
pub fn derive_recipient_from_ssh_public(line: &str) -> Result<String, SshKeyError> {
    SshPublicKey::find_in_line(line)?.derived_recipient()
}

/// The `AGE-SECRET-KEY-1…` identity of an SSH private key file, as `ssh-to-age -private-key` prints it.
///
/// # Errors
/// [`SshKeyError`] when the file holds no ed25519 key without a passphrase.
pub fn age_identity_text_from_ssh(private_key_file: &[u8]) -> Result<SecretStr, SshKeyError> {
    Ok(derived_identity_text(
        read_private_key(private_key_file)?.seed(),
    ))
}

/// The recipient of an ed25519 public key; `None` when the bytes are no point that a key can have.
pub(super) fn derived_recipient(public: &[u8; 32]) -> Option<String> {
    let point = CompressedEdwardsY(*public).decompress()?;
    if point.is_small_order() {
        return None;
    }
    bech32::encode_lower::<Bech32>(RECIPIENT_PREFIX, point.to_montgomery().as_bytes()).ok()
}

/// The X25519 secret of an ed25519 seed: the half of its hash that is the scalar, not yet clamped.
pub(super) fn derived_scalar(seed: &[u8; 32]) -> Zeroizing<[u8; 32]> {
    let hash = Zeroizing::new(sha512(seed));
    let mut scalar = Zeroizing::new([0; 32]);
    scalar
        .iter_mut()
        .zip(hash.iter())
        .for_each(|(to, from)| *to = *from);
    scalar
}

/// The text form of the derived identity.
pub(super) fn derived_identity_text(seed: &[u8; 32]) -> SecretStr {
    let scalar = derived_scalar(seed);
    let mut text = String::with_capacity(IDENTITY_TEXT_LEN);
    bech32::encode_upper_to_fmt::<Bech32, _>(&mut text, IDENTITY_PREFIX, scalar.as_slice())
        .expect("32 bytes are within the length of the code, and a String takes all text");
    SecretStr::from_string(text)
}

const RECIPIENT_PREFIX: Hrp = Hrp::parse_unchecked("age");
const IDENTITY_PREFIX: Hrp = Hrp::parse_unchecked("age-secret-key-");
/// Prefix, separator, 52 characters for 32 bytes, 6 of checksum: the buffer never moves.
const IDENTITY_TEXT_LEN: usize = 15 + 1 + 52 + 6;
