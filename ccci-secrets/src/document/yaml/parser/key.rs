//! Keys, which must be text.

use std::borrow::Cow;

use super::{Context, Parser, Start, syntax};
use crate::document::yaml::frame::PendingKey;
use crate::document::yaml::scanner::error_at;
use crate::document::yaml::token::Token;
use crate::document::yaml::{Keys, resolve, text};
use crate::document::{Entry, Node, ParseError, ParseErrorKind, Scalar, Style, unquoted};
use crate::value::Text;

impl<'s> Parser<'s> {
    /// Reads a key, which must be text.
    pub(super) fn key(&mut self, context: Context, without_value: bool) -> Result<(), ParseError> {
        let token = self.stream.peek()?;
        let Start::Done(child) = self.start(context)? else {
            return Err(error_at(token.start, ParseErrorKind::NonStringKey));
        };
        let Some(Node::Scalar(scalar)) = self.nodes.get(child.id.0 as usize) else {
            return Err(syntax(&token, "an alias as a key is not supported"));
        };
        let scalar = scalar.clone();
        // Only an alias could ask for a key as a node.
        if scalar.props().anchor.is_none() && child.id.0 as usize + 1 == self.nodes.len() {
            self.nodes.pop();
        }
        let (name, merges) = self.key_text(&scalar, &token)?;
        self.check_name(&name, &token)?;
        let text = match name {
            Cow::Borrowed(bytes) if bytes == unquoted(text::slice(self.bytes, scalar.span)) => None,
            name => Some(self.key_texts.add(String::from_utf8_lossy(&name))),
        };
        if let Some(frame) = self.stack.last_mut() {
            frame.accept_key(PendingKey {
                span: scalar.span,
                text,
                comments: child.comments,
                merges_on_line: (merges && self.parts.is_empty()).then_some(token.start.line + 1),
                without_value,
            });
        }
        Ok(())
    }

    /// The text of a key, and whether it merges its value.
    pub(super) fn key_text(
        &self,
        scalar: &Scalar,
        token: &Token,
    ) -> Result<(Cow<'s, [u8]>, bool), ParseError> {
        let decoded = match text::decode(self.bytes, scalar) {
            Text::Borrowed(bytes) => Cow::Borrowed(bytes),
            // EXPOSE: a key, which is no secret in any format of sops.
            Text::Owned(secret) => Cow::Owned(secret.expose().to_vec()),
        };
        let tag = scalar.props().tag.map_or(resolve::Tag::None, |tag| {
            resolve::Tag::read(text::slice(self.bytes, tag))
        });
        if self.keys == Keys::Scalars && (tag.retypes() || is_other(scalar, tag, &decoded)) {
            return Ok((decoded, false));
        }
        if tag.retypes() {
            return Err(error_at(token.start, ParseErrorKind::NonStringKey));
        }
        if tag != resolve::Tag::None || scalar.style() != Style::Plain {
            let merges = scalar.props().tag.map(|tag| text::slice(self.bytes, tag));
            let merges = merges == Some(b"!!merge") && decoded.as_ref() == b"<<";
            return Ok((decoded, merges));
        }
        match resolve::plain_kind(&decoded) {
            resolve::PlainKind::Str => Ok((decoded, false)),
            resolve::PlainKind::Merge => Ok((decoded, true)),
            _ => Err(error_at(token.start, ParseErrorKind::NonStringKey)),
        }
    }

    /// go-yaml refuses a name that stands twice, and sops asks it to in the first document only.
    pub(super) fn check_name(&mut self, name: &[u8], token: &Token) -> Result<(), ParseError> {
        if !self.parts.is_empty() || self.keys == Keys::Scalars {
            return Ok(());
        }
        let Some(frame) = self.stack.last_mut() else {
            return Ok(());
        };
        let (bytes, texts) = (self.bytes, &self.key_texts);
        let name_of = |entry: &Entry| match entry.key_text {
            Some(text) => texts.get(text).as_bytes(),
            None => unquoted(text::slice(bytes, entry.key)),
        };
        if frame.holds(name, name_of) {
            let name = String::from_utf8_lossy(name).into_owned();
            return Err(error_at(token.start, ParseErrorKind::DuplicateKey(name)));
        }
        Ok(())
    }
}

/// Whether a plain scalar without a tag is no string.
fn is_other(scalar: &Scalar, tag: resolve::Tag, decoded: &[u8]) -> bool {
    let is_plain = tag == resolve::Tag::None && scalar.style() == Style::Plain;
    is_plain
        && !matches!(
            resolve::plain_kind(decoded),
            resolve::PlainKind::Str | resolve::PlainKind::Merge
        )
}
