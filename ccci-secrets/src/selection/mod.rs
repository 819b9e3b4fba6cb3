//! Which leaves are sealed: the six rules of sops, compiled at parse and never at use (sops-format.md 5).

pub(crate) mod go_regex;

use std::fmt;

use regex::bytes::Regex;

/// The suffix that marks clear keys where nothing else is set.
pub const DEFAULT_UNENCRYPTED_SUFFIX: &str = "_unencrypted";

/// The six settings as text. An empty one counts as not set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SelectionSettings {
    /// Clear: everything at or below a key with this suffix.
    pub unencrypted_suffix: Option<String>,
    /// Sealed: only what is at or below a key with this suffix.
    pub encrypted_suffix: Option<String>,
    /// Clear: everything at or below a key that matches.
    pub unencrypted_regex: Option<String>,
    /// Sealed: only what is at or below a key that matches.
    pub encrypted_regex: Option<String>,
    /// Clear: everything that an active comment which matches covers.
    pub unencrypted_comment_regex: Option<String>,
    /// Sealed: only what an active comment which matches covers.
    pub encrypted_comment_regex: Option<String>,
}

impl SelectionSettings {
    /// These settings, and those of `other` where they leave one open.
    #[must_use]
    pub fn or(self, other: &Self) -> Self {
        let first = |one: Option<String>, other: &Option<String>| {
            one.filter(|value| !value.is_empty())
                .or_else(|| other.clone())
        };
        Self {
            unencrypted_suffix: first(self.unencrypted_suffix, &other.unencrypted_suffix),
            encrypted_suffix: first(self.encrypted_suffix, &other.encrypted_suffix),
            unencrypted_regex: first(self.unencrypted_regex, &other.unencrypted_regex),
            encrypted_regex: first(self.encrypted_regex, &other.encrypted_regex),
            unencrypted_comment_regex: first(
                self.unencrypted_comment_regex,
                &other.unencrypted_comment_regex,
            ),
            encrypted_comment_regex: first(
                self.encrypted_comment_regex,
                &other.encrypted_comment_regex,
            ),
        }
    }

    /// The settings that are set, with the names they have in files.
    pub fn named(&self) -> impl Iterator<Item = (&'static str, &str)> {
        [
            ("unencrypted_suffix", &self.unencrypted_suffix),
            ("encrypted_suffix", &self.encrypted_suffix),
            ("unencrypted_regex", &self.unencrypted_regex),
            ("encrypted_regex", &self.encrypted_regex),
            ("unencrypted_comment_regex", &self.unencrypted_comment_regex),
            ("encrypted_comment_regex", &self.encrypted_comment_regex),
        ]
        .into_iter()
        .filter_map(|(name, value)| {
            Some((name, value.as_deref().filter(|value| !value.is_empty())?))
        })
    }
}

/// A compiled rule.
#[derive(Clone, Debug)]
pub struct Selection {
    settings: SelectionSettings,
    rule: Rule,
}

#[derive(Clone, Debug)]
enum Rule {
    /// A key of the path decides.
    Key { matcher: Matcher, seals: bool },
    /// An active comment decides.
    Comment { regex: Regex, seals: bool },
}

#[derive(Clone, Debug)]
enum Matcher {
    Regex(Regex),
    Suffix(String),
}

