//! Input that is made to exhaust the stack, the memory or the patience of a reader. Test threads have a small stack, and
//! an unoptimised build uses much of it: what passes here has room to spare.

use std::fmt::Write as _;

use super::testing::*;
use super::*;
use crate::document::{MAX_DEPTH, MAX_NEW_DEPTH, NewNode};

/// The error of a text, read as plaintext and sealed.
fn refusal(text: &str) -> String {
    seal(&policy(), text).unwrap_err()
}

/// Nine maps of ten aliases each: ten to the power of ten leaves.
fn alias_bomb() -> String {
    let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for nth in 1..10 {
        let alias = format!("*a{}", nth - 1);
        let aliases = [alias.as_str(); 10].join(", ");
        writeln!(text, "a{nth}: &a{nth} [{aliases}]").unwrap();
    }
    text
}

#[test]
fn nesting_beyond_the_limit_is_refused_with_its_line() {
    let maps = (0..10_000).fold(String::new(), |text, nth| text + &" ".repeat(nth) + "a:\n");
    for text in [
        format!("a:\n  {}", "[".repeat(200_000)),
        format!("a:\n  {}", "{a: ".repeat(10_000)),
        format!("a:\n  {}", "- ".repeat(10_000)),
        maps,
    ] {
        let error = refusal(&text);
        assert!(error.contains("nested deeper than"), "{error}");
        assert!(error.contains("line "), "{error}");
    }
}

#[test]
fn aliases_that_stand_for_ten_billion_leaves_are_refused() {
    let error = refusal(&alias_bomb());
    assert!(error.contains("too many nodes"), "{error}");
    // The same in a sealed file, in the values, and in the metadata.
    let sealed = seal(&policy(), "b: 1\n").unwrap();
    let error = parse_sealed(&(alias_bomb() + &sealed)).unwrap_err();
    assert!(error.to_string().contains("too many nodes"), "{error}");
    let indented: String = alias_bomb()
        .lines()
        .fold(String::new(), |text, line| text + "    " + line + "\n");
    let error = parse_sealed(&(sealed + &indented)).unwrap_err();
    assert!(matches!(error, FileError::Metadata(_)), "{error}");
}

#[test]
fn aliases_that_repeat_long_text_are_refused() {
    let text = format!(
        "a: &a {}\nb: [{}x]\n",
        "y".repeat(1_000_000),
        "*a, ".repeat(10_000)
    );
    let error = refusal(&text);
    assert!(error.contains("too many nodes"), "{error}");
}

#[test]
fn a_document_at_the_limit_is_sealed_opened_and_changed() {
    let keyring = keyring();
    let depth = MAX_DEPTH - 10;
    for text in [
        format!("a: {}x{}\n", "[".repeat(depth), "]".repeat(depth)),
        format!(
            "a: {}b: x{}\n",
            "{k: ".repeat(depth) + "{",
            "}".repeat(depth + 1)
        ),
        format!("a:\n  {}x\n", "- ".repeat(depth)),
    ] {
        let sealed = seal(&policy(), &text).unwrap();
        let file = open(&keyring, &sealed).unwrap();
        let (plain, _) = plaintext(&file).unwrap();
        assert_eq!(plain.replace('"', ""), text);
        let path = "a".parse().unwrap();
        assert!(!file.expose_at(&path).unwrap().is_empty());
        assert!(!file.holds(&path, &NewNode::text("y")));
        let path = "c".parse().unwrap();
        let changed = file
            .set(&path, &NewNode::text("y"))
            .unwrap()
            .seal(later())
            .unwrap();
        assert!(changed.open(&keyring).is_ok());
    }
}

#[test]
fn new_content_is_set_up_to_its_limit() {
    let keyring = keyring();
    let path = "b".parse().unwrap();
    let set = |depth| {
        let deep = (0..depth).fold(NewNode::text("x"), |inner, _| NewNode::List(vec![inner]));
        let file = open(&keyring, &seal(&policy(), "a: 1\n").unwrap()).unwrap();
        let changed = file.set(&path, &deep)?.seal(later())?;
        let changed = changed.open(&keyring)?;
        assert!(changed.holds(&path, &deep));
        assert!(!changed.expose_at(&path).unwrap().is_empty());
        Ok::<_, SealError>(())
    };
    set(MAX_NEW_DEPTH - 1).unwrap();
    let error = set(MAX_NEW_DEPTH + 1).unwrap_err();
    assert!(error.to_string().contains("nested deeper than"), "{error}");
    let text = "[".repeat(1_000) + &"]".repeat(1_000);
    assert!(NewNode::from_json(&Secret::from_slice(text.as_bytes())).is_err());
}

#[test]
fn a_second_sops_entry_is_refused() {
    let sealed = seal(&policy(), "a: 1\n---\nb: 2\n").unwrap();
    let error = parse_sealed(&(sealed + "sops: {}\n")).unwrap_err();
    assert_eq!(error.to_string(), "found duplicate sops entry");
}

#[test]
fn many_sops_entries_in_a_later_document_are_no_recursion() {
    let sealed = seal(&policy(), "a: 1\n").unwrap();
    let text = sealed + "---\n" + &"sops: 1\n".repeat(100_000);
    assert!(parse_sealed(&text).is_err());
}

// Written out, the paths of this file of a few megabytes would take gigabytes.
#[test]
fn long_keys_in_a_deep_document_take_no_more_memory_than_the_file() {
    let depth = 2_000;
    let key = "k".repeat(1_000);
    let open = (0..depth).fold(String::new(), |text, _| text + "{x: 1, " + &key + ": ");
    let text = format!("a_unencrypted: {open}y{}\n", "}".repeat(depth));
    let sealed = seal(&policy(), &text).unwrap();
    assert!(sealed.contains("x: 1, k"));
    assert!(parse_sealed(&sealed).is_ok());
}
