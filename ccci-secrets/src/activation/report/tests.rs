use serde_json::{Value, json};

use super::super::check::check_sops_files;
use super::super::fault::WarningKind;
use super::super::open::{NotOpened, Opened};
use super::super::receipt::{Step, UnitAction, UnitResult};
use super::super::testing::{AGE_1, AGE_2, SSH_DERIVED, Workshop, assert_silent, manifest_text};
use super::*;

fn names() -> Names {
    let mut names = Names::default();
    names.add(AGE_1, "recovery");
    names
}

fn run<'a>(manifest: Option<&'a Manifest>, names: &'a Names) -> Run<'a> {
    Run {
        tool: "ccsec 0.0.0",
        started: "2026-01-02T03:04:05Z".parse().unwrap(),
        manifest,
        names,
    }
}

fn parsed(report: &Report) -> Value {
    let text = report.to_json();
    assert_silent(&format!("{text} {report:?}"));
    assert!(text.ends_with("}\n"));
    serde_json::from_str(&text).unwrap()
}

fn fields() -> Value {
    json!({"ageKeyFile": "age-1.txt", "ageSshKeyPaths": ["ssh_ed25519"], "secrets": [
        {"name": "a", "key": "deep/a", "sopsFile": "s.yaml", "mode": "0440", "uid": 7,
            "path": "/srv/a"},
        {"name": "b", "key": "b", "sopsFile": "s.yaml"}]})
}

fn workshop() -> Workshop {
    let workshop = Workshop::new();
    workshop.key("age-1.txt");
    workshop.key("ssh_ed25519");
    workshop.seal(
        "s.yaml",
        "deep:\n    a: canary-4711\nb: canary-4711\n",
        &[AGE_2, AGE_1],
    );
    workshop
}

/// What a transaction would say after it put in place what was opened.
fn receipt(opened: Opened) -> Receipt {
    let entry = |(nth, wanted): (usize, &super::super::wanted::Wanted)| EntryResult {
        name: wanted.name.clone(),
        origin: wanted.origin.clone(),
        path: (nth == 0).then(|| "/srv/a".into()),
        mode: wanted.mode,
        uid: wanted.uid,
        gid: wanted.gid,
        change: match nth {
            0 => Change::Added,
            _ => Change::Modified {
                content: true,
                mode: false,
                owner: true,
            },
        },
    };
    Receipt {
        previous: Some(1),
        generation: Some(2),
        link: "/run/secrets".into(),
        entries: opened.wanted.iter().enumerate().map(entry).collect(),
        links_placed: Vec::new(),
        links_removed: Vec::new(),
        removed: vec!["old".into()],
        provenance: opened.provenance,
        certificates: opened.certificates,
        units: vec![UnitResult {
            unit: "proxy.service".into(),
            action: UnitAction::Restart,
            told: false,
        }],
        compared: true,
        earlier_run: super::super::fault::EarlierRun::Untouched,
        keys: Vec::new(),
        manifest_changed: false,
        warnings: opened.warnings,
        failed_step: None,
    }
}

#[test]
fn a_receipt_is_told_as_the_design_says_and_without_plaintext() {
    let workshop = workshop();
    let manifest = workshop.manifest(fields());
    let receipt = receipt(workshop.open(fields()).unwrap());
    let names = names();
    let report = parsed(&Report::of_receipt(&run(Some(&manifest), &names), &receipt));
    let sha256 = digest::hex(&digest::sha256(manifest_text(fields()).as_bytes()));
    assert_eq!(report["manifest_sha256"], json!(sha256));
    let file = std::fs::read(workshop.path("s.yaml")).unwrap();
    let ssh = workshop.path("ssh_ed25519");
    assert_eq!(
        report["files"],
        json!([{
            "path": workshop.path("s.yaml"),
            "sha256_ciphertext": digest::hex(&digest::sha256(&file)),
            "git": null,
            "lastmodified": "2026-01-02T03:04:05Z",
            "mac": "ok",
            "opened_by": {
                "kind": "age-file", "recipient": AGE_1, "name": "recovery",
                "source_path": workshop.path("age-1.txt"), "ambient": false,
            },
            "other_recipients": [AGE_2],
        }])
    );
    assert_eq!(
        report["secrets"],
        json!([
            {"name": "a", "key": "deep/a", "sops_file": workshop.path("s.yaml"), "path": "/srv/a",
                "mode": "0440", "uid": 0, "gid": 0, "change": "added", "changed": []},
            {"name": "b", "key": "b", "sops_file": workshop.path("s.yaml"),
                "path": "/run/secrets/b", "mode": "0400", "uid": 0, "gid": 0,
                "change": "modified", "changed": ["content", "owner"]},
        ])
    );
    assert_eq!(
        report["warnings"],
        json!([{
            "kind": "key-opens-nothing",
            "subject": format!("{SSH_DERIVED} of {}", ssh.display()),
            "message": WarningKind::KeyOpensNothing.sentence(),
        }])
    );
    let rest = [
        ("schema", json!(1)),
        ("tool", json!("ccsec 0.0.0")),
        ("started", json!("2026-01-02T03:04:05Z")),
        ("result", json!("activated")),
        ("code", json!(null)),
        (
            "generation",
            json!({"old": 1, "new": 2, "link": "/run/secrets"}),
        ),
        ("removed", json!(["old"])),
        ("templates", json!([])),
        ("certs", json!([])),
        (
            "units",
            json!([{"unit": "proxy.service", "action": "restart", "told": false}]),
        ),
        ("faults", json!([])),
        ("failed_step", json!(null)),
        ("left_behind", json!([])),
        ("earlier_run", json!("untouched")),
    ];
    for (field, expected) in rest {
        assert_eq!(report[field], expected, "{field}");
    }
}

