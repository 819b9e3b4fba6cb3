//! How the modules stand on each other.
//!
//! A module may use those below it. Within a layer, the few arrows there are are listed one by one, and some arrows that
//! point down must not be there all the same. `tests/layers.rs` holds these lists and reads every source file.
//!
//! | layer | modules |
//! |---|---|
//! | 0 | [`secret`](crate::secret) [`error`](crate::error) [`digest`](crate::digest) [`fs`](crate::fs) [`words`](crate::words): what everything else is made of |
//! | 1 | [`crypto`](crate::crypto) [`path`](crate::path) [`value`](crate::value) [`wrapped`](crate::wrapped) [`env`](crate::env) [`atomic`](crate::atomic): bytes, names, and the world outside |
//! | 2 | [`envelope`](crate::envelope) [`document`](crate::document): syntax. A document moves spans of text and knows no key |
//! | 3 | [`selection`](crate::selection) [`metadata`](crate::metadata) [`leaf`](crate::leaf) [`mac`](crate::mac) [`key`](crate::key): the parts of the format, each without the others |
//! | 4 | [`keyring`](crate::keyring) [`config`](crate::config) [`repository`](crate::repository): where keys and rules come from |
//! | 5 | [`file`](crate::file) [`dangerous`](crate::dangerous): the only place that sees all of the format |
//! | 6 | [`finding`](crate::finding), then [`audit`](crate::audit), then [`survey`](crate::survey): what is wrong with a repository, seen without a key |
//! | 7 | [`activation`](crate::activation): secrets as files on a machine; [`drill`](crate::drill): which key opens which file; [`doctor`](crate::doctor): what is wrong with a machine |
//!
//! Three of the arrows that are forbidden, and why:
//!
//! - `document` does not use `crypto`, `key` or `metadata`: whatever goes wrong in it cannot let out a key.
//! - `metadata` does not use `key`: it keeps the entries of all kinds of keys, also of those that this build cannot use.
//! - `activation` does not use `dangerous`: what was opened without its MAC is installed nowhere.
