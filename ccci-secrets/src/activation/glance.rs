//! A preview for somebody who may not read everything: what can be seen is told, the rest is not known.

use std::io;
use std::path::Path;

use super::Options;
use super::accounts::AccountKind;
use super::current::Before;
use super::fault::{Active, Fault, Hazard, KeyState, TargetProblem, Warning};
use super::manifest::{Account, FileEntry, Manifest, Target};
use super::observe::{Frame, LinkFound, Reals, find_link};
use super::owners::NOBODY_YET;
use super::plan::{Plan, PlanEntry};
use super::receipt::{Change, EntryResult, Origin};
use super::targets::{target_text, text_found};
use super::transaction::{Transaction, site_of};
use super::units::Units;
use crate::file::FileError;
use crate::fs::FileFacts;
use crate::keyring::KeyFileReason;

/// Whether a fault is one that only somebody else would not have.
pub(super) fn is_for_want_of_permission(fault: &Fault) -> bool {
    let is_denied = |error: &io::Error| error.kind() == io::ErrorKind::PermissionDenied;
    match fault {
        Fault::FileSystem { source, .. } => is_denied(source),
        Fault::KeyFileUnusable { reason, .. } => is_unreadable(reason),
        Fault::KeyFileMissing(missing) => is_denied(&missing.source),
        Fault::NoIdentity(facts) => facts
            .keys
            .iter()
            .any(|key| matches!(&key.state, KeyState::Unusable(reason) if is_unreadable(reason))),
        Fault::SopsFile {
            source: FileError::Read(error),
            ..
        } => is_denied(&error.source),
        Fault::Target {
            problem: TargetProblem::Way(Hazard::Io { source, .. }),
            ..
        } => is_denied(source),
        _ => false,
    }
}

fn is_unreadable(reason: &KeyFileReason) -> bool {
    match reason {
        KeyFileReason::Unreadable(error) => {
            io::Error::from_raw_os_error(error.0).kind() == io::ErrorKind::PermissionDenied
        }
        _ => false,
    }
}

/// Looks at what may be looked at. Contents are not compared.
pub(super) fn glance(manifest: &Manifest, options: &Options<'_>, warnings: Vec<Warning>) -> Plan {
    let site = site_of(manifest, options);
    let frame = Frame::of(manifest);
    look(
        Transaction {
            site: &site,
            frame: &frame,
            manifest,
            options,
        },
        warnings,
    )
}

fn look(transaction: Transaction<'_>, warnings: Vec<Warning>) -> Plan {
    let Transaction {
        site,
        frame,
        manifest,
        options,
    } = transaction;
    let reals = Reals::find(site, frame).ok();
    let active = reals
        .as_ref()
        .and_then(|reals| match find_link(site, frame, reals).ok()? {
            LinkFound::Generation { active, .. } => Some(active),
            _ => None,
        });
    let account_files = transaction.account_files().ok().flatten();
    let accounts = account_files.as_ref().map(|files| files.parse(options));
    let number = |kind, account: &Account| match (account, &accounts) {
        (_, None) => 0,
        (Account::Number(id), Some(_)) => *id,
        (Account::Name(name), Some(accounts)) => accounts.find(kind, name).unwrap_or(NOBODY_YET),
    };
    let entries = manifest
        .files()
        .map(|file| {
            let seen = see(transaction, active.as_ref(), &file.name);
            let result = EntryResult {
                name: file.name.clone(),
                origin: origin(manifest, file),
                path: transaction.naming().target(&file.target),
                mode: file.mode,
                uid: number(AccountKind::User, &file.owner),
                gid: number(AccountKind::Group, &file.group),
                change: seen.change.unwrap_or(CHANGED),
            };
            PlanEntry {
                result,
                compared: seen.change.is_some(),
                before: seen.before,
                digest: None,
            }
        })
        .collect();
    let links = manifest.files().filter(|file| {
        reals
            .as_ref()
            .is_some_and(|reals| lacks_link(transaction, reals, file))
    });
    Plan {
        compared: active.is_some(),
        manifest_changed: false,
        previous: active.as_ref().map(|active| active.generation),
        generation: None,
        link: transaction.naming().link(),
        link_dangles: None,
        mount: None,
        entries,
        removed: Vec::new(),
        links_placed: links
            .filter_map(|file| transaction.naming().target(&file.target))
            .collect(),
        links_removed: Vec::new(),
        pruned: Vec::new(),
        foreign_keys_removed: Vec::new(),
        units: Units::default(),
        unfinished: false,
        unreadable_for: Some(site.euid),
        keys: Vec::new(),
        provenance: Vec::new(),
        certificates: Vec::new(),
        warnings,
        faults: Vec::new(),
    }
}

/// How a file counts whose content is not known.
const CHANGED: Change = Change::Modified {
    content: true,
    mode: false,
    owner: false,
};

/// What can be seen of one file.
#[derive(Default)]
struct Glimpse {
    before: Option<Before>,
    change: Option<Change>,
}

fn see(transaction: Transaction<'_>, active: Option<&Active>, name: &str) -> Glimpse {
    let added = Glimpse {
        before: None,
        change: Some(Change::Added),
    };
    let Some(active) = active else {
        return added;
    };
    match file_of(transaction, active.generation, name) {
        Ok(None) => added,
        Ok(Some(facts)) => Glimpse {
            before: Some(Before::of(&facts)),
            change: None,
        },
        Err(_) => Glimpse::default(),
    }
}

/// What a generation has under a name.
fn file_of(transaction: Transaction<'_>, number: u64, name: &str) -> io::Result<Option<FileFacts>> {
    let Transaction { site, frame, .. } = transaction;
    let path = frame.mount.join(number.to_string()).join(name);
    match site.walk(&path) {
        Ok(place) => site.look(&place),
        Err(Hazard::Io { source, .. }) => Err(source),
        Err(hazard) => Err(io::Error::other(hazard)),
    }
}

fn origin(manifest: &Manifest, file: &FileEntry) -> Origin {
    let secret = manifest
        .secrets
        .iter()
        .find(|secret| secret.file.name == file.name);
    secret.map_or(Origin::Template, Origin::of)
}

/// Whether a link has to be placed, as far as can be seen.
fn lacks_link(transaction: Transaction<'_>, reals: &Reals, file: &FileEntry) -> bool {
    let Transaction { site, frame, .. } = transaction;
    let Target::Outside(path) = &file.target else {
        return false;
    };
    match site.walk(Path::new(path)) {
        Ok(place) => {
            let wanted = target_text(site, frame, reals, &place.real_parent(), &file.name);
            text_found(site, &place).is_ok_and(|found| found.as_ref() != Some(&wanted))
        }
        Err(_) => false,
    }
}
