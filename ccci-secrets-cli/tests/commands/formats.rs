//! All five formats, and from each to each: next to what real sops does with the same command line.

use std::os::unix::fs::PermissionsExt as _;

use crate::program::Sops;
use crate::support::{Place, Run, recipient, testdata};

const TYPES: [&str; 5] = ["yaml", "json", "dotenv", "ini", "binary"];

/// One file of every format and some more, all of which `testdata/sops/inputs` holds.
const INPUTS: [&str; 8] = [
    "basic.env",
    "basic.ini",
    "comments.yaml",
    "empty.bin",
    "flat.yaml",
    "nested.yaml",
    "random.bin",
    "types.json",
];

fn input(name: &str) -> Vec<u8> {
    std::fs::read(testdata("sops/inputs").join(name)).unwrap()
}

fn type_of(name: &str) -> &'static str {
    match name.rsplit('.').next().unwrap() {
        "env" => "dotenv",
        "ini" => "ini",
        "json" => "json",
        "yaml" => "yaml",
        _ => "binary",
    }
}

/// Where this build refuses on purpose what sops prints, because it could not be read back.
fn is_refused_on_purpose(run: &Run) -> bool {
    run.code == Some(4)
        && [
            "is not UTF-8 text, which",
            "has a form that the format ini cannot hold",
        ]
        .iter()
        .any(|text| run.err.contains(text))
}

/// Null has no text; sops prints `<nil>`, which would read back as that.
fn without_nil(out: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(out);
    match text.contains("<nil>") {
        true => text.replace("<nil>", "").into_bytes(),
        false => out.to_vec(),
    }
}

#[test]
fn what_sops_sealed_is_printed_in_every_format_as_sops_prints_it() {
    let place = Place::new();
    let (mut same, mut refused) = (0, 0);
    for name in INPUTS {
        place.write(name, input(name));
        let sealed = format!("sealed-{name}");
        let arguments = ["encrypt", "--age", &recipient(1), "--output", &sealed, name];
        let Some(run) = place.sops(arguments, b"") else {
            return;
        };
        run.expect(0);
        for to in TYPES {
            // In the format of the file it is the author's layout that counts, not that of sops.
            if to == type_of(name) && to != "binary" {
                continue;
            }
            let arguments = ["decrypt", "--output-type", to, &sealed];
            let theirs = place.sops(arguments, b"").unwrap();
            let ours = place.ccsec(arguments);
            if theirs.code == Some(0) && is_refused_on_purpose(&ours) {
                refused += 1;
                continue;
            }
            assert_eq!(ours.code, theirs.code, "{name} as {to}: {}", ours.err);
            assert_eq!(ours.out, without_nil(&theirs.out), "{name} as {to}");
            same += 1;
        }
    }
    eprintln!("{same} conversions as in sops, {refused} refused on purpose");
    assert!(same >= 25, "{same}");
}

#[test]
fn what_is_sealed_in_another_format_opens_in_sops() {
    let place = Place::new();
    let mut opened = 0;
    for name in INPUTS {
        place.write(name, input(name));
        for to in TYPES {
            let seal = ["encrypt", "--age", &recipient(1), "--output-type", to, name];
            let Some(theirs) = place.sops(seal, b"") else {
                return;
            };
            let ours = place.ccsec(seal);
            if theirs.code == Some(0) && is_refused_on_purpose(&ours) {
                continue;
            }
            assert_eq!(ours.code, theirs.code, "{name} as {to}: {}", ours.err);
            if ours.code != Some(0) {
                continue;
            }
            // What is sealed as binary holds the tree of the input, as JSON.
            let kind = match (to, type_of(name)) {
                ("binary", from) if from != "binary" => "json",
                _ => to,
            };
            place.write("ours", &ours.out);
            place.write("theirs", &theirs.out);
            let open = |file: &str| {
                let arguments = ["decrypt", "--input-type", kind, "--output-type", kind, file];
                let by_sops = place.sops(arguments, b"").unwrap();
                let by_us = place.ccsec(arguments);
                (by_sops, by_us)
            };
            let (ours, _) = open("ours");
            let (theirs, read) = open("theirs");
            assert_eq!(ours.code, Some(0), "{name} as {to}: {}", ours.err);
            // A whole float is an integer in the text of sops, and typed values that became text cannot be opened by
            // sops itself; both show in its own file only.
            if theirs.code == Some(0) {
                assert_eq!(
                    without_nil(&ours.out),
                    without_nil(&theirs.out),
                    "{name} as {to}"
                );
            }
            if !is_refused_on_purpose(&read) {
                assert_eq!(read.code, theirs.code, "{name} as {to}: {}", read.err);
            }
            opened += 1;
        }
    }
    eprintln!("{opened} files sealed in another format");
    assert!(opened >= 25, "{opened}");
}

