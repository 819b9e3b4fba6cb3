//! `ccsec plan`.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use ccci_secrets::activation::manifest::Dialect;
use ccci_secrets::activation::{Before, Change, Plan, PlanEntry, PlanReport, Run};
use ccci_secrets::error::ErrorCode;
use ccci_secrets::hmac_key::HmacKey;
use ccci_secrets::secret::Secret;

use super::activate::request::Request;
use super::activate::{names, refusal};
use crate::arguments;
use crate::context::Context;
use crate::error::CommandError;
use crate::exit::{self, Exit, Family};
use crate::harden;
use crate::output;

/// Say what `activate` would do, and do nothing
///
/// Every sops file is opened in memory, and what is wanted is compared with what is there. Nothing is written, nothing is
/// mounted, and no lock is taken. Whoever may not read the keys or the files sees what can be seen without them.
#[derive(Debug, clap::Args)]
#[command(after_long_help = exit::table(Family::Native))]
pub(crate) struct Args {
    /// The manifest; relative paths in it count from its directory
    manifest: PathBuf,
    /// Use keys from the environment and the home directory too
    #[arg(long)]
    ambient_keys: bool,
    /// Look nobody up: everything belongs to root
    #[arg(long)]
    ignore_passwd: bool,
    /// Print the plan as JSON
    #[arg(long)]
    json: bool,
    /// With --json: add to every file the HMAC-SHA-256 of its content under the bytes of this file, to compare machines
    #[arg(long, value_name = "FILE", requires = "json")]
    hmac_key: Option<PathBuf>,
    /// The directory that `activate --root` was or will be given
    #[arg(long, value_name = "DIR", value_parser = arguments::root())]
    root: Option<PathBuf>,
}

pub(crate) fn run(context: &Context, args: &Args) -> Result<Exit, CommandError> {
    let key = args.hmac_key.as_deref().map(read_key).transpose()?;
    let request = Request {
        ambient_keys: args.ambient_keys,
        ignore_passwd: args.ignore_passwd,
        root: args.root.as_deref(),
        digest_key: key.as_ref(),
        ..Request::new(&args.manifest, Dialect::Native, Context::now())
    };
    tell(context, request, args.json)
}

/// Finds out what would be done, and says it.
pub(super) fn tell(
    context: &Context,
    request: Request<'_>,
    json: bool,
) -> Result<Exit, CommandError> {
    harden::activation();
    let ended = request.preview(context);
    if json {
        ended.print_refusal(context, request.started);
    }
    match &ended.result {
        Ok(plan) => {
            let names = names::of_provenance(&context.directory, &plan.provenance);
            let run = ended.run(request.started, &names);
            print(request.manifest, json, plan, &run)
        }
        Err(refused) => {
            let names = names::of_refusal(&context.directory, refused);
            let text = refusal::text(refused, request.manifest, &names);
            Err(CommandError::new(refused.code(), text).verbatim())
        }
    }
}

fn read_key(path: &Path) -> Result<HmacKey, CommandError> {
    let cannot_use = |error: &dyn std::fmt::Display| {
        let message = format!("cannot use {} as a key: {error}", path.display());
        CommandError::new(ErrorCode::FileUnreadable, message)
    };
    let bytes = std::fs::read(path).map_err(|error| cannot_use(&error))?;
    HmacKey::from_bytes(Secret::from_vec(bytes)).map_err(|error| cannot_use(&error))
}

fn print(manifest: &Path, json: bool, plan: &Plan, run: &Run<'_>) -> Result<Exit, CommandError> {
    for line in refusal::warnings(&plan.warnings) {
        output::note(line);
    }
    for line in refusal::of_faults(&plan.faults, manifest, run.names) {
        output::note(line);
    }
    let text = match json {
        true => PlanReport::new(run, plan).to_json(),
        false => text(plan),
    };
    output::data(text.as_bytes())?;
    Ok(Exit::Done)
}

/// The plan for people.
fn text(plan: &Plan) -> String {
    let mut text = Text(String::new());
    text.head(plan);
    for entry in &plan.entries {
        text.entry(entry, plan.unreadable_for);
    }
    for name in &plan.removed {
        text.line(format_args!("  - {name}"));
    }
    for path in &plan.links_placed {
        text.line(format_args!("  + link {}", path.display()));
    }
    for path in &plan.links_removed {
        text.line(format_args!("  - link {}", path.display()));
    }
    text.rest(plan);
    text.0
}

struct Text(String);

impl Text {
    fn line(&mut self, line: impl std::fmt::Display) {
        writeln!(self.0, "{line}").expect("writing to a string does not fail");
    }

