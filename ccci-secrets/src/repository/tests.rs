#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::*;

/// A directory with repositories that real git made.
struct Place {
    directory: tempfile::TempDir,
}

impl Place {
    /// None, with the reason printed, where there is no git.
    fn new() -> Option<Self> {
        let directory = tempfile::tempdir().unwrap();
        let place = Self { directory };
        if place.command().arg("--version").output().is_err() {
            println!("skipped: git is not installed");
            return None;
        }
        Some(place)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().canonicalize().unwrap().join(name)
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "the real program is what these tests compare with"
    )]
    fn command(&self) -> Command {
        let mut command = Command::new("git");
        command
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_CONFIG_SYSTEM", "/dev/null")
            .env("HOME", self.directory.path())
            .args(["-c", "user.name=n", "-c", "user.email=e@example.org"])
            .args(["-c", "protocol.file.allow=always"])
            .args(["-c", "init.defaultBranch=main"]);
        command
    }

    /// Runs git in a directory below the place; its output without the last line end.
    fn git(&self, directory: &str, arguments: &[&str]) -> String {
        let output = self
            .command()
            .current_dir(self.path(directory))
            .args(arguments)
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "git {arguments:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout)
            .unwrap()
            .trim_end()
            .to_owned()
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "a file of a temporary directory needs no care"
    )]
    fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn repository(&self, name: &str) {
        fs::create_dir_all(self.path(name)).unwrap();
        self.git(name, &["init", "-q"]);
        self.write(&format!("{name}/host.yaml"), "a: 1\n");
        self.git(name, &["add", "."]);
        self.git(name, &["commit", "-q", "-m", "one"]);
    }

    /// A repository `base` with the submodule `etc/secrets`, and `clone`, made without `--recursive`.
    fn with_submodule(&self) {
        self.repository("secrets");
        self.repository("base");
        let url = self.path("secrets").to_str().unwrap().to_owned();
        self.git(
            "base",
            &["submodule", "--quiet", "add", &url, "etc/secrets"],
        );
        self.git("base", &["commit", "-q", "-m", "two"]);
        self.git(".", &["clone", "-q", "base", "clone"]);
    }
}

fn found(path: &Path) -> Option<(PathBuf, String, bool)> {
    uninitialised_submodule(path).map(|found| (found.superproject, found.path, found.under_store))
}

#[test]
fn a_clone_without_recursion_lacks_its_submodule() {
    let Some(place) = Place::new() else { return };
    place.with_submodule();
    let expected = Some((place.path("clone"), "etc/secrets".to_owned(), false));
    for path in [
        "clone/etc/secrets/host.yaml",
        "clone/etc/secrets/a/b.yaml",
        "clone/etc/secrets",
    ] {
        assert_eq!(found(&place.path(path)), expected, "{path}");
    }
    fs::remove_dir(place.path("clone/etc/secrets")).unwrap();
    assert_eq!(found(&place.path("clone/etc/secrets/host.yaml")), expected);
}

#[test]
fn a_file_that_is_there_or_just_missing_blames_no_submodule() {
    let Some(place) = Place::new() else { return };
    place.with_submodule();
    for path in [
        "base/etc/secrets/host.yaml",
        "base/etc/secrets/missing.yaml",
        "clone/missing.yaml",
        "clone/host.yaml",
        "clone/etc/secrets2/x.yaml",
        "elsewhere/x.yaml",
    ] {
        assert_eq!(found(&place.path(path)), None, "{path}");
    }
}

#[test]
fn the_index_tells_where_gitmodules_is_missing() {
    let Some(place) = Place::new() else { return };
    place.with_submodule();
    fs::remove_file(place.path("clone/.gitmodules")).unwrap();
    for version in ["2", "3", "4"] {
        if version == "3" {
            // An entry that is to be added needs the longer flags, hence version 3.
            place.write("clone/new.yaml", "b: 1\n");
            place.git("clone", &["add", "-N", "new.yaml"]);
        }
        if version != "3" {
            place.git("clone", &["update-index", "--index-version", version]);
        }
        let index = fs::read(place.path("clone/.git/index")).unwrap();
        assert_eq!(index[7].to_string(), version);
        assert_eq!(
            found(&place.path("clone/etc/secrets/host.yaml")),
            Some((place.path("clone"), "etc/secrets".to_owned(), false)),
            "version {version}"
        );
    }
}

