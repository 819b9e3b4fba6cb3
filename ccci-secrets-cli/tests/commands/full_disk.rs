//! A disk without room: the error is the one of a file that cannot be written, and every file stays as it is.

use std::os::unix::fs::PermissionsExt as _;
use std::process::Stdio;

use crate::support::{PLAIN, Place, recipient};

/// Runs a program on a disk of four pages that `p.yaml`, `s.yaml` and what is left fill. 98 if anything on the disk has
/// changed, 99 if there is no such disk.
const ON_A_FULL_DISK: &str = "
mount -t tmpfs -o size=16k full disk || exit 99
cp p.yaml s.yaml disk/
dd if=/dev/zero of=disk/fill 2>/dev/null && exit 99
before=$(ls -lA disk; cat disk/*.yaml)
\"$@\"
code=$?
test \"$before\" = \"$(ls -lA disk; cat disk/*.yaml)\" || exit 98
exit $code
";

/// None where no disk can be had, which is said.
fn on_a_full_disk(place: &Place, arguments: &[&str]) -> Option<(i32, String)> {
    let output = place
        .command("unshare".as_ref())
        .args(["-m", "sh", "-c", ON_A_FULL_DISK, "sh"])
        .arg(env!("CARGO_BIN_EXE_ccsec"))
        .args(arguments)
        .stdin(Stdio::null())
        .output();
    let (code, message) = match output {
        Ok(output) => (
            output.status.code().unwrap(),
            String::from_utf8_lossy(&output.stderr).into_owned(),
        ),
        Err(error) => (99, error.to_string()),
    };
    if code == 99 || message.starts_with("unshare:") {
        eprintln!("skip: no file system of this size can be mounted: {message}");
        return None;
    }
    Some((code, message))
}

#[test]
fn a_full_disk_costs_nothing_and_is_told_as_sops_numbers_it() {
    let mut place = Place::new();
    let editor = place.write("editor", "#!/bin/sh\necho 'new: 1' >>\"$1\"\n");
    std::fs::set_permissions(&editor, std::fs::Permissions::from_mode(0o755)).unwrap();
    place.set("EDITOR", editor.to_str().unwrap());
    place.write("p.yaml", PLAIN);
    place.seal("s.yaml", PLAIN);
    std::fs::create_dir(place.path("disk")).unwrap();
    let one = recipient(1);
    let commands: [&[&str]; 8] = [
        &["decrypt", "--output", "disk/s.yaml", "s.yaml"],
        &["decrypt", "--output", "disk/new.yaml", "s.yaml"],
        &["decrypt", "-i", "disk/s.yaml"],
        &[
            "encrypt",
            "--age",
            &one,
            "--output",
            "disk/p.yaml",
            "p.yaml",
        ],
        &["encrypt", "--age", &one, "-i", "disk/p.yaml"],
        &["set", "disk/s.yaml", "[\"new\"]", "\"value\""],
        &["unset", "disk/s.yaml", "[\"map\"]"],
        &["edit", "disk/s.yaml"],
    ];
    for arguments in commands {
        let Some((code, message)) = on_a_full_disk(&place, arguments) else {
            return;
        };
        assert_eq!(code, 3, "{arguments:?}: {message}");
        assert!(message.contains("cannot write disk/"), "{message}");
        assert!(message.contains("No space left"), "{message}");
        if let Some(kept) = message.split("`rm -r ").nth(1) {
            assert_eq!(arguments[0], "edit");
            std::fs::remove_dir_all(kept.split('`').next().unwrap()).unwrap();
        }
    }
}
