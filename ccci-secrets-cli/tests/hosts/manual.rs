//! What the manual has people paste, on a machine and in a configuration.

use crate::harness::Verdict;
use crate::machine::Machine;
use crate::world::World;

const PAGE: &str = include_str!("../../../ccci-secrets/src/manual/06_hosts.rs");

/// The fenced blocks of one language.
pub(crate) fn blocks(language: &str) -> Vec<String> {
    let text: String = PAGE
        .lines()
        .map(|line| {
            let line = line.strip_prefix("//!").unwrap_or(line);
            format!("{}\n", line.strip_prefix(' ').unwrap_or(line))
        })
        .collect();
    let fence = format!("```{language}\n");
    text.split(&fence)
        .skip(1)
        .map(|rest| rest.split_once("```\n").unwrap().0.to_owned())
        .collect()
}

pub(crate) fn a_debian_host_is_set_up_from_nothing_as_the_manual_says(world: &World) -> Verdict {
    let machine = Machine::new()?;
    machine.install_program();
    let mut manifest = world.manifest();
    for secret in manifest["secrets"].as_array_mut().unwrap() {
        secret["sopsFile"] = "secrets/secrets.yaml".into();
    }
    manifest["ageSshKeyPaths"] = serde_json::json!(["/etc/ssh/ssh_host_ed25519_key"]);
    manifest["ageKeyFile"] = "/var/lib/ccsec/recovery.txt".into();
    manifest["ageKeyFileOptional"] = true.into();
    machine.write("/root/new/manifest.json", manifest.to_string());
    let fixtures = world.fixtures();
    machine.write("/root/secrets/secrets.yaml", fixtures.read("secrets.yaml"));
    machine.write_private("/root/recovery.txt", fixtures.read("recovery.txt"));
    machine.write_private("/etc/ssh/ssh_host_ed25519_key", fixtures.read("host"));
    let public = fixtures.read("host.pub");
    machine.write("/etc/ssh/ssh_host_ed25519_key.pub", public);

    let commands = blocks("sh").concat();
    assert!(commands.matches("ccsec ").count() > 7, "{commands}");
    let before = "
        export HOME=/root
        git config --global user.name nobody
        git config --global user.email nobody@example.org
        git config --global protocol.file.allow always
        git config --global url./srv/git/.insteadOf https://git.example.org/
        for name in secrets new; do
            git -C /root/$name init -q
            git -C /root/$name add .
            test $name = secrets || git -C /root/new submodule --quiet add https://git.example.org/secrets.git secrets
            git -C /root/$name commit -qm first
            mkdir -p /srv/git
            case $name in
                new) git clone -q --bare /root/new /srv/git/host.git ;;
                *) git clone -q --bare /root/secrets /srv/git/secrets.git ;;
            esac
        done
        rm -rf /root/new /root/secrets";
    let after = "
        systemctl is-active ccsec-activate.service
        test ! -e /var/lib/ccsec/recovery.txt
        readlink -f /var/lib/ci-certs/live/privkey.pem";
    let told = machine.boot_and_succeed(&format!("{before}\n{commands}\n{after}"));
    assert!(told.contains("\nactive\n"), "{told}");
    // It comes back by itself.
    let told = machine.boot_and_succeed(
        "systemctl is-active ccsec-activate.service; ccsec verify /etc/ccsec/manifest.json
        sha256sum </var/lib/ci-certs/live/privkey.pem",
    );
    let digest = ccci_secrets::digest::hex(&ccci_secrets::digest::sha256(
        &fixtures.value("wildcard_key"),
    ));
    assert!(told.contains(&digest), "the key of the secrets is in place");
    Ok(())
}
