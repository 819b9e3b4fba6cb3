//! Whole runs below a directory that stands for the root, with contents that the test makes up in the place of phase P4.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "tests make the files that they look at"
)]

mod cleared;
mod conflicts;
mod repairs;
mod scenarios;
mod sweep;
mod user_mode;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};

use super::accounts::{AccountKind, Accounts};
use super::fault::Refusal;
use super::manifest::{Account, Manifest};
use super::open::{NotOpened, Opened};
use super::wanted::{Directories, Origin, Wanted};
use super::{Options, Receipt, transaction};
use crate::fs::testing::Watched;
use crate::fs::{Fs, RealFs};
use crate::hmac_key::HmacKey;
use crate::secret::Secret;

/// A tree of its own.
struct World {
    dir: tempfile::TempDir,
}

/// What a manifest asks for, and the contents that it would lead to.
#[derive(Clone)]
struct Wish {
    manifest: Value,
    contents: BTreeMap<String, Vec<u8>>,
}

impl Wish {
    fn new() -> Self {
        Self {
            manifest: json!({
                "secretsMountPoint": "/run/secrets.d",
                "symlinkPath": "/run/secrets",
                "keepGenerations": 1,
                "secrets": [],
            }),
            contents: BTreeMap::new(),
        }
    }

    /// Adds a secret; `fields` overrides what it says by itself.
    fn secret(mut self, name: &str, content: &str, fields: Value) -> Self {
        let (uid, gid) = own_ids();
        let mut secret = json!({
            "name": name, "key": name, "mode": "0400", "uid": uid, "gid": gid,
            "path": format!("/run/secrets/{name}"), "sopsFile": "s.yaml", "format": "yaml",
        });
        let all = secret.as_object_mut().unwrap();
        all.extend(fields.as_object().unwrap().clone());
        self.manifest["secrets"]
            .as_array_mut()
            .unwrap()
            .push(secret);
        self.contents.insert(name.into(), content.into());
        self
    }

    fn with(mut self, field: &str, value: Value) -> Self {
        self.manifest[field] = value;
        self
    }

    fn parse(&self) -> Manifest {
        let text = self.manifest.to_string();
        Manifest::parse(text.as_bytes(), Path::new("/nowhere")).unwrap()
    }
}

/// What the operator asks for: a certificate and its key.
fn operator() -> Wish {
    Wish::new()
        .secret(
            "wildcard_cert",
            "leaf and intermediate\n",
            json!({"mode": "0444", "path": "/var/lib/ci-certs/live/fullchain.pem"}),
        )
        .secret(
            "wildcard_key",
            "key\n",
            json!({"path": "/var/lib/ci-certs/live/privkey.pem", "restartUnits": ["proxy.service"]}),
        )
}

/// Owner and group of what this process makes.
fn own_ids() -> (u32, u32) {
    let id = rustix::process::geteuid();
    (id.as_raw(), rustix::process::getegid().as_raw())
}

/// A process that another test starts holds every open lock for the moment between its fork and its exec, which is long
/// on a busy machine.
const LOCK_TIMEOUT: Duration = Duration::from_secs(1200);

/// The same key on every machine, so that their journals can be compared.
fn known_key() -> std::io::Result<HmacKey> {
    let bytes = Secret::from_slice(b"a key that all machines have\n");
    Ok(HmacKey::from_bytes(bytes).unwrap())
}

/// Waits a twentieth of what it should: runs without number are made here.
fn wait(time: Duration) {
    std::thread::sleep(time.min(Duration::from_millis(1)));
}

/// Whether the umask lets a directory be open to all from the start; prints why that matters.
fn has_usual_umask(test: &str) -> bool {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("probe")).unwrap();
    let mode = fs::metadata(dir.path().join("probe"))
        .unwrap()
        .permissions()
        .mode();
    let is_usual = mode & 0o777 == 0o755;
    if !is_usual {
        eprintln!(
            "skipped: {test} from a blank tree: with this umask a kill between making and opening the first \
             directories, which come before the journal, leaves them private"
        );
    }
    is_usual
}

/// Whether owners can be set; prints why not.
fn is_root(test: &str) -> bool {
    let is_root = own_ids().0 == 0;
    if !is_root {
        eprintln!("skipped: {test} needs root, to set owners");
    }
    is_root
}

impl World {
    fn new() -> Self {
        // In memory, where there is such a place: a sweep makes thousands of trees.
        let memory = tempfile::tempdir_in("/dev/shm");
        Self {
            dir: memory.or_else(|_| tempfile::tempdir()).unwrap(),
        }
    }

    /// The directory that stands for `/`; it does not exist before the first run.
    fn root(&self) -> PathBuf {
        self.dir.path().join("made/root")
    }

    fn at(&self, path: &str) -> PathBuf {
        self.root().join(path.trim_start_matches('/'))
    }

