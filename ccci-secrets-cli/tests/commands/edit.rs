//! Editing, with a script for an editor.

use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::support::{PLAIN, Place, recipient};

/// A place whose editor is this shell script; `$1` is the file.
fn place(script: &str) -> Place {
    let mut place = Place::new();
    let path = place.write("editor", format!("#!/bin/sh\n{script}\n"));
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    place.set("EDITOR", path.to_str().unwrap());
    place
}

/// Directories of edits that a run of this test left in memory.
fn left_behind(trace: &str) -> Vec<PathBuf> {
    let path = PathBuf::from(trace.trim());
    path.parent()
        .into_iter()
        .filter(|path| path.exists())
        .map(PathBuf::from)
        .collect()
}

#[test]
fn an_edit_changes_what_was_edited_and_keeps_every_other_envelope() {
    let place = place("sed -i 's/canary-inner/changed/' \"$1\"");
    place.seal("s.yaml", PLAIN);
    let before = place.read_text("s.yaml");
    place.ccsec(["edit", "s.yaml"]).expect(0);
    let after = place.read_text("s.yaml");
    let changed: Vec<_> = before
        .lines()
        .zip(after.lines())
        .filter(|(old, new)| old != new && old.contains("type:") && !old.contains("mac:"))
        .map(|(old, _)| old.split(':').next().unwrap().trim())
        .collect();
    assert_eq!(changed, ["inner"]);
    assert_eq!(
        place.ccsec(["decrypt", "s.yaml"]).expect(0).text(),
        PLAIN.replace("canary-inner", "changed")
    );
    let Some(sops) = place.sops(["decrypt", "s.yaml"], b"") else {
        return;
    };
    assert_eq!(
        sops.expect(0).text(),
        PLAIN.replace("canary-inner", "changed")
    );
}

/// Values that sops writes in plain tokens although their text needs quotes or lines of its own.
const ODD: &str = "\
number: \"5\"
colon: 'a: b'
lines: |
    -----BEGIN
    canary
strip: |-
    one
    two
keep: |+
    one

list:
    - |
      in
      a list
    - \"yes\"
last: text
";

#[test]
fn an_edit_of_a_file_that_sops_made_changes_one_line_of_it() {
    let place = place("sed -i 's/last: text/last: new/' \"$1\"");
    place.write("p.yaml", ODD);
    let args = [
        "encrypt",
        "--age",
        &recipient(1),
        "--output",
        "s.yaml",
        "p.yaml",
    ];
    let Some(sops) = place.sops(args, b"") else {
        return;
    };
    sops.expect(0);
    let plain = place.ccsec(["decrypt", "s.yaml"]).expect(0);
    for part in [
        "lines: |\n    -----BEGIN\n",
        "strip: |-\n    one\n",
        "    - |\n        in\n",
    ] {
        assert!(plain.text().contains(part), "{}", plain.text());
    }
    let before = place.read_text("s.yaml");
    place.ccsec(["edit", "s.yaml"]).expect(0);
    let after = place.read_text("s.yaml");
    assert_eq!(before.lines().count(), after.lines().count(), "{after}");
    let differs = |(old, new): &(&str, &str)| {
        old != new && !old.contains("lastmodified:") && !old.contains("mac:")
    };
    let changed: Vec<_> = before
        .lines()
        .zip(after.lines())
        .filter(differs)
        .map(|(old, _)| &old[..5])
        .collect();
    assert_eq!(changed, ["last:"]);
    let opened = place.sops(["decrypt", "s.yaml"], b"").unwrap().expect(0);
    assert_eq!(opened.text(), ODD.replace("last: text", "last: new"));
}

#[test]
fn the_plaintext_lies_in_memory_in_a_private_directory_and_is_gone_afterwards() {
    let place = place(
        "stat -f -c %T \"$1\" >seen; stat -c '%a' \"$1\" \"$(dirname \"$1\")\" >>seen; echo \"$1\" >where; echo 'new: 1' >>\"$1\"",
    );
    place.seal("s.yaml", PLAIN);
    place.ccsec(["edit", "s.yaml"]).expect(0);
    let seen = place.read_text("seen");
    assert!(
        ["tmpfs\n600\n700\n", "ramfs\n600\n700\n"].contains(&seen.as_str()),
        "{seen}"
    );
    let path = place.read_text("where");
    assert!(path.ends_with("/s.yaml\n"), "{path}");
    assert!(left_behind(&path).is_empty());
}

