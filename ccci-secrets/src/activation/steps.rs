//! From what is wanted and what is there to what will be done. Pure: no file is touched, no clock is read, and a plan
//! names files but holds none of their bytes.

use std::ffi::OsString;
use std::path::PathBuf;

use super::current::FileFound;
use super::fault::{Fault, TargetProblem, Warning, WarningKind};
use super::manifest::{MountWish, OnConflict};
use super::observe::{Found, LinkFound};
use super::receipt::Change;
use super::records::LinkRecord;
use super::targets::TargetFound;
use crate::fs::{FileSystem, MemoryMount};

/// What decides besides the files themselves.
#[derive(Clone, Copy, Debug)]
pub(super) struct Settings {
    pub(super) idempotent: bool,
    pub(super) keep_generations: u64,
    pub(super) mount: MountWish,
    pub(super) use_tmpfs: bool,
    pub(super) rebased: bool,
}

/// A wanted file, without its bytes.
#[derive(Clone, Debug)]
pub(super) struct Item {
    /// The target outside, as it is seen from outside.
    pub(super) shown: PathBuf,
    pub(super) on_conflict: OnConflict,
}

/// What will be done.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Steps {
    /// For each wanted file.
    pub(super) changes: Vec<Change>,
    pub(super) removed: Vec<String>,
    /// There was something to compare with.
    pub(super) compared: bool,
    pub(super) previous: Option<u64>,
    /// The number of the new generation, if one is made.
    pub(super) generation: Option<u64>,
    pub(super) mount: Option<MemoryMount>,
    /// A directory stands where the link will be.
    pub(super) exchange: bool,
    /// Indices of the wanted files whose target gets a link, and whether what is there is kept aside.
    pub(super) links: Vec<LinkStep>,
    pub(super) removals: Vec<LinkRecord>,
    pub(super) prune: Vec<u64>,
    /// Names beside the generations under which another program has left private keys.
    pub(super) foreign_keys: Vec<OsString>,
    /// Something of an earlier run has to be cleared away.
    pub(super) finish: bool,
    pub(super) warnings: Vec<Warning>,
}

/// One link to be placed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct LinkStep {
    pub(super) wanted: usize,
    pub(super) backup: bool,
}

impl Steps {
    /// Whether everything is as it should be.
    pub(super) fn changes_nothing(&self) -> bool {
        self.generation.is_none()
            && self.links.is_empty()
            && self.removals.is_empty()
            && self.prune.is_empty()
            && self.foreign_keys.is_empty()
    }

    /// The generation that is active when all is done.
    pub(super) fn active(&self) -> Option<u64> {
        self.generation.or(self.previous)
    }
}

/// Decides.
pub(super) fn decide(
    settings: Settings,
    items: &[Item],
    mut observed: Found,
) -> Result<Steps, Vec<Fault>> {
    let mut steps = Steps {
        compared: observed.current.is_some(),
        previous: observed.current.as_ref().and_then(|current| current.number),
        finish: observed.unfinished,
        removals: std::mem::take(&mut observed.former),
        ..Steps::default()
    };
    let mut faults = steps.plan_links(items, &mut observed.targets);
    steps.plan_changes(items, &observed);
    let wants_generation = !settings.idempotent
        || observed.current.is_none()
        || !has_exact_link(&observed)
        || lacks_mount(settings, &observed)
        || !steps.removed.is_empty()
        || has_broken_inner_link(&observed)
        || steps
            .changes
            .iter()
            .any(|change| *change != Change::Unchanged);
    if wants_generation {
        steps.generation = Some(next_number(&observed));
        steps.exchange = observed.link == LinkFound::Directory;
        faults.extend(steps.plan_mount(settings, &observed));
    }
    steps.plan_prune(settings.keep_generations, &observed);
    if steps.mount.is_none() {
        steps.foreign_keys = std::mem::take(&mut observed.mount.foreign_keys);
        steps.warn_of_kept_keys(&observed);
    }
    if faults.is_empty() {
        Ok(steps)
    } else {
        Err(faults)
    }
}

