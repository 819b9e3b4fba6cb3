//! Random documents with every style, comments at every column and all kinds of line ends, from a number.

/// A small generator; the same number gives the same document.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % limit
    }

    pub(crate) fn one_in(&mut self, chances: u64) -> bool {
        self.below(chances) == 0
    }

    pub(crate) fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        let at = usize::try_from(self.below(from.len() as u64)).unwrap_or(0);
        from.get(at).copied().unwrap_or_default()
    }
}

const PLAIN: &[&str] = &[
    "text",
    "two words",
    "12",
    "1.50",
    "0x1F",
    "-7",
    "true",
    "False",
    "null",
    "~",
    "2001-01-02",
    "1e3",
    ".inf",
    "a#b",
    "-x",
    ":x",
    "?x",
    "http://host/",
    "12:30:45",
    "<<",
    "é😀",
    "08",
    "x'y\"z",
    "a,b]c",
    "=",
];
const QUOTED: &[&str] = &[
    "'single'",
    "'it''s'",
    "'# no comment'",
    "''",
    "'true'",
    "' edge '",
    "\"double\"",
    "\"a: b\"",
    "\"\\u00e9\\t\"",
    "\"line\\nline\\n\"",
    "\"\"",
    "\"12\"",
    "\"\\\"\\\\\"",
    "\"\\0\\x85\\u2028\"",
];
const FLOW: &[&str] = &[
    "[]",
    "{}",
    "[a, 'b', \"c\", 12]",
    "{k: v, \"q\": 'r'}",
    "[a, b,]",
    "{k: , l: 1}",
    "[[1, 2], {a: [x]}]",
    "{only}",
];
const TAGGED: &[&str] = &[
    "!!str 12",
    "!!int 5",
    "!!int \"5\"",
    "!custom x",
    "!!binary aGVsbG8=",
    "!!float 1",
    "&NAME anchored",
    "&NAME !!str 7",
    "!!str &NAME 'x'",
    "&NAME [a, b]",
    "!!timestamp 2001-01-02",
    "! 12",
];
const LINES: &[&[&str]] = &[
    &["text"],
    &["one", "two"],
    &["one", "", "two"],
    &["", "late"],
    &["one", "  deeper", "two"],
    &["one", "", "", "  deeper", "", "two"],
    &["trailing  ", "x"],
    &["\ttab"],
    &["# no comment", "x"],
    &["key: value", "- item"],
    &["one", "   "],
];

/// Text under construction.
struct Draft<'r> {
    random: &'r mut Random,
    out: String,
    newline: &'static str,
    anchors: Vec<String>,
}

/// The text of a document, or of several.
pub(crate) fn document(seed: u64) -> String {
    let mut random = Random::new(seed);
    let newline = if random.one_in(5) { "\r\n" } else { "\n" };
    let mut draft = Draft {
        random: &mut random,
        out: String::new(),
        newline,
        anchors: Vec::new(),
    };
    let parts = 1 + draft.random.below(3) * u64::from(draft.random.one_in(4));
    for nth in 0..parts {
        draft.part(nth > 0);
    }
    let mut text = draft.out;
    if random.one_in(5) {
        for _ in 0..=random.below(2) {
            text.truncate(
                text.trim_end_matches(newline)
                    .len()
                    .max(text.len().saturating_sub(newline.len())),
            );
        }
        if random.one_in(4) {
            text.push_str("   ");
        }
    }
    text
}

