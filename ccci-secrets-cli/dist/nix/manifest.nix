# The manifest as an attribute set, and as a file that the build has checked. `null` stands for a field that is absent, so
# the fields of a home, which has no owners and no tmpfs, come out right without a word about it here.
{ lib, cfg }:

let
  present = lib.filterAttrs (_: value: value != null);
  pick = names: entry: present (lib.genAttrs names (name: entry.${name} or null));

  fileFields = [
    "name"
    "path"
    "mode"
    "owner"
    "uid"
    "group"
    "gid"
    "restartUnits"
    "reloadUnits"
    "required"
    "onConflict"
    "dirMode"
    "dirOwner"
    "dirGroup"
  ];
  secretFields = [
    "keyPath"
    "neededForUsers"
    "format"
    "sopsFile"
    "scalar"
    "allowClear"
    "public"
  ];

  secretEntry =
    secret:
    pick (fileFields ++ secretFields) secret
    // lib.optionalAttrs (secret.keyPath == null) { inherit (secret) key; };

  templateEntry =
    template:
    pick fileFields template
    // (if template.file != null then { inherit (template) file; } else { inherit (template) content; });

  topFields = [
    "keepGenerations"
    "useTmpfs"
    "allowSwap"
    "ageKeyFileOptional"
    "strictKeyModes"
    "allowKeyPrograms"
    "idempotent"
    "onFirstBoot"
    "mount"
  ];
in
rec {
  # The entries of `secrets` and `templates`; `place` is where they go and what is special there.
  make =
    {
      secrets,
      templates,
      place,
    }:
    let
      names = map (secret: secret.name) (lib.attrValues secrets);
      isHere = name: lib.elem name names;
    in
    pick topFields cfg
    // {
      secrets = map secretEntry (lib.attrValues secrets);
      templates = map templateEntry (lib.attrValues templates);
      ageSshKeyPaths = cfg.age.sshKeyPaths;
      sshKeyPaths = cfg.gnupg.sshKeyPaths;
      checks = map present (lib.filter (check: isHere check.cert) cfg.checks);
      logging = {
        keyImport = lib.elem "keyImport" cfg.log;
        secretChanges = lib.elem "secretChanges" cfg.log;
      };
    }
    // present {
      ageKeyFile = cfg.age.keyFile;
      gnupgHome = cfg.gnupg.home;
    }
    // lib.optionalAttrs (templates != { }) {
      # By the names in the manifest, which may be others than those of the attributes.
      placeholderBySecretName = lib.mapAttrs' (
        attribute: secret: lib.nameValuePair secret.name cfg.placeholder.${attribute}
      ) cfg.secrets;
    }
    // lib.optionalAttrs (cfg ? credentials) {
      credentials = lib.filter (credential: isHere credential.secret) cfg.credentials;
    }
    // place;

  # The same as a file in the store. Sops files that are paths are copied there with it.
  write =
    {
      pkgs,
      name,
      manifest,
      checkedBy,
    }:
    pkgs.writeTextFile {
      inherit name;
      text = builtins.toJSON manifest;
      checkPhase = ''
        ${checkedBy}/bin/ccsec check --mode ${
          if cfg.validateSopsFiles then "sopsfile" else "manifest"
        } "$target"
      '';
    };
}
