//! Finding the identity that opens a file.

use std::sync::Arc;

use crate::crypto::JoinError;
use crate::error::ErrorCode;
use crate::key::Identity;
use crate::key::IdentityError;
use crate::key::RecipientKind;
use crate::key::UnbuiltKind;
use crate::key::age::plugin::PluginIdentity;
use crate::key::age::plugin::PluginUser;
use crate::key::comparable_recipient;
use crate::key::group::Part;
use crate::key::group::join;
use crate::key::group::needed_groups;
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
use crate::secret::Secret;
use crate::wrapped::KeyKind;
use crate::wrapped::WrappedGroup;
use crate::wrapped::WrappedKey;

/// The data key of a file could not be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UnwrapError {
    /// Groups enough opened, and what they hold makes no key.
    #[error(transparent)]
    Join(#[from] JoinError),
    /// Nothing opens it, or too few of its key groups.
    #[error("{}", .0.summary())]
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
            Self::Join(_) => ErrorCode::DoesNotOpen,
            Self::NoIdentity(_) => ErrorCode::NoIdentity,
            Self::NoRecipients => ErrorCode::NoRecipients,
        }
    }

    /// What was tried, where anything was.
    #[must_use]
    pub fn report(&self) -> Option<&AttemptReport> {
        match self {
            Self::NoIdentity(report) => Some(report),
            Self::Join(_) | Self::NoRecipients => None,
        }
    }
}

pub(super) fn unwrap(
    sources: &[Source],
    plugins: Option<&Arc<dyn PluginUser>>,
    groups: &[WrappedGroup],
    threshold: Option<u32>,
) -> Result<Unwrapped, UnwrapError> {
    if groups.iter().all(|group| group.keys.is_empty()) {
        return Err(UnwrapError::NoRecipients);
    }
    let mut search = Search::new(sources, plugins, groups, threshold);
    search.by_label();
    search.by_command();
    search.blindly(|source| !source.is_gnupg());
    search.by_plugin();
    search.blindly(Source::is_gnupg);
    if search.wants_more() {
        return Err(UnwrapError::NoIdentity(Box::new(search.report())));
    }
    search.joined()
}

/// The search for identities that open enough groups.
struct Search<'a> {
    sources: &'a [Source],
    /// Who answers what plugins ask, if they may be started.
    plugins: Option<&'a Arc<dyn PluginUser>>,
    groups: Vec<Group<'a>>,
    /// How many groups have to open.
    needed: usize,
}

/// One key group during the search.
struct Group<'a> {
    entries: Vec<Entry<'a>>,
    opened: Option<(Part, OpenedBy)>,
}

/// One key of the file during the search.
struct Entry<'a> {
    key: &'a WrappedKey,
    /// The label, in the form in which labels are compared.
    label: String,
    /// How many groups the file has: it says what the entry must hold.
    groups: usize,
    outcome: Option<KeyOutcome>,
}

