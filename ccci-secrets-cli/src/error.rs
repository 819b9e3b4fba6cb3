//! What a command fails with: a stable code, a message, the cause, and what to do next.

use std::error::Error;
use std::fmt;
use std::path::Path;

use ccci_secrets::document::ParseError;
use ccci_secrets::error::{ErrorCode, PathError};
use ccci_secrets::file::{FileError, OpenError, SealError, UnsetError};

use crate::exit::{Exit, Family};
use crate::hint::{self, Hint};

/// A command that did not do what it was asked.
#[derive(Debug)]
pub(crate) struct CommandError {
    code: ErrorCode,
    exit: Option<Exit>,
    message: String,
    source: Option<Box<dyn Error + Send + Sync>>,
    hints: Vec<String>,
    general_hint: bool,
    lead: Lead,
}

/// How the message begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lead {
    /// With `error:`.
    Error,
    /// Not at all: nobody is there to read it.
    Silent,
    /// As it is: scripts look for its first line.
    Verbatim,
}

impl CommandError {
    /// An error with a message of our own.
    pub(crate) fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self {
            code,
            exit: None,
            message: message.into(),
            source: None,
            hints: Vec::new(),
            general_hint: true,
            lead: Lead::Error,
        }
    }

    /// A command line that cannot be meant.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::Usage, message)
    }

    /// Something that this build does not have, called by its name.
    pub(crate) fn not_built(what: impl fmt::Display) -> Self {
        Self::new(
            ErrorCode::NotBuilt,
            format!("{what} is not supported by this build"),
        )
    }

    /// An error of the library, about `subject`: a file, as it was named.
    pub(crate) fn about(
        subject: impl fmt::Display,
        error: impl Coded + Send + Sync + 'static,
    ) -> Self {
        let mut new = Self::new(error.code(), format!("{subject}: {error}"));
        new.source = Some(Box::new(error));
        new
    }

    /// An end that needs no words.
    pub(crate) fn silent(exit: Exit) -> Self {
        Self {
            lead: Lead::Silent,
            ..Self::new(ErrorCode::Interrupted, "").exit_with(exit)
        }
    }

    /// A file that cannot be written. The system's own words name the path.
    pub(crate) fn cannot_write(error: PathError) -> Self {
        let mut new = Self::new(ErrorCode::FileUnwritable, format!("cannot write {error}"));
        new.source = Some(Box::new(error));
        new
    }

    /// The same error with another exit code than its code has by itself.
    pub(crate) fn exit_with(mut self, exit: Exit) -> Self {
        self.exit = Some(exit);
        self
    }

    /// The same error with another exit code, if it has this code.
    pub(crate) fn exit_if(self, code: ErrorCode, exit: Exit) -> Self {
        if self.code == code {
            self.exit_with(exit)
        } else {
            self
        }
    }

    /// The same error with one more next step, before the general one of its code.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// The same error without the next step that its code has by itself.
    pub(crate) fn without_general_hint(mut self) -> Self {
        self.general_hint = false;
        self
    }

    /// The same error with text that scripts look for as its first line.
    pub(crate) fn verbatim(mut self) -> Self {
        self.lead = Lead::Verbatim;
        self
    }

    /// Whether it is not to be printed.
    pub(crate) fn is_silent(&self) -> bool {
        self.lead == Lead::Silent
    }

    /// The stable code.
    pub(crate) fn code(&self) -> ErrorCode {
        self.code
    }

    /// The exit code under the numbers of a family.
    pub(crate) fn exit(&self, family: Family) -> Exit {
        self.exit.unwrap_or_else(|| Exit::of(self.code, family))
    }
}

impl fmt::Display for CommandError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.lead == Lead::Error {
            f.write_str("error: ")?;
        }
        f.write_str(&self.message)?;
        for hint in &self.hints {
            write!(f, "\nhint: {hint}")?;
        }
        match hint::of(self.code) {
            Hint::Step(step) if self.lead == Lead::Error && self.general_hint => {
                write!(f, "\nhint: {step}")
            }
            _ => Ok(()),
        }
    }
}

impl Error for CommandError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source
            .as_deref()
            .map(|source| source as &(dyn Error + 'static))
    }
}

/// An error with a stable code.
pub(crate) trait Coded: Error {
    /// The code.
    fn code(&self) -> ErrorCode;
}

macro_rules! coded {
    ($($error:ty),* $(,)?) => {
        $(impl Coded for $error {
            fn code(&self) -> ErrorCode {
                <$error>::code(self)
            }
        })*
    };
}

coded!(FileError, OpenError, ParseError, SealError, UnsetError);

/// Adds the file to an error of the library.
pub(crate) trait InFile<T> {
    /// The same result; the error begins with the name of the file.
    fn in_file(self, file: impl AsRef<Path>) -> Result<T, CommandError>;
}

impl<T, E: Coded + Send + Sync + 'static> InFile<T> for Result<T, E> {
    fn in_file(self, file: impl AsRef<Path>) -> Result<T, CommandError> {
        self.map_err(|error| CommandError::about(file.as_ref().display(), error))
    }
}
