use proptest::prelude::*;

use super::super::testing::*;
use super::super::{DraftFile, Note, OpenFile, SealedFile};
use super::*;
use crate::document::{CanonicalLayout, Format, NewNode};
use crate::file::open::open_leaves;
use crate::path::TreePath;

/// Each entry is written in a way that only the sidecar remembers, but for the last two.
const TEXT: &str = "\
a: 0x1F
b: >
  folded
  text
c: &x !!int \"5\"
d: *x
e: \"\\u0041\"
f: {g: one
  line, h: *x}
i: plain
j_unencrypted: 0x20
";

const FIELD: &str = "ccsec_layout";

fn sealed(text: &str) -> String {
    seal(&policy(), text).unwrap()
}

fn open_text(text: &str) -> OpenFile {
    open(&keyring(), text).unwrap()
}

fn plain(sealed: &str) -> String {
    let (text, notes) = plaintext(&open_text(sealed)).unwrap();
    assert_eq!(notes, [], "{sealed}");
    text
}

fn path(text: &str) -> TreePath {
    text.parse().unwrap()
}

/// The names at the start of those lines that two texts do not share.
fn changed(before: &str, after: &str) -> Vec<String> {
    let lines = |one: &str, other: &str| -> Vec<String> {
        let other: Vec<&str> = other.lines().collect();
        let own = one.lines().filter(|line| !other.contains(line));
        own.map(|line| line.split(':').next().unwrap().trim().to_owned())
            .collect()
    };
    let mut names = [lines(before, after), lines(after, before)].concat();
    names.sort();
    names.dedup();
    names
}

#[test]
fn what_a_file_alone_cannot_tell_comes_back() {
    let sealed = sealed(TEXT);
    assert!(sealed.contains(FIELD));
    assert_eq!(plain(&sealed), TEXT);
}

// yaml.md 5.1, T1 and T1b.
#[test]
fn what_a_file_alone_tells_needs_no_sidecar() {
    for (format, text) in [
        (
            Format::Yaml,
            "a: x\nb: 'x'\nc: \"x\"\nd: |\n  x\n\n  y\ne: 1.10\nf: 1e3\ng: +5\nh: true\n\
             i: 2001-01-02\nj: [a, 'b', \"c\", 1.0, false]\nk: {l: m n, \"o\": 'p'}\nq: |-\n  r\n\
             s: &t u\nv: !!str 5\nw: >-\n  one line\n# c\nx: |+\n  y\n\nz: ~\n",
        ),
        (
            Format::Json,
            "{\"a\": \"x\\n\\\"\", \"b\": [1.10, 1E+3, true, null, -0.0], \"é\":{ } }\n",
        ),
        (Format::Dotenv, "A=x\\ny\nB='x'\n# c\nC=\n"),
        (
            Format::Ini,
            "a = x\nb=\"x\"\n; c\n[s]\nd = `x;y`\ne = \"\"\"x\ny\"\"\" ; f\n",
        ),
        (Format::Binary, "\x01 any text\n"),
    ] {
        let draft = DraftFile::parse(format, Secret::from_slice(text.as_bytes())).unwrap();
        let sealed = draft.seal(&policy(), now()).unwrap();
        assert_eq!(sealed.metadata.layout, None, "{sealed}");
        let opened = sealed.open(&keyring()).unwrap();
        let (plain, _) = opened.expose_document().unwrap();
        assert_eq!(String::from_utf8_lossy(plain.expose()), text);
    }
}

