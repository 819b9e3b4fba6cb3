//! Real sops opens what we seal, and we open what it seals. Skipped, saying so, where sops is not installed.
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "a test drives the real program"
)]

mod support;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use ccci_secrets::config::{Config, Policy, PolicyRequest};
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
            drop(writeln!(
                std::io::stderr(),
                "skip: sops is not on PATH, so the exchange with it was not tested"
            ));
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

const YAML: &str = r#"# of the document

# above
s: text <&> é
i: 42 # behind
f: 1.50
t: true
n: null
d: 2001-12-14
empty: ""
# mark
data:
    k: v
    # mark this one
    l:
        - a
        - b: 'quoted'
          c_enc: "x\ty"
    block: |
        line
         more

    folded: >-
        one
        two
m: {}
e: []
plain_unencrypted: 3
last_enc: z
# at the end
"#;

const YAML_STREAM: &str = "a: 1\n# mark\nb_enc: two\n---\ndata: three\n---\nb: [x, 4.0]\n";

/// What stands in a rule beside its recipients: each rule of selection, and the MAC over sealed values only.
const RULES: [&str; 9] = [
    "",
    "mac_only_encrypted: true",
    "unencrypted_suffix: _unencrypted",
    "encrypted_suffix: _enc",
    "unencrypted_regex: ^(s|data)$",
    "encrypted_regex: ^(s|data)$",
    "encrypted_regex: ^data$\n  mac_only_encrypted: true",
    "unencrypted_comment_regex: mark",
    "encrypted_comment_regex: ^ ?mark",
];

/// A configuration with one rule that says this, for both programs.
fn configuration(rule: &str) -> String {
    format!("creation_rules:\n- age: {}\n  {rule}\n", recipient())
}

/// Documents in which every rule selects something; JSON has no comments to select by.
fn documents(rule: &str) -> Vec<(&'static str, Format, &'static str)> {
    let mut documents = vec![
        ("f.yaml", Format::Yaml, YAML),
        ("stream.yaml", Format::Yaml, YAML_STREAM),
    ];
    if !rule.contains("comment") {
        documents.push(("f.json", Format::Json, JSON_KEYS));
    }
    documents
}

const JSON_KEYS: &str = "{\"s\": \"text\", \"data\": {\"k\": [1, true, null, \"\"], \"k_enc\": 1.5}, \"a_unencrypted\": 3}\n";

#[test]
fn sops_opens_what_we_seal_by_every_rule_without_a_word() {
    let dir = tempfile::tempdir().unwrap();
    for rule in RULES {
        let path = dir.path().join(".sops.yaml");
        let config = Config::parse(&path, configuration(rule).as_bytes()).unwrap();
        for (name, format, text) in documents(rule) {
            let file = dir.path().join(name);
            let matching = config.rule_for(&file).unwrap();
            let policy = Policy::resolve(Some(matching), &PolicyRequest::default()).unwrap();
            let draft = DraftFile::parse(format, Secret::from_slice(text.as_bytes())).unwrap();
            let sealed = draft.seal(&policy, now()).unwrap();
            assert!(sealed.sealed_leaves() > 0, "{rule} {name}");
            std::fs::write(&file, sealed.text()).unwrap();
            let Some(output) = sops(&["decrypt", name], dir.path()) else {
                return;
            };
            let said = String::from_utf8_lossy(&output.stderr);
            assert_eq!(said, "", "{rule} {name}");
            assert_eq!(
                support::outline(format, &output.stdout),
                support::outline(format, text.as_bytes()),
                "{rule} {name}"
            );
        }
    }
}

#[test]
fn we_open_what_sops_seals_by_every_rule() {
    let dir = tempfile::tempdir().unwrap();
    for rule in RULES {
        std::fs::write(dir.path().join(".sops.yaml"), configuration(rule)).unwrap();
        for (name, format, text) in documents(rule) {
            std::fs::write(dir.path().join(name), text).unwrap();
            let Some(output) = sops(&["encrypt", name], dir.path()) else {
                return;
            };
            let said = String::from_utf8_lossy(&output.stderr);
            assert_eq!(said, "", "{rule} {name}");
            assert_eq!(
                support::outline(format, open(format, &output.stdout).as_bytes()),
                support::outline(format, text.as_bytes()),
                "{rule} {name}"
            );
        }
    }
}

