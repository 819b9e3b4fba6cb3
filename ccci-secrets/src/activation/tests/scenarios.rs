//! The scenarios that need no sops file, by their ids.

use std::cell::RefCell;
use std::os::fd::AsFd as _;
use std::os::unix::fs::{lchown, symlink};

use super::*;
use crate::activation::fault::{Fault, TargetProblem, Warning, WarningKind};
use crate::activation::receipt::{Change, Step};
use crate::error::ErrorCode;

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

fn operator() -> Wish {
    Wish::new()
        .secret(
            "wildcard_cert",
            "leaf and intermediate\n",
            json!({"mode": "0444", "path": "/var/lib/ci-certs/live/fullchain.pem"}),
        )
        .secret(
            "wildcard_key",
            "key\n",
            json!({"path": "/var/lib/ci-certs/live/privkey.pem", "restartUnits": ["proxy.service"]}),
        )
}

#[test]
fn s03_targets_are_links_to_files_with_the_content_and_the_mode_that_was_asked_for() {
    let world = World::new();
    let receipt = world.activate(&operator()).unwrap();
    assert_no_failed_step(&receipt);
    assert_eq!((receipt.previous, receipt.generation), (None, Some(1)));
    let live = "/var/lib/ci-certs/live";
    for (target, name, bits, content) in [
        (
            "fullchain.pem",
            "wildcard_cert",
            0o444,
            "leaf and intermediate\n",
        ),
        ("privkey.pem", "wildcard_key", 0o400, "key\n"),
    ] {
        let target = format!("{live}/{target}");
        let text = fs::read_link(world.at(&target)).unwrap();
        assert_eq!(text, Path::new("../../../../run/secrets").join(name));
        assert_eq!(world.read(&target), content.as_bytes());
        assert_eq!(mode(&world.at(&target)), bits);
    }
    assert_eq!(
        fs::read_link(world.at("/run/secrets")).unwrap(),
        Path::new("secrets.d/1")
    );
    assert_eq!(mode(&world.at("/run/secrets.d/1")), 0o751);
    assert_eq!(mode(&world.at("/run/secrets.d")), 0o751);
}

#[test]
fn a_tree_reads_the_same_after_it_was_moved() {
    let world = World::new();
    world.activate(&operator()).unwrap();
    let moved = world.dir.path().join("moved");
    fs::rename(world.root(), &moved).unwrap();
    let key = moved.join("var/lib/ci-certs/live/privkey.pem");
    assert_eq!(fs::read(key).unwrap(), b"key\n");
}

#[test]
fn a_second_run_writes_nothing_and_makes_no_generation() {
    let world = World::new();
    world.activate(&operator()).unwrap();
    let before = world.snapshot();
    let fs = Watched::recording();
    let receipt = world.activate_on(&fs, &operator()).unwrap();
    assert_eq!((receipt.previous, receipt.generation), (Some(1), None));
    assert!(
        receipt
            .entries
            .iter()
            .all(|entry| entry.change == Change::Unchanged)
    );
    assert_eq!(world.snapshot(), before);
    // Opening the lock and taking it change nothing that is there.
    assert_eq!(fs.log(), ["open_lock .ccsec-lock", "lock "]);
}

#[test]
fn a_manifest_that_changes_no_file_is_remembered_without_a_new_generation() {
    let world = World::new();
    world.activate(&operator()).unwrap();
    let other = operator().with("ageKeyFile", json!("/etc/key.txt"));
    let receipt = world.activate(&other).unwrap();
    assert_eq!(receipt.generation, None);
    let fs = Watched::recording();
    world.activate_on(&fs, &other).unwrap();
    assert_eq!(fs.changes(), 2, "{:?}", fs.log());
}