#[test]
fn a_directory_on_a_disk_is_not_used_for_plaintext() {
    let mut place = place("echo \"$1\" >where; echo 'new: 1' >>\"$1\"");
    place.seal("s.yaml", PLAIN);
    let on_disk = place.path("runtime");
    std::fs::create_dir(&on_disk).unwrap();
    if is_in_memory(&on_disk) {
        return;
    }
    place.set("XDG_RUNTIME_DIR", on_disk.to_str().unwrap());
    place.ccsec(["edit", "s.yaml"]).expect(0);
    assert!(place.read_text("where").starts_with("/dev/shm/"));
}

/// Whether a directory that was to be on a disk lies in memory; says so.
fn is_in_memory(directory: &Path) -> bool {
    let is_in_memory = lies_in_memory(directory);
    if is_in_memory {
        drop(writeln!(
            std::io::stderr(),
            "skip: temporary files are in memory here, so no directory on a disk could be offered"
        ));
    }
    is_in_memory
}

fn lies_in_memory(directory: &Path) -> bool {
    let kind = std::process::Command::new("stat")
        .args(["-f", "-c", "%T"])
        .arg(directory)
        .output()
        .unwrap();
    kind.stdout.starts_with(b"tmpfs") || kind.stdout.starts_with(b"ramfs")
}

#[test]
fn without_a_place_in_memory_nothing_is_edited() {
    let place = place("echo 'new: 1' >>\"$1\"");
    place.seal("s.yaml", PLAIN);
    let on_disk = place.path("disk");
    std::fs::create_dir(&on_disk).unwrap();
    if is_in_memory(&on_disk) {
        return;
    }
    let output = place
        .command("unshare".as_ref())
        .args([
            "-m",
            "sh",
            "-c",
            "mount --bind disk /dev/shm || exit 99; exec \"$0\" edit s.yaml",
        ])
        .arg(env!("CARGO_BIN_EXE_ccsec"))
        .output();
    let Ok(output) = output else {
        drop(writeln!(
            std::io::stderr(),
            "skip: there is no unshare, so /dev/shm cannot be hidden"
        ));
        return;
    };
    let message = String::from_utf8_lossy(&output.stderr);
    if output.status.code() == Some(99) || message.contains("unshare") {
        drop(writeln!(
            std::io::stderr(),
            "skip: no mount namespace could be made: {message}"
        ));
        return;
    }
    assert_eq!(output.status.code(), Some(3), "{message}");
    assert!(
        message.contains("no place in memory") && message.contains("/dev/shm"),
        "{message}"
    );
    assert!(std::fs::read_dir(on_disk).unwrap().next().is_none());
}

#[test]
fn a_new_file_starts_empty_and_follows_the_rule() {
    let place = place("wc -c <\"$1\" >size; printf 'a: canary\\n' >\"$1\"");
    place.write(
        ".sops.yaml",
        format!("creation_rules:\n  - age: {}\n", recipient(1)),
    );
    place.ccsec(["edit", "new.yaml"]).expect(0);
    assert_eq!(place.read_text("size").trim(), "0");
    assert!(!place.read_text("new.yaml").contains("canary"));
    assert_eq!(
        place.ccsec(["decrypt", "new.yaml"]).expect(0).text(),
        "a: canary\n"
    );
}

#[test]
fn an_unchanged_file_is_not_written() {
    let place = place("true");
    place.seal("s.yaml", PLAIN);
    let before = place.read("s.yaml");
    place
        .ccsec(["edit", "s.yaml"])
        .expect(200)
        .says(&["File has not changed, exiting."]);
    assert_eq!(place.read("s.yaml"), before);
    place
        .ccsec(["edit", "--age", &recipient(1), "new.yaml"])
        .expect(200);
    assert!(!place.path("new.yaml").exists());
}

#[test]
fn text_that_cannot_be_sealed_is_kept_and_the_file_stays() {
    for text in [
        "a: [1",
        "a: 1\\na: 2",
        "sops: 1",
        "a:\\n\\tb: 1",
        "- list",
        "a: 18446744073709551615",
    ] {
        let place = place(&format!("printf '{text}\\n' >\"$1\"; echo \"$1\" >where"));
        place.seal("s.yaml", PLAIN);
        let before = place.read("s.yaml");
        let run = place.ccsec(["edit", "s.yaml"]);
        assert!(matches!(run.code, Some(2 | 23 | 203)), "{text}: {run:?}");
        assert_eq!(place.read("s.yaml"), before);
        let kept = place.read_text("where").trim().to_owned();
        assert!(
            run.err.contains(&kept) && run.err.contains("line "),
            "{text}: {}",
            run.err
        );
        let directory = PathBuf::from(&kept).parent().unwrap().to_owned();
        let mode = std::fs::metadata(&directory).unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, 0o700);
        assert!(PathBuf::from(&kept).exists());
        std::fs::remove_dir_all(directory).unwrap();
    }
}

