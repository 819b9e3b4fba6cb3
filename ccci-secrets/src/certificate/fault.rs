//! What speaks against a certificate.

use jiff::Timestamp;

use super::chain::ChainProblem;
use super::pem::PemError;
use super::public_key::KeyProblem;

/// Why a certificate will not do. It says nothing that the certificate itself does not tell everybody.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CertificateFault {
    /// The order of the chain is wrong.
    #[error("{0}")]
    Chain(ChainProblem),
    /// It is no good any more.
    #[error("the certificate expired at {since}")]
    Expired {
        /// Since then.
        since: Timestamp,
    },
    /// It will not be good for long enough.
    #[error("the certificate expires at {until}, in less than {least} days")]
    ExpiresSoon {
        /// Until then.
        until: Timestamp,
        /// How many days it should be good for.
        least: u64,
    },
    /// The private key is of no use.
    #[error("the private key {0}")]
    Key(KeyProblem),
    /// The private key is that of another certificate.
    #[error("the private key does not belong to the certificate")]
    KeyDoesNotMatch,
    /// Not X.509.
    #[error("certificate {nth} is damaged: it is not X.509")]
    Malformed {
        /// Which, from 1.
        nth: usize,
    },
    /// A name that it should be good for.
    #[error("the certificate does not cover {}: {}", wanted.escape_debug(), listed(names))]
    NameNotCovered {
        /// The name.
        wanted: String,
        /// Those that it is good for.
        names: Vec<String>,
    },
    /// No block.
    #[error("there is no certificate in it")]
    NoCertificate,
    /// It says what it is for, and servers are not among it.
    #[error("the certificate is not for servers: its extended key usage does not say serverAuth")]
    NotForServers,
    /// It is not good yet.
    #[error("the certificate is not valid before {since}")]
    NotYetValid {
        /// From then on.
        since: Timestamp,
    },
    /// Something else among the certificates.
    #[error("the block that begins in line {line} is not a certificate")]
    OtherBlock {
        /// The line, from 1.
        line: usize,
    },
    /// Not PEM.
    #[error("not PEM: {0}")]
    Pem(PemError),
}

fn listed(names: &[String]) -> String {
    match names {
        [] => "it has no subject alternative names".into(),
        names => format!("its names are {}", names.join(", ").escape_debug()),
    }
}

/// What is noticed about a certificate and does not stop anything.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CertificateWarning {
    /// Nothing can be said about expiry.
    #[error("the clock is not set, so nobody knows whether the certificate is still valid")]
    ClockNotSet,
    /// It will not be good for long enough.
    #[error("the certificate expires at {until}, in less than {least} days")]
    ExpiresSoon {
        /// Until then.
        until: Timestamp,
        /// How many days it should be good for.
        least: u64,
    },
    /// A certificate behind the leaf is no good any more.
    #[error("certificate {nth} expired at {since}")]
    IssuerExpired {
        /// Which, from 1.
        nth: usize,
        /// Since then.
        since: Timestamp,
    },
}
