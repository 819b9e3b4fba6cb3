//! The native keys of age: `age1…` and `AGE-SECRET-KEY-1…`.

use std::fmt;

use age::secrecy::ExposeSecret;
use curve25519_dalek::montgomery::MontgomeryPoint;

use crate::key::Identity;
use crate::key::IdentityError;
use crate::key::Recipient;
use crate::key::WrapError;
use crate::secret::Secret;
use crate::secret::SecretStr;
use crate::wrapped::KeyKind;
use crate::wrapped::WrappedKey;

/// An `age1…` recipient.
pub struct X25519Recipient {
    text: String,
    key: age::x25519::Recipient,
}

impl X25519Recipient {
    /// Reads an `age1…` text; `None` when it is damaged, or when its point is of low order, for which everybody could
    /// open what is wrapped.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (_, bytes) = bech32::decode(text).ok()?;
        // Clamped scalars are multiples of the cofactor: a point of low order becomes zero.
        let product = MontgomeryPoint(bytes.try_into().ok()?).mul_clamped([1; 32]);
        if product.to_bytes() == [0; 32] {
            return None;
        }
        Some(Self {
            text: text.into(),
            key: text.parse().ok()?,
        })
    }
}

impl Recipient for X25519Recipient {
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

impl fmt::Debug for X25519Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "X25519Recipient({})", self.text)
    }
}

/// An `AGE-SECRET-KEY-1…` identity.
pub struct X25519Identity {
    recipient: String,
    key: age::x25519::Identity,
}

impl X25519Identity {
    /// Reads an `AGE-SECRET-KEY-1…` text; `None` when it is damaged.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        // age reads either case of Bech32; only this one is an identity in a key file.
        let key: age::x25519::Identity = text
            .starts_with("AGE-SECRET-KEY-1")
            .then(|| text.parse().ok())??;
        Some(Self {
            recipient: key.to_public().to_string(),
            key,
        })
    }

    /// The public half.
    #[must_use]
    pub fn recipient(&self) -> &str {
        &self.recipient
    }

    pub(super) fn key(&self) -> &dyn age::Identity {
        &self.key
    }
}

impl Identity for X25519Identity {
    fn recipients(&self) -> Vec<String> {
        vec![self.recipient.clone()]
    }

    fn unwrap(&self, key: &WrappedKey) -> Result<Option<Secret>, IdentityError> {
        super::open(key, &[&self.key])
    }
}

impl fmt::Debug for X25519Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "X25519Identity({})", self.recipient)
    }
}

/// Makes a new key: the text of the identity, and its recipient.
#[must_use]
pub fn generate_x25519() -> (SecretStr, String) {
    let key = age::x25519::Identity::generate();
    let text = key.to_string();
    // EXPOSE: into the result, which wipes itself; the source is wiped by its own type.
    let text = SecretStr::from_string(text.expose_secret().to_owned());
    (text, key.to_public().to_string())
}
