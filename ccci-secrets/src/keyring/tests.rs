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

// --- unwrapping ---------------------------------------------------------------------------------

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

// --- key files of machines: activation scenario S24 ---------------------------------------------

#[test]
fn a_good_key_file_gives_its_recipients() {
    let (_directory, path) = key_file(test_data::bytes("age-1.txt"));
    let mut keyring = Keyring::empty();
    let facts = keyring
        .add_age_key_file(&path, KeyFileModes::Strict)
        .unwrap();
    assert_eq!(facts.recipients, [AGE_1]);
    assert_eq!(facts.warnings, []);
    assert_eq!(
        keyring.recipients(),
        [KnownRecipient {
            recipient: AGE_1.into(),
            kind: SourceKind::AgeFile,
            source: Some(path),
        }]
    );
    assert_silent(&format!("{facts:?} {keyring:?}"));
}

#[test]
fn a_missing_key_file_names_the_nearest_directory() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("not/mounted/key.txt");
    let link = directory.path().join("link");
    symlink(&path, &link).unwrap();
    for path in [&path, &link] {
        for error in [
            Keyring::empty()
                .add_age_key_file(path, KeyFileModes::Warn)
                .unwrap_err(),
            Keyring::empty()
                .add_ssh_key_file(path, KeyFileModes::Warn)
                .unwrap_err(),
        ] {
            assert_eq!(error.code(), ErrorCode::KeyFileMissing);
            let KeyFileError::Missing {
                source,
                nearest_existing_parent,
                ..
            } = error
            else {
                panic!("{error}");
            };
            assert_eq!(source.kind(), std::io::ErrorKind::NotFound);
            assert_eq!(nearest_existing_parent.as_deref(), Some(directory.path()));
        }
    }
}

#[test]
fn junk_in_place_of_a_key_file_is_named() {
    let secret = age_identity("age-1.txt");
    let cases: Vec<(Vec<u8>, KeyFileReason)> = vec![
        (b"".into(), KeyFileReason::Empty),
        (b" \n\n".into(), KeyFileReason::Empty),
        (
            b"# public key: age1x\n\n".into(),
            KeyFileReason::CommentsOnly,
        ),
        (
            format!("# a\n{secret}x\n").into(),
            KeyFileReason::BadLine { line: 2 },
        ),
        (
            format!("{secret}\n {secret}\n").into(),
            KeyFileReason::BadLine { line: 2 },
        ),
        (
            format!("{secret} {secret}\n").into(),
            KeyFileReason::BadLine { line: 1 },
        ),
        (
            secret.to_lowercase().into(),
            KeyFileReason::BadLine { line: 1 },
        ),
        (b"\xff\xfe".into(), KeyFileReason::BadLine { line: 1 }),
        (
            test_data::bytes("age-1.pub"),
            KeyFileReason::BadLine { line: 1 },
        ),
        (
            test_data::bytes("locked-age.txt"),
            KeyFileReason::PassphraseProtected,
        ),
        (
            test_data::bytes("locked-age.bin"),
            KeyFileReason::PassphraseProtected,
        ),
        (test_data::bytes("ssh_ed25519"), KeyFileReason::SshKey),
        (
            vec![b'#'; 64 * 1024],
            KeyFileReason::TooLarge { limit: 64 * 1024 },
        ),
        (
            test_data::bytes("age-pq.txt"),
            KeyFileReason::NotBuilt {
                line: 3,
                kind: UnbuiltKind::PostQuantum,
            },
        ),
    ];
    for (content, reason) in cases {
        let (_directory, path) = key_file(&content);
        let text = String::from_utf8_lossy(&content).into_owned();
        assert_eq!(unusable(&path, KeyFileModes::Warn), reason, "{text}");
    }
}

#[test]
fn what_is_no_regular_file_is_named_and_nothing_hangs() {
    let directory = tempfile::tempdir().unwrap();
    let fifo = directory.path().join("fifo");
    let mode = rustix::fs::Mode::from_raw_mode(0o600);
    rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, mode, 0).unwrap();
    let socket = directory.path().join("socket");
    let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    let warn = KeyFileModes::Warn;
    assert_eq!(unusable(directory.path(), warn), KeyFileReason::Directory);
    assert_eq!(unusable(Path::new("/"), warn), KeyFileReason::Directory);
    assert_eq!(unusable(Path::new("."), warn), KeyFileReason::Directory);
    assert_eq!(
        unusable(&fifo, warn),
        KeyFileReason::NotRegular(FileKind::Fifo)
    );
    assert_eq!(
        unusable(Path::new("/dev/null"), warn),
        KeyFileReason::NotRegular(FileKind::Device)
    );
    assert_eq!(
        unusable(&socket, warn),
        KeyFileReason::NotRegular(FileKind::Socket)
    );
    // A parent that is a file: ENOTDIR.
    let below = Path::new("/dev/null/key.txt");
    assert!(matches!(
        unusable(below, warn),
        KeyFileReason::Unreadable(_)
    ));
}

