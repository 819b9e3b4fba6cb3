//! What a plan is computed from: the contents that are wanted, and everything that was seen where they go.

use std::path::PathBuf;

use super::Options;
use super::contents::Contents;
use super::fault::{Active, Fault, Refusal};
use super::naming::Naming;
use super::observe::{Found, Frame, LinkFound, Reals};
use super::records::{Outcome, Records};
use super::site::Tree;
use super::transaction::Transaction;
use super::wanted::Wanted;

/// What is on disk, seen with certain contents in mind: the file system in memory, the generations, the link, what stands
/// at every target, what earlier runs have written down.
///
/// Only [`observe`] makes one. It holds data alone: no handle stays open, and what happens on disk afterwards does not
/// change it. Of the contents it knows which of them are there already.
#[derive(Debug)]
pub struct Observed<'m> {
    pub(super) contents: Contents<'m>,
    pub(super) tree: Tree,
    pub(super) frame: Frame,
    pub(super) reals: Reals,
    pub(super) found: Found,
    /// What the last run has left.
    pub(super) last: Outcome,
}

impl Observed<'_> {
    /// The active generation, if the link leads to one that exists.
    #[must_use]
    pub fn generation(&self) -> Option<u64> {
        self.found.current.as_ref()?.number
    }

    /// Every number that an entry of the mount bears: the generations, the active one among them.
    #[must_use]
    pub fn numbers(&self) -> &[u64] {
        &self.found.mount.numbers
    }

    /// The link under which the active generation is read, as it is seen from outside.
    #[must_use]
    pub fn link(&self) -> PathBuf {
        self.naming().link()
    }

    /// Whether a run has not come to its end.
    #[must_use]
    pub fn is_unfinished(&self) -> bool {
        self.found.unfinished
    }

    pub(super) fn naming(&self) -> Naming<'_> {
        Naming {
            tree: &self.tree,
            frame: &self.frame,
            manifest: self.contents.manifest,
        }
    }

    /// What a refusal says is still active.
    pub(super) fn active(&self) -> Option<Active> {
        match &self.found.link {
            LinkFound::Generation { active, .. } if self.found.current.is_some() => {
                Some(active.clone())
            }
            _ => None,
        }
    }
}

/// Looks at where the contents of a manifest go. Nothing is changed, and no lock is taken.
///
/// # Errors
/// Something cannot be looked at.
pub fn observe<'m>(contents: Contents<'m>, options: &Options<'_>) -> Result<Observed<'m>, Refusal> {
    Transaction::with(contents.manifest, options, |transaction| match transaction
        .see(&contents.opened.wanted)
    {
        Ok((reals, found, last)) => Ok(Observed {
            tree: transaction.site.tree.clone(),
            frame: transaction.frame.clone(),
            contents,
            reals,
            found,
            last,
        }),
        Err(faults) => Err(Refusal {
            warnings: contents.opened.warnings,
            ..Refusal::new(faults)
        }),
    })
}

impl Transaction<'_> {
    /// Everything that can be seen of a machine, and what the last run has written down.
    fn see(&self, wanted: &[Wanted]) -> Result<(Reals, Found, Outcome), Vec<Fault>> {
        let one = |fault: Fault| vec![fault];
        let paths = self.record_paths().map_err(one)?;
        let records = Records::read(self.site, &paths).map_err(one)?;
        let (reals, found) = self.look(wanted, &records)?;
        Ok((reals, found, records.journal.value().active.clone()))
    }
}
