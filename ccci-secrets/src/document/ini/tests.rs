//! The same text read by this reader and by ini.v1 (tests/go-ini/main.go), and laws on made-up files.
//!
//! `CCSEC_TEST_DOCUMENTS` sets how many files are made up, and `CCSEC_TEST_SEED` where their numbers start.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use proptest::prelude::*;

use super::value::{free_token, key_token};
use super::*;
use crate::document::{
    Document, Format, Item, NewNode, NewScalar, Node, ParseError, ParseErrorKind, Place, Resolved,
    Scalar,
};
use crate::secret::Secret;
use crate::value::Value;

fn read(text: &[u8]) -> Result<Document, ParseError> {
    parse(Secret::from_slice(text))
}

/// This reader's answer, in the form of the Go program; `None` for a file that is refused by design.
fn describe(text: &[u8]) -> Option<String> {
    let document = match read(text) {
        Ok(document) => document,
        Err(error) if is_by_design(&error.kind) => return None,
        Err(_) => return Some("error\n".to_owned()),
    };
    let mut out = String::new();
    let Node::Map(root) = document.node(document.parts[0].root) else {
        panic!("the root is a map");
    };
    for item in &root.items {
        let Item::Entry(section) = item else { continue };
        writeln!(out, "n {}", hex(document.key(section).as_bytes())).unwrap();
        let Node::Map(items) = document.node(section.value) else {
            panic!("a section is a map");
        };
        for item in &items.items {
            match item {
                Item::Comment(comment) if comment.place == Place::Lost => {}
                Item::Comment(comment) => {
                    let text = comment_text(&document, comment);
                    writeln!(out, "c {}", hex(text.expose())).unwrap();
                }
                Item::Entry(entry) => {
                    let scalar = scalar(&document, item);
                    let value = value_text(&document, &scalar);
                    writeln!(out, "k {}", hex(document.key(entry).as_bytes())).unwrap();
                    writeln!(out, "v {}", hex(value.expose())).unwrap();
                }
                Item::Element(_) => panic!("a section is no list"),
            }
        }
    }
    Some(out)
}

fn scalar(document: &Document, item: &Item) -> Scalar {
    match item {
        Item::Entry(entry) => match document.node(entry.value) {
            Node::Scalar(scalar) => scalar.clone(),
            _ => panic!("a value is a scalar"),
        },
        _ => panic!("an entry"),
    }
}

/// What ini.v1 takes by losing text; see the module.
fn is_by_design(kind: &ParseErrorKind) -> bool {
    matches!(
        kind,
        ParseErrorKind::DuplicateKey(_)
            | ParseErrorKind::Syntax(
                "text behind a section header would be lost"
                    | "text behind a closing quote would be lost"
            )
    )
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut out, byte| {
        write!(out, "{byte:02x}").unwrap();
        out
    })
}

/// The Go program, built once; `None` where there is no Go.
fn program() -> Option<&'static Path> {
    static PROGRAM: OnceLock<Option<PathBuf>> = OnceLock::new();
    let built = PROGRAM.get_or_init(|| {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
        let program = folder.join("../target/tmp/go-ini");
        let status = Command::new("go")
            .args(["build", "-o"])
            .arg(&program)
            .arg(".")
            .current_dir(folder.join("tests/go-ini"))
            .status();
        match status {
            Err(error) => {
                eprintln!("SKIPPED: the comparison with ini.v1 needs `go`: {error}");
                None
            }
            Ok(status) => {
                assert!(status.success(), "the Go program must build");
                Some(program)
            }
        }
    });
    built.as_deref()
}

/// The answers of ini.v1, or `None` where there is no Go to ask.
fn ask_go(texts: &[Vec<u8>]) -> Option<Vec<String>> {
    let program = program()?;
    let mut child = Command::new(program)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input: Vec<u8> = texts
        .iter()
        .flat_map(|text| [format!("{}\n", text.len()).as_bytes(), text].concat())
        .collect();
    let writer = std::thread::spawn(move || stdin.write_all(&input).unwrap());
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    let output = String::from_utf8(output.stdout).unwrap();
    Some(
        output
            .split_terminator("end\n")
            .map(str::to_owned)
            .collect(),
    )
}

