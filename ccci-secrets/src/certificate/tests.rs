//! With the certificates of `testdata/certificates`, which its `make.sh` made, and some that openssl makes on the spot.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::*;

fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../testdata/certificates")
        .join(name)
}

fn read(name: &str) -> Vec<u8> {
    std::fs::read(path(name)).unwrap()
}

fn joined(names: &[&str]) -> Vec<u8> {
    names.iter().flat_map(|name| read(name)).collect()
}

fn chain(names: &[&str]) -> Chain {
    Chain::from_pem(&joined(names)).unwrap()
}

fn at(text: &str) -> Option<Timestamp> {
    Some(text.parse().unwrap())
}

/// A time at which the certificates of the test data are valid, by far.
const NOW: &str = "2030-01-01T00:00:00Z";

fn expectations() -> Expectations<'static> {
    Expectations {
        now: at(NOW),
        ..Expectations::default()
    }
}

fn faults(names: &[&str], expectations: Expectations<'_>) -> Vec<CertificateFault> {
    chain(names).examine(expectations).faults
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn a_chain_in_order_with_its_key_and_names_passes() {
    let key = Secret::from_vec(read("leaf.key"));
    let names = names(&["*.ci.example", "probe.ci.example", "192.0.2.7"]);
    let found = chain(&["chain.pem"]).examine(Expectations {
        private_key: Some(&key),
        names: &names,
        least_days: Some(30),
        strict: true,
        now: at(NOW),
    });
    assert_eq!(found, Examination::default());
}

#[test]
fn the_order_of_the_chain_is_checked_and_what_is_wrong_is_named() {
    let order = |names: &[&str]| match faults(names, expectations()).as_slice() {
        [CertificateFault::Chain(problem)] => Some(*problem),
        [] => None,
        other => panic!("{other:?}"),
    };
    let (leaf, middle, root) = ("leaf.pem", "intermediate.pem", "root.pem");
    assert_eq!(order(&[leaf]), None);
    assert_eq!(order(&[leaf, middle]), None);
    assert_eq!(order(&[leaf, middle, root]), None);
    assert_eq!(order(&[middle, leaf]), Some(ChainProblem::Reversed));
    assert_eq!(order(&[root, middle, leaf]), Some(ChainProblem::Reversed));
    assert_eq!(
        order(&[leaf, root]),
        Some(ChainProblem::OutOfOrder { nth: 1 })
    );
    let twice = ChainProblem::Duplicate { first: 1, again: 2 };
    assert_eq!(order(&[leaf, leaf, middle]), Some(twice));
    assert_eq!(
        order(&[leaf, "impostor.pem"]),
        Some(ChainProblem::NotSigned { nth: 1 })
    );
}

#[test]
fn a_foreign_key_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let Some(key) = openssl(
        dir.path(),
        "genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256",
    ) else {
        return;
    };
    let key = Secret::from_vec(key);
    let wanted = Expectations {
        private_key: Some(&key),
        ..expectations()
    };
    assert_eq!(
        faults(&["leaf.pem"], wanted),
        [CertificateFault::KeyDoesNotMatch]
    );
}

#[test]
fn validity_is_a_matter_of_the_time() {
    let facts = chain(&["leaf.pem"]).leaf().facts();
    let fault = |now: Timestamp| {
        let wanted = Expectations {
            now: Some(now),
            ..Expectations::default()
        };
        faults(&["leaf.pem"], wanted)
    };
    let minute = SignedDuration::from_mins(1);
    let (begin, end) = (facts.not_before, facts.not_after);
    assert_eq!(fault(begin - minute), []);
    assert_eq!(
        fault(begin - minute * 6),
        [CertificateFault::NotYetValid { since: begin }]
    );
    assert_eq!(fault(end - minute), []);
    assert_eq!(fault(end), [CertificateFault::Expired { since: end }]);
}

