//! The Debian package: built, installed, used as its own README says, upgraded, removed and purged.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::json;

use crate::fixtures::TOKENS;
use crate::harness::{Skip, Verdict};
use crate::machine::Machine;
use crate::world::{World, secret};

pub(crate) fn a_package_is_installed_used_upgraded_removed_and_purged(world: &World) -> Verdict {
    let (first, second) = (package(world, "1")?, package(world, "2")?);
    let again = package_in(world, "again", "1")?;
    let is_same = std::fs::read(&first).unwrap() == std::fs::read(again).unwrap();
    assert!(is_same, "the same source gives the same package");
    assert_lintian_is_content(&first);
    let machine = machine_of(world)?;
    machine.write("/root/first.deb", std::fs::read(first).unwrap());
    machine.write("/root/second.deb", std::fs::read(second).unwrap());

    let commands = commands_of_the_readme();
    machine.boot_and_succeed(&format!(
        "dpkg -i /root/first.deb
        test ! -e /run/secrets
        test \"$(stat -c '%a %U:%G' /var/lib/ccsec /etc/ccsec)\" = \"$(printf '700 root:root\\n755 root:root')\"
        getent group keys
        man -l /usr/share/man/man1/ccsec.1.gz | grep -q SYNOPSIS
        man -l /usr/share/man/man1/ccsec-activate.1.gz | grep -q -e --root
        bash -n /usr/share/bash-completion/completions/ccsec
        cd / && md5sum --quiet -c /var/lib/dpkg/info/ccsec.md5sums
        /usr/lib/ccsec/sops-install-secrets -check-mode=manifest /etc/ccsec/manifest.json
        systemctl is-enabled ccsec-creds.socket && exit 1
        {commands}
        {USED}
        for unit in ccsec-creds.socket ccsec-creds.service; do
            tail -n +2 /etc/systemd/system/$unit | cmp - /usr/lib/systemd/system/$unit
        done
        systemctl start reader.service
        test \"$(stat -c %G /run/secrets.d)\" = keys
        echo key >/var/lib/ccsec/recovery.txt"
    ));

    machine.boot_and_succeed(&format!(
        "{USED}
        systemctl start reader.service
        before=$(readlink /run/secrets)
        ls -i /var/lib/ccsec >/tmp/state
        dpkg -i /root/second.deb
        dpkg-query -W -f '${{Version}}' ccsec | grep -q -e '-2$'
        {USED}
        test \"$(readlink /run/secrets)\" = \"$before\"
        ls -i /var/lib/ccsec | cmp - /tmp/state
        ccsec verify /etc/ccsec/manifest.json

        systemctl start reader.service
        dpkg -r ccsec 2>/tmp/told
        grep -q /etc/systemd/system/ccsec-activate.service /tmp/told
        test ! -e /usr/bin/ccsec
        {USED}
        ls -i /var/lib/ccsec | cmp - /tmp/state
        test -e /etc/ccsec/manifest.json
        systemctl is-active ccsec-activate.service

        dpkg -P ccsec 2>/tmp/told
        grep -q 'may be a key' /tmp/told
        {USED}
        test \"$(ls /var/lib/ccsec)\" = recovery.txt
        test -e /etc/ccsec/manifest.json
        test -z \"$(grep -rl 'ccsec systemd-unit' /etc/systemd/system /etc/tmpfiles.d)\"
        test -z \"$(find /etc/systemd/system -xtype l -name 'ccsec*')\""
    ));
    // Nothing of it is left that would fail.
    let last = machine.boot("systemctl --failed --no-legend | grep ccsec; test ! -e /run/secrets");
    assert_eq!(last.exit, 0, "{last:#?}");
    assert!(!last.printed.contains("ccsec"), "{last:#?}");
    Ok(())
}

/// The secrets are there, and they are those of the source.
const USED: &str = "cmp /run/secrets/test_secret /root/value";

/// The package of this source in a revision.
fn package(world: &World, revision: &str) -> Result<PathBuf, Skip> {
    package_in(world, "packages", revision)
}

fn package_in(world: &World, directory: &str, revision: &str) -> Result<PathBuf, Skip> {
    for program in ["dpkg-deb", "dpkg", "strip", "man"] {
        if Command::new(program).arg("--version").output().is_err() {
            return Err(Skip(format!("{program} is not installed")));
        }
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("dist/debian/build");
    let built = Command::new(script)
        .args(["--revision", revision, "--output-dir"])
        .arg(world.aside(directory))
        .env("SOURCE_DATE_EPOCH", "1700000000")
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&built.stderr);
    assert!(built.status.success(), "{told}");
    let path = String::from_utf8(built.stdout).unwrap();
    Ok(path.trim().into())
}

fn assert_lintian_is_content(package: &Path) {
    let told = Command::new("lintian")
        .args(["--fail-on", "error,warning", "--allow-root"])
        .arg(package)
        .output();
    match told {
        Err(error) => println!("SKIPPED: lintian cannot be started: {error}"),
        Ok(told) => assert!(
            told.status.success(),
            "{}",
            String::from_utf8_lossy(&told.stdout)
        ),
    }
}

/// A host with a manifest, its sops file and its SSH key, and without anything of ours.
fn machine_of(world: &World) -> Result<Machine, Skip> {
    let machine = Machine::new()?;
    let fixture = |name: &str| std::fs::read(world.fixtures().dir().join(name)).unwrap();
    machine.write_private("/etc/ssh/ssh_host_ed25519_key", fixture("host"));
    machine.write("/etc/ssh/ssh_host_ed25519_key.pub", fixture("host.pub"));
    machine.write("/etc/ccsec/secrets.yaml", fixture("secrets.yaml"));
    let manifest = json!({
        "secretsMountPoint": "/run/secrets.d",
        "symlinkPath": "/run/secrets",
        "keepGenerations": 1,
        "ageSshKeyPaths": ["/etc/ssh/ssh_host_ed25519_key"],
        "secrets": [secret(TOKENS[0], "0400")],
        "credentials": [{"unit": "reader.service", "name": "token", "secret": TOKENS[0]}],
    });
    machine.write("/etc/ccsec/manifest.json", manifest.to_string());
    machine.write(
        "/etc/systemd/system/reader.service",
        "[Service]\nType=oneshot\nExecStart=cmp %d/token /root/value\n",
    );
    machine.write_private("/root/value", world.fixtures().value(TOKENS[0]));
    Ok(machine)
}

/// Every line that the README of the package has people paste.
fn commands_of_the_readme() -> String {
    let text = include_str!("../../dist/debian/README.Debian");
    let commands: Vec<&str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("    "))
        .collect();
    assert!(commands.len() > 5, "{commands:?}");
    commands.join("\n")
}
