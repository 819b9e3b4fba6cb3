//! File systems that are full, read-only or of another kind, and runs that get into each other's way.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use serde_json::{Value, json};

use crate::fixtures::{CERTIFICATE, CERTIFICATE_KEY, TOKENS};
use crate::harness::{Skip, Verdict};
use crate::world::{LIVE_CERTIFICATE, LIVE_KEY, Run, World, mount, secret};

/// Seals the certificate, its key and one token with values of a version.
fn sealed(world: &World, version: &str) -> Vec<u8> {
    let plain: String = [TOKENS[0], CERTIFICATE, CERTIFICATE_KEY]
        .iter()
        .map(|name| format!("{name}: {name} {version}\n"))
        .collect();
    world.fixtures().seal(&plain, &[&world.host])
}

fn manifest() -> Value {
    let names = [TOKENS[0], CERTIFICATE, CERTIFICATE_KEY];
    let mut secrets: Vec<Value> = names.iter().map(|name| secret(name, "0400")).collect();
    secrets[1]["path"] = json!(LIVE_CERTIFICATE);
    secrets[2]["path"] = json!(LIVE_KEY);
    json!({
        "secretsMountPoint": "/run/secrets.d", "symlinkPath": "/run/secrets",
        "keepGenerations": 1, "ageSshKeyPaths": ["host"], "secrets": secrets,
    })
}

fn remount(options: &str) {
    mount(&["-o", &format!("remount,{options}"), "/run/secrets.d"]);
}