impl<'a> Search<'a> {
    fn new(
        sources: &'a [Source],
        plugins: Option<&'a Arc<dyn PluginUser>>,
        groups: &'a [WrappedGroup],
        threshold: Option<u32>,
    ) -> Self {
        let entry = |key: &'a WrappedKey| Entry {
            key,
            label: comparable_recipient(&key.label()),
            groups: groups.len(),
            outcome: None,
        };
        let group = |group: &'a WrappedGroup| Group {
            entries: group.keys.iter().map(entry).collect(),
            opened: None,
        };
        Self {
            sources,
            plugins,
            groups: groups.iter().map(group).collect(),
            needed: needed_groups(groups.len(), threshold),
        }
    }

    fn wants_more(&self) -> bool {
        let opened = self.groups.iter().filter(|group| group.opened.is_some());
        opened.count() < self.needed
    }

    /// Compares strings before any work on a curve: one unwrap for a group, however many keys it has. All groups are
    /// tried, because sops joins all shares it can get.
    fn by_label(&mut self) {
        for source in self.sources.iter().filter(|source| !source.is_command()) {
            // Nothing is read, and nobody asked, for what is open.
            if self.groups.iter().all(|group| group.opened.is_some()) {
                return;
            }
            let loaded = source.load(None);
            for group in &mut self.groups {
                group.open_labelled(source, &loaded);
            }
        }
    }

    /// Runs the key commands, for one recipient of the file after the other, until enough groups are open.
    fn by_command(&mut self) {
        for source in self.sources.iter().filter(|source| source.is_command()) {
            for nth in 0..self.groups.len() {
                if !self.wants_more() {
                    return;
                }
                if let Some(group) = self.groups.get_mut(nth) {
                    group.open_by_command(source);
                }
            }
        }
    }

    /// Tries every identity of some sources on every entry that is labelled for somebody else.
    fn blindly(&mut self, is_tried: impl Fn(&Source) -> bool) {
        for source in self.sources.iter().filter(|source| is_tried(source)) {
            for loaded in source.seen() {
                for nth in 0..self.groups.len() {
                    if !self.wants_more() {
                        return;
                    }
                    if let Some(group) = self.groups.get_mut(nth) {
                        group.open_blindly(source, &loaded);
                    }
                }
            }
        }
    }

    /// Asks plugins, last of all: each question starts a program, which may want to be touched.
    fn by_plugin(&mut self) {
        let Some(user) = self.plugins else {
            return;
        };
        for source in self.sources {
            for loaded in source.seen() {
                for plugin in &loaded.plugins {
                    self.ask_plugin(source, &plugin.with_user(Arc::clone(user)));
                }
            }
        }
    }

    fn ask_plugin(&mut self, source: &Source, plugin: &PluginIdentity) {
        for nth in 0..self.groups.len() {
            if !self.wants_more() {
                return;
            }
            if let Some(group) = self.groups.get_mut(nth) {
                group.open_by_plugin(source, plugin);
            }
        }
    }

    fn joined(self) -> Result<Unwrapped, UnwrapError> {
        let opened = self.groups.into_iter().filter_map(|group| group.opened);
        let (parts, openers): (Vec<Part>, Vec<OpenedBy>) = opened.unzip();
        let key = join(parts)?;
        let mut openers = openers.into_iter();
        let opened_by = openers.next().ok_or(UnwrapError::NoRecipients)?;
        Ok(Unwrapped {
            key,
            opened_by,
            also_opened_by: openers.collect(),
        })
    }

    fn report(&self) -> AttemptReport {
        AttemptReport {
            needs: self.needed,
            starts_plugins: self.plugins.is_some(),
            groups: self
                .groups
                .iter()
                .map(|group| self.attempt(group))
                .collect(),
            sources: self
                .sources
                .iter()
                .map(|source| self.source_attempt(source))
                .collect(),
        }
    }

    fn attempt(&self, group: &Group<'_>) -> GroupAttempt {
        let locked = |entry: &Entry<'_>| {
            self.sources
                .iter()
                .flat_map(Source::seen)
                .any(|loaded| loaded.locked.contains(&entry.label))
        };
        let gnupg = self.sources.iter().any(Source::is_gnupg);
        let keys = group.entries.iter().map(|entry| KeyAttempt {
            kind: entry.key.kind.metadata_key(),
            recipient: entry.key.label(),
            outcome: entry.verdict(group.opened.is_some(), locked(entry), gnupg),
        });
        GroupAttempt {
            needs: 1,
            open: group.opened.is_some(),
            keys: keys.collect(),
        }
    }

    fn source_attempt(&self, source: &Source) -> SourceAttempt {
        let seen = source.seen();
        // A command that was asked several times: the last answer stands for all.
        let last = seen.last();
        let locked = last
            .map(|loaded| loaded.locked.as_slice())
            .unwrap_or_default();
        let is_recipient = |own: &String| {
            let mut entries = self.groups.iter().flat_map(|group| &group.entries);
            entries.any(|entry| entry.label == *own)
        };
        SourceAttempt {
            kind: source.kind,
            variable: source.place.variable,
            path: source.place.path.clone(),
            state: last.map_or(SourceState::NotRun, |loaded| loaded.state.clone()),
            identities: last.map_or(0, |loaded| loaded.identities.len()),
            recipients: last.map(|loaded| loaded.recipients()).unwrap_or_default(),
            plugins: last.map(|loaded| loaded.plugin_names()).unwrap_or_default(),
            not_built: last
                .map(|loaded| loaded.unbuilt.clone())
                .unwrap_or_default(),
            locked_is_recipient: (!locked.is_empty()).then(|| locked.iter().any(is_recipient)),
        }
    }
}

