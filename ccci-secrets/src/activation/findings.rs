//! Faults on the way to a generation: of the whole, or of single entries, which may be left out when they are not
//! required.

use super::fault::{Fault, Warning, WarningKind};
use super::manifest::Manifest;

/// What was found so far.
#[derive(Debug)]
pub(super) struct Findings<'m> {
    manifest: &'m Manifest,
    whole: Vec<Fault>,
    required: Vec<Fault>,
    /// For each secret of the manifest, whether it cannot be had.
    lost: Vec<bool>,
    warnings: Vec<Warning>,
}

impl<'m> Findings<'m> {
    pub(super) fn new(manifest: &'m Manifest) -> Self {
        Self {
            manifest,
            whole: Vec::new(),
            required: Vec::new(),
            lost: vec![false; manifest.secrets.len()],
            warnings: Vec::new(),
        }
    }

    /// Nothing can be had.
    pub(super) fn refuse(&mut self, fault: Fault) {
        self.whole.push(fault);
    }

    /// These secrets cannot be had: a fault if one of them is required, else a warning for each.
    pub(super) fn lose(&mut self, secrets: &[usize], fault: Fault) {
        let mut optional = Vec::new();
        for nth in secrets {
            if let Some(lost) = self.lost.get_mut(*nth) {
                *lost = true;
            }
            if let Some(secret) = self.manifest.secrets.get(*nth)
                && !secret.file.required
            {
                optional.push(&secret.file.name);
            }
        }
        if optional.len() < secrets.len() {
            self.required.push(fault);
            return;
        }
        for name in optional {
            let subject = format!("{name} ({fault})");
            self.warnings
                .push(Warning::new(WarningKind::LeftOut, subject));
        }
    }

    pub(super) fn warn(&mut self, warning: Warning) {
        self.warnings.push(warning);
    }

    pub(super) fn is_lost(&self, secret: usize) -> bool {
        self.lost.get(secret).copied().unwrap_or(true)
    }

    /// Whether nothing can be had at all.
    pub(super) fn is_refused(&self) -> bool {
        !self.whole.is_empty()
    }

    /// Whether a file that is required does not open for want of a key.
    pub(super) fn lacks_key(&self) -> bool {
        let is_lack = |fault: &Fault| matches!(fault, Fault::NoIdentity(_));
        self.required.iter().any(is_lack)
    }

    pub(super) fn into_parts(self) -> Parts {
        Parts {
            whole: self.whole,
            required: self.required,
            warnings: self.warnings,
        }
    }
}

/// All findings.
#[derive(Debug)]
pub(super) struct Parts {
    /// Faults that leave nothing.
    pub(super) whole: Vec<Fault>,
    /// Faults of secrets that are required.
    pub(super) required: Vec<Fault>,
    pub(super) warnings: Vec<Warning>,
}

impl Parts {
    pub(super) fn into_faults(self) -> (Vec<Fault>, Vec<Warning>) {
        let mut faults = self.whole;
        faults.extend(self.required);
        (faults, self.warnings)
    }
}
