//! A machine that boots: the root of this one as the lower layer, everything written in memory, systemd as the first process.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::harness::Skip;
use crate::world::mount;

/// A machine that is off. What is written to it, by the test or during a boot, is there in the next boot, apart from `/run`
/// and `/tmp`.
pub(crate) struct Machine {
    scratch: tempfile::TempDir,
}

/// What came of one boot.
#[derive(Debug)]
pub(crate) struct Boot {
    /// The exit code of the script.
    pub(crate) exit: i32,
    /// What the script printed, errors among it.
    pub(crate) printed: String,
    /// What was logged until the script had ended: by systemd, by units, and by the kernel.
    pub(crate) journal: String,
}

impl Machine {
    /// A machine as blank as the root of this one.
    ///
    /// The mount belongs to the namespace of the scenario, so this needs `RootMachine`.
    pub(crate) fn new() -> Result<Self, Skip> {
        Self::without(&[])
    }

    /// The same, with nothing in these directories.
    pub(crate) fn without(blank: &[&str]) -> Result<Self, Skip> {
        let version = systemd_version();
        if !version.starts_with("systemd ") {
            return Err(Skip(version));
        }
        let scratch = tempfile::tempdir().unwrap();
        let at = scratch.path().display().to_string();
        mount(&["-t", "tmpfs", "machine", &at]);
        let machine = Self { scratch };
        for name in ["upper", "work", "root"] {
            std::fs::create_dir(machine.scratch.path().join(name)).unwrap();
        }
        for directory in blank {
            let upper = machine.written().join(directory.trim_start_matches('/'));
            std::fs::create_dir_all(&upper).unwrap();
            let (name, flags) = ("trusted.overlay.opaque", rustix::fs::XattrFlags::empty());
            rustix::fs::setxattr(&upper, name, b"y", flags).unwrap();
        }
        let layers = format!("lowerdir=/,upperdir={at}/upper,workdir={at}/work");
        let overlay = Command::new("mount")
            .args(["-t", "overlay", "-o", &layers, "machine"])
            .arg(machine.path("/"))
            .output()
            .unwrap();
        if !overlay.status.success() {
            return Err(Skip(format!(
                "no overlay of / here: {}",
                String::from_utf8_lossy(&overlay.stderr).trim()
            )));
        }
        machine.write(
            "/etc/systemd/journald.conf.d/volatile.conf",
            "[Journal]\nStorage=volatile\n",
        );
        // What this machine does by the clock is not wanted here.
        let timers = machine.path("/etc/systemd/system/timers.target");
        std::os::unix::fs::symlink("/dev/null", timers).unwrap();
        machine.write("/etc/systemd/system/probe.service", PROBE_SERVICE);
        machine.write("/etc/systemd/system/probe.target", PROBE_TARGET);
        Ok(machine)
    }

    /// Where a path of the machine is seen from here. Links in it lead out of the machine.
    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.scratch
            .path()
            .join("root")
            .join(path.trim_start_matches('/'))
    }

    /// The directory that has only what differs from the root of this machine.
    pub(crate) fn written(&self) -> PathBuf {
        self.scratch.path().join("upper")
    }

    /// Writes a file that everybody may read, and its directories.
    pub(crate) fn write(&self, path: &str, text: impl AsRef<[u8]>) {
        self.write_with_mode(path, text, 0o644);
    }

    /// Writes a file that only root may read, and its directories.
    pub(crate) fn write_private(&self, path: &str, text: impl AsRef<[u8]>) {
        self.write_with_mode(path, text, 0o600);
    }

    /// Copies the program to `/usr/bin/ccsec`.
    pub(crate) fn install_program(&self) {
        self.install(Path::new(env!("CARGO_BIN_EXE_ccsec")), "/usr/bin/ccsec");
    }

    /// Copies a program to a path of the machine.
    pub(crate) fn install(&self, program: &Path, path: &str) {
        std::fs::copy(program, self.path(path)).unwrap();
        self.set_mode(path, 0o755);
    }

    /// Boots, runs a script of `sh` as root when `basic.target` was reached or has failed, and turns the machine off.
    pub(crate) fn boot(&self, script: &str) -> Boot {
        self.boot_with(&[], script)
    }

    /// As [`Self::boot`], with more arguments for systemd-nspawn.
    pub(crate) fn boot_with(&self, arguments: &[&str], script: &str) -> Boot {
        for leftover in ["/probe.exit", "/probe.out", "/probe.journal"] {
            drop(std::fs::remove_file(self.path(leftover)));
        }
        self.write("/probe.sh", script);
        let cgroups = Cgroups::make(&self.name());
        let output = cgroups
            .command("timeout")
            .args(["-s", "KILL", TIMEOUT, "systemd-nspawn"])
            .arg(format!("--machine={}", self.name()))
            .args(["--quiet", "--register=no", "--keep-unit", "--console=pipe"])
            .args(["--link-journal=no", "--resolv-conf=off", "--timezone=off"])
            .arg("-D")
            .arg(self.path("/"))
            .args(arguments)
            .args(["-b", "systemd.unit=probe.target"])
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let read = |path| {
            let bytes = std::fs::read(self.path(path)).unwrap_or_default();
            String::from_utf8_lossy(&bytes).into_owned()
        };
        let boot = Boot {
            exit: read("/probe.exit").trim().parse().unwrap_or(-1),
            printed: read("/probe.out"),
            journal: read("/probe.journal"),
        };
        assert!(
            boot.exit >= 0,
            "the script did not end: {boot:#?}\nconsole: {}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr),
        );
        boot
    }

    /// Boots for a script that has to end with 0, and returns what it printed.
    #[track_caller]
    pub(crate) fn boot_and_succeed(&self, script: &str) -> String {
        let boot = self.boot(&format!("set -eu\n{script}"));
        assert_eq!(boot.exit, 0, "{}\n{}", boot.printed, boot.journal);
        boot.printed
    }

    /// No other machine that runs has this name.
    fn name(&self) -> String {
        let scratch = self.scratch.path().file_name().unwrap().to_string_lossy();
        let unique = scratch.trim_start_matches('.');
        format!("ccsec-{}-{unique}", std::process::id())
    }

    fn write_with_mode(&self, path: &str, text: impl AsRef<[u8]>, mode: u32) {
        std::fs::create_dir_all(self.path(path).parent().unwrap()).unwrap();
        std::fs::write(self.path(path), text).unwrap();
        self.set_mode(path, mode);
    }

    fn set_mode(&self, path: &str, mode: u32) {
        let permissions = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(self.path(path), permissions).unwrap();
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        for what in [self.path("/"), self.scratch.path().to_owned()] {
            drop(Command::new("umount").arg("-l").arg(what).status());
        }
    }
}

