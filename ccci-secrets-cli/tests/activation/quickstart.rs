//! What a newcomer does first, and the manifests that others have.

use serde_json::Value;

use crate::fixtures::test_data;
use crate::harness::Verdict;
use crate::world::{World, mode};

pub(crate) fn the_first_command_of_the_readme_works_and_converges(world: &World) -> Verdict {
    let root = world.aside("root");
    let manifest = test_data("quickstart/manifest.json");
    let arguments = [
        "activate",
        "--root",
        root.to_str().unwrap(),
        manifest.to_str().unwrap(),
    ];
    let first = world.run(&arguments);
    assert_eq!(first.code, 0, "{}", first.stderr);
    let live = root.join("var/lib/ci-certs/live");
    let certificate = std::fs::read_to_string(live.join("fullchain.pem")).unwrap();
    assert_eq!(certificate.matches("BEGIN CERTIFICATE").count(), 2);
    let key = std::fs::read(live.join("privkey.pem")).unwrap();
    assert_eq!(key.len(), 227);
    let report = format!("{}{}", first.stdout, first.stderr);
    for word in [
        "ssh_host_ed25519_key",
        "secrets.yaml",
        "wildcard_cert",
        "0444",
        "0400",
        "rm -r",
    ] {
        assert!(report.contains(word), "{word} in {report}");
    }
    let before = world.snapshot();
    let second = world.run(&arguments);
    assert_eq!(second.code, 0, "{}", second.stderr);
    before.assert_same(&world.snapshot());
    let report = format!("{}{}", second.stdout, second.stderr);
    assert!(report.contains("nothing changed"), "{report}");
    Ok(())
}

pub(crate) fn the_sample_manifests_pass_the_check(world: &World) -> Verdict {
    let mut count = 0;
    for entry in std::fs::read_dir(test_data("activation")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension() != Some("json".as_ref()) {
            continue;
        }
        let mut manifest: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        // The template file of one of them is in nobody's store.
        for template in manifest["templates"].as_array_mut().unwrap() {
            if template["file"]
                .as_str()
                .is_some_and(|file| !file.is_empty())
            {
                world.write("template", b"text");
                template["file"] = world.src("template").to_str().unwrap().into();
            }
        }
        world.write_manifest(&manifest);
        let shown = world.src("manifest.json");
        let run = world.run(&["check", shown.to_str().unwrap(), "--mode", "manifest"]);
        assert_eq!(run.code, 0, "{}: {}", path.display(), run.stderr);
        count += 1;
    }
    assert_eq!(count, 15);
    Ok(())
}

/// The plaintexts that the sample manifest of all formats names.
const PLAIN: [(&str, &[u8]); 5] = [
    ("app.env", b"A=1\nB=two words\n"),
    ("app.ini", b"[section]\nkey = value\n"),
    ("app.json", b"{\n  \"token\": \"value of token\"\n}\n"),
    ("blob.bin", BLOB),
    (
        "secrets.yaml",
        b"token: value of token\nservice:\n  db:\n    password: value of service/db/password\n",
    ),
];
const BLOB: &[u8] = b"not text: \x01\x02\x7f\nno newline at the end";

/// What sops-install-secrets makes of them.
const FILES: [(&str, u32, &[u8]); 8] = [
    ("binary_blob", 0o600, BLOB),
    ("dotenv_file", 0o400, b"A=1\nB=two words\n"),
    ("ini_file", 0o400, b"[section]\nkey = value\n"),
    ("json_key", 0o400, b"value of token"),
    ("json_whole", 0o400, b"{\n\t\"token\": \"value of token\"\n}\n"),
    ("yaml_key", 0o400, b"value of token"),
    ("yaml_nested", 0o400, b"value of service/db/password"),
    (
        "yaml_whole",
        0o400,
        b"token: value of token\nservice:\n    db:\n        password: value of service/db/password\n",
    ),
];

pub(crate) fn every_format_gives_the_files_of_the_reference(world: &World) -> Verdict {
    for (name, text) in PLAIN {
        world.write(name, text);
        let path = world.src(name);
        let run = world.run(&[
            "encrypt",
            "-i",
            "--age",
            &world.host,
            path.to_str().unwrap(),
        ]);
        assert_eq!(run.code, 0, "{}", run.stderr);
    }
    let sample = test_data("activation/08-system-formats.json");
    let text = std::fs::read_to_string(sample).unwrap();
    let store = "/nix/store/00000000000000000000000000000000-";
    let text = text
        .replace(store, "")
        .replace("/etc/ssh/ssh_host_ed25519_key", "host");
    let run = world.activate(&serde_json::from_str(&text).unwrap());
    assert_eq!(run.code, 0, "{}", run.stderr);
    for (name, bits, content) in FILES {
        let path = world.out(&format!("/run/secrets/{name}"));
        assert_eq!(std::fs::read(&path).unwrap(), content, "{name}");
        assert_eq!(mode(&path), bits, "{name}");
    }
    let generation = std::fs::read_dir(world.out("/run/secrets/")).unwrap();
    assert_eq!(generation.count(), FILES.len());
    Ok(())
}
