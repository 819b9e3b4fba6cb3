//! The sidecar is harmless: real sops and rops open files that have one as if they had none, and drop it when they write.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use ccci_secrets::config::Policy;
use ccci_secrets::document::Format;
use ccci_secrets::env::Environment;
use ccci_secrets::file::{DraftFile, SealedFile};
use ccci_secrets::keyring::Keyring;
use ccci_secrets::secret::Secret;

use crate::program::Sops;
use crate::support::outline;

const FIELD: &str = "ccsec_layout";

fn testdata() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata")
}

fn key_file() -> PathBuf {
    testdata().join("sops/keys/age-1.txt")
}

fn recipient(name: &str) -> String {
    let text = std::fs::read_to_string(testdata().join("sops/keys").join(name)).unwrap();
    text.trim().to_owned()
}

fn seal(format: Format, text: &[u8]) -> Vec<u8> {
    let draft = DraftFile::parse(format, Secret::from_slice(text)).unwrap();
    let policy = Policy::age(&[&recipient("age-1.pub")]).unwrap();
    let now = "2026-01-02T03:04:05Z".parse().unwrap();
    draft.seal(&policy, now).unwrap().text().to_vec()
}

fn open(format: Format, sealed: &[u8]) -> Vec<u8> {
    let file = key_file();
    let environment = Environment::empty().with_var("SOPS_AGE_KEY_FILE", file.to_str().unwrap());
    let sealed = SealedFile::parse(format, Secret::from_slice(sealed)).unwrap();
    let opened = sealed.open(&Keyring::discover(&environment)).unwrap();
    let (plain, notes) = opened.expose_document().unwrap();
    assert_eq!(notes, []);
    plain.expose().to_vec()
}

/// A file of `testdata/hostile`, and what it is sealed to.
struct Sample {
    name: String,
    format: Format,
    plain: Vec<u8>,
    sealed: Vec<u8>,
}

impl Sample {
    fn all() -> Vec<Self> {
        let files = std::fs::read_dir(testdata().join("hostile")).unwrap();
        let mut paths: Vec<PathBuf> = files.map(|file| file.unwrap().path()).collect();
        paths.retain(|path| path.extension().is_some_and(|end| end != "md"));
        paths.sort();
        let sample = |path: PathBuf| {
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            let format = Format::of_file_name(&name);
            let plain = std::fs::read(&path).unwrap();
            Self {
                sealed: seal(format, &plain),
                name,
                format,
                plain,
            }
        };
        paths.into_iter().map(sample).collect()
    }

    fn has_sidecar(&self) -> bool {
        has_sidecar(&self.sealed)
    }

    /// Where the other formats are read, whatever the file is called.
    fn types(&self) -> [&'static str; 4] {
        let kind = self.format.as_str();
        ["--input-type", kind, "--output-type", kind]
    }
}

fn has_sidecar(text: &[u8]) -> bool {
    String::from_utf8_lossy(text).contains(FIELD)
}

fn run(sops: &Sops, dir: &Path, args: &[&str]) -> Output {
    let mut command = sops.command(dir);
    let command = command.env("SOPS_AGE_KEY_FILE", key_file());
    command.args(args).output().unwrap()
}

fn shown(text: &[u8]) -> String {
    String::from_utf8_lossy(text).into_owned()
}

#[test]
fn the_hostile_files_of_every_format_that_can_need_a_sidecar_have_one() {
    let samples = Sample::all();
    for format in [Format::Ini, Format::Json, Format::Yaml] {
        let has_one = |sample: &Sample| sample.format == format && sample.has_sidecar();
        assert!(samples.iter().any(has_one), "{format:?}");
    }
}

#[test]
fn sops_opens_files_as_if_they_had_no_sidecar() {
    let dir = tempfile::tempdir().unwrap();
    for sops in Sops::all() {
        let mut compared = 0;
        for sample in Sample::all().iter().filter(|sample| sample.has_sidecar()) {
            let name = &sample.name;
            let decrypt = |text: &[u8]| {
                std::fs::write(dir.path().join("file"), text).unwrap();
                let args = [&["decrypt"], &sample.types()[..], &["file"]].concat();
                run(sops, dir.path(), &args)
            };
            let with = decrypt(&sample.sealed);
            let without = decrypt(&without_field(&sample.sealed));
            assert_eq!(
                shown(&with.stdout),
                shown(&without.stdout),
                "{name}: {sops:?}"
            );
            assert_eq!(
                shown(&with.stderr),
                shown(&without.stderr),
                "{name}: {sops:?}"
            );
            if with.status.success() {
                assert_eq!(shown(&with.stderr), "", "{name}: {sops:?}");
                compared += 1;
            } else {
                eprintln!("{name}: {sops:?} opens it neither way");
            }
        }
        eprintln!("{compared} files with a sidecar opened by {sops:?}");
        assert!(compared >= 10, "{compared} files");
    }
}