    fn read(&self, path: &str) -> Vec<u8> {
        fs::read(self.at(path)).unwrap()
    }

    fn write(&self, path: &str, content: &str) {
        fs::create_dir_all(self.at(path).parent().unwrap()).unwrap();
        fs::write(self.at(path), content).unwrap();
    }

    fn activate(&self, wish: &Wish) -> Result<Receipt, Refusal> {
        self.activate_on(&Watched::recording(), wish)
    }

    fn activate_on(&self, fs: &dyn Fs, wish: &Wish) -> Result<Receipt, Refusal> {
        let manifest = wish.parse();
        let pause = wait;
        let root = self.root();
        let mut options = Options::new(fs, &pause);
        options.root = Some(&root);
        options.lock_timeout = LOCK_TIMEOUT;
        options.make_key = known_key;
        transaction::run(&manifest, &options, |accounts| {
            Ok(made_up(&manifest, wish, accounts.unwrap()))
        })
    }

    /// A run whose phase P4 fails.
    fn activate_not_opened(&self, wish: &Wish, not_opened: NotOpened) -> Result<Receipt, Refusal> {
        let manifest = wish.parse();
        let (fs, pause, root) = (RealFs::new(), wait, self.root());
        let mut options = Options::new(&fs, &pause);
        options.root = Some(&root);
        options.lock_timeout = LOCK_TIMEOUT;
        transaction::run(&manifest, &options, |_| Err(Box::new(not_opened)))
    }

    /// Every name with mode, owner, group, and text or content; not the times.
    fn snapshot(&self) -> BTreeMap<String, String> {
        let mut all = BTreeMap::new();
        describe(self.dir.path(), self.dir.path(), &mut all);
        all
    }

    /// Names that only exist while a run lasts.
    fn temporary_names(&self) -> Vec<String> {
        self.snapshot()
            .into_keys()
            .filter(|name| {
                let name = Path::new(name).file_name().unwrap_or_default();
                let name = name.to_string_lossy();
                name.starts_with(".stage-")
                    || name.starts_with(".ccsec-") && name != ".ccsec-lock"
                    || name.ends_with(".new")
            })
            .collect()
    }
}

fn made_up(manifest: &Manifest, wish: &Wish, accounts: &Accounts<'_>) -> Opened {
    let number = |kind, account: &Account| match account {
        Account::Number(number) => *number,
        Account::Name(name) => accounts.find(kind, name).unwrap(),
    };
    let wanted = manifest.secrets.iter().map(|secret| Wanted {
        name: secret.file.name.clone(),
        content: Secret::from_slice(&wish.contents[&secret.file.name]),
        mode: secret.file.mode,
        uid: number(AccountKind::User, &secret.file.owner),
        gid: number(AccountKind::Group, &secret.file.group),
        target: secret.file.target.clone(),
        on_conflict: secret.file.on_conflict,
        directories: Directories {
            mode: secret.file.directories.mode,
            ..Directories::default()
        },
        origin: Origin::of(secret),
    });
    Opened {
        wanted: wanted.collect(),
        ..Opened::default()
    }
}

/// A ledger as it would be in another tree.
fn without_inodes(ledger: &[u8]) -> String {
    let Ok(mut ledger) = serde_json::from_slice::<Value>(ledger) else {
        return String::from_utf8_lossy(ledger).into_owned();
    };
    for record in ledger["backups"].as_array_mut().into_iter().flatten() {
        record.as_object_mut().unwrap().remove("inode");
    }
    ledger.to_string()
}

fn describe(top: &Path, path: &Path, all: &mut BTreeMap<String, String>) {
    let facts = fs::symlink_metadata(path).unwrap();
    let mode = facts.permissions().mode() & 0o7777;
    let content = || match fs::read(path) {
        Ok(content) if path.to_string_lossy().contains("/links-") => without_inodes(&content),
        Ok(content) => String::from_utf8_lossy(&content).into_owned(),
        // Not written to its end, so not readable for anybody but root.
        Err(_) if mode == 0 => "closed".into(),
        Err(error) => panic!("{}: {error}", path.display()),
    };
    let what = if facts.is_symlink() {
        format!("-> {}", fs::read_link(path).unwrap().display())
    } else if facts.is_dir() {
        "directory".into()
    } else if !facts.is_file() {
        "special".into()
    } else {
        content()
    };
    let name = path.strip_prefix(top).unwrap().display().to_string();
    let owner = format!("{}:{}", facts.uid(), facts.gid());
    all.insert(name, format!("{mode:o} {owner} {what}"));
    if facts.is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            describe(top, &entry.unwrap().path(), all);
        }
    }
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

#[track_caller]
fn assert_no_failed_step(receipt: &Receipt) {
    assert!(receipt.failed_step.is_none(), "{:?}", receipt.failed_step);
}
