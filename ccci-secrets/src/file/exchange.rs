//! Made-up files exchanged with real sops, in every version of it that is installed: it opens what we seal, we open what
//! it seals, to the same values and comments.
//!
//! `CCSEC_TEST_EXCHANGE` sets how many files are made up, and `CCSEC_TEST_SEED` where their numbers start.

use std::process::Output;

use super::testing::*;
use super::*;
use crate::document::yaml::samples;
use crate::keyring::Keyring;

#[path = "../../tests/sops/program.rs"]
mod program;

const RULES: [(&str, &str); 6] = [
    ("unencrypted_suffix", "1"),
    ("encrypted_suffix", "0"),
    ("unencrypted_regex", "^key|er1$"),
    ("encrypted_regex", "y\\d|double"),
    ("unencrypted_comment_regex", "^ (comment|inline)"),
    ("encrypted_comment_regex", "tight|inline"),
];

/// One of the six settings, or none.
#[derive(Clone, Copy)]
struct Rule {
    setting: Option<(&'static str, &'static str)>,
    mac_only_encrypted: bool,
}

impl Rule {
    const NONE: Self = Self {
        setting: None,
        mac_only_encrypted: false,
    };

    fn for_seed(seed: u64) -> Self {
        let at = usize::try_from(seed % 9).unwrap();
        Self {
            setting: RULES.get(at).copied(),
            mac_only_encrypted: seed.is_multiple_of(5),
        }
    }

    fn policy(self) -> Policy {
        let mut policy = match self.setting {
            Some((setting, value)) => policy_with(setting, value),
            None => policy(),
        };
        policy.mac_only_encrypted = self.mac_only_encrypted;
        policy
    }

    /// As the configuration of sops; some settings have no flag.
    fn config(self) -> String {
        let mut rule = serde_json::json!({ "age": RECIPIENT });
        if let Some((setting, value)) = self.setting {
            rule[setting] = value.into();
        }
        if self.mac_only_encrypted {
            rule["mac_only_encrypted"] = true.into();
        }
        serde_json::json!({ "creation_rules": [rule] }).to_string()
    }
}

/// Real sops, and a directory that it works in.
struct Sops {
    program: &'static program::Sops,
    folder: tempfile::TempDir,
}

impl Sops {
    fn of(program: &'static program::Sops) -> Self {
        Self {
            program,
            folder: tempfile::tempdir().unwrap(),
        }
    }

    fn run(&self, args: &[String], text: &str) -> Output {
        let file = self.folder.path().join("file.yaml");
        std::fs::write(&file, text).unwrap();
        let mut command = self.program.command(self.folder.path());
        command
            .args(args)
            .arg(&file)
            .env("SOPS_AGE_KEY_FILE", KEY_FILE)
            .output()
            .unwrap()
    }

    fn decrypt(&self, text: &str) -> Result<String, String> {
        let output = self.run(&["decrypt".into()], text);
        let warnings = String::from_utf8_lossy(&output.stderr);
        if output.status.success() && warnings.is_empty() {
            Ok(String::from_utf8(output.stdout).unwrap())
        } else {
            Err(format!("{}: {warnings}", output.status))
        }
    }

    /// What is left when sops opens what it sealed itself: beside empty lists it loses comments, and 3.9.0 loses an empty
    /// line at the start of a text. Nothing where it does not open what it sealed: then that text stood in the clear.
    fn after_a_round_trip(&self, theirs: &str) -> Option<Content> {
        let plain = self.decrypt(theirs).ok()?;
        Document::parse(Format::Yaml, Secret::from_slice(plain.as_bytes())).ok()?;
        Some(Content::of(&plain, PRINTED))
    }

    /// Whether what it printed is other than what was meant, and not by its own doing.
    fn is_wrong(&self, expected: &Content, found: &Content, theirs: &str) -> bool {
        let own = self.after_a_round_trip(theirs);
        let prints = |part: fn(&Content) -> &Vec<String>| {
            own.as_ref().is_some_and(|own| part(own) == part(found))
        };
        let values = expected.values == found.values
            || self.program.is_old() && (own.is_none() || prints(|content| &content.values));
        let comments = expected.comments == found.comments || prints(|content| &content.comments);
        !(values && comments)
    }

    /// Listed values without what this version loses of a text that it writes in the clear: 3.9.0 the empty lines at its
    /// start.
    fn as_it_writes(&self, values: Vec<String>) -> Vec<String> {
        let written = |line: String| match line.split_once(" str \"\\n") {
            Some((place, text)) if self.program.is_old() => {
                format!("{place} str \"{}", text.trim_start_matches("\\n"))
            }
            _ => line,
        };
        values.into_iter().map(written).collect()
    }

