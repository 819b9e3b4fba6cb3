//! `ccsec prune`.

use std::path::PathBuf;
use std::time::Duration;

use ccci_secrets::activation::{self, Options};
use ccci_secrets::fs::RealFs;

use super::activate::refusal;
use super::repair::{of_failed_step, with_manifest};
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
    let fs = RealFs::new();
    let mut options = Options::new(&fs, &std::thread::sleep);
    options.root = args.root.as_deref();
    options.lock_timeout = Duration::from_secs(args.lock_timeout);
    let pruned = with_manifest(context, &args.manifest, &options, |manifest| {
        activation::prune(manifest, &options)
    })?;
    for line in refusal::warnings(&pruned.warnings) {
        output::note(line);
    }
    let mut text = String::new();
    for number in &pruned.removed {
        text += &format!("removed generation {number}\n");
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
