//! Damage, tampering and trees that are not what they should be: nothing of such a file is used.

use serde_json::json;

use super::super::super::fault::{Fault, TreeProblem, WarningKind};
use super::super::super::testing::{AGE_1, AGE_2, Workshop, explained, sealed, subjects, text_of};
use crate::error::ErrorCode;

const SECRETS: &str = "a: canary-4711 a\nb: canary-4711 b\nc: canary-4711 c\n";

fn workshop() -> Workshop {
    let workshop = Workshop::new();
    workshop.key("age-1.txt");
    for name in ["one.yaml", "two.yaml", "three.yaml"] {
        workshop.seal(name, SECRETS, &[AGE_1]);
    }
    workshop
}

fn fields() -> serde_json::Value {
    json!({"ageKeyFile": "age-1.txt", "secrets": [
        {"name": "1", "key": "a", "sopsFile": "one.yaml"},
        {"name": "2", "key": "b", "sopsFile": "two.yaml"},
        {"name": "3", "key": "c", "sopsFile": "three.yaml"}]})
}

/// The only fault after the text of `two.yaml` was changed.
fn fault_after(workshop: &Workshop, change: impl FnOnce(&str) -> String) -> Fault {
    let text = String::from_utf8(sealed("two.yaml", SECRETS, &[AGE_1])).unwrap();
    let changed = change(&text);
    assert_ne!(changed, text);
    workshop.write("two.yaml", changed);
    let mut faults = workshop.faults(fields());
    assert_eq!(faults.len(), 1, "{faults:?}");
    let text = faults[0].to_string();
    assert!(text.contains("two.yaml"), "{text}");
    for name in ["one.yaml", "three.yaml"] {
        assert!(!text.contains(name), "{text}");
    }
    faults.remove(0)
}

/// The text between two markers of a line that begins with `key`.
fn field<'t>(text: &'t str, key: &str, from: &str, to: &str) -> &'t str {
    let line = text.lines().find(|line| line.trim_start().starts_with(key));
    let (_, behind) = line.unwrap().split_once(from).unwrap();
    behind.split_once(to).unwrap().0
}

/// Another character of the same alphabet in the middle of a base64 text.
fn flipped(base64: &str) -> String {
    let mut text = base64.as_bytes().to_vec();
    let middle = text.len() / 2;
    text[middle] = if text[middle] == b'A' { b'B' } else { b'A' };
    String::from_utf8(text).unwrap()
}

#[test]
fn s19_a_flipped_byte_in_any_field_of_a_leaf_is_not_authentic() {
    let workshop = workshop();
    // Also of leaves that nobody asked for.
    for key in ["a: ", "b: ", "c: "] {
        for (from, to) in [("data:", ","), ("iv:", ","), ("tag:", ",")] {
            let fault = fault_after(&workshop, |text| {
                let old = field(text, key, from, to);
                text.replacen(old, &flipped(old), 1)
            });
            assert_eq!(fault.code(), ErrorCode::DoesNotOpen, "{key}{from}");
        }
    }
}

#[test]
fn s19_a_sound_file_beside_a_damaged_one_is_sound_and_the_damaged_one_gives_nothing() {
    let workshop = workshop();
    fault_after(&workshop, |text| text.replacen("data:", "data:AAAA", 1));
    let refused = workshop.open(fields()).unwrap_err();
    let sound = refused.sound.unwrap();
    let names: Vec<_> = sound.wanted.iter().map(|wanted| &wanted.name).collect();
    assert_eq!(names, ["1", "3"]);
    assert_eq!(text_of(&sound, "3"), "canary-4711 c");
    assert_eq!(sound.provenance.len(), 2);
    assert_eq!(sound.warnings, refused.warnings);
}

