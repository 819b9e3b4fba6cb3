//! Every exit code of the sops-shaped commands, each next to the one that real sops gives.

use crate::support::{PLAIN, Place, key, recipient};

/// One command line in a place where `sealed.yaml`, `plain.yaml` and some broken files lie.
struct Case {
    arguments: &'static [&'static str],
    input: &'static str,
    code: i32,
    /// What sops does instead, where we differ on purpose (spec of the command line, section 10).
    sops: i32,
}

const fn case(arguments: &'static [&'static str], code: i32) -> Case {
    Case {
        arguments,
        input: "",
        code,
        sops: code,
    }
}

const fn differs(arguments: &'static [&'static str], code: i32, sops: i32) -> Case {
    Case {
        arguments,
        input: "",
        code,
        sops,
    }
}

fn place() -> Place {
    let place = Place::new();
    place.seal("sealed.yaml", PLAIN);
    place.write("plain.yaml", PLAIN);
    place.write("broken.yaml", "a: [1\nb: 2\n");
    place.write("empty.yaml", "");
    place.write("comments.yaml", "# nothing\n");
    place.write("list.yaml", "- a\n");
    place.write("large.yaml", "a: 18446744073709551615\n");
    place.write("value.json", "\"from a file\"\n");
    let sealed = place.read_text("sealed.yaml");
    place.write("moved.yaml", sealed.replace("string: ENC", "strings: ENC"));
    place.write("edited.yaml", sealed.replace("visible", "changed"));
    let no_mac: String = sealed
        .lines()
        .filter(|line| !line.contains("mac:"))
        .map(|line| format!("{line}\n"))
        .collect();
    place.write("no-mac.yaml", no_mac);
    place.write(
        "rules.yaml",
        "creation_rules:\n  - path_regex: never\\.yaml\n    age: age1unused\n",
    );
    place
}

/// Runs each case with both programs, each in a fresh place.
#[track_caller]
fn compare(cases: &[Case], prepare: impl Fn(&mut Place)) {
    for case in cases {
        let arguments: Vec<String> = case
            .arguments
            .iter()
            .map(|word| word.replace("AGE1", &recipient(1)))
            .collect();
        let mut ours = place();
        prepare(&mut ours);
        let run = ours.ccsec_with(&arguments, case.input.as_bytes());
        assert_eq!(
            run.code,
            Some(case.code),
            "ccsec {arguments:?}: {}",
            run.err
        );
        let mut theirs = place();
        prepare(&mut theirs);
        let Some(sops) = theirs.sops(&arguments, case.input.as_bytes()) else {
            return;
        };
        assert_eq!(
            sops.code,
            Some(case.sops),
            "sops {arguments:?}: {}",
            sops.err
        );
        if case.arguments[0] == "decrypt" && case.code == 0 {
            assert_eq!(run.text(), sops.text(), "{arguments:?}");
        }
    }
}

