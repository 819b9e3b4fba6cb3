//! Secrets that are needed for users, and those of a user.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use super::{DropIn, assert_file, link};
use crate::harness::{Skip, Verdict};
use crate::world::{Run, World, mount};

pub(crate) fn s46_secrets_for_users_need_no_accounts_and_touch_nothing_else(
    world: &World,
) -> Verdict {
    let drop_in = DropIn::new(world);
    drop_in.tells(&drop_in.one(), "");
    // Accounts that cannot be read do not matter.
    for name in ["passwd", "group"] {
        let path = world.aside(&format!("no-{name}"));
        std::fs::create_dir(&path).unwrap();
        let target = format!("/etc/{name}");
        let status = Command::new("umount").arg(&target).status().unwrap();
        if !status.success() {
            return Err(Skip(format!("{target} cannot be unmounted")));
        }
        mount(&["--bind", "/dev/null", &target]);
    }
    let before = std::fs::read_to_string("/run/secrets/a").unwrap();
    let mut manifest = drop_in.manifest(&[drop_in.secret("hash", "k2")]);
    manifest["secretsMountPoint"] = json!("/run/secrets-for-users.d");
    manifest["symlinkPath"] = json!("/run/secrets-for-users");
    manifest["secrets"][0]["path"] = json!("/run/secrets-for-users/hash");
    manifest["secrets"][0]["owner"] = json!("alice");
    manifest["secrets"][0]["neededForUsers"] = json!(true);
    world.write_manifest(&manifest);
    let run = drop_in.run_words(&["-ignore-passwd"], |_| ());
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert_file("/run/secrets-for-users/hash", 0o400, (0, 0), "two");
    assert_file("/run/secrets-for-users.d/1", 0o751, (0, 0), "");
    assert_eq!(std::fs::read_to_string("/run/secrets/a").unwrap(), before);
    assert_eq!(link(), Path::new("/run/secrets.d/1"));
    Ok(())
}

/// A user with a runtime directory, and a program that the user can start.
struct User<'w> {
    drop_in: DropIn<'w>,
    program: PathBuf,
}

const ALICE: u32 = 1000;

impl<'w> User<'w> {
    fn new(world: &'w World) -> Self {
        let user = Self {
            drop_in: DropIn::new(world),
            program: "/run/bin/sops-install-secrets".into(),
        };
        std::fs::create_dir("/run/bin").unwrap();
        std::fs::copy(world.program(), &user.program).unwrap();
        for (path, mode) in [
            ("/run/user", 0o755),
            ("/run/user/1000", 0o700),
            ("/run/src", 0o755),
        ] {
            std::fs::create_dir(path).unwrap();
            let mode = std::os::unix::fs::PermissionsExt::from_mode(mode);
            std::fs::set_permissions(path, mode).unwrap();
        }
        std::os::unix::fs::chown("/run/user/1000", Some(ALICE), Some(ALICE)).unwrap();
        world.secrets_belong_to("/run/src");
        world.secrets_belong_to("/run/user/1000");
        user.take_sources();
        user
    }

    fn take_sources(&self) {
        for name in ["a.yaml", "key.txt"] {
            let copy = Path::new("/run/src").join(name);
            std::fs::copy(self.drop_in.world.src(name), &copy).unwrap();
            std::os::unix::fs::chown(&copy, Some(ALICE), Some(ALICE)).unwrap();
        }
    }

    fn manifest(&self) -> Value {
        let mut secrets = [
            self.drop_in.secret("a", "k1"),
            self.drop_in.secret("b", "k2"),
        ];
        secrets[0]["path"] = json!("%r/x/a");
        secrets[1]["path"] = json!("%r/100%%/b");
        for secret in &mut secrets {
            secret["sopsFile"] = json!("/run/src/a.yaml");
        }
        let mut manifest = self.drop_in.manifest(&secrets);
        manifest["ageKeyFile"] = json!("/run/src/key.txt");
        manifest["userMode"] = json!(true);
        manifest["secretsMountPoint"] = json!("%r/secrets.d");
        manifest["symlinkPath"] = json!("%r/config/secrets");
        manifest
    }

    fn run(&self, words: &[&str], runtime: Option<&str>) -> Run {
        use std::os::unix::process::CommandExt as _;
        let path = "/run/src/manifest.json";
        std::fs::write(path, self.manifest().to_string()).unwrap();
        let mut command = Command::new(&self.program);
        self.drop_in.world.prepare(command.args(words).arg(path));
        command
            .uid(ALICE)
            .gid(ALICE)
            .env("HOME", "/run/user/1000/home");
        if let Some(runtime) = runtime {
            command.env("XDG_RUNTIME_DIR", runtime);
        }
        self.drop_in.world.finish(command.spawn().unwrap())
    }
}

pub(crate) fn s45_in_user_mode_links_are_replaced_without_a_gap_and_changes_are_told(
    world: &World,
) -> Verdict {
    let user = User::new(world);
    let runtime = "/run/user/1000";
    // F27, F26, B71.
    for (words, code) in [(&[][..], 10), (&["-check-mode=manifest"], 0)] {
        for runtime in [None, Some("")] {
            let run = user.run(words, runtime);
            assert_eq!(run.code, code, "{runtime:?}: {}", run.stderr);
        }
    }
    assert!(!Path::new("/secrets.d").exists());
    let run = user.run(&["-ignore-passwd"], Some(runtime));
    assert_eq!(
        (run.code, run.stdout.as_str(), run.stderr.as_str()),
        (0, "", "")
    );
    let owner = (ALICE, ALICE);
    assert_file("/run/user/1000/secrets.d/1", 0o751, owner, "");
    for (path, name, content) in [("x/a", "a", "one"), ("100%/b", "b", "two")] {
        let path = format!("{runtime}/{path}");
        assert_file(&path, 0o400, owner, content);
        let text = std::fs::read_link(&path).unwrap();
        assert_eq!(text, Path::new(&format!("{runtime}/config/secrets/{name}")));
        assert_eq!(std::fs::symlink_metadata(&path).unwrap().uid(), ALICE);
    }
    // B30, B55: the link is there at any time, and what changed is told.
    let is_over = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(std::sync::atomic::Ordering::Relaxed) {
                assert!(std::fs::read_link("/run/user/1000/x/a").is_ok());
                assert!(std::fs::read("/run/user/1000/x/a").is_ok());
            }
        });
        for nth in 0..20 {
            user.drop_in.values(&format!("v{nth}"), "two");
            user.take_sources();
            let run = user.run(&[], Some(runtime));
            assert_eq!(run.code, 0, "{}", run.stderr);
            assert_eq!(run.stdout, "modifying secret: a\n");
        }
        is_over.store(true, std::sync::atomic::Ordering::Relaxed);
    });
    // One that others can enter is no place for secrets.
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(runtime, open).unwrap();
    let run = user.run(&[], Some(runtime));
    assert_eq!(run.code, 10, "{}", run.stderr);
    assert!(run.stderr.contains("0700"), "{}", run.stderr);
    Ok(())
}
