//! Units of systemd that activate a manifest at boot: a file system in memory, a service that is kept from everything but
//! its targets, what gives out credentials, and additions to the units that need either. They are text here; nothing is written.
//!
//! What stands in them was tried with real boots, and each line that looks odd is there for something that went wrong
//! without it (activation design, section 10).

mod credentials;
mod drop_ins;
mod linked;
mod mount;
mod places;
mod service;
mod text;
mod tmpfiles;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

pub use self::credentials::{CREDENTIALS_SERVICE, CREDENTIALS_SOCKET};
pub use self::linked::linked_directories;
pub use self::text::is_unit_name;

use self::places::Places;
use self::service::Service;
use super::manifest::{Manifest, MountWish};
use crate::error::ErrorCode;

/// What the units are to be like besides what the manifest says.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct UnitWish<'a> {
    /// The program, as the machine sees it.
    pub program: &'a Path,
    /// The manifest, as the machine sees it.
    pub manifest: &'a Path,
    /// What the service is called, without `.service`; none for the usual name.
    pub name: Option<&'a str>,
    /// Whether the secrets are there before users are made, although the manifest does not say so.
    pub for_users: bool,
    /// Whether keys, files or targets come over the network, so that the service has to wait for it, and may use it.
    pub network: bool,
    /// Directories that the service may write to besides those of the manifest: where links lie that are to go.
    pub also_writable: BTreeSet<PathBuf>,
    /// Whether the units that the manifest names are to wait for the secrets, and not to start without them.
    pub drop_ins: bool,
    /// A unit that is started when activation has failed.
    pub on_failure: Option<&'a str>,
}

impl<'a> UnitWish<'a> {
    /// The usual units.
    #[must_use]
    pub fn new(program: &'a Path, manifest: &'a Path) -> Self {
        Self {
            program,
            manifest,
            name: None,
            for_users: false,
            network: false,
            also_writable: BTreeSet::new(),
            drop_ins: true,
            on_failure: None,
        }
    }
}

/// When the service runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum UnitKind {
    /// Before users are made: with nothing mounted but the root, and without any account.
    ForUsers,
    /// At boot, when file systems are mounted and before services start.
    System,
    /// When a user logs in, in the user's own systemd.
    User,
}

/// Who mounts the file system in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mounting {
    /// The service itself: a mount unit cannot fall back to another kind of mount.
    Itself,
    /// Nobody: the directory is there, or is a user's own.
    Nobody,
    /// A unit: what the service mounts in its sandbox is seen by nobody else.
    Unit,
}

/// All files that make a manifest part of the boot.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct UnitFiles {
    /// When the service runs.
    pub kind: UnitKind,
    /// The name of the service, with `.service`.
    pub service: String,
    /// The files, the service first.
    pub files: Vec<UnitFile>,
    /// What the units cannot do for the manifest.
    pub notes: Vec<UnitNote>,
}

/// A file that systemd reads.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct UnitFile {
    /// Among which it belongs.
    pub place: UnitPlace,
    /// Its path there.
    pub path: PathBuf,
    /// What is in it. The first line is that of [`mark_of`].
    pub text: String,
}

/// Where files that systemd reads are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum UnitPlace {
    /// `tmpfiles.d`
    Tmpfiles,
    /// Units, and directories of additions to them.
    Units,
}

/// Something that whoever installs the units should know.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UnitNote {
    /// Units of users are given no credentials.
    #[error(
        "the units that give out credentials are those of a system: no unit of a user is given any"
    )]
    CredentialsOfUser,
    /// A directory that nothing makes early enough.
    #[error("{} has to be there before users are made, when nothing makes it: put the secret below /run, or make the directory by hand", .0.display())]
    EarlyTarget(PathBuf),
    /// Some secrets are marked for users, others are not.
    #[error(
        "some secrets are marked neededForUsers and others are not, so none is there before users are made: put those into a manifest of their own"
    )]
    MixedForUsers,
    /// A pattern in place of a unit.
    #[error(
        "`{0}` is no single unit: nothing is added to the units that it stands for, and they start without the secrets too"
    )]
    NotOneUnit(String),
    /// No sandbox, because a mount has to be seen outside of it.
    #[error(
        "useTmpfs: the service mounts by itself and is not kept from the rest of the file system; a ramfs is mounted by a unit of its own"
    )]
    Unconfined,
}

/// Why there can be no units for a manifest.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UnitError {
    /// A path that cannot be written into a unit.
    #[error("{}: a path with control characters, or with a backslash at its end, cannot stand in a unit", .0.escape_debug())]
    UnwritablePath(String),
    /// Not the name of a unit.
    #[error("`{}` cannot be the name of a unit", .0.escape_debug())]
    BadName(String),
    /// A path that is not absolute.
    #[error("{}: a unit needs an absolute path", .0.display())]
    RelativePath(PathBuf),
}

impl UnitError {
    /// The stable code.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::UnwritablePath(_) => ErrorCode::ManifestInvalid,
            Self::BadName(_) | Self::RelativePath(_) => ErrorCode::Usage,
        }
    }
}

/// The target that is reached when all secrets of all manifests are in place.
pub const SECRETS_TARGET: &str = "ccsec-secrets.target";

/// The first line of each file that belongs to a service, so that it is known again; that of the target, which belongs to
/// all, without a service.
#[must_use]
pub fn mark_of(service: Option<&str>) -> String {
    match service {
        Some(service) => format!("{MARK} for {service}; changes to it are lost."),
        None => format!("{MARK}; changes to it are lost."),
    }
}

