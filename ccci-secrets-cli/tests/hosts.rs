//! Scenarios of whole hosts: each boots systemd on an overlay of this machine's root, in a mount namespace of its own, and
//! looks at what became of units, services and files. They run as those of activation do, and end with the same table.
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::print_stdout,
    clippy::exit,
    reason = "a test that drives the real program"
)]

#[path = "activation/fixtures.rs"]
mod fixtures;
#[path = "activation/harness.rs"]
#[expect(dead_code, reason = "the scenarios of activation use the rest")]
mod harness;
#[path = "hosts/machine.rs"]
mod machine;
#[path = "hosts/units.rs"]
mod units;
#[path = "activation/world.rs"]
#[expect(dead_code, reason = "the scenarios of activation use the rest")]
mod world;

use harness::Needs::RootMachine;

fn main() {
    let scenarios =
        scenarios![RootMachine units::a_machine_boots_and_comes_back_with_what_it_wrote,];
    harness::run(&scenarios, || vec![machine::systemd_version()]);
}
