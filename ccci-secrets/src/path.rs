//! Where a value stands in a document: parsing what people type, and the associated data that sops binds to it.

use std::fmt;
use std::str::FromStr;

/// One step of a [`TreePath`].
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(
    clippy::exhaustive_enums,
    reason = "a tree has maps and lists, nothing else"
)]
pub enum Segment {
    /// An index into a list, from 0.
    Index(usize),
    /// A key of a map.
    Key(String),
}

/// The way from the root of a document to a node.
///
/// Two written forms are read: the one of sops, `["db"]["hosts"][0]`, and the dotted one, `db.hosts[0]`.
/// In the dotted form a bare segment is made of letters, digits, `_` and `-`; any other key is written as a JSON
/// string (`a."b.c"`), an index in brackets.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default, PartialOrd, Ord)]
pub struct TreePath(Vec<Segment>);

impl TreePath {
    /// The path of the root.
    #[must_use]
    pub fn root() -> Self {
        Self::default()
    }

    /// A path from its steps.
    #[must_use]
    pub fn from_segments(segments: Vec<Segment>) -> Self {
        Self(segments)
    }

    /// The steps, from the root down.
    #[must_use]
    pub fn segments(&self) -> &[Segment] {
        &self.0
    }

    /// The path of a child.
    #[must_use]
    pub fn child(&self, segment: Segment) -> Self {
        let mut segments = self.0.clone();
        segments.push(segment);
        Self(segments)
    }

    /// Whether this is the root.
    #[must_use]
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// The associated data of a leaf at this path: each key followed by `:`, indices left out (sops-format.md 3).
    #[must_use]
    pub fn aad(&self) -> String {
        let mut text = String::new();
        for segment in &self.0 {
            if let Segment::Key(key) = segment {
                text.push_str(key);
                text.push(':');
            }
        }
        if text.is_empty() { ":".into() } else { text }
    }

    /// Parses the bracket form of sops: `["key"]['other'][0]`.
    ///
    /// # Errors
    /// [`PathParseError`] with the component that cannot be read.
    pub fn parse_brackets(text: &str) -> Result<Self, PathParseError> {
        let mut segments = Vec::new();
        let mut rest = text.trim();
        if rest.is_empty() {
            return Err(PathParseError::Empty);
        }
        while !rest.is_empty() {
            let Some(inner) = rest.strip_prefix('[') else {
                return Err(PathParseError::NoOpeningBracket(rest.into()));
            };
            let (segment, after) = match inner.as_bytes().first() {
                Some(&quote @ (b'"' | b'\'')) => quoted_component(inner, char::from(quote))?,
                _ => index_component(inner)?,
            };
            segments.push(segment);
            rest = after;
        }
        Ok(Self(segments))
    }

    /// The bracket form of sops: `["db"]["hosts"][0]`.
    #[must_use]
    pub fn to_brackets(&self) -> String {
        let segment = |segment: &Segment| match segment {
            Segment::Index(index) => format!("[{index}]"),
            Segment::Key(key) => format!("[\"{key}\"]"),
        };
        self.0.iter().map(segment).collect()
    }

    /// The same path with an index for every key that is a number.
    #[must_use]
    pub fn with_indices(&self) -> Self {
        let segment = |segment: &Segment| match segment {
            Segment::Key(key) => key.parse().map_or_else(|_| segment.clone(), Segment::Index),
            Segment::Index(_) => segment.clone(),
        };
        Self(self.0.iter().map(segment).collect())
    }

    /// What a text that is no path may have been meant for: keys between dots, slashes and brackets, with quotes or
    /// without. None if no key stands there.
    #[must_use]
    pub fn guess(text: &str) -> Option<Self> {
        let parts = text.split(['.', '/', '[', ']']);
        let keys = parts.map(|part| part.trim_matches(['"', '\'', ' ']));
        let keys = keys.filter(|key| !key.is_empty());
        let segments: Vec<_> = keys.map(|key| Segment::Key(key.into())).collect();
        (!segments.is_empty()).then(|| Self(segments).with_indices())
    }

    fn parse_dotted(text: &str) -> Result<Self, PathParseError> {
        let mut segments = Vec::new();
        let mut rest = text;
        loop {
            if let Some(inner) = rest.strip_prefix('[') {
                let (segment, after) = index_component(inner)?;
                segments.push(segment);
                rest = after;
            } else {
                let (key, after) = dotted_key(rest)?;
                segments.push(Segment::Key(key));
                rest = after;
            }
            if rest.is_empty() {
                return Ok(Self(segments));
            }
            if let Some(after) = rest.strip_prefix('.') {
                rest = after;
            } else if !rest.starts_with('[') {
                return Err(PathParseError::BadKey(rest.into()));
            }
        }
    }
}

impl FromStr for TreePath {
    type Err = PathParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.trim_start().starts_with('[') {
            // The dotted form begins with a bracket too where the root is a list.
            Self::parse_brackets(text).or_else(|error| Self::parse_dotted(text).map_err(|_| error))
        } else if text.is_empty() {
            Err(PathParseError::Empty)
        } else {
            Self::parse_dotted(text)
        }
    }
}

impl fmt::Display for TreePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (nth, segment) in self.0.iter().enumerate() {
            match segment {
                Segment::Index(index) => write!(f, "[{index}]")?,
                Segment::Key(key) => {
                    if nth > 0 {
                        f.write_str(".")?;
                    }
                    if !key.is_empty() && key.bytes().all(is_bare) {
                        f.write_str(key)?;
                    } else {
                        f.write_str(&serde_json::Value::from(key.as_str()).to_string())?;
                    }
                }
            }
        }
        Ok(())
    }
}

