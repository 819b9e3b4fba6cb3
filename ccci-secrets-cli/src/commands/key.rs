//! `ccsec key`: make, show and install the keys of people and machines.

use std::io;
use std::path::{Path, PathBuf};

use ccci_secrets::error::{ErrorCode, PathError};
use ccci_secrets::keyring::{
    KeyFileError, KeyFileReason, NewKeyFile, age_file_recipients, ssh_file_recipient,
};

use crate::context::Context;
use crate::error::CommandError;
use crate::exit::{self, Exit, Family};
use crate::input;
use crate::output;
use crate::policy;

/// Make, show and install keys
#[derive(Debug, clap::Args)]
#[command(after_long_help = exit::table(Family::Native))]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    FromSsh(FromSsh),
    Generate(Generate),
    Install(Install),
    Show(Show),
}

/// Derive a machine's age key from its SSH host key
///
/// The key is the one that ssh-to-age derives. It is written to a new file with mode 0600; the recipient that belongs
/// to it is printed.
#[derive(Debug, clap::Args)]
struct FromSsh {
    /// The SSH private key, ed25519 and without a passphrase
    #[arg(short, long = "in", value_name = "FILE", default_value = HOST_KEY)]
    input: PathBuf,
    /// The age key file to make; nothing may be there yet
    #[arg(short, long = "out", value_name = "FILE")]
    output: PathBuf,
}

/// Make a new age key
///
/// With --output the key goes to a new file with mode 0600, and the recipient that belongs to it is printed. Without,
/// the key itself is printed, as age-keygen does.
#[derive(Debug, clap::Args)]
struct Generate {
    /// The key file to make; nothing may be there yet
    #[arg(short, long, visible_alias = "out", value_name = "FILE")]
    output: Option<PathBuf>,
}

/// Put a key from standard input into a file
///
/// For the recovery key on a machine that is not enrolled yet. The text must be an age key file. It is written as it is
/// to a new file with mode 0600; only the recipient that belongs to it is printed.
#[derive(Debug, clap::Args)]
struct Install {
    /// The age key file to make; nothing may be there yet
    #[arg(short, long = "out", value_name = "FILE")]
    output: PathBuf,
}

/// Print the recipient that belongs to a key
///
/// For an SSH key, a person at a terminal is also told how the machine is enrolled: what goes into .sops.yaml, and which
/// command to run where. --enrol tells it in any case, on standard error.
#[derive(Debug, clap::Args)]
struct Show {
    #[command(flatten)]
    key: ShownKey,
    /// Say how the machine of the SSH key is enrolled, under this name
    #[arg(long, value_name = "NAME", num_args = 0..=1, default_missing_value = "host", value_parser = anchor, conflicts_with = "input")]
    enrol: Option<String>,
}

#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
struct ShownKey {
    /// An age key file: one line for each of its keys
    #[arg(short, long = "in", value_name = "FILE")]
    input: Option<PathBuf>,
    /// An SSH key file, public or private: the age recipient that ssh-to-age derives from it
    #[arg(long, value_name = "FILE")]
    ssh: Option<PathBuf>,
}

/// A name as YAML and sops take it behind `&`.
fn anchor(text: &str) -> Result<String, String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-".contains(c);
    if text.is_empty() || !text.chars().all(plain) {
        return Err("a name is made of letters, digits, `-` and `_`".into());
    }
    Ok(text.to_owned())
}

/// Where sshd keeps it.
const HOST_KEY: &str = "/etc/ssh/ssh_host_ed25519_key";

pub(crate) fn run(context: &Context, args: Args) -> Result<Exit, CommandError> {
    match args.action {
        Action::FromSsh(args) => from_ssh(&args),
        Action::Generate(args) => generate(args),
        Action::Install(args) => install(context, &args),
        Action::Show(args) => show(context, args),
    }
}

fn from_ssh(args: &FromSsh) -> Result<Exit, CommandError> {
    let key = NewKeyFile::derive_from_ssh(&args.input).map_err(|error| {
        let is_missing = matches!(error, KeyFileError::Missing { .. });
        let hint = "name another with --in FILE, or make the keys of this host: ssh-keygen -A";
        with_hint(unusable(error), is_missing.then(|| hint.into()))
    })?;
    create(&key, &args.output)
}

fn generate(args: Generate) -> Result<Exit, CommandError> {
    let key = NewKeyFile::generate(Context::now());
    match args.output {
        Some(path) => create(&key, &path),
        None => output::key(&key).map(|()| Exit::Done),
    }
}

fn install(context: &Context, args: &Install) -> Result<Exit, CommandError> {
    if context.stdin_is_terminal {
        output::note("Paste the age key, then press Enter and Ctrl-D.");
    }
    let key =
        input::read_stdin().and_then(|text| NewKeyFile::from_text(text).map_err(not_a_key))?;
    create(&key, &args.output)
}

