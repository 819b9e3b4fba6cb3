//! Which token each comment belongs to, as go-yaml decides it (yaml.md 4).
//!
//! A comment waits in a queue with the place of the token it is attached to. The parser takes it from there when it
//! comes to that token. Where several lines stand together they are one [`Remark`], cut in two where the first of
//! them can only belong to what stands before.

use std::collections::{HashMap, VecDeque};

use super::chars::{is_blank, line_break, line_end};
use super::cursor::{Cursor, Mark};
use super::token::{Token, TokenKind};
use crate::document::Span;

/// A comment line, or `None` for a blank line between two.
pub(super) type Line = Option<Span>;

/// How a remark relates to the token it is attached to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Relation {
    /// It follows what the token ends.
    Foot,
    /// It stands before the token.
    Head,
    /// It stands on the line of the token.
    Line,
}

/// Comment lines that go together.
#[derive(Debug)]
pub(super) struct Remark {
    pub(super) relation: Relation,
    /// The parser takes the remark at the first token that starts here or later.
    pub(super) attached_to: usize,
    pub(super) lines: Vec<Line>,
    /// Where it starts, its line as counted while looking ahead, and its column from 1.
    start: Mark,
    /// From where on nothing but blanks and comments stands before it; nothing is known for [`Relation::Line`].
    scanned_from: usize,
    scanned_to: usize,
}

/// What stands before the comments that are about to be scanned.
pub(super) struct Before {
    /// The last token; for the comma of a flow collection the one before it.
    pub(super) token: Token,
    /// Where the scan for the next token began.
    pub(super) scan: Mark,
    /// Column of the innermost block collection.
    pub(super) column: usize,
    pub(super) in_flow: bool,
}

/// No more than this many bytes of blanks are looked at to find the next comment line.
const LOOK_AHEAD: usize = 512;

/// The queue of remarks, and all comments there are.
#[derive(Default)]
pub(super) struct Comments {
    queue: VecDeque<Remark>,
    /// Every comment line in the order of the source, whether it is attached to anything or not.
    pub(super) all: Vec<Span>,
}

impl Comments {
    /// The next remark, if it is attached to a token that starts at `offset` or before.
    pub(super) fn next_for(&self, offset: usize) -> Option<&Remark> {
        self.queue
            .front()
            .filter(|remark| remark.attached_to <= offset)
    }

    pub(super) fn take_next(&mut self) -> Option<Remark> {
        self.queue.pop_front()
    }

    /// Takes a comment that stands behind a token on its line. Further than [`LOOK_AHEAD`] it is not seen here.
    pub(super) fn scan_behind(&mut self, cursor: &mut Cursor<'_>, attached_to: usize) {
        if cursor.newlines() > 0 {
            return;
        }
        let blanks = cursor
            .rest()
            .iter()
            .take_while(|&&byte| is_blank(byte))
            .count();
        if blanks >= LOOK_AHEAD || cursor.ahead(blanks).first() != Some(&b'#') {
            return;
        }
        cursor.bump_run(blanks);
        let start = cursor.mark();
        let line = self.take_line(cursor);
        self.queue.push_back(Remark {
            relation: Relation::Line,
            attached_to,
            lines: vec![Some(line)],
            start,
            scanned_from: 0,
            scanned_to: 0,
        });
    }

    /// The comment behind a key becomes the head of the first item of the list below that key.
    pub(super) fn move_to_first_item(&mut self, item: Mark) {
        if let Some(remark) = self.queue.back_mut()
            && remark.relation == Relation::Line
        {
            remark.relation = Relation::Head;
            if remark.start.line + 1 == item.line {
                remark.attached_to = item.at;
            }
        }
    }

    /// Takes the comment here and all that follow before the next token.
    pub(super) fn scan_lines(&mut self, cursor: &mut Cursor<'_>, before: &Before) {
        let mut scan = Scan::new(cursor, before);
        let mut distance = 0;
        while distance < LOOK_AHEAD {
            scan.column += 1;
            let ahead = cursor.ahead(distance);
            if ahead.first().copied().is_some_and(is_blank) {
                distance += 1;
                continue;
            }
            let here = cursor.mark().at + distance;
            let is_break = line_break(ahead).is_some();
            let closes_flow = before.in_flow && matches!(ahead.first(), Some(b']' | b'}'));
            if closes_flow || is_break || ahead.is_empty() {
                if closes_flow || !scan.after_blank_line {
                    self.end_of_lines(&mut scan, here, closes_flow, is_break);
                }
                if !is_break {
                    break;
                }
                scan.pass_break();
                distance += 1;
                continue;
            }
            if scan.is_left_of_its_lines() {
                self.cut(&mut scan, here);
            }
            if ahead.first() != Some(&b'#') {
                break;
            }
            scan.begin_line(here);
            cursor.bump_to(here);
            let line = self.take_line(cursor);
            scan.lines.push(Some(line));
            scan.column = 0;
            scan.line = cursor.mark().line;
            // The line break that ends this comment was looked at already. Of CR LF it is only the CR: the LF that
            // follows then counts as a blank line, and what go-yaml attaches depends on that.
            distance = 1;
        }
        if !scan.lines.is_empty() {
            let scanned_to = (cursor.mark().at + distance).saturating_sub(1);
            let attached_to = scan.start.at;
            self.push(&mut scan, Relation::Head, attached_to, scanned_to);
        }
    }

