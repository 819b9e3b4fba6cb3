//! What is made on disk: numbers, links, and what gives way to them.

use std::os::unix::fs::symlink;
use std::path::Path;

use serde_json::json;

use super::{DropIn, KEYS, assert_file, link};
use crate::harness::Verdict;
use crate::world::World;

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