    fn encrypt(&self, rule: Rule, text: &str) -> Result<String, String> {
        // Where it is found: 3.9.0 takes no `--config` before a command.
        let config = self.folder.path().join(".sops.yaml");
        std::fs::write(&config, rule.config()).unwrap();
        let output = self.run(&["encrypt".into()], text);
        if output.status.success() {
            Ok(String::from_utf8(output.stdout).unwrap())
        } else {
            Err(String::from_utf8_lossy(&output.stderr).into_owned())
        }
    }
}

/// What sops has printed: a comment may stand where it is attached to nothing when it is read again.
const PRINTED: Listing = Listing {
    lost_comments: true,
    ..AS_SOPS
};

/// Values with their places, and the texts of the comments.
#[derive(PartialEq)]
struct Content {
    values: Vec<String>,
    comments: Vec<String>,
}

impl Content {
    /// What sops makes of a plaintext.
    fn of(text: &str, listing: Listing) -> Self {
        let (values, comments) = list(&parse(text), listing);
        let text = |line: &String| line.split_once('#').map(|(_, text)| text.to_owned());
        let mut comments: Vec<_> = comments.iter().filter_map(text).collect();
        // Of an empty comment in a list sops makes an empty string.
        let values = values
            .into_iter()
            .filter(|line| !line.ends_with("[] str \"\""))
            .collect();
        comments.retain(|text| !text.is_empty());
        comments.sort();
        Self { values, comments }
    }

    /// What sops must find in a file that we sealed: our plaintext of it, without the comments that it does not see.
    fn of_sealed(keyring: &Keyring, sealed: &str) -> Result<Self, String> {
        let file = open(keyring, sealed)?;
        let document = &file.sealed.document;
        let lost: Vec<_> = document
            .nodes
            .iter()
            .flat_map(|node| match node {
                Node::Map(collection) | Node::List(collection) => &*collection.items,
                _ => &[],
            })
            .filter_map(|item| match item {
                crate::document::Item::Comment(comment)
                    if comment.place == crate::document::Place::Lost =>
                {
                    Some(comment.span)
                }
                _ => None,
            })
            .collect();
        let mut comments = Vec::new();
        for (at, entry) in file.sealed.entries().enumerate() {
            let What::Comment(comment) = entry.what else {
                continue;
            };
            if lost.contains(&comment.span) {
                continue;
            }
            let text = document.source().slice(comment.text());
            let text = match entry.selected && !text.is_empty() {
                false => text.to_vec(),
                true => file.open_comment(at, text).unwrap().0.expose().to_vec(),
            };
            comments.push(String::from_utf8(text).unwrap());
        }
        comments.retain(|text| !text.is_empty());
        comments.sort();
        let values = Self::of(&plaintext(&file)?.0, AS_SOPS).values;
        Ok(Self { values, comments })
    }

    fn difference(&self, other: &Self) -> Option<String> {
        let first = |old: &[String], new: &[String]| {
            let at = old.iter().zip(new).position(|(old, new)| old != new);
            let at = at.unwrap_or(old.len().min(new.len()));
            (old != new).then(|| format!("{:?} -> {:?}", old.get(at), new.get(at)))
        };
        first(&self.values, &other.values).or_else(|| first(&self.comments, &other.comments))
    }
}

/// Which leaves are sealed, in order.
fn sealed_leaves(text: &str) -> Vec<String> {
    let (values, _) = list(&parse(text), AS_SOPS);
    values
        .into_iter()
        .map(|line| match line.split_once(" str \"ENC[") {
            // A sealed comment in a list stands there as an item.
            Some((_, rest)) if rest.contains("type:comment") => String::new(),
            Some((path, _)) => format!("{path} sealed"),
            None => line,
        })
        .filter(|line| !line.is_empty() && !line.ends_with("[] str \"\""))
        .collect()
}

struct Outcome {
    exchanged: u32,
    refused: u32,
    unreadable: u32,
    wrong: Vec<String>,
}

