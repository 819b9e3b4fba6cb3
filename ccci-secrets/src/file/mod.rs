//! Sealed, draft and opened files: the only module that sees all of the format.
//!
//! A [`DraftFile`] holds plaintext and can only be sealed. A [`SealedFile`] holds no plaintext that its rule protects,
//! and is the only one that can be written. An [`OpenFile`] exists only once every leaf opened **and** the MAC matched.

mod access;
mod apart;
mod assurance;
mod comments;
mod convert;
mod edit;
mod envelopes;
mod extract;
mod index;
mod lengths;
mod lookup;
mod moved;
mod older;
mod open;
mod places;
mod plaintext;
mod resealed;
mod reuse;
mod seal;
mod sequence;
mod sidecar;
mod spliced;
mod unchanged;
mod unproved;
mod unset;

use std::fmt;
use std::path::Path;

pub use self::assurance::Assurance;
pub use self::edit::EditedFile;
pub use self::extract::ExtractError;
pub(crate) use self::index::{Entry, Index, State, What};
use self::lookup::Lookup;
pub use self::older::Older;
pub use self::open::{Leaf, OpenFile};
pub use self::plaintext::Note;
pub use self::reuse::PolicyDifference;
pub(crate) use self::unproved::NoProof;
pub use self::unset::UnsetError;
use crate::config::Policy;
use crate::crypto::ThresholdError;
use crate::document::{
    Comment, ConvertError, Document, Format, Item, Node, ParseError, Place, Resolved, Scalar,
    ScalarError, SetError, SpliceError, Unwritable, unquoted,
};
use crate::envelope::Envelope;
use crate::error::{ErrorCode, IoResultExt as _, Location, PathError};
use crate::key::group::GroupError;
use crate::key::{RecipientError, WrapError};
use crate::keyring::UnwrapError;
use crate::leaf::LeafError;
use crate::mac::MacError;
use crate::metadata::{self, Metadata, MetadataError};
use crate::path::{Segment, TreePath};
use crate::secret::Secret;
use crate::value::Kind;

/// A file as it stands in git: metadata read, every selected leaf an envelope, empty or null.
///
/// This one may be printed and written.
#[derive(Debug)]
pub struct SealedFile {
    pub(crate) document: Document,
    pub(crate) metadata: Metadata,
    pub(crate) index: Index,
    lookup: Lookup,
}

impl SealedFile {
    /// Parses a sealed file.
    ///
    /// # Errors
    /// [`FileError`]: the syntax, the metadata, or a selected leaf that stands in the clear.
    pub fn parse(format: Format, bytes: Secret) -> Result<Self, FileError> {
        let document = Document::parse(format, bytes)?;
        let metadata = metadata::read(&document)?;
        Self::refuse_other_blocks(&document)?;
        Self::of_document(document, metadata)
    }

    fn of_document(document: Document, metadata: Metadata) -> Result<Self, FileError> {
        let index = Index::of(&document, &metadata.selection, State::Sealed)?;
        let file = Self {
            document,
            metadata,
            index,
            lookup: Lookup::default(),
        };
        file.refuse_clear_leaves()?;
        Ok(file)
    }

    /// Reads and parses a file; the format follows from the name unless it is given.
    ///
    /// # Errors
    /// As [`SealedFile::parse`], and [`FileError::Read`].
    pub fn read(path: &Path, format: Option<Format>) -> Result<Self, FileError> {
        let format = format.unwrap_or_else(|| Format::of_file_name(&path.to_string_lossy()));
        Self::parse(format, Secret::from_vec(std::fs::read(path).at(path)?))
    }

    /// The metadata.
    #[must_use]
    pub fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// The labels of all recipients, in the order of the file.
    #[must_use]
    pub fn recipients(&self) -> Vec<String> {
        self.metadata.recipients()
    }

    /// `lastmodified`, as it stands in the file.
    #[must_use]
    pub fn lastmodified(&self) -> &str {
        &self.metadata.lastmodified
    }