/// Whether the files lie on a disk though they are to lie in memory.
fn lacks_mount(settings: Settings, observed: &Found) -> bool {
    let wants_mount = !settings.rebased && settings.mount == MountWish::Auto;
    wants_mount && !observed.mount.file_system.is_memory()
}

fn has_exact_link(observed: &Found) -> bool {
    matches!(observed.link, LinkFound::Generation { exact: true, .. })
}

fn has_broken_inner_link(observed: &Found) -> bool {
    let files = observed.current.iter().flat_map(|current| &current.files);
    files.into_iter().any(|file| {
        matches!(
            file,
            FileFound::Present {
                inner_link: false,
                ..
            }
        )
    })
}

/// One more than every number in use; a dangling link's counts as well (F03), an inactive complete generation's too.
fn next_number(observed: &Found) -> u64 {
    let linked = match &observed.link {
        LinkFound::Generation { active, .. } => active.generation,
        _ => 0,
    };
    let highest = observed.mount.numbers.iter().copied().max().unwrap_or(0);
    highest.max(linked).saturating_add(1)
}

impl Steps {
    fn plan_changes(&mut self, items: &[Item], observed: &Found) {
        let Some(current) = &observed.current else {
            self.changes = items.iter().map(|_| Change::Added).collect();
            return;
        };
        self.changes = current.files.iter().map(|file| change_of(*file)).collect();
        self.removed.clone_from(&current.gone);
    }