#[test]
fn an_editor_that_fails_leaves_nothing() {
    let place = place("echo 'a: 1' >\"$1\"; echo \"$1\" >where; exit 3");
    place.seal("s.yaml", PLAIN);
    let before = place.read("s.yaml");
    place
        .ccsec(["edit", "s.yaml"])
        .expect(201)
        .says(&["Could not run editor: exit status 3"]);
    assert_eq!(place.read("s.yaml"), before);
    assert!(left_behind(&place.read_text("where")).is_empty());
}

#[test]
fn the_editor_variable_is_split_like_a_shell_would() {
    let mut place = place("printf '%s|' \"$1\" \"$2\" >words; echo 'new: 1' >>\"$3\"");
    place.seal("s.yaml", PLAIN);
    let editor = place.path("editor");
    place.set(
        "SOPS_EDITOR",
        &format!("{} 'two words' a\\ b", editor.display()),
    );
    place.set("EDITOR", "false");
    place.ccsec(["edit", "s.yaml"]).expect(0);
    assert_eq!(place.read_text("words"), "two words|a b|");
}

#[test]
fn a_file_that_somebody_else_changed_meanwhile_is_not_overwritten() {
    let place = place("echo 'new: 1' >>\"$1\"; echo '# other' >>s.yaml; echo \"$1\" >where");
    place.seal("s.yaml", PLAIN);
    place
        .ccsec(["edit", "s.yaml"])
        .expect(3)
        .says(&["changed by somebody else", "is kept in"]);
    assert!(place.read_text("s.yaml").ends_with("# other\n"));
    for directory in left_behind(&place.read_text("where")) {
        std::fs::remove_dir_all(directory).unwrap();
    }
}

#[test]
fn a_signal_removes_the_plaintext_and_leaves_the_file() {
    use rustix::process::{Pid, Signal, kill_process};
    for signal in [Signal::INT, Signal::TERM, Signal::HUP] {
        let place = place("echo \"$1\" >where.new; mv where.new where; exec sleep 60");
        place.seal("s.yaml", PLAIN);
        let before = place.read("s.yaml");
        let mut command = place.command(env!("CARGO_BIN_EXE_ccsec").as_ref());
        let mut child = command
            .args(["edit", "s.yaml"])
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let start = Instant::now();
        while !place.path("where").exists() {
            assert!(
                start.elapsed() < Duration::from_secs(20),
                "the editor did not start"
            );
            std::thread::sleep(Duration::from_millis(10));
        }
        kill_process(Pid::from_child(&child), signal).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(1), "{signal:?}");
        assert!(
            left_behind(&place.read_text("where")).is_empty(),
            "{signal:?}"
        );
        assert_eq!(place.read("s.yaml"), before, "{signal:?}");
    }
}

