//! What can be said about a manifest without any key, and without touching anything.

use std::collections::BTreeMap;

use super::credentials::{self, Overdrawn};
use super::fault::{Fault, Warning, WarningKind};
use super::findings::Findings;
use super::manifest::{Manifest, Reading};
use super::select::{self, Selection};
use super::sops_file;
use super::template::{self, Template};
use crate::error::ErrorCode;

/// What a check found.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Checked {
    /// Why the manifest would be refused; none when the check passed.
    pub faults: Vec<Fault>,
    /// What else was noticed.
    pub warnings: Vec<Warning>,
}

impl Checked {
    fn of(findings: Findings<'_>) -> Self {
        let (faults, warnings) = findings.into_parts().into_faults();
        Self { faults, warnings }
    }

    /// The code of the whole, as of a refusal; none when the check passed.
    #[must_use]
    pub fn code(&self) -> Option<ErrorCode> {
        self.faults
            .iter()
            .min_by_key(|fault| fault.rank())
            .map(Fault::code)
    }
}

/// Checks the rules of a manifest, and its templates; neither accounts nor sops files are looked at. A path alone says where
/// relative paths count from.
///
/// ```
/// use std::path::Path;
/// use ccci_secrets::activation::check_manifest;
///
/// let checked = check_manifest(br#"{"symlinkPath": "/run/secrets"}"#, Path::new("."));
/// assert_eq!(checked.faults[0].to_string(), "/secretsMountPoint: is missing");
/// ```
#[must_use]
pub fn check_manifest<'a>(text: &[u8], reading: impl Into<Reading<'a>>) -> Checked {
    let manifest = match Manifest::parse(text, reading) {
        Ok(manifest) => manifest,
        Err(faults) => {
            return Checked {
                faults: faults.into_iter().map(Fault::Manifest).collect(),
                warnings: Vec::new(),
            };
        }
    };
    let mut findings = Findings::new(&manifest);
    check_templates(&manifest, &mut findings);
    Checked::of(findings)
}

/// Reads every template; those that are sound, by their names below the generation.
fn check_templates<'m>(
    manifest: &'m Manifest,
    findings: &mut Findings<'_>,
) -> Vec<(&'m str, Template)> {
    let mut sound = Vec::new();
    for (nth, entry) in manifest.templates.iter().enumerate() {
        match template::read(manifest, entry) {
            Ok(template) => sound.push((entry.file.name.as_str(), template)),
            Err(fault) => findings.lose(&[manifest.secrets.len() + nth], fault),
        }
    }
    sound
}

/// Checks that every sops file of a manifest is there, is sealed, and holds under every key what its secret wants, as
/// far as sealed files show it. Types are those that the envelopes name. What a unit would be given as credentials is
/// added up as far as lengths can be seen.
#[must_use]
pub fn check_sops_files(manifest: &Manifest) -> Checked {
    let mut findings = Findings::new(manifest);
    let mut lengths: BTreeMap<&str, usize> = BTreeMap::new();
    for file in sops_file::of_manifest(manifest) {
        let secrets = file
            .entries
            .iter()
            .filter_map(|nth| Some((*nth, manifest.secrets.get(*nth)?)));
        let Some((_, first)) = secrets.clone().next() else {
            continue;
        };
        let sealed = match sops_file::read(file.path, first) {
            Ok(read) => read.sealed,
            Err(fault) => {
                findings.lose(&file.entries, fault);
                continue;
            }
        };
        for (nth, secret) in secrets {
            match select::select(&sealed, secret) {
                Ok(Selection { selected, is_clear }) => {
                    if is_clear {
                        findings.warn(Warning::new(WarningKind::ClearLeaf, &secret.file.name));
                    }
                    let length = select::length(&sealed, &selected);
                    lengths.extend(length.map(|length| (secret.file.name.as_str(), length)));
                }
                Err(problem) => findings.lose(&[nth], problem.of(secret)),
            }
        }
    }
    let templates = check_templates(manifest, &mut findings);
    let length = |file: &str| {
        let template = templates.iter().find(|(name, _)| *name == file);
        match template {
            Some((_, template)) => template.rendered_len(|secret| lengths.get(secret).copied()),
            None => lengths.get(file).copied(),
        }
    };
    for Overdrawn { fault, files } in credentials::overdrawn(manifest, length) {
        findings.lose(&files, fault);
    }
    Checked::of(findings)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
mod tests;
