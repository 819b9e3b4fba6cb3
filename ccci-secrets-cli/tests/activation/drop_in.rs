//! The program under the name sops-install-secrets. The facts, by their numbers, are what the real one was seen to do
//! (F01 to F30); where "ours" is said, we differ on purpose.

use std::os::unix::fs::{MetadataExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::harness::{Skip, Verdict};
use crate::units::Systemctl;
use crate::world::{Run, World, mount};

/// The program under its other name, on a machine with a few accounts.
pub(crate) struct DropIn<'w> {
    pub(crate) world: &'w World,
    program: PathBuf,
}

pub(crate) const KEYS: u32 = 96;

impl<'w> DropIn<'w> {
    pub(crate) fn new(world: &'w World) -> Self {
        let directory = world.aside("drop-in");
        std::fs::create_dir(&directory).unwrap();
        let program = directory.join("sops-install-secrets");
        symlink(world.program(), &program).unwrap();
        let drop_in = Self { world, program };
        drop_in.accounts(
            "root:x:0:0::/root:/bin/sh\nnobody:x:65534:65534::/:/x\nnginx:x:901:901::/:/x\n\
             drone:x:902:902::/:/x\nalice:x:1000:1000::/:/x\n",
            "root:x:0:\nkeys:x:96:\nstaff:x:50:\nnginx:x:901:\ndrone:x:902:\nalice:x:1000:\nnogroup:x:65534:\n",
        );
        world.take("recovery.txt", "key.txt");
        drop_in.values("one", "two");
        drop_in
    }

    /// Accounts of this mount namespace.
    fn accounts(&self, passwd: &str, group: &str) {
        for (name, text) in [("passwd", passwd), ("group", group)] {
            let path = self.world.aside(name);
            std::fs::write(&path, text).unwrap();
            mount(&["--bind", path.to_str().unwrap(), &format!("/etc/{name}")]);
        }
    }

    /// Gives the two keys of `a.yaml` their values.
    fn values(&self, one: &str, two: &str) {
        let plain = format!("k1: {one}\nk2: {two}\nnumber: 7\nnest:\n    deep: found\n");
        self.seal("a.yaml", &plain);
    }

    fn seal(&self, name: &str, plain: &str) {
        let sealed = self.world.fixtures().seal(plain, &[&self.world.recovery]);
        self.world.write(name, &sealed);
    }

    fn src(&self, name: &str) -> Value {
        json!(self.world.src(name))
    }

    fn secret(&self, name: &str, key: &str) -> Value {
        json!({
            "name": name, "key": key, "mode": "0400", "path": format!("/run/secrets/{name}"),
            "sopsFile": self.src("a.yaml"), "format": "yaml",
        })
    }

    pub(crate) fn manifest(&self, secrets: &[Value]) -> Value {
        json!({
            "secretsMountPoint": "/run/secrets.d", "symlinkPath": "/run/secrets", "keepGenerations": 1,
            "ageKeyFile": self.src("key.txt"), "secrets": secrets, "templates": [],
            "placeholderBySecretName": {}, "userMode": false,
            "logging": {"keyImport": true, "secretChanges": true},
        })
    }

    /// One secret, `a`, from the key `k1`.
    fn one(&self) -> Value {
        self.manifest(&[self.secret("a", "k1")])
    }

    pub(crate) fn run_with(&self, manifest: &Value, prepare: impl FnOnce(&mut Command)) -> Run {
        self.world.write_manifest(manifest);
        self.run_words(&[], prepare)
    }

    /// Runs with the manifest that was written last, behind these words.
    fn run_words(&self, words: &[&str], prepare: impl FnOnce(&mut Command)) -> Run {
        let mut command = Command::new(&self.program);
        let manifest = self.world.src("manifest.json");
        self.world.prepare(command.args(words).arg(manifest));
        prepare(&mut command);
        self.world.finish(command.spawn().unwrap())
    }

