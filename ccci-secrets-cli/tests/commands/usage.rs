//! What is said when something else was typed than was meant.

use std::path::Path;

use crate::support::{PLAIN, Place};

#[test]
fn alone_it_prints_help_on_standard_error() {
    let run =
        Place::new()
            .ccsec::<&str>([])
            .expect(2)
            .says(&["Usage: ccsec", "decrypt", "encrypt"]);
    assert!(run.out.is_empty());
}

#[test]
fn the_version_is_two_words() {
    let run = Place::new().ccsec(["--version"]).expect(0);
    assert_eq!(
        run.text(),
        concat!("ccsec ", env!("CARGO_PKG_VERSION"), "\n")
    );
}

#[test]
fn help_goes_to_standard_output_and_lists_the_exit_codes() {
    let run = Place::new().ccsec(["decrypt", "--help"]).expect(0);
    assert!(
        run.text().contains("128  no key opens the file"),
        "{}",
        run.text()
    );
}

#[test]
fn an_unknown_command_is_answered_with_the_nearest_name() {
    Place::new()
        .ccsec(["decript"])
        .expect(2)
        .says(&["decript", "did you mean `decrypt`?"]);
}

#[test]
fn an_unknown_flag_is_answered_with_the_nearest_name() {
    let place = Place::new();
    place
        .ccsec(["decrypt", "--ouptut", "x", "s.yaml"])
        .expect(1)
        .says(&["--ouptut", "did you mean `--output`?"]);
    place.ccsec(["--bogus"]).expect(2).says(&["--bogus"]);
}

#[test]
fn a_root_that_is_no_directory_is_told_before_anything_is_looked_for() {
    let place = Place::new();
    place.write("file", "x");
    for command in ["activate", "plan", "verify", "repair", "systemd-unit"] {
        place
            .ccsec([command, "--root", "file", "manifest.json"])
            .expect(2)
            .says(&["'file' for '--root <DIR>'", "it is no directory"]);
    }
}

#[test]
fn who_types_as_for_sops_is_told_the_command() {
    let place = Place::new();
    place
        .ccsec(["-d", "s.yaml"])
        .expect(2)
        .says(&["`ccsec decrypt FILE` does that"]);
    place
        .ccsec(["secrets/s.yaml"])
        .expect(2)
        .says(&["`ccsec edit FILE` does that"]);
}

#[test]
fn a_command_of_sops_that_is_not_built_is_refused_by_name() {
    let place = Place::new();
    for verb in ["rotate", "updatekeys", "exec-env", "exec-file", "publish"] {
        let told = format!("`{verb}` is not built yet; `sops {verb}` does it");
        place.ccsec([verb, "s.yaml"]).expect(1).says(&[&told]);
    }
}

#[test]
fn to_set_the_block_of_sops_is_no_reason_to_edit_it() {
    let place = Place::new();
    place.seal("s.yaml", PLAIN);
    let run = place
        .ccsec(["set", "s.yaml", "[\"sops\"]", "1"])
        .expect(203);
    assert!(!run.err.contains("ccsec edit"), "{}", run.err);
    assert!(run.err.contains("sops updatekeys"), "{}", run.err);
}

#[test]
fn the_help_that_is_named_is_that_of_the_innermost_command() {
    Place::new()
        .ccsec(["key", "show"])
        .expect(2)
        .says(&["see `ccsec key show --help`"]);
}

#[test]
fn an_enrolment_that_cannot_be_written_down_is_refused_or_warned_of() {
    let place = Place::new();
    let public = crate::support::testdata("keys/ssh_ed25519.pub");
    let enrol = |name: &str| {
        place.ccsec([
            "key",
            "show",
            "--ssh",
            public.to_str().unwrap(),
            "--enrol",
            name,
        ])
    };
    for name in ["x: y", "", "a b", "&a", "a,b"] {
        enrol(name).expect(2).says(&["--enrol"]);
    }
    let age = crate::support::key("age-1.txt");
    place
        .ccsec([
            "key",
            "show",
            "--in",
            age.to_str().unwrap(),
            "--enrol",
            "web",
        ])
        .expect(2)
        .says(&["--enrol"]);
    place.write(
        ".sops.yaml",
        format!(
            "keys:\n  - &web {}\ncreation_rules:\n  - age: [*web]\n",
            crate::support::recipient(1)
        ),
    );
    enrol("web")
        .expect(0)
        .says(&["warning: ", ".sops.yaml calls another key web"]);
    let run = enrol("db-1").expect(0).says(&["- &db-1 age1"]);
    assert!(!run.err.contains("warning"), "{}", run.err);
}

#[test]
fn an_unknown_format_is_refused_with_the_names_there_are() {
    Place::new()
        .ccsec(["decrypt", "--input-type", "toml", "x"])
        .expect(1)
        .says(&["toml", "binary, dotenv, ini, json, yaml"]);
}

#[test]
fn a_value_that_looks_like_a_flag_is_not_shown() {
    let place = Place::new();
    let run = place
        .ccsec(["set", "s.yaml", "[\"a\"]", "-----BEGIN canary"])
        .expect(1);
    assert!(!run.err.contains("canary"), "{}", run.err);
}

#[test]
fn two_positionals_without_a_source_name_the_ways_to_give_a_value() {
    Place::new()
        .ccsec(["set", "s.yaml", "[\"a\"]"])
        .expect(100)
        .says(&["--value-stdin", "--value-file"]);
}

