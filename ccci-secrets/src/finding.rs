//! What was found to be wrong, or worth a look, with a repository, a machine or its keys.

use std::fmt;
use std::path::PathBuf;

use crate::error::ErrorCode;
use crate::file::PolicyDifference;
use crate::repository::{NotSealedBecause, UninitialisedSubmodule};
use crate::wrapped::Names;

/// How bad a finding is.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Level {
    /// Something will not work, or a secret is in the open.
    Fault,
    /// It works, and somebody should look at it.
    Warning,
    /// Good to know.
    Note,
}

impl Level {
    /// The name in reports.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Fault => "fault",
            Self::Warning => "warning",
            Self::Note => "note",
        }
    }
}

/// One thing that was found. No variant holds a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "whoever prints them has a next step for each, and the compiler sees to it"
)]
pub enum Finding {
    /// The clock of the machine cannot be right.
    Clock {
        /// What it says.
        now: String,
    },
    /// A `.sops.yaml` that cannot be used.
    ConfigInvalid {
        /// The file.
        path: PathBuf,
        /// What is wrong, the place included.
        text: String,
    },
    /// Something about a `.sops.yaml` that its author did not mean.
    ConfigNote {
        /// The file.
        path: PathBuf,
        /// What it is, the place included.
        text: String,
    },
    /// A credential stands in the settings of git.
    Credential {
        /// The file.
        path: PathBuf,
        /// The setting that holds it.
        setting: String,
    },
    /// The last drill was long ago.
    DrillTooOld {
        /// How many days ago.
        days: i64,
        /// How many are allowed.
        limit: i64,
        /// Whether a policy says so.
        demanded: bool,
    },
    /// A sops file that nobody can open as it stands.
    FileUnusable {
        /// The file.
        path: PathBuf,
        /// The code of the fault.
        code: ErrorCode,
        /// What is wrong.
        text: String,
        /// What git and its helpers have left in its place, if it is that.
        instead: Option<NotSealedBecause>,
    },
    /// A key that must not be on this machine.
    ForbiddenKey {
        /// Where it is.
        path: PathBuf,
        /// Its public half.
        recipient: String,
    },
    /// A key file that is there and opens nothing here.
    KeyOpensNothing {
        /// The file.
        path: PathBuf,
        /// Its public half.
        recipient: String,
    },
    /// A key that opens files of the repository.
    KeyUsable {
        /// The file.
        path: PathBuf,
        /// Its public half.
        recipient: String,
        /// How many files it opens by their labels, and how many there are.
        files: Option<(usize, usize)>,
    },
    /// A key file with a fault.
    KeyUnusable {
        /// The file.
        path: PathBuf,
        /// The fault.
        text: String,
    },
    /// A key file that others may read, or that is not the user's own.
    KeyNotKept {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        text: String,
    },
    /// A key file lies in a Nix store, where everybody can read it.
    KeyInStore {
        /// The file.
        path: PathBuf,
    },
    /// A key file lies in the work tree of a repository, from where it is easily committed.
    KeyInWorkTree {
        /// The file.
        path: PathBuf,
    },
    /// A label names one key, and what it labels was made for another.
    LabelIsWrong {
        /// The file.
        path: PathBuf,
        /// The label.
        recipient: String,
    },
    /// Secrets would lie on a disk.
    MountPersistent {
        /// Where they go.
        path: PathBuf,
    },
    /// A file that git tracks, that should be sealed, and that is not there.
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// No key of this machine opens anything.
    NoKey {
        /// Where a key would be looked for first.
        path: PathBuf,
        /// What the repository is sealed for.
        expected: Vec<String>,
    },
    /// There is no sops file, so that nothing can be proved.
    NoSopsFile {
        /// The directory that was searched.
        root: PathBuf,
    },
    /// A drill demands nothing of any key, so that nothing is proved.
    NothingDemanded,
    /// A file is in the clear, though a rule covers it.
    PlaintextDue {
        /// The file.
        path: PathBuf,
        /// File and line of the rule.
        rule: String,
    },
    /// A line of a drill's policy that matches nothing.
    PolicyMatchesNothing {
        /// The key.
        key: String,
        /// The pattern.
        pattern: String,
        /// Whether the key must open what matches: then something that must be proved is not there.
        demanded: bool,
    },
    /// A result of an earlier or another drill is of another version of the file.
    OtherVersion {
        /// The file.
        path: PathBuf,
    },
    /// A file is sealed otherwise than its rule says.
    Stale {
        /// The file.
        path: PathBuf,
        /// In what.
        difference: PolicyDifference,
    },
    /// SELinux labels what is made, and decides who may read it.
    Selinux,
    /// Another commit of a submodule is checked out than its superproject records.
    SubmoduleMoved {
        /// The submodule.
        path: PathBuf,
        /// What is recorded.
        recorded: String,
        /// What is checked out.
        checked_out: String,
    },
    /// A submodule is not there.
    SubmoduleNotInitialised(UninitialisedSubmodule),
    /// The machine swaps.
    SwapOn,
    /// New files would be open to others.
    Umask {
        /// The mask.
        mask: u32,
    },
    /// Something could not be looked at.
    Unreadable {
        /// What.
        path: PathBuf,
        /// Why.
        text: String,
    },
}

