//! The program as its users run it: one behaviour each, compared with real sops where sops defines the answer.
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::print_stderr,
    reason = "tests drive the real programs"
)]

mod bad_input;
mod canary;
mod edit;
mod exit_codes;
mod files;
mod formats;
mod full_disk;
mod groups;
mod ignore_mac;
mod onto;
mod plugins;
#[path = "../../../ccci-secrets/tests/sops/program.rs"]
mod program;
mod sealed_apart;
mod sharp_edges;
mod support;
mod systemd_unit;
mod usage;