#[test]
fn open_modes_warn_or_refuse() {
    let (_directory, path) = key_file(test_data::bytes("age-1.txt"));
    for mode in [0o644, 0o640, 0o620, 0o601] {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        let facts = Keyring::empty()
            .add_age_key_file(&path, KeyFileModes::Warn)
            .unwrap();
        assert_eq!(facts.warnings, [KeyFileWarning::OpenMode(mode)]);
        let reason = unusable(&path, KeyFileModes::Strict);
        assert_eq!(reason, KeyFileReason::OpenMode { mode });
    }
}

#[test]
fn trusted_links_are_followed_and_foreign_ones_are_not() {
    let (directory, path) = key_file(test_data::bytes("age-1.txt"));
    let nested = directory.path().join("persist");
    fs::create_dir(&nested).unwrap();
    symlink("..", nested.join("up")).unwrap();
    let link = directory.path().join("link");
    symlink(nested.join("up/./key.txt"), &link).unwrap();
    assert!(
        Keyring::empty()
            .add_age_key_file(&link, KeyFileModes::Strict)
            .is_ok()
    );

    let ring = directory.path().join("ring");
    symlink("ring", &ring).unwrap();
    let reason = unusable(&ring, KeyFileModes::Warn);
    assert!(matches!(reason, KeyFileReason::Unreadable(_)), "{reason}");

    let other = std::os::unix::fs::lchown(nested.join("up"), Some(54321), None);
    if other.is_err() {
        eprintln!("skipped: only root can give a link away");
        return;
    }
    let reason = unusable(&link, KeyFileModes::Warn);
    let KeyFileReason::ForeignLink { link, owner } = reason else {
        panic!("{reason}");
    };
    assert_eq!((link, owner), (nested.join("up"), 54321));

    std::os::unix::fs::chown(&path, Some(54321), None).unwrap();
    let facts = Keyring::empty()
        .add_age_key_file(&path, KeyFileModes::Warn)
        .unwrap();
    assert_eq!(facts.warnings, [KeyFileWarning::ForeignOwner(54321)]);
    let reason = unusable(&path, KeyFileModes::Strict);
    assert_eq!(reason, KeyFileReason::ForeignOwner { owner: 54321 });
}

#[test]
fn an_identity_of_another_kind_beside_a_good_one_is_a_warning() {
    let text = test_data::text("age-pq.txt") + &test_data::text("age-1.txt");
    let (_directory, path) = key_file(text);
    let facts = Keyring::empty()
        .add_age_key_file(&path, KeyFileModes::Warn)
        .unwrap();
    assert_eq!(facts.recipients, [AGE_1]);
    let kind = UnbuiltKind::PostQuantum;
    assert_eq!(facts.warnings, [KeyFileWarning::NotBuilt { line: 3, kind }]);
}

#[test]
fn ssh_keys_that_cannot_be_used_are_named() {
    let cases = [
        ("ssh_rsa", KeyFileReason::UnsupportedType("ssh-rsa".into())),
        ("ssh_locked_ctr", KeyFileReason::PassphraseProtected),
        ("ssh_locked_chacha", KeyFileReason::PassphraseProtected),
        ("ssh_ed25519.pub", KeyFileReason::PublicKey),
        ("age-1.txt", KeyFileReason::AgeKey),
        ("locked-age.txt", KeyFileReason::NotAKey),
    ];
    for (name, expected) in cases {
        let error = Keyring::empty()
            .add_ssh_key_file(&test_data::path(name), KeyFileModes::Warn)
            .unwrap_err();
        assert_silent(&format!("{error} {error:?}"));
        let KeyFileError::Unusable { reason, .. } = error else {
            panic!("{error}");
        };
        assert_eq!(reason, expected, "{name}");
    }
}

// --- the places of sops -------------------------------------------------------------------------

