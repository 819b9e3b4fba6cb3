//! NixOS: our modules and our package, evaluated by the real Nix with a library of our own, and what they build.
//!
//! The library is as much of that of nixpkgs as the modules use. `CCSEC_NIXPKGS_LIB=DIR` takes the real one instead.

#[path = "nix/evaluator.rs"]
mod evaluator;
#[path = "nix/mistakes.rs"]
mod mistakes;
#[path = "nix/unit_settings.rs"]
mod unit_settings;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::fixtures::test_data;
use crate::harness::Verdict;
use crate::machine::Machine;
use crate::world::{World, mode};
use evaluator::{Module, Nix, delivered};
use unit_settings::{Settings, of_module, of_text};

/// A host like the operator's, with one of everything; `SOPS_FILE` and `HOST_KEY` are put in.
const HOST: &str = include_str!("nix/host.nix");

/// The configuration of the host, and more of it.
fn host(world: &World, more: &str) -> String {
    let path = |name: &str| world.src(name).display().to_string();
    let host = HOST
        .replace("SOPS_FILE", &path("secrets.yaml"))
        .replace("HOST_KEY", &path("host"));
    format!("{{ imports = [ ({host}) ({more}) ]; }}")
}

pub(crate) fn s50_manifests_of_the_module_pass_the_checks_and_work(world: &World) -> Verdict {
    let nix = Nix::new(world)?;
    let host = host(world, "{ }");
    assert_eq!(nix.evaluate(Module::System, &host, "failed"), json!([]));
    let build = |attribute| {
        // The check of sops files is part of the build.
        let built = nix.build(Module::System, &host, attribute).unwrap();
        let shown = built.to_str().unwrap().to_owned();
        for mode in ["manifest", "sopsfile"] {
            let run = world.run(&["check", "--mode", mode, &shown]);
            assert_eq!(run.code, 0, "{}", run.stderr);
        }
        let text = std::fs::read(&built).unwrap();
        (shown, serde_json::from_slice::<Value>(&text).unwrap())
    };

    let (manifest, fields) = build("build.ccsec-manifest");
    let names: Vec<&str> = named(&fields["secrets"]);
    assert_eq!(
        names,
        [
            "hmac",
            "test_secret",
            "token",
            "wildcard_cert",
            "wildcard_key"
        ]
    );
    let secret = |name: &str| entry(&fields["secrets"], name);
    assert_eq!(secret("test_secret")["owner"], "proxy");
    assert_eq!(secret("test_secret")["group"], "web", "the owner's group");
    assert_eq!(secret("hmac")["key"], "bridge_webhook_hmac");
    assert_eq!(secret("hmac")["uid"], 1000);
    assert_eq!(secret("hmac")["required"], false);
    assert_eq!(secret("wildcard_cert")["key"], Value::Null);
    assert_eq!(secret("wildcard_cert")["keyPath"], json!(["wildcard_cert"]));
    assert_eq!(fields["symlinkPath"], "/run/secrets");

    let root = world.aside("root");
    let arguments = [
        "activate",
        "--ignore-passwd",
        "--root",
        root.to_str().unwrap(),
        &manifest,
    ];
    let run = world.run(&arguments);
    assert_eq!(run.code, 0, "{}", run.stderr);
    let live = root.join("var/lib/ci-certs/live/privkey.pem");
    assert!(std::fs::read(live).unwrap() == world.fixtures().value("wildcard_key"));
    let rendered = std::fs::read_to_string(root.join("etc/bridge/env")).unwrap();
    let token = String::from_utf8(world.fixtures().value("bridge_drone_token")).unwrap();
    assert!(rendered == format!("TOKEN={token}\n"), "the template");

    let (_, early) = build("build.ccsec-manifest-for-users");
    assert_eq!(named(&early["secrets"]), ["drone_rpc_secret"]);
    assert_eq!(early["symlinkPath"], "/run/secrets-for-users");
    assert_eq!(early["templates"], json!([]));
    Ok(())
}

fn named(entries: &Value) -> Vec<&str> {
    let entries = entries.as_array().unwrap();
    entries
        .iter()
        .map(|entry| entry["name"].as_str().unwrap())
        .collect()
}

