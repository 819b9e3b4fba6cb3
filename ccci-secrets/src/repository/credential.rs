//! Credentials that stand in the settings of git, where every program of the user can read them.

use std::path::{Path, PathBuf};

use super::git_config::{self, Setting};
use super::git_directory::GitDirectory;
use super::{MAX_TEXT, read_bounded};

/// A setting that holds a credential. The credential itself is not kept.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoredCredential {
    /// The file.
    pub file: PathBuf,
    /// The setting: `remote.origin.url`.
    pub setting: String,
}

/// The credentials in the settings of a work tree and in what it says about its submodules.
#[must_use]
pub fn credentials_in(work_tree: &Path) -> Vec<StoredCredential> {
    let own = GitDirectory::of_work_tree(work_tree).map(|git| git.configurations());
    let files = own
        .into_iter()
        .flatten()
        .chain([work_tree.join(".gitmodules")]);
    files.flat_map(|file| credentials_in_file(&file)).collect()
}

/// The credentials in a file of settings, such as those of a user.
#[must_use]
pub fn credentials_in_file(file: &Path) -> Vec<StoredCredential> {
    let text = read_bounded(file, MAX_TEXT).unwrap_or_default();
    let settings = git_config::settings(&text);
    let found = settings.iter().filter(|setting| holds_credential(setting));
    found
        .map(|setting| StoredCredential {
            file: file.canonicalize().unwrap_or_else(|_| file.to_owned()),
            setting: shown(setting),
        })
        .collect()
}

fn holds_credential(setting: &Setting) -> bool {
    let in_name = setting.subsection.as_deref().is_some_and(has_user_secret);
    let is_header = setting.key == "extraheader"
        && (setting.value.to_ascii_lowercase()).starts_with("authorization:");
    in_name || is_header || has_user_secret(&setting.value)
}

/// Whether a URL names a password, or a user that can only be a token.
fn has_user_secret(text: &str) -> bool {
    text.match_indices("://").any(|(at, separator)| {
        let rest = text.get(at + separator.len()..).unwrap_or_default();
        let authority = rest
            .split(|sign: char| sign == '/' || sign.is_whitespace())
            .next()
            .unwrap_or_default();
        let Some((user, _)) = authority.rsplit_once('@') else {
            return false;
        };
        match user.split_once(':') {
            Some((_, password)) => !password.is_empty(),
            None => user.len() >= SHORTEST_TOKEN,
        }
    })
}

/// The name of a setting. A name that holds a credential is shown without it.
fn shown(setting: &Setting) -> String {
    match setting.subsection.as_deref() {
        None => format!("{}.{}", setting.section, setting.key),
        Some(name) if has_user_secret(name) => format!("{}.….{}", setting.section, setting.key),
        Some(name) => format!("{}.{name}.{}", setting.section, setting.key),
    }
}

/// Names of people and services are shorter than the tokens of any forge.
const SHORTEST_TOKEN: usize = 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_and_tokens_are_told_from_names() {
        for text in [
            "https://me:canary@git.example/x.git",
            "https://ghp_0123456789abcdefghij@git.example/x",
            "ssh://git:canary@git.example:22/x",
            "https://x-access-token:canary@git.example",
        ] {
            assert!(has_user_secret(text), "{text}");
        }
        for text in [
            "https://git.example/x@y.git",
            "ssh://git@git.example/x",
            "git@git.example:x.git",
            "https://me@git.example/x",
            "https://me:@git.example/x",
            "../secrets",
            "https://git.example:8443/a:b@c",
        ] {
            assert!(!has_user_secret(text), "{text}");
        }
    }

    #[test]
    fn every_place_of_a_credential_is_named_without_it() {
        let text = b"[remote \"origin\"]\n\turl = https://me:canary@git.example/x\n\tpushurl = git@git.example:x\n\
            [url \"https://me:canary@git.example/\"]\n\tinsteadOf = https://git.example/\n\
            [http \"https://git.example\"]\n\textraHeader = Authorization: Basic canary\n[http]\n\textraHeader = X-A: b\n";
        let settings = git_config::settings(text);
        let found: Vec<String> = settings
            .iter()
            .filter(|setting| holds_credential(setting))
            .map(shown)
            .collect();
        assert_eq!(
            found,
            [
                "remote.origin.url",
                "url.….insteadof",
                "http.https://git.example.extraheader"
            ]
        );
    }
}
