//! Every exit code of the program, documented, in one place.
//!
//! There are two families. A command that sops has uses the numbers of sops, because scripts test them; every other
//! command uses our own. A few numbers stand in both with different meanings, but a command belongs to exactly one
//! family, and an [`ErrorCode`] is unique over both.

use std::fmt::Write as _;
use std::process::ExitCode;

use ccci_secrets::error::ErrorCode;

/// Whose numbers a command exits with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    /// Activation and every other command of our own.
    Native,
    /// The commands that sops has.
    Sops,
}

macro_rules! exits {
    ($($name:ident = $number:literal, [$($family:ident),*], $text:literal;)*) => {
        /// What a run ends with.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Exit {
            $(#[doc = $text] $name,)*
        }

        impl Exit {
            const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The number that the process ends with.
            pub(crate) fn number(self) -> u8 {
                match self { $(Self::$name => $number,)* }
            }

            /// What the number means, as help shows it.
            fn meaning(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }

            fn families(self) -> &'static [Family] {
                match self { $(Self::$name => &[$(Family::$family),*],)* }
            }
        }
    };
}

exits! {
    Done = 0, [Native, Sops], "done";

    Usage = 2, [Native], "the command line is not valid";
    Manifest = 10, [Native], "the manifest, the configuration or a part of it cannot be used";
    File = 11, [Native], "a sops file is missing, does not parse, is not sealed, or has conflict markers";
    Submodule = 12, [Native], "a git submodule is not initialised, or a git LFS file was not fetched";
    KeyFileMissing = 20, [Native], "a key file is missing";
    KeyFileUnusable = 21, [Native], "a key file or SSH key cannot be used";
    NoIdentity = 22, [Native], "no identity opens a file";
    KeyProgram = 23, [Native], "a key command or plugin failed";
    NotAuthentic = 30, [Native], "a MAC is missing or does not match, or a value does not open";
    KeyPath = 31, [Native], "a value is absent or of the wrong type";
    Template = 33, [Native], "a template cannot be rendered";
    Content = 32, [Native], "a certificate or a credential will not do, or a server does not show one";
    FileSystem = 40, [Native], "the file system refused; nothing was changed";
    Locked = 41, [Native], "another run holds the lock";
    Target = 42, [Native], "something is in the way of a file that is to be made";
    CommittedWithFault = 50, [Native], "done, but a later step failed";
    Drift = 60, [Native], "what is on disk is not what it should be, or a check found something";
    Drill = 61, [Native], "a recovery drill did not prove all that is demanded";

    SopsGeneric = 1, [Sops], "anything without a number of its own";
    SopsCannotRead = 2, [Sops], "the input cannot be read, or plaintext does not parse";
    SopsCannotWrite = 3, [Sops], "the output cannot be written";
    SopsCannotPrint = 4, [Sops], "the output format cannot hold the content";
    SopsSetFormat = 7, [Sops], "the path or the value to set is not valid";
    SopsConflictingFlags = 8, [Sops], "flags that exclude each other";
    SopsCannotSeal = 23, [Sops], "a value cannot be sealed";
    SopsDoesNotOpen = 25, [Sops], "a value does not open";
    SopsMac = 51, [Sops], "the MAC is missing, does not open or does not match";
    SopsExtractPath = 91, [Sops], "the path to extract is not valid";
    SopsNoDocument = 92, [Sops], "the file holds no document";
    SopsNoFile = 100, [Sops], "no file was named, or it does not exist";
    SopsDuplicateOrder = 112, [Sops], "a kind of key stands twice in the decryption order";
    SopsNoKey = 128, [Sops], "no key opens the file";
    SopsUnchanged = 200, [Sops], "the editor left the file as it was";
    SopsEditor = 201, [Sops], "no editor was found, or it failed";
    SopsAlreadySealed = 203, [Sops], "the file is encrypted already";

    Internal = 70, [Native, Sops], "an internal error";
    BrokenPipe = 141, [Native, Sops], "nobody reads the output any more";
}

impl Exit {
    /// The number for a fault, where a command has no reason to choose another one.
    pub(crate) fn of(code: ErrorCode, family: Family) -> Self {
        match family {
            Family::Native => Self::native(code),
            Family::Sops => Self::sops(code),
        }
    }

