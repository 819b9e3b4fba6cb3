//! A machine that boots with a kernel of its own, and nothing but a static program and busybox in memory: what an initrd is.
//! It runs without any acceleration, so a boot takes some seconds.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use crate::fixtures::write_private;
use crate::harness::Skip;

/// What guests boot from.
pub(crate) struct Initrd {
    scratch: tempfile::TempDir,
    kernel: PathBuf,
}

/// A guest that runs.
pub(crate) struct Guest {
    qemu: Child,
    lines: Receiver<String>,
    seen: String,
}

/// What has to be loaded for a disk of the emulator and the file system on it, where it is not part of the kernel.
const MODULES: [&str; 4] = [
    "kernel/drivers/virtio/virtio_pci.ko",
    "kernel/drivers/block/virtio_blk.ko",
    "kernel/crypto/crc32c_generic.ko",
    "kernel/fs/ext4/ext4.ko",
];

/// Longer than any boot takes.
const PATIENCE: Duration = Duration::from_secs(300);

impl Initrd {
    /// The program, busybox, and the modules.
    pub(crate) fn new() -> Result<Self, Skip> {
        if cfg!(not(target_arch = "x86_64")) {
            return Err(Skip("guests are emulated on x86_64 only".into()));
        }
        for program in ["qemu-system-x86_64", "busybox", "cpio"] {
            if find(program).is_none() {
                return Err(Skip(format!("{program} is not on PATH")));
            }
        }
        let version = newest_kernel()?;
        let modules = in_loading_order(&version)?;
        let busybox = find("busybox").unwrap();
        if is_dynamic(&busybox) {
            return Err(Skip("busybox is not linked statically".into()));
        }
        let initrd = Self {
            scratch: tempfile::tempdir().unwrap(),
            kernel: format!("/boot/vmlinuz-{version}").into(),
        };
        for directory in ["bin", "dev", "disk", "modules", "proc", "sys"] {
            std::fs::create_dir_all(initrd.path(directory)).unwrap();
        }
        initrd.install(&static_program()?, "bin/ccsec");
        initrd.install(&busybox, "bin/busybox");
        let mut load = String::new();
        for module in modules {
            let name = module.file_name().unwrap().to_str().unwrap();
            initrd.install(&module, &format!("modules/{name}"));
            load += &format!("insmod /modules/{name}\n");
        }
        initrd.write("load", load);
        Ok(initrd)
    }

    fn path(&self, path: &str) -> PathBuf {
        self.scratch.path().join("tree").join(path)
    }

    /// A path that guests do not see.
    pub(crate) fn aside(&self, name: &str) -> PathBuf {
        self.scratch.path().join(name)
    }

    /// Writes a file that only root may read, and its directories.
    pub(crate) fn write(&self, path: &str, text: impl AsRef<[u8]>) {
        let path = self.path(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        write_private(&path, text.as_ref());
    }

    fn install(&self, program: &Path, path: &str) {
        std::fs::copy(program, self.path(path)).unwrap();
        set_executable(&self.path(path));
    }

    /// Makes what guests boot from: everything that was written, and a script of `sh` as the first process.
    pub(crate) fn pack(&self, script: &str) {
        self.write("init", format!("{FIRST}{script}\noff\n"));
        set_executable(&self.path("init"));
        let packed = Command::new("sh")
            .arg("-c")
            .arg("cd \"$1\" && find . | cpio --quiet -o -H newc >\"$2\"")
            .arg("sh")
            .arg(self.path(""))
            .arg(self.aside("initrd"))
            .status()
            .unwrap();
        assert!(packed.success());
    }

    /// An image of a disk with what is in a directory.
    pub(crate) fn make_disk(&self, content: &Path) -> Result<PathBuf, Skip> {
        let image = self.aside("disk");
        let made = Command::new("mkfs.ext4")
            .args(["-q", "-F", "-d"])
            .arg(content)
            .arg(&image)
            .arg("32M")
            .env("PATH", "/usr/sbin:/sbin:/usr/bin:/bin")
            .output();
        match made {
            Err(error) => Err(Skip(format!("mkfs.ext4 cannot be started: {error}"))),
            Ok(made) => {
                assert!(made.status.success(), "{made:?}");
                Ok(image)
            }
        }
    }

    /// Turns a guest with a disk on.
    pub(crate) fn boot(&self, disk: &Path) -> Guest {
        let mut qemu = Command::new("qemu-system-x86_64")
            .args(["-accel", "tcg", "-m", "512", "-nodefaults", "-no-reboot"])
            .args(["-display", "none", "-serial", "stdio", "-kernel"])
            .arg(&self.kernel)
            .arg("-initrd")
            .arg(self.aside("initrd"))
            .args(["-append", "console=ttyS0 quiet panic=-1", "-drive"])
            .arg(format!("if=virtio,format=raw,file={}", disk.display()))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let console = BufReader::new(qemu.stdout.take().unwrap());
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in console.split(b'\n').map_while(Result::ok) {
                let text = String::from_utf8_lossy(&line).trim_end().to_owned();
                if sender.send(text).is_err() {
                    break;
                }
            }
        });
        Guest {
            qemu,
            lines,
            seen: String::new(),
        }
    }
}

