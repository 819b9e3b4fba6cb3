//! What is wrong with the sops files themselves, or with the tree that they lie in.

use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::json;

use crate::harness::{Skip, Verdict};
use crate::world::{World, secret};

/// The manifest of a world in one repository, the sops file in another, which is its submodule `secrets`.
pub(crate) fn commit_in_two_repositories(
    world: &World,
    inner: &Path,
    outer: &Path,
) -> Result<(), Skip> {
    let mut manifest = world.manifest();
    for entry in manifest["secrets"].as_array_mut().unwrap() {
        entry["sopsFile"] = json!("secrets/secrets.yaml");
    }
    world.write_manifest(&manifest);
    for dir in [inner, outer] {
        std::fs::create_dir(dir).unwrap();
    }
    std::fs::copy(world.src("secrets.yaml"), inner.join("secrets.yaml")).unwrap();
    std::fs::copy(world.src("manifest.json"), outer.join("manifest.json")).unwrap();
    if !commit_all(inner) {
        return Err(Skip("git is not on PATH".into()));
    }
    assert!(git(outer, &["init", "--quiet"]));
    let inner = inner.to_str().unwrap();
    let add = ["submodule", "--quiet", "add", inner, "secrets"];
    assert!(git(outer, &add));
    assert!(commit_all(outer));
    Ok(())
}

pub(crate) fn s10_submodule_that_is_not_initialised_is_named(world: &World) -> Verdict {
    let outer = world.aside("outer");
    commit_in_two_repositories(world, &world.aside("inner"), &outer)?;

    // Cloned without --recursive: `secrets` is an empty directory.
    let tree = world.src("tree");
    let (from, to) = (outer.to_str().unwrap(), tree.to_str().unwrap());
    assert!(git(&outer, &["clone", "--quiet", from, to]));
    std::fs::copy(world.src("host"), tree.join("host")).unwrap();
    let manifest = tree.join("manifest.json");
    let shown = manifest.to_str().unwrap();
    let mut activate = world.activate_arguments(&[]);
    *activate.last_mut().unwrap() = shown.to_owned();
    let activated = world.assert_refused(12, || world.run(&activate));
    let checked = world.run(&["check", shown, "--mode", "sopsfile"]);
    assert_eq!(checked.code, 12, "{}", checked.stderr);
    let mut plan = world.about_manifest("plan", &[]);
    *plan.last_mut().unwrap() = shown.to_owned();
    let planned = world.assert_refused(12, || world.run(&plan));
    for run in [&activated, &checked, &planned] {
        for part in ["secrets", "not initialised", "git submodule update --init"] {
            assert!(run.stderr.contains(part), "{part}: {}", run.stderr);
        }
    }

    // The doctor and the drill say the same.
    let key = world.src("host");
    let key = key.to_str().unwrap();
    let run = world.run(&["doctor", "--key", key, to]);
    assert_eq!(run.code, 60, "{}", run.stderr);
    let step = format!("next: git -C {to} submodule update --init secrets");
    for part in ["submodule secrets", "is not initialised", &step] {
        assert!(run.stdout.contains(part), "{part}: {}", run.stdout);
    }
    let run = world.run(&["drill", "--identity", key, to]);
    assert_eq!(run.code, 12, "{}", run.stderr);
    assert!(run.stdout.contains(&step), "{}", run.stdout);

    // A copy as a flake makes it: no .git, no content of the submodule.
    let store = world.src("nix/store/abc-source");
    std::fs::create_dir_all(store.join("secrets")).unwrap();
    for name in [".gitmodules", "manifest.json", "host"] {
        std::fs::copy(tree.join(name), store.join(name)).unwrap();
    }
    let copied = store.join("manifest.json");
    let run = world.run(&["check", copied.to_str().unwrap(), "--mode", "sopsfile"]);
    assert_eq!(run.code, 12, "{}", run.stderr);
    assert!(run.stderr.contains("?submodules=1"), "{}", run.stderr);
    let run = world.run(&["doctor", "--key", key, store.to_str().unwrap()]);
    assert_eq!(run.code, 60, "{}", run.stderr);
    assert!(run.stdout.contains("?submodules=1"), "{}", run.stdout);

    // Initialised, the same tree activates.
    assert!(git(&tree, &["submodule", "--quiet", "update", "--init"]));
    let run = world.run(&["doctor", "--key", key, to]);
    assert_eq!(run.code, 0, "{}", run.stdout);
    let run = world.run(&["drill", "--host", "--identity", key, to]);
    assert_eq!(run.code, 0, "{}", run.stdout);
    let run = world.run(&activate);
    assert_eq!(run.code, 0, "{}", run.stderr);
    world.assert_complete();
    Ok(())
}