pub(crate) fn s30_a_full_or_read_only_file_system_keeps_the_old_generation(
    world: &World,
) -> Verdict {
    std::fs::create_dir("/run/secrets.d").unwrap();
    mount(&["-t", "tmpfs", "-o", "mode=0751", "none", "/run/secrets.d"]);
    let mut manifest = manifest();
    manifest["useTmpfs"] = json!(true);
    world.write("secrets.yaml", &sealed(world, "one"));
    let run = world.activate(&manifest);
    assert_eq!(run.code, 0, "{}", run.stderr);
    world.write("secrets.yaml", &sealed(world, "two"));
    let found = rustix::fs::statvfs("/run/secrets.d").unwrap();
    let used_bytes = (found.f_blocks - found.f_bfree) * found.f_frsize;
    let used_inodes = found.f_files - found.f_ffree;
    for (limit, relief, words) in [
        (
            format!("size={}", used_bytes + 4096),
            "size=50%".to_owned(),
            "No space left",
        ),
        (
            format!("nr_inodes={}", used_inodes + 1),
            "nr_inodes=100k".to_owned(),
            "No space left",
        ),
        ("ro".to_owned(), "rw".to_owned(), "Read-only"),
    ] {
        remount(&limit);
        let run = world.assert_refused(40, || world.activate_again(&[]));
        assert!(run.stderr.contains(words), "{limit}: {}", run.stderr);
        world.assert_value(TOKENS[0], format!("{} one", TOKENS[0]).as_bytes());
        remount(&relief);
    }
    let run = world.activate_again(&[]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    world.assert_value(TOKENS[0], format!("{} two", TOKENS[0]).as_bytes());
    Ok(())
}

/// Two hundred secrets out of one file, and a manifest for them.
fn many(world: &World) -> (Vec<String>, Value) {
    let names: Vec<String> = (0..200).map(|nth| format!("s{nth}")).collect();
    let plain: String = names
        .iter()
        .map(|name| format!("{name}: value of {name}\n"))
        .collect();
    world.write("many.yaml", &world.fixtures().seal(&plain, &[&world.host]));
    let mut manifest = manifest();
    let secrets = names.iter().map(|name| {
        let mut entry = secret(name, "0400");
        entry["sopsFile"] = json!("many.yaml");
        entry
    });
    manifest["secrets"] = secrets.collect();
    (names, manifest)
}

/// The next activation, behind a line of a shell.
fn activate_behind(world: &World, line: &str) -> Run {
    let script = format!("{line}\nexec \"$@\"");
    let mut command = world.shell(&script, &world.activate_arguments(&[]));
    world.finish(command.spawn().unwrap())
}

pub(crate) fn s30_too_few_descriptors_or_bytes_for_a_file_change_nothing(world: &World) -> Verdict {
    world.write("secrets.yaml", &sealed(world, "one"));
    let run = world.activate(&manifest());
    assert_eq!(run.code, 0, "{}", run.stderr);
    world.write("secrets.yaml", &sealed(world, "two"));
    let run = world.assert_refused(40, || activate_behind(world, "trap '' XFSZ; ulimit -f 0"));
    assert!(run.stderr.contains("File too large"), "{}", run.stderr);
    // With a few more each time, until they are enough.
    let mut refused = 0;
    for most in 4..64 {
        let before = world.snapshot();
        let run = activate_behind(world, &format!("ulimit -n {most}"));
        if run.code == 0 {
            break;
        }
        // With too few for its libraries the program does not even begin.
        assert!(matches!(run.code, 10..=42 | 127), "{most}: {}", run.stderr);
        refused += usize::from(run.code != 127);
        before.assert_same(&world.snapshot());
    }
    println!("  refused with {refused} limits of descriptors");
    assert!(refused > 3, "{refused}");
    world.assert_value(TOKENS[0], format!("{} two", TOKENS[0]).as_bytes());
    Ok(())
}

/// A limit that the first allocation beyond it would end the process at, if all memory were locked.
pub(crate) fn s30_a_small_limit_of_locked_memory_ends_nothing(world: &World) -> Verdict {
    let (names, manifest) = many(world);
    world.write_manifest(&manifest);
    let taken = "-sys_resource,-ipc_lock";
    let run = activate_behind(
        world,
        &format!(
            "set -- setpriv --bounding-set={taken} --inh-caps={taken} prlimit --memlock=65536:65536 \
             sh -c 'ulimit -l unlimited 2>/dev/null && exit 99; exec \"$@\"' sh \"$@\""
        ),
    );
    assert_eq!(run.code, 0, "{}", run.stderr);
    for name in &names {
        let found = std::fs::read_to_string(format!("/run/secrets/{name}")).unwrap();
        assert_eq!(found, format!("value of {name}"));
    }
    Ok(())
}

/// A kernel that does not know `noswap`: what may be swapped out is never made without a word.
pub(crate) fn s30_where_swap_is_on_no_tmpfs_is_made_that_may_be_swapped_out(
    world: &World,
) -> Verdict {
    let strace = Command::new("strace").arg("-V").output();
    if !strace.is_ok_and(|output| output.status.success()) {
        return Err(Skip("strace is not on PATH".into()));
    }
    let swaps = world.aside("swaps");
    let head = "Filename\tType\tSize\tUsed\tPriority\n";
    std::fs::write(&swaps, head).unwrap();
    mount(&["--bind", swaps.to_str().unwrap(), "/proc/swaps"]);
    world.write("secrets.yaml", &sealed(world, "one"));
    let mut manifest = manifest();
    manifest["useTmpfs"] = json!(true);
    world.write_manifest(&manifest);
    let old_kernel = "set -- strace -f -o /dev/null -e inject=mount:error=EINVAL:when=1 \"$@\"";
    let activate = || activate_behind(world, old_kernel);
    std::fs::write(&swaps, format!("{head}/dev/sda2\tpartition\t1\t0\t-2\n")).unwrap();
    let run = world.assert_refused(40, activate);
    assert!(run.stderr.contains("swap is in use"), "{}", run.stderr);
    let undo = || {
        mount_off("/run/secrets.d");
        std::fs::remove_file("/run/secrets").unwrap();
        std::fs::remove_dir_all("/run/ccsec").unwrap();
    };
    manifest["allowSwap"] = json!(true);
    world.write_manifest(&manifest);
    let run = activate();
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(run.stderr.contains("may be swapped out"), "{}", run.stderr);
    undo();
    manifest["allowSwap"] = json!(false);
    world.write_manifest(&manifest);
    std::fs::write(&swaps, head).unwrap();
    let run = activate();
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(run.stderr.contains("may be swapped out"), "{}", run.stderr);
    Ok(())
}

fn mount_off(path: &str) {
    let done = Command::new("umount").arg(path).status().unwrap();
    assert!(done.success());
}

// B28: the reference fails in 4 to 20 of 36.
pub(crate) fn s31_activations_at_once_all_end_well(world: &World) -> Verdict {
    let (names, mut manifest) = many(world);
    manifest["idempotent"] = json!(false);
    world.write_manifest(&manifest);
    let (rounds, at_once) = (50, 6);
    let shown = world.src("manifest.json");
    let arguments = ["activate", shown.to_str().unwrap()];
    for _ in 0..rounds {
        let children: Vec<_> = (0..at_once)
            .map(|_| world.command(&arguments).spawn().unwrap())
            .collect();
        for child in children {
            let run = world.finish(child);
            assert_eq!(run.code, 0, "{}", run.stderr);
        }
        for name in &names {
            let found = std::fs::read_to_string(format!("/run/secrets/{name}")).unwrap();
            assert_eq!(found, format!("value of {name}"));
        }
        assert_eq!(std::fs::read_dir("/run/secrets.d").unwrap().count(), 1);
    }
    assert_eq!(world.generation(), Some(rounds * at_once));
    // Who does not want to wait is told that somebody else is at it.
    let id = std::fs::read_dir("/run/ccsec/lock")
        .unwrap()
        .next()
        .unwrap()
        .unwrap();
    let mut holder = Command::new("flock")
        .arg(id.path())
        .args(["sh", "-c", "echo held; read line"])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut held = [0; 5];
    std::io::Read::read_exact(holder.stdout.as_mut().unwrap(), &mut held).unwrap();
    world.assert_refused(41, || {
        world.run(&["activate", "--lock-timeout", "0", shown.to_str().unwrap()])
    });
    drop(holder.stdin.take());
    holder.wait().unwrap();
    Ok(())
}

pub(crate) fn s32_readers_never_miss_a_file_and_pairs_match(world: &World) -> Verdict {
    let versions = [sealed(world, "a"), sealed(world, "b")];
    world.write("secrets.yaml", &versions[0]);
    let run = world.activate(&manifest());
    assert_eq!(run.code, 0, "{}", run.stderr);
    let is_over = AtomicBool::new(false);
    let read = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                let key = std::fs::read_to_string(LIVE_KEY);
                assert!(key.is_ok(), "{key:?}");
                // Whoever holds a generation for longer than it is kept has to open the new one.
                if let Some(is_pair) = pair_of_one_generation() {
                    assert!(is_pair, "certificate and key are of one version");
                    read.fetch_add(1, Ordering::Relaxed);
                }
            }
        });
        let manifest = world.src("manifest.json");
        for nth in 0..200 {
            world.write("secrets.yaml", &versions[(nth + 1) % 2]);
            let run = world.run(&["activate", manifest.to_str().unwrap()]);
            assert_eq!(run.code, 0, "{}", run.stderr);
        }
        is_over.store(true, Ordering::Relaxed);
    });
    assert_eq!(world.generation(), Some(201));
    let read = read.load(Ordering::Relaxed);
    println!("  {read} reads during 200 rotations");
    assert!(read > 200, "{read}");
    Ok(())
}

