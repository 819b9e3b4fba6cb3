//! Repairing and giving back, disturbed at every change: nothing of the operator's is lost, and the next run completes it.

use super::super::{Verification, give_back, prune, repair, verify};
use super::*;
use crate::activation::drift::DriftClass;
use crate::activation::fault::{EarlierRun, Fault, UnitProblem, WarningKind};
use crate::activation::units::{UnitFault, Units};
use crate::fs::testing::Injected;

const LIVE: &str = "/srv/live/cert.pem";

fn wish() -> Wish {
    Wish::new()
        .secret(
            "cert",
            "cert",
            json!({"path": LIVE, "onConflict": "backup"}),
        )
        .secret("key", "key", json!({"path": "/srv/live/key.pem"}))
}

/// Runs something on a tree, on this file system.
fn on<T>(world: &World, fs: &dyn Fs, work: impl FnOnce(&Manifest, &Options<'_>) -> T) -> T {
    let (manifest, pause, root) = (wish().parse(), wait, world.root());
    let mut options = Options::new(fs, &pause);
    options.root = Some(&root);
    options.lock_timeout = LOCK_TIMEOUT;
    work(&manifest, &options)
}

/// Activated, and then the directory with both links was lost.
fn without_links() -> World {
    let world = World::new();
    assert_no_failed_step(&world.activate(&wish()).unwrap());
    fs::remove_dir_all(world.at("/srv")).unwrap();
    world
}

/// Activated over a file of the operator's.
fn with_backup() -> World {
    let world = World::new();
    world.write(LIVE, "made by hand");
    let mode = fs::Permissions::from_mode(0o640);
    fs::set_permissions(world.at(LIVE), mode).unwrap();
    assert_no_failed_step(&world.activate(&wish()).unwrap());
    world
}

#[test]
fn a_repair_that_is_disturbed_at_any_change_is_completed_by_the_next() {
    let world = without_links();
    let fs = Watched::recording();
    let repaired = on(&world, &fs, repair).unwrap();
    assert_eq!(repaired.links_placed.len(), 2);
    assert!(repaired.failed_step.is_none());
    let reference = world.snapshot();
    for at in 0..fs.log().len() {
        for injected in [Injected::Death, Injected::Error(5)] {
            let world = without_links();
            drop(on(&world, &Watched::failing(at, injected), repair));
            let again = on(&world, &Watched::recording(), repair).unwrap();
            assert!(again.failed_step.is_none(), "{at}: {:?}", again.failed_step);
            assert_eq!(world.temporary_names(), Vec::<String>::new(), "{at}");
            let (found, wanted) = (world.snapshot(), &reference);
            // The lock of the first run may be gone with it, and comes with the next.
            assert_eq!(&found, wanted, "{at}");
        }
    }
}

#[test]
fn a_file_that_is_given_back_is_there_at_every_moment() {
    let world = with_backup();
    let path = PathBuf::from(LIVE);
    let fs = Watched::recording();
    let given_back = on(&world, &fs, |manifest, options| {
        give_back(manifest, options, &path)
    });
    assert_eq!(given_back.unwrap().path, world.at(LIVE));
    assert_eq!(world.read(LIVE), b"made by hand");
    let mode = fs::metadata(world.at(LIVE)).unwrap().permissions().mode();
    assert_eq!(mode & 0o7777, 0o640);
    let kept = format!("{LIVE}.ccsec-backup-1");
    for at in 0..fs.log().len() {
        for (injected, dies) in [(Injected::Death, true), (Injected::Error(5), false)] {
            let world = with_backup();
            let fs = Watched::failing(at, injected);
            let given_back = on(&world, &fs, |manifest, options| {
                give_back(manifest, options, &path)
            });
            // Whoever reads that nothing was changed finds it so.
            let is_back = !dies && !world.at(LIVE).is_symlink();
            assert!(dies || is_back == given_back.is_ok(), "{at}");
            let found = [&kept, LIVE].map(|path| fs::read(world.at(path)).unwrap_or_default());
            let by_hand = |content: &Vec<u8>| content == b"made by hand";
            assert_eq!(
                found.iter().filter(|content| by_hand(content)).count(),
                1,
                "{at}"
            );
            // And the next activation has its link, and keeps the file.
            assert_no_failed_step(&world.activate(&wish()).unwrap());
            assert_eq!(world.read(LIVE), b"cert", "{at}");
            assert_eq!(world.read(&kept), b"made by hand", "{at}");
            let mode = fs::metadata(world.at(&kept)).unwrap().permissions().mode();
            // A process that ends just before the rename leaves it as open as it was.
            let is_closed = mode & 0o7777 == 0o600;
            assert!(
                is_closed || dies && mode & 0o7777 == 0o640,
                "{at}: {mode:o}"
            );
        }
    }
}

fn kept() -> String {
    format!("{LIVE}.ccsec-backup-1")
}

fn mode(world: &World, path: &str) -> u32 {
    fs::metadata(world.at(path)).unwrap().permissions().mode() & 0o7777
}

#[test]
fn a_file_that_took_the_name_of_the_kept_one_is_not_opened_to_others() {
    let world = with_backup();
    fs::rename(world.at(&kept()), world.at("/srv/live/aside")).unwrap();
    world.write(&kept(), "another secret of the same owner");
    fs::set_permissions(world.at(&kept()), fs::Permissions::from_mode(0o400)).unwrap();
    let refused = on(&world, &Watched::recording(), |manifest, options| {
        give_back(manifest, options, Path::new(LIVE))
    });
    assert!(refused.is_err());
    assert_eq!(mode(&world, &kept()), 0o400);
    assert!(world.at(LIVE).is_symlink());
}

#[test]
fn a_file_whose_identity_nobody_wrote_down_is_given_back_as_closed_as_it_is() {
    let world = with_backup();
    let ledger = world
        .snapshot()
        .into_keys()
        .find(|name| name.contains("/links-"));
    let ledger = world.dir.path().join(ledger.unwrap());
    let mut text: Value = serde_json::from_slice(&fs::read(&ledger).unwrap()).unwrap();
    let record = text["backups"][0].as_object_mut().unwrap();
    assert!(record.remove("inode").is_some());
    fs::write(&ledger, text.to_string()).unwrap();
    let given_back = on(&world, &Watched::recording(), |manifest, options| {
        give_back(manifest, options, Path::new(LIVE))
    });
    given_back.unwrap();
    assert_eq!(world.read(LIVE), b"made by hand");
    assert_eq!(mode(&world, LIVE), 0o600);
}

#[test]
fn nothing_is_pruned_while_the_link_leads_nowhere() {
    let world = World::new();
    assert_no_failed_step(&world.activate(&wish()).unwrap());
    fs::remove_file(world.at("/run/secrets")).unwrap();
    std::os::unix::fs::symlink("secrets.d/5", world.at("/run/secrets")).unwrap();
    let pruned = on(&world, &Watched::recording(), prune).unwrap();
    assert_eq!((pruned.generation, pruned.removed), (None, Vec::new()));
    assert!(world.at("/run/secrets.d/1/cert").exists());
    let kinds: Vec<_> = pruned.warnings.iter().map(|warning| warning.kind).collect();
    assert_eq!(kinds, [WarningKind::LinkDangles]);
}

#[test]
fn pruning_gives_readers_of_the_former_generation_their_time() {
    let world = World::new();
    let keeping = |count: u64| {
        wish()
            .with("keepGenerations", json!(count))
            .with("idempotent", json!(false))
    };
    for _ in 0..2 {
        assert_no_failed_step(&world.activate(&keeping(2)).unwrap());
    }
    let (waited, manifest, root) = (std::cell::Cell::new(0), keeping(1).parse(), world.root());
    let pause = |time: Duration| {
        waited.set(waited.get() + u32::from(time == Duration::from_millis(10)));
    };
    let fs = Watched::recording();
    let mut options = Options::new(&fs, &pause);
    options.root = Some(&root);
    options.lock_timeout = LOCK_TIMEOUT;
    assert_eq!(prune(&manifest, &options).unwrap().removed, [1]);
    assert_eq!(waited.get(), 1);
    assert!(prune(&manifest, &options).unwrap().removed.is_empty());
    assert_eq!(waited.get(), 1);
}

#[test]
fn a_file_that_its_owner_has_stretched_drifts_and_is_not_read() {
    let world = World::new();
    assert_no_failed_step(&world.activate(&wish()).unwrap());
    let path = world.at("/run/secrets.d/1/cert");
    let file = fs::OpenOptions::new().write(true).open(path).unwrap();
    if let Err(error) = file.set_len(1000 << 40) {
        eprintln!("skipped: no file of this length can be made: {error}");
        return;
    }
    let (manifest, pause, root) = (wish().parse(), wait, world.root());
    let fs = Watched::recording();
    let mut options = Options::new(&fs, &pause);
    options.root = Some(&root);
    let how = Verification {
        offline: true,
        ..Verification::default()
    };
    let verified = verify(&manifest, options, how).unwrap();
    let found: Vec<_> = verified
        .drift()
        .filter(|line| line.subject == "cert")
        .map(|line| line.class)
        .collect();
    assert_eq!(found, [DriftClass::Content]);
}

#[test]
fn a_unit_that_was_let_go_is_not_said_to_have_been_told() {
    let world = World::new();
    assert_no_failed_step(&world.activate(&wish()).unwrap());
    let mut names = world.snapshot().into_keys();
    let journal = names.find(|name| name.ends_with("journal.json")).unwrap();
    let journal = world.dir.path().join(journal);
    let mut text: Value = serde_json::from_slice(&fs::read(&journal).unwrap()).unwrap();
    text["active"]["pending"] = json!({"restart": ["gone.service"], "reload": []});
    fs::write(&journal, text.to_string()).unwrap();
    let nobody_has_it = |units: &Units| {
        let faults = units.restart.iter().map(|unit| UnitFault {
            unit: unit.clone(),
            problem: UnitProblem::NotFound,
        });
        faults.collect()
    };
    let (fs, pause, root) = (Watched::recording(), wait, world.root());
    let mut options = Options::new(&fs, &pause);
    options.root = Some(&root);
    options.lock_timeout = LOCK_TIMEOUT;
    options.units = Some(&nobody_has_it);
    let repaired = repair(&wish().parse(), &options).unwrap();
    assert_eq!(repaired.units_told, Units::default());
    let kinds: Vec<_> = repaired
        .warnings
        .iter()
        .map(|warning| warning.kind)
        .collect();
    assert_eq!(kinds, [WarningKind::UnitGone]);
    assert!(repaired.failed_step.is_none());
}

#[test]
fn a_refusal_behind_an_earlier_run_that_was_finished_says_so() {
    let fs = Watched::recording();
    assert_no_failed_step(&World::new().activate_on(&fs, &wish()).unwrap());
    let mut finished = 0;
    for at in 0..fs.log().len() {
        let world = World::new();
        drop(world.activate_on(&Watched::failing(at, Injected::Death), &wish()));
        let before = world.snapshot();
        let not_opened = NotOpened {
            faults: vec![Fault::Locked("stands for any fault".into())],
            warnings: Vec::new(),
            sound: None,
        };
        let refusal = world.activate_not_opened(&wish(), not_opened).unwrap_err();
        let is_changed = world.snapshot().iter().any(|(name, found)| {
            !name.ends_with("-lock") && before.get(name).is_some_and(|was| was != found)
        });
        assert!(
            !is_changed || refusal.earlier_run == EarlierRun::Finished,
            "{at}"
        );
        finished += usize::from(is_changed);
    }
    assert!(finished > 0, "no run was interrupted in such a place");
}