    pub(crate) fn run(&self, manifest: &Value) -> Run {
        self.run_with(manifest, |_| ())
    }

    /// Runs; it has to end well, and say nothing but this on standard output.
    #[track_caller]
    fn tells(&self, manifest: &Value, stdout: &str) {
        let run = self.run(manifest);
        assert_eq!(run.code, 0, "{}", run.stderr);
        assert_eq!(run.stdout, stdout);
    }

    #[track_caller]
    fn dry_run(&self, manifest: &Value, more: &[(&str, &str)]) -> Run {
        let run = self.run_with(manifest, |command| {
            command.env("NIXOS_ACTION", "dry-activate");
            command.envs(more.iter().copied());
        });
        assert_eq!(run.code, 0, "{}", run.stderr);
        run
    }

    fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir("/run/secrets.d").unwrap();
        let mut names: Vec<String> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort_by_key(|name| (name.len(), name.clone()));
        names
    }
}

#[track_caller]
fn assert_file(path: &str, bits: u32, owner: (u32, u32), content: &str) {
    let found = std::fs::metadata(path).unwrap();
    assert_eq!(found.mode() & 0o7777, bits, "{path}");
    assert_eq!((found.uid(), found.gid()), owner, "{path}");
    if found.is_file() {
        assert_eq!(std::fs::read_to_string(path).unwrap(), content, "{path}");
    }
}

fn link() -> PathBuf {
    std::fs::read_link("/run/secrets").unwrap()
}

pub(crate) fn s39_generations_are_numbered_and_pruned_as_by_the_reference(
    world: &World,
) -> Verdict {
    let drop_in = DropIn::new(world);
    // F01.
    let run = drop_in.run(&drop_in.one());
    assert_eq!(
        (run.code, run.stdout.as_str(), run.stderr.as_str()),
        (0, "", "")
    );
    let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap();
    let line = mounts
        .lines()
        .find(|line| line.contains(" /run/secrets.d "))
        .unwrap();
    for word in [" ramfs ", "nosuid", "nodev", "noexec", "mode=751"] {
        assert!(line.contains(word), "{line}");
    }
    assert_file("/run/secrets.d", 0o751, (0, KEYS), "");
    assert_file("/run/secrets.d/1", 0o751, (0, KEYS), "");
    assert_file("/run/secrets.d/1/a", 0o400, (0, 0), "one");
    assert_eq!(link(), Path::new("/run/secrets.d/1"));
    // F02.
    for _ in 0..2 {
        let run = drop_in.run(&drop_in.one());
        assert_eq!(
            (run.code, run.stdout.as_str(), run.stderr.as_str()),
            (0, "", "")
        );
    }
    assert_eq!(link(), Path::new("/run/secrets.d/3"));
    assert_eq!(drop_in.names(), ["3"]);
    // F08.
    for (keep, left) in [
        (json!(0), &["3", "4", "5", "6", "7"][..]),
        (
            json!(null),
            &["3", "4", "5", "6", "7", "8", "9", "10", "11"],
        ),
        (json!(2), &["14", "15"]),
        (json!(1), &["19"]),
    ] {
        let mut manifest = drop_in.one();
        manifest["keepGenerations"] = keep;
        for _ in 0..4 {
            drop_in.tells(&manifest, "");
        }
        assert_eq!(drop_in.names(), left);
    }
    let mut negative = drop_in.one();
    negative["keepGenerations"] = json!(-1);
    assert_eq!(drop_in.run(&negative).code, 10, "ours");
    // F07, first without a stray generation.
    std::fs::remove_file("/run/secrets").unwrap();
    std::fs::remove_dir_all("/run/secrets.d/19").unwrap();
    symlink("/run/secrets.d/100", "/run/secrets").unwrap();
    for number in 85..=100 {
        std::fs::create_dir(format!("/run/secrets.d/{number}")).unwrap();
    }
    std::fs::create_dir("/run/secrets.d/non-numeric").unwrap();
    std::fs::write("/run/secrets.d/3", "").unwrap();
    let mut ten = drop_in.one();
    ten["keepGenerations"] = json!(10);
    drop_in.tells(&ten, "adding secret: a\n");
    let mut left: Vec<String> = (92..=101).map(|number| number.to_string()).collect();
    left.push("non-numeric".into());
    assert_eq!(drop_in.names(), left);
    std::fs::create_dir("/run/secrets.d/200").unwrap();
    drop_in.tells(&ten, "");
    assert_eq!(link(), Path::new("/run/secrets.d/201"), "ours");
    // F03.
    std::fs::remove_file("/run/secrets").unwrap();
    symlink("/run/secrets.d/299", "/run/secrets").unwrap();
    drop_in.tells(&drop_in.one(), "");
    assert_eq!(link(), Path::new("/run/secrets.d/300"));
    Ok(())
}

