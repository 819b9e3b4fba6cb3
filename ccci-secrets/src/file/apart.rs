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

    #[test]
    fn documents_that_were_sealed_together_are_one_text() {
        let sealed = seal(&policy(), "a: 1\n---\n{b: 2}\n---\nc: 3\n").unwrap();
        assert!(parse_sealed(&sealed).is_ok());
        let texts = SealedFile::split(Format::Yaml, Secret::from_slice(sealed.as_bytes())).unwrap();
        assert_eq!(texts.len(), 1);
    }
}
