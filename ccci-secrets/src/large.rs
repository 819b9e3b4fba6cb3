//! Large lists whose memory goes back to the system at once.
//!
//! The allocator of glibc takes it for a sign when a large block is freed that was mapped by itself: from then on it puts
//! blocks of that size into its heap, where each leaves a hole that the next hardly fits. A program that reads a file of
//! 16 MB a few times over so ends up with half the file again in holes. A block that is first cut down to almost nothing is no
//! such sign. Other allocators neither gain nor lose by it.

use std::fmt;
use std::ops::{Deref, DerefMut};

/// From this size on glibc maps blocks by themselves.
const LARGE: usize = 128 << 10;

/// Empties a list that is about to end.
pub(crate) fn give_back<T>(list: &mut Vec<T>) {
    if list.capacity().saturating_mul(size_of::<T>()) >= LARGE {
        list.clear();
        list.shrink_to(1);
    }
}

/// A list that may be large.
pub(crate) struct Large<T>(Vec<T>);

impl<T> Large<T> {
    pub(crate) fn with_capacity(capacity: usize) -> Self {
        Self(Vec::with_capacity(capacity))
    }
}

impl<T> Drop for Large<T> {
    fn drop(&mut self) {
        give_back(&mut self.0);
    }
}

impl<T> Default for Large<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> From<Vec<T>> for Large<T> {
    fn from(list: Vec<T>) -> Self {
        Self(list)
    }
}

impl<T> FromIterator<T> for Large<T> {
    fn from_iter<Items: IntoIterator<Item = T>>(items: Items) -> Self {
        Self(items.into_iter().collect())
    }
}

impl<T> Deref for Large<T> {
    type Target = Vec<T>;

    fn deref(&self) -> &Vec<T> {
        &self.0
    }
}

impl<T> DerefMut for Large<T> {
    fn deref_mut(&mut self) -> &mut Vec<T> {
        &mut self.0
    }
}

impl<'l, T> IntoIterator for &'l Large<T> {
    type Item = &'l T;
    type IntoIter = std::slice::Iter<'l, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

impl<T: fmt::Debug> fmt::Debug for Large<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