/// Whether a file was made here, for whatever service.
#[must_use]
pub fn is_marked(text: &[u8]) -> bool {
    text.starts_with(MARK.as_bytes())
}

const MARK: &str = "# Made by `ccsec systemd-unit`";

/// Makes the units of a manifest.
///
/// # Errors
/// A name or a path that no unit can have.
pub fn units_of(manifest: &Manifest, wish: &UnitWish<'_>) -> Result<UnitFiles, UnitError> {
    for path in [wish.program, wish.manifest] {
        if !path.is_absolute() {
            return Err(UnitError::RelativePath(path.to_owned()));
        }
    }
    let frame = Frame::new(manifest, wish)?;
    let mut files = vec![frame.service_file()?];
    files.extend(frame.mount_file()?);
    if frame.kind != UnitKind::User {
        files.extend(frame.tmpfiles_file()?);
        files.push(target_file());
    }
    let mut notes = frame.notes();
    credentials::add(&frame, &mut files, &mut notes)?;
    if wish.drop_ins {
        drop_ins::add(&frame, &mut files, &mut notes);
    }
    Ok(UnitFiles {
        kind: frame.kind,
        service: frame.service,
        files,
        notes,
    })
}

/// What every file needs to know.
struct Frame<'a> {
    manifest: &'a Manifest,
    wish: &'a UnitWish<'a>,
    kind: UnitKind,
    mounting: Mounting,
    /// With `.service`.
    service: String,
    places: Places,
}

impl<'a> Frame<'a> {
    fn new(manifest: &'a Manifest, wish: &'a UnitWish<'a>) -> Result<Self, UnitError> {
        let kind = kind_of(manifest, wish);
        let name = wish.name.unwrap_or(match kind {
            UnitKind::ForUsers => "ccsec-activate-for-users",
            UnitKind::System | UnitKind::User => "ccsec-activate",
        });
        let service = format!("{name}.service");
        // One that is told who has failed: `mail@%n.service`.
        let on_failure = wish.on_failure.map(|unit| unit.replace('%', ""));
        for name in std::iter::once(&service).chain(&on_failure) {
            if !is_unit_name(name) {
                return Err(UnitError::BadName(name.clone()));
            }
        }
        Ok(Self {
            mounting: mounting_of(manifest),
            places: Places::of(manifest, wish.manifest),
            manifest,
            wish,
            kind,
            service,
        })
    }

    /// Whether the service is kept from the rest of the machine.
    fn is_confined(&self) -> bool {
        self.kind != UnitKind::User && self.mounting != Mounting::Itself
    }

    fn service_file(&self) -> Result<UnitFile, UnitError> {
        let text = Service(self).text()?;
        Ok(self.unit(&self.service, &text))
    }

    fn mount_file(&self) -> Result<Option<UnitFile>, UnitError> {
        if self.mounting != Mounting::Unit {
            return Ok(None);
        }
        let path = &self.manifest.mount_path;
        let name = format!("{}.mount", text::escaped_path(path));
        let text = mount::text(path, self.kind)?;
        Ok(Some(self.unit(&name, &text)))
    }

    fn tmpfiles_file(&self) -> Result<Option<UnitFile>, UnitError> {
        let lines = tmpfiles::lines(self.manifest, &self.places)?;
        let name = self.service.trim_end_matches(".service");
        let file = |lines: String| UnitFile {
            place: UnitPlace::Tmpfiles,
            path: format!("{name}.conf").into(),
            text: format!("{}\n{lines}", mark_of(Some(&self.service))),
        };
        Ok(Some(file(lines)))
    }

    fn unit(&self, path: &str, text: &str) -> UnitFile {
        UnitFile {
            place: UnitPlace::Units,
            path: path.into(),
            text: format!("{}\n{text}", mark_of(Some(&self.service))),
        }
    }

    fn notes(&self) -> Vec<UnitNote> {
        let mut notes = Vec::new();
        let secrets = &self.manifest.secrets;
        if self.kind != UnitKind::ForUsers && secrets.iter().any(|secret| secret.for_users) {
            notes.push(UnitNote::MixedForUsers);
        }
        if self.mounting == Mounting::Itself {
            notes.push(UnitNote::Unconfined);
        }
        if self.kind == UnitKind::ForUsers {
            let early = self.places.parents.iter().cloned();
            notes.extend(early.map(UnitNote::EarlyTarget));
        }
        notes
    }
}

fn kind_of(manifest: &Manifest, wish: &UnitWish<'_>) -> UnitKind {
    let secrets = &manifest.secrets;
    let all_for_users = !secrets.is_empty() && secrets.iter().all(|secret| secret.for_users);
    match () {
        () if manifest.user_mode => UnitKind::User,
        () if wish.for_users || all_for_users => UnitKind::ForUsers,
        () => UnitKind::System,
    }
}

fn mounting_of(manifest: &Manifest) -> Mounting {
    match manifest.mount {
        _ if manifest.user_mode => Mounting::Nobody,
        MountWish::None => Mounting::Nobody,
        MountWish::Auto if manifest.use_tmpfs => Mounting::Itself,
        MountWish::Auto => Mounting::Unit,
    }
}

/// One name for those who do not want to know which manifests there are. Its text is the same for all of them.
fn target_file() -> UnitFile {
    UnitFile {
        place: UnitPlace::Units,
        path: SECRETS_TARGET.into(),
        text: format!("{}\n{TARGET}", mark_of(None)),
    }
}

const TARGET: &str = "[Unit]
Description=Secrets are in place
DefaultDependencies=no
Conflicts=shutdown.target
Before=shutdown.target
";

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
mod tests;
