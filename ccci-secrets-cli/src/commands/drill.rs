//! `ccsec drill`.

use std::path::{Path, PathBuf};

use ccci_secrets::atomic::NewFileMode;
use ccci_secrets::drill::{self, Cause, DrillPolicy, Matrix, Record, Remark, Scope};
use ccci_secrets::error::ErrorCode;
use ccci_secrets::finding::{Finding, Level};
use ccci_secrets::keyring::{KeyFileError, Keyring};
use ccci_secrets::survey::{self, Survey};

use crate::context::Context;
use crate::error::CommandError;
use crate::exit::{self, Exit, Family};
use crate::harden;
use crate::hint::{self, Hint};
use crate::machine;
use crate::next_step;
use crate::output;

/// Prove that a key opens every sops file of a repository
///
/// Every file is opened in memory with each key alone, and its MAC checked; nothing is written. The table says of each
/// file and key: proved, failed, or claimed, where only a label says so. Without a policy, each key must open every file.
/// With --host, the key of this machine must open the files that name it. Submodules belong to the repository; what git
/// ignores does not.
///
/// A policy is TOML: `[keys.NAME]` with the lists `must_open` and `must_not_open` of patterns of paths; NAME is a
/// recipient, or what .sops.yaml calls one. `max_age_days` says how old the drills of --last and --merge may be.
#[derive(Debug, clap::Args)]
#[command(after_long_help = exit::table(Family::Native))]
pub(crate) struct Args {
    /// The top of the repository
    #[arg(required_unless_present = "merge")]
    root: Option<PathBuf>,
    /// A key to try: an age key file or an SSH private key, or a pipe with one (can be repeated)
    #[arg(short, long, value_name = "FILE", conflicts_with = "merge")]
    identity: Vec<PathBuf>,
    /// Try the key of this machine, /etc/ssh/ssh_host_ed25519_key if --identity names no other
    #[arg(long, conflicts_with = "merge")]
    host: bool,
    /// What must be proved, instead of everything
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// A file that must hold no key that opens anything here, but for those that are tried (can be repeated)
    #[arg(long, value_name = "FILE", conflicts_with = "merge")]
    forbid: Vec<PathBuf>,
    /// The JSON of the last drill: say if that was too long ago
    #[arg(long, value_name = "FILE")]
    last: Option<PathBuf>,
    /// Put the JSON of several drills together, those of hosts and of the recovery key
    #[arg(long, value_name = "FILE", num_args = 1.., conflicts_with = "root")]
    merge: Vec<PathBuf>,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
    /// Write the table as one page for a browser
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

/// Where sshd keeps the key of a host.
const HOST_KEY: &str = "/etc/ssh/ssh_host_ed25519_key";

pub(crate) fn run(context: &Context, args: &Args) -> Result<Exit, CommandError> {
    harden::memory();
    let policy = args.policy.as_deref().map(read_policy).transpose()?;
    let (mut record, mut findings) = match &args.root {
        Some(root) => take(context, args, root)?,
        None => merge(&args.merge)?,
    };
    findings.extend(age(args, &record, policy.as_ref())?);
    let judged = Matrix::of(&record, policy.as_ref()).map_err(|error| {
        let path = args.policy.as_deref().unwrap_or(Path::new("policy"));
        CommandError::new(error.code(), format!("{}: {error}", path.display()))
    });
    let (matrix, idle) = judged?;
    findings.extend(idle);
    let names = record.known_names();
    let remark = |finding: &Finding| Remark::new(finding, &names, next_step::after(finding));
    record.remarks.extend(findings.iter().map(remark));
    record.remarks.sort_by_key(|remark| remark.level);
    tell(context, args, &record, &matrix)
}

/// Looks at a repository and tries the keys.
fn take(
    context: &Context,
    args: &Args,
    root: &Path,
) -> Result<(Record, Vec<Finding>), CommandError> {
    let (keyring, scope) = keys(args)?;
    let survey = survey::survey(root)
        .map_err(|error| CommandError::new(ErrorCode::FileUnreadable, error.to_string()))?;
    let taken = drill::take(&survey, &keyring, scope, Context::TOOL, Context::now());
    let mut findings = taken.findings;
    for path in &args.forbid {
        findings.extend(forbidden(path, &survey, &taken.record));
    }
    findings.extend(survey.findings);
    findings.extend(machine::git_settings(context));
    Ok((taken.record, findings))
}

/// The keys to try, and what they are expected to open.
fn keys(args: &Args) -> Result<(Keyring, Scope), CommandError> {
    let mut keyring = Keyring::empty();
    let host = [PathBuf::from(HOST_KEY)];
    let paths = match args.identity.as_slice() {
        [] if args.host => host.as_slice(),
        [] => {
            return Err(
                CommandError::usage("--identity is missing: which key is to be tried?")
                    .hint("on a host, for its own key: ccsec drill --host ROOT"),
            );
        }
        named => named,
    };
    for path in paths {
        let found = keyring
            .add_named_key_file(path)
            .map_err(|error| unusable_key(args, &error))?;
        for plugin in found.plugins {
            output::warning(format_args!(
                "{}: what age-plugin-{plugin} holds is not tried: a drill starts no programs",
                path.display()
            ));
        }
    }
    let scope = if args.host {
        Scope::WhatNamesIt
    } else {
        Scope::Everything
    };
    Ok((keyring, scope))
}

fn unusable_key(args: &Args, error: &KeyFileError) -> CommandError {
    let told = CommandError::new(error.code(), error.to_string());
    let is_missing = matches!(error, KeyFileError::Missing { .. });
    if is_missing && args.host && args.identity.is_empty() {
        return told
            .without_general_hint()
            .hint("make the keys of this host: ssh-keygen -A");
    }
    told
}

/// What a file holds that must not hold a key of these files.
fn forbidden(path: &Path, survey: &Survey, record: &Record) -> Vec<Finding> {
    match Keyring::empty().add_named_key_file(path) {
        Ok(found) => drill::forbidden(survey, record, &found),
        Err(KeyFileError::Missing { .. }) => Vec::new(),
        Err(error) => vec![Finding::Unreadable {
            path: path.to_owned(),
            text: error.to_string(),
        }],
    }
}

fn merge(paths: &[PathBuf]) -> Result<(Record, Vec<Finding>), CommandError> {
    let records: Result<Vec<Record>, CommandError> =
        paths.iter().map(|path| read_record(path)).collect();
    Record::merge(records?).ok_or_else(|| CommandError::usage("--merge names no file"))
}

/// Whether the last drill, or the oldest of those that are put together, was too long ago.
fn age(
    args: &Args,
    record: &Record,
    policy: Option<&DrillPolicy>,
) -> Result<Vec<Finding>, CommandError> {
    let now = Context::now();
    let last = args.last.as_deref().map(read_record).transpose()?;
    let all = last.iter().chain([record]);
    Ok(all.filter_map(|record| record.age(now, policy)).collect())
}

fn read_record(path: &Path) -> Result<Record, CommandError> {
    Record::parse(&read(path)?)
        .map_err(|error| CommandError::new(error.code(), format!("{}: {error}", path.display())))
}

fn read_policy(path: &Path) -> Result<DrillPolicy, CommandError> {
    let text = String::from_utf8_lossy(&read(path)?).into_owned();
    DrillPolicy::parse(&text)
        .map_err(|error| CommandError::new(error.code(), format!("{}: {error}", path.display())))
}

/// Reads a file that holds no secret.
fn read(path: &Path) -> Result<Vec<u8>, CommandError> {
    std::fs::read(path).map_err(|error| {
        let message = format!("cannot read {}: {error}", path.display());
        CommandError::new(ErrorCode::FileUnreadable, message)
    })
}

/// The JSON of a drill: the record, which `--merge` reads, and what it was judged to be.
#[derive(serde::Serialize)]
struct Told<'a> {
    #[serde(flatten)]
    record: &'a Record,
    matrix: &'a Matrix,
    proved: bool,
    code: Option<&'static str>,
}

