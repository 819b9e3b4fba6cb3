//! Telling units that a secret of theirs changed: through `systemctl`, or through the lists that NixOS reads at the end of
//! a switch.

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};

use ccci_secrets::activation::fault::UnitProblem;
use ccci_secrets::activation::manifest::Dialect;
use ccci_secrets::activation::{UnitFault, Units};
use ccci_secrets::env::Environment;

use crate::output;

/// How units are told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Teller {
    /// By lines in two files of a directory, `PREFIXrestart-list` and `PREFIXreload-list`; if there is no such directory,
    /// nobody reads them and nobody is told.
    Lists {
        directory: PathBuf,
        prefix: &'static str,
    },
    /// By sentences on standard error: nothing happens.
    Sentences,
    /// By the service manager of the system, or of the user.
    Systemctl { user: bool },
}

impl Teller {
    /// How the units of a run are told. While NixOS switches, it restarts units at the end, from lists; that is what
    /// sops-install-secrets takes for granted.
    pub(crate) fn of_run(is_user: bool, dialect: Dialect, environment: &Environment) -> Self {
        let switches = match dialect {
            Dialect::SopsInstallSecrets => true,
            _ => is_set(environment, "NIXOS_ACTION"),
        };
        match () {
            () if is_user => Self::Systemctl { user: true },
            () if switches && !is_set(environment, VIA_SYSTEMCTL) => Self::lists("activation-"),
            () => Self::Systemctl { user: false },
        }
    }

    /// How it is said which units a run would tell; none if nobody wants to know.
    pub(crate) fn of_rehearsal(is_user: bool, environment: &Environment) -> Self {
        match is_user || is_set(environment, VIA_SYSTEMCTL) {
            true => Self::Sentences,
            false => Self::lists("dry-activation-"),
        }
    }

    fn lists(prefix: &'static str) -> Self {
        Self::Lists {
            directory: "/run/nixos".into(),
            prefix,
        }
    }

    /// Tells every unit once; those that could not be told come back.
    pub(crate) fn tell(&self, units: &Units, environment: &Environment) -> Vec<UnitFault> {
        let both = [
            (&units.restart, "restart", "try-restart"),
            (&units.reload, "reload", "try-reload-or-restart"),
        ];
        let mut faults = Vec::new();
        for (units, what, verb) in both {
            if units.is_empty() {
                continue;
            }
            faults.extend(match self {
                Self::Lists { directory, prefix } => {
                    append(directory, &format!("{prefix}{what}-list"), units)
                }
                Self::Sentences => {
                    for unit in units {
                        output::note(format_args!("would {what} {unit}"));
                    }
                    Vec::new()
                }
                Self::Systemctl { user } => systemctl(verb, units, *user, environment),
            });
        }
        faults
    }
}

/// What a NixOS with systemd in the first stage sets, whose lists nobody reads.
const VIA_SYSTEMCTL: &str = "SOPS_RESTART_UNITS_VIA_SYSTEMCTL";

fn is_set(environment: &Environment, name: &str) -> bool {
    let value = environment.var_os(name);
    value.is_some_and(|value| !value.is_empty())
}

/// One write for all lines: whoever reads meanwhile sees none of them or all.
fn append(directory: &Path, name: &str, units: &[String]) -> Vec<UnitFault> {
    if !directory.is_dir() {
        return Vec::new();
    }
    let lines: String = units.iter().map(|unit| format!("{unit}\n")).collect();
    let written = OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o600)
        .open(directory.join(name))
        .and_then(|mut file| file.write(lines.as_bytes()))
        .and_then(|count| match count == lines.len() {
            true => Ok(()),
            false => Err(io::ErrorKind::WriteZero.into()),
        });
    match written {
        Ok(()) => Vec::new(),
        Err(error) => {
            let path = directory.join(name);
            all_failed(units, &format!("{}: {error}", path.display()))
        }
    }
}

fn all_failed(units: &[String], why: &str) -> Vec<UnitFault> {
    let fault = |unit: &String| UnitFault {
        unit: unit.clone(),
        problem: UnitProblem::Failed(why.to_owned()),
    };
    units.iter().map(fault).collect()
}

/// One call for all units: those that exist are told even if another one does not.
fn systemctl(
    verb: &str,
    units: &[String],
    user: bool,
    environment: &Environment,
) -> Vec<UnitFault> {
    let called = call(verb, units, user, environment);
    let is_done = called.as_ref().is_ok_and(|(status, _)| status.success());
    if !is_done && user && !has_manager_of_user(environment) {
        output::note("no service manager of this user runs, so none of its units has to be told");
        return Vec::new();
    }
    let (status, said) = match called {
        Ok(ended) => ended,
        Err(error) => return all_failed(units, &format!("systemctl cannot be started: {error}")),
    };
    output::message(&said);
    if is_done {
        return Vec::new();
    }
    let blamed: Vec<UnitFault> = units.iter().filter_map(|unit| blame(unit, &said)).collect();
    match blamed.is_empty() {
        true => all_failed(units, &format!("systemctl {verb}: {status}")),
        false => blamed,
    }
}

