//! Units that something changed for: which they are, and which of them have not been told yet. Who tells them is the
//! caller's.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::fault::{Fault, UnitProblem, Warning, WarningKind};
use super::manifest::Manifest;
use super::plan::Plan;
use super::receipt::Change;
use super::records::{EntryRecord, Journal, Outcome, Records};
use super::site::Site;
use super::wanted::Wanted;

/// Units, in the order in which the manifest names them; none stands twice, and none is both restarted and reloaded.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub struct Units {
    /// Units to restart.
    pub restart: Vec<String>,
    /// Units to reload.
    pub reload: Vec<String>,
}

/// A unit that could not be told.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the caller fills it in")]
pub struct UnitFault {
    /// Its name.
    pub unit: String,
    /// Why.
    pub problem: UnitProblem,
}

/// Tells the units of a run, each once; those that could not be told come back.
pub type UnitManager<'a> = dyn Fn(&Units) -> Vec<UnitFault> + 'a;

impl Units {
    /// Whether there is nobody to tell.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.restart.is_empty() && self.reload.is_empty()
    }

    /// All of them.
    pub fn all(&self) -> impl Iterator<Item = &String> {
        self.restart.iter().chain(&self.reload)
    }

    /// Adds what is new; a restart takes the place of a reload.
    pub(super) fn add(&mut self, restart: &[String], reload: &[String]) {
        let has = |units: &[String], unit: &String| units.contains(unit);
        for unit in restart {
            if !has(&self.restart, unit) {
                self.restart.push(unit.clone());
            }
        }
        for unit in reload {
            if !has(&self.reload, unit) {
                self.reload.push(unit.clone());
            }
        }
        let restarted = &self.restart;
        self.reload.retain(|unit| !has(restarted, unit));
    }

    /// Those that are not among others.
    pub(super) fn without(mut self, others: &Self) -> Self {
        self.retain(|unit| !others.all().any(|other| other == unit));
        self
    }

    fn retain(&mut self, keep: impl Fn(&String) -> bool) {
        self.restart.retain(&keep);
        self.reload.retain(&keep);
    }
}

/// The units of everything that changed or went. While there is nothing to compare with, nothing has changed for anybody.
pub(super) fn of_changes(
    manifest: &Manifest,
    wanted: &[Wanted],
    plan: &Plan,
    former: &[EntryRecord],
) -> Units {
    let mut units = Units::default();
    if !plan.compared {
        return units;
    }
    let by_name = manifest.by_name();
    for (wanted, change) in wanted.iter().zip(&plan.changes) {
        if *change != Change::Unchanged
            && let Some(entry) = by_name.get(wanted.name.as_str())
        {
            units.add(&entry.restart_units, &entry.reload_units);
        }
    }
    for entry in former {
        if plan.removed.contains(&entry.name) {
            units.add(&entry.restart_units, &entry.reload_units);
        }
    }
    units
}

/// What telling came to.
#[derive(Debug, Default)]
pub(super) struct Told {
    pub(super) faults: Vec<Fault>,
    pub(super) warnings: Vec<Warning>,
    /// Units that have to be told by a later run.
    pub(super) left: BTreeSet<String>,
}

/// Tells the units that the journal names and takes those out of it that were told.
///
/// One that does not exist stays as long as the manifest names it: it may be a slip of the pen, which has to be seen. When
/// the manifest names it no more, it never will be found.
pub(super) fn tell_pending(
    site: &Site<'_>,
    manifest: &Manifest,
    manager: &UnitManager<'_>,
    records: &mut Records,
) -> Told {
    let journal = records.journal.value();
    let mut told = Told::default();
    if journal.active.pending.is_empty() {
        return told;
    }
    let mut pending = journal.active.pending.clone();
    for fault in manager(&pending) {
        if fault.problem == UnitProblem::NotFound && !manifest.names_unit(&fault.unit) {
            let warning = Warning::new(WarningKind::UnitGone, &fault.unit);
            told.warnings.push(warning);
            continue;
        }
        told.left.insert(fault.unit.clone());
        told.faults.push(Fault::Unit {
            unit: fault.unit,
            problem: fault.problem,
        });
    }
    pending.retain(|unit| told.left.contains(unit));
    let journal = records.journal.value();
    let active = Outcome {
        pending,
        ..journal.active.clone()
    };
    let journal = Journal::new(active, journal.run.clone());
    told.faults.extend(records.journal.set(site, journal).err());
    told
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    // F10, F14, B54.
    #[test]
    fn s18_each_unit_is_named_once_in_the_order_of_the_manifest() {
        let mut units = Units::default();
        units.add(&names(&["x", "x"]), &names(&["x", "r"]));
        units.add(&names(&["x", "y"]), &names(&["r", "y"]));
        assert_eq!(units.restart, ["x", "y"]);
        assert_eq!(units.reload, ["r"]);
    }

    #[test]
    fn a_restart_takes_the_place_of_a_reload_that_was_named_before() {
        let mut units = Units::default();
        units.add(&[], &names(&["x", "z"]));
        units.add(&names(&["x"]), &[]);
        assert_eq!(units.restart, ["x"]);
        assert_eq!(units.reload, ["z"]);
    }
}
