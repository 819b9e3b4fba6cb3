//! `ccsec unset`.

use std::ffi::OsString;
use std::path::PathBuf;

use ccci_secrets::atomic::NewFileMode;
use ccci_secrets::path::TreePath;

use crate::arguments::{FormatArgs, UnwrapArgs};
use crate::context::Context;
use crate::error::{CommandError, InFile as _};
use crate::exit::{self, Exit, Family};
use crate::input::{self, Input};
use crate::output;
use crate::policy;
use crate::sealed::{self, Opened};
use crate::tree_path;

/// Take one entry out of an encrypted file
///
/// The comments directly above and behind the entry go with it. A map or list that is left without any entry stays as an
/// empty one. Nothing else changes in the file but the MAC and the time of the last change.
#[derive(Debug, clap::Args)]
#[command(
    override_usage = "ccsec unset [OPTIONS] FILE PATH",
    after_long_help = exit::table(Family::Sops)
)]
pub(crate) struct Args {
    /// The encrypted file, and the path in it such as '["database"]["password"]'
    #[arg(value_name = "FILE PATH")]
    words: Vec<OsString>,
    /// Leave the file alone, and succeed, if nothing stands there
    #[arg(long)]
    idempotent: bool,
    #[command(flatten)]
    format: FormatArgs,
    #[command(flatten)]
    unwrap: UnwrapArgs,
    #[arg(long, hide = true, value_name = "N")]
    shamir_secret_sharing_threshold: Option<u32>,
}

pub(crate) fn run(context: &mut Context, args: Args) -> Result<Exit, CommandError> {
    args.unwrap.check(context)?;
    let [file, path] = args.words.as_slice() else {
        return Err(CommandError::usage(
            "no file specified, or index is missing: a file and a path are due",
        )
        .exit_with(Exit::SopsNoFile));
    };
    let (file, typed) = (PathBuf::from(file), path.to_string_lossy());
    policy::warn_about_config(context);
    let format = Input::File(file.clone()).format(args.format.input_type, None);
    args.format.require_same(format)?;
    let path = parse_path(&typed)?;
    let name = file.display().to_string();
    let sealed = sealed::parse(&name, format, input::read_file(&file)?)?;
    let opened = Opened::open(&name, sealed, &context.keyring(), args.unwrap.mac())?;
    let edited = match opened.unset(&path) {
        Err(error) if args.idempotent && error.is_absence() => return Ok(Exit::Done),
        edited => edited
            .in_file(&name)
            .map_err(|error| tree_path::explain(error, &typed))?,
    };
    let sealed = edited.seal(Context::now()).in_file(&name)?;
    output::file(&file, sealed.text(), NewFileMode::Umask)?;
    Ok(Exit::Done)
}

fn parse_path(text: &str) -> Result<TreePath, CommandError> {
    tree_path::parse(text, &format!("the path {text}"))
        .map_err(|error| error.exit_with(Exit::SopsSetFormat))
}
