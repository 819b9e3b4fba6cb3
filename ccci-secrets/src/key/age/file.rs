//! The age file of one entry: read by the age crate, written here.
//!
//! The age crate adds a stanza of random content to every header that it writes ("grease"). sops does not, and our files
//! are to look like those of sops. It also leaves copies of the payload in memory, and the payload is the data key.

use std::io::Read;

use age::armor::ArmoredReader;
use age::secrecy::ExposeSecret;
use age_core::format::FileKey;
use age_core::format::Stanza;
use age_core::primitives::hkdf;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use chacha20poly1305::ChaCha20Poly1305;
use chacha20poly1305::KeyInit as _;
use chacha20poly1305::aead::Aead as _;
use zeroize::Zeroizing;

use crate::digest::hmac_sha256;
use crate::key::IdentityError;
use crate::secret::Secret;
use crate::wrapped::KeyKind;
use crate::wrapped::WrappedKey;

/// Wraps bytes into an armored age file for one recipient, as sops stores it: 64 columns and a final newline.
pub(super) fn seal(recipient: &impl age::Recipient, payload: &[u8]) -> Option<String> {
    let file_key = FileKey::try_init_with_mut(|key| getrandom::fill(key)).ok()?;
    let (stanzas, _labels) = recipient.wrap_file_key(&file_key).ok()?;
    let mut file = header(&stanzas, &file_key).into_bytes();
    let mut nonce = [0; 16];
    getrandom::fill(&mut nonce).ok()?;
    file.extend_from_slice(&nonce);
    file.extend_from_slice(&sealed_payload(&file_key, &nonce, payload)?);
    Some(armor(&file))
}

/// The header: version, stanzas, and a MAC over all that stands before it (c2sp.org/age, "Header").
fn header(stanzas: &[Stanza], file_key: &FileKey) -> String {
    let mut header = String::from("age-encryption.org/v1\n");
    for stanza in stanzas {
        let words = [
            &["->".to_owned(), stanza.tag.clone()],
            stanza.args.as_slice(),
        ]
        .concat();
        header += &words.join(" ");
        header.push('\n');
        let body = STANDARD_NO_PAD.encode(&stanza.body);
        push_lines(&mut header, &body);
        if body.len() % COLUMNS == 0 {
            // The last line of a body is a short one, if need be an empty one.
            header.push('\n');
        }
    }
    header += "---";
    // EXPOSE: to the key derivation.
    let mac_key = Zeroizing::new(hkdf(&[], b"header", file_key.expose_secret()));
    let mac = hmac_sha256(mac_key.as_slice(), header.as_bytes());
    header.push(' ');
    header += &STANDARD_NO_PAD.encode(mac);
    header.push('\n');
    header
}

/// The payload as one chunk, which is the last: its number is 0, and the last byte of the nonce says that it ends.
fn sealed_payload(file_key: &FileKey, nonce: &[u8; 16], payload: &[u8]) -> Option<Vec<u8>> {
    if payload.len() > PAYLOAD_LIMIT {
        return None;
    }
    // EXPOSE: to the key derivation.
    let key = Zeroizing::new(hkdf(nonce, b"payload", file_key.expose_secret()));
    let cipher = ChaCha20Poly1305::new(key.as_slice().into());
    let chunk_nonce = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
    // The cipher copies the payload into its result and seals it there: nothing is left behind.
    cipher.encrypt(&chunk_nonce.into(), payload).ok()
}

fn armor(file: &[u8]) -> String {
    let mut text = String::from("-----BEGIN AGE ENCRYPTED FILE-----\n");
    push_lines(&mut text, &STANDARD.encode(file));
    text += "-----END AGE ENCRYPTED FILE-----\n";
    text
}

fn push_lines(text: &mut String, base64: &str) {
    let mut rest = base64;
    while !rest.is_empty() {
        let (line, more) = rest.split_at_checked(COLUMNS).unwrap_or((rest, ""));
        text.push_str(line);
        text.push('\n');
        rest = more;
    }
}
/// Opens the age file of an entry with any of the identities.
///
/// The error text of the age crate is translated into the user's language and not for us to print: it is mapped.
pub(super) fn open(
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

const COLUMNS: usize = 64;
/// Longer payloads are no data key: 32 bytes, or 33 for a Shamir share.
const PAYLOAD_LIMIT: usize = 64;
