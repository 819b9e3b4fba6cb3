//! Files and configurations that cannot be used: a code, a message with file and line, and the original as it was.

use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;

use crate::support::{PLAIN, Place, Run, recipient};

/// Encrypts a file in place that cannot be encrypted; it must be left alone, and nothing beside it.
#[track_caller]
fn refused(name: &str, content: &[u8], code: i32, says: &[&str]) {
    let place = Place::new();
    place.write(name, content);
    let run = place.ccsec(["encrypt", "-i", "--age", &recipient(1), name]);
    run.expect(code).says(&[name]).says(says);
    assert!(place.read(name) == content, "{name} was changed");
    assert_eq!(place.names(), [name]);
}

#[test]
fn text_that_is_not_yaml() {
    refused("x.yaml", b"a: 1\nb: [1\nc: 2\n", 2, &["line "]);
    refused("x.yaml", b"a: 1\nb: \"open\n", 2, &["line "]);
}

#[test]
fn text_that_is_not_json() {
    refused("x.json", b"{\n\"a\": }", 2, &["line 2"]);
}

#[test]
fn bytes_that_are_not_utf8() {
    refused("x.yaml", b"a: 1\nb: \xff\xfe\n", 2, &["line 2", "UTF-8"]);
    refused("x.json", b"{\"a\": \"\xff\"}", 2, &["line 1", "UTF-8"]);
}

#[test]
fn a_tab_in_the_indentation() {
    refused("x.yaml", b"a:\n\tb: 1\n", 2, &["line 2", "tab"]);
}

#[test]
fn a_key_that_is_there_twice() {
    refused("x.yaml", b"a: 1\nb: 2\na: 3\n", 2, &["line 3", "`a`"]);
}

#[test]
fn a_key_that_is_not_a_string() {
    refused("x.yaml", b"a: 1\n2: b\n", 2, &["line 2", "not a string"]);
}

#[test]
fn a_list_at_the_top() {
    refused("x.yaml", b"- a\n- b\n", 2, &["line 1", "not a map"]);
    refused("x.json", b"[1, 2]", 2, &["line 1", "not a map"]);
}

#[test]
fn nesting_without_end() {
    let yaml = format!("a: {}{}\n", "[".repeat(100_000), "]".repeat(100_000));
    refused("x.yaml", yaml.as_bytes(), 2, &["line 1", "deeper"]);
    let json = format!("{{\"a\": {}1{}}}", "[".repeat(100_000), "]".repeat(100_000));
    refused("x.json", json.as_bytes(), 2, &["line 1", "deeper"]);
}

#[test]
fn aliases_that_explode() {
    let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for level in 1..12 {
        let alias = format!("*a{}", level - 1);
        let items = vec![alias; 10].join(", ");
        bomb.push_str(&format!("a{level}: &a{level} [{items}]\n"));
    }
    refused("x.yaml", bomb.as_bytes(), 2, &["line ", "aliases"]);
}

#[test]
fn nothing_and_only_comments() {
    refused("x.yaml", b"", 92, &["empty"]);
    refused("x.yaml", b"# only\n# comments\n", 2, &["only comments"]);
    refused("x.json", b"", 2, &["empty"]);
}

#[test]
fn the_reserved_key() {
    refused("x.yaml", b"a: 1\nsops: mine\n", 203, &["line 2", "sops"]);
    refused(
        "x.json",
        b"{\"a\": 1,\n\"sops\": 2}",
        203,
        &["line 2", "sops"],
    );
}

#[test]
fn an_integer_that_sops_cannot_carry() {
    refused(
        "x.yaml",
        b"a: 1\nb: 18446744073709551615\n",
        23,
        &["line 2", "quotes"],
    );
}

#[test]
fn text_that_is_not_dotenv() {
    refused("x.env", b"A=1\nB\n", 2, &["line 2", "KEY=value"]);
    refused("x.env", b"A=1\nsops_mac=x\n", 203, &["line 2"]);
}

