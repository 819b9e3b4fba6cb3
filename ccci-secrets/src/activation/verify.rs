//! Does what is on disk equal what git says, or what activation has written down? Nothing is changed, and no lock is
//! taken.

use std::path::{Path, PathBuf};

use super::Options;
use super::accounts::Accounts;
use super::drift::{
    Drift, DriftClass, Expected, ExpectedContent, ExpectedDigest, ExpectedFile, ExpectedLink,
    Leads, drift, drift_from_digests,
};
use super::drift_key;
use super::fault::{Fault, Refusal, Warning, WarningKind};
use super::manifest::{Manifest, MountWish, Target};
use super::open::{self, OpenContext, Opened, Owners};
use super::records::{EntryRecord, LinkRecord, Outcome, Records};
use super::survey::{FileSeen, LinkSeen, Survey, active_number, survey};
use super::transaction::Transaction;
use super::units::Units;
use super::wanted::Wanted;
use crate::digest;
use crate::hmac_key::HmacKey;

/// What is compared, and what is told of it.
#[derive(Clone, Copy, Debug, Default)]
#[expect(clippy::exhaustive_structs, reason = "the caller fills it in")]
pub struct Verification<'a> {
    /// Compare with what activation has written down, without any key: what changed since then is seen, what changed in
    /// git is not.
    pub offline: bool,
    /// Plain digests of all contents are asked for. Who sees one of a value that is easily guessed knows the value.
    pub sha256: bool,
    /// Digests that another machine has published, to compare with too.
    pub expected: Option<&'a [ExpectedDigest]>,
}

/// What came of it.
#[derive(Debug)]
#[non_exhaustive]
pub struct Verified {
    /// The active generation.
    pub generation: Option<u64>,
    /// The link under which it is read, as it is seen from outside.
    pub link: PathBuf,
    /// A line for everything that was compared, and more than one for something that differs in several ways.
    pub lines: Vec<Drift>,
    /// Every file of the generation that should be there.
    pub files: Vec<VerifiedFile>,
    /// Links that are gone, and that [`super::repair`] makes again, as they were seen from outside.
    pub links_lost: Vec<PathBuf>,
    /// A run did not come to its end.
    pub unfinished: bool,
    /// Units that have not been told yet.
    pub pending_units: Units,
    /// What was noticed.
    pub warnings: Vec<Warning>,
}

/// What is told of a file besides whether it is right. A file that is not there has no digests and no size.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct VerifiedFile {
    /// Its name below the generation.
    pub name: String,
    /// Whether the manifest lets its plain digest be shown.
    pub public: bool,
    /// The digest of what is there under the machine's key, if there is one.
    pub hmac: Option<String>,
    /// The plain digest of what is there, of a public file or if it was asked for.
    pub sha256: Option<String>,
    /// The length of what is there.
    pub size: Option<usize>,
}

impl Verified {
    /// What is not as it should be.
    pub fn drift(&self) -> impl Iterator<Item = &Drift> {
        self.lines
            .iter()
            .filter(|line| line.class != DriftClass::Ok)
    }
}

/// Compares what is there with what should be there.
///
/// # Errors
/// What should be there cannot be found out, or what is there cannot be looked at.
pub fn verify(
    manifest: &Manifest,
    mut options: Options<'_>,
    how: Verification<'_>,
) -> Result<Verified, Refusal> {
    let (ambient, gnupg) = (options.ambient.take(), options.gnupg.take());
    Transaction::with(manifest, &options, |transaction| {
        let verifier = Verifier { transaction, how };
        match how.offline {
            true => verifier.offline(),
            false => verifier.online(|accounts| {
                let context = OpenContext {
                    owners: accounts.map_or(Owners::AllRoot, Owners::Expected),
                    ambient,
                    gnupg,
                    // A certificate that expires changes nothing on disk.
                    checking: None,
                };
                open::open(manifest, context)
            }),
        }
    })
}

/// What is compared with.
enum Basis<'a> {
    /// What git says.
    Contents(&'a Opened),
    /// What activation has written down, and where.
    Journal(PathBuf),
}

struct Verifier<'a> {
    transaction: Transaction<'a>,
    how: Verification<'a>,
}