#[test]
fn decrypt_exits_as_sops_does() {
    compare(
        &[
            case(&["decrypt", "sealed.yaml"], 0),
            case(&["decrypt", "sealed.yaml", "--output-type", "yaml"], 0),
            case(&["decrypt", "missing.yaml"], 100),
            case(&["decrypt", "."], 2),
            case(&["decrypt", "plain.yaml"], 1),
            case(&["decrypt", "broken.yaml"], 1),
            case(&["decrypt", "moved.yaml"], 25),
            case(&["decrypt", "edited.yaml"], 51),
            case(&["decrypt", "no-mac.yaml"], 51),
            case(&["decrypt", "-i", "--output", "x.yaml", "sealed.yaml"], 8),
            case(&["decrypt", "-i"], 8),
            case(&["decrypt", "--bogus", "sealed.yaml"], 1),
            case(
                &["decrypt", "--decryption-order", "age,age", "sealed.yaml"],
                112,
            ),
            case(
                &["decrypt", "--decryption-order", "pgp,age", "sealed.yaml"],
                0,
            ),
            case(
                &["decrypt", "--output", "no/such/directory", "sealed.yaml"],
                3,
            ),
            case(&["decrypt", "sealed.yaml", "plain.yaml"], 0),
            Case {
                arguments: &["decrypt", "--input-type", "yaml", "--output-type", "yaml"],
                input: "sops: {}\n",
                code: 1,
                sops: 1,
            },
            differs(&["decrypt", "--input-type", "yml", "sealed.yaml"], 1, 0),
            case(&["decrypt", "--ignore-mac", "sealed.yaml"], 0),
            case(&["decrypt", "--ignore-mac", "edited.yaml"], 0),
            case(&["decrypt", "--ignore-mac", "no-mac.yaml"], 0),
            case(&["decrypt", "--ignore-mac", "moved.yaml"], 25),
            case(&["decrypt", "--output-type", "json", "sealed.yaml"], 0),
            case(&["decrypt", "--output-type", "binary", "sealed.yaml"], 4),
        ],
        |_| {},
    );
}

#[test]
fn extract_prints_and_exits_as_sops_does() {
    compare(
        &[
            case(&["decrypt", "--extract", "[\"string\"]", "sealed.yaml"], 0),
            case(
                &["decrypt", "--extract", "['map']['inner']", "sealed.yaml"],
                0,
            ),
            case(&["decrypt", "--extract", "[\"int\"]", "sealed.yaml"], 0),
            case(&["decrypt", "--extract", "[\"big\"]", "sealed.yaml"], 0),
            case(&["decrypt", "--extract", "[\"float\"]", "sealed.yaml"], 0),
            case(&["decrypt", "--extract", "[\"bool\"]", "sealed.yaml"], 0),
            case(&["decrypt", "--extract", "[\"nothing\"]", "sealed.yaml"], 0),
            case(&["decrypt", "--extract", "[\"lines\"]", "sealed.yaml"], 0),
            case(&["decrypt", "--extract", "[\"map\"]", "sealed.yaml"], 0),
            case(
                &["decrypt", "--extract", "[\"map\"][\"list\"]", "sealed.yaml"],
                0,
            ),
            case(
                &[
                    "decrypt",
                    "--extract",
                    "[\"map\"][\"list\"][2]",
                    "sealed.yaml",
                ],
                0,
            ),
            case(
                &[
                    "decrypt",
                    "--extract",
                    "[\"map\"][\"list\"][1]",
                    "sealed.yaml",
                ],
                0,
            ),
            case(&["decrypt", "--extract", "[\"absent\"]", "sealed.yaml"], 1),
            case(
                &[
                    "decrypt",
                    "--extract",
                    "[\"map\"][\"list\"][9]",
                    "sealed.yaml",
                ],
                1,
            ),
            case(&["decrypt", "--extract", "[\"sops\"]", "sealed.yaml"], 1),
            case(&["decrypt", "--extract", "bad", "sealed.yaml"], 91),
            case(&["decrypt", "--extract", "[\"string\"", "sealed.yaml"], 91),
            // sops panics, and takes an index into a map for one of its entries.
            differs(
                &["decrypt", "--extract", "[\"string\"][\"x\"]", "sealed.yaml"],
                1,
                2,
            ),
            differs(
                &["decrypt", "--extract", "[\"map\"][0]", "sealed.yaml"],
                1,
                0,
            ),
        ],
        |_| {},
    );
}

