//! Key groups in both directions: real sops opens what we seal and edit, and we open what it seals and edits. Skipped,
//! saying so, where sops is not installed.

use std::path::{Path, PathBuf};
use std::process::Output;

use ccci_secrets::config::{Config, Policy, PolicyRequest};
use ccci_secrets::document::{Format, NewNode};
use ccci_secrets::env::Environment;
use ccci_secrets::error::ErrorCode;
use ccci_secrets::file::{DraftFile, OpenFile, SealedFile};
use ccci_secrets::keyring::Keyring;
use ccci_secrets::secret::Secret;

use crate::program::Sops;
use crate::support;

fn key_path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../testdata/sops/keys")
        .join(name)
}

fn key_text(name: &str) -> String {
    let text = std::fs::read_to_string(key_path(name)).unwrap();
    text.trim().to_owned()
}

/// The keys of a person: the numbers of age keys, and `s` for the SSH key.
struct Holder<'a> {
    dir: &'a Path,
    keys: &'a str,
}

impl Holder<'_> {
    /// What names these keys to both programs.
    fn variables(&self) -> Vec<(&'static str, String)> {
        let mut age = String::new();
        let mut variables = Vec::new();
        for key in self.keys.chars() {
            if key == 's' {
                let path = key_path("ssh_ed25519").to_str().unwrap().to_owned();
                variables.push(("SOPS_AGE_SSH_PRIVATE_KEY_FILE", path));
            } else {
                age += &key_text(&format!("age-{key}.txt"));
                age.push('\n');
            }
        }
        if !age.is_empty() {
            let path = self.dir.join(format!("keys-{}.txt", self.keys));
            std::fs::write(&path, age).unwrap();
            variables.push(("SOPS_AGE_KEY_FILE", path.to_str().unwrap().to_owned()));
        }
        variables
    }

    fn keyring(&self) -> Keyring {
        let variables = self.variables();
        let environment = variables
            .iter()
            .fold(Environment::empty(), |environment, (name, value)| {
                environment.with_var(name, value)
            });
        Keyring::discover(&environment)
    }

    fn run(&self, sops: &Sops, args: &[&str]) -> Output {
        let mut command = sops.command(self.dir);
        command.args(args).envs(self.variables()).output().unwrap()
    }
}

fn now() -> jiff::Timestamp {
    "2026-01-02T03:04:05Z".parse().unwrap()
}

/// A rule, who opens a file that follows it, and who does not.
struct Shape {
    /// `K1` to `K3` and `KS` stand for recipients.
    rule: &'static str,
    threshold: Option<u32>,
    opens: &'static [&'static str],
    does_not: &'static [&'static str],
}

const SHAPES: [Shape; 8] = [
    Shape {
        rule: "shamir_threshold: 2\n  key_groups: [{age: [K1]}, {age: [K2]}, {age: [K3]}]",
        threshold: Some(2),
        opens: &["12", "13", "23", "123"],
        does_not: &["1", "2", "3"],
    },
    // Nothing said: all groups.
    Shape {
        rule: "key_groups: [{age: [K1]}, {age: [K2]}, {age: [K3]}]",
        threshold: Some(3),
        opens: &["123"],
        does_not: &["12", "23", "1"],
    },
    Shape {
        rule: "shamir_threshold: 3\n  key_groups: [{age: [K1]}, {age: [K2]}, {age: [K3]}]",
        threshold: Some(3),
        opens: &["123"],
        does_not: &["12"],
    },
    Shape {
        rule: "key_groups: [{age: [K1, KS]}, {age: [K2, K3]}]",
        threshold: Some(2),
        opens: &["12", "13", "s2", "s3", "1s23"],
        does_not: &["1s", "23"],
    },
    // One person in two groups.
    Shape {
        rule: "key_groups: [{age: [K1, K2]}, {age: [K1, K3]}]",
        threshold: Some(2),
        opens: &["1", "23", "123"],
        does_not: &["2", "3"],
    },
    // A single group in the form of groups, and a threshold that has no effect.
    Shape {
        rule: "shamir_threshold: 2\n  key_groups: [{age: [K1, K2]}]",
        threshold: Some(2),
        opens: &["1", "2"],
        does_not: &["3"],
    },
    // Too low for two groups; for one it means as little.
    Shape {
        rule: "shamir_threshold: 1\n  key_groups: [{age: [K1, K2]}]",
        threshold: Some(1),
        opens: &["1", "2"],
        does_not: &["3"],
    },
    Shape {
        rule: "shamir_threshold: 1\n  age: K1,K2",
        threshold: Some(1),
        opens: &["1", "2"],
        does_not: &["3"],
    },
];

