//! Where sops cuts its users, and this program does not: what no other test of a command shows. Next to the deviation
//! stands what real sops does, so that a deviation that is none any more is seen.

use crate::support::{PLAIN, Place, Run, recipient};

fn encrypt(place: &Place, more: &[&str]) -> Run {
    let age = recipient(1);
    place.ccsec([&["encrypt", "--age", &age], more].concat())
}

#[test]
fn comments_in_lists_under_a_comment_rule_open_though_sops_cannot_open_its_own() {
    let place = Place::new();
    let text = "l:\n    # sec\n    # more\n    - a\n    - b\n";
    place.write("f.yaml", text);
    let rule = format!(
        "creation_rules:\n- age: {}\n  encrypted_comment_regex: sec\n",
        recipient(1)
    );
    place.write(".sops.yaml", rule);
    let Some(theirs) = place.sops(["encrypt", "f.yaml"], b"") else {
        return;
    };
    place.write("theirs.yaml", theirs.expect(0).out);
    place
        .sops(["decrypt", "theirs.yaml"], b"")
        .unwrap()
        .expect(51);
    assert_eq!(
        place.ccsec(["decrypt", "theirs.yaml"]).expect(0).text(),
        text
    );
}

#[test]
fn a_flag_of_a_command_is_not_ignored_before_it() {
    let place = Place::new();
    place.seal("s.yaml", PLAIN);
    for flag in [&["--output-type", "json"][..], &["--ignore-mac"]] {
        let arguments = [flag, &["decrypt", "s.yaml"]].concat();
        place
            .ccsec(&arguments)
            .expect(1)
            .says(&[&format!("there is no flag `{}` here", flag[0])]);
        if let Some(sops) = place.sops(&arguments, b"") {
            assert_eq!(sops.expect(0).text(), PLAIN);
        }
    }
}

#[test]
fn what_sops_honours_before_a_command_is_honoured() {
    let place = Place::new();
    place.write("p.yaml", "a: x\n");
    place.write(
        "rules",
        format!("creation_rules:\n- age: {}\n", recipient(1)),
    );
    let run = place.ccsec([
        "--config",
        "rules",
        "--indent",
        "2",
        "--mac-only-encrypted",
        "encrypt",
        "p.yaml",
    ]);
    let sealed = run.expect(0);
    assert!(
        sealed.text().contains("\n  mac_only_encrypted: true\n"),
        "{}",
        sealed.text()
    );
}

#[test]
fn a_broken_pattern_is_an_error_before_anything_is_written() {
    let place = Place::new();
    place.write("p.yaml", "a: canary\n");
    let run = encrypt(
        &place,
        &["--encrypted-regex", "(", "--output", "s.yaml", "p.yaml"],
    );
    run.expect(1).says(&["--encrypted-regex"]);
    assert_eq!(place.names(), ["p.yaml"]);
    let sops = [
        "encrypt",
        "--age",
        &recipient(1),
        "--encrypted-regex",
        "(",
        "p.yaml",
    ];
    if let Some(sops) = place.sops(sops, b"") {
        assert!(sops.expect(0).text().contains("a: canary"));
    }
}

#[test]
fn a_rule_that_leaves_everything_clear_is_named_in_a_warning() {
    let place = Place::new();
    place.write("p.env", "PASSWORD=canary\n");
    let run = encrypt(
        &place,
        &["--encrypted-regex", "^(data|stringData)$", "p.env"],
    )
    .expect(0);
    run.says(&[
        "warning",
        "p.env",
        "not a single value",
        "encrypted_regex: ^(data|stringData)$",
    ]);
}

