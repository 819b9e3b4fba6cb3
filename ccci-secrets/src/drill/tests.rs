use std::path::{Path, PathBuf};

use super::*;
use crate::config::Policy;
use crate::document::Format;
use crate::file::DraftFile;
use crate::finding::{Finding, Level};
use crate::key::age::x25519::X25519Identity;
use crate::key::test_data;
use crate::keyring::{KeyFileFacts, Keyring};
use crate::secret::Secret;
use crate::survey::{Survey, survey};
use crate::wrapped::Names;

/// A directory with the files of a repository, sealed for keys of the test data.
struct Place {
    directory: tempfile::TempDir,
}

const CONFIG: &str = "keys:\n  - &recovery ONE\n  - &host TWO\ncreation_rules:\n  - path_regex: ^secrets/\n    age: [*recovery, *host]\n";

fn recipient(name: &str) -> String {
    let identity = X25519Identity::parse(&test_data::age_identity(name)).unwrap();
    identity.recipient().to_owned()
}

fn one() -> String {
    recipient("age-1.txt")
}

fn two() -> String {
    recipient("age-2.txt")
}

fn key(name: &str) -> Keyring {
    let mut keyring = Keyring::empty();
    keyring.add_named_key_file(&test_data::path(name)).unwrap();
    keyring
}

impl Place {
    fn new() -> Self {
        let place = Self {
            directory: tempfile::tempdir().unwrap(),
        };
        let config = CONFIG.replace("ONE", &one()).replace("TWO", &two());
        place.write(".sops.yaml", config.as_bytes());
        place
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "a file of a temporary directory needs no care"
    )]
    fn write(&self, name: &str, text: &[u8]) {
        let path = self.directory.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    fn seal(&self, name: &str, recipients: &[&str]) -> String {
        let draft = DraftFile::parse(Format::Yaml, Secret::from_slice(b"a: canary\n")).unwrap();
        let policy = Policy::age(recipients).unwrap();
        let sealed = draft.seal(&policy, now()).unwrap().to_string();
        self.write(name, sealed.as_bytes());
        sealed
    }

    fn survey(&self) -> Survey {
        survey(self.directory.path()).unwrap()
    }

    fn take(&self, key_file: &str, scope: Scope) -> Taken {
        take(&self.survey(), &key(key_file), scope, "test", now())
    }
}

fn now() -> jiff::Timestamp {
    "2026-01-02T03:04:05Z".parse().unwrap()
}

/// `path key state`, with an exclamation mark where a demand is not met.
fn table(record: &Record, policy: Option<&str>) -> Vec<String> {
    let policy = policy.map(|text| DrillPolicy::parse(text).unwrap());
    let (matrix, _) = Matrix::of(record, policy.as_ref()).unwrap();
    let cells = matrix.rows.iter().flat_map(|row| {
        let cells = row.cells.iter().zip(&matrix.keys);
        cells.map(|(cell, key)| {
            let mark = if cell.met { "" } else { "!" };
            format!("{} {} {}{mark}", row.path, key.title, cell.state.as_str())
        })
    });
    cells.collect()
}

fn kinds(findings: &[Finding]) -> Vec<&'static str> {
    findings.iter().map(Finding::kind).collect()
}

// S43.
#[test]
fn a_file_that_the_recovery_key_does_not_open_is_named_until_it_does() {
    let place = Place::new();
    place.seal("secrets/a.yaml", &[&one(), &two()]);
    place.seal("secrets/b.yaml", &[&two()]);
    let taken = place.take("age-1.txt", Scope::Everything);
    assert_eq!(
        table(&taken.record, None),
        [
            "secrets/a.yaml recovery proved",
            "secrets/a.yaml host claimed",
            "secrets/b.yaml recovery failed!",
            "secrets/b.yaml host claimed",
        ]
    );
    assert_eq!(kinds(&place.survey().findings), ["stale"]);
    let (matrix, _) = Matrix::of(&taken.record, None).unwrap();
    assert_eq!(matrix.count(), (1, 2));
    assert!(matrix.code(&[]).is_some());

    place.seal("secrets/b.yaml", &[&one(), &two()]);
    assert!(place.survey().findings.is_empty());
    let recovery = place.take("age-1.txt", Scope::Everything).record;
    let host = place.take("age-2.txt", Scope::WhatNamesIt).record;
    let (merged, findings) = Record::merge(vec![recovery, host]).unwrap();
    assert!(findings.is_empty());
    let (matrix, _) = Matrix::of(&merged, None).unwrap();
    assert_eq!((matrix.count(), matrix.code(&[])), ((4, 4), None));
    let words = matrix.to_text();
    assert_eq!(words.matches("proved").count(), 4, "{words}");
}

