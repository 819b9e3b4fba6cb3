//! Users without any privilege, containers that have less than root has, and secrets that are needed before there are users.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};

use crate::fixtures::TOKENS;
use crate::harness::{Skip, Verdict};
use crate::world::{Run, World, mode, mount, secret};

const ALICE: u32 = 1000;
const RUNTIME: &str = "/run/user/1000";
const HOME: &str = "/run/home/alice";
const MANIFEST: &str = "/run/home/alice/manifest.json";
const PROGRAM: &str = "/run/bin/ccsec";

/// Somebody who may do nothing but what everybody may: with a home, a runtime directory, and a key in there.
struct Alice<'w> {
    world: &'w World,
    /// What the program is started with: nothing, or a user namespace.
    around: Vec<&'static str>,
    variables: Vec<(&'static str, String)>,
}

impl<'w> Alice<'w> {
    fn new(world: &'w World) -> Self {
        let alice = Self {
            world,
            around: Vec::new(),
            variables: vec![("XDG_RUNTIME_DIR", RUNTIME.into())],
        };
        for path in ["/run/bin", "/run/user", "/run/home"] {
            make_directory(path, 0o755, 0);
        }
        make_directory(RUNTIME, 0o700, ALICE);
        make_directory(HOME, 0o755, ALICE);
        std::fs::copy(world.program(), PROGRAM).unwrap();
        world.secrets_belong_to(RUNTIME);
        // The key that opens everything; the manifest finds it by `%r`.
        give(&world.src("host"), "/run/user/1000/host");
        alice.values("one");
        alice.writes(&alice.manifest());
        alice
    }

    fn manifest(&self) -> Value {
        let mut placed = secret("a", "0400");
        placed["path"] = json!("%r/app/a");
        let mut at_home = secret("b", "0440");
        at_home["path"] = json!("/run/home/alice/b");
        json!({
            "userMode": true,
            "secretsMountPoint": "%r/secrets.d",
            "symlinkPath": "/run/home/alice/secrets",
            "keepGenerations": 1,
            "ageSshKeyPaths": ["%r/host"],
            "secrets": [placed, at_home],
        })
    }

    fn writes(&self, manifest: &Value) {
        std::fs::write(MANIFEST, manifest.to_string()).unwrap();
    }

    /// Gives `a` a value; that of `b` stays.
    fn values(&self, a: &str) {
        let plain = format!("a: {a}\nb: always\n");
        let sealed = self.world.fixtures().seal(&plain, &[&self.world.host]);
        std::fs::write("/run/home/alice/secrets.yaml", sealed).unwrap();
    }

    fn sets(&mut self, name: &'static str, value: &str) {
        self.variables.retain(|(known, _)| *known != name);
        self.variables.push((name, value.into()));
    }

    fn run(&self, words: &[&str]) -> Run {
        let mut line = self.around.clone();
        line.extend([PROGRAM]);
        line.extend(words);
        line.extend([MANIFEST]);
        let mut command = Command::new(line[0]);
        self.world.prepare(command.args(&line[1..]));
        command
            .uid(ALICE)
            .gid(ALICE)
            .env("HOME", HOME)
            .envs(self.variables.iter().map(|(name, value)| (name, value)));
        self.world.finish(command.spawn().unwrap())
    }

    #[track_caller]
    fn succeeds(&self, words: &[&str]) -> Run {
        let run = self.run(words);
        assert_eq!(run.code, 0, "{words:?}: {}", run.stderr);
        run
    }
}

fn make_directory(path: &str, mode: u32, owner: u32) {
    std::fs::create_dir(path).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    chown(path, Some(owner), Some(owner)).unwrap();
}

fn give(from: &Path, to: &str) {
    std::fs::copy(from, to).unwrap();
    std::fs::set_permissions(to, std::fs::Permissions::from_mode(0o600)).unwrap();
    chown(to, Some(ALICE), Some(ALICE)).unwrap();
}

#[track_caller]
fn assert_alices(path: &str, wanted: u32, content: &str) {
    assert_eq!(mode(Path::new(path)), wanted, "{path}");
    let facts = std::fs::metadata(path).unwrap();
    assert_eq!((facts.uid(), facts.gid()), (ALICE, ALICE), "{path}");
    assert!(std::fs::read(path).unwrap() == content.as_bytes(), "{path}");
}

