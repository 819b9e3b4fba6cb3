//! What stops activation before it touches anything: manifests, key files, targets.

use std::os::unix::fs::symlink;

use rustix::fs::{FileType, Mode};
use serde_json::{Value, json};

use crate::harness::{Skip, Verdict};
use crate::world::{World, secret};

pub(crate) fn s05_missing_key_file_changes_nothing(world: &World) -> Verdict {
    let mut manifest = world.manifest();
    manifest["ageKeyFile"] = json!("absent/key.txt");
    world.write_manifest(&manifest);
    let rules = format!(
        "keys:\n  - &machine {}\n  - {} # the safe\ncreation_rules: []\n",
        world.host, world.recovery
    );
    world.write(".sops.yaml", rules.as_bytes());
    let run = world.assert_refused(20, || world.activate_again(&[]));
    let path = world.src("absent/key.txt");
    let path = path.to_str().unwrap();
    for part in [
        path.to_owned(),
        "ageKeyFile".into(),
        "No such file or directory".into(),
        "not mounted there yet".into(),
        format!("{}… (&machine)", &world.host[..12]),
        format!("{}… (the safe)", &world.recovery[..12]),
        "secrets.yaml".into(),
        format!(
            "ccsec key from-ssh --in {} --out {path}",
            world.src("host").display()
        ),
        format!("ccsec key install --out {path}"),
    ] {
        assert!(run.stderr.contains(&part), "{part}: {}", run.stderr);
    }
    assert!(
        run.stderr
            .ends_with("nothing was changed; no generation is active\n")
    );

    // With a generation in place the last line names it.
    world.activate(&world.manifest());
    world.write_manifest(&manifest);
    let run = world.assert_refused(20, || world.activate_again(&[]));
    let last = run.stderr.lines().last().unwrap();
    assert!(
        last.starts_with("nothing was changed; generation 1 (link ")
            && last.ends_with(") is still active"),
        "{last}"
    );
    Ok(())
}

pub(crate) fn s21_manifests_that_break_a_rule_are_refused_by_both_commands(
    world: &World,
) -> Verdict {
    // A generation is active: the last line has something to say, and everything has to stay.
    let run = world.activate(&world.manifest());
    assert_eq!(run.code, 0, "{}", run.stderr);
    let manifest = || {
        let mut manifest = world.manifest();
        manifest["secrets"] = json!([
            secret("test_secret", "0400"),
            secret("drone_rpc_secret", "0400")
        ]);
        manifest
    };
    let template = json!([{"name": "t", "mode": "0400", "content": "x"}]);
    let mut broken: Vec<(Value, &str)> = Vec::new();
    let mut change_top = |field: &str, value: Value, pointer: &'static str| {
        let mut changed = manifest();
        changed[field] = value;
        broken.push((changed, pointer));
    };
    change_top("keepgenerations", json!(1), "/keepgenerations");
    change_top("keepGenerations", json!(-1), "/keepGenerations");
    change_top(
        "placeholderBySecretName",
        json!({"test_secret": ""}),
        "/placeholderBySecretName/test_secret",
    );
    let mut change = |field: &str, value: Value| {
        let mut changed = manifest();
        changed["secrets"][1][field] = value;
        let pointer = match field {
            "format" => "/secrets/1/format",
            "mode" => "/secrets/1/mode",
            "name" => "/secrets/1/name",
            "path" => "/secrets/1/path",
            _ => "/secrets/1/uid",
        };
        broken.push((changed, pointer));
    };
    change("format", json!("toml"));
    for mode in ["", "u=r", "200000", "4755"] {
        change("mode", json!(mode));
    }
    for name in ["../../x", ".", "", "a//b", "test_secret", "test_secret/c"] {
        change("name", json!(name));
    }
    for path in ["relative", "/run/secrets//a", "/run/secrets/test_secret"] {
        change("path", json!(path));
    }
    change("uid", json!(-1));
    let mut same_path = manifest();
    for entry in same_path["secrets"].as_array_mut().unwrap() {
        entry["path"] = json!("/srv/one");
    }
    broken.push((same_path, "/secrets/1/path"));
    let mut reserved = manifest();
    reserved["secrets"][1]["name"] = json!("rendered");
    reserved["templates"] = template;
    broken.push((reserved, "/secrets/1/name"));
    for (manifest, pointer) in broken {
        world.write_manifest(&manifest);
        assert_both_refuse(world, pointer);
    }
    let text = format!("{} x", manifest());
    std::fs::write(world.src("manifest.json"), text).unwrap();
    assert_both_refuse(world, "manifest.json");
    Ok(())
}

/// `activate` and `check` give the same answer.
fn assert_both_refuse(world: &World, pointer: &str) {
    let activated = world.assert_refused(10, || world.activate_again(&[]));
    let knows_the_place = pointer.starts_with('/');
    let still = activated.stderr.contains("; generation 1 (link ");
    assert_eq!(still, knows_the_place, "{}", activated.stderr);
    let manifest = world.src("manifest.json");
    let arguments = ["check", manifest.to_str().unwrap(), "--mode", "manifest"];
    let checked = world.run(&arguments);
    assert_eq!(checked.code, 10, "{}", checked.stderr);
    for run in [activated, checked] {
        assert!(run.stderr.contains(pointer), "{pointer}: {}", run.stderr);
    }
}

pub(crate) fn a_manifest_that_is_not_there_or_no_file_is_refused(world: &World) -> Verdict {
    let run = world.assert_refused(10, || world.activate_again(&[]));
    assert!(
        run.stderr.contains("manifest.json: No such file"),
        "{}",
        run.stderr
    );
    std::fs::create_dir(world.src("manifest.json")).unwrap();
    let run = world.assert_refused(10, || world.activate_again(&[]));
    assert!(
        run.stderr.contains("manifest.json: Is a directory"),
        "{}",
        run.stderr
    );
    Ok(())
}