/// Where a user's secrets are needed before the user's service manager runs, or in a container that has none, there is no
/// unit that could have read the old ones. The manager listens here as long as it runs, with and without a bus.
fn has_manager_of_user(environment: &Environment) -> bool {
    let runtime = environment.var_os("XDG_RUNTIME_DIR").map(Path::new);
    runtime.is_some_and(|directory| directory.join("systemd/private").exists())
}

fn call(
    verb: &str,
    units: &[String],
    user: bool,
    environment: &Environment,
) -> io::Result<(ExitStatus, String)> {
    #[expect(clippy::disallowed_methods, reason = "the service manager")]
    let mut command = Command::new("systemctl");
    if user {
        command.arg("--user");
    }
    command.arg("--no-block").arg(verb);
    // The root mount is a unit of the name `-.mount`.
    if units.iter().any(|unit| unit.starts_with('-')) {
        command.arg("--");
    }
    command.args(units);
    // It is told nothing that it need not know; its sentences have to be the ones that are looked for below.
    command.env_clear().env("LC_ALL", "C");
    for name in ["PATH", "XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS"] {
        if let Some(value) = environment.var_os(name) {
            command.env(name, value);
        }
    }
    let ended = command.stdin(Stdio::null()).output()?;
    let mut said = String::from_utf8_lossy(&ended.stdout).into_owned();
    said.push_str(&String::from_utf8_lossy(&ended.stderr));
    Ok((ended.status, said))
}

/// What was said about a unit, if anything was. A name without a suffix is that of a service, and is answered with it.
fn blame(unit: &str, said: &str) -> Option<UnitFault> {
    let service = format!("{unit}.service");
    let is_part = |c: char| c.is_ascii_alphanumeric() || ":-_.\\@".contains(c);
    let names = |line: &&str| {
        let mut words = line.split(|c| !is_part(c));
        words.any(|word| {
            let word = word.trim_end_matches(['.', ':']);
            word == unit || word == service
        })
    };
    let line = said.lines().find(names)?;
    let problem = match line.contains("not found") || line.contains("not loaded") {
        true => UnitProblem::NotFound,
        false => UnitProblem::Failed(line.trim().to_owned()),
    };
    Some(UnitFault {
        unit: unit.to_owned(),
        problem,
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn units(restart: &[&str], reload: &[&str]) -> Units {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let mut units = Units::default();
        units.restart = names(restart);
        units.reload = names(reload);
        units
    }

    #[test]
    fn lists_grow_by_a_line_for_each_unit_and_are_private() {
        let directory = tempfile::tempdir().unwrap();
        let teller = Teller::Lists {
            directory: directory.path().into(),
            prefix: "activation-",
        };
        let environment = Environment::empty();
        for _ in 0..2 {
            let faults = teller.tell(&units(&["a", "b"], &[]), &environment);
            assert_eq!(faults, []);
        }
        let list = directory.path().join("activation-restart-list");
        assert_eq!(std::fs::read_to_string(&list).unwrap(), "a\nb\na\nb\n");
        assert_eq!(
            std::fs::metadata(list).unwrap().permissions().mode() & 0o777,
            0o600
        );
        assert!(!directory.path().join("activation-reload-list").exists());
    }

    #[test]
    fn without_the_directory_of_the_lists_nobody_is_told_and_that_is_no_fault() {
        let directory = tempfile::tempdir().unwrap();
        let teller = Teller::Lists {
            directory: directory.path().join("absent"),
            prefix: "activation-",
        };
        assert_eq!(
            teller.tell(&units(&["a"], &["b"]), &Environment::empty()),
            []
        );
        assert!(!directory.path().join("absent").exists());
    }

    // The sentences are those of systemd 252.
    #[test]
    fn only_the_unit_that_is_named_is_to_blame() {
        let said = "Failed to try-restart nosuch.service: Unit nosuch.service not found.\n\
                    See system logs and 'systemctl status nosuch.service' for details.\n";
        let fault = blame("nosuch.service", said).unwrap();
        assert_eq!(fault.problem, UnitProblem::NotFound);
        assert_eq!(blame("such.service", said), None);
        // `systemctl try-restart nosuch` is answered with the whole name.
        let fault = blame("nosuch", said).unwrap();
        assert_eq!(fault.unit, "nosuch");
        assert_eq!(fault.problem, UnitProblem::NotFound);
        assert_eq!(blame("such", said), None);
        let said = "Failed to try-restart a@1.service: Access denied\n";
        assert_eq!(
            blame("a@1.service", said).unwrap().problem,
            UnitProblem::Failed(said.trim().to_owned())
        );
    }
}
