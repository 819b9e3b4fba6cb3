//! Other programs whose command lines this one understands when it is called by their names. Each is translated into what
//! our own commands do.

pub(crate) mod sops_install_secrets;