pub(crate) fn a_report_that_cannot_be_written_is_a_later_step_that_failed(
    world: &World,
) -> Verdict {
    std::fs::create_dir(world.aside("report.json")).unwrap();
    let run = world.activate(&world.manifest());
    assert_eq!(run.code, 50, "{}", run.stderr);
    world.assert_complete();
    let last = run.stderr.lines().last().unwrap();
    assert_eq!(last, "generation 1 is active; failed step: report");
    Ok(())
}

pub(crate) fn checks_and_credentials_that_name_nothing_are_refused_by_field(
    world: &World,
) -> Verdict {
    let mut checks = world.manifest();
    checks["checks"] = json!([{"type": "x509"}]);
    let mut credentials = world.manifest();
    credentials["credentials"] = json!([{"unit": "u.service", "name": "n", "secret": "s"}]);
    for (manifest, field) in [(checks, "/checks"), (credentials, "/credentials")] {
        world.write_manifest(&manifest);
        let run = world.assert_refused(10, || world.activate_again(&[]));
        assert!(run.stderr.contains(field), "{field}: {}", run.stderr);
    }
    Ok(())
}

pub(crate) fn s24_unusable_key_files_say_why_and_never_hang(world: &World) -> Verdict {
    let mut manifest = world.manifest();
    manifest["ageKeyFile"] = json!("key.txt");
    world.write_manifest(&manifest);
    let path = world.src("key.txt");
    let refused = |words: &str| {
        let run = world.assert_refused(21, || world.activate_again(&[]));
        assert!(run.stderr.contains(words), "{words}: {}", run.stderr);
        run
    };
    std::fs::create_dir(&path).unwrap();
    refused("is a directory");
    std::fs::remove_dir(&path).unwrap();

    world.write("key.txt", b"");
    refused("is empty");
    world.write("key.txt", b"# only\n# comments\n");
    refused("only comments");
    let bad = [
        &world.fixtures().read("recovery.txt")[..],
        b"not-a-key-at-all\n",
    ]
    .concat();
    world.write("key.txt", &bad);
    let run = refused("line 4");
    assert!(!run.stderr.contains("not-a-key-at-all"), "{}", run.stderr);
    let locked = std::fs::read(crate::fixtures::test_data("keys/locked-age.txt")).unwrap();
    world.write("key.txt", &locked);
    refused("passphrase");
    std::fs::remove_file(&path).unwrap();

    let (fifo, owner_only) = (FileType::Fifo, Mode::RUSR | Mode::WUSR);
    rustix::fs::mknodat(rustix::fs::CWD, &path, fifo, owner_only, 0).unwrap();
    refused("named pipe");
    std::fs::remove_file(&path).unwrap();

    // Readable by everybody: a warning, and an error where the manifest is strict.
    world.take("recovery.txt", "key.txt");
    open_to_all(&path);
    let run = world.activate_again(&[]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(run.stderr.contains("key.txt"), "{}", run.stderr);
    manifest["strictKeyModes"] = json!(true);
    world.write_manifest(&manifest);
    refused("0644");
    std::fs::remove_file(&path).unwrap();

    // A link of root's or our own is how persistent storage is set up; one of somebody else's is not followed.
    world.take("recovery.txt", "elsewhere.txt");
    symlink("elsewhere.txt", &path).unwrap();
    let run = world.activate_again(&[]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    if std::os::unix::fs::lchown(&path, Some(65533), Some(65533)).is_err() {
        return Err(Skip(
            "all but the link of another user, which only root can make".into(),
        ));
    }
    refused("symbolic link");
    Ok(())
}

fn open_to_all(path: &std::path::Path) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o644)).unwrap();
}

pub(crate) fn s26_blocked_targets_are_reported_together(world: &World) -> Verdict {
    let full = world.out("/var/lib/ci-certs/live/fullchain.pem");
    std::fs::create_dir_all(&full).unwrap();
    std::fs::write(full.join("kept"), "content").unwrap();
    // A directory of a user's, and in it a link to where the secret would go.
    let home = world.out("/var/lib/home");
    std::fs::create_dir_all(&home).unwrap();
    std::os::unix::fs::chown(&home, Some(65534), Some(65534)).unwrap();
    symlink("../ci-certs", home.join("link")).unwrap();
    std::os::unix::fs::lchown(home.join("link"), Some(65534), Some(65534)).unwrap();
    let mut manifest = world.manifest();
    for entry in manifest["secrets"].as_array_mut().unwrap() {
        if entry["name"] == "wildcard_key" {
            entry["path"] = json!("/var/lib/home/link/privkey.pem");
        }
    }
    world.write_manifest(&manifest);
    let run = world.assert_refused(42, || world.activate_again(&[]));
    for part in ["fullchain.pem", "/var/lib/home/link"] {
        assert!(run.stderr.contains(part), "{part}: {}", run.stderr);
    }
    Ok(())
}

pub(crate) fn a_refusal_is_json_where_json_was_asked_for(world: &World) -> Verdict {
    let mut manifest = world.manifest();
    manifest["ageKeyFile"] = json!("absent/key.txt");
    world.write_manifest(&manifest);
    for verb in ["activate", "plan", "verify"] {
        let run = world.run_about_manifest(verb, &["--json"]);
        assert_eq!(run.code, 20, "{verb}: {}", run.stderr);
        let report: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
        assert_eq!(report["result"], "refused", "{verb}");
        assert_eq!(report["code"], "key-file-missing", "{verb}");
        let message = report["faults"][0]["message"].as_str().unwrap();
        assert!(run.stderr.contains(message), "{verb}: {}", run.stderr);
    }
    Ok(())
}
