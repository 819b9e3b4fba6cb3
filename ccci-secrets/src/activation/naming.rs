//! Steps in the words of the manifest: files by their names, paths as they are seen from outside. Pure.

use std::path::{Path, PathBuf};

use super::fault::{Fault, Warning, WarningKind};
use super::manifest::{Manifest, MountWish, Target};
use super::observe::{Found, Frame, MountFound};
use super::receipt::{Change, EntryResult};
use super::records::Outcome;
use super::site::Tree;
use super::steps::{Item, Settings, Steps, decide};
use super::units::{Units, of_changes};
use super::wanted::Wanted;
use crate::digest;

/// Whose words they are.
#[derive(Clone, Copy, Debug)]
pub(super) struct Naming<'a> {
    pub(super) tree: &'a Tree,
    pub(super) frame: &'a Frame,
    pub(super) manifest: &'a Manifest,
}

impl Naming<'_> {
    /// What is to be done about what was found.
    pub(super) fn decide(&self, wanted: &[Wanted], found: Found) -> Result<Steps, Vec<Fault>> {
        let items: Vec<Item> = wanted.iter().map(|wanted| self.item(wanted)).collect();
        decide(self.settings(), &items, found)
    }

    fn settings(&self) -> Settings {
        Settings {
            idempotent: self.manifest.idempotent,
            keep_generations: self.manifest.keep_generations,
            mount: match self.manifest.user_mode {
                true => MountWish::None,
                false => self.manifest.mount,
            },
            use_tmpfs: self.manifest.use_tmpfs,
            rebased: self.tree.rebased,
        }
    }

    fn item(&self, wanted: &Wanted) -> Item {
        Item {
            shown: self.target(&wanted.target).unwrap_or_default(),
            on_conflict: wanted.on_conflict,
        }
    }

    /// The link to the active generation.
    pub(super) fn link(&self) -> PathBuf {
        self.tree.shown(&self.frame.link)
    }

    /// Where a file can be read besides its place in the generation.
    pub(super) fn target(&self, target: &Target) -> Option<PathBuf> {
        match target {
            Target::Outside(path) => Some(self.tree.shown(Path::new(path))),
            Target::Inside(rest) => Some(self.tree.shown(&self.frame.link.join(rest))),
            Target::Own => None,
        }
    }

    pub(super) fn entries(&self, wanted: &[Wanted], steps: &Steps) -> Vec<EntryResult> {
        let entry = |(wanted, change): (&Wanted, &Change)| EntryResult {
            name: wanted.name.clone(),
            origin: wanted.origin.clone(),
            path: self.target(&wanted.target),
            mode: wanted.mode,
            uid: wanted.uid,
            gid: wanted.gid,
            change: *change,
        };
        wanted.iter().zip(&steps.changes).map(entry).collect()
    }

    pub(super) fn links_placed(&self, wanted: &[Wanted], steps: &Steps) -> Vec<PathBuf> {
        let placed = steps.links.iter();
        placed
            .filter_map(|step| wanted.get(step.wanted))
            .filter_map(|wanted| self.target(&wanted.target))
            .collect()
    }

    pub(super) fn links_removed(&self, steps: &Steps) -> Vec<PathBuf> {
        let removed = steps.removals.iter();
        removed
            .map(|link| self.tree.shown(Path::new(&link.path)))
            .collect()
    }

    /// Nothing of this machine changes for a tree below a directory.
    pub(super) fn units(&self, wanted: &[Wanted], steps: &Steps, last: &Outcome) -> Units {
        match self.tree.rebased {
            true => Units::default(),
            false => of_changes(self.manifest, wanted, steps, &last.entries),
        }
    }

    /// Whether the manifest is another one than that of the last run, as far as that is known.
    pub(super) fn has_new_manifest(&self, last: &Outcome) -> bool {
        let last = &last.manifest_sha256;
        !last.is_empty() && *last != digest::hex(&self.manifest.sha256)
    }

    pub(super) fn warnings(&self, steps: &Steps, mount: &MountFound) -> Vec<Warning> {
        let mut warnings = steps.warnings.clone();
        if steps.generation.is_some() {
            if !self.tree.sets_owners && !self.manifest.user_mode {
                let mount = self.tree.shown(&self.frame.mount);
                warnings.push(Warning::at(WarningKind::OwnershipSkipped, &mount));
            }
            if self.tree.rebased && !mount.file_system.is_memory() {
                warnings.push(Warning::at(WarningKind::Persistent, &self.tree.base));
            }
        }
        warnings
    }
}
