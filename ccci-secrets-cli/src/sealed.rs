//! Opening a sealed file, and what is said when it does not open.

use std::fmt::Write as _;

use ccci_secrets::document::Format;
use ccci_secrets::error::ErrorCode;
use ccci_secrets::file::{Note, OpenError, OpenFile, SealedFile};
use ccci_secrets::keyring::{AttemptReport, GroupAttempt, Keyring};
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
            None => CommandError::about(name, error)
                .without_general_hint()
                .exit_with(Exit::SopsNoKey),
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
            Note::LayoutLost { line } => output::warning(format_args!(
                "{name}: line {line}: what the file says about how its values were written does not fit it, here first; the values are right, their old spelling is lost"
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
    let mut text = format!("{NO_KEY_HEAD}\n\n");
    for (number, group) in report.groups.iter().enumerate() {
        push_group(&mut text, number, group);
    }
    text.push_str(&wrap(&trailer(report), TRAILER_COLUMNS).join("\n"));
    push_line(
        &mut text,
        format_args!("\n\nerror: cannot open {name}: {}", report.summary()),
    );
    let places = report.to_string();
    let places = places.lines().last().unwrap_or_default();
    write!(text, "hint: {places}").expect("writing to a string does not fail");
    CommandError::new(ErrorCode::NoIdentity, text).verbatim()
}

fn push_group(text: &mut String, number: usize, group: &GroupAttempt) {
    if group.open {
        push_line(text, format_args!("Group {number}: SUCCESS\n"));
        return;
    }
    push_line(text, format_args!("Group {number}: FAILED"));
    for key in &group.keys {
        push_line(text, format_args!("  {}: FAILED", key.recipient));
        let mut lead = "    - | ";
        for line in wrap(&key.outcome.to_string(), OUTCOME_COLUMNS) {
            push_line(text, format_args!("{lead}{line}"));
            lead = "      | ";
        }
    }
    text.push('\n');
}

/// The words of sops for what would have been needed.
fn trailer(report: &AttemptReport) -> String {
    if report.groups.len() < 2 {
        return NO_KEY_TRAILER.into();
    }
    let (needs, parts) = (report.needs, report.open_groups());
    format!(
        "Recovery failed because the file was encrypted with a Shamir threshold of {needs}, but only {parts} part(s) were successfully recovered, one for each successful key group. In order for SOPS to recover the file, at least {needs} groups have to be successful. In order for a group to be successful, decryption has to succeed with any of the keys in that key group."
    )
}

/// The lines of a text, broken between words.
fn wrap(text: &str, columns: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= columns => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

fn push_line(text: &mut String, line: std::fmt::Arguments<'_>) {
    writeln!(text, "{line}").expect("writing to a string does not fail");
}

const NO_KEY_HEAD: &str = "Failed to get the data key required to decrypt the SOPS file.";

const NO_KEY_TRAILER: &str = "Recovery failed because no master key was able to decrypt the file. In order for SOPS to recover the file, at least one key has to be successful, but none were.";

/// Where sops breaks the lines of its last paragraph, and of what failed for a key.
const TRAILER_COLUMNS: usize = 75;
const OUTCOME_COLUMNS: usize = 60;

#[cfg(test)]
mod tests {
    use ccci_secrets::keyring::{KeyAttempt, KeyOutcome};

    use super::*;

    fn group(open: bool, recipient: &str) -> GroupAttempt {
        let outcome = if open {
            KeyOutcome::Opened
        } else {
            KeyOutcome::NoIdentity
        };
        GroupAttempt {
            needs: 1,
            open,
            keys: vec![KeyAttempt {
                kind: "age",
                recipient: recipient.into(),
                outcome,
            }],
        }
    }

    fn text(needs: usize, groups: Vec<GroupAttempt>) -> String {
        let report = AttemptReport {
            needs,
            groups,
            sources: Vec::new(),
        };
        no_key_opens("f.yaml", &report).to_string()
    }

    // Printed by sops 3.13.3, but for the reason of each key.
    #[test]
    fn too_few_groups_are_reported_in_the_words_and_lines_of_sops() {
        let said = text(2, vec![group(true, "one"), group(false, "two")]);
        assert!(
            said.starts_with(
                "\
Failed to get the data key required to decrypt the SOPS file.

Group 0: SUCCESS

Group 1: FAILED
  two: FAILED
    - | no matching identity

Recovery failed because the file was encrypted with a Shamir threshold of
2, but only 1 part(s) were successfully recovered, one for each successful
key group. In order for SOPS to recover the file, at least 2 groups have to
be successful. In order for a group to be successful, decryption has to
succeed with any of the keys in that key group.

error: cannot open f.yaml: only 1 of its 2 key groups opens, and 2 are needed
hint: looked for keys"
            ),
            "{said}"
        );
    }

    #[test]
    fn a_single_group_is_reported_in_the_words_and_lines_of_sops() {
        let said = text(1, vec![group(false, "one")]);
        assert!(
            said.contains(
                "
Group 0: FAILED
  one: FAILED
    - | no matching identity

Recovery failed because no master key was able to decrypt the file. In
order for SOPS to recover the file, at least one key has to be successful,
but none were.

error: cannot open f.yaml: no identity matches"
            ),
            "{said}"
        );
    }
}
