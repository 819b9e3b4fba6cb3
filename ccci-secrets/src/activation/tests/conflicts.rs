//! What stands where a target or the link is to be.

use std::os::unix::fs::{lchown, symlink};

use super::*;
use crate::activation::fault::{Fault, TargetProblem, WarningKind};
use crate::error::ErrorCode;

#[test]
fn s12_equal_files_of_the_operator_are_adopted() {
    let world = World::new();
    world.write("/var/lib/ci-certs/live/privkey.pem", "key\n");
    assert_no_failed_step(&world.activate(&operator()).unwrap());
    assert!(world.at("/var/lib/ci-certs/live/privkey.pem").is_symlink());
}

#[test]
fn s12_a_differing_file_is_refused_and_stays() {
    let world = World::new();
    world.write("/var/lib/ci-certs/live/privkey.pem", "other");
    let before = world.snapshot();
    let refusal = world.activate(&operator()).unwrap_err();
    assert_eq!(refusal.code(), ErrorCode::TargetConflict);
    assert_eq!(world.snapshot(), before);
}

#[test]
fn s12_a_differing_file_is_kept_when_asked_and_closed_to_others() {
    let world = World::new();
    let wish = |content| {
        Wish::new().secret(
            "key",
            content,
            json!({"path": "/srv/key", "onConflict": "backup"}),
        )
    };
    for (nth, old) in ["first", "second"].into_iter().enumerate() {
        drop(fs::remove_file(world.at("/srv/key")));
        world.write("/srv/key", old);
        let receipt = world.activate(&wish("key")).unwrap();
        assert_no_failed_step(&receipt);
        let kept = format!("/srv/key.ccsec-backup-{}", nth + 1);
        assert_eq!(world.read(&kept), old.as_bytes());
        assert_eq!(mode(&world.at(&kept)), 0o600);
        assert!(receipt.warnings.iter().any(|warning| {
            warning.kind == WarningKind::BackedUp && warning.subject.contains("ccsec-backup")
        }));
    }
    assert_eq!(world.read("/srv/key"), b"key");
}

#[test]
fn s26_every_conflict_is_told_at_once_and_nothing_is_touched() {
    if !is_root("s26") {
        return;
    }
    let world = World::new();
    world.write("/srv/dir/inside", "x");
    fs::create_dir_all(world.at("/home/user")).unwrap();
    symlink("/etc", world.at("/home/user/link")).unwrap();
    world.write("/srv/theirs", "x");
    make_fifo(&world.at("/srv/pipe"));
    symlink("two", world.at("/srv/one")).unwrap();
    symlink("one", world.at("/srv/two")).unwrap();
    for path in ["/home/user", "/home/user/link", "/srv/theirs", "/srv/pipe"] {
        lchown(world.at(path), Some(1000), Some(1000)).unwrap();
    }
    let before = world.snapshot();
    let wish = Wish::new()
        .secret("one", "1", json!({"path": "/srv/dir"}))
        .secret("two", "2", json!({"path": "/home/user/link/two"}))
        .secret("three", "3", json!({"path": "/srv/pipe"}))
        .secret("four", "4", json!({"path": "/srv/theirs"}))
        .secret("five", "5", json!({"path": "/srv/one/five"}));
    let refusal = world.activate(&wish).unwrap_err();
    assert_eq!(refusal.code(), ErrorCode::TargetConflict);
    assert_eq!(refusal.faults.len(), 5, "{:?}", refusal.faults);
    assert_eq!(world.snapshot(), before);
}

#[test]
fn conflicts_are_told_together_with_what_does_not_open() {
    let world = World::new();
    world.write("/srv/dir/inside", "x");
    let before = world.snapshot();
    let wish = Wish::new().secret("one", "1", json!({"path": "/srv/dir"}));
    let not_opened = NotOpened {
        faults: vec![Fault::Locked("stands for any fault".into())],
        warnings: Vec::new(),
        sound: None,
    };
    let refusal = world.activate_not_opened(&wish, not_opened).unwrap_err();
    assert!(matches!(
        refusal.faults[..],
        [
            Fault::Target {
                problem: TargetProblem::Directory,
                ..
            },
            Fault::Locked(_)
        ]
    ));
    assert_eq!(world.snapshot(), before);
}

fn make_fifo(path: &Path) {
    use rustix::fs::{CWD, FileType, Mode, mknodat};
    mknodat(CWD, path, FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap();
}

#[test]
fn s26_a_file_or_a_pipe_at_the_place_of_the_link_is_refused() {
    let world = World::new();
    let link = world.at("/run/secrets");
    fs::create_dir_all(link.parent().unwrap()).unwrap();
    let wish = Wish::new().secret("one", "1", json!({}));
    for make in [
        |path: &Path| fs::write(path, "x").unwrap(),
        |path: &Path| make_fifo(path),
    ] {
        make(&link);
        let before = world.snapshot();
        let refusal = world.activate(&wish).unwrap_err();
        assert_eq!(refusal.code(), ErrorCode::TargetConflict);
        assert_eq!(world.snapshot(), before);
        fs::remove_file(&link).unwrap();
    }
    world.activate(&wish).unwrap();
}

#[test]
fn a_directory_at_the_place_of_the_link_gives_way() {
    let world = World::new();
    world.write("/run/secrets/old/file", "x");
    let receipt = world.activate(&operator()).unwrap();
    assert_no_failed_step(&receipt);
    assert!(world.at("/run/secrets").is_symlink());
    assert!(!world.snapshot().values().any(|entry| entry.ends_with(" x")));
    assert!(
        receipt
            .warnings
            .iter()
            .any(|warning| warning.kind == WarningKind::DirectoryReplaced)
    );
}

// F18, F19.
#[test]
fn an_empty_directory_gives_way_where_files_do() {
    let wish = |conflict| {
        Wish::new().secret(
            "key",
            "key",
            json!({"path": "/srv/key", "onConflict": conflict}),
        )
    };
    let world = World::new();
    fs::create_dir_all(world.at("/srv/key")).unwrap();
    let before = world.snapshot();
    let refusal = world.activate(&wish("refuse")).unwrap_err();
    assert_eq!(refusal.code(), ErrorCode::TargetConflict);
    assert_eq!(world.snapshot(), before);
    assert_no_failed_step(&world.activate(&wish("backup")).unwrap());
    assert_eq!(world.read("/srv/key"), b"key");
    assert_eq!(world.temporary_names(), Vec::<String>::new());
    let world = World::new();
    world.write("/srv/key/inside", "x");
    let refusal = world.activate(&wish("replace")).unwrap_err();
    assert_eq!(refusal.code(), ErrorCode::TargetConflict);
}
