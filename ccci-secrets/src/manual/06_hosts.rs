//! Hosts: how a machine is set up from nothing.
//!
//! Both pages begin with a repository of the machine's configuration that has the repository of its secrets as a submodule
//! at `secrets/`, and with a recovery key that lies somewhere safe. On a blank machine nobody can open the secrets but that
//! key; once the machine's own key is a recipient, the recovery key goes home again.
//!
//! # A Debian host
//!
//! As root, on a machine with the package (or with `ccsec` in `/usr/bin`). Here `/etc/ccsec` is the repository, and
//! `manifest.json` at its top says which secret becomes which file.
//!
//! 1. Fetch it, and ask what is missing. An empty `secrets/` is a submodule that was not fetched, and is named.
//!
//! ```sh
//! git clone --quiet --recurse-submodules https://git.example.org/host.git /etc/ccsec
//! ccsec doctor /etc/ccsec
//! ccsec check --mode sopsfile /etc/ccsec/manifest.json
//! ```
//!
//! 2. Give the machine a key. The recovery key comes in on standard input and goes to the place that the manifest calls
//!    `ageKeyFile`; `ageKeyFileOptional` lets it go again later. The second command says how the machine's own SSH key is
//!    made a recipient, with the command that does it where the files can be opened now.
//!
//! ```sh
//! install -d -m 0700 /var/lib/ccsec
//! ccsec key install --out /var/lib/ccsec/recovery.txt </root/recovery.txt
//! ccsec key show --ssh /etc/ssh/ssh_host_ed25519_key.pub --enrol host
//! ```
//!
//! 3. Look at what would happen, and let it happen at every boot from now on, before anything starts that needs the secrets.
//!
//! ```sh
//! ccsec plan /etc/ccsec/manifest.json
//! ccsec systemd-unit --install /etc/ccsec/manifest.json
//! systemd-tmpfiles --create
//! systemctl daemon-reload
//! systemctl enable --quiet --now ccsec-activate.service
//! ```
//!
//! 4. Does what is there equal what git says? Now, and at any later time. When the machine opens its files itself, the
//!    recovery key goes.
//!
//! ```sh
//! ccsec verify /etc/ccsec/manifest.json
//! ccsec drill --identity /etc/ssh/ssh_host_ed25519_key /etc/ccsec
//! rm /var/lib/ccsec/recovery.txt
//! systemctl reload ccsec-activate.service
//! ```
//!
//! After every change: `git pull --recurse-submodules` and the reload. A restart would restart everything that needs the
//! secrets; a reload that is refused leaves everything as it was.
//!
//! The service may write to the directories of this manifest and nowhere else, and only the units in this manifest wait for it.
//! So when `path`, `restartUnits`, `credentials` or `secretsMountPoint` has changed, `ccsec systemd-unit --install` comes
//! first; it removes what is not needed any more, and its last line is what to run then.
//!
//! - Passwords and whatever else users are made with: a second manifest in which every secret has `"neededForUsers": true`.
//!   Its units are called `ccsec-activate-for-users`.
//! - Keys, sops files or targets on file systems that come over the network: `ccsec systemd-unit --network`. The secrets are
//!   made when the network is up; a unit that the manifest names waits for that too.
//! - How a run went is in `journalctl -u ccsec-activate.service`. A refusal fails the service; a step that failed when the
//!   secrets were in place does not, and stands out with `journalctl -p err`.
//! - Labels of SELinux are not set. What is made in a directory gets the label that the policy has for it, and files in a ramfs
//!   have one label together; a service that is confined more narrowly needs a rule for it. `ccsec doctor` says where that is so.
//!
//! # A NixOS host
//!
//! The flake lies in a directory of this repository, so its address ends in `?dir=`:
//!
//! ```text
//! inputs.ccsec.url = "git+https://git.example.org/ccsec.git?dir=ccci-secrets-cli/dist/nix";
//! inputs.ccsec.inputs.nixpkgs.follows = "nixpkgs";
//! ```
//!
//! `inputs.ccsec.nixosModules.default` is the module, beside the machine's own:
//!
//! ```nix
//! { config, ... }:
//! {
//!   services.openssh.enable = true;   # its ed25519 host key opens the secrets
//!   services.ccsec = {
//!     defaultSopsFile = ./secrets/secrets.yaml;
//!     age.keyFile = "/var/lib/ccsec/recovery.txt";
//!     ageKeyFileOptional = true;
//!     secrets.test_secret = { };
//!     secrets.wildcard_cert = {
//!       path = "/var/lib/ci-certs/live/fullchain.pem";
//!       mode = "0444";
//!       restartUnits = [ "proxy.service" ];
//!     };
//!     templates."app.env".content = "TOKEN=${config.services.ccsec.placeholder.test_secret}";
//!   };
//! }
//! ```
//!
//! The build fails if a sops file is not sealed, or does not hold a key that is named. The file goes to the Nix store,
//! sealed as it is. A flake sees a submodule only when it is told to:
//!
//! ```text
//! git clone --recurse-submodules https://git.example.org/host.git /etc/nixos
//! ccsec doctor /etc/nixos
//! ccsec key install --out /var/lib/ccsec/recovery.txt <recovery.txt
//! nixos-rebuild switch --flake '/etc/nixos?submodules=1'
//! systemctl status ccsec-activate.service
//! ```
//!
//! A switch reloads the service, so that units which need the secrets keep running; `restartUnits` says which are told.
//! They do not start while the secrets could not be made, unless `requireActivation = false`. What users are made with
//! (`neededForUsers`) comes before them, by a unit of its own or by the activation script.
//!
//! # Coming from sops-nix
//!
//! There are two ways, and the first needs one line: `sops.package` and `sops.validationPackage` are the package of the
//! flake, and everything else stays (see [`_03_activation`](super::_03_activation)).
//!
//! The second is to write `services.ccsec` where `sops` stood; options that both have are called the same. What is
//! different:
//!
//! | `sops` | `services.ccsec` |
//! |---|---|
//! | `owner` wins over `uid`, `group` over `gid` | setting both is an error |
//! | a unit without `.service` is told nothing | is an error |
//! | a file at `path` is replaced | is refused; `onConflict = "backup"` keeps it aside |
//! | numbers are refused | `scalar = "any"` takes them |
//! | RSA host keys become keys of GnuPG | `gnupg.sshKeyPaths` is empty, and only a warning |
//! | an activation script, except with sysusers or userborn | a unit; `useSystemdActivation = false` is the script |
//!
//! For homes there is `homeModules.default`, with the same options but those of owners.
//!
//! # The secrets of a user
//!
//! A manifest with `"userMode": true` is that of one user. Nothing is mounted and nobody else owns anything; `%r` in its paths
//! is the runtime directory, which is in memory, and keys are files of the user. As this user:
//!
//! ```bash
//! ccsec systemd-unit --install ~/manifest.json
//! systemctl --user daemon-reload
//! systemctl --user enable --now ccsec-activate.service
//! ```
//!
//! The secrets are made when the user logs in, or at boot after `loginctl enable-linger`. Units of the user that the manifest
//! names wait for them, as those of a system do. There are no credentials for them.
//!
//! # Credentials instead of files
//!
//! A unit with `DynamicUser=` has no account that could own a file. It is given its secrets as credentials instead, which
//! systemd puts where this unit alone can read them:
//!
//! ```json
//! "credentials": [
//!   {"unit": "web.service", "name": "token", "secret": "web/token"},
//!   {"unit": "job@*.service", "name": "config", "secret": "rendered/job.conf"}
//! ]
//! ```
//!
//! ```ini
//! [Service]
//! DynamicUser=yes
//! ExecStart=/usr/bin/web --token-file ${CREDENTIALS_DIRECTORY}/token
//! ```
//!
//! - `secret` is the name of a secret, or `rendered/` and that of a template. `NAME@*.service` stands for every instance that
//!   has no entry of its own for that name.
//! - `ccsec systemd-unit --install` makes what answers, `ccsec-creds.socket` and `ccsec-creds.service`, and adds to each of
//!   these units the line by which it asks: `LoadCredential=token:/run/ccsec/creds.sock`. It is run again when the field has
//!   changed. The NixOS module makes the same two units; the line is yours to write there, and with `--no-drop-ins`.
//! - Manifest and generation are looked at for each request, so there is nothing to reload; a unit gets what is new when it
//!   starts again. With `--no-materialise` the sops file is opened for each request instead, and nothing is on disk.
//! - Whoever may not have a credential, or asks for one that cannot be had, fails to start with status 243, and the journal of
//!   `ccsec-creds.service` says why. systemd takes a connection that ends without data for an empty credential, so the
//!   answer to such a request is more than systemd takes, and the service manager holds each connection until it is
//!   answered, even when the service is killed (`FileDescriptorStoreMax=`). An answer that breaks off would be a shorter
//!   credential: a service that is stopped while somebody still reads stays until that is done, though its unit is stopped
//!   within 10 seconds (`SendSIGKILL=no`) and may be started again.
//! - systemd takes 1 MiB for all credentials of a unit, their names included. `ccsec check --mode sopsfile` adds up what it
//!   can see, activation adds up the rest, and both refuse more; an empty value is refused too.
//!
//! # An initrd, and machines with next to nothing
//!
//! The program of the Debian package is linked statically and needs neither accounts nor a service manager: `ccsec activate`
//! in an initrd, with `--ignore-passwd` where the manifest names owners, and `/run` goes with the machine when it switches
//! to its root. A key on a file system that is not mounted yet is exit 20, and the message says so. Before Linux 6.4 a
//! `tmpfs` may be swapped out; where nothing swaps that is a warning, else a refusal.