    /// The format it was parsed as.
    #[must_use]
    pub fn format(&self) -> Format {
        self.document.format()
    }

    /// The text of the file.
    #[must_use]
    pub fn text(&self) -> &[u8] {
        self.document.source().bytes()
    }

    /// Only the document: what else was found out about the file is let go.
    pub(crate) fn into_document(self) -> Document {
        self.document
    }

    /// How many leaves are sealed.
    #[must_use]
    pub fn sealed_leaves(&self) -> usize {
        let is_sealed = |entry: &Entry| entry.selected && matches!(entry.what, What::Leaf(..));
        self.entries().filter(is_sealed).count()
    }

    /// What stands at a path of the first part, as far as it can be seen without a key.
    #[must_use]
    pub fn shape(&self, path: &TreePath) -> Shape {
        let Some(id) = self.node_at(path) else {
            return Shape::Absent;
        };
        match self.document.target(id).1 {
            Node::Map(_) => Shape::Map,
            Node::List(_) => Shape::List,
            Node::Alias(_) => Shape::Absent,
            Node::Scalar(scalar) => match self.document.resolve(scalar) {
                Ok(Resolved::Value(value)) => {
                    let canonical = value.canonical();
                    // EXPOSE: only looked at for the type that the envelope names.
                    let sealed =
                        Envelope::parse(canonical.expose()).map(|envelope| envelope.kind());
                    Shape::Leaf(sealed.unwrap_or(value.kind()))
                }
                Ok(Resolved::Null) | Err(_) => Shape::Null,
            },
        }
    }

    /// Every leaf and comment, in the order of the tree.
    pub(crate) fn entries(&self) -> impl Iterator<Item = Entry> + Clone {
        self.index.entries(&self.document)
    }

    /// The leaf or comment with this number.
    pub(crate) fn entry(&self, at: usize) -> Option<Entry> {
        self.index.entry(&self.document, at)
    }

    /// Replaces a file on disk by this one, atomically.
    ///
    /// # Errors
    /// [`PathError`]; the old file is intact then.
    pub fn replace(&self, path: &Path) -> Result<(), PathError> {
        crate::atomic::replace(path, self.text(), crate::atomic::NewFileMode::Umask)
    }

    /// A selected leaf in the clear was never sealed: an edit by hand, or a changed rule.
    fn refuse_clear_leaves(&self) -> Result<(), FileError> {
        for entry in self.entries().filter(|entry| entry.selected) {
            let Some(scalar) = entry.leaf(&self.document) else {
                continue;
            };
            let place = || index::place(&self.document, &self.index, &entry);
            let sealed = match self.document.resolve(scalar) {
                Ok(Resolved::Null) => true,
                Ok(Resolved::Value(crate::value::Value::Str(text))) => {
                    // EXPOSE: only looked at.
                    let bytes = text.expose();
                    bytes.is_empty() || Envelope::is_one(bytes)
                }
                Ok(Resolved::Value(_)) => false,
                Err(source) => {
                    return Err(FileError::Scalar {
                        place: place(),
                        source,
                    });
                }
            };
            if !sealed {
                return Err(FileError::ClearLeaf { place: place() });
            }
        }
        Ok(())
    }
}

impl fmt::Display for SealedFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(self.text()))
    }
}

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

/// Plaintext without metadata. It cannot be written; it only goes to [`DraftFile::seal`].
#[derive(Debug)]
pub struct DraftFile {
    document: Document,
}

impl DraftFile {
    /// Parses plaintext.
    ///
    /// # Errors
    /// [`FileError`]: the syntax, or a top-level `sops` entry, which marks a file that is sealed already.
    pub fn parse(format: Format, bytes: Secret) -> Result<Self, FileError> {
        let document = Document::parse_plaintext(format, bytes)?;
        for part in document.parts() {
            if let Some((_, entry)) = document.metadata_entry(part) {
                return Err(FileError::AlreadySealed {
                    place: Location::line(document.line(entry.key)),
                });
            }
        }
        Ok(Self { document })
    }

