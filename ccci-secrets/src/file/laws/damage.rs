//! What is not to open, and what is not to be sealed, whatever was damaged or asked for.

use super::*;

#[test]
fn no_flipped_bit_of_a_sealed_leaf_gives_other_plaintext() {
    let keyring = keyring();
    let sealed = seal(&policy(), SMALL).unwrap();
    let document = parse(&sealed);
    let scalars = document.nodes.iter().filter_map(|node| match node {
        Node::Scalar(scalar) => Some(scalar.span),
        _ => None,
    });
    let envelopes: Vec<Span> = scalars
        .filter(|span| {
            document
                .source()
                .slice(*span)
                .windows(4)
                .any(|w| w == b"ENC[")
        })
        .collect();
    assert_eq!(envelopes.len(), 6, "five leaves and the mac");
    let (mut refused, mut same) = (0, 0);
    for at in envelopes.iter().flat_map(|span| span.range()) {
        for bit in 0..8 {
            let mut bytes = sealed.clone().into_bytes();
            bytes[at] ^= 1 << bit;
            let opened = SealedFile::parse(Format::Yaml, Secret::from_vec(bytes))
                .map_err(|error| error.to_string())
                .and_then(|file| file.open(&keyring).map_err(|error| error.to_string()))
                .and_then(|file| plaintext(&file));
            match opened {
                Err(_) => refused += 1,
                // Bits of base64 that stand for nothing, which Go's decoder passes over, too; and the style of a token.
                Ok((plain, _)) => {
                    assert_eq!(values(&plain), values(SMALL));
                    same += 1;
                }
            }
        }
    }
    assert!(
        refused > 30 * same,
        "{refused} refused, {same} without effect"
    );
}

#[test]
fn swapped_removed_and_doubled_leaves_are_refused() {
    let keyring = keyring();
    let sealed = seal(&policy(), SMALL).unwrap();
    let lines: Vec<&str> = sealed.split_inclusive('\n').collect();
    let leaves: Vec<usize> = (0..lines.len())
        .filter(|&at| {
            lines[at].contains("ENC[") && !lines[at].contains("mac:") && !lines[at].starts_with('#')
        })
        .collect();
    let envelope = |at: usize| {
        let line = lines[at];
        &line[line.find("ENC[").unwrap()..=line.find(']').unwrap()]
    };
    for &first in &leaves {
        for &second in &leaves {
            if first == second {
                continue;
            }
            let mut changed: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
            changed[first] = lines[first].replace(envelope(first), envelope(second));
            let doubled = changed.concat();
            changed[second] = lines[second].replace(envelope(second), envelope(first));
            let swapped = changed.concat();
            for text in [doubled, swapped] {
                match open(&keyring, &text) {
                    Err(_) => {}
                    // The two equal items of the list may change places: nothing changes.
                    Ok(file) => assert_eq!(plaintext(&file).unwrap().0, SMALL),
                }
            }
        }
        let removed: String = (0..lines.len())
            .filter(|&at| at != first)
            .map(|at| lines[at])
            .collect();
        assert!(open(&keyring, &removed).is_err(), "{removed}");
    }
}

#[test]
fn a_change_that_would_bring_a_sealed_comment_into_the_clear_is_refused() {
    let text = "n1: one\n  #\n      # hidden\n";
    let sealed = seal(&policy_with("unencrypted_suffix", "1"), text).unwrap();
    assert!(!sealed.contains("hidden"));
    let new = NewNode::Map(vec![("new".into(), NewNode::text("x"))]);
    let file = open(&keyring(), &sealed).unwrap();
    let changed = file
        .set(&"n1".parse().unwrap(), &new)
        .unwrap()
        .seal(later());
    let error = changed.unwrap_err();
    assert!(matches!(error, SealError::CommentMoves { .. }), "{error}");
}

// The comment behind the dash belongs to the null below it, and to what comes after that once it is a value.
#[test]
fn a_change_that_would_seal_another_value_than_before_is_refused() {
    let text = "l:\n- # secret\n\"m\":\n k: hidden\n";
    let sealed = seal(&policy_with("encrypted_comment_regex", "secret"), text).unwrap();
    assert!(!sealed.contains("hidden"), "{sealed}");
    let file = open(&keyring(), &sealed).unwrap();
    let path = "l[0]".parse().unwrap();
    let changed = file.set(&path, &NewNode::text("x")).unwrap().seal(later());
    let error = changed.unwrap_err();
    assert!(matches!(error, SealError::RuleMoves { .. }), "{error}");
}

#[test]
fn a_file_without_its_mac_is_refused() {
    let sealed = seal(&policy(), SMALL).unwrap();
    let without: String = sealed
        .split_inclusive('\n')
        .filter(|line| !line.contains("mac:"))
        .collect();
    let error = open(&keyring(), &without).unwrap_err();
    assert_eq!(error, "open: MAC mismatch: the file has no MAC");
}

#[test]
fn a_file_cut_off_anywhere_is_refused() {
    let keyring = keyring();
    for text in [SMALL, "{a: 1, b: [x]}\n", "a: 1\n---\nb: 2\n"] {
        let sealed = seal(&policy(), text).unwrap();
        // Without its last line break it is still complete.
        for len in 0..sealed.trim_end().len() {
            let Some(cut) = sealed.get(..len) else {
                continue;
            };
            match open(&keyring, cut) {
                Err(_) => {}
                // Only the copy of the block in the second document is gone, which sops does not miss.
                Ok(file) => assert_eq!(values(&plaintext(&file).unwrap().0), values(text), "{cut}"),
            }
        }
    }
}
