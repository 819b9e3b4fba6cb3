//! Public keys: those in certificates, and those that are derived from private keys, in one form that can be compared.

use ed25519_dalek::{SigningKey, VerifyingKey};
use pkcs8::ObjectIdentifier;
use rsa::{BigUint, RsaPublicKey};
use sec1::EcPrivateKey;
use x509_cert::der::{Decode as _, Encode as _, asn1::OctetStringRef};
use x509_cert::spki::{AlgorithmIdentifierRef, SubjectPublicKeyInfoOwned};
use zeroize::Zeroizing;

use super::pem::{self, Label, PemError};
use crate::secret::Secret;

pub(super) const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");
const EC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
const P384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.34");
const P521: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.35");

/// The largest RSA key that is looked at.
const MOST_RSA_BITS: usize = 16384;

/// A public key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum PublicKey {
    Ed25519(VerifyingKey),
    P256(p256::PublicKey),
    P384(p384::PublicKey),
    P521(p521::PublicKey),
    Rsa(RsaPublicKey),
}

/// Why a private key is of no use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyProblem {
    /// It is locked with a passphrase.
    #[error("is encrypted with a passphrase")]
    Encrypted,
    /// It is not what its name says.
    #[error("is damaged")]
    Malformed,
    /// There is none.
    #[error("holds no private key")]
    Missing,
    /// More than one, or something else beside it.
    #[error("holds something beside a private key, in the block that begins in line {line}")]
    NotAlone {
        /// The first line that is too many.
        line: usize,
    },
    /// In the format of OpenSSH, which TLS servers do not read.
    #[error("is in the format of OpenSSH, which TLS servers do not read")]
    Openssh,
    /// Not PEM.
    #[error("is not PEM: {0}")]
    Pem(PemError),
    /// Of a kind that cannot be checked.
    #[error(
        "is of a kind that this program cannot check: neither RSA, P-256, P-384, P-521 nor Ed25519"
    )]
    Unsupported,
}

impl PublicKey {
    /// The key of a certificate; none if its kind is not known.
    pub(super) fn of_certificate(info: &SubjectPublicKeyInfoOwned) -> Option<Self> {
        let bits = info.subject_public_key.as_bytes()?;
        let algorithm = &info.algorithm;
        match algorithm.oid {
            ED25519 => {
                let bytes = bits.try_into().ok()?;
                VerifyingKey::from_bytes(bytes).ok().map(Self::Ed25519)
            }
            EC => {
                let curve = algorithm.parameters.as_ref()?.decode_as().ok()?;
                match curve {
                    P256 => p256::PublicKey::from_sec1_bytes(bits).ok().map(Self::P256),
                    P384 => p384::PublicKey::from_sec1_bytes(bits).ok().map(Self::P384),
                    P521 => p521::PublicKey::from_sec1_bytes(bits).ok().map(Self::P521),
                    _ => None,
                }
            }
            RSA => {
                let key = pkcs1::RsaPublicKey::from_der(bits).ok()?;
                Self::rsa(&key.modulus, &key.public_exponent)
            }
            _ => None,
        }
    }

    /// The public half of the one private key in a PEM text. It is derived, not read: a public half that is written
    /// beside the private one proves nothing.
    pub(super) fn of_private_pem(pem: &Secret) -> Result<Self, KeyProblem> {
        // EXPOSE: to the parser, which keeps what it reads in secrets.
        let blocks = pem::parse(pem.expose()).map_err(|error| match error.problem {
            pem::PemProblem::Header => KeyProblem::Encrypted,
            _ => KeyProblem::Pem(error),
        })?;
        let mut keys = blocks
            .iter()
            .filter(|block| block.label != Label::EcParameters);
        let key = keys.next().ok_or(KeyProblem::Missing)?;
        if let Some(second) = keys.next() {
            return Err(KeyProblem::NotAlone { line: second.line });
        }
        // EXPOSE: to the decoders, which borrow.
        let der = key.der.expose();
        match key.label {
            Label::EcPrivateKey => Self::of_sec1(der, None),
            Label::EncryptedPrivateKey => Err(KeyProblem::Encrypted),
            Label::OpensshPrivateKey => Err(KeyProblem::Openssh),
            Label::PrivateKey => Self::of_pkcs8(der),
            Label::RsaPrivateKey => Self::of_pkcs1(der),
            Label::Certificate | Label::EcParameters | Label::Other => Err(KeyProblem::Missing),
        }
    }

