//! Which paths a run reads and writes.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

use crate::activation::manifest::{Manifest, Target};

/// Where a run reads and writes, each list sorted.
pub(super) struct Places {
    /// Directories outside `/run` in which links are placed.
    pub(super) parents: BTreeSet<PathBuf>,
    /// Where generations are made, if that is outside `/run`.
    pub(super) mount: Option<PathBuf>,
    /// Everything that has to be mounted before the run.
    pub(super) needed: Vec<PathBuf>,
    /// Everything that is read, and every directory that is written to.
    touched: BTreeSet<PathBuf>,
}

impl Places {
    pub(super) fn of(manifest: &Manifest, manifest_path: &Path) -> Self {
        let mount = PathBuf::from(&manifest.mount_path);
        let outside = targets(manifest).filter(|path| !path.starts_with(RUN));
        let parents: BTreeSet<PathBuf> = outside.filter_map(parent).collect();
        let mut needed = read_by(manifest, manifest_path);
        needed.extend(parents.iter().cloned());
        needed.extend([mount.clone(), STATE.into()]);
        let touched = needed.iter().cloned().chain(targets(manifest)).collect();
        Self {
            mount: Some(mount).filter(|mount| !mount.starts_with(RUN)),
            needed: outermost_left_out(needed),
            parents,
            touched,
        }
    }

    /// Whether anything that is read or written lies below one of these directories.
    pub(super) fn reach_into(&self, directories: &[&str]) -> bool {
        let mut touched = self.touched.iter();
        touched.any(|path| directories.iter().any(|above| path.starts_with(above)))
    }
}

/// Where everything that does not outlive the boot is kept.
pub(super) const RUN: &str = "/run";
/// Where everything is kept that does.
pub(super) const STATE: &str = "/var/lib/ccsec";

/// Every link that a run places.
pub(super) fn targets(manifest: &Manifest) -> impl Iterator<Item = PathBuf> {
    let outside = manifest.files().filter_map(|file| match &file.target {
        Target::Outside(path) => Some(path.into()),
        Target::Inside(_) | Target::Own => None,
    });
    std::iter::once(PathBuf::from(&manifest.link_path)).chain(outside)
}

fn parent(path: PathBuf) -> Option<PathBuf> {
    path.parent().map(Path::to_owned)
}

fn read_by(manifest: &Manifest, manifest_path: &Path) -> BTreeSet<PathBuf> {
    let secrets = manifest.secrets.iter();
    // Many secrets come from few files; the directory says as much about mounts as they do.
    let files = secrets.filter_map(|secret| parent(secret.sops_file.clone()));
    let templates = manifest.templates.iter().map(|template| &template.source);
    let templates = templates.filter_map(|source| parent(source.path().to_owned()));
    let keys = manifest.keys.paths().map(Path::to_owned);
    let read = files.chain(templates).chain(keys);
    read.chain([manifest_path.to_owned()])
        .filter(|path| path.is_absolute())
        .map(|path| without_parents(&path))
        .collect()
}

/// Without `..`, which systemd takes in no path. Links are not followed.
fn without_parents(path: &Path) -> PathBuf {
    let mut kept = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => drop(kept.pop()),
            Component::CurDir => {}
            _ => kept.push(part),
        }
    }
    kept
}

/// What is needed for a path is needed for all above it too.
fn outermost_left_out(paths: BTreeSet<PathBuf>) -> Vec<PathBuf> {
    let is_above = |path: &&PathBuf| {
        let mut others = paths.iter();
        others.any(|other| other != *path && other.starts_with(path))
    };
    let kept = paths.iter().filter(|path| !is_above(path));
    kept.cloned().collect()
}