    /// A blank line, the end of the file, or the bracket that closes a flow collection: the lines so far are a foot
    /// of what stands before if nothing separates them from it.
    fn end_of_lines(&mut self, scan: &mut Scan, here: usize, closes_flow: bool, is_break: bool) {
        let is_foot = closes_flow
            || scan.no_blank_line_yet && (scan.follows_directly() || scan.is_left_of_block());
        if scan.lines.is_empty() {
            return;
        }
        if !is_foot {
            if is_break {
                scan.lines.push(None);
            }
            return;
        }
        if scan.is_left_of_block() {
            scan.attached_to = scan.start.at;
        }
        self.cut(scan, here);
    }

    fn cut(&mut self, scan: &mut Scan, here: usize) {
        let attached_to = scan.attached_to;
        self.push(scan, Relation::Foot, attached_to, here);
        scan.scanned_from = here;
        scan.attached_to = here;
    }

    fn push(&mut self, scan: &mut Scan, relation: Relation, attached_to: usize, scanned_to: usize) {
        self.queue.push_back(Remark {
            relation,
            attached_to,
            lines: std::mem::take(&mut scan.lines),
            start: scan.start,
            scanned_from: scan.scanned_from,
            scanned_to,
        });
    }

    fn take_line(&mut self, cursor: &mut Cursor<'_>) -> Span {
        let start = cursor.mark().at;
        cursor.bump_run(line_end(cursor.rest()));
        let line = Span::new(start, cursor.mark().at);
        self.all.push(line);
        line
    }

    /// A comment that no token can have, such as the one behind a directive.
    pub(super) fn scan_unattached(&mut self, cursor: &mut Cursor<'_>) {
        self.take_line(cursor);
    }

    /// Where blocks end that are closed after a scan that began at `scan`: before the comments in the column of
    /// their entries (from 1), so that these still belong inside.
    pub(super) fn block_ends(&self, scan: usize) -> HashMap<usize, usize> {
        let mut ends = HashMap::new();
        let mut reached = scan.saturating_sub(1);
        for remark in self.queue.iter().rev() {
            if remark.scanned_to < reached {
                break;
            }
            ends.insert(remark.start.column, remark.start.at);
            reached = remark.scanned_from;
        }
        ends
    }
}

/// The state of one scan over comment lines.
struct Scan {
    lines: Vec<Line>,
    start: Mark,
    attached_to: usize,
    scanned_from: usize,
    line: usize,
    column: usize,
    block_column: usize,
    after_value_sign: bool,
    /// The line on which a comment must start to be a foot of what stands before; `None` at the top of the file.
    foot_line: Option<usize>,
    no_blank_line_yet: bool,
    after_blank_line: bool,
}

impl Scan {
    fn new(cursor: &Cursor<'_>, before: &Before) -> Self {
        let mark = cursor.mark();
        let newlines = cursor.newlines();
        let on_line_of_token = newlines == 0 && mark.column > 1;
        let foot_line = (before.scan.line > 0)
            .then(|| mark.line + 1 + usize::from(on_line_of_token) - newlines.min(mark.line));
        Self {
            lines: Vec::new(),
            start: Mark::default(),
            attached_to: before.token.start.at,
            scanned_from: before.scan.at,
            line: mark.line,
            column: mark.column,
            block_column: before.column,
            after_value_sign: before.token.kind == TokenKind::Value,
            foot_line,
            no_blank_line_yet: newlines <= 1,
            after_blank_line: false,
        }
    }

    fn follows_directly(&self) -> bool {
        self.foot_line == Some(self.start.line) && !self.after_value_sign
    }

    /// Whether the lines start left of the entries of the innermost block.
    fn is_left_of_block(&self) -> bool {
        self.start.column <= self.block_column
    }

    /// Whether what stands here is left of the innermost block and not below the lines so far.
    fn is_left_of_its_lines(&self) -> bool {
        !self.lines.is_empty()
            && self.column <= self.block_column
            && self.column != self.start.column
    }

    fn begin_line(&mut self, here: usize) {
        if self.lines.is_empty() {
            self.start = Mark {
                at: here,
                index: 0,
                line: self.line,
                column: self.column,
            };
        }
        self.after_blank_line = false;
    }

    fn pass_break(&mut self) {
        self.no_blank_line_yet = false;
        self.after_blank_line = true;
        self.column = 0;
        self.line += 1;
    }
}
