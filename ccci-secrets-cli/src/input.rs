//! What a command reads: a file that was named, or standard input.

use std::io::{self, IsTerminal as _, Read as _};
use std::path::{Path, PathBuf};

use ccci_secrets::document::Format;
use ccci_secrets::error::ErrorCode;
use ccci_secrets::repository;
use ccci_secrets::secret::Secret;
use zeroize::Zeroizing;

use crate::context::Context;
use crate::error::CommandError;
use crate::exit::Exit;
use crate::output;

/// Where a command reads from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Input {
    File(PathBuf),
    Stdin,
}

impl Input {
    /// The first of the files that were named, else standard input.
    pub(crate) fn of(files: Vec<PathBuf>) -> Self {
        first_of(files).map_or(Self::Stdin, Self::File)
    }

    /// The path, if it is a file.
    pub(crate) fn path(&self) -> Option<&Path> {
        match self {
            Self::File(path) => Some(path),
            Self::Stdin => None,
        }
    }

    /// How messages call it.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::File(path) => path.display().to_string(),
            Self::Stdin => "standard input".into(),
        }
    }

    /// Refuses a file that does not exist, before anything else is looked at.
    pub(crate) fn require(&self, context: &Context) -> Result<(), CommandError> {
        match self {
            Self::File(path) if is_missing(path) => Err(missing(&context.absolute(path))),
            _ => Ok(()),
        }
    }

    /// Reads all of it.
    pub(crate) fn read(&self) -> Result<Secret, CommandError> {
        match self {
            Self::File(path) => read_file(path),
            Self::Stdin => read_stdin(),
        }
    }

    /// The format of the content: as it was given, else as the name says.
    pub(crate) fn format(&self, given: Option<Format>, name: Option<&Path>) -> Format {
        let name = name.or(self.path());
        given.unwrap_or_else(|| {
            name.map_or(Format::Binary, |name| {
                Format::of_file_name(&name.to_string_lossy())
            })
        })
    }
}

/// The first of the positionals of a command that takes one file. sops warns about the others and goes on.
pub(crate) fn first_of(files: Vec<PathBuf>) -> Option<PathBuf> {
    if files.len() > 1 {
        output::warning(
            "More than one positional argument provided. Only the first one will be used!",
        );
    }
    files.into_iter().next()
}

/// A file that a command cannot do without.
pub(crate) fn required_file(files: Vec<PathBuf>) -> Result<PathBuf, CommandError> {
    first_of(files)
        .ok_or_else(|| CommandError::usage("no file specified").exit_with(Exit::SopsNoFile))
}

/// Reads a file.
pub(crate) fn read_file(path: &Path) -> Result<Secret, CommandError> {
    let read = std::fs::read(path).map(Secret::from_vec);
    read.map_err(|error| unreadable(path, &error))
}

/// A file that cannot be read.
pub(crate) fn unreadable(path: &Path, error: &io::Error) -> CommandError {
    let cannot = CommandError::new(
        ErrorCode::FileUnreadable,
        format!("cannot read {}: {error}", path.display()),
    );
    hint_at_submodule(cannot, path)
}

/// Reads standard input to its end.
pub(crate) fn read_stdin() -> Result<Secret, CommandError> {
    let mut content = Secret::with_capacity(BUFFER);
    let mut buffer = Zeroizing::new([0; BUFFER]);
    let mut stdin = io::stdin().lock();
    if stdin.is_terminal() {
        output::note("Reading standard input; end it with Ctrl+D on a line of its own.");
    }
    loop {
        match stdin.read(buffer.as_mut_slice()) {
            Ok(0) => return Ok(content),
            Ok(read) => content.extend(buffer.get(..read).unwrap_or_default()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => {
                return Err(CommandError::new(
                    ErrorCode::FileUnreadable,
                    format!("cannot read standard input: {error}"),
                ));
            }
        }
    }
}

/// Whether nothing stands at a path, not even something that cannot be looked at.
pub(crate) fn is_missing(path: &Path) -> bool {
    matches!(std::fs::metadata(path), Err(error) if error.kind() == io::ErrorKind::NotFound)
}

fn missing(path: &Path) -> CommandError {
    let error = CommandError::new(
        ErrorCode::FileMissing,
        format!("cannot operate on non-existent file \"{}\"", path.display()),
    );
    hint_at_submodule(error, path)
}

/// A missing file below a submodule that is not there has that one cause.
pub(crate) fn hint_at_submodule(error: CommandError, path: &Path) -> CommandError {
    match repository::uninitialised_submodule(path) {
        Some(submodule) => error.hint(format!(
            "the git submodule {} is not initialised: git -C {} submodule update --init {}",
            submodule.path,
            submodule.superproject.display(),
            submodule.path,
        )),
        None => error,
    }
}

const BUFFER: usize = 64 * 1024;
