//! Plans, activates below a directory, and verifies: what `ccsec plan`, `activate` and `verify` do, as another program would.
//!
//! A plan is made in three steps: the contents are opened, then what is on disk is observed with them in mind, then what
//! would be done is decided from that alone. `activate` takes the same steps under its lock, and carries the plan out.
//!
//! ```sh
//! cargo run --example activate_and_verify -- testdata/quickstart/manifest.json target/example
//! ```
#![allow(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "an example is a program, and owns its clock and its output"
)]

use std::error::Error;
use std::path::{Path, PathBuf};

use ccci_secrets::activation::fault::Refusal;
use ccci_secrets::activation::manifest::Manifest;
use ccci_secrets::activation::{
    Contents, Drift, Observed, Options, Plan, Receipt, Verification, Verified, activate, observe,
    open, plan, verify,
};
use ccci_secrets::fs::RealFs;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args_os().skip(1).map(PathBuf::from);
    let (Some(manifest), Some(root)) = (arguments.next(), arguments.next()) else {
        return Err("usage: activate_and_verify MANIFEST DIRECTORY".into());
    };
    let text = std::fs::read(&manifest)?;
    // Relative paths count from the directory of the manifest.
    let from = manifest.parent().unwrap_or(Path::new("/"));
    let manifest = Manifest::parse(&text, from).map_err(|faults| {
        let lines: Vec<String> = faults.iter().map(ToString::to_string).collect();
        lines.join("\n")
    })?;
    let fs = RealFs::new();
    let options = || {
        let mut options = Options::new(&fs, &std::thread::sleep);
        options.root = Some(&root);
        options.now = Some(jiff::Timestamp::now());
        options
    };
    let mut looking = options();
    let contents: Contents<'_> = open(&manifest, &mut looking).map_err(told)?;
    let observed: Observed<'_> = observe(contents, &looking).map_err(told)?;
    let plan: Plan = plan(observed).map_err(told)?;
    println!("{} files would be there", plan.entries.len());
    let receipt: Receipt = activate(&manifest, options()).map_err(told)?;
    let active = receipt.active().unwrap_or_default();
    println!("generation {active} is active");
    let how = Verification::default();
    let verified: Verified = verify(&manifest, options(), how).map_err(told)?;
    let drift: Vec<&Drift> = verified.drift().collect();
    for line in &drift {
        println!("{}: {}", line.subject, line.class.sentence());
    }
    match drift.is_empty() {
        true => println!("zero drift"),
        false => return Err("what is there is not what was activated".into()),
    }
    Ok(())
}

/// Every reason, one a line. None of them holds a secret.
fn told(refusal: Refusal) -> String {
    let lines: Vec<String> = refusal.faults.iter().map(ToString::to_string).collect();
    lines.join("\n")
}
