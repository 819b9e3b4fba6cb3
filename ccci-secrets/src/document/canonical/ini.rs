//! INI: sections with a blank line between them, keys padded to one width, comments above their keys.

use std::collections::HashSet;

use super::{ConvertError, Token};
use crate::document::ini::{DEFAULT_SECTION, free_token, is_section_name, key_token};
use crate::document::plain_text::text_of;
use crate::document::{Format, Unwritable};
use crate::secret::Secret;
use crate::value::Value;

/// Writes a part that is a map of flat maps.
pub(super) fn write(part: &[&Token<'_>]) -> Result<Secret, ConvertError> {
    let sections = read(part)?;
    let mut out = Secret::with_capacity(part.len() * 32);
    for (nth, section) in sections.iter().enumerate() {
        let comment = section.comment.as_ref();
        if let Some(comment) = comment {
            push_comment(&mut out, comment, Trim::Signed);
        }
        let is_default = nth == 0 && section.name == DEFAULT_SECTION;
        if is_default && section.keys.is_empty() {
            continue;
        }
        if !is_default {
            out.extend(format!("[{}]\n", section.name).as_bytes());
        }
        let width = section.keys.iter().map(|key| key.name.len()).max();
        for key in &section.keys {
            if let Some(comment) = &key.comment {
                push_comment(&mut out, comment, Trim::All);
            }
            let width = width.unwrap_or_default();
            out.extend(format!("{:width$} = ", key.name).as_bytes());
            // EXPOSE: into the wiping output buffer.
            out.extend(key.value.expose());
            out.extend(b"\n");
        }
        if nth + 1 < sections.len() {
            out.extend(b"\n");
        }
    }
    Ok(out)
}

struct Section<'t> {
    name: &'t str,
    comment: Option<&'t [u8]>,
    keys: Vec<Key<'t>>,
}

struct Key<'t> {
    /// As it is written.
    name: String,
    value: Secret,
    comment: Option<&'t [u8]>,
}

/// Collects what the writer of ini.v1 would be given: a key has only the last of the comments behind it, and comments
/// between sections have no place.
fn read<'t>(part: &[&'t Token<'_>]) -> Result<Vec<Section<'t>>, ConvertError> {
    let mut sections: Vec<Section<'t>> = Vec::new();
    let mut names = HashSet::new();
    let mut key: Option<&'t str> = None;
    let mut depth = 0_usize;
    for token in part {
        match token {
            Token::OpenMap if depth == 0 => depth = 1,
            Token::OpenMap if depth == 1 => {
                sections.push(new_section(key.unwrap_or_default())?);
                names.clear();
                depth = 2;
            }
            Token::OpenList | Token::OpenMap => return Err(container(key)),
            Token::Close => depth = depth.saturating_sub(1),
            Token::Comment(_) if depth < 2 => {}
            Token::Comment(comment) => {
                if let Some(section) = sections.last_mut() {
                    // EXPOSE: into the wiping output buffer.
                    let text = Some(comment.text.expose()).filter(|text| !text.is_empty());
                    match section.keys.last_mut() {
                        Some(key) => key.comment = text,
                        None if section.comment.is_none() => section.comment = text,
                        None => {}
                    }
                }
            }
            Token::Key(name) => {
                key = Some(name);
                if depth == 2 && !names.insert(*name) {
                    return Err(bad_key(name));
                }
            }
            Token::Null | Token::Value(_) if depth < 2 => return Err(container(key)),
            // sops prints `<nil>`, which would read back as that text.
            Token::Null => push_key(&mut sections, key, Ok(Secret::from_slice(b"")))?,
            Token::Value(value) => push_key(&mut sections, key, value_token(value))?,
        }
    }
    Ok(sections)
}

fn value_token(value: &Value<'_>) -> Result<Secret, Unwritable> {
    // EXPOSE: into a wiping buffer.
    free_token(text_of(value).expose())
}

fn new_section(name: &str) -> Result<Section<'_>, ConvertError> {
    if !is_section_name(name) {
        return Err(bad_key(name));
    }
    Ok(Section {
        name,
        comment: None,
        keys: Vec::new(),
    })
}

fn push_key(
    sections: &mut [Section<'_>],
    key: Option<&str>,
    value: Result<Secret, Unwritable>,
) -> Result<(), ConvertError> {
    let key = key.unwrap_or_default();
    let name = key_token(key).ok_or_else(|| bad_key(key))?;
    let value = value.map_err(|reason| ConvertError::Unwritable {
        key: key.to_owned(),
        reason,
    })?;
    if let Some(section) = sections.last_mut() {
        section.keys.push(Key {
            name,
            value,
            comment: None,
        });
    }
    Ok(())
}

fn container(key: Option<&str>) -> ConvertError {
    ConvertError::Container {
        key: key.unwrap_or_default().to_owned(),
        format: Format::Ini,
    }
}

fn bad_key(key: &str) -> ConvertError {
    ConvertError::BadKey {
        key: key.to_owned(),
        format: Format::Ini,
    }
}

/// Which lines of a comment lose the blanks around them.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Trim {
    All,
    /// Those that have a sign already.
    Signed,
}

/// Every line with a sign; a sign it has already is set apart by a blank.
fn push_comment(out: &mut Secret, text: &[u8], trim: Trim) {
    for line in text.split(|byte| *byte == b'\n') {
        match line.split_first() {
            Some((sign @ (b'#' | b';'), rest)) => {
                out.extend(&[*sign, b' ']);
                out.extend(crate::document::ini::trim(rest));
            }
            _ => {
                out.extend(b"; ");
                out.extend(match trim {
                    Trim::All => crate::document::ini::trim(line),
                    Trim::Signed => line,
                });
            }
        }
        out.extend(b"\n");
    }
}
