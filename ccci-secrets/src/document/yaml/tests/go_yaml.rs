//! The same text read by this reader and by go-yaml (tests/go-yaml/main.go), compared as sops' tree.
//!
//! `CCSEC_TEST_DOCUMENTS` sets how many documents are made up, and `CCSEC_TEST_SEED` where their numbers start.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use super::super::samples::{self, Random};
use super::*;
use crate::document::{Collection, Resolved, ScalarError, Style};

/// This reader's answer, in the form of the Go program.
pub(crate) fn describe(text: &str) -> String {
    let Ok(document) = parse_text(text) else {
        return "error\n".to_owned();
    };
    let mut out = String::new();
    for part in document.parts() {
        if describe_node(&document, part.root, &mut out).is_err() {
            return "error\n".to_owned();
        }
    }
    out
}

fn describe_node(document: &Document, id: NodeId, out: &mut String) -> Result<(), ScalarError> {
    match document.node(id) {
        Node::Alias(alias) => {
            let name = document.source().slice(alias.span);
            writeln!(out, "a {}", hex(&name[1..])).unwrap();
        }
        Node::List(list) => describe_items(document, list, "l\n", out)?,
        Node::Map(map) => describe_items(document, map, "m\n", out)?,
        Node::Scalar(scalar) => {
            let style = match scalar.style() {
                Style::DoubleQuoted => "double",
                Style::Folded(_) => "folded",
                Style::Literal(_) => "literal",
                Style::Plain => "plain",
                Style::SingleQuoted => "single",
            };
            let value = match document.resolve(scalar) {
                Err(error @ ScalarError::BadTag(_)) => return Err(error),
                Err(_) => "unsupported".to_owned(),
                Ok(Resolved::Null) => "null".to_owned(),
                Ok(Resolved::Value(value)) => {
                    let bytes = value.canonical();
                    format!("{} {}", value.kind().as_str(), hex(bytes.expose()))
                }
            };
            writeln!(out, "s {style} {}", value.trim_end()).unwrap();
        }
    }
    Ok(())
}