    fn of_pkcs8(der: &[u8]) -> Result<Self, KeyProblem> {
        let info = pkcs8::PrivateKeyInfo::try_from(der).map_err(|_| KeyProblem::Malformed)?;
        match info.algorithm.oid {
            ED25519 => Self::of_seed(info.private_key),
            EC => Self::of_sec1(info.private_key, named_curve(&info.algorithm)),
            RSA => Self::of_pkcs1(info.private_key),
            _ => Err(KeyProblem::Unsupported),
        }
    }

    /// RFC 8410, section 7: the seed is an octet string inside of the octet string.
    fn of_seed(key: &[u8]) -> Result<Self, KeyProblem> {
        let seed = OctetStringRef::from_der(key).map_err(|_| KeyProblem::Malformed)?;
        let seed: &[u8; 32] = seed
            .as_bytes()
            .try_into()
            .map_err(|_| KeyProblem::Malformed)?;
        let key = SigningKey::from_bytes(seed);
        Ok(Self::Ed25519(key.verifying_key()))
    }

    /// Alone, the key names its curve; inside of PKCS#8 the algorithm does.
    fn of_sec1(der: &[u8], curve: Option<ObjectIdentifier>) -> Result<Self, KeyProblem> {
        let key = EcPrivateKey::from_der(der).map_err(|_| KeyProblem::Malformed)?;
        let own = key
            .parameters
            .and_then(|parameters| parameters.named_curve());
        let scalar = key.private_key;
        let damaged = |_| KeyProblem::Malformed;
        match curve.or(own) {
            Some(P256) => p256::SecretKey::from_slice(scalar)
                .map(|key| Self::P256(key.public_key()))
                .map_err(damaged),
            Some(P384) => p384::SecretKey::from_slice(scalar)
                .map(|key| Self::P384(key.public_key()))
                .map_err(damaged),
            Some(P521) => p521::SecretKey::from_slice(scalar)
                .map(|key| Self::P521(key.public_key()))
                .map_err(damaged),
            _ => Err(KeyProblem::Unsupported),
        }
    }

    /// The primes must be those of the modulus.
    fn of_pkcs1(der: &[u8]) -> Result<Self, KeyProblem> {
        let key = pkcs1::RsaPrivateKey::from_der(der).map_err(|_| KeyProblem::Malformed)?;
        if key.other_prime_infos.is_some() {
            return Err(KeyProblem::Unsupported);
        }
        let number = |bytes| Zeroizing::new(BigUint::from_bytes_be(bytes));
        let (one, other) = (number(key.prime1.as_bytes()), number(key.prime2.as_bytes()));
        if &*one * &*other != BigUint::from_bytes_be(key.modulus.as_bytes()) {
            return Err(KeyProblem::Malformed);
        }
        Self::rsa(&key.modulus, &key.public_exponent).ok_or(KeyProblem::Unsupported)
    }

    fn rsa(modulus: &pkcs1::UintRef<'_>, exponent: &pkcs1::UintRef<'_>) -> Option<Self> {
        let number = |number: &pkcs1::UintRef<'_>| BigUint::from_bytes_be(number.as_bytes());
        RsaPublicKey::new_with_max_size(number(modulus), number(exponent), MOST_RSA_BITS)
            .ok()
            .map(Self::Rsa)
    }
}

fn named_curve(algorithm: &AlgorithmIdentifierRef<'_>) -> Option<ObjectIdentifier> {
    let parameters = algorithm.parameters?.to_der().ok()?;
    ObjectIdentifier::from_der(&parameters).ok()
}
