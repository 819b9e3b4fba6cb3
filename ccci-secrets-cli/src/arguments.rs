//! Flags that several commands share.

use std::path::{Path, PathBuf};

use ccci_secrets::document::Format;
use clap::builder::{PathBufValueParser, PossibleValuesParser, TypedValueParser as _};

use crate::context::Context;
use crate::error::CommandError;
use crate::exit::Exit;
use crate::input::Input;
use crate::output::Target;
use crate::sealed::MacCheck;

/// The formats of what is read and written.
#[derive(Debug, clap::Args)]
pub(crate) struct FormatArgs {
    /// Read the input as this format, whatever its name says
    #[arg(long, value_name = "TYPE", value_parser = format_names())]
    pub(crate) input_type: Option<Format>,
    /// Write the output in this format, whatever the name says; another one than that of the input is laid out as sops
    /// does it
    #[arg(long, value_name = "TYPE", value_parser = format_names())]
    pub(crate) output_type: Option<Format>,
}

impl FormatArgs {
    /// The format of what comes out: as it was given, else as the name says. As in sops, `--input-type` alone does not
    /// decide about it.
    pub(crate) fn output(&self, input: &Input, name: Option<&Path>) -> Format {
        input.format(self.output_type, name)
    }

    /// Refuses what this build does not have: to change the format of a file in place.
    pub(crate) fn require_same(&self, input: Format) -> Result<(), CommandError> {
        match self.output_type {
            Some(output) if output != input => Err(CommandError::not_built(format_args!(
                "writing {} as {} (--output-type)",
                input.as_str(),
                output.as_str()
            ))),
            _ => Ok(()),
        }
    }
}

fn format_names() -> impl clap::builder::TypedValueParser<Value = Format> {
    PossibleValuesParser::new(["binary", "dotenv", "ini", "json", "yaml"])
        .map(|name| Format::from_name(&name).expect("one of the names that were offered"))
}

/// The root of a machine: a directory, if it is there already.
pub(crate) fn root() -> impl clap::builder::TypedValueParser<Value = PathBuf> {
    PathBufValueParser::new().try_map(|path| match path.metadata() {
        Ok(found) if !found.is_dir() => Err("it is no directory"),
        _ => Ok(path),
    })
}

/// How a data key is obtained.
#[derive(Debug, clap::Args)]
pub(crate) struct UnwrapArgs {
    /// Kinds of keys in the order in which they are tried; this build opens age keys only
    #[arg(long, value_name = "LIST")]
    decryption_order: Option<String>,
    #[command(flatten)]
    key_service: KeyServiceArgs,
    /// Go on although the MAC is missing or does not match: values may have been changed, moved, added or removed
    #[arg(long)]
    ignore_mac: bool,
}

impl UnwrapArgs {
    /// What is asked of the MAC.
    pub(crate) fn mac(&self) -> MacCheck {
        if self.ignore_mac {
            MacCheck::Warn
        } else {
            MacCheck::Require
        }
    }

    /// Refuses what this build does not have.
    pub(crate) fn check(&self, context: &Context) -> Result<(), CommandError> {
        self.key_service.check(context)?;
        let order = self.decryption_order.as_deref();
        check_order(order.or(context.environment.var("SOPS_DECRYPTION_ORDER")))
    }
}

/// Key services, which this build knows by name only.
#[derive(Debug, clap::Args)]
pub(crate) struct KeyServiceArgs {
    #[arg(long, hide = true, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    enable_local_keyservice: Option<String>,
    #[arg(long, hide = true, value_name = "URI")]
    keyservice: Vec<String>,
}

impl KeyServiceArgs {
    /// Refuses what this build does not have.
    pub(crate) fn check(&self, context: &Context) -> Result<(), CommandError> {
        let is_set = |name| {
            context
                .environment
                .var(name)
                .is_some_and(|text| !text.is_empty())
        };
        if !self.keyservice.is_empty() {
            return Err(CommandError::not_built("--keyservice"));
        }
        if is_set("SOPS_KEYSERVICE") {
            return Err(CommandError::not_built("$SOPS_KEYSERVICE"));
        }
        let local = self.enable_local_keyservice.as_deref();
        let local = local.or(context.environment.var("SOPS_ENABLE_LOCAL_KEYSERVICE"));
        match local {
            None | Some("true" | "TRUE" | "True" | "t" | "T" | "1") => Ok(()),
            Some(_) => Err(CommandError::not_built("turning off the local key service")),
        }
    }
}

/// Only age keys are opened, so the order decides nothing yet; a list that sops refuses is refused.
fn check_order(order: Option<&str>) -> Result<(), CommandError> {
    let mut seen = Vec::new();
    for kind in order
        .unwrap_or_default()
        .split(',')
        .filter(|kind| !kind.is_empty())
    {
        if seen.contains(&kind) {
            return Err(
                CommandError::usage(format!("duplicate decryption key type: {kind}"))
                    .exit_with(Exit::SopsDuplicateOrder),
            );
        }
        seen.push(kind);
    }
    Ok(())
}

/// Where a result goes.
#[derive(Debug, clap::Args)]
pub(crate) struct OutputArgs {
    /// Write the result back into the file
    #[arg(short, long)]
    pub(crate) in_place: bool,
    /// Write the result to this file instead of standard output
    #[arg(long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
}

impl OutputArgs {
    /// Where the result goes, if the flags and the input fit together.
    pub(crate) fn target(self, input: &Input) -> Result<Target, CommandError> {
        let conflict = |text| CommandError::usage(text).exit_with(Exit::SopsConflictingFlags);
        match (self.in_place, self.output, input) {
            (true, Some(_), _) => Err(conflict("cannot operate on both --output and --in-place")),
            (true, None, Input::Stdin) => {
                Err(conflict("cannot use --in-place when reading from stdin"))
            }
            (true, None, Input::File(path)) => Ok(Target::File(path.clone())),
            (false, Some(path), _) => Ok(Target::File(path)),
            (false, None, _) => Ok(Target::Stdout),
        }
    }
}
