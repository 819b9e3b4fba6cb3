//! `ccsec activate`.

pub(super) mod names;
pub(super) mod refusal;
mod success;

use std::path::{Path, PathBuf};
use std::time::Duration;

use ccci_secrets::activation::fault::Refusal;
use ccci_secrets::activation::manifest::Manifest;
use ccci_secrets::activation::{self, Options, Receipt, Report, Run, Units};
use ccci_secrets::certificate::Fingerprint;
use ccci_secrets::error::ErrorCode;
use ccci_secrets::fs::RealFs;
use ccci_secrets::keyring::Keyring;
use ccci_secrets::wrapped::Names;

use crate::context::Context;
use crate::error::CommandError;
use crate::exit::{self, Exit, Family};
use crate::harden;
use crate::output;
use crate::spawn::systemctl::Teller;

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
    #[arg(long, value_name = "DIR")]
    root: Option<PathBuf>,
}

pub(crate) fn run(context: &Context, args: &Args) -> Result<Exit, CommandError> {
    harden::activation();
    let mut told = Told {
        context,
        args,
        started: Context::now(),
        manifest: None,
    };
    // A manifest holds no secret.
    let text = match std::fs::read(&args.manifest) {
        Ok(text) => text,
        Err(error) => {
            return told.refusal(&activation::refuse_unreadable(&args.manifest, error));
        }
    };
    let fs = RealFs::new();
    let teller = teller(context);
    let tell = |units: &Units| teller.tell(units, &context.environment);
    let mut options = options(&told, &fs);
    options.units = Some(&tell);
    match Manifest::parse(&text, directory_of(&args.manifest)) {
        Ok(manifest) => {
            told.manifest = Some(&manifest);
            match activation::activate(&manifest, options) {
                Ok(receipt) => told.receipt(&receipt),
                Err(refusal) => told.refusal(&refusal),
            }
        }
        Err(faults) => told.refusal(&activation::refuse_manifest(&text, faults, &options)),
    }
}

/// Where relative paths of a manifest count from.
pub(super) fn directory_of(manifest: &Path) -> &Path {
    manifest.parent().unwrap_or(Path::new("/"))
}

fn options<'a>(told: &Told<'a>, fs: &'a RealFs) -> Options<'a> {
    let Told { context, args, .. } = told;
    let mut options = Options::new(fs, &std::thread::sleep);
    options.root = args.root.as_deref();
    options.lock_timeout = Duration::from_secs(args.lock_timeout);
    options.now = Some(told.started);
    options.expected_leaf = args.expect_leaf;
    // Keys of whoever runs this play no part, unless somebody says so.
    options.ambient = args
        .ambient_keys
        .then(|| Keyring::discover(&context.environment));
    options
}

/// How units are told that something changed for them. While NixOS switches, it restarts units at the end, from lists.
fn teller(context: &Context) -> Teller {
    let is_set = |name| {
        context
            .environment
            .var_os(name)
            .is_some_and(|value| !value.is_empty())
    };
    match is_set("NIXOS_ACTION") && !is_set("SOPS_RESTART_UNITS_VIA_SYSTEMCTL") {
        true => Teller::lists("activation-"),
        false => Teller::Systemctl { user: false },
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
