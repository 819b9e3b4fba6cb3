//! The example programs, built and run as a stranger would.
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "a test that starts cargo"
)]

use std::path::Path;
use std::process::Command;

#[test]
fn the_example_activates_the_quickstart_below_a_directory_and_verifies_it() {
    let place = tempfile::tempdir().unwrap();
    let root = place.path().join("root");
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let run = || {
        Command::new(env!("CARGO"))
            .args(["run", "--quiet", "--locked", "--offline"])
            .args(["--example", "activate_and_verify", "--"])
            .arg(here.join("../testdata/quickstart/manifest.json"))
            .arg(&root)
            .current_dir(here)
            .output()
            .unwrap()
    };
    let output = run();
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    let wrong = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{wrong}");
    assert_eq!(
        told,
        "8 files would be there\ngeneration 1 is active\nzero drift\n"
    );
    assert!(root.join("run/secrets/wildcard_key").exists());
    // A second run finds everything as it should be.
    let again = String::from_utf8_lossy(&run().stdout).into_owned();
    assert_eq!(again, told);
}
