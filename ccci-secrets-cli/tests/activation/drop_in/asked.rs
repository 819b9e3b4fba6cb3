//! What the manifest and the command line ask for.

use std::process::Command;

use serde_json::{Value, json};

use super::{DropIn, assert_file, link};
use crate::harness::Verdict;
use crate::world::World;

pub(crate) fn s39_owners_and_modes_are_those_of_the_manifest(world: &World) -> Verdict {
    let drop_in = DropIn::new(world);
    let with = |fields: Value| {
        let mut manifest = drop_in.one();
        let entry = manifest["secrets"][0].as_object_mut().unwrap();
        entry.extend(fields.as_object().unwrap().clone());
        manifest
    };
    // F20.
    drop_in.tells(&with(json!({"owner": "nobody", "uid": 5, "gid": 1001})), "");
    assert_file("/run/secrets/a", 0o400, (65534, 1001), "one");
    // F21.
    std::fs::remove_file("/run/secrets").unwrap();
    world.write_manifest(&with(json!({"owner": "nosuch", "uid": 7})));
    assert_eq!(drop_in.run_words(&[], |_| ()).code, 10);
    let run = drop_in.run_words(&["-ignore-passwd"], |_| ());
    assert_eq!(run.code, 0, "{}", run.stderr);
    let generation = link();
    for path in ["/run/secrets.d", generation.to_str().unwrap()] {
        assert_file(path, 0o751, (0, 0), "");
    }
    assert_file("/run/secrets/a", 0o400, (0, 0), "one");
    // F22, ours: as asked, whatever the umask.
    for (bits, umask) in [
        ("0444", "077"),
        ("0660", "022"),
        ("0666", "0"),
        ("400", "022"),
    ] {
        let mut manifest = with(json!({"mode": bits}));
        manifest["placeholderBySecretName"] = json!({"a": "<A>"});
        manifest["templates"] = json!([{
            "name": "t", "content": "<A>", "mode": bits, "uid": 420, "gid": 420,
            "path": "/run/secrets/rendered/t",
        }]);
        world.write_manifest(&manifest);
        let script = format!("umask {umask}; exec \"$0\" \"$1\"");
        let mut shell = Command::new("sh");
        shell
            .args(["-c", &script])
            .arg(&drop_in.program)
            .arg(world.src("manifest.json"));
        world.prepare(&mut shell);
        let run = world.finish(shell.spawn().unwrap());
        assert_eq!(run.code, 0, "{}", run.stderr);
        let wanted = u32::from_str_radix(bits, 8).unwrap();
        assert_file("/run/secrets/a", wanted, (0, 0), "one");
        // F25.
        assert_file("/run/secrets/rendered/t", wanted, (420, 420), "one");
    }
    assert_eq!(drop_in.run(&with(json!({"mode": "4755"}))).code, 10, "ours");
    // F30.
    drop_in.accounts("root:x:0:0::/:/x\n", "root:x:0:\nnogroup:x:65534:\n");
    assert_eq!(drop_in.run(&drop_in.one()).code, 0);
    assert_file("/run/secrets/", 0o751, (0, 65534), "");
    Ok(())
}

pub(crate) fn s39_keys_are_heeded_where_the_format_has_some(world: &World) -> Verdict {
    let drop_in = DropIn::new(world);
    for (name, text) in [
        ("blob.bin", "bytes"),
        ("app.env", "A=1\n"),
        ("app.ini", "[s]\nk=v\n"),
        (
            "app.json",
            "{\"k1\": \"one\", \"n\": {\"x\": \"nested\"}}\n",
        ),
    ] {
        world.write(name, text.as_bytes());
        let path = world.src(name);
        let path = path.to_str().unwrap();
        let run = world.run(&["encrypt", "-i", "--age", &world.recovery, path]);
        assert_eq!(run.code, 0, "{}", run.stderr);
    }
    let from = |name: &str, file: &str, format: &str, key: &str| {
        let mut secret = drop_in.secret(name, key);
        secret["sopsFile"] = drop_in.src(file);
        secret["format"] = json!(format);
        secret
    };
    // F23, F29.
    let manifest = drop_in.manifest(&[
        from("blob", "blob.bin", "binary", "absent"),
        from("env", "app.env", "dotenv", "absent"),
        from("ini", "app.ini", "ini", "absent"),
        from("json", "app.json", "json", "k1"),
        from("deep", "a.yaml", "yaml", "nest/deep"),
    ]);
    drop_in.tells(&manifest, "");
    for (name, content) in [
        ("blob", "bytes"),
        ("env", "A=1\n"),
        ("ini", "[s]\nk = v\n"),
        ("json", "one"),
        ("deep", "found"),
    ] {
        assert_file(&format!("/run/secrets/{name}"), 0o400, (0, 0), content);
    }
    drop_in.tells(
        &drop_in.manifest(&[from("a", "app.json", "yaml", "n/x")]),
        "adding secret: a\nremoving secrets: blob, deep, env, ini, json\n",
    );
    assert_file("/run/secrets/a", 0o400, (0, 0), "nested");
    // F24.
    let mut template = drop_in.one();
    template["placeholderBySecretName"] = json!({"a": "<A>"});
    world.write("t.in", b"of the file");
    template["templates"] = json!([{
        "name": "t", "content": "content <A>", "file": drop_in.src("t.in"), "mode": "0400",
        "path": "/run/secrets/rendered/t",
    }]);
    assert_eq!(drop_in.run(&template).code, 0);
    assert_file("/run/secrets/rendered/t", 0o400, (0, 0), "content one");
    Ok(())
}

