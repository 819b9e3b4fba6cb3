//! Opens everything a manifest wants, in memory: identities, every sops file once, every MAC, and only then values.

use std::collections::BTreeMap;

use super::checks::{self, CheckedCertificate, Checking};
use super::credentials::{self, Overdrawn};
use super::fault::{Fault, KeySource, NoIdentity, TemplateProblem, Warning, WarningKind};
use super::findings::Findings;
use super::keys::{self, Keys, Lock};
use super::manifest::{Dialect, FileEntry, Manifest, SecretEntry};
pub(super) use super::owners::Owners;
use super::owners::Ownership;
use super::provenance::FileProvenance;
use super::select::{self, Selected, Selection};
use super::sops_file::{self, ReadFile, SopsFile};
use super::template::{self, Template};
use super::wanted::{Origin, Wanted};
use crate::file::{Note, OpenError, OpenFile};
use crate::keyring::{Gnupg, Keyring, UnwrapError};
use crate::secret::Secret;

/// What opening needs besides the manifest.
#[derive(Debug)]
pub(super) struct OpenContext<'a> {
    pub(super) owners: Owners<'a>,
    /// Keys found by looking around, if those were asked for: they come last.
    pub(super) ambient: Option<Keyring>,
    /// How GnuPG is run, if it may be.
    pub(super) gnupg: Option<Gnupg>,
    /// What the checks of contents need; without it none is made.
    pub(super) checking: Option<Checking>,
}

/// Everything that was opened.
#[derive(Debug, Default)]
pub(super) struct Opened {
    /// In the order of the manifest; entries that are not required and have a fault are left out.
    pub(super) wanted: Vec<Wanted>,
    /// What came of each source of keys.
    pub(super) keys: Vec<KeySource>,
    /// One for each sops file, in the order in which the manifest first names them.
    pub(super) provenance: Vec<FileProvenance>,
    pub(super) certificates: Vec<CheckedCertificate>,
    pub(super) warnings: Vec<Warning>,
}

/// Not everything could be opened.
#[derive(Debug)]
pub(super) struct NotOpened {
    /// All faults.
    pub(super) faults: Vec<Fault>,
    pub(super) warnings: Vec<Warning>,
    /// What is sound, when every fault belongs to single entries: for `onFirstBoot: partial`. Its warnings are the
    /// same.
    pub(super) sound: Option<Opened>,
}

/// Opens every sops file of a manifest and takes the wanted values from them. Nothing is written.
///
/// Faults are collected, not only the first is told. As long as a key of the manifest has a fault, nothing is opened:
/// that some other key might do is no reason to go on.
pub(super) fn open(
    manifest: &Manifest,
    context: OpenContext<'_>,
) -> Result<Opened, Box<NotOpened>> {
    let mut findings = Findings::new(manifest);
    let mut keys = keys::load(&manifest.keys, context.ambient, context.gnupg);
    let files = read_files(manifest, &mut findings);
    let prepared = prepare(manifest, &files, &context.owners, &mut findings);
    let templates = prepare_templates(manifest, &context.owners, &mut findings);
    let locks = locks(&files);
    let missing = keys.missing_key_file(&locks);
    for fault in missing.into_iter().chain(std::mem::take(&mut keys.faults)) {
        findings.refuse(fault);
    }
    let opened = match findings.is_refused() {
        true => Vec::new(),
        false => open_files(manifest, files, &mut keys, &locks, &mut findings),
    };
    let sources = keys.described(&locks);
    for warning in keys.warnings {
        findings.warn(warning);
    }
    let mut wanted = take(manifest, &opened, prepared, &mut findings);
    let mut certificates = Vec::new();
    if !findings.is_refused() {
        if let Some(checking) = context.checking {
            certificates = checks::run(manifest, &wanted, checking, &mut findings);
        }
        wanted.retain(|wanted| !is_lost(manifest, wanted, &findings));
        let rendered = render(manifest, templates, &wanted, &mut findings);
        wanted.extend(rendered);
        add_up_credentials(manifest, &mut wanted, &mut findings);
    }
    finish(wanted, opened, certificates, sources, findings)
}

/// A sops file that was read.
type Read<'m> = (SopsFile<'m>, ReadFile);

fn read_files<'m>(manifest: &'m Manifest, findings: &mut Findings<'_>) -> Vec<Read<'m>> {
    let mut read = Vec::new();
    for file in sops_file::of_manifest(manifest) {
        let first = file.entries.first();
        let Some(secret) = first.and_then(|nth| manifest.secrets.get(*nth)) else {
            continue;
        };
        match sops_file::read(file.path, secret) {
            Ok(found) => read.push((file, found)),
            Err(fault) => findings.lose(&file.entries, fault),
        }
    }
    read
}

/// What is known of a secret before its file is opened.
#[derive(Debug)]
struct Prepared {
    /// Position in the manifest.
    secret: usize,
    selection: Selection,
    ownership: Ownership,
}

