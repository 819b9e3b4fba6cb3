//! Rules that no single field can break: what entries are to each other.

use std::collections::BTreeMap;
use std::path::Path;

use super::fields::Faults;
use super::read::{Placeholders, RENDERED};
use super::{FileEntry, Manifest, ManifestProblem, Target, credentials, names};

pub(super) fn check(manifest: &Manifest, placeholders: &Placeholders, faults: &Faults) {
    check_frame(manifest, faults);
    check_names(manifest, faults);
    check_targets(manifest, faults);
    check_placeholders(manifest, placeholders, faults);
    check_formats(manifest, faults);
    credentials::check(manifest, faults);
}

/// The mount and the link stand beside each other.
fn check_frame(manifest: &Manifest, faults: &Faults) {
    let (mount, link) = (&manifest.mount_path, &manifest.link_path);
    if mount.is_empty() || link.is_empty() {
        return;
    }
    if mount == link || names::below(mount, link).is_some() || names::below(link, mount).is_some() {
        faults.add(
            "/symlinkPath",
            ManifestProblem::Clash {
                name: link.clone(),
                other: "/secretsMountPoint".into(),
            },
        );
    }
}

/// Everything inside a generation has one name, and no file is another's directory.
fn check_names(manifest: &Manifest, faults: &Faults) {
    let mut taken: BTreeMap<&str, String> = BTreeMap::new();
    for file in manifest.files().filter(|file| !file.name.is_empty()) {
        claim(
            &mut taken,
            &file.name,
            format!("{}/name", file.pointer),
            faults,
        );
        if let Target::Inside(rest) = &file.target {
            claim(&mut taken, rest, format!("{}/path", file.pointer), faults);
        }
    }
    report_prefixes(&taken, faults);
    if manifest.templates.is_empty() {
        return;
    }
    for secret in &manifest.secrets {
        let name = &secret.file.name;
        if name == RENDERED || names::below(name, RENDERED).is_some() {
            faults.add(
                format!("{}/name", secret.file.pointer),
                ManifestProblem::Reserved,
            );
        }
    }
}

fn claim<'a>(
    taken: &mut BTreeMap<&'a str, String>,
    name: &'a str,
    pointer: String,
    faults: &Faults,
) {
    if let Some(other) = taken.get(name) {
        faults.add(
            pointer,
            ManifestProblem::Duplicate {
                value: name.into(),
                other: other.clone(),
            },
        );
        return;
    }
    taken.insert(name, pointer);
}

/// `b` and `b/c`: one of them would have to be a directory.
fn report_prefixes(taken: &BTreeMap<&str, String>, faults: &Faults) {
    for (name, pointer) in taken {
        let mut shorter = *name;
        while let Some((parent, _)) = shorter.rsplit_once('/') {
            if let Some(other) = taken.get(parent) {
                faults.add(
                    pointer,
                    ManifestProblem::Clash {
                        name: (*name).into(),
                        other: other.clone(),
                    },
                );
            }
            shorter = parent;
        }
    }
}

/// Targets outside are distinct, none is another's directory, and none touches the mount or the link.
fn check_targets(manifest: &Manifest, faults: &Faults) {
    let mut taken: BTreeMap<&str, String> = BTreeMap::new();
    for (file, path) in manifest.files().filter_map(outside) {
        let pointer = format!("{}/path", file.pointer);
        for (frame, other) in [
            (&manifest.mount_path, "/secretsMountPoint"),
            (&manifest.link_path, "/symlinkPath"),
        ] {
            // One that is missing is a fault of its own.
            let clashes = !frame.is_empty()
                && (path == frame
                    || names::below(path, frame).is_some()
                    || names::below(frame, path).is_some());
            if clashes {
                faults.add(
                    pointer.clone(),
                    ManifestProblem::Clash {
                        name: path.into(),
                        other: other.into(),
                    },
                );
            }
        }
        claim(&mut taken, path, pointer, faults);
    }
    report_prefixes(&taken, faults);
}

fn outside(file: &FileEntry) -> Option<(&FileEntry, &str)> {
    match &file.target {
        Target::Outside(path) => Some((file, path.as_str())),
        Target::Inside(_) | Target::Own => None,
    }
}

fn check_placeholders(manifest: &Manifest, placeholders: &Placeholders, faults: &Faults) {
    let mut taken: BTreeMap<&str, String> = BTreeMap::new();
    for (pointer, _, text) in placeholders {
        if text.is_empty() {
            faults.add(pointer, ManifestProblem::EmptyText);
        } else {
            claim(&mut taken, text, pointer.clone(), faults);
        }
    }
    if manifest.templates.is_empty() {
        return;
    }
    for secret in &manifest.secrets {
        let name = &secret.file.name;
        if !placeholders.iter().any(|(_, known, _)| known == name) {
            faults.add(
                "/placeholderBySecretName",
                ManifestProblem::NoPlaceholder(name.clone()),
            );
        }
    }
}

fn check_formats(manifest: &Manifest, faults: &Faults) {
    let mut seen: BTreeMap<&Path, (&'static str, &str)> = BTreeMap::new();
    for secret in &manifest.secrets {
        let here = secret.format.as_str();
        let (there, other) = *seen
            .entry(&secret.sops_file)
            .or_insert((here, &secret.file.pointer));
        if here != there {
            faults.add(
                format!("{}/format", secret.file.pointer),
                ManifestProblem::FormatsDiffer {
                    here,
                    there,
                    other: other.into(),
                },
            );
        }
    }
}