fn exchange(sops: &Sops, keyring: &Keyring, rule: Rule, text: &str, outcome: &mut Outcome) {
    let flags = rule.config();
    let mut wrong = |what: &str, more: &str| {
        outcome
            .wrong
            .push(format!("{text}\n>>> {flags}: {what}\n{more}"));
    };
    let ours = seal(&rule.policy(), text);
    let theirs = sops.encrypt(rule, text);
    let (ours, theirs) = match (ours, theirs) {
        (Ok(ours), Ok(theirs)) => (ours, theirs),
        (Err(_), Err(_)) => return outcome.refused += 1,
        // Comments cannot be repeated at the alias that they decide about.
        (Err(error), Ok(_)) if error.contains("behind an alias") => return outcome.refused += 1,
        // It encodes each scalar on its own and cannot read back those that start with a tab and have several lines.
        (Ok(_), Err(error)) if error.contains("unknown kind 0") => return outcome.unreadable += 1,
        // 3.9.0 has no times.
        (Ok(_), Err(error)) if sops.program.is_old() && error.contains("time.Time") => {
            return outcome.unreadable += 1;
        }
        (Ok(_), Err(error)) => return wrong("only sops refuses", &error),
        (Err(error), Ok(_)) => return wrong("only we refuse", &error),
    };
    outcome.exchanged += 1;
    match (sops.decrypt(&ours), Content::of_sealed(keyring, &ours)) {
        (Err(error), _) if error.contains("unknown kind 0") => outcome.unreadable += 1,
        (Err(error), _) => wrong(&format!("sops does not open ours: {error}"), &ours),
        (_, Err(error)) => wrong(&format!("we do not open ours: {error}"), &ours),
        // The hint of its `|4` is wrong inside lists: sops cannot read its own plaintext then.
        (Ok(plain), _) if sops.encrypt(Rule::NONE, &plain).is_err() => outcome.unreadable += 1,
        (Ok(plain), Ok(expected)) => {
            let found = Content::of(&plain, PRINTED);
            if let Some(changed) = expected.difference(&found)
                && sops.is_wrong(&expected, &found, &theirs)
            {
                wrong(&format!("sops reads ours as other: {changed}"), &ours);
            }
        }
    }
    let opened = open(keyring, &theirs).and_then(|file| plaintext(&file));
    if opened.is_err() && sops.run(&["decrypt".into()], &theirs).status.code() != Some(0) {
        return outcome.unreadable += 1;
    }
    match opened {
        Err(error) => wrong(&format!("we do not open theirs: {error}"), &theirs),
        Ok((plain, _)) => {
            let mut expected = Content::of(text, AS_SOPS);
            let mut found = Content::of(&plain, PRINTED);
            for content in [&mut expected, &mut found] {
                content.values = sops.as_it_writes(std::mem::take(&mut content.values));
            }
            if let Some(changed) = expected.difference(&found)
                && (expected.values != found.values || sops.is_wrong(&expected, &found, &theirs))
            {
                wrong(
                    &format!("we read theirs as other: {changed}"),
                    &format!("{theirs}\n>>> became\n{plain}"),
                );
            }
        }
    }
    let [ours, theirs] = [&ours, &theirs].map(|text| sops.as_it_writes(sealed_leaves(text)));
    if ours != theirs {
        wrong(
            "other leaves are sealed",
            &format!("{}\n---\n{}", ours.join("\n"), theirs.join("\n")),
        );
    }
}

fn exchange_with(sops: &'static program::Sops) {
    let sops = Sops::of(sops);
    let keyring = keyring();
    let mut outcome = Outcome {
        exchanged: 0,
        refused: 0,
        unreadable: 0,
        wrong: Vec::new(),
    };
    for seed in count("CCSEC_TEST_EXCHANGE", 60) {
        let rule = Rule::for_seed(seed);
        exchange(
            &sops,
            &keyring,
            rule,
            &samples::document(seed),
            &mut outcome,
        );
    }
    eprintln!(
        "{} files exchanged with sops {}, {} refused by both; {} times sops could not read its own plaintext again",
        outcome.exchanged, sops.program.version, outcome.refused, outcome.unreadable
    );
    assert_none(outcome.wrong);
}

#[test]
fn made_up_files_are_exchanged_with_every_version_of_sops() {
    program::Sops::all().iter().for_each(exchange_with);
}

// sops moves a comment that has no entry left to stand before to the line of its own block.
#[test]
fn a_comment_on_the_line_of_the_block_is_given_back() {
    let Some(sops) = program::Sops::newest() else {
        return;
    };
    let theirs = Sops::of(sops)
        .encrypt(Rule::NONE, "a: &x [b]\nc: *x # inline\n")
        .unwrap();
    assert!(theirs.contains("sops: #ENC["), "{theirs}");
    let (plain, _) = plaintext(&open(&keyring(), &theirs).unwrap()).unwrap();
    assert!(plain.ends_with("# inline\n"), "{plain}");
    assert!(!plain.contains("sops"), "{plain}");
}
