//! The service that activates.

use std::path::Path;

use super::places::{RUN, STATE};
use super::text::{argument, program, word};
use super::{Frame, Mounting, SECRETS_TARGET, UnitError, UnitKind};

/// Writes the service of a frame.
pub(super) struct Service<'a, 'b>(pub(super) &'b Frame<'a>);

impl Service<'_, '_> {
    pub(super) fn text(&self) -> Result<String, UnitError> {
        let mut lines = vec!["[Unit]".into()];
        lines.extend(self.unit()?);
        lines.extend([String::new(), "[Service]".into()]);
        lines.extend(self.command()?);
        lines.extend(self.confinement()?);
        lines.extend([String::new(), "[Install]".into()]);
        lines.extend(self.install());
        Ok(lines.join("\n") + "\n")
    }

    /// There is no condition on a key or on the manifest: a unit that is skipped hides the refusal, and lets those start
    /// that need the secrets.
    fn unit(&self) -> Result<Vec<String>, UnitError> {
        let frame = self.0;
        let manifest = word(&shown(frame.wish.manifest))?;
        let mut lines = vec![format!(
            "Description=Secrets of {}",
            manifest.trim_matches('"')
        )];
        if let Some(unit) = frame.wish.on_failure {
            lines.push(format!("OnFailure={unit}"));
        }
        if frame.kind == UnitKind::User {
            return Ok(lines);
        }
        for path in self.needed() {
            lines.push(format!("RequiresMountsFor={}", word(&shown(path))?));
        }
        let early = match frame.kind {
            UnitKind::ForUsers => FOR_USERS,
            _ if frame.wish.network => AFTER_NETWORK,
            _ => BEFORE_SERVICES,
        };
        lines.extend(early.iter().map(|line| (*line).to_owned()));
        lines.push(format!("Before={SECRETS_TARGET}"));
        Ok(lines)
    }

    /// What has to be mounted. Before users are made nothing but the root is there, and whoever waits for another file
    /// system then waits for the users: systemd breaks such a circle by leaving one of the units out.
    fn needed(&self) -> Vec<&Path> {
        let frame = self.0;
        match frame.kind {
            UnitKind::ForUsers => vec![Path::new(&frame.manifest.mount_path)],
            _ => frame.places.needed.iter().map(AsRef::as_ref).collect(),
        }
    }

    /// Reloading is how the command runs again: with a restart, everybody who requires this unit is restarted as well.
    fn command(&self) -> Result<Vec<String>, UnitError> {
        let frame = self.0;
        let command = format!(
            "{} activate {}",
            program(&shown(frame.wish.program))?,
            argument(&shown(frame.wish.manifest))?
        );
        let timeout = if frame.wish.network { 300 } else { 90 };
        let mut lines = vec![
            "Type=oneshot".into(),
            "RemainAfterExit=yes".into(),
            format!("ExecStart={command}"),
            format!("ExecReload={command}"),
            "X-ReloadIfChanged=true".into(),
            // Secrets that are in place are in place, whatever came later: nobody has to wait for the rest.
            "SuccessExitStatus=50".into(),
            format!("TimeoutStartSec={timeout}"),
            "UMask=0077".into(),
            "LimitCORE=0".into(),
        ];
        if frame.kind != UnitKind::User {
            lines.extend(self.records());
        }
        Ok(lines)
    }

    fn records(&self) -> Vec<String> {
        let state: &[&str] = match self.0.kind {
            // The setting waits for whatever is mounted on the way to the directory.
            UnitKind::ForUsers => &[],
            _ => &["StateDirectory=ccsec", "StateDirectoryMode=0700"],
        };
        let more = [
            "RuntimeDirectory=ccsec",
            "RuntimeDirectoryMode=0700",
            "RuntimeDirectoryPreserve=yes",
            "LimitMEMLOCK=infinity",
        ];
        state
            .iter()
            .chain(&more)
            .map(|line| (*line).into())
            .collect()
    }

    fn confinement(&self) -> Result<Vec<String>, UnitError> {
        let frame = self.0;
        let mut lines: Vec<String> = vec![
            "NoNewPrivileges=yes".into(),
            "MemoryDenyWriteExecute=yes".into(),
            "LockPersonality=yes".into(),
            "RestrictRealtime=yes".into(),
            "SystemCallArchitectures=native".into(),
        ];
        if frame.kind == UnitKind::User {
            return Ok(lines);
        }
        lines.extend(self.privileges());
        lines.extend(self.network());
        if frame.is_confined() {
            lines.extend(self.file_system()?);
        }
        Ok(lines)
    }

