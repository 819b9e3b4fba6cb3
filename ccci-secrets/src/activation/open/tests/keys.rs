//! The table of the design's section 4: which keys are needed, and what is said when they do not do.

use serde_json::json;

use super::super::super::fault::{Fault, KeyState, WarningKind};
use super::super::super::open::Opened;
use super::super::super::testing::{
    AGE_1, AGE_2, SSH_DERIVED, Workshop, explained, sealed, subjects, text_of,
};
use crate::digest;
use crate::document::Format;
use crate::env::Environment;
use crate::error::ErrorCode;
use crate::key::{Identity, IdentityError};
use crate::keyring::{Keyring, SourceKind};
use crate::secret::Secret;
use crate::wrapped::WrappedKey;

const TWO_SECRETS: &str = "test_secret: canary-4711 one\nother: canary-4711 two\n";

fn wanted(name: &str) -> serde_json::Value {
    json!([{"key": "test_secret", "sopsFile": name}, {"key": "other", "sopsFile": name}])
}

#[test]
fn s04_the_host_key_alone_opens_files_for_either_of_its_recipients() {
    let workshop = Workshop::new();
    workshop.key("ssh_ed25519");
    workshop.write(
        "derived.yaml",
        crate::key::test_data::bytes("yaml-derived.yaml"),
    );
    workshop.write("ssh.yaml", crate::key::test_data::bytes("yaml-ssh.yaml"));
    let opened = workshop
        .open(json!({"ageSshKeyPaths": ["ssh_ed25519"], "secrets": [
            {"key": "a", "sopsFile": "derived.yaml"},
            {"name": "deep", "key": "a/b/1/0/0", "sopsFile": "ssh.yaml"},
            {"name": "colon", "key": "x:y/z", "sopsFile": "ssh.yaml"}]}))
        .unwrap();
    assert_eq!(text_of(&opened, "deep"), "deep");
    assert_eq!(text_of(&opened, "colon"), "colon in a key");
    assert_eq!(opened.warnings, []);
    let [derived, ssh] = &opened.provenance[..] else {
        panic!("{:?}", opened.provenance)
    };
    assert_eq!(derived.opened_by.recipient, SSH_DERIVED);
    assert!(ssh.opened_by.recipient.starts_with("ssh-ed25519 AAAA"));
    for (file, name) in [(derived, "derived.yaml"), (ssh, "ssh.yaml")] {
        assert_eq!(file.path, workshop.path(name));
        assert_eq!(file.opened_by.kind, SourceKind::Ssh);
        assert_eq!(file.opened_by.source, Some(workshop.path("ssh_ed25519")));
        assert!(!file.opened_by.ambient);
        assert_eq!(file.other_recipients, Vec::<String>::new());
        let bytes = std::fs::read(workshop.path(name)).unwrap();
        assert_eq!(file.sha256_ciphertext, digest::sha256(&bytes));
        assert_eq!(file.git, None);
    }
    assert_eq!(derived.lastmodified, "2026-11-24T17:23:34Z");
}

