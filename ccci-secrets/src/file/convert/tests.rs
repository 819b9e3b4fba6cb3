//! The YAML layout of sops against go-yaml itself (tests/go-yaml-emit/main.go), on the golden snippets, made-up documents
//! and made-up texts.
//!
//! `CCSEC_TEST_DOCUMENTS` sets how many documents are made up, and `CCSEC_TEST_SEED` where their numbers start.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use super::*;
use crate::document::yaml::samples::{self, Random};

/// go-yaml's text for each file; empty for one that it refuses. `None` where there is no Go.
fn ask_go(texts: &[String], indent: u8) -> Option<Vec<Vec<u8>>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let program = folder.join(format!("../target/tmp/go-yaml-emit-{indent}"));
    let status = Command::new("go")
        .args(["build", "-o"])
        .arg(&program)
        .arg(".")
        .current_dir(folder.join("tests/go-yaml-emit"))
        .status();
    match status {
        Err(error) => {
            eprintln!("SKIPPED: the comparison with go-yaml needs `go`: {error}");
            return None;
        }
        Ok(status) => assert!(status.success(), "the Go program must build"),
    }
    let mut child = Command::new(program)
        .arg(indent.to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input: Vec<u8> = texts
        .iter()
        .flat_map(|text| [format!("{}\n", text.len()).as_bytes(), text.as_bytes()].concat())
        .collect();
    let writer = std::thread::spawn(move || stdin.write_all(&input).unwrap());
    let output = child.wait_with_output().unwrap().stdout;
    writer.join().unwrap();
    let mut answers = Vec::new();
    let mut rest = &output[..];
    while let Some(line) = rest.iter().position(|byte| *byte == b'\n') {
        let length: usize = std::str::from_utf8(&rest[..line]).unwrap().parse().unwrap();
        answers.push(rest[line + 1..line + 1 + length].to_vec());
        rest = &rest[line + 1 + length..];
    }
    Some(answers)
}

/// Our text; `None` for a file that does not parse.
fn ours(text: &str, indent: u8) -> Option<Result<String, SealError>> {
    let source = Secret::from_slice(text.as_bytes());
    let document = Document::parse(Format::Yaml, source).ok()?;
    let row = match plain_row(&document) {
        Ok(row) => row,
        Err(error) => return Some(Err(error)),
    };
    let parts = parts(&row);
    let layout = CanonicalLayout {
        yaml_indent: indent,
        json_indent: None,
    };
    let written = canonical::write(&parts, Format::Yaml, layout, Floats::AsSops);
    let checked = written.map_err(SealError::from).and_then(|text| {
        check(&parts, &text, Format::Yaml)?;
        Ok(String::from_utf8_lossy(text.expose()).into_owned())
    });
    Some(checked)
}

fn compare(texts: &[String], indent: u8) {
    let Some(answers) = ask_go(texts, indent) else {
        return;
    };
    assert_eq!(answers.len(), texts.len());
    let (mut wrong, mut same, mut unreadable) = (Vec::new(), 0, 0);
    for (text, answer) in texts.iter().zip(&answers) {
        if answer.is_empty() {
            continue;
        }
        let answer = String::from_utf8_lossy(answer);
        match ours(text, indent) {
            None | Some(Err(SealError::File(FileError::Scalar { .. }))) => {}
            Some(Ok(found)) if found == answer => same += 1,
            // What go-yaml prints does not read back; ours does.
            Some(Ok(_)) if !reads_back(text, &answer) => unreadable += 1,
            Some(found) => {
                let found = found.unwrap_or_else(|error| format!("{error}"));
                wrong.push(format!("{text:?}\n--- found\n{found}--- go-yaml\n{answer}"));
            }
        }
    }
    let count = wrong.len();
    wrong.sort_by_key(String::len);
    wrong.truncate(4);
    assert!(
        wrong.is_empty(),
        "{count} of {} differ, the shortest:\n{}",
        texts.len(),
        wrong.join("\n")
    );
    eprintln!(
        "{same} of {} files printed alike, {unreadable} printed so that they read back",
        texts.len()
    );
    assert!(unreadable * 20 < same, "{unreadable} of {same}");
}

/// Whether a text has the structure and values of another.
fn reads_back(text: &str, printed: &str) -> bool {
    let document = |text: &str| Document::parse(Format::Yaml, Secret::from_slice(text.as_bytes()));
    let original = document(text).unwrap();
    let row = plain_row(&original).unwrap();
    check(
        &parts(&row),
        &Secret::from_slice(printed.as_bytes()),
        Format::Yaml,
    )
    .is_ok()
}

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name)
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(default)
}

#[test]
fn made_up_documents_are_printed_as_go_yaml_prints_them() {
    let (count, start) = (
        number("CCSEC_TEST_DOCUMENTS", 6000),
        number("CCSEC_TEST_SEED", 1),
    );
    let texts: Vec<String> = (start..start + count).map(samples::document).collect();
    compare(&texts, 4);
    compare(&texts, 2);
}

#[test]
fn the_golden_snippets_are_printed_as_go_yaml_prints_them() {
    #[derive(serde::Deserialize)]
    struct Snippet {
        input: String,
    }
    let golden = include_str!("../../../../testdata/yaml/comment-paths.json");
    let snippets: Vec<Snippet> = serde_json::from_str(golden).unwrap();
    let texts: Vec<String> = snippets.into_iter().map(|snippet| snippet.input).collect();
    compare(&texts, 4);
    compare(&texts, 3);
}

#[test]
fn made_up_strings_are_printed_as_go_yaml_prints_them() {
    let pieces = [
        "a",
        "b c",
        " ",
        "  ",
        "\n",
        "\n\n",
        "\t",
        "\r",
        ":",
        ": ",
        "#",
        " #",
        "-",
        "- ",
        "?",
        "[",
        "]",
        "{",
        "}",
        ",",
        "&",
        "*",
        "!",
        "|",
        ">",
        "'",
        "\"",
        "%",
        "@",
        "`",
        "\\",
        "~",
        "null",
        "true",
        "yes",
        "n",
        "1",
        "0x1",
        "1.5",
        "1e3",
        "12:30:45",
        "2001-01-01",
        "<<",
        "=",
        "---",
        "...",
        "é",
        "\u{a0}",
        "\u{85}",
        "\u{2028}",
        "\u{feff}",
        "\u{7f}",
        "\u{1}",
        "\u{1f600}",
        ".inf",
        "0o7",
        "1_0",
    ];
    let mut random = Random::new(7);
    let mut texts = Vec::new();
    for _ in 0..number("CCSEC_TEST_DOCUMENTS", 6000) {
        let mut text = String::new();
        for _ in 0..=random.below(4) {
            text.push_str(random.pick(&pieces));
        }
        // JSON is YAML, and says exactly which string is meant.
        let value = serde_json::to_string(&text)
            .unwrap()
            .replace('\u{7f}', "\\u007f");
        texts.push(match random.below(4) {
            0 => format!("{{{value}: x}}\n"),
            1 => format!("{{k: [[{value}], {{a: {value}}}]}}\n"),
            2 => format!("k: {value} # c\n"),
            _ => format!("{{k: {{l: {value}}}}}\n"),
        });
    }
    compare(&texts, 4);
}
