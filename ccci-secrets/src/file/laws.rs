//! What holds for every YAML document, tried on made-up ones.
//!
//! `CCSEC_TEST_LAWS` sets how many are made up for each law, and `CCSEC_TEST_SEED` where their numbers start.

mod compare;
mod damage;

use self::compare::*;
use super::testing::*;
use super::*;
use crate::document::yaml::samples::{self, Random};
use crate::document::yaml::tests::go_yaml::describe;
use crate::document::{Item, NewNode, NodeId, Span, Style};
use crate::keyring::Keyring;

const RULES: [(&str, &str); 6] = [
    ("unencrypted_suffix", "1"),
    ("encrypted_suffix", "0"),
    ("unencrypted_regex", "^key|er1$"),
    ("encrypted_regex", "y\\d|double"),
    ("unencrypted_comment_regex", "^ (comment|inline)"),
    ("encrypted_comment_regex", "tight|inline"),
];

fn made_up(default: u64) -> impl Iterator<Item = (u64, String)> {
    count("CCSEC_TEST_LAWS", default).map(|seed| (seed, samples::document(seed)))
}

/// A policy for a made-up document: the default rule, or another.
pub(super) fn policy_for(seed: u64) -> Policy {
    let at = usize::try_from(seed % 12).unwrap();
    let mut policy = RULES
        .get(at)
        .map_or_else(policy, |(setting, value)| policy_with(setting, value));
    policy.mac_only_encrypted = seed.is_multiple_of(5);
    policy
}

/// Whether sops refuses to read a document, or to seal an alias whose selection its comments decide.
fn is_refused(text: &str, error: &str) -> bool {
    describe(text) == "error\n" || error.contains("behind an alias")
}

#[test]
fn a_document_prints_as_its_source_and_an_empty_splice_changes_nothing() {
    for (_, text) in made_up(4000) {
        let Ok(document) = Document::parse(Format::Yaml, Secret::from_slice(text.as_bytes()))
        else {
            continue;
        };
        assert_eq!(document.source().bytes(), text.as_bytes());
        let spliced = document.source().splice(Vec::new()).unwrap();
        assert!(spliced.ct_eq(text.as_bytes()));
    }
}

#[test]
fn what_is_sealed_and_opened_again_has_the_same_values() {
    let keyring = keyring();
    let mut wrong = Vec::new();
    let (mut same, mut refused, mut all) = (0, 0, 0);
    for (seed, text) in made_up(1000) {
        all += 1;
        let sealed = match seal(&policy_for(seed), &text) {
            Ok(sealed) => sealed,
            Err(error) if is_refused(&text, &error) => {
                refused += 1;
                continue;
            }
            Err(error) => {
                wrong.push(format!("{text}\n>>> {error}"));
                continue;
            }
        };
        match open(&keyring, &sealed).and_then(|file| plaintext(&file)) {
            Err(error) => wrong.push(format!("{text}\n>>> {error}\n{sealed}")),
            Ok((_, notes))
                if notes
                    .iter()
                    .any(|note| matches!(note, Note::MovedComment { .. })) =>
            {
                wrong.push(format!("{text}\n>>> {notes:?}\n{sealed}"));
            }
            Ok((plain, _)) if plain == text => same += 1,
            Ok((plain, _)) => {
                let changed = difference(&text, &plain);
                if !changed.is_empty() {
                    wrong.push(format!("{text}\n>>> became\n{plain}\n>>> {changed}"));
                }
            }
        }
    }
    assert_none(wrong);
    eprintln!(
        "{same} of {} came back byte for byte, {refused} refused",
        all - refused
    );
}

