//! Files that real sops made open to what the same sops printed for them: `testdata/sops`, see the README there.

use std::path::{Path, PathBuf};

use ccci_secrets::document::Format;
use ccci_secrets::env::Environment;
use ccci_secrets::error::ErrorCode;
use ccci_secrets::file::{OpenError, SealedFile};
use ccci_secrets::keyring::Keyring;

use crate::support;

/// What this build does not open yet, by name: whoever builds it finds this test red.
const NOT_YET: [(&str, ErrorCode, &str); 2] = [
    ("3.13.1/yaml-pq.yaml", ErrorCode::NoIdentity, "post-quantum"),
    ("3.13.3/yaml-pq.yaml", ErrorCode::NoIdentity, "post-quantum"),
];

struct Row {
    file: String,
    plain: String,
    keyring: Keyring,
}

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata/sops")
}

fn rows() -> Vec<Row> {
    let manifest = std::fs::read_to_string(directory().join("manifest.tsv")).unwrap();
    let rows = manifest.lines().skip(1).map(|line| {
        let columns: Vec<&str> = line.split('\t').collect();
        // The key of the command is in the variable before it.
        let (variable, rest) = columns[4].split_once('=').unwrap();
        let key = directory().join(rest.split(' ').next().unwrap());
        let environment = Environment::empty().with_var(variable, key.to_str().unwrap());
        Row {
            file: columns[0].to_owned(),
            plain: columns[2].to_owned(),
            keyring: Keyring::discover(&environment),
        }
    });
    rows.collect()
}

/// The plaintext, or the code and the text of the error, with the report of the identities that were tried.
fn open(row: &Row) -> Result<Vec<u8>, (ErrorCode, String)> {
    let file = SealedFile::read(&directory().join(&row.file), None)
        .map_err(|error| (error.code(), error.to_string()))?;
    let open = file.open(&row.keyring).map_err(|error| {
        let report = match &error {
            OpenError::NoKey(unwrap) => unwrap.report().map(ToString::to_string),
            _ => None,
        };
        (
            error.code(),
            format!("{error}\n{}", report.unwrap_or_default()),
        )
    })?;
    let (plain, notes) = open.expose_document().unwrap();
    assert_eq!(notes, [], "{}", row.file);
    Ok(plain.expose().to_vec())
}

#[test]
fn every_file_opens_to_the_values_keys_and_comments_that_sops_prints() {
    let mut opened = 0;
    for row in rows() {
        if NOT_YET.iter().any(|(name, ..)| *name == row.file) {
            continue;
        }
        let ours = open(&row).unwrap_or_else(|(_, text)| panic!("{}: {text}", row.file));
        let theirs = std::fs::read(directory().join(&row.plain)).unwrap();
        let format = Format::of_file_name(&row.file);
        if format == Format::Binary {
            assert_eq!(ours, theirs, "{}", row.file);
        } else {
            let (ours, theirs) = (
                support::outline(format, &ours),
                support::outline(format, &theirs),
            );
            assert_eq!(ours, theirs, "{}", row.file);
        }
        opened += 1;
    }
    assert_eq!(opened, rows().len() - NOT_YET.len());
}

#[test]
fn every_golden_file_of_every_version_is_in_the_manifest() {
    let known: Vec<String> = rows().into_iter().map(|row| row.file).collect();
    for (version, expected) in [("3.13.3", 33), ("3.13.1", 33), ("3.9.0", 28)] {
        let entries = std::fs::read_dir(directory().join(version)).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let files: Vec<String> = names.filter(|name| !name.contains(".plain")).collect();
        assert_eq!(files.len(), expected, "{version}");
        for name in files {
            assert!(known.contains(&format!("{version}/{name}")), "{name}");
        }
    }
}

#[test]
fn what_is_not_built_yet_is_refused_by_a_clear_error() {
    let rows = rows();
    for (name, code, said) in NOT_YET {
        let row = rows.iter().find(|row| row.file == name).unwrap();
        let (found, text) = open(row).expect_err(name);
        assert_eq!(found, code, "{name}: {text}");
        assert!(text.contains(said), "{name}: {text}");
    }
}
