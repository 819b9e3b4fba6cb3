# What cannot be right, found before anything is built. Each message says what to do.
{
  lib,
  cfg,
  # Whether this is a system, with users and groups, or the home of one user.
  forSystem,
}:

let
  option = "services.ccsec";
  storeDir = "${builtins.storeDir}/";
  inStore = path: lib.hasPrefix storeDir (toString path);
  secrets = lib.attrValues cfg.secrets;
  templates = lib.attrValues cfg.templates;
  byName = lib.listToAttrs (map (secret: lib.nameValuePair secret.name secret) secrets);

  owners =
    list:
    lib.concatMap (
      entry:
      map
        (pair: {
          assertion = entry.${pair.name} or null == null || entry.${pair.number} or null == null;
          message = ''
            ${option}.${list}."${entry.name}": ${pair.name} and ${pair.number} are both set; take one of them away.
          '';
        })
        [
          {
            name = "owner";
            number = "uid";
          }
          {
            name = "group";
            number = "gid";
          }
        ]
    );

  suffixes = lib.concatStringsSep "|" [
    "automount"
    "device"
    "mount"
    "path"
    "scope"
    "service"
    "slice"
    "socket"
    "swap"
    "target"
    "timer"
  ];
  # Without a suffix nobody would be told: it is no name that systemd knows.
  unitNames =
    where:
    map (name: {
      assertion = builtins.match "[a-zA-Z0-9:_.@\\-]+\\.(${suffixes})" name != null;
      message = ''
        ${option}.${where}: "${name}" is no unit; its name has to end as in "${name}.service".
      '';
    });
  units =
    list:
    lib.concatMap (
      entry: unitNames ''${list}."${entry.name}"'' (entry.restartUnits ++ entry.reloadUnits)
    );

  ofSecret =
    secret:
    let
      where = ''${option}.secrets."${secret.name}".sopsFile'';
      path = toString secret.sopsFile;
    in
    [
      {
        assertion = builtins.pathExists secret.sopsFile;
        message = ''
          ${where}: ${path} does not exist. If it lies in a git submodule, fetch that first: git submodule update --init;
          a flake sees it only as '.?submodules=1', and only what git knows: git add.
        '';
      }
      {
        assertion = builtins.isPath secret.sopsFile || inStore path;
        message = ''
          ${where}: ${path} is not in the Nix store, and the build cannot look into it. Write the path without quotes, or set
          ${option}.validateSopsFiles = false.
        '';
      }
    ];

  ofTemplate = template: {
    assertion = (template.content == "") != (template.file == null);
    message = ''
      ${option}.templates."${template.name}": set content or file, and not both.
    '';
  };

  # Nobody else is there when it is made.
  ofEarly =
    secret:
    let
      isRoot =
        value:
        lib.elem value [
          null
          "root"
          0
        ];
    in
    {
      assertion = isRoot secret.owner && isRoot secret.uid && isRoot secret.group && isRoot secret.gid;
      message = ''
        ${option}.secrets."${secret.name}": what is needed for users is made before them, and can belong to root only.
      '';
    };

  keyFiles = lib.optional (cfg.age.keyFile != null) cfg.age.keyFile ++ cfg.age.sshKeyPaths;

  ofKeyFile = path: {
    assertion = !inStore path;
    message = ''
      ${option}: the key ${toString path} is in the Nix store, where everybody can read it. Keep it out of the configuration, and
      name the place on the machine, in quotes.
    '';
  };

  # A secret that something else is about.
  known = where: name: {
    assertion = byName ? ${name};
    message = ''
      ${option}.${where}: there is no secret with the name "${name}".
    '';
  };

  ofCheck =
    check:
    map (known "checks") ([ check.cert ] ++ lib.optional (check.key != null) check.key)
    ++ lib.optional (check.key != null && byName ? ${check.cert} && byName ? ${check.key}) {
      assertion =
        (byName.${check.cert}.neededForUsers or false) == (byName.${check.key}.neededForUsers or false);
      message = ''
        ${option}.checks: "${check.cert}" and "${check.key}" are not made at the same time; set neededForUsers for both or
        for neither.
      '';
    };
in
[
  {
    assertion = keyFiles != [ ] || cfg.gnupg.home != null || cfg.gnupg.sshKeyPaths != [ ];
    message = ''
      ${option}: nothing opens the secrets. Set ${option}.age.sshKeyPaths or ${option}.age.keyFile${lib.optionalString forSystem ", or enable services.openssh, whose ed25519 host key is then used"}.
    '';
  }
  {
    assertion = cfg.gnupg.home == null || cfg.gnupg.sshKeyPaths == [ ];
    message = ''
      ${option}.gnupg: home and sshKeyPaths are both set; take one of them away.
    '';
  }
  {
    assertion = cfg.gnupg.home == null || cfg.age.keyFile == null;
    message = ''
      ${option}: gnupg.home and age.keyFile are both set; take one of them away.
    '';
  }
  {
    assertion = cfg.age.generateKey -> cfg.age.keyFile != null;
    message = ''
      ${option}.age.generateKey: set ${option}.age.keyFile, too: the place of the key.
    '';
  }
]
++ map ofKeyFile keyFiles
++ owners "secrets" secrets
++ owners "templates" templates
++ units "secrets" secrets
++ units "templates" templates
++ unitNames "onFailure" (cfg.onFailure or [ ])
++ lib.optionals cfg.validateSopsFiles (lib.concatMap ofSecret secrets)
++ map ofTemplate templates
++ map ofEarly (lib.filter (secret: secret.neededForUsers or false) secrets)
++ lib.concatMap ofCheck cfg.checks
++ map (credential: known "credentials" credential.secret) (cfg.credentials or [ ])
