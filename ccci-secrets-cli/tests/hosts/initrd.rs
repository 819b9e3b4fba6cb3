//! Activation where there is next to nothing: in an initrd, and on a machine whose plug is pulled while it runs.

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use crate::fixtures::{CERTIFICATE, CERTIFICATE_KEY, TOKENS, write_private};
use crate::guest::Initrd;
use crate::harness::Verdict;
use crate::world::{LIVE_CERTIFICATE, LIVE_KEY, World, secret};

/// A manifest of one secret with its own mount and link, opened by the key of the host.
fn manifest_of_one(place: &str, more: &Value) -> String {
    let mut manifest = json!({
        "secretsMountPoint": format!("/run/{place}.d"),
        "symlinkPath": format!("/run/{place}"),
        "ageSshKeyPaths": ["host"],
        "secrets": [secret(TOKENS[0], "0400")],
    });
    for (name, value) in more.as_object().unwrap() {
        manifest[name] = value.clone();
    }
    manifest.to_string()
}

/// The words behind a mark at the beginning of a line.
#[track_caller]
fn told<'t>(printed: &'t str, mark: &str) -> &'t str {
    let mut lines = printed.lines();
    let line = lines.find_map(|line| line.strip_prefix(mark)?.strip_prefix(": "));
    line.unwrap_or_else(|| panic!("no {mark}: {printed}"))
}

const IN_INITRD: &str = r#"
mkdir /sysroot
secret() { sha256sum "$1" | cut -d ' ' -f 1; }
kind() { grep " /run/$1.d " /proc/mounts | cut -d ' ' -f 3,4; }

test -e /etc/passwd && echo "there are accounts"
ccsec activate /etc/ccsec/ramfs.json >/out 2>&1; echo "ramfs exit: $?"; cat /out
echo "ramfs: $(secret /run/ramfs/test_secret) $(kind ramfs)"
ccsec activate /etc/ccsec/ramfs.json >/out 2>&1; echo "again: $(cat /out)"

ccsec activate /etc/ccsec/tmpfs.json >/out 2>&1; echo "tmpfs exit: $?"
sed 's/^/tmpfs told: /' /out
echo "tmpfs: $(secret /run/tmpfs/test_secret) $(kind tmpfs)"

ccsec activate /etc/ccsec/owned.json >/out 2>&1; echo "owned exit: $?"
ccsec activate --ignore-passwd /etc/ccsec/owned.json >/out 2>&1; echo "ignoring exit: $?"
echo "ignoring: $(secret /run/owned/test_secret) $(stat -c %u:%g /run/owned/test_secret)"

ccsec activate /etc/ccsec/later.json >/out 2>&1; echo "before exit: $?"
sed 's/^/before told: /' /out
mount -t ext4 /dev/vda /sysroot
ccsec activate /etc/ccsec/later.json >/out 2>&1; echo "after exit: $?"; cat /out

mkdir -p /sysroot/run /sysroot/proc /sysroot/dev /sysroot/bin
cp /bin/busybox /sysroot/bin/busybox
for name in run proc dev; do mount -o move /$name /sysroot/$name; done
exec switch_root /sysroot /second
"#;

const SECOND: &str = r#"#!/bin/busybox sh
echo "switched: $(/bin/busybox sha256sum /run/later/test_secret | /bin/busybox cut -d ' ' -f 1)"
/bin/busybox sync
/bin/busybox poweroff -f
"#;

pub(crate) fn s52_an_initrd_without_accounts_has_its_secrets_in_memory(world: &World) -> Verdict {
    let initrd = Initrd::new()?;
    let fixtures = world.fixtures();
    let manifests = [
        ("ramfs", json!({})),
        ("tmpfs", json!({"useTmpfs": true})),
        ("owned", json!({})),
        (
            "later",
            json!({"ageSshKeyPaths": [], "ageKeyFile": "/sysroot/keys/key.txt"}),
        ),
    ];
    for (name, more) in manifests {
        let mut manifest: Value = serde_json::from_str(&manifest_of_one(name, &more)).unwrap();
        if name == "owned" {
            manifest["secrets"][0]["owner"] = json!("somebody");
        }
        initrd.write(&format!("etc/ccsec/{name}.json"), manifest.to_string());
    }
    for name in ["host", "secrets.yaml"] {
        initrd.write(&format!("etc/ccsec/{name}"), fixtures.read(name));
    }
    let disk = initrd.aside("content");
    std::fs::create_dir_all(disk.join("keys")).unwrap();
    write_private(&disk.join("keys/key.txt"), &fixtures.read("recovery.txt"));
    write_private(&disk.join("second"), SECOND.as_bytes());
    initrd.pack(
        IN_INITRD
            .replace("/second", "/bin/busybox sh /second")
            .as_str(),
    );
    let disk = initrd.make_disk(&disk)?;

    let printed = initrd.boot(&disk).finish();
    let digest =
        ccci_secrets::digest::hex(&ccci_secrets::digest::sha256(&fixtures.value(TOKENS[0])));
    let told = |mark| told(&printed, mark);
    assert!(!printed.contains("there are accounts"), "{printed}");
    assert_eq!(told("ramfs exit"), "0", "{printed}");
    let (found, mounted) = told("ramfs").split_once(' ').unwrap();
    assert_eq!(found, digest);
    assert!(
        mounted.starts_with("ramfs rw,nosuid,nodev,noexec"),
        "{mounted}"
    );
    assert!(told("again").starts_with("nothing changed"), "{printed}");

    assert_eq!(told("tmpfs exit"), "0", "{printed}");
    let (found, mounted) = told("tmpfs").split_once(' ').unwrap();
    assert_eq!(found, digest);
    let warns = printed.contains("tmpfs told: warning: ") && printed.contains("may be swapped out");
    assert!(mounted.starts_with("tmpfs "), "{mounted}");
    // Kernels before 6.4 know no `noswap`; the others have nothing to warn of.
    assert_ne!(warns, mounted.contains("noswap"), "{printed}");

    assert_eq!(told("owned exit"), "10", "{printed}");
    assert_eq!(told("ignoring exit"), "0", "{printed}");
    assert_eq!(told("ignoring"), format!("{digest} 0:0"));

    assert_eq!(told("before exit"), "20", "{printed}");
    assert!(
        printed.contains("before told:   the nearest directory above it that exists is /sysroot: is a file system not mounted there yet?"),
        "{printed}"
    );
    assert_eq!(told("after exit"), "0", "{printed}");
    assert_eq!(told("switched"), digest, "{printed}");
    Ok(())
}