pub(crate) fn commit_all(dir: &Path) -> bool {
    git(dir, &["init", "--quiet"])
        && git(dir, &["add", "--all"])
        && git(dir, &["commit", "--quiet", "--message", "made by a test"])
}

/// git with nobody's configuration.
pub(crate) fn git(dir: &Path, arguments: &[&str]) -> bool {
    let settings = [
        "protocol.file.allow=always",
        "user.name=test",
        "user.email=test@example.invalid",
        "safe.directory=*",
    ];
    let mut command = Command::new("git");
    for setting in settings {
        command.args(["-c", setting]);
    }
    let status = command
        .arg("-C")
        .arg(dir)
        .args(arguments)
        .env("HOME", "/nonexistent")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .status();
    status.is_ok_and(|status| status.success())
}

pub(crate) fn s19_one_flipped_byte_stops_everything(world: &World) -> Verdict {
    let fixtures = world.fixtures();
    let mut manifest = world.manifest();
    for number in 0..3 {
        let name = format!("file{number}.yaml");
        let plain = format!(
            "token: {}{number}\n",
            String::from_utf8(fixtures.value("test_secret")).unwrap()
        );
        world.write(&name, &fixtures.seal(&plain, &[&world.host]));
        let mut entry = secret("token", "0400");
        entry["name"] = json!(format!("token{number}"));
        entry["sopsFile"] = json!(name);
        manifest["secrets"].as_array_mut().unwrap().push(entry);
    }
    let run = world.activate(&manifest);
    assert_eq!(run.code, 0, "{}", run.stderr);
    world.assert_complete();

    let sealed = std::fs::read_to_string(world.src("file1.yaml")).unwrap();
    world.write("file1.yaml", flip_first_data_byte(&sealed).as_bytes());
    let run = world.assert_refused(30, || world.activate_again(&[]));
    assert!(run.stderr.contains("file1.yaml"), "{}", run.stderr);
    for other in ["file0.yaml", "file2.yaml", "secrets.yaml"] {
        assert!(!run.stderr.contains(other), "{other}: {}", run.stderr);
    }
    Ok(())
}

/// Another base64 character in the first sealed value.
fn flip_first_data_byte(sealed: &str) -> String {
    let at = sealed.find("data:").unwrap() + "data:".len();
    let other = if sealed.as_bytes()[at] == b'A' {
        "B"
    } else {
        "A"
    };
    format!("{}{other}{}", &sealed[..at], &sealed[at + 1..])
}

pub(crate) fn s20_missing_mac_and_foreign_recipients_stop_everything(world: &World) -> Verdict {
    let run = world.activate(&world.manifest());
    assert_eq!(run.code, 0, "{}", run.stderr);
    let sealed = std::fs::read_to_string(world.src("secrets.yaml")).unwrap();

    let without_mac: String = sealed
        .lines()
        .filter(|line| !line.trim_start().starts_with("mac:"))
        .map(|line| format!("{line}\n"))
        .collect();
    assert_ne!(without_mac.len(), sealed.len());
    world.write("secrets.yaml", without_mac.as_bytes());
    world.assert_refused(30, || world.activate_again(&[]));

    let fixtures = world.fixtures();
    let plain = fixtures.plaintext(|name| fixtures.value(name));
    let foreign = String::from_utf8(fixtures.seal(&plain, &[&world.other])).unwrap();
    world.write("secrets.yaml", foreign.as_bytes());
    let run = world.assert_refused(22, || world.activate_again(&[]));
    assert!(run.stderr.contains(&world.other[..12]), "{}", run.stderr);

    // The label claims the host, what is wrapped is for somebody else.
    let mislabelled = foreign.replace(&world.other, &world.host);
    assert_ne!(mislabelled, foreign);
    world.write("secrets.yaml", mislabelled.as_bytes());
    let run = world.assert_refused(22, || world.activate_again(&[]));
    let told = "labelled for a key that is here, wrapped for another one";
    assert!(run.stderr.contains(told), "{}", run.stderr);
    Ok(())
}
