use proptest::prelude::*;

use crate::document::{
    Document, Format, Item, NewNode, NewScalar, Node, NodeId, ParseErrorKind, Resolved,
    ScalarError, SetError, SpliceError,
};
use crate::path::{Segment, TreePath};
use crate::secret::Secret;
use crate::value::Value;

fn read(text: &str) -> Document {
    Document::parse(Format::Json, Secret::from_slice(text.as_bytes())).unwrap()
}

fn refusal(text: &[u8]) -> ParseErrorKind {
    Document::parse(Format::Json, Secret::from_slice(text))
        .unwrap_err()
        .kind
}

fn text_of(spliced: Result<Secret, SpliceError>) -> String {
    String::from_utf8(spliced.unwrap().expose().to_vec()).unwrap()
}

/// Type and canonical bytes of every leaf in order, keys and brackets between them.
fn dump(document: &Document) -> String {
    fn walk(document: &Document, id: NodeId, out: &mut String) {
        match document.node(id) {
            Node::Scalar(scalar) => match document.resolve(scalar) {
                Ok(Resolved::Null) => out.push_str("null "),
                Ok(Resolved::Value(value)) => {
                    let bytes = String::from_utf8_lossy(value.canonical().expose()).into_owned();
                    out.push_str(&format!("{}={bytes:?} ", value.kind().as_str()));
                }
                Err(error) => out.push_str(&format!("{error:?} ")),
            },
            Node::Map(items) | Node::List(items) => {
                out.push_str(if matches!(document.node(id), Node::Map(_)) {
                    "{ "
                } else {
                    "[ "
                });
                for item in &items.items {
                    match item {
                        Item::Entry(entry) => {
                            out.push_str(&format!("{:?}: ", document.key(entry)));
                            walk(document, entry.value, out);
                        }
                        Item::Element(id) => walk(document, *id, out),
                        Item::Comment(_) => {}
                    }
                }
                out.push_str("} ");
            }
            Node::Alias(_) => {}
        }
    }
    let mut out = String::new();
    walk(document, document.parts()[0].root, &mut out);
    out
}

fn leaf(text: &str) -> String {
    dump(&read(&format!("{{\"k\": {text}}}")))
        .replace("{ \"k\": ", "")
        .replace(" } ", "")
}

// sops-format.md 11, row "Numbers".
#[test]
fn numbers_are_ints_when_they_fit_and_floats_otherwise() {
    for (text, expected) in [
        ("1", "int=\"1\""),
        ("-0", "int=\"0\""),
        ("-0.0", "float=\"-0\""),
        ("9223372036854775807", "int=\"9223372036854775807\""),
        ("9223372036854775808", "float=\"9223372036854776000\""),
        ("99999999999999999999", "float=\"100000000000000000000\""),
        ("1.0", "float=\"1\""),
        ("1e3", "float=\"1000\""),
        ("true", "bool=\"True\""),
        ("null", "null"),
        ("\"\"", "str=\"\""),
    ] {
        assert_eq!(leaf(text), expected, "{text}");
    }
    assert_eq!(leaf("1e400"), format!("{:?}", ScalarError::NumberRange));
}