#[test]
fn encrypt_exits_as_sops_does() {
    compare(
        &[
            case(&["encrypt", "--age", "AGE1", "plain.yaml"], 0),
            case(&["encrypt", "--age", "AGE1", "missing.yaml"], 100),
            case(&["encrypt", "plain.yaml"], 1),
            case(&["encrypt", "--age", "age1nonsense", "plain.yaml"], 1),
            case(&["encrypt", "--age", "AGE1", "sealed.yaml"], 203),
            case(&["encrypt", "--age", "AGE1", "broken.yaml"], 2),
            case(&["encrypt", "--age", "AGE1", "empty.yaml"], 92),
            case(&["encrypt", "--age", "AGE1", "comments.yaml"], 2),
            case(&["encrypt", "--age", "AGE1", "list.yaml"], 2),
            case(&["encrypt", "--age", "AGE1", "large.yaml"], 23),
            case(&["encrypt", "--age", "AGE1", "."], 2),
            case(&["encrypt", "--age", "AGE1"], 8),
            case(&["encrypt", "-i", "--age", "AGE1"], 8),
            case(
                &[
                    "encrypt",
                    "--age",
                    "AGE1",
                    "--encrypted-suffix",
                    "a",
                    "--encrypted-regex",
                    "b",
                    "plain.yaml",
                ],
                8,
            ),
            case(&["--config", "absent.yaml", "encrypt", "plain.yaml"], 1),
            case(&["--config", "rules.yaml", "encrypt", "plain.yaml"], 1),
            // A rule that does not match is no reason to refuse keys that were given by name.
            differs(
                &[
                    "--config",
                    "rules.yaml",
                    "encrypt",
                    "--age",
                    "AGE1",
                    "plain.yaml",
                ],
                0,
                1,
            ),
            // sops writes plaintext.
            differs(
                &[
                    "encrypt",
                    "--age",
                    "AGE1",
                    "--encrypted-regex",
                    "(",
                    "plain.yaml",
                ],
                1,
                0,
            ),
            Case {
                arguments: &["encrypt", "--age", "AGE1", "--filename-override", "x.yaml"],
                input: "a: b\n",
                code: 0,
                sops: 0,
            },
        ],
        |_| {},
    );
}

#[test]
fn set_exits_as_sops_does() {
    compare(
        &[
            case(&["set", "sealed.yaml", "[\"string\"]", "\"new\""], 0),
            case(&["set", "sealed.yaml", "[\"map\"][\"made\"][0]", "1"], 0),
            case(
                &[
                    "set",
                    "--value-file",
                    "sealed.yaml",
                    "[\"string\"]",
                    "value.json",
                ],
                0,
            ),
            Case {
                arguments: &["set", "--value-stdin", "sealed.yaml", "[\"string\"]"],
                input: "\"new\"\n",
                code: 0,
                sops: 0,
            },
            case(
                &[
                    "set",
                    "--idempotent",
                    "sealed.yaml",
                    "[\"string\"]",
                    "\"canary-text\"",
                ],
                0,
            ),
            case(&["set"], 100),
            case(&["set", "sealed.yaml"], 100),
            case(&["set", "sealed.yaml", "[\"string\"]"], 100),
            case(&["set", "sealed.yaml", "[\"string\"]", "1", "2"], 100),
            case(
                &["set", "--value-stdin", "sealed.yaml", "[\"string\"]", "1"],
                100,
            ),
            case(
                &[
                    "set",
                    "--value-stdin",
                    "--value-file",
                    "sealed.yaml",
                    "[\"string\"]",
                    "1",
                ],
                1,
            ),
            case(&["set", "sealed.yaml", "[string]", "1"], 7),
            case(&["set", "sealed.yaml", "[\"string\"", "1"], 7),
            case(&["set", "sealed.yaml", "[\"string\"]", "not json"], 7),
            case(&["set", "sealed.yaml", "[\"string\"]", "1 2"], 7),
            case(&["set", "sealed.yaml", "[\"sops\"]", "1"], 203),
            case(&["set", "missing.yaml", "[\"a\"]", "1"], 2),
            case(&["set", "plain.yaml", "[\"a\"]", "1"], 1),
            case(&["set", "edited.yaml", "[\"a\"]", "1"], 51),
            case(&["set", "moved.yaml", "[\"a\"]", "1"], 25),
            // sops refuses arrays, and panics on odd paths.
            differs(&["set", "sealed.yaml", "[\"string\"]", "[1, 2]"], 0, 7),
            differs(
                &["set", "sealed.yaml", "[\"map\"][\"list\"][\"x\"]", "1"],
                7,
                2,
            ),
        ],
        |_| {},
    );
}

