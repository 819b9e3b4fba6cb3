//! The place where one scenario plays: a source directory, a target tree, and the program.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use crate::fixtures::{CERTIFICATE, CERTIFICATE_KEY, Fixtures, TOKENS, write_private};

/// Where activation puts its files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// Below a directory of ours, with `--root`.
    BelowDirectory,
    /// `/run` and `/var/lib` of a mount namespace, each a fresh tmpfs.
    Machine,
}

pub(crate) struct World {
    dir: tempfile::TempDir,
    pub(crate) place: Place,
    pub(crate) host: String,
    pub(crate) recovery: String,
    pub(crate) other: String,
    pub(crate) stranger: String,
    fixtures: PathBuf,
    canaries: Vec<(String, Vec<u8>)>,
    printed: RefCell<Vec<u8>>,
}

/// What a run of the program left behind for its caller.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Every file, directory and link with mode, owner and content, and every mount.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Snapshot {
    entries: BTreeMap<PathBuf, String>,
    mounts: String,
}

impl World {
    /// `src` holds the secrets and both keys of the host; nothing was activated yet.
    pub(crate) fn new(fixtures: &Fixtures, place: Place) -> Self {
        let dir = tempfile::tempdir().unwrap();
        if place == Place::Machine {
            for target in ["/run", "/var/lib"] {
                mount(&["-t", "tmpfs", "-o", "mode=0755", "scenario", target]);
            }
            let ids = std::fs::read_to_string("/proc/self/gid_map").unwrap();
            if !ids.contains("4294967295") {
                // The group `keys` of this machine cannot own anything in a namespace where only one group exists.
                mount(&["--bind", "/dev/null", "/etc/group"]);
            }
        }
        let world = Self {
            dir,
            place,
            host: fixtures.host.clone(),
            recovery: fixtures.recovery.clone(),
            other: fixtures.other.clone(),
            stranger: fixtures.stranger.clone(),
            fixtures: fixtures.dir().into(),
            canaries: fixtures.canaries(),
            printed: RefCell::default(),
        };
        std::fs::create_dir(world.src("")).unwrap();
        world.take("secrets.yaml", "secrets.yaml");
        world.take("host", "host");
        world
    }

    pub(crate) fn fixtures(&self) -> Fixtures {
        Fixtures::open(&self.fixtures)
    }

    /// A path in the source directory.
    pub(crate) fn src(&self, name: &str) -> PathBuf {
        self.dir.path().join("src").join(name)
    }