    fn native(code: ErrorCode) -> Self {
        match code {
            ErrorCode::ActivationFileSystem
            | ErrorCode::FileUnreadable
            | ErrorCode::FileUnwritable => Self::FileSystem,
            ErrorCode::ActivationLocked => Self::Locked,
            ErrorCode::CertificateInvalid
            | ErrorCode::CredentialInvalid
            | ErrorCode::EndpointUnreachable => Self::Content,
            ErrorCode::CommittedWithFault => Self::CommittedWithFault,
            ErrorCode::DrillFailed => Self::Drill,
            ErrorCode::FindingsFound => Self::Drift,
            ErrorCode::ConflictMarkers
            | ErrorCode::DocumentInvalid
            | ErrorCode::FileAlreadySealed
            | ErrorCode::FileMissing
            | ErrorCode::FileNotSealed
            | ErrorCode::MetadataInvalid => Self::File,
            ErrorCode::DoesNotOpen | ErrorCode::LeafNotProtected | ErrorCode::MacMismatch => {
                Self::NotAuthentic
            }
            ErrorCode::DriftFound => Self::Drift,
            ErrorCode::KeyFileMissing => Self::KeyFileMissing,
            ErrorCode::KeyFileUnusable | ErrorCode::RecipientInvalid => Self::KeyFileUnusable,
            ErrorCode::KeyProgramFailed => Self::KeyProgram,
            ErrorCode::LfsPointer | ErrorCode::SubmoduleNotInitialised => Self::Submodule,
            ErrorCode::NoIdentity | ErrorCode::NoRecipients => Self::NoIdentity,
            ErrorCode::PathInvalid | ErrorCode::Usage => Self::Usage,
            ErrorCode::PathNotFound | ErrorCode::ValueUnsupported => Self::KeyPath,
            ErrorCode::TargetConflict => Self::Target,
            ErrorCode::TemplateInvalid => Self::Template,
            ErrorCode::ConfigInvalid
            | ErrorCode::ConfigMissing
            | ErrorCode::ConfigNoRule
            | ErrorCode::ManifestInvalid
            | ErrorCode::NotBuilt
            | ErrorCode::SelectionInvalid => Self::Manifest,
            _ => Self::Internal,
        }
    }

    fn sops(code: ErrorCode) -> Self {
        match code {
            ErrorCode::DoesNotOpen => Self::SopsDoesNotOpen,
            ErrorCode::EditorFailed => Self::SopsEditor,
            ErrorCode::FileAlreadySealed => Self::SopsAlreadySealed,
            ErrorCode::FileMissing => Self::SopsNoFile,
            ErrorCode::FileUnchanged => Self::SopsUnchanged,
            ErrorCode::FileUnreadable => Self::SopsCannotRead,
            ErrorCode::FileUnwritable => Self::SopsCannotWrite,
            ErrorCode::Internal => Self::Internal,
            ErrorCode::MacMismatch => Self::SopsMac,
            ErrorCode::NoIdentity => Self::SopsNoKey,
            ErrorCode::ValueUnsupported => Self::SopsCannotSeal,
            _ => Self::SopsGeneric,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.number())
    }
}

/// What the numbers of a family mean, in their order.
pub(crate) fn rows(family: Family) -> Vec<(u8, &'static str)> {
    let mut rows: Vec<_> = Exit::ALL
        .iter()
        .filter(|exit| exit.families().contains(&family))
        .map(|exit| (exit.number(), exit.meaning()))
        .collect();
    rows.sort_by_key(|(number, _)| *number);
    rows
}

/// The table of a family, for the end of the long help.
pub(crate) fn table(family: Family) -> String {
    let mut text = String::from("Exit codes:\n");
    for (number, meaning) in rows(family) {
        writeln!(text, "  {number:>3}  {meaning}").expect("writing to a string does not fail");
    }
    text.truncate(text.trim_end().len());
    text
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_number_means_one_thing_in_a_family() {
        for family in [Family::Native, Family::Sops] {
            let numbers: Vec<_> = Exit::ALL
                .iter()
                .filter(|exit| exit.families().contains(&family))
                .map(|exit| exit.number())
                .collect();
            let unique: BTreeSet<_> = numbers.iter().collect();
            assert_eq!(unique.len(), numbers.len(), "{family:?}");
        }
    }

    #[test]
    fn every_fault_ends_with_a_number_of_its_family_and_not_with_zero() {
        for family in [Family::Native, Family::Sops] {
            for code in ErrorCode::ALL {
                let exit = Exit::of(*code, family);
                assert!(exit.families().contains(&family), "{code} {family:?}");
                assert_ne!(exit, Exit::Done, "{code} {family:?}");
            }
        }
    }
}
