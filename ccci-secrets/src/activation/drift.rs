//! What is there against what should be there. Pure: both sides are given, nothing is read.

use std::path::PathBuf;

use super::survey::{FileSeen, LinkSeen, MountSeen, PlaceSeen, Survey};
use super::told_kinds::told_kinds;
use crate::digest;
use crate::hmac_key::HmacKey;
use crate::secret::Secret;

/// What should be there.
#[derive(Debug)]
pub(super) struct Expected<'a> {
    pub(super) files: Vec<ExpectedFile<'a>>,
    /// Links beside the generation.
    pub(super) links: Vec<ExpectedLink>,
    /// The generation that was activated last; none if nobody has written it down.
    pub(super) generation: Option<u64>,
    /// A file system in memory is due, and it is ours.
    pub(super) mounted: bool,
    /// Files belong to those whom the manifest names.
    pub(super) owners: bool,
}

/// One file of the generation.
#[derive(Debug)]
pub(super) struct ExpectedFile<'a> {
    pub(super) name: String,
    pub(super) content: ExpectedContent<'a>,
    pub(super) mode: u32,
    pub(super) uid: u32,
    pub(super) gid: u32,
    /// Another name of it inside the generation.
    pub(super) inner: Option<String>,
}

/// What is known of a content.
#[derive(Debug)]
pub(super) enum ExpectedContent<'a> {
    Bytes(&'a Secret),
    Digest {
        key: &'a HmacKey,
        digest: &'a str,
    },
    /// Nothing: it is not compared.
    Unknown,
}

/// A link beside the generation.
#[derive(Debug)]
pub(super) struct ExpectedLink {
    /// The path of the manifest.
    pub(super) path: String,
    /// Where it leads.
    pub(super) leads: Leads,
    /// Whose it is; none if that is not known.
    pub(super) owner: Option<(u32, u32)>,
}

/// Where a link should lead.
#[derive(Debug)]
pub(super) enum Leads {
    /// To the file of this name below the active generation.
    To(String),
    /// Wherever this text leads.
    Text(PathBuf),
}

/// Something that was compared.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub struct Drift {
    /// What is the case.
    pub class: DriftClass,
    /// Of what: the name of a file of the generation, or the path of something beside it, as it is seen from outside.
    pub subject: String,
    /// What a link says that leads elsewhere, or nowhere.
    pub leads: Option<PathBuf>,
}

impl Drift {
    /// What it says of its subject.
    #[must_use]
    pub fn sentence(&self) -> String {
        let sentence = self.class.sentence();
        match &self.leads {
            Some(text) => format!("{sentence}, to {}", text.display()),
            None => sentence.to_owned(),
        }
    }
}

told_kinds! {
    /// What can be the case with something that was compared.
    DriftClass:
    /// Other bytes.
    Content = "content" "holds other bytes",
    /// Other bytes than another machine has published a digest of.
    Digest = "digest" "differs from the digest that was expected",
    /// It is there and should not be.
    Extra = "extra" "should not be there",
    /// Another group.
    Group = "group" "belongs to another group",
    /// A link leads to nothing.
    LinkDangles = "link-dangles" "the link leads nowhere",
    /// A link is not there.
    LinkMissing = "link-missing" "the link is not there",
    /// A link leads elsewhere.
    LinkTarget = "link-target" "the link leads elsewhere",
    /// It is not there.
    Missing = "missing" "is not there",
    /// Another mode.
    Mode = "mode" "has another mode",
    /// The file system in memory allows what it should not.
    MountOptions = "mount-options" "is not mounted with nodev, nosuid and noexec",
    /// The file system in memory is not there.
    NotMounted = "not-mounted" "the file system in memory is not mounted",
    /// All is as it should be.
    Ok = "ok" "is as it should be",
    /// Digests that cannot be compared with.
    OtherKey = "other-key" "is another key than the digests of contents were written down under: contents were not compared",
    /// Another owner.
    Owner = "owner" "belongs to somebody else",
    /// Another generation is active than was activated last.
    StaleGeneration = "stale-generation" "leads to another generation than was activated last",
    /// Something of another kind.
    Type = "type" "is something else",
}