#[test]
fn a_binary_file_comes_back_byte_for_byte() {
    let place = Place::new();
    let all: Vec<u8> = (0..=255).cycle().take(1000).collect();
    for bytes in [&all[..], b"", b"\n", b"text\r\n", b"ENC[AES256_GCM,data:x]"] {
        place.write("p.bin", bytes);
        place
            .ccsec([
                "encrypt",
                "--age",
                &recipient(1),
                "--output",
                "s.bin",
                "p.bin",
            ])
            .expect(0);
        let sealed = place.read("s.bin");
        assert_eq!(place.ccsec(["decrypt", "s.bin"]).expect(0).out, bytes);
        // Standard input has no name, so it is binary.
        let run = place.ccsec_with(["decrypt"], &sealed);
        assert_eq!(run.expect(0).out, bytes);
        let run = place.ccsec(["decrypt", "--extract", "[\"data\"]", "s.bin"]);
        assert_eq!(run.expect(0).out, bytes);
        place
            .ccsec(["decrypt", "--output", "out.bin", "s.bin"])
            .expect(0);
        assert_eq!(place.read("out.bin"), bytes);
        let Some(run) = place.sops(["decrypt", "s.bin"], b"") else {
            continue;
        };
        assert_eq!(run.expect(0).out, bytes);
        let arguments = ["encrypt", "--age", &recipient(1), "p.bin"];
        let sealed = place.sops(arguments, b"").unwrap().expect(0);
        let run = place.ccsec_with(["decrypt"], &sealed.out);
        assert_eq!(run.expect(0).out, bytes);
    }
}

#[test]
fn the_name_decides_about_the_output_and_the_type_of_the_input_does_not() {
    let place = Place::new();
    place.seal("s.yaml", "a: canary\n");
    std::fs::copy(place.path("s.yaml"), place.path("s.enc")).unwrap();
    std::fs::copy(place.path("s.yaml"), place.path("s.json")).unwrap();
    for arguments in [
        &["decrypt", "--input-type", "yaml", "s.enc"][..],
        &["decrypt", "--input-type", "yaml", "s.json"],
        &["decrypt", "--filename-override", "x.yaml", "s.enc"],
        &[
            "decrypt",
            "--input-type",
            "yaml",
            "--output-type",
            "yaml",
            "s.enc",
        ],
        &["decrypt", "--input-type", "json", "s.enc"],
    ] {
        let ours = place.ccsec(arguments);
        let Some(theirs) = place.sops(arguments, b"") else {
            return;
        };
        assert_eq!(ours.code, theirs.code, "{arguments:?}: {}", ours.err);
        assert_eq!(ours.text(), theirs.text(), "{arguments:?}");
    }
}

#[test]
fn what_cannot_be_printed_ends_with_the_number_of_sops() {
    let place = Place::new();
    place.seal("s.yaml", "a: canary\nn: 1\nm:\n    k: v\n    l: [1]\n");
    place.seal("s.env", "A=canary\n");
    place.seal("s.ini", "[s]\nk = canary\n");
    place.seal("s.json", "{\"a\": {\"b\": \"canary\"}}\n");
    for (code, arguments) in [
        (4, &["decrypt", "--output-type", "dotenv", "s.yaml"][..]),
        (4, &["decrypt", "--output-type", "ini", "s.env"]),
        (4, &["decrypt", "--output-type", "dotenv", "s.ini"]),
        (4, &["decrypt", "--output-type", "binary", "s.json"]),
        (4, &["decrypt", "--extract", "[\"s\"]", "s.ini"]),
        (0, &["decrypt", "--extract", "[\"s\"][\"k\"]", "s.ini"]),
        (0, &["decrypt", "--extract", "[\"A\"]", "s.env"]),
        (
            4,
            &[
                "decrypt",
                "--extract",
                "[\"n\"]",
                "--output-type",
                "dotenv",
                "s.yaml",
            ],
        ),
        (
            0,
            &[
                "decrypt",
                "--extract",
                "[\"n\"]",
                "--output-type",
                "ini",
                "s.yaml",
            ],
        ),
        (
            4,
            &[
                "decrypt",
                "--extract",
                "[\"n\"]",
                "--output-type",
                "binary",
                "s.yaml",
            ],
        ),
        (
            4,
            &[
                "decrypt",
                "--extract",
                "[\"m\"]",
                "--output-type",
                "dotenv",
                "s.yaml",
            ],
        ),
        (
            0,
            &[
                "decrypt",
                "--extract",
                "[\"m\"][\"l\"]",
                "--output-type",
                "json",
                "s.yaml",
            ],
        ),
        (
            0,
            &[
                "decrypt",
                "--extract",
                "[\"s\"]",
                "--output-type",
                "dotenv",
                "s.ini",
            ],
        ),
    ] {
        let ours = place.ccsec(arguments).expect(code);
        let Some(theirs) = place.sops(arguments, b"") else {
            return;
        };
        assert_eq!(theirs.code, Some(code), "{arguments:?}: {}", theirs.err);
        assert_eq!(ours.text(), theirs.text(), "{arguments:?}");
    }
}

