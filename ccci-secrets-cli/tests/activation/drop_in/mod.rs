//! The program under the name sops-install-secrets. The facts, by their numbers, are what the real one was seen to do
//! (F01 to F30); where "ours" is said, we differ on purpose.

mod asked;
mod generations;
mod keys;
mod told;
mod users;

use std::os::unix::fs::{MetadataExt as _, symlink};
use std::path::PathBuf;
use std::process::Command;

use serde_json::{Value, json};

pub(crate) use self::asked::{
    s39_checks_need_neither_keys_nor_accounts, s39_keys_are_heeded_where_the_format_has_some,
    s39_owners_and_modes_are_those_of_the_manifest, s51_the_command_line_is_that_of_the_reference,
};
pub(crate) use self::generations::{
    s39_generations_are_numbered_and_pruned_as_by_the_reference,
    s39_links_to_other_places_begin_a_new_count,
    s39_what_stands_at_a_path_gives_way_but_for_a_full_directory,
};
pub(crate) use self::keys::{
    s41_keys_of_the_environment_open_with_a_warning,
    s44_private_keys_of_the_former_program_are_removed,
};
pub(crate) use self::told::{
    s27_a_rehearsal_tells_what_would_change_and_writes_lists_only,
    s39_changes_are_told_line_by_line, s39_units_are_told_as_by_the_reference,
};
pub(crate) use self::users::{
    s45_in_user_mode_links_are_replaced_without_a_gap_and_changes_are_told,
    s46_secrets_for_users_need_no_accounts_and_touch_nothing_else,
};
use crate::world::{Run, World, mount};

/// The program under its other name, on a machine with a few accounts.
pub(crate) struct DropIn<'w> {
    pub(crate) world: &'w World,
    program: PathBuf,
}

pub(crate) const KEYS: u32 = 96;

impl<'w> DropIn<'w> {
    pub(crate) fn new(world: &'w World) -> Self {
        let directory = world.aside("drop-in");
        std::fs::create_dir(&directory).unwrap();
        let program = directory.join("sops-install-secrets");
        symlink(world.program(), &program).unwrap();
        let drop_in = Self { world, program };
        drop_in.accounts(
            "root:x:0:0::/root:/bin/sh\nnobody:x:65534:65534::/:/x\nnginx:x:901:901::/:/x\n\
             drone:x:902:902::/:/x\nalice:x:1000:1000::/:/x\n",
            "root:x:0:\nkeys:x:96:\nstaff:x:50:\nnginx:x:901:\ndrone:x:902:\nalice:x:1000:\nnogroup:x:65534:\n",
        );
        world.take("recovery.txt", "key.txt");
        drop_in.values("one", "two");
        drop_in
    }

    /// Accounts of this mount namespace.
    fn accounts(&self, passwd: &str, group: &str) {
        for (name, text) in [("passwd", passwd), ("group", group)] {
            let path = self.world.aside(name);
            std::fs::write(&path, text).unwrap();
            mount(&["--bind", path.to_str().unwrap(), &format!("/etc/{name}")]);
        }
    }

    /// Gives the two keys of `a.yaml` their values.
    fn values(&self, one: &str, two: &str) {
        let plain = format!("k1: {one}\nk2: {two}\nnumber: 7\nnest:\n    deep: found\n");
        self.seal("a.yaml", &plain);
    }

    fn seal(&self, name: &str, plain: &str) {
        let sealed = self.world.fixtures().seal(plain, &[&self.world.recovery]);
        self.world.write(name, &sealed);
    }

    fn src(&self, name: &str) -> Value {
        json!(self.world.src(name))
    }

    fn secret(&self, name: &str, key: &str) -> Value {
        json!({
            "name": name, "key": key, "mode": "0400", "path": format!("/run/secrets/{name}"),
            "sopsFile": self.src("a.yaml"), "format": "yaml",
        })
    }

    pub(crate) fn manifest(&self, secrets: &[Value]) -> Value {
        json!({
            "secretsMountPoint": "/run/secrets.d", "symlinkPath": "/run/secrets", "keepGenerations": 1,
            "ageKeyFile": self.src("key.txt"), "secrets": secrets, "templates": [],
            "placeholderBySecretName": {}, "userMode": false,
            "logging": {"keyImport": true, "secretChanges": true},
        })
    }

    /// One secret, `a`, from the key `k1`.
    fn one(&self) -> Value {
        self.manifest(&[self.secret("a", "k1")])
    }

    pub(crate) fn run_with(&self, manifest: &Value, prepare: impl FnOnce(&mut Command)) -> Run {
        self.world.write_manifest(manifest);
        self.run_words(&[], prepare)
    }

    /// Runs with the manifest that was written last, behind these words.
    fn run_words(&self, words: &[&str], prepare: impl FnOnce(&mut Command)) -> Run {
        let mut command = Command::new(&self.program);
        let manifest = self.world.src("manifest.json");
        self.world.prepare(command.args(words).arg(manifest));
        prepare(&mut command);
        self.world.finish(command.spawn().unwrap())
    }

    pub(crate) fn run(&self, manifest: &Value) -> Run {
        self.run_with(manifest, |_| ())
    }

    /// Runs; it has to end well, and say nothing but this on standard output.
    #[track_caller]
    fn tells(&self, manifest: &Value, stdout: &str) {
        let run = self.run(manifest);
        assert_eq!(run.code, 0, "{}", run.stderr);
        assert_eq!(run.stdout, stdout);
    }

    #[track_caller]
    fn dry_run(&self, manifest: &Value, more: &[(&str, &str)]) -> Run {
        let run = self.run_with(manifest, |command| {
            command.env("NIXOS_ACTION", "dry-activate");
            command.envs(more.iter().copied());
        });
        assert_eq!(run.code, 0, "{}", run.stderr);
        run
    }

    fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir("/run/secrets.d").unwrap();
        let mut names: Vec<String> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort_by_key(|name| (name.len(), name.clone()));
        names
    }
}

#[track_caller]
fn assert_file(path: &str, bits: u32, owner: (u32, u32), content: &str) {
    let found = std::fs::metadata(path).unwrap();
    assert_eq!(found.mode() & 0o7777, bits, "{path}");
    assert_eq!((found.uid(), found.gid()), owner, "{path}");
    if found.is_file() {
        assert_eq!(std::fs::read_to_string(path).unwrap(), content, "{path}");
    }
}

fn link() -> PathBuf {
    std::fs::read_link("/run/secrets").unwrap()
}