pub(crate) fn s45_a_user_needs_nobody_else_and_touches_nothing_else(world: &World) -> Verdict {
    let mut alice = Alice::new(world);
    s45_without_a_runtime_directory(&mut alice);
    let run = alice.succeeds(&["activate"]);
    assert!(run.stdout.contains("+ 0400 a -> /run/user/1000/app/a"));
    assert_alices("/run/home/alice/secrets/a", 0o400, "one");
    assert_alices("/run/user/1000/app/a", 0o400, "one");
    assert_alices("/run/home/alice/b", 0o440, "always");
    let link = std::fs::read_link("/run/home/alice/secrets").unwrap();
    assert_eq!(link, Path::new("/run/user/1000/secrets.d/1"));

    // Her records, and nobody else's: design, section 16.
    assert!(Path::new("/run/user/1000/ccsec/lock").is_file());
    let state = "/run/home/alice/.local/state/ccsec";
    assert_eq!(mode(Path::new(state)), 0o700);
    assert!(Path::new(state).join("drift.key").is_file());
    for path in ["/run/ccsec", "/run/secrets", "/run/secrets.d"] {
        assert!(!Path::new(path).exists(), "{path}");
    }
    assert!(!Path::new("/var/lib/ccsec").exists());

    // Everything else about the manifest works for her, too.
    for words in [
        &["plan"][..],
        &["verify"],
        &["verify", "--offline"],
        &["repair"],
        &["prune"],
    ] {
        alice.succeeds(words);
    }
    std::fs::remove_file("/run/home/alice/b").unwrap();
    assert_eq!(alice.run(&["verify"]).code, 60);
    alice.succeeds(&["repair"]);
    assert_alices("/run/home/alice/b", 0o440, "always");

    // The state goes where she wants to have it.
    alice.sets("XDG_STATE_HOME", "/run/home/alice/state");
    alice.values("two");
    let run = alice.succeeds(&["activate"]);
    assert!(run.stdout.contains("~ 0400 a"), "{}", run.stdout);
    assert!(Path::new("/run/home/alice/state/ccsec/drift.key").is_file());
    s45_a_reader_finds_one_or_the_other(&alice);
    Ok(())
}

fn s45_without_a_runtime_directory(alice: &mut Alice<'_>) {
    for runtime in [None, Some("")] {
        alice.variables.clear();
        if let Some(runtime) = runtime {
            alice.sets("XDG_RUNTIME_DIR", runtime);
        }
        for command in ["activate", "plan", "verify"] {
            let run = alice.run(&[command]);
            assert_eq!(run.code, 10, "{command} {runtime:?}: {}", run.stderr);
            assert!(run.stderr.contains("$XDG_RUNTIME_DIR"), "{}", run.stderr);
        }
        for subject in ["manifest", "sopsfile"] {
            alice.succeeds(&["check", "--mode", subject]);
        }
    }
    alice.sets("XDG_RUNTIME_DIR", RUNTIME);
    for (mode, owner, words) in [
        (0o750, ALICE, "its mode has to be 0700"),
        (0o700, 0, "belongs to somebody else"),
    ] {
        std::fs::set_permissions(RUNTIME, std::fs::Permissions::from_mode(mode)).unwrap();
        chown(RUNTIME, Some(owner), Some(owner)).unwrap();
        let run = alice.run(&["activate"]);
        assert_eq!(run.code, 10, "{}", run.stderr);
        assert!(run.stderr.contains(words), "{}", run.stderr);
    }
    std::fs::set_permissions(RUNTIME, std::fs::Permissions::from_mode(0o700)).unwrap();
    chown(RUNTIME, Some(ALICE), Some(ALICE)).unwrap();
}

/// B30.
fn s45_a_reader_finds_one_or_the_other(alice: &Alice<'_>) {
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut reads = 0;
            while !is_over.load(Ordering::Relaxed) {
                for path in ["/run/user/1000/app/a", "/run/home/alice/secrets/a"] {
                    let text = std::fs::read_to_string(path).expect("it is there at any time");
                    assert!(text.starts_with('v') || text == "two", "it is whole");
                    reads += 1;
                }
            }
            reads
        });
        for nth in 0..20 {
            alice.values(&format!("v{nth}"));
            let run = alice.run(&["activate"]);
            assert_eq!(run.code, 0, "{}", run.stderr);
            assert!(run.stdout.contains("~ 0400 a"), "{}", run.stdout);
        }
        is_over.store(true, Ordering::Relaxed);
        assert!(reader.join().unwrap() > 20);
    });
}

