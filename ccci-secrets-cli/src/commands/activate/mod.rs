//! `ccsec activate`.

pub(crate) mod names;
pub(crate) mod refusal;
pub(crate) mod request;
pub(crate) mod success;

use std::path::PathBuf;
use std::time::Duration;

use ccci_secrets::activation::fault::Refusal;
use ccci_secrets::activation::manifest::{Dialect, Manifest};
use ccci_secrets::activation::{Receipt, Report, Run};
use ccci_secrets::certificate::Fingerprint;
use ccci_secrets::error::ErrorCode;
use ccci_secrets::wrapped::Names;

use self::request::Request;
use super::plan;
use crate::arguments;
use crate::context::Context;
use crate::error::CommandError;
use crate::exit::{self, Exit, Family};
use crate::harden;
use crate::output;

/// Turn the secrets of a manifest into files, in one transaction
///
/// Every sops file is opened and its MAC checked before anything is made. The new files are made out of sight, and one
/// rename puts all of them in place. If anything is wrong before that, nothing is changed, and the last line says what
/// is still active. As root without --root, a file system in memory is mounted for them, unless the manifest says
/// otherwise.
#[derive(Debug, clap::Args)]
#[command(after_long_help = exit::table(Family::Native))]
pub(crate) struct Args {
    /// The manifest; relative paths in it count from its directory
    manifest: PathBuf,
    /// Use keys from the environment and the home directory too
    #[arg(long)]
    ambient_keys: bool,
    /// Refuse unless a certificate that the manifest checks has this SHA-256 fingerprint, as openssl prints it
    #[arg(long, value_name = "SHA256")]
    expect_leaf: Option<Fingerprint>,
    /// Look nobody up: everything belongs to root
    #[arg(long)]
    ignore_passwd: bool,
    /// Print the report as JSON instead of text
    #[arg(long)]
    json: bool,
    /// How long to wait for another run to end
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    lock_timeout: u64,
    /// Write the report as JSON to this file too, with mode 0600
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Put everything below this directory, which is made if need be; nothing is mounted
    #[arg(long, value_name = "DIR", value_parser = arguments::root())]
    root: Option<PathBuf>,
}

pub(crate) fn run(context: &Context, args: &Args) -> Result<Exit, CommandError> {
    let request = request(args);
    if context.environment.var("NIXOS_ACTION") == Some("dry-activate") {
        return plan::tell(context, request, args.json);
    }
    harden::activation();
    let ended = request.activate(context);
    let told = Told {
        context,
        args,
        started: request.started,
        manifest: ended.manifest.as_ref(),
    };
    match &ended.result {
        Ok(receipt) => told.receipt(receipt),
        Err(refused) => told.refusal(refused),
    }
}

fn request(args: &Args) -> Request<'_> {
    Request {
        ambient_keys: args.ambient_keys,
        ignore_passwd: args.ignore_passwd,
        root: args.root.as_deref(),
        lock_timeout: Duration::from_secs(args.lock_timeout),
        expected_leaf: args.expect_leaf,
        ..Request::new(&args.manifest, Dialect::Native, Context::now())
    }
}

/// What is needed to tell how a run ended.
struct Told<'a> {
    context: &'a Context,
    args: &'a Args,
    started: jiff::Timestamp,
    manifest: Option<&'a Manifest>,
}

impl Told<'_> {
    fn receipt(&self, receipt: &Receipt) -> Result<Exit, CommandError> {
        let directory = &self.context.directory;
        let names = names::of_receipt(directory, receipt);
        let report = Report::of_receipt(&self.run(&names), receipt);
        let written = self.write_report(&report);
        for line in success::warnings(receipt) {
            output::note(line);
        }
        let text = if self.args.json {
            report.to_json()
        } else {
            success::text(receipt, &names, self.args.root.as_deref())
        };
        // The secrets are in place; that the report is not is a later step that failed. A reader that went away wanted
        // no more of it.
        let unreported = written
            .and(output::data(text.as_bytes()))
            .err()
            .filter(|error| !error.is_silent());
        let failure = success::failure(receipt, &self.args.manifest, &names)
            .or_else(|| unreported.map(|error| success::no_report(receipt, &error)));
        match failure {
            Some(failure) => {
                Err(CommandError::new(ErrorCode::CommittedWithFault, failure).verbatim())
            }
            None => Ok(Exit::Done),
        }
    }

    fn refusal(&self, refusal: &Refusal) -> Result<Exit, CommandError> {
        let names = names::of_refusal(&self.context.directory, refusal);
        let report = Report::of_refusal(&self.run(&names), refusal);
        if let Err(error) = self.write_report(&report) {
            output::error(&error);
        }
        if self.args.json
            && let Err(error) = output::data(report.to_json().as_bytes())
        {
            // What the run came to counts more than who reads about it.
            output::error(&error);
        }
        let text = refusal::text(refusal, &self.args.manifest, &names);
        Err(CommandError::new(refusal.code(), text).verbatim())
    }

    fn run<'b>(&'b self, names: &'b Names) -> Run<'b> {
        Run {
            tool: Context::TOOL,
            started: self.started,
            manifest: self.manifest,
            names,
        }
    }

    fn write_report(&self, report: &Report) -> Result<(), CommandError> {
        match &self.args.report {
            Some(path) => output::private_report(path, report.to_json().as_bytes()),
            None => Ok(()),
        }
    }
}
