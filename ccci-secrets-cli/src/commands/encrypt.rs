//! `ccsec encrypt`.

use std::path::{Path, PathBuf};

use ccci_secrets::atomic::NewFileMode;
use ccci_secrets::config::Policy;
use ccci_secrets::document::{CanonicalLayout, Format, ParseErrorKind};
use ccci_secrets::error::ErrorCode;
use ccci_secrets::file::{DraftFile, FileError, OpenFile, SealError, SealedFile};
use ccci_secrets::secret::Secret;
use ccci_secrets::selection::Selection;

use crate::arguments::{FormatArgs, KeyServiceArgs, OutputArgs};
use crate::context::Context;
use crate::error::{CommandError, InFile as _};
use crate::exit::{self, Exit, Family};
use crate::input::{self, Input};
use crate::output::{self, Target};
use crate::policy::{PolicyArgs, Resolved};
use crate::sealed;

/// Encrypt a file to standard output, to another file, or in place
///
/// Nothing but the values, the comments that the rule covers and the `sops` block changes: the layout stays as it is.
///
/// A new file gets a new data key, so every value gets a new ciphertext. With --onto an older encrypted version keeps
/// its data key, and what did not change keeps its ciphertext. Without it, a file named by --output is left alone if a key here
/// opens it, the rule is still the same, and nothing would have to be encrypted anew: then the same text gives the same
/// file. Remove the file first if you want a new data key for unchanged values.
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
    /// Keep the data key of this older encrypted version, and the ciphertext of all values and comments that are as in it
    ///
    /// A key here must open it, and its recipients and rule must be those that a new file would get. Whoever made it
    /// knows its data key, so it must come from somebody you trust, as for every edit of an encrypted file.
    #[arg(long, value_name = "FILE")]
    onto: Option<PathBuf>,
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
    if format == Format::Binary && args.format.input_type.is_none() {
        warn_about_dotenv(named);
    }
    let Resolved {
        mut policy,
        indents,
    } = args.policy.resolve(context, named)?;
    let formats = Formats {
        input: format,
        output,
        layout: indents.layout(output)?,
    };
    if format == Format::Binary {
        // One value, which is always sealed: rules for parts of it mean nothing, in any format.
        policy.selection = Selection::of_binary();
        policy.mac_only_encrypted = false;
    }
    let name = input.name();
    let sealed = match (&args.onto, &target) {
        (Some(old), _) => {
            let old = open_old(context, old, formats.sealed(), &policy)?;
            let older = old.into_older().in_file(&name)?;
            let draft = formats.draft(&name, input.read()?)?;
            warn_about_values(&name, &draft);
            let edited = older.lay_over(draft).in_file(&name)?;
            finish(&name, edited.seal(Context::now()))?
        }
        (None, Target::File(path)) if path.is_file() => {
            let plain = input.read()?;
            // What can be read again is not kept: beside everything else that sealing a large file takes, a copy is too much.
            let is_lasting = input.path().is_some_and(Path::is_file);
            // EXPOSE: into a second wiping buffer.
            let copy = (!is_lasting).then(|| Secret::from_slice(plain.expose()));
            match as_it_is(context, path, formats, plain, &policy) {
                Some(sealed) => sealed,
                None => seal_as(
                    &name,
                    formats,
                    copy.map_or_else(|| input.read(), Ok)?,
                    &policy,
                )?,
            }
        }
        (None, _) => seal_as(&name, formats, input.read()?, &policy)?,
    };
    match target {
        Target::Stdout => output::data(sealed.text())?,
        Target::File(path) => output::changed_file(&path, sealed.text(), NewFileMode::Umask)?,
    }
    Ok(Exit::Done)
}

/// Seals plaintext as a new file.
pub(crate) fn seal(
    name: &str,
    (format, layout): (Format, CanonicalLayout),
    plain: Secret,
    policy: &Policy,
) -> Result<SealedFile, CommandError> {
    let formats = Formats {
        input: format,
        output: format,
        layout,
    };
    seal_as(name, formats, plain, policy)
}

/// Seals plaintext of one format as a new file of another.
fn seal_as(
    name: &str,
    formats: Formats,
    plain: Secret,
    policy: &Policy,
) -> Result<SealedFile, CommandError> {
    let draft = formats.draft(name, plain)?;
    warn_about_values(name, &draft);
    let sealed = finish(name, draft.seal(policy, Context::now()))?;
    sealed.laid_out(formats.layout).in_file(name)
}

