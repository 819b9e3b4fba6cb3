//! A file in another format, or in the layout that sops prints.
//!
//! A document is walked once to steps, the steps of what is asked for become tokens with their values and comments, and
//! the tokens are written. The text is read back before it is handed out.

use super::index::What;
use super::{DraftFile, FileError, Note, OpenFile, SealError, SealedFile};
use crate::document::binary;
use crate::document::canonical::{self, CommentText, Floats, Token};
use crate::document::plain_text::text_of;
use crate::document::{
    CanonicalLayout, Comment, Document, Format, ParseError, Place, Resolved, Scalar,
};
use crate::error::Location;
use crate::metadata::plain_tree;
use crate::path::{Segment, TreePath};
use crate::secret::Secret;
use crate::tree::{Event, Walk};
use crate::value::{Kind, Text, Value};

/// A step through a document; leaves and comments carry their number in its index.
#[derive(Clone, Copy)]
pub(super) enum Step<'d> {
    Close,
    Comment(usize, &'d Comment),
    Key(&'d str),
    OpenList,
    OpenMap,
    Part,
    Scalar(usize, &'d Scalar),
}

/// The steps of a document one after the other.
struct Steps<'d> {
    walk: Walk<'d>,
    /// How many entries of the index were met.
    entries: usize,
    /// A step that was looked at and not taken.
    waiting: Option<Step<'d>>,
}

impl<'d> Steps<'d> {
    fn of(document: &'d Document) -> Self {
        Self {
            walk: Walk::new(document),
            entries: 0,
            waiting: None,
        }
    }

    fn next(&mut self) -> Result<Option<Step<'d>>, ParseError> {
        if self.waiting.is_some() {
            return Ok(self.waiting.take());
        }
        loop {
            let Some(event) = self.walk.next()? else {
                return Ok(None);
            };
            return Ok(Some(match event {
                Event::Part => Step::Part,
                Event::EnterCollection if self.walk.in_list() => Step::OpenList,
                Event::EnterCollection => Step::OpenMap,
                Event::LeaveCollection => Step::Close,
                Event::EnterKey(key) => Step::Key(key),
                Event::Comment(comment) => Step::Comment(self.count(), comment),
                Event::Scalar(_, scalar) => Step::Scalar(self.count(), scalar),
                Event::ItemDone | Event::LeaveKey => continue,
            }));
        }
    }

    /// The number of an entry.
    fn count(&mut self) -> usize {
        let number = self.entries;
        self.entries += 1;
        number
    }

    /// Goes on to the value that a segment leads to from the collection that comes next; whether there is one.
    fn enter(&mut self, segment: &Segment) -> Result<bool, ParseError> {
        if !matches!(self.next()?, Some(Step::OpenList | Step::OpenMap)) {
            return Ok(false);
        }
        let mut items = 0;
        while let Some(step) = self.next()? {
            match (step, segment) {
                (Step::Close | Step::Part, _) => break,
                (Step::Comment(..), _) => continue,
                (Step::Key(key), Segment::Key(wanted)) if key == wanted => return Ok(true),
                (Step::Key(_), _) => {}
                (_, Segment::Index(wanted)) if *wanted == items => {
                    self.waiting = Some(step);
                    return Ok(true);
                }
                _ => self.waiting = Some(step),
            }
            items += 1;
            self.value(|_| {})?;
        }
        Ok(false)
    }

    /// Takes the steps of the value that comes next.
    fn value(&mut self, mut take: impl FnMut(Step<'d>)) -> Result<(), ParseError> {
        let mut depth = 0_usize;
        while let Some(step) = self.next()? {
            match step {
                Step::OpenList | Step::OpenMap => depth += 1,
                Step::Close => depth = depth.saturating_sub(1),
                _ => {}
            }
            take(step);
            if depth == 0 {
                break;
            }
        }
        Ok(())
    }
}

pub(super) fn steps(document: &Document) -> Result<Vec<Step<'_>>, ParseError> {
    let (mut steps, mut all) = (Vec::new(), Steps::of(document));
    while let Some(step) = all.next()? {
        steps.push(step);
    }
    Ok(steps)
}