/// What `script` gives: a terminal of its own, which goes when it is killed.
fn on_a_terminal(place: &Place, name: &str) -> Option<std::process::Child> {
    let mut command = place.command("script".as_ref());
    let line = format!("exec {} edit {name} 2>told", env!("CARGO_BIN_EXE_ccsec"));
    let child = command
        .args(["-q", "-e", "-c", &line, "/dev/null"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn();
    if child.is_err() {
        drop(writeln!(
            std::io::stderr(),
            "skip: there is no script(1), which makes a terminal"
        ));
    }
    child.ok()
}

#[track_caller]
fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < Duration::from_secs(20), "{what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// An edit that waits for Enter, since what the editor left cannot be sealed. Its name is nobody else's: texts of former
/// edits are found by it.
fn waiting(place: &Place, name: &str) -> Option<(std::process::Child, PathBuf)> {
    place.seal("s.yaml", PLAIN);
    std::fs::rename(place.path("s.yaml"), place.path(name)).unwrap();
    let child = on_a_terminal(place, name)?;
    let told = || std::fs::read_to_string(place.path("told")).unwrap_or_default();
    wait_until("nobody was asked", || told().contains("Press Enter"));
    let directory = PathBuf::from(place.read_text("where").trim());
    Some((child, directory.parent().unwrap().to_owned()))
}

/// A shell script that leaves text that cannot be sealed.
const UNSEALABLE: &str = "printf 'a: [canary-of-an-edit\\n' >\"$1\"; echo \"$1\" >where";

/// The line of an edit about a text that was kept, and the text.
fn warned(place: &Place, name: &str) -> Option<(String, PathBuf)> {
    let run = place.ccsec(["edit", name]).expect(200);
    let warning = run.err.lines().find(|line| line.contains("was cut off"))?;
    let kept = warning.split(" is kept in ").nth(1).unwrap();
    let kept = PathBuf::from(kept.split(',').next().unwrap());
    Some((warning.to_owned(), kept))
}

#[test]
fn when_the_terminal_goes_while_a_text_cannot_be_sealed_the_text_is_kept_and_found_again() {
    let place = place(UNSEALABLE);
    let name = format!("hung-up-{}.yaml", std::process::id());
    let Some((mut script, directory)) = waiting(&place, &name) else {
        return;
    };
    let before = place.read(&name);
    script.kill().unwrap();
    script.wait().unwrap();
    wait_until("the directory stays where it was", || !directory.exists());
    wait_until("nothing was told", || {
        place.read_text("told").contains("is kept in")
    });
    // Nobody has seen that; the next edit says it again.
    let mut again = place;
    again.set("EDITOR", "true");
    let (_, kept) = warned(&again, &name).unwrap();
    assert_eq!(
        std::fs::read_to_string(&kept).unwrap(),
        "a: [canary-of-an-edit\n"
    );
    assert_eq!(again.read(&name), before);
    let directory = kept.parent().unwrap();
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    assert_eq!((mode(directory), mode(&kept)), (0o700, 0o600));
    assert!(lies_in_memory(directory), "{}", directory.display());
    std::fs::remove_dir_all(directory).unwrap();
    assert_eq!(warned(&again, &name), None);
}

#[test]
fn a_kept_text_is_not_taken_for_that_of_another_file_of_the_same_name() {
    let mut place = place(UNSEALABLE);
    let base = format!("twins-{}.yaml", std::process::id());
    let (one, other) = (format!("one/{base}"), format!("other/{base}"));
    std::fs::create_dir(place.path("one")).unwrap();
    std::fs::create_dir(place.path("other")).unwrap();
    let Some((mut script, _)) = waiting(&place, &one) else {
        return;
    };
    // Ctrl+D
    script.stdin.take().unwrap().write_all(b"\x04").unwrap();
    script.wait().unwrap();
    place.set("EDITOR", "true");
    std::fs::copy(place.path(&one), place.path(&other)).unwrap();
    std::os::unix::fs::symlink(&one, place.path("link.yaml")).unwrap();

    assert_eq!(warned(&place, &other), None);
    let (warning, kept) = warned(&place, &one).unwrap();
    assert!(!warning.contains("another file"), "{warning}");
    assert_eq!(warned(&place, "link.yaml").unwrap().1, kept);
    let directory = kept.parent().unwrap();
    for entry in std::fs::read_dir(directory).unwrap() {
        let mode = entry.unwrap().metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, 0o600);
    }

    // As an older version left it.
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path != kept {
            std::fs::remove_file(path).unwrap();
        }
    }
    for name in [&one, &other] {
        let (warning, found) = warned(&place, name).unwrap();
        assert!(warning.contains("perhaps of another file"), "{warning}");
        assert_eq!(found, kept);
    }
    assert_eq!(warned(&place, "link.yaml"), None);
    std::fs::remove_dir_all(directory).unwrap();
}

#[test]
fn ctrl_c_at_a_text_that_cannot_be_sealed_throws_it_away() {
    let place = place(UNSEALABLE);
    let name = format!("thrown-{}.yaml", std::process::id());
    let Some((mut script, directory)) = waiting(&place, &name) else {
        return;
    };
    let mut keyboard = script.stdin.take().unwrap();
    keyboard.write_all(b"\x03").unwrap();
    assert_eq!(script.wait().unwrap().code(), Some(1));
    assert!(!directory.exists());
    assert!(!place.read_text("told").contains("is kept in"));
    let mut again = place;
    again.set("EDITOR", "true");
    assert_eq!(warned(&again, &name), None);
}

// To go back to the editor would help nobody, and what is thrown away is gone.
#[test]
fn a_text_for_a_file_that_somebody_else_changed_is_kept_without_a_question() {
    for there_before in [true, false] {
        let place = place("echo 'new: 1' >>\"$1\"; echo '# other' >>s.yaml; echo \"$1\" >where");
        if there_before {
            place.seal("s.yaml", PLAIN);
        } else {
            let rule = format!("creation_rules:\n- age: {}\n", recipient(1));
            place.write(".sops.yaml", rule);
        }
        let Some(mut script) = on_a_terminal(&place, "s.yaml") else {
            return;
        };
        assert_eq!(script.wait().unwrap().code(), Some(3));
        let told = place.read_text("told");
        assert!(told.contains("is kept in"), "{told}");
        assert!(!told.contains("Press Enter"), "{told}");
        assert!(place.read_text("s.yaml").ends_with("# other\n"));
        for directory in left_behind(&place.read_text("where")) {
            std::fs::remove_dir_all(directory).unwrap();
        }
    }
}
