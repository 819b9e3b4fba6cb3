//! Finding the identity that opens a file.

use std::sync::Arc;

use crate::crypto::DataKey;
use crate::error::ErrorCode;
use crate::key::IdentityError;
use crate::key::RecipientKind;
use crate::key::comparable_recipient;
use crate::keyring::OpenedBy;
use crate::keyring::Unwrapped;
use crate::keyring::report::AttemptReport;
use crate::keyring::report::GroupAttempt;
use crate::keyring::report::KeyAttempt;
use crate::keyring::report::KeyOutcome;
use crate::keyring::report::SourceAttempt;
use crate::keyring::report::SourceState;
use crate::keyring::source::HeldIdentity;
use crate::keyring::source::Loaded;
use crate::keyring::source::Source;
use crate::wrapped::KeyKind;
use crate::wrapped::WrappedGroup;
use crate::wrapped::WrappedKey;

/// The data key of a file could not be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UnwrapError {
    /// The data key is split over several key groups.
    #[error(
        "the data key is split over {groups} key groups (Shamir shares), which this build cannot join"
    )]
    GroupsNotBuilt {
        /// How many groups.
        groups: usize,
        /// How many of them are needed; all, when the file says nothing.
        threshold: Option<u32>,
    },
    /// Nothing opens it.
    #[error("no identity matches any of its {} recipients", .0.key_count())]
    NoIdentity(Box<AttemptReport>),
    /// The file holds no wrapped data key.
    #[error("the file names no recipients")]
    NoRecipients,
}

impl UnwrapError {
    /// The stable code.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::GroupsNotBuilt { .. } => ErrorCode::NotBuilt,
            Self::NoIdentity(_) => ErrorCode::NoIdentity,
            Self::NoRecipients => ErrorCode::NoRecipients,
        }
    }

    /// What was tried, where anything was.
    #[must_use]
    pub fn report(&self) -> Option<&AttemptReport> {
        match self {
            Self::NoIdentity(report) => Some(report),
            Self::GroupsNotBuilt { .. } | Self::NoRecipients => None,
        }
    }
}

pub(super) fn unwrap(
    sources: &[Source],
    groups: &[WrappedGroup],
    threshold: Option<u32>,
) -> Result<Unwrapped, UnwrapError> {
    let group = match groups {
        [] => return Err(UnwrapError::NoRecipients),
        [group] if group.keys.is_empty() => return Err(UnwrapError::NoRecipients),
        [group] => group,
        _ => {
            return Err(UnwrapError::GroupsNotBuilt {
                groups: groups.len(),
                threshold,
            });
        }
    };
    let mut search = Search::new(sources, group);
    search
        .by_label()
        .or_else(|| search.by_command())
        .or_else(|| search.blindly())
        .ok_or_else(|| UnwrapError::NoIdentity(Box::new(search.report())))
}

/// One key of the file during the search.
struct Entry<'a> {
    key: &'a WrappedKey,
    /// The label, in the form in which labels are compared.
    label: String,
    outcome: Option<KeyOutcome>,
}

struct Search<'a> {
    sources: &'a [Source],
    entries: Vec<Entry<'a>>,
}

