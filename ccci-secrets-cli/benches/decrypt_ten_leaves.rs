//! How long a whole process takes to decrypt a file of ten leaves, against named peers.
//!
//! `cargo bench -p ccci-secrets-cli --bench decrypt_ten_leaves`, with sops and rops on PATH. A peer that is not there is
//! named and left out. Outputs are compared before anything is timed; two programs run in turns, and what counts is the
//! median of the ratios of the pairs.
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a benchmark starts programs, writes its input and prints its result"
)]

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use ccci_secrets::config::Policy;
use ccci_secrets::document::Format;
use ccci_secrets::file::DraftFile;
use ccci_secrets::secret::Secret;

const PAIRS: usize = 101;

fn main() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("ten.yaml");
    std::fs::write(&file, sealed_ten_leaves()).unwrap();
    let ours = Program::ccsec(&file);
    let expected = values(&ours.run().0);
    assert_eq!(expected.len(), 10, "ccsec opens all leaves");
    println!(
        "decrypt, 10 leaves, whole process, {PAIRS} pairs in turns, median of paired ratios\n"
    );
    for peer in [Program::sops(&file), Program::rops(&file)] {
        match peer.usable(&expected) {
            Ok(()) => compare(&ours, &peer),
            Err(reason) => println!("{:<6} skipped: {reason}", peer.name),
        }
    }
}

/// One file that all of them read.
fn sealed_ten_leaves() -> Vec<u8> {
    let text: String = (0..10)
        .map(|leaf| format!("leaf_{leaf}: value number {leaf}\n"))
        .collect();
    let recipient = std::fs::read_to_string(key().with_file_name("age-1.pub")).unwrap();
    let draft = DraftFile::parse(Format::Yaml, Secret::from_slice(text.as_bytes())).unwrap();
    let sealed = draft
        .seal(
            &Policy::age(&[&recipient]).unwrap(),
            "2026-01-02T03:04:05Z".parse().unwrap(),
        )
        .unwrap();
    sealed.text().to_vec()
}

fn key() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata/sops/keys/age-1.txt")
}

/// A program and how it is asked to decrypt the file.
struct Program {
    name: &'static str,
    path: PathBuf,
    arguments: Vec<PathBuf>,
    input: Option<PathBuf>,
    variable: (&'static str, String),
    version: &'static str,
}

impl Program {
    fn ccsec(file: &Path) -> Self {
        Self {
            name: "ccsec",
            path: env!("CARGO_BIN_EXE_ccsec").into(),
            arguments: vec!["decrypt".into(), file.into()],
            input: None,
            variable: ("SOPS_AGE_KEY_FILE", key().display().to_string()),
            version: "--version",
        }
    }

    fn sops(file: &Path) -> Self {
        Self {
            name: "sops",
            path: "sops".into(),
            ..Self::ccsec(file)
        }
    }

    /// rops takes its input from a pipe only, and its keys from a variable.
    fn rops(file: &Path) -> Self {
        let text = std::fs::read_to_string(key()).unwrap();
        let identity = text
            .lines()
            .find(|line| line.starts_with("AGE-SECRET-KEY-"))
            .unwrap();
        Self {
            name: "rops",
            path: "rops".into(),
            arguments: vec!["decrypt".into(), "--format".into(), "yaml".into()],
            input: Some(file.into()),
            variable: ("ROPS_AGE", identity.into()),
            version: "--version",
        }
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.path);
        command
            .env("HOME", "/nonexistent")
            .env("SOPS_DISABLE_VERSION_CHECK", "1")
            .env_remove("SOPS_AGE_KEY")
            .env(self.variable.0, &self.variable.1);
        command
    }

    /// What it prints, and the time from its start to its end.
    fn run(&self) -> (String, Duration) {
        let input = match &self.input {
            Some(file) => Stdio::from(std::fs::File::open(file).unwrap()),
            None => Stdio::null(),
        };
        let mut command = self.command();
        command.args(&self.arguments).stdin(input);
        command.stdout(Stdio::piped()).stderr(Stdio::null());
        let mut output = String::new();
        let start = Instant::now();
        let mut child = command.spawn().unwrap();
        child
            .stdout
            .take()
            .unwrap()
            .read_to_string(&mut output)
            .unwrap();
        child.wait().unwrap();
        (output, start.elapsed())
    }

    /// A program that is absent, or gives another answer, has no time.
    fn usable(&self, expected: &[String]) -> Result<(), String> {
        let version = self
            .command()
            .arg(self.version)
            .output()
            .map_err(|error| format!("{} cannot be started: {error}", self.path.display()))?;
        let version = String::from_utf8_lossy(&version.stdout);
        let version = version.lines().next().filter(|line| !line.is_empty());
        let version = version.unwrap_or("(it prints no version)");
        println!("{:<6} {version}", self.name);
        if values(&self.run().0) == expected {
            Ok(())
        } else {
            Err("its output is not the ten values".into())
        }
    }
}

/// The lines of the output that hold leaves, without what the two may print differently around them.
fn values(output: &str) -> Vec<String> {
    output
        .lines()
        .filter(|line| line.starts_with("leaf_"))
        .map(|line| line.trim_end().replace(['"', '\''], ""))
        .collect()
}

fn compare(ours: &Program, peer: &Program) {
    for program in [ours, peer] {
        program.run();
    }
    let mut ratios = Vec::new();
    let (mut our_times, mut peer_times) = (Vec::new(), Vec::new());
    for pair in 0..PAIRS {
        // Who goes first changes, so that neither always finds the machine as the other left it.
        let (our_time, peer_time) = if pair % 2 == 0 {
            let our_time = ours.run().1;
            (our_time, peer.run().1)
        } else {
            let peer_time = peer.run().1;
            (ours.run().1, peer_time)
        };
        ratios.push(peer_time.as_secs_f64() / our_time.as_secs_f64());
        our_times.push(our_time.as_secs_f64() * 1e3);
        peer_times.push(peer_time.as_secs_f64() * 1e3);
    }
    println!(
        "{:<6} takes {:.2} times as long as ccsec (quartiles {:.2} to {:.2}; medians {:.2} ms and {:.2} ms)\n",
        peer.name,
        quantile(&mut ratios, 0.5),
        quantile(&mut ratios, 0.25),
        quantile(&mut ratios, 0.75),
        quantile(&mut peer_times, 0.5),
        quantile(&mut our_times, 0.5),
    );
}

fn quantile(numbers: &mut [f64], part: f64) -> f64 {
    numbers.sort_by(f64::total_cmp);
    let index = ((numbers.len() - 1) as f64 * part).round() as usize;
    numbers[index]
}