#[test]
fn text_that_is_not_ini() {
    refused("x.ini", b"[a\nb=1\n", 2, &["line 1", "bracket"]);
    refused("x.ini", b"[a]\nb\n", 2, &["line 2", "key = value"]);
    refused("x.ini", b"[a]\nb=1\nb=2\n", 2, &["line 3", "`b`"]);
    refused("x.ini", b"[sops]\nb=1\n", 203, &["line 1"]);
}

#[test]
fn a_directory_in_place_of_a_file() {
    let place = Place::new();
    std::fs::create_dir(place.path("d.yaml")).unwrap();
    for args in [["encrypt", "d.yaml"].as_slice(), &["decrypt", "d.yaml"]] {
        let mut place_args: Vec<_> = args.to_vec();
        let age = recipient(1);
        if args[0] == "encrypt" {
            place_args.extend(["--age", &age]);
        }
        place
            .ccsec(place_args)
            .expect(2)
            .says(&["d.yaml", "directory"]);
    }
    let sealed = place.seal("s.yaml", PLAIN);
    place
        .ccsec(["decrypt", "--output", "d.yaml", sealed.to_str().unwrap()])
        .expect(3)
        .says(&["d.yaml", "directory"]);
}

#[test]
fn a_file_that_may_not_be_read() {
    let place = Place::new();
    let path = place.write("x.yaml", PLAIN);
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o000)).unwrap();
    if std::fs::read(&path).is_ok() {
        // Root reads everything; a user without privileges is needed to see the refusal.
        let Some(run) = as_nobody(&place, "x.yaml") else {
            return;
        };
        run.expect(2).says(&["x.yaml", "ermission denied"]);
        return;
    }
    place
        .ccsec(["encrypt", "--age", &recipient(1), "x.yaml"])
        .expect(2)
        .says(&["x.yaml", "ermission denied"]);
}

/// Runs `encrypt` as an unprivileged user.
fn as_nobody(place: &Place, name: &str) -> Option<Run> {
    let directory = place.path("");
    std::fs::set_permissions(&directory, std::fs::Permissions::from_mode(0o755)).unwrap();
    let program = place.path("ccsec");
    // By a process of its own: while this one holds the copy open for writing, a child that another test starts holds it,
    // too, and then it cannot be run.
    let copied = place
        .command("cp".as_ref())
        .arg(env!("CARGO_BIN_EXE_ccsec"))
        .arg(&program)
        .status();
    assert!(copied.unwrap().success());
    let output = place
        .command("setpriv".as_ref())
        .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
        .arg(&program)
        .args(["encrypt", "--age", &recipient(1), name])
        .output();
    match output {
        Ok(output) => Some(Run {
            code: output.status.code(),
            out: output.stdout,
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }),
        Err(_) => {
            drop(writeln!(
                std::io::stderr(),
                "skip: root reads everything, and there is no setpriv to become somebody else"
            ));
            None
        }
    }
}

#[test]
fn a_write_that_fails_leaves_the_old_file_and_no_other() {
    let place = Place::new();
    place.write("plain.yaml", PLAIN);
    let sealed = place.seal("sealed.yaml", PLAIN);
    let before = std::fs::read(&sealed).unwrap();
    let names = place.names();
    let value = format!("\"{}\"", "x".repeat(100_000));
    let commands: [&[&str]; 4] = [
        &["encrypt", "-i", "--age", &recipient(1), "plain.yaml"],
        &["decrypt", "-i", "sealed.yaml"],
        &["set", "sealed.yaml", "[\"a\"]", &value],
        &["decrypt", "--output", "new.yaml", "sealed.yaml"],
    ];
    for arguments in commands {
        // No file may grow beyond nothing: each write fails.
        let output = place
            .command("/bin/sh".as_ref())
            .args([
                "-c",
                "trap '' XFSZ; ulimit -f 0; exec \"$@\"",
                "sh",
                env!("CARGO_BIN_EXE_ccsec"),
            ])
            .args(arguments)
            .output()
            .unwrap();
        let message = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(3), "{arguments:?}: {message}");
        assert!(message.contains("cannot write"), "{message}");
        assert_eq!(place.read("plain.yaml"), PLAIN.as_bytes());
        assert_eq!(place.read("sealed.yaml"), before);
        assert_eq!(place.names(), names);
    }
}

