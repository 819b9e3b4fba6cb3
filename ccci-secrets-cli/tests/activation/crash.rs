//! The real program, ended or disturbed at every system call that changes anything, one call at a time. What is there then
//! is the old state or the new one, and the next run makes the new one and leaves nothing else behind.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::fixtures::{CERTIFICATE, CERTIFICATE_KEY, TOKENS};
use crate::harness::{Skip, Verdict};
use crate::units::Systemctl;
use crate::world::{LIVE_CERTIFICATE, LIVE_KEY, Run, World, secret};

/// The calls that change something. strace counts each by itself.
const CALLS: [&str; 14] = [
    "fchmod",
    "fchown",
    "fchownat",
    "fsync",
    "mkdir",
    "mkdirat",
    "mount",
    "openat",
    "openat2",
    "renameat",
    "renameat2",
    "symlinkat",
    "unlinkat",
    "write",
];

const ERRORS: [&str; 6] = ["EIO", "ENOSPC", "EACCES", "EPERM", "EROFS", "EMFILE"];

/// One call of a run.
#[derive(Clone, Debug)]
struct Point {
    call: String,
    /// The how manyth of its name, from 1.
    nth: usize,
    /// As strace prints it.
    text: String,
}

impl Point {
    fn is_commit(&self) -> bool {
        self.call == "renameat" && self.text.contains("\"secrets\")")
    }
}

/// Two versions of everything: values, and one path that the first has here and the second there.
struct Sweep<'w> {
    world: &'w World,
    versions: [Vec<u8>; 2],
}

const NAMES: [&str; 3] = [TOKENS[0], CERTIFICATE, CERTIFICATE_KEY];
const MOVED: [&str; 2] = ["/var/lib/here/moved", "/var/lib/there/moved"];

impl<'w> Sweep<'w> {
    fn new(world: &'w World) -> Result<Self, Skip> {
        let strace = Command::new("strace").arg("-V").output();
        if !strace.is_ok_and(|output| output.status.success()) {
            return Err(Skip("strace is not on PATH".into()));
        }
        let fixtures = world.fixtures();
        let version = |version: &str| {
            let plain: String = NAMES
                .iter()
                .map(|name| format!("{name}: {}\n", value(name, version)))
                .collect();
            fixtures.seal(&format!("{plain}moved: at last\n"), &[&world.host])
        };
        Ok(Self {
            world,
            versions: [version("a"), version("b")],
        })
    }

    fn manifest(version: usize) -> Value {
        let mut secrets: Vec<Value> = NAMES.iter().map(|name| secret(name, "0400")).collect();
        secrets[1]["path"] = json!(LIVE_CERTIFICATE);
        secrets[2]["path"] = json!(LIVE_KEY);
        let mut moved = secret("moved", "0440");
        moved["path"] = json!(MOVED[version]);
        secrets.push(moved);
        json!({
            "secretsMountPoint": "/run/secrets.d", "symlinkPath": "/run/secrets",
            "keepGenerations": 1, "ageSshKeyPaths": ["host"], "secrets": secrets,
        })
    }

    /// What the next run is to make.
    fn offer(&self, version: usize) {
        self.world.write("secrets.yaml", &self.versions[version]);
        self.world.write_manifest(&Self::manifest(version));
    }

    fn trace(&self) -> PathBuf {
        self.world.aside("trace")
    }

    fn traced(&self, injection: Option<&str>) -> Run {
        self.traced_with(injection, |_| ())
    }

    fn traced_with(&self, injection: Option<&str>, prepare: impl FnOnce(&mut Command)) -> Run {
        let mut command = Command::new("strace");
        command.args(["-f", "-qq", "-o"]).arg(self.trace());
        command.arg("-e").arg(format!("trace={}", CALLS.join(",")));
        if let Some(injection) = injection {
            command.arg("-e").arg(format!("inject={injection}"));
        }
        command.arg(self.world.program());
        self.world.prepare(command.args(self.arguments()));
        prepare(&mut command);
        self.world.finish(command.spawn().unwrap())
    }

    /// Without the report, which is no part of the transaction.
    fn arguments(&self) -> Vec<String> {
        let manifest = self.world.src("manifest.json");
        vec!["activate".into(), manifest.to_str().unwrap().into()]
    }

    fn run(&self) -> Run {
        self.world.run(&self.arguments())
    }

    /// Every call of an undisturbed run that changes something.
    fn points(&self) -> Vec<Point> {
        self.points_with(|_| ())
    }