#[test]
fn the_result_says_what_became_of_the_run() {
    let workshop = workshop();
    let names = names();
    let mut receipt = receipt(workshop.open(fields()).unwrap());
    receipt.generation = None;
    let report = parsed(&Report::of_receipt(&run(None, &names), &receipt));
    assert_eq!(report["result"], json!("unchanged"));
    assert_eq!(report["manifest_sha256"], json!(null));
    receipt.failed_step = Some(FailedStep {
        step: Step::Prune,
        faults: vec![Fault::Locked("/x".into())],
    });
    let report = parsed(&Report::of_receipt(&run(None, &names), &receipt));
    assert_eq!(report["result"], json!("committed-with-fault"));
    assert_eq!(report["code"], json!("committed-with-fault"));
    assert_eq!(report["failed_step"], json!("prune"));
    assert_eq!(report["faults"][0]["code"], json!("activation-locked"));
}

#[test]
fn a_refusal_lists_its_faults_with_codes_facts_and_attempts() {
    let workshop = workshop();
    let mut fields = fields();
    fields.as_object_mut().unwrap().remove("ageKeyFile");
    fields["secrets"][1]["key"] = json!("zz");
    let manifest = workshop.manifest(fields.clone());
    let NotOpened {
        faults, warnings, ..
    } = *workshop.open(fields).unwrap_err();
    let refusal = Refusal {
        still_active: Some(Active {
            generation: 4,
            link: "/run/secrets.d/4".into(),
        }),
        left_behind: vec!["/run/secrets.d/.stage-1".into()],
        earlier_run: super::super::fault::EarlierRun::Finished,
        warnings,
        ..Refusal::new(faults)
    };
    let names = names();
    let report = parsed(&Report::of_refusal(&run(Some(&manifest), &names), &refusal));
    assert_eq!(report["result"], json!("refused"));
    assert_eq!(report["code"], json!("no-identity"));
    assert_eq!(
        report["generation"],
        json!({"old": 4, "new": null, "link": "/run/secrets.d/4"})
    );
    assert_eq!(report["left_behind"], json!(["/run/secrets.d/.stage-1"]));
    assert_eq!(report["earlier_run"], json!("finished"));
    let [nobody, absent] = report["faults"].as_array().unwrap().as_slice() else {
        panic!("{report}")
    };
    assert_eq!(absent["code"], json!("path-not-found"));
    assert_eq!(absent["attempts"], json!(null));
    assert_eq!(nobody["code"], json!("no-identity"));
    let details = nobody["details"].as_array().unwrap();
    assert_eq!(
        details[0],
        json!("it opens for one of age170mp2qkm…, age10a73gefn… (recovery)")
    );
    let keys = &nobody["attempts"]["groups"][0]["keys"];
    assert_eq!(keys[0]["recipient"], json!(AGE_2));
    assert_eq!(keys[0]["outcome"], json!("no-identity"));
}

#[test]
fn a_check_is_told_in_the_same_form() {
    let workshop = workshop();
    let names = names();
    let manifest = workshop.manifest(fields());
    let checked = check_sops_files(&manifest);
    let report = parsed(&Report::of_check(&run(Some(&manifest), &names), &checked));
    assert_eq!(report["result"], json!("checked"));
    assert_eq!(report["code"], json!(null));
    workshop.write("s.yaml", "b: canary-4711\n");
    let checked = check_sops_files(&manifest);
    let report = parsed(&Report::of_check(&run(Some(&manifest), &names), &checked));
    assert_eq!(report["result"], json!("refused"));
    assert_eq!(report["code"], json!("file-not-sealed"));
}
