//! The keys and files of `testdata/keys`, for the tests of this crate.

use std::path::PathBuf;

use crate::wrapped::WrappedGroup;
use crate::wrapped::WrappedKey;

pub(crate) fn path(name: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../testdata/keys")).join(name)
}

pub(crate) fn bytes(name: &str) -> Vec<u8> {
    std::fs::read(path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

pub(crate) fn text(name: &str) -> String {
    String::from_utf8(bytes(name)).expect("test data is text")
}

/// The age entries of a file that sops wrote, in order.
pub(crate) fn entries(name: &str) -> WrappedGroup {
    let text = text(name);
    let mut keys = Vec::new();
    let mut enc = String::new();
    let mut inside = false;
    for line in text.lines().map(str::trim) {
        inside |= line == "-----BEGIN AGE ENCRYPTED FILE-----";
        if inside {
            enc += line;
            enc.push('\n');
        }
        inside &= line != "-----END AGE ENCRYPTED FILE-----";
        if let Some(recipient) = line.trim_start_matches("- ").strip_prefix("recipient: ") {
            keys.push(WrappedKey::age(recipient, &std::mem::take(&mut enc)));
        }
    }
    WrappedGroup::new(keys)
}

/// The identity line of an age key file.
pub(crate) fn age_identity(name: &str) -> String {
    let text = text(name);
    let line = text.lines().find(|line| line.starts_with("AGE-"));
    line.expect("a key file holds an identity").into()
}

/// The private halves that must be in no message: whole, and each line of the SSH key that is not public.
pub(crate) fn canaries() -> Vec<String> {
    let mut canaries: Vec<String> = ["age-1.txt", "age-2.txt", "age-3.txt", "age-pq.txt"]
        .map(age_identity)
        .into();
    // The first two lines of an unencrypted OpenSSH key hold its header and its public half.
    let ssh = text("ssh_ed25519");
    canaries.extend(
        ssh.lines()
            .filter(|line| !line.starts_with('-'))
            .skip(2)
            .map(str::to_owned),
    );
    canaries
}

/// Checks that a text holds no private half, whatever its case.
pub(crate) fn assert_silent(text: &str) {
    let lower = text.to_lowercase();
    for canary in canaries() {
        assert!(!lower.contains(&canary.to_lowercase()), "a key in: {text}");
    }
}
