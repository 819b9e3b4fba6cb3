//! Opening a sealed file, and what is said when it does not open.

use std::fmt::Write as _;

use ccci_secrets::dangerous;
use ccci_secrets::document::{CanonicalLayout, Format, NewNode};
use ccci_secrets::error::ErrorCode;
use ccci_secrets::file::{
    EditedFile, ExtractError, FileError, Note, Older, OpenError, OpenFile, SealError, SealedFile,
    UnsetError,
};
use ccci_secrets::keyring::{AttemptReport, GroupAttempt, Keyring};
use ccci_secrets::path::TreePath;
use ccci_secrets::repository;
use ccci_secrets::secret::Secret;

use crate::error::CommandError;
use crate::exit::Exit;
use crate::output;

/// Parses a sealed file; `name` is how messages call it.
pub(crate) fn parse(name: &str, format: Format, bytes: Secret) -> Result<SealedFile, CommandError> {
    // EXPOSE: only looked at, for what git may have left in place of the file.
    let left_by_git = repository::classify_content(bytes.expose());
    let parsed = SealedFile::parse(format, bytes);
    parsed.map_err(|error| not_parsed(name, format, error, left_by_git))
}

/// A file, or those documents of one that were sealed together.
pub(crate) struct Part {
    /// How messages call it.
    pub(crate) name: String,
    pub(crate) file: SealedFile,
}

/// Parses a sealed file whose documents may have been sealed one by one.
pub(crate) fn parse_parts(
    name: &str,
    format: Format,
    bytes: Secret,
) -> Result<Vec<Part>, CommandError> {
    // EXPOSE: only looked at, for what git may have left in place of the file.
    let left_by_git = repository::classify_content(bytes.expose());
    let parts = SealedFile::parse_apart(format, bytes)
        .map_err(|error| not_parsed(name, format, error, left_by_git))?;
    let lone = parts.len() == 1;
    let name_of = |line| match lone {
        true => name.to_owned(),
        false => format!("{name}, documents from line {line}"),
    };
    let parts = parts.into_iter().map(|(line, file)| Part {
        name: name_of(line),
        file,
    });
    Ok(parts.collect())
}

fn not_parsed(
    name: &str,
    format: Format,
    error: FileError,
    left_by_git: Option<repository::NotSealedBecause>,
) -> CommandError {
    let error = CommandError::about(name, error);
    match left_by_git {
        Some(reason) => CommandError::new(reason.code(), format!("{name}: {reason}")),
        None if error.code() == ErrorCode::FileNotSealed => {
            error.hint(format!("{name} was read as {}", format.as_str()))
        }
        None => error,
    }
}

/// Opens a sealed file: every value, then the MAC.
pub(crate) fn open(
    name: &str,
    sealed: SealedFile,
    keyring: &Keyring,
) -> Result<OpenFile, CommandError> {
    sealed
        .open(keyring)
        .map_err(|error| not_opened(name, error))
}

/// What is asked of the MAC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MacCheck {
    /// It must match.
    Require,
    /// It is said when it does not match (`--ignore-mac`).
    Warn,
}

/// A file whose values are open.
#[derive(Debug)]
pub(crate) enum Opened {
    Unverified(dangerous::UnverifiedFile),
    Verified(OpenFile),
}

impl Opened {
    /// Opens a sealed file, as far as it is asked for.
    pub(crate) fn open(
        name: &str,
        sealed: SealedFile,
        keyring: &Keyring,
        mac: MacCheck,
    ) -> Result<Self, CommandError> {
        if mac == MacCheck::Require {
            return open(name, sealed, keyring).map(Self::Verified);
        }
        let file = dangerous::open_unverified(sealed, keyring, IGNORE_MAC)
            .map_err(|error| not_opened(name, error))?;
        if let Some(fault) = file.fault() {
            output::warning(format_args!(
                "{name}: {fault}; --ignore-mac was given, so its values are taken as they are"
            ));
        }
        Ok(Self::Unverified(file))
    }

    /// The whole plaintext document, of a file that is not needed afterwards.
    pub(crate) fn into_exposed_document(self) -> Result<(Secret, Vec<Note>), SealError> {
        match self {
            Self::Unverified(file) => file.expose_document(),
            Self::Verified(file) => file.into_exposed_document(),
        }
    }

    pub(crate) fn expose_as(
        &self,
        format: Format,
        layout: CanonicalLayout,
    ) -> Result<(Secret, Vec<Note>), SealError> {
        match self {
            Self::Unverified(file) => file.expose_as(format, layout),
            Self::Verified(file) => file.expose_as(format, layout),
        }
    }

    pub(crate) fn expose_at_as(
        &self,
        path: &TreePath,
        format: Format,
        layout: CanonicalLayout,
    ) -> Result<Secret, ExtractError> {
        match self {
            Self::Unverified(file) => file.expose_at_as(path, format, layout),
            Self::Verified(file) => file.expose_at_as(path, format, layout),
        }
    }

    pub(crate) fn holds(&self, path: &TreePath, new: &NewNode) -> bool {
        match self {
            Self::Unverified(file) => file.holds(path, new),
            Self::Verified(file) => file.holds(path, new),
        }
    }

    pub(crate) fn set(self, path: &TreePath, new: &NewNode) -> Result<EditedFile, SealError> {
        match self {
            Self::Unverified(file) => dangerous::adopt(file, IGNORE_MAC).set(path, new),
            Self::Verified(file) => file.set(path, new),
        }
    }

    pub(crate) fn unset(self, path: &TreePath) -> Result<EditedFile, UnsetError> {
        match self {
            Self::Unverified(file) => dangerous::adopt(file, IGNORE_MAC).unset(path),
            Self::Verified(file) => file.unset(path),
        }
    }

    /// The plaintext for an editor, and what the text that it leaves is laid over.
    pub(crate) fn into_editing(self) -> Result<(Secret, Vec<Note>, Older), SealError> {
        match self {
            Self::Unverified(file) => dangerous::adopt(file, IGNORE_MAC).into_editing(),
            Self::Verified(file) => file.into_editing(),
        }
    }
}

/// Why a file is opened without its MAC, and why what comes of it is sealed.
const IGNORE_MAC: &str = "the user gave --ignore-mac";

fn not_opened(name: &str, error: OpenError) -> CommandError {
    match &error {
        OpenError::NoKey(no_key) => match no_key.report() {
            Some(report) => no_key_opens(name, report),
            None => CommandError::about(name, error)
                .without_general_hint()
                .exit_with(Exit::SopsNoKey),
        },
        _ => CommandError::about(name, error),
    }
}

/// Says what was noticed while a document was opened.
pub(crate) fn tell(name: &str, notes: &[Note]) {
    for note in notes {
        match note {
            Note::ClearComment { line } => output::warning(format_args!(
                "{name}: line {line}: this comment is not encrypted, though the rule of the file covers it; it is kept as it is"
            )),
            Note::ClosedComment { line } => output::warning(format_args!(
                "{name}: line {line}: this comment does not open; it is kept encrypted"
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
            starts_plugins: false,
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