fn prepare(
    manifest: &Manifest,
    files: &[Read<'_>],
    owners: &Owners<'_>,
    findings: &mut Findings<'_>,
) -> Vec<Prepared> {
    let mut prepared = Vec::new();
    for (nth, secret) in manifest.secrets.iter().enumerate() {
        let ownership = owner(nth, &secret.file, owners, findings);
        let read = files.iter().find(|(file, _)| file.holds(nth));
        let Some((_, read)) = read else { continue };
        let selection = select::select(&read.sealed, secret)
            .map_err(|problem| findings.lose(&[nth], problem.of(secret)));
        if let (Some(ownership), Ok(selection)) = (ownership, selection) {
            prepared.push(Prepared {
                secret: nth,
                selection,
                ownership,
            });
        }
    }
    prepared
}

/// A template that was read.
#[derive(Debug)]
struct PreparedTemplate {
    /// Position in the manifest.
    template: usize,
    parsed: Template,
    ownership: Ownership,
}

fn prepare_templates(
    manifest: &Manifest,
    owners: &Owners<'_>,
    findings: &mut Findings<'_>,
) -> Vec<PreparedTemplate> {
    let mut prepared = Vec::new();
    for (template, entry) in manifest.templates.iter().enumerate() {
        let file = manifest.secrets.len() + template;
        let ownership = owner(file, &entry.file, owners, findings);
        let parsed = template::read(manifest, entry).map_err(|fault| findings.lose(&[file], fault));
        if let (Some(ownership), Ok(parsed)) = (ownership, parsed) {
            prepared.push(PreparedTemplate {
                template,
                parsed,
                ownership,
            });
        }
    }
    prepared
}

/// Whether a check was against a secret.
fn is_lost(manifest: &Manifest, wanted: &Wanted, findings: &Findings<'_>) -> bool {
    let position = manifest.files().position(|file| file.name == wanted.name);
    position.is_some_and(|file| findings.is_lost(file))
}

/// Renders the templates from the secrets that could be had.
fn render(
    manifest: &Manifest,
    templates: Vec<PreparedTemplate>,
    secrets: &[Wanted],
    findings: &mut Findings<'_>,
) -> Vec<Wanted> {
    let values: BTreeMap<&str, &Secret> = secrets
        .iter()
        .map(|secret| (secret.name.as_str(), &secret.content))
        .collect();
    let value = |name: &str| values.get(name).copied();
    let mut wanted = Vec::new();
    for prepared in templates {
        let file = manifest.secrets.len() + prepared.template;
        let Some(entry) = manifest.templates.get(prepared.template) else {
            continue;
        };
        match prepared.parsed.render(value) {
            Ok(content) => wanted.push(Wanted::new(
                &entry.file,
                Origin::Template,
                content,
                prepared.ownership,
            )),
            // Why a secret that is required cannot be had is a fault by itself.
            Err(name) if manifest.requires(name) => findings.lose_silently(file),
            Err(name) => findings.lose(&[file], TemplateProblem::Lost(name.into()).of(entry)),
        }
    }
    wanted
}

/// Loses the files of units that would be given more than systemd takes, or nothing.
fn add_up_credentials(manifest: &Manifest, wanted: &mut Vec<Wanted>, findings: &mut Findings<'_>) {
    let lengths: BTreeMap<&str, usize> = wanted
        .iter()
        .map(|wanted| (wanted.name.as_str(), wanted.content.len()))
        .collect();
    let overdrawn = credentials::overdrawn(manifest, |file| lengths.get(file).copied());
    if overdrawn.is_empty() {
        return;
    }
    for Overdrawn { fault, files } in overdrawn {
        findings.lose(&files, fault);
    }
    wanted.retain(|wanted| !is_lost(manifest, wanted, findings));
}

/// Who owns a file; counted as in [`Manifest::files`].
fn owner(
    nth: usize,
    file: &FileEntry,
    owners: &Owners<'_>,
    findings: &mut Findings<'_>,
) -> Option<Ownership> {
    match owners.of(file) {
        Ok(ownership) => {
            for account in ownership.missing(file) {
                let subject = format!("{account} ({})", file.name);
                findings.warn(Warning::new(WarningKind::AccountMissing, subject));
            }
            Some(ownership)
        }
        Err(faults) => {
            for fault in faults {
                findings.lose(&[nth], Fault::Manifest(fault));
            }
            None
        }
    }
}

fn locks(files: &[Read<'_>]) -> Vec<Lock> {
    let lock = |(file, read): &Read<'_>| Lock {
        path: file.path.into(),
        recipients: read.sealed.recipients(),
    };
    files.iter().map(lock).collect()
}

/// A sops file whose every leaf opened and whose MAC matched.
struct OpenedFile<'m> {
    file: SopsFile<'m>,
    open: OpenFile,
    provenance: FileProvenance,
}