#[test]
fn without_idempotence_every_run_makes_a_generation_and_prunes() {
    let world = World::new();
    let wish = operator().with("idempotent", json!(false));
    for number in 1..=3 {
        assert_eq!(world.activate(&wish).unwrap().generation, Some(number));
    }
    let names: Vec<_> = fs::read_dir(world.at("/run/secrets.d"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(names, ["3"]);
}

#[test]
fn s12_equal_files_of_the_operator_are_adopted() {
    let world = World::new();
    world.write("/var/lib/ci-certs/live/privkey.pem", "key\n");
    assert_no_failed_step(&world.activate(&operator()).unwrap());
    assert!(world.at("/var/lib/ci-certs/live/privkey.pem").is_symlink());
}

#[test]
fn s12_a_differing_file_is_refused_and_stays() {
    let world = World::new();
    world.write("/var/lib/ci-certs/live/privkey.pem", "other");
    let before = world.snapshot();
    let refusal = world.activate(&operator()).unwrap_err();
    assert_eq!(refusal.code(), ErrorCode::TargetConflict);
    assert_eq!(world.snapshot(), before);
}

#[test]
fn s12_a_differing_file_is_kept_when_asked_and_closed_to_others() {
    let world = World::new();
    let wish = |content| {
        Wish::new().secret(
            "key",
            content,
            json!({"path": "/srv/key", "onConflict": "backup"}),
        )
    };
    for (nth, old) in ["first", "second"].into_iter().enumerate() {
        drop(fs::remove_file(world.at("/srv/key")));
        world.write("/srv/key", old);
        let receipt = world.activate(&wish("key")).unwrap();
        assert_no_failed_step(&receipt);
        let kept = format!("/srv/key.ccsec-backup-{}", nth + 1);
        assert_eq!(world.read(&kept), old.as_bytes());
        assert_eq!(mode(&world.at(&kept)), 0o600);
        assert!(receipt.warnings.iter().any(|warning| {
            warning.kind == WarningKind::BackedUp && warning.subject.contains("ccsec-backup")
        }));
    }
    assert_eq!(world.read("/srv/key"), b"key");
}

#[test]
fn s13b_a_link_that_left_the_manifest_while_the_machine_was_off_is_removed() {
    let world = World::new();
    world.activate(&operator()).unwrap();
    fs::remove_dir_all(world.at("/run")).unwrap();
    let mut fewer = operator();
    fewer.manifest["secrets"].as_array_mut().unwrap().pop();
    assert_no_failed_step(&world.activate(&fewer).unwrap());
    assert!(!world.at("/var/lib/ci-certs/live/privkey.pem").is_symlink());
    assert_eq!(
        world.read("/var/lib/ci-certs/live/fullchain.pem"),
        b"leaf and intermediate\n"
    );
    assert_eq!(world.temporary_names(), Vec::<String>::new());
}

#[test]
fn s26_every_conflict_is_told_at_once_and_nothing_is_touched() {
    if !is_root("s26") {
        return;
    }
    let world = World::new();
    world.write("/srv/dir/inside", "x");
    fs::create_dir_all(world.at("/home/user")).unwrap();
    symlink("/etc", world.at("/home/user/link")).unwrap();
    world.write("/srv/theirs", "x");
    make_fifo(&world.at("/srv/pipe"));
    symlink("two", world.at("/srv/one")).unwrap();
    symlink("one", world.at("/srv/two")).unwrap();
    for path in ["/home/user", "/home/user/link", "/srv/theirs", "/srv/pipe"] {
        lchown(world.at(path), Some(1000), Some(1000)).unwrap();
    }
    let before = world.snapshot();
    let wish = Wish::new()
        .secret("one", "1", json!({"path": "/srv/dir"}))
        .secret("two", "2", json!({"path": "/home/user/link/two"}))
        .secret("three", "3", json!({"path": "/srv/pipe"}))
        .secret("four", "4", json!({"path": "/srv/theirs"}))
        .secret("five", "5", json!({"path": "/srv/one/five"}));
    let refusal = world.activate(&wish).unwrap_err();
    assert_eq!(refusal.code(), ErrorCode::TargetConflict);
    assert_eq!(refusal.faults.len(), 5, "{:?}", refusal.faults);
    assert_eq!(world.snapshot(), before);
}

#[test]
fn conflicts_are_told_together_with_what_does_not_open() {
    let world = World::new();
    world.write("/srv/dir/inside", "x");
    let before = world.snapshot();
    let wish = Wish::new().secret("one", "1", json!({"path": "/srv/dir"}));
    let not_opened = NotOpened {
        faults: vec![Fault::Locked("stands for any fault".into())],
        warnings: Vec::new(),
        sound: None,
    };
    let refusal = world.activate_not_opened(&wish, not_opened).unwrap_err();
    assert!(matches!(
        refusal.faults[..],
        [
            Fault::Target {
                problem: TargetProblem::Directory,
                ..
            },
            Fault::Locked(_)
        ]
    ));
    assert_eq!(world.snapshot(), before);
}

#[test]
fn a_refusal_says_what_is_still_active() {
    let world = World::new();
    world.activate(&operator()).unwrap();
    let mut wish = operator();
    wish.contents.insert("wildcard_key".into(), b"new".to_vec());
    let target = world.at("/var/lib/ci-certs/live/privkey.pem");
    fs::remove_file(&target).unwrap();
    fs::create_dir(&target).unwrap();
    let active = world.activate(&wish).unwrap_err().still_active.unwrap();
    assert_eq!(active.generation, 1);
    assert_eq!(active.link, Path::new("secrets.d/1"));
}

#[test]
fn on_a_first_boot_what_is_sound_can_be_enough() {
    let world = World::new();
    let wish = operator().with("onFirstBoot", json!("partial"));
    let manifest = wish.parse();
    let accounts = Accounts::parse(b"", b"", None);
    let not_opened = || {
        let mut sound = made_up(&manifest, &wish, &accounts);
        sound.wanted.truncate(1);
        NotOpened {
            faults: vec![Fault::Locked("stands for any fault".into())],
            warnings: Vec::new(),
            sound: Some(sound),
        }
    };
    let receipt = world.activate_not_opened(&wish, not_opened()).unwrap();
    assert_eq!(receipt.failed_step.unwrap().step, Step::Open);
    assert_eq!(
        world.read("/run/secrets/wildcard_cert"),
        b"leaf and intermediate\n"
    );
    let refusal = world.activate_not_opened(&wish, not_opened()).unwrap_err();
    assert_eq!(refusal.still_active.unwrap().generation, 1);
}

/// The umask belongs to the whole process, so the test runs in one of its own.
#[test]
fn s36_modes_and_owners_are_as_asked_whatever_the_umask() {
    let output = std::process::Command::new("sh")
        .args(["-c", "umask 077; exec \"$0\" \"$@\""])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "--include-ignored"])
        .arg("activation::tests::scenarios::s36_with_a_narrow_umask")
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(told.contains("1 passed"), "{told}");
    assert!(output.status.success(), "{told}");
}