/// Compares. Everything that should be there has at least one line.
pub(super) fn drift(expected: &Expected<'_>, seen: &Survey) -> Vec<Drift> {
    let mut lines = Lines(Vec::new());
    let mounted = !expected.mounted || seen.mount.is_there();
    if expected.mounted {
        lines.add(&seen.mount.path, mount(&seen.mount));
    }
    let classes = match seen.link {
        // What is not mounted explains that the link leads nowhere.
        LinkSeen::Lost { .. } if !mounted => Vec::new(),
        _ => link(expected, &seen.link),
    };
    lines.add_link(&seen.link_path, classes, leads(&seen.link));
    for (file, found) in expected.files.iter().zip(&seen.files) {
        let classes = match mounted {
            true => of_file(expected, file, &found.file, found.inner.as_ref()),
            false => vec![DriftClass::NotMounted],
        };
        lines.add(&file.name, classes);
    }
    for name in &seen.extra {
        lines.add(name, vec![DriftClass::Extra]);
    }
    for (link, found) in expected.links.iter().zip(&seen.links) {
        let owner = link.owner.filter(|_| expected.owners);
        let text = match &found.place {
            PlaceSeen::Link { text, .. } => Some(text),
            _ => None,
        };
        lines.add_link(&found.path, of_place(&found.place, owner), text);
    }
    lines.0
}

struct Lines(Vec<Drift>);

impl Lines {
    fn add(&mut self, subject: &str, classes: Vec<DriftClass>) {
        self.add_link(subject, classes, None);
    }

    /// What stands there may be a link of this text.
    fn add_link(&mut self, subject: &str, classes: Vec<DriftClass>, text: Option<&PathBuf>) {
        let classes = match classes.is_empty() {
            true => vec![DriftClass::Ok],
            false => classes,
        };
        let is_astray = |class| matches!(class, DriftClass::LinkDangles | DriftClass::LinkTarget);
        let line = |class| Drift {
            class,
            subject: subject.to_owned(),
            leads: text.filter(|_| is_astray(class)).cloned(),
        };
        self.0.extend(classes.into_iter().map(line));
    }
}

fn leads(link: &LinkSeen) -> Option<&PathBuf> {
    match link {
        LinkSeen::Elsewhere { text, .. } | LinkSeen::Lost { text, .. } => Some(text),
        LinkSeen::Absent | LinkSeen::Generation(_) | LinkSeen::Other => None,
    }
}

/// A link that does not say what it should.
fn astray(dangles: bool) -> DriftClass {
    match dangles {
        true => DriftClass::LinkDangles,
        false => DriftClass::LinkTarget,
    }
}

/// The mode that activation gives the file system in memory.
const MOUNT_MODE: u32 = 0o751;

fn mount(seen: &MountSeen) -> Vec<DriftClass> {
    if !seen.is_there() {
        return vec![DriftClass::NotMounted];
    }
    let options = (seen.is_mount_point && !seen.is_closed).then_some(DriftClass::MountOptions);
    let mode = (seen.mode != MOUNT_MODE).then_some(DriftClass::Mode);
    options.into_iter().chain(mode).collect()
}

fn link(expected: &Expected<'_>, seen: &LinkSeen) -> Vec<DriftClass> {
    match seen {
        LinkSeen::Absent => vec![DriftClass::LinkMissing],
        LinkSeen::Other => vec![DriftClass::Type],
        LinkSeen::Elsewhere { dangles, .. } => vec![astray(*dangles)],
        LinkSeen::Lost { .. } => vec![DriftClass::LinkDangles],
        LinkSeen::Generation(number) => {
            let is_stale = expected.generation.is_some_and(|known| known != *number);
            is_stale
                .then_some(DriftClass::StaleGeneration)
                .into_iter()
                .collect()
        }
    }
}

