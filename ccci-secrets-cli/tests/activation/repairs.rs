//! What `repair` and `prune` do: everything that needs no contents.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::fixtures::TOKENS;
use crate::harness::{Skip, Verdict};
use crate::units::{Systemctl, rotate};
use crate::world::{LIVE_CERTIFICATE, LIVE_KEY, World};

fn repair(world: &World) -> crate::world::Run {
    world.run_about_manifest("repair", &[])
}

pub(crate) fn lost_links_are_placed_again_without_any_key(world: &World) -> Verdict {
    let run = world.activate(&world.manifest());
    assert_eq!(run.code, 0, "{}", run.stderr);
    let before = world.snapshot();
    std::fs::remove_dir_all(world.out("/var/lib/ci-certs")).unwrap();
    std::fs::remove_file(world.src("host")).unwrap();
    std::fs::remove_file(world.src("secrets.yaml")).unwrap();
    let run = repair(world);
    assert_eq!(run.code, 0, "{}", run.stderr);
    for path in [LIVE_CERTIFICATE, LIVE_KEY] {
        let line = format!("placed the link {}\n", world.out(path).display());
        assert!(run.stdout.contains(&line), "{}", run.stdout);
    }
    world.assert_complete();
    world.take("secrets.yaml", "secrets.yaml");
    world.take("host", "host");
    before.assert_same(&world.snapshot());
    let run = repair(world);
    assert_eq!(
        run.stdout,
        "there was nothing to repair\ngeneration 1 is active\n"
    );
    before.assert_same(&world.snapshot());
    Ok(())
}

pub(crate) fn what_is_in_the_way_of_a_link_is_a_failed_step(world: &World) -> Verdict {
    let run = world.activate(&world.manifest());
    assert_eq!(run.code, 0, "{}", run.stderr);
    for path in [LIVE_CERTIFICATE, LIVE_KEY] {
        std::fs::remove_file(world.out(path)).unwrap();
    }
    std::fs::write(world.out(LIVE_KEY), "made by hand\n").unwrap();
    let run = repair(world);
    assert_eq!(run.code, 50, "{}", run.stderr);
    assert!(run.stderr.contains("privkey.pem"), "{}", run.stderr);
    let last = run.stderr.lines().last().unwrap_or_default();
    assert_eq!(
        last,
        "generation 1 is active; failed step: links, not all links are in place"
    );
    assert_eq!(
        std::fs::read(world.out(LIVE_KEY)).unwrap(),
        b"made by hand\n"
    );
    // The other one is in its place, and nothing is left beside them.
    assert!(world.out(LIVE_CERTIFICATE).is_symlink());
    let live = world.out("/var/lib/ci-certs/live");
    assert_eq!(std::fs::read_dir(live).unwrap().count(), 2);
    std::fs::remove_file(world.out(LIVE_KEY)).unwrap();
    assert_eq!(repair(world).code, 0);
    world.assert_complete();
    Ok(())
}

/// A run that was killed behind its commit, before a new link took its place; the link.
fn interrupted(world: &World) -> Result<PathBuf, Skip> {
    let strace = Command::new("strace").arg("-V").output();
    if !strace.is_ok_and(|output| output.status.success()) {
        return Err(Skip("strace is not on PATH".into()));
    }
    let mut manifest = world.manifest();
    let run = world.activate(&manifest);
    assert_eq!(run.code, 0, "{}", run.stderr);
    rotate(world, "two");
    manifest["secrets"][0]["path"] = json!("/var/lib/ci-certs/live/token");
    world.write_manifest(&manifest);
    let token = world.out("/var/lib/ci-certs/live/token");
    // Killed at one rename after another, until it was killed between the commit and the rename of the new link.
    let is_between = || world.generation() == Some(2) && !token.exists();
    for nth in 1..20 {
        let script =
            format!("exec strace -f -o /dev/null -e inject=renameat:signal=KILL:when={nth} \"$@\"");
        let mut command = world.shell(&script, &world.activate_arguments(&[]));
        world.finish(command.spawn().unwrap());
        if world.generation() == Some(2) {
            break;
        }
    }
    assert!(is_between(), "generation {:?}", world.generation());
    let run = world.run_about_manifest("verify", &[]);
    assert_eq!(run.code, 60, "{}", run.stderr);
    assert!(
        run.stderr.contains("did not come to its end"),
        "{}",
        run.stderr
    );
    Ok(token)
}

fn assert_finished(world: &World, token: &Path) {
    assert!(
        std::fs::read(token).unwrap() == b"two",
        "the link leads to the new value"
    );
    let run = world.run_about_manifest("verify", &[]);
    assert_eq!(run.code, 0, "{}", run.stderr);
}

pub(crate) fn an_interrupted_run_is_finished(world: &World) -> Verdict {
    let token = interrupted(world)?;
    let run = repair(world);
    assert_eq!(run.code, 0, "{}", run.stderr);
    let told = "a run that had not come to its end was finished\n";
    assert!(run.stdout.starts_with(told), "{}", run.stdout);
    assert_finished(world, &token);
    Ok(())
}