#[test]
fn setting_a_value_keeps_what_is_known_of_the_others() {
    let before = sealed(TEXT);
    let set = |at: &str| {
        let edited = open_text(&before).set(&path(at), &NewNode::text("new"));
        edited.unwrap().seal(later()).unwrap().to_string()
    };
    for (at, name, expected) in [
        ("[\"a\"]", "a", TEXT.replace("0x1F", "new")),
        ("[\"i\"]", "i", TEXT.replace("plain", "new")),
        ("[\"e\"]", "e", TEXT.replace("\\u0041", "new")),
        ("[\"d\"]", "d", TEXT.replace("d: *x", "d: \"new\"")),
        (
            "[\"j_unencrypted\"]",
            "j_unencrypted",
            TEXT.replace("0x20", "new"),
        ),
    ] {
        let after = set(at);
        assert_eq!(plain(&after), expected);
        let mut names = vec![name, FIELD, "lastmodified", "mac"];
        names.sort_unstable();
        assert_eq!(changed(&before, &after), names, "{after}");
    }
}

// One of the two copies and what both were made of: an alias would bring the change to all.
#[test]
fn an_alias_is_forgotten_when_what_it_stood_for_is_something_else() {
    let before = sealed("a: &x\n  b: one\n  c: two\nd: *x\ne: *x\n");
    let set = |at: &str| {
        let edited = open_text(&before).set(&path(at), &NewNode::text("new"));
        plain(&edited.unwrap().seal(later()).unwrap().to_string())
    };
    assert_eq!(
        set("[\"d\"][\"c\"]"),
        "a: &x\n  b: one\n  c: two\nd: {b: one, c: new}\ne: *x\n"
    );
    assert_eq!(
        set("[\"a\"][\"b\"]"),
        "a: &x\n  b: new\n  c: two\nd: {b: one, c: two}\ne: {b: one, c: two}\n"
    );
}

#[test]
fn the_sidecar_goes_with_the_last_value_that_needs_it() {
    let before = sealed("a: 0x1F\nb: 017\nc: x\n");
    let without_a = open_text(&before).unset(&path("[\"a\"]")).unwrap();
    let without_a = without_a.seal(later()).unwrap().to_string();
    assert_eq!(plain(&without_a), "b: 017\nc: x\n");
    assert!(without_a.contains(FIELD));
    for last in [
        open_text(&without_a).unset(&path("[\"b\"]")).unwrap(),
        open_text(&without_a)
            .set(&path("[\"b\"]"), &NewNode::text("y"))
            .unwrap(),
        open_text(&without_a)
            .edit(Secret::from_slice(b"b: 15\nc: x\n"))
            .unwrap(),
    ] {
        let sealed = last.seal(later()).unwrap().to_string();
        assert!(!sealed.contains(FIELD), "{sealed}");
    }
}

#[test]
fn an_edit_writes_the_sidecar_anew_only_where_it_must() {
    let before = sealed(TEXT);
    let edit = |text: &str| {
        let edited = open_text(&before).edit(Secret::from_slice(text.as_bytes()));
        edited.unwrap().seal(later()).unwrap().to_string()
    };
    assert_eq!(edit(TEXT), before);
    let changes: [(&str, &str, &[&str]); 4] = [
        (
            "folded\n  text",
            "folded text",
            &[FIELD, "lastmodified", "mac"],
        ),
        ("plain", "'plain'", &["i", "lastmodified", "mac"]),
        ("plain", "other", &[FIELD, "i", "lastmodified", "mac"]),
        ("0x20", "32", &["j_unencrypted", "lastmodified", "mac"]),
    ];
    for (old, new, names) in changes {
        let text = TEXT.replacen(old, new, 1);
        let after = edit(&text);
        assert_eq!(plain(&after), text);
        assert_eq!(changed(&before, &after), names, "{old} -> {new}: {after}");
    }
}

// Whoever made the older version may read what is sealed under its key, so nothing new is.
#[test]
fn only_what_is_known_already_is_sealed_again_over_an_older_version() {
    let before = sealed(TEXT);
    let over = |text: &str| {
        let draft = DraftFile::parse(Format::Yaml, Secret::from_slice(text.as_bytes()));
        let known = draft.unwrap().onto_if_known(open_text(&before), later());
        known.unwrap().map(|file| file.to_string())
    };
    assert_eq!(over(TEXT), Some(before.clone()));
    let clear = TEXT.replace("0x20", "0x21");
    assert_eq!(plain(&over(&clear).unwrap()), clear);
    assert_eq!(over(&TEXT.replace("0x1F", "0x1f")), None);
}

