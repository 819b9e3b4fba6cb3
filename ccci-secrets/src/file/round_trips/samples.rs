//! Made-up files of every format that are hard to give back: each line is drawn from a list of things that some author
//! once wrote.

use crate::document::Format;
use crate::document::yaml::samples::{self, Random};

/// A file of a format, from a number.
pub(super) fn file(format: Format, seed: u64) -> Vec<u8> {
    let mut random = Random::new(seed);
    match format {
        Format::Binary => binary(&mut random),
        Format::Dotenv => lines(&mut random, DOTENV, ""),
        Format::Ini => lines(&mut random, INI, "[first]\n"),
        Format::Json => json(&mut random).into_bytes(),
        Format::Yaml if seed.is_multiple_of(3) => samples::document(seed).into_bytes(),
        Format::Yaml => lines(&mut random, YAML, ""),
    }
}

/// Some entries, each under names of its own, with one kind of line break and now and then none at the end.
fn lines(random: &mut Random, pool: &[&str], head: &str) -> Vec<u8> {
    let mut text = String::new();
    if random.one_in(20) {
        text.push('\u{feff}');
    }
    if random.one_in(2) {
        text.push_str(head);
    }
    for nth in 0..1 + random.below(8) {
        text.push_str(&random.pick(pool).replace('K', &format!("key_{nth}")));
        text.push('\n');
    }
    if random.one_in(8) {
        text.truncate(text.len() - 1);
    }
    if random.one_in(8) {
        text = text.replace('\n', "\r\n");
    }
    text.into_bytes()
}

/// `K` is the name; a line break follows.
const YAML: &[&str] = &[
    "K: >\n  one\n  two\n\n  three",
    "K: >-\n  one\n   deeper\n  two",
    "K: >+\n  one\n  two\n\n",
    "K: |+\n  text\n",
    "K: |+\n  text\n\n\n",
    "K: |-\n  text\n  more",
    "K: |2-\n    indented\n   less",
    "K: | # comment\n  text\n",
    "K: plain\n  over\n  lines",
    "K: plain\n\n  paragraphs",
    "K: plain\n\n  paragraphs   ",
    "K: plain\n\n  paragraphs  # comment",
    "K: !!str plain\n\n  paragraphs  ",
    "K: 'single\n\n  quoted'",
    "K: \"double \\\n   quoted\"",
    "K: \"folded\n  twice\n\n  over\"",
    "K: \"\\x41\\u00e9\\U0001F600\\e\\_\"",
    "K: \"tab\\tbreak\\nend\"",
    "K: 'it''s'",
    "K: 'plain enough'",
    "K: \"12\"",
    "K: 0x1F",
    "K: 0o17",
    "K: 0b1010",
    "K: 017",
    "K: 1_000",
    "K: +12",
    "K: -0",
    "K: .5",
    "K: 1.",
    "K: 1.10",
    "K: 1e3",
    "K: 1E+3",
    "K: .inf",
    "K: -.INF",
    "K: .NaN",
    "K: 08",
    "K: 685_230.15",
    "K: 18446744073709551616",
    "K: True",
    "K: FALSE",
    "K: true # comment",
    "K: yes",
    "K: ~",
    "K:",
    "K: Null",
    "K: 2001-12-14t21:59:43.10-05:00",
    "K: 2001-12-14 21:59:43.10",
    "K: 2001-1-2",
    "K: 2001-12-14T00:00:00Z",
    "K: !!str 123",
    "K: !!int \"5\"",
    "K: !!float 1",
    "K: !!bool \"true\"",
    "K: !!binary |\n  R0lGODlh\n  AQ==",
    "K: !!binary R0lGODlhAQ==",
    "K: !custom x",
    "K: !!timestamp 2001-01-02",
    "K: ! 12",
    "K: &aK !!int 0x10",
    "K: !!str &aK folded\n  text",
    "K: !!int\n  7",
    "K: !!int # comment\n  7",
    "K: &aK !!int # comment\n  7",
    "K: &aK # comment\n  0x7",
    "K: [!!int \"1\", !!int\n  2]",
    "K: &aK value\nKb: *aK",
    "K: &aK |\n  text\n  more\nKb: *aK # comment",
    "K: &aK\n  p: q\n  r: >\n    folded\n    text\nKb: *aK",
    "K: &aK {x: 1, y: [a, 'b']}\nKb:\n  <<: *aK\n  z: 2",
    "K: &aK\n  x: 1\nKb: &bK\n  x: 2\nKc:\n  <<: [*aK, *bK]",
    "K: &aK [a, \"b\"]\nKb: [*aK, *aK, c]",
    "K: &aK one\nKb: {c: *aK, d: &bK {e: *aK}}\nKf: *bK",
    "K: [plain, 'single', \"double\", 12, 0x1F, true, ~, {a: b, \"c\": d}]",
    "K: {a: b c, d: [e, f], g: 'h', i: \"j\"}",
    "K: [\n  one,  # comment\n  two,\n]",
    "K: {a: over\n  lines, b: \"x\n  y\"}",
    "K: [a,b,[c,{d: e}]]",
    "K: {a: , b: http://host/?x=1}",
    "K: []",
    "? K\n: value",
    "? K\n: >\n  folded\n  value",
    "K:\n- a\n-   b\n-\n  c\n- - d\n  - e",
    "K:\n    - k: v # comment\n      l: \"\\u0041\"\n    # below\n    - >-\n      one\n      two",
    "K:\t tab",
    "K:   wide   ",
    "'K': \"\" # empty",
    "K: a#b 'c' \"d\" é😀",
    "K: <<",
    "K: =",
    "K: \"<<\"",
    "K: -----BEGIN",
    "K: |\n  -----BEGIN X-----\n  YQ==\n  -----END X-----",
    "# comment",
    "#tight",
    "",
    "K:\n  # inside\n  a: b\n  # after",
    "---\nK: next",
];