#[test]
fn what_is_wrong_with_a_rule_is_said_with_its_line_and_once() {
    let of = |config: String| {
        let place = Place::new();
        place.seal("secrets/a.yaml", &[&one()]);
        place.write(".sops.yaml", config.as_bytes());
        let findings = place.survey().findings;
        let [Finding::ConfigInvalid { text, .. }] = findings.as_slice() else {
            panic!("{findings:?}");
        };
        text.replace(&place.directory.path().display().to_string(), "")
    };
    let rule = format!(
        "creation_rules:\n- path_regex: ^secrets/\n  age:\n  - {}\n",
        one()
    );
    for (line, expected) in [
        (
            "  - age1bob\n",
            "/.sops.yaml, line 5: recipient \"age1bob\" is damaged",
        ),
        (
            "  encrypted_regex: (\n",
            "/.sops.yaml, line 5: encrypted_regex: the pattern `(` cannot be used",
        ),
    ] {
        let text = of(format!("{rule}{line}"));
        assert!(text.starts_with(expected), "{text}");
    }
}

#[test]
fn a_damaged_value_is_no_proof() {
    let place = Place::new();
    let sealed = place.seal("secrets/a.yaml", &[&one(), &two()]);
    let mac = sealed.find("mac: ENC[AES256_GCM,data:").unwrap();
    // The first byte of the data of the MAC.
    let at = mac + "mac: ENC[AES256_GCM,data:".len();
    let other = if sealed.as_bytes()[at] == b'A' {
        "B"
    } else {
        "A"
    };
    let broken = format!(
        "{}{other}{}",
        sealed.get(..at).unwrap(),
        sealed.get(at + 1..).unwrap()
    );
    place.write("secrets/a.yaml", broken.as_bytes());
    let taken = place.take("age-1.txt", Scope::Everything);
    assert_eq!(
        table(&taken.record, None)[0],
        "secrets/a.yaml recovery failed!"
    );
    let reason = taken.record.files[0].attempts[0].reason.clone().unwrap();
    assert!(reason.contains("MAC"), "{reason}");
    assert_eq!(
        taken.record.files[0].attempts[0].code.as_deref(),
        Some("mac-mismatch")
    );
}

#[test]
fn a_label_that_lies_is_found_from_either_side() {
    let place = Place::new();
    let sealed = place.seal("secrets/a.yaml", &[&two()]);
    place.write("secrets/a.yaml", sealed.replace(&two(), &one()).as_bytes());
    let recovery = place.take("age-1.txt", Scope::Everything);
    assert_eq!(
        table(&recovery.record, None),
        ["secrets/a.yaml recovery failed!"]
    );
    let reason = recovery.record.files[0].attempts[0].reason.clone();
    assert_eq!(
        reason.as_deref(),
        Some("labelled for it, made for another key")
    );
    assert_eq!(kinds(&recovery.findings), ["label-is-wrong"]);
    let host = place.take("age-2.txt", Scope::Everything);
    assert_eq!(table(&host.record, None)[0], "secrets/a.yaml host proved");
    assert_eq!(kinds(&host.findings), ["label-is-wrong"]);
    assert_eq!(host.findings[0].level(), Level::Fault);
}