#[test]
fn flags_of_parts_that_are_not_built_are_refused_by_name() {
    let place = Place::new();
    place.seal("s.yaml", PLAIN);
    place.write("p.yaml", PLAIN);
    let cases: &[&[&str]] = &[
        &["decrypt", "--keyservice", "tcp://localhost:1", "s.yaml"],
        &["edit", "--show-master-keys", "s.yaml"],
        &["encrypt", "--encryption-context", "a:b", "p.yaml"],
        &["encrypt", "--aws-profile", "p", "p.yaml"],
    ];
    for arguments in cases {
        place
            .ccsec(*arguments)
            .expect(1)
            .says(&[arguments[1], "not supported by this build"]);
    }
    for (flag, kind) in [
        ("--pgp", "pgp"),
        ("--kms", "kms"),
        ("--gcp-kms", "gcp_kms"),
        ("--azure-kv", "azure_kv"),
        ("--hc-vault-transit", "hc_vault"),
        ("--hckms", "hckms"),
    ] {
        place
            .ccsec([
                "encrypt",
                flag,
                "x",
                "--age",
                &crate::support::recipient(1),
                "p.yaml",
            ])
            .expect(1)
            .says(&[kind]);
    }
}

#[test]
fn a_recipient_variable_of_a_kind_that_is_not_built_is_refused() {
    let mut place = Place::new();
    place.write("p.yaml", PLAIN);
    place.set("SOPS_PGP_FP", "85D77543B3D624B63CEA9E6DBC17301B491B3F21");
    place
        .ccsec(["encrypt", "--age", &crate::support::recipient(1), "p.yaml"])
        .expect(1)
        .says(&["pgp"]);
}

#[test]
fn a_reader_that_goes_away_ends_the_program_quietly() {
    let place = Place::new();
    let many: String = (0..20_000).map(|n| format!("key{n}: value\n")).collect();
    place.write("p.yaml", many);
    let line = format!(
        "\"$0\" encrypt --age {} p.yaml 2>err | head -c 1 >/dev/null; cat err",
        crate::support::recipient(1)
    );
    let output = place
        .command("/bin/sh".as_ref())
        .args(["-c", &line, env!("CARGO_BIN_EXE_ccsec")])
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "");
}

#[test]
fn the_shell_completes_what_the_program_prints() {
    let place = Place::new();
    let script = place.ccsec(["completion", "bash"]).expect(0).out;
    place.write("completion", script);
    let ask = "source completion; COMP_WORDS=(ccsec key sh) COMP_CWORD=2
        _ccsec ccsec sh key; echo \"${COMPREPLY[@]}\"";
    let told = place
        .command(Path::new("bash"))
        .args(["-c", ask])
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&told.stdout), "show\n");
}

#[test]
fn every_command_has_a_manual_page_that_man_reads_without_a_warning() {
    let place = Place::new();
    let directory = place.path("pages");
    std::fs::create_dir(&directory).unwrap();
    place
        .ccsec(["man", "--output-dir", directory.to_str().unwrap()])
        .expect(0);
    let one = place.ccsec(["man", "key", "show"]).expect(0).out;
    assert!(std::fs::read(directory.join("ccsec-key-show.1")).unwrap() == one);
    place
        .ccsec(["man", "key", "shwo"])
        .expect(2)
        .says(&["there is no command `ccsec key shwo`"]);
    for entry in std::fs::read_dir(directory).unwrap() {
        let page = entry.unwrap().path();
        let mut man = place.command(Path::new("man"));
        man.args([
            "--warnings",
            "--encoding=UTF-8",
            "-Tutf8",
            "--ditroff",
            "-l",
        ]);
        match man.arg(&page).output() {
            Err(error) => {
                println!("SKIPPED: man cannot be started: {error}");
                return;
            }
            Ok(told) => {
                let warnings = String::from_utf8_lossy(&told.stderr);
                let is_silent = told.status.success() && warnings.is_empty();
                assert!(is_silent, "{}: {warnings}", page.display());
            }
        }
    }
}

#[test]
fn a_path_that_leads_nowhere_is_told_in_the_form_that_can_be_pasted() {
    let place = Place::new();
    place.seal("s.yaml", PLAIN);
    let hints: [(&str, &[&str]); 5] = [
        (
            "map.absent",
            &[
                r#"hint: map.absent is read as '["map"]["absent"]'; one key with that name is '["map.absent"]'"#,
            ],
        ),
        (
            "map.list.0",
            &[r#"hint: an item of a list is '["map"]["list"][0]'"#],
        ),
        (
            r#"["map"]["list"]["0"]"#,
            &[r#"hint: an item of a list is '["map"]["list"][0]'"#],
        ),
        ("[map][list]", &[r#"hint: did you mean '["map"]["list"]'?"#]),
        (
            "/map/it's",
            &[r#"hint: did you mean '["map"]["it'\''s"]'?"#],
        ),
    ];
    for (path, says) in hints {
        let before = place.read("s.yaml");
        let run = place.ccsec(["decrypt", "--extract", path, "s.yaml"]);
        assert!(matches!(run.code, Some(1 | 91)), "{path}: {run:?}");
        run.says(says);
        let run = place.ccsec(["unset", "s.yaml", path]);
        assert!(matches!(run.code, Some(1 | 7)), "{path}: {run:?}");
        run.says(says);
        // A key that is absent is one that `set` adds.
        if path != "map.absent" {
            place
                .ccsec(["set", "s.yaml", path, "1"])
                .expect(7)
                .says(says);
        }
        assert_eq!(place.read("s.yaml"), before);
    }
}
