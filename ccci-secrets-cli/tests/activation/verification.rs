//! Does what is on disk equal what git says: `verify`, online and offline.

use std::os::unix::fs::{PermissionsExt as _, chown, symlink};
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::certificates::{Server, checking_manifest};
use crate::fixtures::{CERTIFICATE, CERTIFICATE_KEY, TOKENS};
use crate::harness::{Skip, Verdict};
use crate::sources::{commit_all, git};
use crate::world::{LIVE_CERTIFICATE, LIVE_KEY, Place, Run, World, mode};

const MODES: [&[&str]; 2] = [&[], &["--offline"]];

/// Runs `verify` and looks at everything before and after.
fn verify(world: &World, more: &[&str]) -> Run {
    let before = world.snapshot();
    let run = world.run_about_manifest("verify", more);
    before.assert_same(&world.snapshot());
    run
}

/// What is not as it should be, in both ways of comparing: subject and class.
#[track_caller]
fn assert_drift(world: &World, expected: &[(&str, &str)]) {
    for mode in MODES {
        assert_drift_in(world, mode, expected);
    }
}

#[track_caller]
fn assert_drift_in(world: &World, mode: &[&str], expected: &[(&str, &str)]) {
    let run = verify(world, &[mode, &["--json"]].concat());
    let report: Value = serde_json::from_str(&run.stdout).unwrap();
    let drift: Vec<(&str, &str)> = report["compared"]
        .as_array()
        .unwrap()
        .iter()
        .map(|line| {
            (
                line["subject"].as_str().unwrap(),
                line["class"].as_str().unwrap(),
            )
        })
        .filter(|(_, class)| *class != "ok")
        .collect();
    assert_eq!(drift, expected, "{mode:?}: {}", run.stderr);
    let code = if expected.is_empty() { 0 } else { 60 };
    assert_eq!(run.code, code, "{}", run.stderr);
    for (subject, _) in expected {
        assert!(run.stderr.contains(subject), "{subject}: {}", run.stderr);
    }
}

pub(crate) fn s42_every_tampering_has_its_class(world: &World) -> Verdict {
    let run = world.activate(&world.manifest());
    assert_eq!(run.code, 0, "{}", run.stderr);
    let key = world.out("/var/lib/ccsec/drift.key");
    assert_eq!(mode(&key), 0o600);
    assert_drift(world, &[]);
    let run = verify(world, &[]);
    assert!(run.stdout.ends_with("\nzero drift\n"), "{}", run.stdout);

    let generation = world.generation().unwrap();
    let file = |name: &str| world.out(&format!("/run/secrets.d/{generation}/{name}"));
    let token = file(TOKENS[0]);
    let value = std::fs::read(&token).unwrap();

    let mut other = value.clone();
    other[0] ^= 1;
    std::fs::write(&token, &other).unwrap();
    assert_drift(world, &[(TOKENS[0], "content")]);
    std::fs::write(&token, &value[1..]).unwrap();
    assert_drift(world, &[(TOKENS[0], "content")]);
    std::fs::write(&token, &value).unwrap();
    assert_drift(world, &[]);

    std::fs::set_permissions(&token, std::fs::Permissions::from_mode(0o440)).unwrap();
    assert_drift(world, &[(TOKENS[0], "mode")]);
    std::fs::set_permissions(&token, std::fs::Permissions::from_mode(0o400)).unwrap();

    std::fs::write(file("extra"), "extra").unwrap();
    std::fs::create_dir(file("below")).unwrap();
    std::fs::write(file("below/extra"), "extra").unwrap();
    assert_drift(world, &[("below/extra", "extra"), ("extra", "extra")]);
    std::fs::remove_file(file("extra")).unwrap();
    std::fs::remove_dir_all(file("below")).unwrap();

    std::fs::remove_file(&token).unwrap();
    assert_drift(world, &[(TOKENS[0], "missing")]);
    symlink("/etc/hostname", &token).unwrap();
    assert_drift(world, &[(TOKENS[0], "type")]);
    std::fs::remove_file(&token).unwrap();
    std::fs::write(&token, &value).unwrap();
    std::fs::set_permissions(&token, std::fs::Permissions::from_mode(0o400)).unwrap();
    assert_drift(world, &[]);

    let (live, text) = (
        world.out(LIVE_KEY),
        world.out(LIVE_KEY).display().to_string(),
    );
    let right = std::fs::read_link(&live).unwrap();
    std::fs::remove_file(&live).unwrap();
    assert_drift(world, &[(&text, "link-missing")]);
    links_are_put_back_by_repair(world, &text);
    std::fs::remove_file(&live).unwrap();
    symlink("..", &live).unwrap();
    assert_drift(world, &[(&text, "link-target")]);
    std::fs::remove_file(&live).unwrap();
    symlink("/nowhere/at/all", &live).unwrap();
    assert_drift(world, &[(&text, "link-dangles")]);
    let run = verify(world, &[]);
    let line = format!("drift: {text}: the link leads nowhere, to /nowhere/at/all\n");
    assert!(run.stderr.contains(&line), "{}", run.stderr);
    assert!(!run.stderr.contains("ccsec repair"), "{}", run.stderr);
    std::fs::remove_file(&live).unwrap();
    std::fs::write(&live, "a file").unwrap();
    assert_drift(world, &[(&text, "type")]);
    let run = verify(world, &[]);
    let step = format!("hint: move it away: mv {text} {text}.old\n");
    assert!(run.stderr.contains(&step), "{}", run.stderr);
    std::fs::remove_file(&live).unwrap();
    symlink(right, &live).unwrap();
    assert_drift(world, &[]);

    let active = world.out("/run/secrets");
    let text = active.display().to_string();
    let right = std::fs::read_link(&active).unwrap();
    let stale = world.out("/run/secrets.d/77");
    std::fs::create_dir(&stale).unwrap();
    for name in all_names() {
        std::fs::copy(file(name), stale.join(name)).unwrap();
    }
    std::fs::remove_file(&active).unwrap();
    symlink(right.with_file_name("77"), &active).unwrap();
    assert_drift(world, &[(&text, "stale-generation")]);
    std::fs::remove_dir_all(stale).unwrap();
    a_lost_generation_is_told(world, &text);
    std::fs::remove_file(&active).unwrap();
    links_are_put_back_by_repair(world, &text);
    assert_eq!(std::fs::read_link(&active).unwrap(), right);
    stale_git(world);
    Ok(())
}

