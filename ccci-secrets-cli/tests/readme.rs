//! Every command of the README works, in the order in which they stand there.
//!
//! They run as root of a mount namespace, in which `/etc`, `/run` and `/var/lib` are private
//! and next to empty.
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "a test that drives the real program"
)]

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

const README: &str = include_str!("../../README.md");

/// The commands that the project promises; they run elsewhere: the first in the activation scenarios, the second is the
/// one that runs this test, the third is cargo's.
const OF_CARGO: [&str; 3] = [
    "cargo run --release -p ccci-secrets-cli -- activate --root target/quickstart testdata/quickstart/manifest.json",
    "cargo test --workspace --locked",
    "cargo install --locked --path ccci-secrets-cli",
];

/// The fenced blocks of one language.
fn blocks(language: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut block: Option<(bool, Vec<&str>)> = None;
    for line in README.lines() {
        match (&mut block, line.strip_prefix("```")) {
            (None, Some(name)) => block = Some((name == language, Vec::new())),
            (Some(_), Some("")) => {
                let (wanted, lines) = block.take().unwrap();
                if wanted {
                    found.push(lines.join("\n"));
                }
            }
            (Some((_, lines)), _) => lines.push(line),
            (None, None) => {}
        }
    }
    assert!(
        block.is_none(),
        "the last block of the README is not closed"
    );
    found
}

/// What a machine has before its first command, and what an editor does.
const BEFORE: &str = r#"
set -euo pipefail
mkdir etc "$HOME"
for name in passwd group ld.so.cache; do
    [ ! -e "/etc/$name" ] || cp "/etc/$name" etc/
done
for directory in /etc /run /var/lib; do
    mount -t tmpfs -o mode=0755 none "$directory"
done
cp etc/* /etc/
mkdir /etc/ssh /etc/ccsec
cat >"$PWD/editor" <<'EOF'
#!/bin/sh
sed -i 's/in May/in June/' "$1"
EOF
chmod +x editor
export EDITOR="$PWD/editor"
ssh-keygen -q -t ed25519 -N '' -f /etc/ssh/ssh_host_ed25519_key
printf 'battery staple' >new-password.txt
printf -- '-----BEGIN EC PRIVATE KEY-----\nnot a key\n-----END EC PRIVATE KEY-----\n' >privkey.pem
ccsec key generate >recovery.txt
"#;

/// Runs between the everyday tasks and those on a machine, where the README says only "a manifest".
const DEPLOY: &str = r#"
grep -q '^# Who to ask' <(ccsec decrypt secrets/app.yaml)
[ "$(ccsec decrypt --extract '["db"]["password"]' secrets/app.yaml)" = 'battery staple' ]
ccsec decrypt secrets/app.yaml | grep -q 'password: "battery staple"   # rotated in June'
[ "$(ccsec decrypt secrets/app.yaml | grep -c port)" = 0 ]
ccsec decrypt --extract '["tls"]["key"]' secrets/app.yaml | cmp - privkey.pem
cp -r secrets .sops.yaml manifest.json /etc/ccsec/
mv "$HOME/.config/sops/age/keys.txt" elsewhere
"#;

const AFTER: &str = r#"
[ "$(cat /run/secrets/db-password)" = 'battery staple' ]
cmp privkey.pem /var/lib/proxy/privkey.pem
cmp recovery.txt /var/lib/ccsec/recovery.txt
[ "$(ccsec key show --in /var/lib/ccsec/host.txt)" = "$(ccsec key show --ssh /etc/ssh/ssh_host_ed25519_key.pub)" ]
ccsec activate /etc/ccsec/manifest.json | grep -q 'nothing changed'
"#;

fn script() -> String {
    let shell = blocks("sh");
    let (of_cargo, own) = shell.split_at(OF_CARGO.len());
    assert_eq!(of_cargo, OF_CARGO, "the first commands of the README");
    let machine = own
        .iter()
        .position(|block| block.contains("ccsec check"))
        .unwrap();
    let (everyday, machine) = own.split_at(machine);
    [
        &[BEFORE.to_owned()],
        everyday,
        &[DEPLOY.to_owned()],
        machine,
        &[AFTER.to_owned()],
    ]
    .concat()
    .join("\n")
}

/// The ways to become root of a namespace, best first.
fn namespace() -> Option<&'static [&'static str]> {
    let ways: [&[&str]; 2] = [&["-m", "--propagation", "private"], &["-r", "-m"]];
    ways.into_iter().find(|way| {
        let probe = Command::new("unshare")
            .args(*way)
            .args(["sh", "-c", "mount -t ramfs none /run"])
            .stderr(Stdio::null())
            .status();
        probe.is_ok_and(|status| status.success())
    })
}

fn has_ssh_keygen() -> bool {
    let found = Command::new("ssh-keygen")
        .arg("-?")
        .stderr(Stdio::null())
        .status();
    found.is_ok()
}

#[test]
fn every_command_of_the_readme_works() {
    let script = script();
    let manifests = blocks("json");
    assert_eq!(manifests.len(), 1, "the README shows one manifest");
    let (Some(namespace), true) = (namespace(), has_ssh_keygen()) else {
        drop(writeln!(
            std::io::stderr(),
            "skip: the README's commands need ssh-keygen and the right to mount in a namespace"
        ));
        return;
    };
    let directory = tempfile::tempdir().unwrap();
    let file = |name: &str| directory.path().join(name);
    std::fs::write(file("manifest.json"), &manifests[0]).unwrap();
    std::fs::write(file("script"), script).unwrap();
    let program = Path::new(env!("CARGO_BIN_EXE_ccsec"));
    let path = format!(
        "{}:/usr/sbin:/usr/bin:/sbin:/bin",
        program.parent().unwrap().display()
    );
    let output = Command::new("unshare")
        .args(namespace)
        .args(["bash", "script"])
        .current_dir(directory.path())
        .env_clear()
        .env("PATH", path)
        .env("HOME", file("home"))
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}\n{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}
