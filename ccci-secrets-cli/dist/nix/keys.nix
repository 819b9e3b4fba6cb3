# How the program comes to its keys.
{
  lib,
  cfg,
  pkgs,
}:

let
  inherit (import ./words.nix { inherit lib; }) argument;
in
{
  # Which GnuPG it starts, if any.
  environment.SOPS_GPG_EXEC = lib.mkIf (cfg.gnupg.home != null) (
    lib.mkDefault "${cfg.gnupg.package}/bin/gpg"
  );

  # Commands of a unit that make the age key.
  make = [
    "${pkgs.coreutils}/bin/mkdir -p ${argument (dirOf cfg.age.keyFile)}"
    "${cfg.package}/bin/ccsec key generate --out ${argument cfg.age.keyFile}"
  ];
}