#[test]
fn a_first_value_that_needs_it_brings_a_sidecar_in() {
    let before = sealed("a: 31\nb: x\n");
    assert!(!before.contains(FIELD));
    let edited = open_text(&before).edit(Secret::from_slice(b"a: 0x1F\nb: x\n"));
    let after = edited.unwrap().seal(later()).unwrap().to_string();
    assert_eq!(changed(&before, &after), [FIELD, "lastmodified", "mac"]);
    assert_eq!(plain(&after), "a: 0x1F\nb: x\n");
}

/// The line of the sidecar.
fn field_line(sealed: &str) -> &str {
    let mut lines = sealed.lines();
    lines
        .find(|line| line.trim_start().starts_with(FIELD))
        .unwrap()
}

#[test]
fn a_sidecar_of_other_values_and_a_damaged_one_are_left_out_with_a_note() {
    let text = "a: 0x1F\nb: 017\n";
    let before = sealed(text);
    let changed = open_text(&before).set(&path("[\"b\"]"), &NewNode::text("x"));
    let changed = changed.unwrap().seal(later()).unwrap().to_string();
    let own = field_line(&changed);
    for other in [
        field_line(&before).to_owned(),
        own.replace(",tag:", ",tag:AA"),
        own.replace("data:", "data:AAAA"),
        format!("    {FIELD}: nonsense"),
        format!("    {FIELD}: [1]"),
        format!("    {FIELD}: 5"),
    ] {
        let odd = changed.replace(own, &other);
        let file = open_text(&odd);
        let (plain, notes) = plaintext(&file).unwrap();
        assert_eq!(plain, "a: 31\nb: \"x\"\n".replace('"', ""), "{other}");
        let is_text = !other.ends_with("[1]") && !other.ends_with('5');
        let expected = [Note::LayoutLost { line: 3 }];
        assert_eq!(notes, expected[..usize::from(is_text)], "{other}");
        // It does not survive the next change.
        let set = file.set(&path("[\"b\"]"), &NewNode::text("y")).unwrap();
        let set = set.seal(later()).unwrap().to_string();
        assert_eq!(set.contains(FIELD), !is_text, "{set}");
    }
}

/// The file with this sidecar, sealed as its own.
fn with_sidecar(sealed: &str, change: impl FnOnce(&mut Sidecar)) -> String {
    let mut file = open_text(sealed);
    let Stored::Opened(mut sidecar) = std::mem::replace(&mut file.access.sidecar, Stored::Absent)
    else {
        panic!("no sidecar")
    };
    change(&mut sidecar);
    let (_, mac) = open_leaves(&file.sealed, &file.access.cipher).unwrap();
    let envelope = sidecar.seal(&mut file.access.cipher, &mac).unwrap();
    let document = place(file.sealed.document, envelope.as_deref());
    String::from_utf8(document.into_text().expose().to_vec()).unwrap()
}