    /// A path outside source and target.
    pub(crate) fn aside(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Where a path of the manifest is seen from here.
    pub(crate) fn out(&self, path: &str) -> PathBuf {
        match self.place {
            Place::BelowDirectory => self
                .dir
                .path()
                .join("root")
                .join(path.trim_start_matches('/')),
            Place::Machine => path.into(),
        }
    }

    /// Puts a fixture into the source directory, as keys have to be: readable by nobody else.
    pub(crate) fn take(&self, fixture: &str, name: &str) {
        let text = std::fs::read(self.fixtures.join(fixture)).unwrap();
        write_private(&self.src(name), &text);
    }

    pub(crate) fn write(&self, name: &str, text: &[u8]) {
        write_private(&self.src(name), text);
    }

    /// The manifest of the operator: eight secrets, the host key as the only source of identities.
    pub(crate) fn manifest(&self) -> Value {
        let mut secrets: Vec<Value> = TOKENS.iter().map(|name| secret(name, "0400")).collect();
        let mut placed = |name, mode, path| {
            let mut entry = secret(name, mode);
            entry["path"] = json!(path);
            secrets.push(entry);
        };
        placed(CERTIFICATE, "0444", LIVE_CERTIFICATE);
        placed(CERTIFICATE_KEY, "0400", LIVE_KEY);
        json!({
            "secretsMountPoint": "/run/secrets.d",
            "symlinkPath": "/run/secrets",
            "keepGenerations": 1,
            "ageSshKeyPaths": ["host"],
            "secrets": secrets,
        })
    }

    pub(crate) fn write_manifest(&self, manifest: &Value) {
        std::fs::write(self.src("manifest.json"), manifest.to_string()).unwrap();
    }

    /// Activates a manifest, with the report that `report()` reads.
    pub(crate) fn activate(&self, manifest: &Value) -> Run {
        self.write_manifest(manifest);
        self.activate_again(&[])
    }

    /// Activates what was written last.
    pub(crate) fn activate_again(&self, more: &[&str]) -> Run {
        self.run(&self.activate_arguments(more))
    }

    pub(crate) fn activate_arguments(&self, more: &[&str]) -> Vec<String> {
        let shown = |path: PathBuf| path.to_str().unwrap().to_owned();
        let mut arguments = vec!["activate".to_owned()];
        if self.place == Place::BelowDirectory {
            arguments.extend(["--root".into(), shown(self.out("/"))]);
        }
        arguments.extend(["--report".into(), shown(self.aside("report.json"))]);
        arguments.extend(more.iter().map(|word| (*word).to_owned()));
        arguments.push(shown(self.src("manifest.json")));
        arguments
    }

    /// The arguments of another command about the manifest that was written last.
    pub(crate) fn about_manifest(&self, command: &str, more: &[&str]) -> Vec<String> {
        let shown = |path: PathBuf| path.to_str().unwrap().to_owned();
        let mut arguments = vec![command.to_owned()];
        if self.place == Place::BelowDirectory {
            arguments.extend(["--root".into(), shown(self.out("/"))]);
        }
        arguments.extend(more.iter().map(|word| (*word).to_owned()));
        arguments.push(shown(self.src("manifest.json")));
        arguments
    }

    /// Runs another command about the manifest that was written last.
    pub(crate) fn run_about_manifest(&self, command: &str, more: &[&str]) -> Run {
        self.run(&self.about_manifest(command, more))
    }

    /// The report of the last activation.
    pub(crate) fn report(&self) -> Value {
        let path = self.aside("report.json");
        assert_eq!(mode(&path), 0o600, "the report is private");
        serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
    }

    pub(crate) fn program(&self) -> &Path {
        Path::new(PROGRAM)
    }

    pub(crate) fn command(&self, arguments: &[impl AsRef<OsStr>]) -> Command {
        let mut command = Command::new(PROGRAM);
        self.prepare(command.args(arguments));
        command
    }

    /// The program as `"$@"` of a shell script.
    pub(crate) fn shell(&self, script: &str, arguments: &[impl AsRef<OsStr>]) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script, "sh", PROGRAM]);
        self.prepare(command.args(arguments));
        command
    }

    pub(crate) fn prepare(&self, command: &mut Command) {
        command
            .env_clear()
            .env("HOME", self.aside("home"))
            .env("PATH", "/usr/bin:/bin")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
    }

    pub(crate) fn run(&self, arguments: &[impl AsRef<OsStr>]) -> Run {
        self.finish(self.command(arguments).spawn().unwrap())
    }

    /// Runs with something on standard input.
    pub(crate) fn run_with_input(&self, arguments: &[&str], input: &[u8]) -> Run {
        let mut child = self
            .command(arguments)
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        // A program that refuses early does not read; that is no fault of the test.
        drop(std::io::Write::write_all(
            &mut child.stdin.take().unwrap(),
            input,
        ));
        self.finish(child)
    }

    pub(crate) fn finish(&self, child: Child) -> Run {
        let output = child.wait_with_output().unwrap();
        let mut printed = self.printed.borrow_mut();
        printed.extend_from_slice(&output.stdout);
        printed.extend_from_slice(&output.stderr);
        Run {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    pub(crate) fn snapshot(&self) -> Snapshot {
        let mut entries = BTreeMap::new();
        for root in self.roots() {
            record(&root, &mut entries);
        }
        // Told on purpose, whatever came of the run.
        entries.remove(&self.aside("report.json"));
        Snapshot {
            entries,
            mounts: std::fs::read_to_string("/proc/self/mountinfo").unwrap(),
        }
    }

    fn roots(&self) -> Vec<PathBuf> {
        let mut roots = vec![self.dir.path().to_owned()];
        if self.place == Place::Machine {
            roots.extend(["/run".into(), "/var/lib".into()]);
        }
        roots
    }

    /// Runs something that must be refused, and looks at everything before and after.
    #[track_caller]
    pub(crate) fn assert_refused(&self, code: i32, run: impl FnOnce() -> Run) -> Run {
        let before = self.snapshot();
        let run = run();
        assert_eq!(run.code, code, "{}", run.stderr);
        before.assert_same(&self.snapshot());
        let last = run.stderr.lines().last().unwrap_or_default();
        assert!(
            last.starts_with("nothing was changed; "),
            "last line: {last}"
        );
        run
    }

    /// Every secret is in place with exactly the bytes of the fixtures, and its link where there is one.
    #[track_caller]
    pub(crate) fn assert_complete(&self) {
        for name in TOKENS.into_iter().chain([CERTIFICATE, CERTIFICATE_KEY]) {
            self.assert_value(name, &self.fixtures().value(name));
        }
        for (path, name) in [(LIVE_CERTIFICATE, CERTIFICATE), (LIVE_KEY, CERTIFICATE_KEY)] {
            let live = std::fs::canonicalize(self.out(path)).unwrap();
            let placed = std::fs::canonicalize(self.out(&format!("/run/secrets/{name}"))).unwrap();
            assert_eq!(live, placed, "{path} leads to the secret");
        }
    }

    #[track_caller]
    pub(crate) fn assert_value(&self, name: &str, value: &[u8]) {
        let found = std::fs::read(self.out(&format!("/run/secrets/{name}")));
        // Not compared with assert_eq: a failing test would print the bytes.
        assert!(
            found.unwrap() == value,
            "{name} has the bytes of the source"
        );
    }

    /// The number of the active generation.
    pub(crate) fn generation(&self) -> Option<u64> {
        let link = std::fs::read_link(self.out("/run/secrets")).ok()?;
        link.file_name()?.to_str()?.parse().ok()
    }

    /// No secret, no key and no digest of a secret in what was printed, nor in any file that is neither source nor
    /// the generation itself.
    pub(crate) fn assert_nothing_leaked(&self) {
        self.assert_silent("the output", &self.printed.borrow());
        let generations = std::fs::canonicalize(self.out("/run/secrets.d"));
        let is_generation = |path: &Path| {
            generations
                .as_ref()
                .is_ok_and(|mount| path.starts_with(mount))
        };
        for root in self.roots() {
            let mut entries = BTreeMap::new();
            record(&root, &mut entries);
            for path in entries.keys() {
                let is_source =
                    path.starts_with(self.src("")) || path.starts_with(self.aside("given"));
                if is_source
                    || is_generation(path)
                    || !path.symlink_metadata().is_ok_and(|found| found.is_file())
                {
                    continue;
                }
                self.assert_silent(&path.display().to_string(), &std::fs::read(path).unwrap());
            }
        }
    }

    fn assert_silent(&self, place: &str, text: &[u8]) {
        for (what, canary) in &self.canaries {
            let found = text.windows(canary.len()).any(|window| window == canary);
            assert!(!found, "{what} stands in {place}");
        }
        let marks: [&[u8]; 2] = [b"AGE-SECRET-KEY-1", b"PRIVATE KEY-----"];
        for mark in marks {
            let found = text.windows(mark.len()).any(|window| window == mark);
            assert!(!found, "a private key stands in {place}");
        }
    }
}

const PROGRAM: &str = env!("CARGO_BIN_EXE_ccsec");
pub(crate) const LIVE_CERTIFICATE: &str = "/var/lib/ci-certs/live/fullchain.pem";
pub(crate) const LIVE_KEY: &str = "/var/lib/ci-certs/live/privkey.pem";

/// A manifest entry that takes a top-level key of the same name.
pub(crate) fn secret(name: &str, mode: &str) -> Value {
    json!({"name": name, "key": name, "mode": mode, "sopsFile": "secrets.yaml", "format": "yaml"})
}

pub(crate) fn mount(arguments: &[&str]) {
    let status = Command::new("mount").args(arguments).status();
    assert!(status.unwrap().success(), "mount {arguments:?}");
}

pub(crate) fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().mode() & 0o7777
}

