//! Which value a key leads to, and in which form. The files are real sops', and the expected texts are what real sops
//! prints for them.

use serde_json::{Value, json};

use super::super::super::accounts::Accounts;
use super::super::super::check::check_sops_files;
use super::super::super::fault::{Fault, WarningKind};
use super::super::super::open::{OpenContext, Owners, open};
use super::super::super::testing::{AGE_1, Workshop, explained, golden, sealed, subjects, text_of};
use super::super::super::wanted::Origin;
use crate::document::Format;
use crate::error::ErrorCode;

fn workshop() -> Workshop {
    let workshop = Workshop::new();
    workshop.key("age-1.txt");
    for name in [
        "yaml-types.yaml",
        "json-types.json",
        "yaml-multi-recipient.yaml",
        "yaml-mac-only-encrypted.yaml",
        "yaml-strings.yaml",
    ] {
        workshop.golden(name);
    }
    workshop
}

/// A manifest of one secret `x`.
fn one(file: &str, mut secret: Value) -> Value {
    secret["name"] = json!("x");
    secret["sopsFile"] = json!(file);
    secret["format"] = json!(Format::of_file_name(file).as_str());
    json!({"ageKeyFile": "age-1.txt", "secrets": [secret]})
}

#[track_caller]
fn assert_text(workshop: &Workshop, file: &str, secret: Value, expected: &str) {
    let fields = one(file, secret);
    let checked = check_sops_files(&workshop.manifest(fields.clone()));
    assert!(checked.faults.is_empty(), "{:?}", checked.faults);
    let opened = workshop.open(fields).unwrap();
    assert_eq!(text_of(&opened, "x"), expected);
}

/// Activation and the check refuse alike.
#[track_caller]
fn assert_refused(workshop: &Workshop, file: &str, secret: Value, code: ErrorCode, part: &str) {
    let fields = one(file, secret);
    let faults = workshop.faults(fields.clone());
    assert_eq!(faults.len(), 1, "{faults:?}");
    assert_eq!(faults[0].code(), code);
    assert!(faults[0].to_string().contains(part), "{}", faults[0]);
    let checked = check_sops_files(&workshop.manifest(fields));
    assert_eq!(checked.code(), Some(code));
    assert_eq!(checked.faults[0].to_string(), faults[0].to_string());
}

#[test]
fn s22_keys_lead_through_maps_and_lists() {
    let workshop = workshop();
    let file = "yaml-multi-recipient.yaml";
    assert_text(&workshop, file, json!({"key": "a/b/1/0/0"}), "deep");
    assert_text(&workshop, file, json!({"key": "x:y/z"}), "colon in a key");
    let path = json!({"keyPath": ["a", "b", "1", "0", "0"]});
    assert_text(&workshop, file, path, "deep");
    // S22, `n/x` of nested JSON.
    let nested = json!({"key": "nest/1/1/k"});
    assert_text(&workshop, "json-types.json", nested, "v");
    let slashes = sealed(
        "k.yaml",
        "a/b:\n    c: found\n\"0\":\n    d: zero\n",
        &[AGE_1],
    );
    workshop.write("k.yaml", slashes);
    assert_text(
        &workshop,
        "k.yaml",
        json!({"keyPath": ["a/b", "c"]}),
        "found",
    );
    // A number is a key where a map stands.
    assert_text(&workshop, "k.yaml", json!({"key": "0/d"}), "zero");
}

#[test]
fn s22_a_key_that_leads_nowhere_is_named_whole() {
    let workshop = workshop();
    let file = "yaml-multi-recipient.yaml";
    for key in [
        "zz",
        "a/zz",
        "a/b/1/0/0/deeper",
        "a/b/2",
        "a/b/01/0/0",
        "a/b/+1/0/0",
        "a/b/-1",
        "a/",
        "/a",
        "sops/mac",
        "sops",
    ] {
        let part = format!("secret `x`: key `{key}` of ");
        assert_refused(
            &workshop,
            file,
            json!({"key": key}),
            ErrorCode::PathNotFound,
            &part,
        );
    }
    let text = one(file, json!({"key": "a/zz"}));
    assert!(
        workshop.faults(text)[0]
            .to_string()
            .ends_with("cannot be found")
    );
}

