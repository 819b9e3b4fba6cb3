//! `encrypt --onto`, and encrypting again onto a file that is there.

use std::os::unix::fs::MetadataExt as _;

use crate::support::{PLAIN, Place, Run, key, recipient};

/// A place with a plaintext file and a sealed one.
fn place() -> Place {
    let place = Place::new();
    place.write("p.yaml", PLAIN);
    encrypt(&place, &["--output", "s.yaml"]).expect(0);
    place
}

fn encrypt(place: &Place, flags: &[&str]) -> Run {
    let one = recipient(1);
    let args = [&["encrypt", "--age", &one], flags, &["p.yaml"]].concat();
    place.ccsec(args)
}

fn inode(place: &Place, name: &str) -> u64 {
    std::fs::metadata(place.path(name)).unwrap().ino()
}

/// What the nonces of one text have in common with those of another, and how many it has.
fn kept(before: &str, after: &str) -> (usize, usize) {
    let nonces = |text: &str| -> Vec<String> {
        let parts = text.split(",iv:").skip(1);
        parts
            .map(|rest| rest.split(',').next().unwrap().to_owned())
            .collect()
    };
    let (before, after) = (nonces(before), nonces(after));
    let kept = after.iter().filter(|nonce| before.contains(nonce)).count();
    (kept, after.len())
}

#[test]
fn encrypting_the_same_text_again_writes_nothing() {
    let place = place();
    let (before, file) = (place.read_text("s.yaml"), inode(&place, "s.yaml"));
    for flags in [
        &["--output", "s.yaml"][..],
        &["--output", "s.yaml", "--onto", "s.yaml"],
    ] {
        let run = encrypt(&place, flags).expect(0);
        assert_eq!((run.err.as_str(), run.out.as_slice()), ("", &b""[..]));
        assert_eq!(place.read_text("s.yaml"), before);
        assert_eq!(inode(&place, "s.yaml"), file, "{flags:?}");
    }
    let printed = encrypt(&place, &["--onto", "s.yaml"]).expect(0);
    assert_eq!(printed.text(), before);
}

#[test]
fn onto_keeps_the_ciphertext_of_what_did_not_change() {
    let place = place();
    let before = place.read_text("s.yaml");
    let text = PLAIN.replace("int: 7", "int: 8");
    place.write("p.yaml", &text);
    encrypt(&place, &["--onto", "s.yaml", "--output", "s.yaml"]).expect(0);
    let after = place.read_text("s.yaml");
    let (kept, all) = kept(&before, &after);
    // All but the value and the MAC.
    assert_eq!(kept, all - 2);
    assert_eq!(place.ccsec(["decrypt", "s.yaml"]).expect(0).text(), text);
    let Some(sops) = place.sops(["decrypt", "s.yaml"], b"") else {
        return;
    };
    assert_eq!(sops.expect(0).text(), text);
}

#[test]
fn in_place_takes_the_older_version_from_elsewhere() {
    let place = place();
    let before = place.read_text("s.yaml");
    encrypt(&place, &["-i", "--onto", "s.yaml"]).expect(0);
    assert_eq!(place.read_text("p.yaml"), before);
}

// Whoever planted the file at the target knows its data key.
#[test]
fn nothing_new_is_sealed_under_a_key_that_nobody_named() {
    let place = place();
    let before = place.read_text("s.yaml");
    place.write("p.yaml", PLAIN.replace("int: 7", "int: 8"));
    encrypt(&place, &["--output", "s.yaml"]).expect(0);
    let after = place.read_text("s.yaml");
    assert_eq!(kept(&before, &after).0, 0);
    let wrapped = |text: &str| text.split("enc: |").nth(1).unwrap().to_owned();
    assert_ne!(wrapped(&before), wrapped(&after));
}

#[test]
fn a_clear_value_may_change_under_the_old_key() {
    let place = place();
    let before = place.read_text("s.yaml");
    place.write("p.yaml", PLAIN.replace("visible", "seen"));
    encrypt(&place, &["--output", "s.yaml"]).expect(0);
    let after = place.read_text("s.yaml");
    let (kept, all) = kept(&before, &after);
    assert_eq!(kept, all - 1);
    assert!(after.contains("note_unencrypted: seen"));
    place.ccsec(["decrypt", "s.yaml"]).expect(0);
}

