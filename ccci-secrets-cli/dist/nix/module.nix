# `services.ccsec`: the secrets of a NixOS host.
{
  config,
  lib,
  options,
  pkgs,
  ...
}:

let
  inherit (lib) mkIf mkOption types;
  cfg = config.services.ccsec;

  optionsOf = import ./options.nix {
    inherit lib pkgs cfg;
    inherit (config.users) users;
    forSystem = true;
  };
  makingKeys = import ./keys.nix { inherit lib pkgs cfg; };
  manifests = import ./manifest.nix { inherit lib cfg; };
  units = import ./units.nix { inherit lib cfg pkgs; };
  scripts = import ./scripts.nix { inherit lib cfg; };

  # What makes the users. If it is none of these, the activation script does, before systemd starts anything.
  sysusers = options.systemd ? sysusers && config.systemd.sysusers.enable;
  userborn = options.services ? userborn && config.services.userborn.enable;
  userUnits =
    lib.optional sysusers "systemd-sysusers.service" ++ lib.optional userborn "userborn.service";

  # Secrets are made in two stages: what users are made with comes first, and knows no users yet.
  regular = stage {
    suffix = "";
    isEarly = false;
    secrets = lib.filterAttrs (_: secret: !secret.neededForUsers) cfg.secrets;
    inherit (cfg) templates;
    place = {
      secretsMountPoint = "/run/secrets.d";
      symlinkPath = "/run/secrets";
    };
    byUnit = cfg.useSystemdActivation;
  };
  forUsers = stage {
    suffix = "-for-users";
    isEarly = true;
    secrets = lib.filterAttrs (_: secret: secret.neededForUsers) cfg.secrets;
    templates = { };
    place = {
      secretsMountPoint = "/run/secrets-for-users.d";
      symlinkPath = "/run/secrets-for-users";
    };
    # Users that the script makes need it to make their secrets, too.
    byUnit = cfg.useSystemdActivation && userUnits != [ ];
  };
  stage =
    facts:
    facts
    // rec {
      isWanted = facts.secrets != { } || facts.templates != { };
      unit = "ccsec-activate${facts.suffix}";
      manifest = manifests.make { inherit (facts) secrets templates place; };
      file = manifests.write {
        inherit pkgs manifest;
        name = "ccsec-manifest${facts.suffix}.json";
        checkedBy = cfg.validationPackage;
      };
      command = lib.concatStringsSep " " (
        [ "${cfg.package}/bin/ccsec activate" ]
        ++ lib.optional facts.isEarly "--ignore-passwd"
        ++ [ "${file}" ]
      );
    };

  wanted = lib.filter (stage: stage.isWanted) [
    forUsers
    regular
  ];
  byUnit = lib.filter (stage: stage.byUnit) wanted;
  byScript = lib.filter (stage: !stage.byUnit) wanted;

  place =
    { config, ... }:
    {
      options = {
        path = mkOption {
          type = types.str;
          default = "/run/secrets${lib.optionalString config.neededForUsers "-for-users"}/${config.name}";
          defaultText = lib.literalMD "below `/run/secrets`, or `/run/secrets-for-users`";
          description = "Where the file is found. A link is put there, unless it is the default.";
        };
        neededForUsers = mkOption {
          type = types.bool;
          default = false;
          description = ''
            Whether the secret is made before users and groups are, for `hashedPasswordFile`. It belongs to root.
          '';
        };
      };
    };
  renderedPlace =
    { config, ... }:
    {
      options.path = mkOption {
        type = types.str;
        default = "/run/secrets/rendered/${config.name}";
        defaultText = lib.literalMD "below `/run/secrets/rendered`";
        description = "Where the file is found. A link is put there, unless it is the default.";
      };
    };

  # Host keys that are secrets themselves cannot open secrets.
  hostKeys = map (key: key.path) (
    lib.filter (
      key: key.type == "ed25519" && !lib.hasPrefix "/run/secrets" key.path
    ) config.services.openssh.hostKeys
  );
in
{
  options.services.ccsec =
    optionsOf {
      secret = place;
      template = renderedPlace;
      sshKeyPaths = {
        default = lib.optionals config.services.openssh.enable hostKeys;
        defaultText = lib.literalMD "the ed25519 keys of `services.openssh.hostKeys`";
      };
    }
    // {
      validationPackage = mkOption {
        type = types.package;
        default =
          if pkgs.stdenv.buildPlatform == pkgs.stdenv.hostPlatform then
            cfg.package
          else
            pkgs.pkgsBuildHost.callPackage ./package.nix { };
        defaultText = lib.literalExpression "config.services.ccsec.package";
        description = "The program that looks at the manifest while the system is built, on the building machine.";
      };
    };

  config = lib.mkMerge [
    {
      system.build.ccsec-manifest = regular.file;
      system.build.ccsec-manifest-for-users = forUsers.file;
    }

    (mkIf (wanted != [ ]) {
      assertions =
        import ./assertions.nix {
          inherit lib cfg;
          forSystem = true;
        }
        ++ [
          {
            assertion = forUsers.isWanted && sysusers -> config.users.mutableUsers;
            message = ''
              services.ccsec.secrets.<name>.neededForUsers: systemd.sysusers takes passwords only with users.mutableUsers.
            '';
          }
        ];
      services.ccsec.environment = makingKeys.environment;
      # Who may look into the directories of secrets.
      users.groups.keys = { };
    })

    (mkIf (byUnit != [ ]) units.common)
    (mkIf (lib.elem regular.unit (map (stage: stage.unit) byUnit)) (units.regular regular))
    (mkIf (lib.elem forUsers.unit (map (stage: stage.unit) byUnit)) (units.forUsers forUsers userUnits))
    (mkIf (regular.manifest.credentials != [ ]) (units.credentials regular))
    (mkIf (cfg.age.generateKey && byUnit != [ ]) (units.key byUnit))

    (mkIf (lib.elem regular.unit (map (stage: stage.unit) byScript)) {
      system.activationScripts.ccsec = scripts.activate regular [
        "users"
        "groups"
      ];
    })
    (mkIf (lib.elem forUsers.unit (map (stage: stage.unit) byScript)) {
      system.activationScripts.ccsecForUsers = scripts.activate forUsers [ ];
      system.activationScripts.users.deps = [ "ccsecForUsers" ];
    })
    (mkIf (cfg.age.generateKey && byScript != [ ]) {
      system.activationScripts.ccsecKey = scripts.key;
    })
  ];
}
