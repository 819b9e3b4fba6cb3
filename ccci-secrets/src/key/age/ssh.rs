//! ed25519 SSH keys: the `ssh-ed25519` stanza of age, and the derived X25519 key beside it.

use std::fmt;

use age_core::format::FILE_KEY_BYTES;
use age_core::format::FileKey;
use age_core::format::Stanza;
use age_core::primitives::aead_decrypt;
use age_core::primitives::hkdf;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use curve25519_dalek::montgomery::MontgomeryPoint;
use zeroize::Zeroizing;

use crate::digest::sha256;
use crate::key::Identity;
use crate::key::IdentityError;
use crate::key::Recipient;
use crate::key::WrapError;
use crate::key::age::derived::derived_identity_text;
use crate::key::age::derived::derived_scalar;
use crate::key::age::ssh_file::SshKeyError;
use crate::key::age::ssh_file::SshPublicKey;
use crate::key::age::ssh_file::read_private_key;
use crate::key::age::x25519::X25519Identity;
use crate::secret::Secret;
use crate::wrapped::KeyKind;
use crate::wrapped::WrappedKey;

/// An `ssh-ed25519 AAAA…` recipient; its label keeps the comment.
pub struct SshRecipient {
    text: String,
    key: age::ssh::Recipient,
}

impl SshRecipient {
    /// Reads a recipient; `None` when it is damaged.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let public = SshPublicKey::parse(text).ok()?;
        // Refuses what is no point of the curve, or one of low order.
        public.derived_recipient().ok()?;
        Some(Self {
            text: text.trim().into(),
            key: public.text().parse().ok()?,
        })
    }
}

impl Recipient for SshRecipient {
    fn label(&self) -> &str {
        &self.text
    }

    fn kind(&self) -> KeyKind {
        KeyKind::Age
    }

    fn wrap(&self, data_key: &[u8]) -> Result<WrappedKey, WrapError> {
        let enc = super::seal(&self.key, data_key).ok_or_else(|| WrapError {
            recipient: self.text.clone(),
        })?;
        Ok(WrappedKey::age(&self.text, &enc))
    }
}

impl fmt::Debug for SshRecipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SshRecipient({})", self.text)
    }
}

/// An ed25519 SSH private key. It opens what was wrapped for its public key, and what was wrapped for the age recipient
/// that ssh-to-age derives from it: users cannot be expected to know which of the two a file was written for.
pub struct SshIdentity {
    public: SshPublicKey,
    native: NativeKey,
    derived: X25519Identity,
}

impl SshIdentity {
    /// Reads a private key file.
    ///
    /// # Errors
    /// [`SshKeyError`] when it is no ed25519 key, or asks for a passphrase.
    pub fn parse(private_key_file: &[u8]) -> Result<Self, SshKeyError> {
        let key = read_private_key(private_key_file)?;
        let text = derived_identity_text(key.seed());
        // EXPOSE: to the parser of age, which keeps the scalar in a type that wipes itself.
        let derived = X25519Identity::parse(text.expose()).ok_or(SshKeyError::Damaged)?;
        Ok(Self {
            public: key.public(),
            native: NativeKey {
                wire: key.public().wire(),
                scalar: derived_scalar(key.seed()),
            },
            derived,
        })
    }

    /// The SSH public key.
    #[must_use]
    pub fn public(&self) -> SshPublicKey {
        self.public
    }

    /// The derived `age1…` recipient.
    #[must_use]
    pub fn derived_recipient(&self) -> &str {
        self.derived.recipient()
    }
}

impl Identity for SshIdentity {
    fn recipients(&self) -> Vec<String> {
        vec![self.derived.recipient().into(), self.public.text()]
    }

    fn unwrap(&self, key: &WrappedKey) -> Result<Option<Secret>, IdentityError> {
        super::open(key, &[&self.native, self.derived.key()])
    }
}

impl fmt::Debug for SshIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SshIdentity({:?})", self.public)
    }
}

/// Opens `ssh-ed25519` stanzas.
///
/// The age crate can do this too, but only reads keys from text, and leaves copies of that text in memory.
struct NativeKey {
    /// The public key in the wire format of SSH.
    wire: Vec<u8>,
    /// The secret scalar, shared with the derived key.
    scalar: Zeroizing<[u8; 32]>,
}

impl NativeKey {
    fn file_key(&self, ephemeral: [u8; 32], body: &[u8]) -> Option<FileKey> {
        let own = MontgomeryPoint::mul_base_clamped(*self.scalar);
        let tweak = Zeroizing::new(hkdf(&self.wire, STANZA_LABEL, &[]));
        let shared = Zeroizing::new(
            MontgomeryPoint(ephemeral)
                .mul_clamped(*self.scalar)
                .mul_clamped(*tweak)
                .to_bytes(),
        );
        if *shared == [0; 32] {
            return None;
        }
        let salt = [ephemeral, own.to_bytes()].concat();
        let wrapping_key = Zeroizing::new(hkdf(&salt, STANZA_LABEL, shared.as_slice()));
        let opened = Zeroizing::new(aead_decrypt(&wrapping_key, FILE_KEY_BYTES, body).ok()?);
        Some(FileKey::init_with_mut(|key| {
            key.iter_mut()
                .zip(opened.iter())
                .for_each(|(to, from)| *to = *from);
        }))
    }
}

impl age::Identity for NativeKey {
    fn unwrap_stanza(&self, stanza: &Stanza) -> Option<Result<FileKey, age::DecryptError>> {
        if stanza.tag != STANZA_TAG {
            return None;
        }
        let [tag, ephemeral] = stanza.args.as_slice() else {
            return Some(Err(age::DecryptError::InvalidHeader));
        };
        let hash = sha256(&self.wire);
        if decode_argument::<4>(tag).as_ref() != hash.first_chunk::<4>() {
            return None;
        }
        // The stanza names this key: from here on a failure is damage.
        let Some(ephemeral) = decode_argument::<32>(ephemeral) else {
            return Some(Err(age::DecryptError::InvalidHeader));
        };
        Some(
            self.file_key(ephemeral, &stanza.body)
                .ok_or(age::DecryptError::DecryptionFailed),
        )
    }
}

fn decode_argument<const N: usize>(argument: &str) -> Option<[u8; N]> {
    STANDARD_NO_PAD.decode(argument).ok()?.try_into().ok()
}

const STANZA_TAG: &str = "ssh-ed25519";
const STANZA_LABEL: &[u8] = b"age-encryption.org/v1/ssh-ed25519";
