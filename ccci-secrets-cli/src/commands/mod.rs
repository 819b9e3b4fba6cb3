//! One file per command. Each has `Args`, as typed, and `run`.

pub(crate) mod activate;
pub(crate) mod cert;
pub(crate) mod check;
pub(crate) mod completion;
pub(crate) mod creds_serve;
pub(crate) mod decrypt;
pub(crate) mod doctor;
pub(crate) mod drill;
pub(crate) mod edit;
pub(crate) mod encrypt;
pub(crate) mod key;
pub(crate) mod man;
pub(crate) mod plan;
pub(crate) mod prune;
pub(crate) mod repair;
pub(crate) mod set;
pub(crate) mod systemd_unit;
pub(crate) mod unset;
pub(crate) mod verify;
