//! What a person does next, for every fault: the only place that knows both codes and commands.

use ccci_secrets::error::ErrorCode;

/// What is said after an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hint {
    /// The message itself says all there is.
    None,
    /// The next step.
    Step(&'static str),
    /// Nobody has thought about this code yet; a test keeps that from happening.
    Unwritten,
}

/// The next step after a fault.
pub(crate) fn of(code: ErrorCode) -> Hint {
    use Hint::{None, Step, Unwritten};
    match code {
        ErrorCode::ActivationLocked => {
            Step("wait for the other run to end, or raise --lock-timeout")
        }
        ErrorCode::ActivationFileSystem => Step("make room or correct the mode, then run it again"),
        ErrorCode::CertificateInvalid => Step(
            "put a certificate that fits into the sops file, with `ccsec edit` or `ccsec set`; the checks stand in the manifest",
        ),
        ErrorCode::CommittedWithFault => {
            Step("correct what the message names, then run the same command again")
        }
        ErrorCode::CredentialInvalid => Step(
            "give the unit fewer or smaller credentials, and let it read what is large as a file",
        ),
        ErrorCode::ConfigMissing => Step(
            "write a .sops.yaml with a creation rule in this directory or above it, or name the recipients with --age",
        ),
        ErrorCode::ConfigNoRule => {
            Step("add a creation rule whose path_regex matches, or name the recipients with --age")
        }
        ErrorCode::ConflictMarkers => {
            Step("resolve the merge in git: take one side, then make the other change again")
        }
        ErrorCode::DriftFound => Step(
            "see what would be put right with `ccsec plan`, and put it right with `ccsec activate`",
        ),
        ErrorCode::DoesNotOpen => Step(
            "the value was moved, damaged or sealed under another key: take the file back from git",
        ),
        ErrorCode::FileAlreadySealed => Step(
            "open it with `ccsec edit`, or rename the top-level key `sops` if it is data of yours",
        ),
        ErrorCode::FileNotSealed => Step(
            "if it is plaintext, encrypt it with `ccsec encrypt -i FILE`; if not, name its format with --input-type",
        ),
        ErrorCode::KeyFileMissing => Step(
            "make it with `ccsec key from-ssh --out FILE`, or `ccsec key install --out FILE` for a key you have",
        ),
        ErrorCode::LfsPointer => Step("fetch the file: git lfs pull"),
        ErrorCode::LeafNotProtected => {
            Step("seal the value, or list it under allowClear in the manifest")
        }
        ErrorCode::MacMismatch => Step(
            "values were changed outside of ccsec or sops, often by a merge: take the file back from git and repeat the change with `ccsec edit`",
        ),
        ErrorCode::NoRecipients => Step("name at least one recipient with --age, or in .sops.yaml"),
        ErrorCode::PathInvalid => {
            Step("a path looks like '[\"database\"][\"hosts\"][0]' or database.hosts[0]")
        }
        ErrorCode::RecipientInvalid => Step(
            "an age recipient starts with `age1`, an SSH one with `ssh-ed25519`; `ccsec key show` prints yours",
        ),
        ErrorCode::SubmoduleNotInitialised => {
            Step("fetch the submodule: git submodule update --init")
        }
        ErrorCode::TargetConflict => Step("move away what the message names, then run it again"),
        ErrorCode::Internal => Step(
            "please report this with the command line and the version, without any secret in it",
        ),
        // The message names the place and what stands there; the repair is in that very text.
        ErrorCode::ConfigInvalid
        | ErrorCode::DocumentInvalid
        | ErrorCode::DrillFailed
        | ErrorCode::EditorFailed
        | ErrorCode::EndpointUnreachable
        | ErrorCode::FileMissing
        | ErrorCode::FileUnchanged
        | ErrorCode::FileUnreadable
        | ErrorCode::FileUnwritable
        | ErrorCode::FindingsFound
        | ErrorCode::Interrupted
        | ErrorCode::KeyFileUnusable
        | ErrorCode::KeyProgramFailed
        | ErrorCode::ManifestInvalid
        | ErrorCode::MetadataInvalid
        | ErrorCode::NotBuilt
        | ErrorCode::PathNotFound
        | ErrorCode::SelectionInvalid
        | ErrorCode::TemplateInvalid
        | ErrorCode::Usage
        | ErrorCode::ValueUnsupported => None,
        // The report names every key and every place that was searched.
        ErrorCode::NoIdentity => Step(
            "name the file that holds your key: SOPS_AGE_KEY_FILE=FILE for age, SOPS_AGE_SSH_PRIVATE_KEY_FILE=FILE for SSH",
        ),
        _ => Unwritten,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_a_next_step_or_a_written_none() {
        for code in ErrorCode::ALL {
            assert_ne!(of(*code), Hint::Unwritten, "{code}");
        }
    }
}
