//! YAML as go-yaml prints the trees of sops: block style, comments as heads, feet and line comments.

mod emit;
mod nodes;
mod scalar;
mod writer;

use super::{ConvertError, Floats, Token};
use crate::secret::Secret;

/// Writes one document for each part.
pub(super) fn write(
    parts: &[Vec<&Token<'_>>],
    indent: u8,
    floats: Floats,
) -> Result<Secret, ConvertError> {
    let mut emitter = emit::Emitter::new(indent);
    for part in parts {
        let nodes = nodes::collect(part, floats);
        emitter.document(&nodes);
    }
    Ok(emitter.finish())
}
