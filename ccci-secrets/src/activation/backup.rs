//! Files that a link takes the place of and that are kept: nothing of the operator's is lost, whenever the run ends.
//!
//! The order is: say in the ledger under which name the file will be kept, let link and file change places, rename the
//! file, close it to others. A later run finds out how far this came.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};

use super::fault::{Fault, Warning, WarningKind};
use super::links::kind_at;
use super::records::{BackupRecord, Records, StagedLink};
use super::site::Site;
use crate::fs::{Entry, FileFacts};

/// Nobody but its owner may read a file that is kept.
pub(super) const KEPT_MODE: u32 = 0o600;

/// Where link and file are.
#[derive(Clone, Copy)]
pub(super) struct Spot<'a> {
    pub(super) site: &'a Site<'a>,
    pub(super) dir: BorrowedFd<'a>,
    pub(super) link: &'a StagedLink,
}

impl Spot<'_> {
    /// Puts the link in the place of a file, and keeps the file.
    pub(super) fn back_up(
        &self,
        facts: FileFacts,
        records: &mut Records,
    ) -> Result<Warning, Fault> {
        let record = self.enter(facts, records)?;
        let fs = self.site.fs;
        let (staged, name) = (self.at(&self.link.staged), self.at(&self.link.name));
        match fs.exchange(staged, name) {
            Ok(()) => self.put_aside(records),
            // A file system that cannot let two names change places.
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported
                ) =>
            {
                fs.rename_new(name, self.at(&record.backup))
                    .and_then(|()| fs.rename(staged, name))
                    .map_err(|source| self.failed(source))?;
                self.close(&record)
            }
            Err(error) => Err(self.failed(error)),
        }
    }

    /// The second half, when the file stands under the link's temporary name.
    pub(super) fn put_aside(&self, records: &mut Records) -> Result<Warning, Fault> {
        let fs = self.site.fs;
        let found = kind_at(fs, self.dir, &self.link.staged);
        let found = found.map_err(|source| self.failed(source))?;
        let Some(facts) = found else {
            return Err(self.failed(io::ErrorKind::NotFound.into()));
        };
        let record = self.enter(facts, records)?;
        fs.rename_new(self.at(&self.link.staged), self.at(&record.backup))
            .map_err(|source| self.failed(source))?;
        self.close(&record)
    }

    /// The last step alone, when the file has its name already.
    pub(super) fn close_backup(&self, records: &Records) -> Result<(), Fault> {
        let backups = &records.ledger.value().backups;
        match backups.iter().rfind(|record| self.is_here(record)) {
            Some(record) if self.is_taken(&record.backup)? => self.close(record).map(drop),
            _ => Ok(()),
        }
    }

    /// The name under which the file is or will be kept, written down first. A record whose file is not there is one of
    /// an interrupted run, or of a file that the operator took away.
    fn enter(&self, facts: FileFacts, records: &mut Records) -> Result<BackupRecord, Fault> {
        let record = BackupRecord {
            directory: self.link.directory.clone(),
            name: self.link.name.clone(),
            backup: self.free_name()?,
            mode: facts.mode,
            uid: facts.uid,
            gid: facts.gid,
            inode: Some(facts.inode.1),
        };
        let mut ledger = records.ledger.value().clone();
        ledger
            .backups
            .retain(|known| !self.is_here(known) || known.backup != record.backup);
        ledger.backups.push(record.clone());
        records.ledger.set(self.site, ledger)?;
        Ok(record)
    }

    fn is_here(&self, record: &BackupRecord) -> bool {
        record.directory == self.link.directory && record.name == self.link.name
    }

    fn free_name(&self) -> Result<PathBuf, Fault> {
        let mut number = 1_u64;
        loop {
            let mut name = self.link.name.as_os_str().to_owned();
            name.push(format!(".ccsec-backup-{number}"));
            let name = PathBuf::from(name);
            if !self.is_taken(&name)? {
                return Ok(name);
            }
            number += 1;
        }
    }

    fn is_taken(&self, name: &Path) -> Result<bool, Fault> {
        let found = kind_at(self.site.fs, self.dir, name);
        found
            .map(|facts| facts.is_some())
            .map_err(|source| self.failed(source))
    }

    /// Nobody but the owner may read a file that is kept.
    fn close(&self, record: &BackupRecord) -> Result<Warning, Fault> {
        let path = self.link.directory.join(&self.link.name);
        let kept = self.link.directory.join(&record.backup);
        self.close_file(record)
            .map_err(|source| self.site.failed("set the mode of", &kept, source))?;
        let subject = format!(
            "{} as {}",
            self.site.shown(&path).display(),
            self.site.shown(&kept).display()
        );
        Ok(Warning::new(WarningKind::BackedUp, subject))
    }

    fn close_file(&self, record: &BackupRecord) -> io::Result<()> {
        let fs = self.site.fs;
        let facts = fs.facts_at(self.dir, record.backup.as_os_str())?;
        if facts.mode == KEPT_MODE {
            return Ok(());
        }
        let file = fs.open_file(self.dir, &record.backup)?;
        // The directory may be somebody else's: only the file that was kept is closed.
        let facts = fs.facts(file.as_fd())?;
        if !record.is_of(&facts) {
            return Err(io::Error::other("something else has taken its place"));
        }
        fs.change_mode(file.as_fd(), KEPT_MODE)
    }

    fn at<'a>(&'a self, name: &'a Path) -> Entry<'a> {
        Entry {
            dir: self.dir,
            name: name.as_os_str(),
        }
    }

    fn failed(&self, source: io::Error) -> Fault {
        let path = self.link.directory.join(&self.link.name);
        self.site.failed("keep the file", &path, source)
    }
}