fn all_names() -> impl Iterator<Item = &'static str> {
    TOKENS.into_iter().chain([CERTIFICATE, CERTIFICATE_KEY])
}

/// The only step that is told is one that needs no key, and it is enough.
fn links_are_put_back_by_repair(world: &World, subject: &str) {
    let run = verify(world, &[]);
    let line = format!("drift: {subject}: the link is not there\n");
    assert!(run.stderr.contains(&line), "{}", run.stderr);
    let hints = run.stderr.lines().filter(|line| line.starts_with("hint: "));
    let hints: Vec<&str> = hints.collect();
    let step = "hint: put the links back, then verify again: ccsec repair ";
    assert!(
        hints.len() == 1 && hints[0].starts_with(step),
        "{}",
        run.stderr
    );
    let run = world.run_about_manifest("repair", &[]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert_drift(world, &[]);
}

/// The link leads to a generation that somebody has removed: every command says where it leads.
fn a_lost_generation_is_told(world: &World, link: &str) {
    let text = std::fs::read_link(link).unwrap();
    let run = verify(world, &[]);
    assert_eq!(run.code, 60, "{}", run.stderr);
    let nowhere = format!("leads nowhere, to {}", text.display());
    let line = format!("drift: {link}: the link {nowhere}\n");
    assert!(run.stderr.contains(&line), "{}", run.stderr);
    assert!(run.stderr.contains("`ccsec activate"), "{}", run.stderr);
    let run = world.run_about_manifest("plan", &[]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    let line = format!("{link} {nowhere}\n");
    assert!(run.stdout.contains(&line), "{}", run.stdout);
}

/// What changed in git is seen online only.
fn stale_git(world: &World) {
    let fixtures = world.fixtures();
    let plain = fixtures.plaintext(|name| match name {
        "drone_rpc_secret" => b"rotated".to_vec(),
        _ => fixtures.value(name),
    });
    world.write("secrets.yaml", &fixtures.seal(&plain, &[&world.host]));
    assert_drift_in(world, &[], &[("drone_rpc_secret", "content")]);
    assert_drift_in(world, &["--offline"], &[]);
    // Offline needs no key and no sops file.
    std::fs::remove_file(world.src("host")).unwrap();
    std::fs::remove_file(world.src("secrets.yaml")).unwrap();
    assert_drift_in(world, &["--offline"], &[]);
    let run = verify(world, &[]);
    assert!(
        [11, 20, 22].contains(&run.code),
        "{}: {}",
        run.code,
        run.stderr
    );
    assert!(run.stderr.contains("nothing was changed"), "{}", run.stderr);
}

pub(crate) fn s42_owners_and_mounts_are_compared(world: &World) -> Verdict {
    let run = world.activate(&world.manifest());
    assert_eq!(run.code, 0, "{}", run.stderr);
    let token = world.out(&format!("/run/secrets/{}", TOKENS[0]));
    chown(&token, Some(65534), None).unwrap();
    assert_drift(world, &[(TOKENS[0], "owner")]);
    chown(&token, Some(0), Some(65534)).unwrap();
    assert_drift(world, &[(TOKENS[0], "group")]);
    chown(&token, Some(0), Some(0)).unwrap();
    assert_drift(world, &[]);
    if world.place == Place::BelowDirectory {
        return Ok(());
    }
    let mount = "/run/secrets.d";
    let status = Command::new("mount")
        .args(["-o", "remount,bind,exec,nosuid,nodev", mount])
        .status();
    assert!(status.unwrap().success());
    assert_drift(world, &[(mount, "mount-options")]);
    let status = Command::new("mount")
        .args(["-o", "remount,bind,noexec,nosuid,nodev", mount])
        .status();
    assert!(status.unwrap().success());
    std::fs::set_permissions(mount, std::fs::Permissions::from_mode(0o755)).unwrap();
    assert_drift(world, &[(mount, "mode")]);

    // Nothing is left of it, and what lies below is a disk.
    let status = Command::new("umount").arg(mount).status();
    assert!(status.unwrap().success());
    let disk = world.aside("disk");
    std::fs::create_dir(&disk).unwrap();
    let found = Command::new("stat")
        .args(["-f", "-c", "%T"])
        .arg(&disk)
        .output()
        .unwrap();
    if String::from_utf8_lossy(&found.stdout).trim() != "tmpfs" {
        let status = Command::new("mount")
            .arg("--bind")
            .arg(&disk)
            .arg(mount)
            .status();
        assert!(status.unwrap().success());
        let mut expected = vec![(mount, "not-mounted")];
        expected.extend(all_names().map(|name| (name, "not-mounted")));
        assert_drift(world, &expected);
    }
    Ok(())
}

pub(crate) fn s42_offline_needs_a_record_and_a_key(world: &World) -> Verdict {
    world.write_manifest(&world.manifest());
    let run = verify(world, &["--offline"]);
    assert_eq!(run.code, 60, "{}", run.stderr);
    assert!(
        run.stderr.contains("no activation has been written down"),
        "{}",
        run.stderr
    );
    let run = world.activate_again(&[]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    std::fs::remove_file(world.out("/var/lib/ccsec/drift.key")).unwrap();
    let run = verify(world, &["--offline"]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(
        run.stderr.contains("the content was not compared"),
        "{}",
        run.stderr
    );
    assert!(!run.stdout.contains("  hmac "), "{}", run.stdout);
    // The next activation changes nothing but that it makes the key.
    let generation = world.generation();
    let run = world.activate_again(&[]);
    assert_eq!(
        (run.code, world.generation()),
        (0, generation),
        "{}",
        run.stderr
    );
    let run = verify(world, &["--offline"]);
    assert!(run.code == 0 && run.stderr.is_empty(), "{}", run.stderr);
    assert!(run.stdout.contains("  hmac "), "{}", run.stdout);
    Ok(())
}

pub(crate) fn s16_a_rebuilt_host_has_zero_drift(world: &World) -> Verdict {
    let mut manifest = checking_manifest(world);
    for entry in manifest["secrets"].as_array_mut().unwrap() {
        entry["public"] = json!(entry["name"] == CERTIFICATE);
    }
    let run = world.activate(&manifest);
    assert_eq!(run.code, 0, "{}", run.stderr);
    // What the old host publishes; it holds digests, so it is a source here.
    std::fs::create_dir(world.aside("given")).unwrap();
    let published = world.aside("given/published");
    let arguments = world.about_manifest("verify", &["--sha256"]);
    let output = world.command(&arguments).output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    std::fs::write(&published, &output.stdout).unwrap();
    std::fs::set_permissions(&published, std::fs::Permissions::from_mode(0o600)).unwrap();
    let lines = String::from_utf8(output.stdout).unwrap();
    assert_eq!(lines.lines().count(), 8);
    // They are those of sha256sum, in the place that the names count from.
    let checked = Command::new("sha256sum")
        .args(["--check", "--strict", "--quiet"])
        .arg(&published)
        .current_dir(world.out("/run/secrets/"))
        .status();
    assert!(checked.unwrap().success());

    // A blank machine, the same sources.
    let expect = published.to_str().unwrap();
    wipe(world);
    let run = world.activate_again(&[]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    let run = verify(world, &["--expect", expect]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(run.stdout.ends_with("\nzero drift\n"), "{}", run.stdout);
    assert!(run.stderr.is_empty(), "{}", run.stderr);
    // The digest of a public file may be seen; of the others there is one that tells nothing.
    let sha256 = |name: &str| {
        let line = lines.lines().find(|line| line.ends_with(name)).unwrap();
        line.split_once(' ').unwrap().0.to_owned()
    };
    assert!(run.stdout.contains(&sha256(CERTIFICATE)), "{}", run.stdout);
    assert_eq!(run.stdout.matches("  hmac ").count(), 7, "{}", run.stdout);

    // A second run makes no new generation.
    let generation = world.generation();
    let run = world.activate_again(&[]);
    assert_eq!(
        (run.code, world.generation()),
        (0, generation),
        "{}",
        run.stderr
    );

    // Other expectations are drift.
    let other = lines
        .replace(&sha256(CERTIFICATE), &"0".repeat(64))
        .replace("test_secret", "gone_secret");
    std::fs::write(&published, other).unwrap();
    for mode in MODES {
        let mode = [mode, &["--expect", expect]].concat();
        let drift = [
            ("test_secret", "extra"),
            (CERTIFICATE, "digest"),
            ("gone_secret", "missing"),
        ];
        assert_drift_in(world, &mode, &drift);
    }
    // What is here equals git, so that activation would change nothing.
    let run = verify(world, &["--expect", expect]);
    let told = format!("drift: {CERTIFICATE}: differs from {expect}\n");
    assert!(run.stderr.contains(&told), "{}", run.stderr);
    assert!(!run.stderr.contains("ccsec activate"), "{}", run.stderr);
    // Others could read what would help them to guess.
    std::fs::set_permissions(&published, std::fs::Permissions::from_mode(0o644)).unwrap();
    let run = verify(world, &["--expect", expect]);
    assert!(
        run.stderr.contains("warning: others can read "),
        "{}",
        run.stderr
    );
    std::fs::write(&published, "not a digest\n").unwrap();
    let run = verify(world, &["--expect", expect]);
    assert_eq!(run.code, 2, "{}", run.stderr);
    assert!(run.stderr.contains("line 1"), "{}", run.stderr);
    assert!(world.out(LIVE_CERTIFICATE).exists());
    Ok(())
}

/// Takes away everything that activation has made.
fn wipe(world: &World) {
    if world.place == Place::Machine {
        let status = Command::new("umount").arg("/run/secrets.d").status();
        assert!(status.unwrap().success());
    }
    for path in [
        "/run/secrets.d",
        "/run/ccsec",
        "/var/lib/ccsec",
        "/var/lib/ci-certs",
    ] {
        std::fs::remove_dir_all(world.out(path)).unwrap();
    }
    std::fs::remove_file(world.out("/run/secrets")).unwrap();
}

/// The day a host is lost: two repositories, a blank machine, and the recovery key on standard input.
pub(crate) fn s16_a_host_is_rebuilt_from_two_repositories_and_one_key(world: &World) -> Verdict {
    let mut manifest = checking_manifest(world);
    manifest.as_object_mut().unwrap().remove("ageSshKeyPaths");
    manifest["ageKeyFile"] = json!("../recovery.txt");
    for entry in manifest["secrets"].as_array_mut().unwrap() {
        entry["sopsFile"] = json!("secrets/secrets.yaml");
    }
    world.write_manifest(&manifest);
    let (inner, outer, clone) = (world.src("inner"), world.src("outer"), world.src("clone"));
    for dir in [&inner, &outer] {
        std::fs::create_dir(dir).unwrap();
    }
    std::fs::copy(world.src("secrets.yaml"), inner.join("secrets.yaml")).unwrap();
    std::fs::copy(world.src("manifest.json"), outer.join("manifest.json")).unwrap();
    if !commit_all(&inner) {
        return Err(Skip("git is not on PATH".into()));
    }
    let text = |path: &Path| path.to_str().unwrap().to_owned();
    assert!(git(&outer, &["init", "--quiet"]));
    let add = ["submodule", "--quiet", "add", &text(&inner), "secrets"];
    assert!(git(&outer, &add) && commit_all(&outer));
    // What the live host has published.
    let published = world.src("published");
    let digests: String = all_names()
        .map(|name| {
            let digest = ccci_secrets::digest::sha256(&world.fixtures().value(name));
            format!("{}  {name}\n", ccci_secrets::digest::hex(&digest))
        })
        .collect();
    world.write("published", digests.as_bytes());

    // The blank machine. Without --recursive, every command says what is missing.
    assert!(git(
        &outer,
        &["clone", "--quiet", &text(&outer), &text(&clone)]
    ));
    let about = |command: &str, more: &[&str]| {
        let mut arguments = world.about_manifest(command, more);
        *arguments.last_mut().unwrap() = text(&clone.join("manifest.json"));
        world.run(&arguments)
    };
    let key = text(&world.src("recovery.txt"));
    let doctor = |code: i32, part: &str| {
        let run = world.run(&["doctor", "--key", &key, &text(&clone)]);
        assert_eq!(run.code, code, "{}", run.stdout);
        assert!(run.stdout.contains(part), "{part}: {}", run.stdout);
    };
    doctor(60, "submodule update --init secrets");
    let run = about("plan", &[]);
    assert_eq!(run.code, 12, "{}", run.stderr);
    assert!(
        run.stderr.contains("git submodule update --init"),
        "{}",
        run.stderr
    );
    assert!(git(&clone, &["submodule", "--quiet", "update", "--init"]));
    let run = about("plan", &[]);
    assert_eq!(run.code, 20, "{}", run.stderr);
    doctor(60, &format!("ccsec key install --out {key}"));
    let install = ["key", "install", "--out", &key];
    let run = world.run_with_input(&install, &world.fixtures().read("recovery.txt"));
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(run.stdout.contains(&world.recovery), "{}", run.stdout);
    doctor(0, "is a recipient of 1 of 1 files");
    let run = about("plan", &[]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert_eq!(run.stdout.matches("  + 0").count(), 8, "{}", run.stdout);
    assert!(
        run.stdout
            .contains("certificate wildcard_cert: *.ci.example"),
        "{}",
        run.stdout
    );
    let report = text(&world.aside("report.json"));
    let run = about("activate", &["--report", &report]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    world.assert_complete();
    let run = about("verify", &["--expect", &text(&published)]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(run.stdout.ends_with("\nzero drift\n"), "{}", run.stdout);
    let run = about("plan", &[]);
    assert!(
        run.stdout.starts_with("nothing would change"),
        "{}",
        run.stdout
    );
    let leaf = world.report()["certs"][0]["leaf_sha256"].clone();
    let (certificate, key) = (world.out(LIVE_CERTIFICATE), world.out(LIVE_KEY));
    let Some(server) = Server::start(&certificate, &key) else {
        return Err(Skip(
            "all but the last step ran: openssl s_server does not come up here".into(),
        ));
    };
    assert_eq!(leaf, json!(server.shown_fingerprint()));
    Ok(())
}

pub(crate) fn s42_offline_under_another_key_says_so(world: &World) -> Verdict {
    let run = world.activate(&world.manifest());
    assert_eq!(run.code, 0, "{}", run.stderr);
    let verify = world.about_manifest("verify", &["--offline"]);
    assert_eq!(world.run(&verify).code, 0);
    let other = ccci_secrets::hmac_key::HmacKey::make_random().unwrap();
    let path = world.out("/var/lib/ccsec/drift.key");
    std::fs::write(&path, other.bytes().expose()).unwrap();
    let run = world.run(&verify);
    assert_eq!(run.code, 60, "{}", run.stderr);
    let drift: Vec<&str> = run
        .stderr
        .lines()
        .filter(|line| line.starts_with("drift: "))
        .collect();
    assert_eq!(drift.len(), 1, "{}", run.stderr);
    assert!(drift[0].contains("another key"), "{}", run.stderr);
    // A record of a program that knew no id is compared as before.
    let id = std::fs::read_dir(world.out("/run/ccsec")).unwrap();
    let journal = id.map(|entry| entry.unwrap().path().join("journal.json"));
    let journal = journal.into_iter().find(|path| path.exists()).unwrap();
    let mut value: serde_json::Value =
        serde_json::from_slice(&std::fs::read(&journal).unwrap()).unwrap();
    value["active"]
        .as_object_mut()
        .unwrap()
        .remove("drift-key")
        .unwrap();
    std::fs::write(&journal, value.to_string()).unwrap();
    let run = world.run(&verify);
    assert!(run.stderr.contains("holds other bytes"), "{}", run.stderr);
    // The next activation writes the digests down under the key that there is.
    let run = world.activate_again(&[]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert_eq!(world.run(&verify).code, 0);
    Ok(())
}