#[test]
fn s22_only_strings_are_taken_unless_any_scalar_is_wanted() {
    let workshop = workshop();
    let refused = |key: &str, shape: &str| {
        let part = format!("key `{key}` of ");
        let secret = json!({"key": key});
        let file = "yaml-multi-recipient.yaml";
        assert_refused(&workshop, file, secret, ErrorCode::PathNotFound, &part);
        let text = workshop.faults(one(file, json!({"key": key})))[0].to_string();
        assert!(
            text.ends_with(&format!("is {shape}, not a string")),
            "{text}"
        );
    };
    refused("a/b/0/c", "a number");
    refused("a/b/0/d", "a list");
    refused("a/b/0", "a map");
    for (key, shape) in [
        ("yes_bool", "a boolean"),
        ("float", "a number"),
        ("date", "a time"),
        ("nothing", "null"),
    ] {
        let faults = workshop.faults(one("yaml-types.yaml", json!({"key": key})));
        let text = faults[0].to_string();
        assert!(
            text.ends_with(&format!("is {shape}, not a string")),
            "{text}"
        );
    }
}

/// The token behind a key of a flat document that real sops printed.
fn printed<'t>(plain: &'t str, key: &str) -> &'t str {
    let line = plain
        .lines()
        .find(|line| line.trim_start().starts_with(key));
    let (_, token) = line.unwrap().split_once(": ").unwrap();
    token.trim_end_matches(',')
}

#[test]
fn s22_any_scalar_is_the_token_that_sops_prints() {
    let workshop = workshop();
    let yaml = String::from_utf8(golden("yaml-types.yaml.plain")).unwrap();
    let yaml_keys = [
        "int",
        "negative",
        "big",
        "hex",
        "float",
        "not_a_number",
        "infinite",
        "minus_infinite",
        "instant",
        "not_time",
    ];
    for key in yaml_keys {
        let expected = printed(&yaml, &format!("{key}:"));
        let secret = json!({"key": key, "scalar": "any"});
        assert_text(&workshop, "yaml-types.yaml", secret, expected);
    }
    let json = String::from_utf8(golden("json-types.json.plain")).unwrap();
    for key in ["i", "f", "big", "t"] {
        let expected = printed(&json, &format!("\"{key}\":"));
        let secret = json!({"key": key, "scalar": "any"});
        assert_text(&workshop, "json-types.json", secret, expected);
    }
    // A sealed float is spelled without an exponent; sops makes one when it prints.
    for key in ["huge", "tiny", "whole_float"] {
        let secret = json!({"key": key, "scalar": "any"});
        let opened = workshop.open(one("yaml-types.yaml", secret)).unwrap();
        let found: f64 = text_of(&opened, "x").parse().unwrap();
        let expected: f64 = printed(&yaml, &format!("{key}:")).parse().unwrap();
        assert_eq!(found.to_bits(), expected.to_bits(), "{key}");
    }
    // A string stays what it is.
    let quoted = json!({"key": "quoted_int", "scalar": "any"});
    assert_text(&workshop, "yaml-types.yaml", quoted, "42");
    let null = json!({"key": "nothing", "scalar": "any"});
    let part = "is null, not a string";
    assert_refused(
        &workshop,
        "yaml-types.yaml",
        null,
        ErrorCode::PathNotFound,
        part,
    );
}

#[test]
fn any_scalar_in_the_clear_is_its_token() {
    let workshop = workshop();
    let text = "port_unencrypted: 0x1F\non_unencrypted: true\nsecret: canary-4711\n";
    workshop.seal("clear.yaml", text, &[AGE_1]);
    for (key, expected) in [("port_unencrypted", "0x1F"), ("on_unencrypted", "true")] {
        let secret = json!({"key": key, "scalar": "any"});
        assert_text(&workshop, "clear.yaml", secret, expected);
    }
}

#[test]
fn a_whole_file_holds_the_values_that_sops_prints() {
    let workshop = workshop();
    for file in ["yaml-strings.yaml", "yaml-multi-recipient.yaml"] {
        let opened = workshop.open(one(file, json!({}))).unwrap();
        let parse = |text: &str| -> serde_yaml::Value { serde_yaml::from_str(text).unwrap() };
        let plain = String::from_utf8(golden(&format!("{file}.plain"))).unwrap();
        assert_eq!(parse(text_of(&opened, "x")), parse(&plain), "{file}");
    }
    let opened = workshop.open(one("json-types.json", json!({}))).unwrap();
    let parse = |text: &str| -> Value { serde_json::from_str(text).unwrap() };
    let plain = parse(&String::from_utf8(golden("json-types.json.plain")).unwrap());
    let found = parse(text_of(&opened, "x"));
    for (key, expected) in plain.as_object().unwrap() {
        // sops prints whole floats as integers.
        let same = found[key] == *expected || found[key].as_f64() == expected.as_f64();
        assert!(same, "{key}: {} {expected}", found[key]);
    }
    assert!(found.get("sops").is_none());
}

