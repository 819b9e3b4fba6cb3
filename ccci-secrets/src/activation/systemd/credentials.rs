//! The units that answer when other units ask for credentials. They are the same for every manifest, but for its path and
//! the name of the service that activates it.

use std::collections::BTreeMap;

use super::text::{argument, program};
use super::{Frame, UnitError, UnitFile, UnitKind, UnitNote};

/// The socket at which units ask for credentials.
pub const CREDENTIALS_SOCKET: &str = "ccsec-creds.socket";
/// What answers there.
pub const CREDENTIALS_SERVICE: &str = "ccsec-creds.service";
const ADDRESS: &str = "/run/ccsec/creds.sock";

/// Nobody asks where the manifest gives no credentials.
pub(super) fn add(
    frame: &Frame<'_>,
    files: &mut Vec<UnitFile>,
    notes: &mut Vec<UnitNote>,
) -> Result<(), UnitError> {
    if frame.manifest.credentials.is_empty() {
        return Ok(());
    }
    if frame.kind == UnitKind::User {
        notes.push(UnitNote::CredentialsOfUser);
        return Ok(());
    }
    files.push(frame.unit(CREDENTIALS_SOCKET, SOCKET));
    files.push(frame.unit(CREDENTIALS_SERVICE, &service(frame)?));
    Ok(())
}

/// What is added to the units that are given credentials: the lines of each, by the section in which they belong.
pub(super) fn of_units(frame: &Frame<'_>) -> BTreeMap<String, Vec<String>> {
    let mut units: BTreeMap<String, Vec<String>> = BTreeMap::new();
    if frame.kind == UnitKind::User {
        return units;
    }
    for entry in &frame.manifest.credentials {
        let unit = entry.unit.to_string();
        let lines = units.entry(unit.clone()).or_insert_with(|| {
            let section = match unit.rsplit_once('.') {
                Some((_, "mount")) => "[Mount]",
                Some((_, "socket")) => "[Socket]",
                Some((_, "swap")) => "[Swap]",
                _ => "[Service]",
            };
            vec![section.into()]
        });
        let name = entry.name.replace('%', "%%");
        lines.push(format!("LoadCredential={name}:{ADDRESS}"));
    }
    units
}

fn service(frame: &Frame<'_>) -> Result<String, UnitError> {
    let command = format!(
        "{} creds-serve {}",
        program(&frame.wish.program.to_string_lossy())?,
        argument(&frame.wish.manifest.to_string_lossy())?
    );
    let service = &frame.service;
    Ok(format!(
        "{WHY}After={service}\n{ORDER}ExecStart={command}\n{CONFINED}"
    ))
}

const SOCKET: &str =
    "# Where units ask for their credentials: LoadCredential=NAME:/run/ccsec/creds.sock
[Unit]
Description=Socket for the credentials of units
DefaultDependencies=no
Before=sockets.target shutdown.target
Conflicts=shutdown.target

[Socket]
ListenStream=/run/ccsec/creds.sock
SocketMode=0600
DirectoryMode=0700

[Install]
WantedBy=sockets.target
";

const WHY: &str = "# Gives units what the field `credentials` of the manifest gives them.
#
# It does not require the activation: where that has failed this has to be there and refuse. A connection that nobody
# answers is an empty credential to systemd, and one that breaks off a shorter one, so nothing here may end for good while
# somebody asks, and nothing is killed that still answers.
[Unit]
Description=Secrets as credentials of units
DefaultDependencies=no
";

const ORDER: &str = "Before=shutdown.target
Conflicts=shutdown.target
StartLimitIntervalSec=0

[Service]
Type=notify
NotifyAccess=main
";

const CONFINED: &str = "Restart=always
RestartSec=100ms
KillMode=process
SendSIGKILL=no
TimeoutStopSec=5s
FileDescriptorStoreMax=1024
UMask=0077
LimitCORE=0
ProtectSystem=strict
ProtectHome=read-only
PrivateDevices=yes
ProtectProc=invisible
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectKernelLogs=yes
ProtectControlGroups=yes
ProtectClock=yes
ProtectHostname=yes
CapabilityBoundingSet=CAP_DAC_READ_SEARCH CAP_DAC_OVERRIDE
NoNewPrivileges=yes
MemoryDenyWriteExecute=yes
RestrictSUIDSGID=yes
RestrictRealtime=yes
RestrictNamespaces=yes
LockPersonality=yes
SystemCallFilter=@system-service
SystemCallErrorNumber=EPERM
SystemCallArchitectures=native
RestrictAddressFamilies=AF_UNIX
";
