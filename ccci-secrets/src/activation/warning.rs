//! What was noticed and stops nothing.

use super::told_kinds::told_kinds;
use std::fmt;
use std::path::Path;

/// Something noticed that stops nothing.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub struct Warning {
    /// Its kind; warnings of one kind are told in one line.
    pub kind: WarningKind,
    /// What it is about.
    pub subject: String,
}

impl Warning {
    pub(super) fn new(kind: WarningKind, subject: impl Into<String>) -> Self {
        Self {
            kind,
            subject: subject.into(),
        }
    }

    pub(super) fn at(kind: WarningKind, path: &Path) -> Self {
        Self::new(kind, path.display().to_string())
    }

    /// One line for each kind.
    #[must_use]
    pub fn lines(warnings: &[Self]) -> Vec<String> {
        let mut kinds: Vec<WarningKind> = Vec::new();
        for warning in warnings {
            if !kinds.contains(&warning.kind) {
                kinds.push(warning.kind);
            }
        }
        let subjects = |kind| {
            let mut subjects: Vec<&str> = Vec::new();
            for warning in warnings.iter().filter(|warning| warning.kind == kind) {
                if !subjects.contains(&warning.subject.as_str()) {
                    subjects.push(&warning.subject);
                }
            }
            subjects.join(", ")
        };
        kinds
            .into_iter()
            .map(|kind| format!("{}: {}", subjects(kind), kind.sentence()))
            .collect()
    }
}

told_kinds! {
    /// What a [`Warning`] says.
    WarningKind:
    /// An owner that will have to exist when the run is made.
    AccountMissing = "account-missing" "the owner or group does not exist yet",
    /// A key that was found by looking around.
    AmbientKey = "ambient-key" "opened with a key that the manifest does not name",
    /// A file was kept aside.
    BackedUp = "backed-up" "the file that was there is kept",
    /// A certificate that has to be replaced.
    CertificateExpiresSoon = "certificate-expires-soon" "the certificate expires earlier than the manifest allows for",
    /// The clock tells a time that cannot be.
    ClockNotSet = "clock-not-set" "whether the certificate is still valid was not checked: the clock is not set",
    /// A comment in the clear went into a whole file.
    ClearComment = "clear-comment" "a comment that should be sealed is in the clear; nothing protects it",
    /// A leaf that nothing protects was accepted.
    ClearLeaf = "clear-leaf" "neither sealed nor covered by the MAC, accepted all the same",
    /// Nothing to compare a content with.
    ContentNotCompared = "content-not-compared" "the content was not compared: no digest of it was written down",
    /// Generations on a disk, over which a file system in memory comes.
    Covered = "covered" "holds generations in clear text that the file system in memory covers: unmount it and remove them",
    /// A directory stood where the link is.
    DirectoryReplaced = "directory-replaced" "the directory that was there gave way to the link",
    /// The key for digests of contents was no key any more.
    DriftKeyDamaged = "drift-key-damaged" "is what is left of the key for digests of contents, and a new one was made: other manifests are to be activated again before they are verified offline",
    /// The key for digests of contents could not be made.
    DriftKeyMissing = "drift-key-missing" "could not be made: without this key nobody can verify offline",
    /// A private key that another program had put there, and that is still in use.
    ForeignKeyKept = "foreign-key-kept" "holds a private key that sops-nix had put there, and stays: the manifest names it",
    /// A private key that another program had put there.
    ForeignKeyRemoved = "foreign-key-removed" "held a private key that sops-nix had put there, and was removed",
    /// A home of GnuPG.
    GnupgUnused = "gnupg-unused" "not asked: allowKeyPrograms does not name gpg",
    /// The sidecar of a file does not fit it.
    LayoutLost = "layout-lost" "what the file says about how its values were written does not fit it, and was left out",
    /// A secret that is not required has a fault.
    LeftOut = "left-out" "left out, because it has a fault and is not required",
    /// A certificate behind the leaf has expired.
    IssuerExpired = "issuer-expired" "a certificate of the chain has expired",
    /// An optional key file is missing.
    KeyFileMissing = "key-file-missing" "the key file does not exist, which the manifest allows",
    /// Something about a key file should be changed.
    KeyFileCare = "key-file-care" "the key file is usable, but not kept well",
    /// A key file lies in the Nix store.
    KeyInStore = "key-in-store" "the key file lies in the Nix store, where everybody can read it",
    /// A key file lies in a work tree.
    KeyInWorkTree = "key-in-work-tree" "the key file lies in the work tree of a repository",
    /// An identity is nobody's recipient.
    KeyOpensNothing = "key-opens-nothing" "the key opens nothing in this manifest",
    /// A configured key cannot be used, and others open everything.
    KeyUnusable = "key-unusable" "the key was left out",
    /// The link names a generation that does not exist.
    LinkDangles = "link-dangles" "the link leads to a generation that does not exist: nothing was removed",
    /// A link of somebody else was replaced.
    LinkReplaced = "link-replaced" "a link to another place gives way to the one that the manifest wants",
    /// The manifest is another one than that of the last run.
    ManifestChanged = "manifest-changed" "was written for another manifest: what has changed in it since then is not seen",
    /// The mount has another type than asked for.
    MountKept = "mount-kept" "the file system in memory that is there was kept, though the manifest asks for another",
    /// A comment opened only as that of another place.
    MovedComment = "moved-comment" "the comment was sealed at another place of the file",
    /// No mount was possible, and none was needed.
    MountNotPermitted = "mount-not-permitted" "mounting is not permitted, but the directory lies in memory already",
    /// Whether others see the mount is not known.
    MountUnchecked = "mount-unchecked" "whether others will see what is mounted here could not be checked",
    /// Owners could not be set.
    OwnershipSkipped = "ownership-skipped" "owners and groups were not set: only root may",
    /// Secrets lie on a disk.
    Persistent = "persistent" "lies on a persistent file system: clear text is on a disk",
    /// SSH keys meant for GnuPG.
    SshKeysForGpg = "ssh-keys-for-gpg" "not imported: SSH keys for GnuPG are not used",
    /// A tmpfs that can be swapped out.
    Swappable = "swappable" "the tmpfs may be swapped out: this kernel cannot prevent it",
    /// A unit of an earlier run that could not be told, and that nobody waits for any more.
    UnitGone = "unit-gone" "something changed for this unit, which could not be told and stands in the manifest no more",
    /// Units that should have been restarted.
    UnitsNotRestarted = "units-not-restarted" "something changed for this unit, and nothing here tells units",
    /// A submodule's checked-out commit is not the recorded one.
    WorkTree = "work-tree" "the submodule stands at another commit than the repository around it records",
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.subject, self.kind.sentence())
    }
}