#[test]
fn every_place_of_sops_opens_a_file() {
    let home = tempfile::tempdir().unwrap();
    let config = home.path().join(".config/sops/age");
    fs::create_dir_all(&config).unwrap();
    let keys = config.join("keys.txt");
    let ssh = home.path().join(".ssh");
    fs::create_dir(&ssh).unwrap();
    let id = ssh.join("id_ed25519");
    let age_path = test_data::path("age-1.txt");
    let ssh_path = test_data::path("ssh_ed25519");
    let cat = |path: &Path| format!("/bin/sh -c 'cat \"{}\"'", path.display());
    let at_home = || environment().with_var("HOME", home.path());
    let by = |environment: Environment| {
        let keyring = Keyring::discover(&environment);
        let by = opened(&keyring, entries("yaml-multi-recipient.yaml")).opened_by;
        assert!(by.ambient);
        assert_silent(&format!("{environment:?} {keyring:?}"));
        (by.kind.as_str(), by.source)
    };
    assert_eq!(
        by(environment().with_var("SOPS_AGE_KEY", age_identity("age-1.txt"))),
        ("age-environment", None)
    );
    assert_eq!(
        by(environment().with_var("SOPS_AGE_KEY_FILE", &age_path)),
        ("age-file", Some(age_path.clone()))
    );
    assert_eq!(
        by(environment().with_var("SOPS_AGE_SSH_PRIVATE_KEY_FILE", &ssh_path)),
        ("ssh", Some(ssh_path.clone()))
    );
    assert_eq!(
        by(environment().with_var("SOPS_AGE_KEY_CMD", cat(&age_path))),
        ("age-command", None)
    );
    assert_eq!(
        by(environment().with_var("SOPS_AGE_SSH_PRIVATE_KEY_CMD", cat(&ssh_path))),
        ("ssh-command", None)
    );
    fs::copy(&age_path, &keys).unwrap();
    assert_eq!(by(at_home()), ("age-file", Some(keys)));
    fs::copy(&ssh_path, &id).unwrap();
    assert_eq!(by(at_home()), ("ssh", Some(id)), "SSH keys come first");
}

#[test]
fn the_key_variable_is_read_as_sops_reads_it() {
    let (one, two) = (age_identity("age-1.txt"), age_identity("age-3.txt"));
    // Each case was run with sops 3.13.3.
    for (text, opens) in [
        (format!("{two} {one}"), true),
        (format!("# a comment\n{one}"), true),
        (format!("  {one}\t"), true),
        (format!("{one} # x"), false),
        (format!("  # x\n{one}"), false),
        (format!("#x {one}"), false),
        (format!("foo {one}"), false),
    ] {
        let keyring = Keyring::discover(&environment().with_var("SOPS_AGE_KEY", text));
        let groups = [entries("yaml-multi-recipient.yaml")];
        assert_eq!(keyring.unwrap(&groups, None).is_ok(), opens);
    }
}

#[test]
fn junk_at_home_does_not_stop_a_good_key() {
    let home = tempfile::tempdir().unwrap();
    let ssh = home.path().join(".ssh");
    fs::create_dir(&ssh).unwrap();
    let id = ssh.join("id_ed25519");
    let age = |environment: Environment| {
        environment.with_var("SOPS_AGE_KEY_FILE", test_data::path("age-1.txt"))
    };
    let open = || {
        let environment = age(environment().with_var("HOME", home.path()));
        opened(
            &Keyring::discover(&environment),
            entries("yaml-multi-recipient.yaml"),
        );
        fs::remove_file(&id).unwrap_or_else(|_| fs::remove_dir(&id).unwrap());
    };
    for name in [
        "ssh_rsa",
        "ssh_rsa_pem",
        "ssh_ecdsa",
        "ssh_locked_ctr",
        "age-1.pub",
    ] {
        fs::copy(test_data::path(name), &id).unwrap();
        open();
    }
    for junk in [
        b"".as_slice(),
        b"\0",
        b"-----BEGIN OPENSSH PRIVATE KEY-----",
    ] {
        fs::write(&id, junk).unwrap();
        open();
    }
    fs::create_dir(&id).unwrap();
    open();
    fs::File::create(&id).unwrap().set_len(1 << 30).unwrap();
    open();
    let mode = rustix::fs::Mode::from_raw_mode(0o600);
    rustix::fs::mknodat(rustix::fs::CWD, &id, rustix::fs::FileType::Fifo, mode, 0).unwrap();
    open();
    symlink("id_ed25519", &id).unwrap();
    open();
}

