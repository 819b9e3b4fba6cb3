use std::time::Duration;

use serde_json::{Value, json};

use super::super::manifest::{Manifest, Reading};
use super::super::testing::{AGE_1, AGE_2, Workshop, assert_silent, manifest_text};
use super::super::{Options, activate};
use super::*;
use crate::error::ErrorCode;
use crate::fs::RealFs;

/// A file with three values, a key that opens it, and who may have what.
fn workshop() -> (Workshop, Value) {
    let workshop = Workshop::new();
    workshop.key("age-1.txt");
    let text = "a: canary-4711-a\nb: canary-4711-b\nempty: \"\"\n";
    workshop.seal("s.yaml", text, &[AGE_1]);
    let fields = json!({
        "ageKeyFile": "age-1.txt",
        "secrets": [
            {"name": "a", "key": "a", "sopsFile": "s.yaml"},
            {"name": "dir/b", "key": "b", "sopsFile": "s.yaml"},
            {"name": "empty", "key": "empty", "sopsFile": "s.yaml"},
        ],
        "templates": [{"name": "t", "mode": "0400", "content": "<A>|<B>"}],
        "placeholderBySecretName": {"a": "<A>", "dir/b": "<B>", "empty": "<E>"},
        "credentials": [
            {"unit": "web.service", "name": "token", "secret": "a"},
            {"unit": "web.service", "name": "config", "secret": "rendered/t"},
            {"unit": "job@*.service", "name": "token", "secret": "dir/b"},
            {"unit": "job@special.service", "name": "token", "secret": "a"},
        ],
    });
    (workshop, fields)
}

fn request(unit: &str, name: &str) -> CredentialRequest {
    CredentialRequest::parse(format!("1f/unit/{unit}/{name}").as_bytes()).unwrap()
}

fn pause(_: Duration) {}

/// What a unit gets, below a root in which the manifest was activated.
fn ask(
    workshop: &Workshop,
    manifest: &Manifest,
    source: CredentialSource,
    unit: &str,
    name: &str,
) -> Result<Secret, CredentialRefusal> {
    let root = workshop.path("root");
    let fs = RealFs::new();
    let mut options = Options::new(&fs, &pause);
    options.root = Some(&root);
    let result = credential(manifest, options, source, &request(unit, name));
    assert_silent(&format!("{result:?}"));
    if let Err(refusal) = &result {
        assert_silent(&refusal.to_string());
    }
    result
}

fn activate_below(workshop: &Workshop, manifest: &Manifest) {
    let root = workshop.path("root");
    let fs = RealFs::new();
    let mut options = Options::new(&fs, &pause);
    options.root = Some(&root);
    activate(manifest, options).unwrap();
}

const BOTH: [CredentialSource; 2] = [CredentialSource::Generation, CredentialSource::Decrypted];

#[test]
fn a_unit_gets_what_the_manifest_gives_it_and_nothing_else() {
    let (workshop, fields) = workshop();
    let manifest = workshop.manifest(fields);
    activate_below(&workshop, &manifest);
    for source in BOTH {
        let ask = |unit, name| ask(&workshop, &manifest, source, unit, name);
        for (unit, name, value) in [
            ("web.service", "token", "canary-4711-a"),
            ("web.service", "config", "canary-4711-a|canary-4711-b"),
            ("job@1.service", "token", "canary-4711-b"),
            ("job@special.service", "token", "canary-4711-a"),
        ] {
            let found = ask(unit, name).unwrap();
            assert!(found.ct_eq(value.as_bytes()), "{source:?} {unit} {name}");
        }
        let refusal = |unit, name| ask(unit, name).unwrap_err();
        assert!(matches!(
            refusal("web.service", "other"),
            CredentialRefusal::NameNotListed
        ));
        assert!(matches!(
            refusal("job@1.service", "config"),
            CredentialRefusal::NameNotListed
        ));
        for unit in ["other.service", "job.service", "job@1.socket"] {
            assert!(matches!(
                refusal(unit, "token"),
                CredentialRefusal::UnitNotListed
            ));
        }
    }
}

