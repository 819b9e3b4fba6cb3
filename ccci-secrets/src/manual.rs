//! The manual: what the library promises, what it does not, and why.
//!
//! - [`_01_format`]: which files are read and written, what is refused, and what a round trip keeps
//! - [`_02_threats`]: what an opened file proves, and what it does not
//! - [`_03_activation`]: how secrets become files, and what differs from sops-install-secrets
//! - [`_05_layers`]: how the modules stand on each other
//! - [`_06_hosts`]: how a Debian host and a NixOS host are set up from nothing

#[path = "manual/01_format.rs"]
pub mod _01_format;
#[path = "manual/02_threats.rs"]
pub mod _02_threats;
#[path = "manual/03_activation.rs"]
pub mod _03_activation;
#[path = "manual/05_layers.rs"]
pub mod _05_layers;
#[path = "manual/06_hosts.rs"]
pub mod _06_hosts;