// Go's unquote: pairs are joined, any half alone becomes U+FFFD.
#[test]
fn escapes_decode_as_in_go() {
    for (text, expected) in [
        (r#""\"\\\/\b\f\n\r\t""#, "\"\\/\u{8}\u{c}\n\r\t"),
        (r#""\u00e9\ud83d\ude00""#, "\u{e9}\u{1f600}"),
        (r#""\ud83d""#, "\u{fffd}"),
        (r#""\ud83dx\ude00""#, "\u{fffd}x\u{fffd}"),
        (r#""\ud83d\u0041""#, "\u{fffd}A"),
        (r#""\ud83d\ud83d\ude00""#, "\u{fffd}\u{1f600}"),
    ] {
        assert_eq!(leaf(text), format!("str={expected:?}"), "{text}");
    }
}

#[test]
fn what_go_refuses_is_refused() {
    for text in [
        "{",
        "{\"a\"",
        "{\"a\":",
        "{\"a\":1",
        "{\"a\":1,}",
        "{\"a\":[1,]}",
        "{\"a\":[,]}",
        "{,}",
        "{a:1}",
        "{'a':1}",
        "{\"a\" 1}",
        "{\"a\":01}",
        "{\"a\":+1}",
        "{\"a\":1.}",
        "{\"a\":.5}",
        "{\"a\":0x1}",
        "{\"a\":1e}",
        "{\"a\":NaN}",
        "{\"a\":tru}",
        "{\"a\":\"\t\"}",
        "{\"a\":\"\\'\"}",
        "{\"a\":\"\\u12g4\"}",
        "{\"a\":[1 2]}",
        "{\"a\":1 \"b\":2}",
        "{\"a\":}",
        "{\"a\":1]",
        "{\"a\":[1}}",
        "{1:2}",
        "\u{feff}{}",
        "{/**/}",
        "{\"a\":\"\\",
    ] {
        assert!(
            matches!(refusal(text.as_bytes()), ParseErrorKind::Syntax(_)),
            "{text}"
        );
    }
    assert_eq!(refusal(b" \n"), ParseErrorKind::Empty);
    assert_eq!(refusal(b"[1]"), ParseErrorKind::RootNotAMap);
    assert_eq!(refusal(b"\"a\""), ParseErrorKind::RootNotAMap);
    assert_eq!(refusal(b"{\"a\": \"\xff\"}"), ParseErrorKind::NotUtf8);
    assert_eq!(
        refusal(b"{\"sops\": 1, \"sops\": 2}"),
        ParseErrorKind::DuplicateKey("sops".into())
    );
    assert_eq!(
        refusal(format!("{{\"a\": {}", "[".repeat(20_000)).as_bytes()),
        ParseErrorKind::TooDeep
    );
}

#[test]
fn bytes_behind_the_object_and_equal_keys_are_kept() {
    let document = read("{\"a\": 1, \"a\": 2} trailing ]");
    assert_eq!(dump(&document), "{ \"a\": int=\"1\" \"a\": int=\"2\" } ");
    let with = text_of(
        document
            .source()
            .splice(document.append_metadata(&NewNode::Map(vec![]))),
    );
    assert_eq!(with, "{\"a\": 1, \"a\": 2, \"sops\": {}} trailing ]");
}

#[test]
fn the_line_of_an_error_is_told() {
    let error =
        Document::parse(Format::Json, Secret::from_slice(b"{\n\"a\": 1,\n]\n}")).unwrap_err();
    assert_eq!(error.line, 3);
}

fn block() -> NewNode {
    NewNode::Map(vec![
        (
            "age".into(),
            NewNode::List(vec![NewNode::Map(vec![(
                "enc".into(),
                NewNode::text("a\nb"),
            )])]),
        ),
        ("version".into(), NewNode::text("3.13.3")),
    ])
}

// The tab layout is that of sops' own output.
#[test]
fn the_block_is_the_last_member_in_the_layout_of_the_file() {
    for (text, expected) in [
        (
            "{\n\t\"a\": 1\n}\n",
            "{\n\t\"a\": 1,\n\t\"sops\": {\n\t\t\"age\": [\n\t\t\t{\n\t\t\t\t\"enc\": \"a\\nb\"\n\t\t\t}\n\t\t],\n\t\t\"version\": \"3.13.3\"\n\t}\n}\n",
        ),
        (
            "{\r\n  \"a\": 1\r\n}",
            "{\r\n  \"a\": 1,\r\n  \"sops\": {\r\n    \"age\": [\r\n      {\r\n        \"enc\": \"a\\nb\"\r\n      }\r\n    ],\r\n    \"version\": \"3.13.3\"\r\n  }\r\n}",
        ),
        (
            "{\"a\":1,\"b\":2}",
            "{\"a\":1,\"b\":2,\"sops\":{\"age\":[{\"enc\":\"a\\nb\"}],\"version\":\"3.13.3\"}}",
        ),
        (
            "{\"a\": 1}",
            "{\"a\": 1, \"sops\": {\"age\": [{\"enc\": \"a\\nb\"}], \"version\": \"3.13.3\"}}",
        ),
        (
            "{}\n",
            "{\n\t\"sops\": {\n\t\t\"age\": [\n\t\t\t{\n\t\t\t\t\"enc\": \"a\\nb\"\n\t\t\t}\n\t\t],\n\t\t\"version\": \"3.13.3\"\n\t}\n}\n",
        ),
    ] {
        let document = read(text);
        assert_eq!(
            text_of(document.source().splice(document.append_metadata(&block()))),
            expected
        );
    }
}

fn set(text: &str, path: &str, new: &NewNode) -> Result<String, SetError> {
    let document = read(text);
    Ok(text_of(
        document
            .source()
            .splice(document.set(&path.parse().unwrap(), new)?),
    ))
}

#[test]
fn new_members_stand_behind_the_last_one_and_before_the_metadata() {
    let one = NewNode::Value(Value::Int(1));
    for (text, path, expected) in [
        (
            "{\n  \"a\": 0,\n  \"sops\": {}\n}",
            "b",
            "{\n  \"a\": 0,\n  \"b\": 1,\n  \"sops\": {}\n}",
        ),
        (
            "{\n  \"sops\": {}\n}",
            "b",
            "{\n  \"b\": 1,\n  \"sops\": {}\n}",
        ),
        (
            "{\n  \"a\": {}\n}",
            "a.b",
            "{\n  \"a\": {\n    \"b\": 1\n  }\n}",
        ),
        (
            "{\n  \"a\": []\n}",
            "a[9].c",
            "{\n  \"a\": [\n    {\n      \"c\": 1\n    }\n  ]\n}",
        ),
        (
            "{\n  \"a\": [\n    7\n  ]\n}",
            "a[5]",
            "{\n  \"a\": [\n    7,\n    1\n  ]\n}",
        ),
        ("{\n  \"a\": [7, 8]\n}", "a[2]", "{\n  \"a\": [7, 8, 1]\n}"),
        ("{\"a\": \"x\"}", "a", "{\"a\": 1}"),
        ("{\"a\": \"x\"}", "a.b[0]", "{\"a\": {\"b\": [1]}}"),
        ("{\"a\":{\"b\":2}}", "a.b", "{\"a\":{\"b\":1}}"),
        ("{}", "a", "{\n\t\"a\": 1\n}"),
        (
            "{\n\t\"a\": null\n}\n",
            "b.c",
            "{\n\t\"a\": null,\n\t\"b\": {\n\t\t\"c\": 1\n\t}\n}\n",
        ),
    ] {
        assert_eq!(
            set(text, path, &one).as_deref(),
            Ok(expected),
            "{text} {path}"
        );
    }
    assert_eq!(
        set("{\"a\": []}", "a.b", &one),
        Err(SetError::KeyOnList("a".into()))
    );
    assert_eq!(
        set("{\"a\": {}}", "a[0]", &one),
        Err(SetError::IndexOnMap("a".into()))
    );
    assert_eq!(
        read("{}").set(&TreePath::root(), &one).map(|_| ()),
        Err(SetError::Root)
    );
    let path = TreePath::from_segments(vec![Segment::Key("q\"".into())]);
    let document = read("{\"a\":1}");
    let edits = document.set(&path, &NewNode::text("<\u{1}>")).unwrap();
    assert_eq!(
        text_of(document.source().splice(edits)),
        r#"{"a":1,"q\"":"<\u0001>"}"#
    );
}

fn rewritten(value: &Value<'_>, spelling: &str) -> String {
    let document = read("{\"a\":\"ENC[x]\"}");
    let Node::Map(root) = document.node(document.parts()[0].root) else {
        panic!("a map")
    };
    let Item::Entry(entry) = &root.items[0] else {
        panic!("an entry")
    };
    let Node::Scalar(scalar) = document.node(entry.value) else {
        panic!("a scalar")
    };
    let edits = document.rewrite_scalar(
        scalar,
        &NewScalar::Value {
            value,
            spelling: spelling.as_bytes(),
        },
    );
    let text = text_of(document.source().splice(edits));
    text["{\"a\":".len()..text.len() - 1].to_owned()
}

#[test]
fn an_opened_value_keeps_its_spelling_and_its_type() {
    for (value, spelling, expected) in [
        (Value::Float(1000.0), "1e3", "1e3"),
        (Value::Float(8.0), "8", "8.0"),
        (Value::Float(8.0), "08", "8.0"),
        (Value::Float(-0.0), "-0", "-0.0"),
        (Value::Float(f64::NAN), "NaN", "\"NaN\""),
        (Value::Float(1.5), "2.5", "1.5"),
        (Value::Int(5), "+5", "5"),
        (Value::Int(0), "-0", "-0"),
        (Value::Bool(true), "True", "true"),
        (
            Value::borrowed(b"a\"\\\n\x7f/<"),
            "a\"",
            "\"a\\\"\\\\\\n\x7f/<\"",
        ),
        (Value::borrowed(b"\xffx"), "\u{fffd}", "\"\u{fffd}x\""),
    ] {
        assert_eq!(rewritten(&value, spelling), expected);
    }
}

fn blanks() -> impl Strategy<Value = String> {
    prop_oneof![4 => Just(String::new()), 1 => "[ \t\r\n]{0,3}"]
}

fn string_token() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => "[a-c]{0,3}",
        1 => r#"([ -!#-\[\]-~é😀]|\\["\\/bfnrt]|\\u[0-9a-fA-F]{4}){0,6}"#,
    ]
    .prop_map(|inner| format!("\"{inner}\""))
}

fn value() -> impl Strategy<Value = String> {
    let scalar = prop_oneof![
        Just("true".to_owned()),
        Just("null".to_owned()),
        "-?(0|[1-9][0-9]{0,20})(\\.[0-9]{1,3})?([eE][+-]?[0-9]{1,3})?",
        string_token(),
    ];
    scalar.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            (
                proptest::collection::vec((inner.clone(), blanks()), 0..4),
                blanks()
            )
                .prop_map(|(items, empty)| {
                    let items: Vec<_> = items
                        .into_iter()
                        .map(|(item, blank)| format!("{blank}{item}{blank}"))
                        .collect();
                    if items.is_empty() {
                        format!("[{empty}]")
                    } else {
                        format!("[{}]", items.join(","))
                    }
                }),
            object(inner),
        ]
    })
}

fn object(value: impl Strategy<Value = String>) -> impl Strategy<Value = String> {
    (
        proptest::collection::vec((string_token(), value, blanks(), blanks()), 0..4),
        blanks(),
    )
        .prop_map(|(members, empty)| {
            let members: Vec<_> = members
                .into_iter()
                .map(|(key, value, a, b)| format!("{a}{key}{b}:{b}{value}{a}"))
                .collect();
            if members.is_empty() {
                format!("{{{empty}}}")
            } else {
                format!("{{{}}}", members.join(","))
            }
        })
}

proptest! {
    #[test]
    fn removing_the_block_gives_back_every_byte(text in (blanks(), object(value()), blanks()).prop_map(|(a, b, c)| a + &b + &c)) {
        let document = read(&text);
        let with = read(&text_of(document.source().splice(document.append_metadata(&block()))));
        prop_assert!(with.metadata_entry(&with.parts()[0]).is_some());
        let without = text_of(with.source().splice(with.remove_metadata()));
        prop_assert_eq!(&without, &text);
        let expected = dump(&document);
        let body = expected.strip_suffix("} ").unwrap();
        prop_assert!(dump(&with).starts_with(body));
    }

    #[test]
    fn sealing_and_opening_keeps_every_value(text in object(value())) {
        let document = read(&text);
        let scalars: Vec<_> = document.nodes.iter().filter_map(|node| match node {
            Node::Scalar(scalar) => Some(scalar),
            _ => None,
        }).collect();
        for scalar in scalars {
            let Ok(Resolved::Value(value)) = document.resolve(scalar) else { continue };
            let envelope = text_of(document.source().splice(document.rewrite_scalar(scalar, &NewScalar::Envelope("ENC[x]"))));
            let sealed = read(&envelope);
            let place = sealed.nodes.iter().find_map(|node| match node {
                Node::Scalar(found) if found.span.start() == scalar.span.start() => Some(found),
                _ => None,
            }).unwrap();
            let token = document.source.slice(scalar.span);
            let canonical = value.canonical();
            let spelling = if matches!(value, Value::Str(_)) { canonical.expose() } else { token };
            let edits = sealed.rewrite_scalar(place, &NewScalar::Value { value: &value, spelling });
            let opened = text_of(sealed.source().splice(edits));
            prop_assert_eq!(dump(&read(&opened)), dump(&document));
            if !token.contains(&b'\\') {
                prop_assert_eq!(&opened, &text);
            }
        }
    }
}

#[test]
fn items_go_from_lists_with_their_commas() {
    let left = |text: &str, gone: &[usize]| {
        let document = super::super::Document::parse(
            super::super::Format::Json,
            crate::secret::Secret::from_slice(text.as_bytes()),
        )
        .unwrap();
        let lists = document.nodes.iter().filter_map(|node| match node {
            super::super::Node::List(list) => Some(list),
            _ => None,
        });
        let items: Vec<_> = lists
            .flat_map(|list| super::super::walk::elements(list))
            .collect();
        let gone = gone.iter().map(|nth| items[*nth]).collect();
        let text = document.source().splice(document.remove_items(&gone));
        String::from_utf8(text.unwrap().expose().to_vec()).unwrap()
    };
    let text = "{\"a\": [\n  1,\n  2,\n  3,\n  4\n]}";
    assert_eq!(left(text, &[]), text);
    assert_eq!(left(text, &[0, 1]), "{\"a\": [\n  3,\n  4\n]}");
    assert_eq!(left(text, &[1, 2]), "{\"a\": [\n  1,\n  4\n]}");
    assert_eq!(left(text, &[0, 2, 3]), "{\"a\": [\n  2\n]}");
    assert_eq!(left(text, &[0, 1, 2, 3]), "{\"a\": []}");
}
