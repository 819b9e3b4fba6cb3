//! What is wrong with one thing: the tree around a file, a target, a value, a unit, a template.

use std::path::PathBuf;

use crate::activation::fault::Fault;
use crate::activation::manifest::{SecretEntry, TemplateEntry};
use crate::activation::site::Hazard;
use crate::error::ErrorCode;
use crate::file::Shape;
use crate::repository::NotSealedBecause;

/// What the tree around a sops file says about it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TreeProblem {
    /// A merge was not finished.
    #[error("holds conflict markers, the first in line {line}")]
    ConflictMarkers {
        /// The first line with one.
        line: usize,
    },
    /// No bytes.
    #[error("is empty")]
    Empty,
    /// git-crypt has locked it.
    #[error("is encrypted by git-crypt")]
    GitCrypt,
    /// A pointer of git LFS.
    #[error("is a pointer of git LFS: the file itself was not fetched")]
    LfsPointer,
    /// It belongs to a submodule whose content is not there.
    #[error("belongs to the submodule {}, which is not initialised", submodule.display())]
    SubmoduleNotInitialised {
        /// Path of the submodule inside its repository.
        submodule: PathBuf,
        /// The work tree that holds the submodule.
        repository: PathBuf,
        /// Whether the tree looks like a copy in the Nix store, where submodules have to be asked for.
        in_store: bool,
    },
}

impl TreeProblem {
    pub(in crate::activation) fn of_content(found: NotSealedBecause) -> Self {
        match found {
            NotSealedBecause::ConflictMarkers { line } => Self::ConflictMarkers { line },
            NotSealedBecause::Empty => Self::Empty,
            NotSealedBecause::GitCrypt => Self::GitCrypt,
            NotSealedBecause::LfsPointer => Self::LfsPointer,
        }
    }

    pub(super) fn code(&self) -> ErrorCode {
        match self {
            Self::ConflictMarkers { .. } => ErrorCode::ConflictMarkers,
            Self::Empty | Self::GitCrypt => ErrorCode::FileNotSealed,
            Self::LfsPointer => ErrorCode::LfsPointer,
            Self::SubmoduleNotInitialised { .. } => ErrorCode::SubmoduleNotInitialised,
        }
    }
}

/// What is wrong at a path that activation needs.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TargetProblem {
    /// A regular file with other content.
    #[error("a file with other content is there")]
    Differs,
    /// A directory where a link is due.
    #[error("a directory is there")]
    Directory,
    /// A link where a file is to be given back.
    #[error("a link is there that activation has not placed")]
    ForeignLink,
    /// Something is mounted there.
    #[error("something is mounted there")]
    MountPoint,
    /// No directory where one is due.
    #[error("is not a directory")]
    NotADirectory,
    /// A disk is mounted where secrets are due.
    #[error("a persistent file system is mounted there")]
    PersistentMount,
    /// A device, a socket or a FIFO.
    #[error("neither a file nor a link is there")]
    Special,
    /// The way there is not safe or not possible.
    #[error("{0}")]
    Way(#[source] Hazard),
}

/// What is wrong with what a key leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ValueProblem {
    /// It leads nowhere.
    #[error("cannot be found")]
    Absent,
    /// It leads to something that is no string.
    #[error("is {}, not a string", shape_text(*.0))]
    NotAString(Shape),
    /// Neither cipher nor MAC protects what it leads to.
    #[error("is neither sealed nor covered by the MAC")]
    NotProtected,
}

impl ValueProblem {
    pub(in crate::activation) fn of(self, secret: &SecretEntry) -> Fault {
        Fault::Value {
            secret: secret.file.name.clone(),
            key: secret.key.shown(),
            file: secret.sops_file.clone(),
            problem: self,
        }
    }

    pub(super) fn code(self) -> ErrorCode {
        match self {
            Self::Absent | Self::NotAString(_) => ErrorCode::PathNotFound,
            Self::NotProtected => ErrorCode::LeafNotProtected,
        }
    }
}

/// Why a unit could not be told.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UnitProblem {
    /// What tells units did not do it.
    #[error("{0}")]
    Failed(String),
    /// There is no such unit.
    #[error("is not found")]
    NotFound,
}

/// What is wrong with a template.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TemplateProblem {
    /// A secret that another manifest has: one that is needed for users, for example.
    #[error("secret `{}` is not in this manifest", .0.escape_debug())]
    Elsewhere(String),
    /// Something that looks like a placeholder.
    #[error("`{}` stands for no secret", .0.escape_debug())]
    Leftover(String),
    /// A secret that was left out.
    #[error("secret `{}` cannot be had", .0.escape_debug())]
    Lost(String),
}

impl TemplateProblem {
    pub(in crate::activation) fn of(self, template: &TemplateEntry) -> Fault {
        Fault::Template {
            template: template.name().into(),
            problem: self,
        }
    }
}

fn shape_text(shape: Shape) -> &'static str {
    use crate::value::Kind;
    match shape {
        Shape::Leaf(Kind::Bool) => "a boolean",
        Shape::Leaf(Kind::Float | Kind::Int) => "a number",
        Shape::Leaf(Kind::Time) => "a time",
        Shape::List => "a list",
        Shape::Map => "a map",
        Shape::Null => "null",
        _ => "something",
    }
}
