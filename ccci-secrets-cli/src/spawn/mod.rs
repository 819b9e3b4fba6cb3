//! The processes that the program starts.

pub(crate) mod editor;
pub(crate) mod getent;
pub(crate) mod gnupg;
pub(crate) mod systemctl;
