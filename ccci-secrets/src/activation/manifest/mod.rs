//! The manifest: what should be where. It is the JSON that the sops-nix modules write, read strictly, plus a few fields
//! of our own (activation design, sections 2 of the reference and 17).

pub(crate) mod checks;
pub(crate) mod credentials;
mod dialect;
mod fields;
mod names;
mod read;
mod rules;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

pub use self::dialect::{Dialect, Reading};

use self::checks::CertificateCheck;
use self::credentials::CredentialEntry;
use crate::document::Format;

/// A manifest whose rules hold: names are safe and distinct, paths absolute, clean and distinct, modes parsed.
/// Owners and groups are still names; template files were not looked at.
#[derive(Clone, Debug)]
pub struct Manifest {
    pub(crate) dialect: Dialect,
    pub(crate) sha256: [u8; 32],
    pub(crate) secrets: Vec<SecretEntry>,
    pub(crate) templates: Vec<TemplateEntry>,
    pub(crate) placeholders: Vec<Placeholder>,
    pub(crate) mount_path: String,
    pub(crate) link_path: String,
    /// 0: all are kept.
    pub(crate) keep_generations: u64,
    pub(crate) keys: KeySources,
    pub(crate) use_tmpfs: bool,
    pub(crate) allow_swap: bool,
    pub(crate) mount: MountWish,
    pub(crate) user_mode: bool,
    /// What `%r` was replaced by.
    pub(crate) runtime_directory: Option<PathBuf>,
    pub(crate) logging: Logging,
    pub(crate) idempotent: bool,
    pub(crate) on_first_boot: OnFirstBoot,
    pub(crate) credentials: Vec<CredentialEntry>,
    pub(crate) checks: Vec<CertificateCheck>,
}

/// What is told of a run. Only the report of sops-install-secrets heeds it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "the two switches of the manifest"
)]
pub struct Logging {
    /// Which keys were imported.
    pub key_import: bool,
    /// Which secrets changed.
    pub secret_changes: bool,
}

/// Where identities come from.
#[derive(Clone, Debug, Default)]
pub(crate) struct KeySources {
    pub(crate) age_key_file: Option<PathBuf>,
    pub(crate) age_key_file_optional: bool,
    pub(crate) age_ssh_key_paths: Vec<PathBuf>,
    pub(crate) strict_modes: bool,
    /// SSH keys that the reference turns into GnuPG keys; never imported here.
    pub(crate) gpg_ssh_key_paths: Vec<PathBuf>,
    pub(crate) gnupg_home: Option<PathBuf>,
    /// Whether a command that the environment names may be asked for a key.
    pub(crate) allow_commands: bool,
    /// Whether gpg may be started.
    pub(crate) allow_gnupg: bool,
    /// Whether age plugins may be started.
    pub(crate) allow_plugins: bool,
}

impl KeySources {
    /// Every path that is named.
    pub(crate) fn paths(&self) -> impl Iterator<Item = &Path> {
        let single = self.age_key_file.iter().chain(&self.gnupg_home);
        let several = self.age_ssh_key_paths.iter().chain(&self.gpg_ssh_key_paths);
        single.chain(several).map(PathBuf::as_path)
    }
}

/// Whether a file system in memory is mounted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum MountWish {
    /// Unless it is there already.
    #[default]
    Auto,
    /// The directory is somebody else's business.
    None,
}

/// What a fault means while there is no generation yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum OnFirstBoot {
    /// All that is sound is put in place.
    Partial,
    /// Nothing is.
    #[default]
    Refuse,
}

/// What happens to a regular file that stands where a link is due and differs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum OnConflict {
    /// It is kept under another name.
    Backup,
    /// It stays, and nothing is activated.
    #[default]
    Refuse,
    /// It goes.
    Replace,
}

/// One file of a generation.
#[derive(Clone, Debug)]
pub(crate) struct FileEntry {
    /// JSON pointer of the entry.
    pub(crate) pointer: String,
    /// Below the generation, as the manifest spells it.
    pub(crate) name: String,
    pub(crate) mode: u32,
    pub(crate) owner: Account,
    pub(crate) group: Account,
    pub(crate) target: Target,
    pub(crate) restart_units: Vec<String>,
    pub(crate) reload_units: Vec<String>,
    pub(crate) required: bool,
    pub(crate) on_conflict: OnConflict,
    pub(crate) directories: DirectoryWish,
}

/// A user or a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Account {
    Name(String),
    Number(u32),
}

/// Where a secret can be read besides its place in the generation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// Below the active generation under another name.
    Inside(String),
    /// At a place of its own.
    Outside(String),
    /// Nowhere else.
    Own,
}

/// How directories are made on the way to a target; what is not said is as the nearest parent's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct DirectoryWish {
    pub(crate) mode: Option<u32>,
    pub(crate) owner: Option<String>,
    pub(crate) group: Option<String>,
}

