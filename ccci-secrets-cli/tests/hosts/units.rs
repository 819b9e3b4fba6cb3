//! Units that were made for a manifest, in real boots.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::fixtures::TOKENS;
use crate::harness::Verdict;
use crate::machine::{Machine, systemd_version};
use crate::world::{LIVE_KEY, World, secret};

pub(crate) fn a_machine_boots_and_comes_back_with_what_it_wrote(_world: &World) -> Verdict {
    let machine = Machine::new()?;
    machine.write_private("/etc/ccsec/told", "before the boot\n");
    machine.install_program();

    let first = machine.boot(
        "cat /etc/ccsec/told; systemctl --version | head -n 1
        echo kept >/var/lib/kept; echo lost >/run/lost
        ccsec --version; false; exit 3",
    );
    assert_eq!(first.exit, 3, "{first:?}");
    assert!(first.printed.starts_with("before the boot\n"), "{first:?}");
    assert!(first.printed.contains(&systemd_version()), "{first:?}");
    assert!(first.printed.contains("ccsec "), "{first:?}");
    assert!(first.journal.contains("Basic System"), "{first:?}");

    let second = machine.boot_and_succeed("cat /var/lib/kept; test ! -e /run/lost");
    assert_eq!(second, "kept\n");
    assert!(machine.written().join("var/lib/kept").exists());
    Ok(())
}

/// A machine with the secrets of the fixtures, its host key, and the units of a manifest.
pub(crate) struct Host<'w> {
    world: &'w World,
    pub(crate) machine: Machine,
}

const HOST_KEY: &str = "/etc/ssh/ssh_host_ed25519_key";
pub(crate) const MANIFEST: &str = "/etc/ccsec/manifest.json";
const FOR_USERS: &str = "/etc/ccsec/for-users.json";
pub(crate) const SERVICE: &str = "ccsec-activate.service";

impl<'w> Host<'w> {
    pub(crate) fn new(world: &'w World, machine: Machine) -> Self {
        machine.install_program();
        let fixtures = world.fixtures();
        machine.write_private(HOST_KEY, fixtures.read("host"));
        machine.write_private("/etc/ccsec/secrets.yaml", fixtures.read("secrets.yaml"));
        Self { world, machine }
    }

    /// The manifest of the operator, with the key where sshd keeps it.
    pub(crate) fn manifest(&self) -> Value {
        let mut manifest = self.world.manifest();
        manifest["ageSshKeyPaths"] = json!([HOST_KEY]);
        manifest
    }

    /// A manifest of one secret, `test_secret`, with more fields.
    fn manifest_of_one(&self, fields: &Value) -> Value {
        let mut manifest = self.manifest();
        let mut only = secret("test_secret", "0400");
        for (name, value) in fields.as_object().unwrap() {
            only[name] = value.clone();
        }
        manifest["secrets"] = json!([only]);
        manifest
    }

    /// Puts a manifest into its place, makes its units, and enables the service.
    pub(crate) fn install(&self, manifest: &Value, flags: &[&str]) {
        self.install_at(MANIFEST, manifest, flags, SERVICE);
    }

    fn install_at(&self, path: &str, manifest: &Value, flags: &[&str], service: &str) {
        self.machine.write(path, manifest.to_string());
        let root = self.machine.path("/");
        let made = Command::new(self.world.program())
            .arg("systemd-unit")
            .args(["--install", "--program", "/usr/bin/ccsec", "--root"])
            .arg(&root)
            .args(flags)
            .arg(self.machine.path(path))
            .output()
            .unwrap();
        assert!(made.status.success(), "{made:?}");
        let enabled = Command::new("systemctl")
            .arg("--root")
            .arg(&root)
            .args(["enable", service])
            .output()
            .unwrap();
        assert!(enabled.status.success(), "{enabled:?}");
    }

    /// A service that starts only with the key in place, and stays.
    pub(crate) fn write_proxy(&self) {
        self.machine.write(
            "/etc/systemd/system/proxy.service",
            format!(
                "[Service]\nExecStartPre=/usr/bin/test -s {LIVE_KEY}\nExecStart=/bin/sleep infinity\nExecReload=/bin/true\n"
            ),
        );
    }

