//! The facts of a fault as text, with the names that the caller knows recipients by. What to do about them is the
//! caller's.

use std::fmt::Write as _;

use super::fault::{Fault, KeySource, KeyState, MissingKeyFile, NoIdentity, TreeProblem};
use crate::keyring::{AttemptReport, KeyOutcome, SourceAttempt};
use crate::wrapped::Names;

impl Fault {
    /// Everything that is known beyond the one line of the fault itself, a line each.
    #[must_use]
    pub fn details(&self, names: &Names) -> Vec<String> {
        match self {
            Self::KeyFileMissing(missing) => missing.details(names),
            Self::NoIdentity(fault) => fault.details(names),
            Self::Tree {
                problem: TreeProblem::SubmoduleNotInitialised { repository, .. },
                ..
            } => vec![format!(
                "the submodule is recorded in {}",
                repository.display()
            )],
            _ => Vec::new(),
        }
    }
}

impl MissingKeyFile {
    fn details(&self, names: &Names) -> Vec<String> {
        let mut lines = Vec::new();
        if let Some(parent) = &self.nearest_existing_parent {
            lines.push(format!(
                "the nearest directory above it that exists is {}: is a file system not mounted there yet?",
                parent.display()
            ));
        }
        for file in &self.files {
            let mut line = format!(
                "{} opens for one of {}",
                file.path.display(),
                list(&file.recipients, names)
            );
            if file.opened_by_another {
                line.push_str("; another key of the manifest stands for one of them");
            }
            lines.push(line);
        }
        lines.extend(self.other_keys.iter().map(|key| key.line(names)));
        lines
    }
}

impl NoIdentity {
    fn details(&self, names: &Names) -> Vec<String> {
        let several = self
            .report
            .as_ref()
            .filter(|report| report.groups.len() > 1);
        let opens = match several {
            Some(report) => format!(
                "it opens for {} of its {} key groups",
                report.needs,
                report.groups.len()
            ),
            None => format!("it opens for one of {}", list(&self.recipients, names)),
        };
        let mut lines = vec![opens];
        if self.keys.is_empty() {
            lines.push("the manifest names no key".to_owned());
        }
        lines.extend(self.keys.iter().map(|key| key.line(names)));
        if let Some(report) = &self.report {
            lines.extend(told(report, names));
            lines.extend(self.looked_around(report));
        }
        lines
    }

    /// The places that were searched although the manifest does not name them.
    fn looked_around(&self, report: &AttemptReport) -> Option<String> {
        let named = |place: &&SourceAttempt| {
            self.keys
                .iter()
                .any(|key| Some(&key.path) == place.path.as_ref())
        };
        let around = report.sources.iter().filter(|place| !named(place));
        let places: Vec<String> = around.map(place).collect();
        (!places.is_empty()).then(|| format!("looked around in {}", places.join(", ")))
    }
}

fn place(place: &SourceAttempt) -> String {
    let state = &place.state;
    match (place.variable, &place.path) {
        (Some(variable), Some(path)) => format!("${variable} {} ({state})", path.display()),
        (Some(variable), None) => format!("${variable} ({state})"),
        (None, Some(path)) => format!("{} ({state})", path.display()),
        (None, None) => format!("the keys that were given ({state})"),
    }
}

/// What a report says of recipients, apart from the plain absence of a key.
fn told(report: &AttemptReport, names: &Names) -> Vec<String> {
    let keys = report.groups.iter().flat_map(|group| &group.keys);
    let is_plain =
        |outcome: &KeyOutcome| matches!(outcome, KeyOutcome::NoIdentity | KeyOutcome::NotNeeded);
    keys.filter(|key| !is_plain(&key.outcome))
        .map(|key| format!("{}: {}", names.describe(&key.recipient), key.outcome))
        .collect()
}

impl KeySource {
    /// The source and what came of it.
    #[must_use]
    pub fn line(&self, names: &Names) -> String {
        let mut line = format!("{} ({}) ", self.path.display(), self.field);
        let _ = match &self.state {
            KeyState::Asked => write!(line, "is asked through gpg"),
            KeyState::Missing => write!(line, "does not exist"),
            KeyState::NotAllowed => {
                write!(line, "is not asked: allowKeyPrograms does not name gpg")
            }
            KeyState::Unusable(reason) => write!(line, "{reason}"),
            KeyState::Usable {
                recipients,
                is_recipient,
            } => write!(
                line,
                "stands for {}: {}",
                list(recipients, names),
                match is_recipient {
                    true => "a recipient",
                    false => "not a recipient",
                }
            ),
        };
        line
    }
}

fn list(recipients: &[String], names: &Names) -> String {
    if recipients.is_empty() {
        return "nobody".into();
    }
    let shown: Vec<String> = recipients
        .iter()
        .map(|recipient| names.describe(recipient))
        .collect();
    shown.join(", ")
}
