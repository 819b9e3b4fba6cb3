//! Activation: secrets as files, in one transaction.
//!
//! # What a run does
//!
//! 1. The manifest is read, and every rule that it breaks is reported with its JSON pointer.
//! 2. The lock of the mount is taken. What an earlier run has left undone is finished: links are placed, units are told.
//! 3. Every sops file is read once and opened, every MAC is checked, values are taken, templates are rendered, certificates
//!    are checked. All of it happens in memory; no key is ever written to a file.
//! 4. The active generation, the targets outside of it and the mount are compared with what is wanted. Nothing to change
//!    means that nothing is changed, unless the manifest says `idempotent: false`.
//! 5. The new generation is made under a name that nobody looks for. Each file begins without any permission, and gets its
//!    owner and then its mode when its content is complete, whatever the umask.
//! 6. One rename of the link is the commit. Before it an error means that all is as before, and the run takes away what it
//!    has made; behind it nothing is undone, and what is missing is written down for the next run.
//! 7. Links outside take their places by rename; files of the operator are kept where the manifest says so; units are told;
//!    generations that nobody wants any more are removed.
//!
//! # Templates
//!
//! One pass from left to right; of several placeholders that begin at one place the longest counts; what is put in is never
//! looked at again. A placeholder of a secret that is not in this manifest, and text of the form `<SOPS:…:PLACEHOLDER>` that
//! is nobody's placeholder, is refused, by the checks too. A template that uses a secret which was left out because it is
//! not required falls with it.
//!
//! # Units
//!
//! Told are the units of every file whose bytes, mode or owner changed, and those of secrets that went, as the last run has
//! written them down; each once, in the order of the manifest, and a unit that is to be restarted is not reloaded as well.
//! As long as there is nothing to compare with, after a boot for example, nobody is told. A unit that does not exist blocks
//! nothing: the others are told, the run ends with exit code 50, and the next one tries again for as long as the manifest
//! names the unit.
//!
//! # At boot, with systemd
//!
//! `ccsec systemd-unit MANIFEST` prints the units of a manifest, and with `--install` writes them below `/etc/systemd/system`
//! and `/etc/tmpfiles.d` and says which commands make them count:
//!
//! ```text
//! ccsec systemd-unit --install /etc/ccsec/manifest.json
//! systemd-tmpfiles --create /etc/tmpfiles.d/ccsec-activate.conf
//! systemctl daemon-reload
//! systemctl enable ccsec-activate.service
//! systemctl reload-or-restart ccsec-activate.service
//! ```
//!
//! They are to be made anew when targets or units of the manifest change. What was made before and is not needed any more is
//! removed; a file that somebody else made, a link and a masked unit are left alone, and nothing is written then.
//!
//! - **`ccsec-activate.service`** runs when local file systems are mounted and accounts are made, and before services
//!   start. It may write to `/run`, to `/var/lib/ccsec` and to the directories of the targets, and has neither a network nor
//!   the right to mount. For keys or files that come over the network there is `--network`; for a second manifest `--name`.
//! - **A mount unit** provides the memory, always a ramfs: what the service would mount in its sandbox nobody else would see.
//!   With `useTmpfs` the service mounts by itself, and then has to do without most of the sandbox.
//! - **Additions** to every unit in `restartUnits` and `reloadUnits` let it wait for the service and not start without it:
//!   a refusal at boot (codes 10 to 42) keeps it from starting, and `systemctl status` of it names the addition
//!   `50-ccsec-activate.conf`. Exit code 50, the secrets are in place and a later step has failed, keeps nobody. Units for
//!   which that is not wanted are left alone with `--no-drop-ins`.
//! - **Lines of tmpfiles.d** make the directories of the targets on a machine that has none of them yet. Directories that are
//!   there keep their mode and owner.
//! - **`ccsec-secrets.target`** is one name for all manifests, for units that no manifest names.
//!
//! To activate again, reload: `systemctl reload ccsec-activate.service`. Units whose secrets did not change go on as they
//! are, and a reload that is refused leaves everything as it was. A *restart* or stop of the service restarts or stops every
//! unit that needs it. systemd starts a unit at most five times in ten seconds by itself: one whose secrets change more often
//! than that needs `StartLimitIntervalSec=0`.
//!
//! **Secrets that are needed before users are made**, the hashes of their passwords for example, belong into a manifest of
//! their own in which every secret says `neededForUsers: true` (or `--for-users` is given). Its service runs when nothing but
//! the root is mounted: the manifest, its sops files and its key have to lie there, on no file system of `/etc/fstab`, and its
//! targets below `/run`. On its first boot with a blank `/var/lib` it warns that the key for digests cannot be made; the other
//! service makes it.
//!
//! A target on a file system that is mounted by hand, behind the boot, needs its directory there before the service can
//! write to it: the run is refused until then, and says so.
//!
//! # User mode
//!
//! With `userMode`, nothing is mounted and nothing is given to anybody else. `%r` is the runtime directory, which has to
//! exist, belong to the user and be closed to others; `%%` is a percent sign. Records lie in `%r/ccsec` and
//! `$XDG_STATE_HOME/ccsec`, and units are those of the user. It needs no bus: where no service manager of the user runs, as
//! in a container or before the session has begun, there is no unit that could have read an old value, and none is told.
//!
//! `ccsec systemd-unit --install` makes a unit of `systemctl --user` of such a manifest: in `$XDG_CONFIG_HOME/systemd/user`, or,
//! for root, in `/etc/systemd/user`.
//!
//! # Containers
//!
//! Without the right to mount, a run goes on where the directory of the mount lies in memory already, which whoever starts the
//! container sees to (`podman run --tmpfs /run/secrets.d`); elsewhere it is refused. `"mount": "none"` takes the directory as it
//! is, with a warning if it lies on a disk. In a user namespace files can belong only to users and groups that are mapped
//! there: another owner is refused, and directories belong to root's group where `keys` or `nogroup` is not mapped.
//!
//! # GnuPG
//!
//! A home of GnuPG (`gnupgHome`) is asked for files that have a PGP recipient and that no other key opens, and for no others.
//! By our own name that needs `"allowKeyPrograms": ["gpg"]`. gpg is the program that `SOPS_GPG_EXEC` names, or the one on
//! PATH. It is shown a private directory that leads to the home, so the home may lie on a disk that cannot be written, and
//! its agent ends with it; a key that asks for a passphrase opens nothing at boot. In user mode gpg works in the home itself,
//! with the agent of the user. A gpg that does not run is exit code 23.
//!
//! # age plugins
//!
//! An identity `AGE-PLUGIN-NAME-1…` in an age key file is asked for files that no other key opens: `age-plugin-NAME` on PATH
//! is started, by our own name only with `"allowKeyPrograms": ["plugin"]`, and called `sops-install-secrets` always. First
//! come the entries whose recipient names the plugin; where none does, all of them. Nobody is there to answer what it asks,
//! and one that says nothing for 60 seconds is ended. A plugin that does not run, or says no, is exit code 23.
//!
//! # In the place of sops-install-secrets
//!
//! A program that is called `sops-install-secrets` reads its manifests, those of NixOS, home-manager and nix-darwin alike,
//! and takes its flags. Names of fields match in any case, unknown ones are passed over, and so is what stands behind the
//! JSON. Fields of our own may be used, with the defaults that come closest to what that program does:
//! every run makes a generation (`idempotent`), files at a path are kept aside (`onConflict`), a value that nothing protects
//! is a warning (`allowClear`), a tmpfs may be swapped out where the kernel cannot prevent it (`allowSwap`, with a warning),
//! and keys of the environment are used, with a warning. Output goes where it goes there: the changes to standard
//! output, imported keys to standard error.
//!
//! It takes over a machine on which that program ran: numbers go on, links stay, and the private keys that it has left
//! in the mount, `age-keys.txt` and homes of GnuPG, are removed and named.
//!
//! These are all differences that are on purpose:
//!
//! | sops-install-secrets | here |
//! |---|---|
//! | writes every private key to `age-keys.txt` in the mount, and leaves it there | no key is written |
//! | makes mount and key file before it finds that a key file is missing | nothing is touched before everything was opened |
//! | tells units before the new generation is active | tells them after it |
//! | a unit that does not exist stops everything | is exit code 50; the secrets are in place |
//! | names a unit as often as it stands there, also for restart and reload | names it once; restart goes before reload |
//! | changes of mode and owner are no changes; units of removed secrets are not told | are changes; are told |
//! | an external link of a removed secret stays | is removed, if it still leads to us |
//! | removes a link and makes it anew; removes a file at a path | renames over it; keeps a file as `NAME.ccsec-backup-N`, 0600 |
//! | removes a directory in the place of the link before it has anything to put there | the two change places at the commit |
//! | leaves half a generation after an error, and all of the next one after a rehearsal | takes it away; a rehearsal writes nothing but its lists |
//! | a rehearsal on a blank machine prints nothing | prints that everything would be added |
//! | mounts again over a mount of another type | keeps what is there, with a warning |
//! | two runs at once get into each other's way | the second one waits |
//! | the umask takes bits from the mode of a secret | the mode is the manifest's |
//! | directories above a target are root's | belong to whoever owns the nearest one above |
//! | modes above 0777 lose their upper bits | are refused |
//! | `..` in a name leads out of the generation; names and paths may clash, and the last one wins | are refused |
//! | a `path` that means a place in the generation, spelt in another way, destroys the secret | is refused |
//! | an unknown format is YAML | is refused |
//! | an empty placeholder goes between all characters; what is put in is expanded again; a placeholder that is unknown stays | refused; is not; refused |
//! | a plaintext file passes both check modes; a number passes them and stops activation | is refused by the check of sops files |
//! | ids may be -1, counts of generations negative | are refused |
//! | the number of a generation comes from any link that begins like the mount, and a link that ends in no number is an error | comes from links to generations and from what is in the mount |
//! | generations with a higher number than the active one are never removed | are removed |
//! | a malformed line drops all keys of all sources | is an error that names the line |
//! | a FIFO as a key file hangs; an SSH key is used for its derived age recipient only | is refused; is used for both |
//! | a MAC that does not match prints the digest of the plaintext | prints the file |
//! | no key opens a file: no word about keys | every key and every recipient is named |
//! | user mode links with a gap, tells no changes, restarts nothing; an empty runtime directory is `/` | links by rename, tells them, restarts units of the user; is refused, as is one that others can enter |
//! | turns SSH keys of type RSA into keys of GnuPG (`sshKeyPaths`) | accepts them with a warning, and imports none |
//! | asks GnuPG in any home that the environment names | in the one of `gnupgHome` alone |
//! | exit code 1 for everything, 0 for a wrong command line | the codes of `ccsec activate`, 2 for a wrong command line; `-compat-exit` makes 1 of every refusal |