/// A secret.
#[derive(Clone, Debug)]
pub(crate) struct SecretEntry {
    pub(crate) file: FileEntry,
    pub(crate) sops_file: PathBuf,
    pub(crate) format: Format,
    pub(crate) key: KeyChoice,
    pub(crate) any_scalar: bool,
    pub(crate) allow_clear: bool,
    /// Its plain digest may be shown.
    pub(crate) public: bool,
    /// It is to be there before users are made. Only the units that activate the manifest heed it.
    pub(crate) for_users: bool,
}

/// What is taken from a sops file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum KeyChoice {
    /// The value at the end of these keys and indices.
    Parts(Vec<String>),
    /// All of it.
    WholeFile,
}

impl KeyChoice {
    /// The key as the manifest spells it.
    pub(crate) fn shown(&self) -> String {
        match self {
            Self::Parts(parts) => parts.join("/"),
            Self::WholeFile => String::new(),
        }
    }
}

/// A template: a file below `rendered` with secrets in it.
#[derive(Clone, Debug)]
pub(crate) struct TemplateEntry {
    pub(crate) file: FileEntry,
    pub(crate) source: TemplateSource,
}

impl TemplateEntry {
    /// The name as the manifest spells it.
    pub(crate) fn name(&self) -> &str {
        template_name(&self.file.name).unwrap_or_default()
    }
}

/// Where the text of a template stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum TemplateSource {
    Content(String),
    File(PathBuf),
}

impl TemplateSource {
    /// The file, if it is one.
    pub(crate) fn path(&self) -> &Path {
        match self {
            Self::Content(_) => Path::new(""),
            Self::File(path) => path,
        }
    }
}

/// What stands for the value of a secret in templates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Placeholder {
    pub(crate) secret: String,
    pub(crate) text: String,
}

/// The name of a template, from its name below the generation; none if it is no template's.
pub(crate) fn template_name(name: &str) -> Option<&str> {
    names::below(name, read::RENDERED)
}

impl Manifest {
    /// Parses the text of a manifest. A path alone is a [`Reading`] as well: relative paths count from it.
    ///
    /// # Errors
    /// Every rule that is broken, each with its JSON pointer.
    pub fn parse<'a>(
        text: &[u8],
        reading: impl Into<Reading<'a>>,
    ) -> Result<Self, Vec<ManifestFault>> {
        read::manifest(text, reading.into())
    }

    /// Whether the files are a user's: nothing is mounted, and nothing is given to anybody else.
    #[must_use]
    pub fn is_user_mode(&self) -> bool {
        self.user_mode
    }

    /// What is to be told of a run.
    #[must_use]
    pub fn logging(&self) -> Logging {
        self.logging
    }

    /// Whether a secret has this name.
    pub(crate) fn has_secret(&self, name: &str) -> bool {
        self.secrets.iter().any(|secret| secret.file.name == name)
    }

    /// Whether any file wants this unit to be told.
    pub(crate) fn names_unit(&self, unit: &String) -> bool {
        let mut files = self.files();
        files.any(|file| file.restart_units.contains(unit) || file.reload_units.contains(unit))
    }

    /// Whether a secret has this name and is required.
    pub(crate) fn requires(&self, name: &str) -> bool {
        let mut secrets = self.secrets.iter();
        secrets.any(|secret| secret.file.name == name && secret.file.required)
    }

    /// Secrets and templates by their names below the generation.
    pub(crate) fn by_name(&self) -> BTreeMap<&str, &FileEntry> {
        self.files()
            .map(|file| (file.name.as_str(), file))
            .collect()
    }

    /// Secrets and then templates as files.
    pub(crate) fn files(&self) -> impl Iterator<Item = &FileEntry> {
        let templates = self.templates.iter().map(|template| &template.file);
        self.secrets
            .iter()
            .map(|secret| &secret.file)
            .chain(templates)
    }
}

/// One broken rule and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}: {problem}", if pointer.is_empty() { "the manifest" } else { pointer })]
#[non_exhaustive]
pub struct ManifestFault {
    /// JSON pointer (RFC 6901) of the field.
    pub pointer: String,
    /// What is wrong there.
    pub problem: ManifestProblem,
}

