//! Opening a sealed file, and what is said when it does not open.

use std::fmt::Write as _;

use ccci_secrets::document::Format;
use ccci_secrets::error::ErrorCode;
use ccci_secrets::file::{Note, OpenError, OpenFile, SealedFile};
use ccci_secrets::keyring::{AttemptReport, Keyring};
use ccci_secrets::repository;
use ccci_secrets::secret::Secret;

use crate::error::{CommandError, InFile as _};
use crate::exit::Exit;
use crate::output;

/// Parses a sealed file; `name` is how messages call it.
pub(crate) fn parse(name: &str, format: Format, bytes: Secret) -> Result<SealedFile, CommandError> {
    // EXPOSE: only looked at, for what git may have left in place of the file.
    let left_by_git = repository::classify_content(bytes.expose());
    SealedFile::parse(format, bytes)
        .in_file(name)
        .map_err(|error| match left_by_git {
            Some(reason) => CommandError::new(reason.code(), format!("{name}: {reason}")),
            None if error.code() == ErrorCode::FileNotSealed => {
                error.hint(format!("{name} was read as {}", format.as_str()))
            }
            None => error,
        })
}

/// Opens a sealed file: every value, then the MAC.
pub(crate) fn open(
    name: &str,
    sealed: SealedFile,
    keyring: &Keyring,
) -> Result<OpenFile, CommandError> {
    sealed.open(keyring).map_err(|error| match &error {
        OpenError::NoKey(no_key) => match no_key.report() {
            Some(report) => no_key_opens(name, report),
            None => CommandError::about(name, error).exit_with(Exit::SopsNoKey),
        },
        _ => CommandError::about(name, error),
    })
}

/// Says what was noticed while a document was opened.
pub(crate) fn tell(name: &str, notes: &[Note]) {
    for note in notes {
        match note {
            Note::ClearComment { line } => output::warning(format_args!(
                "{name}: line {line}: this comment is not encrypted, though the rule of the file covers it; it is kept as it is"
            )),
            Note::MovedComment { line } => output::warning(format_args!(
                "{name}: line {line}: this comment was encrypted at another place of the file"
            )),
            _ => {}
        }
    }
}

/// The report of sops, whose first lines scripts look for, and then what we know beyond it.
fn no_key_opens(name: &str, report: &AttemptReport) -> CommandError {
    let mut text = String::from(NO_KEY_HEAD);
    for (number, group) in report.groups.iter().enumerate() {
        push_line(&mut text, format_args!("Group {number}: FAILED"));
        for key in &group.keys {
            push_line(&mut text, format_args!("  {}: FAILED", key.recipient));
            push_line(&mut text, format_args!("    - | {}", key.outcome));
        }
        text.push('\n');
    }
    text.push_str(NO_KEY_TAIL);
    push_line(
        &mut text,
        format_args!("error: cannot open {name}: no identity matches any of its recipients"),
    );
    let places = report.to_string();
    let places = places.lines().last().unwrap_or_default();
    write!(text, "hint: {places}").expect("writing to a string does not fail");
    CommandError::new(ErrorCode::NoIdentity, text).verbatim()
}

fn push_line(text: &mut String, line: std::fmt::Arguments<'_>) {
    writeln!(text, "{line}").expect("writing to a string does not fail");
}

const NO_KEY_HEAD: &str = "Failed to get the data key required to decrypt the SOPS file.\n\n";

const NO_KEY_TAIL: &str = "\
Recovery failed because no master key was able to decrypt the file. In
order for SOPS to recover the file, at least one key has to be successful,
but none were.

";
