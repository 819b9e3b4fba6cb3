//! What the manual says about the format, row by row.

use ccci_secrets::config::Policy;
use ccci_secrets::document::Format;
use ccci_secrets::env::Environment;
use ccci_secrets::file::{DraftFile, SealedFile};
use ccci_secrets::keyring::Keyring;
use ccci_secrets::secret::Secret;

use crate::program::Sops;

const MANUAL: &str = include_str!("../../src/manual/01_format.rs");

/// A row of a table: a format, and what stands in the other columns.
struct Row {
    format: Format,
    columns: Vec<String>,
}

/// The rows below a heading.
fn rows(heading: &str) -> Vec<Row> {
    let from = MANUAL.split_once(heading).unwrap().1;
    let section = from.split("\n//! # ").next().unwrap();
    let rows = section.lines().filter_map(|line| {
        let mut columns = line.strip_prefix("//! | ")?.split(" | ");
        let format = Format::from_name(columns.next()?)?;
        let columns = columns.map(str::to_owned).collect();
        Some(Row { format, columns })
    });
    rows.collect()
}

/// The bytes that code in a column stands for.
fn bytes(column: &str) -> Vec<u8> {
    let text = column.trim_matches('`').replace('⏎', "\n");
    let mut bytes = Vec::new();
    for part in text.split('⟨') {
        match part.split_once('⟩') {
            Some((byte, rest)) => {
                bytes.push(u8::from_str_radix(byte, 16).unwrap());
                bytes.extend(rest.as_bytes());
            }
            None => bytes.extend(part.as_bytes()),
        }
    }
    bytes
}

fn key(name: &str) -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../testdata/sops/keys")
        .join(name)
}

fn recipient() -> String {
    let text = std::fs::read_to_string(key("age-1.pub")).unwrap();
    text.trim().to_owned()
}

/// A row about a round trip: what is written, and what comes back of it, which is another text.
struct RoundTrip {
    row: Row,
    written: Vec<u8>,
    back: Vec<u8>,
    sealed: SealedFile,
}

/// The rows below a heading, as many as there are at least, each sealed.
fn round_trips(heading: &str, at_least: usize) -> Vec<RoundTrip> {
    let rows = rows(heading);
    assert!(rows.len() >= at_least, "{}", rows.len());
    let policy = Policy::age(&[&recipient()]).unwrap();
    let sealed = |row: Row| {
        let (written, back) = (bytes(&row.columns[0]), bytes(&row.columns[1]));
        assert_ne!(written, back);
        let draft = DraftFile::parse(row.format, Secret::from_slice(&written)).unwrap();
        let now = "2026-01-02T03:04:05Z".parse().unwrap();
        RoundTrip {
            sealed: draft.seal(&policy, now).unwrap(),
            row,
            written,
            back,
        }
    };
    rows.into_iter().map(sealed).collect()
}

fn keyring() -> Keyring {
    let key = key("age-1.txt");
    let environment = Environment::empty().with_var("SOPS_AGE_KEY_FILE", key.to_str().unwrap());
    Keyring::discover(&environment)
}

#[test]
fn what_the_manual_calls_refused_is_refused_here_and_taken_by_sops() {
    let rows = rows("# What is refused here");
    assert!(rows.len() >= 10, "{}", rows.len());
    let dir = tempfile::tempdir().unwrap();
    for row in rows {
        let input = bytes(&row.columns[0]);
        let error = DraftFile::parse(row.format, Secret::from_slice(&input)).unwrap_err();
        let message = &row.columns[1];
        assert!(error.to_string().contains(message), "{error} / {message}");
        let Some(sops) = Sops::newest() else {
            continue;
        };
        std::fs::write(dir.path().join("file"), &input).unwrap();
        let kind = row.format.as_str();
        let types = ["--input-type", kind, "--output-type", kind, "file"];
        let mut command = sops.command(dir.path());
        command.args(["encrypt", "--age", &recipient()]).args(types);
        assert!(
            command.output().unwrap().status.success(),
            "{}",
            row.columns[0]
        );
    }
}

#[test]
fn what_the_manual_calls_lost_is_lost_without_the_field_and_kept_with_it() {
    let keyring = keyring();
    for trip in round_trips("# What a round trip keeps", 18) {
        let with = trip.sealed.to_string();
        // By another name it is a field that nobody knows.
        let without = with.replace("ccsec_layout", "other_layout");
        for (sealed, expected) in [(&with, &trip.written), (&without, &trip.back)] {
            let file = SealedFile::parse(trip.row.format, Secret::from_slice(sealed.as_bytes()));
            let opened = file.unwrap().open(&keyring).unwrap();
            let (plain, _) = opened.expose_document().unwrap();
            let shown = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            assert_eq!(shown(plain.expose()), shown(expected), "{with}");
        }
    }
}

#[test]
fn what_the_manual_calls_lost_all_the_same_comes_back_as_it_says() {
    let keyring = keyring();
    for trip in round_trips("# What a round trip loses all the same", 3) {
        let opened = trip.sealed.open(&keyring).unwrap();
        let (plain, notes) = opened.expose_document().unwrap();
        assert_eq!(notes, []);
        assert_eq!(plain.expose(), trip.back, "{}", trip.row.columns[0]);
    }
}

/// What stands in the manual's second page about metadata and comments, as edits of a sealed file.
#[test]
fn what_the_manual_says_that_nobody_notices_is_not_noticed() {
    let keyring = keyring();
    let text = "# note\na: one\nn: null\nb_unencrypted: two\n";
    let draft = DraftFile::parse(Format::Yaml, Secret::from_slice(text.as_bytes())).unwrap();
    let policy = Policy::age(&[&recipient()]).unwrap();
    let now = "2026-01-02T03:04:05Z".parse().unwrap();
    let sealed = draft.seal(&policy, now).unwrap().to_string();
    let opens = |text: &str| {
        assert_ne!(text, sealed);
        let file = SealedFile::parse(Format::Yaml, Secret::from_slice(text.as_bytes()));
        file.is_ok_and(|file| file.open(&keyring).is_ok())
    };
    let comment = sealed.lines().next().unwrap();
    // A comment is gone, a null has another name, a clear value too, a rule covers less of what is to come.
    assert!(opens(&sealed.replace(&format!("{comment}\n"), "")));
    assert!(opens(&sealed.replace("\nn: null", "\nm: null")));
    assert!(opens(
        &sealed.replace("\nb_unencrypted: two", "\nc_unencrypted: two")
    ));
    assert!(opens(&sealed.replace(": _unencrypted", ": ed")));
    // What is noticed: another value, another name of a sealed one, and a rule that concerns what is there.
    assert!(!opens(&sealed.replace(": two", ": three")));
    assert!(!opens(&sealed.replace("\na: ENC", "\nz: ENC")));
    assert!(!opens(&sealed.replace(": _unencrypted", ": other")));
    assert!(!opens(
        &sealed.replace("unencrypted_suffix: _un", "unencrypted_regex: ^a$|")
    ));
}
