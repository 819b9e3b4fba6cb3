//! YAML documents that were encrypted one by one and then put into one file, which sops cannot open.

use crate::support::{Place, key, recipient};

/// `all.yaml`: one document for the first key, and two for the second.
fn place() -> Place {
    let place = Place::new();
    for (name, text, number) in [("first", FIRST, 1), ("rest", REST, 2)] {
        place.write("p.yaml", text);
        let sealed = format!("{name}.yaml");
        let arguments = [
            "encrypt",
            "--age",
            &recipient(number),
            "--output",
            &sealed,
            "p.yaml",
        ];
        place.ccsec(arguments).expect(0);
    }
    let (first, rest) = (place.read_text("first.yaml"), place.read_text("rest.yaml"));
    place.write("all.yaml", format!("{first}---\n{rest}"));
    place
}

const FIRST: &str = "# of one team\na: canary\nb: x\n";

const REST: &str = "a: other\n---\nc: third\n";

#[test]
fn documents_that_were_encrypted_apart_are_decrypted_one_by_one() {
    let mut place = place();
    place
        .ccsec(["decrypt", "all.yaml"])
        .expect(128)
        .says(&["all.yaml, documents from line"]);
    place.set(
        "SOPS_AGE_KEY_FILE",
        key("age-1-and-2.txt").to_str().unwrap(),
    );
    let run = place.ccsec(["decrypt", "all.yaml"]).expect(0);
    assert_eq!(run.text(), format!("{FIRST}---\n{REST}"));
    assert_eq!(run.err, "");
    // sops takes all documents for those of the first block.
    if let Some(sops) = place.sops(["decrypt", "all.yaml"], b"") {
        assert_eq!(sops.code, Some(25), "{}", sops.err);
    }
    place.ccsec(["decrypt", "-i", "all.yaml"]).expect(0);
    assert_eq!(place.read_text("all.yaml"), run.text());
}

#[test]
fn a_fault_names_the_documents_that_it_is_in() {
    let mut place = place();
    place.set(
        "SOPS_AGE_KEY_FILE",
        key("age-1-and-2.txt").to_str().unwrap(),
    );
    let line = place.read_text("first.yaml").lines().count() + 1;
    let rest = place.read_text("rest.yaml");
    let changed = rest.replacen("\nc: ENC", "\nd: ENC", 1);
    assert_ne!(changed, rest);
    place.write(
        "all.yaml",
        place.read_text("first.yaml") + "---\n" + &changed,
    );
    place
        .ccsec(["decrypt", "all.yaml"])
        .expect(25)
        .says(&[&format!("documents from line {line}")]);
}

#[test]
fn a_path_leads_into_the_first_document_and_needs_its_key_only() {
    let place = place();
    let extract = |path| place.ccsec(["decrypt", "--extract", path, "all.yaml"]);
    assert_eq!(extract("[\"a\"]").expect(0).text(), "canary");
    extract("[\"c\"]")
        .expect(1)
        .says(&["component ['c'] not found"]);
}

#[test]
fn documents_that_were_encrypted_apart_are_not_written_as_one_of_another_format() {
    let mut place = place();
    place.set(
        "SOPS_AGE_KEY_FILE",
        key("age-1-and-2.txt").to_str().unwrap(),
    );
    let run = place.ccsec(["decrypt", "--output-type", "json", "all.yaml"]);
    assert_eq!(run.expect(4).says(&["several documents"]).out, b"");
}

#[test]
fn documents_that_were_encrypted_apart_are_not_changed() {
    let mut place = place();
    place.set(
        "SOPS_AGE_KEY_FILE",
        key("age-1-and-2.txt").to_str().unwrap(),
    );
    let before = place.read_text("all.yaml");
    for arguments in [
        &["set", "all.yaml", "[\"a\"]", "1"][..],
        &["unset", "all.yaml", "[\"a\"]"],
        &["edit", "all.yaml"],
    ] {
        place
            .ccsec(arguments)
            .expect(1)
            .says(&["were not sealed together"]);
    }
    assert_eq!(place.read_text("all.yaml"), before);
}
