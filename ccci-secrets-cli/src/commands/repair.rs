//! `ccsec repair`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use ccci_secrets::activation::fault::Refusal;
use ccci_secrets::activation::manifest::{Dialect, Manifest};
use ccci_secrets::activation::{self, FailedStep, GivenBack, Options, Repaired};
use ccci_secrets::error::ErrorCode;
use ccci_secrets::wrapped::Names;

use super::activate::refusal;
use super::activate::request::Request;
use crate::arguments;
use crate::context::Context;
use crate::error::CommandError;
use crate::exit::{self, Exit, Family};
use crate::harden;
use crate::output;

/// Finish what an activation has left undone
///
/// A run that was interrupted behind its commit is completed, links that are not in their places are placed again, and
/// units that were not told of a change are told. Contents stay as they are, so no key is needed. With --give-back, a
/// file that a link took the place of is put back.
#[derive(Debug, clap::Args)]
#[command(after_long_help = exit::table(Family::Native))]
pub(crate) struct Args {
    #[command(flatten)]
    place: Place,
    /// Put the file that was kept last for this path back into its place; the link goes
    #[arg(long, value_name = "PATH")]
    give_back: Option<PathBuf>,
}

/// Where something is to be put in order that needs no contents.
#[derive(Debug, clap::Args)]
pub(super) struct Place {
    /// The manifest
    pub(super) manifest: PathBuf,
    /// How long to wait for another run to end
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    lock_timeout: u64,
    /// The directory that `activate --root` was given
    #[arg(long, value_name = "DIR", value_parser = arguments::root())]
    root: Option<PathBuf>,
}

impl Place {
    /// Does it, in a process that is hardened for that.
    pub(super) fn with_manifest<T>(
        &self,
        context: &Context,
        work: impl FnOnce(&Manifest, Options<'_>) -> Result<T, Refusal>,
    ) -> Result<T, CommandError> {
        harden::activation();
        let request = Request {
            root: self.root.as_deref(),
            lock_timeout: Duration::from_secs(self.lock_timeout),
            ..Request::new(&self.manifest, Dialect::Native, Context::now())
        };
        let ended = request.with_manifest(context, work);
        ended.told(context, &self.manifest)
    }
}

pub(crate) fn run(context: &Context, args: &Args) -> Result<Exit, CommandError> {
    let Place { manifest, .. } = &args.place;
    args.place
        .with_manifest(context, |activated, options| match &args.give_back {
            Some(path) => activation::give_back(activated, &options, path)
                .map(|given_back| told_of_file(&given_back, manifest)),
            None => activation::repair(activated, &options)
                .map(|repaired| told_of_repair(&repaired, manifest)),
        })?
}

fn told_of_repair(repaired: &Repaired, manifest: &Path) -> Result<Exit, CommandError> {
    for line in refusal::warnings(&repaired.warnings) {
        output::note(line);
    }
    let mut lines = Vec::new();
    if repaired.finished {
        lines.push("a run that had not come to its end was finished".to_owned());
    }
    for path in &repaired.links_placed {
        lines.push(format!("placed the link {}", path.display()));
    }
    for unit in repaired.units_told.all() {
        lines.push(format!("told the unit {unit}"));
    }
    if repaired.found_all_right() {
        lines.push("there was nothing to repair".into());
    }
    lines.push(match repaired.generation {
        Some(generation) => format!("generation {generation} is active"),
        None => "no generation is active".into(),
    });
    output::data((lines.join("\n") + "\n").as_bytes())?;
    of_failed_step(repaired.failed_step.as_ref(), repaired.generation, manifest)
}

/// A step that failed is told as by an activation.
pub(super) fn of_failed_step(
    failed: Option<&FailedStep>,
    generation: Option<u64>,
    manifest: &Path,
) -> Result<Exit, CommandError> {
    let Some(failed) = failed else {
        return Ok(Exit::Done);
    };
    let mut lines = refusal::of_faults(&failed.faults, manifest, &Names::default());
    let active = match generation {
        Some(generation) => format!("generation {generation}"),
        None => "no generation".to_owned(),
    };
    lines.push(format!(
        "{active} is active; failed step: {}, {}",
        failed.step.as_str(),
        failed.step.sentence()
    ));
    Err(CommandError::new(ErrorCode::CommittedWithFault, lines.join("\n")).verbatim())
}

fn told_of_file(given_back: &GivenBack, manifest: &Path) -> Result<Exit, CommandError> {
    for line in refusal::warnings(&given_back.warnings) {
        output::note(line);
    }
    let mut lines = vec![format!("gave back {}", given_back.path.display())];
    for path in &given_back.still_kept {
        lines.push(format!("an older one is still kept as {}", path.display()));
    }
    output::data((lines.join("\n") + "\n").as_bytes())?;
    output::note(format_args!(
        "{} still wants a link there: take the path out of it, or the next activation does what onConflict says",
        manifest.display()
    ));
    of_failed_step(
        given_back.failed_step.as_ref(),
        given_back.generation,
        manifest,
    )
}
