//! Checks of contents: certificates are looked at before anything is changed.

use super::fault::{Fault, Warning, WarningKind};
use super::findings::Findings;
use super::manifest::Manifest;
use super::manifest::checks::CertificateCheck;
use super::wanted::Wanted;
use crate::certificate::{
    CertificateFacts, CertificateFault, CertificateWarning, Chain, Expectations, Fingerprint,
};
use crate::digest;

/// What the checks need besides the contents.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Checking {
    pub(super) now: Option<jiff::Timestamp>,
    pub(super) expected_leaf: Option<Fingerprint>,
}

/// A certificate that was checked, and in order.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CheckedCertificate {
    /// The secret that holds it.
    pub certificate: String,
    /// The secret that holds its private key, if that was checked too.
    pub key: Option<String>,
    /// What the leaf says of itself.
    pub leaf: CertificateFacts,
    /// How many certificates there are, the leaf among them.
    pub length: usize,
    /// SHA-256 of the whole file, which holds certificates alone.
    pub sha256: [u8; 32],
}

/// What is wrong with what is checked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CheckProblem {
    /// With the certificate, or with its key.
    #[error("{0}")]
    Certificate(CertificateFault),
    /// A secret that was left out.
    #[error("secret `{}` cannot be had", .0.escape_debug())]
    Lost(String),
}

/// Runs all checks of a manifest on contents. A secret whose check fails is lost.
pub(super) fn run(
    manifest: &Manifest,
    wanted: &[Wanted],
    checking: Checking,
    findings: &mut Findings<'_>,
) -> Vec<CheckedCertificate> {
    let mut checked = Vec::new();
    for check in &manifest.checks {
        match examine(check, wanted, checking.now, findings) {
            Ok(certificate) => checked.push(certificate),
            Err(problems) => lose(manifest, check, problems, findings),
        }
    }
    if let Some(expected) = checking.expected_leaf {
        let found = || checked.iter().map(|checked| checked.leaf.sha256);
        if !found().any(|leaf| leaf == expected) {
            findings.refuse(Fault::OtherLeaf {
                expected,
                found: found().collect(),
            });
        }
    }
    checked
}

fn examine(
    check: &CertificateCheck,
    wanted: &[Wanted],
    now: Option<jiff::Timestamp>,
    findings: &mut Findings<'_>,
) -> Result<CheckedCertificate, Vec<CheckProblem>> {
    let find = |name: &String| {
        let found = wanted.iter().find(|wanted| wanted.name == *name);
        found.ok_or_else(|| vec![CheckProblem::Lost(name.clone())])
    };
    let certificate = find(&check.certificate)?;
    let key = check.key.as_ref().map(find).transpose()?;
    // EXPOSE: to the parser; what is no certificate is refused and not kept.
    let text = certificate.content.expose();
    let chain = Chain::from_pem(text).map_err(|fault| vec![CheckProblem::Certificate(fault)])?;
    let found = chain.examine(Expectations {
        private_key: key.map(|key| &key.content),
        names: &check.names,
        least_days: check.least_days,
        strict: check.strict,
        now,
    });
    for warning in found.warnings {
        findings.warn(told(check, warning));
    }
    if !found.faults.is_empty() {
        let faults = found.faults.into_iter();
        return Err(faults.map(CheckProblem::Certificate).collect());
    }
    Ok(CheckedCertificate {
        certificate: check.certificate.clone(),
        key: check.key.clone(),
        leaf: chain.leaf().facts(),
        length: chain.len(),
        sha256: digest::sha256(text),
    })
}

fn lose(
    manifest: &Manifest,
    check: &CertificateCheck,
    problems: Vec<CheckProblem>,
    findings: &mut Findings<'_>,
) {
    let names = [Some(&check.certificate), check.key.as_ref()];
    let files: Vec<usize> = manifest
        .secrets
        .iter()
        .enumerate()
        .filter(|(_, secret)| names.contains(&Some(&secret.file.name)))
        .map(|(nth, _)| nth)
        .collect();
    for problem in problems {
        match problem {
            // Why a secret that is required cannot be had is a fault by itself.
            CheckProblem::Lost(name) if manifest.requires(&name) => {
                files.iter().for_each(|file| findings.lose_silently(*file));
            }
            problem => findings.lose(
                &files,
                Fault::Check {
                    certificate: check.certificate.clone(),
                    key: check.key.clone(),
                    problem,
                },
            ),
        }
    }
}

fn told(check: &CertificateCheck, warning: CertificateWarning) -> Warning {
    let name = &check.certificate;
    match warning {
        CertificateWarning::ClockNotSet => Warning::new(WarningKind::ClockNotSet, name),
        CertificateWarning::ExpiresSoon { until, .. } => Warning::new(
            WarningKind::CertificateExpiresSoon,
            format!("{name} ({until})"),
        ),
        CertificateWarning::IssuerExpired { nth, since } => Warning::new(
            WarningKind::IssuerExpired,
            format!("{name} (certificate {nth}, {since})"),
        ),
    }
}
