//! What `plan` says, and that it does nothing.

use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::fixtures::{CERTIFICATE, CERTIFICATE_KEY, TOKENS};
use crate::harness::{Skip, Verdict};
use crate::sources::{commit_in_two_repositories, git};
use crate::world::{LIVE_CERTIFICATE, LIVE_KEY, Place, Run, World, secret};

fn parsed(run: &Run) -> Value {
    assert_eq!(run.code, 0, "{}", run.stderr);
    serde_json::from_str(&run.stdout).unwrap()
}

/// Runs `plan` and looks at everything before and after.
fn plan(world: &World, more: &[&str]) -> Run {
    let before = world.snapshot();
    let run = world.run_about_manifest("plan", more);
    before.assert_same(&world.snapshot());
    run
}

pub(crate) fn s27_a_plan_tells_everything_and_changes_nothing(world: &World) -> Verdict {
    // Nothing is there yet: everything would be added.
    let mut manifest = world.manifest();
    manifest["secrets"][1]["restartUnits"] = json!(["proxy.service"]);
    world.write_manifest(&manifest);
    let run = plan(world, &[]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    for name in TOKENS.into_iter().chain([CERTIFICATE, CERTIFICATE_KEY]) {
        let added = |line: &str| line.starts_with("  + 0") && line.contains(name);
        assert!(run.stdout.lines().any(added), "{name} in {}", run.stdout);
    }
    let report = parsed(&plan(world, &["--json"]));
    assert_eq!(report["result"], json!("planned"));
    assert_eq!(report["generation"]["new"], json!(1));
    let changes = report["secrets"].as_array().unwrap();
    assert!(changes.len() == 8 && changes.iter().all(|one| one["change"] == json!("added")));
    // No digest of a content, if no key is given.
    assert!(changes.iter().all(|one| one.get("hmac").is_none()));
    let mount = report["mount"]["kind"].as_str();
    assert_eq!(mount, (world.place == Place::Machine).then_some("ramfs"));

    let run = world.activate_again(&[]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    let run = plan(world, &[]);
    assert!(
        run.stdout
            .starts_with("nothing would change: generation 1 is active"),
        "{}",
        run.stdout
    );

    // One of each: a value, a mode, a new secret, one that goes with its link, and one that gets a link.
    let fixtures = world.fixtures();
    let plain = fixtures.plaintext(|name| match name {
        "drone_rpc_secret" => b"rotated".to_vec(),
        _ => fixtures.value(name),
    });
    world.write("secrets.yaml", &fixtures.seal(&plain, &[&world.host]));
    let secrets = manifest["secrets"].as_array_mut().unwrap();
    secrets[0]["mode"] = json!("0440");
    secrets[2]["path"] = json!("/var/lib/ci-certs/live/token");
    secrets.retain(|one| one["name"] != CERTIFICATE);
    let mut added = secret(TOKENS[0], "0400");
    added["name"] = json!("new/token");
    added["owner"] = json!("nobody-of-that-name");
    secrets.push(added);
    world.write_manifest(&manifest);
    let run = plan(world, &[]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    let live = |path: &str| world.out(path).display().to_string();
    let mut expected = vec![
        "  ~ 0440 test_secret (mode 0400 to 0440)".to_owned(),
        "  ~ 0400 drone_rpc_secret (content)".into(),
        "  + 0400 new/token".into(),
        "  - wildcard_cert".into(),
        format!("  + link {}", live("/var/lib/ci-certs/live/token")),
        format!("  - link {}", live(LIVE_CERTIFICATE)),
        "  5 more stay as they are".into(),
        "generation 1 would be removed".into(),
    ];
    if world.place == Place::Machine {
        expected.push("unit proxy.service would be restarted".into());
    }
    for line in &expected {
        assert!(
            run.stdout.lines().any(|found| found == line),
            "{line} in {}",
            run.stdout
        );
    }
    assert_eq!(
        run.stdout.lines().count(),
        expected.len() + 2,
        "{}",
        run.stdout
    );
    let told = "warning: nobody-of-that-name (new/token): the owner or group does not exist yet";
    assert!(run.stderr.contains(told), "{}", run.stderr);
    let report = parsed(&plan(world, &["--json"]));
    assert_eq!(report["removed"], json!([CERTIFICATE]));
    assert_eq!(report["pruned"], json!([1]));
    assert_eq!(report["secrets"][0]["before"]["mode"], json!("0400"));

    // It refuses as activation does.
    std::fs::remove_file(world.out(LIVE_KEY)).unwrap();
    std::fs::write(world.out(LIVE_KEY), "made by hand\n").unwrap();
    let run = world.assert_refused(42, || world.run_about_manifest("plan", &[]));
    assert!(run.stderr.contains("privkey.pem"), "{}", run.stderr);
    Ok(())
}

pub(crate) fn s27_a_plan_opens_nothing_for_writing(world: &World) -> Verdict {
    let strace = Command::new("strace").arg("-V").output();
    if !strace.is_ok_and(|output| output.status.success()) {
        return Err(Skip("strace is not on PATH".into()));
    }
    world.write_manifest(&world.manifest());
    assert_only_reads(world, "blank");
    let run = world.activate_again(&[]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert_only_reads(world, "active");
    Ok(())
}

/// System calls on paths and handles that change nothing.
const READING: [&str; 25] = [
    "access",
    "close",
    "dup",
    "execve",
    "fcntl",
    "fstat",
    "fstatfs",
    "getcwd",
    "getdents64",
    "lseek",
    "mmap",
    "newfstatat",
    "open",
    "openat",
    "openat2",
    "poll",
    "pread64",
    "read",
    "readlink",
    "readlinkat",
    "readv",
    "statfs",
    "statx",
    "write",
    "ioctl",
];

fn assert_only_reads(world: &World, name: &str) {
    let trace = world.aside(&format!("trace-{name}"));
    let script = format!(
        "exec strace -f -e trace=%file,%desc -o '{}' \"$@\"",
        trace.display()
    );
    let mut command = world.shell(&script, &world.about_manifest("plan", &[]));
    let run = world.finish(command.spawn().unwrap());
    assert_eq!(run.code, 0, "{}", run.stderr);
    let calls = std::fs::read_to_string(&trace).unwrap();
    // It shows what was read.
    std::fs::remove_file(&trace).unwrap();
    let mut opened = 0;
    for line in calls.lines() {
        // After the number of the process: a call, an exit, or a signal.
        let line = line
            .split_once(' ')
            .map_or(line, |(_, rest)| rest.trim_start());
        let Some((call, arguments)) = line.split_once('(') else {
            continue;
        };
        if !call
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        {
            continue;
        }
        assert!(READING.contains(&call), "{line}");
        if call.starts_with("open") {
            opened += 1;
            for flag in [
                "O_WRONLY",
                "O_RDWR",
                "O_CREAT",
                "O_TRUNC",
                "O_APPEND",
                "O_TMPFILE",
            ] {
                assert!(!arguments.contains(flag), "{line}");
            }
        }
        // What it says goes to standard output and standard error.
        assert!(
            call != "write" || arguments.starts_with("1,") || arguments.starts_with("2,"),
            "{line}"
        );
    }
    assert!(opened > 10, "{calls}");
    assert!(calls.contains("secrets.yaml"), "{calls}");
}

pub(crate) fn s27_a_plan_for_somebody_who_may_not_read_the_keys(world: &World) -> Verdict {
    const NOBODY: u32 = 65534;
    let mut manifest = world.manifest();
    manifest["secrets"][0]["mode"] = json!("0440");
    let run = world.activate(&manifest);
    assert_eq!(run.code, 0, "{}", run.stderr);
    manifest["secrets"][0]["mode"] = json!("0444");
    let mut added = secret(TOKENS[0], "0400");
    added["name"] = json!("new");
    manifest["secrets"].as_array_mut().unwrap().push(added);
    world.write_manifest(&manifest);
    // The sources can be read, the key of the host cannot.
    for path in [world.aside(""), world.src("")] {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    for name in ["manifest.json", "secrets.yaml"] {
        std::fs::set_permissions(world.src(name), std::fs::Permissions::from_mode(0o644)).unwrap();
    }
    std::fs::create_dir(world.aside("given")).unwrap();
    let program = world.aside("given/ccsec");
    std::fs::copy(world.program(), &program).unwrap();
    chown(&program, Some(0), Some(0)).unwrap();
    let before = world.snapshot();
    let ids = NOBODY.to_string();
    let as_nobody = |name: &str| {
        let mut command = Command::new("setpriv");
        command
            .args(["--reuid", &ids, "--regid", &ids, "--clear-groups"])
            .arg(&program);
        world.prepare(command.args(world.about_manifest(name, &[])));
        world.finish(command.spawn().unwrap())
    };
    // Another key would not help who may not read the one that is there.
    let run = as_nobody("verify");
    assert_eq!(run.code, 22, "{}", run.stderr);
    let hints: Vec<&str> = run
        .stderr
        .lines()
        .filter(|line| line.starts_with("hint: "))
        .collect();
    let expected = format!(
        "hint: run it as root, or as somebody who may read {}",
        world.src("host").display()
    );
    assert_eq!(hints, [expected]);
    let run = as_nobody("plan");
    before.assert_same(&world.snapshot());
    assert_eq!(run.code, 0, "{}", run.stderr);
    for line in [
        "user 65534 may not read everything: what is not known is marked with ?",
        "a new generation would be made (its number is not known):",
        "  ? 0444 test_secret (unknown: not readable as uid 65534, mode 0440 to 0444)",
        "  ? 0400 drone_rpc_secret (unknown: not readable as uid 65534)",
        "  + 0400 new",
    ] {
        assert!(
            run.stdout.lines().any(|found| found == line),
            "{line} in {}",
            run.stdout
        );
    }
    Ok(())
}

pub(crate) fn s11_a_plain_copy_and_a_clone_with_submodule_have_one_plan(world: &World) -> Verdict {
    let (inner, outer) = (world.src("inner"), world.src("outer"));
    commit_in_two_repositories(world, &inner, &outer)?;
    let clone = world.src("clone");
    let (from, to) = (outer.to_str().unwrap(), clone.to_str().unwrap());
    assert!(git(&outer, &["clone", "--quiet", "--recursive", from, to]));
    let plain = world.src("plain");
    std::fs::create_dir_all(plain.join("secrets")).unwrap();
    for name in ["manifest.json", "secrets/secrets.yaml"] {
        std::fs::copy(clone.join(name), plain.join(name)).unwrap();
    }
    world.write("hmac.key", b"a key of both machines\n");
    let key = world.src("hmac.key");
    let of = |tree: &Path| {
        std::fs::copy(world.src("host"), tree.join("host")).unwrap();
        let mut arguments =
            world.about_manifest("plan", &["--json", "--hmac-key", key.to_str().unwrap()]);
        *arguments.last_mut().unwrap() = tree.join("manifest.json").to_str().unwrap().to_owned();
        parsed(&world.run(&arguments))
    };
    let (plain, clone) = (of(&plain), of(&clone));
    assert_eq!(plain["manifest_sha256"], clone["manifest_sha256"]);
    let digests = |plan: &Value| -> Vec<Value> {
        let secrets = plan["secrets"].as_array().unwrap().iter();
        secrets.map(|secret| secret["hmac"].clone()).collect()
    };
    assert!(
        digests(&plain)
            .iter()
            .all(|digest| digest.as_str().unwrap().len() == 64)
    );
    assert_eq!(digests(&plain), digests(&clone));
    assert_eq!(plain["files"][0]["git"], Value::Null);
    assert_eq!(clone["files"][0]["git"]["submodule"], json!(true));
    Ok(())
}
