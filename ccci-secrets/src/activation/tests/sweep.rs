//! Invariant I of the design: at every change that a run makes, once an error and once the end of the process, and what
//! is there then is the old state or the new one; the next run makes the new one and leaves nothing else behind.

use std::os::unix::fs::symlink;

use super::super::fault::WarningKind;
use super::*;
use crate::error::ErrorCode;
use crate::fs::testing::{Injected, Watched};

const ERRORS: &[(&str, i32)] = &[
    ("EIO", 5),
    ("ENOSPC", 28),
    ("EACCES", 13),
    ("EPERM", 1),
    ("EROFS", 30),
    ("EDQUOT", 122),
    ("EMFILE", 24),
    ("EINTR", 4),
];

/// Those that the program tells apart from others.
const FEW_ERRORS: &[(&str, i32)] = &[("EIO", 5), ("EPERM", 1), ("EINTR", 4)];

/// A tree, and the run on it that is disturbed.
struct Story {
    /// Makes the tree.
    before: fn() -> World,
    wish: Wish,
    /// No run was there before.
    is_blank: bool,
    /// What a reader sees: a path, and what it may hold before and after. The same index holds for all of them at any time.
    readers: Vec<(&'static str, &'static str, &'static str)>,
    /// Contents that must be somewhere at any time.
    never_lost: &'static [&'static str],
}

/// Every value changes, and nothing else.
fn rotation() -> Story {
    fn wish(version: &str) -> Wish {
        Wish::new()
            .secret(
                "cert",
                &format!("cert {version}"),
                json!({"mode": "0444", "path": "/srv/live/cert.pem"}),
            )
            .secret(
                "key",
                &format!("key {version}"),
                json!({"path": "/srv/live/key.pem"}),
            )
            .secret("sub/deep/token", &format!("token {version}"), json!({}))
            .secret(
                "named",
                &format!("named {version}"),
                json!({"path": "/run/secrets/other/name"}),
            )
    }
    Story {
        before: || {
            let world = World::new();
            assert_no_failed_step(&world.activate(&wish("one")).unwrap());
            world
        },
        wish: wish("two"),
        is_blank: false,
        readers: vec![
            ("/srv/live/cert.pem", "cert one", "cert two"),
            ("/srv/live/key.pem", "key one", "key two"),
            ("/run/secrets/cert", "cert one", "cert two"),
            ("/run/secrets/sub/deep/token", "token one", "token two"),
            ("/run/secrets/other/name", "named one", "named two"),
        ],
        never_lost: &[],
    }
}

/// A blank tree.
fn first_boot() -> Story {
    Story {
        before: World::new,
        wish: Wish::new()
            .secret(
                "cert",
                "cert one",
                json!({"mode": "0444", "path": "/srv/live/cert.pem"}),
            )
            .secret("key", "key one", json!({})),
        is_blank: true,
        readers: Vec::new(),
        never_lost: &[],
    }
}

/// A directory stands where the link will be.
fn take_over() -> Story {
    Story {
        before: || {
            let world = World::new();
            world.write("/run/secrets/old", "old file");
            world
        },
        wish: Wish::new().secret("key", "key one", json!({})),
        is_blank: true,
        readers: Vec::new(),
        never_lost: &[],
    }
}

/// A value changes, and with it targets: a new one, a link of somebody else, files that are kept, replaced and adopted,
/// one that goes.
fn targets() -> Story {
    fn common(version: &str) -> Wish {
        Wish::new().secret(
            "stable",
            &format!("stable {version}"),
            json!({"path": "/srv/stable"}),
        )
    }
    Story {
        before: || {
            let world = World::new();
            let wish = common("one").secret("gone", "gone", json!({"path": "/srv/gone"}));
            assert_no_failed_step(&world.activate(&wish).unwrap());
            world.write("/srv/kept", "of the operator");
            world.write("/srv/replaced", "of nobody");
            world.write("/srv/adopted", "adopted");
            symlink("/etc/hostname", world.at("/srv/foreign")).unwrap();
            fs::create_dir(world.at("/srv/empty")).unwrap();
            world
        },
        wish: common("two")
            .secret(
                "new",
                "new",
                json!({"path": "/opt/a/b/new", "dirMode": "0750"}),
            )
            .secret(
                "kept",
                "kept",
                json!({"path": "/srv/kept", "onConflict": "backup"}),
            )
            .secret(
                "replaced",
                "replaced",
                json!({"path": "/srv/replaced", "onConflict": "replace"}),
            )
            .secret("adopted", "adopted", json!({"path": "/srv/adopted"}))
            .secret(
                "empty",
                "empty",
                json!({"path": "/srv/empty", "onConflict": "backup"}),
            )
            .secret("foreign", "foreign", json!({"path": "/srv/foreign"})),
        is_blank: false,
        readers: vec![
            ("/srv/stable", "stable one", "stable two"),
            ("/run/secrets/stable", "stable one", "stable two"),
        ],
        never_lost: &["of the operator"],
    }
}

