//! Repairing and giving back, disturbed at every change: nothing of the operator's is lost, and the next run completes it.

use super::super::{give_back, repair};
use super::*;
use crate::activation::fault::{EarlierRun, Fault};
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