fn of_file(
    expected: &Expected<'_>,
    file: &ExpectedFile<'_>,
    seen: &FileSeen,
    inner: Option<&PlaceSeen>,
) -> Vec<DriftClass> {
    let FileSeen::Regular {
        content,
        mode,
        uid,
        gid,
    } = seen
    else {
        return vec![match seen {
            FileSeen::Missing => DriftClass::Missing,
            _ => DriftClass::Type,
        }];
    };
    let owners = expected.owners;
    let differs = [
        (!has_content(file, content.as_ref()), DriftClass::Content),
        (*mode != file.mode, DriftClass::Mode),
        (owners && *uid != file.uid, DriftClass::Owner),
        (owners && *gid != file.gid, DriftClass::Group),
    ];
    let classes = differs.into_iter().filter(|(differs, _)| *differs);
    let inner = inner.map(|place| of_place(place, None)).unwrap_or_default();
    classes.map(|(_, class)| class).chain(inner).collect()
}

/// What was too large to be read is not what was expected.
fn has_content(file: &ExpectedFile<'_>, found: Option<&Secret>) -> bool {
    let Some(found) = found else {
        return false;
    };
    match &file.content {
        // EXPOSE: compared in memory, in constant time.
        ExpectedContent::Bytes(wanted) => found.ct_eq(wanted.expose()),
        ExpectedContent::Digest { key, digest } => {
            let found = key.digest(&file.name, found);
            Secret::from_vec(found.into_bytes()).ct_eq(digest.as_bytes())
        }
        ExpectedContent::Unknown => true,
    }
}

fn of_place(seen: &PlaceSeen, owner: Option<(u32, u32)>) -> Vec<DriftClass> {
    match seen {
        PlaceSeen::Missing => vec![DriftClass::LinkMissing],
        PlaceSeen::Other => vec![DriftClass::Type],
        PlaceSeen::Link {
            text,
            wanted,
            dangles,
            uid,
            gid,
        } => {
            let differs = [
                (text != wanted, astray(*dangles)),
                (
                    owner.is_some_and(|(owner, _)| owner != *uid),
                    DriftClass::Owner,
                ),
                (
                    owner.is_some_and(|(_, group)| group != *gid),
                    DriftClass::Group,
                ),
            ];
            let classes = differs.into_iter().filter(|(differs, _)| *differs);
            classes.map(|(_, class)| class).collect()
        }
    }
}

/// A digest that a file should have: a line of `sha256sum`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the caller fills it in")]
pub struct ExpectedDigest {
    /// The name of the file below the generation.
    pub name: String,
    /// SHA-256 in lower-case hexadecimal digits.
    pub sha256: String,
}

/// Compares with digests that another machine has published. Those are all that is expected.
pub(super) fn drift_from_digests(
    digests: &[ExpectedDigest],
    names: &[&str],
    files: &[&FileSeen],
) -> Vec<Drift> {
    let line = |class, name: &str| Drift {
        class,
        subject: name.to_owned(),
        leads: None,
    };
    let mut lines = Vec::new();
    for (name, file) in names.iter().zip(files) {
        let expected = digests.iter().find(|expected| expected.name == *name);
        match (expected, file) {
            (None, _) => lines.push(line(DriftClass::Extra, name)),
            (Some(expected), FileSeen::Regular { content, .. }) => {
                let is_same = |content: &Secret| {
                    // EXPOSE: to the hash, and the hash to the comparison.
                    let found = digest::hex(&digest::sha256(content.expose()));
                    Secret::from_vec(found.into_bytes()).ct_eq(expected.sha256.as_bytes())
                };
                if !content.as_ref().is_some_and(is_same) {
                    lines.push(line(DriftClass::Digest, name));
                }
            }
            // That it is not there was told.
            (Some(_), _) => {}
        }
    }
    for expected in digests {
        if !names.contains(&expected.name.as_str()) {
            lines.push(line(DriftClass::Missing, &expected.name));
        }
    }
    lines
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
mod tests;
