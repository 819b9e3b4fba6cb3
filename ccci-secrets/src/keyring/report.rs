//! What was tried and what came of it, when nothing opened a file.

use std::fmt;
use std::path::Path;
use std::path::PathBuf;

use crate::key::IdentityError;
use crate::key::UnbuiltKind;
use crate::keyring::command::CommandFault;
use crate::keyring::key_file::KeyFileReason;
use crate::keyring::parse::UnbuiltIdentity;
use crate::keyring::source::SourceKind;
use crate::wrapped::Names;

/// Every key of the file and every place that was searched, with the outcome. Holds no secret; its JSON form is that of
/// its fields.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct AttemptReport {
    /// How many of the key groups have to open.
    pub needs: usize,
    /// The key groups, in the order of the file.
    pub groups: Vec<GroupAttempt>,
    /// Whether age plugins were started where nothing else opened a group.
    pub starts_plugins: bool,
    /// The places, in the order of the search.
    pub sources: Vec<SourceAttempt>,
}

/// One key group.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct GroupAttempt {
    /// How many of its keys have to open.
    pub needs: usize,
    /// Whether it opened.
    pub open: bool,
    /// Its keys, in the order of the file.
    pub keys: Vec<KeyAttempt>,
}

/// One key of a file.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct KeyAttempt {
    /// The list in the metadata: `age`, `pgp`, `kms`.
    pub kind: &'static str,
    /// The label in the file.
    pub recipient: String,
    /// What came of it.
    pub outcome: KeyOutcome,
}

/// What came of one key.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, thiserror::Error)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum KeyOutcome {
    /// An identity should open it and cannot, because the entry is damaged.
    #[error("{0}")]
    Damaged(#[serde(serialize_with = "error_text")] IdentityError),
    /// The label is that of an identity we have, what is wrapped is for somebody else.
    #[error("labelled for a key that is here, wrapped for another one")]
    LabelIsWrong,
    /// The key is here and asks for a passphrase.
    #[error("its key is here and protected with a passphrase")]
    Locked,
    /// A PGP key, and no home of GnuPG to look for it in.
    #[error("no home of GnuPG may be asked for it")]
    NoGnupg,
    /// No identity is for it.
    #[error("no matching identity")]
    NoIdentity,
    /// Another key of its group opened.
    #[error("not needed")]
    NotNeeded,
    /// A kind of age recipient that this build cannot open.
    #[error("{0} keys are not supported by this build")]
    NotBuilt(UnbuiltKind),
    /// A kind of key that this build cannot open.
    #[error("keys of this kind are not supported by this build")]
    KindNotBuilt,
    /// It opened.
    #[error("opened")]
    Opened,
    /// The program that might open it does not run.
    #[error("{0}")]
    Program(#[serde(serialize_with = "error_text")] IdentityError),
    /// gpg was asked.
    #[error("gpg has no such secret key, or one that asks for a passphrase")]
    UnknownToGnupg,
}

/// One place that keys could come from.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct SourceAttempt {
    /// What kind of place.
    pub kind: SourceKind,
    /// The variable that names it.
    pub variable: Option<&'static str>,
    /// Its path.
    #[serde(serialize_with = "optional_path_text")]
    pub path: Option<PathBuf>,
    /// What was found there.
    pub state: SourceState,
    /// How many identities were found; one SSH key counts as one.
    pub identities: usize,
    /// The public halves of the identities that were found.
    pub recipients: Vec<String>,
    /// The age plugins that hold further identities.
    pub plugins: Vec<String>,
    /// Identities that this build cannot use.
    pub not_built: Vec<UnbuiltIdentity>,
    /// For a key that asks for a passphrase: whether the file has it as a recipient, if that can be known.
    pub locked_is_recipient: Option<bool>,
}

/// What was found in a place.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum SourceState {
    /// The command gave no key.
    Command(CommandFault),
    /// Identities.
    #[default]
    Found,
    /// No such file.
    Missing,
    /// The place depends on the home or configuration directory, and there is none.
    NoDirectory,
    /// A command that was not run, because the file holds no age recipient to run it for.
    NotRun,
    /// The variable is not set.
    Unset,
    /// Something without a usable key.
    Unusable(KeyFileReason),
}

impl fmt::Display for SourceState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Command(fault) => fault.fmt(f),
            Self::Found => f.write_str("found"),
            Self::Missing => f.write_str("missing"),
            Self::NoDirectory => f.write_str("no home directory"),
            Self::NotRun => f.write_str("not run"),
            Self::Unset => f.write_str("unset"),
            Self::Unusable(reason) => reason.fmt(f),
        }
    }
}

