//! The report of a run as JSON, for machines: the design's section 7. Its parts are copied from types that hold no
//! plaintext, and nothing here could hold any.

mod plan;
mod verified;

use std::path::Path;

use serde::Serialize;

pub use self::plan::PlanReport;
pub use self::verified::VerifiedReport;
use super::check::Checked;
use super::checks::CheckedCertificate;
use super::fault::{Active, EarlierRun, Fault, Refusal, Warning};
use super::manifest::{Manifest, template_name};
use super::provenance::FileProvenance;
use super::receipt::{Change, EntryResult, FailedStep, Origin, Receipt};
use crate::digest;
use crate::error::ErrorCode;
use crate::keyring::{AttemptReport, OpenedBy};
use crate::wrapped::Names;

/// What every report says of its run, whatever came of it.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::exhaustive_structs, reason = "the caller fills it in")]
pub struct Run<'a> {
    /// The program and its version.
    pub tool: &'a str,
    /// When it began.
    pub started: jiff::Timestamp,
    /// The manifest, if it could be read.
    pub manifest: Option<&'a Manifest>,
    /// What recipients are called in texts.
    pub names: &'a Names,
}

/// A report. Print it with [`Report::to_json`].
#[derive(Debug, Serialize)]
pub struct Report {
    schema: u32,
    tool: String,
    manifest_sha256: Option<String>,
    started: String,
    result: Outcome,
    code: Option<&'static str>,
    /// The manifest is another one than that of the last run, as far as that is known.
    manifest_changed: bool,
    generation: Generation,
    files: Vec<File>,
    secrets: Vec<Secret>,
    removed: Vec<String>,
    links: Links,
    templates: Vec<Rendered>,
    certs: Vec<Certificate>,
    units: Vec<Unit>,
    warnings: Vec<Noticed>,
    faults: Vec<Reason>,
    failed_step: Option<&'static str>,
    left_behind: Vec<String>,
    /// What became of a run before this one that had not come to its end.
    earlier_run: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Outcome {
    Activated,
    /// A check found nothing.
    Checked,
    CommittedWithFault,
    /// The generation was right already, links beside it were not.
    LinksCorrected,
    Refused,
    Unchanged,
}

#[derive(Debug, Default, Serialize)]
struct Generation {
    old: Option<u64>,
    new: Option<u64>,
    /// The link under which the active one is read.
    link: Option<String>,
}

/// Links beside the generation that the run touched.
#[derive(Debug, Default, Serialize)]
struct Links {
    placed: Vec<String>,
    removed: Vec<String>,
}

#[derive(Debug, Serialize)]
struct File {
    path: String,
    sha256_ciphertext: String,
    git: Option<Git>,
    lastmodified: String,
    /// A file whose MAC does not match is in no receipt.
    mac: &'static str,
    opened_by: Opener,
    /// Only there for a file of several key groups.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    also_opened_by: Vec<Opener>,
    other_recipients: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Git {
    repo: String,
    commit: Option<String>,
    submodule: bool,
    recorded_commit: Option<String>,
    dirty: bool,
}

#[derive(Debug, Serialize)]
struct Opener {
    kind: &'static str,
    recipient: String,
    name: Option<String>,
    source_path: Option<String>,
    ambient: bool,
}

/// A file of the generation; its content has no place here.
#[derive(Debug, Serialize)]
struct Secret {
    name: String,
    key: String,
    sops_file: String,
    #[serde(flatten)]
    placed: Placed,
}

/// A template that was rendered.
#[derive(Debug, Serialize)]
struct Rendered {
    /// As the manifest spells it.
    name: String,
    #[serde(flatten)]
    placed: Placed,
}

/// A certificate that was checked.
#[derive(Debug, Serialize)]
struct Certificate {
    cert: String,
    key: Option<String>,
    leaf_sha256: String,
    serial: String,
    subject: String,
    issuer: String,
    names: Vec<String>,
    not_before: String,
    not_after: String,
    chain_length: usize,
    /// Of the whole file.
    sha256: String,
}

impl Certificate {
    fn of(checked: &CheckedCertificate) -> Self {
        let leaf = &checked.leaf;
        Self {
            cert: checked.certificate.clone(),
            key: checked.key.clone(),
            leaf_sha256: leaf.sha256.to_string(),
            serial: leaf.serial.clone(),
            subject: leaf.subject.clone(),
            issuer: leaf.issuer.clone(),
            names: leaf.names.clone(),
            not_before: leaf.not_before.to_string(),
            not_after: leaf.not_after.to_string(),
            chain_length: checked.length,
            sha256: digest::hex(&checked.sha256),
        }
    }
}

/// What secrets and templates have in common.
#[derive(Debug, Serialize)]
struct Placed {
    path: String,
    mode: String,
    uid: u32,
    gid: u32,
    change: &'static str,
    /// What was modified.
    changed: Vec<&'static str>,
}

#[derive(Debug, Serialize)]
struct Unit {
    unit: String,
    action: &'static str,
    told: bool,
}

#[derive(Debug, Serialize)]
struct Noticed {
    kind: &'static str,
    subject: String,
    message: &'static str,
}

#[derive(Debug, Serialize)]
struct Reason {
    code: &'static str,
    message: String,
    details: Vec<String>,
    attempts: Option<AttemptReport>,
}

impl Report {
    /// The report of a run that ended with an active generation.
    #[must_use]
    pub fn of_receipt(run: &Run<'_>, receipt: &Receipt) -> Self {
        let failed = receipt.failed_step.as_ref();
        let faults = failed.map_or(&[][..], |step| &step.faults);
        Self {
            result: match (failed, receipt.generation) {
                (Some(_), _) => Outcome::CommittedWithFault,
                (None, Some(_)) => Outcome::Activated,
                (None, None) if receipt.found_all_right() => Outcome::Unchanged,
                (None, None) => Outcome::LinksCorrected,
            },
            code: failed.map(|step| step.code().as_str()),
            manifest_changed: receipt.manifest_changed,
            earlier_run: receipt.earlier_run.as_str(),
            generation: Generation {
                old: receipt.previous,
                new: receipt.generation,
                link: Some(shown(&receipt.link)),
            },
            files: receipt
                .provenance
                .iter()
                .map(|file| File::of(file, run.names))
                .collect(),
            secrets: receipt
                .entries
                .iter()
                .filter_map(|entry| Secret::of(entry, &receipt.link))
                .collect(),
            templates: receipt
                .entries
                .iter()
                .filter(|entry| entry.origin == Origin::Template)
                .map(|entry| Rendered::of(entry, &receipt.link))
                .collect(),
            certs: receipt.certificates.iter().map(Certificate::of).collect(),
            removed: receipt.removed.clone(),
            links: Links {
                placed: receipt
                    .links_placed
                    .iter()
                    .map(|path| shown(path))
                    .collect(),
                removed: receipt
                    .links_removed
                    .iter()
                    .map(|path| shown(path))
                    .collect(),
            },
            units: receipt
                .units
                .iter()
                .map(|unit| Unit {
                    unit: unit.unit.clone(),
                    action: unit.action.as_str(),
                    told: unit.told,
                })
                .collect(),
            warnings: noticed(&receipt.warnings),
            faults: reasons(faults, run.names),
            failed_step: failed.map(|step: &FailedStep| step.step.as_str()),
            ..Self::empty(run)
        }
    }