fn open_files<'m>(
    manifest: &Manifest,
    files: Vec<Read<'m>>,
    keys: &mut Keys,
    locks: &[Lock],
    findings: &mut Findings<'_>,
) -> Vec<OpenedFile<'m>> {
    let mut opened: Vec<OpenedFile<'m>> = Vec::new();
    let count = files.len();
    for (file, read) in files {
        let recipients = read.sealed.recipients();
        match read.sealed.open(&keys.keyring) {
            Ok(open) => opened.push(OpenedFile {
                provenance: FileProvenance::of(file.path, read.facts, &open),
                file,
                open,
            }),
            Err(OpenError::NoKey(UnwrapError::NoIdentity(report))) => {
                let fault = Fault::NoIdentity(Box::new(NoIdentity {
                    file: file.path.into(),
                    recipients,
                    keys: keys.described(locks),
                    report: Some(*report),
                }));
                findings.lose(&file.entries, fault);
            }
            Err(source) => {
                let fault = Fault::DoesNotOpen {
                    file: file.path.into(),
                    source,
                };
                findings.lose(&file.entries, fault);
            }
        }
    }
    for file in &opened {
        let is_ambient = file.provenance.openers().any(|by| by.ambient);
        if is_ambient && manifest.dialect == Dialect::SopsInstallSecrets {
            findings.warn(Warning::at(WarningKind::AmbientKey, file.file.path));
        }
        if let Some(git) = &file.provenance.git
            && git.is_elsewhere()
        {
            findings.warn(Warning::at(WarningKind::WorkTree, &git.repository));
        }
    }
    // A refusal for want of a key lists every key anyway.
    if !findings.lacks_key() {
        keys.warn_of_unusable();
    }
    if opened.len() == count && count > 0 {
        let openers: Vec<_> = opened
            .iter()
            .flat_map(|file| file.provenance.openers())
            .collect();
        keys.warn_of_idle(locks, &openers);
    }
    opened
}

/// Takes the values. Every file that can be had was verified before.
fn take(
    manifest: &Manifest,
    opened: &[OpenedFile<'_>],
    prepared: Vec<Prepared>,
    findings: &mut Findings<'_>,
) -> Vec<Wanted> {
    let mut wanted = Vec::new();
    for Prepared {
        secret: nth,
        selection,
        ownership,
    } in prepared
    {
        let from = opened.iter().find(|from| from.file.holds(nth));
        let (Some(secret), Some(from)) = (manifest.secrets.get(nth), from) else {
            continue;
        };
        if findings.is_lost(nth) {
            continue;
        }
        match content(&from.open, &selection.selected, secret, findings) {
            Ok(content) => {
                if selection.is_clear {
                    let name = &secret.file.name;
                    findings.warn(Warning::new(WarningKind::ClearLeaf, name));
                }
                let origin = Origin::of(secret);
                wanted.push(Wanted::new(&secret.file, origin, content, ownership));
            }
            Err(fault) => findings.lose(&[nth], fault),
        }
    }
    wanted
}

fn content(
    open: &OpenFile,
    selected: &Selected,
    secret: &SecretEntry,
    findings: &mut Findings<'_>,
) -> Result<Secret, Fault> {
    let found = match selected {
        Selected::Text(path) => open
            .leaf(path)
            // EXPOSE: into the wanted file.
            .map(|leaf| Secret::from_slice(leaf.expose())),
        Selected::Token(path) => open.expose_token(path),
        Selected::WholeFile => {
            // What sops prints, which is what programs that read these files were given so far.
            let (plain, notes) = open.expose_as_sops().map_err(|source| Fault::Plaintext {
                file: secret.sops_file.clone(),
                source,
            })?;
            for note in notes {
                findings.warn(comment_warning(&note, secret));
            }
            Some(plain)
        }
    };
    // It was there before the file was opened, so this is null that was selected as a value.
    found.ok_or_else(|| super::fault::ValueProblem::Absent.of(secret))
}

fn comment_warning(note: &Note, secret: &SecretEntry) -> Warning {
    let (kind, line) = match note {
        // Closed ones are let out of files only whose MAC was not asked for, and those do not come here.
        Note::ClearComment { line } | Note::ClosedComment { line } => {
            (WarningKind::ClearComment, line)
        }
        Note::LayoutLost { line } => (WarningKind::LayoutLost, line),
        Note::MovedComment { line } => (WarningKind::MovedComment, line),
    };
    let subject = format!("{}, line {line}", secret.sops_file.display());
    Warning::new(kind, subject)
}

fn finish(
    wanted: Vec<Wanted>,
    opened: Vec<OpenedFile<'_>>,
    certificates: Vec<CheckedCertificate>,
    keys: Vec<KeySource>,
    findings: Findings<'_>,
) -> Result<Opened, Box<NotOpened>> {
    let provenance = opened.into_iter().map(|from| from.provenance).collect();
    let parts = findings.into_parts();
    let refused = !parts.whole.is_empty();
    let (faults, warnings) = parts.into_faults();
    let sound = Opened {
        wanted,
        keys,
        provenance,
        certificates,
        warnings: warnings.clone(),
    };
    if faults.is_empty() {
        return Ok(sound);
    }
    Err(Box::new(NotOpened {
        faults,
        warnings,
        sound: (!refused).then_some(sound),
    }))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
mod tests;