#[test]
fn s20_a_file_whose_mac_is_gone_or_wrong_is_not_authentic() {
    let workshop = workshop();
    let without_mac = fault_after(&workshop, |text| {
        let lines = text.lines().filter(|line| !line.contains("mac: "));
        lines.map(|line| format!("{line}\n")).collect()
    });
    assert_eq!(without_mac.code(), ErrorCode::MacMismatch);
    let flipped_mac = fault_after(&workshop, |text| {
        let old = field(text, "mac:", "data:", ",");
        text.replacen(old, &flipped(old), 1)
    });
    assert_eq!(flipped_mac.code(), ErrorCode::MacMismatch);
    let other_time = fault_after(&workshop, |text| text.replace("2026-01-02", "2026-01-03"));
    assert_eq!(other_time.code(), ErrorCode::MacMismatch);
    let less = fault_after(&workshop, |text| {
        text.lines()
            .skip(1)
            .map(|line| format!("{line}\n"))
            .collect()
    });
    assert_eq!(less.code(), ErrorCode::MacMismatch);
    // B66: nothing that was computed from plaintext.
    for fault in [without_mac, flipped_mac, other_time, less] {
        let longest = fault.to_string();
        let longest = longest.split(|sign: char| !sign.is_ascii_hexdigit());
        assert!(longest.map(str::len).max() < Some(32), "{fault}");
    }
}

#[test]
fn s20_swapped_leaves_are_not_authentic() {
    let workshop = workshop();
    let fault = fault_after(&workshop, |text| {
        let (a, b) = (
            field(text, "a: ", "ENC[", "]").to_owned(),
            field(text, "b: ", "ENC[", "]").to_owned(),
        );
        let swapped = text.replace(&a, "*").replace(&b, &a);
        swapped.replace('*', &b)
    });
    assert_eq!(fault.code(), ErrorCode::DoesNotOpen);
}

#[test]
fn s20_a_file_for_somebody_else_has_no_identity() {
    let workshop = workshop();
    workshop.seal("two.yaml", SECRETS, &[AGE_2]);
    let faults = workshop.faults(fields());
    assert_eq!(faults.len(), 1);
    assert_eq!(faults[0].code(), ErrorCode::NoIdentity);
    let text = explained(&faults[0]);
    assert!(text.contains("it opens for one of age170mp2qkm…"), "{text}");
    assert!(text.contains("(recovery): a recipient"), "{text}");
}

#[test]
fn s20_a_stanza_under_a_false_label_has_no_identity_and_is_named() {
    let workshop = workshop();
    let text = String::from_utf8(sealed("two.yaml", SECRETS, &[AGE_2])).unwrap();
    workshop.write("two.yaml", text.replace(AGE_2, AGE_1));
    let faults = workshop.faults(fields());
    assert_eq!(faults.len(), 1);
    assert_eq!(faults[0].code(), ErrorCode::NoIdentity);
    let text = explained(&faults[0]);
    let line = "age10a73gefn… (recovery): labelled for a key that is here, wrapped for another one";
    assert!(text.contains(line), "{text}");
}

#[test]
fn files_that_are_no_sops_files_are_told_from_each_other() {
    let workshop = workshop();
    let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n";
    let conflict = "a: 1\n<<<<<<< HEAD\nb: 1\n=======\nb: 2\n>>>>>>> other\n";
    for (text, code, part) in [
        (
            "a: plain\n",
            ErrorCode::FileNotSealed,
            "sops metadata not found",
        ),
        (pointer, ErrorCode::LfsPointer, "is a pointer of git LFS"),
        (
            conflict,
            ErrorCode::ConflictMarkers,
            "holds conflict markers, the first in line 2",
        ),
        ("", ErrorCode::FileNotSealed, "is empty"),
        ("a: [\n", ErrorCode::DocumentInvalid, "two.yaml: line"),
        (
            "1: a\nsops: {}\n",
            ErrorCode::DocumentInvalid,
            "a key is not a string",
        ),
    ] {
        workshop.write("two.yaml", text);
        let faults = workshop.faults(fields());
        assert_eq!(faults.len(), 1, "{text:?}: {faults:?}");
        assert_eq!(faults[0].code(), code, "{text:?}");
        assert!(faults[0].to_string().contains(part), "{}", faults[0]);
    }
    std::fs::remove_file(workshop.path("two.yaml")).unwrap();
    assert_eq!(workshop.faults(fields())[0].code(), ErrorCode::FileMissing);
    std::fs::create_dir(workshop.path("two.yaml")).unwrap();
    let faults = workshop.faults(fields());
    assert_eq!(faults[0].code(), ErrorCode::FileUnreadable);
    assert!(faults[0].to_string().contains("is a directory"));
}