#[test]
#[ignore = "the test above starts it with a umask of its own"]
fn s36_with_a_narrow_umask() {
    let world = World::new();
    std::fs::create_dir(world.dir.path().join("probe")).unwrap();
    assert_eq!(mode(&world.dir.path().join("probe")), 0o700);
    let (uid, gid) = if is_root("s36 with owners") {
        (65534, 1001)
    } else {
        own_ids()
    };
    let ids = json!({"uid": uid, "gid": gid});
    let with_mode = |mode: &str| {
        let mut fields = ids.clone();
        fields["mode"] = json!(mode);
        fields
    };
    let modes = ["0444", "0660", "0400"];
    let wish = modes.iter().fold(Wish::new(), |wish, mode| {
        wish.secret(&format!("dir/{mode}"), "x", with_mode(mode))
    });
    let fs = Watched::recording();
    assert_no_failed_step(&world.activate_on(&fs, &wish).unwrap());
    for bits in modes {
        let facts = std::fs::metadata(world.at(&format!("/run/secrets/dir/{bits}"))).unwrap();
        let wanted = u32::from_str_radix(bits, 8).unwrap();
        assert_eq!(facts.permissions().mode() & 0o7777, wanted);
        assert_eq!((facts.uid(), facts.gid()), (uid, gid));
    }
    for directory in ["/run/secrets.d", "/run/secrets.d/1", "/run/secrets.d/1/dir"] {
        assert_eq!(mode(&world.at(directory)), 0o751, "{directory}");
    }
    // The owner comes before the mode, and both come when all is written.
    let log = fs.log();
    let at = log
        .iter()
        .position(|call| call == "create dir/0444")
        .unwrap();
    let calls: Vec<&str> = log[at..at + 4].iter().map(String::as_str).collect();
    let as_root = [
        "create dir/0444",
        "write ",
        "change_owner ",
        "change_mode 444",
    ];
    let as_user = ["create dir/0444", "write ", "change_mode 444", "sync "];
    assert_eq!(calls, if own_ids().0 == 0 { as_root } else { as_user });
}

