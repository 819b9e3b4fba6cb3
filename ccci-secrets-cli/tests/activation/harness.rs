//! Runs scenarios, alone or in a namespace, and prints what came of each.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::process::{Command, Stdio};

use crate::fixtures::Fixtures;
use crate::world::{Place, World};

/// Where a scenario can run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Needs {
    /// Below a directory; there is nothing more to see on a machine.
    Anywhere,
    /// Below a directory, and as on a machine.
    Both,
    /// As on a machine: below a directory the thing is not done at all.
    Machine,
    /// As `Both`, and files of other users have to be made.
    Root,
    /// As `Machine`, and files of other users have to be made.
    RootMachine,
}

/// Not run, and why.
pub(crate) struct Skip(pub(crate) String);

/// What a scenario returns: it ran (and did not panic), or it was skipped.
pub(crate) type Verdict = Result<(), Skip>;

/// A scenario under its name.
#[derive(Clone, Copy)]
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    pub(crate) needs: Needs,
    pub(crate) body: fn(&World) -> Verdict,
}

/// The table of scenarios; names are those of the functions.
#[macro_export]
macro_rules! scenarios {
    ($($needs:ident $module:ident :: $name:ident,)*) => {
        [$($crate::harness::Scenario {
            name: stringify!($name),
            needs: $needs,
            body: $module::$name,
        },)*]
    };
}

/// Set in a process that was started inside a namespace: the directory of the fixtures.
const INSIDE: &str = "CCSEC_SCENARIOS_INSIDE";
/// What a process inside a namespace ends with when it skipped.
const SKIPPED: i32 = 77;

/// Runs what the command line asks for. Below the table stands what `about` tells of this machine.
pub(crate) fn run(scenarios: &[Scenario], about: fn() -> Vec<String>) {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let Some(fixtures) = std::env::var_os(INSIDE) {
        run_inside(scenarios, &arguments[0], Path::new(&fixtures));
    }
    if arguments.iter().any(|argument| argument == "--list") {
        scenarios
            .iter()
            .for_each(|scenario| println!("{}: test", scenario.name));
        return;
    }
    let choice = Choice::of(&arguments);
    let selected: Vec<&Scenario> = scenarios
        .iter()
        .filter(|scenario| choice.takes(scenario.name))
        .collect();
    let dir = tempfile::tempdir().unwrap();
    let fixtures = Fixtures::make(dir.path());
    let namespaces = Namespaces::probe();
    let mut table = Table::default();
    for scenario in selected {
        if !matches!(scenario.needs, Needs::Machine | Needs::RootMachine) {
            table.add(
                scenario.name,
                "below a directory",
                below_a_directory(scenario, &fixtures),
            );
        }
        if scenario.needs != Needs::Anywhere {
            table.add(
                scenario.name,
                "on a machine",
                namespaces.run(scenario, &fixtures),
            );
        }
    }
    table.print(&about());
    std::process::exit(i32::from(table.failed > 0));
}

/// Which scenarios the command line asks for, as other tests do: words, and `--skip` with a word.
struct Choice<'a> {
    wanted: Vec<&'a str>,
    skipped: Vec<&'a str>,
}

impl<'a> Choice<'a> {
    fn of(arguments: &'a [String]) -> Self {
        let (mut wanted, mut skipped) = (Vec::new(), Vec::new());
        let mut arguments = arguments.iter().map(String::as_str);
        while let Some(argument) = arguments.next() {
            match argument {
                "--skip" => skipped.extend(arguments.next()),
                "--test-threads" | "--color" | "--format" | "-Z" => drop(arguments.next()),
                flag if flag.starts_with('-') => skipped.extend(flag.strip_prefix("--skip=")),
                word => wanted.push(word),
            }
        }
        Self { wanted, skipped }
    }

    fn takes(&self, name: &str) -> bool {
        (self.wanted.is_empty() || self.wanted.iter().any(|word| name.contains(word)))
            && !self.skipped.iter().any(|word| name.contains(word))
    }
}

/// What came of one scenario in one place.
enum Outcome {
    Failed,
    Ran,
    Skipped(String),
}

fn below_a_directory(scenario: &Scenario, fixtures: &Fixtures) -> Outcome {
    if scenario.needs == Needs::Root && !rustix::process::geteuid().is_root() {
        return Outcome::Skipped("only root can make files of other users".into());
    }
    attempt(scenario, fixtures, Place::BelowDirectory)
}