    /// Files of secrets in which `test_secret` is `value 1`, `value 2` and so on, in `/etc/ccsec/1` and so on.
    fn write_versions(&self, count: usize) {
        let fixtures = self.world.fixtures();
        for version in 1..=count {
            let plain = fixtures.plaintext(|name| match name {
                "test_secret" => format!("value {version}").into_bytes(),
                _ => fixtures.value(name),
            });
            let sealed = fixtures.seal(&plain, &[&fixtures.host]);
            self.machine
                .write_private(&format!("/etc/ccsec/{version}"), sealed);
        }
    }
}

/// It reads a secret when it starts, and is started more often than systemd allows by itself.
const READER: &str = "[Unit]
StartLimitIntervalSec=0

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/sh -c 'cat /run/secrets/test_secret; echo'
StandardOutput=append:/read
";

/// Functions of the scripts.
pub(crate) const FUNCTIONS: &str = r#"
pid() { systemctl show -p MainPID --value "$1"; }
state() { systemctl is-active "$1" || true; }
code() { systemctl show -p ExecMainStatus --value ccsec-activate.service; }
settled() { while systemctl list-jobs --no-legend | grep -v probe | grep -q .; do sleep 0.02; done; }
expect() { [ "$2" = "$3" ] || { echo "$1: expected $2, found $3"; systemctl status --no-pager -l ccsec-activate proxy; exit 1; }; }
"#;

fn telling_proxy(host: &Host<'_>) -> Value {
    let mut manifest = host.manifest();
    for entry in manifest["secrets"].as_array_mut().unwrap() {
        if entry["path"] == LIVE_KEY {
            entry["restartUnits"] = json!(["proxy.service"]);
        }
    }
    manifest
}

pub(crate) fn s14_a_refusal_holds_back_whoever_needs_the_secrets(world: &World) -> Verdict {
    let host = Host::new(world, Machine::new()?);
    host.write_proxy();
    let mut manifest = telling_proxy(&host);
    manifest["ageKeyFile"] = json!("/var/lib/keys/key.txt");
    host.install(&manifest, &[]);
    let fixtures = world.fixtures();
    host.machine
        .write_private("/etc/ccsec/key.txt", fixtures.read("recovery.txt"));
    let told = host.machine.boot_and_succeed(&format!(
        r#"{FUNCTIONS}
        expect "the activation at boot" failed "$(state {SERVICE})"
        expect "its exit code" 20 "$(code)"
        expect "the rest of the boot" active "$(state sysinit.target)"
        systemctl start proxy && exit 1
        expect proxy inactive "$(state proxy)"
        expect "what ran of proxy" 0 "$(systemctl show -p ExecMainPID --value proxy)"
        systemctl status --no-pager proxy || true

        install -D -m 0600 /etc/ccsec/key.txt /var/lib/keys/key.txt
        systemctl start proxy
        expect "the activation with its key" active "$(state {SERVICE})"
        before=$(pid proxy)

        systemctl reload {SERVICE}; settled
        expect "proxy after a reload" "$before" "$(pid proxy)"

        rm /var/lib/keys/key.txt
        systemctl reload {SERVICE} && exit 1
        settled
        expect "proxy after a reload that failed" "$before" "$(pid proxy)"
        expect "the activation after a reload that failed" active "$(state {SERVICE})"
        test -s {LIVE_KEY}
        "#
    ));
    assert!(told.contains("50-ccsec-activate.conf"), "{told}");
    assert!(
        told.contains("Dependency failed for proxy.service"),
        "{told}"
    );
    Ok(())
}

