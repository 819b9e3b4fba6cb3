//! `ccsec verify`.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use ccci_secrets::activation::manifest::Dialect;
use ccci_secrets::activation::{
    self, Drift, DriftClass, ExpectedDigest, Run, Verification, Verified, VerifiedReport,
};
use ccci_secrets::error::ErrorCode;
use ccci_secrets::wrapped::Names;

use super::activate::refusal;
use super::activate::request::Request;
use crate::arguments;
use crate::context::Context;
use crate::error::CommandError;
use crate::exit::{self, Exit, Family};
use crate::harden;
use crate::output;
use crate::shell::quoted;

/// Say whether what is on disk equals what git says
///
/// Every sops file is opened in memory and compared with what activation has put on disk: contents, modes, owners, links,
/// the mount. Nothing is changed. With --offline, what is on disk is compared with what activation has written down, which
/// needs no key to the secrets. Contents are never shown: digests are made with a key of this machine, unless the
/// manifest calls a secret public, or --sha256 asks for plain ones.
#[derive(Debug, clap::Args)]
#[command(after_long_help = exit::table(Family::Native))]
pub(crate) struct Args {
    /// The manifest; relative paths in it count from its directory
    manifest: PathBuf,
    /// Use keys from the environment and the home directory too
    #[arg(long, conflicts_with = "offline")]
    ambient_keys: bool,
    /// Compare with these digests too: lines as sha256sum or --sha256 prints them, with names of secrets
    #[arg(long, value_name = "FILE")]
    expect: Option<PathBuf>,
    /// Look nobody up: everything belongs to root
    #[arg(long)]
    ignore_passwd: bool,
    /// Print the result as JSON
    #[arg(long, conflicts_with = "sha256")]
    json: bool,
    /// Compare with what activation has written down, without any key
    #[arg(long)]
    offline: bool,
    /// The directory that `activate --root` was given
    #[arg(long, value_name = "DIR", value_parser = arguments::root())]
    root: Option<PathBuf>,
    /// Print the SHA-256 of every file as sha256sum does, for --expect on another machine. Who sees one of a value that
    /// is easily guessed knows the value
    #[arg(long)]
    sha256: bool,
    /// With --json: say how long every file is
    #[arg(long, requires = "json")]
    sizes: bool,
}

pub(crate) fn run(context: &Context, args: &Args) -> Result<Exit, CommandError> {
    harden::activation();
    let expected = args.expect.as_deref().map(read_digests).transpose()?;
    let how = Verification {
        offline: args.offline,
        sha256: args.sha256,
        expected: expected.as_deref(),
    };
    let request = Request {
        ambient_keys: args.ambient_keys,
        ignore_passwd: args.ignore_passwd,
        root: args.root.as_deref(),
        ..Request::new(&args.manifest, Dialect::Native, Context::now())
    };
    let ended = request.with_manifest(context, |manifest, options| {
        let verified = activation::verify(manifest, options, how)?;
        let run = Run {
            tool: Context::TOOL,
            started: request.started,
            manifest: Some(manifest),
            names: &Names::default(),
        };
        Ok(tell(args, &verified, &run))
    });
    if args.json {
        ended.print_refusal(context, request.started);
    }
    ended.told(context, &args.manifest)?
}

/// Lines of `sha256sum`: the digest, a space, a space or a star, the name.
fn read_digests(path: &Path) -> Result<Vec<ExpectedDigest>, CommandError> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        let message = format!("cannot read {}: {error}", path.display());
        CommandError::new(ErrorCode::FileUnreadable, message)
    })?;
    let mut digests = Vec::new();
    for (line, content) in (1..).zip(text.lines()) {
        let digest = digest_line(content).ok_or_else(|| {
            let file = path.display();
            CommandError::usage(format!("{file}, line {line}: not a line of sha256sum"))
        })?;
        digests.push(digest);
    }
    Ok(digests)
}

fn digest_line(line: &str) -> Option<ExpectedDigest> {
    let (sha256, name) = line.split_once(' ')?;
    let name = name.strip_prefix([' ', '*'])?;
    let is_digest = sha256.len() == 64 && sha256.bytes().all(|byte| byte.is_ascii_hexdigit());
    (is_digest && !name.is_empty()).then(|| ExpectedDigest {
        name: name.to_owned(),
        sha256: sha256.to_ascii_lowercase(),
    })
}

fn tell(args: &Args, verified: &Verified, run: &Run<'_>) -> Result<Exit, CommandError> {
    for line in refusal::warnings(&verified.warnings) {
        output::note(line);
    }
    if verified.unfinished {
        output::warning(format_args!(
            "a run did not come to its end; `{}` finishes it",
            command(args, "repair")
        ));
    }
    for unit in verified.pending_units.all() {
        output::warning(format_args!(
            "unit {unit} was not told of a change yet; `{}` tells it",
            command(args, "repair")
        ));
    }
    warn_of_digests(args, verified);
    let drift: Vec<&Drift> = verified.drift().collect();
    let text = match (args.json, args.sha256) {
        (true, _) => VerifiedReport::new(run, verified, args.sizes).to_json(),
        (false, true) => digests(verified),
        // Whoever looks at a terminal sees what has drifted once, in the sentences below.
        (false, false) => text(verified, drift.len(), !output::data_goes_to_a_person()),
    };
    output::data(text.as_bytes())?;
    if drift.is_empty() {
        return Ok(Exit::Done);
    }
    let mut lines: Vec<String> = drift
        .iter()
        .map(|line| format!("drift: {}: {}", line.subject, sentence(args, line)))
        .collect();
    lines.push(format!(
        "{} of {} things are not as they should be",
        drift.len(),
        verified.lines.len()
    ));
    let found = CommandError::new(ErrorCode::DriftFound, lines.join("\n")).verbatim();
    let steps = next_steps(args, verified, &drift);
    Err(steps.into_iter().fold(found, CommandError::hint))
}

