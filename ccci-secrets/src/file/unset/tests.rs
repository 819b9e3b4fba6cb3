use super::*;
use crate::document::Document;
use crate::document::yaml::samples;
use crate::file::testing::{assert_none, count, keyring, later, now, open, policy, seal};
use crate::secret::Secret;

fn parse(format: Format, text: &str) -> Document {
    Document::parse(format, Secret::from_slice(text.as_bytes())).unwrap()
}

fn is_without(before: &Document, path: &TreePath, after: &Document) -> bool {
    let expected = reading_without(before, path).unwrap();
    expected.is_some_and(|expected| expected.is(reading(after).unwrap()))
}

/// The text that is left.
fn without(format: Format, text: &str, path: &str) -> String {
    let document = parse(format, text);
    let path = path.parse().unwrap();
    let left = document.source().splice(document.remove(&path)).unwrap();
    let left = String::from_utf8(left.expose().to_vec()).unwrap();
    assert!(
        is_without(&document, &path, &parse(format, &left)),
        "{path} of {text:?} leaves {left:?}"
    );
    left
}

#[track_caller]
fn assert_left(format: Format, text: &str, path: &str, expected: &str) {
    assert_eq!(without(format, text, path), expected);
}

#[track_caller]
fn assert_yaml(text: &str, path: &str, expected: &str) {
    assert_left(Format::Yaml, text, path, expected);
}

