//! Key files that cannot be used, and key files that should be kept better.

use std::io::Write as _;
use std::path::Path;

use serde_json::json;

use super::super::super::fault::{Fault, WarningKind};
use super::super::super::testing::{AGE_1, Workshop, explained, set_mode, subjects};
use crate::error::ErrorCode;

const SECRET: &str = "a: canary-4711\n";

fn workshop() -> Workshop {
    let workshop = Workshop::new();
    workshop.seal("s.yaml", SECRET, &[AGE_1]);
    workshop
}

fn fields(key: &Path, strict: bool) -> serde_json::Value {
    json!({"ageKeyFile": key, "strictKeyModes": strict, "secrets": [{"key": "a", "sopsFile": "s.yaml"}]})
}

#[track_caller]
fn assert_unusable(workshop: &Workshop, key: &Path, strict: bool, reason: &str) {
    let faults = workshop.faults(fields(key, strict));
    let [fault @ Fault::KeyFileUnusable { field, path, .. }] = &faults[..] else {
        panic!("{faults:?}")
    };
    assert_eq!(fault.code(), ErrorCode::KeyFileUnusable);
    assert_eq!((*field, path.as_path()), ("ageKeyFile", key));
    let expected = format!("{} (ageKeyFile): {reason}", key.display());
    assert_eq!(explained(fault), expected);
}

#[test]
fn s24_key_files_that_cannot_be_used() {
    let workshop = workshop();
    let directory = workshop.path("directory");
    std::fs::create_dir(&directory).unwrap();
    assert_unusable(&workshop, &directory, false, "is a directory");
    let bad_line = "# a comment\nAGE-SECRET-KEY-1CANARYCANARY\n";
    for (name, bytes, reason) in [
        ("empty", "", "is empty"),
        (
            "comments",
            "# one\n\n# two\n",
            "holds only comments, no identity",
        ),
        ("bad", bad_line, "line 2 is not an age identity"),
    ] {
        let path = workshop.write(name, bytes);
        assert_unusable(&workshop, &path, false, reason);
    }
    for name in ["locked-age.txt", "locked-age.bin"] {
        let path = workshop.key(name);
        assert_unusable(&workshop, &path, false, "is protected with a passphrase");
    }
    let path = workshop.key("ssh_ed25519");
    let reason = "holds an SSH private key, not an age identity";
    assert_unusable(&workshop, &path, false, reason);
    // B67: nobody ever writes to it.
    let fifo = workshop.path("fifo");
    let mode = rustix::fs::Mode::from_raw_mode(0o600);
    rustix::fs::mkfifoat(rustix::fs::CWD, &fifo, mode).unwrap();
    assert_unusable(
        &workshop,
        &fifo,
        false,
        "is a named pipe, not a regular file",
    );
}

#[test]
fn s24_the_text_of_a_bad_line_is_told_to_nobody() {
    let workshop = workshop();
    let key = workshop.write("key.txt", "# x\nAGE-SECRET-KEY-1CANARYCANARY\n");
    let refused = workshop.open(fields(&key, false)).unwrap_err();
    let text = format!("{refused:?} {}", explained(&refused.faults[0])).to_lowercase();
    assert!(!text.contains("canarycanary"), "{text}");
}

#[test]
fn s24_open_modes_are_a_warning_unless_modes_are_strict() {
    let workshop = workshop();
    let key = workshop.key("age-1.txt");
    set_mode(&key, 0o644);
    let opened = workshop.open(fields(&key, false)).unwrap();
    let warned = format!(
        "{} (has mode 0644, group and others should have no access)",
        key.display()
    );
    assert_eq!(
        subjects(&opened.warnings, WarningKind::KeyFileCare),
        [warned]
    );
    let reason = "has mode 0644, group and others must have no access";
    assert_unusable(&workshop, &key, true, reason);
    set_mode(&key, 0o600);
    assert_eq!(workshop.open(fields(&key, true)).unwrap().warnings, []);
}

#[test]
fn strict_modes_hold_for_ssh_keys_that_nobody_needs() {
    let workshop = workshop();
    workshop.key("age-1.txt");
    set_mode(&workshop.key("ssh_ed25519"), 0o640);
    let fields = |strict: bool| {
        json!({"ageKeyFile": "age-1.txt", "ageSshKeyPaths": ["ssh_ed25519"],
            "strictKeyModes": strict, "secrets": [{"key": "a", "sopsFile": "s.yaml"}]})
    };
    let faults = workshop.faults(fields(true));
    assert_eq!(faults[0].code(), ErrorCode::KeyFileUnusable);
    assert!(explained(&faults[0]).contains("ssh_ed25519 (ageSshKeyPaths): has mode 0640"));
    assert!(workshop.open(fields(false)).is_ok());
}

#[test]
fn s24_links_are_followed_when_root_or_the_user_made_them() {
    let workshop = workshop();
    let key = workshop.key("age-1.txt");
    let link = workshop.path("link");
    std::os::unix::fs::symlink(&key, &link).unwrap();
    assert!(workshop.open(fields(&link, true)).is_ok());
    if !rustix::process::geteuid().is_root() {
        drop(writeln!(
            std::io::stderr(),
            "skip: only root can give a link to somebody else"
        ));
        return;
    }
    std::os::unix::fs::lchown(&link, Some(1234), Some(1234)).unwrap();
    let reason = format!(
        "symbolic link {} is owned by user 1234, neither root nor the user who runs this",
        link.display()
    );
    assert_unusable(&workshop, &link, false, &reason);
}

#[track_caller]
fn assert_misplaced(workshop: &Workshop, key: &Path, kind: WarningKind) {
    let opened = workshop.open(fields(key, false)).unwrap();
    assert_eq!(
        subjects(&opened.warnings, kind),
        [key.to_str().unwrap()],
        "{:?}",
        opened.warnings
    );
    let faults = workshop.faults(fields(key, true));
    assert_eq!(faults[0].code(), ErrorCode::KeyFileUnusable);
    let expected = format!("{} (ageKeyFile): {}", key.display(), kind.sentence());
    assert_eq!(explained(&faults[0]), expected);
}

#[test]
fn a_key_in_a_store_or_in_a_work_tree_is_not_kept_well() {
    let workshop = workshop();
    let key = crate::key::test_data::bytes("age-1.txt");
    let in_store = workshop.write("nix/store/abc/key.txt", &key);
    assert_misplaced(&workshop, &in_store, WarningKind::KeyInStore);
    let link = workshop.path("link");
    std::os::unix::fs::symlink(&in_store, &link).unwrap();
    assert_misplaced(&workshop, &link, WarningKind::KeyInStore);
    workshop.write("tree/.git/HEAD", "ref: refs/heads/main\n");
    let in_tree = workshop.write("tree/keys/key.txt", &key);
    assert_misplaced(&workshop, &in_tree, WarningKind::KeyInWorkTree);
}