pub(crate) fn the_next_activation_finishes_an_interrupted_one_and_says_so(
    world: &World,
) -> Verdict {
    let token = interrupted(world)?;
    let report = world.src("report.json");
    let run = world.run_about_manifest("activate", &["--report", report.to_str().unwrap()]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    let told = "an earlier run that had not come to its end was finished first\n";
    assert!(run.stdout.starts_with(told), "{}", run.stdout);
    let read = || std::fs::read(&report).unwrap();
    let earlier = |text: &[u8]| {
        let report: Value = serde_json::from_slice(text).unwrap();
        report["earlier_run"].clone()
    };
    assert_eq!(earlier(&read()), json!("finished"));
    assert_finished(world, &token);
    let run = world.run_about_manifest("activate", &["--report", report.to_str().unwrap()]);
    assert!(run.stdout.starts_with("nothing changed"), "{}", run.stdout);
    assert_eq!(earlier(&read()), json!("untouched"));
    Ok(())
}

pub(crate) fn s34_repair_tells_units_that_were_not_told(world: &World) -> Verdict {
    let systemctl = Systemctl::new(world);
    let mut manifest = world.manifest();
    manifest["secrets"][0]["restartUnits"] = json!(["proxy.service"]);
    assert_eq!(systemctl.activate(&manifest).code, 0);
    rotate(world, "two");
    systemctl.answer("exit 5");
    assert_eq!(systemctl.activate(&manifest).code, 50);
    systemctl.calls();
    let run = world.run_about_manifest("verify", &[]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(
        run.stderr.contains("unit proxy.service was not told"),
        "{}",
        run.stderr
    );
    let run = systemctl.repair();
    assert_eq!(run.code, 50, "{}", run.stderr);
    systemctl.answer("exit 0");
    systemctl.calls();
    let run = systemctl.repair();
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert_eq!(
        systemctl.calls(),
        ["/run/secrets.d/2 --no-block try-restart proxy.service"]
    );
    assert!(
        run.stdout.contains("told the unit proxy.service\n"),
        "{}",
        run.stdout
    );
    let run = systemctl.repair();
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert_eq!(systemctl.calls(), Vec::<String>::new());
    world.assert_value(TOKENS[0], b"two");
    Ok(())
}

pub(crate) fn generations_that_nobody_wants_are_pruned(world: &World) -> Verdict {
    let mut manifest = world.manifest();
    manifest["keepGenerations"] = json!(0);
    for version in ["one", "two", "three"] {
        rotate(world, version);
        let run = world.activate(&manifest);
        assert_eq!(run.code, 0, "{}", run.stderr);
    }
    let prune = || world.run_about_manifest("prune", &[]);
    assert_eq!(
        prune().stdout,
        "there was nothing to prune\ngeneration 3 is active\n"
    );
    manifest["keepGenerations"] = json!(1);
    world.write_manifest(&manifest);
    let run = prune();
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert_eq!(
        run.stdout,
        "removed generation 1\nremoved generation 2\ngeneration 3 is active\n"
    );
    assert_eq!(
        std::fs::read_dir(world.out("/run/secrets.d"))
            .unwrap()
            .count(),
        1
    );
    world.assert_value(TOKENS[0], b"three");
    assert_eq!(
        prune().stdout,
        "there was nothing to prune\ngeneration 3 is active\n"
    );
    Ok(())
}

pub(crate) fn an_active_link_that_was_removed_is_made_again(world: &World) -> Verdict {
    let run = world.activate(&world.manifest());
    assert_eq!(run.code, 0, "{}", run.stderr);
    let link = world.out("/run/secrets");
    let text = std::fs::read_link(&link).unwrap();
    std::fs::remove_file(&link).unwrap();
    let verify = world.about_manifest("verify", &["--offline"]);
    let run = world.run(&verify);
    assert_eq!(run.code, 60, "{}", run.stderr);
    assert!(
        run.stderr.contains("the link is not there"),
        "{}",
        run.stderr
    );
    let run = world.run(&world.about_manifest("repair", &[]));
    assert_eq!(run.code, 0, "{}", run.stderr);
    let told = format!("placed the link {}", link.display());
    assert!(run.stdout.contains(&told), "{}", run.stdout);
    assert_eq!(std::fs::read_link(&link).unwrap(), text);
    world.assert_complete();
    assert_eq!(world.run(&verify).code, 0);
    // Where the generation itself is gone there is nothing to lead to.
    std::fs::remove_file(&link).unwrap();
    std::fs::remove_dir_all(world.out("/run/secrets.d/1")).unwrap();
    let run = world.run(&world.about_manifest("repair", &[]));
    assert_eq!(run.code, 50, "{}", run.stderr);
    assert!(!run.stdout.contains("nothing to repair"), "{}", run.stdout);
    assert!(
        run.stderr.contains("is not there any more"),
        "{}",
        run.stderr
    );
    // Nor is it active because a link says so.
    std::os::unix::fs::symlink(&text, &link).unwrap();
    let run = world.run(&world.about_manifest("repair", &[]));
    assert_eq!(run.code, 50, "{}", run.stderr);
    assert_eq!(run.stdout, "no generation is active\n");
    Ok(())
}

pub(crate) fn where_nothing_was_activated_there_is_nothing_to_prune(world: &World) -> Verdict {
    world.write_manifest(&world.manifest());
    let run = world.run(&world.about_manifest("prune", &[]));
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert_eq!(
        run.stdout,
        "there was nothing to prune\nno generation is active\n"
    );
    Ok(())
}