/// Shapes whose meaning go-yaml and sops decide. `ONE` and `TWO` are recipients.
const CONFIGURATIONS: [&str; 19] = [
    "creation_rules:\n- age: ' ONE , TWO ,'\n",
    "creation_rules:\n- age: [ONE, \"TWO,ONE\"]\n",
    "creation_rules:\n- age: >-\n    ONE,\n    TWO\n",
    "creation_rules:\n- key_groups: [{age: [ONE, ONE]}]\n",
    "x: &x {age: ONE, encrypted_regex: ^a}\ncreation_rules:\n- <<: *x\n  path_regex: zz\n- <<: *x\n",
    "x: &x {age: ONE}\ncreation_rules:\n- age: TWO\n  <<: *x\n",
    "x: &x {age: ONE}\ncreation_rules:\n- <<: *x\n  age: TWO\n",
    "x: &x {age: ONE}\ny: &y {age: TWO}\ncreation_rules:\n- <<: [*x, *y]\n",
    "x: &x {age: ONE}\ny: &y {<<: *x, encrypted_suffix: a}\ncreation_rules:\n- <<: *y\n",
    "creation_rules:\n- age: ONE\n  mac_only_encrypted: on\n",
    "creation_rules:\n- age: ONE\n  key_groups: [{age: [TWO]}]\n",
    "creation_rules:\n- age: ONE\n  key_groups: []\n",
    "creation_rules:\n- age: ONE\n  shamir_threshold: 0\n",
    "t: &t {age: [ONE]}\ncreation_rules:\n- key_groups: [{merge: [*t], age: [TWO, ONE]}]\n",
    "creation_rules:\n- {path_regex: ^f, age: ONE}\n- {path_regex: '(', age: TWO}\n",
    "creation_rules:\n- {path_regex: ^sub/, age: ONE}\n- {path_regex: /, age: ONE}\n- age: TWO\n",
    "creation_rules:\n-\n- age: ONE\n",
    "creation_rules:\n- key_groups:\n  -\n  - age: [ONE, null]\n",
    "creation_rules:\n- {age: ONE, encrypted_regex: ''}\n---\ncreation_rules: []\n",
];

#[test]
fn a_configuration_means_to_us_what_it_means_to_sops() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("f.yaml"), "a: 1\n").unwrap();
    let two = std::fs::read_to_string(keys().join("age-2.pub")).unwrap();
    for template in CONFIGURATIONS {
        let text = template
            .replace("ONE", &recipient())
            .replace("TWO", two.trim());
        std::fs::write(dir.path().join(".sops.yaml"), &text).unwrap();
        let Some(output) = sops(&["encrypt", "f.yaml"], dir.path()) else {
            return;
        };
        assert!(output.status.success(), "{text}");
        let theirs = SealedFile::parse(Format::Yaml, Secret::from_slice(&output.stdout)).unwrap();
        let config = Config::discover(dir.path()).unwrap().config.unwrap();
        let rule = config.rule_for(&dir.path().join("f.yaml")).unwrap();
        let policy = Policy::resolve(Some(rule), &PolicyRequest::default()).unwrap();
        let draft = DraftFile::parse(Format::Yaml, Secret::from_slice(b"a: 1\n")).unwrap();
        let ours = draft.seal(&policy, now()).unwrap();
        assert_eq!(ours.recipients(), theirs.recipients(), "{text}");
        let (ours, theirs) = (ours.metadata(), theirs.metadata());
        assert_eq!(
            ours.selection.settings(),
            theirs.selection.settings(),
            "{text}"
        );
        assert_eq!(ours.coverage, theirs.coverage, "{text}");
        assert_eq!(ours.threshold, theirs.threshold, "{text}");
    }
}

#[test]
fn a_configuration_that_sops_refuses_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("f.yaml");
    std::fs::write(&file, "a: 1\n").unwrap();
    for template in [
        "creation_rules:\n- age: 5\n",
        "creation_rules:\n- age: [ONE, null]\n",
        "creation_rules:\n- age: ONE\n  shamir_threshold: '1'\n",
        "creation_rules:\n- {path_regex: '(', age: ONE}\n",
        "creation_rules:\n- {path_regex: ^/, age: ONE}\n",
        "creation_rules:\n- {age: ONE, hckms: x}\n",
        "creation_rules:\n- {age: ONE, encrypted_regex: a, encrypted_suffix: b}\n",
        "creation_rules:\n- {age: ONE, mac_only_encrypted: perhaps}\n",
        "x: &x {age: ONE}\ncreation_rules:\n- \"<<\": *x\n",
        "creation_rules: []\n---\ncreation_rules:\n- age: ONE\n",
        "creation_rules:\n- key_groups: [{age: ONE}]\n",
        "creation_rules:\n- age: bob\n",
        "creation_rules:\n- path_regex: ''\n",
        "creation_rules:\n",
        "creation_rules: []\n",
        "# nothing\n",
        "---\n",
        "",
        "text\n",
        "a: 1\na: 2\n",
    ] {
        let text = template.replace("ONE", &recipient());
        let path = dir.path().join(".sops.yaml");
        std::fs::write(&path, &text).unwrap();
        let Some(output) = sops(&["encrypt", "f.yaml"], dir.path()) else {
            return;
        };
        assert!(!output.status.success(), "{text}");
        let accepted = Config::read(&path).is_ok_and(|config| {
            config
                .rule_for(&file)
                .is_ok_and(|rule| Policy::resolve(Some(rule), &PolicyRequest::default()).is_ok())
        });
        assert!(!accepted, "{text}");
    }
}