#[test]
fn s05_a_missing_key_file_refuses_although_the_host_key_would_do() {
    let workshop = Workshop::new();
    workshop.key("ssh_ed25519");
    workshop.seal("s.yaml", TWO_SECRETS, &[SSH_DERIVED, AGE_1]);
    let refused = workshop
        .open(
            json!({"ageKeyFile": "no/such/key.txt", "ageSshKeyPaths": ["ssh_ed25519"],
            "secrets": wanted("s.yaml")}),
        )
        .unwrap_err();
    assert!(refused.sound.is_none());
    let [fault @ Fault::KeyFileMissing(missing)] = &refused.faults[..] else {
        panic!("{:?}", refused.faults)
    };
    assert_eq!(fault.code(), ErrorCode::KeyFileMissing);
    assert_eq!(missing.field, "ageKeyFile");
    assert_eq!(missing.path, workshop.path("no/such/key.txt"));
    assert_eq!(missing.source.raw_os_error(), Some(2));
    assert_eq!(missing.nearest_existing_parent, Some(workshop.path("")));
    assert_eq!(missing.expected, [AGE_1]);
    assert_eq!(missing.files.len(), 1);
    assert_eq!(missing.files[0].path, workshop.path("s.yaml"));
    assert_eq!(missing.files[0].recipients, [SSH_DERIVED, AGE_1]);
    assert!(missing.files[0].opened_by_another);
    assert_eq!(missing.other_keys.len(), 1);
    let KeyState::Usable {
        recipients,
        is_recipient: true,
    } = &missing.other_keys[0].state
    else {
        panic!("{:?}", missing.other_keys)
    };
    assert_eq!(recipients[0], SSH_DERIVED);
    let text = explained(fault);
    for part in [
        "no/such/key.txt (ageKeyFile): No such file or directory (os error 2)",
        "the nearest directory above it that exists is /",
        "s.yaml opens for one of age174nc3m6t… (host), age10a73gefn… (recovery)",
        "another key of the manifest stands for one of them",
        "ssh_ed25519 (ageSshKeyPaths) stands for age174nc3m6t… (host)",
        ": a recipient",
    ] {
        assert!(text.contains(part), "{part:?} is not in:\n{text}");
    }
}

#[test]
fn an_optional_key_file_may_be_missing_while_everything_opens() {
    let workshop = Workshop::new();
    workshop.key("ssh_ed25519");
    workshop.seal("s.yaml", TWO_SECRETS, &[SSH_DERIVED, AGE_1]);
    let fields = |ssh: &[&str]| {
        json!({"ageKeyFile": "key.txt", "ageKeyFileOptional": true, "ageSshKeyPaths": ssh,
            "secrets": wanted("s.yaml")})
    };
    let opened = workshop.open(fields(&["ssh_ed25519"])).unwrap();
    let missing = workshop.path("key.txt");
    assert_eq!(
        subjects(&opened.warnings, WarningKind::KeyFileMissing),
        [missing.to_str().unwrap()]
    );
    let faults = workshop.faults(fields(&[]));
    assert_eq!(faults[0].code(), ErrorCode::NoIdentity);
    assert!(explained(&faults[0]).contains("key.txt (ageKeyFile) does not exist"));
}

#[test]
fn s07_the_recovery_key_opens_everything_and_the_foreign_host_key_is_named() {
    let workshop = Workshop::new();
    workshop.key("ssh_ed25519");
    workshop.key("age-1.txt");
    workshop.seal("s.yaml", TWO_SECRETS, &[AGE_2, AGE_1]);
    let opened = workshop
        .open(
            json!({"ageKeyFile": "age-1.txt", "ageSshKeyPaths": ["ssh_ed25519"],
            "secrets": wanted("s.yaml")}),
        )
        .unwrap();
    assert_eq!(text_of(&opened, "test_secret"), "canary-4711 one");
    assert_eq!(text_of(&opened, "other"), "canary-4711 two");
    let file = &opened.provenance[0];
    assert_eq!(file.opened_by.kind, SourceKind::AgeFile);
    assert_eq!(file.opened_by.recipient, AGE_1);
    assert_eq!(file.other_recipients, [AGE_2]);
    let idle = format!(
        "{SSH_DERIVED} of {}",
        workshop.path("ssh_ed25519").display()
    );
    assert_eq!(
        subjects(&opened.warnings, WarningKind::KeyOpensNothing),
        [idle]
    );
    assert_eq!(opened.warnings.len(), 1);
}