fn entry<'a>(entries: &'a Value, name: &str) -> &'a Value {
    let entries = entries.as_array().unwrap();
    entries.iter().find(|entry| entry["name"] == name).unwrap()
}

pub(crate) fn s50_a_build_fails_where_the_check_does(world: &World) -> Verdict {
    let nix = Nix::new(world)?;
    let missing = "{ services.ccsec.secrets.nobody_wrote_this = { }; }";
    let told = nix
        .build(
            Module::System,
            &host(world, missing),
            "build.ccsec-manifest",
        )
        .unwrap_err();
    assert!(told.contains("nobody_wrote_this"), "{told}");
    // Without a look into the files, that is for activation to find.
    let unseen =
        format!("{{ imports = [ ({missing}) ]; services.ccsec.validateSopsFiles = false; }}");
    let built = nix.build(
        Module::System,
        &host(world, &unseen),
        "build.ccsec-manifest",
    );
    assert!(built.is_ok(), "{built:?}");
    Ok(())
}

pub(crate) fn s50_mistakes_are_named_before_anything_is_built(world: &World) -> Verdict {
    let nix = Nix::new(world)?;
    for (more, messages) in mistakes::OF_A_HOST {
        let told = nix.evaluate(Module::System, &host(world, more), "failed");
        let told: Vec<&str> = told
            .as_array()
            .unwrap()
            .iter()
            .map(|message| message.as_str().unwrap())
            .collect();
        assert_eq!(told.len(), messages.len(), "{more}: {told:#?}");
        for message in *messages {
            assert!(
                told.iter().any(|told| told.contains(message)),
                "{message}: {told:#?}"
            );
        }
    }
    for (more, message) in mistakes::OF_TYPE {
        let told = nix.refusal(Module::System, &host(world, more), "build.ccsec-manifest");
        assert!(told.contains(message), "{more}: {told}");
    }
    Ok(())
}

pub(crate) fn s50_manifests_of_sops_nix_pass_as_in_its_build(world: &World) -> Verdict {
    let nix = Nix::new(world)?;
    // The package has the name that `sops.package` and `sops.validationPackage` are asked for.
    let program = nix.package().join("bin/sops-install-secrets");
    world.write("app.conf.in", b"text");
    let mut count = 0;
    for entry in std::fs::read_dir(test_data("activation")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension() != Some("json".as_ref()) {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        // The template source is in nobody's store.
        let text = text.replace(
            "/nix/store/00000000000000000000000000000000-app.conf.in",
            world.src("app.conf.in").to_str().unwrap(),
        );
        std::fs::write(world.src("manifest.json"), text).unwrap();
        let mut command = Command::new(&program);
        world.prepare(
            command
                .arg("-check-mode=manifest")
                .arg(world.src("manifest.json")),
        );
        let run = world.finish(command.spawn().unwrap());
        assert_eq!(run.code, 0, "{}: {}", path.display(), run.stderr);
        count += 1;
    }
    assert_eq!(count, 15);
    Ok(())
}

pub(crate) fn s50_units_are_those_that_the_program_prints(world: &World) -> Verdict {
    let nix = Nix::new(world)?;
    let variants = [
        "{ }",
        "{ services.ccsec.useTmpfs = true; }",
        "{ services.ccsec.mount = \"none\"; }",
        "{ services.ccsec.secrets.hmac.path = \"/tmp/hmac\"; }",
        "{ services.ccsec.secrets.hmac = { path = \"/srv/a b/%c\"; dirMode = \"750\"; dirOwner = \"proxy\"; }; }",
        "{ services.ccsec.age.keyFile = \"/persist/key.txt\"; }",
    ];
    for more in variants {
        compare_units(world, &nix, more);
    }
    let host = host(world, GIVES_A_CREDENTIAL);
    let ours = nix.evaluate(Module::System, &host, "systemd");
    for (kind, text) in [
        (
            "service",
            include_str!("../../dist/systemd/ccsec-creds.service"),
        ),
        (
            "socket",
            include_str!("../../dist/systemd/ccsec-creds.socket"),
        ),
    ] {
        let lines = text
            .lines()
            .filter(|line| !line.is_empty() && !line.starts_with('#'));
        let mut shipped = of_text(&lines.map(str::to_owned).collect::<Vec<_>>());
        let mut ours = of_module(&ours[format!("{kind}s")]["ccsec-creds"]);
        for unit in [&mut shipped, &mut ours] {
            unit.values_mut()
                .for_each(|section| drop(section.remove("ExecStart")));
        }
        assert_eq!(ours, shipped, "{kind}");
    }
    Ok(())
}

const GIVES_A_CREDENTIAL: &str = r#"{
    services.ccsec.credentials = [
      { unit = "reader.service"; name = "mine"; secret = "test_secret"; }
    ];
}"#;