#[test]
fn too_few_days_are_a_warning_or_a_fault() {
    let end = chain(&["leaf.pem"]).leaf().facts().not_after;
    let at = |days: i64, strict| {
        chain(&["leaf.pem"]).examine(Expectations {
            least_days: Some(7),
            strict,
            now: Some(end - SignedDuration::from_hours(days * 24)),
            ..Expectations::default()
        })
    };
    let (until, least) = (end, 7);
    assert_eq!(at(7, true), Examination::default());
    let short = at(6, false);
    assert_eq!(short.faults, []);
    assert_eq!(
        short.warnings[0],
        CertificateWarning::ExpiresSoon { until, least }
    );
    assert_eq!(
        at(6, true).faults,
        [CertificateFault::ExpiresSoon { until, least }]
    );
}

#[test]
fn an_expired_issuer_is_a_warning() {
    let since = chain(&["root.pem"]).leaf().facts().not_after;
    let found = chain(&["chain.pem"]).examine(Expectations {
        now: Some(since),
        ..Expectations::default()
    });
    assert_eq!(found.faults, []);
    assert_eq!(
        found.warnings,
        [CertificateWarning::IssuerExpired { nth: 3, since }]
    );
}

#[test]
fn with_a_clock_that_is_not_set_expiry_is_left_out() {
    for now in [None, at("1970-01-01T00:00:10Z"), at("2019-12-31T23:59:59Z")] {
        let found = chain(&["leaf.pem"]).examine(Expectations {
            now,
            ..Expectations::default()
        });
        assert_eq!(found.faults, []);
        assert_eq!(found.warnings, [CertificateWarning::ClockNotSet]);
    }
}

#[test]
fn names_that_are_not_covered_are_listed_with_those_that_are() {
    let wanted = names(&["a.b.ci.example"]);
    let found = faults(
        &["leaf.pem"],
        Expectations {
            names: &wanted,
            ..expectations()
        },
    );
    assert_eq!(
        found[0].to_string(),
        "the certificate does not cover a.b.ci.example: its names are *.ci.example, ci.example, 192.0.2.7"
    );
    let found = faults(
        &["root.pem"],
        Expectations {
            names: &wanted,
            ..expectations()
        },
    );
    assert!(
        found[0]
            .to_string()
            .ends_with("it has no subject alternative names")
    );
}

#[test]
fn a_certificate_for_clients_serves_nobody() {
    assert_eq!(
        faults(&["client.pem"], expectations()),
        [CertificateFault::NotForServers]
    );
}

#[test]
fn anything_beside_certificates_is_refused_by_its_line() {
    let text = joined(&["leaf.pem", "leaf.key"]);
    let lines = read("leaf.pem")
        .iter()
        .filter(|byte| **byte == b'\n')
        .count();
    let fault = |text: &[u8]| Chain::from_pem(text).map(|_| ()).unwrap_err();
    assert_eq!(
        fault(&text),
        CertificateFault::OtherBlock { line: lines + 1 }
    );
    assert_eq!(
        fault(b"# only a comment\n"),
        CertificateFault::NoCertificate
    );
    let not_x509 = b"-----BEGIN CERTIFICATE-----\nYWJj\n-----END CERTIFICATE-----\n";
    assert_eq!(fault(not_x509), CertificateFault::Malformed { nth: 1 });
}

#[test]
fn the_facts_are_those_that_openssl_prints() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["leaf.pem", "intermediate.pem", "root.pem"] {
        let command = format!(
            "x509 -in {} -noout -fingerprint -sha256 -serial",
            path(name).display()
        );
        let Some(printed) = openssl(dir.path(), &command) else {
            return;
        };
        let printed = String::from_utf8(printed).unwrap();
        let facts = chain(&[name]).leaf().facts();
        let (fingerprint, serial) = printed.trim_end().split_once('\n').unwrap();
        assert!(
            fingerprint.ends_with(&format!("={}", facts.sha256)),
            "{printed}"
        );
        assert_eq!(serial, format!("serial={}", facts.serial));
    }
    let facts = chain(&["leaf.pem"]).leaf().facts();
    assert_eq!(facts.subject, "CN=*.ci.example");
    assert_eq!(facts.issuer, "CN=Test Intermediate,O=Tests");
    assert_eq!(facts.names, ["*.ci.example", "ci.example", "192.0.2.7"]);
    let (server, client) = ("1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.2");
    assert_eq!(facts.extended_key_usage.unwrap(), [server, client]);
}

/// In which forms keys of a kind are written.
#[derive(PartialEq, Eq)]
enum Family {
    Pkcs8Only,
    Traditional,
}