/// A link is missing, and nothing else.
fn lost_link() -> Story {
    fn wish() -> Wish {
        Wish::new().secret("key", "key", json!({"path": "/srv/key"}))
    }
    Story {
        before: || {
            let world = World::new();
            assert_no_failed_step(&world.activate(&wish()).unwrap());
            fs::remove_file(world.at("/srv/key")).unwrap();
            world
        },
        wish: wish(),
        is_blank: false,
        readers: vec![("/run/secrets/key", "key", "key")],
        never_lost: &[],
    }
}

const STORIES: [fn() -> Story; 5] = [rotation, first_boot, take_over, targets, lost_link];

impl Story {
    /// The tree after a run that nobody disturbs.
    fn reference(&self) -> BTreeMap<String, String> {
        let world = (self.before)();
        assert_no_failed_step(&world.activate(&self.wish).unwrap());
        assert_eq!(world.temporary_names(), Vec::<String>::new());
        world.snapshot()
    }

    fn assert_invariant(&self, world: &World, moment: &str) {
        let seen: Vec<(String, bool, bool)> = self
            .readers
            .iter()
            .map(|(path, old, new)| {
                let content = fs::read_to_string(world.at(path))
                    .unwrap_or_else(|error| panic!("{moment}: {path}: {error}"));
                (content.clone(), content == *old, content == *new)
            })
            .collect();
        let all_old = seen.iter().all(|(_, old, _)| *old);
        let all_new = seen.iter().all(|(_, _, new)| *new);
        assert!(all_old || all_new, "{moment}: {seen:?}");
        let snapshot = world.snapshot();
        for content in self.never_lost {
            assert!(
                snapshot.values().any(|entry| entry.ends_with(content)),
                "{moment}: {content} is lost"
            );
        }
    }

    fn assert_converges(&self, world: &World, reference: &BTreeMap<String, String>, moment: &str) {
        let receipt = world
            .activate(&self.wish)
            .unwrap_or_else(|refusal| panic!("{moment}: {refusal:?}"));
        assert_no_failed_step(&receipt);
        assert_same(&world.snapshot(), reference, moment);
    }

    /// How many changes an undisturbed run makes.
    fn changes(&self) -> Watched {
        let fs = Watched::recording();
        let world = (self.before)();
        world.activate_on(&fs, &self.wish).unwrap();
        fs
    }
}

#[track_caller]
fn assert_same(found: &BTreeMap<String, String>, wanted: &BTreeMap<String, String>, moment: &str) {
    for (name, entry) in found {
        assert_eq!(Some(entry), wanted.get(name), "{moment}: {name}");
    }
    for name in wanted.keys() {
        assert!(found.contains_key(name), "{moment}: {name} is missing");
    }
}

#[test]
fn s28_killed_at_any_change_a_run_leaves_old_or_new_and_the_next_one_finishes() {
    for story in STORIES {
        let story = story();
        if story.is_blank && !has_usual_umask("s28") {
            continue;
        }
        let reference = story.reference();
        let log = story.changes().log();
        for (at, change) in log.iter().enumerate() {
            let moment = format!("killed at {at}: {change}");
            let world = (story.before)();
            let fs = Watched::failing(at, Injected::Death);
            drop(world.activate_on(&fs, &story.wish));
            assert!(fs.changes() > at, "{moment}: did not come so far");
            story.assert_invariant(&world, &moment);
            story.assert_converges(&world, &reference, &moment);
        }
    }
}

