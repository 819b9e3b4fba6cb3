//! Text for new content, and where it goes.

mod alias;
mod block;
mod ending;
mod flow;
mod insert;
mod lines;
mod literal;
mod metadata;
mod place;
mod remove;
mod replace;
mod scalar;
mod token;

pub(crate) use self::alias::expand_aliases;
pub(crate) use self::insert::set;
pub(crate) use self::metadata::{append_metadata, remove_metadata};
pub(crate) use self::remove::remove;
pub(crate) use self::scalar::rewrite_scalar;
