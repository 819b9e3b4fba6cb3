//! `ccsec set`.

use std::ffi::OsString;
use std::path::PathBuf;

use ccci_secrets::atomic::NewFileMode;
use ccci_secrets::document::{METADATA_KEY, NewNode};
use ccci_secrets::error::ErrorCode;
use ccci_secrets::path::{Segment, TreePath};
use ccci_secrets::secret::Secret;

use crate::arguments::{FormatArgs, UnwrapArgs};
use crate::context::Context;
use crate::error::{CommandError, InFile as _};
use crate::exit::{self, Exit, Family};
use crate::input::{self, Input};
use crate::output;
use crate::policy;
use crate::sealed::{self, Opened};
use crate::tree_path;

/// Set one value of an encrypted file
///
/// The value is JSON: '"text"', 5, true, '["a", "b"]'. With --raw its bytes are taken as a string, as they are. A value
/// on the command line can be seen by every user of the machine, so --value-stdin and --value-file are the better ways.
/// Only this value, the MAC and the time of the last change change in the file.
#[derive(Debug, clap::Args)]
#[command(
    override_usage = "ccsec set [OPTIONS] FILE PATH [VALUE]",
    after_long_help = exit::table(Family::Sops)
)]
pub(crate) struct Args {
    /// The encrypted file, the path in it such as '["database"]["password"]', and the value or its file
    #[arg(value_name = "FILE PATH VALUE", allow_negative_numbers = true)]
    words: Vec<OsString>,
    /// Read the value from a file: the one named last, or the one named here behind `=`
    #[arg(long, value_name = "FILE", num_args = 0..=1, require_equals = true)]
    value_file: Option<Option<PathBuf>>,
    /// Read the value from standard input
    #[arg(long)]
    value_stdin: bool,
    /// Take the value as a string, byte for byte, instead of JSON
    #[arg(long)]
    raw: bool,
    /// Leave the file alone if the value stands there already
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
    let request = Request::of(&args)?;
    policy::warn_about_config(context);
    let format = Input::File(request.file.clone()).format(args.format.input_type, None);
    args.format.require_same(format)?;
    let path = parse_path(&request.path)?;
    let new = parse_value(request.source.read()?, args.raw)?;
    let name = request.file.display().to_string();
    let sealed = sealed::parse(&name, format, input::read_file(&request.file)?)?;
    let opened = Opened::open(&name, sealed, &context.keyring(), args.unwrap.mac())?;
    if args.idempotent && opened.holds(&path, &new) {
        return Ok(Exit::Done);
    }
    let edited = opened
        .set(&path, &new)
        .in_file(&name)
        .map_err(|error| error.exit_if(ErrorCode::PathNotFound, Exit::SopsSetFormat))
        .map_err(|error| tree_path::explain(error, &request.path))?;
    let sealed = edited.seal(Context::now()).in_file(&name)?;
    output::file(&request.file, sealed.text(), NewFileMode::Umask)?;
    Ok(Exit::Done)
}

/// What is to be set, and where the value comes from.
struct Request {
    file: PathBuf,
    path: String,
    source: Source,
}

enum Source {
    Argument(Secret),
    File(PathBuf),
    Stdin,
}

impl Request {
    fn of(args: &Args) -> Result<Self, CommandError> {
        if args.value_file.is_some() && args.value_stdin {
            return Err(
                CommandError::usage("cannot use both --value-file and --value-stdin")
                    .exit_with(Exit::SopsGeneric),
            );
        }
        let wrong = |text| CommandError::usage(text).exit_with(Exit::SopsNoFile);
        let (file, path, source) = match (args.words.as_slice(), &args.value_file) {
            ([file, path], _) if args.value_stdin => (file, path, Source::Stdin),
            ([file, path], Some(Some(value))) => (file, path, Source::File(value.clone())),
            ([file, path, value], Some(None)) => (file, path, Source::File(value.into())),
            ([file, path, value], None) if !args.value_stdin => {
                let bytes = Secret::from_slice(value.as_encoded_bytes());
                (file, path, Source::Argument(bytes))
            }
            ([_, _], _) => {
                return Err(wrong(
                    "no value to set: give it on standard input with --value-stdin, in a file with --value-file FILE, or as a third argument",
                ));
            }
            ([] | [_], _) => return Err(wrong("no file specified, or no path in it")),
            _ => {
                return Err(wrong(
                    "too many arguments: a file, a path and one value are due",
                ));
            }
        };
        Ok(Self {
            file: file.into(),
            path: path.to_string_lossy().into_owned(),
            source,
        })
    }
}

impl Source {
    fn read(self) -> Result<Secret, CommandError> {
        match self {
            Self::Argument(value) => Ok(value),
            Self::File(path) => input::read_file(&path),
            Self::Stdin => input::read_stdin(),
        }
    }
}

fn parse_path(text: &str) -> Result<TreePath, CommandError> {
    let path = tree_path::parse(text, &format!("the path {text}"))
        .map_err(|error| error.exit_with(Exit::SopsSetFormat))?;
    match path.segments().first() {
        Some(Segment::Key(key)) if key == METADATA_KEY => Err(CommandError::new(
            ErrorCode::FileAlreadySealed,
            "the top-level key `sops` is reserved: it holds the metadata of the file",
        )
        .without_general_hint()
        .hint("recipients are changed in .sops.yaml, and then with: sops updatekeys FILE")),
        _ => Ok(path),
    }
}

fn parse_value(value: Secret, raw: bool) -> Result<NewNode, CommandError> {
    if raw {
        return Ok(NewNode::string(value));
    }
    NewNode::from_json(&value).map_err(|error| {
        CommandError::new(
            ErrorCode::ValueUnsupported,
            format!("Value for --set is not valid JSON: {error}"),
        )
        .exit_with(Exit::SopsSetFormat)
        .hint("a string is written '\"text\"', or take the bytes as they are with --raw")
    })
}
