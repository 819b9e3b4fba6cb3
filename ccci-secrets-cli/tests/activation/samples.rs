//! Every sample manifest of the modules, run under the name sops-install-secrets, gives what the real program gave.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::drop_in::DropIn;
use crate::fixtures::test_data;
use crate::harness::{Skip, Verdict};
use crate::world::{Run, World, mount, secret};

/// An empty directory that stands for the root, on a file system in memory.
const ROOT: &str = "/run/sample";
/// Where a user can start the program from.
const FOR_USERS: &str = "/run/bin/sops-install-secrets";
const ALICE: u32 = 1000;

pub(crate) fn s39_every_sample_manifest_gives_the_tree_of_the_reference(world: &World) -> Verdict {
    let drop_in = DropIn::new(world);
    std::fs::create_dir("/run/bin").unwrap();
    std::fs::copy(world.program(), FOR_USERS).unwrap();
    seal_all(world);
    let mut compared = 0;
    let mut samples: Vec<PathBuf> = std::fs::read_dir(test_data("activation/expected"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    samples.sort();
    for expected in samples {
        let name = expected.file_stem().unwrap().to_str().unwrap();
        println!("  {name}");
        compare(&drop_in, name, &Expected::read(&expected));
        compared += 1;
    }
    assert_eq!(compared, 14);
    std::fs::remove_dir_all("/run/bin").unwrap();
    Ok(())
}

/// The one whose only key is in a home of GnuPG. There is no record of what the real program made of it; its secret is
/// that of the first sample, and so is the tree.
pub(crate) fn s39_the_sample_with_a_home_of_gnupg_gives_the_tree_of_the_first(
    world: &World,
) -> Verdict {
    let drop_in = DropIn::new(world);
    let home = world.aside("given/gnupg");
    std::fs::create_dir_all(&home).unwrap();
    std::fs::set_permissions(&home, std::fs::Permissions::from_mode(0o700)).unwrap();
    let plain = std::fs::read(test_data("activation/plain/secrets.yaml")).unwrap();
    let sealed = seal_with_gnupg(&home, &plain).map_err(Skip)?;
    world.write("secrets.yaml", &sealed);
    std::fs::create_dir("/run/bin").unwrap();
    std::fs::copy(world.program(), FOR_USERS).unwrap();
    let first = test_data("activation/expected/01-system-minimal.txt");
    let mut expected = Expected::read(&first);
    // It imports a host key, and here there is none.
    expected.stderr.clear();
    let before = listing_of(&home);
    // A home may lie on a disk that cannot be written.
    mount(&["--bind", home.to_str().unwrap(), home.to_str().unwrap()]);
    mount(&["-o", "remount,bind,ro", home.to_str().unwrap()]);
    let run = compare_with(&drop_in, "10-system-gnupg-home", &expected, |manifest| {
        manifest["gnupgHome"] = json!(home);
    });
    assert!(!run.stderr.contains("Imported"), "{}", run.stderr);
    std::fs::remove_dir_all("/run/bin").unwrap();
    assert_eq!(listing_of(&home), before);
    let mut left = std::fs::read_dir("/run").unwrap();
    let is_home = |name: &str| name.contains("gnupg");
    assert!(!left.any(|entry| is_home(entry.unwrap().file_name().to_str().unwrap())));
    assert_eq!(processes("gpg-agent"), Vec::<String>::new());
    // Our own command starts no program that the manifest does not name.
    let mut manifest = world.manifest();
    manifest["secrets"] = json!([secret("test_secret", "0400")]);
    manifest["ageSshKeyPaths"] = json!([]);
    manifest["gnupgHome"] = json!(home);
    world.write_manifest(&manifest);
    let refused = world.assert_refused(22, || world.activate_again(&[]));
    assert!(
        refused
            .stderr
            .contains("allowKeyPrograms does not name gpg"),
        "{}",
        refused.stderr
    );
    manifest["allowKeyPrograms"] = json!(["gpg"]);
    let run = world.activate(&manifest);
    assert_eq!(run.code, 0, "{}", run.stderr);
    world.assert_value("test_secret", b"value of test_secret");
    let opened_by = world.report()["files"][0]["opened_by"].clone();
    assert_eq!(opened_by["kind"], json!("gpg"));
    // A program that is not there is another thing than a key that is not there.
    world.write("secrets.yaml", &sealed);
    let refused = world.assert_refused(23, || {
        let mut command = world.command(&world.about_manifest("plan", &[]));
        command.env("SOPS_GPG_EXEC", "/nonexistent/gpg");
        world.finish(command.spawn().unwrap())
    });
    assert!(
        refused.stderr.contains("gpg could not be started"),
        "{}",
        refused.stderr
    );
    Ok(())
}

/// Makes a key in a home, and a file that real sops seals for it alone.
fn seal_with_gnupg(home: &Path, plain: &[u8]) -> Result<Vec<u8>, String> {
    let script = r#"
        set -e; umask 077
        gpg --batch --quiet --passphrase '' --quick-generate-key root@localhost default default never
        key=$(gpg --list-keys --with-colons | awk -F: '/^fpr/ { print $10; exit }')
        gpg --batch --quiet --passphrase '' --quick-add-key "$key" default encr never
        sops encrypt --pgp "$key" --filename-override secrets.yaml
        gpgconf --kill all
    "#;
    let mut child = Command::new("sh")
        .args(["-c", script])
        .env("GNUPGHOME", home)
        .env("HOME", "/nonexistent")
        .env("SOPS_DISABLE_VERSION_CHECK", "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // Where there is no gpg nobody reads.
    drop(child.stdin.take().unwrap().write_all(plain));
    let output = child.wait_with_output().unwrap();
    match output.status.success() {
        true => Ok(output.stdout),
        false => Err(format!(
            "gpg and sops are needed: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        )),
    }
}

/// Command lines of processes that run a program.
fn processes(program: &str) -> Vec<String> {
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    let lines = entries.filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok());
    let lines = lines.map(|line| String::from_utf8_lossy(&line).replace('\0', " "));
    lines
        .filter(|line| line.starts_with(program) && line.contains("/run/ccsec"))
        .collect()
}

/// The sops files of the samples, sealed for host and recovery key.
fn seal_all(world: &World) {
    for entry in std::fs::read_dir(test_data("activation/plain")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        world.write(name, &std::fs::read(&path).unwrap());
        if name.ends_with(".in") {
            continue;
        }
        let recipients = format!("{},{}", world.host, world.recovery);
        let path = world.src(name);
        let run = world.run(&[
            "encrypt",
            "-i",
            "--age",
            &recipients,
            path.to_str().unwrap(),
        ]);
        assert_eq!(run.code, 0, "{name}: {}", run.stderr);
    }
}

/// What the real program left behind.
struct Expected {
    ignores_passwd: bool,
    stdout: String,
    stderr: Vec<String>,
    mount: Option<String>,
    tree: BTreeSet<String>,
}

impl Expected {
    fn read(path: &Path) -> Self {
        let text = std::fs::read_to_string(path).unwrap();
        let head = |word: &'static str| {
            let lines = text.lines().filter_map(move |line| line.strip_prefix(word));
            lines.map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(head("exit: "), ["0"]);
        let is_tree = |line: &&str| {
            ["dir ", "file ", "link "]
                .iter()
                .any(|word| line.starts_with(word))
        };
        Self {
            ignores_passwd: head("command: ")[0].contains("-ignore-passwd"),
            stdout: head("stdout: ").concat(),
            stderr: head("stderr: "),
            mount: head("mount: ").pop(),
            tree: text.lines().filter(is_tree).map(str::to_owned).collect(),
        }
    }
}

fn compare(drop_in: &DropIn<'_>, name: &str, expected: &Expected) {
    compare_with(drop_in, name, expected, |_| ());
}

fn compare_with(
    drop_in: &DropIn<'_>,
    name: &str,
    expected: &Expected,
    change: impl FnOnce(&mut Value),
) -> Run {
    let is_user = name.contains("-home-");
    let world = drop_in.world;
    prepare_root(world, is_user);
    let text = std::fs::read(test_data(&format!("activation/{name}.json"))).unwrap();
    let mut manifest = moved(serde_json::from_slice(&text).unwrap());
    change(&mut manifest);
    let path = Path::new(ROOT).join("src/manifest.json");
    std::fs::write(&path, manifest.to_string()).unwrap();
    let mut command = Command::new(FOR_USERS);
    if expected.ignores_passwd {
        command.arg("-ignore-passwd");
    }
    world.prepare(command.arg(&path));
    if is_user {
        command.uid(ALICE).gid(ALICE);
        command.env("XDG_RUNTIME_DIR", format!("{ROOT}/xdg"));
        command.env("HOME", "/run/home-of-alice");
    }
    let run = world.finish(command.spawn().unwrap());
    assert_eq!(run.code, 0, "{name}: {}", run.stderr);
    assert_eq!(run.stdout, expected.stdout, "{name}");
    for line in &expected.stderr {
        let line = line
            .replace("BASE", "sops-install-secrets")
            .replace("$ROOT", ROOT)
            .replace("HOST_RECIPIENT", &world.host);
        assert!(
            run.stderr.lines().any(|told| told == line),
            "{name}: {line}\n{}",
            run.stderr
        );
    }
    assert_eq!(mount_of(ROOT), expected.mount, "{name}");
    let found = listing();
    let wanted: BTreeSet<String> = expected.tree.iter().map(|line| ours(name, line)).collect();
    let missing: Vec<_> = wanted.difference(&found).collect();
    let surplus: Vec<_> = found.difference(&wanted).collect();
    assert!(
        missing.is_empty() && surplus.is_empty(),
        "{name}: {missing:#?} {surplus:#?}"
    );
    remove_root();
    run
}

/// The differences that are on purpose, beside `age-keys.txt`, which no listing has.
fn ours(name: &str, line: &str) -> String {
    match name {
        // The umask does not count (B40).
        "03-system-owners-and-modes" if line.contains("/group_writable ") => {
            line.replace("file 0640", "file 0660")
        }
        // A runtime directory that others can enter is refused.
        _ if line == "dir  0755 1000:1000 /xdg" => "dir  0700 1000:1000 /xdg".to_owned(),
        _ => line.to_owned(),
    }
}

fn prepare_root(world: &World, is_user: bool) {
    let root = Path::new(ROOT);
    let owner = if is_user { ALICE } else { 0 };
    let make = |path: &str, mode: u32| {
        let path = root.join(path);
        std::fs::create_dir_all(&path).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        chown(&path, Some(owner), Some(owner)).unwrap();
    };
    make("", 0o755);
    make("src", 0o755);
    for entry in std::fs::read_dir(world.src("")).unwrap() {
        let entry = entry.unwrap();
        let copy = root.join("src").join(entry.file_name());
        std::fs::copy(entry.path(), &copy).unwrap();
        chown(&copy, Some(owner), Some(owner)).unwrap();
    }
    if is_user {
        for path in ["home", "home/alice", "home/alice/.config"] {
            make(path, 0o755);
        }
        make("xdg", 0o700);
    }
}

fn remove_root() {
    // What is mounted there goes with it; there may be nothing.
    let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap();
    let points = mounts.lines().filter_map(|line| line.split(' ').nth(1));
    for point in points.filter(|point| point.starts_with(ROOT)) {
        assert!(
            Command::new("umount")
                .arg(point)
                .status()
                .unwrap()
                .success()
        );
    }
    std::fs::remove_dir_all(ROOT).unwrap();
}

/// The manifest with every path in its place below the root.
fn moved(mut manifest: Value) -> Value {
    let below_root = |path: &str| match path.starts_with('/') {
        true => json!(format!("{ROOT}{path}")),
        false => json!(path),
    };
    let source = |path: &str| {
        let name = Path::new(path).file_name().unwrap().to_str().unwrap();
        let name = match path.strip_prefix("/nix/store/") {
            Some(rest) => rest.split_once('-').unwrap().1,
            None => name,
        };
        json!(format!("{ROOT}/src/{name}"))
    };
    for field in ["secretsMountPoint", "symlinkPath"] {
        manifest[field] = below_root(manifest[field].as_str().unwrap());
    }
    for list in ["secrets", "templates"] {
        for entry in manifest[list].as_array_mut().unwrap() {
            entry["path"] = below_root(entry["path"].as_str().unwrap());
            for field in ["sopsFile", "file"] {
                if let Some(path) = entry[field].as_str().filter(|path| !path.is_empty()) {
                    entry[field] = source(path);
                }
            }
            // Those that the samples do not have were not there.
            let fields = entry.as_object_mut().unwrap();
            fields.retain(|_, value| !value.is_null());
        }
    }
    if manifest["ageKeyFile"].is_string() {
        manifest["ageKeyFile"] = json!(format!("{ROOT}/src/key.txt"));
    }
    for path in manifest["ageSshKeyPaths"].as_array_mut().unwrap() {
        *path = json!(format!("{ROOT}/src/host"));
    }
    manifest["sshKeyPaths"] = json!([]);
    manifest
}

/// What is mounted below the root, in the words of the expectations.
fn mount_of(root: &str) -> Option<String> {
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
    let line = mounts
        .lines()
        .find(|line| line.split(' ').nth(4).unwrap().starts_with(root))?;
    let (front, back) = line.split_once(" - ").unwrap();
    let front: Vec<&str> = front.split(' ').collect();
    let back: Vec<&str> = back.split(' ').collect();
    let point = front[4].replace(root, "$ROOT");
    Some(format!("{} {} {point} {}", back[0], front[5], back[2]))
}

/// Everything below the root but the sources, and but the records of a user, which have no other place.
fn listing() -> BTreeSet<String> {
    let mut lines = BTreeSet::new();
    list(Path::new(ROOT), &mut lines);
    lines
}

/// Names, sizes and times of what is in a directory.
fn listing_of(directory: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(directory).unwrap();
    let mut lines: Vec<String> = entries
        .map(|entry| {
            let entry = entry.unwrap();
            let facts = entry.metadata().unwrap();
            format!("{:?} {} {}", entry.file_name(), facts.size(), facts.mtime())
        })
        .collect();
    lines.sort();
    lines
}

fn list(directory: &Path, lines: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let shown = format!("/{}", path.strip_prefix(ROOT).unwrap().display());
        if shown == "/src" || shown == "/xdg/ccsec" {
            continue;
        }
        let facts = path.symlink_metadata().unwrap();
        let owner = format!("{}:{}", facts.uid(), facts.gid());
        let mode = facts.mode() & 0o7777;
        let line = if facts.is_symlink() {
            let target = std::fs::read_link(&path).unwrap();
            let target = target.display().to_string().replace(ROOT, "$ROOT");
            format!("link {owner} {shown} -> {target}")
        } else if facts.is_dir() {
            list(&path, lines);
            format!("dir  {mode:04o} {owner} {shown}")
        } else {
            let content = std::fs::read_to_string(&path).unwrap();
            format!("file {mode:04o} {owner} {shown} = {}", as_json(&content))
        };
        lines.insert(line);
    }
}

/// A JSON string with the escapes that the expectations have.
fn as_json(text: &str) -> String {
    json!(text).to_string().replace('\u{7f}', "\\u007f")
}
