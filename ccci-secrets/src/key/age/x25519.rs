//! The native keys of age: `age1…` and `AGE-SECRET-KEY-1…`.

use std::fmt;

use age::secrecy::ExposeSecret;
use curve25519_dalek::montgomery::MontgomeryPoint;

use crate::key::Identity;
use crate::key::IdentityError;
use crate::key::Recipient;
use crate::key::WrapError;
use crate::key::age::file::open;
use crate::key::age::file::seal;
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
        let enc = seal(&self.key, data_key).ok_or_else(|| WrapError {
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
        open(key, &[&self.key])
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

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
mod tests {
    use super::*;
    use crate::key::test_data;

    fn identity() -> X25519Identity {
        X25519Identity::parse(&test_data::age_identity("age-1.txt")).unwrap()
    }

    #[test]
    fn an_identity_knows_the_recipient_that_age_keygen_printed() {
        let public = test_data::text("age-1.pub");
        assert_eq!(identity().recipients(), [public.trim()]);
    }

    #[test]
    fn a_wrapped_key_has_the_form_of_sops_and_opens_again() {
        let recipient = X25519Recipient::parse(identity().recipient()).unwrap();
        let wrapped = recipient.wrap(&[7; 32]).unwrap();
        assert_eq!(wrapped.field("recipient"), Some(identity().recipient()));
        let enc = wrapped.field("enc").unwrap();
        let lines: Vec<&str> = enc.split('\n').collect();
        assert_eq!(lines[0], "-----BEGIN AGE ENCRYPTED FILE-----");
        assert_eq!(
            lines[lines.len() - 2..],
            ["-----END AGE ENCRYPTED FILE-----", ""]
        );
        let body = &lines[1..lines.len() - 2];
        assert!(body[..body.len() - 1].iter().all(|line| line.len() == 64));
        assert!(body[body.len() - 1].len() <= 64);
        // As many lines as sops writes for an X25519 recipient.
        let sops = test_data::entries("yaml-multi-recipient.yaml");
        assert_eq!(enc.len(), sops.keys[0].field("enc").unwrap().len());
        assert!(
            identity()
                .unwrap(&wrapped)
                .unwrap()
                .unwrap()
                .ct_eq(&[7; 32])
        );
    }

    #[test]
    fn a_key_for_somebody_else_is_no_error_and_damage_is() {
        let group = test_data::entries("yaml-multi-recipient.yaml");
        assert!(identity().unwrap(&group.keys[1]).unwrap().is_none());
        assert!(identity().unwrap(&group.keys[2]).unwrap().is_none());
        let enc = group.keys[0].field("enc").unwrap();
        let damaged = enc.replace("7LqfIi", "7LqfIj");
        assert_ne!(enc, damaged);
        let unwrap = |enc: &str| identity().unwrap(&WrappedKey::age("x", enc)).unwrap_err();
        assert_eq!(unwrap(&damaged), IdentityError::Damaged);
        assert_eq!(unwrap(""), IdentityError::NotAgeFile);
        assert_eq!(
            unwrap("-----BEGIN AGE ENCRYPTED FILE-----"),
            IdentityError::NotAgeFile
        );
        let mut bare = group.keys[0].clone();
        bare.fields.retain(|(name, _)| name != "enc");
        assert_eq!(
            identity().unwrap(&bare).unwrap_err(),
            IdentityError::NoCiphertext
        );
        let mut other = group.keys[0].clone();
        other.kind = KeyKind::Pgp;
        assert!(identity().unwrap(&other).unwrap().is_none());
    }

    #[test]
    fn a_payload_that_is_no_key_is_not_read_to_its_end() {
        let recipient: age::x25519::Recipient = identity().recipient().parse().unwrap();
        let enc = age::encrypt_and_armor(&recipient, &vec![7; 100_000]).unwrap();
        let wrapped = WrappedKey::age("x", &enc);
        assert_eq!(
            identity().unwrap(&wrapped).unwrap_err(),
            IdentityError::WrongLength
        );
    }

    #[test]
    fn white_space_around_the_age_file_and_crlf_inside_are_read() {
        let group = test_data::entries("yaml-multi-recipient.yaml");
        let enc = group.keys[0].field("enc").unwrap();
        for enc in [
            enc.trim().to_owned(),
            format!("\n  {enc}\n\n"),
            enc.replace('\n', "\r\n"),
        ] {
            let key = WrappedKey::age("x", &enc);
            assert_eq!(identity().unwrap(&key).unwrap().unwrap().len(), 32);
        }
    }

    #[test]
    fn generated_keys_are_whole_and_differ() {
        let (first, recipient) = generate_x25519();
        let (second, _) = generate_x25519();
        assert_ne!(first.expose(), second.expose());
        let identity = X25519Identity::parse(first.expose()).unwrap();
        assert_eq!(identity.recipient(), recipient);
    }

    #[test]
    fn only_upper_case_identities_are_read() {
        let text = test_data::age_identity("age-1.txt");
        assert!(X25519Identity::parse(&text.to_lowercase()).is_none());
        assert!(X25519Identity::parse(&format!("{text} ")).is_none());
        test_data::assert_silent(&format!("{:?}", identity()));
    }
}