pub(crate) fn s14_a_later_step_that_failed_holds_nobody_back(world: &World) -> Verdict {
    let host = Host::new(world, Machine::new()?);
    host.write_proxy();
    host.write_versions(1);
    let mut manifest = telling_proxy(&host);
    manifest["onFirstBoot"] = json!("partial");
    manifest["secrets"][0]["restartUnits"] = json!(["nosuch.service"]);
    let mut absent = secret("absent", "0400");
    absent["key"] = json!("absent");
    manifest["secrets"].as_array_mut().unwrap().push(absent);
    host.install(&manifest, &[]);
    host.machine.boot_and_succeed(&format!(
        r#"{FUNCTIONS}
        expect "the exit code at boot" 50 "$(code)"
        expect "the activation at boot" active "$(state {SERVICE})"
        systemctl start proxy
        before=$(pid proxy)

        sed -i 's/"key":"absent"/"key":"test_secret"/' {MANIFEST}
        systemctl reload {SERVICE}
        cp /etc/ccsec/1 /etc/ccsec/secrets.yaml
        systemctl reload {SERVICE}; settled
        journalctl --sync
        journalctl -b -u {SERVICE} -p err | grep -q 'nosuch.service'
        journalctl -b -u {SERVICE} -p err | grep -q 'is active; failed step: '
        expect "the new value" "value 1" "$(cat /run/secrets/test_secret)"
        expect "the activation" active "$(state {SERVICE})"
        expect proxy "$before" "$(pid proxy)"
        "#
    ));
    Ok(())
}

pub(crate) fn s35_a_service_that_reads_at_start_reads_what_is_new(world: &World) -> Verdict {
    const ROTATIONS: usize = 30;
    let host = Host::new(world, Machine::new()?);
    host.write_proxy();
    host.write_versions(ROTATIONS);
    host.machine
        .write("/etc/systemd/system/reader.service", READER);
    let manifest = host.manifest_of_one(&json!({
        "path": LIVE_KEY,
        "restartUnits": ["reader.service"],
        "reloadUnits": ["proxy.service"],
    }));
    host.install(&manifest, &[]);
    let read = host.machine.boot_and_succeed(&format!(
        r#"{FUNCTIONS}
        systemctl start proxy reader
        before=$(pid proxy)
        : >/read
        for version in $(seq {ROTATIONS}); do
            cp "/etc/ccsec/$version" /etc/ccsec/secrets.yaml
            systemctl reload {SERVICE}; settled
        done
        expect proxy "$before" "$(pid proxy)"
        cat /read
        "#
    ));
    let expected: Vec<String> = (1..=ROTATIONS)
        .map(|version| format!("value {version}"))
        .collect();
    assert_eq!(read.lines().collect::<Vec<_>>(), expected);
    Ok(())
}

pub(crate) fn s35_units_that_are_told_while_the_machine_boots_hold_nothing_up(
    world: &World,
) -> Verdict {
    let host = Host::new(world, Machine::new()?);
    host.write_versions(2);
    host.machine
        .write("/etc/systemd/system/reader.service", READER);
    // A generation is there before the service runs, as one from the first stage of a boot is.
    host.machine.write(
        &format!("/etc/systemd/system/{SERVICE}.d/earlier.conf"),
        "[Service]\nExecStartPre=/usr/bin/ccsec activate /etc/ccsec/manifest.json\nExecStartPre=+/bin/cp /etc/ccsec/2 /etc/ccsec/secrets.yaml\n",
    );
    let sealed = std::fs::read(host.machine.path("/etc/ccsec/1")).unwrap();
    host.machine
        .write_private("/etc/ccsec/secrets.yaml", sealed);
    host.install(
        &host.manifest_of_one(&json!({"restartUnits": ["reader.service"]})),
        &[],
    );
    host.machine.write(
        "/etc/systemd/system/probe.target.d/reader.conf",
        "[Unit]\nWants=reader.service\n",
    );
    let read = host.machine.boot_and_succeed(&format!(
        r#"{FUNCTIONS}
        settled
        expect "the activation" active "$(state {SERVICE})"
        journalctl --sync
        journalctl -b -u {SERVICE} | grep -q 'reader.service'
        sort -u /read
        "#
    ));
    assert_eq!(read, "value 2\n");
    Ok(())
}

