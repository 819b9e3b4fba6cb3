# `services.ccsec` for home-manager: the secrets of one user, in the runtime directory.
{
  config,
  lib,
  pkgs,
  ...
}:

let
  inherit (lib) mkIf mkOption types;
  cfg = config.services.ccsec;

  optionsOf = import ./options.nix {
    inherit lib pkgs cfg;
    forSystem = false;
  };
  makingKeys = import ./keys.nix { inherit lib pkgs cfg; };
  manifests = import ./manifest.nix { inherit lib cfg; };

  manifest = manifests.make {
    inherit (cfg) secrets templates;
    place = {
      userMode = true;
      secretsMountPoint = cfg.defaultSecretsMountPoint;
      symlinkPath = cfg.defaultSymlinkPath;
    };
  };
  file = manifests.write {
    inherit pkgs manifest;
    name = "ccsec-manifest-home.json";
    checkedBy = cfg.package;
  };
  command = "${cfg.package}/bin/ccsec activate ${file}";

  inherit (import ./words.nix { inherit lib; }) line word;

  below =
    directory:
    { config, ... }:
    {
      options.path = mkOption {
        type = types.str;
        default = "${cfg.defaultSymlinkPath}${directory}/${config.name}";
        defaultText = lib.literalMD "below `defaultSymlinkPath`${directory}";
        description = ''
          Where the file is found. A link is put there, unless it is the default. `%r` is the runtime directory, `%%` a
          percent sign.
        '';
      };
    };
in
{
  options.services.ccsec =
    optionsOf {
      secret = below "";
      template = below "/rendered";
      sshKeyPaths = {
        default = [ ];
        example = lib.literalExpression ''[ "''${config.home.homeDirectory}/.ssh/id_ed25519" ]'';
      };
    }
    // {
      manifest = mkOption {
        type = types.package;
        default = file;
        defaultText = lib.literalMD "made of the other options";
        readOnly = true;
        description = "The manifest, as the build has checked it.";
      };
      defaultSymlinkPath = mkOption {
        type = types.str;
        default = "${config.xdg.configHome}/ccsec/secrets";
        defaultText = lib.literalExpression ''"''${config.xdg.configHome}/ccsec/secrets"'';
        description = "The link to the active generation.";
      };
      defaultSecretsMountPoint = mkOption {
        type = types.str;
        default = "%r/secrets.d";
        description = "Where generations are kept. `%r` is the runtime directory.";
      };
    };

  config = mkIf (cfg.secrets != { } || cfg.templates != { }) {
    assertions = import ./assertions.nix {
      inherit lib cfg;
      forSystem = false;
    };

    services.ccsec.environment = makingKeys.environment // {
      # systemctl tells units of the user.
      PATH = mkIf (cfg.age.plugins != [ ]) (
        lib.mkDefault "${lib.makeBinPath (cfg.age.plugins ++ [ pkgs.systemd ])}"
      );
    };

    systemd.user.services.ccsec = {
      Unit = {
        Description = "Secrets as files";
        # home-manager reloads it, and so nothing that needs it is stopped.
        X-SwitchMethod = "reload";
      };
      Service = {
        Type = "oneshot";
        RemainAfterExit = true;
        ExecStart = command;
        ExecReload = command;
        SuccessExitStatus = 50;
        UMask = "0077";
        Environment = lib.mapAttrsToList (name: value: word "${name}=${toString value}") cfg.environment;
      };
      Install.WantedBy = [ "default.target" ];
    };

    systemd.user.services.ccsec-generate-key = mkIf cfg.age.generateKey {
      Unit = {
        Description = "The age key of this user";
        ConditionPathExists = "!${line cfg.age.keyFile}";
        Before = [ "ccsec.service" ];
      };
      Service = {
        Type = "oneshot";
        UMask = "0077";
        ExecStart = makingKeys.make;
      };
      Install.WantedBy = [ "ccsec.service" ];
    };
  };
}