    fn privileges(&self) -> Vec<String> {
        let (more, denied) = match self.0.mounting {
            Mounting::Itself => (" CAP_SYS_ADMIN", "~@resources"),
            Mounting::Nobody | Mounting::Unit => ("", "~@mount @resources"),
        };
        let allowed = match self.0.mounting {
            Mounting::Itself => "@system-service @mount",
            Mounting::Nobody | Mounting::Unit => "@system-service",
        };
        vec![
            format!("CapabilityBoundingSet=CAP_CHOWN CAP_DAC_OVERRIDE CAP_FOWNER{more}"),
            "RestrictSUIDSGID=yes".into(),
            "RestrictNamespaces=yes".into(),
            format!("SystemCallFilter={allowed}"),
            format!("SystemCallFilter={denied}"),
            "SystemCallErrorNumber=EPERM".into(),
        ]
    }

    /// A network of its own may come with a mount namespace, in which a mount would be hidden.
    fn network(&self) -> Vec<String> {
        let frame = self.0;
        if frame.wish.network {
            return vec!["RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6".into()];
        }
        let mut lines = vec![
            "RestrictAddressFamilies=AF_UNIX".into(),
            "IPAddressDeny=any".into(),
        ];
        if frame.is_confined() {
            lines.push("PrivateNetwork=yes".into());
        }
        lines
    }

    /// Each of these gives the service a mount namespace of its own.
    fn file_system(&self) -> Result<Vec<String>, UnitError> {
        let places = &self.0.places;
        let mut lines = vec!["ProtectSystem=strict".into()];
        for path in self.writable() {
            // Without the dash, a directory that is missing is an error of systemd's before the program can say more.
            lines.push(format!("ReadWritePaths={}", word(&format!("-{path}"))?));
        }
        lines.extend(CONFINED.iter().map(|line| (*line).to_owned()));
        // With either of them the program would see, or place, something that others do not.
        if self.0.kind != UnitKind::ForUsers && !places.reach_into(&["/tmp", "/var/tmp"]) {
            lines.push("PrivateTmp=yes".into());
        }
        if !places.reach_into(&["/dev"]) {
            lines.push("PrivateDevices=yes".into());
        }
        Ok(lines)
    }

    fn writable(&self) -> Vec<String> {
        let frame = self.0;
        let state = (frame.kind == UnitKind::ForUsers).then(|| STATE.to_owned());
        let places = &frame.places;
        let more = frame.wish.also_writable.difference(&places.parents);
        let more = more.filter(|path| !path.starts_with(RUN));
        let outside = places.parents.iter().chain(&places.mount).chain(more);
        std::iter::once(RUN.to_owned())
            .chain(state)
            .chain(outside.map(|path| shown(path)))
            .collect()
    }

    fn install(&self) -> Vec<String> {
        let frame = self.0;
        let wanted_by = match frame.kind {
            UnitKind::ForUsers => "sysinit.target systemd-sysusers.service",
            UnitKind::System if frame.wish.network => "multi-user.target",
            UnitKind::System => "sysinit.target",
            UnitKind::User => return vec!["WantedBy=default.target".into()],
        };
        vec![
            format!("WantedBy={wanted_by}"),
            format!("RequiredBy={SECRETS_TARGET}"),
        ]
    }
}

fn shown(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

/// Accounts have to be there, and the directories that tmpfiles makes.
const BEFORE_SERVICES: &[&str] = &[
    "DefaultDependencies=no",
    "After=local-fs.target systemd-sysusers.service userborn.service systemd-tmpfiles-setup.service",
    "Before=sysinit.target sysinit-reactivation.target shutdown.target",
    "Conflicts=shutdown.target",
];

/// Network, and file systems that come over it, are there only when the system is up.
const AFTER_NETWORK: &[&str] = &[
    "Wants=network-online.target",
    "After=network-online.target remote-fs.target",
];

/// Everything that implies tmpfiles comes after sysusers, and so must not be waited for.
const FOR_USERS: &[&str] = &[
    "DefaultDependencies=no",
    "After=systemd-remount-fs.service",
    "Before=systemd-sysusers.service userborn.service sysinit.target shutdown.target",
    "Conflicts=shutdown.target",
];

const CONFINED: [&str; 8] = [
    "ProtectHome=read-only",
    "ProtectProc=invisible",
    "ProtectClock=yes",
    "ProtectHostname=yes",
    "ProtectControlGroups=yes",
    "ProtectKernelLogs=yes",
    "ProtectKernelModules=yes",
    "ProtectKernelTunables=yes",
];
