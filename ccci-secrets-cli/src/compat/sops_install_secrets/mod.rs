//! sops-install-secrets: what the modules of sops-nix run at every activation.

mod changes;
mod command_line;

use std::ffi::OsString;
use std::path::Path;

use ccci_secrets::activation::fault::{KeyState, Refusal};
use ccci_secrets::activation::manifest::{Dialect, Logging, Manifest};
use ccci_secrets::activation::{Plan, Receipt};
use ccci_secrets::error::ErrorCode;
use ccci_secrets::wrapped::Names;

use self::changes::Changes;
use self::command_line::{Asked, CheckMode, Typed};
use crate::cli::GlobalArgs;
use crate::commands::activate::request::{Ended, Request};
use crate::commands::activate::{names, refusal, success};
use crate::commands::check;
use crate::context::Context;
use crate::error::CommandError;
use crate::exit::{Exit, Family};
use crate::harden;
use crate::output;
use crate::spawn::systemctl::Teller;

/// Whether the program was called by this name.
pub(crate) fn is_called(arguments: &[OsString]) -> bool {
    let program = arguments.first().map(Path::new);
    program.and_then(Path::file_name) == Some(NAME.as_ref())
}

/// Does what sops-install-secrets does.
pub(crate) fn run(arguments: &[OsString]) -> Exit {
    let typed = match command_line::parse(arguments) {
        Ok(Asked::Help) => {
            output::message(command_line::help(arguments));
            return Exit::Done;
        }
        Ok(Asked::Run(typed)) => typed,
        Err(error) => {
            output::error(&error);
            return error.exit(Family::Native);
        }
    };
    let context = Context::capture(GlobalArgs::default());
    let ended = match typed.check_mode {
        CheckMode::Manifest => check(&context, &typed, check::Mode::Manifest),
        CheckMode::SopsFile => check(&context, &typed, check::Mode::Sopsfile),
        CheckMode::Off => install(&context, &typed),
    };
    let exit = ended.unwrap_or_else(|error| {
        output::error(&error);
        error.exit(Family::Native)
    });
    match typed.folds_exits && (10..=42).contains(&exit.number()) {
        true => Exit::SopsGeneric,
        false => exit,
    }
}

fn request<'a>(typed: &'a Typed) -> Request<'a> {
    Request {
        // Those who set `sops.environment` have put keys there.
        ambient_keys: true,
        ignore_passwd: typed.ignore_passwd,
        ..Request::new(&typed.manifest, Dialect::SopsInstallSecrets, Context::now())
    }
}

fn check(context: &Context, typed: &Typed, mode: check::Mode) -> Result<Exit, CommandError> {
    let checked = check::examine(&request(typed), context, mode)?.checked;
    for line in refusal::warnings(&checked.warnings) {
        output::note(line);
    }
    match checked.code() {
        None => Ok(Exit::Done),
        Some(code) => {
            let lines = refusal::of_faults(&checked.faults, &typed.manifest, &Names::default());
            Err(CommandError::new(code, lines.join("\n")).verbatim())
        }
    }
}

fn install(context: &Context, typed: &Typed) -> Result<Exit, CommandError> {
    harden::activation();
    match context.environment.var("NIXOS_ACTION") {
        Some("dry-activate") => {
            let ended = request(typed).preview(context);
            Told::of(context, typed, &ended).preview(&ended)
        }
        _ => {
            let ended = request(typed).activate(context);
            Told::of(context, typed, &ended).activation(&ended)
        }
    }
}

/// What is needed to tell how a run ended.
struct Told<'a> {
    context: &'a Context,
    typed: &'a Typed,
    logging: Logging,
}

impl<'a> Told<'a> {
    fn of<T>(context: &'a Context, typed: &'a Typed, ended: &Ended<T>) -> Self {
        let logging = ended.manifest.as_ref().map(Manifest::logging);
        Self {
            context,
            typed,
            logging: logging.unwrap_or_default(),
        }
    }

    fn activation(&self, ended: &Ended<Receipt>) -> Result<Exit, CommandError> {
        let receipt = ended
            .result
            .as_ref()
            .map_err(|refused| self.refusal(refused))?;
        self.imported_keys(receipt);
        for line in success::warnings(receipt) {
            output::note(line);
        }
        let told = match receipt.compared {
            true => self.changes(&Changes::of_receipt(receipt), changes::DONE),
            false => Ok(()),
        };
        let names = names::of_receipt(&self.context.directory, receipt);
        // A reader that went away wanted no more of it.
        let untold = told.err().filter(|error| !error.is_silent());
        let failure = success::failure(receipt, &self.typed.manifest, &names)
            .or_else(|| untold.map(|error| success::no_report(receipt, &error)));
        match failure {
            Some(failure) => {
                Err(CommandError::new(ErrorCode::CommittedWithFault, failure).verbatim())
            }
            None => Ok(Exit::Done),
        }
    }

    /// A rehearsal: the lists that NixOS shows are all that is written.
    fn preview(&self, ended: &Ended<Plan>) -> Result<Exit, CommandError> {
        let preview = ended
            .result
            .as_ref()
            .map_err(|refused| self.refusal(refused))?;
        for line in refusal::warnings(&preview.warnings) {
            output::note(line);
        }
        self.changes(&Changes::of_preview(preview), changes::EXPECTED)?;
        let environment = &self.context.environment;
        let is_user = ended.manifest.as_ref().is_some_and(Manifest::is_user_mode);
        let untold = Teller::of_rehearsal(is_user, environment).tell(&preview.units, environment);
        for fault in untold {
            output::warning(format_args!("{}: {}", fault.unit, fault.problem));
        }
        Ok(Exit::Done)
    }

    fn changes(&self, changes: &Changes<'_>, words: changes::Words) -> Result<(), CommandError> {
        match self.logging.secret_changes {
            true => output::data(changes.lines(words).as_bytes()),
            false => Ok(()),
        }
    }

    fn imported_keys(&self, receipt: &Receipt) {
        if !self.logging.key_import {
            return;
        }
        for key in receipt.keys.iter().filter(|key| key.field == SSH_KEYS) {
            if let KeyState::Usable { recipients, .. } = &key.state
                && let Some(recipient) = recipients.first()
            {
                output::note(format_args!(
                    "{NAME}: Imported {} as age key with fingerprint {recipient}",
                    key.path.display()
                ));
            }
        }
    }

    fn refusal(&self, refused: &Refusal) -> CommandError {
        let names = names::of_refusal(&self.context.directory, refused);
        let text = refusal::text(refused, &self.typed.manifest, &names);
        CommandError::new(refused.code(), text).verbatim()
    }
}

const NAME: &str = "sops-install-secrets";
/// The field of a manifest whose keys are said to be imported.
const SSH_KEYS: &str = "ageSshKeyPaths";