#[test]
fn directories_belong_to_the_group_keys_of_the_tree() {
    if !is_root("the group of directories") {
        return;
    }
    let world = World::new();
    world.write("/etc/passwd", "web:x:901:901::/:/bin/false\n");
    world.write("/etc/group", "keys:x:96:\nweb:x:901:\n");
    let wish = Wish::new().secret("a", "x", json!({"uid": 0, "owner": "web", "group": "web"}));
    assert_no_failed_step(&world.activate(&wish).unwrap());
    let facts = |path: &str| {
        let facts = fs::metadata(world.at(path)).unwrap();
        (facts.uid(), facts.gid())
    };
    assert_eq!(facts("/run/secrets/a"), (901, 901));
    assert_eq!(facts("/run/secrets.d/1"), (0, 96));
    assert_eq!(facts("/run/secrets.d"), (0, 96));
}

#[test]
fn s38_a_change_of_mode_alone_is_a_modification() {
    let world = World::new();
    world.activate(&operator()).unwrap();
    let mut wish = operator();
    wish.manifest["secrets"][1]["mode"] = json!("0440");
    let receipt = world.activate(&wish).unwrap();
    let changes: Vec<Change> = receipt.entries.iter().map(|entry| entry.change).collect();
    let mode_only = Change::Modified {
        content: false,
        mode: true,
        owner: false,
    };
    assert_eq!(changes, [Change::Unchanged, mode_only]);
    assert_eq!(receipt.generation, Some(2));
}

#[test]
fn s38_a_secret_that_left_the_manifest_is_reported_and_loses_its_link() {
    let world = World::new();
    world.activate(&operator()).unwrap();
    let mut fewer = operator();
    fewer.manifest["secrets"].as_array_mut().unwrap().pop();
    let receipt = world.activate(&fewer).unwrap();
    assert_eq!(receipt.removed, ["wildcard_key"]);
    assert!(!world.at("/var/lib/ci-certs/live/privkey.pem").is_symlink());
    // What somebody else has put there meanwhile is not ours to remove.
    world.activate(&operator()).unwrap();
    let target = world.at("/var/lib/ci-certs/live/privkey.pem");
    fs::remove_file(&target).unwrap();
    symlink("elsewhere", &target).unwrap();
    assert_no_failed_step(&world.activate(&fewer).unwrap());
    assert_eq!(fs::read_link(&target).unwrap(), Path::new("elsewhere"));
}