#[test]
fn a_pipe_is_read_where_the_user_names_one() {
    let (reader, mut writer) = std::io::pipe().unwrap();
    std::io::Write::write_all(&mut writer, &test_data::bytes("age-1.txt")).unwrap();
    drop(writer);
    let number = std::os::fd::AsRawFd::as_raw_fd(&reader);
    let path = format!("/proc/self/fd/{number}");
    let keyring = Keyring::discover(&environment().with_var("SOPS_AGE_KEY_FILE", path));
    opened(&keyring, entries("yaml-multi-recipient.yaml"));
}

#[test]
fn the_report_names_every_place_in_order() {
    let home = tempfile::tempdir().unwrap();
    fs::create_dir(home.path().join(".ssh")).unwrap();
    let id = home.path().join(".ssh/id_ed25519");
    fs::copy(test_data::path("ssh_locked_ctr"), &id).unwrap();
    fs::copy(test_data::path("ssh_rsa"), home.path().join(".ssh/id_rsa")).unwrap();
    let environment = environment()
        .with_var("HOME", home.path())
        .with_var("SOPS_AGE_KEY", age_identity("age-3.txt"))
        .with_var("SOPS_AGE_KEY_FILE", test_data::path("age-pq.txt"))
        .with_var("SOPS_AGE_KEY_CMD", "false");
    let keyring = Keyring::discover(&environment);
    let report = report(&keyring, entries("yaml-derived.yaml"));
    assert_eq!(report.groups[0].keys[0].outcome, KeyOutcome::Locked);
    let text = report
        .to_string()
        .replace(home.path().to_str().unwrap(), "HOME");
    let text = text.replace(test_data::path("").to_str().unwrap(), "KEYS/");
    assert_eq!(
        text,
        "group 1 (needs 1): age174nc3m6t…  its key is here and protected with a passphrase\n\
         looked for keys in $SOPS_AGE_SSH_PRIVATE_KEY_FILE (unset), $SOPS_AGE_SSH_PRIVATE_KEY_CMD (unset), \
         HOME/.ssh/id_ed25519 (is protected with a passphrase: a recipient), \
         HOME/.ssh/id_rsa (SSH key of type ssh-rsa, only ssh-ed25519 can be used), \
         $SOPS_AGE_KEY (found age16hm650fs…), \
         $SOPS_AGE_KEY_FILE KEYS/age-pq.txt (line 3: post-quantum age identities are not supported by this build), \
         $SOPS_AGE_KEY_CMD (the command ended with exit code 1), \
         HOME/.config/sops/age/keys.txt (missing)"
    );
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!(
        json["sources"][2]["state"]["unusable"],
        "passphrase-protected"
    );
    assert_eq!(json["sources"][4]["state"], "found");
    assert_eq!(json["groups"][0]["keys"][0]["outcome"], "locked");
}

#[test]
fn nothing_is_read_before_the_first_unwrap_and_everything_once() {
    let (directory, path) = key_file("not yet a key");
    let log = directory.path().join("log");
    let command = format!(
        "/bin/sh -c 'echo \"$SOPS_AGE_RECIPIENT\" >> {}; exit 3'",
        log.display()
    );
    let environment = environment()
        .with_var("SOPS_AGE_KEY_FILE", &path)
        .with_var("SOPS_AGE_KEY_CMD", command);
    let keyring = Keyring::discover(&environment);
    write_private(&path, test_data::bytes("age-1.txt"));
    opened(&keyring, entries("yaml-multi-recipient.yaml"));
    write_private(&path, "no more a key");
    opened(&keyring, entries("yaml-multi-recipient.yaml"));
    assert!(!log.exists(), "a command runs only where no file helps");
    for _ in 0..2 {
        report(&keyring, entries("yaml-derived.yaml"));
    }
    let asked = fs::read_to_string(&log).unwrap();
    let label = entries("yaml-derived.yaml").keys[0].label();
    assert_eq!(
        asked.trim(),
        label,
        "asked once, for the recipient of the file"
    );
}

#[test]
fn a_command_that_cannot_run_says_why() {
    for (line, fault) in [
        ("", CommandFault::NoCommand),
        ("echo 'x", CommandFault::OpenQuote),
        (
            "/nonexistent/program",
            CommandFault::NotStarted(SystemError(2)),
        ),
        ("sh -c 'kill -9 $$'", CommandFault::Killed),
        ("cat /dev/zero", CommandFault::TooLong(1024 * 1024)),
    ] {
        let keyring = Keyring::discover(&environment().with_var("SOPS_AGE_KEY_CMD", line));
        let report = report(&keyring, entries("yaml-derived.yaml"));
        let command = &report.sources[6];
        assert_eq!(command.state, SourceState::Command(fault), "{line}");
    }
}

