//! Secrets as credentials of units, over the socket, in a real boot.

use std::process::Command;

use ccci_secrets::digest::{hex, sha256};
use serde_json::json;

use crate::harness::{Skip, Verdict};
use crate::machine::Machine;
use crate::units::{FUNCTIONS, Host, SERVICE};
use crate::world::World;

const SOCKET_UNIT: &str = include_str!("../../dist/systemd/ccsec-creds.socket");
const SERVICE_UNIT: &str = include_str!("../../dist/systemd/ccsec-creds.service");
/// What systemd 252 takes for all credentials of a unit: names and contents.
const LIMIT: usize = 1024 * 1024;
const NAME: &str = "token";

/// A unit of a user of its own that prints the sum of what it was given.
fn consumer(credential: &str) -> String {
    format!(
        "[Service]\nType=oneshot\nDynamicUser=yes\n\
         ExecStart=/bin/sh -c 'sha256sum <%d/{credential}; echo ran'\nStandardOutput=file:/run/%N.out\n"
    )
}

/// The same, and it asks by itself.
fn asker(credential: &str) -> String {
    let asks = format!("LoadCredential={credential}:/run/ccsec/creds.sock");
    format!("{}{asks}\n", consumer(credential))
}

/// A sealed binary file of this size, with every byte in it.
fn blob(world: &World, bytes: usize) -> (Vec<u8>, Vec<u8>) {
    let content: Vec<u8> = (0..bytes).map(|at| (at * 7 % 256) as u8).collect();
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("blob");
    std::fs::write(&path, &content).unwrap();
    let sealed = Command::new(world.program())
        .args([
            "encrypt",
            "--age",
            &world.fixtures().host,
            "--input-type",
            "binary",
        ])
        .args(["--output-type", "binary"])
        .arg(&path)
        .current_dir(place.path())
        .output()
        .unwrap();
    assert!(sealed.status.success(), "{sealed:?}");
    (content, sealed.stdout)
}

pub(crate) fn s49_credentials_are_exact_and_never_empty(world: &World) -> Verdict {
    let host = Host::new(world, Machine::new()?);
    let (content, sealed) = blob(world, LIMIT - NAME.len());
    host.machine.write_private("/etc/ccsec/blob", sealed);
    let mut manifest = host.manifest();
    let blob_entry =
        json!({"name": "blob", "sopsFile": "blob", "format": "binary", "key": "", "mode": "0400"});
    manifest["secrets"].as_array_mut().unwrap().push(blob_entry);
    manifest["credentials"] = json!([
        {"unit": "good.service", "name": NAME, "secret": "blob"},
        {"unit": "inst@*.service", "name": "small", "secret": "test_secret"},
    ]);
    host.install(&manifest, &[]);
    for (unit, text) in [
        ("good", consumer(NAME)),
        ("inst@", consumer("small")),
        ("stranger", asker(NAME)),
        ("unknown", asker("nosuch")),
    ] {
        let path = format!("/etc/systemd/system/{unit}.service");
        host.machine.write(&path, text);
    }
    let told = host.machine.boot_and_succeed(&format!(
        r#"{FUNCTIONS}
        expect "the activation" active "$(state {SERVICE})"
        systemctl start good.service inst@a.service
        head -n 1 /run/good.out | cut -c1-64
        expect "the value of an instance" "$(sha256sum </run/secrets/test_secret)" "$(head -n 1 /run/inst@a.out)"
        for unit in stranger unknown; do
            systemctl start $unit.service 2>/dev/null && echo "$unit started"
            systemctl show -p ExecMainStatus --value $unit.service
            [ ! -s /run/$unit.out ] || echo "$unit ran"
        done
        # Somebody else than root cannot even ask.
        setpriv --reuid 65534 --clear-groups test -w /run/ccsec/creds.sock && echo "open to others"
        # What has no generation refuses.
        rm /run/secrets
        systemctl start good.service 2>/dev/null && echo "started without a generation"
        systemctl show -p ExecMainStatus --value good.service
        true
        "#
    ));
    assert_eq!(told, format!("{}\n243\n243\n243\n", hex(&sha256(&content))));
    Ok(())
}

