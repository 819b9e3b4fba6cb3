//! Opening every file with every key, each alone.

use jiff::Timestamp;

use super::record::{Attempt, FileRecord, KeyRecord, Record, Scope};
use crate::error::ErrorCode;
use crate::file::{OpenError, OpenFile};
use crate::finding::Finding;
use crate::key::comparable_recipient;
use crate::keyring::{AttemptReport, KeyFileFacts, KeyOutcome, Keyring};
use crate::survey::{Survey, SurveyedFile};

/// A record, and what was found on the way.
#[derive(Debug)]
#[non_exhaustive]
pub struct Taken {
    /// The record, without remarks.
    pub record: Record,
    /// What was found.
    pub findings: Vec<Finding>,
}

/// Opens every file of a survey with each identity of a keyring, in memory. What is opened is let go at once.
#[must_use]
pub fn take(survey: &Survey, keyring: &Keyring, scope: Scope, tool: &str, now: Timestamp) -> Taken {
    let keys = keys_of(keyring);
    let mut taken = Taken {
        record: Record::new(tool, now),
        findings: Vec::new(),
    };
    if survey.files.is_empty() {
        let root = survey.root.clone();
        taken.findings.push(Finding::NoSopsFile { root });
    }
    for file in &survey.files {
        let attempts = keys
            .iter()
            .map(|key| {
                let (attempt, finding) = attempt(file, key, keyring);
                for finding in finding {
                    if !taken.findings.contains(&finding) {
                        taken.findings.push(finding);
                    }
                }
                attempt
            })
            .collect();
        taken.record.files.push(FileRecord {
            path: file.path.display().to_string(),
            sha256: file.digest.clone(),
            recipients: file.recipients.clone(),
            fault: file.fault.clone(),
            attempts,
        });
    }
    taken.record.keys = keys
        .into_iter()
        .map(|key| KeyRecord {
            recipients: key.recipients,
            scope,
        })
        .collect();
    for label in survey.files.iter().flat_map(|file| &file.recipients) {
        taken.name(survey, label);
    }
    for recipient in keyring.recipients() {
        taken.name(survey, &recipient.recipient);
    }
    taken
}

impl Taken {
    fn name(&mut self, survey: &Survey, recipient: &str) {
        if let Some(name) = survey.names.of(recipient) {
            let names = &mut self.record.names;
            names.insert(comparable_recipient(recipient), name.to_owned());
        }
    }
}

/// The keys of a file that open something here and are none of those that were tried: such as the recovery key on a
/// host that has its own.
#[must_use]
pub fn forbidden(survey: &Survey, record: &Record, found: &KeyFileFacts) -> Vec<Finding> {
    let tried = |recipient: &String| {
        let mut keys = record.keys.iter();
        keys.any(|key| key.recipients.contains(recipient))
    };
    let labels = || survey.files.iter().flat_map(|file| &file.recipients);
    let opens = |recipient: &&String| {
        !tried(recipient) && labels().any(|label| comparable_recipient(label) == **recipient)
    };
    let forbidden = found.recipients.iter().filter(opens);
    forbidden
        .map(|recipient| Finding::ForbiddenKey {
            path: found.path.clone(),
            recipient: recipient.clone(),
        })
        .collect()
}

/// One identity.
struct Key {
    recipients: Vec<String>,
    alone: Keyring,
}

impl Key {
    fn is(&self, label: &str) -> bool {
        self.recipients.contains(&comparable_recipient(label))
    }
}

/// The identities, each once.
fn keys_of(keyring: &Keyring) -> Vec<Key> {
    let mut keys: Vec<Key> = Vec::new();
    for alone in keyring.each_alone() {
        let known = alone.recipients().into_iter();
        let recipients: Vec<String> = known.map(|known| known.recipient).collect();
        if !keys.iter().any(|key| key.recipients == recipients) {
            keys.push(Key { recipients, alone });
        }
    }
    keys
}

/// Tries one key on one file.
fn attempt(file: &SurveyedFile, key: &Key, all: &Keyring) -> (Attempt, Vec<Finding>) {
    let came = |opened, reason: Option<String>| Attempt {
        key: key.recipients.first().cloned().unwrap_or_default(),
        opened,
        reason,
        code: None,
    };
    let damaged = |text: String, code: ErrorCode| Attempt {
        code: Some(code.as_str().to_owned()),
        ..came(false, Some(text))
    };
    if let Some(fault) = &file.fault {
        return (came(false, Some(fault.clone())), Vec::new());
    }
    let opened = match file.sealed() {
        Ok(sealed) => sealed.open(&key.alone),
        Err(error) => return (damaged(error.to_string(), error.code()), Vec::new()),
    };
    match opened {
        Ok(open) => {
            let foreign = labels(&open).filter(|label| !key.is(label));
            let findings = foreign.map(|label| wrong_label(file, label)).collect();
            (came(true, None), findings)
        }
        Err(OpenError::NoKey(error)) => {
            let Some(report) = error.report() else {
                return (came(false, Some(error.to_string())), Vec::new());
            };
            let findings = wrong_labels(file, report);
            if report.open_groups() > 0 && opens_with_others(file, key, all) {
                let reason = "together with other keys of this drill".to_owned();
                return (came(true, Some(reason)), findings);
            }
            (came(false, Some(reason(report))), findings)
        }
        Err(error) => (damaged(error.to_string(), error.code()), Vec::new()),
    }
}

/// The labels of the entries that opened.
fn labels(open: &OpenFile) -> impl Iterator<Item = &str> {
    let openers = std::iter::once(open.opened_by()).chain(open.also_opened_by());
    openers.map(|opener| opener.recipient.as_str())
}

/// Whether a key plays its part where a file needs several.
fn opens_with_others(file: &SurveyedFile, key: &Key, all: &Keyring) -> bool {
    let opened = file.sealed().ok().and_then(|file| file.open(all).ok());
    opened.is_some_and(|open| labels(&open).any(|label| key.is(label)))
}

fn wrong_labels(file: &SurveyedFile, report: &AttemptReport) -> Vec<Finding> {
    let keys = report.groups.iter().flat_map(|group| &group.keys);
    keys.filter(|key| key.outcome == KeyOutcome::LabelIsWrong)
        .map(|key| wrong_label(file, &key.recipient))
        .collect()
}

fn wrong_label(file: &SurveyedFile, label: &str) -> Finding {
    Finding::LabelIsWrong {
        path: file.path.clone(),
        recipient: label.to_owned(),
    }
}

/// Why a key does not open a file, in a few words.
fn reason(report: &AttemptReport) -> String {
    let keys = || report.groups.iter().flat_map(|group| &group.keys);
    let tried = keys().find_map(|key| match &key.outcome {
        KeyOutcome::LabelIsWrong => Some("labelled for it, made for another key".to_owned()),
        KeyOutcome::Damaged(error) => Some(error.to_string()),
        _ => None,
    });
    match (tried, report.open_groups()) {
        (Some(reason), _) => reason,
        (None, 0) => "not a recipient".into(),
        (None, open) => format!(
            "opens {open} of {} key groups, {} are needed",
            report.groups.len(),
            report.needs
        ),
    }
}
