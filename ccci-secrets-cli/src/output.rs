//! Everything that is printed: data to standard output, sentences to standard error, and files.

mod journal;

use std::io::{self, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};

use ccci_secrets::atomic::{self, NewFileMode};
use ccci_secrets::error::{ErrorCode, PathError};
use ccci_secrets::fs::{FileSystem, Fs as _, RealFs};
use ccci_secrets::keyring::NewKeyFile;
use ccci_secrets::secret::Secret;

use self::journal::Level;
use crate::content;
use crate::error::CommandError;
use crate::exit::Exit;

/// Where the result of a command goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    File(PathBuf),
    Stdout,
}

/// Prints data to standard output.
pub(crate) fn data(bytes: &[u8]) -> Result<(), CommandError> {
    let mut out = io::stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
            Err(CommandError::silent(Exit::BrokenPipe))
        }
        Err(error) => Err(CommandError::new(
            ErrorCode::FileUnwritable,
            format!("cannot write to standard output: {error}"),
        )),
    }
}

/// Prints something that holds no secret as JSON, for programs.
pub(crate) fn json(value: &impl serde::Serialize) -> Result<(), CommandError> {
    let mut text = serde_json::to_vec_pretty(value).expect("text and numbers make JSON");
    text.push(b'\n');
    data(&text)
}

/// Lets plaintext out to its target: standard output, or a file that is 0600 if it is new.
pub(crate) fn plaintext(target: &Target, plain: &Secret) -> Result<(), CommandError> {
    // EXPOSE: to where the user wants it; the caller's buffer is wiped when it goes.
    let bytes = plain.expose();
    match target {
        Target::File(path) => file(path, bytes, NewFileMode::Private),
        Target::Stdout if is_binary(bytes) && io::stdout().is_terminal() => Err(CommandError::new(
            ErrorCode::FileUnwritable,
            "the value is binary, which a terminal cannot show",
        )
        .hint("write it to a file with --output FILE, or pipe it")),
        Target::Stdout => data(bytes),
    }
}

/// Lets a private key out to standard output. Whoever redirects it still wants to see the recipient.
pub(crate) fn key(key: &NewKeyFile) -> Result<(), CommandError> {
    if goes_where_others_read() {
        warning("others can read the file that the key goes to; --output FILE makes a private one");
    }
    // EXPOSE: to standard output, as was asked for.
    data(key.text().expose())?;
    if !io::stdout().is_terminal() {
        for recipient in key.recipients() {
            note(format_args!("Public key: {recipient}"));
        }
    }
    Ok(())
}

/// Whether what is printed is read at once, and not taken by a program.
pub(crate) fn data_goes_to_a_person() -> bool {
    io::stdout().is_terminal()
}

/// Whether standard output is a file that others may read.
fn goes_where_others_read() -> bool {
    rustix::fs::fstat(io::stdout()).is_ok_and(|found| {
        let kind = rustix::fs::FileType::from_raw_mode(found.st_mode);
        kind == rustix::fs::FileType::RegularFile && found.st_mode & 0o077 != 0
    })
}

/// Whether standard output is a file on a disk, or one that others may read.
pub(crate) fn outlives_the_run() -> bool {
    let is_file = rustix::fs::fstat(io::stdout()).is_ok_and(|found| {
        rustix::fs::FileType::from_raw_mode(found.st_mode) == rustix::fs::FileType::RegularFile
    });
    let is_memory = || {
        use std::os::fd::AsFd as _;
        RealFs::new()
            .file_system(io::stdout().as_fd())
            .is_ok_and(FileSystem::is_memory)
    };
    is_file && (goes_where_others_read() || !is_memory())
}

/// Whether others may read a file.
pub(crate) fn is_open_to_others(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::metadata(path).is_ok_and(|found| found.permissions().mode() & 0o077 != 0)
}

/// Replaces a file atomically, or writes into a device or pipe.
pub(crate) fn file(path: &Path, bytes: &[u8], new: NewFileMode) -> Result<(), CommandError> {
    let written = if is_stream(path) {
        write_into(path, bytes)
    } else {
        atomic::replace(path, bytes, new)
    };
    written.map_err(CommandError::cannot_write)
}

/// As [`fn@file`], but a file that holds these bytes already is left alone.
pub(crate) fn changed_file(
    path: &Path,
    bytes: &[u8],
    new: NewFileMode,
) -> Result<(), CommandError> {
    let is_same = path.is_file() && content::is(path, bytes).unwrap_or(false);
    if is_same {
        Ok(())
    } else {
        file(path, bytes, new)
    }
}

/// Writes a report that is nobody else's business: mode 0600, also where a file with another mode was.
pub(crate) fn private_report(path: &Path, bytes: &[u8]) -> Result<(), CommandError> {
    use std::os::unix::fs::PermissionsExt as _;
    file(path, bytes, NewFileMode::Private)?;
    if is_stream(path) {
        return Ok(());
    }
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).map_err(|source| {
        CommandError::cannot_write(PathError {
            path: path.to_owned(),
            source,
        })
    })
}

/// Whether something stands there that is written to, and not replaced: a terminal, `/dev/null`, a pipe.
fn is_stream(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|found| !found.is_file() && !found.is_dir())
}

fn write_into(path: &Path, bytes: &[u8]) -> Result<(), PathError> {
    std::fs::OpenOptions::new()
        .write(true)
        .open(path)
        .and_then(|mut stream| stream.write_all(bytes))
        .map_err(|source| PathError {
            path: path.to_owned(),
            source,
        })
}

fn is_binary(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).map_or(true, |text| {
        text.chars()
            .any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t'))
    })
}

/// Says something on the way that is no error.
pub(crate) fn warning(text: impl std::fmt::Display) {
    say(Level::Warning, &format!("warning: {text}\n"));
}

/// Says that somebody else did not get what was asked for.
pub(crate) fn refused(text: impl std::fmt::Display) {
    say(Level::Warning, &format!("{text}\n"));
}

/// Says something that is no error, and no warning unless it says so itself.
pub(crate) fn note(text: impl std::fmt::Display) {
    let text = format!("{text}\n");
    let level = match text.starts_with("warning: ") {
        true => Level::Warning,
        false => Level::Note,
    };
    say(level, &text);
}

/// Prints text that is ready for standard error.
pub(crate) fn message(text: impl std::fmt::Display) {
    say(Level::Note, &text.to_string());
}

/// Prints the error that ends a command.
pub(crate) fn error(error: &CommandError) {
    if !error.is_silent() {
        say(Level::Error, &format!("{error}\n"));
    }
}

/// Says that the program itself is at fault, and where; never what it was working on.
pub(crate) fn internal_error(place: &str) {
    say(
        Level::Error,
        &format!("error: internal error at {place}; please report this place and the version\n"),
    );
}

/// Writes to standard error, in one piece. A disk that is full or a terminal that is gone is no reason to fail, let alone
/// to end without cleaning up.
fn say(level: Level, text: &str) {
    let text = match journal::reads_along() {
        true => journal::lines(level, text),
        false => text.into(),
    };
    let _nobody_listens = io::stderr().lock().write_all(text.as_bytes());
}