#[test]
fn sealing_changes_no_byte_that_it_need_not_change() {
    let mut wrong = Vec::new();
    let mut compared = 0;
    for (seed, text) in made_up(1000) {
        // Without a line break at its end a file gains one before the block; that is its own test.
        if !text.ends_with('\n') {
            continue;
        }
        let Ok(sealed) = seal(&policy_for(seed), &text) else {
            continue;
        };
        let (plain, sealed_document) = (parse(&text), parse(&sealed));
        let mut pairs = Pairs {
            plain: &plain,
            sealed: &sealed_document,
            cut: Vec::new(),
        };
        for (old, new) in plain.parts().iter().zip(sealed_document.parts()) {
            pairs.node(old.root, new.root);
        }
        let (mut old, mut new): (Vec<_>, Vec<_>) = pairs.cut.into_iter().unzip();
        old.extend(comments(&plain));
        new.extend(comments(&sealed_document));
        let old = without(text.as_bytes(), old);
        let blocks: Vec<_> = sealed_document
            .parts()
            .iter()
            .map(|part| block_lines(&sealed_document, part))
            .collect();
        let inside = |span: &Span| {
            blocks
                .iter()
                .any(|block| block.start() <= span.start() && span.end() <= block.end())
        };
        new.retain(|span| !inside(span));
        let all = [new, blocks.clone()].concat();
        // Blocks leave no mark: they are cut without a trace.
        let marked = without(sealed.as_bytes(), all);
        let expected = old.replace('~', "");
        let found = marked.replace('~', "");
        compared += 1;
        if expected != found {
            wrong.push(format!(
                "{text}\n>>> became\n{sealed}\n>>> left over\n{found}"
            ));
        }
    }
    assert_none(wrong);
    eprintln!("{compared} documents compared");
}

/// The paths of all leaves of the first part, not behind an alias.
pub(super) fn paths(document: &Document) -> Vec<(TreePath, NodeId)> {
    let mut found = Vec::new();
    let root = document.parts()[0].root;
    let mut open = vec![(Vec::new(), root)];
    while let Some((path, id)) = open.pop() {
        match document.node(id) {
            Node::Alias(_) => {}
            Node::Scalar(_) => found.push((TreePath::from_segments(path), id)),
            Node::Map(map) => {
                for item in &map.items {
                    if let Item::Entry(entry) = item
                        && document.key(entry) != "sops"
                    {
                        let step = Segment::Key(document.key(entry).to_owned());
                        open.push(([path.clone(), vec![step]].concat(), entry.value));
                    }
                }
            }
            Node::List(list) => {
                let elements = list.items.iter().filter_map(|item| match item {
                    Item::Element(id) => Some(*id),
                    _ => None,
                });
                for (nth, id) in elements.enumerate() {
                    open.push(([path.clone(), vec![Segment::Index(nth)]].concat(), id));
                }
            }
        }
    }
    found.sort();
    found
}

/// The tokens of `mac` and `lastmodified` in every copy of the block.
fn refreshed(document: &Document) -> Vec<Span> {
    let mut spans = Vec::new();
    for part in document.parts() {
        let (_, entry) = document.metadata_entry(part).unwrap();
        let Node::Map(block) = document.node(entry.value) else {
            panic!("no map")
        };
        for item in &block.items {
            if let Item::Entry(field) = item
                && ["mac", "lastmodified"].contains(&document.key(field))
                && let Node::Scalar(scalar) = document.node(field.value)
            {
                spans.push(scalar.span);
            }
        }
    }
    spans
}

fn new_content(random: &mut Random) -> NewNode {
    match random.below(5) {
        0 => NewNode::text("a: b # c"),
        1 => NewNode::text("-----BEGIN X-----\nYQ==\n-----END X-----\n"),
        2 => NewNode::Value(crate::value::Value::Int(7)),
        3 => NewNode::Map(vec![
            ("new".into(), NewNode::text("x")),
            (
                "list".into(),
                NewNode::List(vec![NewNode::text("y\nz\n"), NewNode::Null]),
            ),
        ]),
        _ => NewNode::text("changed"),
    }
}

fn is_scalar(new: &NewNode) -> bool {
    matches!(new, NewNode::Value(_))
}

