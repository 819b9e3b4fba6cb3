//! The places where sops looks for keys.

use super::*;

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
        ("ssh_ed25519.pub", KeyFileReason::PublicKey),
    ] {
        match keyring.add_named_key_file(&test_data::path(name)) {
            Err(KeyFileError::Unusable { reason: found, .. }) => {
                assert_eq!(found, reason, "{name}")
            }
            other => panic!("{name}: {other:?}"),
        }
    }
}
