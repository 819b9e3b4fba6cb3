//! What activation leaves behind when all goes well.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::Command;

use serde_json::json;

use crate::fixtures::{CERTIFICATE, CERTIFICATE_KEY, TOKENS};
use crate::harness::{Skip, Verdict};
use crate::world::{LIVE_CERTIFICATE, LIVE_KEY, Place, Run, World, mode, secret};

pub(crate) fn s03_certificate_and_key_are_where_the_proxy_looks(world: &World) -> Verdict {
    assert_certificate_in_place(world);
    // The same from a file that the library sealed, if the first one was made by sops.
    let fixtures = world.fixtures();
    let plain = fixtures.plaintext(|name| fixtures.value(name));
    let sealed = fixtures.seal(&plain, &[&world.host, &world.recovery]);
    world.write("secrets.yaml", &sealed);
    assert_certificate_in_place(world);
    Ok(())
}

fn assert_certificate_in_place(world: &World) {
    let run = world.activate(&world.manifest());
    assert_eq!(run.code, 0, "{}", run.stderr);
    world.assert_complete();
    for (path, name, bits) in [
        (LIVE_CERTIFICATE, CERTIFICATE, 0o444),
        (LIVE_KEY, CERTIFICATE_KEY, 0o400),
    ] {
        let live = world.out(path);
        let link = std::fs::read_link(&live).unwrap();
        match world.place {
            Place::Machine => assert_eq!(link, Path::new(&format!("/run/secrets/{name}"))),
            Place::BelowDirectory => assert!(link.is_relative(), "{}", link.display()),
        }
        assert_eq!(mode(&live), bits);
        let found = std::fs::metadata(&live).unwrap();
        let own = std::fs::metadata(world.src("")).unwrap();
        assert_eq!((found.uid(), found.gid()), (own.uid(), own.gid()));
    }
}

pub(crate) fn s04_the_ssh_host_key_alone_opens_everything(world: &World) -> Verdict {
    let run = world.activate(&world.manifest());
    assert_eq!(run.code, 0, "{}", run.stderr);
    world.assert_complete();
    let report = world.report();
    assert_eq!(report["schema"], json!(1));
    assert_eq!(report["files"].as_array().unwrap().len(), 1);
    assert_eq!(report["files"][0]["opened_by"]["kind"], json!("ssh"));
    assert_eq!(
        report["files"][0]["opened_by"]["recipient"],
        json!(world.host)
    );
    assert_eq!(report["files"][0]["mac"], json!("ok"));
    assert_eq!(report["secrets"].as_array().unwrap().len(), 8);
    if world.place == Place::Machine {
        let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap();
        let mount = mounts
            .lines()
            .find(|line| line.contains(" /run/secrets.d "))
            .unwrap();
        for word in ["ramfs", "nodev", "nosuid", "noexec"] {
            assert!(mount.contains(word), "{mount}");
        }
    }
    Ok(())
}

pub(crate) fn s12_files_of_the_operator_are_adopted_or_kept(world: &World) -> Verdict {
    let place = |name: &str, text: &[u8]| {
        let path = world.out(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o644);
        std::fs::set_permissions(path, mode).unwrap();
    };
    // Equal content: the file gives way to the link.
    let (certificate, key) = (
        world.fixtures().value(CERTIFICATE),
        world.fixtures().value(CERTIFICATE_KEY),
    );
    place(LIVE_CERTIFICATE, &certificate);
    place(LIVE_KEY, &key);
    let run = world.activate(&world.manifest());
    assert_eq!(run.code, 0, "{}", run.stderr);
    world.assert_complete();

    // Other content: refused, and the file stays.
    std::fs::remove_file(world.out(LIVE_CERTIFICATE)).unwrap();
    place(LIVE_CERTIFICATE, b"made by hand\n");
    let run = world.assert_refused(42, || world.activate_again(&[]));
    assert!(run.stderr.contains("fullchain.pem"), "{}", run.stderr);

    // Other content, and the manifest says that a copy is kept.
    let mut manifest = world.manifest();
    for entry in manifest["secrets"].as_array_mut().unwrap() {
        entry["onConflict"] = json!("backup");
    }
    let run = world.activate(&manifest);
    assert_eq!(run.code, 0, "{}", run.stderr);
    world.assert_complete();
    let live = world.out(LIVE_CERTIFICATE);
    let backups: Vec<_> = std::fs::read_dir(live.parent().unwrap())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.to_str().unwrap().contains(".ccsec-backup-"))
        .collect();
    assert_eq!(backups.len(), 1, "{backups:?}");
    assert_eq!(std::fs::read(&backups[0]).unwrap(), b"made by hand\n");
    assert_eq!(mode(&backups[0]), 0o600);
    assert!(
        run.stderr.contains("ccsec-backup-"),
        "the backup is reported: {}",
        run.stderr
    );
    give_it_back(world, &backups[0]);
    Ok(())
}