#[test]
fn setting_a_value_changes_it_and_the_mac_and_the_time_and_nothing_else() {
    let keyring = keyring();
    let mut wrong = Vec::new();
    let mut done = 0;
    for (seed, text) in made_up(300) {
        let Ok(sealed) = seal(&policy_for(seed), &text) else {
            continue;
        };
        let before = parse(&sealed);
        let mut random = Random::new(seed);
        let leaves = paths(&before);
        if leaves.is_empty() {
            continue;
        }
        let at = usize::try_from(random.below(leaves.len() as u64)).unwrap();
        let (path, old) = &leaves[at];
        let new = new_content(&mut random);
        let changed = open(&keyring, &sealed)
            .and_then(|file| {
                file.set(path, &new)
                    .map_err(|error| format!("set: {error}"))
            })
            .and_then(|file| file.seal(later()).map_err(|error| format!("seal: {error}")));
        let changed = match changed {
            Ok(changed) => changed.to_string(),
            // Comments move, and with them what a rule selects: refused, so that nothing is revealed or lost.
            Err(error) if is_about_rule(seed, &error) => continue,
            Err(error) => {
                wrong.push(format!("{text}\n>>> {path} = {new:?}: {error}\n{sealed}"));
                continue;
            }
        };
        done += 1;
        if let Err(error) = only_changed(&keyring, (&sealed, &changed), path, &new, false) {
            wrong.push(format!(
                "{sealed}\n>>> {path} = {new:?}: {error}\n{changed}"
            ));
            continue;
        }
        // A one-line scalar for a one-line scalar: its token alone.
        let Node::Scalar(old) = before.node(*old) else {
            continue;
        };
        let one_line =
            !matches!(old.style(), Style::Literal(_) | Style::Folded(_)) && !old.span.is_empty();
        let same_kind = is_scalar(&new)
            && old.props().tag.is_none()
            && !matches!(&new, NewNode::Value(crate::value::Value::Str(text)) if text.expose().contains(&b'\n'));
        if one_line && same_kind {
            let [old, new] = [&sealed, &changed].map(|text| {
                let bare = sidecar::place(parse(text), None);
                let Node::Scalar(scalar) = bare.node(find(&bare, path).unwrap()) else {
                    panic!("a scalar was set")
                };
                let spans = [refreshed(&bare), vec![scalar.span]].concat();
                without(bare.source().bytes(), spans)
            });
            if old != new {
                wrong.push(format!(
                    "{sealed}\n>>> {path}: other bytes changed\n{changed}"
                ));
            }
        }
    }
    assert_none(wrong);
    eprintln!("{done} values set");
}

#[test]
fn inserting_an_entry_leaves_every_other_value_and_comment_as_it_was() {
    let keyring = keyring();
    let mut wrong = Vec::new();
    let mut done = 0;
    for (seed, text) in made_up(300) {
        let Ok(sealed) = seal(&policy_for(seed), &text) else {
            continue;
        };
        let mut random = Random::new(seed);
        let leaves = paths(&parse(&sealed));
        let mut path = match leaves.len() {
            0 => Vec::new(),
            some => {
                let at = usize::try_from(random.below(some as u64)).unwrap();
                let segments = leaves[at].0.segments();
                let keep = usize::try_from(random.below(segments.len() as u64)).unwrap();
                segments[..keep].to_vec()
            }
        };
        let document = parse(&sealed);
        let into = find(&document, &TreePath::from_segments(path.clone()));
        path.push(match into.map(|id| document.node(id)) {
            Some(Node::List(list)) => {
                let elements = list
                    .items
                    .iter()
                    .filter(|item| matches!(item, Item::Element(_)));
                Segment::Index(elements.count())
            }
            _ => Segment::Key("inserted".into()),
        });
        let path = TreePath::from_segments(path);
        let new = new_content(&mut random);
        let changed = open(&keyring, &sealed)
            .and_then(|file| {
                file.set(&path, &new)
                    .map_err(|error| format!("set: {error}"))
            })
            .and_then(|file| file.seal(later()).map_err(|error| format!("seal: {error}")));
        let changed = match changed {
            Ok(changed) => changed.to_string(),
            // Comments move, and with them what a rule selects: refused, so that nothing is revealed or lost.
            Err(error) if is_about_rule(seed, &error) => continue,
            Err(error) => {
                wrong.push(format!("{text}\n>>> {path} = {new:?}: {error}\n{sealed}"));
                continue;
            }
        };
        done += 1;
        if let Err(error) = only_changed(&keyring, (&sealed, &changed), &path, &new, true) {
            wrong.push(format!(
                "{sealed}\n>>> {path} = {new:?}: {error}\n{changed}"
            ));
        }
    }
    assert_none(wrong);
    eprintln!("{done} entries inserted");
}

