//! Plaintext, identities and data keys are in no message and in no file but the one that was asked for.

use std::os::unix::fs::PermissionsExt as _;

use crate::support::{Place, Run, key, recipient};

const CANARY: &str = "canary-9f2c";

/// Words that must not be seen: the plaintext in several spellings, and the private key.
fn forbidden() -> Vec<String> {
    let text = std::fs::read_to_string(key("age-1.txt")).unwrap();
    let identity = text
        .lines()
        .find(|line| line.starts_with("AGE-SECRET-KEY-1"))
        .unwrap();
    let base64 = ["Y2FuYXJ5LTlmMmM", "jYW5hcnktOWYyY", "2FuYXJ5LTlmM"];
    let hexadecimal = "63616e6172792d39663263";
    let mut words: Vec<String> = base64.iter().map(ToString::to_string).collect();
    words.extend([
        CANARY.into(),
        hexadecimal.into(),
        identity.into(),
        identity[20..].into(),
    ]);
    words
}

#[track_caller]
fn clean(what: &str, text: &[u8]) {
    let text = String::from_utf8_lossy(text);
    for word in forbidden() {
        assert!(!text.contains(&word), "{what} holds {word}: {text}");
    }
}

#[track_caller]
fn quiet(what: &str, run: &Run) {
    clean(what, run.err.as_bytes());
    clean(what, &run.out);
}

fn place() -> Place {
    let mut place = Place::new();
    let text = format!("a: {CANARY}\nb:\n    c: {CANARY} # {CANARY}\nshown_unencrypted: x\n");
    place.write("plain.yaml", &text);
    place.seal("sealed.yaml", &text);
    let editor = place.write(
        "editor",
        format!("#!/bin/sh\nprintf 'x: {CANARY}\\n\\ty: [{CANARY}' >\"$1\"\necho \"$1\" >where\n"),
    );
    std::fs::set_permissions(&editor, std::fs::Permissions::from_mode(0o755)).unwrap();
    place.set("EDITOR", editor.to_str().unwrap());
    place
}

#[test]
fn commands_that_succeed_say_nothing_secret() {
    let place = place();
    quiet(
        "encrypt",
        &place
            .ccsec(["encrypt", "--age", &recipient(1), "plain.yaml"])
            .expect(0),
    );
    let value = format!("\"{CANARY}\"");
    quiet(
        "set",
        &place
            .ccsec(["set", "sealed.yaml", "[\"d\"]", &value])
            .expect(0),
    );
    let run = place.ccsec_with(
        ["set", "sealed.yaml", "[\"e\"]", "--raw", "--value-stdin"],
        CANARY.as_bytes(),
    );
    quiet("set --raw", &run.expect(0));
    clean("the sealed file", &place.read("sealed.yaml"));
    let run = place
        .ccsec(["decrypt", "--output", "out.yaml", "sealed.yaml"])
        .expect(0);
    quiet("decrypt --output", &run);
    let run = place.ccsec(["decrypt", "sealed.yaml"]).expect(0);
    clean("decrypt", run.err.as_bytes());
}

#[test]
fn commands_that_fail_say_nothing_secret() {
    let place = place();
    let sealed = place.read_text("sealed.yaml");
    place.write(
        "edited.yaml",
        sealed.replace("unencrypted: x", "unencrypted: y"),
    );
    place.write("moved.yaml", sealed.replace("a: ENC", "z: ENC"));
    place.write("cut.yaml", &sealed[..sealed.len() / 2]);
    place.write("bad.yaml", format!("a: {CANARY}\n\tb: {CANARY}\n"));
    place.write("twice.yaml", format!("a: {CANARY}\na: {CANARY}\n"));
    place.write("number.yaml", format!("a: {CANARY}\nb: !!int {CANARY}\n"));
    place.write("anchor.yaml", format!("a: *missing {CANARY}\n"));
    place.write("reserved.yaml", format!("a: {CANARY}\nsops: {CANARY}\n"));
    place.write("bad.json", format!("{{\"a\": \"{CANARY}\" \"{CANARY}\"}}"));
    place.write("value", format!("{{\"x\": {CANARY}"));
    let age = recipient(1);
    let failing: &[&[&str]] = &[
        &["decrypt", "edited.yaml"],
        &["decrypt", "moved.yaml"],
        &["decrypt", "cut.yaml"],
        &["decrypt", "plain.yaml"],
        &["decrypt", "--extract", "[\"a\"][\"b\"]", "sealed.yaml"],
        &["decrypt", "--extract", "[\"none\"]", "sealed.yaml"],
        &["encrypt", "--age", &age, "bad.yaml"],
        &["encrypt", "--age", &age, "twice.yaml"],
        &["encrypt", "--age", &age, "number.yaml"],
        &["encrypt", "--age", &age, "anchor.yaml"],
        &["encrypt", "--age", &age, "reserved.yaml"],
        &["encrypt", "--age", &age, "bad.json"],
        &["encrypt", "plain.yaml"],
        &["set", "edited.yaml", "[\"a\"]", "\"canary-9f2c\""],
        &["set", "sealed.yaml", "[\"a\"]", "canary-9f2c"],
        &["set", "sealed.yaml", "[\"a\"]", "--value-file", "value"],
        &[
            "set",
            "sealed.yaml",
            "[\"a\"]",
            "\"canary-9f2c\"",
            "\"canary-9f2c\"",
        ],
        &["set", "sealed.yaml", "[\"a\"]", "-canary-9f2c"],
        &["set", "sealed.yaml", "[\"sops\"]", "\"canary-9f2c\""],
        &[
            "set",
            "sealed.yaml",
            "--value-file=value",
            "[\"a\"]",
            "\"canary-9f2c\"",
        ],
        &["edit", "edited.yaml"],
        &["edit", "plain.yaml"],
    ];
    for arguments in failing {
        let run = place.ccsec(*arguments);
        assert_ne!(run.code, Some(0), "{arguments:?}");
        assert_ne!(run.code, Some(70), "{arguments:?}: {}", run.err);
        quiet(&format!("{arguments:?}"), &run);
    }
    let run = place.ccsec(["edit", "sealed.yaml"]);
    assert_ne!(run.code, Some(0));
    quiet("edit", &run);
    let kept = place.read_text("where");
    std::fs::remove_dir_all(std::path::Path::new(kept.trim()).parent().unwrap()).unwrap();
}

