//! Accounts that `passwd` and `group` do not have, as those of a directory service.

use std::process::{Command, Stdio};

use ccci_secrets::activation::AccountKind;
use ccci_secrets::env::Environment;

/// Asks the system for the number of an account.
pub(crate) fn account(kind: AccountKind, name: &str, environment: &Environment) -> Option<u32> {
    let list = match kind {
        AccountKind::Group => "group",
        _ => "passwd",
    };
    #[expect(clippy::disallowed_methods, reason = "the account database")]
    let mut command = Command::new("getent");
    command.args([list, "--", name]).env_clear();
    if let Some(path) = environment.var_os("PATH") {
        command.env("PATH", path);
    }
    command.stdin(Stdio::null()).stderr(Stdio::null());
    let told = command.output().ok()?;
    number_of(name, &String::from_utf8_lossy(&told.stdout))
}

/// The third column of the line that begins with the name: who asks for a number is given the account of that number.
fn number_of(name: &str, told: &str) -> Option<u32> {
    told.lines().find_map(|line| {
        let mut columns = line.split(':');
        let is_asked_for = columns.next() == Some(name);
        let number = columns.nth(1)?.parse().ok()?;
        is_asked_for.then_some(number)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_account_of_that_name_is_taken() {
        let told = "alice:*:70001:70000:Alice:/home/alice:/bin/sh\n";
        assert_eq!(number_of("alice", told), Some(70001));
        assert_eq!(number_of("70001", told), None);
        assert_eq!(number_of("alice", ""), None);
        assert_eq!(number_of("alice", "alice:*:\n"), None);
    }

    #[test]
    fn accounts_of_this_machine_are_found() {
        let environment = Environment::empty().with_var("PATH", "/usr/bin:/bin");
        if account(AccountKind::User, "root", &environment).is_none() {
            eprintln!("SKIPPED: getent is not on PATH");
            return;
        }
        assert_eq!(account(AccountKind::User, "root", &environment), Some(0));
        assert_eq!(account(AccountKind::User, "0", &environment), None);
        assert_eq!(
            account(AccountKind::Group, "no-such-group", &environment),
            None
        );
    }
}