    fn head(&mut self, plan: &Plan) {
        let link = plan.link.display();
        if plan.changes_nothing() {
            let (active, count) = (plan.previous.unwrap_or_default(), plan.entries.len());
            self.line(format_args!(
                "nothing would change: generation {active} is active in {link}, all {count} files are as they should be"
            ));
            if plan.manifest_changed {
                self.line("the manifest is another one than that of the last run");
            }
            return;
        }
        match plan.previous {
            Some(active) => self.line(format_args!("generation {active} is active in {link}")),
            None => self.line(format_args!("no generation is active in {link}")),
        }
        if let Some(text) = &plan.link_dangles {
            self.line(format_args!("{link} leads nowhere, to {}", text.display()));
        }
        if let Some(uid) = plan.unreadable_for {
            let mut entries = plan.entries.iter();
            let marks = match entries.any(|entry| entry.change().is_none()) {
                true => ": what is not known is marked with ?",
                false => "",
            };
            self.line(format_args!("user {uid} may not read everything{marks}"));
        }
        if plan.unfinished {
            self.line("a run before this one did not come to its end and would be finished first");
        }
        if let Some((_, path)) = &plan.mount {
            self.line(format_args!(
                "a file system in memory would be mounted at {}",
                path.display()
            ));
        }
        match plan.generation {
            Some(new) => self.line(format_args!("generation {new} would be made:")),
            None if plan.unreadable_for.is_none() => {
                self.line("no new generation would be made:");
            }
            None if needs_generation(plan) => {
                self.line("a new generation would be made (its number is not known):");
            }
            // Nobody can tell without reading the files.
            None => {}
        }
    }

    fn entry(&mut self, entry: &PlanEntry, unreadable_for: Option<u32>) {
        let (mark, what) = match entry.change() {
            Some(Change::Unchanged) => return,
            Some(Change::Added) => ("+", Vec::new()),
            None => ("?", unknown(entry, unreadable_for)),
            Some(Change::Modified {
                content,
                mode,
                owner,
            }) => {
                let content = content.then(|| "content".to_owned());
                let mode = mode.then(|| mode_delta(entry)).flatten();
                let owner = owner.then(|| owner_delta(entry)).flatten();
                ("~", [content, mode, owner].into_iter().flatten().collect())
            }
            Some(_) => ("~", Vec::new()),
        };
        let mut line = format!("  {mark} {:04o} {}", entry.result.mode, entry.result.name);
        if !what.is_empty() {
            line += &format!(" ({})", what.join(", "));
        }
        if let Some(path) = &entry.result.path {
            line += &format!(" -> {}", path.display());
        }
        self.line(line);
    }

    fn rest(&mut self, plan: &Plan) {
        let is_same = |entry: &&PlanEntry| entry.change() == Some(Change::Unchanged);
        let same = plan.entries.iter().filter(is_same).count();
        if same > 0 && !plan.changes_nothing() {
            self.line(format_args!("  {same} more stay as they are"));
        }
        for unit in &plan.units.restart {
            self.line(format_args!("unit {unit} would be restarted"));
        }
        for unit in &plan.units.reload {
            self.line(format_args!("unit {unit} would be reloaded"));
        }
        for number in &plan.pruned {
            self.line(format_args!("generation {number} would be removed"));
        }
        for path in &plan.foreign_keys_removed {
            let path = path.display();
            self.line(format_args!(
                "private key {path}, left by sops-nix, would be removed"
            ));
        }
        for checked in &plan.certificates {
            self.line(format_args!(
                "certificate {}: {}, valid until {}",
                checked.certificate,
                checked.leaf.names.join(", "),
                checked.leaf.not_after
            ));
            self.line(format_args!("  SHA-256 {}", checked.leaf.sha256));
        }
    }
}

/// Whether what can be seen is enough for a new generation.
fn needs_generation(plan: &Plan) -> bool {
    let differs = |entry: &PlanEntry| !matches!(entry.change(), None | Some(Change::Unchanged));
    plan.previous.is_none() || !plan.removed.is_empty() || plan.entries.iter().any(differs)
}

fn unknown(entry: &PlanEntry, unreadable_for: Option<u32>) -> Vec<String> {
    let uid = unreadable_for.unwrap_or_default();
    let mut what = vec![format!("unknown: not readable as uid {uid}")];
    what.extend(mode_delta(entry));
    what.extend(owner_delta(entry));
    what
}

fn mode_delta(entry: &PlanEntry) -> Option<String> {
    let before = entry.before?.mode;
    let mode = entry.result.mode;
    (before != mode).then(|| format!("mode {before:04o} to {mode:04o}"))
}

fn owner_delta(entry: &PlanEntry) -> Option<String> {
    let Before { uid, gid, .. } = entry.before?;
    if (Some(uid), Some(gid)) == (entry.uid(), entry.gid()) {
        return None;
    }
    let shown = |id: Option<u32>| id.map_or("?".into(), |id| id.to_string());
    let (new_uid, new_gid) = (shown(entry.uid()), shown(entry.gid()));
    Some(format!("owner {uid}:{gid} to {new_uid}:{new_gid}"))
}