impl Finding {
    /// The stable name in reports.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Clock { .. } => "clock",
            Self::ConfigInvalid { .. } => "config-invalid",
            Self::ConfigNote { .. } => "config-note",
            Self::Credential { .. } => "credential-in-git-settings",
            Self::DrillTooOld { .. } => "drill-too-old",
            Self::FileUnusable {
                code: ErrorCode::LfsPointer,
                ..
            } => "lfs-pointer",
            Self::FileUnusable { .. } => "file-unusable",
            Self::ForbiddenKey { .. } => "forbidden-key",
            Self::KeyInStore { .. } => "key-in-store",
            Self::KeyInWorkTree { .. } => "key-in-work-tree",
            Self::KeyNotKept { .. } => "key-not-kept",
            Self::KeyOpensNothing { .. } => "key-opens-nothing",
            Self::KeyUnusable { .. } => "key-unusable",
            Self::KeyUsable { .. } => "key-usable",
            Self::LabelIsWrong { .. } => "label-is-wrong",
            Self::Missing { .. } => "missing",
            Self::MountPersistent { .. } => "mount-persistent",
            Self::NoKey { .. } => "no-key",
            Self::NoSopsFile { .. } => "no-sops-file",
            Self::NothingDemanded => "nothing-demanded",
            Self::OtherVersion { .. } => "other-version",
            Self::PlaintextDue { .. } => "plaintext-due",
            Self::PolicyMatchesNothing { .. } => "policy-matches-nothing",
            Self::Selinux => "selinux",
            Self::Stale { .. } => "stale",
            Self::SubmoduleMoved { .. } => "submodule-moved",
            Self::SubmoduleNotInitialised(_) => "submodule-not-initialised",
            Self::SwapOn => "swap-on",
            Self::Umask { .. } => "umask",
            Self::Unreadable { .. } => "unreadable",
        }
    }

    /// How bad it is.
    #[must_use]
    pub fn level(&self) -> Level {
        match self {
            Self::ConfigInvalid { .. }
            | Self::DrillTooOld { demanded: true, .. }
            | Self::FileUnusable { .. }
            | Self::ForbiddenKey { .. }
            | Self::KeyInStore { .. }
            | Self::LabelIsWrong { .. }
            | Self::NoKey { .. }
            | Self::NoSopsFile { .. }
            | Self::NothingDemanded
            | Self::PlaintextDue { .. }
            | Self::PolicyMatchesNothing { demanded: true, .. }
            | Self::SubmoduleNotInitialised(_)
            | Self::Unreadable { .. } => Level::Fault,
            Self::KeyUsable { .. } => Level::Note,
            _ => Level::Warning,
        }
    }

    /// The sentence, with the names that the caller knows recipients by.
    #[must_use]
    pub fn describe(&self, names: &Names) -> String {
        Described {
            finding: self,
            names,
        }
        .to_string()
    }
}

struct Described<'a> {
    finding: &'a Finding,
    names: &'a Names,
}

