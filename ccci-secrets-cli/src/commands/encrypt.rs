//! `ccsec encrypt`.

use std::path::PathBuf;

use ccci_secrets::atomic::NewFileMode;
use ccci_secrets::config::Policy;
use ccci_secrets::document::{CanonicalLayout, Format, ParseErrorKind};
use ccci_secrets::error::ErrorCode;
use ccci_secrets::file::{DraftFile, FileError, SealError, SealedFile};
use ccci_secrets::secret::Secret;
use ccci_secrets::selection::Selection;

use crate::arguments::{FormatArgs, KeyServiceArgs, OutputArgs};
use crate::context::Context;
use crate::error::{CommandError, InFile as _};
use crate::exit::{self, Exit, Family};
use crate::input::Input;
use crate::output::{self, Target};
use crate::policy::{PolicyArgs, Resolved};

/// Encrypt a file to standard output, to another file, or in place
///
/// Nothing but the values, the comments that the rule covers and the `sops` block changes: the layout stays as it is.
#[derive(Debug, clap::Args)]
#[command(
    override_usage = "ccsec encrypt [OPTIONS] [FILE]",
    after_long_help = exit::table(Family::Sops)
)]
pub(crate) struct Args {
    /// The plaintext file; standard input if none is named
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
    #[command(flatten)]
    output: OutputArgs,
    #[command(flatten)]
    format: FormatArgs,
    /// Choose the format and the creation rule by this name instead of that of the file
    #[arg(long, value_name = "NAME")]
    filename_override: Option<PathBuf>,
    #[command(flatten)]
    policy: PolicyArgs,
    #[command(flatten)]
    key_service: KeyServiceArgs,
}

pub(crate) fn run(context: &mut Context, args: Args) -> Result<Exit, CommandError> {
    args.key_service.check(context)?;
    let input = Input::of(args.files);
    let target = args.output.target(&input)?;
    let Some(named) = args.filename_override.as_deref().or(input.path()) else {
        return Err(CommandError::usage(
            "you must specify --filename-override when reading from stdin",
        )
        .exit_with(Exit::SopsConflictingFlags));
    };
    input.require(context)?;
    let format = input.format(args.format.input_type, Some(named));
    let output = args.format.output(&input, Some(named));
    let Resolved {
        mut policy,
        indents,
    } = args.policy.resolve(context, named)?;
    let layout = indents.layout(output)?;
    if format == Format::Binary {
        // One value, which is always sealed: rules for parts of it mean nothing, in any format.
        policy.selection = Selection::of_binary();
        policy.mac_only_encrypted = false;
    }
    let name = input.name();
    let draft = parse(&name, format, input.read()?)?;
    let draft = convert(draft, output, layout)
        .in_file(&name)
        .map_err(|error| error.exit_if(ErrorCode::ValueUnsupported, Exit::SopsCannotPrint))?;
    let sealed = seal_draft(&name, draft, &policy)?
        .laid_out(layout)
        .in_file(&name)?;
    match target {
        Target::Stdout => output::data(sealed.text())?,
        Target::File(path) => output::file(&path, sealed.text(), NewFileMode::Umask)?,
    }
    Ok(Exit::Done)
}

/// Seals plaintext as a new file.
pub(crate) fn seal(
    name: &str,
    format: Format,
    plain: Secret,
    policy: &Policy,
) -> Result<SealedFile, CommandError> {
    seal_draft(name, parse(name, format, plain)?, policy)
}

fn parse(name: &str, format: Format, plain: Secret) -> Result<DraftFile, CommandError> {
    DraftFile::parse(format, plain).map_err(|error| {
        let exit = plaintext_exit(format, &error);
        CommandError::about(name, error).exit_if(ErrorCode::DocumentInvalid, exit)
    })
}

/// The plaintext in the format that is written. The sealed form of a binary file is JSON, so these two are one format in
/// either direction: whatever is sealed as binary is laid out as JSON.
fn convert(
    draft: DraftFile,
    output: Format,
    layout: CanonicalLayout,
) -> Result<DraftFile, SealError> {
    match (draft.format(), output) {
        (Format::Binary | Format::Json, Format::Binary | Format::Json) => Ok(draft),
        (_, Format::Binary) => draft.convert(Format::Json, layout),
        (input, output) if input == output => Ok(draft),
        _ => draft.convert(output, layout),
    }
}

fn seal_draft(name: &str, draft: DraftFile, policy: &Policy) -> Result<SealedFile, CommandError> {
    let sealed = draft
        .seal(policy, Context::now())
        .in_file(name)
        .map_err(|error| error.exit_if(ErrorCode::DocumentInvalid, Exit::SopsCannotRead))?;
    if sealed.sealed_leaves() == 0 {
        output::warning(format_args!(
            "{name}: not a single value was encrypted: the rule selects none of them"
        ));
    }
    Ok(sealed)
}

/// sops has a number for YAML without a single document; all other plaintext that does not parse cannot be read.
fn plaintext_exit(format: Format, error: &FileError) -> Exit {
    match error {
        FileError::Parse(error)
            if format == Format::Yaml && error.kind == ParseErrorKind::Empty =>
        {
            Exit::SopsNoDocument
        }
        _ => Exit::SopsCannotRead,
    }
}
