{
  outputs =
    { self }:
    {
      lib = import ./lib.nix;
      legacyPackages.x86_64-linux = import ./pkgs.nix {
        inherit (self) lib;
        program = "/usr";
      };
      legacyPackages.aarch64-linux = self.legacyPackages.x86_64-linux;
    };
}