impl Snapshot {
    /// As [`Self::assert_same`], whatever became of one file.
    #[track_caller]
    pub(crate) fn assert_same_but(&self, other: &Self, path: &Path) {
        let without = |snapshot: &Self| Self {
            entries: snapshot
                .entries
                .iter()
                .filter(|(known, _)| *known != path)
                .map(|(known, facts)| (known.clone(), facts.clone()))
                .collect(),
            mounts: snapshot.mounts.clone(),
        };
        without(self).assert_same(&without(other));
    }

    #[track_caller]
    pub(crate) fn assert_same(&self, other: &Self) {
        let differs = |one: &Self, two: &Self| -> Vec<String> {
            let entries = one.entries.iter();
            entries
                .filter(|(path, facts)| two.entries.get(*path) != Some(facts))
                .map(|(path, facts)| format!("{} {facts}", path.display()))
                .collect()
        };
        let (gone, new) = (differs(self, other), differs(other, self));
        assert!(
            gone.is_empty() && new.is_empty(),
            "before: {gone:#?}\nafter: {new:#?}"
        );
        assert_eq!(self.mounts, other.mounts);
    }
}

/// One line for everything below a directory; contents as digests.
fn record(path: &Path, entries: &mut BTreeMap<PathBuf, String>) {
    let found = path.symlink_metadata().unwrap();
    let content = if found.is_file() {
        ccci_secrets::digest::hex(&ccci_secrets::digest::sha256(&std::fs::read(path).unwrap()))
    } else if found.is_symlink() {
        format!("-> {}", std::fs::read_link(path).unwrap().display())
    } else {
        String::new()
    };
    let facts = format!(
        "{:o} {}:{} {content}",
        found.mode(),
        found.uid(),
        found.gid()
    );
    entries.insert(path.into(), facts);
    if found.is_dir() {
        for entry in std::fs::read_dir(path).unwrap() {
            record(&entry.unwrap().path(), entries);
        }
    }
}
