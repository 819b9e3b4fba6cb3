//! What is sealed and opened again comes back byte for byte: made-up files that are hard to give back, and those of
//! `testdata/hostile`, written by hand.
//!
//! `CCSEC_TEST_ROUND_TRIPS` sets how many are made up for each format, and `CCSEC_TEST_SEED` where their numbers start.

mod samples;

use std::path::Path;

use super::testing::*;
use super::*;

const FORMATS: [Format; 5] = [
    Format::Binary,
    Format::Dotenv,
    Format::Ini,
    Format::Json,
    Format::Yaml,
];

/// What became of some files.
#[derive(Default)]
struct Outcome {
    same: usize,
    /// With a sidecar.
    helped: usize,
    refused: usize,
    lost: Vec<String>,
}

impl Outcome {
    fn sealed(&self) -> usize {
        self.same + self.lost.len()
    }
}

/// Seals a file and opens it; `None` where it cannot be sealed.
fn round_trip(format: Format, text: &[u8]) -> Option<(SealedFile, Secret, Vec<Note>)> {
    let draft = DraftFile::parse(format, Secret::from_slice(text)).ok()?;
    let sealed = draft.seal(&policy(), now()).ok()?;
    let again = SealedFile::parse(format, Secret::from_slice(sealed.text())).unwrap();
    let (plain, notes) = again.open(&keyring()).unwrap().expose_document().unwrap();
    Some((sealed, plain, notes))
}

fn try_one(format: Format, text: &[u8], outcome: &mut Outcome) {
    let Some((sealed, plain, notes)) = round_trip(format, text) else {
        outcome.refused += 1;
        return;
    };
    assert_eq!(notes, [], "{sealed}");
    outcome.helped += usize::from(sealed.metadata.layout.is_some());
    if plain.expose() == text {
        outcome.same += 1;
    } else {
        let text = String::from_utf8_lossy(text);
        let plain = String::from_utf8_lossy(plain.expose());
        outcome.lost.push(format!("{text}\n>>> became\n{plain}"));
    }
}

#[test]
fn at_least_nine_of_ten_hostile_files_of_every_format_come_back_byte_for_byte() {
    for format in FORMATS {
        let mut outcome = Outcome::default();
        for seed in count("CCSEC_TEST_ROUND_TRIPS", 300) {
            try_one(format, &samples::file(format, seed), &mut outcome);
        }
        let name = format.as_str();
        eprintln!(
            "{name}: {} of {} made-up files came back byte for byte, {} of them with a sidecar; {} refused",
            outcome.same,
            outcome.sealed(),
            outcome.helped,
            outcome.refused
        );
        outcome.lost.sort_by_key(String::len);
        for lost in outcome.lost.iter().take(4) {
            eprintln!("{name}, lost:\n{lost}\n=======");
        }
        assert!(outcome.sealed() > 150, "{name}: too many are refused");
        assert!(outcome.same * 10 >= outcome.sealed() * 9, "{name}");
    }
}

#[test]
fn every_file_written_by_hand_comes_back_byte_for_byte() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata/hostile");
    let mut outcome = Outcome::default();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if name == "README.md" {
            continue;
        }
        let text = std::fs::read(&path).unwrap();
        let before = outcome.refused;
        try_one(Format::of_file_name(name), &text, &mut outcome);
        assert_eq!(outcome.refused, before, "{name} is refused");
    }
    assert!(outcome.same >= 15, "{} files", outcome.same);
    assert_none(outcome.lost);
}