/// All scalars of a document, in the order of sops' tree.
pub(super) fn scalars(document: &Document) -> Result<Vec<Scalar>, ParseError> {
    let (mut scalars, mut all) = (Vec::new(), Steps::of(document));
    while let Some(step) = all.next()? {
        if let Step::Scalar(_, scalar) = step {
            scalars.push(scalar.clone());
        }
    }
    Ok(scalars)
}

/// The steps at a path of the first part; none if it leads nowhere.
pub(super) fn steps_at<'d>(
    document: &'d Document,
    path: &TreePath,
) -> Result<Vec<Step<'d>>, ParseError> {
    let mut all = Steps::of(document);
    // The part is announced.
    all.next()?;
    for segment in path.segments() {
        if !all.enter(segment)? {
            return Ok(Vec::new());
        }
    }
    let mut steps = Vec::new();
    all.value(|step| steps.push(step))?;
    Ok(steps)
}

impl<Proof> OpenFile<Proof> {
    /// The plaintext in another format, or in the layout of sops where the format is the file's own.
    ///
    /// A comment that was sealed stands on a line of its own, and a float without a fraction loses its point, as sops
    /// prints them.
    ///
    /// # Errors
    /// [`SealError::Convert`] when the format cannot hold the file; [`SealError::Open`] for a comment that opens
    /// nowhere; [`SealError::Check`] if the text does not read back as the values that were opened.
    pub fn expose_as(
        &self,
        format: Format,
        layout: CanonicalLayout,
    ) -> Result<(Secret, Vec<Note>), SealError> {
        let steps = steps(&self.sealed.document)?;
        let (tokens, notes) = self.tokens(&steps)?;
        let parts = parts(&tokens);
        let text = canonical::write(&parts, format, layout, Floats::AsSops)?;
        check(&parts, &text, format)?;
        Ok((text, notes))
    }

    /// The plaintext in the format of the file, in the layout that sops prints.
    ///
    /// # Errors
    /// As [`OpenFile::expose_as`].
    pub fn expose_as_sops(&self) -> Result<(Secret, Vec<Note>), SealError> {
        self.expose_as(self.sealed.format(), CanonicalLayout::default())
    }

    /// The tokens of steps; nothing stands for the start of a part.
    fn tokens<'f>(&'f self, steps: &[Step<'f>]) -> Result<(Row<'f>, Vec<Note>), SealError> {
        let (mut tokens, mut notes) = (Vec::with_capacity(steps.len()), Vec::new());
        for step in steps {
            let token = match step {
                Step::Comment(at, comment) => self.comment(*at, comment, &mut notes)?,
                Step::Scalar(at, ..) => self.scalar(*at, &mut notes)?,
                other => structure(other),
            };
            let is_part = matches!(step, Step::Part);
            if is_part || token.is_some() {
                tokens.push(token);
            }
        }
        Ok((tokens, notes))
    }

    fn comment<'f>(
        &'f self,
        at: usize,
        comment: &Comment,
        notes: &mut Vec<Note>,
    ) -> Result<Option<Token<'f>>, SealError> {
        let document = &self.sealed.document;
        Ok(match self.opened_comment(at, notes)? {
            Some(text) => kept(comment).then(|| line_comment(Text::Owned(text))),
            None => clear_comment(document, comment),
        })
    }

    fn scalar<'f>(
        &'f self,
        at: usize,
        notes: &mut Vec<Note>,
    ) -> Result<Option<Token<'f>>, SealError> {
        let entry = self.sealed.entry(at);
        if entry.is_some_and(|entry| matches!(entry.what, What::ListComment(_))) {
            let text = self.opened_comment(at, notes)?;
            return Ok(text.map(|text| line_comment(Text::Owned(text))));
        }
        let Some(opened) = self.content.leaves.get(at).and_then(Option::as_ref) else {
            return Ok(Some(Token::Null));
        };
        let value = Value::parse(opened.kind, self.content.bytes(opened))
            .map_err(|_| SealError::Check("an opened value is no value"))?;
        Ok(Some(Token::Value(value)))
    }
}

