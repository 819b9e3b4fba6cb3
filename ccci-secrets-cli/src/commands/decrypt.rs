//! `ccsec decrypt`.

use std::path::PathBuf;

use ccci_secrets::document::{CanonicalLayout, Format};
use ccci_secrets::error::ErrorCode;
use ccci_secrets::file::ExtractError;
use ccci_secrets::path::TreePath;
use ccci_secrets::secret::Secret;

use crate::arguments::{FormatArgs, OutputArgs, UnwrapArgs};
use crate::context::Context;
use crate::error::{CommandError, InFile as _};
use crate::exit::{self, Exit, Family};
use crate::input::Input;
use crate::output::{self, Target};
use crate::policy;
use crate::sealed::{self, Opened, Part};
use crate::tree_path;

/// Decrypt a file to standard output, or a single value of it
///
/// Every value is opened and the MAC is checked before anything is written. A file that is made gets mode 0600. YAML
/// documents that were encrypted one by one and then put into one file are decrypted one by one.
#[derive(Debug, clap::Args)]
#[command(
    override_usage = "ccsec decrypt [OPTIONS] [FILE]",
    after_long_help = exit::table(Family::Sops)
)]
pub(crate) struct Args {
    /// The encrypted file; standard input if none is named
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Print only what stands at this path, such as '["database"]["password"]'; a string as its bytes
    #[arg(long, value_name = "PATH")]
    extract: Option<String>,
    #[command(flatten)]
    output: OutputArgs,
    #[command(flatten)]
    format: FormatArgs,
    /// Take the format from this name instead of that of the file
    #[arg(long, value_name = "NAME")]
    filename_override: Option<PathBuf>,
    #[command(flatten)]
    unwrap: UnwrapArgs,
}

pub(crate) fn run(context: &mut Context, args: Args) -> Result<Exit, CommandError> {
    args.unwrap.check(context)?;
    let input = Input::of(args.files);
    let target = args.output.target(&input)?;
    let indents = policy::indents_of_config(context);
    input.require(context)?;
    let named = args.filename_override.as_deref();
    let format = input.format(args.format.input_type, named);
    let output_format = args.format.output(&input, named);
    let layout = indents.layout(output_format)?;
    let path = args.extract.as_deref().filter(|path| !path.is_empty());
    let path = path.map(parse_path).transpose()?;
    let parts = sealed::parse_parts(&input.name(), format, input.read()?)?;
    let keyring = context.keyring();
    let open = |part: Part| {
        let opened = Opened::open(&part.name, part.file, &keyring, args.unwrap.mac())?;
        Ok((part.name, opened))
    };
    let plain = match path {
        Some(path) => {
            // As in every file of several documents, a path leads into the first.
            let first = parts.into_iter().next().expect("a file has a first part");
            let (name, opened) = open(first)?;
            opened
                .expose_at_as(&path, output_format, layout)
                .map_err(|error| not_there(&name, args.extract.as_deref(), &error))?
        }
        None => {
            let opened: Vec<_> = parts.into_iter().map(open).collect::<Result<_, _>>()?;
            let layout = (output_format != format).then_some((output_format, layout));
            join(opened, layout)?
        }
    };
    // sops has a number for a file that it cannot make, and none for output that it cannot write.
    output::plaintext(&target, &plain).map_err(|error| match target {
        Target::Stdout => error.exit_if(ErrorCode::FileUnwritable, Exit::SopsGeneric),
        Target::File(_) => error,
    })?;
    Ok(Exit::Done)
}

/// The plaintext of a file: that of all its parts, in the layout of the file unless another format is asked for.
fn join(
    parts: Vec<(String, Opened)>,
    other: Option<(Format, CanonicalLayout)>,
) -> Result<Secret, CommandError> {
    if let ([_, (second, _), ..], Some((format, _))) = (parts.as_slice(), other) {
        let format = format.as_str();
        let text = format!("{second}: several documents cannot be written as {format}");
        return Err(
            CommandError::new(ErrorCode::ValueUnsupported, text).exit_with(Exit::SopsCannotPrint)
        );
    }
    let mut joined = None;
    for (name, part) in parts {
        let exposed = match other {
            Some((format, layout)) => part.expose_as(format, layout),
            None => part.into_exposed_document(),
        };
        let (plain, notes) = exposed
            .in_file(&name)
            .map_err(|error| error.exit_if(ErrorCode::ValueUnsupported, Exit::SopsCannotPrint))?;
        sealed::tell(&name, &notes);
        joined = Some(match joined {
            None => plain,
            Some(before) => with(&before, &plain),
        });
    }
    Ok(joined.expect("a file has a first part"))
}

/// One text behind the other.
fn with(before: &Secret, behind: &Secret) -> Secret {
    let mut joined = Secret::with_capacity(before.expose().len() + behind.expose().len());
    // EXPOSE: into the wiping buffer that is written out.
    joined.extend(before.expose());
    joined.extend(behind.expose());
    joined
}

fn parse_path(text: &str) -> Result<TreePath, CommandError> {
    tree_path::parse(text, "error parsing --extract path")
        .map_err(|error| error.exit_with(Exit::SopsExtractPath))
}

fn not_there(name: &str, path: Option<&str>, error: &ExtractError) -> CommandError {
    if matches!(error, ExtractError::Convert(_)) {
        return CommandError::new(error.code(), format!("{name}: {error}"))
            .exit_with(Exit::SopsCannotPrint);
    }
    let text = format!("{name}: error truncating tree: {error}");
    let new = CommandError::new(error.code(), text);
    let new = tree_path::explain(new, path.unwrap_or_default());
    // What is not in brackets is no path to sops, and scripts know the number for that.
    if path.is_some_and(|path| path.trim_start().starts_with('[')) {
        new
    } else {
        new.exit_with(Exit::SopsExtractPath)
    }
}