pub(crate) fn s45_a_user_in_a_namespace_of_users_is_a_user_as_well(world: &World) -> Verdict {
    let mut alice = Alice::new(world);
    alice.around = vec![
        "unshare",
        "--user",
        "--map-user=1000",
        "--map-group=1000",
        "--",
    ];
    may_unshare(&alice)?;
    let run = alice.succeeds(&["activate"]);
    assert!(run.stdout.contains("+ 0400 a"), "{}", run.stdout);
    assert_alices("/run/user/1000/app/a", 0o400, "one");
    alice.values("two");
    let run = alice.succeeds(&["activate"]);
    assert!(run.stdout.contains("~ 0400 a"), "{}", run.stdout);
    alice.succeeds(&["verify"]);
    alice.sets("XDG_RUNTIME_DIR", "");
    assert_eq!(alice.run(&["activate"]).code, 10);
    alice.succeeds(&["check", "--mode", "manifest"]);

    // The root of a namespace is a user all the same.
    alice.sets("XDG_RUNTIME_DIR", RUNTIME);
    alice.around = vec!["unshare", "--user", "--map-root-user", "--"];
    alice.values("three");
    alice.succeeds(&["activate"]);
    assert_alices("/run/user/1000/app/a", 0o400, "three");
    Ok(())
}

fn may_unshare(alice: &Alice<'_>) -> Result<(), Skip> {
    let told = Command::new(alice.around[0])
        .args(&alice.around[1..])
        .arg("true")
        .uid(ALICE)
        .gid(ALICE)
        .output()
        .unwrap();
    match told.status.success() {
        true => Ok(()),
        false => Err(Skip(format!(
            "users may make no namespaces here: {}",
            String::from_utf8_lossy(&told.stderr).trim()
        ))),
    }
}

/// P32: secrets that are there before the user's service manager is.
pub(crate) fn s45_units_of_a_user_are_told_if_there_is_anybody_to_tell(world: &World) -> Verdict {
    let mut alice = Alice::new(world);
    let mut manifest = alice.manifest();
    manifest["secrets"][0]["restartUnits"] = json!(["app.service"]);
    alice.writes(&manifest);
    alice.sets("PATH", "/run/bin:/usr/bin:/bin");
    let systemctl = |script: &str| {
        let text = format!("#!/bin/sh\necho \"$@\" >>{RUNTIME}/log\n{script}\n");
        std::fs::write("/run/bin/systemctl", text).unwrap();
        let mode = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions("/run/bin/systemctl", mode).unwrap();
    };
    // As systemd 252 says it.
    systemctl("echo 'Failed to connect to bus: No medium found' >&2; exit 1");
    alice.succeeds(&["activate"]);
    alice.values("two");
    let run = alice.succeeds(&["activate"]);
    assert!(
        run.stderr.contains("no service manager of this user runs"),
        "{}",
        run.stderr
    );
    // Nothing waits for a later run.
    std::fs::remove_file(format!("{RUNTIME}/log")).unwrap();
    alice.succeeds(&["activate"]);
    assert!(!Path::new(RUNTIME).join("log").exists());

    // Where a manager runs, it is told, and what it says counts.
    make_directory("/run/user/1000/systemd", 0o755, ALICE);
    std::fs::write("/run/user/1000/systemd/private", "").unwrap();
    alice.values("three");
    let run = alice.run(&["activate"]);
    assert_eq!(run.code, 50, "{}", run.stderr);
    systemctl("exit 0");
    alice.succeeds(&["repair"]);
    let log = std::fs::read_to_string(format!("{RUNTIME}/log")).unwrap();
    assert_eq!(log, "--user --no-block try-restart app.service\n".repeat(2));
    Ok(())
}

