//! What is there: the mount, the link, the active generation, the targets. Looks only.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Component, Path, PathBuf};

use super::current::{Before, Current, FileFound, find_current, find_foreign};
use super::fault::{Active, Fault, TargetProblem};
use super::manifest::{Manifest, MountWish, OnConflict, Target};
use super::mount::DIRECTORY_MODE;
use super::records::{LinkRecord, Records, STAGE_PREFIX};
use super::site::{Site, relative};
use super::targets::{TargetFound, find_former, find_target, look_past_obstacles};
use super::wanted::Wanted;
use crate::fs::{FileFacts, FileKind, FileSystem};

/// The two paths between which everything happens.
#[derive(Clone, Debug)]
pub(super) struct Frame {
    pub(super) mount: PathBuf,
    pub(super) link: PathBuf,
}

impl Frame {
    pub(super) fn of(manifest: &Manifest) -> Self {
        Self {
            mount: PathBuf::from(&manifest.mount_path),
            link: PathBuf::from(&manifest.link_path),
        }
    }
}

/// What was found. Data only; nothing in it is secret, and no handle stays open.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) mount: MountFound,
    pub(super) link: LinkFound,
    /// The generation that the link names, if it exists.
    pub(super) current: Option<Current>,
    /// For each wanted file, what stands at its target.
    pub(super) targets: Vec<TargetFound>,
    /// Links of ours that nobody wants any more.
    pub(super) former: Vec<LinkRecord>,
    /// An earlier run did not come to its end.
    pub(super) unfinished: bool,
    /// Generations that the journal names.
    pub(super) recorded: Vec<u64>,
    /// Names in the mount under which sops-nix has put private keys that the manifest names.
    pub(super) kept_keys: Vec<OsString>,
}

impl Found {
    /// For each wanted file, how what the active generation has under its name looks.
    pub(super) fn before(&self) -> Vec<Option<Before>> {
        let files = self.current.iter().flat_map(|current| &current.files);
        files.map(FileFound::before).collect()
    }

    /// What the link says, if it leads nowhere.
    pub(super) fn lost_link(&self) -> Option<PathBuf> {
        match (&self.link, &self.current) {
            (LinkFound::Generation { active, .. }, None) => Some(active.link.clone()),
            (LinkFound::Foreign(text), None) => Some(text.clone()),
            _ => None,
        }
    }
}

#[derive(Clone, Debug)]
pub(super) struct MountFound {
    /// Without links, from the root.
    pub(super) real: PathBuf,
    pub(super) exists: bool,
    pub(super) is_mount_point: bool,
    /// Of the mount, or of the closest directory above it.
    pub(super) file_system: FileSystem,
    /// Entries that are numbers.
    pub(super) numbers: Vec<u64>,
    /// Those of them that look as a generation does.
    pub(super) generations: Vec<u64>,
    /// Left by a run that was killed.
    pub(super) stages: bool,
    /// Names under which sops-nix has put private keys.
    pub(super) foreign_keys: Vec<OsString>,
}

