//! New content by reference, and the containers a path makes around it.

use super::NewNode;
use crate::path::Segment;
use crate::value::Value;

/// A [`NewNode`], possibly inside containers that the text does not have yet.
pub(super) enum Content<'a> {
    List(Vec<Self>),
    Map(Vec<(&'a str, Self)>),
    Null,
    Value(&'a Value<'static>),
}

impl<'a> Content<'a> {
    pub(super) fn of(new: &'a NewNode) -> Self {
        match new {
            NewNode::List(items) => Self::List(items.iter().map(Self::of).collect()),
            NewNode::Map(entries) => Self::Map(
                entries
                    .iter()
                    .map(|(key, value)| (key.as_str(), Self::of(value)))
                    .collect(),
            ),
            NewNode::Null => Self::Null,
            NewNode::Value(value) => Self::Value(value),
        }
    }

    /// Whether this is a container that is not empty: what block style gives lines of its own.
    pub(super) fn has_items(&self) -> bool {
        match self {
            Self::List(items) => !items.is_empty(),
            Self::Map(entries) => !entries.is_empty(),
            Self::Null | Self::Value(_) => false,
        }
    }

    /// `new` inside a map for every key and a list for every index; an index says no more than that there is a list.
    pub(super) fn nested(path: &'a [Segment], new: &'a NewNode) -> Self {
        path.iter()
            .rev()
            .fold(Self::of(new), |inner, segment| match segment {
                Segment::Index(_) => Self::List(vec![inner]),
                Segment::Key(key) => Self::Map(vec![(key, inner)]),
            })
    }
}
