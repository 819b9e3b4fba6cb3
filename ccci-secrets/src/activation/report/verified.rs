//! What a verification found, as JSON. Plain digests stand in it only where the manifest or the caller lets them.

use serde::Serialize;

use super::{Noticed, Run, SCHEMA, json, noticed, shown};
use crate::activation::verify::Verified;
use crate::digest;
use crate::error::ErrorCode;

/// A report of a verification. Print it with [`VerifiedReport::to_json`].
#[derive(Debug, Serialize)]
pub struct VerifiedReport {
    schema: u32,
    tool: String,
    manifest_sha256: Option<String>,
    started: String,
    result: &'static str,
    code: Option<&'static str>,
    generation: Option<u64>,
    link: String,
    compared: Vec<Line>,
    files: Vec<File>,
    links_lost: Vec<String>,
    unfinished: bool,
    pending_units: Vec<String>,
    warnings: Vec<Noticed>,
}

#[derive(Debug, Serialize)]
struct Line {
    subject: String,
    class: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    leads: Option<String>,
}

#[derive(Debug, Serialize)]
struct File {
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    hmac: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sha256: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<usize>,
}

impl VerifiedReport {
    /// The report of a verification; lengths only if they are asked for.
    #[must_use]
    pub fn new(run: &Run<'_>, verified: &Verified, with_sizes: bool) -> Self {
        let lines = verified.lines.iter().map(|line| Line {
            subject: line.subject.clone(),
            class: line.class.as_str(),
            leads: line.leads.as_deref().map(shown),
        });
        let files = verified.files.iter().map(|file| File {
            name: file.name.clone(),
            hmac: file.hmac.clone(),
            sha256: file.sha256.clone(),
            size: file.size.filter(|_| with_sizes),
        });
        let has_drift = verified.drift().next().is_some();
        Self {
            schema: SCHEMA,
            tool: run.tool.into(),
            manifest_sha256: run.manifest.map(|manifest| digest::hex(&manifest.sha256)),
            started: run.started.to_string(),
            result: if has_drift { "drift" } else { "ok" },
            code: has_drift.then(|| ErrorCode::DriftFound.as_str()),
            generation: verified.generation,
            link: shown(&verified.link),
            compared: lines.collect(),
            files: files.collect(),
            links_lost: verified.links_lost.iter().map(|path| shown(path)).collect(),
            unfinished: verified.unfinished,
            pending_units: verified.pending_units.all().cloned().collect(),
            warnings: noticed(&verified.warnings),
        }
    }

    /// The report as JSON, with a line end.
    #[must_use]
    pub fn to_json(&self) -> String {
        json(self)
    }
}