#[test]
fn the_index_of_a_sha256_repository_is_read() {
    let Some(place) = Place::new() else { return };
    fs::create_dir_all(place.path("r")).unwrap();
    place.git("r", &["init", "-q", "--object-format=sha256"]);
    place.write("r/a.yaml", "a: 1\n");
    place.git("r", &["add", "."]);
    let link = format!("160000,{},sub/module", "1".repeat(64));
    place.git("r", &["update-index", "--add", "--cacheinfo", &link]);
    assert_eq!(
        found(&place.path("r/sub/module/x.yaml")),
        Some((place.path("r"), "sub/module".to_owned(), false))
    );
}

#[test]
fn a_copy_in_a_store_is_told_from_a_clone() {
    let Some(place) = Place::new() else { return };
    place.write(
        "nix/store/abc-source/.gitmodules",
        "[submodule \"s\"]\n\tpath = secrets\n\turl = x\n",
    );
    fs::create_dir_all(place.path("nix/store/abc-source/secrets")).unwrap();
    assert_eq!(
        found(&place.path("nix/store/abc-source/secrets/host.yaml")),
        Some((
            place.path("nix/store/abc-source"),
            "secrets".to_owned(),
            true
        ))
    );
}

#[cfg(unix)]
#[test]
fn a_symbolic_link_into_a_missing_submodule_is_followed() {
    let Some(place) = Place::new() else { return };
    place.with_submodule();
    std::os::unix::fs::symlink("etc/secrets/live", place.path("clone/link")).unwrap();
    std::os::unix::fs::symlink("loop", place.path("clone/loop")).unwrap();
    assert_eq!(
        found(&place.path("clone/link/host.yaml")),
        Some((place.path("clone"), "etc/secrets".to_owned(), false))
    );
    assert_eq!(found(&place.path("clone/loop/host.yaml")), None);
}

#[test]
fn a_path_that_leaves_its_superproject_is_ignored() {
    let Some(place) = Place::new() else { return };
    place.write("a/b/.gitmodules", "[submodule \"s\"]\n\tpath = ../c\n");
    assert_eq!(found(&place.path("a/b/../c/x.yaml")), None);
}

#[test]
fn a_file_is_changed_when_git_would_record_other_bytes() {
    let Some(place) = Place::new() else { return };
    for (directory, format) in [("one", "sha1"), ("two", "sha256")] {
        fs::create_dir_all(place.path(directory)).unwrap();
        let format = format!("--object-format={format}");
        place.git(directory, &["init", "-q", &format]);
        let name = format!("{directory}/deep/s.yaml");
        let changed = |text: &str| is_changed(&place.path(&name), text.as_bytes());
        place.write(&name, "a: 1\n");
        assert_eq!(changed("a: 1\n"), Some(true), "not recorded yet");
        place.git(directory, &["add", "."]);
        for version in ["2", "4"] {
            place.git(directory, &["update-index", "--index-version", version]);
            assert_eq!(changed("a: 1\n"), Some(false), "{directory} {version}");
            assert_eq!(changed("a: 2\n"), Some(true), "{directory} {version}");
        }
    }
    place.write("none/s.yaml", "a: 1\n");
    assert_eq!(is_changed(&place.path("none/s.yaml"), b"a: 1\n"), None);
}

#[test]
fn the_commit_of_a_work_tree_is_what_git_says() {
    let Some(place) = Place::new() else { return };
    place.with_submodule();
    place.git("base", &["worktree", "add", "-q", "../further"]);
    for (directory, submodule) in [
        ("base", false),
        ("base/etc/secrets", true),
        ("clone", false),
        ("further", false),
    ] {
        let check = |state: &str| {
            let tree = work_tree_of(&place.path(directory).join("not/there.yaml")).unwrap();
            assert_eq!(tree.root, place.path(directory));
            assert_eq!(
                tree.commit.as_deref(),
                Some(place.git(directory, &["rev-parse", "HEAD"]).as_str()),
                "{directory}, {state}"
            );
            assert_eq!(tree.submodule, submodule, "{directory}");
        };
        check("a branch");
        place.git(directory, &["pack-refs", "--all"]);
        check("a packed branch");
        place.git(directory, &["checkout", "-q", "--detach"]);
        check("no branch");
    }
}

