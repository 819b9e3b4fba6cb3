//! Decisions, from made-up observations.

use super::*;
use crate::activation::current::{Before, Current};
use crate::activation::fault::{Active, TargetProblem};
use crate::activation::observe::MountFound;
use crate::activation::targets::TargetFound;
use crate::fs::FileSystem;

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
