//! `ccsec`: sops files edited losslessly, opened by the host's SSH key, materialised at boot in one transaction.
#![allow(
    rustdoc::broken_intra_doc_links,
    reason = "doc comments of arguments are help texts, in which paths such as [\"a\"] are no links"
)]

mod arguments;
mod cli;
mod commands;
mod context;
mod error;
mod exit;
mod harden;
mod hint;
mod input;
mod interrupts;
mod layout;
mod machine;
mod next_step;
mod output;
mod policy;
mod sealed;
mod shell;
mod spawn;
mod workspace;

use std::process::ExitCode;

fn main() -> ExitCode {
    harden::process();
    harden::run(program).into()
}

fn program() -> exit::Exit {
    let (family, result) = match cli::parse(std::env::args_os()) {
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
