//! `ccsec`: sops files edited losslessly, opened by the host's SSH key, materialised at boot in one transaction.
#![allow(
    rustdoc::broken_intra_doc_links,
    reason = "doc comments of arguments are help texts, in which paths such as [\"a\"] are no links"
)]

mod arguments;
mod cli;
mod commands;
mod compat;
mod content;
mod context;
mod error;
mod exit;
mod harden;
mod hint;
mod input;
mod interrupts;
mod layout;
mod listener;
mod machine;
mod manager;
mod next_step;
mod output;
mod policy;
mod probe;
mod prompt;
mod sealed;
mod serve;
mod shell;
mod spawn;
mod tree_path;
mod workspace;

use std::ffi::OsString;
use std::process::ExitCode;

fn main() -> ExitCode {
    harden::process();
    harden::run(program).into()
}

fn program() -> exit::Exit {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    if compat::sops_install_secrets::is_called(&arguments) {
        return compat::sops_install_secrets::run(&arguments);
    }
    let (family, result) = match cli::parse(arguments) {
        cli::Request::Run(cli) => {
            let mut context = context::Context::capture(cli.global);
            (cli.command.family(), cli.command.run(&mut context))
        }
        cli::Request::Answer(family, result) => (family, result),
    };
    result.unwrap_or_else(|error| {
        output::error(&error);
        error.exit(family)
    })
}
