//! The two ways in which a manifest is read: strictly, or as sops-install-secrets reads it.

use std::borrow::Cow;
use std::path::Path;

use super::{ManifestProblem, OnConflict, names};

/// How a manifest is read, and what it does not say by itself.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Reading<'a> {
    /// Relative paths of sops files, template files and keys count from here.
    pub directory: &'a Path,
    /// How strict the rules are, and what holds for a field that is not there.
    pub dialect: Dialect,
    /// What `%r` stands for in user mode. Without it the rules can be checked, but nothing can be activated.
    pub runtime_directory: Option<&'a Path>,
}

impl<'a, P: AsRef<Path> + ?Sized> From<&'a P> for Reading<'a> {
    /// The native dialect, and no runtime directory.
    fn from(directory: &'a P) -> Self {
        Self {
            directory: directory.as_ref(),
            dialect: Dialect::Native,
            runtime_directory: None,
        }
    }
}

/// Whose rules hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Dialect {
    /// Ours: what nobody reads is an error.
    #[default]
    Native,
    /// Those of sops-install-secrets, but for what would do harm: names of fields match in any case, unknown ones are
    /// passed over, and so is what stands behind the JSON; fields of our own have the defaults that come closest to it.
    SopsInstallSecrets,
}

impl Dialect {
    pub(super) fn is_lenient(self) -> bool {
        self == Self::SopsInstallSecrets
    }

    /// Whether the name in a manifest is that of a field.
    pub(super) fn is_field(self, found: &str, name: &str) -> bool {
        match self {
            Self::Native => found == name,
            Self::SopsInstallSecrets => found.eq_ignore_ascii_case(name),
        }
    }

    /// `onConflict`
    pub(super) fn on_conflict(self) -> OnConflict {
        match self {
            Self::Native => OnConflict::Refuse,
            Self::SopsInstallSecrets => OnConflict::Backup,
        }
    }

    pub(super) fn parse_mode(self, text: &str) -> Result<u32, ManifestProblem> {
        match self {
            Self::Native => names::parse_mode(text),
            Self::SopsInstallSecrets => names::parse_any_mode(text),
        }
    }

    /// A path in one spelling only. sops-install-secrets takes any, and cleans most.
    pub(super) fn one_spelling(self, path: &str) -> Cow<'_, str> {
        match self {
            Self::SopsInstallSecrets if path.starts_with('/') => Cow::Owned(cleaned(path)),
            _ => Cow::Borrowed(path),
        }
    }

    /// The mode of directories above targets, and above the link, where the manifest says nothing; none if it is that of
    /// the nearest one above.
    pub(crate) fn target_directory_mode(self) -> Option<u32> {
        self.is_lenient().then_some(0o755)
    }

    /// The same for the mount and the directories above it.
    pub(crate) fn mount_directory_mode(self) -> Option<u32> {
        self.is_lenient().then_some(0o751)
    }
}

/// Without empty components and those that are `.`; `..` stays, and is refused.
fn cleaned(path: &str) -> String {
    let parts = path.split('/').filter(|part| !matches!(*part, "" | "."));
    parts.fold(String::new(), |path, part| path + "/" + part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_brought_into_one_spelling() {
        assert_eq!(cleaned("/run//secrets/./a/"), "/run/secrets/a");
        assert_eq!(cleaned("/a/../b"), "/a/../b");
        assert_eq!(cleaned("//"), "");
        assert_eq!(Dialect::Native.one_spelling("//x"), "//x");
        assert_eq!(Dialect::SopsInstallSecrets.one_spelling("x//y"), "x//y");
    }
}