fn compare_units(world: &World, nix: &Nix<'_>, more: &str) {
    let more = format!(
        r#"{{ lib, ... }}: {{ imports = [ ({more}) ]; services.userborn.enable = true;
        services.ccsec.age.sshKeyPaths = lib.mkForce [ "/etc/ssh/ssh_host_ed25519_key" ]; }}"#
    );
    let host = host(world, &more);
    let found = nix.evaluate(Module::System, &host, "systemd");
    let mut lines: BTreeSet<String> = BTreeSet::new();
    for (service, manifest) in [
        ("ccsec-activate", "build.ccsec-manifest"),
        ("ccsec-activate-for-users", "build.ccsec-manifest-for-users"),
    ] {
        let printed = printed_units(world, &nix.build(Module::System, &host, manifest).unwrap());
        let file = format!("/etc/systemd/system/{service}.service");
        let wanted = on_nixos(service, of_text(&printed[&file]), &printed);
        let mut ours = of_module(&found["services"][service]);
        let command = ours.get_mut("Service").unwrap();
        for name in ["ExecStart", "ExecReload"] {
            let text = command.remove(name).unwrap().pop_first().unwrap();
            let program = format!("{}/bin/ccsec activate ", nix.package().display());
            assert!(text.starts_with(&program), "{text}");
        }
        assert_eq!(ours, wanted, "{service} of {more}");

        let mounts = printed.iter().filter(|(path, _)| path.ends_with(".mount"));
        for (path, mount) in mounts {
            let mount = of_text(mount);
            let place = &mount["Mount"]["Where"];
            let all = found["mounts"].as_array().unwrap();
            let ours = all
                .iter()
                .find(|ours| place.contains(ours["where"].as_str().unwrap()));
            assert_eq!(of_module(ours.unwrap()), mount, "{path} of {more}");
        }
        let tmpfiles = &printed[&format!("/etc/tmpfiles.d/{service}.conf")];
        lines.extend(tmpfiles.iter().cloned());
    }
    let ours: BTreeSet<String> =
        serde_json::from_value(found["tmpfiles"]["rules"].clone()).unwrap();
    assert_eq!(ours, lines, "{more}");
}

/// What the program prints for a manifest that lies in the store, as on a machine where that is not below `/tmp`.
fn printed_units(world: &World, manifest: &Path) -> BTreeMap<String, Vec<String>> {
    let text = std::fs::read_to_string(manifest).unwrap();
    let store = manifest.parent().unwrap().to_str().unwrap();
    let root = world.aside("machine");
    let place = root.join("nix/store/manifest.json");
    std::fs::create_dir_all(place.parent().unwrap()).unwrap();
    std::fs::write(&place, text.replace(store, "/nix/store")).unwrap();
    let arguments = ["systemd-unit", "--program", "/nix/store/ccsec", "--root"];
    let run = world.run(
        &[
            &arguments[..],
            &[root.to_str().unwrap(), place.to_str().unwrap()],
        ]
        .concat(),
    );
    assert_eq!(run.code, 0, "{}", run.stderr);
    unit_settings::printed(&run.stdout.replace(root.to_str().unwrap(), ""))
}

