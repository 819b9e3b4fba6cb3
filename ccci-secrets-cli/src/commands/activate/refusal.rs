//! The text of a refusal: what is wrong, all that is known about it, what to do, and what is still active.

use std::io;
use std::path::{Path, PathBuf};

use ccci_secrets::activation::fault::{
    EarlierRun, Fault, Hazard, KeySource, KeyState, MissingKeyFile, NoIdentity, Refusal,
    TargetProblem, TreeProblem, ValueProblem, Warning,
};
use ccci_secrets::error::{ErrorCode, PathError};
use ccci_secrets::file::{FileError, Shape};
use ccci_secrets::keyring::{KeyFileReason, SystemError};
use ccci_secrets::repository;
use ccci_secrets::wrapped::Names;

use crate::hint::{self, Hint};
use crate::shell::quoted;

/// Where sshd keeps the key of a host.
const HOST_KEY: &str = "/etc/ssh/ssh_host_ed25519_key";
/// Where a key file goes if the manifest names none.
const KEY_FILE: &str = "/var/lib/ccsec/key.txt";

/// All that is said when nothing was activated.
pub(crate) fn text(refusal: &Refusal, manifest: &Path, names: &Names) -> String {
    let mut lines = warnings(&refusal.warnings);
    lines.extend(of_faults(&refusal.faults, manifest, names));
    for path in &refusal.left_behind {
        lines.push(format!("could not be removed again: {}", path.display()));
    }
    lines.push(last_line(refusal));
    lines.join("\n")
}

/// One line for each kind of warning.
pub(crate) fn warnings(warnings: &[Warning]) -> Vec<String> {
    Warning::lines(warnings)
        .iter()
        .map(|line| format!("warning: {line}"))
        .collect()
}

/// Every fault with what is known of it, then what to do.
pub(crate) fn of_faults(faults: &[Fault], manifest: &Path, names: &Names) -> Vec<String> {
    let mut told = Told {
        manifest,
        names,
        lines: Vec::new(),
        hints: Vec::new(),
    };
    for fault in faults {
        told.fault(fault);
    }
    let hints = told.hints.iter().map(|hint| format!("hint: {hint}"));
    told.lines.into_iter().chain(hints).collect()
}

fn last_line(refusal: &Refusal) -> String {
    let changed = match refusal.earlier_run {
        EarlierRun::Finished => "an earlier run was finished; nothing else was changed",
        EarlierRun::Begun => "an earlier run may be finished in part; nothing else was changed",
        _ => "nothing was changed",
    };
    match &refusal.still_active {
        Some(active) => format!(
            "{changed}; generation {} (link {}) is still active",
            active.generation,
            active.link.display()
        ),
        None if refusal.faults.iter().any(hides_the_place) => {
            format!("{changed}; what is active is not known, since the manifest does not say where")
        }
        None => format!("{changed}; no generation is active"),
    }
}

/// What a container does that may not mount.
const NO_MOUNT: &str = "where nothing may be mounted, as in a container, let whoever starts it put a tmpfs there (podman run --tmpfs DIRECTORY); \
                        \"mount\": \"none\" in the manifest takes the directory as it is";

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Whether the manifest is such that not even the place of the generations can be read from it.
fn hides_the_place(fault: &Fault) -> bool {
    match fault {
        Fault::ManifestUnreadable { .. } => true,
        Fault::Manifest(fault) => PLACES.contains(&fault.pointer.as_str()),
        _ => false,
    }
}

/// The whole text, and the fields that name the place.
const PLACES: [&str; 3] = ["", "/secretsMountPoint", "/symlinkPath"];

/// What was said so far. Hints come after all faults, each once.
struct Told<'a> {
    manifest: &'a Path,
    names: &'a Names,
    lines: Vec<String>,
    hints: Vec<String>,
}