pub(crate) fn s47_every_unit_is_sound_and_confined(world: &World) -> Verdict {
    let host = Host::new(world, Machine::new()?);
    host.write_proxy();
    let early = "ccsec-activate-for-users.service";
    let mut manifest = telling_proxy(&host);
    manifest["credentials"] =
        json!([{"unit": "proxy.service", "name": "token", "secret": "test_secret"}]);
    host.install(&manifest, &["--on-failure", "mail@%n.service"]);
    host.install_at(FOR_USERS, &for_users(&host), &[], early);
    let mut swapping = host.manifest_of_one(&json!({}));
    swapping["secretsMountPoint"] = json!("/run/swapping.d");
    swapping["symlinkPath"] = json!("/run/swapping");
    swapping["useTmpfs"] = json!(true);
    host.install_at(
        "/etc/ccsec/tmpfs.json",
        &swapping,
        &["--name", "ccsec-tmpfs", "--network"],
        "ccsec-tmpfs.service",
    );
    host.machine.write(
        "/etc/systemd/system/mail@.service",
        "[Service]\nExecStart=/bin/true\n",
    );
    let user = json!({
        "userMode": true, "secretsMountPoint": "%r/secrets.d", "symlinkPath": "%r/secrets",
        "ageKeyFile": "/root/key.txt", "secrets": [secret("test_secret", "0400")],
    });
    host.machine.write("/etc/ccsec/user.json", user.to_string());
    host.machine.boot_and_succeed(&format!(
        r#"
        units="{SERVICE} {early} ccsec-tmpfs.service ccsec-secrets.target run-secrets.d.mount proxy.service ccsec-creds.socket ccsec-creds.service"
        systemd-analyze verify --recursive-errors=no $units run-secrets\\x2dfor\\x2dusers.d.mount >/tmp/said 2>&1
        cat /tmp/said; test ! -s /tmp/said
        for unit in {SERVICE} {early} ccsec-creds.service; do
            systemd-analyze security --offline=true --threshold=45 "/etc/systemd/system/$unit" >/tmp/said
            systemd-analyze security --threshold=45 "$unit" | tail -n 1
        done

        ccsec systemd-unit --install --unit-dir /etc/systemd/user /etc/ccsec/user.json
        export XDG_RUNTIME_DIR=/run/user/0; mkdir -p $XDG_RUNTIME_DIR
        systemd-analyze verify --user --recursive-errors=no /etc/systemd/user/{SERVICE} >/tmp/said 2>&1 || true
        cat /tmp/said; test ! -s /tmp/said

        sed -i 's/^Before=/Befor=/' /etc/systemd/system/{SERVICE}
        systemd-analyze verify --recursive-errors=no {SERVICE} >/tmp/said 2>&1 && exit 1
        grep -q "Befor" /tmp/said
        "#
    ));
    Ok(())
}

pub(crate) fn s48_the_service_writes_to_its_targets_and_nowhere_else(world: &World) -> Verdict {
    let host = Host::new(world, Machine::new()?);
    host.install(&host.manifest(), &[]);
    host.machine.write(
        &format!("/etc/systemd/system/{SERVICE}.d/tries.conf"),
        "[Service]\nExecStartPost=/bin/sh /tries.sh\n",
    );
    host.machine.write(
        "/tries.sh",
        "for place in /etc /usr /srv /root /home /boot /opt /var/lib /var/lib/ci-certs /var/lib/ci-certs/live /run /var/lib/ccsec; do
            touch $place/tried 2>/dev/null && echo $place
        done >/run/tried
        mount -t tmpfs none /run/lock 2>/dev/null && echo mount >>/run/tried
        mknod /run/device b 8 0 2>/dev/null && echo mknod >>/run/tried
        true",
    );
    let told = host.machine.boot_and_succeed(&format!(
        r#"{FUNCTIONS}
        expect "the activation" active "$(state {SERVICE})"
        cat /run/tried
        stat -c %a /run/secrets.d
        findmnt -n -o FSTYPE,OPTIONS /run/secrets.d
        cmp {LIVE_KEY} /run/secrets/wildcard_key
        ccsec verify {MANIFEST} >/dev/null
        ccsec verify --offline {MANIFEST} >/dev/null
        "#
    ));
    assert_eq!(
        told,
        "/var/lib/ci-certs/live\n/run\n/var/lib/ccsec\n751\nramfs  rw,nosuid,nodev,noexec,relatime,mode=751\n"
    );
    Ok(())
}

/// What is there before users are made: one password.
fn for_users(host: &Host<'_>) -> Value {
    let mut manifest = host.manifest_of_one(&json!({"neededForUsers": true}));
    manifest["secretsMountPoint"] = json!("/run/secrets-for-users.d");
    manifest["symlinkPath"] = json!("/run/secrets-for-users");
    manifest
}

