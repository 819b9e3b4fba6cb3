//! Commands that print a key: split like a shell would, run without one.

use std::io::Read;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;

use zeroize::Zeroizing;

use crate::keyring::key_file::SystemError;
use crate::secret::Secret;
use crate::words;

/// Why a key command gave no key.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, thiserror::Error)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum CommandFault {
    /// It ended with this code.
    #[error("the command ended with exit code {0}")]
    Exit(i32),
    /// There is no command in the variable.
    #[error("the command is empty")]
    NoCommand,
    /// It could not be started.
    #[error("the command could not be started: {0}")]
    NotStarted(SystemError),
    /// A quote that is not closed, or a backslash at the end.
    #[error("the command has an open quote")]
    OpenQuote,
    /// Its output could not be read.
    #[error("the output of the command could not be read: {0}")]
    Output(SystemError),
    /// A signal ended it.
    #[error("the command was killed")]
    Killed,
    /// More output than any key has.
    #[error("the command printed more than {0} bytes")]
    TooLong(usize),
}

/// Runs a key command for a recipient and gives what it printed. Its standard error is that of the program; it may ask
/// the user something, so there is no limit of time.
pub(super) fn run(line: &str, recipient: &str) -> Result<Secret, CommandFault> {
    let words = words::split(line).ok_or(CommandFault::OpenQuote)?;
    let (program, arguments) = words.split_first().ok_or(CommandFault::NoCommand)?;
    #[expect(
        clippy::disallowed_methods,
        reason = "the key command of the user is one of the three processes the library starts"
    )]
    let mut child = Command::new(program)
        .args(arguments)
        .env("SOPS_AGE_RECIPIENT", recipient)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| CommandFault::NotStarted(system_error(&error)))?;
    let output = read_output(&mut child);
    if output.is_err() {
        // Nobody reads any more; if it is gone already there is nothing to kill.
        drop(child.kill());
    }
    let status = child
        .wait()
        .map_err(|error| CommandFault::Output(system_error(&error)))?;
    let output = output?;
    match status.code() {
        Some(0) => Ok(output),
        Some(code) => Err(CommandFault::Exit(code)),
        None => Err(CommandFault::Killed),
    }
}

fn read_output(child: &mut Child) -> Result<Secret, CommandFault> {
    let mut output = Secret::with_capacity(4096);
    let mut buffer = Zeroizing::new([0; 4096]);
    let Some(pipe) = child.stdout.as_mut() else {
        return Ok(output);
    };
    loop {
        match pipe.read(buffer.as_mut_slice()) {
            Ok(0) => return Ok(output),
            Ok(read) if output.len() + read > OUTPUT_LIMIT => {
                return Err(CommandFault::TooLong(OUTPUT_LIMIT));
            }
            Ok(read) => output.extend(buffer.get(..read).unwrap_or_default()),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(CommandFault::Output(system_error(&error))),
        }
    }
}

fn system_error(error: &std::io::Error) -> SystemError {
    SystemError(error.raw_os_error().unwrap_or_default())
}

const OUTPUT_LIMIT: usize = 1024 * 1024;
