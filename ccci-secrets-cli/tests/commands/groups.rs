//! Key groups on the command line.

use crate::support::{PLAIN, Place, key, recipient};

fn rule(threshold: &str) -> String {
    let groups: String = [1, 2, 3]
        .map(|number| format!("      - age: [{}]\n", recipient(number)))
        .concat();
    format!("creation_rules:\n  - {threshold}\n    key_groups:\n{groups}")
}

fn two_keys(place: &mut Place) {
    place.set(
        "SOPS_AGE_KEY_FILE",
        key("age-1-and-2.txt").to_str().unwrap(),
    );
}

fn threshold_of(text: &str) -> &str {
    let line = text.lines().find(|line| line.contains("shamir_threshold"));
    line.unwrap().trim()
}

#[test]
fn the_threshold_of_the_command_line_goes_before_that_of_the_rule() {
    let mut place = Place::new();
    two_keys(&mut place);
    place.write(".sops.yaml", rule("shamir_threshold: 3"));
    place.write("p.yaml", PLAIN);
    let flag = "--shamir-secret-sharing-threshold";
    let sealed = place.ccsec(["encrypt", flag, "2", "p.yaml"]).expect(0);
    assert_eq!(threshold_of(sealed.text()), "shamir_threshold: 2");
    place.write("s.yaml", sealed.text());
    let plain = place.ccsec(["decrypt", "s.yaml"]).expect(0);
    assert_eq!(plain.text(), PLAIN);
    place
        .ccsec(["encrypt", flag, "4", "p.yaml"])
        .expect(1)
        .says(&["a threshold of 4", "3 key groups"]);
    place
        .ccsec(["encrypt", flag, "1", "p.yaml"])
        .expect(1)
        .says(&["threshold must be at least 2"]);
    let Some(sops) = place.sops(["decrypt", "s.yaml"], b"") else {
        return;
    };
    assert_eq!(sops.expect(0).text(), PLAIN);
    let sops = place.sops(["encrypt", flag, "2", "p.yaml"], b"").unwrap();
    assert_eq!(threshold_of(sops.expect(0).text()), "shamir_threshold: 2");
}

#[test]
fn a_threshold_without_groups_is_said_to_have_no_effect() {
    let place = Place::new();
    let one = recipient(1);
    place.write(
        ".sops.yaml",
        format!("creation_rules:\n  - age: {one}\n    shamir_threshold: 2\n"),
    );
    place.write("p.yaml", PLAIN);
    let run = place.ccsec(["encrypt", "p.yaml"]).expect(0);
    assert!(
        run.err
            .contains("warning: the threshold of 2 has no effect"),
        "{}",
        run.err
    );
    assert_eq!(threshold_of(run.text()), "shamir_threshold: 2");
}

/// What both programs say, but for the reasons of each key.
fn report(text: &str) -> Vec<&str> {
    let lines = text.lines().filter(|line| !line.contains("| "));
    lines
        .take_while(|line| !line.starts_with("error:"))
        .collect()
}

#[test]
fn too_few_keys_are_reported_as_by_sops() {
    let mut place = Place::new();
    two_keys(&mut place);
    place.write(".sops.yaml", rule("shamir_threshold: 2"));
    place.write("p.yaml", PLAIN);
    let sealed = place.ccsec(["encrypt", "p.yaml"]).expect(0);
    place.write("s.yaml", sealed.text());
    for (name, groups) in [
        ("age-3.txt", "only 1 of its 3 key groups opens"),
        ("age-pq.txt", "none of its 3"),
    ] {
        place.set("SOPS_AGE_KEY_FILE", key(name).to_str().unwrap());
        let ours = place
            .ccsec(["decrypt", "s.yaml"])
            .expect(128)
            .says(&[groups]);
        assert!(ours.out.is_empty());
        let Some(sops) = place.sops(["decrypt", "s.yaml"], b"") else {
            return;
        };
        let mut said = report(&ours.err);
        // We go on after an empty line.
        assert_eq!(said.pop(), Some(""));
        assert_eq!(said, report(&sops.expect(128).err), "{name}");
    }
}

#[test]
fn edits_keep_the_wrapped_shares() {
    let mut place = Place::new();
    two_keys(&mut place);
    place.write(".sops.yaml", rule("shamir_threshold: 2"));
    place.write("p.yaml", PLAIN);
    place
        .ccsec(["encrypt", "--output", "s.yaml", "p.yaml"])
        .expect(0);
    let before = place.read_text("s.yaml");
    place.ccsec(["set", "s.yaml", "[\"int\"]", "8"]).expect(0);
    place.set("EDITOR", "sed -i s/canary-text/other/");
    place.ccsec(["edit", "s.yaml"]).expect(0);
    let after = place.read_text("s.yaml");
    let groups = |text: &str| -> String {
        let start = text.find("    key_groups:").unwrap();
        let end = text.find("    lastmodified:").unwrap();
        text[start..end].to_owned()
    };
    assert_eq!(groups(&before), groups(&after));
    place.set(
        "SOPS_AGE_KEY_FILE",
        key("age-1-and-2.txt").to_str().unwrap(),
    );
    let expected = PLAIN
        .replace("int: 7", "int: 8")
        .replace("canary-text", "other");
    assert_eq!(
        place.ccsec(["decrypt", "s.yaml"]).expect(0).text(),
        expected
    );
    let Some(sops) = place.sops(["decrypt", "s.yaml"], b"") else {
        return;
    };
    assert_eq!(sops.expect(0).text(), expected);
}