#[test]
fn a_standard_error_that_takes_nothing_changes_no_exit_code() {
    let place = Place::new();
    place.seal("sealed.yaml", PLAIN);
    let commands: [(&[&str], i32); 3] = [
        (&["decrypt", "absent.yaml"], 100),
        (&["no-such-command"], 2),
        (&["decrypt", "sealed.yaml"], 1),
    ];
    for (arguments, code) in commands {
        let full = || std::fs::OpenOptions::new().write(true).open("/dev/full");
        let mut command = place.command(env!("CARGO_BIN_EXE_ccsec").as_ref());
        command.args(arguments);
        command.stdout(full().unwrap()).stderr(full().unwrap());
        let status = command.status().unwrap();
        assert_eq!(status.code(), Some(code), "{arguments:?}");
    }
}

/// Encrypts under a configuration that cannot be used.
#[track_caller]
fn refused_config(config: &str, says: &[&str]) {
    let place = Place::new();
    place.write(".sops.yaml", config);
    place.write("x.yaml", PLAIN);
    place
        .ccsec(["encrypt", "-i", "x.yaml"])
        .expect(1)
        .says(says);
    assert_eq!(place.read_text("x.yaml"), PLAIN);
}

#[test]
fn configurations_that_cannot_be_used() {
    let one = recipient(1);
    refused_config(
        "creation_rules: [\n",
        &["error loading config", ".sops.yaml", "line "],
    );
    refused_config(
        &format!("creation_rules:\n  - agee: {one}\n"),
        &[".sops.yaml", "line 2", "`agee`", "did you mean `age`?"],
    );
    refused_config(
        "creation_rules:\n  - path_regex: \"(\"\n    age: x\n",
        &[".sops.yaml", "line 2", "path_regex"],
    );
    refused_config(
        "creation_rules:\n  - path_regex: .*\n",
        &[
            "Could not generate data key: [empty key group provided]",
            "line 2",
        ],
    );
    refused_config(
        "creation_rules: []\n",
        &["no matching creation rules found"],
    );
    refused_config("", &["config file not found, or has no creation rules"]);
    refused_config(
        "creation_rules:\n  - age: gpg:ABC\n",
        &["line 2", "unknown recipient type"],
    );
    refused_config("creation_rules:\n  - pgp: ABC\n", &["pgp"]);
    let groups = format!(
        "key_groups:\n      - age: [{one}]\n      - age: [{}]\n",
        recipient(2)
    );
    refused_config(
        &format!("creation_rules:\n  - shamir_threshold: 3\n    {groups}"),
        &[
            "line 2",
            "3",
            "2 key groups",
            "parts cannot be less than threshold",
        ],
    );
    refused_config(
        &format!("creation_rules:\n  - shamir_threshold: 1\n    {groups}"),
        &["line 2", "threshold must be at least 2"],
    );
    refused_config(
        &format!(
            "creation_rules:\n  - age: {one}\n    encrypted_regex: a\n    encrypted_suffix: b\n"
        ),
        &["encrypted_regex", "encrypted_suffix"],
    );
}

#[test]
fn a_pattern_that_is_none_is_shown_where_it_stands() {
    let one = recipient(1);
    refused_config(
        &format!("creation_rules:\n  - age: {one}\n    encrypted_regex: (\n"),
        &[".sops.yaml, line 3: encrypted_regex: the pattern `(` cannot be used: "],
    );

    let place = Place::new();
    place.write("x.yaml", PLAIN);
    place
        .ccsec(["encrypt", "--age", &one, "--encrypted-regex", "(", "x.yaml"])
        .expect(1)
        .says(&["error: --encrypted-regex: the pattern `(` cannot be used: "]);

    let sealed = place.seal("sealed.yaml", PLAIN);
    let text = std::fs::read_to_string(&sealed).unwrap();
    let text = text.replace("unencrypted_suffix: _unencrypted", "unencrypted_regex: (");
    place.write("sealed.yaml", &text);
    place.ccsec(["decrypt", "sealed.yaml"]).expect(1).says(&[
        "sealed.yaml: in its metadata: unencrypted_regex: the pattern `(` cannot be used: ",
    ]);
}

