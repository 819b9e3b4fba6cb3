//! `ccsec systemd-unit`.

mod install;
mod places;

use std::path::{Path, PathBuf};

use ccci_secrets::activation::check_manifest;
use ccci_secrets::activation::manifest::{Dialect, Manifest};
use ccci_secrets::activation::systemd::{
    UnitError, UnitFiles, UnitWish, linked_directories, units_of,
};
use ccci_secrets::error::ErrorCode;
use ccci_secrets::fs::RealFs;
use ccci_secrets::wrapped::Names;

use self::places::Places;
use super::activate::refusal;
use super::activate::request::Request;
use crate::arguments;
use crate::context::Context;
use crate::error::CommandError;
use crate::exit::{self, Exit, Family};
use crate::output;

/// Make units of systemd that activate a manifest at boot
///
/// Without --install, everything is printed and nothing is written. The units are a service that may write to its targets
/// and nowhere else, a mount unit for the memory that holds the secrets, and ccsec-secrets.target, which is reached when
/// all secrets are in place. Each unit that the manifest names in restartUnits or reloadUnits gets an addition by which it
/// waits for the secrets, and does not start without them.
///
/// If the manifest has the field `credentials`, ccsec-creds.socket and ccsec-creds.service give out what it says, and each
/// unit in it gets the LoadCredential= lines by which it asks (see ccsec creds-serve). One manifest of a machine can do that.
///
/// The service runs before ordinary services start. If every secret of the manifest is marked neededForUsers, or with
/// --for-users, it runs before users are made; if the manifest is that of a user, it is a unit of `systemctl --user`.
///
/// To activate again is to reload: a restart of the service restarts every unit that needs it.
#[derive(Debug, clap::Args)]
#[command(after_long_help = exit::table(Family::Native))]
pub(crate) struct Args {
    /// The manifest; the units name it by its absolute path
    manifest: PathBuf,
    /// Write the files, each atomically, remove those that an earlier manifest needed, and say what to do next
    #[arg(long)]
    install: bool,
    /// Replace files that somebody else made
    #[arg(long, requires = "install")]
    force: bool,
    /// The directory that is the root of the machine: files are written below it, and what lies below it is named as seen
    /// from it
    #[arg(long, value_name = "DIR", value_parser = arguments::root())]
    root: Option<PathBuf>,
    /// Where units are written instead of /etc/systemd/system, or of the user's own directory; below --root
    #[arg(long, value_name = "DIR")]
    unit_dir: Option<PathBuf>,
    /// What the service is called, without `.service`: a second manifest needs a second name
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// The program that the service runs, instead of this one
    #[arg(long, value_name = "FILE")]
    program: Option<PathBuf>,
    /// The secrets are there before users are made: those of passwords, for example
    #[arg(long)]
    for_users: bool,
    /// Run when the network is up, and let the service use it: for files that come over it
    #[arg(long, conflicts_with = "for_users")]
    network: bool,
    /// Add nothing to the units that the manifest names: they start without the secrets too, and ask for no credentials
    #[arg(long)]
    no_drop_ins: bool,
    /// A unit that is started when activation has failed
    #[arg(long, value_name = "UNIT")]
    on_failure: Option<String>,
}

pub(crate) fn run(context: &Context, args: &Args) -> Result<Exit, CommandError> {
    let given = normal(&context.absolute(&args.manifest));
    let root = args.root.as_deref().map(|root| context.absolute(root));
    if let Some(root) = root
        .as_deref()
        .filter(|root| args.install && !root.is_dir())
    {
        let message = format!("--root: there is no directory {}", root.display());
        return Err(
            CommandError::usage(message).hint("name the directory that is the root of the machine")
        );
    }
    let seen = seen_from(root.as_deref(), &given);
    let manifest = read(context, &given, &seen)?;
    let program = match &args.program {
        Some(program) => program.clone(),
        None => seen_from(root.as_deref(), &Context::program()?),
    };
    let mut wish = UnitWish::new(&program, &seen);
    wish.name = args.name.as_deref();
    wish.for_users = args.for_users;
    wish.network = args.network;
    wish.drop_ins = !args.no_drop_ins;
    wish.on_failure = args.on_failure.as_deref();
    if args.install {
        wish.also_writable = linked_directories(&manifest, &RealFs::new(), root.as_deref())
            .map_err(|fault| CommandError::new(fault.code(), fault.to_string()))?;
    }
    let made = units_of(&manifest, &wish).map_err(|error| refused(&error))?;
    for note in &made.notes {
        output::warning(note);
    }
    let places = Places::of(made.kind, root, args.unit_dir.as_deref(), context)?;
    if args.install {
        install::install(&made, &places, args.force)?;
    } else {
        output::data(printed(&made, &places).as_bytes())?;
    }
    Ok(Exit::Done)
}

/// Reads a manifest that lies at `given` and is `seen` elsewhere.
fn read(context: &Context, given: &Path, seen: &Path) -> Result<Manifest, CommandError> {
    let text = std::fs::read(given).map_err(|error| {
        let message = format!("cannot read the manifest {}: {error}", given.display());
        CommandError::new(ErrorCode::ManifestInvalid, message)
    })?;
    let request = Request::new(seen, Dialect::Native, Context::now());
    Manifest::parse(&text, request.reading(context)).map_err(|_| {
        let checked = check_manifest(&text, request.reading(context));
        let lines = refusal::of_faults(&checked.faults, given, &Names::default());
        CommandError::new(ErrorCode::ManifestInvalid, lines.join("\n")).verbatim()
    })
}

fn refused(error: &UnitError) -> CommandError {
    CommandError::new(error.code(), error.to_string())
}

/// Every file under its name, as `systemctl cat` prints them.
fn printed(made: &UnitFiles, places: &Places) -> String {
    let shown = made.files.iter().map(|file| {
        let path = places.of_file(file);
        format!("# {}\n{}", path.display(), file.text)
    });
    shown.collect::<Vec<_>>().join("\n")
}

/// A path as a machine sees it that has this root.
fn seen_from(root: Option<&Path>, path: &Path) -> PathBuf {
    let below = root.and_then(|root| path.strip_prefix(root).ok());
    below.map_or_else(|| path.to_owned(), |below| Path::new("/").join(below))
}

/// Without `.` and empty components. `..` is resolved, since systemd takes no path that has it.
fn normal(path: &Path) -> PathBuf {
    let has_parent = path
        .components()
        .any(|part| part == std::path::Component::ParentDir);
    let resolved = has_parent
        .then(|| std::fs::canonicalize(path).ok())
        .flatten();
    resolved.unwrap_or_else(|| path.components().collect())
}
