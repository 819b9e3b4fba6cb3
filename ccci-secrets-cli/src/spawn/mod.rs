//! The processes that the program starts.

pub(crate) mod editor;