/// Rules that no data key can be split by.
const REFUSED: [&str; 4] = [
    "shamir_threshold: 1\n  key_groups: [{age: [K1]}, {age: [K2]}]",
    "shamir_threshold: 3\n  key_groups: [{age: [K1]}, {age: [K2]}]",
    "key_groups: [{age: [K1]}, {age: []}]",
    "key_groups: [{age: []}]",
];

const YAML: &str =
    "# note\na: text\nb:\n    c: 5\n    d: [1.5, true, null]\nplain_unencrypted: x\n";
const JSON: &str = "{\n    \"a\": \"text\",\n    \"b\": {\"c\": 5, \"d\": [1.5, true, null]},\n    \"plain_unencrypted\": \"x\"\n}\n";

/// Those that this sops knows. 3.9.0 has no SSH recipients: `failed to parse input as Bech32-encoded age public key`.
fn shapes(sops: &Sops) -> impl Iterator<Item = &'static Shape> {
    let is_known = |shape: &&Shape| !sops.is_old() || !shape.rule.contains("KS");
    SHAPES.iter().filter(is_known)
}

/// Two groups, somebody who opens them, and somebody else who does.
fn two_groups(sops: &Sops) -> (&'static str, &'static str, &'static str) {
    match sops.is_old() {
        true => (SHAPES[4].rule, "23", "1"),
        false => (SHAPES[3].rule, "s3", "12"),
    }
}

/// One for each form of the metadata.
const FORMS: [(&str, Format, &str); 4] = [
    ("f.yaml", Format::Yaml, YAML),
    ("f.json", Format::Json, JSON),
    ("f.env", Format::Dotenv, "# note\nA=text\nB=two\n"),
    ("f.ini", Format::Ini, "[a]\nb = text\nc = two\n"),
];

const DOCUMENTS: [(&str, Format, &str); 2] = [
    ("f.yaml", Format::Yaml, YAML),
    ("f.json", Format::Json, JSON),
];

fn configuration(rule: &str) -> String {
    let mut text = format!("creation_rules:\n- {rule}\n");
    for (word, name) in [
        ("K1", "age-1.pub"),
        ("K2", "age-2.pub"),
        ("K3", "age-3.pub"),
        ("KS", "ssh_ed25519.pub"),
    ] {
        text = text.replace(word, &key_text(name));
    }
    text
}

fn policy(dir: &Path, rule: &str) -> Policy {
    let config = Config::parse(&dir.join(".sops.yaml"), configuration(rule).as_bytes()).unwrap();
    let rule = config.rule_for(&dir.join("f.yaml")).unwrap();
    Policy::resolve(Some(rule), &PolicyRequest::default()).unwrap()
}

fn seal(format: Format, text: &str, policy: &Policy) -> SealedFile {
    let draft = DraftFile::parse(format, Secret::from_slice(text.as_bytes())).unwrap();
    draft.seal(policy, now()).unwrap()
}

fn open(format: Format, sealed: &[u8], holder: &Holder<'_>) -> Result<OpenFile, ErrorCode> {
    let file = SealedFile::parse(format, Secret::from_slice(sealed)).unwrap();
    file.open(&holder.keyring()).map_err(|error| error.code())
}

fn plain(opened: &OpenFile) -> Vec<u8> {
    let (plain, notes) = opened.expose_document().unwrap();
    assert_eq!(notes, []);
    plain.expose().to_vec()
}

fn assert_same(format: Format, left: &[u8], right: &[u8], about: &str) {
    let outline = |text| support::outline(format, text);
    assert_eq!(outline(left), outline(right), "{about}");
}

