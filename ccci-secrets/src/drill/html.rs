//! The table as one page that needs nothing else: no script, no font, no picture from anywhere.

use std::fmt::Write as _;

use super::matrix::{Cell, Demand, Matrix, State};
use super::record::{Record, Remark};

impl Matrix {
    /// A page for people who would rather look than read.
    #[must_use]
    pub fn to_html(&self, record: &Record) -> String {
        let mut page = Page(String::new());
        page.head();
        page.summary(self, record);
        page.table(self);
        page.unmet(self);
        page.remarks(&record.remarks);
        page.foot(record);
        page.0
    }
}

struct Page(String);

impl Page {
    fn raw(&mut self, text: impl std::fmt::Display) {
        writeln!(self.0, "{text}").expect("writing to a string does not fail");
    }

    fn head(&mut self) {
        self.raw(
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <meta name=\"referrer\" content=\"no-referrer\">\n<title>Recovery drill</title>",
        );
        self.raw(format_args!(
            "<style>\n{STYLE}</style>\n</head>\n<body>\n<main>"
        ));
    }

    fn summary(&mut self, matrix: &Matrix, record: &Record) {
        let (met, demanded) = matrix.count();
        let sound = matrix.code(&record.remarks).is_none();
        let (class, verdict) = match sound {
            true => ("good", "Everything that is demanded is proved."),
            false => ("bad", "Not everything is as it must be."),
        };
        self.raw("<h1>Recovery drill</h1>");
        self.raw(format_args!(
            "<p class=\"verdict {class}\"><strong>{verdict}</strong> {met} of {demanded} demands are met, in {} files.</p>",
            matrix.rows.len()
        ));
        self.raw(LEGEND);
    }

    fn table(&mut self, matrix: &Matrix) {
        self.raw("<div class=\"scroll\" role=\"region\" aria-labelledby=\"caption\" tabindex=\"0\">\n<table>\n<caption id=\"caption\">Which key opens which file</caption>\n<thead>\n<tr><th scope=\"col\">File</th>");
        for key in &matrix.keys {
            let recipients = key.recipients.join("\n");
            self.raw(format_args!(
                "<th scope=\"col\" title=\"{}\">{}</th>",
                escaped(&recipients),
                escaped(&key.title)
            ));
        }
        self.raw("</tr>\n</thead>\n<tbody>");
        for row in &matrix.rows {
            self.raw(format_args!(
                "<tr><th scope=\"row\">{}</th>",
                escaped(&row.path)
            ));
            row.cells.iter().for_each(|cell| self.cell(cell));
            self.raw("</tr>");
        }
        self.raw("</tbody>\n</table>\n</div>");
    }

    fn cell(&mut self, cell: &Cell) {
        let class = match (cell.met, cell.state) {
            (false, _) => "bad",
            (true, State::Proved) => "good",
            (true, State::Claimed) => "claim",
            (true, _) => "none",
        };
        let (mark, word) = match (cell.met, cell.state) {
            (_, State::Proved) => ("✓", "proved"),
            (_, State::Failed) => ("✗", "failed"),
            (_, State::Claimed) => ("?", "claimed"),
            (true, State::Absent) => ("–", "no"),
            (false, State::Absent) => ("✗", "missing"),
        };
        let demand = match cell.demand {
            Demand::MustOpen => "<small>must open</small>",
            Demand::MustNotOpen => "<small>must not open</small>",
            Demand::Nothing => "",
        };
        // What the next list says of demands that are not met need not stand here twice.
        let reason = cell.reason.as_deref().filter(|_| cell.met);
        let reason = reason.map(|reason| format!("<small>{}</small>", escaped(reason)));
        self.raw(format_args!(
            "<td class=\"{class}\"><span aria-hidden=\"true\">{mark}</span> {word}{demand}{}</td>",
            reason.unwrap_or_default()
        ));
    }

    fn unmet(&mut self, matrix: &Matrix) {
        let unmet: Vec<_> = matrix.unmet().collect();
        if unmet.is_empty() {
            return;
        }
        self.raw("<h2>Not proved</h2>\n<ul>");
        for (path, key, cell) in unmet {
            self.raw(format_args!(
                "<li><code>{}</code> with {}: {}</li>",
                escaped(path),
                escaped(&key.title),
                escaped(&cell.sentence())
            ));
        }
        self.raw("</ul>");
    }

    fn remarks(&mut self, remarks: &[Remark]) {
        if remarks.is_empty() {
            return;
        }
        self.raw("<h2>What else was found</h2>\n<ul>");
        for remark in remarks {
            self.raw(format_args!(
                "<li><strong>{}</strong>: {}<br>Next: <code>{}</code></li>",
                remark.level.as_str(),
                escaped(&remark.text),
                escaped(&remark.next)
            ));
        }
        self.raw("</ul>");
    }

    fn foot(&mut self, record: &Record) {
        self.raw(format_args!(
            "<p><small>{}, {}. Proved means: opened with this key alone, every value and the MAC; nothing was written.</small></p>\n</main>\n</body>\n</html>",
            escaped(&record.tool),
            escaped(&record.taken)
        ));
    }
}

impl Cell {
    /// Why a demand is not met, in a few words.
    #[must_use]
    pub fn sentence(&self) -> String {
        let told = match (self.demand, self.state) {
            (Demand::MustNotOpen, State::Proved) => "opens it, and must not",
            (Demand::MustNotOpen, _) => "is a recipient by its label, and must not open it",
            (_, State::Claimed) => "only a label says so; nobody has tried",
            (_, State::Proved) => "opens it",
            _ => "does not open it",
        };
        match &self.reason {
            Some(reason) => reason.clone(),
            None => told.to_owned(),
        }
    }
}

/// Text as it may stand in an element or in an attribute.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for sign in text.chars() {
        match sign {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\n' => out.push('\n'),
            // Such as turn a name around, so that it reads as another.
            sign if sign.is_control() || is_direction(sign) => out.push('\u{fffd}'),
            sign => out.push(sign),
        }
    }
    out
}

fn is_direction(sign: char) -> bool {
    matches!(sign, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

const LEGEND: &str = "<p><strong>proved</strong>: opened with this key alone. <strong>failed</strong>: tried, and it does not open. \
    <strong>claimed</strong>: a label of the file names the key, and nobody has tried. <strong>no</strong>: not a recipient.</p>";

const STYLE: &str = "\
:root { color-scheme: light dark; --good: #d7f2dc; --bad: #ffd9d6; --claim: #fff2c6; --line: #8888; }
@media (prefers-color-scheme: dark) { :root { --good: #14401f; --bad: #5c1a17; --claim: #4a3b06; } }
body { font: 1rem/1.5 system-ui, sans-serif; margin: 0; }
main { max-width: 75rem; margin: 0 auto; padding: 1rem; }
.verdict { padding: .75rem 1rem; border-left: .5rem solid var(--line); }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; }
caption { text-align: left; font-weight: bold; padding: .5rem 0; }
th, td { border: 1px solid var(--line); padding: .35rem .7rem; text-align: left; vertical-align: top; }
tbody th { font-family: ui-monospace, monospace; font-weight: normal; }
td small { display: block; }
code { font-family: ui-monospace, monospace; overflow-wrap: anywhere; }
.good { background: var(--good); }
.bad { background: var(--bad); font-weight: bold; }
.claim { background: var(--claim); }
";