#[test]
fn unset_exits_as_sops_does() {
    compare(
        &[
            case(&["unset", "sealed.yaml", "[\"string\"]"], 0),
            case(&["unset", "sealed.yaml", "[\"map\"][\"list\"][0]"], 0),
            case(&["unset", "sealed.yaml", "[\"zz\"]"], 1),
            case(&["unset", "--idempotent", "sealed.yaml", "[\"zz\"]"], 0),
            case(&["unset", "sealed.yaml", "[\"map\"][\"list\"][9]"], 1),
            case(&["unset", "sealed.yaml", "[\"int\"][\"b\"]"], 1),
            case(
                &["unset", "--idempotent", "sealed.yaml", "[\"int\"][\"b\"]"],
                1,
            ),
            case(&["unset", "sealed.yaml", "[\"sops\"]"], 1),
            case(&["unset", "sealed.yaml", "[zz]"], 7),
            case(&["unset"], 100),
            case(&["unset", "sealed.yaml"], 100),
            case(&["unset", "sealed.yaml", "[\"int\"]", "x"], 100),
            case(&["unset", "missing.yaml", "[\"a\"]"], 2),
            case(&["unset", "plain.yaml", "[\"a\"]"], 1),
            case(&["unset", "edited.yaml", "[\"int\"]"], 51),
            case(&["unset", "moved.yaml", "[\"int\"]"], 25),
            // sops panics.
            differs(
                &["unset", "sealed.yaml", "[\"map\"][\"list\"][\"x\"]"],
                1,
                2,
            ),
        ],
        |_| {},
    );
}

#[test]
fn edit_exits_as_sops_does() {
    let cases = [
        case(&["edit"], 100),
        case(&["edit", "plain.yaml"], 1),
        case(&["edit", "broken.yaml"], 1),
        case(&["edit", "edited.yaml"], 51),
        case(&["edit", "sealed.yaml"], 200),
        case(&["edit", "--age", "AGE1", "new.yaml"], 200),
        case(&["edit", "new.yaml"], 1),
    ];
    compare(&cases, |place| place.set("EDITOR", "true"));
    let fails = [case(&["edit", "sealed.yaml"], 201)];
    compare(&fails, |place| place.set("EDITOR", "false"));
    compare(&fails, |place| place.set("EDITOR", "/no/such/editor"));
    compare(&fails, |place| place.set("PATH", "/nowhere"));
}

#[test]
fn without_the_key_every_command_exits_as_sops_does() {
    compare(
        &[
            case(&["decrypt", "sealed.yaml"], 128),
            case(
                &["decrypt", "--extract", "[\"string\"]", "sealed.yaml"],
                128,
            ),
            case(&["set", "sealed.yaml", "[\"string\"]", "1"], 128),
            case(&["edit", "sealed.yaml"], 128),
        ],
        |place| place.set("SOPS_AGE_KEY_FILE", key("age-2.txt").to_str().unwrap()),
    );
}

#[test]
fn a_file_without_a_key_that_opens_it_begins_the_report_of_sops() {
    let mut place = place();
    place.set("SOPS_AGE_KEY_FILE", key("age-2.txt").to_str().unwrap());
    let ours = place.ccsec(["decrypt", "sealed.yaml"]).expect(128);
    assert!(ours.err.contains("looked for keys in"), "{}", ours.err);
    let Some(sops) = place.sops(["decrypt", "sealed.yaml"], b"") else {
        return;
    };
    let head = |text: &str| text.lines().take(4).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(head(&ours.err), head(&sops.err));
}