impl DraftFile {
    /// The same values in another format, in the layout of sops: what is sealed then opens again in that format. A
    /// value that has a type becomes text where the format knows only text.
    ///
    /// # Errors
    /// [`SealError::Convert`] when the format cannot hold the file.
    pub fn convert(self, format: Format, layout: CanonicalLayout) -> Result<Self, SealError> {
        let row = plain_row(&self.document)?;
        let parts = parts(&row);
        let text = canonical::write(&parts, format, layout, Floats::KeepType)?;
        check(&parts, &text, format)?;
        Ok(Self::parse(format, text)?)
    }
}

impl SealedFile {
    /// The same file with what is new in a sealed file indented as the layout says: the JSON around a binary file, and
    /// the `sops` block of YAML. Other formats are laid out already when they are sealed.
    ///
    /// # Errors
    /// None in practice: the text means what it meant before.
    pub fn laid_out(self, layout: CanonicalLayout) -> Result<Self, SealError> {
        let text = match (self.format(), layout.json_indent) {
            (Format::Binary, Some(spaces)) => binary::indented(self.text(), spaces),
            (Format::Yaml, _) if layout.yaml_step() != canonical::YAML_STEP => {
                self.with_block_step(layout.yaml_step())?
            }
            _ => return Ok(self),
        };
        Ok(Self::parse(self.format(), text)?)
    }

    /// The text with a new block that holds what the old one does.
    fn with_block_step(&self, step: usize) -> Result<Secret, SealError> {
        let old = &self.document;
        let entry = old
            .parts()
            .first()
            .and_then(|part| old.metadata_entry(part));
        let (_, entry) = entry.ok_or(SealError::Check("no metadata"))?;
        let block = plain_tree(old, entry.value).map_err(FileError::from)?;
        let without = old.source().splice(old.remove_metadata())?;
        let without = Document::parse(Format::Yaml, without)?;
        Ok(without
            .source()
            .splice(without.append_block(&block, step))?)
    }
}

/// The tokens of steps without comments, which stay sealed.
pub(super) fn kept_values<'f, Proof>(
    file: &'f OpenFile<Proof>,
    steps: &[Step<'f>],
) -> Vec<Token<'f>> {
    let value = |at: usize| {
        let entry = file.sealed.entry(at)?;
        if matches!(entry.what, What::ListComment(_)) {
            return None;
        }
        let opened = file.content.leaves.get(at)?.as_ref();
        let value =
            opened.and_then(|opened| Value::parse(opened.kind, file.content.bytes(opened)).ok());
        Some(value.map_or(Token::Null, Token::Value))
    };
    let tokens = steps.iter().filter_map(|step| match step {
        Step::Comment(..) => None,
        Step::Scalar(at, _) => value(*at),
        other => structure(other),
    });
    tokens.collect()
}

/// Tokens, and nothing where a part starts.
type Row<'t> = Vec<Option<Token<'t>>>;

fn plain_row(document: &Document) -> Result<Row<'_>, SealError> {
    let mut row = Vec::new();
    for step in steps(document)? {
        let token = match step {
            Step::Comment(_, comment) => clear_comment(document, comment),
            Step::Scalar(_, scalar) => Some(plain_scalar(document, scalar)?),
            other => structure(&other),
        };
        if matches!(step, Step::Part) || token.is_some() {
            row.push(token);
        }
    }
    Ok(row)
}

fn plain_scalar<'d>(document: &'d Document, scalar: &Scalar) -> Result<Token<'d>, SealError> {
    match document.resolve(scalar) {
        Ok(Resolved::Null) => Ok(Token::Null),
        Ok(Resolved::Value(value)) => Ok(Token::Value(value)),
        Err(source) => Err(FileError::Scalar {
            place: Location::line(document.line(scalar.span)),
            source,
        }
        .into()),
    }
}

fn structure<'d>(step: &Step<'d>) -> Option<Token<'d>> {
    match step {
        Step::Close => Some(Token::Close),
        Step::Key(key) => Some(Token::Key(key)),
        Step::OpenList => Some(Token::OpenList),
        Step::OpenMap => Some(Token::OpenMap),
        Step::Comment(..) | Step::Part | Step::Scalar(..) => None,
    }
}

