//! Scenarios of results, generations and locks that need no sops file, by their ids.

use std::cell::RefCell;
use std::os::unix::fs::symlink;

use super::*;
use crate::activation::fault::Fault;
use crate::activation::receipt::{Change, Step};
use crate::error::ErrorCode;

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
