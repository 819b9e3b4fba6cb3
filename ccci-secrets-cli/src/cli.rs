//! The command line: what can be typed, and what is said when something else was typed.

use std::ffi::OsString;
use std::path::PathBuf;

use ccci_secrets::error::ErrorCode;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{CommandFactory as _, FromArgMatches as _, Parser as _};

use crate::commands::{
    activate, cert, check, completion, creds_serve, decrypt, doctor, drill, edit, encrypt, key,
    man, plan, prune, repair, set, systemd_unit, unset, verify,
};
use crate::context::Context;
use crate::error::CommandError;
use crate::exit::{self, Exit, Family};
use crate::output;

/// Keep secrets in git as sops files, and turn them into files at boot
#[derive(Debug, clap::Parser)]
#[command(
    name = "ccsec",
    version,
    arg_required_else_help = true,
    disable_help_subcommand = true,
    after_long_help = exit::table(Family::Native)
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: GlobalArgs,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What sops takes before the command and means for it.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct GlobalArgs {
    /// Use this configuration instead of the nearest .sops.yaml; $SOPS_CONFIG does the same
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Indent by so many spaces where text is laid out anew: for another format, around a binary file, and in the `sops`
    /// block of a new YAML file; for JSON, -1 is a tab. Text that keeps its format keeps its layout, too, whatever is said
    /// here
    #[arg(long, value_name = "N", global = true, allow_negative_numbers = true)]
    pub(crate) indent: Option<i64>,
    #[arg(long, hide = true)]
    pub(crate) mac_only_encrypted: bool,
}

/// Every command. One that sops has too belongs into [`SOPS_SHAPED`] as well. The arguments of a command are made when it is
/// named: to make all of them takes longer than to decrypt a small file.
#[derive(Debug, clap::Subcommand)]
#[command(defer = true)]
pub(crate) enum Command {
    Activate(activate::Args),
    Cert(cert::Args),
    Check(check::Args),
    Completion(completion::Args),
    CredsServe(creds_serve::Args),
    Decrypt(decrypt::Args),
    Doctor(doctor::Args),
    Drill(drill::Args),
    Edit(edit::Args),
    Encrypt(encrypt::Args),
    Key(key::Args),
    Man(man::Args),
    Plan(plan::Args),
    Prune(prune::Args),
    Repair(repair::Args),
    Set(set::Args),
    SystemdUnit(systemd_unit::Args),
    Unset(unset::Args),
    Verify(verify::Args),
}

/// The commands that sops has: they exit with its numbers.
const SOPS_SHAPED: &[&str] = &["decrypt", "edit", "encrypt", "set", "unset"];

impl Command {
    /// Whose exit codes it uses.
    pub(crate) fn family(&self) -> Family {
        match self {
            Self::Decrypt(_) | Self::Edit(_) | Self::Encrypt(_) | Self::Set(_) | Self::Unset(_) => {
                Family::Sops
            }
            Self::Activate(_)
            | Self::Cert(_)
            | Self::Check(_)
            | Self::Completion(_)
            | Self::CredsServe(_)
            | Self::Doctor(_)
            | Self::Drill(_)
            | Self::Key(_)
            | Self::Man(_)
            | Self::Plan(_)
            | Self::Prune(_)
            | Self::Repair(_)
            | Self::SystemdUnit(_)
            | Self::Verify(_) => Family::Native,
        }
    }

    /// Runs it.
    pub(crate) fn run(self, context: &mut Context) -> Result<Exit, CommandError> {
        match self {
            Self::Activate(args) => activate::run(context, &args),
            Self::Cert(args) => cert::run(&args),
            Self::Check(args) => check::run(context, &args),
            Self::Completion(args) => completion::run(&args),
            Self::CredsServe(args) => creds_serve::run(context, &args),
            Self::Decrypt(args) => decrypt::run(context, args),
            Self::Doctor(args) => doctor::run(context, &args),
            Self::Drill(args) => drill::run(context, &args),
            Self::Edit(args) => edit::run(context, args),
            Self::Encrypt(args) => encrypt::run(context, args),
            Self::Key(args) => key::run(context, args),
            Self::Man(args) => man::run(&args),
            Self::Plan(args) => plan::run(context, &args),
            Self::Prune(args) => prune::run(context, &args),
            Self::Repair(args) => repair::run(context, &args),
            Self::Set(args) => set::run(context, args),
            Self::SystemdUnit(args) => systemd_unit::run(context, &args),
            Self::Unset(args) => unset::run(context, args),
            Self::Verify(args) => verify::run(context, &args),
        }
    }
}

/// What a command line asks for.
pub(crate) enum Request {
    /// Help, the version, or an error: the answer is given already.
    Answer(Family, Result<Exit, CommandError>),
    /// A command to run.
    Run(Box<Cli>),
}

/// Reads the command line.
pub(crate) fn parse(arguments: Vec<OsString>) -> Request {
    match Cli::try_parse_from(&arguments).or_else(|_| parse_with_all(&arguments)) {
        Ok(cli) => Request::Run(Box::new(cli)),
        Err(error) => {
            if let Some(verb) = verb_of_sops(&error) {
                return Request::Answer(Family::Sops, Err(not_built(verb)));
            }
            let command = named_command(&arguments);
            Request::Answer(family_of(&command), answer(&error, &command))
        }
    }
}

