//! What activation would do, as JSON. It holds digests of contents only under a key that was given.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::{
    Certificate, File, Generation, Links, Noticed, Reason, Run, SCHEMA, change_words, json,
    noticed, octal, reasons, shown,
};
use crate::activation::manifest::template_name;
use crate::activation::plan::{Before, Plan, PlanEntry};
use crate::activation::receipt::Origin;
use crate::digest;
use crate::fs::MemoryMount;

/// A report of what activation would do. Print it with [`PlanReport::to_json`].
#[derive(Debug, Serialize)]
pub struct PlanReport {
    schema: u32,
    tool: String,
    manifest_sha256: Option<String>,
    started: String,
    result: &'static str,
    manifest_changed: bool,
    generation: Generation,
    #[serde(skip_serializing_if = "Option::is_none")]
    link_dangles: Option<String>,
    mount: Option<Mount>,
    files: Vec<File>,
    secrets: Vec<Entry>,
    templates: Vec<Entry>,
    removed: Vec<String>,
    links: Links,
    pruned: Vec<u64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    foreign_keys_removed: Vec<String>,
    units: Units,
    certs: Vec<Certificate>,
    unfinished: bool,
    unreadable_for: Option<u32>,
    warnings: Vec<Noticed>,
    faults: Vec<Reason>,
}

#[derive(Debug, Serialize)]
struct Mount {
    path: String,
    kind: &'static str,
}

#[derive(Debug, Serialize)]
struct Units {
    restart: Vec<String>,
    reload: Vec<String>,
}

/// A file of the generation; its content has no place here.
#[derive(Debug, Serialize)]
struct Entry {
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sops_file: Option<String>,
    path: String,
    mode: String,
    uid: Option<u32>,
    gid: Option<u32>,
    before: Option<Was>,
    change: &'static str,
    changed: Vec<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hmac: Option<String>,
}

/// What is there now.
#[derive(Debug, Serialize)]
struct Was {
    mode: String,
    uid: u32,
    gid: u32,
}

impl PlanReport {
    /// The report of a plan.
    #[must_use]
    pub fn new(run: &Run<'_>, plan: &Plan) -> Self {
        let entries = |wanted: fn(&PlanEntry) -> bool| {
            let entries = plan.entries.iter().filter(|entry| wanted(entry));
            entries.map(|entry| Entry::of(entry, &plan.link)).collect()
        };
        let all = |paths: &[PathBuf]| paths.iter().map(|path| shown(path)).collect();
        Self {
            schema: SCHEMA,
            tool: run.tool.into(),
            manifest_sha256: run.manifest.map(|manifest| digest::hex(&manifest.sha256)),
            started: run.started.to_string(),
            result: match plan.changes_nothing() {
                true => "unchanged",
                false => "planned",
            },
            manifest_changed: plan.manifest_changed,
            generation: Generation {
                old: plan.previous,
                new: plan.generation,
                link: Some(shown(&plan.link)),
            },
            link_dangles: plan.link_dangles.as_deref().map(shown),
            mount: plan.mount.as_ref().map(|(what, path)| Mount {
                path: shown(path),
                kind: match what {
                    MemoryMount::Ramfs => "ramfs",
                    MemoryMount::TmpfsNoSwap | MemoryMount::TmpfsSwappable => "tmpfs",
                },
            }),
            files: plan
                .provenance
                .iter()
                .map(|file| File::of(file, run.names))
                .collect(),
            secrets: entries(|entry| entry.result.origin != Origin::Template),
            templates: entries(|entry| entry.result.origin == Origin::Template),
            removed: plan.removed.clone(),
            links: Links {
                placed: all(&plan.links_placed),
                removed: all(&plan.links_removed),
            },
            pruned: plan.pruned.clone(),
            foreign_keys_removed: all(&plan.foreign_keys_removed),
            units: Units {
                restart: plan.units.restart.clone(),
                reload: plan.units.reload.clone(),
            },
            certs: plan.certificates.iter().map(Certificate::of).collect(),
            unfinished: plan.unfinished,
            unreadable_for: plan.unreadable_for,
            warnings: noticed(&plan.warnings),
            faults: reasons(&plan.faults, run.names),
        }
    }

    /// The report as JSON, with a line end.
    #[must_use]
    pub fn to_json(&self) -> String {
        json(self)
    }
}

impl Entry {
    fn of(entry: &PlanEntry, link: &Path) -> Self {
        let result = &entry.result;
        let name = &result.name;
        let (name, key, sops_file) = match &result.origin {
            Origin::Secret { sops_file, key } => {
                (name.as_str(), Some(key.clone()), Some(shown(sops_file)))
            }
            Origin::Template => (template_name(name).unwrap_or(name), None, None),
        };
        let (change, changed) = match entry.change() {
            Some(change) => change_words(change),
            None => ("unknown", Vec::new()),
        };
        let was = |before: Before| Was {
            mode: octal(before.mode),
            uid: before.uid,
            gid: before.gid,
        };
        Self {
            name: name.into(),
            key,
            sops_file,
            path: shown(result.path.as_ref().unwrap_or(&link.join(&result.name))),
            mode: octal(result.mode),
            uid: entry.uid(),
            gid: entry.gid(),
            before: entry.before.map(was),
            change,
            changed,
            hmac: entry.digest.clone(),
        }
    }
}
