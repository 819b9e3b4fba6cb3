# The options of the module for NixOS and of the one for home-manager. Where sops-nix has an option for the
# same thing, it has the same name here; the others are called as the fields of the manifest.
{
  lib,
  pkgs,
  # What is set: `config.services.ccsec`.
  cfg,
  # Whether this is a system, with users and groups, or the home of one user.
  forSystem,
  # The users of the system, by name.
  users ? { },
}:

let
  inherit (lib) mkOption types;

  octal = types.strMatching "0?[0-7]{3}";
  optional =
    type: description:
    mkOption {
      inherit description;
      type = types.nullOr type;
      default = null;
    };
  switch =
    default: description:
    mkOption {
      inherit default description;
      type = types.bool;
    };
  choice =
    values: default: description:
    mkOption {
      inherit default description;
      type = types.enum values;
    };
  units =
    what:
    mkOption {
      type = types.listOf types.str;
      default = [ ];
      example = [ "nginx.service" ];
      description = "Units to ${what} when the file has changed: its content, mode or owner.";
    };

  # What secrets and templates have in common.
  file =
    { name, ... }:
    {
      options = {
        name = mkOption {
          type = types.str;
          default = name;
          description = "Name of the file; with `/` it lies in directories.";
        };
        mode = mkOption {
          type = octal;
          default = "0400";
          description = "Mode of the file, in octal. The umask does not count.";
        };
        required = switch true ''
          Whether a fault in this entry refuses the whole activation. If not, the entry is left out, with a warning.
        '';
        onConflict = choice [ "refuse" "replace" "backup" ] "refuse" ''
          What happens to a file at `path` that is not ours and has another content: activation is refused, the file is
          replaced, or it is kept beside the link as `NAME.ccsec-backup-N`.
        '';
        dirMode = optional octal ''
          Mode of directories that have to be made for `path`; that of the nearest one above if not set.
        '';
        restartUnits = units "restart";
        reloadUnits = units "reload";
      }
      // lib.optionalAttrs forSystem {
        dirOwner = optional types.str "Owner of directories that have to be made for `path`.";
        dirGroup = optional types.str "Group of directories that have to be made for `path`.";
        requireActivation = mkOption {
          type = types.bool;
          default = cfg.requireActivation;
          defaultText = lib.literalExpression "config.services.ccsec.requireActivation";
          description = ''
            Whether the units in `restartUnits` and `reloadUnits` are kept from starting while the secrets could not be
            made.
          '';
        };
      };
    };

  # Who the file belongs to.
  owned =
    users:
    { config, ... }:
    {
      options = {
        owner = optional types.str "User that the file belongs to; root if neither `owner` nor `uid` is set.";
        uid = optional types.ints.u32 "Number of that user, who need not exist.";
        group = mkOption {
          type = types.nullOr types.str;
          default =
            if config.owner != null && config.gid == null && users ? ${config.owner} then
              users.${config.owner}.group
            else
              null;
          defaultText = lib.literalMD "the group of `owner`";
          description = "Group of the file; root if neither `group` nor `gid` is set.";
        };
        gid = optional types.ints.u32 "Number of that group, which need not exist.";
      };
    };

  secretFields =
    { config, ... }:
    {
      options = {
        key = mkOption {
          type = types.str;
          default = if cfg.defaultSopsKey != null then cfg.defaultSopsKey else config.name;
          defaultText = lib.literalMD "`defaultSopsKey`, or the name of the secret";
          description = ''
            Where the value stands in a YAML or JSON file, with `/` between the parts. Empty means the whole file, as do
            the other formats.
          '';
        };
        keyPath = optional (types.listOf types.str) ''
          The parts of the key, for keys that have a `/` themselves. Wins over `key`.
        '';
        format =
          choice [ "yaml" "json" "binary" "dotenv" "ini" ] cfg.defaultSopsFormat
            "Format of the sops file.";
        sopsFile = mkOption {
          type = types.path;
          default = cfg.defaultSopsFile;
          defaultText = lib.literalExpression "config.services.ccsec.defaultSopsFile";
          description = "The sops file that holds the value.";
        };
        sopsFileHash = mkOption {
          type = types.str;
          default = lib.optionalString cfg.validateSopsFiles (builtins.hashFile "sha256" config.sopsFile);
          defaultText = lib.literalMD "the SHA-256 of the sealed file, if `validateSopsFiles` is set";
          readOnly = true;
          description = "Changes with the sops file: something for `restartTriggers`.";
        };
        scalar = choice [ "string" "any" ] "string" ''
          Whether numbers, truth values and times are taken, too, as they are written in the file, or refused.
        '';
        allowClear = switch false ''
          Whether the value may stand in the clear in the sops file where no MAC covers it. It is refused otherwise.
        '';
        public = switch false "Whether the value is no secret, as a certificate: its plain digest may then be shown.";
      };
    };

  templateFields.options = {
    content = mkOption {
      type = types.lines;
      default = "";
      example = lib.literalExpression ''"password = ''${config.services.ccsec.placeholder.db-password}"'';
      description = "The text, with placeholders where the values of secrets go.";
    };
    file = optional types.path "A file with the text, instead of `content`.";
  };

  certificate.options = {
    type = choice [ "x509" ] "x509" "What is checked.";
    cert = mkOption {
      type = types.str;
      description = "The secret that holds the certificate, followed by those that it is signed with.";
    };
    key = optional types.str "The secret that holds its private key.";
    names = mkOption {
      type = types.listOf types.str;
      default = [ ];
      example = [ "*.example.org" ];
      description = "Names that the certificate must cover.";
    };
    minDays = optional types.ints.unsigned "How many days the certificate must still be good for.";
    strict = switch false "Whether too few days refuse the activation, instead of being a warning.";
  };

  credential.options = {
    unit = mkOption {
      type = types.str;
      example = "proxy.service";
      description = "The unit that may read the credential; `name@*.service` is every instance of a template.";
    };
    name = mkOption {
      type = types.str;
      description = "The name by which the unit asks for it.";
    };
    secret = mkOption {
      type = types.str;
      description = "The secret that it is.";
    };
  };

  listOf =
    options: description:
    mkOption {
      inherit description;
      type = types.listOf (types.submodule options);
      default = [ ];
    };

  # Files by name; each is made of these modules.
  filesOf =
    description: modules:
    mkOption {
      inherit description;
      type = types.attrsOf (types.submodule ([ file ] ++ lib.optional forSystem (owned users) ++ modules));
      default = { };
    };

  shared = {
    defaultSopsFile = mkOption {
      type = types.path;
      example = lib.literalExpression "./secrets/secrets.yaml";
      description = "The sops file of every secret that names none.";
    };
    defaultSopsFormat = mkOption {
      type = types.str;
      default = "yaml";
      description = "The format of every secret that names none.";
    };
    defaultSopsKey = optional types.str ''
      The key of every secret that names none; if this is not set either, the name of the secret is its key.
    '';
    validateSopsFiles = switch true ''
      Whether the build looks into the sops files: that they are sealed and hold every key. They are copied to the Nix
      store for that, sealed as they are. Without it only the manifest is checked.
    '';
    keepGenerations = mkOption {
      type = types.ints.unsigned;
      default = 1;
      description = "How many generations stay, the active one included; 0 keeps all of them.";
    };
    log = mkOption {
      type = types.listOf (
        types.enum [
          "keyImport"
          "secretChanges"
        ]
      );
      default = [
        "keyImport"
        "secretChanges"
      ];
      description = "What is told: which keys were read, which secrets have changed.";
    };
    environment = mkOption {
      type = types.attrsOf (types.either types.str types.path);
      default = { };
      description = "Environment variables of the activation.";
    };
    placeholder = mkOption {
      type = types.attrsOf types.str;
      default = lib.mapAttrs (
        name: _: "<SOPS:${builtins.hashString "sha256" name}:PLACEHOLDER>"
      ) cfg.secrets;
      defaultText = lib.literalMD "a placeholder for each secret";
      readOnly = true;
      visible = false;
      description = "What stands in a template where the value of a secret goes.";
    };
    age = {
      keyFile = mkOption {
        type = types.nullOr types.str;
        default = null;
        example = "/var/lib/ccsec/key.txt";
        description = ''
          File with age keys. Activation is refused when it is not there, unless `ageKeyFileOptional` is set.
        '';
      };
      generateKey = switch false "Whether to make a key at `age.keyFile` when nothing is there.";
      plugins = mkOption {
        type = types.listOf types.package;
        default = [ ];
        description = "Plugins of age, for files that no other key opens.";
      };
    };
    gnupg = {
      home = optional types.str ''
        Home directory of GnuPG, for files that nothing else opens. It goes without `age.keyFile` only.
      '';
      package = mkOption {
        type = types.package;
        default = pkgs.gnupg;
        defaultText = lib.literalExpression "pkgs.gnupg";
        description = "GnuPG. It is started only if `gnupg.home` is set.";
      };
      sshKeyPaths = mkOption {
        type = types.listOf types.str;
        default = [ ];
        description = "Known from sops-nix: RSA keys that it turns into keys of GnuPG. Each is a warning.";
      };
    };

    # Beyond sops-nix: fields of the manifest.
    ageKeyFileOptional = switch false "Whether a missing `age.keyFile` is a warning, if every file opens all the same.";
    allowKeyPrograms = mkOption {
      type = types.listOf (
        types.enum [
          "command"
          "gpg"
          "plugin"
        ]
      );
      default =
        lib.optional (cfg.gnupg.home != null) "gpg" ++ lib.optional (cfg.age.plugins != [ ]) "plugin";
      defaultText = lib.literalMD "`gpg` with `gnupg.home`, `plugin` with `age.plugins`";
      description = "Which kinds of key may start a program.";
    };
    strictKeyModes = switch false "Whether key files that others may read are refused, instead of being a warning.";
    idempotent = switch true "Whether a run that has nothing to change makes no new generation.";
    onFirstBoot = choice [ "refuse" "partial" ] "refuse" ''
      What happens when a required secret has a fault and there is no generation yet: nothing, or all that is sound is put
      in place.
    '';
    mount = choice [ "auto" "none" ] "auto" ''
      Whether a file system in memory is mounted for the secrets, or the directory is somebody else's business.
    '';
    checks = listOf certificate "Certificates that have to be in order before anything is changed.";
  };

  # Beyond `shared`, for systems.
  system = {
    useTmpfs = switch false ''
      Whether to use tmpfs instead of ramfs. It can be swapped out where the kernel knows no `noswap` (before 6.4);
      activation is then refused unless no swap is in use or `allowSwap` is set.
    '';
    allowSwap = switch false "Whether secrets may lie on a tmpfs that can be swapped out.";
    credentials = listOf credential ''
      Which unit may have which secret as a credential, under which name. The unit itself says
      `LoadCredential = "NAME:/run/ccsec/creds.sock"`.
    '';
    requireActivation = switch true ''
      Whether units that use a secret are kept from starting while the secrets could not be made.
    '';
    onFailure = mkOption {
      type = types.listOf types.str;
      default = [ ];
      example = [ "tell-somebody.service" ];
      description = "Units to start when activation fails.";
    };
    network = switch false ''
      Whether keys, sops files or targets lie on file systems that come over the network. The secrets are then made when the
      network is up, and not before services start.
    '';
    useSystemdActivation = switch true ''
      Whether a systemd unit makes the secrets. If not, the activation script of NixOS does: for machines without systemd
      as the first process.
    '';
  };
in
# What differs: where a secret and a template are found, as modules, and the SSH keys that are used if nothing is said.
{
  secret,
  template,
  sshKeyPaths,
}:
shared
// lib.optionalAttrs forSystem system
// {
  package = mkOption {
    type = types.package;
    default = pkgs.callPackage ./package.nix { };
    defaultText = lib.literalExpression "pkgs.callPackage ./package.nix { }";
    description = "The program.";
  };
  secrets = filesOf "The secrets, by name." [
    secretFields
    secret
  ];
  templates = filesOf "Files that are put together from text and secrets, by name." [
    templateFields
    template
  ];
  age = shared.age // {
    sshKeyPaths = mkOption (
      {
        type = types.listOf types.str;
        description = "SSH keys that open the secrets, as themselves or as the age key that is derived from them.";
      }
      // sshKeyPaths
    );
  };
}