/// What sops 3.13.3 prints for the same files.
#[test]
fn a_whole_file_is_laid_out_as_sops_prints_it() {
    let workshop = workshop();
    for (name, text, expected) in [
        (
            "w.yaml",
            "# kept\na:   canary-4711 # here\npem: |\n  one\n  two\nn: 31\n",
            "# kept\n# here\na: canary-4711\npem: |\n    one\n    two\n\"n\": 31\n",
        ),
        (
            "w.json",
            "{\n  \"a\": \"canary-4711\",\n  \"n\": [1, 2.50]\n}\n",
            "{\n\t\"a\": \"canary-4711\",\n\t\"n\": [\n\t\t1,\n\t\t2.5\n\t]\n}\n",
        ),
        ("w.env", "# c\n\nK=canary-4711\n", "# c\nK=canary-4711\n"),
        (
            "w.ini",
            "; head\n[s]\nk=canary-4711 ; tail\nlong=2\n",
            "; head\n[s]\n; tail\nk    = canary-4711\nlong = 2\n",
        ),
        (
            "w.bin",
            "canary-4711, no line end",
            "canary-4711, no line end",
        ),
    ] {
        workshop.seal(name, text, &[AGE_1]);
        assert_text(&workshop, name, json!({}), expected);
    }
}

/// F23 of the reference.
#[test]
fn formats_without_keys_are_taken_whole_whatever_the_key_says() {
    let workshop = workshop();
    for (name, text) in [
        ("w.env", "K=canary-4711\n"),
        ("w.ini", "[s]\nk = canary-4711\n"),
        ("w.bin", "canary-4711"),
    ] {
        workshop.seal(name, text, &[AGE_1]);
        assert_text(&workshop, name, json!({"key": "no/such/key"}), text);
    }
}

#[test]
fn what_nothing_protects_needs_the_manifests_word() {
    let workshop = workshop();
    let file = "yaml-mac-only-encrypted.yaml";
    let code = ErrorCode::LeafNotProtected;
    let part = "is neither sealed nor covered by the MAC";
    for mut secret in [json!({"key": "y_unencrypted"}), json!({})] {
        assert_refused(&workshop, file, secret.clone(), code, part);
        secret["allowClear"] = json!(true);
        let opened = workshop.open(one(file, secret.clone())).unwrap();
        assert_eq!(subjects(&opened.warnings, WarningKind::ClearLeaf), ["x"]);
        let checked = check_sops_files(&workshop.manifest(one(file, secret)));
        assert_eq!(subjects(&checked.warnings, WarningKind::ClearLeaf), ["x"]);
    }
    let nested = json!({"key": "sub_unencrypted/list/1", "allowClear": true});
    assert_text(&workshop, file, nested, "two");
    // A sealed value of the same file needs no word, and a clear one that the MAC covers neither.
    assert_text(&workshop, file, json!({"key": "true"}), "two");
    workshop.golden("yaml-keys.yaml");
    let clear = json!({"key": "y_unencrypted"});
    assert_text(&workshop, "yaml-keys.yaml", clear, "stays plain");
}

#[test]
fn a_wanted_file_is_what_the_manifest_says() {
    let workshop = workshop();
    let fields = json!({"ageKeyFile": "age-1.txt", "secrets": [{"name": "dir/x", "key": "x:y/z",
        "sopsFile": "yaml-multi-recipient.yaml", "mode": "0440", "owner": "nginx", "gid": 12,
        "path": "/srv/x", "dirMode": "0750", "dirGroup": "web"}]});
    let accounts = Accounts::parse(b"nginx:x:901:1::/:/x\n", b"web:x:902:\n", None);
    let context = OpenContext {
        owners: Owners::Of(&accounts),
        ambient: None,
        gnupg: None,
        checking: None,
    };
    let opened = open(&workshop.manifest(fields.clone()), context).unwrap();
    let wanted = &opened.wanted[0];
    assert_eq!(wanted.name, "dir/x");
    assert_eq!((wanted.mode, wanted.uid, wanted.gid), (0o440, 901, 12));
    let origin = Origin::Secret {
        sops_file: workshop.path("yaml-multi-recipient.yaml"),
        key: "x:y/z".into(),
    };
    assert_eq!(wanted.origin, origin);
    assert_eq!(wanted.directories.mode, Some(0o750));
    assert_eq!(wanted.directories.gid, Some(902));

    let nobody = Accounts::parse(b"", b"", None);
    let context = OpenContext {
        owners: Owners::Of(&nobody),
        ambient: None,
        gnupg: None,
        checking: None,
    };
    let refused = open(&workshop.manifest(fields), context).unwrap_err();
    let texts: Vec<String> = refused.faults.iter().map(explained).collect();
    assert_eq!(
        texts,
        [
            "/secrets/0/owner: user `nginx` does not exist",
            "/secrets/0/dirGroup: group `web` does not exist"
        ]
    );
    assert!(matches!(&refused.faults[0], Fault::Manifest(_)));
    assert_eq!(refused.faults[0].code(), ErrorCode::ManifestInvalid);
}
