//! What git says of the files, beside real git.

use std::process::Command;

use serde_json::json;

use super::super::super::fault::WarningKind;
use super::super::super::testing::{AGE_1, Workshop, subjects};

/// Runs git in a directory of the workshop; `None`, with the reason printed, where there is none.
#[expect(
    clippy::disallowed_methods,
    reason = "the real program is what this test compares with"
)]
fn git(workshop: &Workshop, directory: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new("git")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_SYSTEM", "/dev/null")
        .env("HOME", workshop.path(""))
        .args(["-c", "user.name=n", "-c", "user.email=e@example.org"])
        .args(["-c", "protocol.file.allow=always"])
        .current_dir(workshop.path(directory))
        .args(arguments)
        .output();
    let Ok(output) = output else {
        println!("skipped: git is not installed");
        return None;
    };
    assert!(output.status.success(), "git {arguments:?}");
    Some(String::from_utf8(output.stdout).unwrap().trim().to_owned())
}

#[test]
fn the_commits_of_a_submodule_stand_in_the_provenance() {
    let workshop = Workshop::new();
    workshop.key("age-1.txt");
    workshop.seal("secrets/s.yaml", "a: canary-4711\n", &[AGE_1]);
    workshop.write("base/x", "x");
    for directory in ["secrets", "base"] {
        let init = git(&workshop, directory, &["init", "-q"]);
        if init.is_none() {
            return;
        }
        git(&workshop, directory, &["add", "."]);
        git(&workshop, directory, &["commit", "-q", "-m", "one"]);
    }
    let url = workshop.path("secrets");
    let add = ["submodule", "--quiet", "add", url.to_str().unwrap(), "sub"];
    git(&workshop, "base", &add);
    let fields = json!({"ageKeyFile": "age-1.txt", "secrets": [
        {"key": "a", "sopsFile": "base/sub/s.yaml"}]});
    let opened = workshop.open(fields.clone()).unwrap();
    assert_eq!(opened.warnings, []);
    let facts = opened.provenance[0].git.clone().unwrap();
    let head = git(&workshop, "base/sub", &["rev-parse", "HEAD"]);
    assert_eq!(facts.repository, workshop.path("base/sub"));
    assert_eq!((&facts.commit, facts.submodule), (&head, true));
    assert_eq!(facts.recorded_commit, head);
    assert!(!facts.dirty);

    let ahead = ["commit", "-q", "--allow-empty", "-m", "two"];
    git(&workshop, "base/sub", &ahead);
    workshop.seal("base/sub/s.yaml", "a: canary-4711\n", &[AGE_1]);
    let opened = workshop.open(fields).unwrap();
    let facts = opened.provenance[0].git.clone().unwrap();
    assert!(facts.dirty, "sealed anew, and not added");
    assert_eq!(facts.recorded_commit, head);
    assert_eq!(
        facts.commit,
        git(&workshop, "base/sub", &["rev-parse", "HEAD"])
    );
    let tree = workshop.path("base/sub");
    assert_eq!(
        subjects(&opened.warnings, WarningKind::WorkTree),
        [tree.to_str().unwrap()]
    );
}