#[test]
fn a_spelling_that_means_something_else_is_never_used() {
    let text = "a: 0x1F\nb: 017\nc: &x {d: one, e: two}\nf: *x\n";
    let honest = "a: 0x1F\nb: 15\nc: &x {d: one, e: two}\nf: *x\n";
    let before = sealed(text);
    for lie in [
        "16",
        "'15'",
        "15.0",
        "15 # comment",
        "15\nz: 1",
        "15\n---\nz: 1",
        "*x",
        "[15]",
        "",
        "\u{1}",
        "&x 15",
        "15\nsops: {}",
    ] {
        let lying = with_sidecar(&before, |sidecar| {
            sidecar.spellings[1].text = Secret::from_slice(lie.as_bytes());
        });
        let (plain, notes) = plaintext(&open_text(&lying)).unwrap();
        // An anchor hides the one that the alias means, so one of the two cannot be used.
        if lie != "&x 15" {
            assert_eq!(plain, honest, "{lie:?}");
        }
        assert_eq!(notes.len(), usize::from(lie != "&x 15"), "{lie:?}");
    }
    // A place that is not there, or is everything.
    for levels in [1, 2, 7, u16::MAX] {
        let lying = with_sidecar(&before, |sidecar| sidecar.spellings[0].levels = levels);
        let (plain, notes) = plaintext(&open_text(&lying)).unwrap();
        assert_eq!(plain, text.replace("0x1F", "31"), "{levels}");
        assert_eq!(notes.len(), 1, "{levels}");
    }
}

#[test]
fn a_file_that_was_laid_out_anew_by_hand_keeps_what_still_fits() {
    let before = sealed("a:\n  b: >\n    folded\n    text\n  c: 0x1F\n");
    // Further in than the lines that the sidecar knows.
    let moved: String = before
        .lines()
        .map(
            |line| match line.starts_with("  ") && !line.starts_with("    ") {
                true => format!("      {line}\n"),
                false if line.starts_with("    ENC") => format!("      {line}\n"),
                false => format!("{line}\n"),
            },
        )
        .collect();
    assert_ne!(moved, before);
    let (plain, notes) = plaintext(&open_text(&moved)).unwrap();
    assert!(plain.contains("c: 0x1F\n"), "{plain}");
    assert_eq!(
        values(&plain),
        values("a:\n  b: >\n    folded\n    text\n  c: 0x1F\n")
    );
    assert_eq!(notes.len(), 1, "{plain}");
}

#[test]
fn of_several_documents_the_first_has_it_for_all() {
    let text = "a: 0x1F\n---\nb: 017\n--- \n{c: \"\\u0041\"}\n";
    let before = sealed(text);
    assert_eq!(before.matches(FIELD).count(), 1);
    assert_eq!(plain(&before), text);
    let longer = format!("{text}---\nd: 0b1\n");
    let edited = open_text(&before).edit(Secret::from_slice(longer.as_bytes()));
    let after = edited.unwrap().seal(later()).unwrap().to_string();
    assert_eq!(after.matches(FIELD).count(), 1);
    assert_eq!(plain(&after), longer);
}

#[test]
fn fields_of_other_programs_stay_beside_it() {
    let before =
        sealed("a: 0x1F\nb: x\n").replace("    mac:", "    zz_other: kept # too\n    mac:");
    for edited in [
        open_text(&before)
            .set(&path("[\"a\"]"), &NewNode::text("y"))
            .unwrap(),
        open_text(&before)
            .edit(Secret::from_slice(b"a: 0x20\nb: x\n"))
            .unwrap(),
    ] {
        let after = edited.seal(later()).unwrap().to_string();
        assert!(after.contains("    zz_other: kept # too\n"), "{after}");
    }
}

#[test]
fn it_belongs_to_what_the_mac_covers() {
    let policy = crate::config::Policy {
        mac_only_encrypted: true,
        ..policy()
    };
    let text = "a: 0x1F\nb_unencrypted: 1\n";
    let sealed = seal(&policy, text).unwrap();
    // Not covered, so it may change.
    let changed = sealed.replace("b_unencrypted: 1", "b_unencrypted: 2");
    assert_eq!(plain(&changed), text.replace(": 1", ": 2"));
}

#[test]
fn another_layout_or_format_has_no_use_for_it() {
    let sealed = sealed("a: 0x1F\nb: >\n  c\n  d\n");
    let file = open_text(&sealed);
    let exposed = |format| file.expose_as(format, CanonicalLayout::default()).unwrap();
    let (json, notes) = exposed(Format::Json);
    assert_eq!(notes, []);
    let json: serde_json::Value = serde_json::from_slice(json.expose()).unwrap();
    assert_eq!(json, serde_json::json!({"a": 31, "b": "c d\n"}));
    let (yaml, _) = exposed(Format::Yaml);
    assert!(yaml.expose().starts_with(b"a: 31\n"));
}