/// What has to be active after each boot.
const ALL_ACTIVE: &str = r#"
for unit in ccsec-activate ccsec-activate-for-users systemd-sysusers systemd-tmpfiles-setup; do
    expect $unit active "$(state $unit.service)"
done
test -s /run/secrets-for-users/test_secret
systemctl start ccsec-secrets.target
"#;

fn install_both(host: &Host<'_>) {
    host.install(&host.manifest(), &[]);
    let service = "ccsec-activate-for-users.service";
    host.install_at(FOR_USERS, &for_users(host), &[], service);
}

pub(crate) fn s48b_a_blank_machine_starts(world: &World) -> Verdict {
    let host = Host::new(world, Machine::without(&["/var/lib"])?);
    install_both(&host);
    host.machine.boot_and_succeed(&format!(
        "{FUNCTIONS}{ALL_ACTIVE}
        test -s {LIVE_KEY} && test -s /var/lib/ccsec/drift.key
        ccsec verify --offline {MANIFEST}"
    ));
    // Once more: everything in /run is new, what is in /var/lib is not.
    host.machine
        .boot_and_succeed(&format!("{FUNCTIONS}{ALL_ACTIVE}"));
    Ok(())
}

pub(crate) fn s48b_users_are_made_although_var_is_mounted_later(world: &World) -> Verdict {
    let host = Host::new(world, Machine::new()?);
    install_both(&host);
    host.machine
        .write("/etc/fstab", "none /var tmpfs mode=0755 0 0\n");
    host.machine
        .boot_and_succeed(&format!("{FUNCTIONS}{ALL_ACTIVE}"));
    // What implies tmpfiles makes a circle, and one of the units is left out: this test would see it.
    host.machine.write(
        "/etc/systemd/system/ccsec-activate-for-users.service.d/circle.conf",
        "[Service]\nPrivateTmp=yes\n",
    );
    let boot = host
        .machine
        .boot(&format!("set -eu\n{FUNCTIONS}{ALL_ACTIVE}"));
    assert_ne!(boot.exit, 0, "{boot:?}");
    assert!(boot.printed.contains("expected active"), "{boot:?}");
    Ok(())
}

pub(crate) fn targets_of_any_kind_are_reached(world: &World) -> Verdict {
    let odd = r#"/srv/a b/50%n "q" back\slash $HOME/key"#;
    let host = Host::new(world, Machine::new()?);
    let mut manifest = host.manifest();
    let paths = [
        odd,
        "/srv/link/below/key",
        "/srv/late/new/key",
        "/home/somebody/key",
        "/tmp/x/key",
    ];
    let entries = TOKENS.iter().zip(paths).map(|(name, path)| {
        let mut entry = secret(name, "0400");
        entry["path"] = json!(path);
        entry["reloadUnits"] = json!([r"odd\x2dname@1:2.service"]);
        entry
    });
    manifest["secrets"] = entries.collect();
    std::fs::create_dir_all(host.machine.path("/srv/real")).unwrap();
    std::os::unix::fs::symlink("real", host.machine.path("/srv/link")).unwrap();
    host.machine
        .write("/etc/fstab", "none /srv/late tmpfs mode=0755 0 0\n");
    host.machine.write(
        r"/etc/systemd/system/odd\x2dname@.service",
        "[Service]\nExecStart=/bin/sleep infinity\n",
    );
    host.install(&manifest, &[]);
    host.machine.write("/paths", paths.join("\n") + "\n");
    host.machine.boot_and_succeed(&format!(
        r#"{FUNCTIONS}
        systemd-analyze verify --recursive-errors=no {SERVICE}
        systemctl start 'odd\x2dname@1:2.service'
        while IFS= read -r path; do
            test -s "$path" || {{ echo "nothing at $path"; exit 1; }}
        done </paths
        findmnt -n /srv/late
        test -s /srv/real/below/key
        "#
    ));
    Ok(())
}