#[test]
fn the_rest_is_everything_but_what_stands_at_the_path() {
    let before = "a:\n- [1, 2]\n- b: 3\n  c: 4\nd: {}\n---\na: [5]\n";
    let is_left = |path: &str, text: &str| {
        let before = parse(Format::Yaml, before);
        is_without(&before, &path.parse().unwrap(), &parse(Format::Yaml, text))
    };
    for (path, gone) in [
        ("a", "a:\n- [1, 2]\n- b: 3\n  c: 4\n"),
        ("a[0]", "- [1, 2]\n"),
        ("a[0][0]", "1, "),
        ("a[0][1]", ", 2"),
        ("a[1]", "- b: 3\n  c: 4\n"),
        ("a[1].b", "b: 3\n  "),
        ("a[1].c", "  c: 4\n"),
        ("d", "d: {}\n"),
    ] {
        let rest = before.replacen(gone, "", 1);
        assert!(is_left(path, &rest), "{path}");
        assert!(!is_left(path, before), "{path}");
        for (other, changed) in [("[5]", "[]"), ("a: [5]", "b: [5]"), ("---", "e: 6\n---")] {
            assert!(!is_left(path, &rest.replace(other, changed)), "{path}");
        }
    }
    for path in [
        "b", "a.b", "a[2]", "a[0][2]", "a[1].d", "a[1].b.c", "d.a", "d[0]",
    ] {
        let nothing = reading_without(&parse(Format::Yaml, before), &path.parse().unwrap());
        assert!(nothing.unwrap().is_none(), "{path}");
    }
    let twice = parse(Format::Json, r#"{"a": 1, "a": 2}"#);
    let first = parse(Format::Json, r#"{"a": 2}"#);
    assert!(is_without(&twice, &"a".parse().unwrap(), &first));
}

#[test]
fn an_entry_goes_with_the_comments_above_and_behind_it() {
    let text =
        "# file\n\n# of a\na: 1 # behind a\n# of b\n# too\nb: 2 # behind b\n\n# of c\nc: 3\n";
    assert_yaml(
        text,
        "a",
        "# file\n\n# of b\n# too\nb: 2 # behind b\n\n# of c\nc: 3\n",
    );
    assert_yaml(
        text,
        "b",
        "# file\n\n# of a\na: 1 # behind a\n\n# of c\nc: 3\n",
    );
    assert_yaml(
        text,
        "c",
        "# file\n\n# of a\na: 1 # behind a\n# of b\n# too\nb: 2 # behind b\n\n",
    );
}

#[test]
fn a_collection_that_is_left_empty_gets_brackets() {
    assert_yaml("a:\n  b: 1\nc: 2\n", "a.b", "a: {}\nc: 2\n");
    assert_yaml("a:\n- 1\nc: 2\n", "a[0]", "a: []\nc: 2\n");
    assert_yaml("a:\n  - b: 1\nc: 2\n", "a[0].b", "a:\n  - {}\nc: 2\n");
    assert_yaml("a: {b: 1}\nc: 2\n", "a.b", "a: {}\nc: 2\n");
    assert_yaml("a: [[1]]\nc: 2\n", "a[0][0]", "a: [[]]\nc: 2\n");
}

#[test]
fn whatever_spans_lines_goes_whole() {
    let text = "a:\n  b: |\n    x\n\n    y\n  c: \"one\n    two\"\nd: >+\n  z\n\n\ne: 1\n";
    assert_yaml(
        text,
        "a.b",
        "a:\n  c: \"one\n    two\"\nd: >+\n  z\n\n\ne: 1\n",
    );
    assert_yaml(
        text,
        "a.c",
        "a:\n  b: |\n    x\n\n    y\nd: >+\n  z\n\n\ne: 1\n",
    );
    assert_yaml(
        text,
        "d",
        "a:\n  b: |\n    x\n\n    y\n  c: \"one\n    two\"\ne: 1\n",
    );
    assert_yaml(text, "a", "d: >+\n  z\n\n\ne: 1\n");
    // Blank lines that would become part of the value above go, too.
    assert_yaml("a: |+\n  x\nb: 1\n\nc: 2\n", "b", "a: |+\n  x\nc: 2\n");
}

#[test]
fn the_first_entry_behind_a_dash_leaves_the_dash() {
    assert_yaml("l:\n- a: 1\n  b: 2\n", "l[0].a", "l:\n- b: 2\n");
    assert_yaml(
        "l:\n- a: 1 # x\n  # of b\n  b: 2\n",
        "l[0].a",
        "l:\n-\n  # of b\n  b: 2\n",
    );
    assert_yaml("l:\n- - 1\n  - 2\n", "l[0][0]", "l:\n- - 2\n");
    assert_yaml("l:\n- a\n# of b\n- b\n- c\n", "l[1]", "l:\n- a\n- c\n");
    assert_yaml("? a\n: 1\n? b\n: 2\n", "a", "? b\n: 2\n");
    assert_yaml("&x a: 1\nb: 2\n", "a", "b: 2\n");
}

#[test]
fn a_member_between_brackets_goes_with_one_comma() {
    let text = "a: {b: 1, c: 2, d: 3}\n";
    assert_yaml(text, "a.b", "a: {c: 2, d: 3}\n");
    assert_yaml(text, "a.c", "a: {b: 1, d: 3}\n");
    assert_yaml(text, "a.d", "a: {b: 1, c: 2}\n");
    let text = "a: [\n  1, # one\n  # of two\n  2, # two\n  # of three\n  3 # three\n]\n";
    assert_yaml(
        text,
        "a[1]",
        "a: [\n  1, # one\n  # of three\n  3 # three\n]\n",
    );
    let json = "{\n  \"a\": [1, 2],\n  \"b\": {\"c\": 1},\n  \"d\": 3\n}\n";
    let left = |path, expected| assert_left(Format::Json, json, path, expected);
    left("a", "{\n  \"b\": {\"c\": 1},\n  \"d\": 3\n}\n");
    left(
        "a[0]",
        "{\n  \"a\": [2],\n  \"b\": {\"c\": 1},\n  \"d\": 3\n}\n",
    );
    left("b.c", "{\n  \"a\": [1, 2],\n  \"b\": {},\n  \"d\": 3\n}\n");
    left("d", "{\n  \"a\": [1, 2],\n  \"b\": {\"c\": 1}\n}\n");
}

#[test]
fn lines_of_dotenv_and_ini_go_with_their_comments() {
    let env = "# file\n\n# of A\nA=1\nB=2\n#end";
    let left = |path, expected| assert_left(Format::Dotenv, env, path, expected);
    left("A", "# file\n\nB=2\n#end");
    left("B", "# file\n\n# of A\nA=1\n#end");
    let ini =
        "x = 0\n\n; of s\n[s]\n; of a\na = 1 ; behind\nb = \"\"\"two\nlines\"\"\"\n\n[t]\nc = 3\n";
    let left = |path, expected| assert_left(Format::Ini, ini, path, expected);
    left(
        "s.a",
        "x = 0\n\n; of s\n[s]\nb = \"\"\"two\nlines\"\"\"\n\n[t]\nc = 3\n",
    );
    left(
        "s.b",
        "x = 0\n\n; of s\n[s]\n; of a\na = 1 ; behind\n\n[t]\nc = 3\n",
    );
    left("s", "x = 0\n\n[t]\nc = 3\n");
    left(
        "t.c",
        "x = 0\n\n; of s\n[s]\n; of a\na = 1 ; behind\nb = \"\"\"two\nlines\"\"\"\n\n[t]\n",
    );
}

/// Every path of a document.
fn paths(document: &Document) -> Vec<TreePath> {
    use crate::document::{Item, NodeId};
    let mut found = Vec::new();
    let mut open: Vec<(TreePath, NodeId)> = vec![(TreePath::root(), document.parts()[0].root)];
    while let Some((path, id)) = open.pop() {
        let (Node::Map(collection) | Node::List(collection)) = document.target(id).1 else {
            continue;
        };
        let mut index = 0;
        for item in &collection.items {
            let (segment, id) = match item {
                Item::Comment(_) => continue,
                Item::Element(id) => (Segment::Index(index), *id),
                Item::Entry(entry) => (Segment::Key(document.key(entry).into()), entry.value),
            };
            index += 1;
            let path = path.child(segment);
            if !found.contains(&path) {
                found.push(path.clone());
                open.push((path, id));
            }
        }
    }
    found
}

#[test]
fn nothing_but_the_entry_goes_from_made_up_files() {
    let (mut removed, mut wrong) = (0, Vec::new());
    for seed in count("CCSEC_TEST_UNSET", 150) {
        let text = samples::document(seed);
        let source = Secret::from_slice(text.as_bytes());
        let Ok(document) = Document::parse(Format::Yaml, source) else {
            continue;
        };
        let all = paths(&document);
        // The last one would leave no document; a sealed file always holds its metadata.
        let of_root = all.iter().filter(|path| path.segments().len() == 1).count();
        for path in all
            .iter()
            .filter(|path| of_root > 1 || path.segments().len() > 1)
        {
            let Ok(written_out) = without_aliases_of(&document, path) else {
                continue;
            };
            let before = written_out.as_ref().unwrap_or(&document);
            let left = before.source().splice(before.remove(path)).unwrap();
            let shown = String::from_utf8_lossy(left.expose()).into_owned();
            let after = Document::parse(Format::Yaml, left);
            if after.is_ok_and(|after| is_without(before, path, &after)) {
                removed += 1;
            } else {
                wrong.push(format!("seed {seed}, {path}\n{text}\n>>> became\n{shown}"));
            }
        }
    }
    eprintln!("{removed} entries taken out");
    assert!(removed > 200, "{removed}");
    assert_none(wrong);
}

#[test]
fn the_rest_of_a_sealed_file_keeps_its_envelopes() {
    let keyring = keyring();
    let text = "a: one\n# of b\nb:\n  c: two # behind\n  d: three\n# of e\ne: four\n";
    let sealed = seal(&policy(), text).unwrap();
    let file = open(&keyring, &sealed).unwrap();
    let edited = file.unset(&"b.c".parse().unwrap()).unwrap();
    let left = edited.seal(later()).unwrap();
    let open = left.open(&keyring).unwrap();
    let (plain, notes) = open.expose_document().unwrap();
    assert_eq!(
        plain.expose(),
        b"a: one\n# of b\nb:\n  d: three\n# of e\ne: four\n"
    );
    assert!(notes.is_empty());
    let kept = |text: &str| -> Vec<String> {
        let lines = text.lines().take_while(|line| !line.starts_with("sops:"));
        lines.map(str::to_owned).collect()
    };
    let mut expected = kept(&sealed);
    expected.remove(3);
    assert_eq!(kept(&open.sealed.to_string()), expected);
    assert_ne!(now(), later());
}

#[test]
fn a_path_that_leads_nowhere_is_named_in_the_words_of_sops() {
    let keyring = keyring();
    let text = "s: x\ni: 1\nb: true\nf: 1.5\nn: null\nt: 2001-12-14\nl: [1]\n";
    let sealed = seal(&policy(), text).unwrap();
    for (path, expected) in [
        ("zz", "Key not found: zz"),
        ("zz.x", "Key not found: zz"),
        ("sops", "Key not found: sops"),
        ("l[7]", "Index 7 out of bounds"),
        ("i.x", "Unsupported type: int for item 'x'"),
        ("s.x", "Unsupported type: string for item 'x'"),
        ("b.x", "Unsupported type: bool for item 'x'"),
        ("f.x", "Unsupported type: float64 for item 'x'"),
        ("n.x", "Unsupported type: <nil> for item 'x'"),
        ("t.x", "Unsupported type: time.Time for item 'x'"),
        ("l.x", "`l` is a list; its items are numbered"),
    ] {
        let file = open(&keyring, &sealed).unwrap();
        let error = file.unset(&path.parse().unwrap()).unwrap_err();
        assert_eq!(error.to_string(), expected);
        assert_eq!(
            error.is_absence(),
            expected.starts_with("Key not") || expected.starts_with("Index")
        );
    }
}