pub(crate) fn s39_links_to_other_places_begin_a_new_count(world: &World) -> Verdict {
    let drop_in = DropIn::new(world);
    for (elsewhere, told) in [
        // F04.
        ("/run/elsewhere/5", "adding secret: a\n"),
        // F06, where ours begins with 1.
        ("/run/secrets.d-old/7", "adding secret: a\n"),
        // F05: in the reference a failure for ever.
        ("/run/secrets.d/foo", "adding secret: a\n"),
    ] {
        drop(std::fs::remove_file("/run/secrets"));
        std::fs::create_dir_all(elsewhere).unwrap();
        symlink(elsewhere, "/run/secrets").unwrap();
        drop_in.tells(&drop_in.one(), told);
        let number = link().file_name().unwrap().to_str().unwrap().to_owned();
        assert!(
            link().starts_with("/run/secrets.d") && number.parse::<u64>().is_ok(),
            "{number}"
        );
        assert!(Path::new(elsewhere).exists());
    }
    Ok(())
}

pub(crate) fn s39_changes_are_told_line_by_line(world: &World) -> Verdict {
    let drop_in = DropIn::new(world);
    let template = |name: &str, content: &str| {
        json!({
            "name": name, "content": content, "mode": "0400",
            "path": format!("/run/secrets/rendered/{name}"),
        })
    };
    let placeholders = json!({
        "a": "<A>", "b": "<B>", "old1": "<O1>", "old2": "<O2>", "n1": "<N1>", "sub/n2": "<N2>",
    });
    let names = |names: &[&str]| -> Vec<Value> {
        names
            .iter()
            .map(|name| drop_in.secret(name, "k1"))
            .collect()
    };
    let mut old = drop_in.manifest(&names(&["a", "b", "old1", "old2"]));
    old["placeholderBySecretName"] = placeholders.clone();
    old["templates"] = json!([
        template("t", "<A>"),
        template("u", "<B>"),
        template("gone", "x")
    ]);
    drop_in.tells(&old, "");
    // F09.
    drop_in.values("ONE", "two");
    let mut new = drop_in.manifest(&names(&["b", "a", "sub/n2", "n1"]));
    new["placeholderBySecretName"] = placeholders;
    new["templates"] = json!([
        template("u", "<B>"),
        template("t", "<A>"),
        template("n3", "x")
    ]);
    drop_in.tells(
        &new,
        "adding secrets: n1, sub/n2\nmodifying secrets: a, b\nremoving secrets: old1, old2\n\
         adding rendered secret: n3\nmodifying rendered secrets: t, u\nremoving rendered secret: gone\n",
    );
    assert_file("/run/secrets/rendered/t", 0o400, (0, 0), "ONE");
    // Told only where the manifest asks for it.
    drop_in.values("one", "two");
    new["logging"]["secretChanges"] = json!(false);
    drop_in.tells(&new, "");
    // B50, ours: a change of mode counts.
    new["logging"]["secretChanges"] = json!(true);
    new["secrets"][0]["mode"] = json!("0440");
    drop_in.tells(&new, "modifying secret: b\n");
    Ok(())
}