/// Every kind of key, in every form that openssl writes it in.
#[test]
fn keys_of_every_kind_and_form_match_their_certificates_and_no_other() {
    let kinds = [
        ("EC -pkeyopt ec_paramgen_curve:P-256", Family::Traditional),
        ("EC -pkeyopt ec_paramgen_curve:P-384", Family::Traditional),
        ("EC -pkeyopt ec_paramgen_curve:P-521", Family::Traditional),
        ("RSA -pkeyopt rsa_keygen_bits:2048", Family::Traditional),
        ("ED25519", Family::Pkcs8Only),
    ];
    let mut made = Vec::new();
    for (nth, (kind, family)) in kinds.into_iter().enumerate() {
        let dir = tempfile::tempdir().unwrap();
        let run = |command: &str| openssl(dir.path(), command);
        let Some(pkcs8) =
            run(&format!("genpkey -algorithm {kind} -out key")).and_then(|_| run("pkey -in key"))
        else {
            return;
        };
        let certificate =
            run(&format!("req -x509 -new -key key -days 30 -subj /CN={nth}")).unwrap();
        let mut keys = vec![pkcs8];
        if family == Family::Traditional {
            keys.push(run("pkey -in key -traditional").unwrap());
        }
        made.push((Chain::from_pem(&certificate).unwrap(), keys));
    }
    for (nth, (_, keys)) in made.iter().enumerate() {
        for key in keys {
            let key = Secret::from_slice(key);
            for (other, (chain, _)) in made.iter().enumerate() {
                let fault = chain.key_fault(Some(&key));
                let expected = (nth != other).then_some(CertificateFault::KeyDoesNotMatch);
                assert_eq!(fault, expected, "key {nth}, certificate {other}");
            }
        }
    }
    let labels: Vec<String> = made
        .iter()
        .flat_map(|(_, keys)| keys)
        .map(|key| {
            String::from_utf8_lossy(key)
                .lines()
                .next()
                .unwrap()
                .to_owned()
        })
        .collect();
    for form in ["EC PRIVATE KEY", "RSA PRIVATE KEY", "BEGIN PRIVATE KEY"] {
        assert!(
            labels.iter().any(|label| label.contains(form)),
            "{form} in {labels:?}"
        );
    }
}

#[test]
fn keys_that_are_of_no_use_say_why() {
    let dir = tempfile::tempdir().unwrap();
    let run = |command: &str| openssl(dir.path(), command);
    let Some(locked) =
        run("genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -aes256 -pass pass:x")
    else {
        return;
    };
    let old = run("genrsa -traditional -aes256 -passout pass:x 2048").unwrap();
    let other_curve = run("genpkey -algorithm EC -pkeyopt ec_paramgen_curve:secp256k1").unwrap();
    let with_parameters = run("ecparam -name prime256v1 -genkey").unwrap();
    let problem = |pem: &[u8]| match chain(&["leaf.pem"]).key_fault(Some(&Secret::from_slice(pem)))
    {
        Some(CertificateFault::Key(problem)) => problem,
        other => panic!("{other:?}"),
    };
    assert_eq!(problem(&locked), KeyProblem::Encrypted);
    assert_eq!(problem(&old), KeyProblem::Encrypted);
    assert_eq!(problem(&other_curve), KeyProblem::Unsupported);
    assert_eq!(problem(b""), KeyProblem::Missing);
    assert_eq!(problem(&read("leaf.pem")), KeyProblem::Missing);
    assert_eq!(
        problem(&joined(&["leaf.key", "leaf.key"])),
        KeyProblem::NotAlone { line: 6 }
    );
    let openssh = std::fs::read(path("../keys/ssh_ed25519")).unwrap();
    assert_eq!(problem(&openssh), KeyProblem::Openssh);
    let damaged = b"-----BEGIN EC PRIVATE KEY-----\nYWJj\n-----END EC PRIVATE KEY-----\n";
    assert_eq!(problem(damaged), KeyProblem::Malformed);
    let text = b"canary\n";
    let fault = KeyProblem::Pem(PemError {
        line: 1,
        problem: PemProblem::Text,
    });
    assert_eq!(problem(text), fault);
    // A curve that is written before the key is no second thing.
    assert_eq!(
        chain(&["leaf.pem"]).key_fault(Some(&Secret::from_vec(with_parameters))),
        Some(CertificateFault::KeyDoesNotMatch)
    );
}

