//! STUB: the lead writes the real one; signatures are fixed.
use std::path::{Path, PathBuf};

use crate::document::Format;
use crate::error::ErrorCode;
use crate::keyring::{Keyring, OpenedBy};
use crate::path::TreePath;
use crate::secret::Secret;
use crate::value::Kind;

/// A sealed file.
#[derive(Debug)]
pub struct SealedFile;

/// What stands at a path, seen without a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Shape {
    /// Nothing.
    Absent,
    /// A value; for a sealed one the type that its envelope names.
    Leaf(Kind),
    /// A list.
    List,
    /// A map.
    Map,
    /// Null.
    Null,
}

/// How well a leaf is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Assurance {
    /// Clear, but covered by the MAC.
    MacOnly,
    /// Neither sealed nor covered by the MAC.
    None,
    /// Sealed.
    Sealed,
}

impl SealedFile {
    /// Parses; the format decides how.
    pub fn parse(_format: Format, _bytes: Secret) -> Result<Self, FileError> { unimplemented!() }
    /// Reads and parses a file, format by name unless given.
    pub fn read(_path: &Path, _format: Option<Format>) -> Result<Self, FileError> { unimplemented!() }
    /// Text.
    pub fn text(&self) -> &[u8] { unimplemented!() }
    /// Labels of all recipients.
    pub fn recipients(&self) -> Vec<String> { unimplemented!() }
    /// `lastmodified` as it stands in the file.
    pub fn lastmodified(&self) -> &str { unimplemented!() }
    /// What stands at a path of the first document.
    pub fn shape(&self, _path: &TreePath) -> Shape { unimplemented!() }
    /// Opens every leaf and checks the MAC.
    pub fn open(self, _keyring: &Keyring) -> Result<OpenFile, OpenError> { unimplemented!() }
}

/// An opened file: every leaf opened and the MAC matched.
#[derive(Debug)]
pub struct OpenFile;

impl OpenFile {
    /// Which identity opened it.
    pub fn opened_by(&self) -> &OpenedBy { unimplemented!() }
    /// Labels of all recipients.
    pub fn recipients(&self) -> Vec<String> { unimplemented!() }
    /// `lastmodified`.
    pub fn lastmodified(&self) -> &str { unimplemented!() }
    /// What stands at a path.
    pub fn shape(&self, _path: &TreePath) -> Shape { unimplemented!() }
    /// A leaf of the first document.
    pub fn leaf(&self, _path: &TreePath) -> Option<Leaf<'_>> { unimplemented!() }
    /// The whole plaintext document.
    pub fn expose_document(&self) -> Result<(Secret, Vec<Note>), SealError> { unimplemented!() }
}

/// One opened leaf.
#[derive(Debug)]
pub struct Leaf<'a>(&'a ());

impl<'a> Leaf<'a> {
    /// Type.
    pub fn kind(&self) -> Kind { unimplemented!() }
    /// Strings: their bytes; other types: as spelled in the document.
    pub fn expose(&self) -> &'a [u8] { unimplemented!() }
    /// How well it is protected.
    pub fn assurance(&self) -> Assurance { unimplemented!() }
}

macro_rules! stub_error { ($($name:ident)*) => { $(
    /// Error.
    #[derive(Debug, thiserror::Error)]
    #[error("stub")]
    #[non_exhaustive]
    pub struct $name;
    impl $name { /// Code.
        pub fn code(&self) -> ErrorCode { unimplemented!() } }
)* } }
stub_error!(FileError OpenError SealError);
/// Note.
#[derive(Debug)]
pub struct Note;


/// Keeps imports used.
pub type Unused = PathBuf;
