//! Every version of real sops that is installed opens what we seal, and we open what it seals; what is missing is said.

use std::path::{Path, PathBuf};
use std::process::Output;

use ccci_secrets::config::{Config, Policy, PolicyRequest};
use ccci_secrets::document::Format;
use ccci_secrets::env::Environment;
use ccci_secrets::file::{DraftFile, SealedFile};
use ccci_secrets::keyring::Keyring;
use ccci_secrets::secret::Secret;

use crate::program::Sops;
use crate::support;

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

fn run(sops: &Sops, args: &[&str], dir: &Path) -> Output {
    sops.command(dir)
        .args(args)
        .env("SOPS_AGE_KEY_FILE", keys().join("age-1.txt"))
        .output()
        .unwrap()
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
    for sops in Sops::all() {
        let output = run(sops, &["decrypt", "ours.json"], dir.path());
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{sops:?}");
        let theirs: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let expected: serde_json::Value = serde_json::from_str(JSON).unwrap();
        // sops prints 3.0 as 3; numbers are compared as floats.
        let (theirs, expected) = (numbers_as_floats(theirs), numbers_as_floats(expected));
        assert_eq!(theirs, expected, "{sops:?}");
    }
}

#[test]
fn we_open_the_json_that_sops_seals() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("plain.json"), JSON).unwrap();
    for sops in Sops::all() {
        let args = ["encrypt", "--age", &recipient(), "plain.json"];
        let output = run(sops, &args, dir.path());
        let opened = open(Format::Json, &output.stdout);
        let ours: serde_json::Value = serde_json::from_str(&opened).unwrap();
        let expected: serde_json::Value = serde_json::from_str(JSON).unwrap();
        let (ours, expected) = (numbers_as_floats(ours), numbers_as_floats(expected));
        assert_eq!(ours, expected, "{sops:?}");
    }
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

/// Documents in which every rule selects something, as far as this sops can carry them; only YAML and dotenv have
/// comments to select by.
fn documents(sops: &Sops, rule: &str) -> Vec<(&'static str, Format, String)> {
    let yaml = match sops.is_old() {
        // `Cannot walk value, unknown type: time.Time`
        true => YAML.replace("d: 2001-12-14\n", ""),
        false => YAML.to_owned(),
    };
    let mut documents = vec![
        ("f.yaml", Format::Yaml, yaml),
        ("stream.yaml", Format::Yaml, YAML_STREAM.to_owned()),
        ("f.env", Format::Dotenv, DOTENV.to_owned()),
    ];
    if !rule.contains("comment") {
        documents.push(("f.json", Format::Json, JSON_KEYS.to_owned()));
        documents.push(("f.ini", Format::Ini, INI.to_owned()));
    }
    // A rule means nothing to a file that is one value.
    if rule.is_empty() {
        documents.push(("f.bin", Format::Binary, "one\ntwo\n".to_owned()));
    }
    documents
}

const JSON_KEYS: &str = "{\"s\": \"text\", \"data\": {\"k\": [1, true, null, \"\"], \"k_enc\": 1.5}, \"a_unencrypted\": 3}\n";

const DOTENV: &str = "s=text\n# mark\ndata=two\nk_enc=three\nk_unencrypted=four\n# at the end\n";

const INI: &str = "; about t\n[t]\nk = five\n\n[s]\nk = text\n\n[data]\nk = two\nk_enc = three\nk_unencrypted = four\n";

/// What a file says, whatever its format.
fn content(format: Format, text: &[u8]) -> Vec<String> {
    match format {
        Format::Binary => vec![String::from_utf8_lossy(text).into_owned()],
        _ => support::outline(format, text),
    }
}

#[test]
fn sops_opens_what_we_seal_by_every_rule_without_a_word() {
    let dir = tempfile::tempdir().unwrap();
    for (sops, rule) in Sops::all()
        .iter()
        .flat_map(|sops| RULES.map(|rule| (sops, rule)))
    {
        let path = dir.path().join(".sops.yaml");
        let config = Config::parse(&path, configuration(rule).as_bytes()).unwrap();
        for (name, format, text) in documents(sops, rule) {
            let about = format!("{} {rule} {name}", sops.version);
            let file = dir.path().join(name);
            let matching = config.rule_for(&file).unwrap();
            let policy = Policy::resolve(Some(matching), &PolicyRequest::default()).unwrap();
            let draft = DraftFile::parse(format, Secret::from_slice(text.as_bytes())).unwrap();
            let sealed = draft.seal(&policy, now()).unwrap();
            assert!(sealed.sealed_leaves() > 0, "{about}");
            std::fs::write(&file, sealed.text()).unwrap();
            let output = run(sops, &["decrypt", name], dir.path());
            let said = String::from_utf8_lossy(&output.stderr);
            assert_eq!(said, "", "{about}");
            let (theirs, ours) = (&output.stdout, text.as_bytes());
            assert_eq!(content(format, theirs), content(format, ours), "{about}");
        }
    }
}

