use std::path::Path;

use serde_json::json;

use super::super::testing::{AGE_1, Workshop, assert_silent, manifest_text};
use super::*;

#[test]
fn every_sample_of_the_modules_passes_the_rules() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata/activation");
    let mut seen = 0;
    let workshop = Workshop::new();
    let template = workshop.write("app.conf.in", "text");
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.extension() != Some("json".as_ref()) {
            continue;
        }
        // The file of one template lies in nobody's store.
        let text = std::fs::read_to_string(&path).unwrap().replace(
            "/nix/store/00000000000000000000000000000000-app.conf.in",
            template.to_str().unwrap(),
        );
        let checked = check_manifest(text.as_bytes(), Path::new("/x"));
        assert!(
            checked.faults.is_empty(),
            "{}: {:?}",
            path.display(),
            checked.faults
        );
        assert_eq!(checked.code(), None);
        seen += 1;
    }
    assert_eq!(seen, 15);
}

// S21: the check and the activation read the same rules.
#[test]
fn s21_a_broken_rule_is_named_by_its_pointer() {
    let text = manifest_text(json!({"secrets": [
        {"name": "../x", "sopsFile": "s.yaml", "key": "a", "mode": "u=r"}]}));
    let checked = check_manifest(text.as_bytes(), Path::new("."));
    assert_eq!(checked.code(), Some(ErrorCode::ManifestInvalid));
    let texts: Vec<String> = checked.faults.iter().map(ToString::to_string).collect();
    assert!(
        texts
            .iter()
            .any(|text| text.starts_with("/secrets/0/name: ")),
        "{texts:?}"
    );
    assert!(
        texts
            .iter()
            .any(|text| text.starts_with("/secrets/0/mode: ")),
        "{texts:?}"
    );
}

// S23, and B10: plaintext does not pass a build.
#[test]
fn s23_what_stands_in_place_of_a_sops_file_is_found_without_a_key() {
    let workshop = Workshop::new();
    let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n";
    let conflict = "a: 1\n<<<<<<< HEAD\nb: 1\n=======\nb: 2\n>>>>>>> other\n";
    let manifest = workshop.manifest(json!({"ageKeyFile": "/no/key", "secrets": [
        {"key": "a", "sopsFile": "s.yaml"}]}));
    for (text, code) in [
        ("a: canary-4711\n", ErrorCode::FileNotSealed),
        (pointer, ErrorCode::LfsPointer),
        (conflict, ErrorCode::ConflictMarkers),
        ("", ErrorCode::FileNotSealed),
        ("\0GITCRYPT\0\x01", ErrorCode::FileNotSealed),
    ] {
        workshop.write("s.yaml", text);
        let checked = check_sops_files(&manifest);
        assert_eq!(checked.code(), Some(code), "{text:?}");
        assert_eq!(checked.faults.len(), 1);
        assert_silent(&format!("{checked:?} {}", checked.faults[0]));
    }
    std::fs::remove_file(workshop.path("s.yaml")).unwrap();
    assert_eq!(
        check_sops_files(&manifest).code(),
        Some(ErrorCode::FileMissing)
    );
    workshop.seal("s.yaml", "a: canary-4711\n", &[AGE_1]);
    let checked = check_sops_files(&manifest);
    assert!(checked.faults.is_empty(), "{:?}", checked.faults);
    assert_eq!(checked.warnings, []);
}
