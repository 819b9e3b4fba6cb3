//! From sops files to the bytes of files: keys, templates, and whose keys count.

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Command;

use serde_json::{Value, json};

use crate::fixtures::TOKENS;
use crate::harness::{Skip, Verdict};
use crate::world::{Place, World, secret};

/// Seals with our own `encrypt`, in the format of the name.
fn seal(world: &World, name: &str, plain: &str) {
    world.write(name, plain.as_bytes());
    let path = world.src(name);
    let run = world.run(&[
        "encrypt",
        "-i",
        "--age",
        &world.host,
        path.to_str().unwrap(),
    ]);
    assert_eq!(run.code, 0, "{name}: {}", run.stderr);
}

/// A manifest of one secret, `x`.
fn one(world: &World, file: &str, format: &str, fields: Value) -> Value {
    let mut manifest = world.manifest();
    let mut entry = json!({"name": "x", "mode": "0400", "sopsFile": file, "format": format});
    entry
        .as_object_mut()
        .unwrap()
        .extend(fields.as_object().unwrap().clone());
    manifest["secrets"] = json!([entry]);
    manifest
}

fn check(world: &World) -> crate::world::Run {
    let manifest = world.src("manifest.json");
    world.run(&["check", "--mode", "sopsfile", manifest.to_str().unwrap()])
}

pub(crate) fn s22_keys_lead_to_strings_and_everything_else_is_named(world: &World) -> Verdict {
    seal(
        world,
        "v.yaml",
        "list:\n    - zero\n    - one\nnest:\n    number: 7\n    yes: true\na/b:\n    c: slashes\n",
    );
    seal(world, "v.json", "{\"n\": {\"x\": \"nested\"}}\n");
    for (file, format, fields, content) in [
        ("v.yaml", "yaml", json!({"key": "list/1"}), "one"),
        ("v.json", "json", json!({"key": "n/x"}), "nested"),
        (
            "v.yaml",
            "yaml",
            json!({"keyPath": ["a/b", "c"]}),
            "slashes",
        ),
        (
            "v.yaml",
            "yaml",
            json!({"key": "nest/number", "scalar": "any"}),
            "7",
        ),
    ] {
        let run = world.activate(&one(world, file, format, fields));
        assert_eq!(run.code, 0, "{}", run.stderr);
        assert_eq!(check(world).code, 0);
        world.assert_value("x", content.as_bytes());
    }
    let quote = "quote the value in the sops file";
    let correct = "correct the key in the manifest, or add the value: ccsec edit ";
    for (key, words, next) in [
        ("nest/number", "key `nest/number` of ", quote),
        ("nest/yes", "a boolean", quote),
        (
            "nest",
            "a map",
            "name a value inside it: add `/NAME` to the key",
        ),
        (
            "list",
            "a list",
            "name a value inside it: add `/0` to the key",
        ),
        ("list/2", "cannot be found", correct),
        ("a/b", "cannot be found", correct),
        ("nest/number/deeper", "cannot be found", correct),
    ] {
        world.write_manifest(&one(world, "v.yaml", "yaml", json!({"key": key})));
        let run = world.assert_refused(31, || world.activate_again(&[]));
        assert!(run.stderr.contains(words), "{key}: {}", run.stderr);
        let hints: Vec<&str> = run
            .stderr
            .lines()
            .filter(|line| line.starts_with("hint: "))
            .collect();
        assert!(
            hints.len() == 1 && hints[0].contains(next),
            "{key}: {hints:?}"
        );
        // B68: the sealed file shows it already.
        let checked = check(world);
        assert_eq!(checked.code, 31, "{key}: {}", checked.stderr);
        assert!(checked.stderr.contains(words), "{key}: {}", checked.stderr);
    }
    // B43: keys that are no strings.
    world.write("plain.yaml", b"1: x\nsops:\n    version: 3.9.0\n");
    world.write_manifest(&one(world, "plain.yaml", "yaml", json!({"key": "1/y"})));
    for run in [check(world), world.activate_again(&[])] {
        assert_eq!(run.code, 11, "{}", run.stderr);
    }
    Ok(())
}

