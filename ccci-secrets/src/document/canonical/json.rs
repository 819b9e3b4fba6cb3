//! JSON: one entry a line, `<`, `>` and `&` escaped, no comments.

use super::{ConvertError, Floats, Token};
use crate::document::json::push_json_string;
use crate::document::{Format, number};
use crate::secret::Secret;
use crate::value::Value;

/// Writes a part, or any value, without a line feed at the end.
pub(super) fn write(
    part: &[&Token<'_>],
    indent: Option<u8>,
    floats: Floats,
) -> Result<Secret, ConvertError> {
    let step = match indent {
        None => "\t".to_owned(),
        Some(spaces) => " ".repeat(usize::from(spaces)),
    };
    let mut writer = Writer {
        out: Secret::with_capacity(part.len() * 32),
        step,
        floats,
        open: Vec::new(),
        key: None,
    };
    for token in part {
        writer.token(token)?;
    }
    Ok(writer.out)
}

struct Writer<'a> {
    out: Secret,
    step: String,
    floats: Floats,
    open: Vec<Open>,
    key: Option<&'a str>,
}

struct Open {
    closing: &'static [u8],
    is_empty: bool,
}

impl<'a> Writer<'a> {
    fn token(&mut self, token: &Token<'a>) -> Result<(), ConvertError> {
        match token {
            Token::Comment(_) => {}
            Token::Key(key) => {
                self.item();
                push_json_string(&mut self.out, key.as_bytes());
                self.out.extend(b": ");
                self.key = Some(key);
            }
            Token::OpenList => self.open(b"[", b"]"),
            Token::OpenMap => self.open(b"{", b"}"),
            Token::Close => self.close(),
            Token::Null => {
                self.value_place();
                self.out.extend(b"null");
            }
            Token::Value(value) => {
                self.value_place();
                self.value(value)?;
            }
        }
        Ok(())
    }

    /// A value stands behind its key, or as an item of its own.
    fn value_place(&mut self) {
        let in_list = self.open.last().is_some_and(|open| open.closing == b"]");
        if in_list {
            self.item();
        }
    }

    fn item(&mut self) {
        if let Some(open) = self.open.last_mut() {
            if !open.is_empty {
                self.out.extend(b",");
            }
            open.is_empty = false;
        }
        self.line();
    }

    fn line(&mut self) {
        self.out.extend(b"\n");
        for _ in 0..self.open.len() {
            self.out.extend(self.step.as_bytes());
        }
    }

    fn open(&mut self, opening: &[u8], closing: &'static [u8]) {
        self.value_place();
        self.out.extend(opening);
        self.open.push(Open {
            closing,
            is_empty: true,
        });
    }

    fn close(&mut self) {
        let Some(open) = self.open.pop() else {
            return;
        };
        if !open.is_empty {
            self.line();
        }
        self.out.extend(open.closing);
    }

    fn value(&mut self, value: &Value<'_>) -> Result<(), ConvertError> {
        let key = || self.key.unwrap_or_default().to_owned();
        match value {
            Value::Bool(true) => self.out.extend(b"true"),
            Value::Bool(false) => self.out.extend(b"false"),
            Value::Float(float) if !float.is_finite() => {
                return Err(ConvertError::NotFinite { key: key() });
            }
            Value::Float(float) => {
                let digits = number::json(*float);
                self.out.extend(digits.as_bytes());
                if self.floats == Floats::KeepType && !digits.contains(['.', 'e']) {
                    self.out.extend(b".0");
                }
            }
            Value::Int(int) => self.out.extend(int.to_string().as_bytes()),
            Value::Str(text) => {
                // EXPOSE: into the wiping output buffer.
                let bytes = text.expose();
                if std::str::from_utf8(bytes).is_err() {
                    return Err(ConvertError::NotText {
                        key: key(),
                        format: Format::Json,
                    });
                }
                push_json_string(&mut self.out, bytes);
            }
            Value::Time(time) => push_json_string(&mut self.out, time.as_str().as_bytes()),
        }
        Ok(())
    }
}
