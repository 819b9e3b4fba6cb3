//! What it costs to make many secrets out of one file, against a bare loop that makes the same files.
//!
//! `cargo bench -p ccci-secrets-cli --bench activate_many_secrets`, as root. Both run in turns, below directories of their
//! own on a tmpfs where there is one (`/dev/shm`), and what counts is the median of the ratios of the pairs. The loop does
//! what nobody can do without: create a file with mode 0, write it, read it back, give it its owner and its mode.
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a benchmark starts programs, writes its input and prints its result"
)]

use std::fmt::Write as _;
use std::io::Write as _;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use ccci_secrets::config::Policy;
use ccci_secrets::document::Format;
use ccci_secrets::file::DraftFile;
use ccci_secrets::secret::Secret;

const PAIRS: usize = 21;
const COUNTS: [usize; 3] = [1_000, 2_000, 4_000];

fn main() {
    let memory = Path::new("/dev/shm");
    let dir = if memory.is_dir() {
        tempfile::tempdir_in(memory)
    } else {
        tempfile::tempdir()
    };
    let dir = dir.unwrap();
    println!("activate, secrets out of one file, whole process, {PAIRS} pairs in turns, medians\n");
    println!("secrets   ccsec ms   loop ms   ratio   ms per 1000");
    for count in COUNTS {
        measure(dir.path(), count);
    }
}

fn measure(dir: &Path, count: usize) {
    let manifest = write_input(dir, count);
    let (mut ours, mut loops, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..PAIRS {
        let one = activate(dir, &manifest, count);
        let other = bare_loop(dir, count);
        ratios.push(one.as_secs_f64() / other.as_secs_f64());
        ours.push(one.as_secs_f64() * 1e3);
        loops.push(other.as_secs_f64() * 1e3);
    }
    let (ours, loops, ratio) = (median(ours), median(loops), median(ratios));
    let each = ours * 1e3 / count as f64;
    println!("{count:7} {ours:10.1} {loops:9.1} {ratio:7.2} {each:13.1}");
}

fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers[numbers.len() / 2]
}

fn key(name: &str) -> PathBuf {
    let keys = Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata/sops/keys");
    keys.join(name).canonicalize().unwrap()
}

fn value(nth: usize) -> String {
    format!("value of the secret with the number {nth}")
}

/// A sealed file with so many leaves, and a manifest that takes each of them.
fn write_input(dir: &Path, count: usize) -> PathBuf {
    let mut text = String::new();
    for nth in 0..count {
        writeln!(text, "secret_{nth}: {}", value(nth)).unwrap();
    }
    let recipient = std::fs::read_to_string(key("age-1.pub")).unwrap();
    let draft = DraftFile::parse(Format::Yaml, Secret::from_slice(text.as_bytes())).unwrap();
    let policy = Policy::age(&[&recipient]).unwrap();
    let sealed = draft.seal(&policy, "2026-01-02T03:04:05Z".parse().unwrap());
    let file = dir.join(format!("{count}.yaml"));
    std::fs::write(&file, sealed.unwrap().text()).unwrap();
    let secrets: Vec<String> = (0..count)
        .map(|nth| {
            format!(
                r#"{{"name":"secret_{nth}","key":"secret_{nth}","format":"yaml","mode":"0400","sopsFile":"{}"}}"#,
                file.display()
            )
        })
        .collect();
    let manifest = dir.join(format!("{count}.json"));
    let text = format!(
        r#"{{"secrets":[{}],"secretsMountPoint":"/run/secrets.d","symlinkPath":"/run/secrets","keepGenerations":1,"ageKeyFile":"{}"}}"#,
        secrets.join(","),
        key("age-1.txt").display()
    );
    std::fs::write(&manifest, text).unwrap();
    manifest
}

/// The whole process on a blank directory.
fn activate(dir: &Path, manifest: &Path, count: usize) -> Duration {
    let root = dir.join("root");
    let mut command = Command::new(env!("CARGO_BIN_EXE_ccsec"));
    command
        .arg("activate")
        .arg("--root")
        .arg(&root)
        .arg(manifest);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let start = Instant::now();
    let status = command.status().unwrap();
    let took = start.elapsed();
    assert!(status.success());
    let last = count - 1;
    let made = std::fs::read_to_string(root.join(format!("run/secrets/secret_{last}")));
    assert_eq!(made.unwrap(), value(last));
    std::fs::remove_dir_all(root).unwrap();
    took
}

fn bare_loop(dir: &Path, count: usize) -> Duration {
    let root = dir.join("loop");
    let start = Instant::now();
    std::fs::create_dir(&root).unwrap();
    for nth in 0..count {
        let path = root.join(format!("secret_{nth}"));
        let mut options = std::fs::OpenOptions::new();
        let mut file = options
            .write(true)
            .create_new(true)
            .mode(0o0)
            .open(&path)
            .unwrap();
        file.write_all(value(nth).as_bytes()).unwrap();
        assert_eq!(std::fs::read(&path).unwrap().len(), value(nth).len());
        std::os::unix::fs::fchown(&file, Some(0), Some(0)).unwrap();
        let permissions = std::fs::Permissions::from_mode(0o400);
        file.set_permissions(permissions).unwrap();
    }
    let took = start.elapsed();
    std::fs::remove_dir_all(root).unwrap();
    took
}
