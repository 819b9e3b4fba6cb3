//! The places that sops looks for age identities in, in a fixed order (sops-cli.md, section 7).

use std::path::Path;

use crate::env::Environment;
use crate::keyring::open::Named;
use crate::keyring::report::SourceState;
use crate::keyring::source::Loaded;
use crate::keyring::source::Loader;
use crate::keyring::source::Place;
use crate::keyring::source::Source;
use crate::keyring::source::SourceKind;
use crate::secret::SecretStr;

/// All places, those that are not there included: a report names them.
pub(super) fn sources(environment: &Environment) -> Vec<Source> {
    vec![
        file_variable(
            environment,
            SourceKind::Ssh,
            "SOPS_AGE_SSH_PRIVATE_KEY_FILE",
        ),
        command_variable(
            environment,
            SourceKind::SshCommand,
            "SOPS_AGE_SSH_PRIVATE_KEY_CMD",
        ),
        default_file(SourceKind::Ssh, environment.home(), ".ssh/id_ed25519"),
        default_file(SourceKind::Ssh, environment.home(), ".ssh/id_rsa"),
        key_variable(environment),
        file_variable(environment, SourceKind::AgeFile, "SOPS_AGE_KEY_FILE"),
        command_variable(environment, SourceKind::AgeCommand, "SOPS_AGE_KEY_CMD"),
        default_file(
            SourceKind::AgeFile,
            environment.config_dir(),
            "sops/age/keys.txt",
        ),
    ]
}

fn file_variable(environment: &Environment, kind: SourceKind, name: &'static str) -> Source {
    match environment.var_os(name) {
        None => unset(kind, name),
        Some(path) => {
            let place = Place {
                variable: Some(name),
                path: Some(path.into()),
            };
            Source::lazy(kind, place, file_loader(kind, Named::ByUser))
        }
    }
}

fn default_file(kind: SourceKind, directory: Option<&Path>, file: &str) -> Source {
    let place = |path: &Path| Place {
        variable: None,
        path: Some(path.into()),
    };
    match directory {
        None => absent(kind, place(Path::new(file)), SourceState::NoDirectory),
        Some(directory) => {
            let loader = file_loader(kind, Named::ByDefault);
            Source::lazy(kind, place(&directory.join(file)), loader)
        }
    }
}

fn file_loader(kind: SourceKind, named: Named) -> Loader {
    match kind {
        SourceKind::Ssh => Loader::SshFile(named),
        _ => Loader::AgeFile(named),
    }
}

fn key_variable(environment: &Environment) -> Source {
    let name = "SOPS_AGE_KEY";
    match environment.secret(name) {
        None => unset(SourceKind::AgeEnvironment, name),
        Some(text) => {
            // EXPOSE: into another secret, which the source owns until it is read.
            let text = SecretStr::from_string(text.expose().to_owned());
            let place = variable(name);
            Source::lazy(SourceKind::AgeEnvironment, place, Loader::AgeText(text))
        }
    }
}

fn command_variable(environment: &Environment, kind: SourceKind, name: &'static str) -> Source {
    let Some(line) = environment.var_os(name) else {
        return unset(kind, name);
    };
    let line = line.to_string_lossy().into_owned();
    let loader = match kind {
        SourceKind::SshCommand => Loader::SshCommand(line),
        _ => Loader::AgeCommand(line),
    };
    Source::lazy(kind, variable(name), loader)
}

fn unset(kind: SourceKind, name: &'static str) -> Source {
    absent(kind, variable(name), SourceState::Unset)
}

fn absent(kind: SourceKind, place: Place, state: SourceState) -> Source {
    Source::ready(kind, place, true, Loaded::faulty(state))
}

fn variable(name: &'static str) -> Place {
    Place {
        variable: Some(name),
        path: None,
    }
}
