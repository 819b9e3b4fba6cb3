//! Paths that are typed, and what to type instead of one that leads nowhere.

use std::path::Path;

use ccci_secrets::error::ErrorCode;
use ccci_secrets::path::{Segment, TreePath};

use crate::error::CommandError;
use crate::shell::quoted;

/// Reads a path; `lead` begins the message about one that cannot be read.
pub(crate) fn parse(text: &str, lead: &str) -> Result<TreePath, CommandError> {
    text.parse().map_err(|error| {
        let message = format!("{lead}: {error}");
        let error = CommandError::new(ErrorCode::PathInvalid, message);
        match TreePath::guess(text) {
            Some(path) => error.hint(format!("did you mean {}?", pasted(&path))),
            None => error,
        }
    })
}

/// Says of a path at which nothing is how it was read, and what else it may be.
pub(crate) fn explain(error: CommandError, text: &str) -> CommandError {
    let (ErrorCode::PathNotFound, Ok(path)) = (error.code(), text.parse::<TreePath>()) else {
        return error;
    };
    let is_dotted = text.contains('.') && !text.trim_start().starts_with('[');
    let as_list = path.with_indices();
    let mut hints = Vec::new();
    if is_dotted {
        let whole = TreePath::root().child(Segment::Key(text.into()));
        hints.push(format!(
            "{text} is read as {}; one key with that name is {}",
            pasted(&path),
            pasted(&whole)
        ));
    }
    if as_list != path {
        hints.push(format!("an item of a list is {}", pasted(&as_list)));
    }
    hints.into_iter().fold(error, CommandError::hint)
}

/// A path as a shell takes it.
fn pasted(path: &TreePath) -> String {
    quoted(Path::new(&path.to_brackets()))
}
