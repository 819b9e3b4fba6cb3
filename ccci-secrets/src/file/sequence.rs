//! What a text must hold, in order, as a digest: the values themselves would take as much room as the text again.

use crate::digest::Sha512Stream;
use crate::value::{Kind, Value};

/// The leaves, or the comments, that a text must hold.
///
/// It is compared with another one of the same process and goes nowhere else.
#[derive(Debug, Default)]
pub(super) struct Sequence(Sha512Stream);

impl Sequence {
    pub(super) fn null(&mut self) {
        self.push(b"null", b"");
    }

    /// A value whose place does not count.
    pub(super) fn clear(&mut self, value: &Value<'_>) {
        // EXPOSE: to a digest that is only compared with another one.
        self.push(value.kind().as_str().as_bytes(), value.canonical().expose());
    }

    /// A value, its type and its place; `None` is null.
    pub(super) fn placed(&mut self, aad: &str, value: Option<(Kind, &[u8])>) {
        self.push(b"at", aad.as_bytes());
        match value {
            Some((kind, canonical)) => self.push(kind.as_str().as_bytes(), canonical),
            None => self.null(),
        }
    }

    pub(super) fn envelope(&mut self, text: &[u8]) {
        self.push(b"envelope", text);
    }

    pub(super) fn comment(&mut self, aad: &str, envelope: &[u8]) {
        self.push(aad.as_bytes(), envelope);
    }

    fn push(&mut self, what: &[u8], bytes: &[u8]) {
        for field in [what, bytes] {
            self.0.update(&field.len().to_le_bytes());
            self.0.update(field);
        }
    }

    pub(super) fn is(self, other: Self) -> bool {
        self.0.finish() == other.0.finish()
    }
}
