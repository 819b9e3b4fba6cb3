//! Nix with a store of its own: evaluates and builds configurations of ours with the library of the stub.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

use crate::harness::Skip;
use crate::world::World;

/// Everything below one directory of a scenario; what is not on this machine is not used.
pub(crate) struct Nix<'a> {
    world: &'a World,
    home: PathBuf,
    /// The library of nixpkgs, in place of the stub.
    library: Option<String>,
}

/// A module of ours.
#[derive(Clone, Copy)]
pub(crate) enum Module {
    Home,
    System,
}

impl<'a> Nix<'a> {
    pub(crate) fn new(world: &'a World) -> Result<Self, Skip> {
        if let Err(error) = Command::new("nix-instantiate").arg("--version").output() {
            return Err(Skip(format!("nix-instantiate cannot be started: {error}")));
        }
        let home = world.aside("nix");
        for directory in ["conf", "home", "program/bin"] {
            std::fs::create_dir_all(home.join(directory)).unwrap();
        }
        std::fs::write(home.join("conf/nix.conf"), SETTINGS).unwrap();
        let links = ["ccsec", "sops-install-secrets"];
        for link in links {
            std::os::unix::fs::symlink(world.program(), home.join("program/bin").join(link))
                .unwrap();
        }
        Ok(Self {
            world,
            home,
            library: std::env::var("CCSEC_NIXPKGS_LIB").ok(),
        })
    }

    /// What stands for the package: the program of this build, under both of its names.
    pub(crate) fn package(&self) -> PathBuf {
        self.home.join("program")
    }

    /// A command of Nix, with the store and the settings of the scenario.
    pub(crate) fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        self.world.prepare(&mut command);
        for (variable, directory) in [
            ("HOME", "home"),
            ("NIX_CONF_DIR", "conf"),
            ("NIX_LOG_DIR", "log"),
            ("NIX_STATE_DIR", "state"),
            ("NIX_STORE_DIR", "store"),
        ] {
            command.env(variable, self.home.join(directory));
        }
        command
    }

    /// One attribute of an evaluated configuration.
    pub(crate) fn evaluate(&self, module: Module, configuration: &str, attribute: &str) -> Value {
        let mut command = self.command("nix-instantiate");
        command.args(["--eval", "--strict", "--json", "--read-write-mode"]);
        let output = self.finish(command, module, configuration, attribute);
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{configuration}\n{told}");
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// The error of a configuration that cannot be evaluated.
    pub(crate) fn refusal(&self, module: Module, configuration: &str, attribute: &str) -> String {
        let mut command = self.command("nix-instantiate");
        command.args(["--eval", "--strict", "--json"]);
        let output = self.finish(command, module, configuration, attribute);
        assert!(!output.status.success(), "{configuration}");
        String::from_utf8(output.stderr).unwrap()
    }

    /// Builds a derivation: the path of what came of it, or what was printed when nothing did.
    pub(crate) fn build(
        &self,
        module: Module,
        configuration: &str,
        attribute: &str,
    ) -> Result<PathBuf, String> {
        let mut command = self.command("nix-build");
        command.arg("--no-out-link");
        let output = self.finish(command, module, configuration, attribute);
        let printed = String::from_utf8(output.stdout).unwrap();
        match output.status.success() {
            true => Ok(printed.trim().into()),
            false => Err(String::from_utf8(output.stderr).unwrap()),
        }
    }

    fn finish(
        &self,
        mut command: Command,
        module: Module,
        configuration: &str,
        attribute: &str,
    ) -> Output {
        let module = match module {
            Module::Home => "home",
            Module::System => "system",
        };
        command
            .arg(stub("evaluate.nix"))
            .args(["--argstr", "kind", module])
            .args(["--argstr", "program"])
            .arg(self.package())
            .args(["--arg", "configuration", configuration])
            .args(["--attr", attribute]);
        if let Some(library) = &self.library {
            command.args(["--arg", "lib", library]);
        }
        command.output().unwrap()
    }
}

/// A file of the stub.
pub(crate) fn stub(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/hosts/nix/stub")
        .join(name)
}

/// A file of ours that is delivered.
pub(crate) fn delivered(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("dist/nix")
        .join(name)
}

/// Nothing is fetched, and builds run as whoever runs the tests.
const SETTINGS: &str = "build-users-group =
experimental-features = nix-command flakes
sandbox = false
substituters =
";
