//! What the people of a repository call the recipients of its files.

use std::path::Path;

use ccci_secrets::activation::fault::{Fault, Refusal};
use ccci_secrets::activation::{FileProvenance, Receipt};
use ccci_secrets::config::Config;
use ccci_secrets::wrapped::Names;

/// Names that matter to what a receipt tells. Relative paths count from `base`.
pub(crate) fn of_receipt(base: &Path, receipt: &Receipt) -> Names {
    of_provenance(base, &receipt.provenance)
}

/// Names that matter to where contents come from.
pub(crate) fn of_provenance(base: &Path, files: &[FileProvenance]) -> Names {
    let mut names = Names::default();
    for file in files {
        let openers = file.openers().map(|opener| &opener.recipient);
        let recipients = openers.chain(&file.other_recipients);
        add(&mut names, base, &file.path, recipients);
    }
    names
}

/// Names that matter to what a refusal tells.
pub(crate) fn of_refusal(base: &Path, refusal: &Refusal) -> Names {
    let mut names = Names::default();
    for fault in &refusal.faults {
        match fault {
            Fault::KeyFileMissing(missing) => {
                for file in &missing.files {
                    add(&mut names, base, &file.path, &file.recipients);
                }
            }
            Fault::NoIdentity(facts) => add(&mut names, base, &facts.file, &facts.recipients),
            _ => {}
        }
    }
    names
}

/// Adds what the `.sops.yaml` above a file calls its recipients. Names only decorate a message: a configuration that
/// cannot be read gives none.
fn add<'a>(
    names: &mut Names,
    base: &Path,
    file: &Path,
    recipients: impl IntoIterator<Item = &'a String>,
) {
    let start = base.join(file.parent().unwrap_or(Path::new("")));
    let found = Config::discover(&start).ok();
    let Some(config) = found.and_then(|found| found.config) else {
        return;
    };
    for recipient in recipients {
        if let Some(name) = config.names().of(recipient) {
            names.add(recipient, name);
        }
    }
}
