//! What the commands leave on disk.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};

use crate::support::{PLAIN, Place, recipient};

fn mode(place: &Place, name: &str) -> u32 {
    std::fs::metadata(place.path(name)).unwrap().mode() & 0o7777
}

/// Lines that two texts do not share, at the same place.
fn changed_lines(before: &str, after: &str) -> Vec<String> {
    assert_eq!(before.lines().count(), after.lines().count());
    let pairs = before.lines().zip(after.lines());
    let changed = pairs.filter(|(old, new)| old != new);
    let name = |line: &str| line.split(':').next().unwrap().trim().to_owned();
    changed.map(|(old, _)| name(old)).collect()
}

#[test]
fn a_file_comes_back_byte_for_byte_and_sops_reads_it() {
    let place = Place::new();
    place.write("p.yaml", PLAIN);
    place
        .ccsec([
            "encrypt",
            "--age",
            &recipient(1),
            "--output",
            "s.yaml",
            "p.yaml",
        ])
        .expect(0);
    assert_eq!(place.ccsec(["decrypt", "s.yaml"]).expect(0).text(), PLAIN);
    let Some(sops) = place.sops(["decrypt", "s.yaml"], b"") else {
        return;
    };
    assert_eq!(sops.expect(0).text(), PLAIN);
}

#[test]
fn what_sops_encrypts_we_decrypt_to_the_same_text() {
    let place = Place::new();
    place.write("p.yaml", PLAIN);
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
    assert_eq!(place.ccsec(["decrypt", "s.yaml"]).expect(0).text(), PLAIN);
}

#[test]
fn a_json_file_goes_the_same_way() {
    let place = Place::new();
    let plain = "{\n\t\"a\": \"canary\",\n\t\"list\": [\n\t\t1,\n\t\ttrue,\n\t\tnull\n\t]\n}\n";
    place.seal("s.json", plain);
    assert_eq!(place.ccsec(["decrypt", "s.json"]).expect(0).text(), plain);
    let list = place
        .ccsec(["decrypt", "--extract", "[\"list\"]", "s.json"])
        .expect(0);
    let Some(sops) = place.sops(["decrypt", "s.json"], b"") else {
        return;
    };
    assert_eq!(sops.expect(0).text(), plain);
    let sops = place
        .sops(["decrypt", "--extract", "[\"list\"]", "s.json"], b"")
        .unwrap();
    assert_eq!(list.text(), sops.text());
}

#[test]
fn new_plaintext_is_private_and_an_old_file_keeps_its_mode() {
    let place = Place::new();
    place.seal("s.yaml", PLAIN);
    place
        .ccsec(["decrypt", "--output", "new.yaml", "s.yaml"])
        .expect(0);
    assert_eq!(mode(&place, "new.yaml"), 0o600);
    let old = place.write("old.yaml", "x");
    std::fs::set_permissions(&old, std::fs::Permissions::from_mode(0o640)).unwrap();
    place
        .ccsec(["decrypt", "--output", "old.yaml", "s.yaml"])
        .expect(0);
    assert_eq!(mode(&place, "old.yaml"), 0o640);
    assert_eq!(place.read_text("old.yaml"), PLAIN);
}

#[test]
fn a_new_sealed_file_follows_the_umask() {
    let place = Place::new();
    place.write("p.yaml", PLAIN);
    let line = format!(
        "umask 027; exec \"$0\" encrypt --age {} --output s.yaml p.yaml",
        recipient(1)
    );
    let mut shell = place.command("/bin/sh".as_ref());
    let status = shell
        .args(["-c", &line, env!("CARGO_BIN_EXE_ccsec")])
        .status()
        .unwrap();
    assert!(status.success());
    assert_eq!(mode(&place, "s.yaml"), 0o640);
}

#[test]
fn in_place_prints_nothing_and_goes_through_a_link() {
    let place = Place::new();
    place.write("target.yaml", PLAIN);
    symlink("target.yaml", place.path("link.yaml")).unwrap();
    let run = place
        .ccsec(["encrypt", "-i", "--age", &recipient(1), "link.yaml"])
        .expect(0);
    assert!(run.out.is_empty());
    assert!(place.path("link.yaml").is_symlink());
    assert!(place.read_text("target.yaml").contains("ENC["));
    place.ccsec(["decrypt", "-i", "link.yaml"]).expect(0);
    assert_eq!(place.read_text("target.yaml"), PLAIN);
    assert_eq!(place.names(), ["link.yaml", "target.yaml"]);
}

