//! Who owns the files of a manifest, as numbers.

use super::accounts::{AccountKind, Accounts};
use super::manifest::{Account, FileEntry, ManifestFault, ManifestProblem};
use super::wanted::Directories;

/// Where the numbers of users and groups come from.
#[derive(Clone, Copy, Debug)]
pub(super) enum Owners<'a> {
    /// Nobody is looked up: everything belongs to root, also where the manifest gives a number.
    AllRoot,
    /// Somebody who is not there yet may come: a configuration can add the user and the secret together.
    Expected(&'a Accounts<'a>),
    Of(&'a Accounts<'a>),
}

/// Stands for somebody who does not exist yet; the kernel knows nobody of this number.
pub(super) const NOBODY_YET: u32 = u32::MAX;

/// The owner and group of a file, and of directories made for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Ownership {
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) directories: Directories,
}

impl Ownership {
    /// The names of those who do not exist yet.
    pub(super) fn missing<'a>(&self, entry: &'a FileEntry) -> Vec<&'a str> {
        let name = |id: u32, account: &'a Account| match account {
            Account::Name(name) if id == NOBODY_YET => Some(name.as_str()),
            _ => None,
        };
        let (owner, group) = (name(self.uid, &entry.owner), name(self.gid, &entry.group));
        owner.into_iter().chain(group).collect()
    }
}

impl Owners<'_> {
    /// The numbers of one entry, or every name that nobody has.
    pub(super) fn of(&self, entry: &FileEntry) -> Result<Ownership, Vec<ManifestFault>> {
        let mut faults = Vec::new();
        let mut find = |kind, field, account: &Account| match self.number(kind, account) {
            Ok(id) => id,
            Err(problem) => {
                faults.push(ManifestFault {
                    pointer: format!("{}/{field}", entry.pointer),
                    problem,
                });
                0
            }
        };
        let wish = &entry.directories;
        let named = |name: &Option<String>| name.clone().map(Account::Name);
        let ownership = Ownership {
            uid: find(AccountKind::User, "owner", &entry.owner),
            gid: find(AccountKind::Group, "group", &entry.group),
            directories: Directories {
                mode: wish.mode,
                uid: named(&wish.owner).map(|owner| find(AccountKind::User, "dirOwner", &owner)),
                gid: named(&wish.group).map(|group| find(AccountKind::Group, "dirGroup", &group)),
            },
        };
        if faults.is_empty() {
            Ok(ownership)
        } else {
            Err(faults)
        }
    }

    fn number(&self, kind: AccountKind, account: &Account) -> Result<u32, ManifestProblem> {
        match (self, account) {
            (Self::AllRoot, _) => Ok(0),
            (Self::Of(_) | Self::Expected(_), Account::Number(id)) => Ok(*id),
            (Self::Expected(accounts), Account::Name(name)) => {
                Ok(accounts.find(kind, name).unwrap_or(NOBODY_YET))
            }
            (Self::Of(accounts), Account::Name(name)) => {
                accounts
                    .find(kind, name)
                    .ok_or_else(|| ManifestProblem::UnknownAccount {
                        kind: kind.as_str(),
                        name: name.clone(),
                    })
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
mod tests {
    use std::path::Path;

    use super::super::manifest::Manifest;
    use super::*;

    fn entry(fields: &str) -> Manifest {
        let text = format!(
            r#"{{"secretsMountPoint":"/m","symlinkPath":"/l","secrets":[
                {{"name":"a","mode":"0400","sopsFile":"s","format":"yaml","key":"a",{fields}}}]}}"#
        );
        Manifest::parse(text.as_bytes(), Path::new("/")).unwrap()
    }

    fn accounts() -> Accounts<'static> {
        Accounts::parse(b"nginx:x:901:902::/:/x\n", b"web:x:903:\n", None)
    }

    #[test]
    fn names_win_over_numbers_and_numbers_need_no_account() {
        let accounts = accounts();
        let owners = Owners::Of(&accounts);
        let named = entry(r#""owner":"nginx","uid":7,"group":"web","dirOwner":"nginx""#);
        let found = owners.of(&named.secrets[0].file).unwrap();
        assert_eq!((found.uid, found.gid), (901, 903));
        assert_eq!(
            (found.directories.uid, found.directories.gid),
            (Some(901), None)
        );
        let numbered = entry(r#""uid":1001,"gid":4242"#);
        let found = owners.of(&numbered.secrets[0].file).unwrap();
        assert_eq!((found.uid, found.gid), (1001, 4242));
    }

    #[test]
    fn every_unknown_name_is_reported_at_its_pointer() {
        let accounts = accounts();
        let unknown = entry(r#""owner":"1000","group":"no","dirOwner":"x","dirGroup":"y""#);
        let faults = Owners::Of(&accounts)
            .of(&unknown.secrets[0].file)
            .unwrap_err();
        let texts: Vec<String> = faults.iter().map(ToString::to_string).collect();
        assert_eq!(
            texts,
            [
                "/secrets/0/owner: user `1000` does not exist",
                "/secrets/0/group: group `no` does not exist",
                "/secrets/0/dirOwner: user `x` does not exist",
                "/secrets/0/dirGroup: group `y` does not exist",
            ]
        );
    }

    #[test]
    fn who_does_not_exist_yet_may_be_expected() {
        let accounts = accounts();
        let unknown = entry(r#""owner":"nginx","group":"no""#);
        let file = &unknown.secrets[0].file;
        let found = Owners::Expected(&accounts).of(file).unwrap();
        assert_eq!((found.missing(file), found.uid), (vec!["no"], 901));
        let known = entry(r#""owner":"nginx","gid":7"#);
        let file = &known.secrets[0].file;
        let found = Owners::Expected(&accounts).of(file).unwrap();
        assert!(found.missing(file).is_empty() && found.gid == 7);
    }

    #[test]
    fn without_accounts_everything_belongs_to_root() {
        let entry = entry(r#""owner":"nobody-knows","gid":7,"dirGroup":"x""#);
        let found = Owners::AllRoot.of(&entry.secrets[0].file).unwrap();
        assert_eq!((found.uid, found.gid), (0, 0));
        assert_eq!(found.directories.gid, Some(0));
    }
}