impl Group<'_> {
    /// Tries every identity on the entries that are labelled for it.
    fn open_labelled(&mut self, source: &Source, loaded: &Loaded) {
        self.open(source, loaded, |held, entry| held.is_for(&entry.label));
    }

    /// Tries every identity on the entries that are labelled for somebody else.
    fn open_blindly(&mut self, source: &Source, loaded: &Loaded) {
        self.open(source, loaded, |held, entry| !held.is_for(&entry.label));
    }

    fn open_by_command(&mut self, source: &Source) {
        let age = self
            .entries
            .iter()
            .filter(|entry| entry.key.kind == KeyKind::Age);
        let recipients: Vec<String> = age.map(|entry| entry.key.label()).collect();
        for recipient in recipients {
            if self.opened.is_some() {
                return;
            }
            self.open_labelled(source, &source.load(Some(&recipient)));
        }
    }

    fn open(
        &mut self,
        source: &Source,
        loaded: &Loaded,
        is_tried: impl Fn(&HeldIdentity, &Entry<'_>) -> bool,
    ) {
        for held in &loaded.identities {
            if self.opened.is_some() {
                return;
            }
            self.opened = self
                .entries
                .iter_mut()
                .filter(|entry| is_tried(held, entry))
                .find_map(|entry| {
                    let labelled = held.is_for(&entry.label);
                    entry.open(source, held.identity.as_ref(), labelled)
                });
        }
    }

    /// Asks a plugin for the entries that name it; where none does, for all, since a plugin may open what is not
    /// labelled for it. One that fails is not asked again.
    fn open_by_plugin(&mut self, source: &Source, plugin: &PluginIdentity) {
        if self.opened.is_some() {
            return;
        }
        let is_age = |entry: &&mut Entry<'_>| entry.key.kind == KeyKind::Age;
        let is_named = |entry: &Entry<'_>| plugin.is_named_by(&entry.label);
        let all = !self.entries.iter().any(is_named);
        let entries = self.entries.iter_mut().filter(is_age);
        for entry in entries.filter(|entry| all || is_named(entry)) {
            self.opened = entry.open(source, plugin, false);
            if self.opened.is_some() || matches!(entry.outcome, Some(KeyOutcome::Program(_))) {
                return;
            }
        }
    }
}

impl Entry<'_> {
    /// Tries one identity; what comes of it stays in the entry.
    fn open(
        &mut self,
        source: &Source,
        identity: &dyn Identity,
        labelled: bool,
    ) -> Option<(Part, OpenedBy)> {
        let part = |bytes: Secret| {
            // EXPOSE: into the data key or share, which wipes itself.
            Part::from_unwrapped(self.groups, bytes.expose()).ok_or(IdentityError::WrongLength)
        };
        let opened = identity.unwrap(self.key);
        match opened.and_then(|opened| opened.map(part).transpose()) {
            Ok(Some(part)) => {
                self.outcome = Some(KeyOutcome::Opened);
                let opened_by = OpenedBy {
                    kind: source.kind,
                    recipient: self.key.label(),
                    source: source.place.path.clone(),
                    ambient: source.ambient,
                };
                return Some((part, opened_by));
            }
            Ok(None) if labelled => self.note(KeyOutcome::LabelIsWrong),
            Ok(None) => {}
            Err(error @ (IdentityError::Gnupg(_) | IdentityError::Plugin(_))) => {
                self.note(KeyOutcome::Program(error));
            }
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

    /// What is said of an entry; `gnupg` is whether there was a home of GnuPG to ask.
    fn verdict(&self, group_is_open: bool, locked: bool, gnupg: bool) -> KeyOutcome {
        if let Some(outcome) = &self.outcome {
            return outcome.clone();
        }
        if group_is_open {
            return KeyOutcome::NotNeeded;
        }
        match self.key.kind {
            KeyKind::Age => {}
            KeyKind::Pgp if gnupg => return KeyOutcome::UnknownToGnupg,
            KeyKind::Pgp => return KeyOutcome::NoGnupg,
            _ => return KeyOutcome::KindNotBuilt,
        }
        match RecipientKind::of(&self.label) {
            Some(RecipientKind::Unbuilt(UnbuiltKind::Plugin(_))) => KeyOutcome::NoIdentity,
            Some(RecipientKind::Unbuilt(kind)) => KeyOutcome::NotBuilt(kind),
            _ if locked => KeyOutcome::Locked,
            _ => KeyOutcome::NoIdentity,
        }
    }
}