#[test]
fn a_fifo_in_place_of_a_sops_file_makes_nobody_wait() {
    let workshop = workshop();
    std::fs::remove_file(workshop.path("two.yaml")).unwrap();
    let mode = rustix::fs::Mode::from_raw_mode(0o600);
    rustix::fs::mkfifoat(rustix::fs::CWD, workshop.path("two.yaml"), mode).unwrap();
    let faults = workshop.faults(fields());
    assert_eq!(faults[0].code(), ErrorCode::FileUnreadable);
}

#[test]
fn s10_a_submodule_that_is_not_initialised_is_named() {
    let workshop = Workshop::new();
    workshop.key("age-1.txt");
    for place in ["clone", "nix/store/abc-source"] {
        let modules = "[submodule \"s\"]\n\tpath = etc/secrets\n\turl = ../secrets\n";
        workshop.write(&format!("{place}/.gitmodules"), modules);
        let file = workshop.path(&format!("{place}/etc/secrets/s.yaml"));
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        let faults = workshop.faults(json!({"ageKeyFile": "age-1.txt",
            "secrets": [{"key": "a", "sopsFile": file}]}));
        assert_eq!(faults[0].code(), ErrorCode::SubmoduleNotInitialised);
        let [Fault::Tree { problem, .. }] = &faults[..] else {
            panic!("{faults:?}")
        };
        assert_eq!(
            *problem,
            TreeProblem::SubmoduleNotInitialised {
                submodule: "etc/secrets".into(),
                repository: workshop.path(place),
                in_store: place.starts_with("nix"),
            }
        );
        let text = explained(&faults[0]);
        assert!(text.contains("the submodule etc/secrets, which is not initialised"));
        assert!(text.ends_with(&format!("recorded in {}", workshop.path(place).display())));
    }
}

#[test]
fn every_fault_is_told_and_the_first_in_order_names_the_refusal() {
    let workshop = workshop();
    fault_after(&workshop, |text| text.replacen("data:", "data:AAAA", 1));
    workshop.seal("three.yaml", SECRETS, &[AGE_2]);
    let mut fields = fields();
    fields["secrets"][0]["key"] = json!("zz");
    let faults = workshop.faults(fields.clone());
    let codes: Vec<_> = faults.iter().map(Fault::code).collect();
    assert_eq!(
        codes,
        [
            ErrorCode::PathNotFound,
            ErrorCode::DoesNotOpen,
            ErrorCode::NoIdentity
        ]
    );
    let refusal = super::super::super::fault::Refusal::new(faults);
    assert_eq!(refusal.code(), ErrorCode::NoIdentity);
    // A key file outranks them, and then nothing is opened.
    fields["ageKeyFile"] = json!("nowhere.txt");
    let faults = workshop.faults(fields);
    let codes: Vec<_> = faults.iter().map(Fault::code).collect();
    assert_eq!(codes, [ErrorCode::KeyFileMissing, ErrorCode::PathNotFound]);
    let refusal = super::super::super::fault::Refusal::new(faults);
    assert_eq!(refusal.code(), ErrorCode::KeyFileMissing);
}

#[test]
fn what_is_not_required_is_left_out_with_its_reason() {
    let workshop = workshop();
    fault_after(&workshop, |text| text.replacen("data:", "data:AAAA", 1));
    let mut fields = fields();
    fields["secrets"][1]["required"] = json!(false);
    fields["secrets"][2]["required"] = json!(false);
    fields["secrets"][2]["key"] = json!("zz");
    let opened = workshop.open(fields.clone()).unwrap();
    let names: Vec<_> = opened.wanted.iter().map(|wanted| &wanted.name).collect();
    assert_eq!(names, ["1"]);
    let left_out = subjects(&opened.warnings, WarningKind::LeftOut);
    assert_eq!(left_out.len(), 2);
    assert!(
        left_out
            .iter()
            .any(|subject| subject.starts_with("2 (cannot open "))
    );
    assert!(
        left_out
            .iter()
            .any(|subject| subject.starts_with("3 (secret `3`: key `zz` of "))
    );
    // One required secret of the damaged file, and the file counts.
    fields["secrets"][2] = json!({"name": "3", "key": "a", "sopsFile": "two.yaml"});
    assert_eq!(workshop.faults(fields)[0].code(), ErrorCode::DoesNotOpen);
}