    fn points_with(&self, prepare: impl FnOnce(&mut Command)) -> Vec<Point> {
        let run = self.traced_with(None, prepare);
        assert_eq!(run.code, 0, "{}", run.stderr);
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        let mut points = Vec::new();
        let trace = std::fs::read_to_string(self.trace()).unwrap();
        let process = trace.split(' ').next().unwrap();
        for line in trace.lines() {
            let (number, text) = line.split_once(' ').unwrap();
            let text = text.trim_start();
            // What a program does that was started on the way is its own business.
            if number != process {
                continue;
            }
            let Some((call, _)) = text.split_once('(') else {
                continue;
            };
            let nth = counts.entry(call.to_owned()).or_default();
            *nth += 1;
            if !call.starts_with("openat") || text.contains("O_CREAT") {
                points.push(Point {
                    call: call.to_owned(),
                    nth: *nth,
                    text: text.to_owned(),
                });
            }
        }
        let commits = points.iter().filter(|point| point.is_commit());
        assert_eq!(commits.count(), 1, "{points:#?}");
        points
    }

    /// The calls of a run that changes the second version into the first. Directories are there from earlier runs.
    fn points_of_a_rotation(&self) -> Vec<Point> {
        for version in 0..2 {
            self.offer(version);
            assert_eq!(self.run().code, 0);
        }
        self.offer(0);
        self.points()
    }

    /// Which version a reader sees: the same one everywhere.
    #[track_caller]
    fn seen(&self, moment: &str) -> usize {
        let mut seen = Vec::new();
        let own = NAMES
            .iter()
            .map(|name| (*name, format!("/run/secrets/{name}")));
        let live = [
            (CERTIFICATE, LIVE_CERTIFICATE.to_owned()),
            (CERTIFICATE_KEY, LIVE_KEY.to_owned()),
        ];
        for (name, path) in own.chain(live) {
            let found = std::fs::read_to_string(&path)
                .unwrap_or_else(|error| panic!("{moment}: {path}: {error}"));
            let version = ["a", "b"]
                .iter()
                .position(|version| found == value(name, version));
            seen.push(version.unwrap_or_else(|| panic!("{moment}: {path} is of no version")));
        }
        assert!(
            seen.iter().all(|version| *version == seen[0]),
            "{moment}: {seen:?}"
        );
        seen[0]
    }

    /// The next run makes what was offered, and nothing is left of the one before.
    #[track_caller]
    fn assert_converges(&self, version: usize, moment: &str) {
        let run = self.run();
        assert_eq!(run.code, 0, "{moment}: {}", run.stderr);
        assert_eq!(self.seen(moment), version, "{moment}");
        let moved = std::fs::read_to_string(MOVED[version]);
        assert_eq!(moved.ok().as_deref(), Some("at last"), "{moment}");
        assert!(!Path::new(MOVED[1 - version]).is_symlink(), "{moment}");
        assert_eq!(leftovers(), Vec::<PathBuf>::new(), "{moment}");
    }

    /// Nothing was ever activated here.
    fn make_blank(&self) {
        while is_mounted("/run/secrets.d") {
            let status = Command::new("umount")
                .arg("/run/secrets.d")
                .status()
                .unwrap();
            assert!(status.success());
        }
        for directory in ["/run", "/var/lib"] {
            for entry in std::fs::read_dir(directory).unwrap() {
                let path = entry.unwrap().path();
                match path.symlink_metadata().unwrap().is_dir() {
                    true => std::fs::remove_dir_all(path).unwrap(),
                    false => std::fs::remove_file(path).unwrap(),
                }
            }
        }
    }
}

fn value(name: &str, version: &str) -> String {
    format!("{name} {version}")
}

fn is_mounted(path: &str) -> bool {
    let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap();
    mounts
        .lines()
        .any(|line| line.split(' ').nth(1) == Some(path))
}

/// Names that exist only while a run lasts, and generations beside the active one.
fn leftovers() -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![PathBuf::from("/run"), "/var/lib".into()];
    while let Some(directory) = open.pop() {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            let is_temporary = [".stage-", ".ccsec-"]
                .iter()
                .any(|prefix| name.starts_with(prefix));
            if is_temporary || name.ends_with(".new") {
                found.push(path.clone());
            }
            if path.symlink_metadata().unwrap().is_dir() {
                open.push(path);
            }
        }
    }
    let generations = std::fs::read_dir("/run/secrets.d").unwrap();
    found.extend(generations.map(|entry| entry.unwrap().path()).skip(1));
    found
}

pub(crate) fn s28_killed_at_any_call_a_rotation_leaves_old_or_new(world: &World) -> Verdict {
    let sweep = Sweep::new(world)?;
    let points = sweep.points_of_a_rotation();
    let commit = points.iter().position(Point::is_commit).unwrap();
    let mut active = 0;
    for (at, point) in points.iter().enumerate() {
        let moment = format!("killed at {}", point.text);
        let next = 1 - active;
        sweep.offer(next);
        let run = sweep.traced(Some(&format!(
            "{}:signal=KILL:when={}",
            point.call, point.nth
        )));
        assert_eq!(run.code, -1, "{moment}: {}", run.stderr);
        // The call itself is not made any more.
        let expected = if at <= commit { active } else { next };
        assert_eq!(sweep.seen(&moment), expected, "{moment}");
        sweep.assert_converges(next, &moment);
        active = next;
    }
    println!(
        "  {} calls, the commit is number {}",
        points.len(),
        commit + 1
    );
    Ok(())
}

