//! `ccsec cert`: certificates as others see them.

use std::time::Duration;

use ccci_secrets::certificate::{Chain, Expectations, Fingerprint};
use ccci_secrets::error::ErrorCode;

use crate::context::Context;
use crate::error::CommandError;
use crate::exit::{self, Exit, Family};
use crate::output;
use crate::probe;

/// Look at certificates as others see them
#[derive(Debug, clap::Args)]
#[command(after_long_help = exit::table(Family::Native))]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    Probe(Probe),
}

/// Ask a server for its certificate
///
/// Connects, makes a TLS handshake and prints the SHA-256 fingerprint of the certificate that the server shows, in which
/// it has to prove that it has the private key. Nobody is asked whether the certificate is trusted: it is compared with
/// the one that is expected. Only the build with the feature `probe` has network code.
#[derive(Debug, clap::Args)]
#[command(after_long_help = exit::table(Family::Native))]
struct Probe {
    /// Where the server listens
    #[arg(long, value_name = "HOST:PORT")]
    connect: String,
    /// The name that is asked for; the server may have several certificates
    #[arg(long, value_name = "NAME")]
    sni: String,
    /// Fail unless the certificate has this SHA-256 fingerprint, as a report of `activate` and openssl print it
    #[arg(long, value_name = "SHA256")]
    expect_leaf: Option<Fingerprint>,
    /// How long to wait for the server
    #[arg(long, value_name = "SECONDS", default_value_t = 10)]
    timeout: u64,
}

pub(crate) fn run(args: &Args) -> Result<Exit, CommandError> {
    let Action::Probe(args) = &args.action;
    let timeout = Duration::from_secs(args.timeout.max(1));
    let shown = probe::certificates(&args.connect, &args.sni, timeout)?;
    let invalid = |error: &dyn std::fmt::Display| {
        let message = format!("{}: {error}", args.connect);
        CommandError::new(ErrorCode::CertificateInvalid, message)
    };
    let chain = Chain::from_der(&shown).map_err(|fault| invalid(&fault))?;
    let leaf = chain.leaf().facts();
    output::data(
        format!(
            "{}\n  names       {}\n  valid until {}\n  issued by   {}\n",
            leaf.sha256,
            leaf.names.join(", "),
            leaf.not_after,
            leaf.issuer
        )
        .as_bytes(),
    )?;
    let names = [args.sni.clone()];
    let found = chain.examine(Expectations {
        names: &names,
        now: Some(Context::now()),
        ..Expectations::default()
    });
    for fault in &found.faults {
        output::warning(fault);
    }
    match args.expect_leaf {
        Some(expected) if expected != leaf.sha256 => Err(invalid(&format!(
            "expected the certificate {expected}, but the server shows {}",
            leaf.sha256
        ))),
        _ => Ok(Exit::Done),
    }
}
