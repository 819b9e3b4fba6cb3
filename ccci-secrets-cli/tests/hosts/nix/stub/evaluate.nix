# A configuration, evaluated with one of our modules, as what a test wants to see of it.
{
  # The directory of the library of nixpkgs; without it, the stub.
  lib ? null,
  # `home` or `system`.
  kind,
  # What stands for the package.
  program,
  configuration,
}:

let
  library = if lib == null then import ./lib.nix else import lib;
  delivered = ../../../../dist/nix;
  modules = {
    home = [
      ./home-manager.nix
      (delivered + "/home.nix")
    ];
    system = [
      ./nixos.nix
      (delivered + "/module.nix")
    ];
  };
  pkgs = import ./pkgs.nix {
    lib = library;
    inherit program;
  };
  inherit
    (library.evalModules {
      modules = modules.${kind} ++ [ configuration ];
      specialArgs = { inherit pkgs; };
    })
    config
    ;
in
config
// {
  # What the package would be made of; always as the stub sees it, which only lists the sources.
  package =
    let
      stub = import ./lib.nix;
      package =
        (import ./pkgs.nix {
          lib = stub;
          inherit program;
        }).callPackage
          (delivered + "/package.nix")
          { };
    in
    {
      inherit (package) version postInstall meta;
      sources = package.src;
    };
  inherit (config.system) build;
  failed = map (assertion: assertion.message) (
    builtins.filter (assertion: !assertion.assertion) config.assertions
  );
}
