//! The places outside of the generation where links are wanted, and those where they are wanted no more.

use std::io;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use super::current::has_content;
use super::fault::TargetProblem;
use super::manifest::Target;
use super::observe::{Frame, Reals};
use super::records::{LinkRecord, Records, is_placed};
use super::site::{Hazard, Place, Site, relative};
use super::wanted::Wanted;
use crate::fs::{FileFacts, FileKind};

/// What stands at a target.
#[derive(Debug)]
pub(super) enum TargetFound {
    Absent,
    /// Something that a link cannot take the place of.
    Blocked(TargetProblem),
    EmptyDirectory,
    /// No target outside is wanted.
    NotOutside,
    OtherLink(PathBuf),
    Regular {
        same: bool,
    },
    Right,
}

/// The text of a link at a target whose directory is `parent`.
pub(super) fn target_text(
    site: &Site<'_>,
    frame: &Frame,
    real: &Reals,
    parent: &Path,
    name: &str,
) -> PathBuf {
    match site.tree.rebased {
        true => relative(parent, &real.link().join(name)),
        false => frame.link.join(name),
    }
}

/// What stands at the target of a wanted file.
pub(super) fn find_target(
    site: &Site<'_>,
    frame: &Frame,
    reals: &Reals,
    wanted: &Wanted,
) -> TargetFound {
    let Target::Outside(path) = &wanted.target else {
        return TargetFound::NotOutside;
    };
    let text_at = |parent: &Path| target_text(site, frame, reals, parent, &wanted.name);
    look_at_target(site, Path::new(path), wanted, text_at).unwrap_or_else(TargetFound::Blocked)
}

fn look_at_target(
    site: &Site<'_>,
    path: &Path,
    wanted: &Wanted,
    text_at: impl Fn(&Path) -> PathBuf,
) -> Result<TargetFound, TargetProblem> {
    let io = |source| io_problem(site, path, source);
    let Some((place, facts)) = look_past_obstacles(site, path)? else {
        return Ok(TargetFound::Absent);
    };
    let Some(parent) = place.parent() else {
        return Ok(TargetFound::Absent);
    };
    match facts.kind {
        FileKind::Link => {
            let text = site.fs.read_link(parent, &place.name).map_err(io)?;
            let owner = (facts.uid, facts.gid) == (wanted.uid, wanted.gid);
            let right = text == text_at(&place.real_parent()) && (owner || !site.tree.sets_owners);
            Ok(match right {
                true => TargetFound::Right,
                false => TargetFound::OtherLink(text),
            })
        }
        FileKind::Directory => Ok(TargetFound::EmptyDirectory),
        _ => {
            let file = site
                .fs
                .open_file(parent, Path::new(&place.name))
                .map_err(io)?;
            let same = has_content(site, file.as_fd(), &facts, wanted);
            Ok(TargetFound::Regular { same })
        }
    }
}

/// The text of the link at the end of a walked path; none if no link is there.
pub(super) fn text_found(site: &Site<'_>, place: &Place) -> io::Result<Option<PathBuf>> {
    let is_link = |facts: FileFacts| facts.kind == FileKind::Link;
    match (
        site.look(place)?.filter(|facts| is_link(*facts)),
        place.parent(),
    ) {
        (Some(_), Some(parent)) => site.fs.read_link(parent, &place.name).map(Some),
        _ => Ok(None),
    }
}

fn io_problem(site: &Site<'_>, path: &Path, source: io::Error) -> TargetProblem {
    TargetProblem::Way(Hazard::Io {
        path: site.shown(path),
        source,
    })
}

/// What stands at a path, if a link can take its place, whatever it holds. A directory can give way when nothing is in it.
pub(super) fn look_past_obstacles(
    site: &Site<'_>,
    path: &Path,
) -> Result<Option<(Place, FileFacts)>, TargetProblem> {
    let place = site.walk(path).map_err(TargetProblem::Way)?;
    let found = site
        .look(&place)
        .map_err(|source| io_problem(site, path, source))?;
    match found {
        Some(facts) if facts.mount_point => Err(TargetProblem::MountPoint),
        Some(facts) if facts.kind == FileKind::Directory && !is_empty(site, &place) => {
            Err(TargetProblem::Directory)
        }
        Some(facts) if facts.kind == FileKind::Special => Err(TargetProblem::Special),
        found => Ok(found.map(|facts| (place, facts))),
    }
}

/// Whether a directory is known to hold nothing.
fn is_empty(site: &Site<'_>, place: &Place) -> bool {
    let Some(parent) = place.parent() else {
        return false;
    };
    let names = site
        .fs
        .open_dir(parent, Path::new(&place.name))
        .and_then(|dir| site.fs.list(dir.as_fd()));
    names.is_ok_and(|names| names.is_empty())
}

/// Links of earlier manifests that still are what we made them.
pub(super) fn find_former(
    site: &Site<'_>,
    wanted: &[Wanted],
    records: &Records,
) -> Vec<LinkRecord> {
    let is_wanted = |record: &LinkRecord| {
        wanted
            .iter()
            .any(|wanted| matches!(&wanted.target, Target::Outside(path) if *path == record.path))
    };
    records
        .links()
        .into_iter()
        .filter(|record| !is_wanted(record) && is_placed(site, record))
        .collect()
}
