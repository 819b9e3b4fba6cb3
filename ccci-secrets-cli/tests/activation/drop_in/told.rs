//! What is told: changes, units, and a rehearsal of both.

use std::path::Path;

use serde_json::{Value, json};

use super::{DropIn, assert_file, link};
use crate::harness::Verdict;
use crate::units::Systemctl;
use crate::world::World;

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
