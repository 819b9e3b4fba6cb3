//! STUB: another branch (`keys`) has the real one.
use std::path::PathBuf;
/// Keyring.
#[derive(Debug, Default)]
pub struct Keyring;
/// Who opened a file.
#[derive(Clone, Debug)]
pub struct OpenedBy {
    /// kind
    pub kind: SourceKind,
    /// label of the recipient
    pub recipient: String,
    /// file
    pub source: Option<PathBuf>,
    /// from the environment
    pub ambient: bool,
}
/// Kind of key source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SourceKind {
    /// age key file
    AgeFile,
    /// ssh key
    Ssh,
}