/// Compares, and gives the number of files that were refused by design.
fn compare(texts: &[Vec<u8>]) -> usize {
    let Some(answers) = ask_go(texts) else {
        return 0;
    };
    assert_eq!(answers.len(), texts.len());
    let (mut wrong, mut accepted, mut by_design) = (Vec::new(), 0, 0);
    for (text, answer) in texts.iter().zip(&answers) {
        let Some(found) = describe(text) else {
            by_design += 1;
            continue;
        };
        accepted += usize::from(found != "error\n");
        if found != *answer {
            let text = String::from_utf8_lossy(text);
            wrong.push(format!("{text:?}\n--- found\n{found}--- ini.v1\n{answer}"));
        }
    }
    let count = wrong.len();
    wrong.sort_by_key(String::len);
    wrong.truncate(5);
    assert!(
        wrong.is_empty(),
        "{count} of {} differ, the shortest:\n{}",
        texts.len(),
        wrong.join("\n")
    );
    eprintln!(
        "{} files read alike, {accepted} of them accepted; {by_design} more are refused by design",
        texts.len() - by_design
    );
    by_design
}

/// What the tables of sops-format.md 12.2 say, and the corners of each rule.
const CORPUS: &[&str] = &[
    "",
    "\n",
    "a",
    "a=",
    "= 1",
    "[s",
    "[]",
    "[a] ; c\nb=1",
    "[a]b]\nc=1",
    "k = x;y",
    "k = x#y",
    "k = ;y",
    "k =;y",
    "k = \"q ; y\"",
    "k = 'q # y'",
    "k = `a;b`",
    "k = `a;b` ; c",
    "k = `a` `b`",
    "k = \"quoted\"",
    "k = 'sq'",
    "k = \"x\" y",
    "k = \"x\" ; y",
    "k = \"a\"b\"",
    "k = \"\"",
    "k = ''",
    "k = \"\"\"\"\"\"",
    "k = \"\"\"\"",
    "k = \"\"\"",
    "k = \"\"\"\n",
    "k = \"\"\"a\"\"\"",
    "k = \"\"\"a\"\"\" ; c",
    "k = \"\"\"x\n  y\n\"\"\" ; c\nl=1",
    "k = \"\"\"x\n  y\"\"\" \\\n z \"\"\"\nl=1",
    "k = `x\ny` ; c\nl=1",
    "k = `x\ny",
    "k = a \\\n  b\nl=1",
    "k = a \\\n\n  b=2",
    "k = a \\\n  b \\\n c ; d\nl=1",
    "k = \\\n b",
    "k = a \\",
    "k = a ; c \\\n b",
    "k = a\\ ; c",
    "k = %(x)s",
    "\"k\" = 1",
    "\"k = 1",
    "\"k\" x = 1",
    "`k=k` = 1",
    "\"\"\"k\"\"\" = 1",
    "\"\" = 1",
    "- = 1\n- = 2\n[a]\n- = 3",
    "k : v = w",
    "  k  =  v  ",
    "k=v\r\n; c\r\nl=w\r\n",
    "; a\n; b\nk=v ; c",
    "# a\n\n;; b\n  # c  \nk=v",
    ";\n;b\nk=v",
    ";;; # x\nk=v",
    "#; x\nk=v",
    "; s\n[a] # t\nb=1",
    "[a] ; c]d\nb=1",
    "a=1\n; end",
    "a=1\n[DEFAULT]\nb=2",
    "[a]\nb=1\n[a]\nb=2",
    "\u{feff}a=1",
    "\u{a0}a\u{3000}=\u{2003}b\u{85}",
    "a=\u{b}\u{c}b",
    "a.b=1\n[c.d]\ne=1",
    "k=v ;\nl=w #\n",
];

#[test]
fn the_corpus_is_read_as_ini_v1_reads_it() {
    let texts: Vec<Vec<u8>> = CORPUS.iter().map(|text| text.as_bytes().to_vec()).collect();
    let mut more = vec![
        b"k = \xff\xa0".to_vec(),
        b"; \xfe\nk = \"\x85\"".to_vec(),
        b"k = \"\"\"\n\xff\n\"\"\"".to_vec(),
    ];
    more.extend(texts);
    assert!(compare(&more) <= 1);
}

/// Small numbers that depend on nothing but their seed.
struct Random(u64);

impl Random {
    fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % end
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[usize::try_from(self.below(from.len() as u64)).unwrap()]
    }
}

const PIECES: &[&str] = &[
    "a", "b", "key", "x y", "é", "=", ":", " ", "  ", "\t", "\"", "'", "`", "\"\"\"", ";", "#",
    "\\", "\n", "\n", "\r\n", "\\\n", "[", "]", "-", "; c", "# d", "%(a)s", ".", "\u{a0}",
];

