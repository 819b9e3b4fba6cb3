//! `ccsec completion`.

use clap_complete::Shell;

use crate::cli;
use crate::error::CommandError;
use crate::exit::{self, Exit, Family};
use crate::output;

/// Print what lets a shell complete command lines of ccsec
///
/// It goes where the shell looks for it, or is read at its start: `source <(ccsec completion bash)`. The Debian package
/// brings the files of bash, zsh and fish.
#[derive(Debug, clap::Args)]
#[command(after_long_help = exit::table(Family::Native))]
pub(crate) struct Args {
    /// The shell
    shell: Shell,
}

pub(crate) fn run(args: &Args) -> Result<Exit, CommandError> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut cli::whole(), "ccsec", &mut script);
    output::data(&script).map(|()| Exit::Done)
}
