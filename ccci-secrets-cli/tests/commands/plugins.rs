//! Identities that age plugins hold: the plugin that comes with age where it is installed, and one of a few lines.

use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Stdio};

use crate::support::{PLAIN, Place, Run, key};

/// `AGE-PLUGIN-BATCHPASS-1…` and `AGE-PLUGIN-FAKE-1…`, neither with data, as age's own encoder prints them.
const BATCHPASS: &str = "AGE-PLUGIN-BATCHPASS-1JCS0Q9";
const FAKE: &str = "AGE-PLUGIN-FAKE-18YX8DC";

/// Runs age; `None`, saying so, where it or its plugin is not installed.
fn age(place: &Place, args: &[&str], input: &[u8]) -> Option<Vec<u8>> {
    use std::io::Write as _;
    let mut command = place.command("age".as_ref());
    let child = command
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn();
    let has_plugin = Command::new("age-plugin-batchpass")
        .arg("--version")
        .output()
        .is_ok();
    let (Ok(mut child), true) = (child, has_plugin) else {
        eprintln!("skipped: age and age-plugin-batchpass are not installed");
        return None;
    };
    child.stdin.take().unwrap().write_all(input).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    Some(output.stdout)
}

/// A file whose data key is wrapped by the plugin, for a recipient that names it.
fn seal_for_plugin(place: &mut Place) -> Option<()> {
    place.set("AGE_PASSPHRASE", "throw-away");
    place.set("AGE_PASSPHRASE_WORK_FACTOR", "10");
    place.write("s.yaml", PLAIN);
    place.seal("s.json", &json(place));
    let sealed = place.read_text("s.json");
    let parsed: serde_json::Value = serde_json::from_str(&sealed).unwrap();
    let entry = &parsed["sops"]["age"][0];
    let own = key("age-1.txt");
    let enc = entry["enc"].as_str().unwrap();
    let data_key = age(place, &["-d", "-i", own.to_str().unwrap()], enc.as_bytes())?;
    assert_eq!(data_key.len(), 32);
    let by_plugin = age(place, &["-e", "-a", "-j", "batchpass"], &data_key)?;
    let by_plugin = serde_json::Value::from(String::from_utf8(by_plugin).unwrap());
    // In the text: the MAC depends on the order of the values.
    let sealed = sealed
        .replace(&entry["enc"].to_string(), &by_plugin.to_string())
        .replace(
            &entry["recipient"].to_string(),
            "\"age1batchpass1qyfvwmum\"",
        );
    place.write("s.json", sealed);
    Some(())
}

fn json(place: &Place) -> String {
    place.seal("s.yaml", PLAIN);
    let json = place
        .ccsec(["decrypt", "--output-type", "json", "s.yaml"])
        .expect(0);
    json.text().to_owned()
}

fn decrypt(place: &Place) -> Run {
    place.ccsec(["decrypt", "--output-type", "yaml", "s.json"])
}

#[test]
fn what_a_real_plugin_wraps_opens_with_its_identity() {
    let mut place = Place::new();
    if seal_for_plugin(&mut place).is_none() {
        return;
    }
    decrypt(&place).expect(128).says(&["no identity matches"]);
    place.write("keys.txt", format!("# a plugin\n{BATCHPASS}\n"));
    let keys = place.path("keys.txt");
    place.set("SOPS_AGE_KEY_FILE", keys.to_str().unwrap());
    assert_eq!(decrypt(&place).expect(0).text(), PLAIN);
    if let Some(sops) = place.sops(["decrypt", "--output-type", "yaml", "s.json"], b"") {
        assert_eq!(sops.expect(0).text(), PLAIN);
    }
    place.set("AGE_PASSPHRASE", "wrong");
    decrypt(&place)
        .expect(128)
        .says(&["age-plugin-batchpass says:", "passphrase"]);
}

#[test]
fn a_plugin_is_started_only_for_what_nothing_else_opens() {
    let mut place = Place::new();
    place.seal("s.yaml", PLAIN);
    let plugin = "#!/bin/sh\ntouch started\nexit 1\n"
        .replace("started", place.path("started").to_str().unwrap());
    place.write("source", plugin);
    let executable = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(place.path("source"), executable).unwrap();
    let copied = place
        .command("cp".as_ref())
        .args(["-p", "source", "age-plugin-fake"])
        .status();
    assert!(copied.unwrap().success());
    let path = std::env::var("PATH").unwrap_or_default();
    place.set("PATH", &format!("{}:{path}", place.path("").display()));
    let own = std::fs::read_to_string(key("age-1.txt")).unwrap();
    place.write("keys.txt", format!("{FAKE}\n{own}"));
    let keys = place.path("keys.txt");
    place.set("SOPS_AGE_KEY_FILE", keys.to_str().unwrap());
    assert_eq!(place.ccsec(["decrypt", "s.yaml"]).expect(0).text(), PLAIN);
    assert!(!place.path("started").exists());
    place.write("keys.txt", FAKE);
    place
        .ccsec(["decrypt", "s.yaml"])
        .expect(128)
        .says(&["age-plugin-fake ended without an answer"]);
    assert!(place.path("started").exists());
}
