# ccsec, and under the name sops-install-secrets a link to it: good for `sops.package`, too.
#
# Nothing but Rust is compiled and nothing is linked to, so that pkgsStatic.callPackage makes a static program of it.
{
  lib,
  rustPlatform,
  stdenv,
}:

let
  root = ../../..;
  manifest = builtins.fromTOML (builtins.readFile (root + "/Cargo.toml"));
in
rustPlatform.buildRustPackage {
  pname = "ccsec";
  inherit (manifest.workspace.package) version;

  src = lib.fileset.toSource {
    inherit root;
    fileset = lib.fileset.unions [
      (root + "/Cargo.lock")
      (root + "/Cargo.toml")
      (root + "/ccci-secrets")
      (root + "/ccci-secrets-cli/Cargo.toml")
      (root + "/ccci-secrets-cli/benches")
      (root + "/ccci-secrets-cli/src")
      (root + "/ccci-secrets-cli/tests")
    ];
  };
  cargoLock.lockFile = root + "/Cargo.lock";
  cargoBuildFlags = [ "--package=ccci-secrets-cli" ];

  # The tests want a machine: mount namespaces, sops, sshd's tools. They run where the program is developed.
  doCheck = false;

  postInstall = ''
    ln -s ccsec "$out/bin/sops-install-secrets"
  ''
  # The program makes its own pages, where it can be started.
  + lib.optionalString (stdenv.buildPlatform.canExecute stdenv.hostPlatform) ''
    mkdir -p "$out/share/man/man1" "$out/share/bash-completion/completions" \
      "$out/share/zsh/site-functions" "$out/share/fish/vendor_completions.d"
    "$out/bin/ccsec" man --output-dir "$out/share/man/man1"
    "$out/bin/ccsec" completion bash >"$out/share/bash-completion/completions/ccsec"
    "$out/bin/ccsec" completion zsh >"$out/share/zsh/site-functions/_ccsec"
    "$out/bin/ccsec" completion fish >"$out/share/fish/vendor_completions.d/ccsec.fish"
  '';

  meta = {
    description = "Secrets in git as sops files, and as files on a machine at boot";
    license = with lib.licenses; [
      asl20
      mit
    ];
    mainProgram = "ccsec";
    platforms = lib.platforms.linux;
  };
}