/// A file of sensible lines, with some pieces thrown in.
fn made_up(seed: u64) -> String {
    let mut random = Random::new(seed);
    let mut text = String::new();
    for line in 0..random.below(9) {
        match random.below(9) {
            0 => text.push_str(random.pick(&["", "  ", "\r"])),
            1 | 2 => {
                text.push_str(random.pick(&["", "  ", "\t"]));
                text.push_str(random.pick(&["; c", "# d", ";", ";; e  ", "#f ; g", "; \u{e9}"]));
            }
            3 => write!(
                text,
                "[s{}]{}",
                random.below(3),
                random.pick(&["", " ; c", "#"])
            )
            .unwrap(),
            _ => {
                text.push_str(random.pick(&["", "", " "]));
                write!(text, "k{line}{}", random.pick(&["=", " = ", ":", "  =  "])).unwrap();
                text.push_str(random.pick(&[
                    "",
                    "v",
                    "a b",
                    "\"q\"",
                    "'s'",
                    "`b`",
                    "\"\"\"t\"\"\"",
                    "\"\"\"t\n u\"\"\"",
                    "`m\nn`",
                    "c \\\n  d",
                    "\"x\" y",
                    "a\"b",
                    "ü",
                    "\"q;r\"",
                ]));
                text.push_str(random.pick(&["", "", "", " ; i", "#j", " ;"]));
            }
        }
        text.push_str(random.pick(&["\n", "\n", "\n", "\r\n", "\n\n"]));
    }
    for _ in 0..random.below(4) {
        let mut at = usize::try_from(random.below(text.len() as u64 + 1)).unwrap();
        while !text.is_char_boundary(at) {
            at += 1;
        }
        text.insert_str(at, random.pick(PIECES));
    }
    text
}

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name)
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(default)
}

#[test]
fn made_up_files_are_read_as_ini_v1_reads_them() {
    let (count, start) = (
        // Some hold what is refused by design.
        number("CCSEC_TEST_DOCUMENTS", 20_700),
        number("CCSEC_TEST_SEED", 1),
    );
    let texts: Vec<Vec<u8>> = (start..start + count)
        .map(|seed| made_up(seed).into_bytes())
        .collect();
    let by_design = compare(&texts);
    assert!(by_design < texts.len() / 3, "{by_design}");
}

#[test]
fn text_that_ini_v1_loses_is_refused() {
    for text in [
        "a=1\na=2\n",
        "k = `q`r",
        "k = \"\"\"q\"\"\" r",
        "k = `q\nr` s ; t\n",
        "[a] b\nc=1",
        "[sops]\na=1\n[sops]\n",
    ] {
        let error = read(text.as_bytes()).map(|_| ()).unwrap_err();
        assert!(is_by_design(&error.kind), "{text:?}: {error}");
    }
}

/// All values of a file in order.
fn values(document: &Document) -> Vec<Vec<u8>> {
    scalars(document)
        .iter()
        .map(|scalar| value_text(document, scalar).expose().to_vec())
        .collect()
}

fn scalars(document: &Document) -> Vec<Scalar> {
    document
        .nodes
        .iter()
        .filter_map(|node| match node {
            Node::Scalar(scalar) => Some(scalar.clone()),
            _ => None,
        })
        .collect()
}

fn comments(document: &Document) -> Vec<super::super::Comment> {
    document
        .nodes
        .iter()
        .filter_map(|node| match node {
            Node::Map(map) => Some(&map.items),
            _ => None,
        })
        .flatten()
        .filter_map(|item| match item {
            Item::Comment(comment) => Some(*comment),
            _ => None,
        })
        .collect()
}

/// The text with every value and comment replaced by a stand-in for an envelope, and what they were.
fn sealed(document: &Document) -> (Vec<u8>, Vec<Vec<u8>>, Vec<Vec<u8>>) {
    let mut edits = Vec::new();
    for (nth, scalar) in scalars(document).iter().enumerate() {
        if !value_text(document, scalar).expose().is_empty() {
            let envelope = format!("ENC[{nth}+/=,type:str]");
            edits.extend(rewrite_scalar(
                document,
                scalar,
                &NewScalar::Envelope(&envelope),
            ));
        }
    }
    let text = document.source.splice(edits).unwrap();
    let values = values(document);
    let texts: Vec<Vec<u8>> = comments(document)
        .iter()
        .map(|comment| comment_text(document, comment).expose().to_vec())
        .collect();
    let document = parse(text).unwrap();
    let mut edits = Vec::new();
    for (nth, comment) in comments(&document).iter().enumerate() {
        if !comment_text(&document, comment).expose().is_empty() {
            edits.extend(seal_comment(&document, comment, &format!("ENC[{nth}]")));
        }
    }
    let text = document.source.splice(edits).unwrap();
    (text.expose().to_vec(), values, texts)
}

