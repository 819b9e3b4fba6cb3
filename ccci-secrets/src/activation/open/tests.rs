//! What opens, and from which key; what is refused, with which code and which facts.

mod authenticity;
mod checks;
mod key_files;
mod keys;
mod provenance;
mod values;