#[test]
fn flat_and_nested_metadata_hold_it_alike() {
    for (format, text, start) in [
        (
            Format::Json,
            "{\"a\": \"\\u0041\"}",
            "\"ccsec_layout\": \"ENC[",
        ),
        (Format::Ini, "a = b \\\n  c\n", "ccsec_layout"),
        (Format::Yaml, "{a: 0x1F}", "\"ccsec_layout\": \"ENC["),
    ] {
        let draft = |text: &str| DraftFile::parse(format, Secret::from_slice(text.as_bytes()));
        let sealed = draft(text).unwrap().seal(&policy(), now()).unwrap();
        let shown = sealed.to_string();
        assert!(shown.contains(start), "{shown}");
        let reopen = || {
            let bytes = Secret::from_slice(shown.as_bytes());
            let again = SealedFile::parse(format, bytes).unwrap();
            again.open(&keyring()).unwrap()
        };
        let (plain, notes) = reopen().expose_document().unwrap();
        assert_eq!(notes, []);
        assert_eq!(String::from_utf8_lossy(plain.expose()), text);
        let same = draft(text).unwrap().onto(reopen()).unwrap();
        assert_eq!(same.seal(later()).unwrap().to_string(), shown);
        let place = if format == Format::Ini {
            "[\"DEFAULT\"][\"a\"]"
        } else {
            "[\"a\"]"
        };
        let set = reopen().set(&path(place), &NewNode::text("x")).unwrap();
        assert!(!set.seal(later()).unwrap().to_string().contains(FIELD));
    }
}

#[test]
fn a_sealed_comment_between_brackets_goes_alone() {
    let text = "a-b: c-d\nl: [one, two]\n";
    let sealed = sealed(text);
    let mut file = open_text(&sealed);
    let comment = file
        .access
        .cipher
        .seal(Kind::Comment, b" text", "l:")
        .unwrap();
    for (old, new, expected) in [
        (
            "l: [",
            format!("l: [\"{comment}\", "),
            "l: [ # text\n  one, two]\n",
        ),
        (
            "]\nsops",
            format!(", \"{comment}\"]\nsops"),
            "l: [one, two, # text\n ]\n",
        ),
        (
            "]\nsops",
            format!(",\n  \"{comment}\" ,\n]\nsops"),
            "l: [one, two,\n  # text\n]\n",
        ),
    ] {
        let with = sealed.replacen(old, &new, 1);
        let (plain, _) = plaintext(&open_text(&with)).unwrap();
        assert_eq!(plain, format!("a-b: c-d\n{expected}"), "{with}");
    }
}

fn spelling() -> impl Strategy<Value = Spelling> {
    let text = prop::collection::vec(any::<u8>(), 0..20);
    (any::<[u8; 8]>(), any::<u32>(), any::<u16>(), text).prop_map(|(leaf, behind, levels, text)| {
        Spelling {
            leaf,
            behind,
            levels,
            text: Secret::from_vec(text),
        }
    })
}

proptest! {
    #[test]
    fn what_is_written_reads_back_and_a_piece_of_it_does_not_pass_for_the_whole(
        spellings in prop::collection::vec(spelling(), 0..5),
    ) {
        let bytes = Sidecar { spellings }.encode();
        let again = Sidecar::decode(bytes.expose()).unwrap();
        prop_assert!(again.encode().ct_eq(bytes.expose()));
        for len in 0..bytes.len() {
            if let Some(piece) = Sidecar::decode(&bytes.expose()[..len]) {
                prop_assert!(piece.spellings.len() < again.spellings.len());
            }
        }
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        drop(Sidecar::decode(&bytes));
    }
}