/// `a` and `b` with the units of F10.
fn with_units(drop_in: &DropIn<'_>) -> Value {
    let mut manifest = drop_in.manifest(&[drop_in.secret("b", "k2"), drop_in.secret("a", "k1")]);
    manifest["secrets"][0]["restartUnits"] = json!(["x.service"]);
    manifest["secrets"][0]["reloadUnits"] = json!(["x.service"]);
    manifest["secrets"][1]["restartUnits"] = json!(["x.service", "y.service"]);
    manifest
}

pub(crate) fn s39_units_are_told_as_by_the_reference(world: &World) -> Verdict {
    let drop_in = DropIn::new(world);
    let manifest = with_units(&drop_in);
    drop_in.tells(&manifest, "");
    // F12.
    drop_in.values("v1", "v2");
    drop_in.tells(&manifest, "modifying secrets: a, b\n");
    assert!(!Path::new("/run/nixos").exists());
    // F10, where ours restarts each unit once.
    std::fs::create_dir("/run/nixos").unwrap();
    drop_in.values("v3", "v4");
    drop_in.tells(&manifest, "modifying secrets: a, b\n");
    let restart = "/run/nixos/activation-restart-list";
    assert_file(restart, 0o600, (0, 0), "x.service\ny.service\n");
    assert!(!Path::new("/run/nixos/activation-reload-list").exists());
    // F11.
    drop_in.values("v3", "v5");
    drop_in.tells(&manifest, "modifying secret: b\n");
    assert_file(restart, 0o600, (0, 0), "x.service\ny.service\nx.service\n");

    // F13, F14: the switch.
    let systemctl = Systemctl::new(world);
    let with_switch = |manifest: &Value| {
        let run = drop_in.run_with(manifest, |command| {
            command.env("PATH", systemctl.directory());
            command.env("SOPS_RESTART_UNITS_VIA_SYSTEMCTL", "1");
        });
        assert_eq!(run.code, 0, "{}", run.stderr);
    };
    let mut manifest = manifest;
    manifest["secrets"][1]["restartUnits"] = json!(["x.service", "x.service"]);
    manifest["secrets"][0]["restartUnits"] = json!([]);
    manifest["secrets"][0]["reloadUnits"] = json!(["y.service"]);
    std::fs::remove_file("/run/secrets").unwrap();
    with_switch(&manifest);
    assert_eq!(systemctl.calls(), Vec::<String>::new());
    drop_in.values("v6", "v7");
    with_switch(&manifest);
    let now = link();
    assert_eq!(
        systemctl.calls(),
        [
            format!("{} --no-block try-restart x.service", now.display()),
            format!(
                "{} --no-block try-reload-or-restart y.service",
                now.display()
            ),
        ]
    );
    Ok(())
}

pub(crate) fn s27_a_rehearsal_tells_what_would_change_and_writes_lists_only(
    world: &World,
) -> Verdict {
    let drop_in = DropIn::new(world);
    let mut manifest = drop_in.manifest(&[drop_in.secret("a", "k1")]);
    manifest["secrets"][0]["restartUnits"] = json!(["x.service"]);
    manifest["secrets"][0]["reloadUnits"] = json!(["y.service"]);
    manifest["secrets"][0]["owner"] = json!("nobody");
    // F16: the reference prints nothing there, and makes a generation.
    world.write_manifest(&manifest);
    let before = world.snapshot();
    let run = drop_in.dry_run(&manifest, &[]);
    assert_eq!(run.stdout, "would add secret: a\n", "ours");
    before.assert_same(&world.snapshot());

    // F15.
    drop_in.tells(&manifest, "");
    std::fs::create_dir("/run/nixos").unwrap();
    drop_in.values("ONE", "two");
    let mut more = manifest.clone();
    let mut new = drop_in.secret("new", "k2");
    new["owner"] = json!("not-there-yet");
    more["secrets"].as_array_mut().unwrap().push(new);
    world.write_manifest(&more);
    let before = world.snapshot();
    let run = drop_in.dry_run(&more, &[]);
    assert_eq!(
        run.stdout,
        "would add secret: new\nwould modify secret: a\n"
    );
    let list = |name: &str| format!("/run/nixos/dry-activation-{name}-list");
    assert_file(&list("restart"), 0o600, (0, 0), "x.service\n");
    assert_file(&list("reload"), 0o600, (0, 0), "y.service\n");
    for name in ["restart", "reload"] {
        std::fs::remove_file(list(name)).unwrap();
    }
    before.assert_same(&world.snapshot());

    // F17.
    let run = drop_in.dry_run(&more, &[("SOPS_RESTART_UNITS_VIA_SYSTEMCTL", "1")]);
    assert_eq!(
        run.stdout,
        "would add secret: new\nwould modify secret: a\n"
    );
    assert!(
        run.stderr
            .ends_with("would restart x.service\nwould reload y.service\n"),
        "{}",
        run.stderr
    );
    before.assert_same(&world.snapshot());
    Ok(())
}

