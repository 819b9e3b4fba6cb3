//! The text of an age key file.

use crate::key::UnbuiltKind;
use crate::key::age::plugin::PluginIdentity;
use crate::key::age::x25519::X25519Identity;
use crate::keyring::key_file::KeyFileReason;

/// How identities stand in a text (sops-cli.md, section 7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Layout {
    /// One on a line, nothing around it: key files and the output of commands.
    Lines,
    /// Separated by any space: `$SOPS_AGE_KEY`.
    Words,
}

/// The identities of a text, and those that this build cannot use.
#[derive(Debug, Default)]
pub(super) struct AgeKeys {
    pub(super) identities: Vec<X25519Identity>,
    pub(super) plugins: Vec<PluginIdentity>,
    pub(super) unbuilt: Vec<UnbuiltIdentity>,
}

/// An identity of a kind that this build does not support.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct UnbuiltIdentity {
    /// The line, from 1.
    pub line: usize,
    /// Its kind.
    pub kind: UnbuiltKind,
}

/// Reads identities. One bad line makes the whole text unusable, as in sops.
pub(super) fn parse_age_keys(text: &[u8], layout: Layout) -> Result<AgeKeys, KeyFileReason> {
    if text.trim_ascii().is_empty() {
        return Err(KeyFileReason::Empty);
    }
    if is_age_file(text) {
        return Err(KeyFileReason::PassphraseProtected);
    }
    if contains(text, b"-----BEGIN ") && contains(text, b"PRIVATE KEY-----") {
        return Err(KeyFileReason::SshKey);
    }
    let mut keys = AgeKeys::default();
    for (index, line) in text.split(|byte| *byte == b'\n').enumerate() {
        read_line(line, layout, index + 1, &mut keys)?;
    }
    match keys.unbuilt.first() {
        _ if !keys.identities.is_empty() || !keys.plugins.is_empty() => Ok(keys),
        Some(UnbuiltIdentity { line, kind }) => Err(KeyFileReason::NotBuilt {
            line: *line,
            kind: kind.clone(),
        }),
        None => Err(KeyFileReason::CommentsOnly),
    }
}

fn read_line(
    line: &[u8],
    layout: Layout,
    number: usize,
    keys: &mut AgeKeys,
) -> Result<(), KeyFileReason> {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let bad = || KeyFileReason::BadLine { line: number };
    let line = std::str::from_utf8(line).map_err(|_| bad())?;
    if line.starts_with("age1") || line.starts_with("ssh-") {
        return Err(KeyFileReason::PublicKey);
    }
    if line.is_empty() || line.starts_with('#') {
        return Ok(());
    }
    let mut add = |word| keys.add(word, number).ok_or_else(bad);
    match layout {
        Layout::Lines => add(line),
        Layout::Words => line.split_whitespace().try_for_each(add),
    }
}

impl AgeKeys {
    fn add(&mut self, word: &str, line: usize) -> Option<()> {
        if word.starts_with("AGE-SECRET-KEY-PQ-1") {
            let kind = UnbuiltKind::PostQuantum;
            self.unbuilt.push(UnbuiltIdentity { line, kind });
        } else if word.starts_with("AGE-PLUGIN-") {
            self.plugins.push(PluginIdentity::parse(word)?);
        } else {
            self.identities.push(X25519Identity::parse(word)?);
        }
        Some(())
    }
}

/// Whether the text is itself an age file, binary or armored: a key file under a passphrase.
fn is_age_file(text: &[u8]) -> bool {
    text.starts_with(b"age-encryption.org/")
        || text
            .trim_ascii_start()
            .starts_with(b"-----BEGIN AGE ENCRYPTED FILE-----")
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    memchr::memmem::find(text, part).is_some()
}