#[test]
fn a_keyring_can_be_shared_between_threads() {
    fn shared<T: Send + Sync>() {}
    shared::<Keyring>();
    shared::<Environment>();
    shared::<UnwrapError>();
}

#[test]
fn no_bytes_in_a_key_file_can_cause_a_panic() {
    use proptest::prelude::Strategy;
    let word = "(AGE-SECRET-KEY-1|AGE-SECRET-KEY-PQ-1|AGE-PLUGIN-|-----BEGIN |-----END |OPENSSH PRIVATE KEY|-----|# |1|\n|\r|[A-Za-z0-9+/=]{1,40}|.)";
    let text = proptest::collection::vec(word, 0..20).prop_map(|words| words.concat());
    proptest::proptest!(|(text in text, noise: Vec<u8>)| {
        for bytes in [text.as_bytes(), noise.as_slice()] {
            drop(parse_age_keys(bytes, Layout::Lines));
            drop(parse_age_keys(bytes, Layout::Words));
            drop(SshIdentity::parse(bytes));
        }
        drop(crate::key::parse_recipient(&text));
        let key = WrappedKey::age(AGE_1, &text);
        assert!(age_keyring("age-1.txt").unwrap(&[WrappedGroup::new(vec![key])], None).is_err());
    });
}

#[test]
fn no_bytes_inside_an_openssh_key_can_cause_a_panic() {
    use base64::Engine as _;
    let good = test_data::text("ssh_ed25519");
    let body: String = good.lines().filter(|line| !line.starts_with('-')).collect();
    let engine = base64::engine::general_purpose::STANDARD;
    let good = engine.decode(body).unwrap();
    let length = good.len();
    let identity = SshIdentity::parse(&test_data::bytes("ssh_ed25519")).unwrap();
    proptest::proptest!(|(at in 0..length, byte: u8, end in 0..=length)| {
        let mut bytes = good[..end].to_vec();
        if let Some(place) = bytes.get_mut(at) {
            *place = byte;
        }
        let body = engine.encode(&bytes);
        let text = format!("-----BEGIN OPENSSH PRIVATE KEY-----\n{body}\n-----END OPENSSH PRIVATE KEY-----\n");
        if let Ok(read) = SshIdentity::parse(text.as_bytes()) {
            assert_eq!(read.public(), identity.public());
        }
    });
}

#[test]
fn each_identity_of_a_file_opens_alone() {
    let both = format!(
        "{}\n{}\n",
        age_identity("age-1.txt"),
        age_identity("age-2.txt")
    );
    let (_directory, path) = key_file(both);
    let mut keyring = Keyring::empty();
    keyring.add_named_key_file(&path).unwrap();
    keyring
        .add_key_file(&test_data::path("ssh_ed25519"), KeyFileModes::Warn)
        .unwrap();
    let alone = keyring.each_alone();
    let recipients: Vec<usize> = alone.iter().map(|one| one.recipients().len()).collect();
    assert_eq!(recipients, [1, 1, 2]);
    assert_eq!(alone[2].recipients()[0].kind, SourceKind::Ssh);
    let mut for_the_first = entries("yaml-multi-recipient.yaml");
    for_the_first.keys.retain(|key| key.label() == AGE_1);
    assert!(alone[0].unwrap(&[for_the_first.clone()], None).is_ok());
    report(&alone[1], for_the_first);
}

#[test]
fn a_key_file_of_either_kind_is_read_and_anything_else_is_named() {
    let mut keyring = Keyring::empty();
    for (name, reason) in [
        ("ssh_rsa", KeyFileReason::UnsupportedType("ssh-rsa".into())),
        ("ssh_locked_ctr", KeyFileReason::PassphraseProtected),
        ("locked-age.txt", KeyFileReason::PassphraseProtected),
        ("ssh_ed25519.pub", KeyFileReason::BadLine { line: 1 }),
    ] {
        match keyring.add_named_key_file(&test_data::path(name)) {
            Err(KeyFileError::Unusable { reason: found, .. }) => {
                assert_eq!(found, reason, "{name}")
            }
            other => panic!("{name}: {other:?}"),
        }
    }
}