impl AttemptReport {
    /// How many keys the file has.
    #[must_use]
    pub fn key_count(&self) -> usize {
        self.groups.iter().map(|group| group.keys.len()).sum()
    }

    /// How many of the key groups opened.
    #[must_use]
    pub fn open_groups(&self) -> usize {
        self.groups.iter().filter(|group| group.open).count()
    }

    /// Whether a program did not run that might have opened it.
    #[must_use]
    pub fn program_failed(&self) -> bool {
        let mut keys = self.groups.iter().flat_map(|group| &group.keys);
        keys.any(|key| matches!(key.outcome, KeyOutcome::Program(_)))
    }

    /// What failed, in one line.
    #[must_use]
    pub fn summary(&self) -> String {
        let (keys, groups) = (self.key_count(), self.groups.len());
        if groups < 2 {
            return format!("no identity matches any of its {keys} recipients");
        }
        let open = match self.open_groups() {
            0 => "none".to_owned(),
            some => format!("only {some}"),
        };
        let verb = if self.open_groups() < 2 {
            "opens"
        } else {
            "open"
        };
        format!(
            "{open} of its {groups} key groups {verb}, and {} are needed",
            self.needs
        )
    }

    /// The report as text, with the names that the caller knows recipients by.
    #[must_use]
    pub fn describe(&self, names: &Names) -> String {
        Described {
            report: self,
            names,
        }
        .to_string()
    }
}

impl fmt::Display for AttemptReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.describe(&Names::default()))
    }
}

struct Described<'a> {
    report: &'a AttemptReport,
    names: &'a Names,
}

impl fmt::Display for Described<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, group) in self.report.groups.iter().enumerate() {
            self.write_group(f, index + 1, group)?;
        }
        if self.report.sources.is_empty() {
            return f.write_str("looked for keys nowhere");
        }
        f.write_str("looked for keys in")?;
        for (index, source) in self.report.sources.iter().enumerate() {
            f.write_str(if index == 0 { " " } else { ", " })?;
            self.write_source(f, source)?;
        }
        Ok(())
    }
}

impl Described<'_> {
    fn write_group(
        &self,
        f: &mut fmt::Formatter<'_>,
        number: usize,
        group: &GroupAttempt,
    ) -> fmt::Result {
        let mut head = format!("group {number} (needs {}): ", group.needs);
        for key in &group.keys {
            let label = self.names.describe(&key.recipient);
            let kind = if key.kind == "age" { "" } else { key.kind };
            let space = if kind.is_empty() { "" } else { " " };
            writeln!(f, "{head}{kind}{space}{label}  {}", key.outcome)?;
            head = " ".repeat(head.len());
        }
        Ok(())
    }

    fn write_source(&self, f: &mut fmt::Formatter<'_>, source: &SourceAttempt) -> fmt::Result {
        source.write_place(f)?;
        write!(f, " ({}", source.state)?;
        for recipient in &source.recipients {
            write!(f, " {}", self.names.describe(recipient))?;
        }
        for plugin in &source.plugins {
            write!(f, " age-plugin-{plugin}")?;
            if !self.report.starts_plugins {
                f.write_str(", which is not started here")?;
            }
        }
        match source.locked_is_recipient {
            Some(true) => f.write_str(": a recipient")?,
            Some(false) => f.write_str(": not a recipient")?,
            None => {}
        }
        for UnbuiltIdentity { line, kind } in &source.not_built {
            write!(f, "; line {line}: {kind} not supported by this build")?;
        }
        f.write_str(")")
    }
}

impl SourceAttempt {
    fn write_place(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.variable, &self.path) {
            (Some(variable), Some(path)) => write!(f, "${variable} {}", path.display()),
            (Some(variable), None) => write!(f, "${variable}"),
            (None, Some(path)) => write!(f, "{}", path.display()),
            (None, None) => f.write_str("the keys that were given"),
        }
    }
}

/// A path as text: JSON has no other form for it.
pub(super) fn path_text<S: serde::Serializer>(
    path: &Path,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&path.display())
}

fn optional_path_text<S: serde::Serializer>(
    path: &Option<PathBuf>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match path {
        Some(path) => path_text(path, serializer),
        None => serializer.serialize_none(),
    }
}

fn error_text<S: serde::Serializer>(
    error: &IdentityError,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_str(error)
}
