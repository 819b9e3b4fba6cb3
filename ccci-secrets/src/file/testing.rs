//! What the tests of this module share: throw-away keys, sealing and opening in one call, and documents as lists.

use super::*;
use crate::document::{Collection, Item, NodeId, Place};
use crate::keyring::Keyring;
use crate::selection::SelectionSettings;

pub(super) const RECIPIENT: &str =
    include_str!("../../../testdata/sops/keys/age-1.pub").trim_ascii();
pub(super) const KEY_FILE: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../testdata/sops/keys/age-1.txt"
);

pub(super) fn keyring() -> Keyring {
    Keyring::discover(&crate::env::Environment::empty().with_var("SOPS_AGE_KEY_FILE", KEY_FILE))
}

pub(super) fn policy() -> Policy {
    Policy::age(&[RECIPIENT]).unwrap()
}

/// A policy with one of the six settings.
pub(super) fn policy_with(setting: &str, value: &str) -> Policy {
    let mut settings = SelectionSettings::default();
    *crate::metadata::selection_field(&mut settings, setting).unwrap() = Some(value.to_owned());
    Policy {
        selection: crate::selection::Selection::compile(settings).unwrap(),
        ..policy()
    }
}

pub(super) fn now() -> jiff::Timestamp {
    "2026-01-02T03:04:05Z".parse().unwrap()
}

pub(super) fn later() -> jiff::Timestamp {
    "2027-02-03T04:05:06Z".parse().unwrap()
}

pub(super) fn parse(text: &str) -> Document {
    Document::parse(Format::Yaml, Secret::from_slice(text.as_bytes()))
        .unwrap_or_else(|error| panic!("{error}:\n{text}"))
}

pub(super) fn parse_sealed(text: &str) -> Result<SealedFile, FileError> {
    SealedFile::parse(Format::Yaml, Secret::from_slice(text.as_bytes()))
}

pub(super) fn seal(policy: &Policy, text: &str) -> Result<String, String> {
    let draft = DraftFile::parse(Format::Yaml, Secret::from_slice(text.as_bytes()));
    let draft = draft.map_err(|error| format!("draft: {error}"))?;
    let sealed = draft.seal(policy, now());
    Ok(sealed
        .map_err(|error| format!("seal: {error}"))?
        .to_string())
}

pub(super) fn open(keyring: &Keyring, sealed: &str) -> Result<OpenFile, String> {
    let file = parse_sealed(sealed).map_err(|error| format!("parse: {error}"))?;
    file.open(keyring).map_err(|error| format!("open: {error}"))
}

pub(super) fn plaintext(file: &OpenFile) -> Result<(String, Vec<Note>), String> {
    let (plain, notes) = file
        .expose_document()
        .map_err(|error| format!("expose: {error}"))?;
    Ok((String::from_utf8(plain.expose().to_vec()).unwrap(), notes))
}

/// One line for each leaf, collection and comment of a document.
#[derive(Clone, Copy)]
pub(super) struct Listing {
    /// Comments that are seen through aliases, as sops repeats them.
    pub(super) repeated_comments: bool,
    /// Comments that go-yaml attaches to nothing.
    pub(super) lost_comments: bool,
    /// Whether a number says if it is an int or a float: sops prints `1.0` as `1`.
    pub(super) exact_numbers: bool,
}

/// All there is, and comments once.
pub(super) const ALL: Listing = Listing {
    repeated_comments: false,
    lost_comments: true,
    exact_numbers: true,
};

/// What sops makes of a document.
pub(super) const AS_SOPS: Listing = Listing {
    repeated_comments: true,
    lost_comments: false,
    exact_numbers: false,
};

/// The values of a document with their paths, and its comments with the paths of their containers; `sops` left out.
pub(super) fn list(document: &Document, listing: Listing) -> (Vec<String>, Vec<String>) {
    let mut lists = (Vec::new(), Vec::new());
    for (nth, part) in document.parts().iter().enumerate() {
        let path = format!("{nth} ");
        push(document, part.root, &path, false, listing, &mut lists);
    }
    lists.1.sort();
    lists
}

/// Everything in the order of the text.
pub(super) fn values(text: &str) -> (Vec<String>, Vec<String>) {
    list(&parse(text), ALL)
}

fn push(
    document: &Document,
    id: NodeId,
    path: &str,
    aliased: bool,
    listing: Listing,
    lists: &mut (Vec<String>, Vec<String>),
) {
    let aliased = aliased || matches!(document.node(id), Node::Alias(_));
    let collection = match document.target(id).1 {
        Node::Map(collection) | Node::List(collection) => collection,
        Node::Alias(_) => return,
        Node::Scalar(scalar) => {
            let value = describe(document.resolve(scalar), listing);
            return lists.0.push(format!("{path} {value}"));
        }
    };
    lists.0.push(path.to_owned());
    push_items(document, collection, path, aliased, listing, lists);
}

fn push_items(
    document: &Document,
    collection: &Collection,
    path: &str,
    aliased: bool,
    listing: Listing,
    lists: &mut (Vec<String>, Vec<String>),
) {
    for item in &collection.items {
        match item {
            Item::Comment(_) if aliased && !listing.repeated_comments => {}
            Item::Comment(comment) if comment.place == Place::Lost && !listing.lost_comments => {}
            Item::Comment(comment) => {
                let text = String::from_utf8_lossy(document.source().slice(comment.text()));
                lists.1.push(format!("{path} #{text}"));
            }
            Item::Element(id) => push(document, *id, &format!("{path}[]"), aliased, listing, lists),
            Item::Entry(entry) if path.len() == 2 && document.key(entry) == "sops" => {}
            Item::Entry(entry) => {
                let path = format!("{path}{}:", document.key(entry));
                push(document, entry.value, &path, aliased, listing, lists);
            }
        }
    }
}

fn describe(resolved: Result<Resolved<'_>, ScalarError>, listing: Listing) -> String {
    let Resolved::Value(value) = resolved.unwrap() else {
        return "null".to_owned();
    };
    let bytes = value.canonical();
    let text = String::from_utf8_lossy(bytes.expose()).into_owned();
    match value.kind() {
        Kind::Int | Kind::Float if !listing.exact_numbers => {
            // -0.0 and 0 are the same number to a reader.
            format!(
                "number {}",
                text.strip_prefix("-0")
                    .filter(|rest| rest.is_empty())
                    .map_or(text.as_str(), |_| "0")
            )
        }
        // sops prints null for these: it encodes each scalar on its own, and cannot read back what it wrote.
        Kind::Str if !listing.exact_numbers && text.starts_with('\t') && text.contains('\n') => {
            "null".to_owned()
        }
        kind => format!("{} {text:?}", kind.as_str()),
    }
}

/// Ends a test that compared many texts: none may be wrong, and the shortest wrong ones are shown.
pub(super) fn assert_none(mut wrong: Vec<String>) {
    let count = wrong.len();
    wrong.sort_by_key(String::len);
    wrong.truncate(4);
    assert!(
        wrong.is_empty(),
        "{count} wrong:\n{}",
        wrong.join("\n=======\n")
    );
}

/// How many made-up texts a test looks at: its own number, or more on demand.
pub(super) fn count(name: &str, default: u64) -> std::ops::Range<u64> {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse().ok());
    let start = number("CCSEC_TEST_SEED").unwrap_or(1);
    start..start + number(name).unwrap_or(default)
}
