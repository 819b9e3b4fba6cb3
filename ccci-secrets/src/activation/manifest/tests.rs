#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::path::Path;

use serde_json::{Value, json};

use super::*;

/// A manifest with one sound secret; `change` spoils it.
fn spoilt(change: impl FnOnce(&mut Value)) -> Vec<ManifestFault> {
    let mut manifest = json!({
        "secretsMountPoint": "/run/secrets.d",
        "symlinkPath": "/run/secrets",
        "secrets": [
            {"name": "a", "key": "a", "mode": "0400", "path": "/run/secrets/a", "sopsFile": "s.yaml", "format": "yaml"},
            {"name": "b", "key": "b", "mode": "0400", "path": "/srv/b", "sopsFile": "s.yaml", "format": "yaml"},
        ],
    });
    change(&mut manifest);
    Manifest::parse(manifest.to_string().as_bytes(), Path::new("/etc/ccsec"))
        .err()
        .unwrap_or_default()
}

#[track_caller]
fn assert_fault_at(pointer: &str, change: impl FnOnce(&mut Value)) {
    let faults = spoilt(change);
    assert!(
        faults.iter().any(|fault| fault.pointer == pointer),
        "{faults:?}"
    );
}

fn template() -> Value {
    json!([{"name": "t", "mode": "0400", "path": "/run/secrets/rendered/t", "content": "x"}])
}

#[test]
fn a_sound_manifest_is_read_and_relative_paths_count_from_its_directory() {
    assert_eq!(spoilt(|_| ()), []);
    let text = r#"{"secretsMountPoint":"/m","symlinkPath":"/l","ageKeyFile":"key.txt","secrets":[
        {"name":"a","mode":"444","sopsFile":"secrets/s.yaml","key":"x/y"}]}"#;
    let manifest = Manifest::parse(text.as_bytes(), Path::new("/src")).unwrap();
    assert_eq!(
        manifest.secrets[0].sops_file,
        Path::new("/src/secrets/s.yaml")
    );
    assert_eq!(
        manifest.keys.age_key_file.as_deref(),
        Some(Path::new("/src/key.txt"))
    );
    assert_eq!(
        manifest.secrets[0].key,
        KeyChoice::Parts(vec!["x".into(), "y".into()])
    );
}

#[test]
fn every_sample_of_the_modules_is_read() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata/activation");
    let mut seen = 0;
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.extension() != Some("json".as_ref()) {
            continue;
        }
        let text = std::fs::read(&path).unwrap();
        let read = Manifest::parse(&text, Path::new("/x"));
        assert!(read.is_ok(), "{}: {:?}", path.display(), read.err());
        seen += 1;
    }
    assert_eq!(seen, 15);
}

#[test]
fn s21_unknown_field_is_named_with_its_neighbour() {
    let faults = spoilt(|manifest| manifest["secrets"][1]["sopsfile"] = json!("x"));
    assert_eq!(faults[0].pointer, "/secrets/1/sopsfile");
    assert_eq!(
        faults[0].problem,
        ManifestProblem::UnknownField {
            nearest: Some("sopsFile")
        }
    );
    assert_fault_at("/keepgenerations", |manifest| {
        manifest["keepgenerations"] = json!(1);
    });
    assert_fault_at("/logging/x", |manifest| {
        manifest["logging"] = json!({"x": true})
    });
}

#[test]
fn a_place_that_is_missing_is_the_only_fault() {
    for place in ["secretsMountPoint", "symlinkPath"] {
        let faults = spoilt(|manifest| {
            manifest.as_object_mut().unwrap().remove(place);
        });
        let pointers: Vec<&str> = faults.iter().map(|fault| fault.pointer.as_str()).collect();
        assert_eq!(pointers, [format!("/{place}")]);
    }
}

#[test]
fn s21_text_that_is_not_exactly_one_object() {
    for text in ["", "{", "[]", "{} x", "{}{}"] {
        assert!(
            Manifest::parse(text.as_bytes(), Path::new("/")).is_err(),
            "{text}"
        );
    }
    let twice = br#"{"symlinkPath":"/a","symlinkPath":"/b","secretsMountPoint":"/c"}"#;
    let faults = Manifest::parse(twice, Path::new("/")).unwrap_err();
    assert_eq!(faults[0].pointer, "/symlinkPath");
    assert_eq!(faults[0].problem, ManifestProblem::RepeatedField);
}