impl Draft<'_> {
    fn part(&mut self, needs_marker: bool) {
        self.anchors.clear();
        if needs_marker && self.random.one_in(4) {
            self.line("...");
        }
        if needs_marker || self.random.one_in(6) {
            let marker = self.random.pick(&["---", "---", "--- # comment"]);
            self.line(marker);
        }
        self.gap(0);
        match self.random.below(12) {
            0 => {
                let root = self.random.pick(&[
                    "{}",
                    "{a: 1}",
                    "{a: 1,}",
                    "{a: 1, b: }",
                    "{a}",
                    "{a: \"x\", # c\n  b: 2 # d\n  }",
                    "{ # c\n}",
                    "{'a': [1, 2], b: {c: d}\n}",
                ]);
                let root = root.replace('\n', self.newline);
                self.line(&root);
            }
            1 if needs_marker => {}
            _ => {
                let column = usize::from(self.random.one_in(8)) * 2;
                self.map(column, 0);
            }
        }
        self.gap(0);
    }

    fn line(&mut self, text: &str) {
        self.out.push_str(text);
        self.out.push_str(self.newline);
    }

    fn indent(&mut self, column: usize) {
        self.out.extend(std::iter::repeat_n(' ', column));
    }

    /// Blank lines and comments between two entries.
    fn gap(&mut self, column: usize) {
        while self.random.one_in(5) {
            if self.random.one_in(2) {
                self.line("");
            } else {
                let shift = usize::try_from(self.random.below(4)).unwrap_or(0);
                let at = if self.random.one_in(2) {
                    column
                } else {
                    shift * 2
                };
                self.indent(at);
                let text = self
                    .random
                    .pick(&["# comment", "#", "#tight", "# one: two"]);
                self.line(text);
            }
        }
    }

    fn map(&mut self, column: usize, depth: u64) {
        let entries = 1 + self.random.below(4);
        for nth in 0..entries {
            if nth > 0 {
                self.gap(column);
                self.indent(column);
            } else if depth == 0 {
                self.indent(column);
            }
            let key =
                self.random
                    .pick(&["key", "'quoted key'", "\"double\"", "n", "deep.er", "x y"]);
            let key = format!(
                "{}{nth}{}",
                &key[..key.len() - usize::from(key.ends_with(['\'', '"']))],
                match key.chars().next() {
                    Some(quote @ ('\'' | '"')) => quote.to_string(),
                    _ => String::new(),
                }
            );
            self.out.push_str(&key);
            self.out.push(':');
            self.value(column, depth, false);
        }
    }

    fn list(&mut self, column: usize, depth: u64) {
        let items = 1 + self.random.below(3);
        for nth in 0..items {
            if nth > 0 {
                self.gap(column);
                self.indent(column);
            }
            self.out.push('-');
            self.value(column, depth, true);
        }
    }

    /// What follows a colon or a dash at `column`, up to the end of its last line.
    fn value(&mut self, column: usize, depth: u64, in_list: bool) {
        let step = 1 + usize::try_from(self.random.below(4)).unwrap_or(0);
        match self.random.below(if depth < 4 { 16 } else { 12 }) {
            0 => self.end_of_value(),
            1..=3 => self.token(PLAIN),
            4 | 5 => self.token(QUOTED),
            6 => self.token(FLOW),
            7 => self.tagged(),
            8 | 9 => self.block_scalar(column),
            10 => self.folded_token(column),
            11 => self.alias(),
            12 | 13 if in_list => {
                self.out.push(' ');
                if self.random.one_in(2) {
                    self.map(column + 2, depth + 1)
                } else {
                    self.list(column + 2, depth + 1)
                }
            }
            12..=14 => {
                self.end_of_value();
                self.gap(column + step);
                self.indent(column + step);
                self.map(column + step, depth + 1);
            }
            _ => {
                let step = if in_list {
                    step
                } else {
                    step * usize::from(self.random.one_in(2))
                };
                self.end_of_value();
                self.indent(column + step);
                self.list(column + step, depth + 1);
            }
        }
    }

    fn end_of_value(&mut self) {
        let comment = if self.random.one_in(8) {
            " # inline"
        } else {
            ""
        };
        self.line(comment);
    }

    fn token(&mut self, from: &[&str]) {
        self.out.push(' ');
        let token = self.random.pick(from);
        self.out.push_str(token);
        self.end_of_value();
    }

    fn tagged(&mut self) {
        let name = format!("a{}", self.anchors.len());
        let token = self.random.pick(TAGGED);
        if token.contains("NAME") {
            self.anchors.push(name.clone());
        }
        self.out.push(' ');
        self.out.push_str(&token.replace("NAME", &name));
        self.end_of_value();
    }

    fn alias(&mut self) {
        let Some(name) = self.anchors.last() else {
            return self.token(PLAIN);
        };
        self.out.push_str(&format!(" *{name}"));
        self.end_of_value();
    }

    fn folded_token(&mut self, column: usize) {
        let token = self.random.pick(&[
            "one⏎two",
            "'one⏎two'",
            "\"one⏎two\"",
            "\"one\\⏎two\"",
            "one⏎⏎two",
            "[a,⏎b]",
        ]);
        let inner = format!("{}{}", self.newline, " ".repeat(column + 2));
        self.out.push(' ');
        self.out.push_str(
            &token
                .replace("⏎⏎", &format!("{}{inner}", self.newline))
                .replace('⏎', &inner),
        );
        self.end_of_value();
    }

    fn block_scalar(&mut self, column: usize) {
        let at = usize::try_from(self.random.below(LINES.len() as u64)).unwrap_or(0);
        let lines = LINES.get(at).copied().unwrap_or_default();
        let indent = 1 + usize::try_from(self.random.below(4)).unwrap_or(0);
        let style = self.random.pick(&["|", "|", "|", ">"]);
        let chomp = self.random.pick(&["", "-", "+"]);
        let first = lines
            .iter()
            .find(|line| !line.is_empty())
            .copied()
            .unwrap_or_default();
        let explicit = first.starts_with([' ', '\t']) || self.random.one_in(6);
        let digit = if explicit {
            indent.to_string()
        } else {
            String::new()
        };
        let header = if self.random.one_in(2) {
            format!("{style}{digit}{chomp}")
        } else {
            format!("{style}{chomp}{digit}")
        };
        self.out.push(' ');
        self.out.push_str(&header);
        self.end_of_value();
        for line in lines {
            if !line.is_empty() {
                self.indent(column + indent);
            }
            self.line(line);
        }
        for _ in 0..self.random.below(3) {
            self.line("");
        }
    }
}