    /// The format it was parsed as.
    #[must_use]
    pub fn format(&self) -> Format {
        self.document.format()
    }

    /// The lines of an INI file where a value ends at a `#` or `;` that follows it without a blank, as in `a = b#c`: what
    /// follows is a comment to sops, and may have been meant as part of the value.
    #[must_use]
    pub fn cut_values(&self) -> Vec<usize> {
        if self.format() != Format::Ini {
            return Vec::new();
        }
        let text = self.document.source().bytes();
        let is_cut = |comment: &Comment| {
            let before = comment.span.start().checked_sub(1);
            let before = before.and_then(|at| text.get(at));
            comment.place == Place::Inline
                && before
                    .is_some_and(|byte| !matches!(byte, b' ' | b'\t' | b'"' | b'\'' | b'`' | b']'))
        };
        let items = self.document.nodes.iter().flat_map(|node| match node {
            Node::Map(map) => &*map.items,
            _ => &[],
        });
        let cut = items.filter_map(|item| match item {
            Item::Comment(comment) if is_cut(comment) => Some(self.document.line(comment.span)),
            _ => None,
        });
        cut.collect()
    }

    /// The lines of values that are sealed already, as in a file that lost its metadata. They are taken as they stand,
    /// and come back as that, not as what they were made of.
    #[must_use]
    pub fn values_sealed_already(&self) -> Vec<usize> {
        let text = self.document.source().bytes();
        let is_sealed = |scalar: &Scalar| {
            let value = text.get(scalar.span.range()).unwrap_or_default();
            Envelope::parse(unquoted(value)).is_ok()
        };
        let sealed = self.document.nodes.iter().filter_map(|node| match node {
            Node::Scalar(scalar) if is_sealed(scalar) => Some(self.document.line(scalar.span)),
            _ => None,
        });
        sealed.collect()
    }

    /// Seals every leaf that the policy selects, to all of its recipients.
    ///
    /// `now` becomes `lastmodified`, UTC to whole seconds.
    ///
    /// # Errors
    /// [`SealError`]; a recipient that cannot be wrapped for is refused, never left out.
    pub fn seal(self, policy: &Policy, now: jiff::Timestamp) -> Result<SealedFile, SealError> {
        seal::seal_draft(self.document, policy, now)
    }
}

/// The node at a path of the first part.
pub(crate) fn find(document: &Document, path: &TreePath) -> Option<crate::document::NodeId> {
    let root = document.parts().first()?.root;
    let mut steps = path.segments().iter().enumerate();
    steps.try_fold(root, |id, (depth, segment)| {
        find_child(document, id, segment, depth)
    })
}

/// The child of a map or list that a step leads to. The metadata is no child of the root.
pub(crate) fn find_child(
    document: &Document,
    id: crate::document::NodeId,
    step: &Segment,
    depth: usize,
) -> Option<crate::document::NodeId> {
    use crate::document::Item;
    match (document.target(id).1, step) {
        (Node::Map(map), Segment::Key(wanted)) => {
            let is_metadata = |entry| depth == 0 && document.is_metadata(entry);
            map.items.iter().find_map(|item| match item {
                Item::Entry(entry) if document.key(entry) == wanted && !is_metadata(entry) => {
                    Some(entry.value)
                }
                _ => None,
            })
        }
        (Node::List(list), Segment::Index(wanted)) => list
            .items
            .iter()
            .filter_map(|item| match item {
                Item::Element(value) => Some(*value),
                _ => None,
            })
            .nth(*wanted),
        _ => None,
    }
}