#[test]
fn a_key_that_is_damaged_or_of_somebody_else_is_not_shown() {
    let mut place = place();
    let text = std::fs::read_to_string(key("age-1.txt")).unwrap();
    place.write(
        "key.txt",
        text.replace("AGE-SECRET-KEY-1", "AGE-SECRET-KEY-1X"),
    );
    let path = place.path("key.txt");
    place.set("SOPS_AGE_KEY_FILE", path.to_str().unwrap());
    quiet(
        "damaged",
        &place.ccsec(["decrypt", "sealed.yaml"]).expect(128),
    );
    place.set(
        "SOPS_AGE_KEY",
        &text.replace("AGE-SECRET-KEY-1", "AGE-SECRET-KEY-1Y"),
    );
    quiet(
        "variable",
        &place.ccsec(["decrypt", "sealed.yaml"]).expect(128),
    );
    place.set("SOPS_AGE_KEY_FILE", key("age-2.txt").to_str().unwrap());
    quiet(
        "other",
        &place.ccsec(["decrypt", "sealed.yaml"]).expect(128),
    );
}

#[test]
fn files_of_the_other_formats_give_nothing_away() {
    let place = place();
    place.write("plain.env", format!("A={CANARY}\n#{CANARY}\n"));
    place.write("plain.ini", format!("; {CANARY}\n[s]\nk = {CANARY}\n"));
    place.write("plain.bin", format!("\0{CANARY}"));
    let age = recipient(1);
    for name in ["plain.env", "plain.ini", "plain.bin"] {
        for to in ["yaml", "json", "dotenv", "ini", "binary"] {
            let run = place.ccsec(["encrypt", "--age", &age, "--output-type", to, name]);
            quiet(&format!("encrypt {name} as {to}"), &run);
        }
        let sealed = name.replace("plain", "sealed");
        let text = place.read_text(name);
        place.seal(&sealed, &text);
        clean(&sealed, &place.read(&sealed));
        let run = place
            .ccsec(["decrypt", "--output", "out", &sealed])
            .expect(0);
        quiet("decrypt --output", &run);
        let run = place.ccsec(["unset", &sealed, "[\"zz\"]"]).expect(1);
        quiet("unset", &run);
    }
    let bad = [
        ("line.env", format!("A=1\n{CANARY}\n")),
        ("reserved.env", format!("sops_mac={CANARY}\n")),
        ("line.ini", format!("[s]\n{CANARY}\n")),
        ("header.ini", format!("[s\nk = {CANARY}\n")),
        ("twice.ini", format!("[s]\nk = {CANARY}\nk = {CANARY}\n")),
        ("quote.ini", format!("[s]\nk = `{CANARY}` {CANARY}\n")),
    ];
    for (name, text) in &bad {
        place.write(name, text);
        let run = place.ccsec(["encrypt", "--age", &age, name]);
        assert_ne!(run.code, Some(0), "{name}");
        quiet(name, &run);
    }
    // What a format cannot hold is named by its key.
    place.seal(
        "deep.yaml",
        &format!("a:\n    b: {CANARY}\nc: [{CANARY}]\n"),
    );
    place.seal("slash.json", &format!("{{\"a\": \"{CANARY}\\\\n\"}}"));
    for to in ["dotenv", "ini", "binary"] {
        for name in ["deep.yaml", "slash.json"] {
            let run = place.ccsec(["decrypt", "--output-type", to, name]);
            quiet(&format!("decrypt {name} as {to}"), &run.expect(4));
        }
    }
}