#[test]
fn nothing_is_given_from_a_generation_that_has_it_not() {
    let (workshop, mut fields) = workshop();
    let manifest = workshop.manifest(fields.clone());
    let ask_for = |manifest: &Manifest, name| {
        ask(
            &workshop,
            manifest,
            CredentialSource::Generation,
            "web.service",
            name,
        )
    };
    assert!(matches!(
        ask_for(&manifest, "token"),
        Err(CredentialRefusal::NoGeneration)
    ));
    activate_below(&workshop, &manifest);
    fields["secrets"][2] = json!({"name": "new", "key": "a", "sopsFile": "s.yaml"});
    fields["placeholderBySecretName"] = json!({"a": "<A>", "dir/b": "<B>", "new": "<N>"});
    fields["credentials"][0]["secret"] = json!("new");
    let changed = workshop.manifest(fields);
    assert!(matches!(
        ask_for(&changed, "token"),
        Err(CredentialRefusal::NotInGeneration { generation: 1, file }) if file == "new"
    ));
    // What is no file is nothing that activation has made.
    let place = workshop.path("root/m/1/a");
    std::fs::remove_file(&place).unwrap();
    std::os::unix::fs::symlink("/etc/hostname", &place).unwrap();
    assert!(matches!(
        ask_for(&manifest, "token"),
        Err(CredentialRefusal::File(_))
    ));
}

#[test]
fn without_a_generation_the_whole_file_is_authenticated_before_anything_is_given() {
    let (workshop, fields) = workshop();
    let manifest = workshop.manifest(fields);
    let ask = || {
        ask(
            &workshop,
            &manifest,
            CredentialSource::Decrypted,
            "web.service",
            "token",
        )
    };
    assert!(ask().is_ok());
    assert!(!workshop.path("root").exists(), "nothing is written");
    // Another value of the file is damaged.
    let sound = std::fs::read_to_string(workshop.path("s.yaml")).unwrap();
    let line = sound.lines().find(|line| line.starts_with("b: ")).unwrap();
    workshop.write("s.yaml", sound.replace(line, "b: \"\""));
    let Err(CredentialRefusal::NotOpened(faults)) = ask() else {
        panic!("a file that is not authentic was used");
    };
    assert_eq!(faults[0].code(), ErrorCode::MacMismatch);
    // And the file is another one's.
    workshop.seal(
        "s.yaml",
        "a: canary-4711-a\nb: canary-4711-b\nempty: \"\"\n",
        &[AGE_2],
    );
    let Err(CredentialRefusal::NotOpened(faults)) = ask() else {
        panic!("nobody has the key");
    };
    assert_eq!(faults[0].code(), ErrorCode::NoIdentity);
}

#[test]
fn what_one_credential_does_not_need_is_not_opened_for_it() {
    let (workshop, mut fields) = workshop();
    fields["secrets"][2] = json!({"name": "empty", "key": "x", "sopsFile": "absent.yaml"});
    let manifest = workshop.manifest(fields);
    for name in ["token", "config"] {
        let found = ask(
            &workshop,
            &manifest,
            CredentialSource::Decrypted,
            "web.service",
            name,
        );
        assert!(found.is_ok(), "{name}");
    }
}

#[test]
fn only_a_manager_of_units_may_ask() {
    let address = Some(b"1f/unit/web.service/token".as_slice());
    let ask = |uid, own| CredentialPeer { uid, address }.request(own);
    assert!(ask(0, 0).is_ok());
    assert!(ask(0, 1000).is_ok());
    assert!(ask(1000, 1000).is_ok());
    for (uid, own) in [(1000, 0), (1001, 1000)] {
        assert!(matches!(ask(uid, own), Err(CredentialRefusal::User(user)) if user == uid));
    }
    let peer = |address| CredentialPeer { uid: 0, address };
    assert!(matches!(
        peer(None).request(0),
        Err(CredentialRefusal::NoAddress)
    ));
    assert!(matches!(
        peer(Some(b"".as_slice())).request(0),
        Err(CredentialRefusal::Address(AddressFault::Form))
    ));
}

/// A manifest of one unit with credentials of these lengths, and a name of eight letters each.
fn of_lengths(workshop: &Workshop, lengths: &[usize]) -> Value {
    let mut text = String::new();
    let (mut secrets, mut credentials) = (Vec::new(), Vec::new());
    for (nth, length) in lengths.iter().enumerate() {
        let key = format!("key{nth}");
        text += &format!("{key}: \"{}\"\n", "x".repeat(*length));
        secrets.push(json!({"name": key, "key": key, "sopsFile": "s.yaml"}));
        credentials
            .push(json!({"unit": "u.service", "name": format!("name_{nth:03}"), "secret": key}));
    }
    workshop.seal("s.yaml", &text, &[AGE_1]);
    json!({"ageKeyFile": "age-1.txt", "secrets": secrets, "credentials": credentials})
}