pub(crate) fn s39_what_stands_at_a_path_gives_way_but_for_a_full_directory(
    world: &World,
) -> Verdict {
    let drop_in = DropIn::new(world);
    let at = |path: &str| {
        let mut manifest = drop_in.one();
        manifest["secrets"][0]["path"] = json!(path);
        manifest
    };
    // F18.
    std::fs::write("/var/lib/file", "of the operator").unwrap();
    std::fs::create_dir("/var/lib/empty").unwrap();
    for path in ["/var/lib/file", "/var/lib/empty"] {
        drop_in.tells(&at(path), "");
        assert_eq!(
            std::fs::read_link(path).unwrap(),
            Path::new("/run/secrets/a")
        );
    }
    // B24, ours: nothing is lost.
    assert_file(
        "/var/lib/file.ccsec-backup-1",
        0o600,
        (0, 0),
        "of the operator",
    );
    // F19.
    std::fs::create_dir_all("/var/lib/full/inside").unwrap();
    world.write_manifest(&at("/var/lib/full"));
    world.assert_refused(42, || drop_in.run_words(&[], |_| ()));
    // A directory at the place of the link itself.
    std::fs::remove_file("/run/secrets").unwrap();
    std::fs::create_dir_all("/run/secrets/old").unwrap();
    drop_in.tells(&drop_in.one(), "");
    assert_file("/run/secrets/a", 0o400, (0, 0), "one");
    Ok(())
}

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

// B01, B11: what sops-nix has left there goes.
pub(crate) fn s44_private_keys_of_the_former_program_are_removed(world: &World) -> Verdict {
    let drop_in = DropIn::new(world);
    std::fs::create_dir("/run/secrets.d").unwrap();
    mount(&["-t", "ramfs", "none", "/run/secrets.d"]);
    std::fs::create_dir_all("/run/secrets.d/4").unwrap();
    std::fs::write("/run/secrets.d/4/a", "old").unwrap();
    symlink("/run/secrets.d/4", "/run/secrets").unwrap();
    std::fs::write(
        "/run/secrets.d/age-keys.txt",
        "# generated by sops-nix at 2026-01-02T03:04:05Z\n",
    )
    .unwrap();
    std::fs::create_dir("/run/secrets.d/gpg123").unwrap();
    std::fs::write("/run/secrets.d/gpg123/secring.gpg", "x").unwrap();
    let private = std::os::unix::fs::PermissionsExt::from_mode(0o700);
    std::fs::set_permissions("/run/secrets.d/gpg123", private).unwrap();
    let run = drop_in.run(&drop_in.one());
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert_eq!(run.stdout, "modifying secret: a\n");
    assert_eq!(drop_in.names(), ["5"]);
    for name in ["age-keys.txt", "gpg123"] {
        assert!(run.stderr.contains(name), "{}", run.stderr);
    }
    Ok(())
}