#[test]
fn indentation_is_that_of_the_flag_or_of_the_configuration() {
    let place = Place::new();
    place.seal("s.yaml", "a:\n    b:\n        - canary\n");
    place.seal("s.json", "{\"a\": {\"b\": [\"canary\"]}}\n");
    let compare = |arguments: &[&str]| {
        let ours = place.ccsec(arguments);
        let Some(theirs) = place.sops(arguments, b"") else {
            return;
        };
        assert_eq!(ours.code, theirs.code, "{arguments:?}: {}", ours.err);
        assert_eq!(ours.text(), theirs.text(), "{arguments:?}");
    };
    let all = |more: &[&str]| {
        for (to, file) in [("json", "s.yaml"), ("yaml", "s.json")] {
            compare(&[more, &["decrypt", "--output-type", to, file]].concat());
        }
    };
    all(&[]);
    for indent in ["0", "2", "7", "-1", "-2", "12"] {
        all(&["--indent", indent]);
    }
    place.write(
        "stores.yaml",
        "stores:\n  yaml:\n    indent: 3\n  json:\n    indent: 5\n  json_binary:\n    indent: 2\n",
    );
    all(&["--config", "stores.yaml"]);
    all(&["--config", "stores.yaml", "--indent", "2"]);
    let extract = ["decrypt", "--output-type", "json", "--extract", "[\"a\"]"];
    compare(&[&["--indent", "2"], &extract[..], &["s.yaml"]].concat());
    // The flag counts behind the command, too, where sops does not know it.
    let behind = [
        "decrypt",
        "--indent",
        "2",
        "--output-type",
        "json",
        "s.yaml",
    ];
    let expected = "{\n  \"a\": {\n    \"b\": [\n      \"canary\"\n    ]\n  }\n}\n";
    assert_eq!(place.ccsec(behind).expect(0).text(), expected);
}

#[test]
fn a_sealed_binary_file_is_indented_as_sops_does_it() {
    let place = Place::new();
    place.write("p.bin", "canary");
    let shape = |run: Run| -> Vec<String> {
        let text = run.expect(0).text().to_owned();
        let indent = |line: &str| line.chars().take_while(|c| c.is_whitespace()).collect();
        text.lines().map(indent).collect()
    };
    for indent in ["-1", "0", "2"] {
        let arguments = [
            "--indent",
            indent,
            "encrypt",
            "--age",
            &recipient(1),
            "p.bin",
        ];
        let ours = shape(place.ccsec(arguments));
        let Some(theirs) = place.sops(arguments, b"") else {
            return;
        };
        assert_eq!(ours, shape(theirs), "{indent}");
    }
}

#[test]
fn set_and_unset_change_one_line_of_a_flat_file() {
    let place = Place::new();
    for (name, text, path, after_set, after_unset) in [
        (
            "s.env",
            "# c\nA=1\n\nB=two words\n",
            "[\"A\"]",
            "# c\nA=new\n\nB=two words\n",
            "\nB=two words\n",
        ),
        (
            "s.ini",
            "; c\n[s]\nk=1 ; behind\nlong = 2\n",
            "[\"s\"][\"k\"]",
            "; c\n[s]\nk=new ; behind\nlong = 2\n",
            "; c\n[s]\nlong = 2\n",
        ),
    ] {
        place.seal(name, text);
        place.ccsec(["set", name, path, "\"new\""]).expect(0);
        assert_eq!(place.ccsec(["decrypt", name]).expect(0).text(), after_set);
        if let Some(run) = place.sops(["decrypt", "--extract", path, name], b"") {
            assert_eq!(run.expect(0).text(), "new");
        }
        place.ccsec(["unset", name, path]).expect(0);
        assert_eq!(place.ccsec(["decrypt", name]).expect(0).text(), after_unset);
        if let Some(run) = place.sops(["decrypt", name], b"") {
            run.expect(0);
        }
    }
    let bytes = b"\x00\xff new";
    place.seal("s.bin", "old");
    let arguments = ["set", "s.bin", "[\"data\"]", "--raw", "--value-stdin"];
    place.ccsec_with(arguments, bytes).expect(0);
    assert_eq!(place.ccsec(["decrypt", "s.bin"]).expect(0).out, bytes);
    if let Some(run) = place.sops(["decrypt", "s.bin"], b"") {
        assert_eq!(run.expect(0).out, bytes);
    }
}

