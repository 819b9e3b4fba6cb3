//! The table as text.

use super::matrix::{Cell, Demand, Matrix, State};

impl Matrix {
    /// The table for a terminal: a line for each file, a column for each key.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut lines = vec![heading(self)];
        for row in &self.rows {
            let words = row.cells.iter().map(word);
            lines.push(
                std::iter::once(printable(&row.path))
                    .chain(words.map(str::to_owned))
                    .collect(),
            );
        }
        let widths: Vec<usize> = (0..=self.keys.len())
            .map(|nth| lines.iter().map(|line| width(line, nth)).max().unwrap_or(0))
            .collect();
        let mut text = String::new();
        for line in lines {
            let cells = line.iter().zip(&widths);
            let padded: Vec<String> = cells
                .map(|(cell, width)| format!("{cell:width$}"))
                .collect();
            text.push_str(padded.join("  ").trim_end());
            text.push('\n');
        }
        text
    }
}

fn heading(matrix: &Matrix) -> Vec<String> {
    let titles = matrix.keys.iter().map(|key| printable(&key.title));
    std::iter::once("file".to_owned()).chain(titles).collect()
}

fn width(line: &[String], nth: usize) -> usize {
    line.get(nth).map_or(0, |cell| cell.chars().count())
}

/// What stands in a cell: a demand that is not met is loud.
fn word(cell: &Cell) -> &'static str {
    match (cell.met, cell.state) {
        (true, state) => state.as_str(),
        (false, State::Failed) => "FAILED",
        (false, State::Claimed) if cell.demand == Demand::MustNotOpen => "CLAIMED, must not",
        (false, State::Claimed) => "claimed, NOT PROVED",
        (false, State::Proved) => "OPENS, must not",
        (false, State::Absent) => "MISSING",
    }
}

/// Text without anything that a terminal would obey.
fn printable(text: &str) -> String {
    let shown = text.chars();
    shown
        .map(|sign| if sign.is_control() { '\u{fffd}' } else { sign })
        .collect()
}
