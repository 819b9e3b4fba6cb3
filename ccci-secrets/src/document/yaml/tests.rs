//! The reader against go-yaml: structure, values, and the container of every comment.

use super::*;
use crate::document::{Item, Node, NodeId, ParseErrorKind, Place};
use crate::file::{Index, State, What};
use crate::selection::{Selection, SelectionSettings};

pub(crate) mod go_yaml;

fn parse_text(text: &str) -> Result<Document, ParseError> {
    Document::parse(Format::Yaml, Secret::from_slice(text.as_bytes()))
}

/// Every comment that sops sees, in its order, with the path of its container.
fn comment_paths(document: &Document) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for part in document.parts() {
        collect(document, part.root, ":", &mut found);
    }
    found
}

fn collect(document: &Document, id: NodeId, path: &str, found: &mut Vec<(String, String)>) {
    let (Node::Map(collection) | Node::List(collection)) = document.target(id).1 else {
        return;
    };
    for item in &collection.items {
        match item {
            Item::Comment(comment) if comment.place == Place::Lost => {}
            Item::Comment(comment) => {
                let text = String::from_utf8_lossy(document.source().slice(comment.text()));
                found.push((text.trim().to_owned(), path.to_owned()));
            }
            Item::Element(id) => collect(document, *id, path, found),
            Item::Entry(entry) => {
                let prefix = path
                    .strip_suffix(':')
                    .filter(|rest| rest.is_empty())
                    .unwrap_or(path);
                let inner = format!("{prefix}{}:", document.key(entry));
                collect(document, entry.value, &inner, found);
            }
        }
    }
}

#[derive(serde::Deserialize)]
struct Snippet {
    input: String,
    comments: Vec<(String, String)>,
}