/// A file that cannot be read as what it should be.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FileError {
    /// A top-level `sops` entry in plaintext.
    #[error("{place}: the file contains a top-level entry called 'sops': it is encrypted already")]
    AlreadySealed {
        /// Where.
        place: Location,
    },
    /// Something about documents that were sealed apart from those before them. Lines in it count from theirs.
    #[error("documents from line {line}: {source}")]
    Apart {
        /// Where they start.
        line: usize,
        /// What.
        source: Box<Self>,
    },
    /// A leaf that the file's rule selects is not sealed.
    #[error(
        "{place}: the value does not match sops' data format: it stands in the clear where the rule wants it sealed"
    )]
    ClearLeaf {
        /// Where.
        place: Location,
    },
    /// The metadata.
    #[error(transparent)]
    Metadata(#[from] MetadataError),
    /// The syntax.
    #[error(transparent)]
    Parse(#[from] ParseError),
    /// The file system.
    #[error(transparent)]
    Read(#[from] PathError),
    /// A scalar that sops cannot carry.
    #[error("{place}: {source}")]
    Scalar {
        /// Where.
        place: Location,
        /// Why.
        source: ScalarError,
    },
    /// A later document with a `sops` block of its own.
    #[error(
        "{place}: the sops block differs from the first one: these documents were not sealed together"
    )]
    SealedApart {
        /// Where.
        place: Location,
    },
}

impl FileError {
    /// The stable code.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::AlreadySealed { .. } => ErrorCode::FileAlreadySealed,
            Self::Apart { source, .. } => source.code(),
            Self::ClearLeaf { .. } => ErrorCode::DoesNotOpen,
            Self::Metadata(error) => error.code(),
            Self::Parse(error) => error.code(),
            Self::Read(error) if error.source.kind() == std::io::ErrorKind::NotFound => {
                ErrorCode::FileMissing
            }
            Self::Read(_) => ErrorCode::FileUnreadable,
            Self::Scalar { .. } => ErrorCode::ValueUnsupported,
            Self::SealedApart { .. } => ErrorCode::MetadataInvalid,
        }
    }
}

/// A sealed file that does not open.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// A leaf, a comment.
    #[error("{place}: {source}")]
    Leaf {
        /// Where.
        place: Location,
        /// Why.
        source: LeafError,
    },
    /// The MAC.
    #[error(transparent)]
    Mac(#[from] MacError),
    /// No identity opens it.
    #[error(transparent)]
    NoKey(#[from] UnwrapError),
    /// A scalar that sops cannot carry.
    #[error("{place}: {source}")]
    Scalar {
        /// Where.
        place: Location,
        /// Why.
        source: ScalarError,
    },
}

impl OpenError {
    /// The stable code.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::Leaf { .. } => ErrorCode::DoesNotOpen,
            Self::Mac(_) => ErrorCode::MacMismatch,
            Self::NoKey(error) => error.code(),
            Self::Scalar { .. } => ErrorCode::ValueUnsupported,
        }
    }
}

