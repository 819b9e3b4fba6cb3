//! `ccsec prune`.

use std::path::PathBuf;
use std::time::Duration;

use ccci_secrets::activation;
use ccci_secrets::activation::manifest::Dialect;

use super::activate::refusal;
use super::activate::request::Request;
use super::repair::of_failed_step;
use crate::context::Context;
use crate::error::CommandError;
use crate::exit::{self, Exit, Family};
use crate::harden;
use crate::output;

/// Remove generations that the manifest does not want kept
///
/// Activation does that by itself; this is for a run that could not, and for a manifest that keeps fewer than before. The
/// active generation stays, and no key is needed.
#[derive(Debug, clap::Args)]
#[command(after_long_help = exit::table(Family::Native))]
pub(crate) struct Args {
    /// The manifest
    manifest: PathBuf,
    /// How long to wait for another run to end
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    lock_timeout: u64,
    /// The directory that `activate --root` was given
    #[arg(long, value_name = "DIR")]
    root: Option<PathBuf>,
}

pub(crate) fn run(context: &Context, args: &Args) -> Result<Exit, CommandError> {
    harden::activation();
    let request = Request {
        root: args.root.as_deref(),
        lock_timeout: Duration::from_secs(args.lock_timeout),
        ..Request::new(&args.manifest, Dialect::Native, Context::now())
    };
    let pruned = request
        .with_manifest(context, |manifest, options| {
            activation::prune(manifest, &options)
        })
        .told(context, &args.manifest)?;
    for line in refusal::warnings(&pruned.warnings) {
        output::note(line);
    }
    let mut text = String::new();
    for number in &pruned.removed {
        text += &format!("removed generation {number}\n");
    }
    if pruned.removed.is_empty() && pruned.failed_step.is_none() {
        text += "there was nothing to prune\n";
    }
    text += &match pruned.generation {
        Some(generation) => format!("generation {generation} is active\n"),
        None => "no generation is active\n".into(),
    };
    output::data(text.as_bytes())?;
    of_failed_step(
        pruned.failed_step.as_ref(),
        pruned.generation,
        &args.manifest,
    )
}
