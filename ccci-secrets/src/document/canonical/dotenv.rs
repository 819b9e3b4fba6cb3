//! dotenv: one line per key or comment.

use super::{ConvertError, Token};
use crate::document::{Format, dotenv};
use crate::secret::Secret;
use crate::value::Value;

/// Writes a part that is one flat map.
pub(super) fn write(part: &[&Token<'_>]) -> Result<Secret, ConvertError> {
    let mut out = Secret::with_capacity(part.len() * 32);
    let mut last_key = "";
    let inside = match part {
        [Token::OpenMap, inside @ ..] => inside,
        lone => lone,
    };
    for token in inside {
        match token {
            Token::Close => break,
            Token::Comment(comment) => {
                // EXPOSE: into the wiping output buffer; a line break must not end the comment.
                for line in comment.text.expose().split(|byte| *byte == b'\n') {
                    out.extend(b"#");
                    out.extend(line);
                    out.extend(b"\n");
                }
            }
            Token::Key(key) => {
                dotenv::check_key(key).map_err(|_| ConvertError::BadKey {
                    key: (*key).to_owned(),
                    format: Format::Dotenv,
                })?;
                out.extend(key.as_bytes());
                out.extend(b"=");
                last_key = key;
            }
            Token::OpenList | Token::OpenMap => {
                return Err(ConvertError::Container {
                    key: last_key.to_owned(),
                    format: Format::Dotenv,
                });
            }
            // sops prints `<nil>`, which would read back as that text.
            Token::Null => out.extend(b"\n"),
            Token::Value(value) => push_value(&mut out, value, last_key)?,
        }
    }
    Ok(out)
}

fn push_value(out: &mut Secret, value: &Value<'_>, key: &str) -> Result<(), ConvertError> {
    let raw = dotenv::raw_value(value).map_err(|reason| ConvertError::Unwritable {
        key: key.to_owned(),
        reason,
    })?;
    // EXPOSE: into the wiping output buffer.
    out.extend(raw.expose());
    out.extend(b"\n");
    Ok(())
}