/// What can be wrong in a manifest.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ManifestProblem {
    /// Not `^0?[0-7]{3}$`.
    #[error("`{}` is not a mode: three octal digits, with a 0 before them or not", .0.escape_debug())]
    BadMode(String),
    /// Not usable as a path.
    #[error("`{}` {fault}", path.escape_debug())]
    BadPath {
        /// The path.
        path: String,
        /// Why.
        fault: &'static str,
    },
    /// A name that needs a directory where another entry is a file.
    #[error("`{}` would have to be a file and a directory: it clashes with {other}", name.escape_debug())]
    Clash {
        /// The name.
        name: String,
        /// Pointer of the other entry.
        other: String,
    },
    /// A name or path that another entry has.
    #[error("`{}` is already taken by {other}", value.escape_debug())]
    Duplicate {
        /// The value.
        value: String,
        /// Pointer of the other entry.
        other: String,
    },
    /// An empty name.
    #[error("the name is empty")]
    EmptyName,
    /// Not a name that a credential can have.
    #[error("`{}` is not the name of a credential: up to 255 printable ASCII characters, no slash and no colon", .0.escape_debug())]
    BadCredentialName(String),
    /// Not the name of a unit that can have credentials.
    #[error("`{}` is not the name of a unit that has credentials: a service, socket, mount or swap, of a template one instance or `NAME@*.service`", .0.escape_debug())]
    BadCredentialUnit(String),
    /// Not the name of a unit.
    #[error("`{}` is not the name of a unit", .0.escape_debug())]
    BadUnit(String),
    /// A string that must hold something.
    #[error("must not be empty")]
    EmptyText,
    /// Two fields that do not go together.
    #[error("cannot be used together with `{0}`")]
    Excludes(&'static str),
    /// One file, two formats.
    #[error("the file is {here} here and {there} in {other}")]
    FormatsDiffer {
        /// Format of this entry.
        here: &'static str,
        /// Format of the other.
        there: &'static str,
        /// Pointer of the other entry.
        other: String,
    },
    /// A user or group id that is none.
    #[error("{0} is not a user or group id (0 to 4294967294)")]
    IdOutOfRange(i128),
    /// Names that do not fit into the address that systemd asks with.
    #[error(
        "has {bytes} bytes together with the name of the unit, and systemd asks with an address that has room for {}",
        credentials::MOST_NAME_BYTES
    )]
    LongCredential {
        /// How many there are.
        bytes: usize,
    },
    /// A required field is absent.
    #[error("is missing")]
    Missing,
    /// A negative count.
    #[error("{0} is negative")]
    Negative(i128),
    /// User mode, and nobody knows where.
    #[error("needs the user's runtime directory, and $XDG_RUNTIME_DIR is not set")]
    NoRuntimeDirectory,
    /// A template needs the placeholder of every secret.
    #[error("no placeholder for secret `{}`", .0.escape_debug())]
    NoPlaceholder(String),
    /// A word that is none of those known.
    #[error("`{}` is not one of {}", found.escape_debug(), expected.join(", "))]
    NotOneOf {
        /// What stands there.
        found: String,
        /// What may stand there.
        expected: Vec<&'static str>,
    },
    /// A runtime directory that secrets must not be put into.
    #[error("the runtime directory {} {fault}", path.display())]
    RuntimeDirectory {
        /// The directory.
        path: PathBuf,
        /// What is wrong with it.
        fault: &'static str,
    },
    /// A field twice in one object.
    #[error("the field occurs twice")]
    RepeatedField,
    /// A name that templates need.
    #[error("`rendered` is where templates are put")]
    Reserved,
    /// Not JSON.
    #[error("not valid JSON: {0}")]
    Syntax(String),
    /// A field that nobody reads.
    #[error("unknown field{}", nearest.map(|name| format!(", did you mean `{name}`?")).unwrap_or_default())]
    UnknownField {
        /// The known name that is closest.
        nearest: Option<&'static str>,
    },
    /// A user or group that does not exist.
    #[error("{kind} `{}` does not exist", name.escape_debug())]
    UnknownAccount {
        /// `user` or `group`.
        kind: &'static str,
        /// Its name.
        name: String,
    },
    /// A file that no secret and no template of the manifest makes.
    #[error("neither a secret nor `rendered/` and a template is called `{}`{}", name.escape_debug(), nearest.as_ref().map(|name| format!(", did you mean `{}`?", name.escape_debug())).unwrap_or_default())]
    UnknownFile {
        /// Its name.
        name: String,
        /// What may be meant.
        nearest: Option<String>,
    },
    /// A secret that the manifest does not have.
    #[error("secret `{}` is not in this manifest", .0.escape_debug())]
    UnknownSecret(String),
    /// A file that cannot be read.
    #[error("{}: {reason}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The error of the system.
        reason: String,
    },
    /// A name that would leave the generation.
    #[error("`{}` has {fault}", name.escape_debug())]
    UnsafeName {
        /// The name.
        name: String,
        /// What is wrong with it.
        fault: &'static str,
    },
    /// A value of another type.
    #[error("{expected} is needed, not {found}")]
    WrongType {
        /// What is needed.
        expected: &'static str,
        /// What stands there.
        found: &'static str,
    },
}

#[cfg(test)]
mod tests;
