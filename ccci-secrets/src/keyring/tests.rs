use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::fs::symlink;
use std::path::Path;

use tempfile::TempDir;

use super::*;
use crate::error::ErrorCode;
use crate::key::IdentityError;
use crate::key::UnbuiltKind;
use crate::key::age::x25519::X25519Identity;
use crate::key::test_data;
use crate::key::test_data::age_identity;
use crate::key::test_data::assert_silent;
use crate::key::test_data::entries;
use crate::wrapped::KeyKind;
use crate::wrapped::WrappedKey;

mod groups;
mod key_files;
mod places;

const AGE_1: &str = "age10a73gefnvmgz29euzavnpvsfvhtw53uvtt0xc8pl7se69vwmg92q8wd94m";

fn environment() -> Environment {
    Environment::empty()
}

fn opened(keyring: &Keyring, group: WrappedGroup) -> Unwrapped {
    keyring
        .unwrap(&[group], None)
        .unwrap_or_else(|error| panic!("{error}: {:?}", error.report()))
}

fn report(keyring: &Keyring, group: WrappedGroup) -> AttemptReport {
    let error = keyring.unwrap(&[group], None).unwrap_err();
    assert_eq!(error.code(), ErrorCode::NoIdentity);
    let report = error.report().unwrap().clone();
    let json = serde_json::to_string(&report).unwrap();
    assert_silent(&format!("{error} {error:?} {report} {json} {keyring:?}"));
    report
}

fn age_keyring(name: &str) -> Keyring {
    let identity = X25519Identity::parse(&age_identity(name)).unwrap();
    Keyring::from_identities(vec![Box::new(identity)])
}

/// A directory with a key file of mode 0600 in it.
fn key_file(content: impl AsRef<[u8]>) -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("key.txt");
    write_private(&path, content);
    (directory, path)
}

