//! ccsec
fn main() {}