#[test]
fn a_policy_says_who_must_open_what_and_who_must_not() {
    let place = Place::new();
    place.seal("secrets/a.yaml", &[&one(), &two()]);
    place.seal("secrets/own/b.yaml", &[&two()]);
    let record = place.take("age-1.txt", Scope::Everything).record;
    let policy = "[keys.recovery]\nmust_open = [\"secrets/*.yaml\"]\n[keys.host]\nmust_not_open = [\"secrets/own/**\"]\n";
    assert_eq!(
        table(&record, Some(policy)),
        [
            "secrets/a.yaml recovery proved",
            "secrets/a.yaml host claimed",
            "secrets/own/b.yaml recovery -",
            "secrets/own/b.yaml host claimed!",
        ]
    );
    // A claim is no proof of what is demanded, and enough for what is forbidden.
    let policy = format!("[keys.\"{}\"]\nmust_open = [\"**\"]\n", two());
    assert_eq!(
        table(&record, Some(&policy))[1],
        "secrets/a.yaml host claimed!"
    );
    // A key that no file names is missed all the same.
    let policy = format!(
        "[keys.\"{}\"]\nmust_open = [\"**\"]\n",
        recipient("age-3.txt")
    );
    assert!(table(&record, Some(&policy))[2].ends_with("failed!"));
}

