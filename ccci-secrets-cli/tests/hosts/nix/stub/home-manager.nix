# The options of home-manager that our module sets or asks for.
{ lib, ... }:

let
  inherit (lib) mkOption types;

  of = type: default: mkOption { inherit type default; };
  atom = types.oneOf [
    types.bool
    types.int
    types.str
    types.path
  ];
  section = of (types.attrsOf (types.either atom (types.listOf atom))) { };
in
{
  options = {
    assertions = of (types.listOf types.unspecified) [ ];
    home.homeDirectory = of types.path "/home/alice";
    system.build = of (types.attrsOf types.unspecified) { };
    systemd.user.services = of (types.attrsOf (
      types.submodule {
        options = {
          Unit = section;
          Service = section;
          Install = section;
        };
      }
    )) { };
    xdg.configHome = of types.path "/home/alice/.config";
  };
}
