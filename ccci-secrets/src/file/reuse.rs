//! Sealing plaintext over an older version of the same file, so that what did not change keeps its ciphertext.
//!
//! An envelope serves again only for the same value: under the same data key, at the same path, of the same type, as
//! the same one of several at that path, and spelled alike. Anything else would use a nonce twice, or show that two
//! values are equal.

use std::collections::BTreeSet;
use std::fmt;

use super::edit::EditedFile;
use super::resealed::seal_document;
use super::seal::{coverage_for, timestamp};
use super::{DraftFile, Older, OpenFile, SealError, SealedFile};
use crate::config::{Policy, PolicyKey};
use crate::document::Format;
use crate::key::comparable_recipient;
use crate::key::group;
use crate::wrapped::{KeyKind, WrappedGroup};

impl DraftFile {
    /// Lays this plaintext over an older version of the file: values and comments that are as they were keep their
    /// envelopes.
    ///
    /// The data key, the recipients and the rule of the older version stay; [`SealedFile::difference_from`] tells
    /// whether they are those of a policy. Whoever made the older version knows its data key, so it must come from a
    /// trusted place, as for every edit of a sops file.
    ///
    /// # Errors
    /// [`SealError::OtherFormat`]
    pub fn onto(self, old: OpenFile) -> Result<EditedFile, SealError> {
        old.into_older()?.lay_over(self)
    }

    /// The older version with this plaintext laid over it, if nothing has to be sealed anew for that; `None` otherwise.
    ///
    /// This is safe with any older version: whoever made it knows everything that is sealed in the result.
    ///
    /// # Errors
    /// [`SealError`]
    pub fn onto_if_known(
        self,
        old: OpenFile,
        now: jiff::Timestamp,
    ) -> Result<Option<SealedFile>, SealError> {
        old.into_older()?.lay_over_if_known(self, now)
    }
}

impl Older {
    /// As [`DraftFile::onto_if_known`].
    ///
    /// # Errors
    /// [`SealError`]
    pub fn lay_over_if_known(
        self,
        draft: DraftFile,
        now: jiff::Timestamp,
    ) -> Result<Option<SealedFile>, SealError> {
        self.require_format(&draft)?;
        let resealed = seal_document(self, draft.document, &timestamp(now))?;
        Ok((resealed.fresh == 0).then_some(resealed.file))
    }
}

impl SealedFile {
    /// The first thing in which this file is not what a policy would make of it now.
    #[must_use]
    pub fn difference_from(&self, policy: &Policy) -> Option<PolicyDifference> {
        let metadata = &self.metadata;
        let file: Vec<_> = metadata.groups.iter().map(keys_of_group).collect();
        let rule: Vec<_> = policy
            .groups
            .iter()
            .map(|group| keys_of_rule(group))
            .collect();
        let only_in_file = missing(&file, &rule);
        let only_in_rule = missing(&rule, &file);
        if !only_in_file.is_empty() || !only_in_rule.is_empty() {
            return Some(PolicyDifference::Recipients {
                only_in_file,
                only_in_rule,
            });
        }
        if file != rule {
            return Some(PolicyDifference::Groups);
        }
        let threshold = group::written_threshold(policy.groups.len(), policy.threshold);
        if threshold != Ok(metadata.threshold) {
            return Some(PolicyDifference::Threshold);
        }
        let format = self.document.format();
        // A binary file is one value, and says nothing about a rule.
        let says_rule = format != Format::Binary;
        if says_rule && metadata.selection.settings() != policy.selection.settings() {
            return Some(PolicyDifference::Selection);
        }
        let same = metadata.coverage == coverage_for(policy, format);
        (!same).then_some(PolicyDifference::Coverage)
    }
}

/// A key as two of them are compared.
type Key = (KeyKind, String);

fn keys_of_group(group: &WrappedGroup) -> BTreeSet<Key> {
    let key = |key: &crate::wrapped::WrappedKey| comparable(key.kind, &key.label());
    group.keys.iter().map(key).collect()
}

