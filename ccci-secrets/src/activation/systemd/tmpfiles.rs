//! Lines of tmpfiles.d: a blank machine has no directory for a target yet, and a service that may write only there cannot
//! make it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::UnitError;
use super::places::{Places, STATE};
use super::text::word;
use crate::activation::manifest::{DirectoryWish, Manifest, Target};

/// One line for each directory, and one for what is remembered between boots.
pub(super) fn lines(manifest: &Manifest, places: &Places) -> Result<String, UnitError> {
    let wishes = wishes(manifest);
    let mut lines = format!("d {STATE} 0700 root root - -\n");
    for parent in &places.parents {
        lines += &line(parent, wishes.get(parent.as_path()))?;
    }
    Ok(lines)
}

/// A directory that is there stays as it is: what is said about it holds for one that is made.
fn line(directory: &Path, wish: Option<&&DirectoryWish>) -> Result<String, UnitError> {
    let path = word(&directory.to_string_lossy())?;
    let mode = wish.and_then(|wish| wish.mode);
    let mode = mode.map_or("-".into(), |mode| format!(":{mode:04o}"));
    let account = |name: Option<&String>| name.map_or("-".into(), |name| format!(":{name}"));
    let owner = account(wish.and_then(|wish| wish.owner.as_ref()));
    let group = account(wish.and_then(|wish| wish.group.as_ref()));
    Ok(format!("d {path} {mode} {owner} {group} - -\n"))
}

/// How directories are to be made; the first file that asks for something decides, as in activation.
fn wishes(manifest: &Manifest) -> BTreeMap<PathBuf, &DirectoryWish> {
    let mut wishes = BTreeMap::new();
    for file in manifest.files() {
        let Target::Outside(path) = &file.target else {
            continue;
        };
        if let Some(parent) = Path::new(path).parent()
            && file.directories != DirectoryWish::default()
        {
            wishes.entry(parent.to_owned()).or_insert(&file.directories);
        }
    }
    wishes
}