impl<'a> Search<'a> {
    fn new(sources: &'a [Source], group: &'a WrappedGroup) -> Self {
        let entry = |key: &'a WrappedKey| Entry {
            key,
            label: comparable_recipient(&key.label()),
            outcome: None,
        };
        Self {
            sources,
            entries: group.keys.iter().map(entry).collect(),
        }
    }

    /// Compares strings before any work on a curve: one unwrap, however many recipients the file has.
    fn by_label(&mut self) -> Option<Unwrapped> {
        let files = self.sources.iter().filter(|source| !source.is_command());
        files
            .into_iter()
            .find_map(|source| self.labelled(source, &source.load(None)))
    }

    /// Runs the key commands, for one recipient of the file after the other until one gives a key.
    fn by_command(&mut self) -> Option<Unwrapped> {
        let commands = self.sources.iter().filter(|source| source.is_command());
        commands.into_iter().find_map(|source| {
            let recipients: Vec<String> = self.age_labels();
            recipients
                .iter()
                .find_map(|recipient| self.labelled(source, &source.load(Some(recipient))))
        })
    }

    /// Tries every identity on every entry that is labelled for somebody else.
    fn blindly(&mut self) -> Option<Unwrapped> {
        self.sources.iter().find_map(|source| {
            let seen = source.seen();
            let mut held = seen.iter().flat_map(|loaded| &loaded.identities);
            held.find_map(|held| {
                self.entries
                    .iter_mut()
                    .filter(|entry| !held.is_for(&entry.label))
                    .find_map(|entry| entry.open(source, held))
            })
        })
    }

    fn labelled(&mut self, source: &Source, loaded: &Arc<Loaded>) -> Option<Unwrapped> {
        loaded.identities.iter().find_map(|held| {
            self.entries
                .iter_mut()
                .filter(|entry| held.is_for(&entry.label))
                .find_map(|entry| entry.open(source, held))
        })
    }

    fn age_labels(&self) -> Vec<String> {
        let age = self
            .entries
            .iter()
            .filter(|entry| entry.key.kind == KeyKind::Age);
        age.map(|entry| entry.key.label()).collect()
    }

    fn report(&self) -> AttemptReport {
        let sources: Vec<SourceAttempt> = self
            .sources
            .iter()
            .map(|source| self.source_attempt(source))
            .collect();
        let locked = |entry: &Entry<'_>| {
            self.sources
                .iter()
                .flat_map(Source::seen)
                .any(|loaded| loaded.locked.contains(&entry.label))
        };
        let keys = self.entries.iter().map(|entry| KeyAttempt {
            kind: entry.key.kind.metadata_key(),
            recipient: entry.key.label(),
            outcome: entry.verdict(locked(entry)),
        });
        AttemptReport {
            groups: vec![GroupAttempt {
                needs: 1,
                keys: keys.collect(),
            }],
            sources,
        }
    }

    fn source_attempt(&self, source: &Source) -> SourceAttempt {
        let seen = source.seen();
        // A command that was asked several times: the last answer stands for all.
        let last = seen.last();
        let locked = last
            .map(|loaded| loaded.locked.as_slice())
            .unwrap_or_default();
        let is_recipient = |own: &String| self.entries.iter().any(|entry| entry.label == *own);
        SourceAttempt {
            kind: source.kind,
            variable: source.place.variable,
            path: source.place.path.clone(),
            state: last.map_or(SourceState::NotRun, |loaded| loaded.state.clone()),
            identities: last.map_or(0, |loaded| loaded.identities.len()),
            recipients: last.map(|loaded| loaded.recipients()).unwrap_or_default(),
            not_built: last
                .map(|loaded| loaded.unbuilt.clone())
                .unwrap_or_default(),
            locked_is_recipient: (!locked.is_empty()).then(|| locked.iter().any(is_recipient)),
        }
    }
}

impl Entry<'_> {
    /// Tries one identity; what comes of it stays in the entry.
    fn open(&mut self, source: &Source, held: &HeldIdentity) -> Option<Unwrapped> {
        let labelled = held.is_for(&self.label);
        match held.identity.unwrap(self.key).and_then(|opened| {
            // EXPOSE: into the data key, which wipes itself.
            opened
                .map(|bytes| {
                    DataKey::from_unwrapped(bytes.expose()).ok_or(IdentityError::WrongLength)
                })
                .transpose()
        }) {
            Ok(Some(key)) => {
                return Some(Unwrapped {
                    key,
                    opened_by: OpenedBy {
                        kind: source.kind,
                        recipient: self.key.label(),
                        source: source.place.path.clone(),
                        ambient: source.ambient,
                    },
                });
            }
            Ok(None) if labelled => self.note(KeyOutcome::LabelIsWrong),
            Ok(None) => {}
            Err(error) => self.note(KeyOutcome::Damaged(error)),
        }
        None
    }

    /// Damage is worth more than a wrong label, and the first finding stays.
    fn note(&mut self, outcome: KeyOutcome) {
        match (&self.outcome, &outcome) {
            (None, _) | (Some(KeyOutcome::LabelIsWrong), KeyOutcome::Damaged(_)) => {
                self.outcome = Some(outcome);
            }
            _ => {}
        }
    }

    fn verdict(&self, locked: bool) -> KeyOutcome {
        if let Some(outcome) = &self.outcome {
            return outcome.clone();
        }
        if self.key.kind != KeyKind::Age {
            return KeyOutcome::KindNotBuilt;
        }
        match RecipientKind::of(&self.label) {
            Some(RecipientKind::Unbuilt(kind)) => KeyOutcome::NotBuilt(kind),
            _ if locked => KeyOutcome::Locked,
            _ => KeyOutcome::NoIdentity,
        }
    }
}
