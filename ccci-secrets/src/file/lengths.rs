//! How long values are, which can be seen without a key: ciphertext is as long as what is sealed in it.

use super::SealedFile;
use crate::document::binary::DATA_KEY;
use crate::document::{Format, Resolved};
use crate::envelope::Envelope;
use crate::path::{Segment, TreePath};
use crate::value::{Kind, Value};

impl SealedFile {
    /// The length of the string at a path of the first part, in bytes; none if no string is there.
    #[must_use]
    pub fn text_len(&self, path: &TreePath) -> Option<usize> {
        let entry = self.entry(self.entry_at(path)?)?;
        let scalar = entry.leaf(&self.document)?;
        let Ok(Resolved::Value(Value::Str(text))) = self.document.resolve(scalar) else {
            return None;
        };
        // EXPOSE: only measured.
        let text = text.expose();
        match Envelope::parse(text) {
            Ok(envelope) if entry.selected => {
                let is_text = envelope.kind() == Kind::Str;
                let data = envelope.data().ok().filter(|_| is_text)?;
                Some(data.len())
            }
            _ => Some(text.len()),
        }
    }

    /// The length of the plaintext of a binary file; none for files of other formats, whose plaintext has a layout.
    #[must_use]
    pub fn binary_len(&self) -> Option<usize> {
        let is_binary = self.format() == Format::Binary;
        let path = is_binary.then(|| TreePath::root().child(Segment::Key(DATA_KEY.into())))?;
        self.text_len(&path)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
mod tests {
    use super::super::testing;

    #[test]
    fn lengths_that_are_seen_are_those_that_come_out() {
        let text = "a: four\nb: \"\"\nc: 12\nd: \"\\xe4\\0\\n\"\ne_unencrypted: clear\nf: [x, {g: yy}]\nn: null\n";
        let sealed = testing::seal(&testing::policy(), text).unwrap();
        let opened = testing::open(&testing::keyring(), &sealed).unwrap();
        let file = testing::parse_sealed(&sealed).unwrap();
        for (path, len) in [
            ("a", Some(4)),
            ("b", Some(0)),
            ("d", Some(4)),
            ("e_unencrypted", Some(5)),
            ("f[0]", Some(1)),
            ("f[1].g", Some(2)),
        ] {
            let path = path.parse().unwrap();
            assert_eq!(file.text_len(&path), len, "{path}");
            let leaf = opened.leaf(&path).unwrap();
            assert_eq!(Some(leaf.expose().len()), len, "{path}");
        }
        for path in ["c", "f", "n", "absent"] {
            assert_eq!(file.text_len(&path.parse().unwrap()), None, "{path}");
        }
        assert_eq!(file.binary_len(), None);
    }
}