fn lacks_drift_key(receipt: &Receipt) -> bool {
    let mut warnings = receipt.warnings.iter();
    warnings.any(|warning| warning.kind == WarningKind::DriftKeyMissing)
}

/// At every change each of the errors.
fn assert_errors_are_survived(story: &Story, errors: &[(&str, i32)]) {
    let reference = story.reference();
    let log = story.changes().log();
    for (at, change) in log.iter().enumerate() {
        for (name, number) in errors {
            let moment = format!("{name} at {at}: {change}");
            let world = (story.before)();
            let before = world.snapshot();
            let fs = Watched::failing(at, Injected::Error(*number));
            match world.activate_on(&fs, &story.wish) {
                Err(refusal) => {
                    assert_eq!(refusal.code(), ErrorCode::ActivationFileSystem, "{moment}");
                    assert_eq!(refusal.left_behind, Vec::<PathBuf>::new(), "{moment}");
                    assert_same(&world.snapshot(), &before, &moment);
                }
                Ok(receipt) => {
                    match &receipt.failed_step {
                        // Nobody can verify offline, and the next run makes it.
                        None if lacks_drift_key(&receipt) => {}
                        None => assert_same(&world.snapshot(), &reference, &moment),
                        Some(failed) => {
                            assert_eq!(failed.code(), ErrorCode::CommittedWithFault, "{moment}");
                        }
                    }
                    story.assert_invariant(&world, &moment);
                    story.assert_converges(&world, &reference, &moment);
                }
            }
        }
    }
}

#[test]
fn s29_an_error_while_values_rotate_leaves_old_or_new() {
    assert_errors_are_survived(&rotation(), ERRORS);
}

#[test]
fn s29_an_error_on_a_blank_tree_leaves_it_blank_or_finished() {
    assert_errors_are_survived(&first_boot(), ERRORS);
}

#[test]
fn s29_an_error_while_a_directory_gives_way_leaves_it_or_the_link() {
    assert_errors_are_survived(&take_over(), FEW_ERRORS);
}

#[test]
fn s29_an_error_while_targets_change_leaves_old_or_new_and_loses_nothing() {
    assert_errors_are_survived(&targets(), FEW_ERRORS);
}

#[test]
fn s29_an_error_while_a_lost_link_is_placed_again_leaves_it_lost_or_placed() {
    assert_errors_are_survived(&lost_link(), ERRORS);
}

#[test]
fn short_writes_are_completed() {
    let story = rotation();
    let reference = story.reference();
    let log = story.changes().log();
    for (at, change) in log.iter().enumerate() {
        if change.starts_with("write") {
            let world = (story.before)();
            let fs = Watched::failing(at, Injected::ShortWrite);
            assert_no_failed_step(&world.activate_on(&fs, &story.wish).unwrap());
            assert_same(&world.snapshot(), &reference, change);
        }
    }
}

/// The machine goes down during a run: `/run` is gone, and with it generations, link and journal.
#[test]
fn s13b_after_a_power_cut_the_ledger_finds_what_lies_outside_of_run() {
    let reboot = |world: &World| fs::remove_dir_all(world.at("/run")).unwrap();
    let story = targets();
    let world = (story.before)();
    world.activate(&story.wish).unwrap();
    reboot(&world);
    world.activate(&story.wish).unwrap();
    let reference = world.snapshot();
    let log = story.changes().log();
    for (at, change) in log.iter().enumerate() {
        let moment = format!("power cut at {at}: {change}");
        let world = (story.before)();
        let fs = Watched::failing(at, Injected::Death);
        drop(world.activate_on(&fs, &story.wish));
        reboot(&world);
        story.assert_converges(&world, &reference, &moment);
    }
}

/// The sweeps would prove nothing if they never came to the commit.
#[test]
fn the_sweeps_pass_the_commit_and_the_links() {
    let log = targets().changes().log();
    let position = |change: &str| log.iter().position(|entry| entry == change).unwrap();
    let (seal, commit) = (position("rename_new 2"), position("rename secrets"));
    assert!(seal < commit, "{log:?}");
    for later in [
        "rename new",
        "exchange kept",
        "rename_new kept.ccsec-backup-1",
        "exchange empty",
        "remove_file gone",
        "remove_dir 1",
    ] {
        assert!(commit < position(later), "{later}: {log:?}");
    }
}