/// Why a path could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PathParseError {
    /// A key of the dotted form is neither bare nor a JSON string.
    #[error("`{0}` is not a key: write it as a JSON string, for example a.\"b.c\"")]
    BadKey(String),
    /// Between brackets stands neither a quoted key nor a number.
    #[error("component `{0}` is neither a quoted key nor an index")]
    BadIndex(String),
    /// Nothing was given.
    #[error("the path is empty")]
    Empty,
    /// A bracket is not closed.
    #[error("component `{0}` does not end with ]")]
    NoClosingBracket(String),
    /// A component does not start with a bracket.
    #[error("component `{0}` does not start with [")]
    NoOpeningBracket(String),
}

/// sops cuts the first and the last byte of a quoted component and knows no escapes: a quote inside is part of the key.
fn quoted_component(inner: &str, quote: char) -> Result<(Segment, &str), PathParseError> {
    let body = inner.get(1..).unwrap_or_default();
    let end = [quote, ']'].iter().collect::<String>();
    let mut from = 0;
    while let Some(found) = body.get(from..).and_then(|tail| tail.find(&end)) {
        let at = from + found;
        let after = body.get(at + 2..).unwrap_or_default();
        if after.is_empty() || after.starts_with('[') {
            let key = body.get(..at).unwrap_or_default();
            return Ok((Segment::Key(key.into()), after));
        }
        from = at + 1;
    }
    Err(PathParseError::NoClosingBracket(inner.into()))
}

fn index_component(inner: &str) -> Result<(Segment, &str), PathParseError> {
    let Some((digits, after)) = inner.split_once(']') else {
        return Err(PathParseError::NoClosingBracket(inner.into()));
    };
    let index = digits
        .parse()
        .map_err(|_| PathParseError::BadIndex(digits.into()))?;
    Ok((Segment::Index(index), after))
}

fn dotted_key(text: &str) -> Result<(String, &str), PathParseError> {
    if text.starts_with('"') {
        let mut stream = serde_json::Deserializer::from_str(text).into_iter::<String>();
        let Some(Ok(key)) = stream.next() else {
            return Err(PathParseError::BadKey(text.into()));
        };
        let after = text.get(stream.byte_offset()..).unwrap_or_default();
        return Ok((key, after));
    }
    let end = text
        .bytes()
        .position(|byte| !is_bare(byte))
        .unwrap_or(text.len());
    let (key, after) = text.split_at(end);
    if key.is_empty() {
        return Err(PathParseError::BadKey(text.into()));
    }
    Ok((key.into(), after))
}

fn is_bare(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-'
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(text: &str) -> Segment {
        Segment::Key(text.into())
    }

    #[test]
    fn both_forms_give_the_same_path() {
        let expected = TreePath(vec![key("db"), key("hosts"), Segment::Index(0)]);
        assert_eq!("[\"db\"]['hosts'][0]".parse(), Ok(expected.clone()));
        assert_eq!("db.hosts[0]".parse(), Ok(expected.clone()));
        assert_eq!(expected.to_string(), "db.hosts[0]");
        assert_eq!(expected.aad(), "db:hosts:");
    }

    #[test]
    fn quotes_inside_a_bracket_key_are_kept() {
        assert_eq!("[\"q\"r\"]".parse(), Ok(TreePath(vec![key("q\"r")])));
    }

    #[test]
    fn dotted_keys_may_be_json_strings() {
        let path: TreePath = "a.\"b.c\"[2]".parse().expect("valid path");
        assert_eq!(
            path,
            TreePath(vec![key("a"), key("b.c"), Segment::Index(2)])
        );
        assert_eq!(path.to_string(), "a.\"b.c\"[2]");
    }

    #[test]
    fn a_path_that_begins_with_an_index_reads_back() {
        let path = TreePath(vec![Segment::Index(0), key("a.b"), Segment::Index(1)]);
        assert_eq!(path.to_string(), "[0].\"a.b\"[1]");
        assert_eq!(path.to_string().parse(), Ok(path));
    }

    #[test]
    fn the_bracket_form_reads_back() {
        for text in [r#"["db"]["hosts"][0]"#, r#"["a.b"]["q"r"]"#, "[0][1]"] {
            let path: TreePath = text.parse().expect("valid path");
            assert_eq!(path.to_brackets(), text);
        }
    }

    #[test]
    fn what_was_meant_is_guessed_from_its_keys() {
        for (text, meant) in [
            ("a b", r#"["a b"]"#),
            ("[a][b]", r#"["a"]["b"]"#),
            (r#"["a"].b"#, r#"["a"]["b"]"#),
            (r#"a["b"][0]"#, r#"["a"]["b"][0]"#),
            (r#"["a""#, r#"["a"]"#),
            ("/a/b/0", r#"["a"]["b"][0]"#),
        ] {
            assert!(text.parse::<TreePath>().is_err(), "{text}");
            let guess = TreePath::guess(text).map(|path| path.to_brackets());
            assert_eq!(guess.as_deref(), Some(meant), "{text}");
        }
        assert_eq!(TreePath::guess("[]"), None);
    }

    #[test]
    fn broken_paths_are_errors() {
        for text in [
            "", "[", "[]", "[\"a\"", "a..b", "a.", "[\"a\"]x", "[-1]", "a b",
        ] {
            assert!(text.parse::<TreePath>().is_err(), "{text:?}");
        }
    }
}