#[test]
fn a_made_up_file_that_is_sealed_opens_again_with_its_layout() {
    let (mut same, mut all) = (0, 0);
    for seed in 1..4_000 {
        let text = made_up(seed);
        let Ok(document) = read(text.as_bytes()) else {
            continue;
        };
        assert_eq!(
            document.source.splice(Vec::new()).unwrap().expose(),
            text.as_bytes()
        );
        let (sealed, values, texts) = sealed(&document);
        let document = read(&sealed).unwrap();
        for (scalar, value) in scalars(&document).iter().zip(&values) {
            let envelope = value_text(&document, scalar);
            assert_eq!(envelope.expose().starts_with(b"ENC["), !value.is_empty());
        }
        // Opening, as `file` does it: comments, then values.
        let mut edits = Vec::new();
        for (comment, text) in comments(&document).iter().zip(&texts) {
            if !text.is_empty() {
                edits.extend(open_comment(&document, comment, text));
            }
        }
        let document = parse(document.source.splice(edits).unwrap()).unwrap();
        let mut edits = Vec::new();
        for (scalar, value) in scalars(&document).iter().zip(&values) {
            if !value.is_empty() {
                let value = &Value::borrowed(value);
                assert_eq!(can_hold(&document, scalar, value), Ok(()), "{text:?}");
                let new = NewScalar::Value {
                    value,
                    spelling: b"",
                };
                edits.extend(rewrite_scalar(&document, scalar, &new));
            }
        }
        let opened = document.source.splice(edits).unwrap();
        let again = parse(Secret::from_slice(opened.expose())).unwrap();
        assert_eq!(super::tests::values(&again), values, "{text:?}");
        // Nothing of a sealed value says where a continued one broke its lines, or that backticks held its lines.
        if !text.contains("\\\n") && !text.contains("`m\nn") {
            all += 1;
            same += usize::from(opened.expose() == text.as_bytes());
        }
        let shown = String::from_utf8_lossy(&sealed).into_owned();
        let found: Vec<Vec<u8>> = comments(&again)
            .iter()
            .map(|comment| comment_text(&again, comment).expose().to_vec())
            .collect();
        assert_eq!(found, texts, "{text:?}\n{shown}");
    }
    eprintln!("{same} of {all} files came back byte for byte");
    assert!(same * 100 >= all * 98, "{same} of {all}");
}

#[test]
fn a_section_of_metadata_comes_and_goes_without_a_trace() {
    let block = NewNode::Map(vec![
        ("lastmodified".into(), NewNode::text("2026-01-01T00:00:00Z")),
        ("mac".into(), NewNode::text("ENC[x]")),
        ("unencrypted_regex".into(), NewNode::text("^(a;b)#`")),
    ]);
    for seed in 1..4_000 {
        let text = made_up(seed);
        let Ok(document) = read(text.as_bytes()) else {
            continue;
        };
        if document.metadata_entry(&document.parts[0]).is_some() {
            continue;
        }
        let sealed = document
            .source
            .splice(append_metadata(&document, &block))
            .unwrap();
        let sealed = parse(sealed).unwrap();
        assert!(
            sealed.metadata_entry(&sealed.parts[0]).is_some(),
            "{text:?}"
        );
        let again = sealed.source.splice(remove_metadata(&sealed)).unwrap();
        assert_eq!(String::from_utf8_lossy(again.expose()), text);
        assert_eq!(
            values(&document),
            values(&sealed)[..values(&document).len()],
            "{text:?}"
        );
    }
}

proptest! {
    #[test]
    fn a_value_that_can_be_written_reads_back(text in "[a \\\\\"'`;#\n=]{0,10}") {
        if let Ok(token) = free_token(text.as_bytes()) {
            let line = [b"k = ", token.expose(), b"\nl = 1\n"].concat();
            let document = read(&line).unwrap();
            prop_assert_eq!(values(&document), vec![text.as_bytes().to_vec(), b"1".to_vec()]);
        } else {
            // Only a line break together with both kinds of quotes that span lines is too much.
            prop_assert!(text.contains('\n') && text.contains('`') && text.contains("\"\"\""));
        }
    }

    #[test]
    fn a_key_that_can_be_written_reads_back(key in "[a\\-\\[\"`;#:= ]{1,6}") {
        if let Some(token) = key_token(&key) {
            let document = read(format!("{token} = v\n").as_bytes()).unwrap();
            let Node::Map(root) = document.node(document.parts[0].root) else { panic!() };
            let Item::Entry(section) = &root.items[0] else { panic!() };
            let Node::Map(section) = document.node(section.value) else { panic!() };
            let Item::Entry(entry) = &section.items[0] else { panic!() };
            prop_assert_eq!(document.key(entry), key);
        }
    }
}

#[test]
fn every_format_has_its_name() {
    let document = Document::parse(Format::Ini, Secret::from_slice(b"a=1")).unwrap();
    let scalar = scalars(&document)[0].clone();
    assert!(matches!(document.resolve(&scalar), Ok(Resolved::Value(_))));
}
