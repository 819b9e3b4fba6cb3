//! What is wrong with a machine, from facts that somebody looked up: before anything is activated, with or without keys.

use std::path::{Path, PathBuf};

use jiff::Timestamp;

use crate::finding::Finding;
use crate::fs::FileSystem;
use crate::key::comparable_recipient;
use crate::keyring::{KeyFileError, KeyFileFacts, KeyFileReason};
use crate::repository;
use crate::survey::Survey;

/// What was looked up on the machine.
#[derive(Debug)]
#[expect(
    clippy::exhaustive_structs,
    reason = "the caller looks up every one of these"
)]
pub struct Facts {
    /// The time.
    pub now: Timestamp,
    /// The umask of the caller.
    pub umask: u32,
    /// Whether anything is swapped to.
    pub swaps: bool,
    /// Whether SELinux is on.
    pub selinux: bool,
    /// Whether root asks, who can mount.
    pub is_root: bool,
    /// Where secrets go.
    pub target: PathBuf,
    /// The file system that is there now, or above it.
    pub target_file_system: Option<FileSystem>,
    /// The places where a key may be, in order.
    pub keys: Vec<KeyPlace>,
}

/// A place where a key may be.
#[derive(Debug)]
#[expect(clippy::exhaustive_structs, reason = "as for the facts")]
pub struct KeyPlace {
    /// The path.
    pub path: PathBuf,
    /// What is there.
    pub found: Result<KeyFileFacts, KeyFileError>,
}

/// Everything that is wrong, or worth a look: of the repository first, then of the keys, then of the machine.
#[must_use]
pub fn examine(facts: &Facts, survey: Option<&Survey>) -> Vec<Finding> {
    let mut findings: Vec<Finding> = survey
        .map(|survey| survey.findings.clone())
        .unwrap_or_default();
    findings.extend(of_keys(&facts.keys, survey));
    findings.extend(of_machine(facts));
    findings
}

fn of_keys(places: &[KeyPlace], survey: Option<&Survey>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut usable = false;
    let mut unknown = false;
    for place in places {
        match &place.found {
            Ok(found) => {
                findings.extend(care(found));
                let finding = of_key(found, survey);
                usable |= matches!(finding, Finding::KeyUsable { .. });
                findings.push(finding);
            }
            Err(KeyFileError::Missing { .. }) => {}
            Err(KeyFileError::Unusable { reason, .. }) => {
                unknown |= matches!(reason, KeyFileReason::Unreadable(_));
                findings.push(Finding::KeyUnusable {
                    path: place.path.clone(),
                    text: reason.to_string(),
                });
            }
        }
    }
    // Whoever may not read a key does not know whether it will do.
    if !usable && !unknown {
        findings.push(Finding::NoKey {
            path: where_a_key_goes(places),
            expected: survey.map(recipients).unwrap_or_default(),
        });
    }
    findings
}

/// How the key file is kept.
fn care(found: &KeyFileFacts) -> Vec<Finding> {
    let path = &found.path;
    let mut findings: Vec<Finding> = found
        .warnings
        .iter()
        .map(|warning| Finding::KeyNotKept {
            path: path.clone(),
            text: warning.to_string(),
        })
        .collect();
    if repository::is_in_store(path) {
        findings.push(Finding::KeyInStore { path: path.clone() });
    }
    if repository::work_tree_of(path).is_some() {
        findings.push(Finding::KeyInWorkTree { path: path.clone() });
    }
    findings
}

fn of_key(found: &KeyFileFacts, survey: Option<&Survey>) -> Finding {
    let path = found.path.clone();
    let first = || found.recipients.first().cloned().unwrap_or_default();
    let Some(survey) = survey.filter(|survey| !survey.files.is_empty()) else {
        return Finding::KeyUsable {
            path,
            recipient: first(),
            files: None,
        };
    };
    let labels = || survey.files.iter().map(|file| &file.recipients);
    let named = |recipient: &&String| {
        let mut all = labels().flatten();
        all.any(|label| comparable_recipient(label) == **recipient)
    };
    match found.recipients.iter().find(named) {
        None => Finding::KeyOpensNothing {
            path,
            recipient: first(),
        },
        Some(recipient) => {
            let own = labels().filter(|labels| labels.iter().any(|label| found.is_for(label)));
            Finding::KeyUsable {
                path,
                recipient: recipient.clone(),
                files: Some((own.count(), survey.files.len())),
            }
        }
    }
}