#[test]
fn a_submodule_that_is_ahead_of_its_superproject_is_told_by_the_two_commits() {
    let Some(place) = Place::new() else { return };
    place.with_submodule();
    let commits = || {
        let tree = work_tree_of(&place.path("base/etc/secrets/host.yaml")).unwrap();
        (tree.recorded_commit, tree.commit)
    };
    let (recorded, commit) = commits();
    assert_eq!(recorded, commit);
    assert_eq!(
        recorded,
        Some(place.git("base", &["rev-parse", "HEAD:etc/secrets"]))
    );
    place.git(
        "base/etc/secrets",
        &["commit", "-q", "--allow-empty", "-m", "new"],
    );
    let (still, ahead) = commits();
    assert_eq!(still, recorded);
    assert_ne!(ahead, recorded);
    assert_eq!(
        work_tree_of(&place.path("base")).unwrap().recorded_commit,
        None
    );
}

#[test]
fn a_submodule_that_was_cloned_by_hand_counts_as_one() {
    let Some(place) = Place::new() else { return };
    place.with_submodule();
    place.git("clone", &["clone", "-q", "../secrets", "etc/secrets"]);
    let tree = work_tree_of(&place.path("clone/etc/secrets/host.yaml")).unwrap();
    assert!(tree.submodule);
    assert_eq!(tree.root, place.path("clone/etc/secrets"));
}

#[test]
fn before_the_first_commit_there_is_none() {
    let Some(place) = Place::new() else { return };
    fs::create_dir_all(place.path("r")).unwrap();
    place.git("r", &["init", "-q"]);
    assert_eq!(work_tree_of(&place.path("r/x")).unwrap().commit, None);
    assert_eq!(work_tree_of(&place.path("plain/x")), None);
}

fn names(paths: &std::collections::BTreeSet<PathBuf>) -> Vec<String> {
    let shown = paths.iter().map(|path| path.display().to_string());
    shown.collect()
}

#[test]
fn a_tree_holds_what_git_tracks_and_what_it_would_not_ignore() {
    let Some(place) = Place::new() else { return };
    place.repository("r");
    place.write("r/.gitignore", "build/\ntracked.yaml\n/link\n");
    place.write("r/tracked.yaml", "a: 1\n");
    place.write("r/gone.yaml", "a: 1\n");
    place.git("r", &["add", "--force", "."]);
    place.git("r", &["commit", "-q", "-m", "two"]);
    fs::remove_file(place.path("r/gone.yaml")).unwrap();
    place.write("r/build/x.yaml", "a: 1\n");
    place.write("r/new/.hidden.yaml", "a: 1\n");
    std::os::unix::fs::symlink("host.yaml", place.path("r/link.yaml")).unwrap();
    let found = tree(&place.path("r")).unwrap();
    assert_eq!(
        names(&found.files),
        [
            ".gitignore",
            "host.yaml",
            "new/.hidden.yaml",
            "tracked.yaml"
        ]
    );
    assert_eq!(names(&found.missing), ["gone.yaml"]);
    let below = tree(&place.path("r/new")).unwrap();
    assert_eq!(names(&below.files), [".hidden.yaml"]);
    assert!(tree(&place.path("r/nowhere")).is_err());
}

#[test]
fn a_tree_reaches_into_submodules_and_names_those_without_content() {
    let Some(place) = Place::new() else { return };
    place.with_submodule();
    place.git(
        "base/etc/secrets",
        &[
            "config",
            "remote.origin.url",
            "https://a:canary@git.example/x",
        ],
    );
    let whole = tree(&place.path("base")).unwrap();
    assert_eq!(
        names(&whole.files),
        [".gitmodules", "etc/secrets/host.yaml", "host.yaml"]
    );
    assert!(whole.uninitialised.is_empty());
    assert_eq!(whole.work_trees.len(), 2);
    let stored = credentials_in(&place.path("base/etc/secrets"));
    assert_eq!(stored[0].setting, "remote.origin.url");
    assert!(credentials_in(&place.path("base")).is_empty());

    let cloned = tree(&place.path("clone")).unwrap();
    assert_eq!(names(&cloned.files), [".gitmodules", "host.yaml"]);
    assert_eq!(cloned.uninitialised[0].path, "etc/secrets");
    // A copy without a repository, as a store has it.
    fs::rename(place.path("clone/.git"), place.path("aside")).unwrap();
    let copied = tree(&place.path("clone")).unwrap();
    assert_eq!(copied.uninitialised[0].path, "etc/secrets");
}
