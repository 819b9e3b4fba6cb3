//! `ccsec doctor`.

use std::path::PathBuf;

use ccci_secrets::doctor;
use ccci_secrets::drill::Remark;
use ccci_secrets::error::ErrorCode;
use ccci_secrets::finding::Level;
use ccci_secrets::survey;
use ccci_secrets::wrapped::Names;

use crate::context::Context;
use crate::error::CommandError;
use crate::exit::{self, Exit, Family};
use crate::machine::{self, Said};
use crate::next_step;
use crate::output;

/// Say what is wrong with a machine and a repository, before anything is activated
///
/// Nothing is changed, no key is needed, and any user may ask. With a repository, its submodules, sops files and
/// .sops.yaml are looked at, too, and the keys of the machine are compared with the recipients of the files. Each finding
/// comes with the next step. Only faults count for the exit code; what is a warning, and what is only good to know, does
/// not.
#[derive(Debug, clap::Args)]
#[command(after_long_help = exit::table(Family::Native))]
pub(crate) struct Args {
    /// The top of the repository
    repository: Option<PathBuf>,
    /// A key file of this machine, instead of the usual places (can be repeated)
    #[arg(long, value_name = "FILE")]
    key: Vec<PathBuf>,
    /// Where activation will put the secrets
    #[arg(long, value_name = "DIR", default_value = "/run/secrets.d")]
    target: PathBuf,
    /// Print the findings as JSON
    #[arg(long)]
    json: bool,
}

/// The findings, as JSON.
#[derive(serde::Serialize)]
struct Told<'a> {
    schema: u32,
    tool: &'static str,
    sound: bool,
    findings: &'a [Remark],
}

pub(crate) fn run(context: &Context, args: &Args) -> Result<Exit, CommandError> {
    let said = Said {
        keys: &args.key,
        target: &args.target,
    };
    let facts = machine::look(context, &said);
    let survey = args.repository.as_deref().map(survey::survey).transpose();
    let survey =
        survey.map_err(|error| CommandError::new(ErrorCode::FileUnreadable, error.to_string()))?;
    let nobody = Names::default();
    let names = survey.as_ref().map_or(&nobody, |survey| &survey.names);
    let mut findings = doctor::examine(&facts, survey.as_ref());
    findings.extend(machine::git_settings(context));
    let mut remarks: Vec<Remark> = findings
        .iter()
        .map(|finding| Remark::new(finding, names, next_step::after(finding)))
        .collect();
    remarks.sort_by_key(|remark| remark.level);
    tell(args, &remarks)
}

fn tell(args: &Args, remarks: &[Remark]) -> Result<Exit, CommandError> {
    let count = |level| {
        let same = remarks.iter().filter(|remark| remark.level == level);
        same.count()
    };
    let faults = count(Level::Fault);
    if args.json {
        output::json(&Told {
            schema: 1,
            tool: Context::TOOL,
            sound: faults == 0,
            findings: remarks,
        })?;
    } else {
        output::data(text(remarks, faults, count(Level::Warning)).as_bytes())?;
    }
    // What is wrong has been told, each with its next step.
    Ok(if faults == 0 { Exit::Done } else { Exit::Drift })
}

fn text(remarks: &[Remark], faults: usize, warnings: usize) -> String {
    let mut text = String::new();
    for remark in remarks {
        text.push_str(&format!("{}: {}\n", remark.level.as_str(), remark.text));
        if remark.level != Level::Note {
            text.push_str(&format!("  next: {}\n", remark.next));
        }
    }
    text.push_str(&format!(
        "{} and {}\n",
        counted(faults, "fault"),
        counted(warnings, "warning")
    ));
    text
}

fn counted(count: usize, what: &str) -> String {
    match count {
        0 => format!("no {what}s"),
        1 => format!("1 {what}"),
        more => format!("{more} {what}s"),
    }
}