#[test]
fn paths_that_sops_panics_about_are_errors() {
    let place = Place::new();
    place.seal("s.yaml", PLAIN);
    let before = place.read_text("s.yaml");
    for (path, code) in [
        ("", 7),
        ("[]", 7),
        ("[\"map\"][\"list\"][\"x\"]", 7),
        ("[\"map\"][\"list\"][-1]", 7),
    ] {
        place.ccsec(["set", "s.yaml", path, "1"]).expect(code);
    }
    assert_eq!(place.read_text("s.yaml"), before);
    place
        .ccsec(["decrypt", "--extract", "[\"int\"][\"x\"]", "s.yaml"])
        .expect(1)
        .says(&["`int` is a value"]);
    place
        .ccsec(["decrypt", "--extract", "[\"map\"][0]", "s.yaml"])
        .expect(1)
        .says(&["is a map"]);
}

#[test]
fn a_configuration_by_a_wrong_name_is_pointed_out() {
    let place = Place::new();
    place.write("p.yaml", "a: x\n");
    place.write(
        ".sops.yml",
        format!("creation_rules:\n- age: {}\n", recipient(1)),
    );
    place
        .ccsec(["encrypt", "p.yaml"])
        .expect(1)
        .says(&["ignoring", ".sops.yml", ".sops.yaml"]);
}

#[test]
fn recipients_on_the_command_line_need_no_rule() {
    let place = Place::new();
    place.write("p.yaml", "a: x\n");
    place.write(
        ".sops.yaml",
        "creation_rules:\n- path_regex: never\n  age: age1unused\n",
    );
    encrypt(&place, &["p.yaml"])
        .expect(0)
        .says(&["no creation rule matches p.yaml", "are used alone"]);
    if let Some(sops) = place.sops(["encrypt", "--age", &recipient(1), "p.yaml"], b"") {
        sops.expect(1);
    }
}

#[test]
fn a_name_that_looks_like_dotenv_and_is_none_is_pointed_out() {
    let place = Place::new();
    place.write(".env.local", "A=1\n");
    let run = encrypt(&place, &[".env.local"])
        .expect(0)
        .says(&[".env.local", "--input-type dotenv"]);
    assert!(
        run.text().starts_with("{\n\t\"data\": \"ENC["),
        "{}",
        run.text()
    );
    let types = ["--input-type", "dotenv", "--output-type", "dotenv"];
    let run = encrypt(&place, &[&types[..], &[".env.local"]].concat()).expect(0);
    assert!(run.text().starts_with("A=ENC["), "{}", run.text());
    assert_eq!(run.err, "");
}

#[test]
fn json_keeps_the_spelling_of_its_characters() {
    let place = Place::new();
    let text = "{\n\t\"a\": \"<b> & \u{e9}\"\n}\n";
    place.write("p.json", text);
    place.write("s.json", encrypt(&place, &["p.json"]).expect(0).out);
    assert_eq!(place.ccsec(["decrypt", "s.json"]).expect(0).text(), text);
    if let Some(sops) = place.sops(["decrypt", "s.json"], b"") {
        let escaped = "{\n\t\"a\": \"\\u003cb\\u003e \\u0026 \u{e9}\"\n}\n";
        assert_eq!(sops.expect(0).text(), escaped);
    }
}

#[test]
fn what_is_no_map_may_be_one_value() {
    for (name, text) in [("p.yaml", "- a\n"), ("p.json", "[1]\n")] {
        let place = Place::new();
        place.write(name, text);
        encrypt(&place, &[name])
            .expect(2)
            .says(&["line 1", "--input-type binary"]);
        let binary = ["--input-type", "binary", "--output-type", "binary"];
        place.write(
            "s.bin",
            encrypt(&place, &[&binary[..], &[name]].concat())
                .expect(0)
                .out,
        );
        assert_eq!(place.ccsec(["decrypt", "s.bin"]).expect(0).text(), text);
    }
}

