//! Whether each certificate of a chain was issued by the next one.

use std::fmt;

use rsa::Pkcs1v15Sign;
use rsa::sha2::{Digest as _, Sha256, Sha384, Sha512};
use x509_cert::der::oid::ObjectIdentifier;
use x509_cert::der::{Decode as _, Header, Reader as _, SliceReader, Tag};

use super::Certificate;
use super::public_key::{ED25519, PublicKey};

/// What is wrong with the order of a chain. Certificates are counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ChainProblem {
    /// One certificate twice.
    Duplicate {
        /// Where it stands first.
        first: usize,
        /// Where it stands again.
        again: usize,
    },
    /// A signature that the next certificate did not make.
    NotSigned {
        /// The certificate with the signature.
        nth: usize,
    },
    /// The next certificate is not the issuer.
    OutOfOrder {
        /// The certificate whose issuer does not follow.
        nth: usize,
    },
    /// The leaf is the last.
    Reversed,
}

impl fmt::Display for ChainProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Duplicate { first, again } => {
                write!(f, "certificate {again} is the same as certificate {first}")
            }
            Self::NotSigned { nth } => write!(
                f,
                "certificate {nth} names certificate {} as its issuer, but was not signed by it",
                nth + 1
            ),
            Self::OutOfOrder { nth } => write!(
                f,
                "certificate {} did not issue certificate {nth}, which stands before it",
                nth + 1
            ),
            Self::Reversed => f.write_str("the chain is reversed: the leaf has to be the first"),
        }
    }
}

/// The first thing that is wrong with the order of a chain.
pub(super) fn problem(chain: &[Certificate]) -> Option<ChainProblem> {
    duplicate(chain).or_else(|| {
        let pairs = || chain.iter().zip(chain.iter().skip(1));
        let wrong = |(one, next): (&Certificate, &Certificate)| !names_issuer(one, next);
        let first_wrong = pairs().position(wrong);
        match first_wrong {
            Some(_) if pairs().all(|(one, next)| names_issuer(next, one)) => {
                Some(ChainProblem::Reversed)
            }
            Some(before) => Some(ChainProblem::OutOfOrder { nth: before + 1 }),
            None => pairs()
                .position(|(one, next)| is_signed_by(one, next) == Some(false))
                .map(|before| ChainProblem::NotSigned { nth: before + 1 }),
        }
    })
}

fn duplicate(chain: &[Certificate]) -> Option<ChainProblem> {
    chain.iter().enumerate().find_map(|(again, certificate)| {
        let mut before = chain.iter().take(again);
        let first = before.position(|other| other.der == certificate.der)?;
        Some(ChainProblem::Duplicate {
            first: first + 1,
            again: again + 1,
        })
    })
}

/// As text: one name may be written in several string types.
fn names_issuer(certificate: &Certificate, issuer: &Certificate) -> bool {
    let (of, by) = (
        &certificate.parsed.tbs_certificate.issuer,
        &issuer.parsed.tbs_certificate.subject,
    );
    of == by || of.to_string() == by.to_string()
}

const ECDSA_SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.2");
const ECDSA_SHA384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.3");
const ECDSA_SHA512: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.4");
const RSA_SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.11");
const RSA_SHA384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.12");
const RSA_SHA512: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.13");

/// Whether the issuer's key made the signature; none if the algorithm is not known.
pub(super) fn is_signed_by(certificate: &Certificate, issuer: &Certificate) -> Option<bool> {
    let key = PublicKey::of_certificate(&issuer.parsed.tbs_certificate.subject_public_key_info)?;
    let signed = signed_part(&certificate.der)?;
    let signature = certificate.parsed.signature.as_bytes()?;
    match certificate.parsed.signature_algorithm.oid {
        ED25519 => match key {
            PublicKey::Ed25519(key) => Some(
                ed25519_dalek::Signature::from_slice(signature)
                    .is_ok_and(|signature| key.verify_strict(signed, &signature).is_ok()),
            ),
            _ => Some(false),
        },
        ECDSA_SHA256 => ecdsa(&key, &Sha256::digest(signed), signature),
        ECDSA_SHA384 => ecdsa(&key, &Sha384::digest(signed), signature),
        ECDSA_SHA512 => ecdsa(&key, &Sha512::digest(signed), signature),
        RSA_SHA256 => {
            let scheme = Pkcs1v15Sign::new::<Sha256>();
            Some(rsa(&key, scheme, &Sha256::digest(signed), signature))
        }
        RSA_SHA384 => {
            let scheme = Pkcs1v15Sign::new::<Sha384>();
            Some(rsa(&key, scheme, &Sha384::digest(signed), signature))
        }
        RSA_SHA512 => {
            let scheme = Pkcs1v15Sign::new::<Sha512>();
            Some(rsa(&key, scheme, &Sha512::digest(signed), signature))
        }
        _ => None,
    }
}

/// The bytes that the signature is over, as they stand in the file: encoding them anew might change them.
fn signed_part(der: &[u8]) -> Option<&[u8]> {
    let mut reader = SliceReader::new(der).ok()?;
    let header = Header::decode(&mut reader).ok()?;
    header.tag.assert_eq(Tag::Sequence).ok()?;
    reader.tlv_bytes().ok()
}

/// None where a digest is too short for a curve, which the verifiers refuse to look at.
fn ecdsa(key: &PublicKey, digest: &[u8], signature: &[u8]) -> Option<bool> {
    use p256::ecdsa::signature::hazmat::PrehashVerifier as _;
    match key {
        PublicKey::P256(key) => {
            let signature = p256::ecdsa::Signature::from_der(signature);
            let key = p256::ecdsa::VerifyingKey::from(key);
            Some(signature.is_ok_and(|signature| key.verify_prehash(digest, &signature).is_ok()))
        }
        PublicKey::P384(key) => {
            let signature = p384::ecdsa::Signature::from_der(signature);
            let key = p384::ecdsa::VerifyingKey::from(key);
            (digest.len() * 2 >= 48).then(|| {
                signature.is_ok_and(|signature| key.verify_prehash(digest, &signature).is_ok())
            })
        }
        PublicKey::P521(key) => {
            let signature = p521::ecdsa::Signature::from_der(signature);
            let key = p521::ecdsa::VerifyingKey::from_affine(*key.as_affine()).ok()?;
            (digest.len() * 2 >= 66).then(|| {
                signature.is_ok_and(|signature| key.verify_prehash(digest, &signature).is_ok())
            })
        }
        PublicKey::Ed25519(_) | PublicKey::Rsa(_) => Some(false),
    }
}

fn rsa(key: &PublicKey, scheme: Pkcs1v15Sign, digest: &[u8], signature: &[u8]) -> bool {
    match key {
        PublicKey::Rsa(key) => key.verify(scheme, digest, signature).is_ok(),
        _ => false,
    }
}