/// What is different on NixOS, each for the reason that stands beside it in `units.nix`.
fn on_nixos(
    service: &str,
    mut unit: Settings,
    printed: &BTreeMap<String, Vec<String>>,
) -> Settings {
    let is_early = service.ends_with("for-users");
    let section = unit.get_mut("Service").unwrap();
    section.remove("ExecStart");
    section.remove("ExecReload");
    if is_early {
        section.remove("X-ReloadIfChanged");
    }
    let needed = unit
        .get_mut("Unit")
        .unwrap()
        .get_mut("RequiresMountsFor")
        .unwrap();
    needed.retain(|path| !path.starts_with("/nix/store"));
    unit_settings::add(&mut unit, "Unit", "X-StopOnRemoval", "false");
    if is_early {
        let install = unit.get_mut("Install").unwrap();
        install.remove("RequiredBy");
        install
            .get_mut("WantedBy")
            .unwrap()
            .remove("systemd-sysusers.service");
        for wanting in ["ccsec-secrets.target", "userborn.service"] {
            unit_settings::add(&mut unit, "Install", "WantedBy", wanting);
        }
        return unit;
    }
    unit_settings::add(
        &mut unit,
        "Install",
        "RequiredBy",
        "sysinit-reactivation.target",
    );
    // What additions to other units say, from the other side.
    let suffix = format!(".d/50-{service}.conf");
    for path in printed.keys() {
        if let Some(consumer) = path.strip_suffix(&suffix) {
            let consumer = consumer.rsplit_once('/').unwrap().1;
            unit_settings::add(&mut unit, "Install", "RequiredBy", consumer);
            unit_settings::add(&mut unit, "Unit", "Before", consumer);
        }
    }
    unit
}

pub(crate) fn s50_units_of_the_module_work_in_a_boot(world: &World) -> Verdict {
    let nix = Nix::new(world)?;
    let machine = Machine::new()?;
    let more = r#"{ lib, ... }: {
        services.ccsec.age.sshKeyPaths = lib.mkForce [ "/etc/ssh/ssh_host_ed25519_key" ];
        services.ccsec.secrets.test_secret.owner = lib.mkForce "root";
    }"#;
    let more = format!("{{ imports = [ ({more}) ({GIVES_A_CREDENTIAL}) ]; }}");
    let host = host(world, &more);
    let built = nix.build(Module::System, &host, "build.ccsec-manifest");
    let text = std::fs::read_to_string(built.unwrap()).unwrap();
    let mut manifest: Value = serde_json::from_str(&text).unwrap();
    for secret in manifest["secrets"].as_array_mut().unwrap() {
        secret["sopsFile"] = "secrets.yaml".into();
    }
    machine.write("/etc/ccsec/manifest.json", manifest.to_string());
    let fixtures = world.fixtures();
    machine.write("/etc/ccsec/secrets.yaml", fixtures.read("secrets.yaml"));
    machine.write_private("/etc/ssh/ssh_host_ed25519_key", fixtures.read("host"));
    machine.install_program();
    let systemd = nix.evaluate(Module::System, &host, "systemd");
    install_units(&machine, &systemd);
    machine.write(
        "/etc/systemd/system/proxy.service",
        "[Service]\nExecStart=/usr/bin/sleep inf\n",
    );
    for (name, credential) in [("reader", "mine"), ("thief", "mine")] {
        let text = format!(
            "[Service]\nType=oneshot\nDynamicUser=yes\nLoadCredential={credential}:/run/ccsec/creds.sock
ExecStart=/bin/sh -c 'sha256sum <$CREDENTIALS_DIRECTORY/{credential}'\n"
        );
        machine.write(&format!("/etc/systemd/system/{name}.service"), text);
    }
    let told = machine.boot_and_succeed(
        "systemctl start ccsec-secrets.target
        systemctl is-active ccsec-activate.service ccsec-secrets.target run-secrets.d.mount
        systemctl show -p Requires -p After proxy.service | grep -c ccsec-activate.service
        systemctl start proxy.service; pid=$(systemctl show -P MainPID proxy.service)
        systemctl reload ccsec-activate.service
        test $pid = $(systemctl show -P MainPID proxy.service)
        sha256sum </var/lib/ci-certs/live/privkey.pem
        cat /etc/bridge/env >/dev/null
        systemctl start ccsec-creds.socket reader.service
        ! systemctl start thief.service
        systemctl show -P ExecMainStatus thief.service
        journalctl -u reader.service --no-pager",
    );
    assert!(told.starts_with("active\nactive\nactive\n2\n"), "{told}");
    assert!(told.contains("\n243\n"), "{told}");
    for name in ["wildcard_key", "test_secret"] {
        let digest = ccci_secrets::digest::sha256(&fixtures.value(name));
        assert!(told.contains(&ccci_secrets::digest::hex(&digest)), "{name}");
    }
    Ok(())
}

