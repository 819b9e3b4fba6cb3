//! Back to what was there before: of a run that met an error before its commit, and of one that was killed there.

use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use super::links;
use super::parents;
use super::records::{Journal, Ledger, Records, Run};
use super::remove::remove_tree;
use super::site::Site;

/// A run that did not come to its commit.
pub(super) struct Undo<'a> {
    pub(super) site: &'a Site<'a>,
    /// The mount, from the root, without links.
    pub(super) mount: &'a Path,
    pub(super) run: &'a Run,
    /// This process has mounted it.
    pub(super) mounted: bool,
    /// The ledger as it was, or as it is right.
    pub(super) ledger: Ledger,
}

impl Undo<'_> {
    /// Removes what the run made. Gives what could not be removed; the journal then still names it.
    pub(super) fn roll_back(self, records: &mut Records) -> Vec<PathBuf> {
        let mut left = self.discard_links();
        left.extend(self.remove_generation());
        if self.mounted && self.site.fs.unmount(&self.site.shown(self.mount)).is_err() {
            left.push(self.site.shown(self.mount));
        }
        if left.is_empty() {
            left.extend(self.restore_records(records));
        }
        left.extend(parents::unmake(self.site, &self.run.directories));
        left
    }

    fn discard_links(&self) -> Vec<PathBuf> {
        let staged = self.run.staged.iter();
        staged
            .filter(|link| links::discard(self.site, link).is_err())
            .map(|link| self.site.shown(&link.directory.join(&link.staged)))
            .collect()
    }

    /// Stage and generation: which of the two there is depends on how far the run came.
    fn remove_generation(&self) -> Vec<PathBuf> {
        let (Some(stage), Ok(mount)) = (&self.run.stage, parents::open(self.site, self.mount))
        else {
            return Vec::new();
        };
        let number = self.run.next.generation.map(|number| number.to_string());
        let names = [Some(stage.clone()), number.map(PathBuf::from)];
        names
            .into_iter()
            .flatten()
            .filter(|name| remove_tree(self.site.fs, mount.as_fd(), name.as_os_str()).is_err())
            .map(|name| self.site.shown(&self.mount.join(name)))
            .collect()
    }

    fn restore_records(&self, records: &mut Records) -> Option<PathBuf> {
        let active = records.journal.value().active.clone();
        let restored = records
            .ledger
            .set(self.site, self.ledger.clone())
            .and_then(|()| records.journal.set(self.site, Journal::new(active, None)));
        restored
            .err()
            .map(|_| self.site.shown(records.journal.path()))
    }
}