/// Everything that keys are in: whatever an edit changes, this stays.
fn wrapped(sealed: &[u8], format: Format) -> Vec<(String, Vec<(String, String)>)> {
    let file = SealedFile::parse(format, Secret::from_slice(sealed)).unwrap();
    let metadata = file.metadata();
    let keys = metadata.groups.iter().enumerate().flat_map(|(nth, group)| {
        let key = move |key: &ccci_secrets::wrapped::WrappedKey| {
            let mut fields = key.fields.clone();
            fields.sort();
            (format!("group {nth}, {:?}", key.kind), fields)
        };
        group.keys.iter().map(key)
    });
    let threshold = (format!("threshold {:?}", metadata.threshold), Vec::new());
    keys.chain([threshold]).collect()
}

#[test]
fn sops_opens_what_we_seal_for_groups_and_only_for_enough_of_them() {
    for sops in Sops::all() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path();
        for shape in shapes(sops) {
            for (name, format, text) in FORMS {
                let sealed = seal(format, text, &policy(dir, shape.rule));
                assert_eq!(sealed.metadata().threshold, shape.threshold);
                std::fs::write(dir.join(name), sealed.text()).unwrap();
                for keys in shape.opens {
                    let about = format!("{} {name} {keys}", shape.rule);
                    let holder = Holder { dir, keys };
                    let opened = open(format, sealed.text(), &holder).unwrap();
                    assert_same(format, &plain(&opened), text.as_bytes(), &about);
                    let output = holder.run(sops, &["decrypt", name]);
                    assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{about}");
                    assert_same(format, &output.stdout, text.as_bytes(), &about);
                }
                for keys in shape.does_not {
                    let about = format!("{} {name} {keys}", shape.rule);
                    let holder = Holder { dir, keys };
                    let error = open(format, sealed.text(), &holder).unwrap_err();
                    assert_eq!(error, ErrorCode::NoIdentity, "{about}");
                    let output = holder.run(sops, &["decrypt", name]);
                    assert_eq!(output.status.code(), Some(128), "{about}");
                }
            }
        }
    }
}

#[test]
fn we_open_what_sops_seals_for_groups_and_only_for_enough_of_them() {
    for sops in Sops::all() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path();
        let nobody = Holder { dir, keys: "" };
        for shape in shapes(sops) {
            std::fs::write(dir.join(".sops.yaml"), configuration(shape.rule)).unwrap();
            for (name, format, text) in FORMS {
                // `panic: interface conversion: interface {} is float64, not string`: 3.9.0 writes no threshold there.
                if sops.is_old() && format == Format::Dotenv {
                    continue;
                }
                std::fs::write(dir.join(name), text).unwrap();
                let output = nobody.run(sops, &["encrypt", name]);
                assert_eq!(String::from_utf8_lossy(&output.stderr), "");
                let theirs = output.stdout;
                let ours = seal(format, text, &policy(dir, shape.rule));
                let labels = |sealed: &[u8]| {
                    let file = SealedFile::parse(format, Secret::from_slice(sealed)).unwrap();
                    (file.recipients(), file.metadata().threshold)
                };
                assert_eq!(labels(ours.text()), labels(&theirs), "{}", shape.rule);
                for keys in shape.opens {
                    let about = format!("{} {name} {keys}", shape.rule);
                    let opened = open(format, &theirs, &Holder { dir, keys }).unwrap();
                    assert_same(format, &plain(&opened), text.as_bytes(), &about);
                }
                for keys in shape.does_not {
                    let error = open(format, &theirs, &Holder { dir, keys }).unwrap_err();
                    assert_eq!(error, ErrorCode::NoIdentity, "{} {keys}", shape.rule);
                }
            }
        }
    }
}

#[test]
fn rules_that_no_key_can_be_split_by_are_refused_by_both() {
    for sops in Sops::all() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path();
        std::fs::write(dir.join("f.yaml"), YAML).unwrap();
        // 3.9.0 seals to a group without keys, which nobody opens, as to any other.
        let refused = REFUSED
            .iter()
            .filter(|rule| !sops.is_old() || !rule.contains("[]"));
        for rule in refused {
            let path = dir.join(".sops.yaml");
            std::fs::write(&path, configuration(rule)).unwrap();
            let config = Config::read(&path).unwrap();
            let found = config.rule_for(&dir.join("f.yaml")).unwrap();
            let ours = Policy::resolve(Some(found), &PolicyRequest::default()).unwrap_err();
            let nobody = Holder { dir, keys: "" };
            let output = nobody.run(sops, &["encrypt", "f.yaml"]);
            assert_eq!(output.status.code(), Some(1), "{rule}");
            // What sops says after its colon stands in our message, too.
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            if let Some((_, words)) = said.trim().trim_end_matches(']').rsplit_once("Shamir: ") {
                assert!(ours.to_string().contains(words), "{ours} / {said}");
            } else {
                assert!(said.contains("empty key group"), "{said}");
                assert_eq!(ours.code(), ErrorCode::NoRecipients);
            }
        }
    }
}