fn write_private(path: &Path, content: impl AsRef<[u8]>) {
    fs::write(path, content).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

fn unusable(path: &Path, modes: KeyFileModes) -> KeyFileReason {
    let error = Keyring::empty().add_age_key_file(path, modes).unwrap_err();
    assert_eq!(error.code(), ErrorCode::KeyFileUnusable);
    assert_silent(&format!("{error} {error:?}"));
    match error {
        KeyFileError::Unusable { reason, .. } => reason,
        error @ KeyFileError::Missing { .. } => panic!("{error}"),
    }
}

#[test]
fn all_three_keys_of_a_file_by_sops_give_the_same_data_key() {
    let group = || entries("yaml-multi-recipient.yaml");
    let mut ssh = Keyring::empty();
    ssh.add_ssh_key_file(&test_data::path("ssh_ed25519"), KeyFileModes::Warn)
        .unwrap();
    let first = opened(&age_keyring("age-1.txt"), group());
    for keyring in [age_keyring("age-2.txt"), ssh] {
        let other = opened(&keyring, group());
        assert_eq!(first.key.expose(), other.key.expose());
    }
    assert_eq!(first.opened_by.recipient, AGE_1);
    assert_eq!(first.opened_by.kind, SourceKind::Given);
    assert!(!first.opened_by.ambient);
}

#[test]
fn the_ssh_key_opens_both_forms_and_the_report_names_the_label_of_the_file() {
    let path = test_data::path("ssh_ed25519");
    let mut keyring = Keyring::empty();
    let facts = keyring.add_ssh_key_file(&path, KeyFileModes::Warn).unwrap();
    let derived = &entries("yaml-derived.yaml").keys[0].label();
    assert_eq!(&facts.recipients[0], derived);
    assert!(facts.recipients[1].starts_with("ssh-ed25519 AAAA"));
    for name in ["yaml-ssh.yaml", "yaml-derived.yaml"] {
        let by = opened(&keyring, entries(name)).opened_by;
        assert_eq!(by.recipient, entries(name).keys[0].label());
        assert_eq!((by.kind, by.kind.as_str()), (SourceKind::Ssh, "ssh"));
        assert_eq!(by.source.as_deref(), Some(path.as_path()));
    }
}

#[test]
fn a_label_is_a_claim() {
    // Swapped labels: the entry that is labelled for us is not ours, and the other one is.
    let mut group = entries("yaml-multi-recipient.yaml");
    let enc = |index: usize| group.keys[index].field("enc").unwrap().to_owned();
    let (label, other) = (group.keys[0].label(), group.keys[1].label());
    group.keys = vec![
        WrappedKey::age(&label, &enc(1)),
        WrappedKey::age(&other, &enc(0)),
    ];
    let by = opened(&age_keyring("age-1.txt"), group.clone()).opened_by;
    assert_eq!(by.recipient, other);

    // Only the wrong one is left.
    group.keys.pop();
    let report = report(&age_keyring("age-1.txt"), group);
    assert_eq!(report.groups[0].keys[0].outcome, KeyOutcome::LabelIsWrong);
}

#[test]
fn a_label_with_other_spaces_or_comment_still_matches() {
    let group = entries("yaml-ssh.yaml");
    let key = &group.keys[0];
    let label = key.label().replace(' ', "  ") + " and more";
    let group = WrappedGroup::new(vec![WrappedKey::age(&label, key.field("enc").unwrap())]);
    let mut keyring = Keyring::empty();
    keyring
        .add_ssh_key_file(&test_data::path("ssh_ed25519"), KeyFileModes::Warn)
        .unwrap();
    assert_eq!(opened(&keyring, group).opened_by.recipient, label);
}

#[test]
fn one_unwrap_is_done_for_a_file_of_many_recipients() {
    use std::sync::atomic::AtomicUsize;
    use std::sync::atomic::Ordering;

    struct Counting(X25519Identity, &'static AtomicUsize);
    impl Identity for Counting {
        fn recipients(&self) -> Vec<String> {
            self.0.recipients()
        }
        fn unwrap(&self, key: &WrappedKey) -> Result<Option<Secret>, IdentityError> {
            self.1.fetch_add(1, Ordering::Relaxed);
            self.0.unwrap(key)
        }
    }
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let identity = X25519Identity::parse(&age_identity("age-2.txt")).unwrap();
    let keyring = Keyring::from_identities(vec![Box::new(Counting(identity, &COUNT))]);
    let multi = entries("yaml-multi-recipient.yaml");
    let mut group = entries("yaml-derived.yaml");
    group.keys.extend(vec![group.keys[0].clone(); 50]);
    group.keys.push(multi.keys[1].clone());
    opened(&keyring, group);
    assert_eq!(COUNT.load(Ordering::Relaxed), 1);
}

#[test]
fn damaged_and_unsupported_entries_are_told_apart_and_do_not_stop_the_search() {
    let mut group = entries("yaml-multi-recipient.yaml");
    let good = group.keys[0].clone();
    group.keys = vec![
        WrappedKey::age(AGE_1, "no age file"),
        WrappedKey::new(
            KeyKind::Pgp,
            vec![(
                "fp".into(),
                "85D77543B3D624B63CEA9E6DBC17301B491B3F21".into(),
            )],
        ),
        entries("yaml-pq.yaml").keys[0].clone(),
        WrappedKey::age("age1yubikey1qwt50d05", "x"),
    ];
    let outcomes: Vec<String> = report(&age_keyring("age-1.txt"), group.clone()).groups[0]
        .keys
        .iter()
        .map(|key| key.outcome.to_string())
        .collect();
    assert_eq!(
        outcomes,
        [
            "the wrapped data key is not an age file",
            "no home of GnuPG may be asked for it",
            "post-quantum age keys are not supported by this build",
            // What is tried and turns out to be damaged is reported as that.
            "the wrapped data key is not an age file",
        ]
    );
    group.keys.push(good);
    opened(&age_keyring("age-1.txt"), group);
}

#[test]
fn a_file_without_recipients_says_so() {
    for groups in [vec![], vec![WrappedGroup::default()]] {
        let error = age_keyring("age-1.txt").unwrap(&groups, None).unwrap_err();
        assert_eq!(error.code(), ErrorCode::NoRecipients);
    }
}