/// What NixOS makes of units: files, and links for those that want and require them.
fn install_units(machine: &Machine, systemd: &Value) {
    let directory = "/etc/systemd/system";
    let install = |name: String, unit: &Value| {
        let mut settings = of_module(unit);
        for section in settings.values_mut() {
            for command in ["ExecStart", "ExecReload"] {
                if let Some(values) = section.get_mut(command) {
                    *values = values.iter().map(|text| on_the_machine(text)).collect();
                }
            }
        }
        for (field, suffix) in [("WantedBy", "wants"), ("RequiredBy", "requires")] {
            let units = settings.get("Install").and_then(|it| it.get(field));
            for other in units.into_iter().flatten() {
                let links = machine.path(&format!("{directory}/{other}.{suffix}"));
                std::fs::create_dir_all(&links).unwrap();
                std::os::unix::fs::symlink(format!("../{name}"), links.join(&name)).unwrap();
            }
        }
        settings.remove("Install");
        machine.write(
            &format!("{directory}/{name}"),
            unit_settings::to_text(&settings),
        );
    };
    for (kind, field) in [
        ("service", "services"),
        ("socket", "sockets"),
        ("target", "targets"),
    ] {
        for (name, unit) in systemd[field].as_object().unwrap() {
            install(format!("{name}.{kind}"), unit);
        }
    }
    for mount in systemd["mounts"].as_array().unwrap() {
        let place = mount["where"].as_str().unwrap();
        install(
            format!("{}.mount", place.trim_start_matches('/').replace('/', "-")),
            mount,
        );
    }
    let rules: Vec<String> = serde_json::from_value(systemd["tmpfiles"]["rules"].clone()).unwrap();
    machine.write("/etc/tmpfiles.d/nixos.conf", rules.join("\n") + "\n");
}

/// A command of a unit with program and manifest where the machine has them.
fn on_the_machine(command: &str) -> String {
    let words: Vec<&str> = command.split(' ').collect();
    let [_, between @ .., _] = &words[..] else {
        panic!("{command}")
    };
    format!(
        "/usr/bin/ccsec {} /etc/ccsec/manifest.json",
        between.join(" ")
    )
}

pub(crate) fn s50_without_units_the_activation_script_makes_the_secrets(world: &World) -> Verdict {
    let nix = Nix::new(world)?;
    let more = r#"{ lib, ... }: {
        services.ccsec.useSystemdActivation = false;
        services.ccsec.age.keyFile = "/var/lib/ccsec/it's a key.txt";
        services.ccsec.age.generateKey = true;
        services.ccsec.secrets.test_secret.owner = lib.mkForce "root";
    }"#;
    let host = host(world, more);
    assert_eq!(nix.evaluate(Module::System, &host, "failed"), json!([]));
    let services = nix.evaluate(Module::System, &host, "systemd.services");
    assert_eq!(services, json!({}));
    let scripts = nix.evaluate(Module::System, &host, "system.activationScripts");
    let order = in_order(&scripts);
    assert_eq!(order, ["ccsecKey", "ccsecForUsers", "users", "ccsec"]);
    for name in ["build.ccsec-manifest", "build.ccsec-manifest-for-users"] {
        nix.build(Module::System, &host, name).unwrap();
    }

    let text: String = order
        .iter()
        .filter(|name| **name != "users")
        .map(|name| scripts[*name]["text"].as_str().unwrap())
        .collect();
    for run in ["first", "second"] {
        let mut command = Command::new("bash");
        world.prepare(command.args(["-euc", &text]));
        let run_result = world.finish(command.spawn().unwrap());
        assert_eq!(run_result.code, 0, "{run}: {}", run_result.stderr);
    }
    assert_eq!(mode(Path::new("/var/lib/ccsec/it's a key.txt")), 0o600);
    world.assert_value("test_secret", &world.fixtures().value("test_secret"));
    let early = std::fs::read("/run/secrets-for-users/drone_rpc_secret").unwrap();
    assert!(early == world.fixtures().value("drone_rpc_secret"));
    // The search for leaks knows neither of them.
    std::fs::remove_dir_all("/var/lib/ccsec").unwrap();
    let gone = Command::new("umount")
        .arg("/run/secrets-for-users.d")
        .status();
    assert!(gone.unwrap().success());
    Ok(())
}