pub(crate) fn s39_checks_need_neither_keys_nor_accounts(world: &World) -> Verdict {
    let drop_in = DropIn::new(world);
    let spoilt = |field: &str, value: Value| {
        let mut manifest = drop_in.one();
        match field {
            "ageKeyFile" => manifest[field] = value,
            _ => manifest["secrets"][0][field] = value,
        }
        manifest
    };
    let foreign = world.fixtures().seal("k1: one\n", &[&world.other]);
    world.write("foreign.yaml", &foreign);
    // F28; B68, ours: a number is seen in the sealed file already.
    for (manifest, checked, installed) in [
        (spoilt("owner", json!("nosuch")), 0, 10),
        (spoilt("ageKeyFile", json!("/absent")), 0, 20),
        (spoilt("sopsFile", drop_in.src("foreign.yaml")), 0, 22),
        (spoilt("key", json!("number")), 31, 31),
    ] {
        world.write_manifest(&manifest);
        for (words, code) in [
            (&["-check-mode=manifest"][..], 0),
            (&["--check-mode", "sopsfile"], checked),
        ] {
            let before = world.snapshot();
            let run = drop_in.run_words(words, |_| ());
            assert_eq!(run.code, code, "{words:?}: {}", run.stderr);
            assert_eq!(run.stdout, "");
            before.assert_same(&world.snapshot());
        }
        world.assert_refused(installed, || drop_in.run_words(&[], |_| ()));
        world.assert_refused(1, || drop_in.run_words(&["--compat-exit"], |_| ()));
    }
    Ok(())
}

pub(crate) fn s51_the_command_line_is_that_of_the_reference(world: &World) -> Verdict {
    let drop_in = DropIn::new(world);
    let manifest = world.src("manifest.json");
    world.write_manifest(&drop_in.one());
    let run = |words: &[&str]| {
        let mut command = Command::new(&drop_in.program);
        world.prepare(command.args(words));
        world.finish(command.spawn().unwrap())
    };
    let path = manifest.to_str().unwrap();
    for words in [&["-h"][..], &["--help"]] {
        let run = run(words);
        assert_eq!((run.code, run.stdout.as_str()), (0, ""), "{words:?}");
        assert!(run.stderr.starts_with("Usage: "), "{}", run.stderr);
        assert!(
            run.stderr.contains("[OPTION] manifest.json"),
            "{}",
            run.stderr
        );
    }
    for words in [
        &[][..],
        &[path, path],
        &["-bogus", path],
        &["-check-mode=bogus", path],
    ] {
        let run = run(words);
        assert_eq!((run.code, run.stdout.as_str()), (2, ""), "{words:?}");
    }
    let told = run(&["-check-mode=bogus", path]).stderr;
    assert!(told.contains("`bogus`"), "B49: {told}");
    for words in [
        &["-check-mode=manifest", path][..],
        &["--check-mode", "sopsfile", path],
        &["-ignore-passwd", path],
        &["--ignore-passwd=true", "-check-mode=off", path],
    ] {
        let run = run(words);
        assert_eq!(run.code, 0, "{words:?}: {}", run.stderr);
    }
    let run = run(&["/absent/manifest.json"]);
    assert_eq!(run.code, 10, "{}", run.stderr);
    Ok(())
}
