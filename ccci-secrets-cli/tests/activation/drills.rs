//! Which key opens which file, and what the doctor says of a machine.

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use crate::fixtures::test_data;
use crate::harness::{Skip, Verdict};
use crate::sources::{commit_all, git};
use crate::world::{Run, World, mount};

/// A repository with three files for the host; the recovery key opens all but the last.
struct Repository<'w> {
    world: &'w World,
    top: PathBuf,
}

const FILES: [&str; 3] = ["secrets/a.yaml", "secrets/b.yaml", "secrets/deep/c.yaml"];
const LACKING: &str = FILES[2];

impl<'w> Repository<'w> {
    fn new(world: &'w World) -> Self {
        let top = world.src("repository");
        std::fs::create_dir_all(top.join("secrets/deep")).unwrap();
        let config = format!(
            "keys:\n  - &recovery {}\n  - &web {}\ncreation_rules:\n  - path_regex: ^secrets/\n    age: [*recovery, *web]\n",
            world.recovery, world.host
        );
        std::fs::write(top.join(".sops.yaml"), config).unwrap();
        let repository = Self { world, top };
        for file in FILES {
            repository.seal(file, &[&world.host, &world.recovery]);
        }
        repository.seal(LACKING, &[&world.host]);
        world.take("recovery.txt", "recovery.txt");
        repository
    }

    fn seal(&self, file: &str, recipients: &[&str]) {
        let fixtures = self.world.fixtures();
        let value = String::from_utf8(fixtures.value("test_secret")).unwrap();
        let sealed = fixtures.seal(&format!("token: {value}\n"), recipients);
        std::fs::write(self.top.join(file), sealed).unwrap();
    }

    /// Runs a drill, which changes nothing.
    fn drill(&self, arguments: &[&str]) -> Run {
        let before = self.world.snapshot();
        let top = self.top.to_str().unwrap();
        let run = self.world.run(&[&["drill", top], arguments].concat());
        before.assert_same(&self.world.snapshot());
        run
    }

    fn path(&self, name: &str) -> String {
        self.world.src(name).to_str().unwrap().to_owned()
    }
}

/// Keeps what a drill has printed.
fn keep(world: &World, name: &str, run: &Run) -> String {
    let path = world.aside(name);
    std::fs::write(&path, &run.stdout).unwrap();
    path.to_str().unwrap().to_owned()
}

/// The state of each file for a key.
fn states(json: &str, title: &str) -> Vec<String> {
    let json: Value = serde_json::from_str(json).unwrap();
    let keys = json["matrix"]["keys"].as_array().unwrap();
    let nth = keys.iter().position(|key| key["title"] == title).unwrap();
    let rows = json["matrix"]["rows"].as_array().unwrap().iter();
    rows.map(|row| row["cells"][nth]["state"].as_str().unwrap().to_owned())
        .collect()
}

