//! `ccsec check`.

use std::path::{Path, PathBuf};

use ccci_secrets::activation::manifest::{Dialect, Manifest};
use ccci_secrets::activation::{self, Checked, Report, Run};
use ccci_secrets::error::ErrorCode;
use ccci_secrets::wrapped::Names;

use super::activate::refusal;
use super::activate::request::Request;
use crate::context::Context;
use crate::error::CommandError;
use crate::exit::{self, Exit, Family};
use crate::input;
use crate::output;

/// Check a manifest, without any key
#[derive(Debug, clap::Args)]
#[command(after_long_help = exit::table(Family::Native))]
pub(crate) struct Args {
    /// The manifest; relative paths in it count from its directory
    manifest: PathBuf,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
    /// What to look at
    #[arg(long, value_enum)]
    mode: Option<Mode>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Mode {
    /// The manifest itself
    Manifest,
    /// The manifest, and that its sops files are there, sealed, and hold every key that it names
    Sopsfile,
}

pub(crate) fn run(context: &Context, args: &Args) -> Result<Exit, CommandError> {
    let Some(mode) = args.mode else {
        return Err(which_mode(args));
    };
    let request = Request::new(&args.manifest, Dialect::Native, Context::now());
    let examined = examine(&request, context, mode)?;
    tell(
        args,
        &examined.checked,
        &Run {
            tool: Context::TOOL,
            started: request.started,
            manifest: examined.manifest.as_ref(),
            names: &Names::default(),
        },
    )
}

/// What a check found, and the manifest if its rules hold.
#[derive(Debug)]
pub(crate) struct Examined {
    pub(crate) checked: Checked,
    manifest: Option<Manifest>,
}

/// Checks the manifest of a request.
pub(crate) fn examine(
    request: &Request<'_>,
    context: &Context,
    mode: Mode,
) -> Result<Examined, CommandError> {
    let text = read_manifest(request.manifest)?;
    let reading = request.reading(context);
    let manifest = Manifest::parse(&text, reading).ok();
    let checked = match (&manifest, mode) {
        (Some(manifest), Mode::Sopsfile) => activation::check_sops_files(manifest),
        _ => activation::check_manifest(&text, reading),
    };
    Ok(Examined { checked, manifest })
}

/// The text of a manifest, which holds no secret.
fn read_manifest(path: &Path) -> Result<Vec<u8>, CommandError> {
    std::fs::read(path).map_err(|error| {
        let message = format!("cannot read the manifest {}: {error}", path.display());
        input::hint_at_submodule(CommandError::new(ErrorCode::ManifestInvalid, message), path)
    })
}

/// The other subject of `check`, a repository, is not built yet: it must have been a manifest.
fn which_mode(args: &Args) -> CommandError {
    let file = args.manifest.display();
    CommandError::usage(
        "--mode is missing: to check anything but a manifest is not supported by this build",
    )
    .hint(format!(
        "for the manifest alone: ccsec check {file} --mode manifest"
    ))
    .hint(format!(
        "with the sops files that it names: ccsec check {file} --mode sopsfile"
    ))
}

fn tell(args: &Args, checked: &Checked, run: &Run<'_>) -> Result<Exit, CommandError> {
    for line in refusal::warnings(&checked.warnings) {
        output::note(line);
    }
    if args.json {
        output::data(Report::of_check(run, checked).to_json().as_bytes())?;
    }
    match checked.code() {
        None => {
            output::note(format_args!("{}: no fault found", args.manifest.display()));
            Ok(Exit::Done)
        }
        Some(code) => {
            let lines = refusal::of_faults(&checked.faults, &args.manifest, run.names);
            Err(CommandError::new(code, lines.join("\n")).verbatim())
        }
    }
}