fn keys_of_rule(group: &[PolicyKey]) -> BTreeSet<Key> {
    let key = |key: &PolicyKey| comparable(key.kind, &key.text);
    group.iter().map(key).collect()
}

fn comparable(kind: KeyKind, text: &str) -> Key {
    match kind {
        KeyKind::Age => (kind, comparable_recipient(text)),
        _ => (kind, text.to_owned()),
    }
}

/// The keys of some groups that others do not have.
fn missing(groups: &[BTreeSet<Key>], others: &[BTreeSet<Key>]) -> Vec<String> {
    let all: BTreeSet<&Key> = groups.iter().flatten().collect();
    let of_others: BTreeSet<&Key> = others.iter().flatten().collect();
    all.difference(&of_others)
        .map(|(_, text)| text.clone())
        .collect()
}

/// In what a sealed file is not what a policy would make of it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PolicyDifference {
    /// What the MAC covers.
    Coverage,
    /// The same recipients in other groups.
    Groups,
    /// The recipients.
    Recipients {
        /// Those that only the file has.
        only_in_file: Vec<String>,
        /// Those that only the rule has.
        only_in_rule: Vec<String>,
    },
    /// Which values are sealed.
    Selection,
    /// How many groups are needed.
    Threshold,
}

impl fmt::Display for PolicyDifference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Coverage => f.write_str("its MAC covers other values than the rule says"),
            Self::Groups => {
                f.write_str("its recipients stand in other key groups than in the rule")
            }
            Self::Recipients {
                only_in_file,
                only_in_rule,
            } => {
                f.write_str("it is sealed for other recipients than the rule names")?;
                list(f, "only in the file", only_in_file)?;
                list(f, "only in the rule", only_in_rule)
            }
            Self::Selection => f.write_str("other values of it are sealed than the rule says"),
            Self::Threshold => f.write_str("its threshold is not that of the rule"),
        }
    }
}

fn list(f: &mut fmt::Formatter<'_>, title: &str, recipients: &[String]) -> fmt::Result {
    if recipients.is_empty() {
        return Ok(());
    }
    write!(f, "; {title}: {}", recipients.join(", "))
}

#[cfg(test)]
#[allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "tests"
)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::document::yaml::samples;
    use crate::file::testing::{
        RECIPIENT, assert_none, count, keyring, later, now, open, parse_sealed, policy,
        policy_with, seal,
    };
    use crate::secret::Secret;

    const TEXT: &str = "\
# first
a: one
b:
    - x
    - x # twice
    - 1.0
c: |
    text
