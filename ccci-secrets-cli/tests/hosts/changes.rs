//! What becomes of a running machine when its manifest changes, and units that come later in a boot.

use serde_json::json;

use crate::harness::Verdict;
use crate::machine::Machine;
use crate::units::{FUNCTIONS, Host, MANIFEST, SERVICE};
use crate::world::World;

pub(crate) fn s48_secrets_move_to_another_mount_with_a_reload(world: &World) -> Verdict {
    let host = Host::new(world, Machine::new()?);
    host.write_proxy();
    host.install(&host.manifest(), &[]);
    let mut next = host.manifest();
    next["secretsMountPoint"] = json!("/run/moved.d");
    next["symlinkPath"] = json!("/run/moved");
    host.machine.write("/etc/ccsec/next.json", next.to_string());
    host.machine.boot_and_succeed(&format!(
        r#"{FUNCTIONS}
        systemctl start proxy
        before=$(pid proxy)
        cp /etc/ccsec/next.json {MANIFEST}
        # Sandbox and mount are those of the old manifest.
        systemctl reload {SERVICE} && exit 1
        journalctl --sync
        journalctl -b -u {SERVICE} -p err | grep -q 'ccsec systemd-unit --install {MANIFEST}'
        test -s /run/secrets/test_secret
        ccsec systemd-unit --install {MANIFEST} 2>/tmp/said
        sh -eux -c "$(sed -n 's/^next: //p' /tmp/said)"
        settled
        expect "the activation" active "$(state {SERVICE})"
        expect "proxy" "$before" "$(pid proxy)"
        expect "the file system" ramfs "$(findmnt -n -o FSTYPE /run/moved.d)"
        test -s /run/moved/test_secret
        ccsec verify {MANIFEST}
        "#
    ));
    Ok(())
}

pub(crate) fn s47_secrets_that_need_the_network_come_with_it(world: &World) -> Verdict {
    let host = Host::new(world, Machine::new()?);
    host.write_proxy();
    let mut manifest = host.manifest();
    manifest["secrets"][0]["restartUnits"] = json!(["proxy.service"]);
    host.install(&manifest, &["--network"]);
    host.machine.write(
        "/etc/systemd/system/cable.service",
        "[Unit]\nBefore=network-online.target\n\n[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/sleep 0.5\n\n[Install]\nWantedBy=network-online.target\n",
    );
    host.machine.boot_and_succeed(&format!(
        r#"{FUNCTIONS}
        systemctl enable cable.service
        expect "the activation before the network" inactive "$(state {SERVICE})"
        test ! -e /run/secrets
        systemctl start multi-user.target
        expect "the network" active "$(state network-online.target)"
        expect "the activation" active "$(state {SERVICE})"
        test -s /run/secrets/test_secret
        systemctl start proxy
        up=$(systemctl show -p ActiveEnterTimestampMonotonic --value cable.service)
        ran=$(systemctl show -p ExecMainStartTimestampMonotonic --value {SERVICE})
        [ "$ran" -ge "$up" ]
        "#
    ));
    Ok(())
}