/// Comments that sops drops have no place in its layout.
fn kept(comment: &Comment) -> bool {
    comment.place != Place::Lost
}

fn clear_comment<'d>(document: &'d Document, comment: &Comment) -> Option<Token<'d>> {
    kept(comment).then(|| {
        Token::Comment(CommentText {
            text: document.comment_text(comment),
            is_inline: comment.place == Place::Inline && document.format() == Format::Yaml,
        })
    })
}

fn line_comment(text: Text<'_>) -> Token<'_> {
    Token::Comment(CommentText {
        text,
        is_inline: false,
    })
}

/// The parts of a row, each from its first token on.
fn parts<'r, 't>(row: &'r Row<'t>) -> Vec<Vec<&'r Token<'t>>> {
    let mut parts: Vec<Vec<&Token<'_>>> = Vec::new();
    for token in row {
        match (token, parts.last_mut()) {
            (None, _) => parts.push(Vec::new()),
            (Some(token), Some(part)) => part.push(token),
            (Some(_), None) => {}
        }
    }
    parts
}

/// Reads a text back and compares its structure and values with those it was made of.
fn check(parts: &[Vec<&Token<'_>>], text: &Secret, format: Format) -> Result<(), SealError> {
    if format == Format::Binary {
        return Ok(());
    }
    // EXPOSE: into a second wiping buffer, for reading it back.
    let document = Document::parse_plaintext(format, Secret::from_slice(text.expose()))?;
    let row = plain_row(&document)?;
    let found: Vec<&Token<'_>> = row.iter().flatten().filter(is_data).collect();
    let expected: Vec<&Token<'_>> = parts.iter().flatten().copied().filter(is_data).collect();
    let (found, expected) = match format {
        Format::Ini => (
            without_empty_default(&found),
            without_empty_default(&expected),
        ),
        _ => (&found[..], &expected[..]),
    };
    let same = found.len() == expected.len()
        && found
            .iter()
            .zip(expected)
            .all(|(found, expected)| reads_as(expected, found, format));
    if same {
        Ok(())
    } else {
        Err(SealError::Check("a converted value reads back otherwise"))
    }
}

fn is_data(token: &&Token<'_>) -> bool {
    !matches!(token, Token::Comment(_))
}

/// A section `DEFAULT` is always read first, even where there is none.
fn without_empty_default<'r, 't>(tokens: &'r [&'r Token<'t>]) -> &'r [&'r Token<'t>] {
    match tokens {
        [
            Token::OpenMap,
            Token::Key("DEFAULT"),
            Token::OpenMap,
            Token::Close,
            rest @ ..,
        ]
        | [Token::OpenMap, rest @ ..] => rest,
        other => other,
    }
}

/// Whether a token is read as what was to be written: its type may be lost where the format has no such type.
fn reads_as(expected: &Token<'_>, found: &Token<'_>, format: Format) -> bool {
    let is_text = matches!(format, Format::Dotenv | Format::Ini);
    match (expected, found) {
        (Token::Key(expected), Token::Key(found)) => expected == found,
        (Token::Null, Token::Value(found)) => is_text && found.same_as(&Value::borrowed(b"")),
        (Token::Value(expected), Token::Value(found)) if is_text => {
            // EXPOSE: compared only.
            found.same_as(&Value::borrowed(text_of(expected).expose()))
        }
        (Token::Value(Value::Time(time)), Token::Value(found)) if format == Format::Json => {
            found.same_as(&Value::borrowed(time.as_str().as_bytes()))
        }
        // A float without a fraction is printed as an integer.
        (Token::Value(Value::Float(float)), Token::Value(found @ Value::Int(_))) => {
            let found = found.canonical();
            // EXPOSE: compared only.
            let found = Value::parse(Kind::Float, found.expose());
            matches!(found, Ok(Value::Float(found)) if found == *float)
        }
        (Token::Value(expected), Token::Value(found)) => expected.same_as(found),
        (expected, found) => std::mem::discriminant(expected) == std::mem::discriminant(found),
    }
}

#[cfg(test)]
#[allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "tests"
)]
mod tests;
