use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::super::check::{check_manifest, check_sops_files};
use super::super::fault::WarningKind;
use super::super::testing::{AGE_1, Workshop, manifest_text, subjects, text_of};
use super::*;
use crate::error::ErrorCode;

fn rendered(placeholders: &[(&str, &str)], text: &str) -> String {
    let placeholders: Vec<Placeholder> = placeholders
        .iter()
        .map(|(text, _)| Placeholder {
            secret: (*text).into(),
            text: (*text).into(),
        })
        .collect();
    let values: BTreeMap<&str, Secret> = placeholders_values(&placeholders);
    let template = Template {
        text: text.as_bytes().to_vec(),
        pieces: Placeholders::new(&placeholders).split(text.as_bytes()),
    };
    let rendered = template.render(|name| values.get(name)).unwrap();
    String::from_utf8(rendered.expose().to_vec()).unwrap()
}

fn placeholders_values(placeholders: &[Placeholder]) -> BTreeMap<&str, Secret> {
    placeholders
        .iter()
        .map(|placeholder| {
            let value = format!("[{}]", placeholder.text);
            (placeholder.secret.as_str(), Secret::from_vec(value.into()))
        })
        .collect()
}

// B09.
#[test]
fn s37_the_longest_placeholder_wins_wherever_several_begin() {
    let known = [("@P1", ""), ("@P12", ""), ("@P", ""), ("x", "")];
    assert_eq!(
        rendered(&known, "a=@P1 b=@P12 c=@P2"),
        "a=[@P1] b=[@P12] c=[@P]2"
    );
    assert_eq!(rendered(&known, "@P123"), "[@P12]3");
    assert_eq!(rendered(&known, "@@P1"), "@[@P1]");
    assert_eq!(rendered(&known, "xx"), "[x][x]");
    assert_eq!(rendered(&known, ""), "");
    assert_eq!(rendered(&[], "@P1"), "@P1");
    // Leftmost before longest.
    assert_eq!(rendered(&[("ab", ""), ("bcd", "")], "abcd"), "[ab]cd");
    // The longest of all does not match to its end, a shorter one does.
    assert_eq!(rendered(&[("ab", ""), ("abcd", "")], "abc"), "[ab]c");
}

#[test]
fn what_looks_like_a_placeholder_is_found() {
    assert_eq!(
        leftover(b"a <SOPS:b:PLACEHOLDER> c").unwrap(),
        "<SOPS:b:PLACEHOLDER>"
    );
    assert_eq!(
        leftover(b"<SOPS:<SOPS:b:PLACEHOLDER>").unwrap(),
        "<SOPS:b:PLACEHOLDER>"
    );
    for text in [
        "<SOPS:",
        "<SOPS:b:PLACEHOLDER",
        "<SOPS:b\n:PLACEHOLDER>",
        "SOPS:b:PLACEHOLDER>",
        "<SOPS:b>",
    ] {
        assert_eq!(leftover(text.as_bytes()), None, "{text}");
    }
}

fn workshop() -> Workshop {
    let workshop = Workshop::new();
    workshop.key("age-1.txt");
    workshop.seal("s.yaml", "a: canary-4711 @B\nb: canary-4711 b\n", &[AGE_1]);
    workshop
}

fn fields(template: Value) -> Value {
    let mut with_mode = json!({"name": "t", "mode": "0400"});
    let entry = with_mode.as_object_mut().unwrap();
    entry.extend(template.as_object().unwrap().clone());
    json!({
        "ageKeyFile": "age-1.txt",
        "secrets": [{"key": "a", "sopsFile": "s.yaml"}, {"key": "b", "sopsFile": "s.yaml"}],
        "placeholderBySecretName": {"a": "@A", "b": "@B", "elsewhere": "@E"},
        "templates": [with_mode],
    })
}

// B08: the value of `a` holds the placeholder of `b`.
#[test]
fn s37_what_is_put_in_is_never_looked_at_again() {
    let workshop = workshop();
    for _ in 0..100 {
        let opened = workshop
            .open(fields(json!({"content": "1 @A 2 @B\n"})))
            .unwrap();
        assert_eq!(
            text_of(&opened, "rendered/t"),
            "1 canary-4711 @B 2 canary-4711 b\n"
        );
    }
}