#[test]
fn a_file_that_lost_its_threshold_opens_with_what_is_there_as_in_sops() {
    for sops in Sops::all() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path();
        let sealed = seal(Format::Yaml, YAML, &policy(dir, SHAPES[0].rule)).to_string();
        let line = sealed
            .lines()
            .find(|line| line.contains("shamir_threshold"))
            .unwrap();
        let without = sealed.replace(&format!("{line}\n"), "");
        std::fs::write(dir.join("f.yaml"), &without).unwrap();
        for (keys, opens) in [("12", true), ("123", true), ("3", false)] {
            let holder = Holder { dir, keys };
            match open(Format::Yaml, without.as_bytes(), &holder) {
                Ok(opened) => {
                    assert!(opens, "{keys}");
                    assert_same(Format::Yaml, &plain(&opened), YAML.as_bytes(), keys);
                }
                Err(code) => assert_eq!((code, opens), (ErrorCode::NoIdentity, false)),
            }
            let output = holder.run(sops, &["decrypt", "f.yaml"]);
            assert_eq!(output.status.success(), opens, "{keys}");
        }
        // Too few of the shares of a higher threshold make another key: nothing opens, in neither program.
        let all = seal(Format::Yaml, YAML, &policy(dir, SHAPES[1].rule)).to_string();
        let without = all.replace("    shamir_threshold: 3\n", "");
        assert_ne!(all, without);
        std::fs::write(dir.join("f.yaml"), &without).unwrap();
        let two = Holder { dir, keys: "12" };
        let error = open(Format::Yaml, without.as_bytes(), &two).unwrap_err();
        assert_eq!(error, ErrorCode::DoesNotOpen);
        let output = two.run(sops, &["decrypt", "f.yaml"]);
        assert_eq!(output.status.code(), Some(25));
    }
}

#[test]
fn what_we_edit_keeps_every_wrapped_share_and_sops_opens_it() {
    for sops in Sops::all() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path();
        let (rule, keys, others) = two_groups(sops);
        std::fs::write(dir.join(".sops.yaml"), configuration(rule)).unwrap();
        let holder = Holder { dir, keys };
        for (name, format, text) in DOCUMENTS {
            std::fs::write(dir.join(name), text).unwrap();
            let output = holder.run(sops, &["encrypt", name]);
            let before = output.stdout;
            let opened = open(format, &before, &holder).unwrap();
            let set = opened
                .set(&"b.c".parse().unwrap(), &NewNode::text("changed"))
                .unwrap()
                .seal(now())
                .unwrap();
            let opened = open(format, set.text(), &holder).unwrap();
            let text = String::from_utf8(plain(&opened)).unwrap();
            let edited_text = text.replace("text", "edited");
            let edited = opened
                .edit(Secret::from_slice(edited_text.as_bytes()))
                .unwrap()
                .seal(now())
                .unwrap();
            for after in [set.text(), edited.text()] {
                assert_eq!(wrapped(after, format), wrapped(&before, format), "{name}");
            }
            std::fs::write(dir.join(name), edited.text()).unwrap();
            let other = Holder { dir, keys: others };
            let output = other.run(sops, &["decrypt", name]);
            assert_eq!(String::from_utf8_lossy(&output.stderr), "");
            assert_same(format, &output.stdout, edited_text.as_bytes(), name);
        }
    }
}

