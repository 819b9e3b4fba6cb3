//! What is said when a generation is active: what opened what, which file got which mode, what to do next.

use std::fmt::Write as _;
use std::path::Path;

use ccci_secrets::activation::fault::{EarlierRun, WarningKind};
use ccci_secrets::activation::{
    Change, CheckedCertificate, EntryResult, FileProvenance, GitFacts, Receipt, UnitAction,
};
use ccci_secrets::keyring::{OpenedBy, SourceKind};
use ccci_secrets::wrapped::Names;

use super::refusal;
use crate::error::CommandError;

/// The report for people. `root` is what stood for `/`, if not `/` itself.
pub(crate) fn text(receipt: &Receipt, names: &Names, root: Option<&Path>) -> String {
    let mut report = Report {
        text: String::new(),
        receipt,
        names,
        root,
    };
    if receipt.earlier_run == EarlierRun::Finished {
        report.line("an earlier run that had not come to its end was finished first");
    }
    match receipt.generation {
        Some(generation) => report.new_generation(generation),
        None if receipt.found_all_right() => report.nothing_changed(),
        None => report.links_corrected(),
    }
    report.text
}

/// What was noticed, one line for each kind.
pub(crate) fn warnings(receipt: &Receipt) -> Vec<String> {
    refusal::warnings(&receipt.warnings)
}

/// What is said when a step behind the commit failed.
pub(crate) fn failure(receipt: &Receipt, manifest: &Path, names: &Names) -> Option<String> {
    let failed = receipt.failed_step.as_ref()?;
    let mut lines = refusal::of_faults(&failed.faults, manifest, names);
    let step = format!("{}, {}", failed.step.as_str(), failed.step.sentence());
    lines.push(last_line(receipt, &step));
    Some(lines.join("\n"))
}

/// What is said when the report could not be written.
pub(crate) fn no_report(receipt: &Receipt, error: &CommandError) -> String {
    format!("{error}\n{}", last_line(receipt, "report"))
}

fn last_line(receipt: &Receipt, step: &str) -> String {
    let generation = receipt.active().unwrap_or_default();
    format!("generation {generation} is active; failed step: {step}")
}

struct Report<'a> {
    text: String,
    receipt: &'a Receipt,
    names: &'a Names,
    root: Option<&'a Path>,
}