#[test]
fn a_device_is_written_to_and_not_replaced() {
    let place = Place::new();
    place.seal("s.yaml", PLAIN);
    place
        .ccsec(["decrypt", "--output", "/dev/null", "s.yaml"])
        .expect(0);
    assert!(!std::fs::metadata("/dev/null").unwrap().is_file());
    let run = place
        .ccsec(["decrypt", "--output", "/dev/stdout", "s.yaml"])
        .expect(0);
    assert_eq!(run.text(), PLAIN);
}

#[test]
fn flags_may_stand_behind_the_file() {
    let place = Place::new();
    place.seal("s.yaml", PLAIN);
    let run = place
        .ccsec(["decrypt", "s.yaml", "--extract", "[\"int\"]"])
        .expect(0);
    assert_eq!(run.text(), "7\n");
}

#[test]
fn a_path_may_be_dotted() {
    let place = Place::new();
    place.seal("s.yaml", PLAIN);
    let run = place
        .ccsec(["decrypt", "--extract", "map.list[2].deep", "s.yaml"])
        .expect(0);
    assert_eq!(run.text(), "x");
}

#[test]
fn the_creation_rule_decides_who_opens_a_new_file_and_what_is_sealed() {
    let mut place = Place::new();
    place.write(
        ".sops.yaml",
        format!(
            "creation_rules:\n  - path_regex: ^secrets/\n    age: {},{}\n    encrypted_regex: ^canary\n",
            recipient(1),
            recipient(2)
        ),
    );
    std::fs::create_dir(place.path("secrets")).unwrap();
    place.write("secrets/a.yaml", "canary: hidden\nother: shown\n");
    place.ccsec(["encrypt", "-i", "secrets/a.yaml"]).expect(0);
    let sealed = place.read_text("secrets/a.yaml");
    assert!(
        !sealed.contains("hidden") && sealed.contains("other: shown"),
        "{sealed}"
    );
    place.set(
        "SOPS_AGE_KEY_FILE",
        crate::support::key("age-2.txt").to_str().unwrap(),
    );
    assert_eq!(
        place.ccsec(["decrypt", "secrets/a.yaml"]).expect(0).text(),
        "canary: hidden\nother: shown\n"
    );
    place.write("b.yaml", "a: b\n");
    place.ccsec(["encrypt", "b.yaml"]).expect(1).says(&[
        "error loading config: no matching creation rules found",
        ".sops.yaml",
    ]);
}

#[test]
fn set_changes_one_value_the_mac_and_the_time() {
    let place = Place::new();
    let sealed = "2020-01-01T00:00:00Z";
    place.seal("s.yaml", PLAIN);
    let before = place.read_text("s.yaml");
    // Two runs within a second would share the time.
    std::thread::sleep(std::time::Duration::from_millis(1100));
    place
        .ccsec(["set", "s.yaml", "[\"map\"][\"inner\"]", "\"new\""])
        .expect(0);
    let changed = changed_lines(&before, &place.read_text("s.yaml"));
    assert_eq!(changed, ["inner", "lastmodified", "mac"], "{sealed}");
    let Some(sops) = place.sops(["decrypt", "s.yaml"], b"") else {
        return;
    };
    assert_eq!(sops.expect(0).text(), PLAIN.replace("canary-inner", "new"));
}

#[test]
fn set_keeps_the_types_of_json() {
    let place = Place::new();
    place.seal("s.yaml", "a: x\n");
    let value = "{\"z\": 9007199254740993, \"b\": [1, 2.5, true, null], \"a\": \"1\"}";
    place.ccsec(["set", "s.yaml", "[\"a\"]", value]).expect(0);
    let expected = "a:\n    z: 9007199254740993\n    b:\n        - 1\n        - 2.5\n        - true\n        - null\n    a: \"1\"\n";
    assert_eq!(
        place.ccsec(["decrypt", "s.yaml"]).expect(0).text(),
        expected
    );
    let Some(sops) = place.sops(["decrypt", "s.yaml"], b"") else {
        return;
    };
    assert_eq!(sops.expect(0).text(), expected);
}

#[test]
fn set_takes_negative_numbers() {
    let place = Place::new();
    place.seal("s.yaml", "a: x\n");
    place.ccsec(["set", "s.yaml", "[\"a\"]", "-5"]).expect(0);
    assert_eq!(
        place.ccsec(["decrypt", "s.yaml"]).expect(0).text(),
        "a: -5\n"
    );
}

