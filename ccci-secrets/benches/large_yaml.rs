//! Time and peak memory for large YAML files: `cargo bench -p ccci-secrets --bench large_yaml`.
//!
//! Each measurement is a process of its own, because the peak of a process never goes down. The limits: ten times the leaves
//! take about ten times as long, and no more than three times the file in memory.
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a measuring program, run by hand"
)]

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use ccci_secrets::config::Policy;
use ccci_secrets::document::{Document, Format, NewNode};
use ccci_secrets::env::Environment;
use ccci_secrets::file::{DraftFile, SealedFile};
use ccci_secrets::keyring::Keyring;
use ccci_secrets::secret::Secret;

const OPERATIONS: [&str; 9] = [
    "read", "parse", "open", "decrypt", "seal", "set", "unset", "edit", "onto",
];
const SIZES: [usize; 2] = [10_000, 100_000];
const ROUNDS: usize = 3;

fn main() {
    let args: Vec<String> = std::env::args().collect();
    match args.get(1).map(String::as_str) {
        Some("--one") => one(&args[2], Path::new(&args[3])),
        _ => all(),
    }
}

fn key(name: &str) -> String {
    let keys = Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata/sops/keys");
    std::fs::read_to_string(keys.join(name)).unwrap()
}

fn policy() -> Policy {
    Policy::age(&[key("age-1.pub").trim()]).unwrap()
}

fn now() -> jiff::Timestamp {
    "2026-01-02T03:04:05Z".parse().unwrap()
}

/// Services with a handful of values each, as real files have them, or one value after the other.
fn plain_text(shape: &str, leaves: usize) -> String {
    let mut text = String::new();
    if shape == "flat" {
        for nth in 0..leaves {
            writeln!(text, "a-name-of-this-length-{nth}: correct horse {nth}").unwrap();
        }
        return text;
    }
    for nth in 0..leaves / 5 {
        write!(
            text,
            "service-{nth}:\n  user: application\n  password: 'correct horse {nth}'\n  port: {}\n  \
             limits: # per second\n    read: 1.50\n    hosts:\n      - host-{nth}.example.org\n",
            1024 + nth % 50_000
        )
        .unwrap();
    }
    text
}

fn all() {
    for shape in ["flat", "nested"] {
        println!("{shape}\noperation   leaves   file MB      ms   peak/file");
        measure(shape);
    }
}

fn measure(shape: &str) {
    let folder = tempfile::tempdir().unwrap();
    let files: Vec<_> = SIZES
        .iter()
        .map(|&leaves| {
            let plain = folder.path().join(format!("plain-{leaves}.yaml"));
            let sealed = folder.path().join(format!("sealed-{leaves}.yaml"));
            std::fs::write(&plain, plain_text(shape, leaves)).unwrap();
            let draft = DraftFile::parse(
                Format::Yaml,
                Secret::from_vec(std::fs::read(&plain).unwrap()),
            );
            std::fs::write(
                &sealed,
                draft.unwrap().seal(&policy(), now()).unwrap().text(),
            )
            .unwrap();
            (leaves, plain, sealed)
        })
        .collect();
    for operation in OPERATIONS {
        let mut times = Vec::new();
        for (leaves, plain, sealed) in &files {
            let file = if operation == "seal" { plain } else { sealed };
            let size = std::fs::metadata(sealed).unwrap().len() as f64;
            let (mut best, mut peak) = (f64::MAX, 0.0);
            for _ in 0..ROUNDS {
                let output = Command::new(std::env::current_exe().unwrap())
                    .args(["--one", operation])
                    .arg(file)
                    .output()
                    .unwrap();
                let numbers: Vec<f64> = String::from_utf8(output.stdout)
                    .unwrap()
                    .split_whitespace()
                    .map(|number| number.parse().unwrap())
                    .collect();
                best = f64::min(best, numbers[0]);
                peak = numbers[1] * 1024.0;
            }
            println!(
                "{operation:9} {leaves:8} {:9.1} {best:7.1} {:11.2}",
                size / 1e6,
                peak / size
            );
            times.push(best);
        }
        println!(
            "{operation:9} ten times the leaves take {:.1} times as long",
            times[1] / times[0]
        );
    }
}

fn one(operation: &str, file: &Path) {
    let keyring =
        Keyring::discover(&Environment::empty().with_var("SOPS_AGE_KEY", key("age-1.txt")));
    let policy = policy();
    let bytes = std::fs::read(file).unwrap();
    let start = Instant::now();
    let bytes = Secret::from_vec(bytes);
    let sealed = |bytes| SealedFile::parse(Format::Yaml, bytes).unwrap();
    match operation {
        "read" => drop(bytes),
        "parse" => drop(Document::parse(Format::Yaml, bytes).unwrap()),
        "open" => drop(sealed(bytes).open(&keyring).unwrap()),
        "decrypt" => drop(
            sealed(bytes)
                .open(&keyring)
                .unwrap()
                .into_exposed_document()
                .unwrap(),
        ),
        "seal" => drop(
            DraftFile::parse(Format::Yaml, bytes)
                .unwrap()
                .seal(&policy, now())
                .unwrap(),
        ),
        "set" => {
            let opened = sealed(bytes).open(&keyring).unwrap();
            let path = "[\"service-7\"][\"password\"]".parse().unwrap();
            let edited = opened.set(&path, &NewNode::text("changed")).unwrap();
            drop(edited.seal(now()).unwrap());
        }
        "unset" => {
            let opened = sealed(bytes).open(&keyring).unwrap();
            let edited = opened.unset(&a_key(file).parse().unwrap()).unwrap();
            drop(edited.seal(now()).unwrap());
        }
        // As an editing session: the plaintext comes out, and another one goes in.
        "edit" => {
            let opened = sealed(bytes).open(&keyring).unwrap();
            let (plain, _, older) = opened.into_editing().unwrap();
            let text = changed(plain.expose());
            drop(plain);
            let edited = older.edit(text).unwrap();
            drop(edited.seal(now()).unwrap());
        }
        // As `encrypt --onto`.
        "onto" => {
            let older = sealed(bytes).open(&keyring).unwrap().into_older().unwrap();
            let plain = Secret::from_vec(std::fs::read(plain_beside(file)).unwrap());
            let draft = DraftFile::parse(Format::Yaml, plain).unwrap();
            drop(older.lay_over(draft).unwrap().seal(now()).unwrap());
        }
        _ => panic!("no such operation"),
    }
    println!(
        "{} {}",
        start.elapsed().as_secs_f64() * 1e3,
        peak_kilobytes()
    );
}

/// A key at the top of a file.
fn a_key(file: &Path) -> String {
    let text = std::fs::read_to_string(plain_beside(file)).unwrap();
    let line = text
        .lines()
        .find(|line| line.starts_with(char::is_alphabetic));
    let key = line.and_then(|line| line.split(':').next()).unwrap();
    format!("[\"{key}\"]")
}

/// The plaintext of a sealed file.
fn plain_beside(file: &Path) -> std::path::PathBuf {
    let name = file.file_name().unwrap().to_str().unwrap();
    file.with_file_name(name.replace("sealed", "plain"))
}

/// The text with one value changed.
fn changed(plain: &[u8]) -> Secret {
    let text = std::str::from_utf8(plain).unwrap();
    Secret::from_vec(text.replacen("horse 77", "horse other", 1).into_bytes())
}

fn peak_kilobytes() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmHWM:"))
        .unwrap();
    line.split_whitespace().nth(1).unwrap().to_owned()
}
