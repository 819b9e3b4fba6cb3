//! A value alone, outside of any file: as a command line gives it, and as text of its own.

use super::parse::parse;
use super::text::resolve;
use crate::document::{
    Document, Item, MAX_NEW_DEPTH, NewNode, Node, NodeId, ParseError, ParseErrorKind, Resolved,
    ScalarError,
};
use crate::secret::Secret;
use crate::value::Value;

/// Reads any JSON value, not only an object.
pub(crate) fn read_value(text: &Secret) -> Result<NewNode, ParseError> {
    let mut wrapped = Secret::with_capacity(text.len() + WRAPPING);
    wrapped.extend(b"{\"\":");
    // EXPOSE: into a second wiping buffer, as the only member of an object, which the parser asks for.
    wrapped.extend(text.expose());
    wrapped.extend(b"}");
    let document = parse(wrapped)?;
    let not_one = || ParseError::new(ParseErrorKind::Syntax("expected one JSON value"), 1);
    let root = document.parts.first().ok_or_else(not_one)?.root;
    let Node::Map(map) = document.node(root) else {
        return Err(not_one());
    };
    match &*map.items {
        // A bracket in the text itself that closes the object leaves the rest of it behind.
        [Item::Entry(entry)] if map.span.len() == document.source.bytes().len() => {
            copy(&document, entry.value, MAX_NEW_DEPTH)
        }
        _ => Err(not_one()),
    }
}

fn copy(document: &Document, id: NodeId, levels: usize) -> Result<NewNode, ParseError> {
    let below = || {
        let too_deep = || ParseError::new(ParseErrorKind::ValueTooDeep, 1);
        levels.checked_sub(1).ok_or_else(too_deep)
    };
    match document.node(id) {
        Node::Map(map) => {
            let below = below()?;
            let entries = map.items.iter().filter_map(|item| match item {
                Item::Entry(entry) => Some(
                    copy(document, entry.value, below)
                        .map(|value| (document.key(entry).into(), value)),
                ),
                _ => None,
            });
            entries.collect::<Result<_, _>>().map(NewNode::Map)
        }
        Node::List(list) => {
            let below = below()?;
            let elements = list.items.iter().filter_map(|item| match item {
                Item::Element(value) => Some(copy(document, *value, below)),
                _ => None,
            });
            elements.collect::<Result<_, _>>().map(NewNode::List)
        }
        Node::Scalar(scalar) => match resolve(document, scalar) {
            Ok(Resolved::Null) => Ok(NewNode::Null),
            // A file may hold it, and it is a float there; whoever types an int gets an int or an error.
            Ok(Resolved::Value(Value::Float(_)))
                if is_int(document.source().slice(scalar.span)) =>
            {
                Err(ParseError::new(
                    unusable(&ScalarError::Uint64),
                    document.line(scalar.span),
                ))
            }
            Ok(Resolved::Value(value)) => Ok(NewNode::Value(value.into_owned())),
            Err(error) => Err(ParseError::new(
                unusable(&error),
                document.line(scalar.span),
            )),
        },
        Node::Alias(_) => Ok(NewNode::Null),
    }
}

fn is_int(token: &[u8]) -> bool {
    token
        .iter()
        .all(|byte| byte.is_ascii_digit() || *byte == b'-')
}

fn unusable(error: &ScalarError) -> ParseErrorKind {
    ParseErrorKind::Syntax(match error {
        ScalarError::Uint64 => "the integer does not fit 64 bits with sign",
        _ => "the number is out of range",
    })
}

const WRAPPING: usize = 5;

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<NewNode, ParseError> {
        read_value(&Secret::from_slice(text.as_bytes()))
    }

    /// The value as JSON text in one line.
    fn printed(node: &NewNode) -> String {
        match node {
            NewNode::List(items) => {
                let items: Vec<String> = items.iter().map(printed).collect();
                format!("[{}]", items.join(", "))
            }
            NewNode::Map(entries) => {
                let entries: Vec<String> = entries
                    .iter()
                    .map(|(key, value)| format!("{key:?}: {}", printed(value)))
                    .collect();
                format!("{{{}}}", entries.join(", "))
            }
            NewNode::Null => "null".into(),
            NewNode::Value(Value::Bool(value)) => value.to_string(),
            NewNode::Value(value) => {
                let text = String::from_utf8_lossy(value.canonical().expose()).into_owned();
                match value {
                    Value::Str(_) => format!("{text:?}"),
                    _ => text,
                }
            }
        }
    }

    #[test]
    fn any_value_is_read_and_keeps_its_type_and_the_order_of_its_keys() {
        for text in [
            "5",
            "-5",
            "9007199254740993",
            "1.5",
            "true",
            "null",
            "\"a\"",
            "[]",
            "{}",
            "{\"z\": [1, {}], \"a\": null}",
        ] {
            assert_eq!(printed(&read(text).unwrap()), text);
            assert_eq!(printed(&read(&format!(" {text}\n")).unwrap()), text);
        }
    }

    #[test]
    fn more_or_less_than_one_value_is_an_error() {
        for text in [
            "",
            " ",
            "1 2",
            "1,",
            "1}",
            "1}, {",
            "1, \"b\": 2",
            "1} ",
            "{",
            "x",
            "'a'",
            "01",
        ] {
            assert!(read(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_number_that_sops_cannot_carry_is_an_error() {
        for text in ["18446744073709551615", "-9223372036854775809", "1e999"] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