// F24, and the modules: `content` and `file` come together.
#[test]
fn content_comes_before_a_file_and_a_file_is_taken_when_there_is_none() {
    let workshop = workshop();
    workshop.write("t.in", "of the file @B");
    let both = fields(json!({"content": "of the content", "file": "t.in"}));
    assert_eq!(
        text_of(&workshop.open(both).unwrap(), "rendered/t"),
        "of the content"
    );
    let file = fields(json!({"content": "", "file": "t.in"}));
    assert_eq!(
        text_of(&workshop.open(file).unwrap(), "rendered/t"),
        "of the file canary-4711 b"
    );
}

#[track_caller]
fn assert_refused_by_all(workshop: &Workshop, fields: Value, words: &str) {
    let faults = workshop.faults(fields.clone());
    assert_eq!(faults.len(), 1, "{faults:?}");
    assert_eq!(faults[0].code(), ErrorCode::TemplateInvalid);
    assert!(faults[0].to_string().contains(words), "{}", faults[0]);
    let checked = check_sops_files(&workshop.manifest(fields.clone()));
    assert_eq!(checked.code(), Some(ErrorCode::TemplateInvalid));
    let text = manifest_text(fields);
    let checked = check_manifest(text.as_bytes(), &workshop.path(""));
    assert_eq!(checked.code(), Some(ErrorCode::TemplateInvalid));
}

#[test]
fn s37_a_placeholder_that_nothing_can_be_put_in_for_is_refused_by_every_check() {
    let workshop = workshop();
    assert_refused_by_all(
        &workshop,
        fields(json!({"content": "x <SOPS:typo:PLACEHOLDER> y"})),
        "template `t`: `<SOPS:typo:PLACEHOLDER>` stands for no secret",
    );
    // As in a manifest beside one with the secrets that are needed for users.
    assert_refused_by_all(
        &workshop,
        fields(json!({"content": "x @E y"})),
        "template `t`: secret `elsewhere` is not in this manifest",
    );
    assert_refused_by_all(
        &workshop,
        fields(json!({"file": "absent.in"})),
        "absent.in: No such file",
    );
    std::fs::create_dir(workshop.path("directory")).unwrap();
    assert_refused_by_all(
        &workshop,
        fields(json!({"file": "directory"})),
        "is a directory",
    );
}

#[test]
fn a_template_that_is_not_required_is_left_out_with_a_warning() {
    let workshop = workshop();
    let left_out = fields(json!({"content": "@E", "required": false}));
    let opened = workshop.open(left_out).unwrap();
    assert_eq!(opened.wanted.len(), 2);
    let told = subjects(&opened.warnings, WarningKind::LeftOut);
    assert!(told[0].starts_with("rendered/t ("), "{told:?}");
}

#[test]
fn a_template_falls_with_a_secret_that_was_left_out() {
    let workshop = workshop();
    let mut optional = fields(json!({"content": "@A"}));
    optional["secrets"][0]["key"] = json!("absent");
    optional["secrets"][0]["name"] = json!("a");
    optional["secrets"][0]["required"] = json!(false);
    let faults = workshop.faults(optional.clone());
    assert_eq!(faults.len(), 1, "{faults:?}");
    assert_eq!(
        faults[0].to_string(),
        "template `t`: secret `a` cannot be had"
    );
    // A template that does not need it stands.
    optional["templates"][0]["content"] = json!("@B");
    assert_eq!(workshop.open(optional.clone()).unwrap().wanted.len(), 2);
    // Of a secret that is required the fault is told once.
    optional["templates"][0]["content"] = json!("@A");
    optional["secrets"][0]["required"] = json!(true);
    let faults = workshop.faults(optional);
    assert_eq!(faults.len(), 1, "{faults:?}");
    assert_eq!(faults[0].code(), ErrorCode::PathNotFound);
}
