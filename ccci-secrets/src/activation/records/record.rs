//! A record and its file: old or new at every moment.

use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::activation::fault::Fault;
use crate::activation::parents::{self, Manner};
use crate::activation::site::Site;
use crate::activation::write;
use crate::fs::Entry;

/// A record and its file.
#[derive(Debug)]
pub(in crate::activation) struct Record<T> {
    path: PathBuf,
    value: T,
    /// Whether the file says what `value` says; not after a write that failed.
    certain: bool,
    /// The record was being written when its run ended.
    half_written: bool,
}

impl<T: Default + PartialEq + Serialize + for<'de> Deserialize<'de>> Record<T> {
    pub(super) fn read(
        site: &Site<'_>,
        path: &Path,
        is_usable: impl Fn(&T) -> bool,
    ) -> Result<Self, Fault> {
        let text = site
            .read_small(path)
            .map_err(|source| site.failed("read", path, source))?;
        // EXPOSE: to the parser; records hold nothing secret.
        let value = text.and_then(|text| serde_json::from_slice(text.expose()).ok());
        let value: Option<T> = value.filter(is_usable);
        Ok(Self {
            half_written: is_there(site, &half_written(path)),
            value: value.unwrap_or_default(),
            path: path.to_owned(),
            certain: true,
        })
    }

    /// Whether the record was being written when its run ended.
    pub(super) fn is_half_written(&self) -> bool {
        self.half_written
    }

    pub(in crate::activation) fn path(&self) -> &Path {
        &self.path
    }

    pub(in crate::activation) fn value(&self) -> &T {
        &self.value
    }

    /// The directory that a new value would be written to.
    pub(in crate::activation) fn directory_for(&self, value: &T) -> Option<&Path> {
        (*value != self.value).then(|| self.path.parent()).flatten()
    }

    /// Writes a value if it says something new; one that says nothing is no file.
    pub(in crate::activation) fn set(&mut self, site: &Site<'_>, value: T) -> Result<(), Fault> {
        if self.half_written {
            remove(site, &half_written(&self.path))?;
            self.half_written = false;
        }
        if self.certain && value == self.value {
            return Ok(());
        }
        self.certain = false;
        if value == T::default() {
            remove(site, &self.path)?;
        } else {
            put(site, &self.path, &value)?;
        }
        self.certain = true;
        self.value = value;
        Ok(())
    }
}

fn is_there(site: &Site<'_>, path: &Path) -> bool {
    let place = site.walk(path);
    place.is_ok_and(|place| site.look(&place).is_ok_and(|facts| facts.is_some()))
}

/// The name under which a record is written before it replaces the old one; one name, because only the holder of the
/// lock writes.
fn half_written(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    path.with_file_name(name)
}

/// Replaces a record: old or new at every moment.
fn put<T: Serialize>(site: &Site<'_>, path: &Path, value: &T) -> Result<(), Fault> {
    let failed = |source| site.failed("write", path, source);
    let mut text = serde_json::to_vec_pretty(value).map_err(|error| failed(error.into()))?;
    text.push(b'\n');
    let dir = parents::make(site, path.parent().unwrap_or(path), Manner::Records)?;
    let fs = site.fs;
    let persists = !fs.file_system(dir.as_fd()).map_err(failed)?.is_memory();
    let new = half_written(path);
    remove(site, &new)?;
    let entry = |path: &'_ Path| path.file_name().unwrap_or_default().to_owned();
    let (new, old) = (entry(&new), entry(path));
    let at = |name| Entry {
        dir: dir.as_fd(),
        name,
    };
    let written = write::new_file(fs, dir.as_fd(), Path::new(&new), &text, persists)
        .and_then(|file| fs.change_mode(file.as_fd(), 0o600))
        .and_then(|()| fs.rename(at(&new), at(&old)));
    if let Err(error) = written {
        // The error that led here is the one to report.
        drop(fs.remove_file(dir.as_fd(), &new));
        return Err(failed(error));
    }
    if persists {
        fs.sync(dir.as_fd()).map_err(failed)?;
    }
    Ok(())
}

fn remove(site: &Site<'_>, path: &Path) -> Result<(), Fault> {
    let Ok(place) = site.walk(path) else {
        return Ok(());
    };
    let (Ok(Some(_)), Some(parent)) = (site.look(&place), place.parent()) else {
        return Ok(());
    };
    site.fs
        .remove_file(parent, &place.name)
        .map_err(|source| site.failed("remove", path, source))
}
