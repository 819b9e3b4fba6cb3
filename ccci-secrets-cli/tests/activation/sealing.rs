//! How the operator's files come into the sops file: whole, and unseen by whoever looks at processes.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};

use ccci_secrets::digest::sha256;
use ccci_secrets::file::SealedFile;

use crate::fixtures::{CERTIFICATE, CERTIFICATE_KEY, TOKENS};
use crate::harness::Verdict;
use crate::world::World;

const FILE: &str = "added.yaml";
const NAMES: [&str; 2] = [CERTIFICATE, CERTIFICATE_KEY];

pub(crate) fn s02_certificate_and_key_are_added_from_files_byte_for_byte(world: &World) -> Verdict {
    seal_tokens(world);
    let is_over = AtomicBool::new(false);
    let seen = std::thread::scope(|scope| {
        let sampler = scope.spawn(|| sample(&is_over));
        let end = EndOf(&is_over);
        for ending in ENDINGS {
            add_both(world, ending);
        }
        drop(end);
        sampler.join().unwrap()
    });
    assert_unseen(world, &seen);
    let sealed = SealedFile::read(&world.src(FILE), None).unwrap();
    let mut recipients = sealed.recipients();
    recipients.sort();
    let mut expected = vec![world.host.clone(), world.recovery.clone()];
    expected.sort();
    assert_eq!(recipients, expected);
    Ok(())
}

/// Says that it is over, also when a check failed: nobody is waited for in vain.
struct EndOf<'a>(&'a AtomicBool);

impl Drop for EndOf<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// How a file of lines can end, and how its lines can.
#[derive(Clone, Copy, Debug)]
enum Ending {
    Crlf,
    NoNewline,
    OneNewline,
    TwoNewlines,
}

const ENDINGS: [Ending; 4] = [
    Ending::Crlf,
    Ending::NoNewline,
    Ending::OneNewline,
    Ending::TwoNewlines,
];

impl Ending {
    fn of(self, text: &[u8]) -> Vec<u8> {
        let text = String::from_utf8(text.to_vec()).unwrap();
        let text = text.trim_end();
        match self {
            Self::Crlf => format!("{}\r\n", text.replace('\n', "\r\n")),
            Self::NoNewline => text.to_owned(),
            Self::OneNewline => format!("{text}\n"),
            Self::TwoNewlines => format!("{text}\n\n"),
        }
        .into_bytes()
    }
}

/// The six tokens, sealed for whom the configuration names.
fn seal_tokens(world: &World) {
    let fixtures = world.fixtures();
    let plain: String = TOKENS
        .iter()
        .map(|name| {
            let value = String::from_utf8(fixtures.value(name)).unwrap();
            format!("{name}: {value}\n")
        })
        .collect();
    world.write(FILE, plain.as_bytes());
    let rules = format!(
        "keys:\n  - &host {}\n  - &master {}\ncreation_rules:\n  - path_regex: \\.yaml$\n    key_groups:\n      - age: [*host, *master]\n",
        world.host, world.recovery
    );
    world.write(".sops.yaml", rules.as_bytes());
    let mut command = world.command(&["encrypt", "-i", FILE]);
    let run = world.finish(command.current_dir(world.src("")).spawn().unwrap());
    assert_eq!(run.code, 0, "{}", run.stderr);
}

/// Adds certificate and key with lines that end in some way, and reads both back with every program there is.
fn add_both(world: &World, ending: Ending) {
    for name in NAMES {
        let bytes = ending.of(&world.fixtures().value(name));
        let file = world.src(&format!("{name}.pem"));
        world.write(&format!("{name}.pem"), &bytes);
        let mut command = world.command(&[
            "set",
            shown(&world.src(FILE)),
            &format!("[\"{name}\"]"),
            "--raw",
            &format!("--value-file={}", shown(&file)),
        ]);
        command.env("SOPS_AGE_SSH_PRIVATE_KEY_FILE", world.src("host"));
        let run = world.finish(command.spawn().unwrap());
        assert_eq!(run.code, 0, "{}", run.stderr);
    }
    for program in programs(world) {
        let names = decrypted_names(world, &program);
        assert_eq!(names.len(), 8, "{}: {names:?}", program.display());
        for name in NAMES {
            let source = std::fs::read(world.src(&format!("{name}.pem"))).unwrap();
            let path = format!("[\"{name}\"]");
            let found = decrypt(world, &program, &["--extract", &path]);
            assert!(
                sha256(&found) == sha256(&source),
                "{} gives {name} back as it was with {ending:?}",
                program.display()
            );
        }
    }
}

/// This program, and sops where it is.
fn programs(world: &World) -> Vec<PathBuf> {
    let mut programs = vec![world.program().to_owned()];
    let version = Command::new("sops")
        .args(["--version", "--disable-version-check"])
        .stderr(Stdio::null())
        .output();
    match version.is_ok_and(|output| output.status.success()) {
        true => programs.push("sops".into()),
        false => println!("  sops is not on PATH: what was added is read back by ccsec alone"),
    }
    programs
}

fn decrypted_names(world: &World, program: &Path) -> Vec<String> {
    let text = decrypt(world, program, &["--output-type", "json"]);
    let tree: BTreeMap<String, serde_json::Value> = serde_json::from_slice(&text).unwrap();
    tree.into_keys().collect()
}

/// What a program decrypts. It is the plaintext, so it goes past what looks for secrets in outputs.
fn decrypt(world: &World, program: &Path, how: &[&str]) -> Vec<u8> {
    let output = Command::new(program)
        .arg("decrypt")
        .args(how)
        .arg(world.src(FILE))
        .env("SOPS_DISABLE_VERSION_CHECK", "1")
        .env("SOPS_AGE_SSH_PRIVATE_KEY_FILE", world.src("host"))
        .env(
            "SOPS_AGE_KEY_FILE",
            world.fixtures().dir().join("recovery.txt"),
        )
        .env("HOME", "/nonexistent")
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{}: {told}", program.display());
    output.stdout
}

/// The command lines of all processes, over and over, until it is over.
fn sample(is_over: &AtomicBool) -> Vec<Vec<u8>> {
    let mut seen = Vec::new();
    while !is_over.load(Ordering::Relaxed) {
        for entry in std::fs::read_dir("/proc").unwrap() {
            // A process may be gone by now.
            let Ok(text) = std::fs::read(entry.unwrap().path().join("cmdline")) else {
                continue;
            };
            if !seen.contains(&text) {
                seen.push(text);
            }
        }
    }
    seen
}

fn assert_unseen(world: &World, seen: &[Vec<u8>]) {
    let is_ours = |text: &&Vec<u8>| contains(text, b"\0set\0") && contains(text, FILE.as_bytes());
    assert!(
        seen.iter().any(|text| is_ours(&text)),
        "the program was seen while it ran"
    );
    for name in TOKENS.into_iter().chain(NAMES) {
        let value = world.fixtures().value(name);
        for line in value
            .split(|byte| *byte == b'\n')
            .filter(|line| line.len() > 16)
        {
            let found = seen.iter().any(|text| contains(text, line));
            assert!(!found, "a line of {name} stands in a command line");
        }
    }
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

fn shown(path: &Path) -> &str {
    path.to_str().unwrap()
}