#[test]
fn sops_drops_the_sidecar_when_it_writes_and_the_values_stay() {
    let dir = tempfile::tempdir().unwrap();
    for sops in Sops::all() {
        let mut compared = 0;
        for sample in Sample::all().iter().filter(|sample| sample.has_sidecar()) {
            std::fs::write(dir.path().join("file"), &sample.sealed).unwrap();
            let args = [&["rotate", "--in-place"], &sample.types()[..], &["file"]].concat();
            let rotated = run(sops, dir.path(), &args);
            if !rotated.status.success() {
                let said = shown(&rotated.stderr);
                eprintln!("{}: {sops:?} does not rotate: {said}", sample.name);
                continue;
            }
            let rewritten = std::fs::read(dir.path().join("file")).unwrap();
            assert!(!has_sidecar(&rewritten), "{}: {sops:?}", sample.name);
            let mut found = outline(sample.format, &open(sample.format, &rewritten));
            let mut expected = outline(sample.format, &sample.plain);
            // Comments in brackets come to stand elsewhere.
            for lines in [&mut found, &mut expected] {
                lines.retain(|line| !line.starts_with('#'));
            }
            assert_eq!(found, expected, "{}: {sops:?}", sample.name);
            compared += 1;
        }
        eprintln!("{compared} files with a sidecar written by {sops:?}");
        assert!(compared >= 5, "{compared} files");
    }
}

/// Runs rops on a sealed text, with an editor that adds a line; nothing if it is not installed.
fn rops(args: &[&str], input: &[u8]) -> Option<Output> {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = tempfile::tempdir().unwrap();
    let editor = dir.path().join("editor");
    std::fs::write(&editor, "#!/bin/sh\necho 'added: value' >> \"$1\"\n").unwrap();
    std::fs::set_permissions(&editor, std::fs::Permissions::from_mode(0o755)).unwrap();
    let key = std::fs::read_to_string(key_file()).unwrap();
    let key = key.lines().find(|line| line.starts_with("AGE-SECRET-KEY"));
    let mut command = Command::new("rops");
    command
        .args(args)
        .env("ROPS_AGE", key.unwrap())
        .env("EDITOR", &editor)
        .env_remove("RUST_BACKTRACE")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let Ok(mut child) = command.spawn() else {
        drop(writeln!(
            std::io::stderr(),
            "skip: rops is not on PATH, so nothing was compared with it"
        ));
        return None;
    };
    child.stdin.take().unwrap().write_all(input).unwrap();
    Some(child.wait_with_output().unwrap())
}

#[test]
fn rops_opens_files_as_if_they_had_no_sidecar_and_drops_it_when_it_writes() {
    let (mut opened, mut written) = (0, 0);
    let samples = Sample::all();
    let structured = |sample: &&Sample| matches!(sample.format, Format::Json | Format::Yaml);
    for sample in samples.iter().filter(structured) {
        if !sample.has_sidecar() {
            continue;
        }
        let kind = sample.format.as_str();
        let decrypt = |text: &[u8]| rops(&["decrypt", "--format", kind], text);
        let Some(with) = decrypt(&sample.sealed) else {
            return;
        };
        let bare = without_field(&sample.sealed);
        assert!(!has_sidecar(&bare), "{}", sample.name);
        let without = decrypt(&bare).unwrap();
        assert_eq!(with.status, without.status, "{}", sample.name);
        assert_eq!(
            shown(&with.stdout),
            shown(&without.stdout),
            "{}",
            sample.name
        );
        if !with.status.success() {
            eprintln!("{}: rops opens it neither way", sample.name);
            continue;
        }
        opened += 1;
        if sample.format != Format::Yaml {
            continue;
        }
        let edited = rops(&["edit", "--format", kind], &sample.sealed).unwrap();
        if !edited.status.success() {
            eprintln!("{}: rops does not edit it", sample.name);
            continue;
        }
        let text = shown(&edited.stdout);
        assert!(text.contains("added: ENC["), "{}: {text}", sample.name);
        assert!(!has_sidecar(&edited.stdout), "{}: {text}", sample.name);
        written += 1;
    }
    eprintln!("{opened} files with a sidecar opened by rops, {written} written");
    assert!(opened >= 3 && written >= 1, "{opened}, {written}");
}

/// The file without its sidecar, which stands on one line, or between quotes with a comma.
fn without_field(sealed: &[u8]) -> Vec<u8> {
    let text = shown(sealed);
    let (before, rest) = text.split_once(FIELD).unwrap();
    let (_, after) = rest.split_once(",type:bytes]").unwrap();
    let (before, after) = match before.strip_suffix('"') {
        Some(before) => (before, after.split_once(',').unwrap().1),
        None => {
            let line = before.rfind('\n').unwrap() + 1;
            (before.split_at(line).0, after.split_once('\n').unwrap().1)
        }
    };
    format!("{before}{after}").into_bytes()
}