pub(crate) fn s23_what_stands_in_place_of_a_sops_file_is_found_at_build_time(
    world: &World,
) -> Verdict {
    let run = world.activate(&world.manifest());
    assert_eq!(run.code, 0, "{}", run.stderr);
    let sealed = std::fs::read_to_string(world.src("secrets.yaml")).unwrap();
    let lfs = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n";
    let merged = format!("<<<<<<< HEAD\n{sealed}=======\n{sealed}>>>>>>> other\n");
    for (text, code) in [
        ("test_secret: plaintext-of-nobody\n", 11),
        (lfs, 12),
        (merged.as_str(), 11),
        ("", 11),
    ] {
        world.write("secrets.yaml", text.as_bytes());
        let checked = check(world);
        assert_eq!(checked.code, code, "{}", checked.stderr);
        assert!(
            checked.stderr.contains("secrets.yaml"),
            "{}",
            checked.stderr
        );
        let run = world.assert_refused(code, || world.activate_again(&[]));
        assert!(
            !run.stderr.contains("plaintext-of-nobody"),
            "{}",
            run.stderr
        );
        for told in [checked.stderr, run.stderr] {
            // A flag of other commands is no help here.
            assert!(!told.contains("--input-type"), "{told}");
            let is_plain = text.starts_with("test_secret");
            assert_eq!(
                told.contains("correct sopsFile or format in the manifest"),
                is_plain,
                "{told}"
            );
        }
    }
    Ok(())
}

pub(crate) fn s37_templates_are_rendered_in_one_pass_every_time(world: &World) -> Verdict {
    let plain = "one: first\ntwo: second @P1 @P12\nthree: third\n";
    world.write(
        "secrets.yaml",
        &world.fixtures().seal(plain, &[&world.host]),
    );
    let mut manifest = world.manifest();
    let names = ["one", "two", "three"];
    manifest["secrets"] = names.iter().map(|name| secret(name, "0400")).collect();
    // One is a prefix of another, and the value of `two` holds both.
    manifest["placeholderBySecretName"] = json!({"one": "@P1", "two": "@P12", "three": "@P"});
    manifest["templates"] = json!([{
        "name": "sub/t", "mode": "0440", "path": "/var/lib/app/t.conf",
        "content": "a=@P1\nb=@P12\nc=@P123\nd=@P\n",
    }]);
    manifest["idempotent"] = json!(false);
    for _ in 0..100 {
        let run = world.activate(&manifest);
        assert_eq!(run.code, 0, "{}", run.stderr);
        let found = std::fs::read_to_string(world.out("/var/lib/app/t.conf")).unwrap();
        assert_eq!(
            found,
            "a=first\nb=second @P1 @P12\nc=second @P1 @P123\nd=third\n"
        );
    }
    let report = world.report();
    assert_eq!(report["templates"][0]["name"], json!("sub/t"));
    assert_eq!(report["templates"][0]["mode"], json!("0440"));
    assert_eq!(report["secrets"].as_array().unwrap().len(), 3);
    // What nothing can be put in for, and a secret of another manifest.
    for (content, words) in [
        (
            "x <SOPS:abc:PLACEHOLDER>",
            "`<SOPS:abc:PLACEHOLDER>` stands for no secret",
        ),
        ("x @USERS", "secret `for_users` is not in this manifest"),
    ] {
        let mut broken = manifest.clone();
        broken["placeholderBySecretName"]["for_users"] = json!("@USERS");
        broken["templates"][0]["content"] = json!(content);
        world.write_manifest(&broken);
        let run = world.assert_refused(33, || world.activate_again(&[]));
        assert!(run.stderr.contains(words), "{}", run.stderr);
        assert_eq!(check(world).code, 33);
    }
    Ok(())
}

/// Whether strace is there.
fn can_trace() -> Result<(), Skip> {
    let strace = Command::new("strace").arg("-V").output();
    match strace.is_ok_and(|output| output.status.success()) {
        true => Ok(()),
        false => Err(Skip("strace is not on PATH".into())),
    }
}

// B46: the reference opens the file for every secret.
pub(crate) fn s40_each_sops_file_is_read_once_however_many_secrets_come_from_it(
    world: &World,
) -> Verdict {
    can_trace()?;
    let lines = |separator: &str| -> String {
        (0..50)
            .map(|nth| format!("k{nth}{separator}value of k{nth}\n"))
            .collect()
    };
    seal(world, "many.yaml", &lines(": "));
    seal(world, "many.env", &lines("="));
    seal(world, "many.ini", &format!("[s]\n{}", lines(" = ")));
    seal(world, "many.bin", "bytes");
    let files = [
        ("many.yaml", "yaml"),
        ("many.env", "dotenv"),
        ("many.ini", "ini"),
        ("many.bin", "binary"),
    ];
    let mut manifest = world.manifest();
    let secrets = files.iter().flat_map(|(file, format)| {
        (0..50).map(move |nth| {
            json!({
                "name": format!("{format}/k{nth}"), "key": format!("k{nth}"), "mode": "0400",
                "sopsFile": file, "format": format,
            })
        })
    });
    manifest["secrets"] = secrets.collect();
    world.write_manifest(&manifest);
    let trace = world.aside("trace");
    let script = format!(
        "exec strace -f -qq -e trace=open,openat,openat2 -o '{}' \"$@\"",
        trace.display()
    );
    let arguments = world.activate_arguments(&[]);
    let run = world.finish(world.shell(&script, &arguments).spawn().unwrap());
    assert_eq!(run.code, 0, "{}", run.stderr);
    world.assert_value("yaml/k49", b"value of k49");
    let calls = std::fs::read_to_string(&trace).unwrap();
    for (file, _) in files {
        let name = format!("/{file}\"");
        assert_eq!(
            calls.lines().filter(|line| line.contains(&name)).count(),
            1,
            "{file}"
        );
    }
    Ok(())
}