#[test]
fn s21_values_of_fields() {
    assert_fault_at("/allowKeyPrograms", |manifest| {
        manifest["allowKeyPrograms"] = json!(["gpg", "ssh-agent"]);
    });
    for mode in ["", "u=r", "200000", "4755"] {
        assert_fault_at("/secrets/0/mode", |manifest| {
            manifest["secrets"][0]["mode"] = json!(mode);
        });
    }
    assert_fault_at("/secrets/0/mode", |manifest| {
        manifest["secrets"][0]
            .as_object_mut()
            .unwrap()
            .remove("mode");
    });
    assert_fault_at("/secrets/0/format", |manifest| {
        manifest["secrets"][0]["format"] = json!("toml");
    });
    assert_fault_at("/secrets/0/uid", |manifest| {
        manifest["secrets"][0]["uid"] = json!(-1);
    });
    assert_fault_at("/secrets/0/gid", |manifest| {
        manifest["secrets"][0]["gid"] = json!(4_294_967_295_u32);
    });
    for keep in [json!(-1), json!("1"), json!(1.5), json!(1.0), json!(1e300)] {
        assert_fault_at("/keepGenerations", |manifest| {
            manifest["keepGenerations"] = keep;
        });
    }
    for id in [json!(4_294_967_295_u32), json!(u64::MAX), json!(1e300)] {
        for field in ["uid", "gid"] {
            assert_fault_at(&format!("/secrets/0/{field}"), |manifest| {
                manifest["secrets"][0][field] = id.clone();
            });
        }
    }
}

#[test]
fn s21_names() {
    for name in [
        "../../x", "..", ".", "", "a//b", "a/", "/a", "a/../b", "a\0b",
    ] {
        assert_fault_at("/secrets/0/name", |manifest| {
            manifest["secrets"][0]["name"] = json!(name);
        });
    }
    assert_fault_at("/secrets/1/name", |manifest| {
        manifest["secrets"][1]["name"] = json!("a");
    });
    assert_fault_at("/secrets/1/name", |manifest| {
        manifest["secrets"][1]["name"] = json!("a/c");
    });
    assert_fault_at("/secrets/0/name", |manifest| {
        manifest["secrets"][0]["name"] = json!("rendered");
        manifest["templates"] = template();
        manifest["placeholderBySecretName"] = json!({"rendered": "1", "b": "2"});
    });
    assert_eq!(
        spoilt(|manifest| {
            manifest["secrets"][0]["name"] = json!("rendered");
            manifest["secrets"][0]["path"] = json!("/run/secrets/rendered");
        }),
        [],
        "without templates the name is free"
    );
}

#[test]
fn s21_paths() {
    for path in [
        "relative",
        "",
        "/",
        "/srv/",
        "/srv//x",
        "/srv/../x",
        "/run/secrets//a",
        "/run/./secrets/a",
        "/run/secrets.d/1/a",
        "/run/secrets",
        "/run",
        "/srv/b",
        "/srv/b/c",
        "/srv",
        "/run/secrets/b",
        "/run/secrets/b/c",
    ] {
        assert_fault_at_path_of_either(path);
    }
    assert_eq!(
        spoilt(|manifest| manifest["secrets"][0]["path"] = json!("/run/secrets/also/a")),
        []
    );
}

/// The fault stands at either of the two paths: which of a pair is named first is not the point.
#[track_caller]
fn assert_fault_at_path_of_either(path: &str) {
    let faults = spoilt(|manifest| manifest["secrets"][0]["path"] = json!(path));
    let expected = ["/secrets/0/path", "/secrets/1/path", "/secrets/1/name"];
    assert!(
        faults
            .iter()
            .any(|fault| expected.contains(&fault.pointer.as_str())),
        "{path}: {faults:?}"
    );
}