/// Asks as the manager does, and prints how many bytes the answer has, and how many of them are not NUL.
const ASK: &str = r#"use Socket;
socket(my $socket, PF_UNIX, SOCK_STREAM, 0) or die "socket: $!";
bind($socket, pack_sockaddr_un("\0$ARGV[0]/unit/good.service/token")) or die "bind: $!";
connect($socket, pack_sockaddr_un("/run/ccsec/creds.sock")) or die "connect: $!";
local $/;
my $answer = <$socket>;
print length($answer), " ", ($answer =~ tr/\0//c), "\n";
"#;

pub(crate) fn s49_somebody_else_than_root_is_refused_even_with_the_socket_open(
    world: &World,
) -> Verdict {
    if !std::path::Path::new("/usr/bin/perl").exists() {
        return Err(Skip("perl is not installed".into()));
    }
    let host = Host::new(world, Machine::new()?);
    let mut manifest = host.manifest();
    manifest["credentials"] =
        json!([{"unit": "good.service", "name": NAME, "secret": "test_secret"}]);
    host.install(&manifest, &[]);
    host.machine.write("/ask", ASK);
    let told = host.machine.boot_and_succeed(&format!(
        r#"{FUNCTIONS}
        systemctl start ccsec-creds.socket
        other="setpriv --reuid 65534 --clear-groups"
        perl /ask 0000000000000001
        $other perl /ask 0000000000000002 2>&1 || true
        chmod 0755 /run/ccsec; chmod 0666 /run/ccsec/creds.sock
        $other perl /ask 0000000000000003
        journalctl --sync
        journalctl -b -u ccsec-creds.service -p warning -o cat | tail -n 1
        "#
    ));
    let bytes = world.fixtures().value("test_secret").len();
    assert_eq!(
        told,
        format!(
            "{bytes} {bytes}\nconnect: Permission denied at /ask line 4.\n{} 0\n\
             somebody: refused: user 65534 asks, who does not manage units here\n",
            LIMIT + 1
        )
    );
    Ok(())
}

pub(crate) fn s49_one_byte_too_many_is_refused_by_the_check(world: &World) -> Verdict {
    let place = tempfile::tempdir().unwrap();
    for (more, code) in [(0, Some(0)), (1, Some(32))] {
        let (_, sealed) = blob(world, LIMIT - NAME.len() + more);
        std::fs::write(place.path().join("blob"), sealed).unwrap();
        let manifest = json!({
            "secretsMountPoint": "/run/secrets.d",
            "symlinkPath": "/run/secrets",
            "keepGenerations": 1,
            "ageSshKeyPaths": ["/etc/ssh/ssh_host_ed25519_key"],
            "secrets": [{"name": "blob", "sopsFile": "blob", "format": "binary", "key": "", "mode": "0400"}],
            "credentials": [{"unit": "good.service", "name": NAME, "secret": "blob"}],
        });
        let path = place.path().join("manifest.json");
        std::fs::write(&path, manifest.to_string()).unwrap();
        let check = Command::new(world.program())
            .args(["check", "--mode", "sopsfile"])
            .arg(&path)
            .output()
            .unwrap();
        assert_eq!(check.status.code(), code, "{more}: {check:?}");
    }
    Ok(())
}

/// Takes a few bytes of the answer, waits until it may go on, and prints how many it got until the end.
const ASK_SLOWLY: &str = r#"use Socket;
socket(my $socket, PF_UNIX, SOCK_STREAM, 0) or die "socket: $!";
bind($socket, pack_sockaddr_un("\0000000000000000a/unit/good.service/token")) or die "bind: $!";
connect($socket, pack_sockaddr_un("/run/ccsec/creds.sock")) or die "connect: $!";
my $taken = sysread($socket, my $first, 10);
open(my $begun, ">", "/run/begun"); close($begun);
select(undef, undef, undef, 0.02) until -e "/run/more";
local $/;
print $taken + length(<$socket>), "\n";
"#;

/// A host that gives the largest credential there may be to whoever asks with a script in Perl, and its content.
fn that_gives_the_largest(world: &World) -> Result<(Host<'_>, Vec<u8>), Skip> {
    if !std::path::Path::new("/usr/bin/perl").exists() {
        return Err(Skip("perl is not installed".into()));
    }
    let host = Host::new(world, Machine::new()?);
    let (content, sealed) = blob(world, LIMIT - NAME.len());
    host.machine.write_private("/etc/ccsec/blob", sealed);
    let mut manifest = host.manifest();
    manifest["secrets"] = json!([
        {"name": "blob", "sopsFile": "blob", "format": "binary", "key": "", "mode": "0400"}
    ]);
    manifest["credentials"] = json!([{"unit": "good.service", "name": NAME, "secret": "blob"}]);
    host.install(&manifest, &[]);
    Ok((host, content))
}

// What systemd has read of the answer would be the credential, if the connection ended there.
pub(crate) fn s49_an_answer_that_breaks_off_is_more_than_any_credential(world: &World) -> Verdict {
    let (host, _) = that_gives_the_largest(world)?;
    host.machine.write("/ask", ASK_SLOWLY);
    let told = host.machine.boot_and_succeed(&format!(
        r#"{FUNCTIONS}
        systemctl start ccsec-creds.socket
        perl /ask >/tmp/told &
        until [ -e /run/begun ]; do sleep 0.02; done
        first=$(pid ccsec-creds.service)
        systemctl kill -s KILL ccsec-creds.service
        until [ "$(state ccsec-creds.service)" = active ] && [ "$(pid ccsec-creds.service)" != "$first" ]; do sleep 0.02; done
        touch /run/more
        wait
        cat /tmp/told
        "#
    ));
    let bytes: usize = told.trim().parse().unwrap();
    assert!(bytes > LIMIT, "{bytes}");
    Ok(())
}

// Whatever ends in the middle would be a credential, so who has begun to answer ends only when the peer has it all.
pub(crate) fn s49_a_service_that_is_stopped_while_a_peer_reads_slowly_gives_everything(
    world: &World,
) -> Verdict {
    let (host, content) = that_gives_the_largest(world)?;
    let size = content.len();
    host.machine.write("/ask", ASK);
    host.machine.write("/ask-slowly", ASK_SLOWLY);
    let told = host.machine.boot_and_succeed(&format!(
        r#"{FUNCTIONS}
        now() {{ cut -d. -f1 /proc/uptime; }}
        systemctl start ccsec-creds.socket
        perl /ask-slowly >/tmp/told &
        until [ -e /run/begun ]; do sleep 0.02; done
        first=$(pid ccsec-creds.service)
        began=$(now)
        systemctl stop ccsec-creds.service 2>/dev/null
        took=$(( $(now) - began ))
        [ "$took" -le 12 ] || echo "stopped after $took s"
        # Somebody else is served meanwhile, by another process.
        timeout 60 perl /ask 0000000000000001
        [ "$(pid ccsec-creds.service)" != "$first" ] || echo "not another process"
        test -e /proc/$first || echo "the first process has ended"
        touch /run/more
        wait
        cat /tmp/told
        while [ -e /proc/$first ]; do sleep 0.02; done
        systemctl stop ccsec-creds.service 2>/dev/null
        timeout 60 perl /ask 0000000000000002
        "#
    ));
    let not_zero = content.iter().filter(|byte| **byte != 0).count();
    let whole = format!("{size} {not_zero}\n");
    assert_eq!(told, format!("{whole}{size}\n{whole}"));
    Ok(())
}

/// The manifest is a FIFO, so that the service stops between taking a connection and answering it.
const WAITING: &str = "[Service]
ExecStart=
ExecStart=/usr/bin/ccsec creds-serve /run/manifest
";

// Without the manager, which holds the connection meanwhile, the unit would start with an empty credential.
pub(crate) fn s49_a_service_that_is_killed_before_it_answers_gives_nothing(
    world: &World,
) -> Verdict {
    let host = Host::new(world, Machine::new()?);
    let units = "/etc/systemd/system";
    for (name, text) in [
        ("ccsec-creds.socket", SOCKET_UNIT),
        ("ccsec-creds.service", SERVICE_UNIT),
        ("ccsec-creds.service.d/waiting.conf", WAITING),
        ("good.service", &asker(NAME)),
    ] {
        host.machine.write(&format!("{units}/{name}"), text);
    }
    let boot = host.machine.boot(&format!(
        r#"set -eu
        {FUNCTIONS}
        mkfifo /run/manifest
        systemctl start ccsec-creds.socket
        systemctl start --no-block good.service
        until grep -qs wait_for_partner "/proc/$(pid ccsec-creds.service)/wchan"; do sleep 0.02; done
        systemctl kill -s KILL ccsec-creds.service
        while [ "$(state good.service)" = activating ]; do sleep 0.02; done
        systemctl show -p ExecMainStatus --value good.service
        test ! -e /run/good.out || cat /run/good.out
        "#
    ));
    assert_eq!(
        (boot.exit, boot.printed.as_str()),
        (0, "243\n"),
        "{}",
        boot.journal
    );
    let told = "a connection that an earlier run has not answered: refused";
    assert!(boot.journal.contains(told), "{}", boot.journal);
    Ok(())
}
