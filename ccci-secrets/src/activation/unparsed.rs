<<<<<<< HEAD
//! What can be said when the manifest breaks a rule, or cannot even be read: its faults, and still what is active.

use std::io;
use std::path::{Path, PathBuf};
=======
//! What can be said when the manifest breaks a rule: all its faults, and still what is active.

use std::path::PathBuf;
>>>>>>> readme

use super::Options;
use super::fault::{Active, Fault, Refusal};
use super::json::Json;
use super::manifest::ManifestFault;
use super::observe::{self, Frame};
use super::site::Site;

/// The refusal of a manifest that does not parse. Its two places are taken as they stand there, if they do, so that the
/// refusal can say what is active.
#[must_use]
pub fn refuse_manifest(text: &[u8], faults: Vec<ManifestFault>, options: &Options<'_>) -> Refusal {
    let mut refusal = Refusal::new(faults.into_iter().map(Fault::Manifest).collect());
    refusal.still_active = frame(text).and_then(|frame| active(&frame, options));
    refusal
}

<<<<<<< HEAD
/// The refusal of a manifest that cannot be read.
#[must_use]
pub fn refuse_unreadable(manifest: &Path, source: io::Error) -> Refusal {
    Refusal::new(vec![Fault::ManifestUnreadable {
        path: manifest.into(),
        source,
    }])
}

=======
>>>>>>> readme
fn active(frame: &Frame, options: &Options<'_>) -> Option<Active> {
    observe::active(&Site::new(options.fs, options.root), frame)
}

fn frame(text: &[u8]) -> Option<Frame> {
    let Json::Map(fields) = Json::parse(text).ok()? else {
        return None;
    };
    let path = |name: &str| {
        let (_, value) = fields.iter().find(|(field, _)| field == name)?;
        match value {
            Json::Text(text) if text.starts_with('/') => Some(PathBuf::from(text)),
            _ => None,
        }
    };
    Some(Frame {
        mount: path("secretsMountPoint")?,
        link: path("symlinkPath")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_places_are_found_beside_any_fault() {
        let text = br#"{"secretsMountPoint":"/m","symlinkPath":"/l","secrets":7,"unknown":1}"#;
        let frame = frame(text).map(|frame| (frame.mount, frame.link));
        assert_eq!(frame, Some(("/m".into(), "/l".into())));
    }

    #[test]
    fn without_places_nothing_is_looked_at() {
        for text in [
            &b"{"[..],
            b"[]",
            br#"{"symlinkPath":"/l"}"#,
            br#"{"symlinkPath":"l","secretsMountPoint":"m"}"#,
        ] {
            assert!(frame(text).is_none());
        }
    }
}
