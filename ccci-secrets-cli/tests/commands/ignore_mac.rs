//! `--ignore-mac`: as sops goes on although the MAC does not match, with a word about it.

use std::os::unix::fs::PermissionsExt as _;

use crate::support::{PLAIN, Place};

/// `sealed.yaml`, and the same with a clear value edited, without a MAC, and with a MAC that does not open.
fn place() -> Place {
    let place = Place::new();
    place.seal("sealed.yaml", PLAIN);
    let sealed = place.read_text("sealed.yaml");
    place.write("edited.yaml", sealed.replace("visible", "changed"));
    let mac = sealed.lines().find(|line| line.contains("mac: ")).unwrap();
    place.write("no-mac.yaml", sealed.replace(&format!("{mac}\n"), ""));
    place.write("bad-mac.yaml", sealed.replace(mac, "    mac: nonsense"));
    place
}

const BROKEN: [&str; 3] = ["edited.yaml", "no-mac.yaml", "bad-mac.yaml"];

fn expected(name: &str) -> String {
    match name {
        "edited.yaml" => PLAIN.replace("visible", "changed"),
        _ => PLAIN.to_owned(),
    }
}

#[test]
fn a_file_whose_mac_does_not_match_is_decrypted_with_a_warning() {
    let place = place();
    for name in BROKEN {
        place.ccsec(["decrypt", name]).expect(51);
        let arguments = ["decrypt", "--ignore-mac", name];
        let run = place.ccsec(arguments).expect(0);
        assert_eq!(run.text(), expected(name));
        let run = run.says(&["warning: ", name, "MAC mismatch", "--ignore-mac"]);
        if let Some(sops) = place.sops(arguments, b"") {
            assert_eq!(sops.expect(0).text(), run.text(), "{name}");
        }
    }
}

#[test]
fn nothing_is_said_of_a_mac_that_matches() {
    let run = place().ccsec(["decrypt", "--ignore-mac", "sealed.yaml"]);
    assert_eq!(run.expect(0).err, "");
}

#[test]
fn one_value_can_be_taken_out_of_it() {
    let place = place();
    for name in BROKEN {
        let arguments = ["decrypt", "--ignore-mac", "--extract", "[\"int\"]", name];
        assert_eq!(place.ccsec(arguments).expect(0).text(), "7\n");
    }
}

#[test]
fn what_is_changed_under_it_opens_again_in_both_programs() {
    let mut place = place();
    let editor = place.write("editor", "#!/bin/sh\nsed -i s/canary-text/new/ \"$1\"\n");
    std::fs::set_permissions(&editor, std::fs::Permissions::from_mode(0o755)).unwrap();
    place.set("EDITOR", editor.to_str().unwrap());
    for name in BROKEN {
        let before = place.read_text(name);
        let changed = expected(name).replace("canary-text", "new");
        for (arguments, after) in [
            (
                &["set", name, "[\"string\"]", "\"new\""][..],
                changed.clone(),
            ),
            (&["edit", name], changed.clone()),
            (
                &["unset", name, "[\"string\"]"],
                expected(name).replace("string: canary-text\n", ""),
            ),
        ] {
            place.write(name, &before);
            place.ccsec(arguments).expect(51);
            assert_eq!(place.read_text(name), before);
            let command = &[&arguments[..1], &["--ignore-mac"], &arguments[1..]].concat();
            place.ccsec(command).expect(0).says(&["MAC mismatch"]);
            assert_eq!(place.ccsec(["decrypt", name]).expect(0).text(), after);
            let keys = |text: &str| {
                text.contains("recipient: age1").then(|| {
                    text.lines()
                        .filter(|line| line.starts_with("int: "))
                        .count()
                })
            };
            assert_eq!(keys(&place.read_text(name)), keys(&before));
            if let Some(sops) = place.sops(["decrypt", name], b"") {
                let sops = sops.expect(0);
                assert_eq!((sops.text(), &*sops.err), (&*after, ""));
            }
        }
    }
}

#[test]
fn a_comment_that_opens_nowhere_is_kept_encrypted_with_a_warning() {
    let place = Place::new();
    place.seal("s.yaml", "# one\na: 1\n");
    place.seal("t.yaml", "# two\nb: 2\n");
    let other = place.read_text("t.yaml");
    let comment = other.lines().next().unwrap();
    let sealed = place.read_text("s.yaml");
    let first = sealed.lines().next().unwrap();
    place.write("s.yaml", sealed.replace(first, comment));
    place.ccsec(["decrypt", "s.yaml"]).expect(25);
    let run = place.ccsec(["decrypt", "--ignore-mac", "s.yaml"]).expect(0);
    assert_eq!(run.text(), format!("{comment}\na: 1\n"));
    run.says(&["line 1: this comment does not open"]);
}

#[test]
fn nothing_is_activated_under_it() {
    let run = place().ccsec(["activate", "--ignore-mac", "manifest.json"]);
    run.expect(2)
        .says(&["there is no flag `--ignore-mac` here"]);
}