impl Told<'_> {
    fn fault(&mut self, fault: &Fault) {
        self.lines.push(self.headline(fault));
        for detail in fault.details(self.names) {
            self.say(detail);
        }
        let before = self.hints.len();
        match fault {
            Fault::KeyFileMissing(missing) => self.missing_key_file(missing),
            Fault::KeyFileUnusable { path, reason, .. } => self.unusable_key_file(path, reason),
            Fault::KeyFileMisplaced { path, .. } => self.hint(format!(
                "move the key to a place of its own: install -D -m 0600 {} {KEY_FILE}",
                quoted(path)
            )),
            Fault::FileSystem { step, source, .. } => self.file_system(step, source.kind()),
            Fault::ManifestUnreadable { path, .. } => self.unreadable_manifest(path),
            Fault::NoIdentity(facts) => self.no_identity(facts),
            Fault::SopsFile {
                source: FileError::Read(error),
                ..
            } => self.unreadable_sops_file(error),
            Fault::SopsFile { file, source } if source.code() == ErrorCode::FileNotSealed => {
                self.hint(format!(
                    "if it is plaintext, encrypt it: ccsec encrypt -i {}; if not, correct sopsFile or format in the manifest",
                    quoted(file)
                ));
            }
            Fault::NothingKept(_) => self.hint(
                "there is nothing to give back: a file is kept only where a link took its place, and then as PATH.ccsec-backup-N",
            ),
            Fault::Target { path, problem } => self.target(path, problem),
            Fault::Tree { problem, .. } => self.tree(problem),
            Fault::Value { file, problem, .. } => self.value(file, *problem),
            _ => {}
        }
        if self.hints.len() == before
            && let Hint::Step(step) = hint::of(fault.code())
        {
            self.hint(step);
        }
    }

    /// A fault of the manifest names a place in it, and so needs the file.
    fn headline(&self, fault: &Fault) -> String {
        let manifest = self.manifest.display();
        match fault {
            Fault::Manifest(fault) if fault.pointer.is_empty() => {
                format!("error: {manifest}: {}", fault.problem)
            }
            Fault::Manifest(fault) => format!("error: {manifest}: {fault}"),
            _ => format!("error: {fault}"),
        }
    }

    fn say(&mut self, line: impl AsRef<str>) {
        self.lines.push(format!("  {}", line.as_ref()));
    }

    fn hint(&mut self, hint: impl Into<String>) {
        let hint = hint.into();
        if !self.hints.contains(&hint) {
            self.hints.push(hint);
        }
    }

    fn missing_key_file(&mut self, missing: &MissingKeyFile) {
        if !missing.expected.is_empty() {
            let expected: Vec<String> = missing
                .expected
                .iter()
                .map(|recipient| self.names.describe(recipient))
                .collect();
            self.say(format!(
                "the key that belongs there is that of one of {}",
                expected.join(", ")
            ));
        }
        let parent = missing.path.parent().unwrap_or(Path::new("/"));
        if missing.nearest_existing_parent.as_deref() != Some(parent) {
            self.hint(format!(
                "make the directory first, unless a file system is to be mounted there: install -d -m 0700 {}",
                quoted(parent)
            ));
        }
        self.provision(&missing.path, &missing.other_keys);
    }

    /// The two ways a key comes onto a machine.
    fn provision(&mut self, path: &Path, others: &[KeySource]) {
        self.hint(format!(
            "on a host that is a recipient, derive the key from its SSH key: ccsec key from-ssh --in {} --out {}",
            quoted(&enrolled_ssh_key(others)),
            quoted(path)
        ));
        self.hint(format!(
            "anywhere else, give the recovery key on standard input: ccsec key install --out {}",
            quoted(path)
        ));
    }

    fn unusable_key_file(&mut self, path: &Path, reason: &KeyFileReason) {
        let path = quoted(path);
        match reason {
            KeyFileReason::OpenMode { .. } => self.hint(format!("chmod 0600 {path}")),
            KeyFileReason::ForeignOwner { .. } => self.hint(format!("chown root: {path}")),
            KeyFileReason::SshKey => self.hint(format!(
                "name it in ageSshKeyPaths, or make an age key of it: ccsec key from-ssh --in {path} --out {KEY_FILE}"
            )),
            KeyFileReason::AgeKey => self.hint(format!("name {path} in ageKeyFile")),
            KeyFileReason::BadLine { .. }
            | KeyFileReason::CommentsOnly
            | KeyFileReason::Empty
            | KeyFileReason::Directory
            | KeyFileReason::PublicKey
            | KeyFileReason::NotRegular(_) => self.hint(format!(
                "move it away and put the key there again: ccsec key install --out {path}"
            )),
            _ => {}
        }
    }

    fn no_identity(&mut self, facts: &NoIdentity) {
        let closed = facts.keys.iter().find(|key| is_closed(&key.state));
        if let Some(key) = closed
            && !is_root()
        {
            return self.hint(format!(
                "run it as root, or as somebody who may read {}",
                quoted(&key.path)
            ));
        }
        if let Some(recipient) = facts.keys.iter().find_map(derived_recipient) {
            self.hint(format!(
                "to enrol this host, add {recipient} to .sops.yaml, then, where the file can be opened: sops updatekeys {}",
                quoted(&facts.file)
            ));
        }
        self.hint(format!(
            "to use the recovery key here, give it on standard input to `ccsec key install --out {KEY_FILE}`, and name that file in ageKeyFile"
        ));
    }

    fn file_system(&mut self, step: &str, kind: io::ErrorKind) {
        let mounts = step.starts_with("mount");
        let is_about_owners = step.contains("owner") || step == "make the directory";
        match kind {
            io::ErrorKind::PermissionDenied if mounts => {
                self.may_not_act_as_root();
                self.hint(NO_MOUNT);
            }
            io::ErrorKind::Other if mounts => self.hint(format!(
                "under systemd a unit of its own mounts it, which is made again when the place has changed; do what this says: ccsec systemd-unit --install {}",
                quoted(self.manifest)
            )),
            io::ErrorKind::PermissionDenied if is_about_owners && is_root() => {
                self.hint("giving files away needs the capabilities CAP_CHOWN and CAP_FOWNER, which a container or a unit may have taken");
            }
            io::ErrorKind::PermissionDenied if !is_root() => self.may_not_act_as_root(),
            io::ErrorKind::InvalidInput if is_about_owners => self.hint(
                "in a container or user namespace, files can belong only to users and groups that are mapped there",
            ),
            io::ErrorKind::StorageFull => self.hint("make room there, then run it again"),
            io::ErrorKind::ReadOnlyFilesystem => {
                self.hint("mount it so that it can be written, then run it again");
                self.hint(format!(
                    "a unit of systemd may write only where it was made to: make it anew for this manifest, and do what that says: ccsec systemd-unit --install {}",
                    quoted(self.manifest)
                ));
            }
            _ => self.hint("correct what the message names, then run it again"),
        }
    }

    fn may_not_act_as_root(&mut self) {
        if !is_root() {
            self.hint(
                "run it as root, or keep to places of your own: with userMode in the manifest, or below a directory: ccsec activate --root DIR MANIFEST",
            );
        }
    }

    fn unreadable_manifest(&mut self, path: &Path) {
        if let Some(submodule) = repository::uninitialised_submodule(path) {
            self.hint(format!(
                "it belongs to a submodule that is not initialised; in {}: git submodule update --init {}",
                submodule.superproject.display(),
                quoted(Path::new(&submodule.path))
            ));
        }
    }

    fn unreadable_sops_file(&mut self, error: &PathError) {
        match error.source.kind() {
            io::ErrorKind::NotFound => self.hint(
                "correct sopsFile in the manifest; a relative path counts from the directory of the manifest",
            ),
            io::ErrorKind::PermissionDenied => self.hint(format!(
                "see who may read it: ls -l {}",
                quoted(&error.path)
            )),
            _ => {}
        }
    }

    fn target(&mut self, path: &Path, problem: &TargetProblem) {
        match problem {
            TargetProblem::Differs => self.hint(format!(
                "set \"onConflict\": \"backup\" on the secret to keep a copy beside it, or move it away: mv {0} {0}.old",
                quoted(path)
            )),
            TargetProblem::Directory | TargetProblem::Special => self.hint(format!(
                "move it away: mv {0} {0}.old",
                quoted(path)
            )),
            TargetProblem::MountPoint | TargetProblem::PersistentMount => {
                self.hint(format!("umount {}", quoted(path)));
            }
            TargetProblem::Way(Hazard::DanglingLink { link, .. }) => self.hint(format!(
                "make the directory that the link leads to, or remove the link: rm {}",
                quoted(link)
            )),
            _ => {}
        }
    }

    fn tree(&mut self, problem: &TreeProblem) {
        match problem {
            TreeProblem::SubmoduleNotInitialised {
                submodule,
                repository,
                in_store,
            } => {
                self.hint(format!(
                    "in {}: git submodule update --init {}",
                    repository.display(),
                    quoted(submodule)
                ));
                if *in_store {
                    self.hint("a flake copies submodules into the store only when its URL says so: append ?submodules=1");
                }
            }
            TreeProblem::GitCrypt => self.hint("git-crypt unlock"),
            TreeProblem::Empty => self.hint("take the file back from git: git checkout -- FILE"),
            _ => {}
        }
    }

    fn value(&mut self, file: &Path, problem: ValueProblem) {
        match problem {
            ValueProblem::Absent => self.hint(format!(
                "correct the key in the manifest, or add the value: ccsec edit {}",
                quoted(file)
            )),
            ValueProblem::NotAString(Shape::Map) => {
                self.hint("name a value inside it: add `/NAME` to the key");
            }
            ValueProblem::NotAString(Shape::List) => {
                self.hint("name a value inside it: add `/0` to the key, or another number");
            }
            ValueProblem::NotAString(_) => self.hint(
                "quote the value in the sops file; for a number or a boolean, \"scalar\": \"any\" on the secret takes it as it is written",
            ),
            _ => {}
        }
    }
}

/// Whether the system does not let this user read the key.
fn is_closed(state: &KeyState) -> bool {
    let KeyState::Unusable(KeyFileReason::Unreadable(SystemError(number))) = state else {
        return false;
    };
    io::Error::from_raw_os_error(*number).kind() == io::ErrorKind::PermissionDenied
}

/// The SSH key of a host that is a recipient, or the usual one.
fn enrolled_ssh_key(sources: &[KeySource]) -> PathBuf {
    let enrolled = |source: &&KeySource| {
        let is_recipient = matches!(
            source.state,
            KeyState::Usable {
                is_recipient: true,
                ..
            }
        );
        is_recipient && source.field == "ageSshKeyPaths"
    };
    sources
        .iter()
        .find(enrolled)
        .map_or_else(|| HOST_KEY.into(), |source| source.path.clone())
}

/// What an SSH key of this machine would have to be enrolled as.
fn derived_recipient(source: &KeySource) -> Option<&String> {
    match &source.state {
        KeyState::Usable { recipients, .. } if source.field == "ageSshKeyPaths" => {
            recipients.first()
        }
        _ => None,
    }
}
