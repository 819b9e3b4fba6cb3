//! Files exchanged with real sops, in every version of it that is installed, and files that it made before.
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::print_stderr,
    reason = "tests drive the real program"
)]

mod convert;
mod formats;
mod golden;
mod groups;
mod interop;
mod layout;
mod manual;
mod program;
mod support;