#[test]
fn raw_bytes_come_back_as_they_were() {
    let place = Place::new();
    place.seal("s.yaml", "a: x\n");
    let pem = "-----BEGIN CERTIFICATE-----\nMIIB\nAAAA==\n-----END CERTIFICATE-----\n";
    for (nth, value) in [
        pem,
        "no newline",
        "",
        "5",
        "  blanks \n\n",
        "tab\there",
        "\u{e9}\r\n",
    ]
    .iter()
    .enumerate()
    {
        let key = format!("[\"k{nth}\"]");
        place
            .ccsec_with(
                ["set", "s.yaml", &key, "--raw", "--value-stdin"],
                value.as_bytes(),
            )
            .expect(0);
        let run = place
            .ccsec(["decrypt", "--extract", &key, "s.yaml"])
            .expect(0);
        assert_eq!(run.text(), *value);
        if let Some(sops) = place.sops(["decrypt", "--extract", &key, "s.yaml"], b"") {
            assert_eq!(sops.expect(0).text(), *value);
        }
    }
}

#[test]
fn raw_values_come_from_files_in_both_spellings() {
    let place = Place::new();
    place.seal("s.yaml", "a: x\n");
    place.write("pem", "one\n");
    place
        .ccsec(["set", "s.yaml", "[\"a\"]", "--raw", "--value-file", "pem"])
        .expect(0);
    assert_eq!(
        place
            .ccsec(["decrypt", "--extract", "[\"a\"]", "s.yaml"])
            .text(),
        "one\n"
    );
    place.write("pem", "two\n");
    place
        .ccsec(["set", "--value-file=pem", "--raw", "s.yaml", "[\"a\"]"])
        .expect(0);
    assert_eq!(
        place
            .ccsec(["decrypt", "--extract", "[\"a\"]", "s.yaml"])
            .text(),
        "two\n"
    );
}

#[test]
fn an_idempotent_set_of_the_same_value_leaves_the_file_alone() {
    let place = Place::new();
    let path = place.seal("s.yaml", PLAIN);
    let before = (
        place.read("s.yaml"),
        std::fs::metadata(&path).unwrap().ino(),
    );
    place
        .ccsec(["set", "--idempotent", "s.yaml", "[\"int\"]", "7"])
        .expect(0);
    assert_eq!(
        (
            place.read("s.yaml"),
            std::fs::metadata(&path).unwrap().ino()
        ),
        before
    );
    // An int is not a string.
    place
        .ccsec(["set", "--idempotent", "s.yaml", "[\"int\"]", "\"7\""])
        .expect(0);
    assert_ne!(place.read("s.yaml"), before.0);
}

#[test]
fn a_layout_that_does_not_fit_is_left_out_with_a_warning() {
    let place = Place::new();
    let text = "a: 0x1F\nb: 017 # as chmod\n";
    place.seal("s.yaml", text);
    assert_eq!(place.ccsec(["decrypt", "s.yaml"]).expect(0).text(), text);
    let sealed = place.read_text("s.yaml");
    let field = sealed.lines().find(|line| line.contains("ccsec_layout"));
    let odd = sealed.replace(field.unwrap(), "    ccsec_layout: nonsense");
    place.write("s.yaml", odd);
    let run = place.ccsec(["decrypt", "s.yaml"]).expect(0);
    assert_eq!(run.text(), "a: 31\nb: 15 # as chmod\n");
    run.says(&["s.yaml: line 3", "spelling is lost"]);
}

#[test]
fn setting_one_value_rewrites_what_is_known_of_the_layout_and_nothing_else() {
    let place = Place::new();
    place.seal("s.yaml", "a: 0x1F\nb: 017\n");
    let before = place.read_text("s.yaml");
    place
        .ccsec(["set", "s.yaml", "[\"a\"]", "\"new\""])
        .expect(0);
    let after = place.read_text("s.yaml");
    let mut changed = changed_lines(&before, &after);
    // Both may have been written in one second.
    changed.retain(|name| name != "lastmodified");
    assert_eq!(changed, ["a", "ccsec_layout", "mac"]);
    assert_eq!(
        place.ccsec(["decrypt", "s.yaml"]).expect(0).text(),
        "a: new\nb: 017\n"
    );
}
