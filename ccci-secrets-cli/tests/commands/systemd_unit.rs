//! `systemd-unit` writes files below a root, and only over its own.

use std::process::Command;

use crate::support::Place;

const UNITS: &str = "root/etc/systemd/system";

fn manifest(path: &str, unit: &str) -> String {
    format!(
        r#"{{"secretsMountPoint": "/run/secrets.d", "symlinkPath": "/run/secrets", "ageKeyFile": "/etc/ccsec/key.txt",
        "secrets": [{{"name": "a", "key": "a", "mode": "0400", "format": "yaml", "sopsFile": "s.yaml",
        "path": "{path}", "restartUnits": ["{unit}"]}}]}}"#
    )
}

fn with_manifest(text: &str) -> Place {
    let place = Place::new();
    std::fs::create_dir_all(place.path("root/etc/ccsec")).unwrap();
    place.write("root/etc/ccsec/manifest.json", text);
    place
}

fn install<'a>(more: &[&'a str]) -> Vec<&'a str> {
    let mut words = vec!["systemd-unit", "--install", "--root", "root"];
    words.extend([
        "--program",
        "/usr/bin/ccsec",
        "root/etc/ccsec/manifest.json",
    ]);
    words.extend(more);
    words
}

#[test]
fn nothing_is_installed_below_a_root_that_is_not_there() {
    let place = with_manifest(&manifest("/srv/a/key", "proxy.service"));
    let mut words = install(&[]);
    words[3] = "roto";
    place.ccsec(words).expect(2).says(&[
        "--root: there is no directory",
        "roto",
        "hint: name the directory",
    ]);
    assert!(!place.path("roto").exists());
}

#[test]
fn installing_twice_changes_nothing_and_what_left_the_manifest_goes() {
    let place = with_manifest(&manifest("/srv/a/key", "proxy.service"));
    let first = place
        .ccsec(install(&[]))
        .expect(0)
        .says(&["next: systemctl --root=", "enable ccsec-activate.service"]);
    assert_eq!(
        first.text().matches("wrote ").count(),
        5,
        "{}",
        first.text()
    );
    let service = place.read_text("root/etc/systemd/system/ccsec-activate.service");
    assert!(service.contains("ExecStart=/usr/bin/ccsec activate /etc/ccsec/manifest.json\n"));

    let second = place.ccsec(install(&[])).expect(0);
    assert_eq!(
        second.text().matches("unchanged ").count(),
        5,
        "{}",
        second.text()
    );

    place.write(
        "root/etc/ccsec/manifest.json",
        manifest("/srv/b/key", "shop.service"),
    );
    std::fs::write(
        place.path(&format!("{UNITS}/proxy.service.d/mine.conf")),
        "[Unit]\n",
    )
    .unwrap();
    let third = place.ccsec(install(&[])).expect(0);
    assert!(
        third
            .text()
            .contains("proxy.service.d/50-ccsec-activate.conf\n")
    );
    assert!(
        !place
            .path(&format!("{UNITS}/proxy.service.d/50-ccsec-activate.conf"))
            .exists()
    );
    assert!(
        place
            .path(&format!("{UNITS}/proxy.service.d/mine.conf"))
            .exists()
    );
    assert!(
        place
            .path(&format!("{UNITS}/shop.service.d/50-ccsec-activate.conf"))
            .exists()
    );
}

#[test]
fn files_of_others_are_left_alone_and_nothing_is_written_beside_them() {
    let place = with_manifest(&manifest("/srv/a/key", "proxy.service"));
    std::fs::create_dir_all(place.path(UNITS)).unwrap();
    let service = format!("{UNITS}/ccsec-activate.service");
    place.write(&service, "[Service]\n");
    place.ccsec(install(&[])).expect(42).says(&[
        "was made by somebody else",
        "nothing was written",
        "--force",
    ]);
    assert_eq!(std::fs::read_dir(place.path(UNITS)).unwrap().count(), 1);
    let forced = place.ccsec(install(&["--force"])).expect(0);
    assert!(forced.text().contains("replaced "), "{}", forced.text());

    std::fs::remove_file(place.path(&service)).unwrap();
    std::os::unix::fs::symlink("/dev/null", place.path(&service)).unwrap();
    place
        .ccsec(install(&["--force"]))
        .expect(42)
        .says(&["masked", "systemctl unmask"]);
}

#[test]
fn a_second_manifest_needs_a_second_name() {
    let place = with_manifest(&manifest("/srv/a/key", "proxy.service"));
    place.ccsec(install(&[])).expect(0);
    place.write(
        "root/etc/ccsec/other.json",
        manifest("/srv/a/key", "proxy.service"),
    );
    let other = |more: &[&'static str]| {
        let mut words = install(more);
        words.retain(|word| *word != "root/etc/ccsec/manifest.json");
        words.push("root/etc/ccsec/other.json");
        words
    };
    place
        .ccsec(other(&[]))
        .expect(42)
        .says(&["belongs to another manifest", "--name"]);
}

