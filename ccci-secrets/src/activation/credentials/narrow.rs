//! A manifest of one file and what it is made of, so that nothing else is opened for it.

use std::collections::BTreeSet;

use crate::activation::fault::Fault;
use crate::activation::manifest::Manifest;
use crate::activation::template;

/// The part of a manifest that one file of the generation needs: itself, the secrets of a template, and what is checked
/// together with any of them.
pub(super) fn to_file(manifest: &Manifest, file: &str) -> Result<Manifest, Fault> {
    let mut names = BTreeSet::from([file.to_owned()]);
    let mut templates = manifest.templates.iter();
    if let Some(entry) = templates.find(|template| template.file.name == file) {
        let parsed = template::read(manifest, entry)?;
        names.extend(parsed.secrets().map(str::to_owned));
    }
    let mut narrow = manifest.clone();
    narrow.credentials.clear();
    narrow.checks.retain(|check| {
        let mut parts = [Some(&check.certificate), check.key.as_ref()].into_iter();
        parts.any(|part| part.is_some_and(|part| names.contains(part)))
    });
    for check in &narrow.checks {
        names.insert(check.certificate.clone());
        names.extend(check.key.clone());
    }
    narrow
        .secrets
        .retain(|secret| names.contains(&secret.file.name));
    narrow
        .templates
        .retain(|template| template.file.name == file);
    Ok(narrow)
}
