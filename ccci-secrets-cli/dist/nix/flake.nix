{
  description = "ccsec: secrets in git as sops files, and as files on a machine at boot";

  inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixos-unstable";

  outputs =
    { self, nixpkgs }:
    let
      eachSystem =
        f:
        nixpkgs.lib.genAttrs [
          "aarch64-linux"
          "x86_64-linux"
        ] (system: f nixpkgs.legacyPackages.${system});
    in
    {
      packages = eachSystem (pkgs: rec {
        default = ccsec;
        ccsec = pkgs.callPackage ./package.nix { };
        # One file that needs nothing else: for an initrd, or for a machine without Nix.
        ccsec-static = pkgs.pkgsStatic.callPackage ./package.nix { };
      });

      overlays.default = final: _: {
        ccsec = final.callPackage ./package.nix { };
      };

      nixosModules = {
        default = self.nixosModules.ccsec;
        ccsec = ./module.nix;
      };

      homeModules = {
        default = self.homeModules.ccsec;
        ccsec = ./home.nix;
      };

      checks = eachSystem (pkgs: {
        inherit (self.packages.${pkgs.stdenv.hostPlatform.system}) ccsec;
      });
    };
}