impl Guest {
    /// Everything that it prints until it is off.
    pub(crate) fn finish(mut self) -> String {
        self.read_until(|_| false);
        std::mem::take(&mut self.seen)
    }

    /// Everything that it prints up to a line.
    #[track_caller]
    pub(crate) fn read_to(&mut self, line: &str) -> String {
        let found = self.read_until(|read| read == line);
        assert!(found, "{line:?} was not printed: {}", self.seen);
        std::mem::take(&mut self.seen)
    }

    /// Pulls the plug after a while.
    pub(crate) fn kill_after(mut self, time: Duration) {
        std::thread::sleep(time);
        self.qemu.kill().unwrap();
        self.qemu.wait().unwrap();
    }

    /// Whether a line came before the end.
    fn read_until(&mut self, is_it: impl Fn(&str) -> bool) -> bool {
        let end = Instant::now() + PATIENCE;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(left) {
                Ok(line) => {
                    self.seen += &format!("{line}\n");
                    if is_it(&line) {
                        return true;
                    }
                }
                Err(RecvTimeoutError::Disconnected) => return false,
                Err(RecvTimeoutError::Timeout) => panic!("the guest hangs: {}", self.seen),
            }
        }
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        // It is off already, unless a test has failed.
        drop(self.qemu.kill());
        drop(self.qemu.wait());
    }
}

/// What every guest does first. There is no `/etc/passwd`.
const FIRST: &str = "#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/bin
mount -t proc none /proc
mount -t sysfs none /sys
mount -t devtmpfs none /dev
mkdir /run
mount -t tmpfs none /run
off() { sync; poweroff -f; sleep 60; }
. /load
while ! test -b /dev/vda; do sleep 0.1; done
";

fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let mut places = std::env::split_paths(&path).map(|directory| directory.join(program));
    places.find(|place| place.is_file())
}

fn set_executable(path: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

fn is_dynamic(program: &Path) -> bool {
    let needs = Command::new("ldd").arg(program).output();
    needs.is_ok_and(|output| String::from_utf8_lossy(&output.stdout).contains("=>"))
}

/// The newest kernel that has its modules here.
fn newest_kernel() -> Result<String, Skip> {
    let mut versions: Vec<String> = Vec::new();
    for entry in std::fs::read_dir("/boot").into_iter().flatten().flatten() {
        let name = entry.file_name().into_string().unwrap_or_default();
        let Some(version) = name.strip_prefix("vmlinuz-") else {
            continue;
        };
        let modules = Path::new("/lib/modules").join(version);
        if modules.join("modules.dep").exists() {
            versions.push(version.to_owned());
        }
    }
    versions.sort();
    let newest = versions.pop();
    newest.ok_or_else(|| Skip("no kernel in /boot has modules in /lib/modules".into()))
}

/// The modules and what they need, each behind what it needs.
fn in_loading_order(version: &str) -> Result<Vec<PathBuf>, Skip> {
    let directory = Path::new("/lib/modules").join(version);
    let list = std::fs::read_to_string(directory.join("modules.dep")).unwrap();
    let built_in = std::fs::read_to_string(directory.join("modules.builtin")).unwrap_or_default();
    let mut ordered: Vec<PathBuf> = Vec::new();
    for module in MODULES {
        if built_in.lines().any(|line| line == module) {
            continue;
        }
        let needs = list.lines().find_map(|line| {
            let (name, needs) = line.split_once(':')?;
            (name == module).then_some(needs)
        });
        let Some(needs) = needs else {
            return Err(Skip(format!("kernel {version} has no file {module}")));
        };
        // What is needed first stands last.
        for name in needs.split_whitespace().rev().chain([module]) {
            let path = directory.join(name);
            if !ordered.contains(&path) {
                ordered.push(path);
            }
        }
    }
    Ok(ordered)
}

/// This program, linked statically, as the package has it.
fn static_program() -> Result<PathBuf, Skip> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("dist/debian/build");
    let built = Command::new(script)
        .args(["--only", "program"])
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&built.stderr);
    if !built.status.success() {
        return Err(Skip(format!("no static program can be built: {told}")));
    }
    for note in told.lines().filter(|line| line.starts_with("note: ")) {
        println!("  {note}");
    }
    Ok(String::from_utf8(built.stdout).unwrap().trim().into())
}
