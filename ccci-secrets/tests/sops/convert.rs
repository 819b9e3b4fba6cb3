//! Conversion between formats, and the layout of sops: compared with what real sops prints.
//!
//! Tests against sops are skipped, saying so, where it is not installed.

use std::path::{Path, PathBuf};
use std::process::Output;

use ccci_secrets::config::Policy;
use ccci_secrets::document::{CanonicalLayout, Format};
use ccci_secrets::env::Environment;
use ccci_secrets::file::{DraftFile, OpenFile, SealedFile};
use ccci_secrets::keyring::Keyring;
use ccci_secrets::secret::Secret;

use crate::program::Sops;

const FORMATS: [Format; 5] = [
    Format::Yaml,
    Format::Json,
    Format::Dotenv,
    Format::Ini,
    Format::Binary,
];

fn testdata() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata/sops")
}

fn recipient() -> String {
    let file = testdata().join("keys/age-1.pub");
    std::fs::read_to_string(file).unwrap().trim().to_owned()
}

/// The golden files that this build opens: where they are, what sops printed, and the opened file.
fn golden() -> Vec<(PathBuf, PathBuf, OpenFile)> {
    let manifest = std::fs::read_to_string(testdata().join("manifest.tsv")).unwrap();
    let rows = manifest.lines().skip(1).filter_map(|line| {
        let columns: Vec<&str> = line.split('\t').collect();
        let (variable, rest) = columns[4].split_once('=').unwrap();
        let key = testdata().join(rest.split(' ').next().unwrap());
        let environment = Environment::empty().with_var(variable, key.to_str().unwrap());
        let file = testdata().join(columns[0]);
        let newest = testdata().join(format!("{}-3.13.3", columns[2]));
        let plain = match newest.exists() {
            true => newest,
            false => testdata().join(columns[2]),
        };
        let sealed = SealedFile::read(&file, None).unwrap();
        let open = sealed.open(&Keyring::discover(&environment)).ok()?;
        Some((file, plain, open))
    });
    rows.collect()
}

fn expose(file: &OpenFile, format: Format) -> Result<String, String> {
    match file.expose_as(format, CanonicalLayout::default()) {
        Ok((text, _)) => Ok(shown(text.expose())),
        Err(error) => Err(error.to_string()),
    }
}

fn shown(bytes: &[u8]) -> String {
    bytes.escape_ascii().to_string().replace("\\n", "\n")
}

fn run(sops: &Sops, args: &[&str], dir: &Path) -> Output {
    let keys = testdata().join("keys");
    sops.command(dir)
        .args(args)
        .env("SOPS_AGE_KEY_FILE", keys.join("age-1-and-2.txt"))
        .env("SOPS_AGE_SSH_PRIVATE_KEY_FILE", keys.join("ssh_ed25519"))
        .output()
        .unwrap()
}

#[test]
fn golden_files_are_printed_as_sops_printed_them() {
    let golden = golden();
    assert!(golden.len() > 30, "{}", golden.len());
    for (file, plain, open) in golden {
        let format = Format::of_file_name(&file.to_string_lossy());
        let expected = shown(&std::fs::read(plain).unwrap());
        assert_eq!(expose(&open, format), Ok(expected), "{}", file.display());
    }
}

#[test]
fn every_conversion_of_a_golden_file_is_what_sops_prints_or_an_error() {
    let Some(sops) = Sops::newest() else {
        return;
    };
    let (mut same, mut refused) = (0, Vec::new());
    for (file, _, open) in golden() {
        let name = file.to_str().unwrap();
        for format in FORMATS {
            let args = ["decrypt", "--output-type", format.as_str(), name];
            let output = run(sops, &args, &testdata());
            let ours = expose(&open, format);
            match (ours, output.status.success()) {
                (Ok(ours), true) => {
                    // Null has no text; sops prints `<nil>`, which would read back as that.
                    let theirs = shown(&output.stdout).replace("=<nil>\n", "=\n");
                    assert_eq!(ours, theirs, "{name} as {}", format.as_str());
                    same += 1;
                }
                (Err(_), false) => same += 1,
                (Err(error), true) => {
                    refused.push(format!("{name} as {}: {error}", format.as_str()))
                }
                (Ok(ours), false) => panic!("sops refuses {name} as {}: {ours}", format.as_str()),
            }
        }
    }
    assert!(same > 150, "{same}");
    for line in &refused {
        eprintln!("refused here only: {line}");
    }
    // Several documents, of which sops prints the first; keys that stand twice, as no YAML reader takes them; bytes
    // that JSON cannot hold; lists below a section, which sops prints as Go shows them.
    let by_design = |line: &String| {
        [
            "several documents",
            "is already in this map",
            "is not UTF-8 text",
            "has a form that the format ini cannot hold",
        ]
        .iter()
        .any(|text| line.contains(text))
    };
    assert!(refused.iter().all(by_design), "{refused:#?}");
}