impl MountFound {
    /// Numbers that may be removed. In a file system in memory that holds generations, every number is one, whoever made
    /// it; anywhere else, a directory may bear a number for reasons of its own.
    pub(super) fn removable(&self, recorded: &[u64], has_active: bool) -> Vec<u64> {
        let is_in_memory = self.is_mount_point && self.file_system.is_memory();
        let is_for_generations = is_in_memory && (has_active || !recorded.is_empty());
        let is_generation =
            |number: &u64| recorded.contains(number) || self.generations.contains(number);
        let numbers = self.numbers.iter().copied();
        numbers
            .filter(|number| is_for_generations || is_generation(number))
            .collect()
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum LinkFound {
    Absent,
    /// A directory, which will give way.
    Directory,
    /// A link to something else.
    Foreign(PathBuf),
    /// A link to a generation; `exact` if its text is what would be written.
    Generation {
        active: Active,
        exact: bool,
    },
}

/// The text of the link to a generation.
pub(super) fn generation_text(
    site: &Site<'_>,
    frame: &Frame,
    real: &Reals,
    number: u64,
) -> PathBuf {
    match site.tree.rebased {
        true => relative(&real.link_parent, &real.mount.join(number.to_string())),
        false => frame.mount.join(number.to_string()),
    }
}

/// Where mount and link really are.
#[derive(Clone, Debug)]
pub(super) struct Reals {
    pub(super) mount: PathBuf,
    pub(super) link_parent: PathBuf,
    pub(super) link_name: PathBuf,
}

impl Reals {
    pub(super) fn find(site: &Site<'_>, frame: &Frame) -> Result<Self, Vec<Fault>> {
        let walk = |path: &Path| {
            site.walk(path)
                .map_err(|hazard| target_fault(site, path, TargetProblem::Way(hazard)))
        };
        match (walk(&frame.mount), walk(&frame.link)) {
            (Ok(mount), Ok(link)) => Ok(Self {
                mount: mount.real_path(),
                link_parent: link.real_parent(),
                link_name: link.name.into(),
            }),
            (mount, link) => Err([mount.err(), link.err()].into_iter().flatten().collect()),
        }
    }

    /// The link itself.
    pub(super) fn link(&self) -> PathBuf {
        self.link_parent.join(&self.link_name)
    }
}

pub(super) fn target_fault(site: &Site<'_>, path: &Path, problem: TargetProblem) -> Fault {
    Fault::Target {
        path: site.shown(path),
        problem,
    }
}

/// Looks at everything; faults are those that make looking further pointless.
pub(super) fn find(
    site: &Site<'_>,
    frame: &Frame,
    manifest: &Manifest,
    wanted: &[Wanted],
    records: &Records,
) -> Result<Found, Vec<Fault>> {
    let reals = Reals::find(site, frame)?;
    let mut faults = Vec::new();
    let mount = find_mount(site, frame)
        .map_err(|fault| faults.push(fault))
        .ok();
    let link = find_link(site, frame, &reals)
        .map_err(|fault| faults.push(fault))
        .ok();
    let (Some(mut mount), Some(link)) = (mount, link) else {
        return Err(faults);
    };
    let kept_keys = spare_keys(site, manifest, &mut mount);
    let current = match &link {
        LinkFound::Generation { active, .. } => {
            find_current(site, frame, active.generation, wanted)
        }
        LinkFound::Foreign(text) => {
            find_foreign(site, &lexical(&reals.link_parent.join(text)), wanted)
        }
        _ => None,
    };
    let targets = wanted
        .iter()
        .map(|wanted| find_target(site, frame, &reals, wanted))
        .collect();
    Ok(Found {
        unfinished: records.is_unfinished() || mount.stages,
        mount,
        link,
        current,
        targets,
        former: find_former(site, wanted, records),
        recorded: records.generations(),
        kept_keys,
    })
}

/// Leaves of the private keys that were found those that are to go: none where no file system in memory of ours is, and
/// none that the manifest names. These are returned.
fn spare_keys(site: &Site<'_>, manifest: &Manifest, mount: &mut MountFound) -> Vec<OsString> {
    let found = std::mem::take(&mut mount.foreign_keys);
    if manifest.mount != MountWish::Auto || !mount.file_system.is_memory() {
        return Vec::new();
    }
    let is_named = |name: &OsString| is_key_source(site, manifest, &mount.real.join(name));
    let (kept, gone) = found.into_iter().partition(is_named);
    mount.foreign_keys = gone;
    kept
}

/// Whether a source of keys that the manifest names is at a path of this tree, or below it.
fn is_key_source(site: &Site<'_>, manifest: &Manifest, path: &Path) -> bool {
    let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let shown = real(&site.shown(path));
    let mut sources = manifest.keys.paths();
    sources.any(|source| source.starts_with(path) || real(source).starts_with(&shown))
}

/// What is active, for the last line of a refusal.
pub(super) fn active(site: &Site<'_>, frame: &Frame) -> Option<Active> {
    let reals = Reals::find(site, frame).ok()?;
    match find_link(site, frame, &reals).ok()? {
        LinkFound::Generation { active, .. } => {
            let path = frame.mount.join(active.generation.to_string());
            site.open_dir(&path).map(|_| active)
        }
        _ => None,
    }
}

fn looked<T>(site: &Site<'_>, path: &Path, result: io::Result<T>) -> Result<T, Fault> {
    result.map_err(|source| Fault::FileSystem {
        step: "look at",
        path: site.shown(path),
        source,
    })
}

pub(super) fn find_mount(site: &Site<'_>, frame: &Frame) -> Result<MountFound, Fault> {
    let path = &frame.mount;
    let place = site
        .walk(path)
        .map_err(|hazard| target_fault(site, path, TargetProblem::Way(hazard)))?;
    let facts = looked(site, path, site.look(&place))?;
    let mut found = MountFound {
        real: place.real_path(),
        exists: facts.is_some(),
        is_mount_point: facts.is_some_and(|facts| facts.mount_point),
        file_system: FileSystem::Persistent,
        numbers: Vec::new(),
        generations: Vec::new(),
        stages: false,
        foreign_keys: Vec::new(),
    };
    let Some(facts) = facts else {
        found.file_system = looked(site, path, nearest_file_system(site, place.dir.as_deref()))?;
        return Ok(found);
    };
    if facts.kind != FileKind::Directory {
        return Err(target_fault(site, path, TargetProblem::NotADirectory));
    }
    let Some(parent) = place.parent() else {
        return Ok(found);
    };
    let dir = looked(site, path, site.fs.open_dir(parent, Path::new(&place.name)))?;
    found.file_system = looked(site, path, site.fs.file_system(dir.as_fd()))?;
    for name in looked(site, path, site.fs.list(dir.as_fd()))? {
        if let Some(number) = name.to_str().and_then(parse_number) {
            found.numbers.push(number);
            if is_generation(site, dir.as_fd(), &name) {
                found.generations.push(number);
            }
        }
        found.stages |= name.to_string_lossy().starts_with(STAGE_PREFIX);
        if is_foreign_key(site, dir.as_fd(), &name) {
            found.foreign_keys.push(name);
        }
    }
    found.numbers.sort_unstable();
    found.foreign_keys.sort_unstable();
    Ok(found)
}

/// Whether a directory is ours and has the mode that activation gives generations.
fn is_generation(site: &Site<'_>, mount: BorrowedFd<'_>, name: &OsStr) -> bool {
    site.fs.facts_at(mount, name).is_ok_and(|facts| {
        facts.kind == FileKind::Directory && facts.mode == DIRECTORY_MODE && facts.uid == site.euid
    })
}

/// Whether sops-nix, which puts private keys into files beside the generations, has made this: the key file it writes for
/// age, or a home of GnuPG.
fn is_foreign_key(site: &Site<'_>, mount: BorrowedFd<'_>, name: &OsStr) -> bool {
    let Some(text) = name.to_str() else {
        return false;
    };
    if let Some(number) = text.strip_prefix("gpg") {
        let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
        return is_number && is_gnupg_home(site, mount, name);
    }
    text == "age-keys.txt" && begins_as_foreign(site, mount, name).unwrap_or(false)
}

/// Whether a directory is private and holds what GnuPG makes.
fn is_gnupg_home(site: &Site<'_>, mount: BorrowedFd<'_>, name: &OsStr) -> bool {
    const NAMES: [&str; 4] = [
        "private-keys-v1.d",
        "pubring.gpg",
        "pubring.kbx",
        "secring.gpg",
    ];
    let is_private = site.fs.facts_at(mount, name).is_ok_and(|facts| {
        facts.kind == FileKind::Directory && facts.mode == 0o700 && facts.uid == site.euid
    });
    let dir = match is_private {
        true => site.fs.open_dir(mount, Path::new(name)),
        false => return false,
    };
    dir.is_ok_and(|dir| {
        let is_there = |name: &str| site.fs.facts_at(dir.as_fd(), OsStr::new(name)).is_ok();
        NAMES.iter().any(|name| is_there(name))
    })
}

fn begins_as_foreign(site: &Site<'_>, mount: BorrowedFd<'_>, name: &OsStr) -> io::Result<bool> {
    const BEGINNING: &[u8] = b"# generated by sops-nix";
    let file = site.fs.open_file(mount, Path::new(name))?;
    let mut found = [0; BEGINNING.len()];
    let count = site.fs.read_at(file.as_fd(), &mut found, 0)?;
    Ok(count == found.len() && found == BEGINNING)
}

fn nearest_file_system(site: &Site<'_>, dir: Option<&OwnedFd>) -> io::Result<FileSystem> {
    if let Some(dir) = dir {
        return site.fs.file_system(dir.as_fd());
    }
    let above = site.base().ancestors().find_map(|path| {
        let path = if path.as_os_str().is_empty() {
            Path::new(".")
        } else {
            path
        };
        site.fs.open_start(path).ok()
    });
    match above {
        Some(dir) => site.fs.file_system(dir.as_fd()),
        None => Ok(FileSystem::Persistent),
    }
}

/// A generation's name is its number and nothing else.
fn parse_number(name: &str) -> Option<u64> {
    let number: u64 = name.parse().ok()?;
    (number.to_string() == name).then_some(number)
}

pub(super) fn find_link(site: &Site<'_>, frame: &Frame, reals: &Reals) -> Result<LinkFound, Fault> {
    let path = &frame.link;
    let place = site
        .walk(path)
        .map_err(|hazard| target_fault(site, path, TargetProblem::Way(hazard)))?;
    let (Some(facts), Some(parent)) = (looked(site, path, site.look(&place))?, place.parent())
    else {
        return Ok(LinkFound::Absent);
    };
    match facts {
        FileFacts {
            mount_point: true, ..
        } => Err(target_fault(site, path, TargetProblem::MountPoint)),
        FileFacts {
            kind: FileKind::Directory,
            ..
        } => Ok(LinkFound::Directory),
        FileFacts {
            kind: FileKind::Regular,
            ..
        } => Err(target_fault(site, path, TargetProblem::Differs)),
        FileFacts {
            kind: FileKind::Special,
            ..
        } => Err(target_fault(site, path, TargetProblem::Special)),
        FileFacts {
            kind: FileKind::Link,
            ..
        } => {
            let text = looked(site, path, site.fs.read_link(parent, &place.name))?;
            let Some(generation) = generation_of(&text, frame, reals) else {
                return Ok(LinkFound::Foreign(text));
            };
            let exact = text == generation_text(site, frame, reals, generation);
            let active = Active {
                generation,
                link: text,
            };
            Ok(LinkFound::Generation { active, exact })
        }
    }
}

/// The number, if a link's text names a direct child of the mount.
fn generation_of(text: &Path, frame: &Frame, reals: &Reals) -> Option<u64> {
    let full = lexical(&reals.link_parent.join(text));
    let number = parse_number(full.file_name()?.to_str()?)?;
    let parent = full.parent()?;
    (parent == frame.mount || parent == reals.mount).then_some(number)
}

/// A path without `.` and `..`, as far as text tells.
fn lexical(path: &Path) -> PathBuf {
    let mut clean = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => {
                clean.pop();
            }
            other => clean.push(other),
        }
    }
    clean
}

/// Everything that is in the way whatever the contents are: for refusals that have no contents.
pub(super) fn obstacles(site: &Site<'_>, frame: &Frame, manifest: &Manifest) -> Vec<Fault> {
    let mut faults: Vec<Fault> = find_mount(site, frame).err().into_iter().collect();
    if let Ok(reals) = Reals::find(site, frame) {
        faults.extend(find_link(site, frame, &reals).err());
    } else if let Err(hazard) = site.walk(&frame.link) {
        faults.push(target_fault(site, &frame.link, TargetProblem::Way(hazard)));
    }
    for entry in manifest.files() {
        let Target::Outside(path) = &entry.target else {
            continue;
        };
        let problem = match look_past_obstacles(site, Path::new(path)) {
            Ok(Some((_, facts)))
                if facts.kind == FileKind::Directory && entry.on_conflict == OnConflict::Refuse =>
            {
                TargetProblem::Directory
            }
            Ok(_) => continue,
            Err(problem) => problem,
        };
        faults.push(target_fault(site, Path::new(path), problem));
    }
    faults
}
