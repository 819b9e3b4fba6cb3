//! age keys: X25519, native ssh-ed25519, and the X25519 key that is derived from an ed25519 SSH key.

pub mod derived;
pub mod ssh;
pub mod ssh_file;
pub mod x25519;

use std::io::Read;

use age::armor::ArmoredReader;
use zeroize::Zeroizing;

use crate::key::IdentityError;
use crate::secret::Secret;
use crate::wrapped::KeyKind;
use crate::wrapped::WrappedKey;

/// Longer payloads are no data key: 32 bytes, or 33 for a Shamir share.
const PAYLOAD_LIMIT: usize = 64;

/// Wraps bytes into an armored age file for one recipient, as sops stores it: 64 columns and a final newline.
fn seal(recipient: &impl age::Recipient, data_key: &[u8]) -> Option<String> {
    let mut armored = age::encrypt_and_armor(recipient, data_key).ok()?;
    if !armored.ends_with('\n') {
        armored.push('\n');
    }
    Some(armored)
}

/// Opens the age file of an entry with any of the identities.
///
/// The error text of the age crate is translated into the user's language and not for us to print: it is mapped.
fn open(
    key: &WrappedKey,
    identities: &[&dyn age::Identity],
) -> Result<Option<Secret>, IdentityError> {
    if key.kind != KeyKind::Age {
        return Ok(None);
    }
    let enc = key.field("enc").ok_or(IdentityError::NoCiphertext)?;
    let armored = ArmoredReader::new(enc.trim().as_bytes());
    let decryptor = age::Decryptor::new_buffered(armored).map_err(|_| IdentityError::NotAgeFile)?;
    match decryptor.decrypt(identities.iter().copied()) {
        Ok(payload) => read_payload(payload).map(Some),
        Err(age::DecryptError::NoMatchingKeys) => Ok(None),
        Err(_) => Err(IdentityError::Damaged),
    }
}

fn read_payload(mut payload: impl Read) -> Result<Secret, IdentityError> {
    let mut secret = Secret::with_capacity(PAYLOAD_LIMIT);
    let mut buffer = Zeroizing::new([0; PAYLOAD_LIMIT]);
    loop {
        let read = payload
            .read(buffer.as_mut_slice())
            .map_err(|_| IdentityError::Damaged)?;
        if read == 0 {
            return Ok(secret);
        }
        if secret.len() + read > PAYLOAD_LIMIT {
            return Err(IdentityError::WrongLength);
        }
        secret.extend(buffer.get(..read).unwrap_or_default());
    }
}