impl Selection {
    /// Compiles the settings; with none set, `unencrypted_suffix` is `_unencrypted`.
    ///
    /// # Errors
    /// [`SelectionError`]: several settings, or a pattern that cannot mean what it means in Go.
    pub fn compile(settings: SelectionSettings) -> Result<Self, SelectionError> {
        let set: Vec<(&'static str, String)> = settings
            .named()
            .map(|(name, value)| (name, value.to_owned()))
            .collect();
        let (name, value) = match set.as_slice() {
            [] => ("unencrypted_suffix", DEFAULT_UNENCRYPTED_SUFFIX),
            [(name, value)] => (*name, value.as_str()),
            several => {
                return Err(SelectionError::Several(
                    several.iter().map(|(name, _)| *name).collect(),
                ));
            }
        };
        let regex = || {
            go_regex::compile(value).map_err(|reason| SelectionError::Pattern {
                setting: name,
                pattern: value.to_owned(),
                reason,
            })
        };
        let rule = match name {
            "unencrypted_suffix" => Rule::Key {
                matcher: Matcher::Suffix(value.to_owned()),
                seals: false,
            },
            "encrypted_suffix" => Rule::Key {
                matcher: Matcher::Suffix(value.to_owned()),
                seals: true,
            },
            "unencrypted_regex" => Rule::Key {
                matcher: Matcher::Regex(regex()?),
                seals: false,
            },
            "encrypted_regex" => Rule::Key {
                matcher: Matcher::Regex(regex()?),
                seals: true,
            },
            "unencrypted_comment_regex" => Rule::Comment {
                regex: regex()?,
                seals: false,
            },
            _ => Rule::Comment {
                regex: regex()?,
                seals: true,
            },
        };
        let settings = if set.is_empty() {
            SelectionSettings {
                unencrypted_suffix: Some(DEFAULT_UNENCRYPTED_SUFFIX.into()),
                ..Default::default()
            }
        } else {
            settings
        };
        Ok(Self { settings, rule })
    }

    /// The rule of a binary file, whose only value is always sealed: a new one is written without any setting.
    #[must_use]
    pub fn of_binary() -> Self {
        Self {
            settings: SelectionSettings::default(),
            rule: Rule::Key {
                matcher: Matcher::Suffix(DEFAULT_UNENCRYPTED_SUFFIX.into()),
                seals: false,
            },
        }
    }

    /// The settings, with the default filled in.
    #[must_use]
    pub fn settings(&self) -> &SelectionSettings {
        &self.settings
    }

    /// Whether a comment of this text keeps itself and what follows in the clear.
    #[must_use]
    pub(crate) fn leaves_clear(&self, comment: &[u8]) -> bool {
        matches!(&self.rule, Rule::Comment { regex, seals: false } if regex.is_match(comment))
    }

    /// A cursor at the start of a document.
    #[must_use]
    pub fn cursor(&self) -> Cursor<'_> {
        Cursor {
            selection: self,
            keys: Vec::new(),
            matching_keys: 0,
            frames: Vec::new(),
            matching_comments: 0,
        }
    }
}

impl fmt::Display for Selection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for (name, value) in self.settings.named() {
            write!(f, "{separator}{name}: {value}")?;
            separator = ", ";
        }
        Ok(())
    }
}

/// Follows a walk and says at every place whether a leaf there is selected.
///
/// Each key and each comment is judged once, when it is met.
#[derive(Debug)]
pub struct Cursor<'s> {
    selection: &'s Selection,
    /// For each key of the path, whether it matches.
    keys: Vec<bool>,
    matching_keys: usize,
    /// For each open map or list, how many of its active comments match.
    frames: Vec<usize>,
    matching_comments: usize,
}