/// Values that are probably not what their author means.
fn warn_about_values(name: &str, draft: &DraftFile) {
    for line in draft.cut_values() {
        output::warning(format_args!(
            "{name}: line {line}: the value ends before the `#` or `;`, and a comment begins there; if it is part of the value, put the value in backticks"
        ));
    }
    let sealed = draft.values_sealed_already();
    if let [line, others @ ..] = sealed.as_slice() {
        let others = match others.len() {
            0 => String::new(),
            others => format!(" (and {others} more)"),
        };
        output::warning(format_args!(
            "{name}: line {line}{others}: the value is sealed already, and is taken as it stands; if the file lost its `sops` block, take that back from git first"
        ));
    }
}

/// What is read, what is written, and how that is laid out if it is another format.
#[derive(Clone, Copy, Debug)]
struct Formats {
    input: Format,
    output: Format,
    layout: CanonicalLayout,
}

impl Formats {
    /// The format in which the result is sealed. A binary file is sealed in JSON, so these two are one format in either
    /// direction: whatever else is written as binary is JSON.
    fn sealed(self) -> Format {
        match (self.input, self.output) {
            (Format::Binary, Format::Json) => Format::Binary,
            (Format::Binary, output) => output,
            (_, Format::Binary) => Format::Json,
            (_, output) => output,
        }
    }

    /// Plaintext in the format in which it is sealed.
    fn draft(self, name: &str, plain: Secret) -> Result<DraftFile, CommandError> {
        let draft = DraftFile::parse(self.input, plain).map_err(|error| {
            let exit = plaintext_exit(self.input, &error);
            let is_no_map = matches!(&error, FileError::Parse(error) if error.kind == ParseErrorKind::RootNotAMap);
            let error = CommandError::about(name, error).exit_if(ErrorCode::DocumentInvalid, exit);
            match is_no_map {
                true => error.hint(
                    "put it below a key, or encrypt the file as one value: --input-type binary --output-type binary",
                ),
                false => error,
            }
        })?;
        if self.sealed() == self.input {
            return Ok(draft);
        }
        draft
            .convert(self.sealed(), self.layout)
            .in_file(name)
            .map_err(|error| error.exit_if(ErrorCode::ValueUnsupported, Exit::SopsCannotPrint))
    }
}

fn finish(name: &str, sealed: Result<SealedFile, SealError>) -> Result<SealedFile, CommandError> {
    let sealed = sealed
        .in_file(name)
        .map_err(|error| error.exit_if(ErrorCode::DocumentInvalid, Exit::SopsCannotRead))?;
    if sealed.sealed_leaves() == 0 {
        let settings = sealed.metadata().selection.settings();
        let rules: Vec<String> = settings
            .named()
            .map(|(setting, value)| format!("`{setting}: {value}`"))
            .collect();
        output::warning(format_args!(
            "{name}: not a single value was encrypted: the rule {} selects none of them",
            rules.join(", ")
        ));
    }
    Ok(sealed)
}

/// sops takes `.env.local` for a binary file, which is one value.
fn warn_about_dotenv(path: &Path) {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    if name.starts_with(".env.") || name.contains(".env.") {
        output::warning(format_args!(
            "{}: the name does not end in .env, so the whole file is encrypted as one value; for single values, give --input-type dotenv --output-type dotenv",
            path.display()
        ));
    }
}

/// The older version that was named. What would not be the same for a new file is refused: whoever could open it once
/// knows its data key for good.
fn open_old(
    context: &Context,
    path: &Path,
    format: Format,
    policy: &Policy,
) -> Result<OpenFile, CommandError> {
    let old = Input::File(path.to_owned());
    old.require(context)?;
    let name = old.name();
    let old = sealed::parse(&name, format, old.read()?)?;
    match old.difference_from(policy) {
        Some(difference) => Err(CommandError::usage(format!("{name}: {difference}"))
            .hint("encrypt without --onto: the new file gets a new data key")),
        None => sealed::open(&name, old, &context.keyring()),
    }
}

/// The file that stands at the target with this plaintext in it, if nothing has to be sealed anew for that.
///
/// Nobody named this file for its data key, and whoever planted it would know that key: nothing new may be sealed under
/// it. For the same reason no command is run, and a file that cannot be used is written over, as ever.
fn as_it_is(
    context: &Context,
    path: &Path,
    formats: Formats,
    plain: Secret,
    policy: &Policy,
) -> Option<SealedFile> {
    let old = SealedFile::parse(formats.sealed(), input::read_file(path).ok()?).ok()?;
    if old.difference_from(policy).is_some() {
        return None;
    }
    let old = old.open(&context.keyring().without_commands()).ok()?;
    let older = old.into_older().ok()?;
    let draft = formats.draft("", plain).ok()?;
    older.lay_over_if_known(draft, Context::now()).ok()?
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
