use super::*;
use crate::config::Policy;
use crate::env::Environment;
use crate::file::DraftFile;
use crate::secret::Secret;

const WHY: &str = "a test";

const TEXT: &str = "# note\na: one\nb:\n    - two\n    - three\nc_unencrypted: four\n";

fn keyring() -> Keyring {
    let key = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../testdata/sops/keys/age-1.txt"
    );
    Keyring::discover(&Environment::empty().with_var("SOPS_AGE_KEY_FILE", key))
}

fn sealed() -> String {
    let recipient = include_str!("../../../testdata/sops/keys/age-1.pub").trim_ascii();
    let draft = DraftFile::parse(Format::Yaml, Secret::from_slice(TEXT.as_bytes())).unwrap();
    let policy = Policy::age(&[recipient]).unwrap();
    let now = "2026-01-02T03:04:05Z".parse().unwrap();
    draft.seal(&policy, now).unwrap().to_string()
}

fn parse(text: &str) -> SealedFile {
    SealedFile::parse(Format::Yaml, Secret::from_slice(text.as_bytes())).unwrap()
}

fn open(text: &str) -> UnverifiedFile {
    open_unverified(parse(text), &keyring(), WHY).unwrap()
}

fn plain(file: &UnverifiedFile) -> (String, Vec<Note>) {
    let (text, notes) = file.expose_document().unwrap();
    (String::from_utf8(text.expose().to_vec()).unwrap(), notes)
}

/// The line that starts like this, without its line break.
fn line<'t>(text: &'t str, start: &str) -> &'t str {
    let is_it = |line: &&str| line.trim_start().starts_with(start);
    text.lines().find(is_it).unwrap()
}

/// The file in three states in which no MAC matches, each with the fault that is found.
fn broken() -> Vec<(String, MacError)> {
    let whole = sealed();
    let mac = line(&whole, "mac:");
    vec![
        (whole.replace(": four", ": five"), MacError::Mismatch),
        (whole.replace(&format!("{mac}\n"), ""), MacError::Missing),
        (
            whole.replace(mac, "    mac: nonsense"),
            MacError::DoesNotOpen,
        ),
        (
            whole.replace("2026-01-02T03", "2026-01-02T04"),
            MacError::DoesNotOpen,
        ),
    ]
}

#[test]
fn a_file_whose_mac_matches_has_no_fault() {
    let file = open(&sealed());
    assert_eq!((file.fault(), file.reason()), (None, WHY));
    assert_eq!(plain(&file), (TEXT.to_owned(), Vec::new()));
}

#[test]
fn a_file_whose_mac_does_not_match_is_let_out_and_says_so() {
    for (text, fault) in broken() {
        let error = parse(&text).open(&keyring()).unwrap_err();
        assert!(matches!(error, OpenError::Mac(found) if found == fault));
        let file = open(&text);
        assert_eq!(file.fault(), Some(fault));
        let expected = match fault {
            MacError::Mismatch => TEXT.replace("four", "five"),
            _ => TEXT.to_owned(),
        };
        assert_eq!(plain(&file).0, expected);
    }
}

#[test]
fn a_value_that_does_not_open_is_an_error_all_the_same() {
    let text = sealed();
    let moved = text.replace("\na: ENC", "\nz: ENC");
    assert_ne!(text, moved);
    let error = open_unverified(parse(&moved), &keyring(), WHY).unwrap_err();
    assert!(matches!(error, OpenError::Leaf { .. }), "{error}");
}

#[test]
fn a_comment_that_opens_nowhere_stays_sealed() {
    let (text, other) = (sealed(), sealed());
    let comment = line(&other, "#");
    let text = text.replace(line(&text, "#"), comment);
    assert!(
        parse(&text)
            .open(&keyring())
            .unwrap()
            .expose_document()
            .is_err()
    );
    let (plain, notes) = plain(&open(&text));
    assert_eq!(notes, [Note::ClosedComment { line: 1 }]);
    assert_eq!(plain, TEXT.replace("# note", comment));
}

/// A file of each format without a MAC, and what was sealed in it.
fn without_a_mac() -> Vec<(Format, String, &'static str)> {
    let recipient = include_str!("../../../testdata/sops/keys/age-1.pub").trim_ascii();
    let plain = [
        (Format::Yaml, "a: one\n---\nb: two\n"),
        (Format::Json, "{\n\t\"a\": \"one\"\n}\n"),
        (Format::Dotenv, "a=one\n"),
        (Format::Ini, "[s]\na = one\n"),
        (Format::Binary, "one\n"),
    ];
    let sealed = plain.into_iter().map(|(format, text)| {
        let draft = DraftFile::parse(format, Secret::from_slice(text.as_bytes())).unwrap();
        let policy = Policy::age(&[recipient]).unwrap();
        let now = "2026-01-02T03:04:05Z".parse().unwrap();
        let sealed = draft.seal(&policy, now).unwrap().to_string();
        let is_mac = |line: &&str| {
            line.trim_start_matches([' ', '\t', '"'])
                .trim_start_matches("sops_")
                .starts_with("mac")
        };
        let lines = sealed.lines().filter(|line| !is_mac(line));
        (
            format,
            lines.map(|line| format!("{line}\n")).collect(),
            text,
        )
    });
    sealed.collect()
}

#[test]
fn a_change_brings_back_a_mac_that_is_missing_in_every_format() {
    for (format, text, plain) in without_a_mac() {
        let file = SealedFile::parse(format, Secret::from_slice(text.as_bytes())).unwrap();
        let file = open_unverified(file, &keyring(), WHY).unwrap();
        assert_eq!(file.fault(), Some(MacError::Missing), "{format:?}");
        let edited = Secret::from_slice(plain.replace("one", "new").as_bytes());
        let changed = adopt(file, WHY).edit(edited).unwrap();
        let now = "2026-02-03T04:05:06Z".parse().unwrap();
        let after = changed.seal(now).unwrap();
        let after = after.open(&keyring()).unwrap();
        let (text, _) = after.expose_document().unwrap();
        assert_eq!(text.expose(), plain.replace("one", "new").as_bytes());
    }
}

#[test]
fn a_change_of_adopted_values_gives_a_file_that_opens_again() {
    let now = "2026-02-03T04:05:06Z".parse().unwrap();
    for (text, _) in broken() {
        let adopted = || adopt(open(&text), WHY);
        let path = "a".parse().unwrap();
        let new = NewNode::text("new");
        assert!(!open(&text).holds(&path, &new) && adopted().reason() == WHY);
        let (plain, _) = plain(&open(&text));
        let edited = plain.replace("one", "new");
        for changed in [
            adopted().set(&path, &new).unwrap(),
            adopted()
                .edit(Secret::from_slice(edited.as_bytes()))
                .unwrap(),
            adopted().unset(&path).unwrap(),
        ] {
            let after = changed.seal(now).unwrap();
            // What was not changed keeps its envelope, and the keys stay.
            assert!(after.to_string().contains(line(&text, "- ENC")));
            assert!(after.to_string().contains("    age:\n"));
            after.open(&keyring()).unwrap();
        }
    }
}
