//! The `sops` block: what a file says about its keys, its selection and its MAC (sops-format.md 6).

mod flat;
mod nested;

use crate::document::{Document, Format, NewNode};
use crate::error::ErrorCode;
use crate::mac::Coverage;
use crate::selection::{Selection, SelectionError, SelectionSettings};
use crate::value::Time;
use crate::wrapped::{KeyKind, WrappedGroup};

pub(crate) use self::nested::{first_parts, plain_tree};

/// The version of sops whose files we write. Readers repair files of versions before 3.3.0, so it is never ours.
pub const WRITTEN_VERSION: &str = "3.13.3";

/// The field for what only this program reads. Others skip a field that they do not know, and drop it when they write.
pub(crate) const LAYOUT_FIELD: &str = "ccsec_layout";

/// The metadata of one file.
#[derive(Debug)]
pub struct Metadata {
    /// The key groups; a file without `key_groups` has one.
    pub groups: Vec<WrappedGroup>,
    /// `shamir_threshold`
    pub threshold: Option<u32>,
    /// Which leaves are sealed.
    pub selection: Selection,
    /// Whether the MAC covers only sealed values.
    pub coverage: Coverage,
    /// `lastmodified`, as text: the MAC is bound to it.
    pub lastmodified: String,
    /// `mac`, an envelope; absent in a file that lost it.
    pub mac: Option<String>,
    /// `ccsec_layout`: how the author wrote what the file alone does not tell.
    pub(crate) layout: Option<String>,
    /// `version`, of the program that made the file.
    pub version: Option<String>,
    /// Everything else, kept through every rewrite.
    pub(crate) extra: Vec<(String, NewNode)>,
}

impl Metadata {
    /// The associated data of the MAC: `lastmodified` to whole seconds, its offset kept (sops-format.md 4).
    pub(crate) fn mac_aad(&self) -> Option<String> {
        mac_aad(&self.lastmodified)
    }

    /// The labels of all recipients, in the order of the file.
    #[must_use]
    pub fn recipients(&self) -> Vec<String> {
        self.groups
            .iter()
            .flat_map(|group| &group.keys)
            .map(crate::wrapped::WrappedKey::label)
            .collect()
    }
}

/// `lastmodified` as sops prints it again after reading.
pub(crate) fn mac_aad(lastmodified: &str) -> Option<String> {
    let time = Time::parse_rfc3339(lastmodified)?;
    let text = time.as_str();
    let Some((seconds, rest)) = text.split_once('.') else {
        return Some(text.to_owned());
    };
    let zone = rest.trim_start_matches(|c: char| c.is_ascii_digit());
    Some(format!("{seconds}{zone}"))
}

/// Reads the metadata of a document: the block of its first part.
///
/// # Errors
/// [`MetadataError`]; [`MetadataError::Missing`] for plaintext.
pub(crate) fn read(document: &Document) -> Result<Metadata, MetadataError> {
    let fields = nested::fields(document)?;
    nested::typed(match document.format() {
        Format::Dotenv => flat::unflatten(fields, flat::LineBreaks::Real)?,
        Format::Ini => flat::unflatten(fields, flat::LineBreaks::Escaped)?,
        _ => fields,
    })
}

/// The block as it is written in a format: all keys sorted at all levels.
///
/// In INI, line breaks stand as themselves, in `"""`: that is the form which 3.9.0, 3.13.1 and 3.13.3 all read. 3.13.1
/// does not read the `\n` that the others write.
#[must_use]
pub(crate) fn print(metadata: Metadata, format: Format) -> NewNode {
    let block = nested::print(metadata);
    match format {
        Format::Dotenv | Format::Ini => flat::flatten(block),
        _ => block,
    }
}

/// Why a `sops` block cannot be used. Field names are shown, contents never.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MetadataError {
    /// A field holds something else than it must.
    #[error("the metadata field `{field}` is not {expected}")]
    BadField {
        /// The field.
        field: String,
        /// What it must be.
        expected: &'static str,
    },
    /// Two `sops` entries in one document.
    #[error("found duplicate sops entry")]
    Duplicate,
    /// Flattened keys that make no tree: an index is missing, or a key is text and container at once.
    #[error("the flattened metadata key `{key}` {problem}")]
    Flat {
        /// The key.
        key: String,
        /// What is wrong.
        problem: &'static str,
    },
    /// The file holds no metadata: it is plaintext.
    #[error("sops metadata not found")]
    Missing,
    /// No key at all.
    #[error("no keys found in file: its metadata names no recipient")]
    NoKeys,
    /// `sops` is not a map.
    #[error("found a sops entry that is not a mapping")]
    NotAMap,
    /// The selection settings cannot be used.
    #[error("in its metadata: {0}")]
    Selection(#[from] SelectionError),
}

impl MetadataError {
    /// The stable code.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::Missing => ErrorCode::FileNotSealed,
            Self::NoKeys => ErrorCode::NoRecipients,
            Self::Selection(_) => ErrorCode::SelectionInvalid,
            Self::BadField { .. } | Self::Duplicate | Self::Flat { .. } | Self::NotAMap => {
                ErrorCode::MetadataInvalid
            }
        }
    }
}

/// The field of the settings that a metadata key names.
pub(crate) fn selection_field<'a>(
    settings: &'a mut SelectionSettings,
    key: &str,
) -> Option<&'a mut Option<String>> {
    Some(match key {
        "unencrypted_suffix" => &mut settings.unencrypted_suffix,
        "encrypted_suffix" => &mut settings.encrypted_suffix,
        "unencrypted_regex" => &mut settings.unencrypted_regex,
        "encrypted_regex" => &mut settings.encrypted_regex,
        "unencrypted_comment_regex" => &mut settings.unencrypted_comment_regex,
        "encrypted_comment_regex" => &mut settings.encrypted_comment_regex,
        _ => return None,
    })
}

/// The fields of a key entry that are always written, empty or not.
pub(crate) fn required_fields(kind: KeyKind) -> &'static [&'static str] {
    match kind {
        KeyKind::Age => &["enc", "recipient"],
        KeyKind::AwsKms => &["arn", "aws_profile", "created_at", "enc"],
        KeyKind::AzureKeyVault => &["created_at", "enc", "name", "vault_url", "version"],
        KeyKind::GcpKms => &["created_at", "enc", "resource_id"],
        KeyKind::HashicorpVault => &[
            "created_at",
            "enc",
            "engine_path",
            "key_name",
            "vault_address",
        ],
        KeyKind::HuaweiKms => &["created_at", "enc", "key_id"],
        KeyKind::Pgp => &["created_at", "enc", "fp"],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // sops-format.md 4, "AAD normalisation".
    #[test]
    fn the_time_of_change_is_bound_to_whole_seconds() {
        let aad = |text: &str| mac_aad(text);
        assert_eq!(
            aad("2026-11-23T20:39:09Z").as_deref(),
            Some("2026-11-23T20:39:09Z")
        );
        assert_eq!(
            aad("2026-11-23T20:39:09.123+02:00").as_deref(),
            Some("2026-11-23T20:39:09+02:00")
        );
        assert_eq!(
            aad("2026-11-23T20:39:09+00:00").as_deref(),
            Some("2026-11-23T20:39:09Z")
        );
        assert_eq!(aad("yesterday"), None);
    }
}