pub(crate) fn a_link_goes_with_its_secret_although_its_directory_is_nobodys_target(
    world: &World,
) -> Verdict {
    let host = Host::new(world, Machine::new()?);
    host.install(&host.manifest_of_one(&json!({"path": "/srv/old/key"})), &[]);
    host.machine.write(
        "/etc/ccsec/next.json",
        host.manifest_of_one(&json!({})).to_string(),
    );
    host.machine.boot_and_succeed(&format!(
        r#"{FUNCTIONS}
        test -L /srv/old/key
        cp /etc/ccsec/next.json {MANIFEST}
        ccsec systemd-unit --install {MANIFEST}
        systemctl daemon-reload
        systemctl reload {SERVICE}
        test ! -L /srv/old/key
        grep -q /srv/old /etc/systemd/system/{SERVICE}
        ccsec systemd-unit --install {MANIFEST}
        ! grep -q /srv/old /etc/systemd/system/{SERVICE}
        "#
    ));
    Ok(())
}

pub(crate) fn what_is_missing_at_boot_can_come_later(world: &World) -> Verdict {
    let host = Host::new(world, Machine::new()?);
    host.write_proxy();
    host.install(&telling_proxy(&host), &[]);
    let manifest = host.machine.path(MANIFEST);
    std::fs::rename(&manifest, manifest.with_extension("later")).unwrap();
    host.machine.boot_and_succeed(&format!(
        r#"{FUNCTIONS}
        expect "the exit code without a manifest" 10 "$(code)"
        systemctl start proxy && exit 1
        mv /etc/ccsec/manifest.later {MANIFEST}
        systemctl start proxy
        before=$(pid proxy)

        used=$(df --output=used -k /run | tail -n 1)
        mount -o "remount,size=$((used + 512))k" /run
        dd if=/dev/zero of=/run/filler bs=4k 2>/dev/null || true
        dd if=/dev/zero of=/run/filled bs=1 2>/dev/null || true
        sed -i 's/"0444"/"0440"/' {MANIFEST}
        systemctl reload {SERVICE} && exit 1
        rm /run/filler /run/filled
        mount -o remount,size=1G /run
        journalctl --sync
        journalctl -b -u {SERVICE} | grep -q 'No space left on device'
        expect "mode after a full /run" 444 "$(stat -L -c %a /run/secrets/wildcard_cert)"
        expect "proxy after a full /run" "$before" "$(pid proxy)"
        systemctl reload {SERVICE}; settled
        expect "mode after there was room" 440 "$(stat -L -c %a /run/secrets/wildcard_cert)"

        rm /etc/systemd/system/{SERVICE}
        ln -s /dev/null /etc/systemd/system/{SERVICE}
        systemctl daemon-reload
        systemctl stop proxy
        systemctl start proxy 2>/tmp/said && exit 1
        grep -q masked /tmp/said
        ccsec systemd-unit --install --force {MANIFEST} 2>/tmp/said && exit 1
        grep -q 'systemctl unmask' /tmp/said
        "#
    ));
    Ok(())
}

pub(crate) fn a_sandbox_that_hides_mounts_is_noticed(world: &World) -> Verdict {
    let host = Host::new(world, Machine::new()?);
    let mut manifest = host.manifest_of_one(&json!({}));
    manifest["useTmpfs"] = json!(true);
    manifest["allowSwap"] = json!(true);
    host.install(&manifest, &[]);
    assert!(!Path::new(&host.machine.path("/etc/systemd/system/run-secrets.d.mount")).exists());
    host.machine.boot_and_succeed(&format!(
        r#"{FUNCTIONS}
        expect "the activation that mounts by itself" active "$(state {SERVICE})"
        expect "the file system" tmpfs "$(findmnt -n -o FSTYPE /run/secrets.d)"
        test -s /run/secrets/test_secret
        "#
    ));
    host.machine.write(
        &format!("/etc/systemd/system/{SERVICE}.d/hides.conf"),
        "[Service]\nProtectSystem=full\n",
    );
    let boot = host
        .machine
        .boot(&format!("set -eu\n{FUNCTIONS}\nexpect code 40 \"$(code)\""));
    assert_eq!(boot.exit, 0, "{boot:?}");
    assert!(boot.journal.contains("mount namespace"), "{boot:?}");
    Ok(())
}
