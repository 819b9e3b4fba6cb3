//! The field `checks`: what has to be true of contents before anything is activated.

use super::fields::{Faults, Fields};
use super::{ManifestProblem, SecretEntry};
use crate::activation::json::Json;

/// A certificate that has to be in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CertificateCheck {
    /// The secret that holds the chain.
    pub(crate) certificate: String,
    /// The secret that holds the private key.
    pub(crate) key: Option<String>,
    /// Names that the leaf has to cover.
    pub(crate) names: Vec<String>,
    /// How many days the leaf has to be good for.
    pub(crate) least_days: Option<u64>,
    /// That so many days are missing is a fault.
    pub(crate) strict: bool,
}

const TYPES: &[(&str, ())] = &[("x509", ())];
/// The order of a chain is always checked; the field says so.
const CHAINS: &[(&str, ())] = &[("leaf-first", ())];

pub(super) fn read(
    fields: &mut Fields<'_>,
    secrets: &[SecretEntry],
    faults: &Faults,
) -> Vec<CertificateCheck> {
    let items = fields.items("checks");
    items
        .into_iter()
        .filter_map(|(pointer, item)| check(item, pointer, secrets, faults))
        .collect()
}

fn check(
    json: &Json,
    pointer: String,
    secrets: &[SecretEntry],
    faults: &Faults,
) -> Option<CertificateCheck> {
    let mut fields = Fields::of(json, pointer, faults)?;
    if fields.required_text("type").is_some() {
        let _ = fields.word("type", TYPES);
    }
    let _ = fields.word("chain", CHAINS);
    let certificate = fields.required_text("cert");
    let key = fields.text("key");
    for (field, name) in [("cert", certificate), ("key", key)] {
        let Some(name) = name else { continue };
        if !secrets.iter().any(|secret| secret.file.name == name) {
            fields.fault(field, ManifestProblem::UnknownSecret(name.into()));
        }
    }
    let names = fields.texts("names");
    if names.contains(&"") {
        fields.fault("names", ManifestProblem::EmptyText);
    }
    let least_days = fields.whole("minDays");
    if let Some(days) = least_days.filter(|days| *days < 0) {
        fields.fault("minDays", ManifestProblem::Negative(days));
    }
    let check = CertificateCheck {
        certificate: certificate.unwrap_or_default().into(),
        key: key.map(str::to_owned),
        names: names.into_iter().map(str::to_owned).collect(),
        least_days: least_days.and_then(|days| u64::try_from(days).ok()),
        strict: fields.boolean("strict").unwrap_or(false),
    };
    fields.finish();
    Some(check)
}
