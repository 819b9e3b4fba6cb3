//! Certificates: what they say, and whether they will do.
//!
//! Pure: text comes in as bytes, the time as an argument. Private keys are looked at only to derive their public halves,
//! and no text of a file is part of any fault.

mod chain;
mod fault;
mod fingerprint;
mod names;
mod pem;
mod public_key;

use std::fmt;

use jiff::{SignedDuration, Timestamp};
use x509_cert::der::Decode as _;
use x509_cert::der::oid::ObjectIdentifier;
use x509_cert::ext::pkix::ExtendedKeyUsage;
use x509_cert::time::Time;

pub use self::chain::ChainProblem;
pub use self::fault::{CertificateFault, CertificateWarning};
pub use self::fingerprint::{Fingerprint, NotAFingerprint};
use self::pem::Label;
pub use self::pem::{PemError, PemProblem};
pub use self::public_key::KeyProblem;
use self::public_key::PublicKey;
use crate::digest;
use crate::secret::Secret;

/// A certificate.
pub struct Certificate {
    der: Vec<u8>,
    parsed: x509_cert::Certificate,
}

/// Certificates as they stand in a file, at least one; the first is the leaf.
#[derive(Debug)]
pub struct Chain(Vec<Certificate>);

/// What a certificate says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CertificateFacts {
    /// SHA-256 of its DER form.
    pub sha256: Fingerprint,
    /// The serial number in upper-case hexadecimal digits, as OpenSSL prints it.
    pub serial: String,
    /// The host names and addresses that it is good for.
    pub names: Vec<String>,
    /// The subject.
    pub subject: String,
    /// Who issued it.
    pub issuer: String,
    /// When it begins to be good.
    pub not_before: Timestamp,
    /// When it ceases to be good.
    pub not_after: Timestamp,
    /// What it may be used for, as object identifiers; none if it does not say.
    pub extended_key_usage: Option<Vec<String>>,
}

/// What a chain is held against.
#[derive(Clone, Copy, Debug, Default)]
#[expect(clippy::exhaustive_structs, reason = "the caller fills it in")]
pub struct Expectations<'a> {
    /// The PEM text of the private key that belongs to the leaf.
    pub private_key: Option<&'a Secret>,
    /// Names that the leaf has to cover.
    pub names: &'a [String],
    /// How many days it has to be good for.
    pub least_days: Option<u64>,
    /// That so many days are missing is a fault and no warning.
    pub strict: bool,
    /// The time; without one, as with one that cannot be true, nothing is said about expiry.
    pub now: Option<Timestamp>,
}

/// What came of it.
#[derive(Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Examination {
    /// Why the chain will not do; none if it will.
    pub faults: Vec<CertificateFault>,
    /// What else was noticed.
    pub warnings: Vec<CertificateWarning>,
}

const SERVER_AUTH: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.1");
const ANY_USAGE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.37.0");

/// How far a clock may be behind that of the issuer.
const CLOCK_SKEW: SignedDuration = SignedDuration::from_mins(5);

/// 2020-01-01: a clock before that was not set, as early at boot on a machine without one that runs on.
const CLOCK_IS_SET: Timestamp = Timestamp::constant(1_577_836_800, 0);

impl Certificate {
    /// Parses one in its DER form.
    ///
    /// # Errors
    /// It is not X.509.
    pub fn from_der(der: &[u8]) -> Result<Self, CertificateFault> {
        Self::nth(1, der)
    }

    fn nth(nth: usize, der: &[u8]) -> Result<Self, CertificateFault> {
        let parsed = x509_cert::Certificate::from_der(der);
        Ok(Self {
            parsed: parsed.map_err(|_| CertificateFault::Malformed { nth })?,
            der: der.to_vec(),
        })
    }

    /// What it says of itself.
    #[must_use]
    pub fn facts(&self) -> CertificateFacts {
        let content = &self.parsed.tbs_certificate;
        CertificateFacts {
            sha256: self.fingerprint(),
            serial: serial(content.serial_number.as_bytes()),
            names: names::of(self),
            subject: content.subject.to_string(),
            issuer: content.issuer.to_string(),
            not_before: timestamp(content.validity.not_before),
            not_after: timestamp(content.validity.not_after),
            extended_key_usage: self
                .usages()
                .map(|usages| usages.iter().map(ToString::to_string).collect()),
        }
    }

    /// SHA-256 of its DER form.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint::new(digest::sha256(&self.der))
    }

    fn usages(&self) -> Option<Vec<ObjectIdentifier>> {
        let extension = self.parsed.tbs_certificate.get::<ExtendedKeyUsage>();
        let (_, ExtendedKeyUsage(usages)) = extension.ok()??;
        Some(usages)
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Certificate")
            .field(&self.fingerprint().to_string())
            .finish()
    }
}

impl Chain {
    /// Parses a PEM text that holds certificates and nothing else.
    ///
    /// # Errors
    /// Text outside of the blocks, a block of another kind, no block at all, or one that is not X.509.
    pub fn from_pem(text: &[u8]) -> Result<Self, CertificateFault> {
        let blocks = pem::parse(text).map_err(CertificateFault::Pem)?;
        let other = blocks
            .iter()
            .find(|block| block.label != Label::Certificate);
        if let Some(other) = other {
            return Err(CertificateFault::OtherBlock { line: other.line });
        }
        // EXPOSE: to the parser; a certificate is no secret.
        let ders: Vec<&[u8]> = blocks.iter().map(|block| block.der.expose()).collect();
        Self::from_der(&ders)
    }