#[test]
fn clear_values_with_types_are_text_before_they_are_hashed() {
    let place = Place::new();
    place.write("p.yaml", "a_unencrypted: true\nb_unencrypted: 1.0\nc: x\n");
    let to = ["--output-type", "dotenv", "p.yaml"];
    place.write("s.env", encrypt(&place, &to).expect(0).out);
    let expected = "a_unencrypted=true\nb_unencrypted=1.0\nc=x\n";
    assert_eq!(place.ccsec(["decrypt", "s.env"]).expect(0).text(), expected);
    if let Some(sops) = place.sops(["decrypt", "s.env"], b"") {
        assert_eq!(sops.expect(0).text(), expected);
        let theirs = place.sops(
            [&["encrypt", "--age", &recipient(1)], &to[..]].concat(),
            b"",
        );
        place.write("t.env", theirs.unwrap().expect(0).out);
        place.sops(["decrypt", "t.env"], b"").unwrap().expect(51);
    }
}

#[test]
fn a_plain_file_is_named_with_the_format_it_was_read_as() {
    let place = Place::new();
    place.write("p.yaml", PLAIN);
    let run = place.ccsec(["decrypt", "p.yaml"]).expect(1);
    run.says(&[
        "p.yaml: sops metadata not found",
        "p.yaml was read as yaml",
        "ccsec encrypt -i",
    ]);
}

#[test]
fn a_comment_that_was_moved_is_given_back_and_told() {
    let place = Place::new();
    place.seal("s.yaml", "a:\n    # note\n    b: 1\nc: 2\n");
    let sealed = place.read_text("s.yaml");
    let comment = sealed
        .lines()
        .find(|line| line.contains("    #ENC"))
        .unwrap();
    let moved = sealed.replace(&format!("{comment}\n"), "");
    let moved = moved.replace("\nc: ENC", &format!("\n{}\nc: ENC", comment.trim()));
    place.write("s.yaml", moved);
    let run = place.ccsec(["decrypt", "s.yaml"]).expect(0);
    assert!(run.text().contains("# note"), "{}", run.text());
    run.says(&["this comment was encrypted at another place"]);
}

#[test]
fn text_that_looks_sealed_is_sealed_as_any_other_and_comes_back() {
    let place = Place::new();
    place.seal("s.yaml", PLAIN);
    let sealed = place.read_text("s.yaml");
    let envelope = sealed
        .lines()
        .find_map(|line| line.strip_prefix("string: "))
        .unwrap();
    for (name, text) in [
        (
            "p.yaml",
            format!("a: {envelope}\nb_unencrypted: {envelope}\n"),
        ),
        (
            "p.json",
            format!("{{\"a\": \"{envelope}\", \"b_unencrypted\": \"{envelope}\"}}\n"),
        ),
        ("p.env", format!("A={envelope}\nB_unencrypted={envelope}\n")),
        (
            "p.ini",
            format!("[a]\nb = {envelope}\nc_unencrypted = {envelope}\n"),
        ),
    ] {
        place.write(name, &text);
        let warning = ["warning", name, "(and 1 more)", "sealed already"];
        let out = encrypt(&place, &[name]).expect(0).says(&warning);
        assert_eq!(out.text().matches(envelope).count(), 1, "{name}");
        let sealed = format!("s-{name}");
        place.write(&sealed, out.out);
        assert_eq!(place.ccsec(["decrypt", &sealed]).expect(0).text(), text);
        if let Some(sops) = place.sops(["decrypt", &sealed], b"") {
            assert_eq!(sops.expect(0).err, "", "{name}");
        }
    }
}

#[test]
fn metadata_that_stands_twice_is_an_error() {
    let place = Place::new();
    place.write("p.json", "{\n\t\"a\": \"x\"\n}\n");
    let sealed = encrypt(&place, &["p.json"]).expect(0);
    let (_, block) = sealed.text().split_once("\"sops\"").unwrap();
    let block = block.trim_end().strip_suffix('}').unwrap();
    let twice = sealed
        .text()
        .replacen("\"sops\"", &format!("\"sops\"{block},\n\"sops\""), 1);
    place.write("s.json", twice);
    place
        .ccsec(["decrypt", "s.json"])
        .expect(1)
        .says(&["`sops` is already in this map"]);
    if let Some(sops) = place.sops(["decrypt", "s.json"], b"") {
        sops.expect(1);
    }
}