/// The root of a container: not that of the machine, and not allowed to mount. P29.
pub(crate) fn s45_a_container_that_may_not_mount_is_told_what_helps(world: &World) -> Verdict {
    let mut alice = Alice::new(world);
    alice.around = vec!["unshare", "--user", "--map-root-user", "--"];
    may_unshare(&alice)?;
    alice.around.extend([
        "setpriv",
        "--bounding-set=-sys_admin",
        "--inh-caps=-sys_admin",
        "--",
    ]);
    // In a container they belong to its root.
    for path in ["/run", "/var/lib"] {
        chown(path, Some(ALICE), Some(ALICE)).unwrap();
    }
    let disk = tempfile::tempdir_in("/var/tmp").unwrap();
    chown(disk.path(), Some(ALICE), Some(ALICE)).unwrap();
    let on_disk = disk.path().join("secrets.d");

    let mut manifest = alice.manifest();
    manifest["userMode"] = json!(false);
    manifest["ageSshKeyPaths"] = json!(["/run/user/1000/host"]);
    manifest["secrets"][0]["path"] = json!("/run/user/1000/app/a");
    manifest["secretsMountPoint"] = json!(on_disk);
    alice.writes(&manifest);
    let run = alice.run(&["activate"]);
    if run.code == 0 {
        return Err(Skip("/var/tmp lies in memory".into()));
    }
    assert_eq!(run.code, 40, "{}", run.stderr);
    for words in [
        "cannot mount a file system in memory",
        "podman run --tmpfs",
        "\"mount\": \"none\"",
        "nothing was changed",
    ] {
        assert!(run.stderr.contains(words), "{}", run.stderr);
    }
    assert!(!on_disk.exists());

    // Both ways out. Clear text on a disk is never silent.
    manifest["mount"] = json!("none");
    alice.writes(&manifest);
    let run = alice.succeeds(&["activate"]);
    assert!(run.stderr.contains("on a disk"), "{}", run.stderr);
    assert_alices(on_disk.join("1/a").to_str().unwrap(), 0o400, "one");
    manifest["mount"] = json!("auto");
    manifest["secretsMountPoint"] = json!("/run/secrets.d");
    manifest["symlinkPath"] = json!("/run/secrets");
    manifest["secrets"].as_array_mut().unwrap().pop();
    alice.writes(&manifest);
    let run = alice.succeeds(&["activate"]);
    assert!(
        run.stderr.contains("mounting is not permitted"),
        "{}",
        run.stderr
    );
    assert_alices("/run/secrets/a", 0o400, "one");

    // Nothing can belong to somebody who is not mapped.
    manifest["secrets"][0]["uid"] = json!(4711);
    alice.writes(&manifest);
    let run = alice.run(&["activate"]);
    assert_eq!(run.code, 40, "{}", run.stderr);
    for words in ["cannot set the owner of", "that are mapped there"] {
        assert!(run.stderr.contains(words), "{}", run.stderr);
    }
    assert_alices("/run/secrets/a", 0o400, "one");
    Ok(())
}

pub(crate) fn a_root_that_may_give_nothing_away_is_told_so(world: &World) -> Verdict {
    let mut manifest = world.manifest();
    manifest["secrets"][0]["uid"] = json!(ALICE);
    world.write_manifest(&manifest);
    std::fs::create_dir("/run/secrets.d").unwrap();
    let without = ["--bounding-set=-chown", "--inh-caps=-chown", "--"];
    let run = world.assert_refused(40, || {
        let mut command = Command::new("setpriv");
        command.args(without).arg(world.program());
        world.prepare(command.args(world.activate_arguments(&[])));
        world.finish(command.spawn().unwrap())
    });
    assert!(run.stderr.contains("CAP_CHOWN"), "{}", run.stderr);
    Ok(())
}

pub(crate) fn s46_secrets_for_users_are_made_before_there_is_anybody(world: &World) -> Verdict {
    assert_eq!(world.activate(&world.manifest()).code, 0);
    let before = std::fs::read_link("/run/secrets").unwrap();
    // No account can be read, neither here nor by a program that would know more.
    for path in ["/etc/passwd", "/etc/group"] {
        mount(&["--bind", "/dev/null", path]);
    }
    let mut hash = secret("hash", "0400");
    hash["key"] = json!(TOKENS[0]);
    hash["owner"] = json!("alice");
    hash["group"] = json!("nobody-knows");
    hash["neededForUsers"] = json!(true);
    world.secrets_belong_to("/run/secrets-for-users.d");
    let manifest = json!({
        "secretsMountPoint": "/run/secrets-for-users.d",
        "symlinkPath": "/run/secrets-for-users",
        "keepGenerations": 1,
        "ageSshKeyPaths": ["host"],
        "secrets": [hash],
    });
    world.write_manifest(&manifest);
    world.assert_refused(40, || world.activate_again(&[]));
    let run = world.activate_again(&["--ignore-passwd"]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    for (path, wanted) in [
        ("/run/secrets-for-users/hash", 0o400),
        ("/run/secrets-for-users.d/1", 0o751),
        ("/run/secrets-for-users.d", 0o751),
    ] {
        assert_eq!(mode(Path::new(path)), wanted, "{path}");
        let facts = std::fs::metadata(path).unwrap();
        assert_eq!((facts.uid(), facts.gid()), (0, 0), "{path}");
    }
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
    for own in [" /run/secrets-for-users.d ", " /run/secrets.d "] {
        assert_eq!(mounts.matches(own).count(), 1, "{own}");
    }
    // The regular secrets are as they were, and each manifest has records of its own.
    assert_eq!(std::fs::read_link("/run/secrets").unwrap(), before);
    world.assert_complete();
    assert_eq!(std::fs::read_dir("/run/ccsec/lock").unwrap().count(), 2);
    Ok(())
}