fn is_about_rule(seed: u64, error: &str) -> bool {
    let by_comment = policy_for(seed)
        .selection
        .settings()
        .named()
        .any(|(name, _)| name.contains("comment"));
    let moves = [
        "with this change another value",
        "in the clear where the rule",
    ];
    error.contains("would come to stand")
        || by_comment && moves.iter().any(|text| error.contains(text))
}

/// Whether two sealed texts hold the same values and comments, but for what stands at `path`.
fn only_changed(
    keyring: &Keyring,
    (before, after): (&str, &str),
    path: &TreePath,
    new: &NewNode,
    inserted: bool,
) -> Result<(), String> {
    let (old_text, _) = plaintext(&open(keyring, before)?)?;
    let file = open(keyring, after)?;
    if !file.holds(path, new) {
        return Err("does not hold what was set".into());
    }
    let (text, notes) = plaintext(&file)?;
    if notes
        .iter()
        .any(|note| matches!(note, Note::MovedComment { .. }))
    {
        return Err(format!("{notes:?}"));
    }
    let (old, old_comments) = values(&old_text);
    let (new, new_comments) = values(&text);
    let prefix = path
        .segments()
        .iter()
        .fold("0 ".to_owned(), |prefix, step| match step {
            Segment::Index(_) => format!("{prefix}[]"),
            Segment::Key(key) => format!("{prefix}{key}:"),
        });
    let others = |list: Vec<String>| -> Vec<String> {
        list.into_iter()
            .filter(|line| !line.starts_with(&prefix))
            .collect()
    };
    if others(old) != others(new) {
        return Err("another value changed".into());
    }
    let texts = |list: Vec<String>| -> Vec<String> {
        let text = |line: String| line.split_once('#').map(|(_, text)| text.to_owned());
        let mut texts: Vec<_> = list.into_iter().filter_map(text).collect();
        texts.sort();
        texts
    };
    // Those inside what was replaced went with it.
    let (old, new) = (texts(old_comments), texts(new_comments));
    if new.iter().any(|text| !old.contains(text)) || inserted && old != new {
        return Err("comments changed".into());
    }
    Ok(())
}

#[test]
fn editing_the_plaintext_without_a_change_keeps_every_envelope() {
    let keyring = keyring();
    let mut wrong = Vec::new();
    for (seed, text) in made_up(300) {
        let Ok(sealed) = seal(&policy_for(seed), &text) else {
            continue;
        };
        let edited = open(&keyring, &sealed).and_then(|file| {
            let (plain, _) = plaintext(&file)?;
            let edited = file
                .edit(Secret::from_slice(plain.as_bytes()))
                .map_err(|error| format!("edit: {error}"))?;
            Ok(edited
                .seal(later())
                .map_err(|error| format!("seal: {error}"))?
                .to_string())
        });
        let edited = match edited {
            Ok(edited) => edited,
            Err(error) => {
                wrong.push(format!("{text}\n>>> {error}\n{sealed}"));
                continue;
            }
        };
        let envelopes = |text: &str| -> Vec<String> {
            let document = parse(text);
            let (values, comments) = list(&document, ALL);
            [values, comments].concat()
        };
        if envelopes(&sealed) != envelopes(&edited) {
            wrong.push(format!("{text}\n>>> from\n{sealed}\n>>> to\n{edited}"));
        }
    }
    assert_none(wrong);
}

const SMALL: &str =
    "# first\na: one\nb:\n  - 12\n  - 12 # c\n  - true\nc: |\n  text\nd_unencrypted: 1.5\n";

#[test]
fn every_rule_leaves_the_bytes_of_unselected_values_alone() {
    let text = "a1: 0x1F\nb: 1\nc1: [ 1.50,  'x' ]\nd1: >\n  one\n  two\n";
    let sealed = seal(&policy_with("unencrypted_suffix", "1"), text).unwrap();
    for kept in ["a1: 0x1F\n", "c1: [ 1.50,  'x' ]\nd1: >\n  one\n  two\n"] {
        assert!(sealed.contains(kept), "{sealed}");
    }
}