impl Verifier<'_> {
    fn online(
        &self,
        open: impl FnOnce(Option<&Accounts<'_>>) -> Result<Opened, Box<open::NotOpened>>,
    ) -> Result<Verified, Refusal> {
        let transaction = self.transaction;
        // A user without a runtime directory is told so, and not that keys are missing which may lie in it.
        transaction.record_paths().map_err(Refusal::of)?;
        let account_files = transaction.account_files().map_err(Refusal::of)?;
        let accounts = account_files
            .as_ref()
            .map(|files| files.parse(transaction.options));
        let opened = open(accounts.as_ref()).map_err(|not_opened| Refusal {
            warnings: not_opened.warnings,
            ..Refusal::new(not_opened.faults)
        })?;
        self.look(&Basis::Contents(&opened))
    }

    fn offline(&self) -> Result<Verified, Refusal> {
        let paths = self.transaction.record_paths().map_err(Refusal::of)?;
        let records = Records::read(self.transaction.site, &paths).map_err(Refusal::of)?;
        if records.journal.value().active.manifest_sha256.is_empty() {
            let path = self.transaction.site.shown(&paths.journal);
            return Err(Refusal::of(Fault::NothingRecorded(path)));
        }
        self.look(&Basis::Journal(self.transaction.site.shown(&paths.journal)))
    }

    /// Looks, and once more if another generation became active meanwhile.
    fn look(&self, basis: &Basis<'_>) -> Result<Verified, Refusal> {
        let Transaction { site, frame, .. } = self.transaction;
        let paths = self.transaction.record_paths().map_err(Refusal::of)?;
        let key = drift_key::read(site, &paths.drift_key);
        let mut verified = None;
        for _ in 0..2 {
            let before = active_number(site, frame);
            let records = Records::read(site, &paths).map_err(Refusal::of)?;
            let active = &records.journal.value().active;
            let other_key = is_other(key.as_ref(), active) && matches!(basis, Basis::Journal(_));
            let expected = match basis {
                Basis::Contents(opened) => {
                    self.expected_of_wanted(&opened.wanted, active.generation)
                }
                Basis::Journal(_) => {
                    self.expected_of_journal(active, key.as_ref().filter(|_| !other_key))
                }
            };
            let seen = survey(site, frame, &expected);
            let is_last = active_number(site, frame) == before;
            let seen = match seen {
                Err(_) if !is_last => continue,
                seen => seen.map_err(Refusal::new)?,
            };
            let mut lines = self.compare(&expected, &seen);
            lines.extend(other_key.then(|| Drift {
                class: DriftClass::OtherKey,
                subject: site.shown(&paths.drift_key).display().to_string(),
                leads: None,
            }));
            verified = Some(Verified {
                generation: before,
                link: site.shown(&frame.link),
                lines,
                files: self.files(&expected, &seen, key.as_ref()),
                links_lost: self.links_lost(active, &seen),
                unfinished: records.is_unfinished(),
                pending_units: records.journal.value().active.pending.clone(),
                warnings: self.warnings(basis, active, key.as_ref()),
            });
            if is_last {
                break;
            }
        }
        verified.ok_or_else(|| Refusal::of(Fault::Locked(site.shown(&frame.link))))
    }

    /// Of the links that were placed by the last run, whose generation still is there, those that nobody has put anything
    /// in the place of.
    fn links_lost(&self, active: &Outcome, seen: &Survey) -> Vec<PathBuf> {
        let Transaction { site, frame, .. } = self.transaction;
        let number = active.generation.map(|number| number.to_string());
        let is_there = |number: String| site.open_dir(&frame.mount.join(number)).is_some();
        if !number.is_some_and(is_there) {
            return Vec::new();
        }
        let own = (seen.link == LinkSeen::Absent).then(|| site.shown(&frame.link));
        let is_absent = |link: &LinkRecord| {
            let place = site.walk(Path::new(&link.path));
            place.is_ok_and(|place| matches!(site.look(&place), Ok(None)))
        };
        let others = active.links.iter().filter(|link| is_absent(link));
        let others = others.map(|link| site.shown(Path::new(&link.path)));
        own.into_iter().chain(others).collect()
    }

    fn warnings(&self, basis: &Basis<'_>, active: &Outcome, key: Option<&HmacKey>) -> Vec<Warning> {
        let journal = match basis {
            Basis::Contents(opened) => return opened.warnings.clone(),
            Basis::Journal(journal) => journal,
        };
        let is_same = active.manifest_sha256 == digest::hex(&self.transaction.manifest.sha256);
        let changed = (!is_same).then(|| Warning::at(WarningKind::ManifestChanged, journal));
        let unknown = |entry: &&EntryRecord| key.is_none() || entry.hmac.is_none();
        let unknown = active.entries.iter().filter(unknown);
        let unknown =
            unknown.map(|entry| Warning::new(WarningKind::ContentNotCompared, &entry.name));
        changed.into_iter().chain(unknown).collect()
    }

    fn compare(&self, expected: &Expected<'_>, seen: &Survey) -> Vec<Drift> {
        let mut lines = drift(expected, seen);
        if let Some(digests) = self.how.expected {
            let names: Vec<&str> = expected
                .files
                .iter()
                .map(|file| file.name.as_str())
                .collect();
            let files: Vec<&FileSeen> = seen.files.iter().map(|entry| &entry.file).collect();
            for line in drift_from_digests(digests, &names, &files) {
                if !lines.contains(&line) {
                    lines.retain(|other| {
                        other.subject != line.subject || other.class != DriftClass::Ok
                    });
                    lines.push(line);
                }
            }
        }
        lines
    }

    fn files(
        &self,
        expected: &Expected<'_>,
        seen: &Survey,
        key: Option<&HmacKey>,
    ) -> Vec<VerifiedFile> {
        let files = expected.files.iter().zip(&seen.files);
        files
            .map(|(file, found)| {
                let content = match &found.file {
                    FileSeen::Regular { content, .. } => content.as_ref(),
                    _ => None,
                };
                let public = self.transaction.manifest.is_public(&file.name);
                let shows_digest = public || self.how.sha256;
                VerifiedFile {
                    name: file.name.clone(),
                    public,
                    hmac: content.and_then(|content| Some(key?.digest(&file.name, content))),
                    sha256: content
                        .filter(|_| shows_digest)
                        // EXPOSE: to the hash; whoever asked for it, or the manifest, lets it be shown.
                        .map(|content| digest::hex(&digest::sha256(content.expose()))),
                    size: content.map(crate::secret::Secret::len),
                }
            })
            .collect()
    }

    fn frame_of(&self) -> (bool, bool) {
        let Transaction { site, manifest, .. } = self.transaction;
        let mounted =
            !site.tree.rebased && !manifest.user_mode && manifest.mount == MountWish::Auto;
        (mounted, site.tree.sets_owners)
    }

    fn expected_of_wanted<'b>(
        &self,
        wanted: &'b [Wanted],
        generation: Option<u64>,
    ) -> Expected<'b> {
        let (mounted, owners) = self.frame_of();
        let file = |wanted: &'b Wanted| ExpectedFile {
            name: wanted.name.clone(),
            content: ExpectedContent::Bytes(&wanted.content),
            mode: wanted.mode,
            uid: wanted.uid,
            gid: wanted.gid,
            inner: match &wanted.target {
                Target::Inside(rest) => Some(rest.clone()),
                Target::Outside(_) | Target::Own => None,
            },
        };
        let link = |wanted: &Wanted| match &wanted.target {
            Target::Outside(path) => Some(ExpectedLink {
                path: path.clone(),
                leads: Leads::To(wanted.name.clone()),
                owner: Some((wanted.uid, wanted.gid)),
            }),
            Target::Inside(_) | Target::Own => None,
        };
        Expected {
            files: wanted.iter().map(file).collect(),
            links: wanted.iter().filter_map(link).collect(),
            generation,
            mounted,
            owners,
        }
    }

    fn expected_of_journal<'b>(
        &self,
        active: &'b Outcome,
        key: Option<&'b HmacKey>,
    ) -> Expected<'b> {
        let (mounted, owners) = self.frame_of();
        let inner = |name: &str| {
            let file = self
                .transaction
                .manifest
                .files()
                .find(|file| file.name == name);
            match &file?.target {
                Target::Inside(rest) => Some(rest.clone()),
                Target::Outside(_) | Target::Own => None,
            }
        };
        let file = |entry: &'b EntryRecord| ExpectedFile {
            name: entry.name.clone(),
            content: match (key, &entry.hmac) {
                (Some(key), Some(digest)) => ExpectedContent::Digest { key, digest },
                _ => ExpectedContent::Unknown,
            },
            mode: entry.mode,
            uid: entry.uid,
            gid: entry.gid,
            inner: inner(&entry.name),
        };
        let links = active.links.iter().map(|link| ExpectedLink {
            path: link.path.clone(),
            leads: Leads::Text(link.text.clone()),
            owner: None,
        });
        Expected {
            files: active.entries.iter().map(file).collect(),
            links: links.collect(),
            generation: active.generation,
            mounted,
            owners,
        }
    }
}

/// Whether the key is known to be another one than the digests are under.
fn is_other(key: Option<&HmacKey>, active: &Outcome) -> bool {
    match (key, &active.drift_key) {
        (Some(key), Some(id)) => key.id() != *id,
        _ => false,
    }
}

impl Manifest {
    /// Whether the plain digest of a file may be shown.
    fn is_public(&self, name: &str) -> bool {
        let mut secrets = self.secrets.iter();
        secrets.any(|secret| secret.file.name == name && secret.public)
    }
}