#[test]
fn every_format_is_edited_as_its_author_wrote_it() {
    let mut place = Place::new();
    let editor = place.write("editor", "#!/bin/sh\nsed -i s/old/new/ \"$1\"\n");
    std::fs::set_permissions(&editor, std::fs::Permissions::from_mode(0o755)).unwrap();
    place.set("EDITOR", editor.to_str().unwrap());
    for (name, text) in [
        ("e.env", "# c\n\nA=old\nB=  kept  \n"),
        ("e.ini", "; c\n[s]\nk=old ; behind\n\n  long : kept\n"),
        ("e.bin", "old\r\n\tkept, no line end"),
        ("e.json", "{\"a\": \"old\",   \"b\": 1.0}"),
        ("e.yaml", "a:   old # behind\nb: 'kept'\n"),
    ] {
        place.seal(name, text);
        place.ccsec(["edit", name]).expect(0);
        let edited = text.replace("old", "new");
        assert_eq!(place.ccsec(["decrypt", name]).expect(0).text(), edited);
        if let Some(run) = place.sops(["decrypt", name], b"") {
            run.expect(0);
        }
    }
}

#[test]
fn unset_takes_out_what_sops_takes_out() {
    let text = "a: canary\nm:\n    k: v\n    l:\n        - 1\n        - x: z\nnum: 1\n";
    for path in [
        "[\"a\"]",
        "[\"m\"]",
        "[\"m\"][\"k\"]",
        "[\"m\"][\"l\"]",
        "[\"m\"][\"l\"][0]",
        "[\"m\"][\"l\"][1][\"x\"]",
    ] {
        let place = Place::new();
        place.seal("s.yaml", text);
        std::fs::copy(place.path("s.yaml"), place.path("t.yaml")).unwrap();
        place.ccsec(["unset", "s.yaml", path]).expect(0);
        let ours = place.ccsec(["decrypt", "s.yaml"]).expect(0);
        let Some(theirs) = place.sops(["unset", "t.yaml", path], b"") else {
            return;
        };
        theirs.expect(0);
        let theirs = place.sops(["decrypt", "t.yaml"], b"").unwrap().expect(0);
        assert_eq!(ours.text(), theirs.text(), "{path}");
        let again = place.sops(["decrypt", "s.yaml"], b"").unwrap().expect(0);
        assert_eq!(again.text(), ours.text(), "{path}");
    }
}

#[test]
fn an_idempotent_unset_of_nothing_does_not_write() {
    let place = Place::new();
    place.seal("s.yaml", "a: canary\nl:\n    - 1\n");
    let before = place.read("s.yaml");
    for path in ["[\"zz\"]", "[\"l\"][7]"] {
        let run = place.ccsec(["unset", "--idempotent", "s.yaml", path]);
        assert!(run.expect(0).err.is_empty());
    }
    place
        .ccsec(["unset", "s.yaml", "[\"zz\"]"])
        .expect(1)
        .says(&["s.yaml", "Key not found: zz"]);
    assert!(before == place.read("s.yaml"), "the file was written");
}

#[test]
fn every_version_of_sops_prints_what_we_sealed_as_it_prints_its_own() {
    let place = Place::new();
    for (sops, name) in Sops::all()
        .iter()
        .flat_map(|sops| INPUTS.map(|name| (sops, name)))
    {
        // These read the integers of JSON as floats, so that they seal another number for a large one and for `-0`.
        let takes_floats = sops.is_old() || sops.version == "3.13.1";
        if takes_floats && name == "types.json" {
            continue;
        }
        place.write(name, input(name));
        let kind = type_of(name);
        let encrypt = ["encrypt", "--age", &recipient(1), name];
        place.write("ours", place.ccsec(encrypt).expect(0).out);
        place.write("theirs", place.sops_of(sops, encrypt, b"").expect(0).out);
        let print = |file: &str| {
            let types = ["--input-type", kind, "--output-type", kind];
            let decrypt = [&["decrypt"], &types[..], &[file]].concat();
            let run = place.sops_of(sops, decrypt, b"");
            (run.code, run.out, run.err)
        };
        let (code, _, said) = print("ours");
        assert_eq!((code, &*said), (Some(0), ""), "{sops:?} {name}");
        assert_eq!(print("ours"), print("theirs"), "{sops:?} {name}");
    }
}
