//! Users and groups by name, read from `passwd` and `group` without NSS: at early boot there may be none.

use std::fmt;

/// Which of the two lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AccountKind {
    /// `/etc/group`
    Group,
    /// `/etc/passwd`
    User,
}

impl AccountKind {
    /// `user` or `group`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Group => "group",
            Self::User => "user",
        }
    }
}

/// Asks elsewhere for an account that the files do not have, for example LDAP through `getent`.
pub type AccountLookup<'a> = dyn Fn(AccountKind, &str) -> Option<u32> + 'a;

/// The accounts of a system.
pub(super) struct Accounts<'a> {
    users: Vec<(String, u32)>,
    groups: Vec<(String, u32)>,
    elsewhere: Option<&'a AccountLookup<'a>>,
}

impl fmt::Debug for Accounts<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Accounts")
            .field("users", &self.users)
            .field("groups", &self.groups)
            .finish_non_exhaustive()
    }
}

impl<'a> Accounts<'a> {
    pub(super) fn parse(
        passwd: &[u8],
        group: &[u8],
        elsewhere: Option<&'a AccountLookup<'a>>,
    ) -> Self {
        Self {
            users: entries(passwd),
            groups: entries(group),
            elsewhere,
        }
    }

    /// The number of a user or group.
    pub(super) fn find(&self, kind: AccountKind, name: &str) -> Option<u32> {
        let list = match kind {
            AccountKind::Group => &self.groups,
            AccountKind::User => &self.users,
        };
        let known = list.iter().find(|(known, _)| known == name);
        known
            .map(|(_, id)| *id)
            .or_else(|| self.elsewhere.and_then(|lookup| lookup(kind, name)))
    }

    /// The group that owns the directories of generations. One that nothing can belong to here is passed over: a container
    /// may have a list of groups of which only root's is mapped.
    pub(super) fn keys_group(&self, is_mapped: impl Fn(u32) -> bool) -> u32 {
        let usable = |name| {
            self.find(AccountKind::Group, name)
                .filter(|gid| is_mapped(*gid))
        };
        usable("keys").or_else(|| usable("nogroup")).unwrap_or(0)
    }
}

/// Name and number of each line; both files have them in the first and third column. Lines that do not are skipped:
/// comments, and the `+` and `-` of NIS.
fn entries(text: &[u8]) -> Vec<(String, u32)> {
    String::from_utf8_lossy(text)
        .lines()
        .filter_map(|line| {
            let mut columns = line.split(':');
            let name = columns.next()?;
            let id = columns.nth(1)?.parse().ok()?;
            let plain = !name.is_empty() && !name.starts_with(['#', '+', '-']);
            plain.then(|| (name.to_owned(), id))
        })
        .collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_with_a_name_counts_and_odd_lines_do_not() {
        let passwd = b"# comment:x:1:\nroot:x:0:0::/root:/bin/sh\n+::::::\nnginx:x:901:901::/:/x\nnginx:x:7:7::/:/x\nbad:x:no:\n";
        let accounts = Accounts::parse(passwd, b"keys:x:96:\nnogroup:x:65534:\n", None);
        assert_eq!(accounts.find(AccountKind::User, "nginx"), Some(901));
        assert_eq!(accounts.find(AccountKind::User, "root"), Some(0));
        assert_eq!(accounts.find(AccountKind::User, "bad"), None);
        assert_eq!(accounts.find(AccountKind::User, "1000"), None);
        assert_eq!(accounts.keys_group(|_| true), 96);
        assert_eq!(accounts.keys_group(|gid| gid != 96), 65534);
        assert_eq!(accounts.keys_group(|_| false), 0);
    }

    #[test]
    fn directories_fall_back_to_nogroup_and_then_to_root() {
        assert_eq!(
            Accounts::parse(b"", b"nogroup:x:65534:", None).keys_group(|_| true),
            65534
        );
        let nobody = Accounts::parse(b"", b"", None);
        assert_eq!(nobody.keys_group(|_| true), 0);
    }

    #[test]
    fn what_the_files_do_not_have_is_asked_elsewhere() {
        let ldap = |kind, name: &str| (kind == AccountKind::User && name == "alice").then_some(5);
        let accounts = Accounts::parse(b"", b"", Some(&ldap));
        assert_eq!(accounts.find(AccountKind::User, "alice"), Some(5));
        assert_eq!(accounts.find(AccountKind::Group, "alice"), None);
    }
}