#[test]
fn a_private_key_in_place_of_a_recipient_is_not_repeated() {
    let secret = "AGE-SECRET-KEY-1QQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQ";
    let place = Place::new();
    place.write("x.yaml", PLAIN);
    let run = place
        .ccsec(["encrypt", "--age", secret, "x.yaml"])
        .expect(1)
        .says(&["private key"]);
    assert!(!run.err.contains(secret), "{}", run.err);
}

#[test]
fn a_broken_configuration_is_only_a_warning_for_a_file_that_has_its_keys() {
    let place = Place::new();
    place.seal("s.yaml", PLAIN);
    place.write(".sops.yaml", "creation_rules: [\n");
    let run = place
        .ccsec(["decrypt", "s.yaml"])
        .expect(0)
        .says(&["warning: error loading config", ".sops.yaml"]);
    assert_eq!(run.text(), PLAIN);
}

#[test]
fn sealed_files_that_are_damaged() {
    let place = Place::new();
    place.seal("s.yaml", PLAIN);
    let sealed = place.read_text("s.yaml");
    let damaged = [
        (sealed.replace("string: ENC", "moved: ENC"), 25, "moved"),
        (sealed.replacen("data:", "data:AA", 1), 25, "string"),
        (sealed.replace("int: ENC", "int: 8 #"), 25, "int"),
        (sealed.replace("visible", "other"), 51, "MAC mismatch"),
        (
            sealed.replace("    mac: ", "    nomac: "),
            51,
            "MAC mismatch",
        ),
        (sealed[..sealed.len() / 2].to_owned(), 1, "s.yaml"),
        (sealed.replace("    age:", "    nobody:"), 1, "s.yaml"),
        (
            format!("<<<<<<< HEAD\n{sealed}=======\nb\n>>>>>>> other\n"),
            1,
            "line 1",
        ),
        (
            "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n".into(),
            1,
            "git LFS",
        ),
    ];
    for (content, code, says) in damaged {
        place.write("s.yaml", &content);
        for command in [
            ["decrypt", "s.yaml"].as_slice(),
            &["set", "s.yaml", "[\"a\"]", "1"],
            &["edit", "s.yaml"],
        ] {
            let run = place.ccsec(command);
            assert_eq!(run.code, Some(code), "{says}: {run:?}");
            assert!(run.out.is_empty(), "{says}: something was printed");
            assert!(
                run.err.contains("s.yaml") && run.err.contains(says),
                "{says}: {}",
                run.err
            );
            assert_eq!(place.read_text("s.yaml"), content);
        }
    }
}

#[test]
fn a_file_below_a_submodule_that_is_not_there() {
    let place = Place::new();
    std::fs::create_dir_all(place.path(".git")).unwrap();
    std::fs::create_dir_all(place.path("secrets")).unwrap();
    place.write(".git/HEAD", "ref: refs/heads/main\n");
    place.write(
        ".gitmodules",
        "[submodule \"secrets\"]\n\tpath = secrets\n\turl = ../secrets\n",
    );
    place
        .ccsec(["decrypt", "secrets/secrets.yaml"])
        .expect(100)
        .says(&[
            "submodule secrets is not initialised",
            "git -C",
            "submodule update --init",
        ]);
}

#[test]
fn a_sops_file_of_a_manifest_that_is_not_there_is_named_once() {
    let place = Place::new();
    let manifest = r#"{"secretsMountPoint": "/run/secrets.d", "symlinkPath": "/run/secrets",
        "keepGenerations": 1, "ageKeyFile": "/nowhere", "secrets": [
        {"name": "a", "sopsFile": "absent.yaml", "format": "yaml", "key": "a", "mode": "0400"}]}"#;
    place.write("manifest.json", manifest);
    let run = place
        .ccsec(["check", "manifest.json", "--mode", "sopsfile"])
        .expect(11)
        .says(&["No such file", "correct sopsFile in the manifest"]);
    assert_eq!(run.err.matches("absent.yaml").count(), 1, "{}", run.err);
}
