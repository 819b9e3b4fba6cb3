//! A directory with keys, sops files and manifests, for the tests of this module.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::checks::Checking;
use super::fault::{Fault, Warning, WarningKind};
use super::manifest::Manifest;
use super::open::{NotOpened, OpenContext, Opened, Owners, open};
use crate::config::Policy;
use crate::document::Format;
use crate::file::DraftFile;
use crate::key::test_data;
use crate::keyring::{Gnupg, Keyring};
use crate::secret::Secret;
use crate::wrapped::Names;

/// The recipient of `age-1.txt`, and of most files that real sops made for the tests.
pub(super) const AGE_1: &str = "age10a73gefnvmgz29euzavnpvsfvhtw53uvtt0xc8pl7se69vwmg92q8wd94m";
/// The recipient of `age-2.txt`.
pub(super) const AGE_2: &str = "age170mp2qkmx78nth6x3dl9f4vlqxa2skmk2fkqrgu4r26vegzm2p4scqxxyz";
/// What ssh-to-age derives from `ssh_ed25519`.
pub(super) const SSH_DERIVED: &str =
    "age174nc3m6t9p3z6esuv92laa4vu4lv0mcr2apcrf8xa23mcye44crq7dkd5p";

/// Part of every plaintext that a workshop seals.
pub(super) const CANARY: &str = "canary-4711";

pub(super) struct Workshop {
    directory: tempfile::TempDir,
}

impl Workshop {
    pub(super) fn new() -> Self {
        Self {
            directory: tempfile::tempdir().unwrap(),
        }
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().canonicalize().unwrap().join(name)
    }

    /// A file of mode 0600.
    #[expect(clippy::disallowed_methods, reason = "a file of a test needs no care")]
    pub(super) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, bytes).unwrap();
        set_mode(&path, 0o600);
        path
    }

    /// A copy of a test key.
    pub(super) fn key(&self, name: &str) -> PathBuf {
        self.write(name, test_data::bytes(name))
    }

    /// A copy of a file that real sops made.
    pub(super) fn golden(&self, name: &str) -> PathBuf {
        self.write(name, golden(name))
    }

    /// A sops file of ours.
    pub(super) fn seal(&self, name: &str, text: &str, recipients: &[&str]) -> PathBuf {
        self.write(name, sealed(name, text, recipients))
    }

    /// A manifest with these secrets, defaults filled in.
    pub(super) fn manifest(&self, fields: Value) -> Manifest {
        let text = manifest_text(fields);
        Manifest::parse(text.as_bytes(), self.directory.path())
            .unwrap_or_else(|faults| panic!("{faults:?}"))
    }

    pub(super) fn open(&self, fields: Value) -> Result<Opened, Box<NotOpened>> {
        self.open_with(fields, None)
    }

    pub(super) fn open_with(
        &self,
        fields: Value,
        ambient: Option<Keyring>,
    ) -> Result<Opened, Box<NotOpened>> {
        self.open_checking(fields, ambient, Checking::default())
    }

    pub(super) fn open_checking(
        &self,
        fields: Value,
        ambient: Option<Keyring>,
        checking: Checking,
    ) -> Result<Opened, Box<NotOpened>> {
        let context = OpenContext {
            owners: Owners::AllRoot,
            ambient,
            gnupg: Some(gnupg()),
            checking: Some(checking),
        };
        let result = open(&self.manifest(fields), context);
        match &result {
            Ok(opened) => assert_silent(&format!("{opened:?} {:?}", opened.warnings)),
            Err(refused) => {
                assert_silent(&format!("{refused:?}"));
                let texts: Vec<String> = refused.faults.iter().map(explained).collect();
                assert_silent(&texts.join("\n"));
                assert_silent(&Warning::lines(&refused.warnings).join("\n"));
            }
        }
        result
    }

    /// The faults of a manifest that must not open.
    pub(super) fn faults(&self, fields: Value) -> Vec<Fault> {
        self.open(fields).unwrap_err().faults
    }
}

/// The GnuPG of the machine.
fn gnupg() -> Gnupg {
    Gnupg {
        program: "gpg".into(),
        variables: vec![("PATH".into(), "/usr/bin:/bin".into())],
        scratch: Some(std::env::temp_dir()),
    }
}

/// A sops file of ours, sealed to recipients, its format from the name.
pub(super) fn sealed(name: &str, text: &str, recipients: &[&str]) -> Vec<u8> {
    let policy = Policy::age(recipients).unwrap();
    let draft = Secret::from_slice(text.as_bytes());
    let draft = DraftFile::parse(Format::of_file_name(name), draft).unwrap();
    let now = "2026-01-02T03:04:05Z".parse().unwrap();
    draft.seal(&policy, now).unwrap().text().to_vec()
}

/// A file that real sops made.
pub(super) fn golden(name: &str) -> Vec<u8> {
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/../testdata/sops/3.13.3");
    std::fs::read(Path::new(directory).join(name)).unwrap()
}

/// The text of a manifest: what is not given is as in most manifests.
pub(super) fn manifest_text(mut fields: Value) -> String {
    let top = fields.as_object_mut().unwrap();
    top.entry("secretsMountPoint").or_insert(json!("/m"));
    top.entry("symlinkPath").or_insert(json!("/l"));
    for secret in top["secrets"].as_array_mut().unwrap() {
        let secret = secret.as_object_mut().unwrap();
        secret.entry("mode").or_insert(json!("0400"));
        if let Some(key) = secret.get("key").cloned() {
            secret.entry("name").or_insert(key);
        }
    }
    fields.to_string()
}

pub(super) fn set_mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

/// Neither a value nor a private key stands in a text.
pub(super) fn assert_silent(text: &str) {
    assert!(!text.contains(CANARY), "plaintext in: {text}");
    test_data::assert_silent(text);
}

/// The text of a wanted file.
pub(super) fn text_of<'a>(opened: &'a Opened, name: &str) -> &'a str {
    let wanted = opened.wanted.iter().find(|wanted| wanted.name == name);
    let wanted = wanted.unwrap_or_else(|| panic!("{name} is missing"));
    std::str::from_utf8(wanted.content.expose()).unwrap()
}

pub(super) fn subjects(warnings: &[Warning], kind: WarningKind) -> Vec<&str> {
    let of_kind = warnings.iter().filter(|warning| warning.kind == kind);
    of_kind.map(|warning| warning.subject.as_str()).collect()
}

/// A fault with everything that is known of it.
pub(super) fn explained(fault: &Fault) -> String {
    let mut names = Names::default();
    names.add(SSH_DERIVED, "host");
    names.add(AGE_1, "recovery");
    let mut lines = vec![fault.to_string()];
    lines.extend(fault.details(&names));
    lines.join("\n")
}