    fn plan_links(&mut self, items: &[Item], targets: &mut [TargetFound]) -> Vec<Fault> {
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

    /// Never a mount over a mount, and never one over a live generation.
    fn plan_mount(&mut self, settings: Settings, observed: &Found) -> Option<Fault> {
        let found = &observed.mount;
        if settings.rebased || settings.mount == MountWish::None {
            if !found.file_system.is_memory() && !settings.rebased {
                self.warnings
                    .push(Warning::at(WarningKind::Persistent, &found.real));
            }
            return None;
        }
        let (wanted, mount) = match settings.use_tmpfs {
            true => (FileSystem::Tmpfs, MemoryMount::TmpfsNoSwap),
            false => (FileSystem::Ramfs, MemoryMount::Ramfs),
        };
        if found.is_mount_point && found.file_system == wanted {
            return None;
        }
        if found.file_system.is_memory() && (found.is_mount_point || observed.current.is_some()) {
            self.warnings
                .push(Warning::at(WarningKind::MountKept, &found.real));
            return None;
        }
        if found.is_mount_point {
            return Some(Fault::Target {
                path: found.real.clone(),
                problem: TargetProblem::PersistentMount,
            });
        }
        if !found.numbers.is_empty() {
            self.warnings
                .push(Warning::at(WarningKind::Covered, &found.real));
        }
        self.mount = Some(mount);
        None
    }

    fn plan_prune(&mut self, keep: u64, observed: &Found) {
        let Some(active) = self.active() else {
            return;
        };
        if self.mount.is_none() {
            let has_active = self.previous.is_some();
            let numbers = observed.mount.removable(&observed.recorded, has_active);
            self.prune = surplus(&numbers, active, keep);
        }
    }

    fn warn_of_kept_keys(&mut self, observed: &Found) {
        let paths = observed.kept_keys.iter();
        let paths = paths.map(|name| observed.mount.real.join(name));
        self.warnings
            .extend(paths.map(|path| Warning::at(WarningKind::ForeignKeyKept, &path)));
    }
}

/// Generations that are not to be kept: too old, or never activated. None is too old where 0 are to be kept.
pub(super) fn surplus(numbers: &[u64], active: u64, keep: u64) -> Vec<u64> {
    if keep == 0 {
        return Vec::new();
    }
    let oldest_gone = active.checked_sub(keep);
    let is_surplus =
        |number: &u64| *number > active || oldest_gone.is_some_and(|last| *number <= last);
    numbers.iter().copied().filter(is_surplus).collect()
}

fn conflict(item: &Item, problem: TargetProblem) -> Fault {
    Fault::Target {
        path: item.shown.clone(),
        problem,
    }
}

fn change_of(file: FileFound) -> Change {
    match file {
        FileFound::Absent => Change::Added,
        FileFound::Present {
            content: true,
            mode: true,
            owner: true,
            ..
        } => Change::Unchanged,
        FileFound::Present {
            content,
            mode,
            owner,
            ..
        } => Change::Modified {
            content: !content,
            mode: !mode,
            owner: !owner,
        },
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
mod tests {
    use super::super::current::{Before, Current};
    use super::super::fault::Active;
    use super::super::observe::MountFound;
    use super::*;

    const SETTINGS: Settings = Settings {
        idempotent: true,
        keep_generations: 1,
        mount: MountWish::Auto,
        use_tmpfs: false,
        rebased: false,
    };

    fn item(name: &str) -> Item {
        Item {
            shown: format!("/srv/{name}").into(),
            on_conflict: OnConflict::Refuse,
        }
    }

    fn found(content: bool) -> FileFound {
        FileFound::Present {
            content,
            mode: true,
            owner: true,
            inner_link: true,
            before: Before {
                mode: 0o400,
                uid: 0,
                gid: 0,
            },
        }
    }

    /// Generation `number` is active on a ramfs and holds one file.
    fn running(number: u64, numbers: &[u64], file: FileFound) -> Found {
        Found {
            mount: MountFound {
                real: "/run/secrets.d".into(),
                exists: true,
                is_mount_point: true,
                file_system: FileSystem::Ramfs,
                numbers: numbers.to_vec(),
                generations: Vec::new(),
                stages: false,
                foreign_keys: Vec::new(),
            },
            link: LinkFound::Generation {
                active: Active {
                    generation: number,
                    link: format!("/run/secrets.d/{number}").into(),
                },
                exact: true,
            },
            current: numbers.contains(&number).then(|| Current {
                number: Some(number),
                files: vec![file],
                gone: Vec::new(),
            }),
            targets: vec![TargetFound::NotOutside],
            former: Vec::new(),
            unfinished: false,
            recorded: Vec::new(),
            kept_keys: Vec::new(),
        }
    }

    #[test]
    fn nothing_changed_means_nothing_to_do() {
        let steps = decide(SETTINGS, &[item("a")], running(1, &[1], found(true))).unwrap();
        assert!(steps.changes_nothing());
        assert_eq!(steps.active(), Some(1));
    }

    #[test]
    fn without_idempotence_there_is_always_a_new_generation() {
        let settings = Settings {
            idempotent: false,
            ..SETTINGS
        };
        let steps = decide(settings, &[item("a")], running(1, &[1], found(true))).unwrap();
        assert_eq!((steps.generation, steps.prune), (Some(2), vec![1]));
    }

    // F03: the number of a dangling link counts.
    #[test]
    fn numbering_goes_on_from_a_dangling_link() {
        let steps = decide(SETTINGS, &[item("a")], running(99, &[], found(true))).unwrap();
        assert_eq!((steps.previous, steps.generation), (None, Some(100)));
        assert_eq!(steps.changes, [Change::Added]);
    }

    // F07: keep 10, 85 to 100 and a file named 3.
    #[test]
    fn pruning_keeps_as_many_as_asked() {
        let settings = Settings {
            keep_generations: 10,
            ..SETTINGS
        };
        let numbers: Vec<u64> = std::iter::once(3).chain(85..=100).collect();
        let steps = decide(settings, &[item("a")], running(100, &numbers, found(false))).unwrap();
        assert_eq!(steps.generation, Some(101));
        assert_eq!(
            steps.prune,
            std::iter::once(3).chain(85..=91).collect::<Vec<_>>()
        );
    }

    #[test]
    fn on_a_disk_only_what_is_known_to_be_a_generation_is_pruned() {
        let mut observed = running(9, &[3, 4, 5, 9], found(true));
        observed.mount.file_system = FileSystem::Persistent;
        observed.mount.generations = vec![4, 9];
        observed.recorded = vec![5];
        let settings = Settings {
            mount: MountWish::None,
            ..SETTINGS
        };
        let steps = decide(settings, &[item("a")], observed).unwrap();
        assert_eq!(steps.prune, [4, 5]);
    }

    // F08: 0 keeps all.
    #[test]
    fn keeping_zero_generations_means_keeping_all() {
        let settings = Settings {
            keep_generations: 0,
            ..SETTINGS
        };
        let steps = decide(settings, &[item("a")], running(3, &[1, 2, 3], found(false))).unwrap();
        assert!(steps.prune.is_empty());
    }

    #[test]
    fn a_generation_that_was_never_activated_is_pruned() {
        let steps = decide(SETTINGS, &[item("a")], running(1, &[1, 2], found(true))).unwrap();
        assert_eq!((steps.generation, steps.prune), (None, vec![2]));
    }

    #[test]
    fn all_conflicts_are_reported_together() {
        let mut observed = running(1, &[1], found(true));
        observed.current.as_mut().unwrap().files.push(found(true));
        observed.targets = vec![
            TargetFound::Blocked(TargetProblem::Directory),
            TargetFound::Regular { same: false },
        ];
        let faults = decide(SETTINGS, &[item("a"), item("b")], observed).unwrap_err();
        assert_eq!(faults.len(), 2);
    }

    #[test]
    fn equal_files_are_adopted_and_differing_ones_only_when_asked() {
        let mut observed = running(1, &[1], found(true));
        observed.targets = vec![TargetFound::Regular { same: true }];
        let adopted = decide(SETTINGS, &[item("a")], observed).unwrap();
        assert_eq!(
            adopted.links,
            [LinkStep {
                wanted: 0,
                backup: false
            }]
        );
        let mut observed = running(1, &[1], found(true));
        observed.targets = vec![TargetFound::Regular { same: false }];
        let kept = Item {
            on_conflict: OnConflict::Backup,
            ..item("a")
        };
        assert!(decide(SETTINGS, &[kept], observed).unwrap().links[0].backup);
    }

    // B27: a change of type never hides a live generation.
    #[test]
    fn mounts_are_never_stacked() {
        let settings = Settings {
            use_tmpfs: true,
            ..SETTINGS
        };
        let steps = decide(settings, &[item("a")], running(1, &[1], found(false))).unwrap();
        assert_eq!(steps.mount, None);
        assert_eq!(steps.warnings[0].kind, WarningKind::MountKept);
    }

    #[test]
    fn files_that_are_as_they_should_be_but_lie_on_a_disk_are_made_again_in_memory() {
        let mut observed = running(1, &[1], found(true));
        observed.mount.file_system = FileSystem::Persistent;
        observed.mount.is_mount_point = false;
        let observed = || Found {
            mount: observed.mount.clone(),
            link: observed.link.clone(),
            ..running(1, &[1], found(true))
        };
        let made = decide(SETTINGS, &[item("a")], observed()).unwrap();
        assert_eq!(
            (made.mount, made.generation),
            (Some(MemoryMount::Ramfs), Some(2))
        );
        assert_eq!(made.warnings[0].kind, WarningKind::Covered);
        for settings in [
            Settings {
                mount: MountWish::None,
                ..SETTINGS
            },
            Settings {
                rebased: true,
                ..SETTINGS
            },
        ] {
            let steps = decide(settings, &[item("a")], observed()).unwrap();
            assert!(steps.changes_nothing());
        }
    }

    #[test]
    fn a_disk_mounted_where_secrets_are_due_is_refused() {
        let mut observed = running(1, &[], found(false));
        observed.mount.file_system = FileSystem::Persistent;
        assert!(decide(SETTINGS, &[item("a")], observed).is_err());
    }

    #[test]
    fn a_blank_machine_gets_its_mount() {
        let mut observed = running(1, &[], found(false));
        observed.mount.exists = false;
        observed.mount.is_mount_point = false;
        observed.mount.file_system = FileSystem::Tmpfs;
        observed.link = LinkFound::Absent;
        let steps = decide(SETTINGS, &[item("a")], observed).unwrap();
        assert_eq!(
            (steps.mount, steps.generation),
            (Some(MemoryMount::Ramfs), Some(1))
        );
    }
}