/// Whether certificate and key, read through one handle of the generation, are of one version; none if it was removed
/// meanwhile.
fn pair_of_one_generation() -> Option<bool> {
    use rustix::fs::{Mode, OFlags};
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let generation = rustix::fs::open("/run/secrets", flags, Mode::empty()).unwrap();
    let read = |name: &str| {
        let file = rustix::fs::openat(&generation, name, OFlags::RDONLY, Mode::empty()).ok()?;
        std::io::read_to_string(std::fs::File::from(file)).ok()
    };
    let (certificate, key) = (read(CERTIFICATE)?, read(CERTIFICATE_KEY)?);
    Some(certificate.chars().last() == key.chars().last())
}

// B27.
pub(crate) fn s33_another_kind_of_mount_hides_no_live_generation(world: &World) -> Verdict {
    let run = world.activate(&world.manifest());
    assert_eq!(run.code, 0, "{}", run.stderr);
    let mounts = || std::fs::read_to_string("/proc/self/mountinfo").unwrap();
    let before = mounts();
    let mut flipped = world.manifest();
    flipped["useTmpfs"] = json!(true);
    let fixtures = world.fixtures();
    let plain = fixtures.plaintext(|name| fixtures.value(name));
    world.write("secrets.yaml", &fixtures.seal(&plain, &[&world.other]));
    world.write_manifest(&flipped);
    world.assert_refused(22, || world.activate_again(&[]));
    world.assert_complete();
    assert_eq!(mounts(), before);
    // With a key that opens, the file system that is there is kept, and that is said.
    world.write(
        "secrets.yaml",
        &fixtures.seal(&format!("{plain}new: x\n"), &[&world.host]),
    );
    flipped["secrets"]
        .as_array_mut()
        .unwrap()
        .push(secret("new", "0400"));
    let run = world.activate(&flipped);
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(run.stderr.contains("was kept"), "{}", run.stderr);
    assert_eq!(mounts(), before);
    world.assert_complete();
    Ok(())
}

/// The RAM disk and the link are gone, and the links outside lead nowhere, as after a reboot.
fn reboot() {
    let status = Command::new("umount")
        .arg("/run/secrets.d")
        .status()
        .unwrap();
    assert!(status.success());
    mount(&["-t", "tmpfs", "-o", "mode=0755", "reboot", "/run"]);
    assert!(Path::new(LIVE_KEY).is_symlink() && !Path::new(LIVE_KEY).exists());
}

pub(crate) fn s13_after_a_reboot_everything_is_there_again(world: &World) -> Verdict {
    let read = || [LIVE_CERTIFICATE, LIVE_KEY].map(|path| std::fs::read(path).unwrap());
    let run = world.activate(&world.manifest());
    assert_eq!(run.code, 0, "{}", run.stderr);
    let before = read();
    reboot();
    let run = world.activate(&world.manifest());
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert_eq!(read(), before);
    Ok(())
}

// The operator's machine after the power was off: the links on the disk lead nowhere, one secret is wanted no more.
pub(crate) fn s13b_after_a_reboot_the_links_of_secrets_that_went_are_gone(
    world: &World,
) -> Verdict {
    let run = world.activate(&world.manifest());
    assert_eq!(run.code, 0, "{}", run.stderr);
    reboot();
    let mut manifest = world.manifest();
    let secrets = manifest["secrets"].as_array_mut().unwrap();
    secrets.retain(|entry| entry["name"] != CERTIFICATE_KEY);
    let run = world.activate(&manifest);
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(!Path::new(LIVE_KEY).is_symlink());
    assert!(Path::new(LIVE_CERTIFICATE).exists());
    assert_eq!(
        std::fs::metadata(LIVE_CERTIFICATE).unwrap().mode() & 0o777,
        0o444
    );
    let live = Path::new(LIVE_KEY).parent().unwrap();
    assert_eq!(std::fs::read_dir(live).unwrap().count(), 1);
    Ok(())
}