#[test]
fn s08_without_any_key_the_key_file_is_named_first_and_then_who_could_open() {
    let workshop = Workshop::new();
    workshop.key("ssh_ed25519");
    workshop.seal("s.yaml", TWO_SECRETS, &[AGE_1, AGE_2]);
    let mut fields = json!({"ageKeyFile": "key.txt", "ageSshKeyPaths": ["ssh_ed25519"],
        "secrets": wanted("s.yaml")});
    let faults = workshop.faults(fields.clone());
    assert_eq!(faults.len(), 1);
    assert_eq!(faults[0].code(), ErrorCode::KeyFileMissing);
    fields.as_object_mut().unwrap().remove("ageKeyFile");
    let faults = workshop.faults(fields);
    let [fault @ Fault::NoIdentity(nobody)] = &faults[..] else {
        panic!("{faults:?}")
    };
    assert_eq!(fault.code(), ErrorCode::NoIdentity);
    assert_eq!(nobody.recipients, [AGE_1, AGE_2]);
    let text = explained(fault);
    for part in [
        "s.yaml: no configured identity matches any of its 2 recipients",
        "it opens for one of age10a73gefn… (recovery), age170mp2qkm…",
        "ssh_ed25519 (ageSshKeyPaths) stands for age174nc3m6t… (host)",
        ": not a recipient",
    ] {
        assert!(text.contains(part), "{part:?} is not in:\n{text}");
    }
}

#[test]
fn a_manifest_without_keys_says_so() {
    let workshop = Workshop::new();
    workshop.seal("s.yaml", TWO_SECRETS, &[AGE_1]);
    let faults = workshop.faults(json!({"secrets": wanted("s.yaml")}));
    assert_eq!(faults[0].code(), ErrorCode::NoIdentity);
    assert!(explained(&faults[0]).ends_with("the manifest names no key"));
}

const BAD_SSH_KEYS: [(&str, &str); 5] = [
    ("missing", "does not exist"),
    (
        "ssh_rsa",
        "SSH key of type ssh-rsa, only ssh-ed25519 can be used",
    ),
    (
        "ssh_ecdsa",
        "SSH key of type ecdsa-sha2-nistp256, only ssh-ed25519 can be used",
    ),
    ("ssh_locked_ctr", "is protected with a passphrase"),
    ("age-2.txt", "holds an age key, not an SSH private key"),
];

#[test]
fn unusable_ssh_keys_are_warnings_while_everything_opens() {
    let workshop = Workshop::new();
    for (name, _) in BAD_SSH_KEYS.iter().skip(1) {
        workshop.key(name);
    }
    workshop.key("age-1.txt");
    workshop.seal("s.yaml", TWO_SECRETS, &[AGE_1]);
    let paths = BAD_SSH_KEYS.map(|(name, _)| name);
    let mut fields = json!({"ageKeyFile": "age-1.txt", "ageSshKeyPaths": paths,
        "secrets": wanted("s.yaml")});
    let opened = workshop.open(fields.clone()).unwrap();
    let warned = subjects(&opened.warnings, WarningKind::KeyUnusable);
    let expected =
        BAD_SSH_KEYS.map(|(name, reason)| format!("{} ({reason})", workshop.path(name).display()));
    assert_eq!(warned, expected);
    assert_eq!(opened.warnings.len(), BAD_SSH_KEYS.len());

    fields.as_object_mut().unwrap().remove("ageKeyFile");
    let refused = workshop.open(fields).unwrap_err();
    assert_eq!(refused.warnings, []);
    assert_eq!(refused.faults[0].code(), ErrorCode::NoIdentity);
    let text = explained(&refused.faults[0]);
    for (name, reason) in BAD_SSH_KEYS {
        let line = format!("{name} (ageSshKeyPaths) {reason}");
        assert!(text.contains(&line), "{line:?} is not in:\n{text}");
    }
}

#[test]
fn ssh_keys_for_gnupg_are_one_line() {
    let workshop = Workshop::new();
    workshop.key("age-1.txt");
    workshop.seal("s.yaml", TWO_SECRETS, &[AGE_1]);
    let opened = workshop
        .open(
            json!({"ageKeyFile": "age-1.txt", "sshKeyPaths": ["/k/rsa", "/k/rsa2"],
            "secrets": wanted("s.yaml")}),
        )
        .unwrap();
    let lines = super::super::super::fault::Warning::lines(&opened.warnings);
    assert_eq!(
        lines,
        ["/k/rsa, /k/rsa2: not imported: SSH keys for GnuPG are not used"]
    );
}