/// What a drift means.
fn sentence(args: &Args, drift: &Drift) -> String {
    match (drift.class, &args.expect) {
        (DriftClass::Digest, Some(file)) => format!("differs from {}", file.display()),
        _ => drift.sentence(),
    }
}

/// What puts these right, one step for each cause.
fn next_steps(args: &Args, verified: &Verified, drift: &[&Drift]) -> Vec<String> {
    let mut steps = Vec::new();
    let in_the_way =
        |line: &&&Drift| line.class == DriftClass::Type && Path::new(&line.subject).is_absolute();
    for line in drift.iter().filter(in_the_way) {
        let path = quoted(Path::new(&line.subject));
        steps.push(format!("move it away: mv {path} {path}.old"));
    }
    let (published, here): (Vec<&Drift>, Vec<&Drift>) = drift
        .iter()
        .partition(|line| is_of_expectation(args, verified, line));
    let (lost, here): (Vec<&Drift>, Vec<&Drift>) = here
        .into_iter()
        .partition(|line| is_for_want_of_link(verified, line));
    if !lost.is_empty() {
        steps.push(format!(
            "put the links back, then verify again: {}",
            command(args, "repair")
        ));
    }
    if !here.is_empty() {
        steps.push(format!(
            "see what would be put right with `{}`, and put it right with `{}`",
            command(args, "plan"),
            command(args, "activate")
        ));
    }
    if let (false, Some(file)) = (published.is_empty(), &args.expect) {
        steps.push(format!(
            "see that the machine that made {} and this one have the same commit of the secrets",
            file.display()
        ));
    }
    steps
}

/// Whether a drift is that a link is gone which `repair` makes again. Behind the link to the generation no file can be seen.
fn is_for_want_of_link(verified: &Verified, drift: &Drift) -> bool {
    let is_lost = |path: &Path| verified.links_lost.iter().any(|lost| lost == path);
    match drift.class {
        DriftClass::LinkMissing => is_lost(Path::new(&drift.subject)),
        DriftClass::Missing => is_lost(&verified.link),
        _ => false,
    }
}

/// Another command about the same manifest.
fn command(args: &Args, verb: &str) -> String {
    let root = args
        .root
        .as_deref()
        .map(|root| format!(" --root {}", quoted(root)));
    let manifest = quoted(&args.manifest);
    format!("ccsec {verb}{} {manifest}", root.unwrap_or_default())
}

/// Whether a drift is one from the digests of `--expect`, which activation does not change: names that only one side
/// has, and other contents.
fn is_of_expectation(args: &Args, verified: &Verified, drift: &Drift) -> bool {
    let is_file = || verified.files.iter().any(|file| file.name == drift.subject);
    args.expect.is_some()
        && match drift.class {
            DriftClass::Digest => true,
            DriftClass::Extra => is_file(),
            DriftClass::Missing => !is_file(),
            _ => false,
        }
}

/// The digest of a value that is easily guessed is as good as the value to whoever can read it.
fn warn_of_digests(args: &Args, verified: &Verified) {
    let is_secret = verified.files.iter().any(|file| !file.public);
    if !is_secret {
        return;
    }
    if args.sha256 && output::outlives_the_run() {
        output::warning(
            "plain digests of secrets go into a file; keep it from whoever must not guess them",
        );
    }
    if let Some(expect) = &args.expect
        && output::is_open_to_others(expect)
    {
        output::warning(format_args!(
            "others can read {}, which holds plain digests of secrets",
            expect.display()
        ));
    }
}

/// As `sha256sum` prints them.
fn digests(verified: &Verified) -> String {
    let mut text = String::new();
    for file in &verified.files {
        if let Some(sha256) = &file.sha256 {
            writeln!(text, "{sha256}  {}", file.name).expect("writing to a string does not fail");
        }
    }
    text
}

/// One line for everything that was compared, or for what is in order.
fn text(verified: &Verified, drift: usize, all: bool) -> String {
    let mut text = String::new();
    let is_shown = |line: &&Drift| all || line.class == DriftClass::Ok;
    for line in verified.lines.iter().filter(is_shown) {
        let file = verified.files.iter().find(|file| file.name == line.subject);
        let digest = file.and_then(|file| match (&file.sha256, &file.hmac) {
            (Some(sha256), _) => Some(format!("  sha256 {sha256}")),
            (None, Some(hmac)) => Some(format!("  hmac {hmac}")),
            (None, None) => None,
        });
        let (class, subject) = (line.class.as_str(), &line.subject);
        let digest = digest.unwrap_or_default();
        writeln!(text, "{class:<16} {subject}{digest}").expect("writing to a string does not fail");
    }
    if drift == 0 {
        text += "zero drift\n";
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_sha256sum_are_read_in_both_its_modes() {
        let digest = "AB".repeat(32);
        for line in [format!("{digest}  a name"), format!("{digest} *a name")] {
            let found = digest_line(&line).unwrap();
            assert_eq!(
                (found.name.as_str(), found.sha256),
                ("a name", "ab".repeat(32))
            );
        }
        for line in [
            "",
            "abc  name",
            &digest,
            &format!("{digest}  "),
            &format!("{digest} name"),
        ] {
            assert_eq!(digest_line(line), None, "{line}");
        }
    }
}