fn attempt(scenario: &Scenario, fixtures: &Fixtures, place: Place) -> Outcome {
    let result = catch_unwind(AssertUnwindSafe(|| {
        let world = World::new(fixtures, place);
        let verdict = (scenario.body)(&world);
        world.assert_nothing_leaked();
        verdict
    }));
    match result {
        Ok(Ok(())) => Outcome::Ran,
        Ok(Err(Skip(reason))) => Outcome::Skipped(reason),
        Err(_) => Outcome::Failed,
    }
}

/// This process was started for one scenario, in a namespace.
fn run_inside(scenarios: &[Scenario], name: &str, fixtures: &Path) -> ! {
    let scenario = scenarios
        .iter()
        .find(|scenario| scenario.name == name)
        .expect("started by ourselves");
    let code = match attempt(scenario, &Fixtures::open(fixtures), Place::Machine) {
        Outcome::Ran => 0,
        Outcome::Skipped(reason) => {
            println!("{reason}");
            SKIPPED
        }
        Outcome::Failed => 1,
    };
    std::process::exit(code);
}

/// How a mount namespace can be had here, or why not.
struct Namespaces {
    arguments: Result<Vec<&'static str>, String>,
    real_root: bool,
}

impl Namespaces {
    fn probe() -> Self {
        let real_root = rustix::process::geteuid().is_root();
        let mut arguments = vec!["--mount", "--propagation", "private"];
        if !real_root {
            arguments.push("--map-root-user");
        }
        let mut trial = Command::new("unshare");
        trial.args(&arguments).args([
            "sh",
            "-c",
            "mount -t tmpfs none /run && mount -t ramfs none /run",
        ]);
        let arguments = match trial.output() {
            Err(error) => Err(format!("unshare cannot be started: {error}")),
            Ok(output) if !output.status.success() => Err(format!(
                "no mount namespace here: {}",
                String::from_utf8_lossy(&output.stderr).trim()
            )),
            Ok(_) => Ok(arguments),
        };
        Self {
            arguments,
            real_root,
        }
    }

    fn run(&self, scenario: &Scenario, fixtures: &Fixtures) -> Outcome {
        let arguments = match &self.arguments {
            Err(reason) => return Outcome::Skipped(reason.clone()),
            Ok(_)
                if matches!(scenario.needs, Needs::Root | Needs::RootMachine)
                    && !self.real_root =>
            {
                return Outcome::Skipped("only root can make files of other users".into());
            }
            Ok(arguments) => arguments,
        };
        let output = Command::new("unshare")
            .args(arguments)
            .arg(std::env::current_exe().unwrap())
            .arg(scenario.name)
            .env(INSIDE, fixtures.dir())
            .stdin(Stdio::null())
            .stderr(Stdio::inherit())
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        match output.status.code() {
            Some(0) => Outcome::Ran,
            Some(SKIPPED) => Outcome::Skipped(text.trim().into()),
            _ => {
                print!("{text}");
                Outcome::Failed
            }
        }
    }
}

/// What ran, by the id at the front of each name.
#[derive(Default)]
struct Table {
    rows: BTreeMap<String, Vec<String>>,
    ran: usize,
    skipped: usize,
    failed: usize,
}

impl Table {
    fn add(&mut self, name: &str, place: &str, outcome: Outcome) {
        let (word, cell) = match outcome {
            Outcome::Ran => {
                self.ran += 1;
                ("ok", format!("{place}: ran"))
            }
            Outcome::Skipped(reason) => {
                self.skipped += 1;
                ("ignored", format!("{place}: SKIPPED, {reason}"))
            }
            Outcome::Failed => {
                self.failed += 1;
                ("FAILED", format!("{place}: FAILED"))
            }
        };
        println!("test {name} ({place}) ... {word}");
        let id = name.split('_').next().unwrap_or_default();
        let is_id = id.len() > 1
            && id.starts_with('s')
            && id[1..].starts_with(|c: char| c.is_ascii_digit());
        let key = if is_id {
            id.to_uppercase()
        } else {
            name.into()
        };
        self.rows.entry(key).or_default().push(cell);
    }

    fn print(&self, about: &[String]) {
        println!("\nscenario -> what came of it");
        for (id, cells) in &self.rows {
            println!("  {id:<6} {}", cells.join("; "));
        }
        for fact in about {
            println!("  {fact}");
        }
        println!(
            "\ntest result: {}. {} ran, {} skipped, {} failed",
            if self.failed == 0 { "ok" } else { "FAILED" },
            self.ran,
            self.skipped,
            self.failed
        );
    }
}