pub(crate) fn s41_keys_of_the_environment_open_with_a_warning(world: &World) -> Verdict {
    let drop_in = DropIn::new(world);
    let mut manifest = drop_in.one();
    manifest["ageKeyFile"] = json!(null);
    assert_eq!(drop_in.run(&manifest).code, 22);
    let home = world.aside("home/.config/sops/age");
    std::fs::create_dir_all(&home).unwrap();
    std::fs::copy(world.src("key.txt"), world.src("given.txt")).unwrap();
    let key = world.src("given.txt");
    let run = drop_in.run_with(&manifest, |command| {
        command.env("SOPS_AGE_KEY_FILE", &key);
    });
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(
        run.stderr.contains("a key that the manifest does not name"),
        "{}",
        run.stderr
    );
    // By our own name those play no part.
    let run = world.run(&["activate", world.src("manifest.json").to_str().unwrap()]);
    assert_eq!(run.code, 22, "{}", run.stderr);
    Ok(())
}

pub(crate) fn s46_secrets_for_users_need_no_accounts_and_touch_nothing_else(
    world: &World,
) -> Verdict {
    let drop_in = DropIn::new(world);
    drop_in.tells(&drop_in.one(), "");
    // Accounts that cannot be read do not matter.
    for name in ["passwd", "group"] {
        let path = world.aside(&format!("no-{name}"));
        std::fs::create_dir(&path).unwrap();
        let target = format!("/etc/{name}");
        let status = Command::new("umount").arg(&target).status().unwrap();
        if !status.success() {
            return Err(Skip(format!("{target} cannot be unmounted")));
        }
        mount(&["--bind", "/dev/null", &target]);
    }
    let before = std::fs::read_to_string("/run/secrets/a").unwrap();
    let mut manifest = drop_in.manifest(&[drop_in.secret("hash", "k2")]);
    manifest["secretsMountPoint"] = json!("/run/secrets-for-users.d");
    manifest["symlinkPath"] = json!("/run/secrets-for-users");
    manifest["secrets"][0]["path"] = json!("/run/secrets-for-users/hash");
    manifest["secrets"][0]["owner"] = json!("alice");
    manifest["secrets"][0]["neededForUsers"] = json!(true);
    world.write_manifest(&manifest);
    let run = drop_in.run_words(&["-ignore-passwd"], |_| ());
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert_file("/run/secrets-for-users/hash", 0o400, (0, 0), "two");
    assert_file("/run/secrets-for-users.d/1", 0o751, (0, 0), "");
    assert_eq!(std::fs::read_to_string("/run/secrets/a").unwrap(), before);
    assert_eq!(link(), Path::new("/run/secrets.d/1"));
    Ok(())
}

/// A user with a runtime directory, and a program that the user can start.
struct User<'w> {
    drop_in: DropIn<'w>,
    program: PathBuf,
}

const ALICE: u32 = 1000;

impl<'w> User<'w> {
    fn new(world: &'w World) -> Self {
        let user = Self {
            drop_in: DropIn::new(world),
            program: "/run/bin/sops-install-secrets".into(),
        };
        std::fs::create_dir("/run/bin").unwrap();
        std::fs::copy(world.program(), &user.program).unwrap();
        for (path, mode) in [
            ("/run/user", 0o755),
            ("/run/user/1000", 0o700),
            ("/run/src", 0o755),
        ] {
            std::fs::create_dir(path).unwrap();
            let mode = std::os::unix::fs::PermissionsExt::from_mode(mode);
            std::fs::set_permissions(path, mode).unwrap();
        }
        std::os::unix::fs::chown("/run/user/1000", Some(ALICE), Some(ALICE)).unwrap();
        world.secrets_belong_to("/run/src");
        world.secrets_belong_to("/run/user/1000");
        user.take_sources();
        user
    }

