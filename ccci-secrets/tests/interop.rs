//! Real sops opens what we seal, and we open what it seals. Skipped, saying so, where sops is not installed.
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "a test drives the real program"
)]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use ccci_secrets::config::Policy;
use ccci_secrets::document::Format;
use ccci_secrets::env::Environment;
use ccci_secrets::file::{DraftFile, SealedFile};
use ccci_secrets::keyring::Keyring;
use ccci_secrets::secret::Secret;

fn keys() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata/sops/keys")
}

fn recipient() -> String {
    std::fs::read_to_string(keys().join("age-1.pub"))
        .unwrap()
        .trim()
        .to_owned()
}

fn keyring() -> Keyring {
    let file = keys().join("age-1.txt");
    Keyring::discover(&Environment::empty().with_var("SOPS_AGE_KEY_FILE", file.to_str().unwrap()))
}

fn now() -> jiff::Timestamp {
    "2026-01-02T03:04:05Z".parse().unwrap()
}

/// Runs real sops; `None` where there is none.
fn sops(args: &[&str], dir: &Path) -> Option<Output> {
    let result = Command::new("sops")
        .args(args)
        .current_dir(dir)
        .env_remove("SOPS_AGE_KEY")
        .env("SOPS_AGE_KEY_FILE", keys().join("age-1.txt"))
        .env("SOPS_DISABLE_VERSION_CHECK", "1")
        .env("HOME", "/nonexistent")
        .output();
    match result {
        Ok(output) => Some(output),
        Err(_) => {
            eprintln!("skip: sops is not on PATH, so the exchange with it was not tested");
            None
        }
    }
}

fn seal(format: Format, text: &str) -> SealedFile {
    let draft = DraftFile::parse(format, Secret::from_slice(text.as_bytes())).unwrap();
    draft
        .seal(&Policy::age(&[&recipient()]).unwrap(), now())
        .unwrap()
}

fn open(format: Format, sealed: &[u8]) -> String {
    let file = SealedFile::parse(format, Secret::from_slice(sealed)).unwrap();
    let (plain, notes) = file.open(&keyring()).unwrap().expose_document().unwrap();
    assert_eq!(notes, []);
    String::from_utf8(plain.expose().to_vec()).unwrap()
}

const JSON: &str = "{\n  \"s\": \"text <&> \u{e9}\",\n  \"i\": 42,\n  \"f\": 1.50, \"e\": 1e3, \"t\": true, \"n\": null,\n\n  \
                    \"empty\": \"\", \"o\": {}, \"l\": [1, [2, {\"k\": \"v\\n\"}]],\n  \"a_unencrypted\": 3.0\n}\n";

#[test]
fn a_json_file_comes_back_byte_for_byte() {
    let sealed = seal(Format::Json, JSON);
    assert!(!sealed.to_string().contains("text <"));
    assert_eq!(open(Format::Json, sealed.text()), JSON);
}

#[test]
fn sops_opens_the_json_we_seal_to_equal_values() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(
        dir.path().join("ours.json"),
        seal(Format::Json, JSON).text(),
    )
    .unwrap();
    let Some(output) = sops(&["decrypt", "ours.json"], dir.path()) else {
        return;
    };
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    let theirs: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let expected: serde_json::Value = serde_json::from_str(JSON).unwrap();
    // sops prints 3.0 as 3; numbers are compared as floats.
    assert_eq!(numbers_as_floats(theirs), numbers_as_floats(expected));
}

#[test]
fn we_open_the_json_that_sops_seals() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("plain.json"), JSON).unwrap();
    let Some(output) = sops(
        &["encrypt", "--age", &recipient(), "plain.json"],
        dir.path(),
    ) else {
        return;
    };
    let ours: serde_json::Value =
        serde_json::from_str(&open(Format::Json, &output.stdout)).unwrap();
    let expected: serde_json::Value = serde_json::from_str(JSON).unwrap();
    assert_eq!(numbers_as_floats(ours), numbers_as_floats(expected));
}

fn numbers_as_floats(value: serde_json::Value) -> serde_json::Value {
    match value {
        serde_json::Value::Number(number) => serde_json::json!(number.as_f64().unwrap()),
        serde_json::Value::Array(items) => items.into_iter().map(numbers_as_floats).collect(),
        serde_json::Value::Object(map) => map
            .into_iter()
            .map(|(key, value)| (key, numbers_as_floats(value)))
            .collect::<serde_json::Map<_, _>>()
            .into(),
        other => other,
    }
}

#[test]
fn setting_one_value_changes_it_and_the_mac_and_the_time_only() {
    let before = seal(Format::Json, JSON).to_string();
    let file = SealedFile::parse(Format::Json, Secret::from_slice(before.as_bytes())).unwrap();
    let new = ccci_secrets::document::NewNode::text("changed");
    let path = "s".parse().unwrap();
    let later = "2026-02-03T04:05:06Z".parse().unwrap();
    let after = file
        .open(&keyring())
        .unwrap()
        .set(&path, &new)
        .unwrap()
        .seal(later)
        .unwrap()
        .to_string();
    let changed: Vec<(&str, &str)> = before
        .lines()
        .zip(after.lines())
        .filter(|(old, new)| old != new)
        .collect();
    assert_eq!(before.lines().count(), after.lines().count());
    assert_eq!(changed.len(), 3, "{changed:#?}");
    assert!(
        changed[0].0.contains("\"s\":")
            && changed[1].0.contains("lastmodified")
            && changed[2].0.contains("\"mac\"")
    );
    assert_eq!(
        open(Format::Json, after.as_bytes()),
        JSON.replace("text <&> \u{e9}", "changed")
    );
}

#[test]
fn an_edit_keeps_every_untouched_envelope() {
    let before = seal(Format::Json, JSON).to_string();
    let file = SealedFile::parse(Format::Json, Secret::from_slice(before.as_bytes())).unwrap();
    let edited = JSON.replace("42", "43");
    let later = "2026-02-03T04:05:06Z".parse().unwrap();
    let after = file
        .open(&keyring())
        .unwrap()
        .edit(Secret::from_slice(edited.as_bytes()))
        .unwrap();
    let after = after.seal(later).unwrap().to_string();
    let changed = before
        .lines()
        .zip(after.lines())
        .filter(|(old, new)| old != new)
        .count();
    assert_eq!(
        (before.lines().count(), changed),
        (after.lines().count(), 3)
    );
    assert_eq!(open(Format::Json, after.as_bytes()), edited);
}