#[test]
fn a_policy_that_cannot_be_meant_is_refused_or_remarked_on() {
    let place = Place::new();
    place.seal("secrets/a.yaml", &[&one()]);
    let record = place.take("age-1.txt", Scope::Everything).record;
    for text in [
        "[keys.a]\nmust_opne = []",
        "keys = 1",
        "max_age = 1",
        "[keys.a]\nmust_open = [\"[\"]",
    ] {
        assert!(DrillPolicy::parse(text).is_err(), "{text}");
    }
    for (text, expected) in [
        (
            "[keys.nobody]\nmust_open = [\"**\"]",
            "no recipient is called nobody",
        ),
        (
            "[keys.recovery]\nmust_open = [\"**\"]\nmust_not_open = [\"secrets/**\"]",
            "must open secrets/a.yaml and must not",
        ),
    ] {
        let policy = DrillPolicy::parse(text).unwrap();
        let error = Matrix::of(&record, Some(&policy)).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
    // What must be opened and is not there is not proved; what must not be opened need not be there.
    let text = "[keys.recovery]\nmust_open = [\"**\", \"old/*\"]\nmust_not_open = [\"other/*\"]";
    let policy = DrillPolicy::parse(text).unwrap();
    let (_, findings) = Matrix::of(&record, Some(&policy)).unwrap();
    let idle = |pattern: &str, demanded| Finding::PolicyMatchesNothing {
        key: "recovery".into(),
        pattern: pattern.into(),
        demanded,
    };
    assert_eq!(findings, [idle("old/*", true), idle("other/*", false)]);
    assert_eq!(findings[0].level(), Level::Fault);
    assert_eq!(findings[1].level(), Level::Warning);
}

#[test]
fn a_drill_that_proves_nothing_is_no_success() {
    let place = Place::new();
    let taken = place.take("age-1.txt", Scope::Everything);
    assert_eq!(kinds(&taken.findings), ["no-sops-file"]);
    assert_eq!(taken.findings[0].level(), Level::Fault);
    let (matrix, _) = Matrix::of(&taken.record, None).unwrap();
    assert!(matrix.code(&[]).is_some());

    // The key of a host that no file names yet.
    place.seal("secrets/a.yaml", &[&one()]);
    let taken = place.take("age-2.txt", Scope::WhatNamesIt);
    let (matrix, findings) = Matrix::of(&taken.record, None).unwrap();
    assert_eq!(kinds(&findings), ["nothing-demanded"]);
    assert_eq!(findings[0].level(), Level::Fault);
    assert_eq!(matrix.count(), (0, 0));
    assert!(matrix.code(&[]).is_some());
}

#[test]
fn a_proof_is_one_for_the_bytes_that_were_opened() {
    let place = Place::new();
    place.seal("secrets/a.yaml", &[&one(), &two()]);
    let mut host = place.take("age-2.txt", Scope::WhatNamesIt).record;
    host.taken = "2025-12-01T00:00:00Z".into();
    place.seal("secrets/a.yaml", &[&one(), &two()]);
    let recovery = place.take("age-1.txt", Scope::Everything).record;
    let (merged, findings) = Record::merge(vec![host, recovery]).unwrap();
    assert_eq!(kinds(&findings), ["other-version"]);
    assert_eq!(
        table(&merged, None),
        [
            "secrets/a.yaml recovery proved",
            "secrets/a.yaml host claimed!"
        ]
    );
    // Together they are as old as the oldest of them.
    assert_eq!(merged.taken, "2025-12-01T00:00:00Z");
    let policy = |text| DrillPolicy::parse(text).unwrap();
    let old = Finding::DrillTooOld {
        days: 32,
        limit: 30,
        demanded: true,
    };
    assert_eq!(old.level(), Level::Fault);
    assert_eq!(
        merged.age(now(), Some(&policy("max_age_days = 30"))),
        Some(old)
    );
    assert_eq!(merged.age(now(), Some(&policy("max_age_days = 32"))), None);
    assert_eq!(merged.age(now(), None), None);
}

#[test]
fn a_record_is_read_back_as_it_was_written_and_nothing_else_is() {
    let place = Place::new();
    place.seal("secrets/a.yaml", &[&one()]);
    let record = place.take("age-1.txt", Scope::Everything).record;
    let json = serde_json::to_vec(&record).unwrap();
    assert_eq!(Record::parse(&json).unwrap(), record);
    test_data::assert_silent(&String::from_utf8(json.clone()).unwrap());
    let text = String::from_utf8(json).unwrap();
    for (from, to) in [
        ("\"schema\":1", "\"schema\":2"),
        ("2026-01-02", "yesterday"),
        ("{", "["),
    ] {
        assert!(
            Record::parse(text.replacen(from, to, 1).as_bytes()).is_err(),
            "{to}"
        );
    }
}

#[test]
fn keys_of_several_groups_prove_a_file_together() {
    let place = Place::new();
    place.write("shared.yaml", &test_data::bytes("yaml-shamir-2of3.yaml"));
    let all = place.survey();
    let mut keyring = key("age-1.txt");
    let alone = take(&all, &keyring, Scope::Everything, "test", now()).record;
    let reason = alone.files[0].attempts[0].reason.clone().unwrap();
    assert_eq!(reason, "opens 1 of 3 key groups, 2 are needed");
    keyring.append(key("age-2.txt"));
    let both = take(&all, &keyring, Scope::Everything, "test", now()).record;
    assert!(both.files[0].attempts.iter().all(|attempt| attempt.opened));
}

#[test]
fn a_key_of_these_files_in_a_forbidden_place_is_found() {
    let place = Place::new();
    place.seal("secrets/a.yaml", &[&one(), &two()]);
    let survey = place.survey();
    let record = place.take("age-2.txt", Scope::WhatNamesIt).record;
    let held = |recipient: String| KeyFileFacts {
        path: "/var/lib/key.txt".into(),
        recipients: vec![recipient],
        plugins: Vec::new(),
        warnings: Vec::new(),
    };
    assert_eq!(
        kinds(&forbidden(&survey, &record, &held(one()))),
        ["forbidden-key"]
    );
    assert!(forbidden(&survey, &record, &held(two())).is_empty());
    assert!(forbidden(&survey, &record, &held(recipient("age-3.txt"))).is_empty());
}

#[test]
fn what_stands_in_place_of_a_sops_file_is_a_fault_and_other_files_are_none() {
    let place = Place::new();
    let sealed = place.seal("secrets/a.yaml", &[&one(), &two()]);
    place.write("secrets/clear.yaml", b"a: 1\n");
    place.write("secrets/README.md", b"what is here\n");
    place.write("elsewhere.yaml", b"a: 1\n");
    place.write(
        "page.md",
        format!("A sops file:\n\n```\n{sealed}```\n").as_bytes(),
    );
    place.write("copy.enc", sealed.as_bytes());
    let conflict = format!("<<<<<<< a\n{sealed}=======\n{sealed}>>>>>>> b\n");
    place.write("secrets/conflict.yaml", conflict.as_bytes());
    place.write(
        "secrets/pointer.bin",
        b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n",
    );
    let survey = place.survey();
    let names: Vec<String> = survey
        .files
        .iter()
        .map(|file| file.path.display().to_string())
        .collect();
    assert_eq!(
        names,
        [
            "copy.enc",
            "secrets/a.yaml",
            "secrets/conflict.yaml",
            "secrets/pointer.bin"
        ]
    );
    assert_eq!(
        kinds(&survey.findings),
        ["plaintext-due", "file-unusable", "lfs-pointer"]
    );
    let record = take(&survey, &key("age-1.txt"), Scope::Everything, "test", now()).record;
    let table = table(&record, None);
    assert_eq!(
        table
            .iter()
            .filter(|line| line.ends_with("failed!"))
            .count(),
        2,
        "{table:?}"
    );
}

#[test]
fn the_page_escapes_what_is_not_its_own_and_needs_nothing_else() {
    let place = Place::new();
    let name = "secrets/<img src=x onerror='a'>&\"\u{202e}.yaml";
    place.seal("secrets/a.yaml", &[&one(), &two()]);
    let mut record = place.take("age-1.txt", Scope::Everything).record;
    record.files[0].path = name.into();
    record.names.insert(one(), "&<b>\"me\"".into());
    record.remarks.push(Remark::new(
        &Finding::PlaintextDue {
            path: PathBuf::from("<script>alert(1)</script>"),
            rule: "line 1".into(),
        },
        &Names::default(),
        "rm -- '<i>' && \"x\"".into(),
    ));
    record.tool = "<u>".into();
    let (matrix, _) = Matrix::of(&record, None).unwrap();
    let page = matrix.to_html(&record);
    assert!(
        page.contains("secrets/&lt;img src=x onerror=&#39;a&#39;&gt;&amp;&quot;\u{fffd}.yaml"),
        "{page}"
    );
    for part in [
        "<img", "<script", "<b>", "<i>", "<u>", "\u{202e}", "://", "url(", "@import", " src=\"",
        " href=",
    ] {
        assert!(!page.contains(part), "{part}");
    }
    // Every tag that is opened is closed, attributes and all: counted, because nothing else here reads HTML.
    for tag in [
        "html", "head", "body", "main", "table", "thead", "tbody", "tr", "td", "ul", "li",
    ] {
        let opened =
            page.matches(&format!("<{tag}>")).count() + page.matches(&format!("<{tag} ")).count();
        assert_eq!(opened, page.matches(&format!("</{tag}>")).count(), "{tag}");
    }
    for part in [
        "<caption",
        "scope=\"col\"",
        "scope=\"row\"",
        "lang=\"en\"",
        "default-src 'none'",
    ] {
        assert!(page.contains(part), "{part}");
    }
}

#[test]
fn every_file_that_sops_made_is_found_and_opened_by_its_key() {
    let golden = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../testdata/sops"));
    let table = std::fs::read_to_string(golden.join("manifest.tsv")).unwrap();
    let mut made: Vec<&str> = table
        .lines()
        .skip(1)
        .filter_map(|line| line.split('\t').next())
        .collect();
    made.sort_unstable();
    let survey = survey(golden).unwrap();
    let paths = survey.files.iter().map(|file| file.path.display());
    let found: Vec<String> = paths.map(|path| path.to_string()).collect();
    assert_eq!(found, made);

    let mut keyring = Keyring::empty();
    for name in ["age-1.txt", "age-2.txt", "age-3.txt", "ssh_ed25519"] {
        keyring.append(key(name));
    }
    let record = take(&survey, &keyring, Scope::Everything, "test", now()).record;
    for file in record.files {
        // Sealed for a post-quantum key, which this build does not have.
        let expected = !file.path.contains("pq");
        let opened = file.attempts.iter().any(|attempt| attempt.opened);
        assert_eq!(opened, expected, "{}", file.path);
    }
}