    fn take_sources(&self) {
        for name in ["a.yaml", "key.txt"] {
            let copy = Path::new("/run/src").join(name);
            std::fs::copy(self.drop_in.world.src(name), &copy).unwrap();
            std::os::unix::fs::chown(&copy, Some(ALICE), Some(ALICE)).unwrap();
        }
    }

    fn manifest(&self) -> Value {
        let mut secrets = [
            self.drop_in.secret("a", "k1"),
            self.drop_in.secret("b", "k2"),
        ];
        secrets[0]["path"] = json!("%r/x/a");
        secrets[1]["path"] = json!("%r/100%%/b");
        for secret in &mut secrets {
            secret["sopsFile"] = json!("/run/src/a.yaml");
        }
        let mut manifest = self.drop_in.manifest(&secrets);
        manifest["ageKeyFile"] = json!("/run/src/key.txt");
        manifest["userMode"] = json!(true);
        manifest["secretsMountPoint"] = json!("%r/secrets.d");
        manifest["symlinkPath"] = json!("%r/config/secrets");
        manifest
    }

    fn run(&self, words: &[&str], runtime: Option<&str>) -> Run {
        use std::os::unix::process::CommandExt as _;
        let path = "/run/src/manifest.json";
        std::fs::write(path, self.manifest().to_string()).unwrap();
        let mut command = Command::new(&self.program);
        self.drop_in.world.prepare(command.args(words).arg(path));
        command
            .uid(ALICE)
            .gid(ALICE)
            .env("HOME", "/run/user/1000/home");
        if let Some(runtime) = runtime {
            command.env("XDG_RUNTIME_DIR", runtime);
        }
        self.drop_in.world.finish(command.spawn().unwrap())
    }
}

pub(crate) fn s45_in_user_mode_links_are_replaced_without_a_gap_and_changes_are_told(
    world: &World,
) -> Verdict {
    let user = User::new(world);
    let runtime = "/run/user/1000";
    // F27, F26, B71.
    for (words, code) in [(&[][..], 10), (&["-check-mode=manifest"], 0)] {
        for runtime in [None, Some("")] {
            let run = user.run(words, runtime);
            assert_eq!(run.code, code, "{runtime:?}: {}", run.stderr);
        }
    }
    assert!(!Path::new("/secrets.d").exists());
    let run = user.run(&["-ignore-passwd"], Some(runtime));
    assert_eq!(
        (run.code, run.stdout.as_str(), run.stderr.as_str()),
        (0, "", "")
    );
    let owner = (ALICE, ALICE);
    assert_file("/run/user/1000/secrets.d/1", 0o751, owner, "");
    for (path, name, content) in [("x/a", "a", "one"), ("100%/b", "b", "two")] {
        let path = format!("{runtime}/{path}");
        assert_file(&path, 0o400, owner, content);
        let text = std::fs::read_link(&path).unwrap();
        assert_eq!(text, Path::new(&format!("{runtime}/config/secrets/{name}")));
        assert_eq!(std::fs::symlink_metadata(&path).unwrap().uid(), ALICE);
    }
    // B30, B55: the link is there at any time, and what changed is told.
    let is_over = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(std::sync::atomic::Ordering::Relaxed) {
                assert!(std::fs::read_link("/run/user/1000/x/a").is_ok());
                assert!(std::fs::read("/run/user/1000/x/a").is_ok());
            }
        });
        for nth in 0..20 {
            user.drop_in.values(&format!("v{nth}"), "two");
            user.take_sources();
            let run = user.run(&[], Some(runtime));
            assert_eq!(run.code, 0, "{}", run.stderr);
            assert_eq!(run.stdout, "modifying secret: a\n");
        }
        is_over.store(true, std::sync::atomic::Ordering::Relaxed);
    });
    // One that others can enter is no place for secrets.
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(runtime, open).unwrap();
    let run = user.run(&[], Some(runtime));
    assert_eq!(run.code, 10, "{}", run.stderr);
    assert!(run.stderr.contains("0700"), "{}", run.stderr);
    Ok(())
}
