//! One activation, whoever asks for it: our own commands, or somebody who calls this program sops-install-secrets.

use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ccci_secrets::activation::fault::Refusal;
use ccci_secrets::activation::manifest::{Dialect, Manifest, Reading};
use ccci_secrets::activation::{self, Options, Plan, Receipt, Report, Run, Units};
use ccci_secrets::certificate::Fingerprint;
use ccci_secrets::env::Environment;
use ccci_secrets::fs::RealFs;
use ccci_secrets::hmac_key::HmacKey;
use ccci_secrets::keyring::Keyring;
use ccci_secrets::wrapped::Names;

use super::{names, refusal};
use crate::context::Context;
use crate::error::CommandError;
use crate::output;
use crate::spawn::systemctl::Teller;
use crate::spawn::{getent, gnupg};

/// What is to be activated, and how.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Request<'a> {
    pub(crate) manifest: &'a Path,
    pub(crate) dialect: Dialect,
    pub(crate) started: jiff::Timestamp,
    /// Use keys from the environment and the home directory too.
    pub(crate) ambient_keys: bool,
    /// Look nobody up: everything is root's.
    pub(crate) ignore_passwd: bool,
    pub(crate) root: Option<&'a Path>,
    pub(crate) lock_timeout: Duration,
    pub(crate) expected_leaf: Option<Fingerprint>,
    pub(crate) digest_key: Option<&'a HmacKey>,
}

/// What came of it, and the manifest if it could be read.
#[derive(Debug)]
pub(crate) struct Ended<T> {
    pub(crate) manifest: Option<Manifest>,
    pub(crate) result: Result<T, Refusal>,
}

impl<T> Ended<T> {
    /// Prints a refusal as JSON, for whoever has asked for JSON: the report is the same whatever was asked for.
    pub(crate) fn print_refusal(&self, context: &Context, started: jiff::Timestamp) {
        let Err(refused) = &self.result else {
            return;
        };
        let names = names::of_refusal(&context.directory, refused);
        let report = Report::of_refusal(&self.run(started, &names), refused);
        if let Err(error) = output::data(report.to_json().as_bytes()) {
            // What the run came to counts more than who reads about it.
            output::error(&error);
        }
    }

    /// What a report says of the run as such.
    pub(crate) fn run<'a>(&'a self, started: jiff::Timestamp, names: &'a Names) -> Run<'a> {
        Run {
            tool: Context::TOOL,
            started,
            manifest: self.manifest.as_ref(),
            names,
        }
    }

    /// What came of it; a refusal is told as that of an activation.
    pub(crate) fn told(self, context: &Context, manifest: &Path) -> Result<T, CommandError> {
        self.result.map_err(|refused| {
            let names = names::of_refusal(&context.directory, &refused);
            let text = refusal::text(&refused, manifest, &names);
            CommandError::new(refused.code(), text).verbatim()
        })
    }
}

impl<'a> Request<'a> {
    /// A request with everything that is optional left out.
    pub(crate) fn new(manifest: &'a Path, dialect: Dialect, started: jiff::Timestamp) -> Self {
        Self {
            manifest,
            dialect,
            started,
            ambient_keys: false,
            ignore_passwd: false,
            root: None,
            lock_timeout: LOCK_TIMEOUT,
            expected_leaf: None,
            digest_key: None,
        }
    }

    /// Makes what the manifest says, and tells units.
    pub(crate) fn activate(self, context: &Context) -> Ended<Receipt> {
        self.with_manifest(context, activation::activate)
    }

    /// Finds out what would be made.
    pub(crate) fn preview(self, context: &Context) -> Ended<Plan> {
        self.with_manifest(context, activation::preview)
    }

    /// Does something with the manifest.
    pub(crate) fn with_manifest<T>(
        self,
        context: &Context,
        work: impl FnOnce(&Manifest, Options<'_>) -> Result<T, Refusal>,
    ) -> Ended<T> {
        let refused = |refusal| Ended {
            manifest: None,
            result: Err(refusal),
        };
        // A manifest holds no secret.
        let text = match std::fs::read(self.manifest) {
            Ok(text) => text,
            Err(error) => return refused(activation::refuse_unreadable(self.manifest, error)),
        };
        let fs = RealFs::new();
        let state_home = state_home(&context.environment);
        // Who is told depends on the manifest, which is read below.
        let is_user = Cell::new(false);
        let tell = |units: &Units| {
            let teller = Teller::of_run(is_user.get(), self.dialect, &context.environment);
            teller.tell(units, &context.environment)
        };
        let accounts = |kind, name: &str| getent::account(kind, name, &context.environment);
        let mut options = Options::new(&fs, &std::thread::sleep);
        options.units = Some(&tell);
        options.root = self.root;
        options.state_home = state_home.as_deref();
        options.ignore_passwd = self.ignore_passwd;
        options.accounts = Some(&accounts);
        options.lock_timeout = self.lock_timeout;
        options.now = Some(self.started);
        options.expected_leaf = self.expected_leaf;
        options.digest_key = self.digest_key;
        // Keys of whoever runs this play no part, unless somebody says so.
        options.ambient = self
            .ambient_keys
            .then(|| Keyring::discover(&context.environment));
        match Manifest::parse(&text, self.reading(context)) {
            Ok(manifest) => {
                is_user.set(manifest.is_user_mode());
                options.gnupg = Some(gnupg::of(&context.environment, manifest.is_user_mode()));
                let result = work(&manifest, options);
                Ended {
                    manifest: Some(manifest),
                    result,
                }
            }
            Err(faults) => refused(activation::refuse_manifest(&text, faults, &options)),
        }
    }

    /// How the manifest is read.
    pub(crate) fn reading<'b>(&'b self, context: &'b Context) -> Reading<'b> {
        let mut reading = Reading::from(match self.dialect {
            Dialect::SopsInstallSecrets => context.directory.as_path(),
            _ => directory_of(self.manifest),
        });
        reading.dialect = self.dialect;
        let runtime_directory = context.environment.var_os("XDG_RUNTIME_DIR");
        reading.runtime_directory = runtime_directory.map(Path::new);
        reading
    }
}

/// Where relative paths of a manifest count from.
fn directory_of(manifest: &Path) -> &Path {
    manifest.parent().unwrap_or(Path::new("/"))
}

/// `$XDG_STATE_HOME`, or what it is by default.
fn state_home(environment: &Environment) -> Option<PathBuf> {
    let named = environment.var_os("XDG_STATE_HOME").map(PathBuf::from);
    let default = || environment.home().map(|home| home.join(".local/state"));
    named.filter(|path| path.is_absolute()).or_else(default)
}

/// How long to wait for another run to end.
const LOCK_TIMEOUT: Duration = Duration::from_secs(60);