#[test]
fn another_rule_gives_a_new_file_and_is_refused_by_name_with_onto() {
    let place = place();
    let before = place.read_text("s.yaml");
    let both = format!("{},{}", recipient(1), recipient(2));
    place
        .ccsec(["encrypt", "--age", &both, "--onto", "s.yaml", "p.yaml"])
        .expect(1)
        .says(&[
            "s.yaml: ",
            "only in the rule",
            &recipient(2),
            "without --onto",
        ]);
    encrypt(&place, &["--encrypted-regex", "a", "--onto", "s.yaml"])
        .expect(1)
        .says(&["s.yaml: ", "other values"]);
    let args = ["encrypt", "--age", &both, "--output", "s.yaml", "p.yaml"];
    place.ccsec(args).expect(0);
    let after = place.read_text("s.yaml");
    assert_eq!(kept(&before, &after).0, 0);
    assert!(after.contains(&recipient(2)));
}

#[test]
fn an_older_version_that_cannot_be_used_is_named() {
    let mut place = place();
    encrypt(&place, &["--onto", "none.yaml"])
        .expect(100)
        .says(&["none.yaml"]);
    encrypt(&place, &["--onto", "p.yaml"])
        .expect(1)
        .says(&["sops metadata not found", "p.yaml"]);
    let damaged = place.read_text("s.yaml").replace("visible", "changed");
    place.write("damaged.yaml", damaged);
    encrypt(&place, &["--onto", "damaged.yaml"])
        .expect(51)
        .says(&["damaged.yaml"]);
    place.set("SOPS_AGE_KEY_FILE", key("age-3.txt").to_str().unwrap());
    encrypt(&place, &["--onto", "s.yaml"])
        .expect(128)
        .says(&["Group 0: FAILED"]);
}

#[test]
fn a_target_that_cannot_be_used_is_written_over() {
    for content in ["", "a: 1\n", "sops: 5\n", "{", "\0"] {
        let place = place();
        place.write("s.yaml", content);
        let run = encrypt(&place, &["--output", "s.yaml"]).expect(0);
        assert_eq!(run.err, "", "{content:?}");
        assert_eq!(place.ccsec(["decrypt", "s.yaml"]).expect(0).text(), PLAIN);
    }
    // Without a key nothing can be compared, and no command is run to get one.
    let mut place = place();
    let before = place.read_text("s.yaml");
    place.set("SOPS_AGE_KEY_FILE", "/nonexistent");
    let script = place.write("command", "#!/bin/sh\ntouch asked\n");
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o700);
    std::fs::set_permissions(&script, mode).unwrap();
    place.set("SOPS_AGE_KEY_CMD", script.to_str().unwrap());
    encrypt(&place, &["--output", "s.yaml"]).expect(0);
    assert_eq!(kept(&before, &place.read_text("s.yaml")).0, 0);
    assert!(!place.names().contains(&"asked".to_owned()));
}

#[test]
fn every_format_is_left_alone_where_nothing_changes() {
    let place = Place::new();
    let one = recipient(1);
    place.write("p.env", "# note\nA=text\nB=two words\n");
    place.write("p.ini", "; note\n[a]\nb = text\n");
    place.write("p.json", "{\"a\": [1.50, \"x\", \"x\"]}\n");
    place.write("p.bin", b"\0\x01binary\n");
    place.write("p.yaml", PLAIN);
    let plain = ["p.env", "p.ini", "p.json", "p.bin", "p.yaml"];
    let mut runs: Vec<Vec<&str>> = plain.map(|name| vec![name]).into();
    runs.push(vec!["--output-type", "json", "p.yaml"]);
    for (nth, run) in runs.iter().enumerate() {
        let sealed = format!("sealed-{nth}");
        let args = [
            &["encrypt", "--age", &one, "--output", &sealed],
            run.as_slice(),
        ]
        .concat();
        place.ccsec(&args).expect(0);
        let (before, file) = (place.read(&sealed), inode(&place, &sealed));
        place.ccsec(&args).expect(0);
        assert_eq!(place.read(&sealed), before, "{run:?}");
        assert_eq!(inode(&place, &sealed), file, "{run:?}");
        let onto = [&args[..], &["--onto", &sealed]].concat();
        place.ccsec(onto).expect(0);
        assert_eq!(place.read(&sealed), before, "{run:?}");
    }
}