fn describe_items(
    document: &Document,
    collection: &Collection,
    start: &str,
    out: &mut String,
) -> Result<(), ScalarError> {
    out.push_str(start);
    for item in &collection.items {
        match item {
            Item::Comment(comment) => {
                let sign = match comment.place {
                    Place::Inline => "i",
                    Place::Lost => continue,
                    Place::OwnLine => "c",
                };
                let text = document.source().slice(comment.text());
                writeln!(out, "{}", format!("{sign} {}", hex(text)).trim_end()).unwrap();
            }
            Item::Element(id) => describe_node(document, *id, out)?,
            Item::Entry(entry) => {
                let key = hex(document.key(entry).as_bytes());
                writeln!(out, "{}", format!("k {key}").trim_end()).unwrap();
                describe_node(document, entry.value, out)?;
            }
        }
    }
    out.push_str("e\n");
    Ok(())
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
        let program = folder.join("../target/tmp/go-yaml");
        let status = Command::new("go")
            .args(["build", "-o"])
            .arg(&program)
            .arg(".")
            .current_dir(folder.join("tests/go-yaml"))
            .status();
        match status {
            Err(error) => {
                eprintln!("SKIPPED: the comparison with go-yaml needs `go`: {error}");
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

/// go-yaml's answers, or `None` where there is no Go to ask.
fn ask_go(texts: &[String]) -> Option<Vec<String>> {
    let program = program()?;
    let mut child = Command::new(program)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input: Vec<u8> = texts
        .iter()
        .flat_map(|text| {
            [
                format!("{}\n", text.len()).into_bytes(),
                text.clone().into_bytes(),
            ]
            .concat()
        })
        .collect();
    let writer = std::thread::spawn(move || stdin.write_all(&input).unwrap());
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    let output = String::from_utf8(output.stdout).unwrap();
    let answers = output.split_terminator("end\n").map(|answer| {
        answer
            .lines()
            .fold(String::new(), |out, line| out + line.trim_end() + "\n")
    });
    Some(answers.collect())
}

fn compare(texts: &[String]) {
    let Some(answers) = ask_go(texts) else {
        return;
    };
    assert_eq!(answers.len(), texts.len());
    let mut wrong = Vec::new();
    let mut accepted = 0;
    for (text, answer) in texts.iter().zip(&answers) {
        let found = describe(text);
        accepted += usize::from(found != "error\n");
        if found != *answer {
            wrong.push(format!("{text:?}\n--- found\n{found}--- go-yaml\n{answer}"));
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
        "{} documents read alike, {accepted} of them accepted",
        texts.len()
    );
}

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name)
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(default)
}

/// A text with some of its lines moved, doubled, taken out or joined by others.
fn mutate(text: &str, seed: u64) -> String {
    let mut random = Random::new(seed);
    let mut lines: Vec<String> = text.split_inclusive('\n').map(str::to_owned).collect();
    for _ in 0..=random.below(4) {
        let at = usize::try_from(random.below(lines.len() as u64 + 1)).unwrap();
        let column = usize::try_from(random.below(9)).unwrap();
        let indent = " ".repeat(column);
        match random.below(8) {
            0..=2 => {
                let comment = random.pick(&[
                    "# c\n",
                    "#\n",
                    "# d\r\n",
                    "# e\n\n",
                    "#f\n# g\n",
                    "\n# h\n",
                    "\t# t\n",
                ]);
                lines.insert(at, format!("{indent}{comment}"));
            }
            3 if column == 8 => lines.insert(
                0,
                random
                    .pick(&[
                        "\u{feff}",
                        "%YAML 1.1\n---\n",
                        "%TAG !e! tag:example.org,2000:\n---\n",
                    ])
                    .to_owned(),
            ),
            3 => lines.insert(
                at,
                random
                    .pick(&["\n", "  \n", "\r\n", "---\n", "...\n", "\u{85}", "\t\n"])
                    .to_owned(),
            ),
            4 => {
                let line = random.pick(&[
                    "k: v\n",
                    "- i\n",
                    "? k\n",
                    ": v\n",
                    "- - a\n",
                    "[a,\n",
                    "b]\n",
                    "{a: b}\n",
                    "x\n",
                    "é: \"ü\" # ß\n",
                    "a: |\n",
                    "<<: {a: 1}\n",
                    "e: !e!x 1\n",
                    "o: !x 1\n",
                    "- a: b\n",
                    "\"q\": 'r'\n",
                ]);
                lines.insert(at, format!("{indent}{line}"));
            }
            _ => {
                let Some(line) = lines.get_mut(at) else {
                    continue;
                };
                match random.below(6) {
                    0 => line.clear(),
                    1 => line.insert_str(0, &indent),
                    2 => *line = line.trim_start().to_owned(),
                    3 => *line = line.repeat(2),
                    4 => *line = line.replace(['"', '\''], ""),
                    _ => {
                        let mut place = column.min(line.len());
                        while !line.is_char_boundary(place) {
                            place += 1;
                        }
                        line.insert_str(
                            place,
                            random.pick(&[
                                " # in", ":", " ", "\t", "- ", "? ", ",", "]", "[", "}", "{",
                                "&x ", "*x", "!t ", "|", "#", "\"", "'", "é",
                            ]),
                        );
                    }
                }
            }
        }
    }
    lines.concat()
}

// What differs by design is refused by both sides here, see the comments in main.go.
#[test]
fn made_up_documents_are_read_as_go_yaml_reads_them() {
    let (count, start) = (
        // A few begin with two byte order marks, which is refused by design, and are left out.
        number("CCSEC_TEST_DOCUMENTS", 20_010),
        number("CCSEC_TEST_SEED", 1),
    );
    let texts: Vec<String> = (start..start + count)
        .map(|seed| match seed % 3 {
            0 => samples::document(seed),
            _ => mutate(&samples::document(seed / 3 + 17), seed),
        })
        .filter(|text| !text.starts_with("\u{feff}\u{feff}"))
        .collect();
    compare(&texts);
}

#[test]
fn the_golden_snippets_are_read_as_go_yaml_reads_them() {
    let golden = include_str!("../../../../../testdata/yaml/comment-paths.json");
    let snippets: Vec<Snippet> = serde_json::from_str(golden).unwrap();
    let texts: Vec<String> = snippets
        .iter()
        .enumerate()
        .flat_map(|(at, snippet)| {
            let seed = at as u64;
            let crlf = snippet.input.replace('\n', "\r\n");
            [
                mutate(&snippet.input, seed),
                mutate(&crlf, seed),
                crlf,
                snippet.input.clone(),
            ]
        })
        .collect();
    compare(&texts);
}