pub(crate) fn s41_keys_that_lie_around_count_only_when_asked_for(world: &World) -> Verdict {
    let mut manifest = world.manifest();
    world.take("stranger", "host");
    world.write_manifest(&manifest);
    let home = world.aside("given");
    let put = |path: PathBuf, fixture: &str| {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, world.fixtures().read(fixture)).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    };
    put(home.join(".config/sops/age/keys.txt"), "recovery.txt");
    let key = String::from_utf8(world.fixtures().read("recovery.txt")).unwrap();
    let key = key
        .lines()
        .find(|line| !line.starts_with('#'))
        .unwrap()
        .to_owned();
    let run = |more: &[&str], variable: (&str, &str)| {
        let mut command = world.command(&world.activate_arguments(more));
        command.env(variable.0, variable.1);
        world.finish(command.spawn().unwrap())
    };
    let around = [
        ("HOME", home.to_str().unwrap()),
        ("SOPS_AGE_KEY", key.as_str()),
    ];
    for variable in around {
        world.assert_refused(22, || run(&[], variable));
    }
    for variable in around {
        let run = run(&["--ambient-keys"], variable);
        assert_eq!(run.code, 0, "{}", run.stderr);
        let opened_by = world.report()["files"][0]["opened_by"].clone();
        assert_eq!(opened_by["ambient"], json!(true));
        assert_eq!(opened_by["recipient"], json!(world.recovery));
    }
    world.assert_complete();
    // A recipient that is an SSH key, and that key in the home directory.
    put(home.join(".ssh/id_ed25519"), "host");
    let public = world.fixtures().read("host.pub");
    let public = String::from_utf8(public).unwrap().trim().to_owned();
    world.write("native.yaml", b"x: of the native key\n");
    let path = world.src("native.yaml");
    let sealed = world.run(&["encrypt", "-i", "--age", &public, path.to_str().unwrap()]);
    assert_eq!(sealed.code, 0, "{}", sealed.stderr);
    manifest["secrets"] = json!([{
        "name": "x", "key": "x", "mode": "0400", "sopsFile": "native.yaml", "format": "yaml",
    }]);
    world.write_manifest(&manifest);
    let home = ("HOME", home.to_str().unwrap());
    world.assert_refused(22, || run(&[], home));
    let run = run(&["--ambient-keys"], home);
    assert_eq!(run.code, 0, "{}", run.stderr);
    world.assert_value("x", b"of the native key");
    Ok(())
}

/// While a program that it has started runs, nobody sees a secret by looking at either of the two.
pub(crate) fn s44_processes_show_nothing(world: &World) -> Verdict {
    assert_eq!(world.place, Place::Machine);
    let bin = world.aside("bin");
    std::fs::create_dir(&bin).unwrap();
    let shown = world.aside("shown");
    let script = format!(
        "#!/bin/sh\n/bin/cat /proc/$PPID/environ /proc/$PPID/cmdline /proc/$$/environ /proc/$$/cmdline >{}\n",
        shown.display()
    );
    std::fs::write(bin.join("systemctl"), script).unwrap();
    let mode = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(bin.join("systemctl"), mode).unwrap();
    let mut manifest = world.manifest();
    for entry in manifest["secrets"].as_array_mut().unwrap() {
        entry["restartUnits"] = json!(["a.service"]);
    }
    let activate = || {
        let mut command = world.command(&world.activate_arguments(&[]));
        command.env("PATH", &bin).env("UNRELATED", "not for others");
        world.finish(command.spawn().unwrap())
    };
    world.write_manifest(&manifest);
    assert_eq!(activate().code, 0);
    let fixtures = world.fixtures();
    let plain = fixtures.plaintext(|name| match name {
        _ if name == TOKENS[0] => b"rotated".to_vec(),
        _ => fixtures.value(name),
    });
    world.write("secrets.yaml", &fixtures.seal(&plain, &[&world.host]));
    let run = activate();
    assert_eq!(run.code, 0, "{}", run.stderr);
    // The rest is looked for in every file after every scenario, and so in this one.
    let text = String::from_utf8_lossy(&std::fs::read(&shown).unwrap()).into_owned();
    assert!(text.contains("manifest.json"), "{text}");
    assert!(!text.contains("rotated"), "{text}");
    // Of the environment a program that we start gets what it needs.
    assert_eq!(text.matches("not for others").count(), 1, "{text}");
    Ok(())
}
