//! What holds for every YAML document, tried on made-up ones.

use super::*;
use crate::document::yaml::samples;
use crate::document::yaml::tests::go_yaml::describe;
use crate::document::{Item, NodeId};
use crate::key::age::x25519::generate_x25519;
use crate::keyring::Keyring;

const DOCUMENTS: u64 = 4000;

struct Keys {
    keyring: Keyring,
    policy: Policy,
}

fn keys() -> Keys {
    let (identity, recipient) = generate_x25519();
    let env = crate::env::Environment::empty().with_var("SOPS_AGE_KEY", identity.expose());
    Keys {
        keyring: Keyring::discover(&env),
        policy: Policy::age(&[&recipient]).unwrap(),
    }
}

fn now() -> jiff::Timestamp {
    "2026-01-02T03:04:05Z".parse().unwrap()
}

fn seal(keys: &Keys, text: &str) -> Result<String, String> {
    let draft = DraftFile::parse(Format::Yaml, Secret::from_slice(text.as_bytes()));
    let draft = draft.map_err(|error| format!("draft: {error}"))?;
    let sealed = draft.seal(&keys.policy, now());
    Ok(sealed
        .map_err(|error| format!("seal: {error}"))?
        .to_string())
}

fn open(keys: &Keys, sealed: &str) -> Result<String, String> {
    let file = SealedFile::parse(Format::Yaml, Secret::from_slice(sealed.as_bytes()));
    let file = file.map_err(|error| format!("parse: {error}"))?;
    let open = file
        .open(&keys.keyring)
        .map_err(|error| format!("open: {error}"))?;
    let plain = open
        .expose_document()
        .map_err(|error| format!("expose: {error}"))?
        .0;
    Ok(String::from_utf8(plain.expose().to_vec()).unwrap())
}

/// Every leaf with its path, type and value, aliases followed, and every comment that is not seen through an alias.
fn values(text: &str) -> Vec<String> {
    let document = Document::parse(Format::Yaml, Secret::from_slice(text.as_bytes())).unwrap();
    let mut found = Vec::new();
    for part in document.parts() {
        collect(&document, part.root, ":", false, &mut found);
    }
    found
}

fn collect(document: &Document, id: NodeId, path: &str, aliased: bool, found: &mut Vec<String>) {
    let aliased = aliased || matches!(document.node(id), Node::Alias(_));
    let collection = match document.target(id).1 {
        Node::Map(collection) | Node::List(collection) => collection,
        Node::Alias(_) => return,
        Node::Scalar(scalar) => {
            let value = match document.resolve(scalar).unwrap() {
                Resolved::Null => "null".to_owned(),
                Resolved::Value(value) => {
                    let bytes = value.canonical();
                    format!(
                        "{:?} {:?}",
                        value.kind(),
                        String::from_utf8_lossy(bytes.expose())
                    )
                }
            };
            return found.push(format!("{path} {value}"));
        }
    };
    found.push(path.to_owned());
    for item in &collection.items {
        match item {
            Item::Comment(_) if aliased => {}
            Item::Comment(comment) => {
                let text = String::from_utf8_lossy(document.source().slice(comment.span));
                found.push(format!("{path} {text}"));
            }
            Item::Element(id) => collect(document, *id, &format!("{path}[]"), aliased, found),
            Item::Entry(entry) => {
                let path = format!("{path}{}:", document.key(entry));
                collect(document, entry.value, &path, aliased, found);
            }
        }
    }
}

#[test]
fn what_is_sealed_and_opened_again_has_the_same_values() {
    let keys = keys();
    let mut wrong = Vec::new();
    let mut same = 0;
    let mut refused = 0;
    for seed in 0..DOCUMENTS {
        let text = samples::document(seed);
        let sealed = match seal(&keys, &text) {
            Ok(sealed) => sealed,
            Err(_) if describe(&text) == "error\n" => {
                refused += 1;
                continue;
            }
            Err(error) => {
                wrong.push(format!("{text}\n>>> {error}"));
                continue;
            }
        };
        match open(&keys, &sealed) {
            Err(error) => wrong.push(format!("{text}\n>>> {error}\n{sealed}")),
            Ok(plain) if plain == text => same += 1,
            Ok(plain) if values(&plain) == values(&text) => {}
            Ok(plain) => wrong.push(format!("{text}\n>>> became\n{plain}")),
        }
    }
    let count = wrong.len();
    wrong.sort_by_key(String::len);
    wrong.truncate(4);
    assert!(
        wrong.is_empty(),
        "{count} wrong:\n{}",
        wrong.join("\n=======\n")
    );
    eprintln!(
        "{same} of {} came back byte for byte, {refused} refused",
        DOCUMENTS - refused
    );
}
