//! What the program is built from.
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test that asks cargo"
)]

use std::process::Command;

/// The names of all crates that a set of features brings.
fn tree(features: &str) -> Option<String> {
    let output = Command::new(env!("CARGO"))
        .args([
            "tree",
            "--locked",
            "--offline",
            "--edges",
            "normal,build",
            "--prefix",
            "none",
            "--format",
            "{p}",
        ])
        .args([
            "--manifest-path",
            concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"),
        ])
        .args(["--features", features])
        .output();
    match output {
        Ok(output) if output.status.success() => Some(String::from_utf8(output.stdout).unwrap()),
        Ok(output) => {
            let told = String::from_utf8_lossy(&output.stderr).into_owned();
            println!("SKIPPED: cargo tree does not work here: {told}");
            None
        }
        Err(error) => {
            println!("SKIPPED: cargo cannot be started: {error}");
            None
        }
    }
}

/// Crates that speak with the network, or are there for those that do.
const NETWORK: [&str; 6] = [
    "rustls ",
    "ring ",
    "rustls-webpki ",
    "tokio ",
    "hyper ",
    "ureq ",
];

#[test]
fn the_default_build_has_no_network_code() {
    let Some(tree) = tree("") else {
        return;
    };
    assert!(tree.contains("ccci-secrets "), "{tree}");
    for name in NETWORK {
        assert!(!tree.lines().any(|line| line.starts_with(name)), "{name}");
    }
}

#[test]
fn the_full_build_has_the_probe() {
    let Some(tree) = tree("full") else {
        return;
    };
    assert!(
        tree.lines().any(|line| line.starts_with("rustls ")),
        "{tree}"
    );
}