impl fmt::Display for Described<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named = |recipient: &str| self.names.describe(recipient);
        match self.finding {
            Finding::Clock { now } => write!(f, "the clock says {now}, which cannot be"),
            Finding::ConfigInvalid { text, .. } | Finding::ConfigNote { text, .. } => {
                f.write_str(text)
            }
            Finding::Credential { path, setting } => {
                write!(f, "{}: {setting} holds a credential", path.display())
            }
            Finding::DrillTooOld { days, limit, .. } => {
                write!(f, "the last drill was {days} days ago, {limit} are allowed")
            }
            Finding::FileUnusable { path, text, .. } => write!(f, "{}: {text}", path.display()),
            Finding::ForbiddenKey { path, recipient } => write!(
                f,
                "{} holds the key of {}, which must not be on this machine",
                path.display(),
                named(recipient)
            ),
            Finding::KeyInStore { path } => write!(
                f,
                "{} lies in a Nix store, where everybody can read it",
                path.display()
            ),
            Finding::KeyInWorkTree { path } => write!(
                f,
                "key file {}: lies in the work tree of a repository",
                path.display()
            ),
            Finding::KeyNotKept { path, text } | Finding::KeyUnusable { path, text } => {
                write!(f, "key file {}: {text}", path.display())
            }
            Finding::KeyOpensNothing { path, recipient } => write!(
                f,
                "key file {}: {} is a recipient of no file here",
                path.display(),
                named(recipient)
            ),
            Finding::KeyUsable {
                path,
                recipient,
                files,
            } => {
                let (path, recipient) = (path.display(), named(recipient));
                match files {
                    Some((own, all)) => write!(
                        f,
                        "key file {path}: {recipient} is a recipient of {own} of {all} files"
                    ),
                    None => write!(f, "key file {path}: {recipient}"),
                }
            }
            Finding::LabelIsWrong { path, recipient } => write!(
                f,
                "{}: the entry labelled {} was made for another key",
                path.display(),
                named(recipient)
            ),
            Finding::Missing { path } => {
                write!(f, "{}: git tracks it, and it is not there", path.display())
            }
            Finding::MountPersistent { path } => write!(
                f,
                "{} is on a persistent file system: clear text would lie on a disk",
                path.display()
            ),
            Finding::NoKey { expected, .. } if expected.is_empty() => {
                f.write_str("no usable key on this machine")
            }
            Finding::NoKey { expected, .. } => {
                let expected: Vec<String> = expected.iter().map(|one| named(one)).collect();
                write!(
                    f,
                    "no key of this machine opens anything; needed is that of one of {}",
                    expected.join(", ")
                )
            }
            Finding::NoSopsFile { root } => {
                write!(
                    f,
                    "no sops file below {}: nothing is proved",
                    root.display()
                )
            }
            Finding::NothingDemanded => {
                f.write_str("no file is demanded of any key: nothing is proved")
            }
            Finding::OtherVersion { path } => write!(
                f,
                "{}: the results are of different versions of this file",
                path.display()
            ),
            Finding::PlaintextDue { path, rule } => write!(
                f,
                "{}: in the clear, though the rule at {rule} covers it",
                path.display()
            ),
            Finding::PolicyMatchesNothing { key, pattern, .. } => {
                write!(f, "policy: no file matches {pattern} of {key}")
            }
            Finding::Stale { path, difference } => write!(f, "{}: {difference}", path.display()),
            Finding::SubmoduleMoved {
                path,
                recorded,
                checked_out,
            } => write!(
                f,
                "submodule {}: commit {} is checked out, {} is recorded",
                path.display(),
                short(checked_out),
                short(recorded)
            ),
            Finding::Selinux => f.write_str(
                "SELinux is on: secrets in a ramfs have one label together, and a service that is confined may not be allowed to read it",
            ),
            Finding::SubmoduleNotInitialised(submodule) => write!(
                f,
                "submodule {} of {} is not initialised: its files are not there",
                submodule.path,
                submodule.superproject.display()
            ),
            Finding::SwapOn => f.write_str("swap is on: what lies in a tmpfs may go to a disk"),
            Finding::Umask { mask } => {
                write!(f, "the umask is {mask:04o}: new files are open to others")
            }
            Finding::Unreadable { path, text } => {
                write!(f, "{}: cannot be looked at: {text}", path.display())
            }
        }
    }
}

/// As much of a commit's name as people use.
fn short(commit: &str) -> &str {
    commit.get(..12).unwrap_or(commit)
}
