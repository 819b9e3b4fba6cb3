//! File by key: what is demanded, and what is proved.

use std::collections::BTreeMap;

use super::policy::{Demands, DrillPolicy, DrillPolicyError};
use super::record::{Attempt, FileRecord, Record, Remark, Scope};
use crate::error::ErrorCode;
use crate::finding::{Finding, Level};
use crate::key::comparable_recipient;
use crate::wrapped::Names;

/// The whole table.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct Matrix {
    /// The keys, those that were tried first.
    pub keys: Vec<Column>,
    /// The files.
    pub rows: Vec<Row>,
}

/// A key.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct Column {
    /// What people call it, or the beginning of its recipient.
    pub title: String,
    /// Its public halves.
    pub recipients: Vec<String>,
    #[serde(skip)]
    scope: Option<Scope>,
}

/// A file.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct Row {
    /// Its path.
    pub path: String,
    /// One for each key.
    pub cells: Vec<Cell>,
}

/// A file and a key.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct Cell {
    /// What is known.
    pub state: State,
    /// What is demanded.
    pub demand: Demand,
    /// Whether the demand is met.
    pub met: bool,
    /// What is to be said about it.
    pub reason: Option<String>,
    /// Why a demand is not met.
    #[serde(skip)]
    pub cause: Option<Cause>,
}

/// Why a demand is not met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "whoever tells them has a next step for each, and the compiler sees to it"
)]
pub enum Cause {
    /// The file opens with nothing as it stands, and a finding says why.
    BrokenFile,
    /// The key fits, and what it opens is damaged: the code of that.
    Damaged(ErrorCode),
    /// The key is no recipient, or its entry is not made for it.
    DoesNotFit,
    /// The key is a recipient, and must not be.
    MustNotOpen,
    /// Only a label says so: nobody has tried the key.
    NotTried,
}

/// What is known about a file and a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum State {
    /// No label, and nobody tried.
    Absent,
    /// A label says so, and nobody tried.
    Claimed,
    /// Tried, and it does not open.
    Failed,
    /// Opened, MAC and all.
    Proved,
}

impl State {
    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Absent => "-",
            Self::Claimed => "claimed",
            Self::Failed => "failed",
            Self::Proved => "proved",
        }
    }
}

/// What is demanded of a file and a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Demand {
    /// The key must open the file.
    MustOpen,
    /// The key must not open the file.
    MustNotOpen,
    /// Nothing.
    Nothing,
}

impl Matrix {
    /// Judges a record. Keys that the policy does not speak of keep the demands that go with them.
    ///
    /// # Errors
    /// [`DrillPolicyError`] for a key that nobody knows, and for demands that contradict each other.
    pub fn of(
        record: &Record,
        policy: Option<&DrillPolicy>,
    ) -> Result<(Self, Vec<Finding>), DrillPolicyError> {
        let names = record.known_names();
        let mut columns = Columns::of(record);
        let demands = match policy {
            Some(policy) => columns.demands(policy, &names)?,
            None => BTreeMap::new(),
        };
        let rows: Result<_, DrillPolicyError> = record
            .files
            .iter()
            .map(|file| columns.row(file, &demands))
            .collect();
        let matrix = Self {
            rows: rows?,
            keys: columns.titled(&names),
        };
        let mut findings = policy.map_or_else(Vec::new, |policy| matrix.idle(policy));
        if !matrix.rows.is_empty() && matrix.demands_nothing() {
            findings.push(Finding::NothingDemanded);
        }
        Ok((matrix, findings))
    }

    /// Every demand that is not met: path, key, cell.
    pub fn unmet(&self) -> impl Iterator<Item = (&str, &Column, &Cell)> {
        self.rows.iter().flat_map(|row| {
            let cells = row.cells.iter().zip(&self.keys);
            cells
                .filter(|(cell, _)| !cell.met)
                .map(|(cell, key)| (row.path.as_str(), key, cell))
        })
    }

    /// How many demands are met, and how many there are.
    #[must_use]
    pub fn count(&self) -> (usize, usize) {
        let cells = self.rows.iter().flat_map(|row| &row.cells);
        let demanded: Vec<&Cell> = cells
            .filter(|cell| cell.demand != Demand::Nothing)
            .collect();
        let met = demanded.iter().filter(|cell| cell.met).count();
        (met, demanded.len())
    }

    /// Whether there is nothing that could be proved.
    fn demands_nothing(&self) -> bool {
        self.count().1 == 0
    }

    /// What a drill with these remarks ends with, if it is not a success. What is not there comes first: nothing is
    /// known about it. A drill that demands nothing proves nothing, and is none.
    #[must_use]
    pub fn code(&self, remarks: &[Remark]) -> Option<ErrorCode> {
        for (kind, code) in [
            (
                "submodule-not-initialised",
                ErrorCode::SubmoduleNotInitialised,
            ),
            ("lfs-pointer", ErrorCode::LfsPointer),
        ] {
            if remarks.iter().any(|remark| remark.kind == kind) {
                return Some(code);
            }
        }
        let fault = remarks.iter().any(|remark| remark.level == Level::Fault);
        let failed = fault || self.demands_nothing() || self.unmet().next().is_some();
        failed.then_some(ErrorCode::DrillFailed)
    }

    fn idle(&self, policy: &DrillPolicy) -> Vec<Finding> {
        let paths: Vec<&str> = self.rows.iter().map(|row| row.path.as_str()).collect();
        let mut findings = Vec::new();
        for (key, demands) in &policy.keys {
            for (set, demanded) in [(&demands.must_open, true), (&demands.must_not_open, false)] {
                findings.extend(
                    set.idle(&paths)
                        .map(|pattern| Finding::PolicyMatchesNothing {
                            key: key.clone(),
                            pattern: pattern.to_owned(),
                            demanded,
                        }),
                );
            }
        }
        findings
    }
}