    /// Takes certificates in their DER form, as a server shows them.
    ///
    /// # Errors
    /// There is none, or one that is not X.509.
    pub fn from_der(certificates: &[impl AsRef<[u8]>]) -> Result<Self, CertificateFault> {
        let parsed = certificates.iter().enumerate();
        let certificates: Vec<Certificate> = parsed
            .map(|(nth, der)| Certificate::nth(nth + 1, der.as_ref()))
            .collect::<Result<_, _>>()?;
        match certificates.is_empty() {
            true => Err(CertificateFault::NoCertificate),
            false => Ok(Self(certificates)),
        }
    }

    /// The first certificate.
    #[must_use]
    #[expect(clippy::indexing_slicing, reason = "there is at least one")]
    pub fn leaf(&self) -> &Certificate {
        &self.0[0]
    }

    /// How many certificates there are.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "there is at least one")]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Says everything that speaks against the chain.
    #[must_use]
    pub fn examine(&self, expectations: Expectations<'_>) -> Examination {
        let mut found = Examination::default();
        let order = chain::problem(&self.0);
        found.faults.extend(order.map(CertificateFault::Chain));
        if order == Some(ChainProblem::Reversed) {
            // Everything else would be said about the wrong certificate.
            return found;
        }
        found
            .faults
            .extend(self.key_fault(expectations.private_key));
        found.examine_time(self, expectations);
        found.faults.extend(self.name_faults(expectations.names));
        found.faults.extend(self.usage_fault());
        found
    }

    fn key_fault(&self, pem: Option<&Secret>) -> Option<CertificateFault> {
        let derived = match PublicKey::of_private_pem(pem?) {
            Ok(derived) => derived,
            Err(problem) => return Some(CertificateFault::Key(problem)),
        };
        let info = &self.leaf().parsed.tbs_certificate.subject_public_key_info;
        (PublicKey::of_certificate(info) != Some(derived))
            .then_some(CertificateFault::KeyDoesNotMatch)
    }

    fn name_faults(&self, wanted: &[String]) -> Vec<CertificateFault> {
        let names = names::of(self.leaf());
        wanted
            .iter()
            .filter(|wanted| !names::cover(&names, wanted))
            .map(|wanted| CertificateFault::NameNotCovered {
                wanted: wanted.clone(),
                names: names.clone(),
            })
            .collect()
    }

    fn usage_fault(&self) -> Option<CertificateFault> {
        let usages = self.leaf().usages()?;
        let serves = |usage: &ObjectIdentifier| [SERVER_AUTH, ANY_USAGE].contains(usage);
        (!usages.iter().any(serves)).then_some(CertificateFault::NotForServers)
    }
}

impl Examination {
    fn examine_time(&mut self, chain: &Chain, expectations: Expectations<'_>) {
        let Some(now) = expectations.now.filter(|now| *now >= CLOCK_IS_SET) else {
            self.warnings.push(CertificateWarning::ClockNotSet);
            return;
        };
        let facts = chain.leaf().facts();
        if facts.not_before > now + CLOCK_SKEW {
            let since = facts.not_before;
            self.faults.push(CertificateFault::NotYetValid { since });
        }
        if facts.not_after <= now {
            let since = facts.not_after;
            self.faults.push(CertificateFault::Expired { since });
        } else if let Some(least) = expectations.least_days {
            self.examine_rest(facts.not_after, now, least, expectations.strict);
        }
        for (nth, other) in chain.0.iter().enumerate().skip(1) {
            let since = timestamp(other.parsed.tbs_certificate.validity.not_after);
            if since <= now {
                let nth = nth + 1;
                self.warnings
                    .push(CertificateWarning::IssuerExpired { nth, since });
            }
        }
    }

    fn examine_rest(&mut self, until: Timestamp, now: Timestamp, least: u64, strict: bool) {
        const DAY: u64 = 24 * 60 * 60;
        let left = u64::try_from(until.duration_since(now).as_secs()).unwrap_or_default();
        if left >= least.saturating_mul(DAY) {
            return;
        }
        match strict {
            true => self
                .faults
                .push(CertificateFault::ExpiresSoon { until, least }),
            false => self
                .warnings
                .push(CertificateWarning::ExpiresSoon { until, least }),
        }
    }
}

/// Without the zero byte that only keeps a number from being negative.
fn serial(bytes: &[u8]) -> String {
    let number = match bytes {
        [0, rest @ ..] if !rest.is_empty() => rest,
        all => all,
    };
    digest::hex(number).to_ascii_uppercase()
}

/// The range of X.509 ends in the year 9999, as that of timestamps does.
fn timestamp(time: Time) -> Timestamp {
    let seconds = i64::try_from(time.to_unix_duration().as_secs()).unwrap_or(i64::MAX);
    Timestamp::from_second(seconds).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
#[allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "tests compare with openssl"
)]
mod tests;
