//! Templates: texts in which placeholders stand for secrets.
//!
//! One pass from left to right, the longest placeholder first. What is put in is never looked at again, so a value that
//! looks like a placeholder stays as it is.

use std::io;

use super::fault::{Fault, TemplateProblem};
use super::manifest::{Manifest, Placeholder, TemplateEntry, TemplateSource};
use super::sops_file::read_regular;
use crate::secret::Secret;

/// A template whose placeholders were found.
#[derive(Debug)]
pub(super) struct Template {
    text: Vec<u8>,
    pieces: Vec<Piece>,
}

/// A part of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    /// The value of the secret with this name.
    Secret(String),
    /// Bytes of the text, from and to.
    Text(usize, usize),
}

/// Reads a template and finds its placeholders. One that nothing can be put in for is a fault.
pub(super) fn read(manifest: &Manifest, entry: &TemplateEntry) -> Result<Template, Fault> {
    let text = text_of(entry).map_err(|source| Fault::TemplateUnreadable {
        template: entry.name().into(),
        path: entry.source.path().into(),
        source,
    })?;
    let placeholders = Placeholders::new(&manifest.placeholders);
    let pieces = placeholders.split(&text);
    let template = Template { text, pieces };
    match template.unusable(manifest) {
        None => Ok(template),
        Some(problem) => Err(problem.of(entry)),
    }
}

fn text_of(entry: &TemplateEntry) -> io::Result<Vec<u8>> {
    match &entry.source {
        TemplateSource::Content(text) => Ok(text.clone().into_bytes()),
        TemplateSource::File(path) => read_regular(path),
    }
}

impl Template {
    /// Puts the values in; the name of the first secret that has none is the error.
    pub(super) fn render<'s>(
        &self,
        value: impl Fn(&str) -> Option<&'s Secret>,
    ) -> Result<Secret, &str> {
        let mut parts: Vec<&[u8]> = Vec::new();
        for piece in &self.pieces {
            parts.push(match piece {
                // EXPOSE: into the rendered file, whose buffer wipes itself.
                Piece::Secret(name) => value(name).ok_or(name.as_str())?.expose(),
                Piece::Text(from, to) => self.slice(*from, *to),
            });
        }
        // Sized first: a buffer that grows leaves copies behind.
        let length = parts.iter().map(|part| part.len()).sum();
        let mut rendered = Secret::with_capacity(length);
        for part in parts {
            rendered.extend(part);
        }
        Ok(rendered)
    }

    /// The secrets that it is made of, each as often as it stands there.
    pub(super) fn secrets(&self) -> impl Iterator<Item = &str> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Secret(name) => Some(name.as_str()),
            Piece::Text(..) => None,
        })
    }

    /// How long it would be; none if the length of any of its secrets is not known.
    pub(super) fn rendered_len(&self, length: impl Fn(&str) -> Option<usize>) -> Option<usize> {
        self.pieces.iter().try_fold(0, |sum: usize, piece| {
            let more = match piece {
                Piece::Secret(name) => length(name)?,
                Piece::Text(from, to) => to - from,
            };
            sum.checked_add(more)
        })
    }

    fn slice(&self, from: usize, to: usize) -> &[u8] {
        self.text.get(from..to).unwrap_or_default()
    }

    /// The first placeholder that nothing can be put in for.
    fn unusable(&self, manifest: &Manifest) -> Option<TemplateProblem> {
        self.pieces.iter().find_map(|piece| match piece {
            Piece::Secret(name) if !manifest.has_secret(name) => {
                Some(TemplateProblem::Elsewhere(name.clone()))
            }
            Piece::Secret(_) => None,
            Piece::Text(from, to) => {
                let left = leftover(self.slice(*from, *to))?;
                Some(TemplateProblem::Leftover(left))
            }
        })
    }
}

const BEGINNING: &[u8] = b"<SOPS:";
const END: &[u8] = b":PLACEHOLDER";

/// Something in a text that looks like a placeholder, and is none of the manifest's.
fn leftover(text: &[u8]) -> Option<String> {
    let mut rest = text;
    while let Some(at) = find(rest, BEGINNING) {
        let (_, from) = rest.split_at(at);
        let inside = from.get(BEGINNING.len()..).unwrap_or_default();
        let is_end = |byte: &u8| matches!(byte, b'<' | b'>' | b'\n');
        let length = inside.iter().position(is_end).unwrap_or(inside.len());
        let (name, after) = inside.split_at(length);
        if name.ends_with(END) && after.first() == Some(&b'>') {
            let shown = from.get(..BEGINNING.len() + length + 1).unwrap_or(from);
            return Some(String::from_utf8_lossy(shown).into_owned());
        }
        rest = inside;
    }
    None
}

fn find(text: &[u8], wanted: &[u8]) -> Option<usize> {
    text.windows(wanted.len()).position(|part| part == wanted)
}

/// The placeholders of a manifest, sorted by their texts.
struct Placeholders<'m> {
    sorted: Vec<(&'m [u8], &'m str)>,
}

impl<'m> Placeholders<'m> {
    fn new(placeholders: &'m [Placeholder]) -> Self {
        let mut sorted: Vec<_> = placeholders
            .iter()
            .map(|placeholder| (placeholder.text.as_bytes(), placeholder.secret.as_str()))
            .collect();
        sorted.sort_unstable();
        Self { sorted }
    }

    fn split(&self, text: &[u8]) -> Vec<Piece> {
        let mut pieces = Vec::new();
        let (mut begun, mut at) = (0, 0);
        while let Some(rest) = text.get(at..)
            && !rest.is_empty()
        {
            let Some((placeholder, secret)) = self.longest_at(rest) else {
                at += 1;
                continue;
            };
            if begun < at {
                pieces.push(Piece::Text(begun, at));
            }
            pieces.push(Piece::Secret(secret.to_owned()));
            at += placeholder.len();
            begun = at;
        }
        if begun < text.len() {
            pieces.push(Piece::Text(begun, text.len()));
        }
        pieces
    }

    /// The longest placeholder that a text begins with: the sorted list is narrowed down byte by byte.
    fn longest_at(&self, text: &[u8]) -> Option<(&'m [u8], &'m str)> {
        let mut candidates = self.sorted.as_slice();
        let mut longest = None;
        for (depth, byte) in text.iter().enumerate() {
            let at_depth = |(placeholder, _): &(&[u8], &str)| placeholder.get(depth).copied();
            let from = candidates.partition_point(|known| at_depth(known) < Some(*byte));
            let to = candidates.partition_point(|known| at_depth(known) <= Some(*byte));
            candidates = candidates.get(from..to).unwrap_or_default();
            // One that ends here comes before those that go on.
            match candidates.first() {
                None => break,
                Some(first) if first.0.len() == depth + 1 => longest = Some(*first),
                Some(_) => {}
            }
        }
        longest
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
mod tests;
