//! What came of a drill, in the form in which it is written down and read back.

use std::collections::BTreeMap;
use std::path::PathBuf;

use jiff::Timestamp;

use super::policy::DrillPolicy;
use crate::error::ErrorCode;
use crate::finding::{Finding, Level};
use crate::wrapped::Names;

/// The version of the form.
const SCHEMA: u32 = 1;

/// What one drill, or several together, came to. It holds no secret: labels, paths, digests of sealed files.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[non_exhaustive]
pub struct Record {
    /// The version of this form.
    pub schema: u32,
    /// The program.
    pub tool: String,
    /// When; of several, the first.
    pub taken: String,
    /// What people call the recipients.
    pub names: BTreeMap<String, String>,
    /// The keys that were tried.
    pub keys: Vec<KeyRecord>,
    /// The files, in the order of their paths.
    pub files: Vec<FileRecord>,
    /// What else was found.
    pub remarks: Vec<Remark>,
}

/// A key that was tried.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[non_exhaustive]
pub struct KeyRecord {
    /// Its public halves: an SSH key has two.
    pub recipients: Vec<String>,
    /// What it is expected to open.
    pub scope: Scope,
}

/// What a key is expected to open where no policy says otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Scope {
    /// Every file: a recovery key.
    Everything,
    /// The files that name it: the key of a host.
    WhatNamesIt,
}

/// One sops file.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[non_exhaustive]
pub struct FileRecord {
    /// Its path below the top of the repository.
    pub path: String,
    /// SHA-256 of the sealed file: a proof is one for these bytes.
    pub sha256: String,
    /// The labels of its recipients.
    pub recipients: Vec<String>,
    /// Why nobody can open it as it stands.
    pub fault: Option<String>,
    /// What came of each key.
    pub attempts: Vec<Attempt>,
}

/// What came of one key on one file.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[non_exhaustive]
pub struct Attempt {
    /// The first public half of the key.
    pub key: String,
    /// Whether every value opened and the MAC matched.
    pub opened: bool,
    /// What is to be said about it.
    pub reason: Option<String>,
    /// The name of the code of what is wrong with the file, if it is not the key that does not fit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
}

/// A finding with the next step, as text.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[non_exhaustive]
pub struct Remark {
    /// The stable name of its kind.
    pub kind: String,
    /// How bad it is.
    pub level: Level,
    /// The sentence.
    pub text: String,
    /// What to do next.
    pub next: String,
}

/// A file that is no record.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecordError {
    /// Not the form.
    #[error("not the result of a drill: {0}")]
    Invalid(#[from] serde_json::Error),
    /// A form of another version of this program.
    #[error("a result of form {0}, which this build does not read")]
    Schema(u32),
    /// The time is none.
    #[error("not the result of a drill: `taken` is no time")]
    Taken,
}

impl RecordError {
    /// The stable code.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        ErrorCode::DocumentInvalid
    }
}

impl Attempt {
    /// The code of what is wrong with the file, if this build knows it.
    pub(super) fn code(&self) -> Option<ErrorCode> {
        let name = self.code.as_deref()?;
        let known = ErrorCode::ALL.iter().copied();
        known.into_iter().find(|code| code.as_str() == name)
    }
}

impl Remark {
    /// Words for a finding, and what to do about it.
    #[must_use]
    pub fn new(finding: &Finding, names: &Names, next: String) -> Self {
        Self {
            kind: finding.kind().to_owned(),
            level: finding.level(),
            text: finding.describe(names),
            next,
        }
    }
}

impl Record {
    /// A record of nothing.
    #[must_use]
    pub(super) fn new(tool: &str, taken: Timestamp) -> Self {
        Self {
            schema: SCHEMA,
            tool: tool.to_owned(),
            taken: taken.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
            names: BTreeMap::new(),
            keys: Vec::new(),
            files: Vec::new(),
            remarks: Vec::new(),
        }
    }

    /// Reads the JSON of an earlier drill.
    ///
    /// # Errors
    /// [`RecordError`]
    pub fn parse(json: &[u8]) -> Result<Self, RecordError> {
        let record: Self = serde_json::from_slice(json)?;
        if record.schema != SCHEMA {
            return Err(RecordError::Schema(record.schema));
        }
        record.time().ok_or(RecordError::Taken)?;
        Ok(record)
    }

    fn time(&self) -> Option<Timestamp> {
        self.taken.parse().ok()
    }

    /// What people call the recipients.
    #[must_use]
    pub fn known_names(&self) -> Names {
        let mut names = Names::default();
        for (recipient, name) in &self.names {
            names.add(recipient, name);
        }
        names
    }

    /// Says that a drill was longer ago than the days that a policy allows, or 90.
    #[must_use]
    pub fn age(&self, now: Timestamp, policy: Option<&DrillPolicy>) -> Option<Finding> {
        const DAY: i64 = 24 * 60 * 60;
        const USUAL_LIMIT: u32 = 90;
        let demanded = policy.and_then(|policy| policy.max_age_days);
        let limit = i64::from(demanded.unwrap_or(USUAL_LIMIT));
        let days = (now.as_second() - self.time()?.as_second()) / DAY;
        (days > limit).then_some(Finding::DrillTooOld {
            days,
            limit,
            demanded: demanded.is_some(),
        })
    }

    /// Puts the results of several machines together.
    ///
    /// The newest record says how each file stands. A proof counts for the bytes that were opened: of another version
    /// of the file there is a finding instead. Where a key opened a file in one record and not in another, it did not.
    #[must_use]
    pub fn merge(mut records: Vec<Self>) -> Option<(Self, Vec<Finding>)> {
        records.sort_by_key(|record| std::cmp::Reverse(record.time()));
        let mut records = records.into_iter();
        let mut merged = records.next()?;
        let mut findings = Vec::new();
        for older in records {
            merged.taken = older.taken.clone();
            merged.add(older, &mut findings);
        }
        merged.files.sort_by(|one, two| one.path.cmp(&two.path));
        Some((merged, findings))
    }

    fn add(&mut self, older: Self, findings: &mut Vec<Finding>) {
        for (recipient, name) in older.names {
            self.names.entry(recipient).or_insert(name);
        }
        for key in older.keys {
            match self.keys.iter_mut().find(|known| known.is_same(&key)) {
                Some(known) if key.scope == Scope::Everything => known.scope = key.scope,
                Some(_) => {}
                None => self.keys.push(key),
            }
        }
        for remark in older.remarks {
            if !self.remarks.contains(&remark) {
                self.remarks.push(remark);
            }
        }
        for file in older.files {
            match self.files.iter_mut().find(|known| known.path == file.path) {
                Some(known) if known.sha256 == file.sha256 => known.add(file.attempts),
                Some(_) => findings.push(Finding::OtherVersion {
                    path: PathBuf::from(file.path),
                }),
                None => self.files.push(file),
            }
        }
    }
}

impl KeyRecord {
    fn is_same(&self, other: &Self) -> bool {
        self.recipients
            .iter()
            .any(|recipient| other.recipients.contains(recipient))
    }
}

impl FileRecord {
    fn add(&mut self, attempts: Vec<Attempt>) {
        for attempt in attempts {
            match (self.attempts.iter_mut()).find(|known| known.key == attempt.key) {
                Some(known) if known.opened && !attempt.opened => *known = attempt,
                Some(_) => {}
                None => self.attempts.push(attempt),
            }
        }
    }
}