#[test]
fn we_open_what_sops_seals_by_every_rule() {
    let dir = tempfile::tempdir().unwrap();
    for (sops, rule) in Sops::all()
        .iter()
        .flat_map(|sops| RULES.map(|rule| (sops, rule)))
    {
        std::fs::write(dir.path().join(".sops.yaml"), configuration(rule)).unwrap();
        for (name, format, text) in documents(sops, rule) {
            let about = format!("{} {rule} {name}", sops.version);
            std::fs::write(dir.path().join(name), &text).unwrap();
            let output = run(sops, &["encrypt", name], dir.path());
            let said = String::from_utf8_lossy(&output.stderr);
            assert_eq!(said, "", "{about}");
            let opened = open(format, &output.stdout);
            let (ours, theirs) = (opened.as_bytes(), text.as_bytes());
            assert_eq!(content(format, ours), content(format, theirs), "{about}");
        }
    }
}

#[test]
fn what_sops_changes_of_ours_opens_here_to_what_it_opens_there() {
    let dir = tempfile::tempdir().unwrap();
    let policy = Policy::age(&[&recipient()]).unwrap();
    for sops in Sops::all() {
        for (name, format, text) in documents(sops, "") {
            let draft = DraftFile::parse(format, Secret::from_slice(text.as_bytes())).unwrap();
            let sealed = draft.seal(&policy, now()).unwrap();
            std::fs::write(dir.path().join(name), sealed.text()).unwrap();
            let path = match name {
                "f.ini" => "[\"s\"][\"k\"]",
                "f.bin" => "[\"data\"]",
                "stream.yaml" => "[\"b_enc\"]",
                _ => "[\"s\"]",
            };
            for change in [
                &["set", name, path, "\"changed\""][..],
                &["rotate", "-i", name],
            ] {
                let about = format!("{} {change:?}", sops.version);
                let output = run(sops, change, dir.path());
                assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{about}");
                let theirs = run(sops, &["decrypt", name], dir.path()).stdout;
                let ours = open(format, &std::fs::read(dir.path().join(name)).unwrap());
                let (ours, theirs) = (ours.as_bytes(), theirs.as_slice());
                assert_eq!(content(format, ours), content(format, theirs), "{about}");
                let is_new = |line: &String| line.ends_with("changed");
                assert!(content(format, ours).iter().any(is_new), "{about}");
            }
        }
    }
}

/// Shapes whose meaning go-yaml and sops decide. `ONE` and `TWO` are recipients.
const CONFIGURATIONS: [&str; 22] = [
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
    // Only the maps that are read have names for keys, each once.
    "5: x\nnull: y\ncreation_rules:\n- age: ONE\n",
    "x: {1: a, 0x1: b, 1.5: c, true: d, ~: e, 2001-01-01: f, !!int 5: g}\ncreation_rules:\n- age: ONE\n",
    "x: {a: 1, a: 2, 1: a, 1: b}\ncreation_rules:\n- age: ONE\n",
];

#[test]
fn a_configuration_means_to_us_what_it_means_to_sops() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("f.yaml"), "a: 1\n").unwrap();
    let two = std::fs::read_to_string(keys().join("age-2.pub")).unwrap();
    let Some(sops) = Sops::newest() else {
        return;
    };
    for template in CONFIGURATIONS {
        let text = template
            .replace("ONE", &recipient())
            .replace("TWO", two.trim());
        std::fs::write(dir.path().join(".sops.yaml"), &text).unwrap();
        let output = run(sops, &["encrypt", "f.yaml"], dir.path());
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
    let Some(sops) = Sops::newest() else {
        return;
    };
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
        "1: a\n1: b\ncreation_rules:\n- age: ONE\n",
        "1: a\n\"1\": b\ncreation_rules:\n- age: ONE\n",
        "creation_rules:\n- {age: ONE, age: ONE}\n",
        "? [a]\n: b\ncreation_rules:\n- age: ONE\n",
    ] {
        let text = template.replace("ONE", &recipient());
        let path = dir.path().join(".sops.yaml");
        std::fs::write(&path, &text).unwrap();
        let output = run(sops, &["encrypt", "f.yaml"], dir.path());
        assert!(!output.status.success(), "{text}");
        let accepted = Config::read(&path).is_ok_and(|config| {
            config
                .rule_for(&file)
                .is_ok_and(|rule| Policy::resolve(Some(rule), &PolicyRequest::default()).is_ok())
        });
        assert!(!accepted, "{text}");
    }
}
