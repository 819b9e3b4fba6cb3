//! Which links outside are placed, and what stands in their way.

use super::{Item, LinkStep, Steps};
use crate::activation::fault::{Fault, TargetProblem, Warning, WarningKind};
use crate::activation::manifest::OnConflict;
use crate::activation::targets::TargetFound;

impl Steps {
    pub(super) fn plan_links(&mut self, items: &[Item], targets: &mut [TargetFound]) -> Vec<Fault> {
        let mut faults = Vec::new();
        for (wanted, (item, target)) in items.iter().zip(targets).enumerate() {
            let mut backup = false;
            match std::mem::replace(target, TargetFound::NotOutside) {
                TargetFound::NotOutside | TargetFound::Right => continue,
                TargetFound::Absent | TargetFound::Regular { same: true } => {}
                TargetFound::OtherLink(text) => {
                    let subject = format!("{} -> {}", item.shown.display(), text.display());
                    self.warnings
                        .push(Warning::new(WarningKind::LinkReplaced, subject));
                }
                TargetFound::Regular { same: false } => match item.on_conflict {
                    OnConflict::Backup => backup = true,
                    OnConflict::Replace => {}
                    OnConflict::Refuse => {
                        faults.push(conflict(item, TargetProblem::Differs));
                        continue;
                    }
                },
                TargetFound::EmptyDirectory => {
                    if item.on_conflict == OnConflict::Refuse {
                        faults.push(conflict(item, TargetProblem::Directory));
                        continue;
                    }
                }
                TargetFound::Blocked(problem) => {
                    faults.push(conflict(item, problem));
                    continue;
                }
            }
            self.links.push(LinkStep { wanted, backup });
        }
        faults
    }
}

fn conflict(item: &Item, problem: TargetProblem) -> Fault {
    Fault::Target {
        path: item.shown.clone(),
        problem,
    }
}