// The file holds what real sops 3.13.3 sealed each comment under, see testdata/yaml/README.md.
#[test]
fn comments_have_the_containers_that_sops_gives_them() {
    let golden = include_str!("../../../../testdata/yaml/comment-paths.json");
    let snippets: Vec<Snippet> = serde_json::from_str(golden).unwrap();
    assert_eq!(snippets.len(), 1375);
    let mut wrong = Vec::new();
    for snippet in snippets {
        let mut expected = snippet.comments;
        let mut found = comment_paths(&parse_text(&snippet.input).unwrap());
        expected.sort();
        found.sort();
        if found != expected {
            wrong.push(format!(
                "{:?}\n  found {found:?}\n  not   {expected:?}",
                snippet.input
            ));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} wrong:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

// What the cipher sees: the walk over the whole file, as it is used for sealing and opening.
#[test]
fn the_walk_gives_each_comment_the_associated_data_that_sops_gave_it() {
    let selection = Selection::compile(SelectionSettings::default()).unwrap();
    let golden = include_str!("../../../../testdata/yaml/comment-paths.json");
    let snippets: Vec<Snippet> = serde_json::from_str(golden).unwrap();
    for snippet in snippets {
        let document = parse_text(&snippet.input).unwrap();
        let index = Index::of(&document, &selection, State::Clear).unwrap();
        let mut expected = snippet.comments;
        let mut found: Vec<_> = index
            .entries(&document)
            .filter_map(|entry| match entry.what {
                What::Comment(comment) if comment.place != Place::Lost => {
                    let text = document.source().slice(comment.text());
                    let text = String::from_utf8_lossy(text).trim().to_owned();
                    Some((text, index.aad(&document, &entry)))
                }
                _ => None,
            })
            .collect();
        expected.sort();
        found.sort();
        assert_eq!(found, expected, "{:?}", snippet.input);
    }
}

fn error(text: &str) -> (ParseErrorKind, usize) {
    let error = parse_text(text).unwrap_err();
    (error.kind, error.line)
}

#[test]
fn bad_documents_are_refused_with_their_line() {
    for (text, kind, line) in [
        ("", ParseErrorKind::Empty, 1),
        (" \n\n", ParseErrorKind::Empty, 1),
        ("# only\n# this\n", ParseErrorKind::OnlyComments, 1),
        ("a: 1\n\tb: 2\n", ParseErrorKind::Tab, 2),
        ("- a\n- b\n", ParseErrorKind::RootNotAMap, 1),
        ("text\n", ParseErrorKind::RootNotAMap, 1),
        ("a: 1\n2: b\n", ParseErrorKind::NonStringKey, 2),
        ("a: 1\n[b]: c\n", ParseErrorKind::NonStringKey, 2),
        (
            "a: 1\nb: 2\na: 3\n",
            ParseErrorKind::DuplicateKey("a".into()),
            3,
        ),
        (
            "a: 1\nb: *c\n",
            ParseErrorKind::UnknownAnchor("c".into()),
            2,
        ),
        (
            "a: &c\n  b: *c\n",
            ParseErrorKind::AliasCycle("c".into()),
            2,
        ),
        ("%YAML 1.2\n---\na: 1\n", ParseErrorKind::Directive, 1),
        ("a: 1\nb: \u{1}\n", ParseErrorKind::NotUtf8, 2),
    ] {
        assert_eq!(error(text), (kind, line), "{text:?}");
    }
    for (bytes, kind) in [
        (&b"a: 1\nb: \xFF\n"[..], ParseErrorKind::NotUtf8),
        (b"\xFF\xFEa\0", ParseErrorKind::Utf16),
    ] {
        let error = Document::parse(Format::Yaml, Secret::from_slice(bytes)).unwrap_err();
        assert_eq!(error.kind, kind);
    }
}

/// Documents that go-yaml and sops read and we refuse, and why. The manual lists them, too.
#[test]
fn what_we_refuse_though_sops_reads_it() {
    for (text, kind) in [
        // A tag would mean something else than it says, and with it the bytes that the MAC covers.
        (
            "%TAG !! tag:example.org:\n---\na: !!int 1\n",
            ParseErrorKind::Directive,
        ),
        (
            "%TAG !e! tag:yaml.org,2002:\n---\na: !e!int 1\n",
            ParseErrorKind::Directive,
        ),
        ("%TAG ! !own-\n---\na: ! 1\n", ParseErrorKind::Directive),
        // The name of a key would not be the text that stands there.
        ("!!binary YQ==: 1\n", ParseErrorKind::NonStringKey),
        // Which name the key has can only be seen elsewhere.
        (
            "a: &x b\n*x : 1\n",
            ParseErrorKind::Syntax("an alias as a key is not supported"),
        ),
        // Comments behind it would belong elsewhere; nobody means to write two.
        (
            "\u{feff}\u{feff}a: 1\n",
            ParseErrorKind::Syntax("two byte order marks stand at the start"),
        ),
        // Not a map, and nothing that sops could write back as it was.
        ("a: 1\n---\nnull\n", ParseErrorKind::RootNotAMap),
    ] {
        assert_eq!(error(text).0, kind, "{text:?}");
    }
}

#[test]
fn nesting_beyond_the_limit_is_an_error_and_no_overflow() {
    let maps = (0..100_000).fold(String::new(), |out, _| out + "- ") + "a";
    for text in [
        format!("a: {}", "[".repeat(200_000)),
        format!("a: {}", "{a: ".repeat(100_000)),
        format!("a:\n  {maps}"),
    ] {
        assert_eq!(error(&text).0, ParseErrorKind::TooDeep);
    }
    let deep = format!("a: {}{}", "[".repeat(4_000), "]".repeat(4_000));
    assert!(parse_text(&deep).is_ok());
}

#[test]
fn what_go_yaml_drops_stays_in_the_innermost_collection_as_lost() {
    for (text, expected) in [
        ("a: [ # open\n  x]\n", "# open"),
        ("a: 1\n...\n\n# after\n", "# after"),
        ("%YAML 1.1 # said\n---\na: 1\n", "# said"),
        ("b: {a: {\n # empty\n}}\n", "# empty"),
    ] {
        let document = parse_text(text).unwrap();
        let items = document.nodes.iter().flat_map(|node| match node {
            Node::Map(collection) | Node::List(collection) => &*collection.items,
            _ => &[],
        });
        let lost: Vec<_> = items
            .filter_map(|item| match item {
                Item::Comment(comment) if comment.place == Place::Lost => {
                    Some(document.source().slice(comment.span))
                }
                _ => None,
            })
            .collect();
        assert_eq!(lost, [expected.as_bytes()], "{text:?}");
    }
}

// Names are looked up in two ways, and each spelling of one is the same name.
#[test]
fn a_name_that_stands_twice_is_found_in_small_maps_and_in_large_ones() {
    for entries in [2, 15, 16, 17, 40, 300] {
        let text: String = (0..entries).map(|nth| format!("name-{nth}: 1\n")).collect();
        assert!(parse_text(&text).is_ok(), "{entries}");
        let inner: String = text.lines().map(|line| format!("  {line}\n")).collect();
        assert!(
            parse_text(&format!("{text}m:\n{inner}")).is_ok(),
            "{entries}"
        );
        for again in [0, entries / 2, entries - 1] {
            for name in [
                format!("name-{again}"),
                format!("'name-{again}'"),
                format!("\"\\x6eame-{again}\""),
            ] {
                let error = parse_text(&format!("{text}# c\n{name}: 2\n")).unwrap_err();
                let expected = ParseErrorKind::DuplicateKey(format!("name-{again}"));
                assert_eq!((error.kind, error.line), (expected, entries + 2), "{name}");
            }
        }
    }
}
