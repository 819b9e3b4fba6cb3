//! `ccsec prune`.

use ccci_secrets::activation;

use super::activate::refusal;
use super::repair::{Place, of_failed_step};
use crate::context::Context;
use crate::error::CommandError;
use crate::exit::{self, Exit, Family};
use crate::output;

/// Remove generations that the manifest does not want kept
///
/// Activation does that by itself; this is for a run that could not, and for a manifest that keeps fewer than before. The
/// active generation stays, and no key is needed.
#[derive(Debug, clap::Args)]
#[command(after_long_help = exit::table(Family::Native))]
pub(crate) struct Args {
    #[command(flatten)]
    place: Place,
}

pub(crate) fn run(context: &Context, args: &Args) -> Result<Exit, CommandError> {
    let pruned = args.place.with_manifest(context, |manifest, options| {
        activation::prune(manifest, &options)
    })?;
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
        &args.place.manifest,
    )
}