const INI: &[&str] = &[
    "K = value",
    "K=value",
    "K : value",
    "K   =   wide   ",
    "K = \"double quoted\"",
    "K = 'single quoted'",
    "K = `back; ticked`",
    "K = \"\"\"two\nlines\"\"\"",
    "K = \"\"\"one line\"\"\"",
    "K = one \\\n  two",
    "K = one \\\n  two \\\n  three",
    "K = \"one \\\n  two\"",
    "K = value ; comment",
    "K = value # comment",
    "K = \"value\" ; comment",
    "K = one \\\n  two ; comment",
    "K = a=b",
    "K = a: b",
    "K = \"a \"quote\" inside\"",
    "K = é😀",
    "K =",
    "K = \"\"",
    "K = true",
    "K = 0x1F",
    "K = \\\\server\\share",
    "K = a\\n",
    "K = [x]",
    "\"K\" = quoted key",
    "`K` = ticked key",
    "; comment",
    "# comment",
    "; one\n; two\nK = below",
    "",
    "[K]",
    "[K] ; comment\nKb = 1",
    "[K.child]\na = 1",
    "K = %(other)s",
    "K = 'open",
];

const DOTENV: &[&str] = &[
    "K=value",
    "K=",
    "K=\"double quoted\"",
    "K='single quoted'",
    "K= spaced ",
    "K=two\\nlines",
    "K=\\n",
    "K=\"a\\nb\"",
    "K=a=b",
    "K=value # no comment",
    "export K=value",
    "K.with.dots=1",
    "K=é😀",
    "K=$OTHER ${OTHER}",
    "K=\\t\\\\",
    "K=true",
    "K =value",
    "# comment",
    "#tight",
    "#",
    "",
];

const JSON: &[&str] = &[
    "\"plain\"",
    "\"\"",
    "\"\\u00e9\\u0041\"",
    "\"\\/slash\"",
    "\"é😀\"",
    "\"\\ud83d\\ude00\"",
    "\"\\b\\f\\n\\r\\t\\\"\\\\\"",
    "\"\\u000a\\u0009\"",
    "\"<a&b>\"",
    "\"\\u003ca\\u0026b\\u003e\"",
    "\"\\u2028 \u{2029}\"",
    "0",
    "-0",
    "12",
    "-7",
    "1.0",
    "1.10",
    "-0.0",
    "1e3",
    "1E+3",
    "1.5e-7",
    "0.1e1",
    "12345678901234567890",
    "9007199254740993",
    "100000000000000000000000",
    "true",
    "false",
    "null",
    "[]",
    "{}",
    "[ ]",
    "{ }",
    "[1,2 , 3]",
    "[\"a\",\n   \"b\"]",
    "{\"a\": {\"b\" : [ \"c\", { \"d\":1.0 } ] } }",
    "{\"a\": \"\\u0062\", \"a\": \"c\"}",
];

fn json(random: &mut Random) -> String {
    let (open, between, close) = match random.below(5) {
        0 => ("{", ",", "}"),
        1 => ("{ ", ", ", " }"),
        2 => ("{\n\t", ",\n\t", "\n}\n"),
        3 => ("{\n  ", "\n, ", "}\n\n"),
        _ => ("{\n    ", ",\n    ", "\n}\n"),
    };
    let colon = random.pick(&[":", ": ", " : "]).to_owned();
    let entries: Vec<String> = (0..1 + random.below(8))
        .map(|nth| {
            let name = random.pick(&["key", "\\u006bey", "k\\/ey", "é"]);
            format!("\"{name}_{nth}\"{colon}{}", random.pick(JSON))
        })
        .collect();
    let text = format!("{open}{}{close}", entries.join(between));
    if random.one_in(8) {
        text.replace('\n', "\r\n")
    } else {
        text
    }
}

fn binary(random: &mut Random) -> Vec<u8> {
    let len = random.below(64);
    let any = random.one_in(2);
    let byte = |random: &mut Random| {
        let byte = u8::try_from(random.below(256)).unwrap();
        if any { byte } else { b' ' + byte % 95 }
    };
    (0..len).map(|_| byte(random)).collect()
}

/// A file with a few pieces of text put in or taken out somewhere.
pub(super) fn damaged(format: Format, seed: u64) -> Vec<u8> {
    let mut text = file(format, seed);
    let mut random = Random::new(seed ^ 0x5eed);
    for _ in 0..=random.below(3) {
        let len = u64::try_from(text.len()).unwrap();
        let mut offset = |below: u64| usize::try_from(random.below(below + 1)).unwrap();
        let at = offset(len);
        let end = (at + offset(4)).min(text.len());
        let piece = random.pick(PIECES);
        text.splice(at..end, piece.bytes());
    }
    text
}

const PIECES: &[&str] = &[
    "", "", "\n", "\n  ", " ", "  ", "\r\n", "\r", "\t", "#", " # c", ": ", "\n- ", "'", "\"",
    "\\", "\\\n", "&a ", "*a", "!!int ", "!!str ", "!x ", "|", ">", "|-\n", "{", "}", "[", "]",
    ", ", "0x1", "1_0", "\n---\n", "\u{feff}", "\u{85}", "\u{2028}", "? ", "<<: *a", "=", ";", "`",
];
