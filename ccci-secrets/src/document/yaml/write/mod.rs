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
mod replace;
mod scalar;
mod token;

pub(crate) use self::alias::expand_aliases;
pub(crate) use self::insert::set;
pub(crate) use self::metadata::{append_metadata, remove_metadata};
pub(crate) use self::scalar::rewrite_scalar;

use self::block::{LastLine, Layout};
use crate::document::NewNode;
use crate::document::content::Content;
use crate::secret::Secret;

/// Text of its own: block style, four columns for each level, as sops writes a file that it makes.
pub(crate) fn print(content: &NewNode) -> Secret {
    let layout = Layout {
        base: 0,
        step: 4,
        newline: b"\n",
        last_line: LastLine::Closed,
    };
    let mut text = block::text(&Content::of(content), 0, layout);
    text.extend(b"\n");
    text
}
