//! How `gpg` is run for a home that a manifest names.

use std::path::{Path, PathBuf};

use ccci_secrets::env::Environment;
use ccci_secrets::keyring::Gnupg;

/// The program that the environment names as sops would take it. At boot it gets an agent of its own, which ends with
/// it; for a user it asks the user's.
pub(crate) fn of(environment: &Environment, is_user: bool) -> Gnupg {
    let named = environment
        .var_os("SOPS_GPG_EXEC")
        .filter(|name| !name.is_empty());
    let variable = |name: &&str| Some((name.into(), environment.var_os(name)?.to_owned()));
    Gnupg {
        program: named.map_or_else(|| "gpg".into(), PathBuf::from),
        variables: VARIABLES.iter().filter_map(variable).collect(),
        scratch: (!is_user).then(|| scratch(environment)),
    }
}

/// What gpg and whatever asks for a passphrase need to know.
const VARIABLES: [&str; 10] = [
    "DBUS_SESSION_BUS_ADDRESS",
    "DISPLAY",
    "GPG_TTY",
    "HOME",
    "LANG",
    "PATH",
    "TERM",
    "WAYLAND_DISPLAY",
    "XAUTHORITY",
    "XDG_RUNTIME_DIR",
];

/// A directory in memory for the sockets of the agent, or the next best.
fn scratch(environment: &Environment) -> PathBuf {
    if rustix::process::geteuid().is_root() && Path::new("/run").is_dir() {
        return "/run".into();
    }
    let named = ["XDG_RUNTIME_DIR", "TMPDIR"].map(|name| environment.var_os(name));
    let named = named.into_iter().flatten().map(PathBuf::from);
    let mut usable = named.filter(|path| path.is_absolute());
    usable.next().unwrap_or_else(|| "/tmp".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gpg_gets_what_it_needs_and_is_the_one_that_was_named() {
        let environment = Environment::empty()
            .with_var("PATH", "/usr/bin")
            .with_var("SOPS_AGE_KEY_FILE", "/k")
            .with_var("SOPS_GPG_EXEC", "/opt/gpg");
        let of_user = of(&environment, true);
        assert_eq!(of_user.program, Path::new("/opt/gpg"));
        assert_eq!(of_user.variables, [("PATH".into(), "/usr/bin".into())]);
        assert_eq!(of_user.scratch, None);
        assert!(of(&environment, false).scratch.is_some());
        assert_eq!(of(&Environment::empty(), true).program, Path::new("gpg"));
    }
}
