//! The texts of keys.

use std::num::NonZeroU32;

/// The texts of keys that do not stand in the source as they are.
#[derive(Debug, Default)]
pub(crate) struct KeyTexts(Vec<Box<str>>);

/// Names one of [`KeyTexts`]: most entries have none, and this takes no more room than the place in a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct KeyText(NonZeroU32);

impl KeyTexts {
    /// Takes in a text.
    pub(crate) fn add(&mut self, text: impl Into<Box<str>>) -> KeyText {
        self.0.push(text.into());
        // No document has more keys than bytes, of which there are fewer than 2^32.
        let count = u32::try_from(self.0.len()).ok().and_then(NonZeroU32::new);
        KeyText(count.unwrap_or(NonZeroU32::MAX))
    }

    pub(crate) fn get(&self, text: KeyText) -> &str {
        let at = text.0.get() as usize - 1;
        self.0.get(at).map_or("", AsRef::as_ref)
    }
}

/// A token without the quotes around it.
pub(crate) fn unquoted(token: &[u8]) -> &[u8] {
    match token {
        [b'"', inner @ .., b'"'] | [b'\'', inner @ .., b'\''] => inner,
        _ => token,
    }
}