fn show(context: &Context, args: Show) -> Result<Exit, CommandError> {
    match (args.key.input, args.key.ssh) {
        (Some(path), _) => print_lines(&age_file_recipients(&path).map_err(unusable)?),
        (None, Some(path)) => show_ssh(context, &path, args.enrol),
        (None, None) => Ok(Exit::Done),
    }
}

fn show_ssh(context: &Context, path: &Path, enrol: Option<String>) -> Result<Exit, CommandError> {
    let recipient = ssh_file_recipient(path).map_err(unusable)?;
    let done = print_lines(std::slice::from_ref(&recipient))?;
    let name = enrol.or_else(|| output::data_goes_to_a_person().then(|| "host".to_owned()));
    if let Some(name) = name {
        if let Some(config) = config_with_other(context, &recipient, &name) {
            output::warning(format_args!(
                "{} calls another key {name}; choose another name: --enrol NAME",
                config.display()
            ));
        }
        output::note(enrolment(&recipient, &name));
    }
    Ok(done)
}

/// The configuration of this directory, if it has given the name away. One that cannot be read says nothing here.
fn config_with_other(context: &Context, recipient: &str, name: &str) -> Option<PathBuf> {
    let config = policy::find_config(context, context.config.as_deref())
        .ok()?
        .config?;
    let mut called = config.names().recipients_of(name);
    let taken = called.any(|known| known != recipient);
    taken.then(|| config.path().to_owned())
}

/// How a machine gets to open files with its own key.
fn enrolment(recipient: &str, name: &str) -> String {
    format!(
        "\
To enrol this machine:
1. In .sops.yaml, name its recipient, and list it in each rule for files that it must open:
     keys:
       - &{name} {recipient}
     creation_rules:
       - age: [..., *{name}]
2. Where a key opens the files today, seal each of them for it too, then commit and push:
     sops updatekeys FILE
3. On this machine, fetch that, and prove it:
     git pull --recurse-submodules
     ccsec drill --host REPOSITORY
4. Only then, and if the recovery key was put on this machine, remove it:
     shred -u /var/lib/ccsec/recovery.txt"
    )
}

/// Creates the file, then says whose key it holds.
fn create(key: &NewKeyFile, path: &Path) -> Result<Exit, CommandError> {
    key.create(path).map_err(|error| not_created(path, error))?;
    print_lines(key.recipients())
}

fn print_lines(lines: &[String]) -> Result<Exit, CommandError> {
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    output::data(text.as_bytes())?;
    Ok(Exit::Done)
}

fn unusable(error: KeyFileError) -> CommandError {
    let hint = match &error {
        KeyFileError::Unusable { path, reason } => next_step(reason, &path.display().to_string()),
        _ => None,
    };
    with_hint(
        CommandError::new(error.code(), error.to_string()).without_general_hint(),
        hint,
    )
}

fn not_a_key(reason: KeyFileReason) -> CommandError {
    let hint = next_step(&reason, "FILE");
    let error = CommandError::new(
        ErrorCode::KeyFileUnusable,
        format!("standard input: {reason}; nothing was written"),
    );
    with_hint(error, hint)
}

/// What to do with a key of another kind than was needed.
fn next_step(reason: &KeyFileReason, path: &str) -> Option<String> {
    match reason {
        KeyFileReason::AgeKey => Some(format!("for an age key file: ccsec key show --in {path}")),
        KeyFileReason::PassphraseProtected => {
            Some("take the passphrase off a copy of the key, and remove the copy afterwards".into())
        }
        KeyFileReason::SshKey => Some(format!(
            "for an SSH key: ccsec key show --ssh {path}, or ccsec key from-ssh --in {path} --out KEYFILE"
        )),
        _ => None,
    }
}

fn with_hint(error: CommandError, hint: Option<String>) -> CommandError {
    match hint {
        Some(hint) => error.hint(hint),
        None => error,
    }
}

fn not_created(path: &Path, error: PathError) -> CommandError {
    match error.source.kind() {
        io::ErrorKind::AlreadyExists => CommandError::new(
            ErrorCode::TargetConflict,
            format!(
                "{} exists already; a key is never written over anything",
                path.display()
            ),
        )
        .without_general_hint()
        .hint(format!(
            "see whose key it holds: ccsec key show --in {}",
            path.display()
        )),
        io::ErrorKind::NotFound => {
            let parent = path
                .parent()
                .unwrap_or(Path::new("/"))
                .display()
                .to_string();
            CommandError::cannot_write(error).hint(format!(
                "make the directory first, unless a file system should be mounted there: install -d -m 0700 {parent}"
            ))
        }
        _ => CommandError::cannot_write(error),
    }
}