/// The operator wants the file back: content and mode are as they were, and the link is gone.
fn give_it_back(world: &World, backup: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    let live = world.out(LIVE_CERTIFICATE);
    // Somebody has put a file there: it stays.
    std::fs::remove_file(&live).unwrap();
    std::fs::write(&live, "newer\n").unwrap();
    world.assert_refused(42, || {
        world.run_about_manifest("repair", &["--give-back", LIVE_CERTIFICATE])
    });
    std::fs::remove_file(&live).unwrap();
    // Nothing was kept for the key.
    let run = world.run_about_manifest("repair", &["--give-back", LIVE_KEY]);
    assert_eq!(run.code, 42, "{}", run.stderr);
    assert!(run.stderr.contains("no file is kept for"), "{}", run.stderr);
    assert!(
        run.stderr.contains("there is nothing to give back"),
        "{}",
        run.stderr
    );

    let run = world.run_about_manifest("repair", &[]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    world.assert_complete();
    let run = world.run_about_manifest("repair", &["--give-back", LIVE_CERTIFICATE]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(run.stdout.contains("fullchain.pem"), "{}", run.stdout);
    let found = live.symlink_metadata().unwrap();
    assert!(found.is_file(), "the link is gone");
    assert_eq!(found.permissions().mode() & 0o7777, 0o644);
    assert_eq!(std::fs::read(&live).unwrap(), b"made by hand\n");
    assert!(!backup.exists());

    // The manifest still wants its link: the file is kept once more.
    let run = world.activate_again(&[]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    world.assert_complete();
    let seen_from_outside = live.to_str().unwrap();
    let run = world.run_about_manifest("repair", &["--give-back", seen_from_outside]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert_eq!(std::fs::read(&live).unwrap(), b"made by hand\n");
}

pub(crate) fn s36_modes_and_owners_are_exact_under_any_umask(world: &World) -> Verdict {
    let mut manifest = world.manifest();
    let mut shared = secret(TOKENS[0], "0660");
    shared["uid"] = json!(65534);
    shared["gid"] = json!(1001);
    let mut public = secret(TOKENS[1], "0444");
    public["name"] = json!("below/public");
    manifest["secrets"] = json!([shared, public, secret(TOKENS[2], "0400")]);
    world.write_manifest(&manifest);
    let trace = world.aside("trace");
    let run = run_under_umask(world, &trace);
    assert_eq!(run.code, 0, "{}", run.stderr);
    for (name, bits, uid, gid) in [
        (TOKENS[0], 0o660, 65534, 1001),
        ("below/public", 0o444, 0, 0),
        (TOKENS[2], 0o400, 0, 0),
    ] {
        let found = std::fs::metadata(world.out(&format!("/run/secrets/{name}"))).unwrap();
        assert_eq!(found.mode() & 0o7777, bits, "{name}");
        assert_eq!((found.uid(), found.gid()), (uid, gid), "{name}");
    }
    for name in ["/run/secrets/", "/run/secrets/below"] {
        assert_eq!(mode(&world.out(name)), 0o751, "{name}");
    }
    let Ok(calls) = std::fs::read_to_string(&trace) else {
        return Err(Skip("modes are exact; that no file can be read before is not shown, as strace is not on PATH".into()));
    };
    assert_created_without_permissions(&calls);
    Ok(())
}

/// Runs activation under `umask 077`, and under strace where there is one.
fn run_under_umask(world: &World, trace: &Path) -> Run {
    let strace = Command::new("strace").arg("-V").output();
    let tracing = if strace.is_ok_and(|output| output.status.success()) {
        format!(
            "strace -f -e trace=openat,openat2,fchmod -o '{}' ",
            trace.display()
        )
    } else {
        String::new()
    };
    let script = format!("umask 077; exec {tracing}\"$@\"");
    let mut command = world.shell(&script, &world.activate_arguments(&[]));
    world.finish(command.spawn().unwrap())
}

/// Each file of the stage comes into being with mode 0, so that nobody can open it before its mode is set.
fn assert_created_without_permissions(calls: &str) {
    let names = [TOKENS[0], "public\"", TOKENS[2]];
    let created: Vec<&str> = calls
        .lines()
        .filter(|line| line.contains("O_CREAT") && names.iter().any(|name| line.contains(name)))
        .collect();
    assert_eq!(created.len(), 3, "{created:#?}");
    for call in created {
        // How strace prints it depends on the call and its version.
        let without = ["mode=000", "mode=0,", "mode=0}", ", 000)"];
        assert!(
            call.contains("O_EXCL") && without.iter().any(|mode| call.contains(mode)),
            "{call}"
        );
    }
}

pub(crate) fn a_second_run_changes_nothing_and_says_so(world: &World) -> Verdict {
    let run = world.activate(&world.manifest());
    assert_eq!(run.code, 0, "{}", run.stderr);
    let generation = world.generation();
    let before = world.snapshot();
    let arguments = world.activate_arguments(&[]);
    let without_report: Vec<&String> = arguments
        .iter()
        .filter(|word| !word.contains("report"))
        .collect();
    let run = world.run(&without_report);
    assert_eq!(run.code, 0, "{}", run.stderr);
    let said = format!("{}{}", run.stdout, run.stderr);
    assert!(said.contains("nothing changed"), "{said}");
    before.assert_same(&world.snapshot());
    assert_eq!(world.generation(), generation);
    Ok(())
}

pub(crate) fn a_report_that_nobody_can_read_is_a_failed_step_and_no_refusal(
    world: &World,
) -> Verdict {
    world.write_manifest(&world.manifest());
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full");
    let mut command = world.command(&world.activate_arguments(&[]));
    command.stdout(full.map_err(|error| Skip(format!("/dev/full: {error}")))?);
    let run = world.finish(command.spawn().unwrap());
    assert_eq!(run.code, 50, "{}", run.stderr);
    let last = run.stderr.lines().last().unwrap_or_default();
    assert_eq!(last, "generation 1 is active; failed step: report");
    world.assert_complete();
    Ok(())
}

pub(crate) fn two_runs_at_once_both_end_well(world: &World) -> Verdict {
    world.write_manifest(&world.manifest());
    for _ in 0..5 {
        let arguments = world.activate_arguments(&[]);
        let children: Vec<_> = (0..4)
            .map(|_| world.command(&arguments).spawn().unwrap())
            .collect();
        for child in children {
            let run = world.finish(child);
            assert_eq!(run.code, 0, "{}", run.stderr);
        }
        world.assert_complete();
    }
    Ok(())
}

pub(crate) fn rotation_makes_a_new_generation_and_removes_the_old_one(world: &World) -> Verdict {
    let run = world.activate(&world.manifest());
    assert_eq!(run.code, 0, "{}", run.stderr);
    let first = world.generation().unwrap();
    let fixtures = world.fixtures();
    let plain = fixtures.plaintext(|name| match name {
        "test_secret" => b"rotated".to_vec(),
        _ => fixtures.value(name),
    });
    world.write("secrets.yaml", &fixtures.seal(&plain, &[&world.host]));
    let run = world.activate_again(&[]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert_eq!(world.generation(), Some(first + 1));
    world.assert_value("test_secret", b"rotated");
    assert!(!world.out(&format!("/run/secrets.d/{first}")).exists());
    let said = format!("{}{}", run.stdout, run.stderr);
    let changed = said
        .lines()
        .filter(|line| line.contains("test_secret"))
        .count();
    assert!(changed > 0, "the changed secret is named: {said}");
    Ok(())
}

pub(crate) fn links_that_went_are_placed_again_and_told(world: &World) -> Verdict {
    let run = world.activate(&world.manifest());
    assert_eq!(run.code, 0, "{}", run.stderr);
    let generation = world.generation();
    let live = world.out(LIVE_CERTIFICATE);
    std::fs::remove_file(&live).unwrap();
    // The key has no place of its own any more.
    let mut manifest = world.manifest();
    for entry in manifest["secrets"].as_array_mut().unwrap() {
        if entry["name"] == CERTIFICATE_KEY {
            entry.as_object_mut().unwrap().remove("path");
        }
    }
    let run = world.activate(&manifest);
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert_eq!(world.generation(), generation);
    assert!(live.exists() && !world.out(LIVE_KEY).exists());
    assert!(!run.stdout.contains("nothing changed"), "{}", run.stdout);
    for path in [LIVE_CERTIFICATE, LIVE_KEY] {
        let shown = world.out(path);
        assert!(
            run.stdout.contains(shown.to_str().unwrap()),
            "{}",
            run.stdout
        );
    }
    let report = world.report();
    assert_eq!(report["result"], json!("links-corrected"));
    assert_eq!(
        report["links"]["placed"],
        json!([world.out(LIVE_CERTIFICATE)])
    );
    assert_eq!(report["links"]["removed"], json!([world.out(LIVE_KEY)]));
    Ok(())
}