/// Signatures of every algorithm that issuers use, good and bad.
#[test]
fn signatures_of_every_algorithm_are_verified() {
    let issuers = [
        ("EC -pkeyopt ec_paramgen_curve:P-256", "sha256"),
        ("EC -pkeyopt ec_paramgen_curve:P-384", "sha384"),
        ("EC -pkeyopt ec_paramgen_curve:P-384", "sha256"),
        ("EC -pkeyopt ec_paramgen_curve:P-521", "sha512"),
        ("RSA -pkeyopt rsa_keygen_bits:2048", "sha256"),
        ("RSA -pkeyopt rsa_keygen_bits:2048", "sha384"),
        ("RSA -pkeyopt rsa_keygen_bits:2048", "sha512"),
        ("ED25519", ""),
    ];
    for (kind, digest) in issuers {
        let dir = tempfile::tempdir().unwrap();
        let run = |command: &str| openssl(dir.path(), command);
        let digest = match digest {
            "" => String::new(),
            name => format!("-{name}"),
        };
        let mut issuer = Vec::new();
        // Two issuers of one name.
        for name in ["a", "b"] {
            let Some(_) = run(&format!("genpkey -algorithm {kind} -out {name}.key")) else {
                return;
            };
            let made = run(&format!(
                "req -x509 -new {digest} -key {name}.key -days 30 -subj /CN=issuer"
            ))
            .unwrap();
            std::fs::write(dir.path().join(format!("{name}.pem")), &made).unwrap();
            issuer.push(Chain::from_pem(&made).unwrap());
        }
        run(&format!(
            "req -new -key {} -subj /CN=leaf -out leaf.csr",
            path("leaf.key").display()
        ))
        .unwrap();
        let leaf = run(&format!(
            "x509 -req {digest} -in leaf.csr -CA a.pem -CAkey a.key -set_serial 1 -days 30"
        ))
        .unwrap();
        let leaf = Chain::from_pem(&leaf).unwrap();
        let signed_by = |issuer: &Chain| chain::is_signed_by(leaf.leaf(), issuer.leaf());
        assert_eq!(signed_by(&issuer[0]), Some(true), "{kind} {digest}");
        assert_eq!(signed_by(&issuer[1]), Some(false), "{kind} {digest}");
    }
}

/// What openssl prints; none if it is not there, which is said.
fn openssl(dir: &Path, command: &str) -> Option<Vec<u8>> {
    let output = Command::new("openssl")
        .args(command.split_ascii_whitespace())
        .current_dir(dir)
        .stdin(std::process::Stdio::null())
        .output();
    let Ok(output) = output else {
        println!("SKIPPED: openssl is not on PATH");
        return None;
    };
    assert!(
        output.status.success(),
        "openssl {command}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    Some(output.stdout)
}

/// One bit of every byte: nothing panics, and no signature is good any more.
#[test]
fn damaged_certificates_and_keys_are_never_good() {
    let issuer = chain(&["intermediate.pem"]);
    let leaf = chain(&["leaf.pem"]).0.remove(0).der;
    let key = Secret::from_vec(read("leaf.key"));
    for at in 0..leaf.len() {
        let mut der = leaf.clone();
        der[at] ^= 1 << (at % 8);
        let Ok(damaged) = Chain::from_der(&[der]) else {
            continue;
        };
        assert_ne!(
            chain::is_signed_by(damaged.leaf(), issuer.leaf()),
            Some(true),
            "{at}"
        );
        let names = names(&["*.ci.example"]);
        drop(damaged.examine(Expectations {
            private_key: Some(&key),
            names: &names,
            ..expectations()
        }));
    }
    let sound = chain(&["leaf.pem"]);
    let text = read("leaf.key");
    for at in 0..text.len() {
        let mut damaged = text.clone();
        damaged[at] ^= 1 << (at % 7);
        // The line ends are no part of the key, nor is the public half that stands behind it.
        drop(sound.key_fault(Some(&Secret::from_vec(damaged))));
    }
}