    /// The report of a run that changed nothing, because it must not.
    #[must_use]
    pub fn of_refusal(run: &Run<'_>, refusal: &Refusal) -> Self {
        let active = refusal.still_active.as_ref();
        let left_behind = refusal.left_behind.iter();
        Self {
            code: Some(refusal.code().as_str()),
            generation: Generation {
                old: active.map(|active| active.generation),
                new: None,
                link: active.map(|active: &Active| shown(&active.link)),
            },
            warnings: noticed(&refusal.warnings),
            faults: reasons(&refusal.faults, run.names),
            left_behind: left_behind.map(|path| shown(path)).collect(),
            earlier_run: refusal.earlier_run.as_str(),
            ..Self::empty(run)
        }
    }

    /// The report of a check.
    #[must_use]
    pub fn of_check(run: &Run<'_>, checked: &Checked) -> Self {
        let code: Option<ErrorCode> = checked.code();
        Self {
            result: match code {
                None => Outcome::Checked,
                Some(_) => Outcome::Refused,
            },
            code: code.map(ErrorCode::as_str),
            warnings: noticed(&checked.warnings),
            faults: reasons(&checked.faults, run.names),
            ..Self::empty(run)
        }
    }

    /// The report as JSON, with a line end.
    #[must_use]
    pub fn to_json(&self) -> String {
        json(self)
    }

