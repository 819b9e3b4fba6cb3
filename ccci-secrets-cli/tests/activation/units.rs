//! Units that are told that something changed for them. A `systemctl` of the test stands in for the real one: it writes down
//! what it was called with, and where the link led then.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::fixtures::TOKENS;
use crate::harness::Verdict;
use crate::world::{LIVE_KEY, Run, World, mode, secret};

/// The stand-in, and what it wrote down.
pub(crate) struct Systemctl<'w> {
    world: &'w World,
    directory: PathBuf,
}

impl<'w> Systemctl<'w> {
    pub(crate) fn new(world: &'w World) -> Self {
        let directory = world.aside("bin");
        std::fs::create_dir(&directory).unwrap();
        let stand_in = Self { world, directory };
        stand_in.answer("exit 0");
        stand_in
    }

    /// Where it lies.
    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    /// What it does when it is called.
    pub(crate) fn answer(&self, script: &str) {
        let log = self.directory.join("log");
        let text = format!(
            "#!/bin/sh\necho \"$(/bin/readlink /run/secrets)\" \"$@\" >>{}\n{script}\n",
            log.display()
        );
        let path = self.directory.join("systemctl");
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// The calls since this was last asked.
    pub(crate) fn calls(&self) -> Vec<String> {
        let log = self.directory.join("log");
        let text = std::fs::read_to_string(&log).unwrap_or_default();
        drop(std::fs::remove_file(log));
        text.lines().map(str::to_owned).collect()
    }

    pub(crate) fn activate(&self, manifest: &Value) -> Run {
        self.world.write_manifest(manifest);
        self.activate_with(&[("PATH", self.directory.to_str().unwrap())])
    }

    pub(crate) fn repair(&self) -> Run {
        let mut command = self
            .world
            .command(&self.world.about_manifest("repair", &[]));
        command.env("PATH", &self.directory);
        self.world.finish(command.spawn().unwrap())
    }

    fn activate_with(&self, variables: &[(&str, &str)]) -> Run {
        let arguments = self.world.activate_arguments(&[]);
        let mut command = self.world.command(&arguments);
        command.envs(variables.iter().copied());
        self.world.finish(command.spawn().unwrap())
    }
}

/// Five secrets; the units of each are those given.
fn manifest(world: &World, units: [(&[&str], &[&str]); 5]) -> Value {
    let mut manifest = world.manifest();
    let secrets = TOKENS.iter().zip(units).map(|(name, (restart, reload))| {
        let mut entry = secret(name, "0400");
        entry["restartUnits"] = json!(restart);
        entry["reloadUnits"] = json!(reload);
        entry
    });
    manifest["secrets"] = secrets.collect();
    manifest
}

/// Gives every token another value.
pub(crate) fn rotate(world: &World, version: &str) {
    let fixtures = world.fixtures();
    let plain = fixtures.plaintext(|name| match TOKENS.contains(&name) {
        true => version.as_bytes().to_vec(),
        false => fixtures.value(name),
    });
    world.write("secrets.yaml", &fixtures.seal(&plain, &[&world.host]));
}

const RECONCILERS: [(&[&str], &[&str]); 5] = [
    (&["five.service", "one.service"], &[]),
    (&["one.service"], &["two.service", "proxy.service"]),
    (&["two.service", "two.service"], &[]),
    (&["three.service"], &["proxy.service"]),
    (&["four.service"], &["three.service"]),
];

pub(crate) fn s18_each_unit_is_told_once_after_the_swap_and_none_on_the_first_run(
    world: &World,
) -> Verdict {
    let systemctl = Systemctl::new(world);
    let manifest = manifest(world, RECONCILERS);
    assert_eq!(systemctl.activate(&manifest).code, 0);
    assert_eq!(systemctl.calls(), Vec::<String>::new(), "F13");
    rotate(world, "two");
    let run = systemctl.activate(&manifest);
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert_eq!(
        systemctl.calls(),
        [
            "/run/secrets.d/2 --no-block try-restart five.service one.service two.service three.service four.service",
            "/run/secrets.d/2 --no-block try-reload-or-restart proxy.service",
        ]
    );
    assert!(
        run.stdout.contains("> reload   proxy.service"),
        "{}",
        run.stdout
    );
    let told = world.report()["units"].clone();
    assert_eq!(
        told[0],
        json!({"unit": "five.service", "action": "restart", "told": true})
    );
    assert_eq!(told.as_array().unwrap().len(), 6);
    // Nothing changed, nobody is told.
    assert_eq!(systemctl.activate(&manifest).code, 0);
    assert_eq!(systemctl.calls(), Vec::<String>::new());
    Ok(())
}

pub(crate) fn s17_a_change_of_the_manifest_alone_restarts_nothing(world: &World) -> Verdict {
    let systemctl = Systemctl::new(world);
    let mut manifest = manifest(world, RECONCILERS);
    assert_eq!(systemctl.activate(&manifest).code, 0);
    world.take("recovery.txt", "key.txt");
    manifest["ageKeyFile"] = json!("key.txt");
    let run = systemctl.activate(&manifest);
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(
        run.stdout
            .starts_with("only the manifest changed: generation 1 "),
        "{}",
        run.stdout
    );
    assert_eq!(systemctl.calls(), Vec::<String>::new());
    let run = systemctl.activate(&manifest);
    assert!(
        run.stdout.starts_with("nothing changed: generation 1 "),
        "{}",
        run.stdout
    );
    Ok(())
}

pub(crate) fn s34_a_unit_that_does_not_exist_blocks_nothing_and_is_tried_again(
    world: &World,
) -> Verdict {
    let systemctl = Systemctl::new(world);
    let mut units = RECONCILERS;
    units[0] = (&["nosuch.service", "one.service"], &["proxy.service"]);
    let typo = manifest(world, units);
    assert_eq!(systemctl.activate(&typo).code, 0);
    // As systemd 252 answers: the other unit is restarted.
    systemctl.answer(
        "case \"$*\" in *nosuch*) echo 'Failed to try-restart nosuch.service: Unit nosuch.service not found.' >&2; exit 5;; esac",
    );
    rotate(world, "two");
    let run = systemctl.activate(&typo);
    assert_eq!(run.code, 50, "{}", run.stderr);
    assert_eq!(world.generation(), Some(2));
    world.assert_value(TOKENS[0], b"two");
    assert!(
        run.stderr.contains("unit nosuch.service: is not found"),
        "{}",
        run.stderr
    );
    let last = run.stderr.lines().last().unwrap_or_default();
    assert_eq!(
        last,
        "generation 2 is active; failed step: units, not all units were told"
    );
    assert_eq!(systemctl.calls().len(), 2);
    assert!(
        !world.out("/run/secrets.d/1").exists(),
        "pruned all the same"
    );

    // Only the one that was not told is tried again.
    let run = systemctl.activate(&typo);
    assert_eq!(run.code, 50, "{}", run.stderr);
    assert_eq!(
        systemctl.calls(),
        ["/run/secrets.d/2 --no-block try-restart nosuch.service"]
    );

    // The manifest is corrected: the unit that does not exist is of no interest any more.
    let corrected = manifest(world, RECONCILERS);
    let run = systemctl.activate(&corrected);
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(run.stderr.contains("nosuch.service"), "{}", run.stderr);
    systemctl.calls();
    assert_eq!(systemctl.activate(&corrected).code, 0);
    assert_eq!(systemctl.calls(), Vec::<String>::new());

    // No systemctl at all: everything waits for the next run.
    rotate(world, "three");
    let run = systemctl.activate_with(&[("PATH", "/nonexistent")]);
    assert_eq!(run.code, 50, "{}", run.stderr);
    assert!(
        run.stderr.contains("systemctl cannot be started"),
        "{}",
        run.stderr
    );
    world.assert_value(TOKENS[0], b"three");
    systemctl.answer("exit 1");
    assert_eq!(systemctl.activate(&corrected).code, 50);
    assert_eq!(systemctl.calls().len(), 2);
    systemctl.answer("exit 0");
    let run = systemctl.activate(&corrected);
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert_eq!(systemctl.calls().len(), 2);
    assert_eq!(systemctl.activate(&corrected).code, 0);
    assert_eq!(systemctl.calls(), Vec::<String>::new());
    Ok(())
}

pub(crate) fn s38_changes_of_mode_and_secrets_that_went_are_told_to_their_units(
    world: &World,
) -> Verdict {
    let systemctl = Systemctl::new(world);
    let mut manifest = manifest(world, RECONCILERS);
    manifest["secrets"][4]["path"] = json!(LIVE_KEY);
    assert_eq!(systemctl.activate(&manifest).code, 0);

    manifest["secrets"][2]["mode"] = json!("0440");
    let run = systemctl.activate(&manifest);
    assert_eq!(run.code, 0, "{}", run.stderr);
    let name = TOKENS[2];
    assert!(
        run.stdout
            .contains(&format!("~ 0440 {name} (mode changed)")),
        "{}",
        run.stdout
    );
    assert_eq!(mode(&world.out(&format!("/run/secrets/{name}"))), 0o440);
    assert_eq!(
        systemctl.calls(),
        ["/run/secrets.d/2 --no-block try-restart two.service"]
    );

    assert!(world.out(LIVE_KEY).is_symlink());
    manifest["secrets"].as_array_mut().unwrap().pop();
    let run = systemctl.activate(&manifest);
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(
        run.stdout.contains(&format!("- removed  {}", TOKENS[4])),
        "{}",
        run.stdout
    );
    assert!(!world.out(LIVE_KEY).is_symlink());
    assert_eq!(
        systemctl.calls(),
        [
            "/run/secrets.d/3 --no-block try-restart four.service",
            "/run/secrets.d/3 --no-block try-reload-or-restart three.service",
        ]
    );
    Ok(())
}

pub(crate) fn while_nixos_switches_units_go_into_its_lists(world: &World) -> Verdict {
    let systemctl = Systemctl::new(world);
    let manifest = manifest(world, RECONCILERS);
    assert_eq!(systemctl.activate(&manifest).code, 0);
    let lists = world.out("/run/nixos");
    std::fs::create_dir(&lists).unwrap();
    rotate(world, "two");
    let path = ("PATH", systemctl.directory.to_str().unwrap());
    let run = systemctl.activate_with(&[("NIXOS_ACTION", "switch"), path]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    let list = |name: &str| std::fs::read_to_string(lists.join(name)).unwrap();
    assert_eq!(
        list("activation-restart-list"),
        "five.service\none.service\ntwo.service\nthree.service\nfour.service\n"
    );
    assert_eq!(list("activation-reload-list"), "proxy.service\n");
    assert_eq!(mode(&lists.join("activation-restart-list")), 0o600);
    assert_eq!(systemctl.calls(), Vec::<String>::new());
    // The unit that does it on a NixOS with systemd in the first stage says so.
    rotate(world, "three");
    let switch = ("SOPS_RESTART_UNITS_VIA_SYSTEMCTL", "1");
    let run = systemctl.activate_with(&[("NIXOS_ACTION", "switch"), switch, path]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert_eq!(systemctl.calls().len(), 2);
    Ok(())
}

pub(crate) fn s27_by_our_own_name_a_rehearsal_is_a_plan(world: &World) -> Verdict {
    let systemctl = Systemctl::new(world);
    let manifest = manifest(world, RECONCILERS);
    std::fs::create_dir(world.out("/run/nixos")).unwrap();
    world.write_manifest(&manifest);
    let rehearse = || {
        let before = world.snapshot();
        let path = ("PATH", systemctl.directory().to_str().unwrap());
        let run = systemctl.activate_with(&[("NIXOS_ACTION", "dry-activate"), path]);
        assert_eq!(run.code, 0, "{}", run.stderr);
        before.assert_same(&world.snapshot());
        assert_eq!(systemctl.calls(), Vec::<String>::new());
        run.stdout
    };
    let told = rehearse();
    assert!(told.contains(&format!("+ 0400 {}", TOKENS[0])), "{told}");
    assert_eq!(systemctl.activate(&manifest).code, 0);
    rotate(world, "two");
    let told = rehearse();
    assert!(told.contains(&format!("~ 0400 {}", TOKENS[0])), "{told}");
    assert!(told.contains("five.service"), "{told}");
    assert_eq!(world.generation(), Some(1));
    Ok(())
}

/// What the program has inherited ends with it: the service manager is told, and gets no open file of ours.
pub(crate) fn programs_that_are_started_inherit_no_open_file(world: &World) -> Verdict {
    let bin = world.aside("bin");
    std::fs::create_dir(&bin).unwrap();
    let seen = world.aside("seen");
    let script = format!("#!/bin/sh\n/bin/ls -l /proc/$$/fd >>{}\n", seen.display());
    std::fs::write(bin.join("systemctl"), script).unwrap();
    std::fs::set_permissions(
        bin.join("systemctl"),
        std::os::unix::fs::PermissionsExt::from_mode(0o755),
    )
    .unwrap();
    let mut manifest = world.manifest();
    manifest["secrets"][0]["restartUnits"] = json!(["a.service"]);
    world.write_manifest(&manifest);
    std::fs::write(world.aside("inherited"), "").unwrap();
    let script = format!(
        "exec 7<{0} 9<{0}; exec \"$@\"",
        world.aside("inherited").display()
    );
    let run = |arguments: &[String]| {
        let mut command = world.shell(&script, arguments);
        command.env("PATH", format!("{}:/usr/bin:/bin", bin.display()));
        let run = world.finish(command.spawn().unwrap());
        assert_eq!(run.code, 0, "{}", run.stderr);
    };
    run(&world.activate_arguments(&[]));
    let fixtures = world.fixtures();
    let plain = fixtures.plaintext(|name| match name {
        _ if name == TOKENS[0] => b"rotated".to_vec(),
        _ => fixtures.value(name),
    });
    world.write("secrets.yaml", &fixtures.seal(&plain, &[&world.host]));
    run(&world.activate_arguments(&[]));
    let seen = std::fs::read_to_string(&seen).unwrap();
    assert!(!seen.contains("inherited"), "{seen}");
    Ok(())
}
