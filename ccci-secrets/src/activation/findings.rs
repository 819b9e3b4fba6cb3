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
    /// For each secret and then each template of the manifest, whether it cannot be had.
    lost: Vec<bool>,
    warnings: Vec<Warning>,
}

impl<'m> Findings<'m> {
    pub(super) fn new(manifest: &'m Manifest) -> Self {
        Self {
            manifest,
            whole: Vec::new(),
            required: Vec::new(),
            lost: vec![false; manifest.files().count()],
            warnings: Vec::new(),
        }
    }

    /// Nothing can be had.
    pub(super) fn refuse(&mut self, fault: Fault) {
        self.whole.push(fault);
    }

    /// These files cannot be had: a fault if one of them is required, else a warning for each. They are counted as in
    /// [`Manifest::files`].
    pub(super) fn lose(&mut self, files: &[usize], fault: Fault) {
        let mut optional = Vec::new();
        for nth in files {
            self.lose_silently(*nth);
            if let Some(file) = self.manifest.files().nth(*nth)
                && !file.required
            {
                optional.push(&file.name);
            }
        }
        if optional.len() < files.len() {
            self.required.push(fault);
            return;
        }
        for name in optional {
            let subject = format!("{name} ({fault})");
            self.warnings
                .push(Warning::new(WarningKind::LeftOut, subject));
        }
    }

    /// This file cannot be had, and why has been told.
    pub(super) fn lose_silently(&mut self, file: usize) {
        if let Some(lost) = self.lost.get_mut(file) {
            *lost = true;
        }
    }

    pub(super) fn warn(&mut self, warning: Warning) {
        self.warnings.push(warning);
    }

    pub(super) fn is_lost(&self, file: usize) -> bool {
        self.lost.get(file).copied().unwrap_or(true)
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
    /// Faults of files that are required.
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