#[test]
fn a_manifest_with_a_fault_and_paths_that_no_unit_can_have_get_no_units() {
    let place = with_manifest("{}");
    place
        .ccsec(install(&[]))
        .expect(10)
        .says(&["/secretsMountPoint: is missing"]);
    place.write(
        "root/etc/ccsec/manifest.json",
        manifest("/srv/a\\nb/key", "proxy.service"),
    );
    place
        .ccsec(install(&[]))
        .expect(10)
        .says(&["control characters"]);
    place
        .ccsec(install(&["--name", "a b"]))
        .expect(2)
        .says(&["a b.service"]);
    assert!(!place.path(UNITS).exists());
}

// The name of the unit has to be the one that systemd looks for.
#[test]
fn mount_units_have_the_names_that_systemd_gives_them() {
    for path in ["/run/secrets.d", "/run/a b-c\\\\d/ü.d", "/.hidden/50%"] {
        let place =
            with_manifest(&manifest("/srv/a/key", "proxy.service").replace("/run/secrets.d", path));
        let path = path.replace("\\\\", "\\");
        let asked = Command::new("systemd-escape")
            .args(["--path", "--suffix=mount", &path])
            .output();
        let Ok(asked) = asked else {
            eprintln!("SKIPPED: systemd-escape cannot be started");
            return;
        };
        let name = String::from_utf8(asked.stdout).unwrap();
        place.ccsec(install(&[])).expect(0);
        assert!(place.path(UNITS).join(name.trim()).exists(), "{name}");
    }
}

#[test]
fn without_install_everything_is_printed_and_nothing_written() {
    let place = with_manifest(&manifest("/srv/a/key", "proxy.service"));
    let mut words = install(&[]);
    words.retain(|word| *word != "--install");
    let printed = place.ccsec(words).expect(0);
    for name in [
        "ccsec-activate.service",
        "run-secrets.d.mount",
        "tmpfiles.d/ccsec-activate.conf",
        "50-ccsec-activate.conf",
    ] {
        assert!(
            printed.text().contains(&format!("{name}\n# Made by")),
            "{name}"
        );
    }
    assert!(!place.path(UNITS).exists());
}

fn with_credentials() -> Place {
    let entry =
        r#""credentials": [{"unit": "web.service", "name": "token", "secret": "a"}], "secrets""#;
    let text = manifest("/srv/a/key", "proxy.service").replacen("\"secrets\"", entry, 1);
    with_manifest(&text)
}

// The package has the files, for those who make no units.
#[test]
fn what_gives_out_credentials_is_what_the_package_has() {
    let place = with_credentials();
    let installed = place
        .ccsec(install(&[]))
        .expect(0)
        .says(&["enable ccsec-activate.service ccsec-creds.socket"]);
    assert!(installed.text().contains("wrote "), "{}", installed.text());
    for (name, shipped) in [
        (
            "ccsec-creds.socket",
            include_str!("../../dist/systemd/ccsec-creds.socket"),
        ),
        (
            "ccsec-creds.service",
            include_str!("../../dist/systemd/ccsec-creds.service"),
        ),
    ] {
        let made = place.read_text(&format!("{UNITS}/{name}"));
        assert_eq!(made.split_once('\n').unwrap().1, shipped, "{name}");
    }
    let addition = place.read_text(&format!("{UNITS}/web.service.d/50-ccsec-activate.conf"));
    assert!(addition.contains("LoadCredential=token:/run/ccsec/creds.sock\n"));
}

#[test]
fn what_gives_out_credentials_belongs_to_one_manifest_and_goes_with_the_field() {
    let place = with_credentials();
    place.ccsec(install(&[])).expect(0);
    place
        .ccsec(install(&["--name", "other"]))
        .expect(42)
        .says(&["ccsec-creds.socket: belongs to another manifest"]);
    let enabled = place.path(&format!("{UNITS}/sockets.target.wants/ccsec-creds.socket"));
    std::fs::create_dir_all(enabled.parent().unwrap()).unwrap();
    std::os::unix::fs::symlink("../ccsec-creds.socket", &enabled).unwrap();

    place.write(
        "root/etc/ccsec/manifest.json",
        manifest("/srv/a/key", "proxy.service"),
    );
    let told = place.ccsec(install(&[])).expect(0);
    assert_eq!(
        told.text().matches("removed ").count(),
        3,
        "{}",
        told.text()
    );
    assert!(!place.path(&format!("{UNITS}/ccsec-creds.socket")).exists());
    assert!(!enabled.is_symlink());
}

#[test]
fn where_no_systemd_runs_the_files_are_written_and_wait() {
    let user = manifest("/srv/a/key", "proxy.service")
        .replacen('{', "{\"userMode\": true,", 1)
        .replace("/run/secrets", "%r/secrets");
    let place = with_manifest(&user);
    let words = ["systemd-unit", "--install", "--unit-dir", "units"];
    let told = place
        .ccsec(words.into_iter().chain(["root/etc/ccsec/manifest.json"]))
        .expect(0);
    assert!(place.path("units/ccsec-activate.service").exists());
    let runs = std::path::Path::new("/run/systemd/system").exists();
    let warned = told.err.contains("systemd does not run here");
    assert_eq!(warned, !runs, "{}", told.err);
}
