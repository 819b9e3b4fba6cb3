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

  parts = import ./options.nix {
    inherit lib pkgs cfg;
    forSystem = false;
  };
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
  program = "${cfg.package}/bin/ccsec";
  command = "${program} activate ${file}";

  inherit (import ./words.nix { inherit lib; }) argument line word;

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
  options.services.ccsec = parts.shared // {
    package = mkOption {
      type = types.package;
      default = pkgs.callPackage ./package.nix { };
      defaultText = lib.literalExpression "pkgs.callPackage ./package.nix { }";
      description = "The program.";
    };
    manifest = mkOption {
      type = types.package;
      default = file;
      defaultText = lib.literalMD "made of the other options";
      readOnly = true;
      description = "The manifest, as the build has checked it.";
    };
    secrets = mkOption {
      type = types.attrsOf (
        parts.secretWith {
          users = { };
          modules = [ (below "") ];
        }
      );
      default = { };
      description = "The secrets, by name.";
    };
    templates = mkOption {
      type = types.attrsOf (
        parts.templateWith {
          users = { };
          modules = [ (below "/rendered") ];
        }
      );
      default = { };
      description = "Files that are put together from text and secrets, by name.";
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
    age = parts.shared.age // {
      sshKeyPaths = mkOption {
        type = types.listOf types.str;
        default = [ ];
        example = lib.literalExpression ''[ "''${config.home.homeDirectory}/.ssh/id_ed25519" ]'';
        description = "SSH keys that open the secrets, as themselves or as the age key that is derived from them.";
      };
    };
  };

  config = mkIf (cfg.secrets != { } || cfg.templates != { }) {
    assertions = import ./assertions.nix {
      inherit lib cfg;
      forSystem = false;
    };

    services.ccsec.environment.SOPS_GPG_EXEC = mkIf (cfg.gnupg.home != null) (
      lib.mkDefault "${cfg.gnupg.package}/bin/gpg"
    );

    # systemctl tells units of the user.
    services.ccsec.environment.PATH = mkIf (cfg.age.plugins != [ ]) (
      lib.mkDefault "${lib.makeBinPath (cfg.age.plugins ++ [ pkgs.systemd ])}"
    );

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
        ExecStart = [
          "${pkgs.coreutils}/bin/mkdir -p ${argument (dirOf cfg.age.keyFile)}"
          "${program} key generate --out ${argument cfg.age.keyFile}"
        ];
      };
      Install.WantedBy = [ "ccsec.service" ];
    };
  };
}