#[test]
fn ini_values_in_quotes_keep_them() {
    let place = Place::new();
    for value in ["\"both\"", "a;b", "a#b", " lead", "`tick`"] {
        place.seal("s.ini", "[a]\nb = x\n");
        place
            .ccsec_with(
                ["set", "s.ini", "[\"a\"][\"b\"]", "--raw", "--value-stdin"],
                value.as_bytes(),
            )
            .expect(0);
        place.ccsec(["decrypt", "-i", "s.ini"]).expect(0);
        let age = recipient(1);
        place
            .ccsec(["encrypt", "-i", "--age", &age, "s.ini"])
            .expect(0);
        let run = place.ccsec(["decrypt", "--extract", "[\"a\"][\"b\"]", "s.ini"]);
        assert_eq!(run.expect(0).text(), value);
    }
}

#[test]
fn an_ini_value_that_ends_at_a_comment_sign_is_pointed_out() {
    let place = Place::new();
    place.write("p.ini", "[a]\nb = pass#word\nc = x ; y\nd = `p#q`\n[e]#f\n");
    let run = encrypt(&place, &["p.ini"]).expect(0);
    assert_eq!(run.err.matches("warning").count(), 1, "{}", run.err);
    place.write("s.ini", &run.out);
    run.says(&["p.ini: line 2", "backticks"]);
    let extract = ["decrypt", "--extract", "[\"a\"][\"b\"]", "s.ini"];
    assert_eq!(place.ccsec(extract).expect(0).text(), "pass");
    if let Some(sops) = place.sops(extract, b"") {
        assert_eq!(sops.expect(0).text(), "pass");
    }
}

#[test]
fn the_block_of_a_new_file_is_indented_as_the_configuration_says() {
    let place = Place::new();
    place.write("p.yaml", "a:\n   b: 1\n");
    let rules = format!(
        "stores:\n  yaml:\n    indent: 2\ncreation_rules:\n- age: {}\n",
        recipient(1)
    );
    place.write(".sops.yaml", rules);
    for arguments in [
        &["encrypt", "p.yaml"][..],
        &["--indent", "3", "encrypt", "p.yaml"],
    ] {
        let step = if arguments.len() == 2 { 2 } else { 3 };
        let run = place.ccsec(arguments).expect(0);
        let line = format!("\n{}lastmodified: ", " ".repeat(step));
        assert!(run.text().contains(&line), "{}", run.text());
        assert!(run.text().starts_with("a:\n   b: ENC["), "{}", run.text());
    }
}

#[test]
fn comments_that_sops_loses_are_kept() {
    let place = Place::new();
    let text = "a: [ # first\n    x, y]\nb: {\n    # alone\n    }\n";
    place.write("p.yaml", text);
    place.write("s.yaml", encrypt(&place, &["p.yaml"]).expect(0).out);
    let run = place.ccsec(["decrypt", "s.yaml"]).expect(0);
    for comment in ["# first", "# alone"] {
        assert!(run.text().contains(comment), "{}", run.text());
    }
    if let Some(sops) = place.sops(["decrypt", "s.yaml"], b"") {
        assert_eq!(sops.expect(0).err, "");
    }
}

#[test]
fn a_change_in_place_does_not_make_another_format_of_a_file() {
    let place = Place::new();
    place.seal("s.yaml", PLAIN);
    let before = place.read_text("s.yaml");
    let path = "[\"int\"]";
    for arguments in [
        &["set", "--output-type", "json", "s.yaml", path, "1"][..],
        &["unset", "--output-type", "json", "s.yaml", path],
        &["edit", "--output-type", "json", "s.yaml"],
    ] {
        place
            .ccsec(arguments)
            .expect(1)
            .says(&["writing yaml as json (--output-type)"]);
    }
    assert_eq!(place.read_text("s.yaml"), before);
}
