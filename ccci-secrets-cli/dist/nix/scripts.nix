# Parts of the activation script of NixOS, for hosts on which no unit can make the secrets.
{ lib, cfg }:

let
  keyFile = lib.escapeShellArg cfg.age.keyFile;
  variables = {
    HOME = "/var/empty";
    PATH = lib.makeBinPath cfg.age.plugins;
  }
  // cfg.environment;
  export = name: value: "export ${name}=${lib.escapeShellArg (toString value)}";
in
{
  # In a shell of its own, so that the other parts do not see the variables.
  activate = stage: deps: {
    deps = [ "specialfs" ] ++ deps ++ lib.optional cfg.age.generateKey "ccsecKey";
    text = ''
      (
      ${lib.concatStringsSep "\n" (lib.mapAttrsToList export variables)}
      exec ${stage.command}
      )
    '';
    # The program knows a rehearsal by NIXOS_ACTION, and only says what would change.
    supportsDryActivation = true;
  };

  key = {
    deps = [ "specialfs" ];
    text = ''
      if [ ! -e ${keyFile} ]; then
        (
        umask 077
        mkdir -p "$(dirname ${keyFile})"
        ${cfg.package}/bin/ccsec key generate --out ${keyFile}
        )
      fi
    '';
  };
}
