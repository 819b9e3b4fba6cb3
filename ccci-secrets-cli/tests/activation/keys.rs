//! Which key opens what, and how keys come onto a machine.

use serde_json::json;

use crate::fixtures::test_data;
use crate::harness::Verdict;
use crate::world::{World, mode};

pub(crate) fn s01_recipients_are_those_of_ssh_to_age(world: &World) -> Verdict {
    let pairs = std::fs::read_to_string(test_data("keys/ssh-to-age.tsv")).unwrap();
    let mut count = 0;
    for line in pairs.lines().filter(|line| !line.starts_with('#')) {
        let (ssh, age) = line.split_once('\t').unwrap();
        world.write("key.pub", format!("{ssh} root@host\n").as_bytes());
        assert_shows(world, "key.pub", age);
        count += 1;
    }
    assert_eq!(count, 4);
    // Both halves of one key, and the entry `&host` of the file that its owner wrote.
    let rules = std::fs::read_to_string(test_data("quickstart/.sops.yaml")).unwrap();
    let host = rules
        .lines()
        .find_map(|line| line.trim().strip_prefix("- &host "))
        .unwrap();
    for name in ["ssh_host_ed25519_key", "ssh_host_ed25519_key.pub"] {
        let text = std::fs::read(test_data("quickstart/keys").join(name)).unwrap();
        world.write(name, &text);
        assert_shows(world, name, host);
    }
    Ok(())
}

fn assert_shows(world: &World, name: &str, recipient: &str) {
    let path = world.src(name);
    let run = world.run(&["key", "show", "--ssh", path.to_str().unwrap()]);
    assert_eq!((run.code, run.stderr.as_str()), (0, ""));
    assert_eq!(run.stdout, format!("{recipient}\n"));
}

pub(crate) fn s06_a_key_derived_from_the_host_key_gives_the_same_files(world: &World) -> Verdict {
    let (host, key) = (world.src("host"), world.src("key.txt"));
    let (host, shown) = (host.to_str().unwrap(), key.to_str().unwrap());
    let run = world.run(&["key", "from-ssh", "--in", host, "--out", shown]);
    assert_eq!((run.code, run.stderr.as_str()), (0, ""));
    assert_eq!(run.stdout, format!("{}\n", world.host));
    assert_eq!(mode(&key), 0o600);
    let show = world.run(&["key", "show", "--in", shown]);
    assert_eq!(show.stdout, run.stdout);
    let absent = world.run(&["key", "from-ssh", "--in", "/absent", "--out", shown]);
    assert_eq!(absent.code, 20, "{}", absent.stderr);
    assert!(absent.stderr.contains("--in FILE"), "{}", absent.stderr);
    let again = world.run(&["key", "from-ssh", "-i", host, "-o", shown]);
    assert_eq!(again.code, 42, "{}", again.stderr);

    let mut manifest = world.manifest();
    manifest["ageSshKeyPaths"] = json!([]);
    manifest["ageKeyFile"] = json!("key.txt");
    let run = world.activate(&manifest);
    assert_eq!(run.code, 0, "{}", run.stderr);
    world.assert_complete();
    Ok(())
}

pub(crate) fn s07_the_recovery_key_opens_beside_a_foreign_host_key(world: &World) -> Verdict {
    world.take("stranger", "host");
    world.take("recovery.txt", "key.txt");
    let mut manifest = world.manifest();
    manifest["ageKeyFile"] = json!("key.txt");
    let run = world.activate(&manifest);
    assert_eq!(run.code, 0, "{}", run.stderr);
    world.assert_complete();
    let opened_by = &world.report()["files"][0]["opened_by"];
    assert_eq!(opened_by["recipient"], json!(world.recovery));
    assert_eq!(opened_by["kind"], json!("age-file"));
    let warnings: Vec<&str> = run
        .stderr
        .lines()
        .filter(|line| line.contains("opens nothing"))
        .collect();
    assert_eq!(warnings.len(), 1, "{}", run.stderr);
    assert!(warnings[0].contains("host"), "{}", warnings[0]);
    Ok(())
}

pub(crate) fn s08_without_any_key_everything_that_was_looked_at_is_named(world: &World) -> Verdict {
    world.take("stranger", "host");
    let mut manifest = world.manifest();
    manifest["ageKeyFile"] = json!("key.txt");
    world.write_manifest(&manifest);
    let run = world.assert_refused(20, || world.activate_again(&[]));
    assert!(run.stderr.contains("ageKeyFile"), "{}", run.stderr);

    manifest.as_object_mut().unwrap().remove("ageKeyFile");
    world.write_manifest(&manifest);
    let run = world.assert_refused(22, || world.activate_again(&[]));
    for recipient in [&world.stranger, &world.host, &world.recovery] {
        let head = &recipient[..12];
        assert!(run.stderr.contains(head), "{head}: {}", run.stderr);
    }
    Ok(())
}

pub(crate) fn s09_a_recovery_key_is_installed_once_and_silently(world: &World) -> Verdict {
    let key = world.fixtures().read("recovery.txt");
    let path = world.src("key.txt");
    let arguments = ["key", "install", "--out", path.to_str().unwrap()];
    let run = world.run_with_input(&arguments, &key);
    assert_eq!((run.code, run.stderr.as_str()), (0, ""));
    assert_eq!(run.stdout, format!("{}\n", world.recovery));
    assert_eq!(mode(&path), 0o600);
    assert!(std::fs::read(&path).unwrap() == key, "kept as it was given");

    let again = world.run_with_input(&arguments, &world.fixtures().read("other.txt"));
    assert_eq!((again.code, again.stdout.as_str()), (42, ""));
    assert!(std::fs::read(&path).unwrap() == key, "not written over");

    let elsewhere = world.src("elsewhere.txt");
    let arguments = ["key", "install", "--out", elsewhere.to_str().unwrap()];
    for text in [
        &b""[..],
        b"# nothing\n",
        b"hello\n",
        &world.fixtures().read("host"),
    ] {
        let run = world.run_with_input(&arguments, text);
        assert_eq!(run.code, 21, "{}", run.stderr);
        assert!(!elsewhere.exists(), "what is no key is not written");
    }
    Ok(())
}