impl Cursor<'_> {
    /// The value of a map entry follows.
    pub fn enter_key(&mut self, key: &str) {
        let matches = match &self.selection.rule {
            Rule::Key {
                matcher: Matcher::Suffix(suffix),
                ..
            } => key.ends_with(suffix.as_str()),
            Rule::Key {
                matcher: Matcher::Regex(regex),
                ..
            } => regex.is_match(key.as_bytes()),
            Rule::Comment { .. } => false,
        };
        self.matching_keys += usize::from(matches);
        self.keys.push(matches);
    }

    /// The value of the entry entered last is complete.
    pub fn leave_key(&mut self) {
        if self.keys.pop() == Some(true) {
            self.matching_keys -= 1;
        }
    }

    /// A map or list opens: a frame of its own for comments.
    pub fn enter_collection(&mut self) {
        self.frames.push(0);
    }

    /// The map or list opened last closes.
    pub fn leave_collection(&mut self) {
        self.matching_comments -= self.frames.pop().unwrap_or_default();
    }

    /// A comment is met; whether it is selected itself.
    ///
    /// Under `unencrypted_comment_regex` the comment that matches stays clear itself; under `encrypted_comment_regex`
    /// it does too, because only comments before it count, and later lines are sealed.
    pub fn comment(&mut self, text: &[u8]) -> bool {
        let Rule::Comment { regex, seals } = &self.selection.rule else {
            return self.value();
        };
        let before = self.matching_comments;
        if regex.is_match(text) {
            self.matching_comments += 1;
            if let Some(frame) = self.frames.last_mut() {
                *frame += 1;
            }
        }
        if *seals {
            before > 0
        } else {
            self.matching_comments == 0
        }
    }

    /// Whether a leaf here is selected.
    #[must_use]
    pub fn value(&self) -> bool {
        match &self.selection.rule {
            Rule::Key { seals, .. } => (self.matching_keys > 0) == *seals,
            Rule::Comment { seals, .. } => (self.matching_comments > 0) == *seals,
        }
    }

    /// An item that is no comment is complete: the comments before it cover nothing more.
    pub fn item_done(&mut self) {
        if let Some(frame) = self.frames.last_mut() {
            self.matching_comments -= *frame;
            *frame = 0;
        }
    }
}

/// A rule that cannot be used. Rules are not secret, so they are shown.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SelectionError {
    /// A pattern that Go refuses, or that this program cannot give the same meaning.
    #[error("{setting}: the pattern `{pattern}` cannot be used: {reason}")]
    Pattern {
        /// The setting.
        setting: &'static str,
        /// The pattern.
        pattern: String,
        /// Why.
        reason: String,
    },
    /// More than one setting.
    #[error("cannot use more than one of: {}", .0.join(", "))]
    Several(Vec<&'static str>),
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn selection(set: impl FnOnce(&mut SelectionSettings)) -> Selection {
        let mut settings = SelectionSettings::default();
        set(&mut settings);
        Selection::compile(settings).unwrap()
    }

    #[test]
    fn by_default_a_suffix_leaves_its_whole_subtree_clear() {
        let selection = Selection::compile(SelectionSettings::default()).unwrap();
        let mut cursor = selection.cursor();
        cursor.enter_key("a");
        assert!(cursor.value());
        cursor.enter_key("b_unencrypted");
        cursor.enter_key("c");
        assert!(!cursor.value());
    }

    // sops-format.md 5: comments above a map cover the whole map; the matching line itself stays plain.
    #[test]
    fn comment_rules_follow_the_stack_of_frames() {
        let selection = selection(|settings| settings.encrypted_comment_regex = Some("sec".into()));
        let mut cursor = selection.cursor();
        cursor.enter_collection();
        assert!(!cursor.comment(b" sec"));
        assert!(cursor.comment(b" more"));
        cursor.enter_key("m");
        cursor.enter_collection();
        cursor.enter_key("k");
        assert!(cursor.value());
        cursor.leave_key();
        cursor.item_done();
        cursor.leave_collection();
        cursor.leave_key();
        cursor.item_done();
        cursor.enter_key("z");
        assert!(!cursor.value());
    }

    #[test]
    fn a_comment_that_matches_the_clear_rule_stays_clear_itself() {
        let selection =
            selection(|settings| settings.unencrypted_comment_regex = Some("^ plain".into()));
        let mut cursor = selection.cursor();
        cursor.enter_collection();
        assert!(cursor.comment(b" other"));
        assert!(!cursor.comment(b" plain"));
        assert!(!cursor.value());
    }

    #[test]
    fn several_rules_and_bad_patterns_are_refused() {
        let several = SelectionSettings {
            encrypted_regex: Some("a".into()),
            encrypted_suffix: Some("b".into()),
            ..SelectionSettings::default()
        };
        assert!(matches!(
            Selection::compile(several),
            Err(SelectionError::Several(_))
        ));
        let bad = SelectionSettings {
            encrypted_regex: Some("(".into()),
            ..SelectionSettings::default()
        };
        assert!(matches!(
            Selection::compile(bad),
            Err(SelectionError::Pattern { .. })
        ));
    }
}
