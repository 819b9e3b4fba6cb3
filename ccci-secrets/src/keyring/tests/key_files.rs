//! Key files of machines: activation scenario S24.

use super::*;

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
        (test_data::bytes("age-1.pub"), KeyFileReason::PublicKey),
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