// S41: what lies around opens something only when it was asked for, and is then named.
#[test]
fn s41_ambient_keys_count_only_when_they_were_asked_for() {
    let workshop = Workshop::new();
    workshop.key("ssh_ed25519");
    let lying_around = workshop.key("age-1.txt");
    workshop.seal("s.yaml", TWO_SECRETS, &[AGE_1]);
    workshop.seal("host.yaml", TWO_SECRETS, &[SSH_DERIVED, AGE_1]);
    let fields = json!({"ageSshKeyPaths": ["ssh_ed25519"], "secrets": [
        {"key": "test_secret", "sopsFile": "s.yaml"}, {"key": "other", "sopsFile": "host.yaml"}]});
    let faults = workshop.faults(fields.clone());
    assert_eq!(faults.len(), 1);
    assert_eq!(faults[0].code(), ErrorCode::NoIdentity);
    let environment = Environment::empty().with_var("SOPS_AGE_KEY_FILE", &lying_around);
    let ambient = Keyring::discover(&environment);
    let opened = workshop.open_with(fields, Some(ambient)).unwrap();
    let by = &opened.provenance[0].opened_by;
    assert!(by.ambient);
    assert_eq!(by.source, Some(lying_around));
    // The manifest's own key comes first.
    assert!(!opened.provenance[1].opened_by.ambient);
}

#[test]
fn a_file_of_several_key_groups_needs_enough_of_them() {
    let workshop = Workshop::new();
    let bytes = crate::key::test_data::bytes("yaml-shamir-2of3.yaml");
    workshop.write("s.yaml", bytes);
    workshop.key("age-1.txt");
    let fields =
        json!({"ageKeyFile": "age-1.txt", "secrets": [{"key": "x:y/z", "sopsFile": "s.yaml"}]});
    let faults = workshop.faults(fields.clone());
    assert_eq!(faults[0].code(), ErrorCode::NoIdentity);
    let text = explained(&faults[0]);
    for part in [
        "only 1 of its 3 key groups opens, and 2 are needed",
        "it opens for 2 of its 3 key groups",
        ": opened",
    ] {
        assert!(text.contains(part), "{text}");
    }

    let environment = Environment::empty().with_var("SOPS_AGE_KEY_FILE", workshop.key("age-2.txt"));
    let opened = workshop
        .open_with(fields, Some(Keyring::discover(&environment)))
        .unwrap();
    let file = &opened.provenance[0];
    let openers: Vec<&str> = file.openers().map(|by| by.recipient.as_str()).collect();
    assert_eq!(openers, [AGE_1, AGE_2]);
    assert_eq!(file.other_recipients.len(), 1);
    assert_eq!(
        subjects(&opened.warnings, WarningKind::KeyOpensNothing),
        [""; 0]
    );
}

#[test]
fn places_that_were_searched_in_vain_are_named() {
    let workshop = Workshop::new();
    workshop.key("ssh_ed25519");
    workshop.seal("s.yaml", TWO_SECRETS, &[AGE_2]);
    let environment = Environment::empty()
        .with_var("SOPS_AGE_KEY_FILE", workshop.key("age-1.txt"))
        .with_var("HOME", workshop.path("home"));
    let fields = json!({"ageSshKeyPaths": ["ssh_ed25519"], "secrets": wanted("s.yaml")});
    let refused = workshop
        .open_with(fields, Some(Keyring::discover(&environment)))
        .unwrap_err();
    let text = explained(&refused.faults[0]);
    let place = |text: &str| text.replace('~', workshop.path("home").to_str().unwrap());
    for part in [
        "looked around in $SOPS_AGE_SSH_PRIVATE_KEY_FILE (unset)",
        &place("~/.ssh/id_ed25519 (missing)"),
        "age-1.txt (found)",
        &place("~/.config/sops/age/keys.txt (missing)"),
    ] {
        assert!(text.contains(part), "{part:?} is not in:\n{text}");
    }
}