pub(crate) fn s43_a_drill_names_the_file_that_the_recovery_key_does_not_open(
    world: &World,
) -> Verdict {
    let repository = Repository::new(world);
    let recovery = repository.path("recovery.txt");
    let run = repository.drill(&["--identity", &recovery]);
    assert_eq!(run.code, 61, "{}", run.stderr);
    let told = format!("{LACKING}: not proved for recovery: not a recipient");
    assert!(run.stderr.contains(&told), "{}", run.stderr);
    for other in &FILES[..2] {
        assert!(!run.stderr.contains(other), "{}", run.stderr);
    }

    repository.seal(LACKING, &[&world.recovery, &world.host]);
    let run = repository.drill(&["--identity", &recovery, "--json"]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert_eq!(states(&run.stdout, "recovery"), ["proved"; 3]);
    assert_eq!(states(&run.stdout, "web"), ["claimed"; 3]);
    let of_recovery = keep(world, "recovery.json", &run);

    let host = repository.path("host");
    let run = repository.drill(&["--host", "--identity", &host, "--json"]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    let of_host = keep(world, "host.json", &run);
    let page = world.aside("page.html");
    let run = world.run(&[
        "drill",
        "--merge",
        &of_recovery,
        &of_host,
        "--json",
        "--html",
        page.to_str().unwrap(),
    ]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert_eq!(states(&run.stdout, "recovery"), ["proved"; 3]);
    assert_eq!(states(&run.stdout, "web"), ["proved"; 3]);
    let page = std::fs::read_to_string(page).unwrap();
    assert_eq!(page.matches("</span> proved").count(), 6, "{page}");

    // Labelled for the recovery key, made for somebody else.
    repository.seal(LACKING, &[&world.host, &world.other]);
    let path = repository.top.join(LACKING);
    let sealed = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, sealed.replace(&world.other, &world.recovery)).unwrap();
    let run = repository.drill(&["--identity", &recovery]);
    assert_eq!(run.code, 61, "{}", run.stderr);
    let told = format!("{LACKING}: not proved for recovery: labelled for it, made for another key");
    assert!(run.stderr.contains(&told), "{}", run.stderr);
    Ok(())
}

pub(crate) fn s43_a_policy_and_forbidden_keys_are_part_of_the_drill(world: &World) -> Verdict {
    let repository = Repository::new(world);
    let (recovery, host) = (repository.path("recovery.txt"), repository.path("host"));
    let policy = |text: &str| {
        world.write("policy.toml", text.as_bytes());
        repository.drill(&[
            "--identity",
            &recovery,
            "--policy",
            &repository.path("policy.toml"),
        ])
    };
    let run = policy(
        "[keys.recovery]\nmust_open = [\"secrets/*\"]\nmust_not_open = [\"secrets/deep/**\"]\n",
    );
    assert_eq!(run.code, 0, "{}", run.stderr);
    let run = policy(
        "[keys.web]\nmust_not_open = [\"secrets/a.yaml\"]\n[keys.recovery]\nmust_open = []\n",
    );
    assert_eq!(run.code, 61, "{}", run.stderr);
    assert!(
        run.stderr
            .contains("secrets/a.yaml: not proved for web: is a recipient by its label")
    );
    assert!(run.stderr.contains("hint: take the recipient out"));
    // Nobody has tried the key: there is nothing to seal.
    let run =
        policy("[keys.web]\nmust_open = [\"secrets/a.yaml\"]\n[keys.recovery]\nmust_open = []\n");
    assert_eq!(run.code, 61, "{}", run.stderr);
    assert!(
        run.stderr.contains("ccsec drill --host --json") && !run.stderr.contains("updatekeys"),
        "{}",
        run.stderr
    );
    // Of conflict markers the table tells what to do.
    let conflict =
        "a: 1\n<<<<<<< ours\nb: 1\n=======\nb: 2\n>>>>>>> theirs\nsops: ENC[AES256_GCM,\n";
    let path = repository.top.join("secrets/a.yaml");
    let sealed = std::fs::read(&path).unwrap();
    std::fs::write(&path, conflict).unwrap();
    let run = policy("[keys.recovery]\nmust_open = [\"secrets/*.yaml\"]\n");
    assert_eq!(run.code, 61, "{}", run.stderr);
    assert!(
        run.stdout.contains("next: resolve the merge"),
        "{}",
        run.stdout
    );
    assert!(!run.stderr.contains("hint:"), "{}", run.stderr);
    std::fs::write(&path, sealed).unwrap();
    let run = policy("[keys.nobody]\nmust_open = [\"**\"]\n");
    assert_eq!(run.code, 10, "{}", run.stderr);
    assert!(
        run.stderr.contains("no recipient is called nobody"),
        "{}",
        run.stderr
    );

    // On a host that has a key of its own, the recovery key has no business.
    let on_host = ["--host", "--identity", &host, "--forbid"];
    let run = repository.drill(&[&on_host[..], &[&recovery]].concat());
    assert_eq!(run.code, 61, "{}", run.stderr);
    assert!(run.stderr.contains("holds the key of") && run.stderr.contains("recovery"));
    for allowed in [&host, &repository.path("nowhere")] {
        let run = repository.drill(&[&on_host[..], &[allowed]].concat());
        assert_eq!(run.code, 0, "{}", run.stderr);
    }
    let run = repository.drill(&[]);
    assert_eq!(run.code, 2, "{}", run.stderr);
    Ok(())
}

pub(crate) fn s43_git_settings_with_credentials_are_named_and_the_credential_is_not(
    world: &World,
) -> Verdict {
    let repository = Repository::new(world);
    if !commit_all(&repository.top) {
        return Err(Skip("git is not on PATH".into()));
    }
    let token = String::from_utf8(world.fixtures().value("bridge_gitea_token")).unwrap();
    let url = format!("https://bot:{token}@git.example/secrets.git");
    assert!(git(&repository.top, &["remote", "add", "origin", &url]));
    let host = repository.path("host");
    let run = repository.drill(&["--host", "--identity", &host]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(
        run.stdout.contains("remote.origin.url holds a credential"),
        "{}",
        run.stdout
    );
    // That the token itself is not shown is looked at after every scenario.
    let top = repository.top.to_str().unwrap();
    let run = world.run(&["doctor", "--key", &host, top]);
    assert_eq!(run.code, 0, "{}", run.stdout);
    assert!(run.stdout.contains("remote.origin.url"), "{}", run.stdout);
    assert!(
        run.stdout
            .contains("secrets/deep/c.yaml: it is sealed for other recipients")
    );
    let inside = repository.top.join("key");
    std::fs::copy(&host, &inside).unwrap();
    let run = world.run(&["doctor", "--key", inside.to_str().unwrap(), top]);
    assert!(
        run.stdout.contains("lies in the work tree"),
        "{}",
        run.stdout
    );
    std::fs::remove_file(inside).unwrap();
    std::fs::write(repository.top.join("secrets/new.yaml"), "a: 1\n").unwrap();
    let run = world.run(&["doctor", "--json", "--key", &host, top]);
    assert_eq!(run.code, 60, "{}", run.stdout);
    let json: Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(json["sound"], false);
    assert_eq!(json["findings"][0]["kind"], "plaintext-due");
    assert!(
        json["findings"][0]["next"]
            .as_str()
            .unwrap()
            .starts_with("ccsec encrypt -i")
    );
    Ok(())
}

pub(crate) fn the_doctor_needs_neither_keys_nor_rights(world: &World) -> Verdict {
    let nowhere = world.src("key.txt");
    let arguments = ["doctor", "--key", nowhere.to_str().unwrap()];
    let before = world.snapshot();
    let run = world.run(&arguments);
    before.assert_same(&world.snapshot());
    assert_eq!(run.code, 60, "{}", run.stderr);
    let step = format!("ccsec key install --out {}", nowhere.display());
    assert!(run.stdout.contains(&step), "{}", run.stdout);
    if !rustix::process::geteuid().is_root() {
        return Ok(());
    }
    // Somebody who may not look at the key is told so.
    let program = world.aside("given");
    std::fs::create_dir(&program).unwrap();
    let program = program.join("ccsec");
    std::fs::copy(world.program(), &program).unwrap();
    for path in [world.aside(""), world.src("")] {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    let mut command = Command::new("setpriv");
    command
        .args(["--reuid", "65534", "--regid", "65534", "--clear-groups"])
        .arg(&program)
        .args(["doctor", "--key"])
        .arg(world.src("host"));
    world.prepare(&mut command);
    let run = world.finish(command.spawn().unwrap());
    assert_eq!(run.code, 0, "{}{}", run.stdout, run.stderr);
    assert!(run.stdout.contains("cannot be read"), "{}", run.stdout);
    Ok(())
}

// A stand-in for a kernel with a policy, since that is what the program can see of it.
pub(crate) fn the_doctor_tells_of_selinux(world: &World) -> Verdict {
    let host = world.src("host");
    let doctor = || world.run(&["doctor", "--key", host.to_str().unwrap()]);
    mount(&["-t", "tmpfs", "tmpfs", "/sys/fs"]);
    let without = doctor();
    assert!(!without.stdout.contains("SELinux"), "{}", without.stdout);
    std::fs::create_dir("/sys/fs/selinux").unwrap();
    std::fs::write("/sys/fs/selinux/enforce", "1").unwrap();
    let with = doctor();
    assert_eq!(with.code, without.code);
    assert!(with.stdout.contains("SELinux is on"), "{}", with.stdout);
    assert!(with.stdout.contains("ls -Z"), "{}", with.stdout);
    Ok(())
}

pub(crate) fn enrolment_is_told_with_the_recipient_that_is_to_be_added(world: &World) -> Verdict {
    let public = test_data("keys/ssh_ed25519.pub");
    let show = ["key", "show", "--ssh", public.to_str().unwrap()];
    let plain = world.run(&show);
    assert_eq!((plain.code, plain.stderr.as_str()), (0, ""));
    let run = world.run(&[&show[..], &["--enrol", "web"]].concat());
    assert_eq!((run.code, &run.stdout), (0, &plain.stdout));
    let line = format!("- &web {}", plain.stdout.trim_end());
    for part in [
        line.as_str(),
        "*web",
        "sops updatekeys",
        "ccsec drill --host",
    ] {
        assert!(run.stderr.contains(part), "{part}: {}", run.stderr);
    }
    Ok(())
}