/// The first place that is free: a key is never written over anything.
fn where_a_key_goes(places: &[KeyPlace]) -> PathBuf {
    let free = |place: &&KeyPlace| {
        let is_ssh = place.path.starts_with("/etc/ssh");
        !is_ssh && matches!(place.found, Err(KeyFileError::Missing { .. }))
    };
    let first = places.iter().find(free);
    first.map_or_else(|| PathBuf::from(USUAL_KEY_FILE), |place| place.path.clone())
}

/// Where a key file goes if nothing else is said.
pub const USUAL_KEY_FILE: &str = "/var/lib/ccsec/key.txt";

/// For whom the files are sealed, each once.
fn recipients(survey: &Survey) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    for label in survey.files.iter().flat_map(|file| &file.recipients) {
        if !all.contains(label) {
            all.push(label.clone());
        }
    }
    all
}

fn of_machine(facts: &Facts) -> Vec<Finding> {
    let mut findings = Vec::new();
    if facts.now.as_second() < YEAR_2020 {
        findings.push(Finding::Clock {
            now: facts.now.to_string(),
        });
    }
    let system = facts.target_file_system;
    // Root mounts a file system in memory there.
    if !facts.is_root && system == Some(FileSystem::Persistent) {
        findings.push(Finding::MountPersistent {
            path: facts.target.clone(),
        });
    }
    if facts.swaps && system != Some(FileSystem::Ramfs) {
        findings.push(Finding::SwapOn);
    }
    if facts.selinux {
        findings.push(Finding::Selinux);
    }
    if facts.umask & OTHERS_MAY_WRITE != OTHERS_MAY_WRITE {
        findings.push(Finding::Umask { mask: facts.umask });
    }
    findings
}

/// A machine without a clock starts in 1970.
const YEAR_2020: i64 = 1_577_836_800;

/// The bits of a umask without which others may write new files.
const OTHERS_MAY_WRITE: u32 = 0o022;

/// Whether a list of swap areas, as `/proc/swaps` has it, names any; yes if it does not say.
#[must_use]
pub fn names_swap(list: Option<&[u8]>) -> bool {
    // The first line names the columns.
    list.is_none_or(|list| list.iter().filter(|byte| **byte == b'\n').count() > 1)
}

