//! What a person does about a finding.

use std::path::Path;

use ccci_secrets::finding::Finding;
use ccci_secrets::repository::NotSealedBecause;

use crate::shell::quoted;

/// The next step, a command where there is one.
pub(crate) fn after(finding: &Finding) -> String {
    match finding {
        Finding::Clock { .. } => {
            "set the clock before certificates are checked: timedatectl, or ntpd -q".into()
        }
        Finding::ConfigInvalid { path, .. } | Finding::ConfigNote { path, .. } => {
            format!("correct {}", path.display())
        }
        Finding::Credential { path, setting } => format!(
            "revoke it, then: git config --file {} --unset {setting}; git config credential.helper says where the new one may lie",
            quoted(path)
        ),
        Finding::DrillTooOld { .. } => {
            "run the drill on every machine that it is about, and merge the results".into()
        }
        Finding::FileUnusable { path, instead, .. } => file_unusable(path, *instead),
        Finding::ForbiddenKey { path, .. } => format!("shred -u {}", quoted(path)),
        Finding::KeyInStore { path } => format!(
            "keep the key outside the store, and replace it: everybody could read {}",
            path.display()
        ),
        Finding::KeyInWorkTree { path } => format!(
            "move it out of the repository; if it was ever committed, replace it: git log -- {}",
            quoted(path)
        ),
        Finding::KeyNotKept { path, .. } => {
            let path = quoted(path);
            format!("chown root: {path}; chmod 0600 {path}")
        }
        Finding::KeyOpensNothing { recipient, .. } => format!(
            "if this machine is to open files, add {recipient} to .sops.yaml, then, where they can be opened: sops updatekeys FILE"
        ),
        Finding::KeyUnusable { path, .. } => format!(
            "if it is yours to read, move it away and put the key there again: ccsec key install --out {}",
            quoted(path)
        ),
        Finding::KeyUsable { .. } => "none".into(),
        Finding::LabelIsWrong { path, .. } => format!(
            "find out who wrote it: git log -p -- {0}; then, where it can be opened, remove the recipient, and add it again: sops updatekeys {0}",
            quoted(path)
        ),
        Finding::Missing { path } => format!("git checkout -- {}", quoted(path)),
        Finding::MountPersistent { path } => format!(
            "activate as root, which mounts a file system in memory, or mount one: mount -t ramfs none {}",
            quoted(path)
        ),
        Finding::NoKey { path, .. } => format!(
            "give the recovery key on standard input: ccsec key install --out {}; or enrol this host: ccsec key show --ssh /etc/ssh/ssh_host_ed25519_key.pub --enrol",
            quoted(path)
        ),
        Finding::OtherVersion { .. } => {
            "check out the same commit on every machine, and run the drill there again".into()
        }
        Finding::PlaintextDue { path, .. } => format!(
            "ccsec encrypt -i {0}; what was committed in the clear stays in the history: replace those secrets",
            quoted(path)
        ),
        Finding::NoSopsFile { .. } => {
            "name the top of a repository that holds sops files, or make one: ccsec encrypt -i FILE"
                .into()
        }
        Finding::NothingDemanded => {
            "add the key to .sops.yaml, then, where files can be opened: sops updatekeys FILE; or correct the policy"
                .into()
        }
        Finding::PolicyMatchesNothing { .. } => "correct the pattern, or take it out".into(),
        Finding::Stale { path, .. } => format!("sops updatekeys {}", quoted(path)),
        Finding::SubmoduleMoved { path, .. } => format!(
            "in the repository around it, git submodule update goes back to what is recorded; git add {} records what is there",
            quoted(path)
        ),
        Finding::SubmoduleNotInitialised(submodule) => {
            let path = quoted(Path::new(&submodule.path));
            if submodule.under_store {
                return format!(
                    "a flake copies submodules into the store only when its URL says so: append ?submodules=1; elsewhere: git submodule update --init {path}"
                );
            }
            format!(
                "git -C {} submodule update --init {path}",
                quoted(&submodule.superproject)
            )
        }
        Finding::Selinux => {
            "see which label they have, and allow the service to read it: ls -Z /run/secrets/".into()
        }
        Finding::SwapOn => {
            "leave useTmpfs off, so that secrets lie in a ramfs, or turn swap off: swapoff -a"
                .into()
        }
        Finding::Umask { .. } => "umask 0077".into(),
        Finding::Unreadable { path, .. } => {
            format!("look at it as its owner: ls -ld {}", quoted(path))
        }
    }
}

fn file_unusable(path: &Path, instead: Option<NotSealedBecause>) -> String {
    let path = quoted(path);
    match instead {
        Some(NotSealedBecause::ConflictMarkers { .. }) => {
            "resolve the merge in git: take one side, then make the other change again".into()
        }
        Some(NotSealedBecause::GitCrypt) => "git-crypt unlock".into(),
        Some(NotSealedBecause::LfsPointer) => format!("git lfs pull --include {path}"),
        _ => format!("take it back from git: git checkout -- {path}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_git_crypt_wrote_is_unlocked() {
        let step = |instead| {
            after(&Finding::FileUnusable {
                path: "a.yaml".into(),
                code: ccci_secrets::error::ErrorCode::DocumentInvalid,
                text: "damaged".into(),
                instead,
            })
        };
        assert!(step(Some(NotSealedBecause::GitCrypt)).contains("git-crypt unlock"));
        for other in [None, Some(NotSealedBecause::Empty)] {
            assert_eq!(step(other), "take it back from git: git checkout -- a.yaml");
        }
    }

    #[test]
    fn the_step_after_a_finding_names_what_it_is_about() {
        let step = after(&Finding::PlaintextDue {
            path: "a b.yaml".into(),
            rule: "line 3".into(),
        });
        assert!(step.starts_with("ccsec encrypt -i 'a b.yaml'"), "{step}");
    }
}