/// The same with the arguments of every command, for what is said about them: help, and what was meant.
fn parse_with_all(arguments: &[OsString]) -> Result<Cli, clap::Error> {
    let matches = whole().try_get_matches_from(arguments)?;
    Cli::from_arg_matches(&matches)
}

/// The command line with the arguments of every command.
pub(crate) fn whole() -> clap::Command {
    let mut all = Cli::command();
    all.build();
    all
}

/// Whose exit codes the command of that name uses.
pub(crate) fn family_of(command: &[&str]) -> Family {
    match command.first() {
        Some(name) if SOPS_SHAPED.contains(name) => Family::Sops,
        _ => Family::Native,
    }
}

/// What sops does and this program does not do yet.
const NOT_BUILT: &[&str] = &[
    "exec-env",
    "exec-file",
    "keyservice",
    "publish",
    "rotate",
    "updatekeys",
];

/// The command of sops that somebody asks for and that is not built.
fn verb_of_sops(error: &clap::Error) -> Option<&'static str> {
    let ContextValue::String(word) = error.get(ContextKind::InvalidSubcommand)? else {
        return None;
    };
    NOT_BUILT.iter().copied().find(|verb| verb == word)
}

fn not_built(verb: &str) -> CommandError {
    CommandError::new(
        ErrorCode::NotBuilt,
        format!("`{verb}` is not built yet; `sops {verb}` does it on the same files"),
    )
}

/// The command that a command line names, which may not be valid otherwise: of `key show`, both words.
fn named_command(arguments: &[OsString]) -> Vec<&str> {
    let cli = whole();
    let mut innermost = &cli;
    let mut names = Vec::new();
    for word in arguments.iter().skip(1).filter_map(|word| word.to_str()) {
        if let Some(found) = innermost.find_subcommand(word) {
            innermost = found;
            names.push(word);
        }
    }
    names
}

fn answer(error: &clap::Error, command: &[&str]) -> Result<Exit, CommandError> {
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            output::data(error.render().to_string().as_bytes()).map(|()| Exit::Done)
        }
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            output::message(error.render());
            Ok(Exit::Usage)
        }
        _ => Err(usage_error(error, command)),
    }
}

fn usage_error(error: &clap::Error, command: &[&str]) -> CommandError {
    let words = [&["ccsec"], command, &["--help"]].concat();
    let help = format!("see `{}`", words.join(" "));
    let mut usage = CommandError::usage(usage_message(error));
    for kind in [ContextKind::SuggestedArg, ContextKind::SuggestedSubcommand] {
        if let Some(name) = nearest(error.get(kind)) {
            usage = usage.hint(format!("did you mean `{name}`?"));
        }
    }
    if let (true, Some(verb)) = (command.is_empty(), sops_verb(error)) {
        usage = usage.hint(format!("`ccsec {verb} FILE` does that"));
    }
    usage.hint(help)
}

/// What somebody wants who types as sops takes it without a command: `-d FILE`, or a file alone.
fn sops_verb(error: &clap::Error) -> Option<&'static str> {
    let text = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.as_str()),
        _ => None,
    };
    match (
        text(ContextKind::InvalidArg),
        text(ContextKind::InvalidSubcommand),
    ) {
        (Some("-d" | "--decrypt"), _) => Some("decrypt"),
        (Some("-e" | "--encrypt"), _) => Some("encrypt"),
        (Some("--set"), _) => Some("set"),
        (_, Some(word)) if word.contains(['.', '/']) => Some("edit"),
        _ => None,
    }
}

/// What is wrong. An argument that is not a flag by its looks may be a value, which must not be shown.
fn usage_message(error: &clap::Error) -> String {
    let argument = match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::String(text)) => text.as_str(),
        _ => "",
    };
    if error.kind() == ErrorKind::UnknownArgument {
        return if looks_like_a_flag(argument) {
            format!("there is no flag `{argument}` here")
        } else {
            "there is one argument too many, or a value that begins with a dash (put `--` before it)".into()
        };
    }
    let text = error.render().to_string();
    let first = text.split("\n\n").next().unwrap_or_default();
    first.trim_start_matches("error: ").trim_end().to_owned()
}

fn looks_like_a_flag(text: &str) -> bool {
    let name = text.trim_start_matches('-');
    let dashes = text.len() - name.len();
    matches!(dashes, 1 | 2)
        && name.len() <= LONGEST_FLAG
        && name
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte == b'-')
}

const LONGEST_FLAG: usize = 40;

fn nearest(value: Option<&ContextValue>) -> Option<&str> {
    match value? {
        ContextValue::String(name) => Some(name),
        // The best comes last.
        ContextValue::Strings(names) => names.last().map(String::as_str),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn arguments_of_commands_are_made_when_they_are_named() {
        let arguments = |cli: clap::Command| -> usize {
            let each = cli.get_subcommands();
            each.map(|command| command.get_arguments().count()).sum()
        };
        assert_eq!(arguments(Cli::command()), 0);
        assert!(arguments(whole()) > 100);
    }

    #[test]
    fn sops_shaped_commands_exist() {
        let cli = Cli::command();
        for name in SOPS_SHAPED {
            assert!(cli.find_subcommand(name).is_some(), "{name}");
        }
    }

    #[test]
    fn only_what_looks_like_a_flag_is_shown() {
        assert!(looks_like_a_flag("--output-tpye"));
        assert!(looks_like_a_flag("-x"));
        for value in ["-----BEGIN", "canary", "--a b", "-5", "--Secret1"] {
            assert!(!looks_like_a_flag(value), "{value}");
        }
    }
}