fn make_fifo(path: &Path) {
    use rustix::fs::{CWD, FileType, Mode, mknodat};
    mknodat(CWD, path, FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap();
}

#[test]
fn s26_a_file_or_a_pipe_at_the_place_of_the_link_is_refused() {
    let world = World::new();
    let link = world.at("/run/secrets");
    fs::create_dir_all(link.parent().unwrap()).unwrap();
    let wish = Wish::new().secret("one", "1", json!({}));
    for make in [
        |path: &Path| fs::write(path, "x").unwrap(),
        |path: &Path| make_fifo(path),
    ] {
        make(&link);
        let before = world.snapshot();
        let refusal = world.activate(&wish).unwrap_err();
        assert_eq!(refusal.code(), ErrorCode::TargetConflict);
        assert_eq!(world.snapshot(), before);
        fs::remove_file(&link).unwrap();
    }
    world.activate(&wish).unwrap();
}

#[test]
fn a_directory_at_the_place_of_the_link_gives_way() {
    let world = World::new();
    world.write("/run/secrets/old/file", "x");
    let receipt = world.activate(&operator()).unwrap();
    assert_no_failed_step(&receipt);
    assert!(world.at("/run/secrets").is_symlink());
    assert!(!world.snapshot().values().any(|entry| entry.ends_with(" x")));
    assert!(
        receipt
            .warnings
            .iter()
            .any(|warning| warning.kind == WarningKind::DirectoryReplaced)
    );
}

// F03.
#[test]
fn numbers_go_on_from_a_link_that_leads_nowhere() {
    let world = World::new();
    fs::create_dir_all(world.at("/run/secrets.d")).unwrap();
    symlink("secrets.d/99", world.at("/run/secrets")).unwrap();
    assert_eq!(world.activate(&operator()).unwrap().generation, Some(100));
}

#[test]
fn a_run_waits_for_the_lock_and_gives_up_in_the_end() {
    let world = World::new();
    world.activate(&operator()).unwrap();
    let real = RealFs::new();
    let root = real.open_start(&world.root()).unwrap();
    let file = real
        .open_lock(std::os::fd::AsFd::as_fd(&root), ".ccsec-lock".as_ref())
        .unwrap();
    assert!(real.lock(std::os::fd::AsFd::as_fd(&file)).unwrap());
    let before = world.snapshot();
    let waited = RefCell::new(Duration::ZERO);
    let pause = |time| *waited.borrow_mut() += time;
    let (manifest, directory) = (operator().parse(), world.root());
    let mut options = Options::new(&real, &pause);
    options.root = Some(&directory);
    options.lock_timeout = Duration::from_secs(2);
    let refusal = transaction::run(&manifest, &options, |_| unreachable!()).unwrap_err();
    assert_eq!(refusal.code(), ErrorCode::ActivationLocked);
    assert_eq!(refusal.still_active.unwrap().generation, 1);
    assert_eq!(*waited.borrow(), Duration::from_secs(2));
    assert_eq!(world.snapshot(), before);
}

#[test]
fn pruning_waits_for_readers_and_only_when_something_is_pruned() {
    let world = World::new();
    let waited = RefCell::new(Vec::new());
    let pause = |time| waited.borrow_mut().push(time);
    let real = Watched::recording();
    let directory = world.root();
    for content in ["one", "two"] {
        let wish = Wish::new().secret("a", content, json!({}));
        let manifest = wish.parse();
        let mut options = Options::new(&real, &pause);
        options.root = Some(&directory);
        let open =
            |accounts: Option<&Accounts<'_>>| Ok(made_up(&manifest, &wish, accounts.unwrap()));
        transaction::run(&manifest, &options, open).unwrap();
    }
    // Other waits would be for the lock, which a child of another test may hold for a moment.
    let ten = Duration::from_millis(10);
    assert_eq!(
        waited.borrow().iter().filter(|time| **time == ten).count(),
        1
    );
}

/// Whether a tree lies in memory; prints why that matters. The other file system of the tests is always a disk.
fn is_in_memory(world: &World, test: &str) -> bool {
    let fs = RealFs::new();
    let dir = fs.open_start(world.dir.path()).unwrap();
    let is_memory = fs.file_system(dir.as_fd()).unwrap().is_memory();
    if !is_memory {
        eprintln!("skipped: {test}: there is no place in memory to make a tree in");
    }
    is_memory
}

fn activate_in_memory(world: &World, wish: &Wish) -> Receipt {
    world.activate_on(&RealFs::new(), wish).unwrap()
}

#[test]
fn private_keys_that_sops_nix_left_beside_the_generations_are_removed() {
    let world = World::new();
    if !is_in_memory(
        &world,
        "private keys that sops nix left beside the generations are removed",
    ) {
        return;
    }
    activate_in_memory(&world, &operator());
    world.write(
        "/run/secrets.d/age-keys.txt",
        "# generated by sops-nix\nAGE-SECRET-KEY-1\n",
    );
    world.write("/run/secrets.d/gpg123/secring.gpg", "x");
    set_mode(&world.at("/run/secrets.d/gpg123"), 0o700);
    world.write("/run/secrets.d/gpg-mine/file", "x");
    let receipt = activate_in_memory(&world, &operator());
    assert_no_failed_step(&receipt);
    let removed = |warning: &&Warning| warning.kind == WarningKind::ForeignKeyRemoved;
    assert_eq!(receipt.warnings.iter().filter(removed).count(), 2);
    assert!(!world.at("/run/secrets.d/age-keys.txt").exists());
    assert!(!world.at("/run/secrets.d/gpg123").exists());
    assert!(world.at("/run/secrets.d/gpg-mine/file").exists());
    // Somebody else's file of that name is none of our business.
    world.write("/run/secrets.d/age-keys.txt", "# mine\n");
    let receipt = activate_in_memory(&world, &operator());
    assert_eq!(receipt.warnings.iter().filter(removed).count(), 0);
    assert!(world.at("/run/secrets.d/age-keys.txt").exists());
}

#[test]
fn a_directory_is_no_home_of_gnupg_by_its_name_alone() {
    let world = World::new();
    if !is_in_memory(&world, "a directory is no home of gnupg by its name alone") {
        return;
    }
    activate_in_memory(&world, &operator());
    world.write("/run/secrets.d/gpg1/notes.txt", "x");
    set_mode(&world.at("/run/secrets.d/gpg1"), 0o700);
    world.write("/run/secrets.d/gpg2/secring.gpg", "x");
    set_mode(&world.at("/run/secrets.d/gpg2"), 0o755);
    assert_no_failed_step(&activate_in_memory(&world, &operator()));
    assert!(world.at("/run/secrets.d/gpg1/notes.txt").exists());
    assert!(world.at("/run/secrets.d/gpg2/secring.gpg").exists());
}

#[test]
fn a_key_that_the_manifest_names_stays_whoever_made_it() {
    let world = World::new();
    if !is_in_memory(
        &world,
        "a key that the manifest names stays whoever made it",
    ) {
        return;
    }
    activate_in_memory(&world, &operator());
    let key = "/run/secrets.d/age-keys.txt";
    world.write(key, "# generated by sops-nix\nAGE-SECRET-KEY-1\n");
    symlink(world.at(key), world.dir.path().join("key")).unwrap();
    for named in [world.at(key), world.dir.path().join("key")] {
        let receipt = activate_in_memory(&world, &operator().with("ageKeyFile", json!(named)));
        assert_no_failed_step(&receipt);
        assert!(world.at(key).exists(), "{}", named.display());
        let kept = |warning: &&Warning| warning.kind == WarningKind::ForeignKeyKept;
        assert_eq!(receipt.warnings.iter().filter(kept).count(), 1);
    }
}

#[test]
fn in_a_directory_that_is_somebody_elses_business_no_keys_are_looked_for() {
    let world = World::new();
    if !is_in_memory(
        &world,
        "in a directory that is somebody elses business no keys are looked for",
    ) {
        return;
    }
    let wish = operator().with("mount", json!("none"));
    activate_in_memory(&world, &wish);
    world.write("/run/secrets.d/gpg123/secring.gpg", "x");
    set_mode(&world.at("/run/secrets.d/gpg123"), 0o700);
    assert_no_failed_step(&activate_in_memory(&world, &wish));
    assert!(world.at("/run/secrets.d/gpg123").exists());
}

#[test]
fn on_a_disk_no_keys_are_looked_for() {
    let world = World::new();
    world.activate(&operator()).unwrap();
    world.write("/run/secrets.d/gpg123/secring.gpg", "x");
    set_mode(&world.at("/run/secrets.d/gpg123"), 0o700);
    assert_no_failed_step(&world.activate(&operator()).unwrap());
    assert!(world.at("/run/secrets.d/gpg123").exists());
}

#[test]
fn a_first_run_removes_no_directory_that_only_looks_like_a_number() {
    let world = World::new();
    if !is_in_memory(
        &world,
        "a first run removes no directory that only looks like a number",
    ) {
        return;
    }
    for path in ["9/file", "2024/file", "2025/file"] {
        world.write(&format!("/run/secrets.d/{path}"), "mine");
    }
    let receipt = activate_in_memory(&world, &operator());
    assert_no_failed_step(&receipt);
    assert_eq!(receipt.generation, Some(2026));
    for path in ["9/file", "2024/file", "2025/file"] {
        assert_eq!(world.read(&format!("/run/secrets.d/{path}")), b"mine");
    }
}

#[test]
fn no_record_or_report_holds_a_value() {
    let world = World::new();
    let wish = Wish::new().secret("a", "canary value", json!({"path": "/srv/a"}));
    let receipt = world.activate(&wish).unwrap();
    let holding: Vec<String> = world
        .snapshot()
        .into_iter()
        .filter(|(_, entry)| entry.contains("canary"))
        .map(|(name, _)| name)
        .collect();
    assert_eq!(holding, ["made/root/run/secrets.d/1/a"]);
    assert!(!format!("{receipt:?}").contains("canary"));
}

/// Everything in one directory, of which `run` is the runtime directory.
fn as_user(world: &World, wish: &Wish) -> Result<Receipt, Refusal> {
    let text = wish.manifest.to_string();
    let runtime = world.dir.path().join("run");
    let state = world.dir.path().join("state");
    let reading = crate::activation::manifest::Reading {
        runtime_directory: Some(&runtime),
        ..world.dir.path().into()
    };
    let manifest = Manifest::parse(text.as_bytes(), reading).unwrap();
    let (fs, pause) = (RealFs::new(), wait);
    let mut all = Options::new(&fs, &pause);
    all.state_home = Some(&state);
    transaction::run(&manifest, &all, |accounts| {
        assert!(accounts.is_none(), "nobody is looked up");
        Ok(made_up(&manifest, wish, &Accounts::parse(b"", b"", None)))
    })
}

fn user_wish(world: &World, content: &str) -> Wish {
    let link = world.dir.path().join("config/secrets");
    Wish::new()
        .secret(
            "token",
            content,
            json!({"path": "%r/app/token", "uid": 4711}),
        )
        .with("userMode", json!(true))
        .with("secretsMountPoint", json!("%r/secrets.d"))
        .with("symlinkPath", json!(link))
}

#[test]
fn s45_in_user_mode_everything_is_the_users_own() {
    let world = World::new();
    let runtime = world.dir.path().join("run");
    fs::create_dir(&runtime).unwrap();
    fs::set_permissions(&runtime, fs::Permissions::from_mode(0o700)).unwrap();
    for content in ["one", "two"] {
        let receipt = as_user(&world, &user_wish(&world, content)).unwrap();
        assert_no_failed_step(&receipt);
        let told: Vec<WarningKind> = receipt
            .warnings
            .iter()
            .map(|warning| warning.kind)
            .collect();
        assert!(!told.contains(&WarningKind::OwnershipSkipped), "{told:?}");
        assert_eq!(
            fs::read(runtime.join("app/token")).unwrap(),
            content.as_bytes()
        );
    }
    let link = fs::read_link(world.dir.path().join("config/secrets")).unwrap();
    assert_eq!(link, runtime.join("secrets.d/2"));
    for path in ["run/secrets.d/2/token", "run/app/token", "config/secrets"] {
        let facts = fs::symlink_metadata(world.dir.path().join(path)).unwrap();
        assert_eq!((facts.uid(), facts.gid()), own_ids(), "{path}");
    }
    // Its records are there, too, and nowhere else.
    assert!(runtime.join("ccsec/lock").is_file());
    assert!(world.dir.path().join("state/ccsec").is_dir());
}

#[test]
fn s45_a_runtime_directory_that_others_can_enter_is_refused() {
    let world = World::new();
    let refused = |words: &str| {
        let before = world.snapshot();
        let refusal = as_user(&world, &user_wish(&world, "one")).unwrap_err();
        assert_eq!(refusal.code(), ErrorCode::ManifestInvalid);
        let text = refusal.faults[0].to_string();
        assert!(
            text.starts_with("/userMode: ") && text.contains(words),
            "{text}"
        );
        assert_eq!(world.snapshot(), before);
    };
    refused("does not exist");
    let runtime = world.dir.path().join("run");
    fs::write(&runtime, "").unwrap();
    refused("is not a directory");
    fs::remove_file(&runtime).unwrap();
    fs::create_dir(&runtime).unwrap();
    fs::set_permissions(&runtime, fs::Permissions::from_mode(0o750)).unwrap();
    refused("0700");
}

// F18, F19.
#[test]
fn an_empty_directory_gives_way_where_files_do() {
    let wish = |conflict| {
        Wish::new().secret(
            "key",
            "key",
            json!({"path": "/srv/key", "onConflict": conflict}),
        )
    };
    let world = World::new();
    fs::create_dir_all(world.at("/srv/key")).unwrap();
    let before = world.snapshot();
    let refusal = world.activate(&wish("refuse")).unwrap_err();
    assert_eq!(refusal.code(), ErrorCode::TargetConflict);
    assert_eq!(world.snapshot(), before);
    assert_no_failed_step(&world.activate(&wish("backup")).unwrap());
    assert_eq!(world.read("/srv/key"), b"key");
    assert_eq!(world.temporary_names(), Vec::<String>::new());
    let world = World::new();
    world.write("/srv/key/inside", "x");
    let refusal = world.activate(&wish("replace")).unwrap_err();
    assert_eq!(refusal.code(), ErrorCode::TargetConflict);
}