#[test]
fn s21_placeholders() {
    assert_fault_at("/placeholderBySecretName/a", |manifest| {
        manifest["placeholderBySecretName"] = json!({"a": ""});
    });
    assert_fault_at("/placeholderBySecretName/b", |manifest| {
        manifest["placeholderBySecretName"] = json!({"a": "x", "b": "x"});
    });
    assert_fault_at("/placeholderBySecretName", |manifest| {
        manifest["templates"] = template();
        manifest["placeholderBySecretName"] = json!({"a": "x"});
    });
}

#[test]
fn all_faults_are_reported_at_once() {
    let faults = spoilt(|manifest| {
        manifest["secrets"][0]["mode"] = json!("");
        manifest["secrets"][1]["uid"] = json!(-1);
        manifest["colour"] = json!(1);
    });
    assert_eq!(faults.len(), 3, "{faults:?}");
}

#[test]
fn one_file_has_one_format() {
    assert_fault_at("/secrets/1/format", |manifest| {
        manifest["secrets"][1]["format"] = json!("json");
    });
}

#[test]
fn keys_of_gnupg_exclude_each_other_as_in_the_reference() {
    assert_fault_at("/gnupgHome", |manifest| {
        manifest["gnupgHome"] = json!("/g");
        manifest["ageKeyFile"] = json!("/k");
    });
    assert_fault_at("/gnupgHome", |manifest| {
        manifest["gnupgHome"] = json!("/g");
        manifest["sshKeyPaths"] = json!(["/k"]);
    });
}

#[test]
fn checks_are_read_field_by_field() {
    let check = json!({"type": "x509", "cert": "a", "key": "b", "minDays": 7, "names": ["x"], "chain": "leaf-first", "strict": true});
    assert_eq!(spoilt(|manifest| manifest["checks"] = json!([check])), []);
    assert_eq!(
        spoilt(|manifest| manifest["checks"] = json!([{"type": "x509", "cert": "a"}])),
        []
    );
    for (field, value) in [
        ("type", json!("pgp")),
        ("type", json!(null)),
        ("cert", json!("nosuch")),
        ("cert", json!(null)),
        ("key", json!("nosuch")),
        ("minDays", json!(-1)),
        ("names", json!([""])),
        ("chain", json!("any")),
        ("strict", json!("yes")),
        ("mindays", json!(7)),
    ] {
        assert_fault_at(&format!("/checks/0/{field}"), |manifest| {
            let mut check = check.clone();
            check[field] = value.clone();
            manifest["checks"] = json!([check]);
        });
    }
}

fn lenient(text: &str) -> Result<Manifest, Vec<ManifestFault>> {
    let reading = Reading {
        dialect: Dialect::SopsInstallSecrets,
        ..Reading::from("/cwd")
    };
    Manifest::parse(text.as_bytes(), reading)
}

const ONE: &str = r#"{"secretsMountPoint":"/run/secrets.d","symlinkPath":"/run/secrets","secrets":[
    {"name":"a","mode":"0400","sopsFile":"s.yaml","key":"x"}]}"#;