/// Ours among the parts of the activation script and those that they name, each behind what it depends on.
fn in_order(scripts: &Value) -> Vec<&str> {
    fn visit<'a>(scripts: &'a Value, name: &'a str, order: &mut Vec<&'a str>) {
        if scripts[name].is_null() || order.contains(&name) {
            return;
        }
        for before in scripts[name]["deps"].as_array().unwrap() {
            visit(scripts, before.as_str().unwrap(), order);
        }
        order.push(name);
    }
    let mut order = Vec::new();
    for name in scripts.as_object().unwrap().keys() {
        visit(scripts, name, &mut order);
    }
    order
}

pub(crate) fn s50_a_home_has_its_secrets_in_the_runtime_directory(world: &World) -> Verdict {
    let nix = Nix::new(world)?;
    let home = format!(
        r#"{{ config, ... }}: {{
            services.ccsec = {{
                defaultSopsFile = {};
                age.sshKeyPaths = [ "{}" ];
                environment.NAME = "50% of \"it\"";
                secrets.test_secret.path = "%r/token";
                templates.config.content = config.services.ccsec.placeholder.test_secret;
            }};
        }}"#,
        world.src("secrets.yaml").display(),
        world.src("host").display(),
    );
    assert_eq!(nix.evaluate(Module::Home, &home, "failed"), json!([]));
    let service = nix.evaluate(Module::Home, &home, "systemd.user.services.ccsec.Service");
    assert_eq!(service["Environment"], json!([r#""NAME=50%% of \"it\"""#]));
    let command = service["ExecReload"].as_str().unwrap();
    let manifest = command.rsplit_once(' ').unwrap().1;
    nix.build(Module::Home, &home, "services.ccsec.manifest")
        .unwrap();
    let run = world.run(&["check", "--mode", "sopsfile", manifest]);
    assert_eq!(run.code, 0, "{}", run.stderr);

    let (runtime, config) = (world.aside("runtime"), world.aside("root"));
    for directory in [&runtime, &config] {
        std::fs::create_dir(directory).unwrap();
        let private = std::os::unix::fs::PermissionsExt::from_mode(0o700);
        std::fs::set_permissions(directory, private).unwrap();
    }
    // As the user's service runs it.
    let text = std::fs::read_to_string(manifest).unwrap();
    let text = text.replace("/home/alice", config.to_str().unwrap());
    std::fs::write(world.src("home.json"), text).unwrap();
    let mut command = world.command(&["activate", world.src("home.json").to_str().unwrap()]);
    let run = world.finish(command.env("XDG_RUNTIME_DIR", &runtime).spawn().unwrap());
    assert_eq!(run.code, 0, "{}", run.stderr);
    let value = world.fixtures().value("test_secret");
    assert!(std::fs::read(runtime.join("token")).unwrap() == value);
    let rendered = config.join(".config/ccsec/secrets/rendered/config");
    assert!(std::fs::read(rendered).unwrap() == value);
    // The search for leaks does not know it.
    std::fs::remove_dir_all(runtime).unwrap();
    Ok(())
}

pub(crate) fn the_configuration_of_the_manual_is_one(world: &World) -> Verdict {
    let nix = Nix::new(world)?;
    let configurations = crate::manual::blocks("nix");
    assert_eq!(configurations.len(), 1);
    let path = world.src("secrets.yaml");
    let configuration = format!(
        "({})",
        configurations[0].replace("./secrets/secrets.yaml", path.to_str().unwrap())
    );
    let failed = nix.evaluate(Module::System, &configuration, "failed");
    assert_eq!(failed, json!([]));
    let built = nix.build(Module::System, &configuration, "build.ccsec-manifest");
    assert!(built.is_ok(), "{built:?}");
    Ok(())
}

pub(crate) fn s50_the_package_is_made_of_what_is_here(world: &World) -> Verdict {
    let nix = Nix::new(world)?;
    let package = nix.evaluate(Module::System, "{ }", "package");
    assert_eq!(package["version"], env!("CARGO_PKG_VERSION"));
    let sources: Vec<PathBuf> = serde_json::from_value(package["sources"].clone()).unwrap();
    for source in &sources {
        assert!(source.exists(), "{}", source.display());
    }
    // Every crate and every target that cargo asks for is among the sources.
    let metadata = Command::new(env!("CARGO"))
        .args([
            "metadata",
            "--format-version",
            "1",
            "--no-deps",
            "--offline",
        ])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    let metadata: Value = serde_json::from_slice(&metadata.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    let targets = packages.iter().flat_map(|package| {
        let targets = package["targets"].as_array().unwrap().iter();
        let files = targets.map(|target| &target["src_path"]);
        files.chain([&package["manifest_path"]])
    });
    for file in targets {
        let file = Path::new(file.as_str().unwrap());
        assert!(
            sources.iter().any(|source| file.starts_with(source)),
            "{} is not among the sources",
            file.display()
        );
    }

    let out = world.aside("out");
    std::fs::create_dir_all(out.join("bin")).unwrap();
    std::fs::copy(world.program(), out.join("bin/ccsec")).unwrap();
    let mut command = Command::new("bash");
    let script = package["postInstall"].as_str().unwrap();
    world.prepare(command.args(["-euc", script]));
    command.env("out", &out);
    let run = world.finish(command.spawn().unwrap());
    assert_eq!(run.code, 0, "{}", run.stderr);
    for made in [
        "share/man/man1/ccsec-key-show.1",
        "share/bash-completion/completions/ccsec",
        "share/zsh/site-functions/_ccsec",
        "share/fish/vendor_completions.d/ccsec.fish",
    ] {
        let text = std::fs::read_to_string(out.join(made)).unwrap();
        assert!(text.contains("ccsec"), "{made}");
    }
    let mut command = Command::new(out.join("bin/sops-install-secrets"));
    world.prepare(command.arg("-help"));
    let run = world.finish(command.spawn().unwrap());
    assert!(run.stderr.contains("-check-mode"), "{}", run.stderr);
    Ok(())
}

pub(crate) fn s50_the_flake_offers_package_and_modules(world: &World) -> Verdict {
    let nix = Nix::new(world)?;
    // As a flake in a directory of a repository is taken: with everything around it.
    let repository = world.aside("repository");
    let directory = "ccci-secrets-cli/dist/nix";
    std::fs::create_dir_all(repository.join(directory)).unwrap();
    let top = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    std::fs::copy(top.join("Cargo.toml"), repository.join("Cargo.toml")).unwrap();
    for entry in std::fs::read_dir(delivered("")).unwrap() {
        let path = entry.unwrap().path();
        let copy = repository.join(directory).join(path.file_name().unwrap());
        std::fs::copy(path, copy).unwrap();
    }
    for arguments in [&["init", "--quiet"][..], &["add", "."]] {
        let status = Command::new("git")
            .arg("-C")
            .arg(&repository)
            .args(arguments)
            .status();
        assert!(status.unwrap().success(), "git {arguments:?}");
    }
    let flake = format!("git+file://{}?dir={directory}", repository.display());
    let stub = format!("path:{}", evaluator::stub("").display());
    let offered = |attribute: &str, question: &str| {
        let mut command = nix.command("nix");
        command
            .args(["eval", "--json", "--no-write-lock-file"])
            .args(["--override-input", "nixpkgs", &stub])
            .args(["--apply", question])
            .arg(format!("{flake}#{attribute}"));
        let output = command.output().unwrap();
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{attribute}: {told}");
        serde_json::from_slice::<Value>(&output.stdout).unwrap()
    };
    let packages = offered(
        "packages.x86_64-linux",
        "builtins.mapAttrs (_: it: it.name)",
    );
    let name = concat!("ccsec-", env!("CARGO_PKG_VERSION"));
    let expected = json!({"ccsec": name, "ccsec-static": name, "default": name});
    assert_eq!(packages, expected);
    for modules in ["nixosModules", "homeModules"] {
        let found = offered(modules, "builtins.mapAttrs (_: builtins.pathExists)");
        assert_eq!(found, json!({"ccsec": true, "default": true}));
    }
    let overlay = offered("overlays", "it: builtins.attrNames (it.default { } { })");
    assert_eq!(overlay, json!(["ccsec"]));
    let checks = offered("checks.aarch64-linux", "builtins.attrNames");
    assert_eq!(checks, json!(["ccsec"]));
    Ok(())
}