pub(crate) fn s28_killed_at_any_call_a_first_run_leaves_nothing_that_the_next_one_minds(
    world: &World,
) -> Verdict {
    let sweep = Sweep::new(world)?;
    sweep.offer(0);
    let points = sweep.points();
    assert!(
        points.iter().any(|point| point.call == "mount"),
        "{points:#?}"
    );
    for point in &points {
        let moment = format!("killed at {}", point.text);
        sweep.make_blank();
        let run = sweep.traced(Some(&format!(
            "{}:signal=KILL:when={}",
            point.call, point.nth
        )));
        assert_eq!(run.code, -1, "{moment}: {}", run.stderr);
        sweep.assert_converges(0, &moment);
    }
    Ok(())
}

/// A run that ended between its commit and its end has told nobody.
pub(crate) fn s28_units_of_a_run_that_was_killed_are_told_by_the_next_one(
    world: &World,
) -> Verdict {
    let sweep = Sweep::new(world)?;
    let systemctl = Systemctl::new(world);
    let offer = |version: usize| {
        sweep.offer(version);
        let mut manifest = Sweep::manifest(0);
        manifest["secrets"][0]["restartUnits"] = json!(["a.service"]);
        world.write_manifest(&manifest);
    };
    let with_stand_in = |command: &mut Command| {
        let path = format!("{}:/usr/bin:/bin", systemctl.directory().display());
        command.env("PATH", path);
    };
    let run = || {
        let mut command = world.command(&sweep.arguments());
        with_stand_in(&mut command);
        world.finish(command.spawn().unwrap())
    };
    for version in 0..2 {
        offer(version);
        assert_eq!(run().code, 0);
    }
    offer(0);
    let points = sweep.points_with(with_stand_in);
    let commit = points.iter().position(Point::is_commit).unwrap();
    let mut told_by_the_next = 0;
    let mut next = 1;
    for point in points.iter().skip(commit + 1) {
        let moment = format!("killed at {}", point.text);
        offer(next);
        systemctl.calls();
        let kill = format!("{}:signal=KILL:when={}", point.call, point.nth);
        let killed = sweep.traced_with(Some(&kill), with_stand_in);
        assert_eq!(killed.code, -1, "{moment}: {}", killed.stderr);
        let first = systemctl.calls();
        assert_eq!(run().code, 0, "{moment}");
        let second = systemctl.calls();
        // Once is what is wanted; somebody who was told just before the end is told again.
        assert!(
            !first.is_empty() || second.len() == 1,
            "{moment}: {first:?} {second:?}"
        );
        told_by_the_next += usize::from(first.is_empty());
        // And then nobody any more.
        assert_eq!(run().code, 0, "{moment}");
        assert_eq!(systemctl.calls(), Vec::<String>::new(), "{moment}");
        next = 1 - next;
    }
    assert!(told_by_the_next > 2, "{told_by_the_next}");
    Ok(())
}

/// Each call with each error.
fn with_errors(points: &[Point]) -> impl Iterator<Item = (&Point, &'static str)> {
    points
        .iter()
        .flat_map(|point| ERRORS.iter().map(move |error| (point, *error)))
}

pub(crate) fn s29_an_error_of_any_call_leaves_old_or_new(world: &World) -> Verdict {
    let sweep = Sweep::new(world)?;
    let points = sweep.points_of_a_rotation();
    let mut active = 0;
    let mut codes: BTreeMap<i32, usize> = BTreeMap::new();
    for (point, error) in with_errors(&points) {
        let moment = format!("{error} at {}", point.text);
        let next = 1 - active;
        sweep.offer(next);
        let before = world.snapshot();
        let run = sweep.traced(Some(&format!(
            "{}:error={error}:when={}",
            point.call, point.nth
        )));
        *codes.entry(run.code).or_default() += 1;
        let last = run.stderr.lines().last().unwrap_or_default().to_owned();
        match run.code {
            40 => {
                before.assert_same_but(&world.snapshot(), &sweep.trace());
                assert!(
                    last.starts_with("nothing was changed; generation "),
                    "{moment}: {last}"
                );
                assert_eq!(sweep.seen(&moment), active, "{moment}");
            }
            50 => {
                assert!(
                    last.contains(" is active; failed step: "),
                    "{moment}: {last}"
                );
                assert_eq!(sweep.seen(&moment), next, "{moment}");
            }
            // Some errors stop nothing: a call that may be refused by a sandbox is made in another way, and standard error
            // may be gone.
            0 => assert_eq!(sweep.seen(&moment), next, "{moment}"),
            code => panic!("{moment}: exit {code}: {}", run.stderr),
        }
        sweep.assert_converges(next, &moment);
        active = next;
    }
    for (code, times) in &codes {
        println!("  exit {code}: {times} times");
    }
    assert!(
        codes.contains_key(&40) && codes.contains_key(&50),
        "{codes:?}"
    );
    Ok(())
}