/// The places where a key of a machine or of its user usually is.
#[must_use]
pub fn usual_places(config_directory: Option<&Path>) -> Vec<PathBuf> {
    let mut places: Vec<PathBuf> = [
        "/etc/ssh/ssh_host_ed25519_key",
        USUAL_KEY_FILE,
        "/var/lib/sops-nix/key.txt",
    ]
    .map(PathBuf::from)
    .into();
    places.extend(config_directory.map(|directory| directory.join("sops/age/keys.txt")));
    places
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
mod tests {
    use super::*;
    use crate::finding::Level;

    const AGE: &str = "age10a73gefnvmgz29euzavnpvsfvhtw53uvtt0xc8pl7se69vwmg92q8wd94m";

    /// A machine on which nothing is wrong.
    fn sound() -> Facts {
        Facts {
            now: "2026-01-02T03:04:05Z".parse().unwrap(),
            umask: 0o022,
            swaps: false,
            selinux: false,
            is_root: true,
            target: "/run/secrets.d".into(),
            target_file_system: Some(FileSystem::Tmpfs),
            keys: vec![key("/var/lib/ccsec/key.txt", Vec::new())],
        }
    }

    fn key(path: &str, warnings: Vec<crate::keyring::KeyFileWarning>) -> KeyPlace {
        KeyPlace {
            path: path.into(),
            found: Ok(KeyFileFacts {
                path: path.into(),
                recipients: vec![AGE.into()],
                plugins: Vec::new(),
                warnings,
            }),
        }
    }

    fn missing(path: &str) -> KeyPlace {
        KeyPlace {
            path: path.into(),
            found: Err(KeyFileError::Missing {
                path: path.into(),
                source: std::io::ErrorKind::NotFound.into(),
                nearest_existing_parent: None,
            }),
        }
    }

    fn kinds(facts: &Facts) -> Vec<&'static str> {
        let findings = examine(facts, None);
        let bad = |finding: &&Finding| finding.level() != Level::Note;
        findings.iter().filter(bad).map(Finding::kind).collect()
    }

    #[test]
    fn nothing_is_said_against_a_sound_machine() {
        assert_eq!(kinds(&sound()), [""; 0]);
    }

    #[test]
    fn each_fact_that_is_not_as_it_should_be_is_one_finding() {
        let with = |change: &dyn Fn(&mut Facts)| {
            let mut facts = sound();
            change(&mut facts);
            kinds(&facts)
        };
        assert_eq!(
            with(&|facts| facts.now = "1970-01-01T00:01:00Z".parse().unwrap()),
            ["clock"]
        );
        assert_eq!(with(&|facts| facts.umask = 0), ["umask"]);
        assert_eq!(with(&|facts| facts.umask = 0o077), [""; 0]);
        assert_eq!(with(&|facts| facts.swaps = true), ["swap-on"]);
        assert_eq!(with(&|facts| facts.selinux = true), ["selinux"]);
        let in_ramfs = |facts: &mut Facts| {
            facts.swaps = true;
            facts.target_file_system = Some(FileSystem::Ramfs);
        };
        assert_eq!(with(&in_ramfs), [""; 0]);
        let on_disk = |facts: &mut Facts| facts.target_file_system = Some(FileSystem::Persistent);
        assert_eq!(with(&on_disk), [""; 0]);
        let user = |facts: &mut Facts| {
            on_disk(facts);
            facts.is_root = false;
        };
        assert_eq!(with(&user), ["mount-persistent"]);
        let open = crate::keyring::KeyFileWarning::OpenMode(0o644);
        assert_eq!(
            with(&|facts| facts.keys = vec![key("/k", vec![open.clone()])]),
            ["key-not-kept"]
        );
        assert_eq!(
            with(&|facts| facts.keys = vec![key("/nix/store/x/key.txt", Vec::new())]),
            ["key-in-store"]
        );
    }

    #[test]
    fn a_blank_machine_is_told_where_its_key_goes() {
        let mut facts = sound();
        facts.keys = vec![missing("/etc/ssh/ssh_host_ed25519_key"), missing("/srv/k")];
        let findings = examine(&facts, None);
        assert_eq!(
            findings,
            [Finding::NoKey {
                path: "/srv/k".into(),
                expected: Vec::new()
            }]
        );
        assert_eq!(findings[0].level(), Level::Fault);
    }

    #[test]
    fn whoever_may_not_read_a_key_is_told_so_and_no_more() {
        let mut facts = sound();
        facts.is_root = false;
        facts.keys[0].found = Err(KeyFileError::Unusable {
            path: "/k".into(),
            reason: KeyFileReason::Unreadable(crate::keyring::SystemError(13)),
        });
        let findings = examine(&facts, None);
        assert_eq!(kinds(&facts), ["key-unusable"]);
        assert_eq!(findings[0].level(), Level::Warning);
    }

    #[test]
    fn a_list_of_swap_areas_has_a_heading() {
        assert!(!names_swap(Some(b"Filename Type Size Used Priority\n")));
        assert!(names_swap(Some(b"Filename\n/dev/sda2 partition 1 0 -2\n")));
        assert!(names_swap(None));
    }
}