// Sums that systemd 252 takes, and those that it does not take.
#[test]
fn what_systemd_would_not_take_is_refused_by_the_check_and_by_activation() {
    let workshop = Workshop::new();
    workshop.key("age-1.txt");
    for (lengths, sum) in [
        ([1_048_568].as_slice(), None),
        (&[1_048_569], Some(1_048_577)),
        (&[600_000, 400_000], None),
        (&[524_280, 524_281], Some(1_048_577)),
    ] {
        let fields = of_lengths(&workshop, lengths);
        let expected: Vec<String> = sum
            .map(|sum| format!("credentials of u.service: {sum} bytes together with their names, and systemd takes 1048576"))
            .into_iter()
            .collect();
        let checked = crate::activation::check_sops_files(&workshop.manifest(fields.clone()));
        let told: Vec<String> = checked.faults.iter().map(ToString::to_string).collect();
        assert_eq!(told, expected, "{lengths:?}");
        let opened = workshop.open(fields);
        let told: Vec<String> = match &opened {
            Ok(_) => Vec::new(),
            Err(refused) => refused.faults.iter().map(ToString::to_string).collect(),
        };
        assert_eq!(told, expected, "{lengths:?}");
        let codes = checked.faults.iter().map(Fault::code);
        assert!(codes.eq(expected.iter().map(|_| ErrorCode::CredentialInvalid)));
    }
}

#[test]
fn a_file_that_nobody_requires_is_left_out_with_what_is_too_large() {
    let workshop = Workshop::new();
    workshop.key("age-1.txt");
    let mut fields = of_lengths(&workshop, &[1_048_569]);
    fields["secrets"][0]["required"] = json!(false);
    let opened = workshop.open(fields).unwrap();
    assert!(opened.wanted.is_empty());
    assert_eq!(opened.warnings.len(), 1, "{:?}", opened.warnings);
}

#[test]
fn an_empty_credential_is_refused() {
    let (workshop, mut fields) = workshop();
    fields["credentials"][0]["secret"] = json!("empty");
    let manifest = workshop.manifest(fields.clone());
    let sentence =
        "credentials of web.service: `token` would be empty, as a credential is that did not come";
    let checked = crate::activation::check_sops_files(&manifest);
    assert_eq!(checked.faults[0].to_string(), sentence);
    assert_eq!(workshop.faults(fields)[0].to_string(), sentence);
    // One that was put there by somebody else.
    let (workshop, fields) = self::workshop();
    let manifest = workshop.manifest(fields);
    activate_below(&workshop, &manifest);
    let given = || {
        let source = CredentialSource::Generation;
        ask(&workshop, &manifest, source, "web.service", "token")
    };
    workshop.write("root/m/1/a", "");
    assert!(matches!(
        given(),
        Err(CredentialRefusal::Content(CredentialProblem::Empty(_)))
    ));
    workshop.write("root/m/1/a", vec![0; MOST_CREDENTIAL_BYTES]);
    for length in [MOST_CREDENTIAL_BYTES, REFUSAL_BYTES + 1] {
        workshop.write("root/m/1/a", vec![0; length]);
        assert!(matches!(
            given(),
            Err(CredentialRefusal::Content(
                CredentialProblem::TooLarge { .. }
            ))
        ));
    }
}

#[test]
fn lengths_of_templates_and_of_instances_are_added_up() {
    let workshop = Workshop::new();
    workshop.key("age-1.txt");
    let mut fields = of_lengths(&workshop, &[600_000]);
    fields["templates"] = json!([{"name": "t", "mode": "0400", "content": "<K><K>"}]);
    fields["placeholderBySecretName"] = json!({"key0": "<K>"});
    fields["credentials"] = json!([
        {"unit": "u@*.service", "name": "t", "secret": "rendered/t"},
        // Of this one, the instance has another.
        {"unit": "u@1.service", "name": "t", "secret": "key0"},
    ]);
    let checked = crate::activation::check_sops_files(&workshop.manifest(fields.clone()));
    let told: Vec<String> = checked.faults.iter().map(ToString::to_string).collect();
    let sentence = "credentials of u@*.service: 1200001 bytes together with their names, and systemd takes 1048576";
    assert_eq!(told, [sentence]);
    assert_eq!(workshop.faults(fields.clone())[0].to_string(), sentence);
    // A number is not as long as what is sealed of it, so it counts as nothing; activation knows.
    workshop.seal("s.yaml", &format!("key0: {}\n", "1".repeat(9)), &[AGE_1]);
    fields["secrets"][0]["scalar"] = json!("any");
    assert!(
        crate::activation::check_sops_files(&workshop.manifest(fields))
            .faults
            .is_empty()
    );
}

#[test]
fn a_manifest_of_the_drop_in_may_name_credentials_too() {
    let (workshop, fields) = workshop();
    let directory = workshop.path("");
    let mut reading = Reading::from(directory.as_path());
    reading.dialect = crate::activation::manifest::Dialect::SopsInstallSecrets;
    let text = manifest_text(fields);
    assert!(Manifest::parse(text.as_bytes(), reading).is_ok());
}
