#![no_main]

use std::sync::LazyLock;

use ccci_secrets::config::Policy;
use ccci_secrets::document::{Document, Format, Item, Node, NodeId, Resolved};
use ccci_secrets::file::{DraftFile, SealedFile};
use ccci_secrets::key::age::x25519::X25519Identity;
use ccci_secrets::keyring::Keyring;
use ccci_secrets::secret::Secret;
use libfuzzer_sys::fuzz_target;

const KEY: &str = include_str!("../../testdata/sops/keys/age-1.txt");
const RECIPIENT: &str = include_str!("../../testdata/sops/keys/age-1.pub");
const PLAIN: &str =
    "s: text\ni: 42\nf: 1.5\nt: true\nl:\n  - one\n  - two\nm:\n  k: v\n  clear_unencrypted: 3\n";

static SEALED: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let draft = DraftFile::parse(Format::Yaml, Secret::from_slice(PLAIN.as_bytes())).unwrap();
    let policy = Policy::age(&[RECIPIENT.trim()]).unwrap();
    let sealed = draft.seal(&policy, jiff::Timestamp::UNIX_EPOCH).unwrap();
    sealed.text().to_vec()
});

static KEYRING: LazyLock<Keyring> = LazyLock::new(|| {
    let identity = KEY.lines().find_map(X25519Identity::parse).unwrap();
    Keyring::from_identities(vec![Box::new(identity)])
});

/// Four bytes are one change: where, what, and the new byte.
fn changed(mut text: Vec<u8>, changes: &[u8]) -> Vec<u8> {
    for change in changes.chunks_exact(4) {
        let at = usize::from(u16::from_be_bytes([change[0], change[1]])) % text.len();
        match change[2] % 3 {
            0 => text[at] = change[3],
            1 => text.insert(at, change[3]),
            _ if text.len() > 1 => {
                text.remove(at);
            }
            _ => {}
        }
    }
    text
}

/// All values, one behind the other: this is what the MAC covers.
fn values(document: &Document, id: NodeId, out: &mut Vec<u8>) {
    match document.target(id).1 {
        Node::Alias(_) => {}
        Node::Scalar(scalar) => {
            if let Ok(Resolved::Value(value)) = document.resolve(scalar) {
                out.extend_from_slice(value.canonical().expose());
            }
        }
        Node::List(collection) | Node::Map(collection) => {
            for item in &collection.items {
                match item {
                    Item::Comment(_) => {}
                    Item::Element(value) => values(document, *value, out),
                    Item::Entry(entry) => values(document, entry.value, out),
                }
            }
        }
    }
}

fn values_of(text: &[u8]) -> Vec<u8> {
    let document = Document::parse(Format::Yaml, Secret::from_slice(text)).unwrap();
    let mut out = Vec::new();
    for part in document.parts() {
        values(&document, part.root, &mut out);
    }
    out
}

fuzz_target!(|changes: &[u8]| {
    let text = changed(SEALED.clone(), changes);
    let Ok(file) = SealedFile::parse(Format::Yaml, Secret::from_slice(&text)) else {
        return;
    };
    let Ok(open) = file.open(&KEYRING) else {
        return;
    };
    let Ok((plain, _)) = open.expose_document() else {
        return;
    };
    assert_eq!(
        String::from_utf8_lossy(&values_of(plain.expose())),
        String::from_utf8_lossy(&values_of(PLAIN.as_bytes())),
        "{}",
        String::from_utf8_lossy(&text)
    );
});
