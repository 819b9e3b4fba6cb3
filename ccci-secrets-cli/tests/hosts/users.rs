//! The secrets of a user, in a real boot with the service manager of that user.

use serde_json::json;

use crate::harness::{Skip, Verdict};
use crate::machine::Machine;
use crate::manual::blocks;
use crate::units::{FUNCTIONS, Host};
use crate::world::{World, secret};

/// What logs a user in, and so starts the manager of the user.
const NEEDED: [&str; 3] = [
    "/usr/bin/dbus-daemon",
    "/lib/systemd/systemd-logind",
    "/lib/systemd/system/user@.service",
];

// The commands are those of the manual.
pub(crate) fn s45_a_user_has_secrets_and_units_that_wait_for_them(world: &World) -> Verdict {
    for program in NEEDED {
        if !std::path::Path::new(program).exists() {
            return Err(Skip(format!("{program} is not installed")));
        }
    }
    let host = Host::new(world, Machine::new()?);
    let fixtures = world.fixtures();
    let mut entry = secret("test_secret", "0400");
    entry["path"] = json!("/home/somebody/.config/app/token");
    entry["restartUnits"] = json!(["reader.service"]);
    let manifest = json!({
        "userMode": true,
        "secretsMountPoint": "%r/secrets.d",
        "symlinkPath": "%r/secrets",
        "keepGenerations": 1,
        "ageKeyFile": "/home/somebody/key.txt",
        "secrets": [entry],
    });
    let machine = &host.machine;
    for (name, text) in [
        ("manifest.json", manifest.to_string().into_bytes()),
        ("secrets.yaml", fixtures.read("secrets.yaml")),
        ("key.txt", fixtures.read("recovery.txt")),
        ("value", fixtures.value("test_secret")),
        (".config/systemd/user/reader.service", READER.into()),
    ] {
        machine.write_private(&format!("/home/somebody/{name}"), text);
    }
    machine.write("/as", AS);
    let commands = blocks("bash").concat();
    assert_eq!(commands.lines().count(), 3, "{commands}");
    machine.write("/commands", commands);
    let begin = format!(
        "{FUNCTIONS}
        systemctl start dbus.service systemd-logind.service
        as() {{ runuser -u somebody -- sh -eu /as \"$@\"; }}
        while ! systemctl is-active --quiet \"user@$(id -u somebody).service\"; do sleep 0.05; done
        while [ \"$(as systemctl --user is-system-running)\" = starting ]; do sleep 0.05; done"
    );
    machine.boot_and_succeed(&format!(
        r#"useradd --uid 4321 --user-group somebody
        chown -R somebody: /home/somebody; chmod -R go= /home/somebody
        mkdir -p /var/lib/systemd/linger; touch /var/lib/systemd/linger/somebody
        {begin}
        as sh -eu /commands
        test -e /home/somebody/.config/systemd/user/ccsec-activate.service
        as systemctl --user is-active ccsec-activate.service
        as systemctl --user stop ccsec-activate.service
        mv /home/somebody/key.txt /home/somebody/key.later
        as systemctl --user start reader.service && exit 1
        expect "the exit code without a key" 20 "$(as systemctl --user show -p ExecMainStatus --value ccsec-activate.service)"
        mv /home/somebody/key.later /home/somebody/key.txt
        "#
    ));
    // From now on at every boot, without anybody who logs in.
    machine.boot_and_succeed(&format!(
        r#"{begin}
        as systemctl --user is-active ccsec-activate.service
        expect "the owner" somebody:400 "$(stat -L -c %U:%a /run/user/4321/secrets/test_secret)"
        as cmp /home/somebody/.config/app/token /home/somebody/value
        as systemctl --user start reader.service
        as systemctl --user reload ccsec-activate.service
        expect "the activation" active "$(as systemctl --user is-active ccsec-activate.service)"
        as ccsec verify /home/somebody/manifest.json
        "#
    ));
    Ok(())
}

const READER: &str = "[Service]
Type=oneshot
ExecStart=cmp %h/.config/app/token %h/value
";

/// Runs a command with the manager of the user at hand, as a login has it.
const AS: &str = "cd; export XDG_RUNTIME_DIR=/run/user/4321 HOME=/home/somebody
\"$@\"
";