#[test]
fn keys_are_told_of_when_what_they_do_not_open_is_left_out() {
    let workshop = Workshop::new();
    workshop.seal("s.yaml", TWO_SECRETS, &[AGE_2]);
    let opened = workshop
        .open(json!({"ageSshKeyPaths": ["missing"], "secrets": [
            {"key": "other", "sopsFile": "s.yaml", "required": false}]}))
        .unwrap();
    let unusable = subjects(&opened.warnings, WarningKind::KeyUnusable);
    assert_eq!(unusable.len(), 1, "{:?}", opened.warnings);
    assert_eq!(subjects(&opened.warnings, WarningKind::LeftOut).len(), 1);
}

#[test]
fn a_manifest_without_secrets_has_no_idle_keys() {
    let workshop = Workshop::new();
    workshop.key("ssh_ed25519");
    let opened = workshop
        .open(json!({"ageSshKeyPaths": ["ssh_ed25519"], "secrets": []}))
        .unwrap();
    assert_eq!(opened.warnings, []);
    assert!(opened.wanted.is_empty() && opened.provenance.is_empty());
}

/// Counts how often it is asked.
struct Counting {
    inner: crate::key::age::x25519::X25519Identity,
    asked: std::sync::Arc<std::sync::atomic::AtomicUsize>,
}

impl Identity for Counting {
    fn recipients(&self) -> Vec<String> {
        self.inner.recipients()
    }

    fn unwrap(&self, key: &WrappedKey) -> Result<Option<Secret>, IdentityError> {
        self.asked
            .fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        self.inner.unwrap(key)
    }
}

// S40, B46.
#[test]
fn s40_fifty_secrets_of_one_file_cost_one_unwrap() {
    let workshop = Workshop::new();
    let lines = |sign: &str| -> String {
        (0..50)
            .map(|n| format!("k{n}{sign}canary-4711 {n}\n"))
            .collect()
    };
    let json = r#"{"k49": "canary-4711 49"}"#.to_owned();
    for (file, text, last) in [
        ("s.yaml", lines(": "), "canary-4711 49".to_owned()),
        ("s.bin", lines(": "), lines(": ")),
        ("s.env", lines("="), lines("=")),
        ("s.ini", format!("[s]\n{}", lines(" = ")), String::new()),
        ("s.json", json, String::new()),
    ] {
        workshop.write(file, sealed(file, &text, &[AGE_2, AGE_1]));
        let opened = open_fifty(&workshop, file);
        if !last.is_empty() {
            assert_eq!(text_of(&opened, "49"), last, "{file}");
        }
        assert!(text_of(&opened, "49").contains("canary-4711 49"), "{file}");
    }
}

/// Fifty secrets of a file, for one unwrap.
#[track_caller]
fn open_fifty(workshop: &Workshop, file: &str) -> Opened {
    let format = Format::of_file_name(file);
    let key = |n| match format {
        Format::Yaml => format!("k{n}"),
        _ => String::new(),
    };
    let secrets: Vec<_> = (0..50)
        .map(|n| json!({"name": n.to_string(), "key": key(n), "sopsFile": file, "format": format.as_str()}))
        .collect();
    let asked = std::sync::Arc::default();
    let identity = crate::key::test_data::age_identity("age-1.txt");
    let counting = Counting {
        inner: crate::key::age::x25519::X25519Identity::parse(&identity).unwrap(),
        asked: std::sync::Arc::clone(&asked),
    };
    let ambient = Keyring::from_identities(vec![Box::new(counting)]);
    let opened = workshop
        .open_with(json!({"secrets": secrets}), Some(ambient))
        .unwrap();
    assert_eq!(opened.wanted.len(), 50);
    assert_eq!(
        asked.load(std::sync::atomic::Ordering::Relaxed),
        1,
        "{file}"
    );
    opened
}