/// The last words of each path, and then runs that rotate the values until the plug is pulled.
const ROTATING: &str = r#"
mount -t ext4 /dev/vda /disk || off
seen() {
    words=
    for path in PATHS; do
        word=$(cat "/disk/root$path" 2>/dev/null) || word=missing
        words="$words ${word##* }"
    done
    echo "$1:$words"
}
left() {
    echo "$1: $(find /disk/root \( -name '.stage-*' -o -name '.ccsec-*' -o -name '*.new' \) ! -name .ccsec-lock 2>/dev/null | tr '\n' ' ')"
    echo "$1 generations: $(ls /disk/root/run/secrets.d 2>/dev/null | wc -l)"
}
seen found
left found
ccsec activate --root /disk/root /disk/src/b.json >/out 2>&1; echo "exit: $?"; cat /out
seen made
left made
echo ROTATING
while true; do
    for version in a b; do
        ccsec activate --root /disk/root /disk/src/$version.json >/out 2>&1 || { echo "FAILED $?"; cat /out; }
        echo "RUN $version"
    done
done
"#;

const NAMES: [&str; 3] = [TOKENS[0], CERTIFICATE, CERTIFICATE_KEY];

/// How often the plug is pulled; more often by this variable.
fn times() -> u64 {
    let asked = std::env::var("CCSEC_POWER_CUTS").ok();
    asked.map_or(4, |text| text.parse().expect("a number"))
}

fn write_versions(world: &World, source: &Path) {
    let fixtures = world.fixtures();
    std::fs::create_dir_all(source).unwrap();
    write_private(&source.join("host"), &fixtures.read("host"));
    for version in ["a", "b"] {
        let plain: String = NAMES
            .iter()
            .map(|name| format!("{name}: {name} {version}\n"))
            .collect();
        let sealed = fixtures.seal(&plain, &[&world.host]);
        write_private(&source.join(format!("{version}.yaml")), &sealed);
        let mut secrets = NAMES.map(|name| secret(name, "0400"));
        for entry in &mut secrets {
            entry["sopsFile"] = json!(format!("{version}.yaml"));
        }
        secrets[1]["path"] = json!(LIVE_CERTIFICATE);
        secrets[2]["path"] = json!(LIVE_KEY);
        let manifest = json!({
            "secretsMountPoint": "/run/secrets.d", "symlinkPath": "/run/secrets",
            "keepGenerations": 1, "ageSshKeyPaths": ["host"], "secrets": secrets,
        });
        write_private(
            &source.join(format!("{version}.json")),
            manifest.to_string().as_bytes(),
        );
    }
}

pub(crate) fn s52_a_plug_that_is_pulled_leaves_old_or_new(world: &World) -> Verdict {
    let initrd = Initrd::new()?;
    let content = initrd.aside("content");
    write_versions(world, &content.join("src"));
    let disk = initrd.make_disk(&content)?;
    let own = NAMES.map(|name| format!("/run/secrets/{name}"));
    let paths = [own.join(" "), LIVE_CERTIFICATE.into(), LIVE_KEY.into()].join(" ");
    initrd.pack(&ROTATING.replace("PATHS", &paths));

    let count = NAMES.len() + 2;
    let all = |version: &str| vec![version; count].join(" ");
    let (mut interrupted, mut runs) = (0, 0);
    for nth in 0..=times() {
        let mut guest = initrd.boot(&disk);
        let printed = guest.read_to("ROTATING");
        let found = told(&printed, "found");
        let whole = [all("a"), all("b")].contains(&found.to_owned());
        let blank = nth == 0 && found == all("missing");
        assert!(whole || blank, "pulled {nth} times: {printed}");
        // The next run makes what it is asked for, and nothing is left of the one before.
        assert_eq!(told(&printed, "exit"), "0", "{printed}");
        assert_eq!(told(&printed, "made"), all("b"), "{printed}");
        assert!(!printed.contains("made: /"), "{printed}");
        assert_eq!(told(&printed, "made generations"), "1", "{printed}");
        let left = printed.contains("found: /");
        let more = nth > 0 && told(&printed, "found generations") != "1";
        interrupted += usize::from(left || more);
        if nth < times() {
            guest.read_to("RUN a");
            runs += 1;
            // Somewhere in the runs after that, at another moment each time.
            guest.kill_after(Duration::from_millis(31 + nth * 137 % 700));
        }
    }
    println!("  pulled {runs} times, {interrupted} times in the middle of a run");
    Ok(())
}
