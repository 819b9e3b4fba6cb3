//! What can be said about the files of a repository without any key.

use std::path::Path;

use crate::config::{Config, ConfigError, Policy, PolicyError, PolicyRequest, Rule};
use crate::document::Format;
use crate::file::{FileError, SealedFile};
use crate::finding::Finding;
use crate::metadata::MetadataError;
use crate::repository::{self, NotSealedBecause, StoredCredential, WorkTree};
use crate::secret::Secret;

/// What a file turned out to be.
#[derive(Debug)]
#[non_exhaustive]
pub enum Recognised {
    /// Something that stands in place of a file, or a sops file with a fault.
    Broken(Finding),
    /// Nothing of ours.
    Other,
    /// A sops file.
    Sealed(Box<SealedFile>),
}

/// Tells a sops file from others by its content. `due` says that a rule covers it, which makes more things a fault;
/// `shown` is how findings call it.
#[must_use]
pub fn recognise(shown: &Path, bytes: &Secret, due: bool) -> Recognised {
    // EXPOSE: only looked at, for the marks of sops and of what git leaves in place of a file.
    let content = bytes.expose();
    let marked = has_marks(content);
    if !marked && !due {
        return Recognised::Other;
    }
    let named = Format::of_file_name(&shown.to_string_lossy());
    // A text that speaks of sops files and of conflicts is neither.
    let is_meant = due || named != Format::Binary;
    if let Some(reason) = repository::classify_content(content)
        && is_meant
        && (marked || reason != NotSealedBecause::Empty)
    {
        return Recognised::Broken(Finding::FileUnusable {
            path: shown.to_owned(),
            code: reason.code(),
            text: reason.to_string(),
            instead: Some(reason),
        });
    }
    if !marked {
        return Recognised::Other;
    }
    let mut first_error = None;
    for format in formats(named) {
        // EXPOSE: to the parser, which keeps its own wiping copy.
        match SealedFile::parse(format, Secret::from_slice(content)) {
            Ok(file) => return Recognised::Sealed(Box::new(file)),
            Err(error) => first_error = first_error.or(Some(error)),
        }
    }
    match first_error {
        // A text that only speaks of sops files.
        Some(error) if !due && (named == Format::Binary || is_plain(&error)) => Recognised::Other,
        Some(error) if !is_plain(&error) => Recognised::Broken(Finding::FileUnusable {
            path: shown.to_owned(),
            code: error.code(),
            text: error.to_string(),
            instead: None,
        }),
        _ => Recognised::Other,
    }
}

/// What every sops file holds somewhere: its block, and in it the MAC or the time of the last change.
fn has_marks(content: &[u8]) -> bool {
    let has = |mark: &[u8]| memchr::memmem::find(content, mark).is_some();
    has(b"sops") && (has(b"ENC[AES256_GCM,") || has(b"lastmodified"))
}

/// The format that the name says; a name that says nothing leaves them all.
fn formats(named: Format) -> Vec<Format> {
    match named {
        Format::Binary => vec![
            Format::Binary,
            Format::Json,
            Format::Yaml,
            Format::Dotenv,
            Format::Ini,
        ],
        other => vec![other],
    }
}

fn is_plain(error: &FileError) -> bool {
    matches!(error, FileError::Metadata(MetadataError::Missing))
}

/// Where the rule is written that says a file is to be sealed; `absolute` names the file from the root.
///
/// A rule without a pattern, or with one that matches the configuration itself, is for whatever gets sealed, and does
/// not say that anything has to be.
///
/// # Errors
/// The finding about a configuration that cannot be used for the file.
pub fn due(config: &Config, absolute: &Path) -> Result<Option<String>, Finding> {
    let Some(rule) = rule_for(config, absolute)? else {
        return Ok(None);
    };
    let own = config.rule_for(config.path()).ok();
    let is_for_all = own.is_some_and(|own| own.place == rule.place);
    Ok((!is_for_all).then(|| rule.place.to_string()))
}

/// Whether a sealed file is what its rule would make of it now.
///
/// # Errors
/// The finding about a rule that cannot be used.
pub fn staleness(
    config: &Config,
    absolute: &Path,
    shown: &Path,
    file: &SealedFile,
) -> Result<Option<Finding>, Finding> {
    let Some(rule) = rule_for(config, absolute)? else {
        return Ok(None);
    };
    let policy = match Policy::resolve(Some(rule), &PolicyRequest::default()) {
        Ok(policy) => policy,
        // What this build cannot write, it may still open.
        Err(PolicyError::Unsupported(_)) => return Ok(None),
        // It begins with the line of the rule, or of what in it is at fault.
        Err(error) => return Err(invalid(config, error.to_string())),
    };
    let difference = file.difference_from(&policy);
    Ok(difference.map(|difference| Finding::Stale {
        path: shown.to_owned(),
        difference,
    }))
}

fn rule_for<'c>(config: &'c Config, absolute: &Path) -> Result<Option<&'c Rule>, Finding> {
    match config.rule_for(absolute) {
        Ok(rule) => Ok(Some(rule)),
        Err(ConfigError::NoRule { .. } | ConfigError::NoRules { .. }) => Ok(None),
        Err(error) => Err(invalid(config, error.to_string())),
    }
}

fn invalid(config: &Config, text: String) -> Finding {
    Finding::ConfigInvalid {
        path: config.path().to_owned(),
        text,
    }
}

/// What a work tree says about itself.
#[must_use]
pub fn of_work_tree(work_tree: &WorkTree) -> Vec<Finding> {
    let mut findings = credentials(repository::credentials_in(&work_tree.root));
    if let (Some(recorded), Some(checked_out)) = (&work_tree.recorded_commit, &work_tree.commit)
        && recorded != checked_out
    {
        findings.push(Finding::SubmoduleMoved {
            path: work_tree.root.clone(),
            recorded: recorded.clone(),
            checked_out: checked_out.clone(),
        });
    }
    findings
}

/// What the settings of git hold that they should not.
#[must_use]
pub fn credentials(stored: Vec<StoredCredential>) -> Vec<Finding> {
    let finding = |stored: StoredCredential| Finding::Credential {
        path: stored.file,
        setting: stored.setting,
    };
    stored.into_iter().map(finding).collect()
}
