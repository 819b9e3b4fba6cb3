//! Files of several YAML documents that were not sealed together: each has a `sops` block, and a data key, of its own
//! (sops-cli.md 10, row 30). sops cannot open them; here each is a file by itself.

use super::{FileError, SealedFile};
use crate::document::{Document, Format, Span};
use crate::error::Location;
use crate::metadata;
use crate::secret::Secret;

impl SealedFile {
    /// Cuts a file into the texts of those documents that were sealed together. Most files are one such text.
    ///
    /// Joined again, the texts are the file; so are their plaintexts the plaintext of the file.
    ///
    /// # Errors
    /// [`FileError::Parse`].
    pub fn split(format: Format, bytes: Secret) -> Result<Vec<Secret>, FileError> {
        let document = Document::parse(format, bytes)?;
        let starts = metadata::first_parts(&document);
        if starts.len() < 2 {
            return Ok(vec![document.into_text()]);
        }
        let part_start = |part: &usize| document.parts().get(*part).map(|part| part.span.start());
        let mut cuts: Vec<usize> = starts.iter().filter_map(part_start).collect();
        cuts.push(document.source().bytes().len());
        let texts = cuts.windows(2).map(|cut| match cut {
            // EXPOSE: a sealed text.
            [start, end] => Secret::from_slice(document.source().slice(Span::new(*start, *end))),
            _ => Secret::from_slice(b""),
        });
        Ok(texts.collect())
    }

    /// Parses a file whose documents may have been sealed one by one: those that were sealed together, each with the line
    /// that they start in.
    ///
    /// # Errors
    /// As [`SealedFile::parse`]; [`FileError::Apart`] for what is wrong behind the first of several.
    pub fn parse_apart(format: Format, bytes: Secret) -> Result<Vec<(usize, Self)>, FileError> {
        // Nothing but YAML has several documents.
        if format != Format::Yaml {
            return Ok(vec![(1, Self::parse(format, bytes)?)]);
        }
        let document = Document::parse(format, bytes)?;
        let texts = match Self::refuse_other_blocks(&document) {
            Ok(()) => {
                let metadata = metadata::read(&document)?;
                return Ok(vec![(1, Self::of_document(document, metadata)?)]);
            }
            Err(_) => Self::split(format, document.into_text())?,
        };
        let mut line = 1;
        let mut files = Vec::with_capacity(texts.len());
        for text in texts {
            // EXPOSE: a sealed text, of which lines are counted.
            let lines = memchr::memchr_iter(b'\n', text.expose()).count();
            let file = Self::parse(format, text).map_err(|source| match line {
                1 => source,
                _ => FileError::Apart {
                    line,
                    source: Box::new(source),
                },
            })?;
            files.push((line, file));
            line += lines;
        }
        Ok(files)
    }

    /// One file has one data key.
    pub(super) fn refuse_other_blocks(document: &Document) -> Result<(), FileError> {
        let starts = metadata::first_parts(document);
        let second = starts.get(1).and_then(|part| document.parts().get(*part));
        second.map_or(Ok(()), |part| {
            let entry = document.metadata_entry(part);
            let line = entry.map_or(1, |(_, entry)| document.line(entry.key));
            Err(FileError::SealedApart {
                place: Location::line(line),
            })
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::super::testing::*;
    use super::*;

    #[test]
    fn documents_that_were_sealed_apart_are_opened_one_by_one() {
        let (first, second) = ("# c\na: 1\n---\nb: 2\n# d\n", "---\n# e\nc: [x]\n");
        let sealed = [first, second].map(|text| seal(&policy(), text).unwrap());
        let file = sealed.concat();
        let error = parse_sealed(&file).unwrap_err();
        assert!(matches!(error, FileError::SealedApart { .. }), "{error}");
        let texts = SealedFile::split(Format::Yaml, Secret::from_slice(file.as_bytes())).unwrap();
        let texts: Vec<String> = texts
            .iter()
            .map(|text| String::from_utf8(text.expose().to_vec()).unwrap())
            .collect();
        assert_eq!(texts, sealed);
        let plain: Vec<String> = texts
            .iter()
            .map(|text| plaintext(&open(&keyring(), text).unwrap()).unwrap().0)
            .collect();
        assert_eq!(plain.concat(), [first, second].concat());
    }

    fn parse_apart(text: &str) -> Result<Vec<(usize, SealedFile)>, FileError> {
        SealedFile::parse_apart(Format::Yaml, Secret::from_slice(text.as_bytes()))
    }

    #[test]
    fn what_is_wrong_behind_the_first_documents_is_told_with_the_line_they_start_in() {
        let first = seal(&policy(), "a: 1\n---\nb: 2\n").unwrap();
        let second = seal(&policy(), "c: 3\n").unwrap();
        let line = first.lines().count() + 1;
        let parts = parse_apart(&format!("{first}---\n{second}")).unwrap();
        let lines: Vec<usize> = parts.iter().map(|(line, _)| *line).collect();
        assert_eq!(lines, [1, line]);
        let clear = format!("d: x\n{second}");
        let error = parse_apart(&format!("{first}---\n{clear}")).unwrap_err();
        let is_told = matches!(error, FileError::Apart { line: at, .. } if at == line);
        assert!(is_told, "{error}");
        assert_eq!(error.code(), crate::error::ErrorCode::DoesNotOpen);
        let error = error.to_string();
        assert!(
            error.starts_with(&format!("documents from line {line}: line 2, d:")),
            "{error}"
        );
    }

    #[test]
    fn documents_that_were_sealed_together_are_one_text() {
        let sealed = seal(&policy(), "a: 1\n---\n{b: 2}\n---\nc: 3\n").unwrap();
        assert!(parse_sealed(&sealed).is_ok());
        let texts = SealedFile::split(Format::Yaml, Secret::from_slice(sealed.as_bytes())).unwrap();
        assert_eq!(texts.len(), 1);
        assert_eq!(parse_apart(&sealed).unwrap().len(), 1);
    }
}