/// A document that cannot be sealed, or whose plaintext cannot be produced.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SealError {
    /// Comments decide what is sealed, and an alias repeats a value without them.
    #[error(
        "{place}: this value stands behind an alias, where the comments that decide whether it is sealed cannot stand; write the value out"
    )]
    AliasRule {
        /// Where.
        place: Location,
    },
    /// The text that came out does not mean what went in. Nothing was written.
    #[error(
        "the new text does not read back as intended ({0}); this is a bug of ours, and nothing was written"
    )]
    Check(&'static str),
    /// A change would bring a sealed comment to a place whose comments are in the clear.
    #[error(
        "{place}: this sealed comment would come to stand where the rule leaves comments in the clear; move it first"
    )]
    CommentMoves {
        /// Where.
        place: Location,
    },
    /// The rule for clear comments matches whatever a comment is sealed to.
    #[error(
        "{place}: this comment cannot be sealed: `unencrypted_comment_regex` matches every sealed comment"
    )]
    CommentRule {
        /// Where.
        place: Location,
    },
    /// A format that cannot hold the file.
    #[error(transparent)]
    Convert(#[from] ConvertError),
    /// The plaintext.
    #[error(transparent)]
    File(#[from] FileError),
    /// A file that is opened as binary, but whose content is something else.
    #[error(
        "the file holds no binary content: there is no text under `data`; name its format (--input-type)"
    )]
    NotBinary,
    /// The rule has no recipients.
    #[error("Could not generate data key: [empty key group provided]")]
    NoRecipients,
    /// Something that does not open.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The system has no randomness.
    #[error(transparent)]
    Random(#[from] crate::crypto::RandomError),
    /// Plaintext of one format over a file of another.
    #[error("plaintext of format {new} cannot be laid over a file of format {old}")]
    OtherFormat {
        /// Of the plaintext.
        new: &'static str,
        /// Of the older file.
        old: &'static str,
    },
    /// A recipient that cannot be used.
    #[error(transparent)]
    Recipient(#[from] RecipientError),
    /// A change would move a comment that decides what is sealed.
    #[error(
        "{place}: with this change another value would be sealed than before, or left in the clear, because a comment that decides about it would belong elsewhere"
    )]
    RuleMoves {
        /// Where.
        place: Location,
    },
    /// The path of a change.
    #[error(transparent)]
    Set(#[from] SetError),
    /// A number of key groups that can never be met, or that protects nothing.
    #[error(transparent)]
    Threshold(#[from] ThresholdError),
    /// A kind of key, which this build cannot write.
    #[error(
        "the rule asks for {0}, which this build cannot write; a file with fewer recipients than its rule is never made"
    )]
    Unsupported(String),
    /// A value that the format cannot hold.
    #[error("{place}: {source}")]
    Unwritable {
        /// Where.
        place: Location,
        /// Why.
        source: Unwritable,
    },
    /// Wrapping the data key.
    #[error(transparent)]
    Wrap(#[from] WrapError),
}

impl SealError {
    /// The stable code.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::AliasRule { .. }
            | Self::CommentMoves { .. }
            | Self::CommentRule { .. }
            | Self::RuleMoves { .. } => ErrorCode::SelectionInvalid,
            Self::Check(_) | Self::Random(_) => ErrorCode::Internal,
            Self::File(error) => error.code(),
            Self::NoRecipients => ErrorCode::NoRecipients,
            Self::Convert(_) | Self::NotBinary => ErrorCode::ValueUnsupported,
            Self::Open(error) => error.code(),
            Self::OtherFormat { .. } => ErrorCode::Usage,
            Self::Recipient(_) | Self::Wrap(_) => ErrorCode::RecipientInvalid,
            Self::Set(SetError::Unwritable { .. }) | Self::Unwritable { .. } => {
                ErrorCode::ValueUnsupported
            }
            Self::Set(_) => ErrorCode::PathNotFound,
            Self::Threshold(_) => ErrorCode::ConfigInvalid,
            Self::Unsupported(_) => ErrorCode::NotBuilt,
        }
    }
}

impl From<GroupError> for SealError {
    fn from(error: GroupError) -> Self {
        match error {
            GroupError::Empty => Self::NoRecipients,
            GroupError::Random(error) => error.into(),
            GroupError::Threshold(error) => error.into(),
            GroupError::Wrap(error) => error.into(),
        }
    }
}

impl From<ParseError> for SealError {
    fn from(error: ParseError) -> Self {
        Self::File(error.into())
    }
}

impl From<SpliceError> for SealError {
    fn from(_: SpliceError) -> Self {
        Self::Check("edits overlap")
    }
}

#[cfg(test)]
#[allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "tests"
)]
mod exchange;
#[cfg(test)]
#[allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "tests"
)]
mod hostile;
#[cfg(test)]
#[allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "tests"
)]
mod laws;
#[cfg(test)]
#[allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "tests"
)]
mod round_trips;
#[cfg(test)]
#[allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "tests"
)]
mod testing;