e: \"\"
n: ~
d_unencrypted: 5
";

    fn draft(text: &str) -> DraftFile {
        DraftFile::parse(Format::Yaml, Secret::from_slice(text.as_bytes())).unwrap()
    }

    fn onto(old: &str, text: &str) -> String {
        let old = open(&keyring(), old).unwrap();
        let edited = draft(text).onto(old).unwrap();
        edited.seal(later()).unwrap().to_string()
    }

    fn if_known(old: &str, text: &str) -> Option<String> {
        let old = open(&keyring(), old).unwrap();
        let known = draft(text).onto_if_known(old, later()).unwrap();
        known.map(|file| file.to_string())
    }

    /// The nonce of every envelope of a text.
    fn nonces(sealed: &str) -> Vec<&str> {
        let parts = sealed.split(",iv:").skip(1);
        parts.map(|rest| rest.split(',').next().unwrap()).collect()
    }

    /// The lines of one text that the other has not at the same place.
    fn changed<'t>(before: &str, after: &'t str) -> Vec<&'t str> {
        assert_eq!(before.lines().count(), after.lines().count(), "{after}");
        let pairs = before.lines().zip(after.lines());
        pairs
            .filter(|(old, new)| old != new)
            .map(|(_, new)| new.split(':').next().unwrap().trim())
            .collect()
    }

    #[test]
    fn the_same_text_gives_the_same_file_byte_for_byte() {
        let before = seal(&policy(), TEXT).unwrap();
        assert_eq!(onto(&before, TEXT), before);
        assert_eq!(if_known(&before, TEXT), Some(before));
    }

    #[test]
    fn one_changed_value_changes_it_and_the_mac_and_the_time() {
        let before = seal(&policy(), TEXT).unwrap();
        let text = TEXT.replace("one", "two");
        let after = onto(&before, &text);
        assert_eq!(changed(&before, &after), ["a", "lastmodified", "mac"]);
        assert_eq!(if_known(&before, &text), None);
    }

    #[test]
    fn a_clear_value_may_change_without_anything_sealed_anew() {
        let before = seal(&policy(), TEXT).unwrap();
        let text = TEXT.replace(": 5", ": 6");
        let after = if_known(&before, &text).unwrap();
        assert_eq!(
            changed(&before, &after),
            ["d_unencrypted", "lastmodified", "mac"]
        );
    }

    #[test]
    fn a_comment_alone_gives_a_new_time() {
        let before = seal(&policy(), TEXT).unwrap();
        let after = onto(&before, &TEXT.replace("# first", "# other"));
        let changed = changed(&before, &after);
        assert_eq!(changed.len(), 3, "{after}");
        assert_eq!(changed[1..], ["lastmodified", "mac"]);
        assert!(open(&keyring(), &after).is_ok());
    }

    #[test]
    fn what_is_left_out_leaves_the_rest_as_it_was() {
        let before = seal(&policy(), TEXT).unwrap();
        let after = if_known(&before, &TEXT.replace("a: one\n", "")).unwrap();
        let old: HashSet<&str> = nonces(&before).into_iter().collect();
        let fresh = nonces(&after).into_iter().filter(|iv| !old.contains(iv));
        // The MAC.
        assert_eq!(fresh.count(), 1);
    }

    // One nonce for two plaintexts, or two places, breaks the cipher; the same one for equal values shows that they are
    // equal.
    #[test]
    fn no_nonce_moves_to_another_value_place_or_type() {
        let before = seal(&policy(), TEXT).unwrap();
        let old: HashSet<&str> = nonces(&before).into_iter().collect();
        for (from, to, fresh) in [
            // Another place.
            ("a: one", "z: one", 1),
            // Another type, and another spelling of the same value.
            ("- 1.0", "- '1.0'", 1),
            ("- 1.0", "- 1.00", 1),
            // The first and second of equal items stay what they were; a third is new.
            ("    - x\n", "    - x\n    - x\n", 2),
            // Another order: each position is judged by itself.
            (
                "    - x\n    - x # twice\n    - 1.0\n",
                "    - 1.0\n    - x # twice\n    - x\n",
                2,
            ),
        ] {
            let text = TEXT.replacen(from, to, 1);
            assert_ne!(text, TEXT);
            let after = onto(&before, &text);
            let nonces = nonces(&after);
            let found = nonces.iter().filter(|iv| !old.contains(*iv)).count();
            assert_eq!(found, fresh + 1, "{from} -> {to}: {after}");
            let all: HashSet<&&str> = nonces.iter().collect();
            assert_eq!(all.len(), nonces.len(), "{from} -> {to}");
            assert!(open(&keyring(), &after).is_ok());
        }
    }

    #[test]
    fn made_up_documents_sealed_twice_are_the_same_file() {
        let (mut wrong, mut same) = (Vec::new(), 0);
        for seed in count("CCSEC_TEST_LAWS", 300) {
            let text = samples::document(seed);
            let policy = match seed % 3 {
                0 => policy(),
                1 => policy_with("encrypted_regex", "[ab]"),
                _ => policy_with("unencrypted_comment_regex", "x"),
            };
            let Ok(before) = seal(&policy, &text) else {
                continue;
            };
            let after = onto(&before, &text);
            same += 1;
            if after != before || if_known(&before, &text).as_ref() != Some(&before) {
                wrong.push(format!("{text}\n>>> from\n{before}\n>>> to\n{after}"));
            }
        }
        assert_none(wrong);
        eprintln!("{same} documents sealed twice");
    }

    #[test]
    fn another_format_is_refused() {
        let before = seal(&policy(), TEXT).unwrap();
        let json = DraftFile::parse(Format::Json, Secret::from_slice(b"{\"a\": \"one\"}")).unwrap();
        let error = json.onto(open(&keyring(), &before).unwrap()).unwrap_err();
        assert!(error.to_string().contains("json"), "{error}");
        assert!(error.to_string().contains("yaml"), "{error}");
    }

    #[test]
    fn a_json_file_is_laid_over_as_well() {
        let text = b"{\n  \"a\": \"one\", \"b\": [1.50, true]\n}\n";
        let draft = || DraftFile::parse(Format::Json, Secret::from_slice(text)).unwrap();
        let before = draft().seal(&policy(), now()).unwrap();
        let old = SealedFile::parse(Format::Json, Secret::from_slice(before.text())).unwrap();
        let old = old.open(&keyring()).unwrap();
        let after = draft().onto(old).unwrap().seal(later()).unwrap();
        assert_eq!(after.to_string(), before.to_string());
    }

    fn group(texts: &[&str]) -> Vec<PolicyKey> {
        let key = |text: &&str| PolicyKey {
            kind: KeyKind::Age,
            text: (*text).into(),
        };
        texts.iter().map(key).collect()
    }

    #[test]
    fn what_differs_from_a_policy_is_named() {
        let other = include_str!("../../../testdata/sops/keys/age-2.pub").trim();
        let ssh = include_str!("../../../testdata/sops/keys/ssh_ed25519.pub").trim();
        let made = |policy: &Policy| parse_sealed(&seal(policy, TEXT).unwrap()).unwrap();
        let file = made(&policy());
        assert_eq!(file.difference_from(&policy()), None);

        let with = |groups: &[&[&str]]| Policy {
            groups: groups.iter().map(|texts| group(texts)).collect(),
            ..policy()
        };
        let added = file.difference_from(&with(&[&[RECIPIENT, other]])).unwrap();
        let text = added.to_string();
        assert!(
            text.contains(&format!("only in the rule: {other}")),
            "{text}"
        );
        let replaced = file
            .difference_from(&with(&[&[other]]))
            .unwrap()
            .to_string();
        assert!(
            replaced.contains(&format!("only in the file: {RECIPIENT}")),
            "{replaced}"
        );

        let selection = policy_with("encrypted_regex", "a");
        assert_eq!(
            file.difference_from(&selection),
            Some(PolicyDifference::Selection)
        );
        let coverage = Policy {
            mac_only_encrypted: true,
            ..policy()
        };
        assert_eq!(
            file.difference_from(&coverage),
            Some(PolicyDifference::Coverage)
        );

        let several = with(&[&[RECIPIENT, ssh], &[other]]);
        let file = made(&several);
        assert_eq!(file.difference_from(&several), None);
        // Neither the order in a group nor the comment of an SSH key counts.
        let turned = ssh.rsplit_once(' ').unwrap().0;
        let turned = with(&[&[turned, RECIPIENT], &[other]]);
        assert_eq!(file.difference_from(&turned), None);
        let all = Policy {
            threshold: Some(2),
            ..several.clone()
        };
        assert_eq!(file.difference_from(&all), None);
        let moved = with(&[&[RECIPIENT], &[ssh, other]]);
        assert_eq!(file.difference_from(&moved), Some(PolicyDifference::Groups));
        let three = with(&[&[RECIPIENT], &[ssh], &[other]]);
        let two_of_three = Policy {
            threshold: Some(2),
            ..three.clone()
        };
        let file = made(&three);
        assert_eq!(
            file.difference_from(&two_of_three),
            Some(PolicyDifference::Threshold)
        );
    }
}