#[test]
fn what_is_converted_and_sealed_opens_again_in_sops_and_here() {
    let dir = tempfile::tempdir().unwrap();
    let policy = Policy::age(&[&recipient()]).unwrap();
    let key = testdata().join("keys/age-1.txt");
    let keyring = Keyring::discover(
        &Environment::empty().with_var("SOPS_AGE_KEY_FILE", key.to_str().unwrap()),
    );
    let mut opened = 0;
    for entry in std::fs::read_dir(testdata().join("inputs")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if name.ends_with(".sops.yaml") {
            continue;
        }
        let from = Format::of_file_name(&name);
        for format in FORMATS {
            let text = Secret::from_vec(std::fs::read(&path).unwrap());
            let draft = DraftFile::parse(from, text).unwrap();
            let Ok(converted) = draft.convert(format, CanonicalLayout::default()) else {
                continue;
            };
            let now = "2026-01-02T03:04:05Z".parse().unwrap();
            let sealed = converted.seal(&policy, now).unwrap();
            std::fs::write(dir.path().join("sealed"), sealed.text()).unwrap();
            let opened_here = sealed.open(&keyring).unwrap();
            let ours = expose(&opened_here, format).unwrap();
            let (kind, place) = (format.as_str(), dir.path());
            let args = [
                "decrypt",
                "--input-type",
                kind,
                "--output-type",
                kind,
                "sealed",
            ];
            // `Unknown datatype: time`
            let has_times = format != Format::Binary && name == "types.yaml";
            let able = Sops::all()
                .iter()
                .filter(|sops| !(sops.is_old() && has_times));
            for sops in able {
                let output = run(sops, &args, place);
                let about = format!("{sops:?} {name} as {kind}");
                assert_eq!(shown(&output.stderr), "", "{about}");
                let mut theirs = shown(&output.stdout);
                if sops.is_old() && format == Format::Json {
                    theirs.push('\n');
                }
                assert_eq!(ours, theirs, "{about}");
                opened += 1;
            }
        }
    }
    assert!(opened > 40 * Sops::all().len(), "{opened}");
}

/// The `sops` block of a YAML file: how far in each line stands, and the name in it.
fn block_of(sealed: &str) -> Vec<String> {
    let block = sealed.lines().skip_while(|line| *line != "sops:");
    let head = |line: &str| {
        let text = line.trim_start();
        let name = text.split(' ').find(|word| word.ends_with(':'));
        format!("{} {}", line.len() - text.len(), name.unwrap_or_default())
    };
    block.map(head).collect()
}

#[test]
fn the_block_of_a_new_yaml_file_is_indented_as_sops_indents_it() {
    let Some(sops) = Sops::newest() else {
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let text = "a:\n  b: 1\n# end\n";
    std::fs::write(dir.path().join("p.yaml"), text).unwrap();
    let policy = Policy::age(&[&recipient()]).unwrap();
    let key = testdata().join("keys/age-1.txt");
    let environment = Environment::empty().with_var("SOPS_AGE_KEY_FILE", key.to_str().unwrap());
    for yaml_indent in [0, 1, 2, 3, 5, 9, 10] {
        let spaces = yaml_indent.to_string();
        let args = [
            "--indent",
            &spaces,
            "encrypt",
            "--age",
            &recipient(),
            "p.yaml",
        ];
        let theirs = shown(&run(sops, &args, dir.path()).stdout);
        let draft = DraftFile::parse(Format::Yaml, Secret::from_slice(text.as_bytes())).unwrap();
        let sealed = draft
            .seal(&policy, "2026-01-02T03:04:05Z".parse().unwrap())
            .unwrap();
        let layout = CanonicalLayout {
            yaml_indent,
            ..CanonicalLayout::default()
        };
        let ours = sealed.laid_out(layout).unwrap();
        assert_eq!(
            block_of(&ours.to_string()),
            block_of(&theirs),
            "{yaml_indent}"
        );
        let opened = ours.open(&Keyring::discover(&environment)).unwrap();
        let (plain, _) = opened.expose_document().unwrap();
        assert_eq!(shown(plain.expose()), text);
    }
}
