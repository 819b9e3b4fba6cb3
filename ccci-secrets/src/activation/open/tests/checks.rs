//! Checks of certificates, with those of `testdata/certificates`.

use serde_json::{Value, json};

use super::super::super::checks::{CheckProblem, Checking};
use super::super::super::fault::{Fault, WarningKind};
use super::super::super::testing::{AGE_1, Workshop, subjects};
use crate::certificate::{CertificateFault, Chain, Fingerprint};
use crate::error::ErrorCode;

fn certificate(name: &str) -> String {
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/../testdata/certificates/");
    std::fs::read_to_string(format!("{directory}{name}")).unwrap()
}

/// A file with a chain, its key, and a certificate of somebody else.
fn workshop() -> Workshop {
    let workshop = Workshop::new();
    workshop.key("age-1.txt");
    let text = json!({
        "cert": certificate("chain.pem"),
        "key": certificate("leaf.key"),
        "other": certificate("root.pem"),
    });
    workshop.seal("s.json", &text.to_string(), &[AGE_1]);
    workshop
}

fn fields(check: Value) -> Value {
    let secret = |name| json!({"key": name, "sopsFile": "s.json", "format": "json"});
    json!({
        "ageKeyFile": "age-1.txt",
        "secrets": [secret("cert"), secret("key"), secret("other")],
        "checks": [check],
    })
}

fn sound() -> Value {
    json!({"type": "x509", "cert": "cert", "key": "key", "minDays": 7, "names": ["*.ci.example"], "chain": "leaf-first"})
}

fn checking() -> Checking {
    Checking {
        now: Some("2030-01-01T00:00:00Z".parse().unwrap()),
        expected_leaf: None,
    }
}

fn leaf() -> Fingerprint {
    let chain = Chain::from_pem(certificate("leaf.pem").as_bytes()).unwrap();
    chain.leaf().fingerprint()
}

#[test]
fn a_certificate_that_is_in_order_is_told_with_its_facts() {
    let opened = workshop().open_checking(fields(sound()), None, checking());
    let opened = opened.unwrap();
    assert_eq!(opened.wanted.len(), 3);
    let [checked] = opened.certificates.as_slice() else {
        panic!("{:?}", opened.certificates);
    };
    assert_eq!((checked.leaf.sha256, checked.length), (leaf(), 3));
    assert_eq!(checked.key.as_deref(), Some("key"));
}

#[test]
fn a_certificate_that_will_not_do_stops_everything() {
    let workshop = workshop();
    let mut other = sound();
    other["cert"] = json!("other");
    let refused = workshop.open_checking(fields(other), None, checking());
    let refused = *refused.unwrap_err();
    let texts: Vec<String> = refused.faults.iter().map(ToString::to_string).collect();
    assert_eq!(
        texts,
        [
            "certificate `other` with key `key`: the private key does not belong to the certificate",
            "certificate `other` with key `key`: the certificate does not cover *.ci.example: it has no subject alternative names"
        ]
    );
    assert_eq!(refused.faults[0].code(), ErrorCode::CertificateInvalid);
    // What has nothing to do with the check is sound.
    let names: Vec<_> = refused
        .sound
        .unwrap()
        .wanted
        .into_iter()
        .map(|wanted| wanted.name)
        .collect();
    assert_eq!(names, ["cert"]);
}

#[test]
fn where_nothing_of_a_check_is_required_it_is_left_out() {
    let mut fields = fields(json!({"type": "x509", "cert": "other", "key": "key"}));
    for nth in [1, 2] {
        fields["secrets"][nth]["required"] = json!(false);
    }
    let opened = workshop().open_checking(fields, None, checking()).unwrap();
    assert_eq!(opened.wanted.len(), 1);
    let left_out = subjects(&opened.warnings, WarningKind::LeftOut);
    assert!(
        left_out[0].starts_with("key (certificate `other` with key `key`: "),
        "{left_out:?}"
    );
}

#[test]
fn a_check_of_what_was_left_out_fails() {
    let mut fields = fields(sound());
    fields["secrets"][1]["key"] = json!("nowhere");
    fields["secrets"][1]["name"] = json!("key");
    fields["secrets"][1]["required"] = json!(false);
    let refused = workshop()
        .open_checking(fields.clone(), None, checking())
        .unwrap_err();
    let lost = |fault: &Fault| matches!(fault, Fault::Check { problem: CheckProblem::Lost(name), .. } if name == "key");
    assert!(
        refused.faults.len() == 1 && lost(&refused.faults[0]),
        "{:?}",
        refused.faults
    );
    // Why a required one cannot be had is told once.
    fields["secrets"][1]["required"] = json!(true);
    let refused = workshop()
        .open_checking(fields, None, checking())
        .unwrap_err();
    assert_eq!(refused.faults.len(), 1);
    assert_eq!(refused.faults[0].code(), ErrorCode::PathNotFound);
}

#[test]
fn too_few_days_and_a_clock_that_is_not_set_are_told() {
    let workshop = workshop();
    let mut check = sound();
    check["minDays"] = json!(100_000);
    let opened = workshop.open_checking(fields(check.clone()), None, checking());
    let opened = opened.unwrap();
    let soon = subjects(&opened.warnings, WarningKind::CertificateExpiresSoon);
    assert!(soon[0].starts_with("cert (2126-"), "{soon:?}");
    check["strict"] = json!(true);
    let refused = workshop.open_checking(fields(check.clone()), None, checking());
    let refused = refused.unwrap_err();
    let is_soon = |fault: &Fault| {
        matches!(
            fault,
            Fault::Check {
                problem: CheckProblem::Certificate(CertificateFault::ExpiresSoon {
                    least: 100_000,
                    ..
                }),
                ..
            }
        )
    };
    assert!(is_soon(&refused.faults[0]), "{:?}", refused.faults);
    let opened = workshop.open_checking(fields(check), None, Checking::default());
    let told = subjects(&opened.unwrap().warnings, WarningKind::ClockNotSet).len();
    assert_eq!(told, 1);
}

#[test]
fn the_leaf_that_is_expected_has_to_be_there() {
    let workshop = workshop();
    let expecting = |fields, expected: &str| {
        let checking = Checking {
            expected_leaf: Some(expected.parse().unwrap()),
            ..checking()
        };
        workshop.open_checking(fields, None, checking)
    };
    assert!(expecting(fields(sound()), &leaf().to_string()).is_ok());
    let other = "AB".repeat(32);
    let refused = expecting(fields(sound()), &other).unwrap_err();
    assert!(matches!(&refused.faults[0], Fault::OtherLeaf { found, .. } if *found == [leaf()]));
    let mut none = fields(sound());
    none["checks"] = json!([]);
    let refused = expecting(none, &other).unwrap_err();
    assert_eq!(refused.faults[0].code(), ErrorCode::CertificateInvalid);
    assert!(refused.sound.is_none());
}