    fn empty(run: &Run<'_>) -> Self {
        let sha256 = run.manifest.map(|manifest| digest::hex(&manifest.sha256));
        Self {
            schema: SCHEMA,
            tool: run.tool.into(),
            manifest_sha256: sha256,
            started: run.started.to_string(),
            result: Outcome::Refused,
            code: None,
            manifest_changed: false,
            generation: Generation::default(),
            files: Vec::new(),
            secrets: Vec::new(),
            removed: Vec::new(),
            links: Links::default(),
            templates: Vec::new(),
            certs: Vec::new(),
            units: Vec::new(),
            warnings: Vec::new(),
            faults: Vec::new(),
            failed_step: None,
            left_behind: Vec::new(),
            earlier_run: EarlierRun::default().as_str(),
        }
    }
}

impl File {
    fn of(file: &FileProvenance, names: &Names) -> Self {
        let opener = |by: &OpenedBy| Opener {
            kind: by.kind.as_str(),
            recipient: by.recipient.clone(),
            name: names.of(&by.recipient).map(str::to_owned),
            source_path: by.source.as_deref().map(shown),
            ambient: by.ambient,
        };
        Self {
            path: shown(&file.path),
            sha256_ciphertext: digest::hex(&file.sha256_ciphertext),
            git: file.git.as_ref().map(|git| Git {
                repo: shown(&git.repository),
                commit: git.commit.clone(),
                submodule: git.submodule,
                recorded_commit: git.recorded_commit.clone(),
                dirty: git.dirty,
            }),
            lastmodified: file.lastmodified.clone(),
            mac: "ok",
            opened_by: opener(&file.opened_by),
            also_opened_by: file.also_opened_by.iter().map(opener).collect(),
            other_recipients: file.other_recipients.clone(),
        }
    }
}

impl Secret {
    /// None for a template.
    fn of(entry: &EntryResult, link: &Path) -> Option<Self> {
        let Origin::Secret { sops_file, key } = &entry.origin else {
            return None;
        };
        Some(Self {
            name: entry.name.clone(),
            key: key.clone(),
            sops_file: shown(sops_file),
            placed: Placed::of(entry, link),
        })
    }
}

impl Rendered {
    fn of(entry: &EntryResult, link: &Path) -> Self {
        let name = template_name(&entry.name).unwrap_or(&entry.name);
        Self {
            name: name.into(),
            placed: Placed::of(entry, link),
        }
    }
}

impl Placed {
    fn of(entry: &EntryResult, link: &Path) -> Self {
        let own = || link.join(&entry.name);
        let (change, changed) = change_words(entry.change);
        Self {
            path: shown(&entry.path.clone().unwrap_or_else(own)),
            mode: octal(entry.mode),
            uid: entry.uid,
            gid: entry.gid,
            change,
            changed,
        }
    }
}

/// What happened to a file, and what of it was modified.
fn change_words(change: Change) -> (&'static str, Vec<&'static str>) {
    match change {
        Change::Added => ("added", Vec::new()),
        Change::Unchanged => ("unchanged", Vec::new()),
        Change::Modified {
            content,
            mode,
            owner,
        } => {
            let parts = [(content, "content"), (mode, "mode"), (owner, "owner")];
            let changed = parts.into_iter().filter(|(changed, _)| *changed);
            ("modified", changed.map(|(_, part)| part).collect())
        }
    }
}

fn octal(mode: u32) -> String {
    format!("{mode:04o}")
}

fn json(report: &impl Serialize) -> String {
    let mut text = serde_json::to_string_pretty(report).unwrap_or_default();
    text.push('\n');
    text
}

fn noticed(warnings: &[Warning]) -> Vec<Noticed> {
    let noticed = |warning: &Warning| Noticed {
        kind: warning.kind.as_str(),
        subject: warning.subject.clone(),
        message: warning.kind.sentence(),
    };
    warnings.iter().map(noticed).collect()
}

fn reasons(faults: &[Fault], names: &Names) -> Vec<Reason> {
    let reason = |fault: &Fault| Reason {
        code: fault.code().as_str(),
        message: fault.to_string(),
        details: fault.details(names),
        attempts: match fault {
            Fault::NoIdentity(fault) => fault.report.clone(),
            _ => None,
        },
    };
    faults.iter().map(reason).collect()
}

/// JSON has no other form for a path.
fn shown(path: &Path) -> String {
    path.display().to_string()
}

/// The version of this form; a new field does not raise it, another meaning does.
const SCHEMA: u32 = 1;

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
mod tests;