impl Report<'_> {
    fn line(&mut self, line: impl std::fmt::Display) {
        writeln!(self.text, "{line}").expect("writing to a string does not fail");
    }

    fn nothing_changed(&mut self) {
        let generation = self.receipt.active().unwrap_or_default();
        let count = self.receipt.entries.len();
        let link = self.receipt.link.display();
        let what = match self.receipt.manifest_changed {
            true => "only the manifest changed",
            false => "nothing changed",
        };
        self.line(format_args!(
            "{what}: generation {generation} is active, all {count} files are as they should be ({link})"
        ));
    }

    fn units(&mut self) {
        for unit in &self.receipt.units {
            let done = match (unit.told, unit.action) {
                (false, _) => continue,
                (true, UnitAction::Reload) => "reload",
                (true, _) => "restart",
            };
            self.line(format_args!("  > {done:<8} {}", unit.unit));
        }
    }

    /// The files were right, what leads to them from elsewhere was not.
    fn links_corrected(&mut self) {
        let generation = self.receipt.active().unwrap_or_default();
        let link = self.receipt.link.display();
        self.line(format_args!(
            "no file changed: generation {generation} is active ({link}); links beside it were corrected"
        ));
        for path in &self.receipt.links_placed {
            self.line(format_args!("  + link     {}", path.display()));
        }
        self.links_removed();
    }

    fn links_removed(&mut self) {
        for path in &self.receipt.links_removed {
            self.line(format_args!("  - link     {}", path.display()));
        }
    }

    fn new_generation(&mut self, generation: u64) {
        for file in &self.receipt.provenance {
            self.provenance(file);
        }
        for checked in &self.receipt.certificates {
            self.certificate(checked);
        }
        self.line(format_args!(
            "generation {generation} is active in {}",
            self.receipt.link.display()
        ));
        for entry in &self.receipt.entries {
            self.entry(entry);
        }
        for name in &self.receipt.removed {
            self.line(format_args!("  - removed  {name}"));
        }
        self.links_removed();
        self.units();
        if let Some(root) = self.root {
            self.next_steps(root);
        }
    }

    fn provenance(&mut self, file: &FileProvenance) {
        self.line(format_args!(
            "opened {}, its MAC matches",
            file.path.display()
        ));
        if let Some(GitFacts {
            commit: Some(commit),
            dirty,
            ..
        }) = &file.git
        {
            let dirty = match dirty {
                true => ", with changes that are not committed",
                false => "",
            };
            self.line(format_args!("  of commit {commit}{dirty}"));
        }
        for opener in file.openers() {
            self.opener(opener);
        }
        let names = self.names;
        if !file.other_recipients.is_empty() {
            let others: Vec<String> = file
                .other_recipients
                .iter()
                .map(|recipient| names.describe(recipient))
                .collect();
            self.line(format_args!("  also sealed for {}", others.join(", ")));
        }
    }

    fn certificate(&mut self, checked: &CheckedCertificate) {
        let leaf = &checked.leaf;
        let names = leaf.names.join(", ");
        self.line(format_args!(
            "checked {}: {names}, valid until {}",
            checked.certificate, leaf.not_after
        ));
        self.line(format_args!("  SHA-256 {}", leaf.sha256));
    }

    fn opener(&mut self, opener: &OpenedBy) {
        let key = match opener.kind {
            SourceKind::AgeFile => "the age key file",
            SourceKind::Ssh => "the SSH key",
            _ => "a key from the environment",
        };
        let place = opener
            .source
            .as_ref()
            .map(|path| format!(" {}", path.display()))
            .unwrap_or_default();
        let recipient = self.names.describe(&opener.recipient);
        self.line(format_args!("  with {key}{place}, recipient {recipient}"));
    }

    fn entry(&mut self, entry: &EntryResult) {
        let mark = match entry.change {
            Change::Added => "+",
            Change::Modified { .. } => "~",
            _ => " ",
        };
        let mut line = format!("  {mark} {:04o} {}", entry.mode, entry.name);
        // On a file that is not root's: whose it is.
        if (entry.uid, entry.gid) != (0, 0) && self.owners_are_set() {
            line += &format!(" (owner {}:{})", entry.uid, entry.gid);
        }
        if let Some(what) = changed(entry.change) {
            line += &format!(" ({what} changed)");
        }
        if let Some(path) = &entry.path {
            line += &format!(" -> {}", path.display());
        }
        self.line(line);
    }

    fn owners_are_set(&self) -> bool {
        let warnings = &self.receipt.warnings;
        !warnings
            .iter()
            .any(|warning| warning.kind == WarningKind::OwnershipSkipped)
    }

    /// For somebody who tries it below a directory.
    fn next_steps(&mut self, root: &Path) {
        let shown = self.receipt.link.display().to_string();
        self.line("next:");
        self.line(format_args!("  look at them     ls -lL {shown}"));
        if let Some(entry) = self.receipt.entries.first() {
            self.line(format_args!(
                "  read one         cat {shown}/{}",
                entry.name
            ));
        }
        self.line("  run it again     the same command: nothing changes");
        self.line(format_args!("  remove it all    rm -r {}", root.display()));
    }
}

/// What changed in a file that was there before.
fn changed(change: Change) -> Option<String> {
    let Change::Modified {
        content,
        mode,
        owner,
    } = change
    else {
        return None;
    };
    let all = [(content, "content"), (mode, "mode"), (owner, "owner")];
    let changed: Vec<&str> = all
        .iter()
        .filter(|(changed, _)| *changed)
        .map(|(_, what)| *what)
        .collect();
    Some(changed.join(", "))
}