/// Control groups of one boot: two machines in the same ones take each other's units apart.
struct Cgroups {
    directories: Vec<PathBuf>,
}

impl Cgroups {
    /// Makes one below that of this process, in each hierarchy that systemd keeps its units in.
    fn make(name: &str) -> Self {
        let own = std::fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
        let places = own.lines().filter_map(|line| {
            let mut fields = line.splitn(3, ':');
            let mounted: &[&str] = match (fields.next()?, fields.next()?) {
                ("0", "") => &["/sys/fs/cgroup", "/sys/fs/cgroup/unified"],
                (_, "name=systemd") => &["/sys/fs/cgroup/systemd"],
                _ => return None,
            };
            let path = fields.next()?.trim_start_matches('/');
            let mut found = mounted.iter().map(|mount| Path::new(mount).join(path));
            found.find(|place| place.join("cgroup.procs").exists())
        });
        let made = places.map(|place| place.join(name));
        let directories = made.filter(|place| std::fs::create_dir(place).is_ok());
        Self {
            directories: directories.collect(),
        }
    }

    /// A command that enters them before it starts a program.
    fn command(&self, program: &str) -> Command {
        const ENTER: &str = "n=$1; shift
            while [ \"$n\" -gt 0 ]; do echo $$ >\"$1/cgroup.procs\" || exit; shift; n=$((n - 1)); done
            exec \"$@\"";
        let mut command = Command::new("sh");
        command
            .args(["-c", ENTER, "sh"])
            .arg(self.directories.len().to_string())
            .args(&self.directories)
            .arg(program);
        command
    }
}

impl Drop for Cgroups {
    fn drop(&mut self) {
        for directory in &self.directories {
            end_processes(directory);
            remove_cgroup(directory);
        }
    }
}

/// A boot that was cut off leaves its processes behind, and these the sockets that the next one wants.
fn end_processes(directory: &Path) {
    for _ in 0..100 {
        let left = processes(directory);
        if left.is_empty() {
            return;
        }
        drop(Command::new("kill").arg("-KILL").args(left).output());
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// The processes in a control group and those below it.
fn processes(directory: &Path) -> Vec<String> {
    let own = std::fs::read_to_string(directory.join("cgroup.procs")).unwrap_or_default();
    let mut all: Vec<String> = own.lines().map(str::to_owned).collect();
    for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            all.extend(processes(&entry.path()));
        }
    }
    all
}

/// Removes a control group in which nothing runs any more, and those below it.
fn remove_cgroup(directory: &Path) {
    for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            remove_cgroup(&entry.path());
        }
    }
    drop(std::fs::remove_dir(directory));
}

/// The systemd that boots here, as it says itself; or why nothing boots.
pub(crate) fn systemd_version() -> String {
    if !Path::new("/usr/lib/systemd/systemd").exists()
        && !Path::new("/lib/systemd/systemd").exists()
    {
        return "systemd is not installed".into();
    }
    match Command::new("systemd-nspawn").arg("--version").output() {
        Err(error) => format!("systemd-nspawn cannot be started: {error}"),
        Ok(output) => {
            let told = String::from_utf8_lossy(&output.stdout);
            told.lines().next().unwrap_or_default().to_owned()
        }
    }
}

/// A boot takes about a second; one that hangs must not hang the tests.
const TIMEOUT: &str = "120";

/// Only what is wanted of it waits for the script: `basic.target` may have failed.
const PROBE_TARGET: &str = "[Unit]
Wants=basic.target probe.service
After=basic.target
AllowIsolate=yes
";

const PROBE_SERVICE: &str = "[Unit]
DefaultDependencies=no
After=sysinit.target basic.target

[Service]
Type=oneshot
ExecStart=/bin/sh -c 'exec /bin/sh /probe.sh >/probe.out 2>&1'
ExecStopPost=/bin/sh -c 'echo \"$EXIT_STATUS\" >/probe.exit; journalctl --sync; journalctl -b --no-pager -o short-monotonic >/probe.journal; systemctl --no-block exit 0'
";
