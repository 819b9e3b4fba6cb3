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
    /// What has a sidecar and would come back without it.
    needless: Vec<String>,
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
    if sealed.metadata.layout.is_some() {
        outcome.helped += 1;
        let bare = sidecar::place(sealed.document, None).into_text();
        let bare = SealedFile::parse(format, bare).unwrap();
        let (without, _) = bare.open(&keyring()).unwrap().expose_document().unwrap();
        if without.expose() == text {
            let text = String::from_utf8_lossy(text).into_owned();
            outcome.needless.push(text);
        }
    }
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
        let sealed = outcome.sealed();
        let name = format.as_str();
        eprintln!(
            "{name}: {} of {} made-up files came back byte for byte, {} of them with a sidecar; {} refused",
            outcome.same, sealed, outcome.helped, outcome.refused
        );
        outcome.lost.sort_by_key(String::len);
        for lost in outcome.lost.iter().take(4) {
            eprintln!("{name}, lost:\n{lost}\n=======");
        }
        assert_none(outcome.needless);
        assert!(sealed > 150, "{name}: too many are refused");
        assert!(outcome.same * 10 >= sealed * 9, "{name}");
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

#[test]
fn a_hostile_file_sealed_over_itself_is_the_same_file() {
    let keyring = keyring();
    for format in FORMATS {
        let mut same = 0;
        for seed in count("CCSEC_TEST_ROUND_TRIPS", 100) {
            let text = samples::file(format, seed);
            let Some((sealed, ..)) = round_trip(format, &text) else {
                continue;
            };
            let old = SealedFile::parse(format, Secret::from_slice(sealed.text())).unwrap();
            let draft = DraftFile::parse(format, Secret::from_slice(&text)).unwrap();
            let over = draft.onto(old.open(&keyring).unwrap()).unwrap();
            assert_eq!(over.seal(later()).unwrap().to_string(), sealed.to_string());
            same += 1;
        }
        eprintln!("{}: {same} files sealed twice", format.as_str());
    }
}

fn is_absent(text: &str, path: &TreePath) -> bool {
    let document = parse(text);
    find(&document, path).is_none_or(|node| document.text_span(node).is_empty())
}

/// The text on both sides of the node at a path. A tag that goes can leave blanks behind.
fn around(text: &str, path: &TreePath) -> (String, String) {
    let document = parse(text);
    let node = find(&document, path).unwrap();
    let span = document.text_span(node);
    let before = text[..span.start()].trim_end();
    (before.into(), text[span.end()..].into())
}

#[test]
fn one_change_leaves_the_text_of_all_other_values_as_it_was() {
    let keyring = keyring();
    let (mut wrong, mut done) = (Vec::new(), 0);
    for seed in count("CCSEC_TEST_ROUND_TRIPS", 200) {
        let text = String::from_utf8(samples::file(Format::Yaml, seed)).unwrap();
        let Ok(sealed) = seal(&policy(), &text) else {
            continue;
        };
        let (text, _) = plaintext(&open(&keyring, &sealed).unwrap()).unwrap();
        let mut leaves = super::laws::paths(&parse(&text));
        // A value that comes in needs a blank of its own.
        leaves.retain(|(path, _)| !is_absent(&text, path));
        let at = usize::try_from(seed).unwrap() % leaves.len().max(1);
        let Some((path, _)) = leaves.get(at) else {
            continue;
        };
        let new = crate::document::NewNode::text("changed");
        let edited = open(&keyring, &sealed).unwrap().set(path, &new).unwrap();
        let changed = edited.seal(later()).unwrap().to_string();
        let (plain, notes) = plaintext(&open(&keyring, &changed).unwrap()).unwrap();
        done += 1;
        // An alias of what is changed is written out.
        if !text.contains('*') && around(&text, path) != around(&plain, path) || !notes.is_empty() {
            wrong.push(format!("{text}\n>>> {path} {notes:?}\n{plain}"));
        }
    }
    eprintln!("{done} values set");
    assert_none(wrong);
}

#[test]
fn a_damaged_file_is_refused_or_comes_back_and_never_leaves_a_note() {
    for format in FORMATS {
        let mut outcome = Outcome::default();
        for seed in count("CCSEC_TEST_ROUND_TRIPS", 200) {
            try_one(format, &samples::damaged(format, seed), &mut outcome);
        }
        let (name, sealed) = (format.as_str(), outcome.sealed());
        eprintln!(
            "{name}: {} of {sealed} damaged files came back byte for byte, {} refused",
            outcome.same, outcome.refused
        );
        assert_none(outcome.needless);
        assert!(outcome.same * 10 >= sealed * 9, "{name}");
    }
}
