//! Peak memory of the program on large YAML files: `cargo bench -p ccci-secrets-cli --bench memory_of_large_files`.
//!
//! What counts is the resident memory of the whole process at its height, code and all, as the kernel reports it when the
//! process is gone, against the size of the sealed file. The limit is three times the file; it fails where that is exceeded.
//! A peak depends a little on the allocator, so the highest of some runs counts.
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a benchmark starts programs, writes its input and prints its result"
)]

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use nix::sys::resource::{UsageWho, getrusage};

const LEAVES: usize = 100_000;
const RUNS: usize = 3;
const LIMIT: f64 = 3.0;
const SHAPES: [&str; 4] = ["flat", "short", "lists", "nested"];

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().collect();
    if args.get(1).map(String::as_str) == Some("--measure") {
        measure(&args[2..]);
        return ExitCode::SUCCESS;
    }
    let mut above = 0;
    for shape in SHAPES {
        let files = Files::make(shape);
        let size = std::fs::metadata(&files.sealed).unwrap().len() as f64;
        println!("{shape}: {LEAVES} leaves, {:.1} MB sealed", size / 1e6);
        for operation in files.operations() {
            let peaks = (0..RUNS).map(|_| operation.peak(&files));
            let ratio = peaks.fold(0.0, f64::max) / size;
            let mark = if ratio > LIMIT {
                "  above the limit"
            } else {
                ""
            };
            println!("  {:16} {ratio:5.2}{mark}", operation.name);
            above += usize::from(ratio > LIMIT);
        }
    }
    println!("\n{above} above {LIMIT} times the file");
    ExitCode::from(u8::from(above > 0))
}

/// A process of its own for each command: the kernel tells the peak of all children together.
fn measure(command: &[String]) {
    let status = Command::new(&command[0])
        .args(&command[1..])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .status()
        .unwrap();
    assert!(status.success(), "{command:?}: {status}");
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).unwrap();
    println!("{}", usage.max_rss());
}

/// A plaintext, one with another value in it, and the sealed file.
struct Files {
    folder: tempfile::TempDir,
    plain: PathBuf,
    changed: PathBuf,
    sealed: PathBuf,
    key: &'static str,
}

impl Files {
    fn make(shape: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let files = Self {
            plain: path("plain.yaml"),
            changed: path("changed.yaml"),
            sealed: path("sealed.yaml"),
            key: write_plain(&path("plain.yaml"), shape, "77"),
            folder,
        };
        write_plain(&files.changed, shape, "other");
        let mut encrypt = ccsec();
        encrypt.args(["encrypt", "--age", recipient().trim(), "--output"]);
        let status = encrypt.args([&files.sealed, &files.plain]).status();
        assert!(status.unwrap().success());
        files
    }

    fn operations(&self) -> Vec<Operation> {
        let target = self.folder.path().join("target.yaml");
        let [plain, changed, sealed, target] =
            [&self.plain, &self.changed, &self.sealed, &target].map(|path| path.to_str().unwrap());
        let key = self.key;
        let recipient = recipient();
        let age = ["--age", recipient.trim()];
        let of = |name, arguments: &[&str]| Operation {
            name,
            arguments: arguments
                .iter()
                .map(|&argument| argument.to_owned())
                .collect(),
        };
        vec![
            of("decrypt", &["decrypt", sealed]),
            of("extract", &["decrypt", "--extract", key, sealed]),
            of("encrypt", &["encrypt", age[0], age[1], plain]),
            of(
                "encrypt again",
                &["encrypt", age[0], age[1], "--output", target, plain],
            ),
            of(
                "encrypt changed",
                &["encrypt", age[0], age[1], "--output", target, changed],
            ),
            of(
                "onto",
                &["encrypt", age[0], age[1], "--onto", target, changed],
            ),
            of("set", &["set", target, key, "\"another value\""]),
            of("unset", &["unset", target, key]),
            of("edit", &["edit", target]),
        ]
    }
}

struct Operation {
    name: &'static str,
    arguments: Vec<String>,
}

impl Operation {
    /// In bytes.
    fn peak(&self, files: &Files) -> f64 {
        std::fs::copy(&files.sealed, files.folder.path().join("target.yaml")).unwrap();
        let mut command = Command::new(std::env::current_exe().unwrap());
        let editor = format!("cp {}", files.changed.display());
        let output = command
            .arg("--measure")
            .arg(env!("CARGO_BIN_EXE_ccsec"))
            .args(&self.arguments)
            .env("SOPS_AGE_KEY_FILE", key("age-1.txt"))
            .env("SOPS_EDITOR", editor)
            .stderr(Stdio::inherit())
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", self.name);
        let kilobytes = String::from_utf8(output.stdout).unwrap();
        kilobytes.trim().parse::<f64>().unwrap() * 1024.0
    }
}

/// Writes a plaintext without ever holding it, because a process is born with the peak of its parent; returns one of its
/// keys.
fn write_plain(path: &Path, shape: &str, nth_77: &str) -> &'static str {
    let mut out = BufWriter::new(File::create(path).unwrap());
    let nth_of = |nth: usize| match nth {
        77 => nth_77.to_owned(),
        _ => nth.to_string(),
    };
    match shape {
        "flat" => {
            for nth in 0..LEAVES {
                writeln!(
                    out,
                    "a-name-of-this-length-{nth}: correct horse {}",
                    nth_of(nth)
                )
                .unwrap();
            }
            "[\"a-name-of-this-length-99\"]"
        }
        "short" => {
            for nth in 0..LEAVES {
                writeln!(out, "leaf_{nth:06}: value number {}", nth_of(nth)).unwrap();
            }
            "[\"leaf_000099\"]"
        }
        "lists" => {
            for nth in 0..LEAVES / 5 {
                writeln!(out, "group-{nth}: # of hosts\n  # in order").unwrap();
                for host in 0..5 {
                    writeln!(out, "  - host-{host}.{}.example.org", nth_of(nth)).unwrap();
                }
            }
            "[\"group-99\"]"
        }
        _ => {
            for nth in 0..LEAVES / 5 {
                write!(
                    out,
                    "service-{nth}:\n  user: application\n  password: 'correct horse {}'\n  port: {}\n  \
                     limits: # per second\n    read: 1.50\n    hosts:\n      - host-{nth}.example.org\n",
                    nth_of(nth),
                    1024 + nth % 50_000
                )
                .unwrap();
            }
            "[\"service-99\"]"
        }
    }
}

fn ccsec() -> Command {
    Command::new(env!("CARGO_BIN_EXE_ccsec"))
}

fn recipient() -> String {
    std::fs::read_to_string(key("age-1.pub")).unwrap()
}

fn key(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../testdata/sops/keys")
        .join(name)
}