/// The keys while the table is made.
struct Columns(Vec<Column>);

impl Columns {
    /// The keys that were tried, then those that labels name.
    fn of(record: &Record) -> Self {
        let tried = record.keys.iter().map(|key| Column {
            title: String::new(),
            recipients: key.recipients.clone(),
            scope: Some(key.scope),
        });
        let mut columns = Self(tried.collect());
        for label in record.files.iter().flat_map(|file| &file.recipients) {
            columns.find_or_add(label);
        }
        columns
    }

    fn find_or_add(&mut self, label: &str) -> usize {
        let recipient = comparable_recipient(label);
        let known = self
            .0
            .iter()
            .position(|column| column.recipients.contains(&recipient));
        known.unwrap_or_else(|| {
            self.0.push(Column {
                title: String::new(),
                recipients: vec![recipient],
                scope: None,
            });
            self.0.len() - 1
        })
    }

    /// The demands of a policy by column.
    fn demands<'p>(
        &mut self,
        policy: &'p DrillPolicy,
        names: &Names,
    ) -> Result<BTreeMap<usize, (&'p str, &'p Demands)>, DrillPolicyError> {
        let mut found = BTreeMap::new();
        for (key, demands) in &policy.keys {
            let called: Vec<&str> = names.recipients_of(key).collect();
            let columns: Vec<usize> = if called.is_empty() {
                vec![self.of_recipient(key)?]
            } else {
                called.iter().map(|one| self.find_or_add(one)).collect()
            };
            for column in columns {
                found.insert(column, (key.as_str(), demands));
            }
        }
        Ok(found)
    }

    /// A key of the policy that is no name.
    fn of_recipient(&mut self, text: &str) -> Result<usize, DrillPolicyError> {
        let recipient = comparable_recipient(text);
        let known = |column: &Column| column.recipients.contains(&recipient);
        if self.0.iter().any(known) || crate::key::parse_recipient(text).is_ok() {
            return Ok(self.find_or_add(text));
        }
        Err(DrillPolicyError::UnknownKey(text.to_owned()))
    }

    fn row(
        &self,
        file: &FileRecord,
        demands: &BTreeMap<usize, (&str, &Demands)>,
    ) -> Result<Row, DrillPolicyError> {
        let cells = self.0.iter().enumerate().map(|(nth, column)| {
            let demand = match demands.get(&nth) {
                Some((key, demands)) => demanded(key, demands, &file.path)?,
                None => column.usual_demand(file),
            };
            Ok(column.cell(file, demand))
        });
        Ok(Row {
            path: file.path.clone(),
            cells: cells.collect::<Result<_, DrillPolicyError>>()?,
        })
    }

    fn titled(mut self, names: &Names) -> Vec<Column> {
        for column in &mut self.0 {
            let named = column.recipients.iter().find_map(|one| names.of(one));
            let first = column.recipients.first().map_or("", String::as_str);
            column.title = match named {
                Some(name) => name.trim_start_matches('&').to_owned(),
                None => names.describe(first),
            };
        }
        self.0
    }
}

fn demanded(key: &str, demands: &Demands, path: &str) -> Result<Demand, DrillPolicyError> {
    let must = demands.must_open.matches(path);
    match (must, demands.must_not_open.matches(path)) {
        (true, true) => Err(DrillPolicyError::Contradiction {
            key: key.to_owned(),
            path: path.to_owned(),
        }),
        (true, false) => Ok(Demand::MustOpen),
        (false, true) => Ok(Demand::MustNotOpen),
        (false, false) => Ok(Demand::Nothing),
    }
}

impl Column {
    fn is_named_by(&self, file: &FileRecord) -> bool {
        let own = |label: &String| self.recipients.contains(&comparable_recipient(label));
        file.recipients.iter().any(own)
    }

    fn usual_demand(&self, file: &FileRecord) -> Demand {
        match self.scope {
            Some(Scope::Everything) => Demand::MustOpen,
            Some(Scope::WhatNamesIt) if self.is_named_by(file) => Demand::MustOpen,
            _ => Demand::Nothing,
        }
    }

    fn cell(&self, file: &FileRecord, demand: Demand) -> Cell {
        let own = |attempt: &&Attempt| self.recipients.contains(&attempt.key);
        let named = self.is_named_by(file);
        let (state, reason) = match file.attempts.iter().find(own) {
            Some(attempt) if attempt.opened => (State::Proved, attempt.reason.clone()),
            // To be no recipient is no failure, unless somebody counts on it.
            Some(_) if !named && demand != Demand::MustOpen && file.fault.is_none() => {
                (State::Absent, None)
            }
            Some(attempt) => (State::Failed, attempt.reason.clone()),
            None if named => (State::Claimed, None),
            None if demand == Demand::MustOpen => {
                let reason = file.fault.clone();
                let reason = reason.unwrap_or_else(|| "not a recipient".into());
                (State::Failed, Some(reason))
            }
            None => (State::Absent, None),
        };
        let met = match demand {
            Demand::MustOpen => state == State::Proved,
            Demand::MustNotOpen => matches!(state, State::Failed | State::Absent),
            Demand::Nothing => true,
        };
        let code = file.attempts.iter().find(own).and_then(Attempt::code);
        Cell {
            met,
            cause: (!met).then(|| match (demand, state, code) {
                (Demand::MustNotOpen, _, _) => Cause::MustNotOpen,
                (_, State::Claimed, _) => Cause::NotTried,
                (_, _, Some(code)) => Cause::Damaged(code),
                _ if file.fault.is_some() => Cause::BrokenFile,
                _ => Cause::DoesNotFit,
            }),
            state,
            demand,
            reason,
        }
    }
}
