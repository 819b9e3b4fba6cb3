//! What a text must hold, in order, as a digest: the values themselves would take as much room as the text again.

use crate::digest::Sha512Stream;
use crate::value::{Kind, Value};

/// The leaves, or the comments, that a text must hold.
///
/// It is compared with another one of the same process and goes nowhere else.
#[derive(Debug, Default)]
pub(super) struct Sequence(Sha512Stream);

impl Sequence {
    pub(super) fn null(&mut self, aad: &str) {
        self.push(b"null", aad.as_bytes());
    }

    /// A value in the clear, its type and its place: no cipher binds it to that.
    pub(super) fn clear(&mut self, value: &Value<'_>, aad: &str) {
        // EXPOSE: to a digest that is only compared with another one.
        self.placed((value.kind(), value.canonical().expose()), aad);
    }

    /// The canonical bytes of a value, its type and its place.
    pub(super) fn placed(&mut self, (kind, canonical): (Kind, &[u8]), aad: &str) {
        self.push(b"place", aad.as_bytes());
        self.push(kind.as_str().as_bytes(), canonical);
    }

    /// A sealed value, which opens at its place only.
    pub(super) fn envelope(&mut self, text: &[u8]) {
        self.push(b"envelope", text);
    }

    /// Where a collection begins or ends.
    pub(super) fn mark(&mut self, what: &str) {
        self.push(b"mark", what.as_bytes());
    }

    pub(super) fn key(&mut self, key: &str) {
        self.push(b"key", key.as_bytes());
    }

    /// A scalar that has no value.
    pub(super) fn unreadable(&mut self, token: &[u8]) {
        self.push(b"unreadable", token);
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