// Reference, section 2: each of these is accepted.
#[test]
fn s39_the_other_dialect_takes_what_the_reference_takes() {
    let text = ONE
        .replace("secretsMountPoint", "SecretsMOUNTpoint")
        .replace("\"mode\"", "\"unknown\":{},\"Mode\"")
        .replace(r#""0400""#, r#""7","mode":"00440","gnupgHome":"""#)
        + "trailing { bytes";
    let manifest = lenient(&text).unwrap();
    assert_eq!(manifest.mount_path, "/run/secrets.d");
    assert_eq!(manifest.secrets[0].file.mode, 0o440, "the last one counts");
    assert_eq!(manifest.secrets[0].sops_file, Path::new("/cwd/s.yaml"));
    assert!(Manifest::parse(text.as_bytes(), "/cwd").is_err());
    for text in ["", "{", "[]", "x"] {
        assert!(lenient(text).is_err(), "{text}");
    }
}

// Design, section 17, column "c".
#[test]
fn the_other_dialect_has_defaults_of_its_own() {
    let manifest = lenient(ONE).unwrap();
    let secret = &manifest.secrets[0];
    assert!(!manifest.idempotent && manifest.allow_swap && manifest.keys.allow_commands);
    assert!(secret.allow_clear && !secret.any_scalar && secret.file.required);
    assert_eq!(secret.file.on_conflict, OnConflict::Backup);
    assert_eq!(manifest.on_first_boot, OnFirstBoot::Refuse);
    let native = Manifest::parse(ONE.as_bytes(), "/cwd").unwrap();
    let secret = &native.secrets[0];
    assert!(native.idempotent && !native.allow_swap && !native.keys.allow_commands);
    assert!(!secret.allow_clear && !secret.any_scalar && secret.file.required);
    assert_eq!(secret.file.on_conflict, OnConflict::Refuse);
    // What is said holds in both.
    let said = ONE.replace(
        "\"secrets\"",
        r#""idempotent":true,"allowKeyPrograms":[],"secrets""#,
    );
    let manifest = lenient(&said).unwrap();
    assert!(manifest.idempotent && !manifest.keys.allow_commands);
}

// B65: those that mean a place inside destroy the secret there; the others do no harm.
#[test]
fn another_spelling_of_a_path_is_taken_where_it_does_no_harm() {
    let with_path = |path: &str| ONE.replace("\"mode\"", &format!("\"path\":\"{path}\",\"mode\""));
    let target = |path: &str| {
        let manifest = lenient(&with_path(path)).unwrap();
        manifest.secrets[0].file.target.clone()
    };
    assert_eq!(target("/srv//x/./y/"), Target::Outside("/srv/x/y".into()));
    assert_eq!(target("/run/secrets/a"), Target::Own);
    for path in [
        "/run/secrets//a",
        "/run/./secrets/a",
        "/run/secrets.d/1/a",
        "",
        "x",
        "/a/../b",
    ] {
        assert!(lenient(&with_path(path)).is_err(), "{path:?}");
    }
    let mount = lenient(&ONE.replace("/run/secrets.d", "//run/secrets.d/")).unwrap();
    assert_eq!(mount.mount_path, "/run/secrets.d");
}

// Design, section 12: "Change by default".
#[test]
fn what_does_harm_is_refused_in_both_dialects() {
    for (what, text) in [
        ("B04", ONE.replace("\"a\"", "\"../a\"")),
        ("B41", ONE.replace("0400", "4755")),
        (
            "B47",
            ONE.replace("\"mode\"", "\"format\":\"toml\",\"mode\""),
        ),
        ("B60", ONE.replace("\"a\"", "\"\"")),
        (
            "F08",
            ONE.replace("\"secrets\"", "\"keepGenerations\":-1,\"secrets\""),
        ),
        (
            "B09",
            ONE.replace(
                "\"secrets\"",
                "\"placeholderBySecretName\":{\"a\":\"\"},\"secrets\"",
            ),
        ),
    ] {
        assert!(lenient(&text).is_err(), "{what}: {text}");
    }
}

// F26.
#[test]
fn s45_in_user_mode_percent_signs_stand_for_something() {
    let text = ONE
        .replace("/run/secrets.d", "%r/secrets.d")
        .replace(
            "\"secrets\"",
            r#""userMode":true,"ageKeyFile":"%r/key.txt","secrets""#,
        )
        .replace("\"mode\"", r#""path":"%r/100%%/b%x","mode""#);
    let reading = Reading {
        runtime_directory: Some(Path::new("/run/user/1000/")),
        ..Reading::from("/src")
    };
    let manifest = Manifest::parse(text.as_bytes(), reading).unwrap();
    assert_eq!(manifest.mount_path, "/run/user/1000/secrets.d");
    let path = "/run/user/1000/100%/b%x".to_owned();
    assert_eq!(manifest.secrets[0].file.target, Target::Outside(path));
    let key = Path::new("/run/user/1000/key.txt");
    assert_eq!(manifest.keys.age_key_file.as_deref(), Some(key));
    // The rules can be checked anywhere.
    assert!(Manifest::parse(text.as_bytes(), "/src").is_ok());
    let empty = Reading {
        runtime_directory: Some(Path::new("")),
        ..Reading::from("/src")
    };
    // B71: not the root directory.
    let manifest = Manifest::parse(text.as_bytes(), empty).unwrap();
    assert_eq!(manifest.runtime_directory, None);
}

#[test]
fn names_of_units_are_single_words() {
    for name in ["", " ", "x.service\nsshd.service", "a b", "a/b", "a\u{7}"] {
        assert_fault_at("/secrets/0/restartUnits", |manifest| {
            manifest["secrets"][0]["restartUnits"] = json!([name]);
        });
        assert_fault_at("/secrets/1/reloadUnits", |manifest| {
            manifest["secrets"][1]["reloadUnits"] = json!([name]);
        });
    }
    let sound = ["nosuch", "-.mount", "a@1.service", "dev-disk\\x2dby.device"];
    let faults = spoilt(|manifest| manifest["secrets"][0]["restartUnits"] = json!(sound));
    assert_eq!(faults, []);
}

fn credentials(entries: Value) -> impl FnOnce(&mut Value) {
    move |manifest| manifest["credentials"] = entries
}

#[test]
fn credentials_are_read_and_rules_for_them_hold() {
    let sound = json!([
        {"unit": "a.service", "name": "n", "secret": "a"},
        {"unit": "a.service", "name": "m", "secret": "a"},
        {"unit": "a@*.service", "name": "n", "secret": "b"},
        {"unit": "a@1.service", "name": "n", "secret": "a"},
    ]);
    assert_eq!(spoilt(credentials(sound)), []);
    assert_eq!(
        spoilt(|manifest| {
            manifest["templates"] = template();
            manifest["placeholderBySecretName"] = json!({"a": "<a>", "b": "<b>"});
            manifest["credentials"] =
                json!([{"unit": "a.service", "name": "n", "secret": "rendered/t"}]);
        }),
        []
    );
    assert_fault_at("/credentials", credentials(json!({})));
    assert_fault_at("/credentials/0", credentials(json!(["a"])));
    for (field, value) in [
        ("unit", json!(null)),
        ("unit", json!(1)),
        ("unit", json!("")),
        ("unit", json!("a.timer")),
        ("unit", json!("a@.service")),
        ("unit", json!("*.service")),
        ("unit", json!("../a.service")),
        ("name", json!(null)),
        ("name", json!("")),
        ("name", json!("a/b")),
        ("name", json!("a:b")),
        ("name", json!("..")),
        ("secret", json!(null)),
        ("secret", json!("absent")),
        ("secret", json!("a/")),
        ("size", json!(1)),
    ] {
        let mut entry = json!({"unit": "a.service", "name": "n", "secret": "a"});
        entry[field] = value;
        assert_fault_at(
            &format!("/credentials/0/{field}"),
            credentials(json!([entry])),
        );
    }
    let twice = json!([
        {"unit": "a.service", "name": "n", "secret": "a"},
        {"unit": "b.service", "name": "n", "secret": "a"},
        {"unit": "a.service", "name": "n", "secret": "b"},
    ]);
    assert_eq!(
        spoilt(credentials(twice))[0].to_string(),
        "/credentials/2/name: `n` is already taken by /credentials/0/name"
    );
}

// The address that systemd asks with has 108 bytes.
#[test]
fn names_that_no_address_can_hold_are_refused() {
    let entry =
        |unit: &str, name: usize| json!([{"unit": unit, "name": "n".repeat(name), "secret": "a"}]);
    assert_eq!(spoilt(credentials(entry("a.service", 75))), []);
    assert_eq!(spoilt(credentials(entry("a@*.service", 73))), []);
    for entries in [entry("a.service", 76), entry("a@*.service", 74)] {
        assert_eq!(
            spoilt(credentials(entries))[0].to_string(),
            "/credentials/0/name: has 85 bytes together with the name of the unit, and systemd asks with an address that has room for 84"
        );
    }
}

#[test]
fn the_file_that_a_credential_means_is_guessed() {
    let faults = spoilt(|manifest| {
        manifest["templates"] = template();
        manifest["placeholderBySecretName"] = json!({"a": "<a>", "b": "<b>"});
        manifest["credentials"] = json!([{"unit": "a.service", "name": "n", "secret": "t"}]);
    });
    assert_eq!(
        faults[0].to_string(),
        "/credentials/0/secret: neither a secret nor `rendered/` and a template is called `t`, did you mean `rendered/t`?"
    );
}
