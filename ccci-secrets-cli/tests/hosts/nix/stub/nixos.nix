# The options of NixOS that our module sets or asks for, with the types that they have there.
{ lib, ... }:

let
  inherit (lib) mkOption types;

  of = type: default: mkOption { inherit type default; };
  words = of (types.listOf types.str) [ ];
  settings = of (types.attrsOf (
    types.oneOf [
      types.bool
      types.int
      types.str
      (types.listOf types.str)
    ]
  )) { };

  unit = {
    after = words;
    before = words;
    conflicts = words;
    description = of types.str "";
    documentation = words;
    onFailure = words;
    partOf = words;
    requiredBy = words;
    requires = words;
    restartTriggers = of (types.listOf types.unspecified) [ ];
    unitConfig = settings;
    wantedBy = words;
    wants = words;
  };
  unitsWith = options: of (types.attrsOf (types.submodule { options = unit // options; })) { };
  mount.options = unit // {
    what = mkOption { type = types.str; };
    where = mkOption { type = types.str; };
    type = of types.str "";
    options = of types.str "";
    mountConfig = settings;
  };
  script.options = {
    deps = words;
    text = mkOption { type = types.lines; };
    supportsDryActivation = of types.bool false;
  };
  user.options.group = of types.str "nogroup";
in
{
  options = {
    assertions = of (types.listOf types.unspecified) [ ];
    services.openssh = {
      enable = of types.bool false;
      hostKeys = of (types.listOf (types.attrsOf types.str)) [
        {
          type = "rsa";
          path = "/etc/ssh/ssh_host_rsa_key";
        }
        {
          type = "ed25519";
          path = "/etc/ssh/ssh_host_ed25519_key";
        }
        {
          type = "ed25519";
          path = "/run/secrets/another_host_key";
        }
      ];
    };
    services.userborn.enable = of types.bool false;
    system.activationScripts = of (types.attrsOf (types.submodule script)) { };
    system.build = of (types.attrsOf types.unspecified) { };
    systemd = {
      mounts = of (types.listOf (types.submodule mount)) [ ];
      services = unitsWith {
        environment = of (types.attrsOf types.str) { };
        path = of (types.listOf types.package) [ ];
        reloadIfChanged = of types.bool false;
        restartIfChanged = of types.bool true;
        serviceConfig = settings;
        stopIfChanged = of types.bool true;
      };
      sockets = unitsWith {
        listenStreams = words;
        socketConfig = settings;
      };
      sysusers.enable = of types.bool false;
      targets = unitsWith { };
      tmpfiles.rules = words;
    };
    users.groups = of (types.attrsOf (types.submodule { options.gid = of (types.nullOr types.int) null; })) { };
    users.mutableUsers = of types.bool true;
    users.users = of (types.attrsOf (types.submodule user)) { };
  };

  config.system.activationScripts.users.text = "make users";
}
