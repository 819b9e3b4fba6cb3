//! Units that something changed for: which they are, and which of them have not been told yet. Who tells them is the
//! caller's.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::fault::{Fault, UnitProblem, Warning, WarningKind};
use super::manifest::Manifest;
use super::receipt::Change;
use super::records::{EntryRecord, Journal, Outcome, Records};
use super::site::Site;
use super::steps::Steps;
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

    /// Those that have none of these names.
    pub(super) fn except(mut self, names: &BTreeSet<String>) -> Self {
        self.retain(|unit| !names.contains(unit));
        self
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
    steps: &Steps,
    former: &[EntryRecord],
) -> Units {
    let mut units = Units::default();
    if !steps.compared {
        return units;
    }
    let by_name = manifest.by_name();
    for (wanted, change) in wanted.iter().zip(&steps.changes) {
        if *change != Change::Unchanged
            && let Some(entry) = by_name.get(wanted.name.as_str())
        {
            units.add(&entry.restart_units, &entry.reload_units);
        }
    }
    for entry in former {
        if steps.removed.contains(&entry.name) {
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
    /// Units that were given up.
    pub(super) gone: BTreeSet<String>,
}

/// Tells the units that the journal names and takes those out of it that were told. Those that this run has tried to tell
/// before are not tried again.
///
/// One that cannot be told stays as long as the manifest names it: it may be a slip of the pen, which has to be seen. When
/// the manifest names it no more, nobody waits for it.
pub(super) fn tell_pending(
    site: &Site<'_>,
    manifest: &Manifest,
    manager: &UnitManager<'_>,
    records: &mut Records,
    tried: &BTreeSet<String>,
) -> Told {
    let mut pending = records.journal.value().active.pending.clone();
    let mut told = Told::default();
    let asked = pending.clone().except(tried);
    let untold = pending.all().filter(|unit| tried.contains(*unit));
    told.left.extend(untold.cloned());
    if asked.is_empty() {
        return told;
    }
    for fault in manager(&asked) {
        if !manifest.names_unit(&fault.unit) {
            let warning = Warning::new(WarningKind::UnitGone, &fault.unit);
            told.warnings.push(warning);
            told.gone.insert(fault.unit);
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
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
mod tests {
    use std::cell::RefCell;
    use std::path::Path;

    use serde_json::json;

    use super::super::records::{Home, RecordPaths};
    use super::super::testing::manifest_text;
    use super::*;
    use crate::fs::RealFs;

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

    /// The units `stays` and `went` wait; the manifest names the first alone.
    fn telling(tried: &[&str]) -> (Vec<Vec<String>>, Told, Units) {
        let dir = tempfile::tempdir().unwrap();
        let fs = RealFs::new();
        let site = Site::new(&fs, Some(dir.path()));
        let paths = RecordPaths::of(Path::new("/run/secrets.d"), Home::Tree);
        let mut records = Records::read(&site, &paths).unwrap();
        let mut active = Outcome::default();
        active.pending.add(&names(&["stays", "went"]), &[]);
        let journal = Journal::new(active, None);
        records.journal.set(&site, journal).unwrap();
        let text = manifest_text(json!({"secrets": [{
            "name": "a", "mode": "0400", "sopsFile": "a.yaml", "key": "a", "format": "yaml",
            "restartUnits": ["stays"],
        }]}));
        let manifest = Manifest::parse(text.as_bytes(), Path::new("/")).unwrap();
        let asked = RefCell::new(Vec::new());
        let manager = |units: &Units| {
            asked.borrow_mut().push(units.restart.clone());
            let failed = |unit: &String| UnitFault {
                unit: unit.clone(),
                problem: UnitProblem::Failed("access denied".into()),
            };
            units.all().map(failed).collect()
        };
        let tried = tried.iter().map(|unit| (*unit).to_owned()).collect();
        let told = tell_pending(&site, &manifest, &manager, &mut records, &tried);
        let pending = records.journal.value().active.pending.clone();
        (asked.into_inner(), told, pending)
    }

    #[test]
    fn a_unit_that_the_manifest_names_no_more_is_let_go_whatever_is_wrong_with_it() {
        let (asked, told, pending) = telling(&[]);
        assert_eq!(asked, [["stays", "went"]]);
        assert_eq!(pending.restart, ["stays"]);
        assert_eq!(told.faults.len(), 1);
        assert_eq!(told.warnings[0].kind, WarningKind::UnitGone);
        assert_eq!(told.gone, BTreeSet::from(["went".to_owned()]));
    }

    #[test]
    fn a_unit_that_could_not_be_told_is_not_tried_again_by_the_same_run() {
        let (asked, told, pending) = telling(&["stays"]);
        assert_eq!(asked, [["went"]]);
        assert_eq!(pending.restart, ["stays"]);
        assert_eq!(told.left, BTreeSet::from(["stays".to_owned()]));
        assert!(told.faults.is_empty());
    }
}
