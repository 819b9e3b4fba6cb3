//! From the key of a secret to the value in its file. What can be refused is refused before anything is opened: the
//! type of a value stands in its envelope.

use super::fault::ValueProblem;
use super::manifest::{KeyChoice, SecretEntry};
use crate::file::{Assurance, SealedFile, Shape};
use crate::path::{Segment, TreePath};
use crate::value::Kind;

/// What a secret takes from its file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Selected {
    /// A value that is a string.
    Text(TreePath),
    /// A value of another type, as its token.
    Token(TreePath),
    /// The whole plaintext.
    WholeFile,
}

/// A value that can be taken, and how well it is protected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Selection {
    pub(super) selected: Selected,
    /// Neither cipher nor MAC protects it, or part of it, and the manifest accepts that.
    pub(super) is_clear: bool,
}

/// Finds what a secret asks for.
pub(super) fn select(sealed: &SealedFile, secret: &SecretEntry) -> Result<Selection, ValueProblem> {
    let (selected, is_clear) = match &secret.key {
        KeyChoice::WholeFile => (Selected::WholeFile, sealed.has_unprotected_leaf()),
        KeyChoice::Parts(parts) => {
            let path = find(sealed, parts)?;
            let is_clear = sealed.assurance(&path) == Some(Assurance::None);
            (typed(sealed, path, secret.any_scalar)?, is_clear)
        }
    };
    if is_clear && !secret.allow_clear {
        return Err(ValueProblem::NotProtected);
    }
    Ok(Selection { selected, is_clear })
}

/// Follows the parts of a key. A number is an index only where a list stands.
fn find(sealed: &SealedFile, parts: &[String]) -> Result<TreePath, ValueProblem> {
    let mut path = TreePath::root();
    for part in parts {
        let segment = match sealed.shape(&path) {
            Shape::Map => Segment::Key(part.clone()),
            Shape::List => Segment::Index(index(part).ok_or(ValueProblem::Absent)?),
            _ => return Err(ValueProblem::Absent),
        };
        path = path.child(segment);
    }
    Ok(path)
}

/// An index as it is printed: `01` and `+1` are none.
fn index(part: &str) -> Option<usize> {
    let index: usize = part.parse().ok()?;
    (index.to_string() == part).then_some(index)
}

fn typed(sealed: &SealedFile, path: TreePath, any_scalar: bool) -> Result<Selected, ValueProblem> {
    match sealed.shape(&path) {
        Shape::Absent => Err(ValueProblem::Absent),
        Shape::Leaf(Kind::Str | Kind::Bytes) => Ok(Selected::Text(path)),
        Shape::Leaf(Kind::Bool | Kind::Float | Kind::Int | Kind::Time) if any_scalar => {
            Ok(Selected::Token(path))
        }
        other => Err(ValueProblem::NotAString(other)),
    }
}

/// The length of what would be taken, if it can be seen without a key: of a value that is a string, and of a binary file.
pub(super) fn length(sealed: &SealedFile, selected: &Selected) -> Option<usize> {
    match selected {
        Selected::Text(path) => sealed.text_len(path),
        Selected::WholeFile => sealed.binary_len(),
        // How sops prints a number is not how long it is sealed.
        Selected::Token(_) => None,
    }
}
