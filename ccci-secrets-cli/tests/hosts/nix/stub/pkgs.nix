# As much of nixpkgs as our modules and our package use. What it builds is built by the shell of this machine.
{
  lib,
  # The directory of a ready-made program, in place of one that is compiled.
  program,
}:

let
  # What this machine has anyway.
  installed = {
    type = "derivation";
    outPath = "/usr";
  };
  pkgs = {
    inherit lib;
    stdenv = rec {
      buildPlatform = {
        system = builtins.currentSystem or "x86_64-linux";
        canExecute = _: true;
      };
      hostPlatform = buildPlatform;
    };
    pkgsStatic = pkgs;
    callPackage =
      file: extra:
      let
        function = import file;
        wanted = builtins.functionArgs function;
      in
      function (builtins.intersectAttrs wanted pkgs // extra);

    rustPlatform.buildRustPackage =
      arguments:
      arguments
      // {
        type = "derivation";
        name = "${arguments.pname}-${arguments.version}";
        outPath = program;
      };

    writeTextFile =
      {
        name,
        text,
        checkPhase ? "",
      }:
      derivation {
        inherit name text checkPhase;
        system = builtins.currentSystem;
        builder = "/bin/sh";
        passAsFile = [ "text" ];
        args = [
          "-ec"
          ''
            PATH=/usr/bin:/bin
            cp "$textPath" "$out"
            target=$out
            eval "$checkPhase"
          ''
        ];
      };
    coreutils = installed;
    gnupg = installed;
    systemd = installed;
  };
in
pkgs