fn tell(
    context: &Context,
    args: &Args,
    record: &Record,
    matrix: &Matrix,
) -> Result<Exit, CommandError> {
    let code = matrix.code(&record.remarks);
    if let Some(path) = &args.html {
        let page = matrix.to_html(record);
        output::file(&context.absolute(path), page.as_bytes(), NewFileMode::Umask)?;
    }
    if args.json {
        let told = Told {
            record,
            matrix,
            proved: code.is_none(),
            code: code.map(ErrorCode::as_str),
        };
        output::json(&told)?;
    } else {
        output::data(text(record, matrix).as_bytes())?;
    }
    match code {
        None => Ok(Exit::Done),
        Some(code) => Err(failure(code, matrix, record)),
    }
}

/// The table, then every remark with its next step.
fn text(record: &Record, matrix: &Matrix) -> String {
    let (met, demanded) = matrix.count();
    let mut text = matrix.to_text();
    text.push_str(&format!("\n{met} of {demanded} demands are proved\n"));
    for remark in &record.remarks {
        let level = remark.level.as_str();
        text.push_str(&format!(
            "{level}: {}\n  next: {}\n",
            remark.text, remark.next
        ));
    }
    text
}

fn failure(code: ErrorCode, matrix: &Matrix, record: &Record) -> CommandError {
    let unmet = matrix.unmet().map(|(path, key, cell)| {
        let reason = cell.sentence();
        format!("{path}: not proved for {}: {reason}", key.title)
    });
    let faults = record.remarks.iter();
    let faults = faults
        .filter(|remark| remark.level == Level::Fault)
        .map(|remark| remark.text.clone());
    let lines: Vec<String> = unmet.chain(faults).collect();
    // Of what else was found, the table says the next step.
    let error = CommandError::new(code, format!("the drill failed\n{}", lines.join("\n")))
        .without_general_hint();
    next_steps(matrix)
        .into_iter()
        .fold(error, CommandError::hint)
}

/// What makes the demands met, one step for each cause.
fn next_steps(matrix: &Matrix) -> Vec<&'static str> {
    let mut steps = Vec::new();
    for cause in matrix.unmet().filter_map(|(_, _, cell)| cell.cause) {
        let step = match cause {
            Cause::BrokenFile => None,
            Cause::Damaged(code) => match hint::of(code) {
                Hint::Step(step) => Some(step),
                Hint::None | Hint::Unwritten => None,
            },
            Cause::DoesNotFit => Some(
                "seal each file for the keys that must open it, as .sops.yaml names them: sops updatekeys FILE; then run the drill again",
            ),
            Cause::MustNotOpen => Some(
                "take the recipient out of .sops.yaml, then: sops updatekeys FILE; what it could open, it may have kept: replace those secrets",
            ),
            Cause::NotTried => Some(
                "where the key is, on a host: ccsec drill --host --json ROOT > FILE; then put the results together: ccsec drill --merge FILE...",
            ),
        };
        steps.extend(step.filter(|step| !steps.contains(step)));
    }
    steps
}