#[test]
fn what_sops_edits_of_ours_keeps_every_wrapped_share_and_we_open_it() {
    for sops in Sops::all() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path();
        let editor = dir.join("editor");
        std::fs::write(&editor, "#!/bin/sh\nsed -i s/text/edited/ \"$1\"\n").unwrap();
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o700);
        std::fs::set_permissions(&editor, mode).unwrap();
        for (name, format, text) in DOCUMENTS {
            let before = seal(format, text, &policy(dir, SHAPES[0].rule)).to_string();
            std::fs::write(dir.join(name), &before).unwrap();
            let holder = Holder { dir, keys: "23" };
            let output = holder.run(sops, &["set", name, "[\"b\"][\"c\"]", "\"changed\""]);
            assert_eq!(String::from_utf8_lossy(&output.stderr), "");
            let mut edit = sops.command(dir);
            edit.args(["edit", name]).env("EDITOR", &editor);
            assert!(edit.envs(holder.variables()).status().unwrap().success());
            let after = std::fs::read(dir.join(name)).unwrap();
            assert_eq!(wrapped(&after, format), wrapped(before.as_bytes(), format));
            let expected = text
                .replace("\"c\": 5", "\"c\": \"changed\"")
                .replace("c: 5", "c: changed")
                .replace("text", "edited");
            let opened = open(format, &after, &Holder { dir, keys: "13" }).unwrap();
            assert_same(format, &plain(&opened), expected.as_bytes(), name);
        }
    }
}

#[test]
fn what_sops_wraps_anew_opens_for_the_new_groups() {
    for sops in Sops::all() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path();
        let before = seal(Format::Yaml, YAML, &policy(dir, SHAPES[0].rule)).to_string();
        std::fs::write(dir.join("f.yaml"), &before).unwrap();
        let holder = Holder { dir, keys: "12" };
        let output = holder.run(sops, &["rotate", "-i", "f.yaml"]);
        assert_eq!(String::from_utf8_lossy(&output.stderr), "");
        let rotated = std::fs::read(dir.join("f.yaml")).unwrap();
        let opened = open(Format::Yaml, &rotated, &Holder { dir, keys: "13" }).unwrap();
        assert_same(Format::Yaml, &plain(&opened), YAML.as_bytes(), "rotate");

        let (rule, keys, _) = two_groups(sops);
        std::fs::write(dir.join(".sops.yaml"), configuration(rule)).unwrap();
        let output = holder.run(sops, &["updatekeys", "-y", "f.yaml"]);
        assert!(output.status.success());
        let updated = std::fs::read(dir.join("f.yaml")).unwrap();
        let opened = open(Format::Yaml, &updated, &Holder { dir, keys }).unwrap();
        assert_same(Format::Yaml, &plain(&opened), YAML.as_bytes(), "updatekeys");
    }
}

/// What this build knows nothing of: other kinds of keys with all their fields, and fields of a later sops.
const FOREIGN: &str = "          new_kind:
            - a: 1
              b: [x, y]
          kms:
            - arn: arn:aws:kms:eu-west-1:1:key/2
              context:
                app: db
              created_at: \"2020-01-01T00:00:00Z\"
              enc: AQ==
              aws_profile: \"\"
          hc_vault: []
";

#[test]
fn kinds_and_fields_that_we_do_not_know_survive_every_edit() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let sealed = seal(Format::Yaml, YAML, &policy(dir, SHAPES[0].rule)).to_string();
    let foreign = sealed.replace("          hc_vault: []\n", FOREIGN).replace(
        "    shamir_threshold",
        "    shamir_quorum: 2\n    shamir_threshold",
    );
    assert_eq!(foreign.matches("new_kind").count(), 3);
    let holder = Holder { dir, keys: "13" };
    let opened = open(Format::Yaml, foreign.as_bytes(), &holder).unwrap();
    let set = opened
        .set(&"a".parse().unwrap(), &NewNode::text("changed"))
        .unwrap();
    let set = set.seal(now()).unwrap().to_string();
    let opened = open(Format::Yaml, set.as_bytes(), &holder).unwrap();
    let edited = opened
        .edit(Secret::from_slice(b"# other\nx: {y: z}\n"))
        .unwrap();
    let edited = edited.seal(now()).unwrap().to_string();
    let block = |text: &str| -> Vec<String> {
        let lines = text.lines().skip_while(|line| *line != "sops:");
        lines
            .filter(|line| !line.trim_start().starts_with("mac:"))
            .map(str::to_owned)
            .collect()
    };
    assert_eq!(block(&set), block(&foreign));
    assert_eq!(block(&edited), block(&foreign));
    let opened = open(Format::Yaml, edited.as_bytes(), &Holder { dir, keys: "23" }).unwrap();
    let other = b"# other\nx: {y: z}\n";
    assert_same(Format::Yaml, &plain(&opened), other, "edit");
}
