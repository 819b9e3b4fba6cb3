//! From JSON to a [`Manifest`]: every field, one by one.

use std::path::{Path, PathBuf};

use super::fields::{Faults, Fields, wrong_type};
use super::{
    Account, Dialect, DirectoryWish, FileEntry, KeyChoice, KeySources, Logging, Manifest,
    ManifestFault, ManifestProblem, MountWish, OnConflict, OnFirstBoot, Placeholder, Reading,
    SecretEntry, Target, TemplateEntry, TemplateSource, checks, credentials, names, rules,
};
use crate::activation::json::Json;
use crate::digest;
use crate::document::Format;

/// What stands for `%r` while rules are checked; no clean path of a manifest begins with it.
const RUNTIME_DIRECTORY: &str = "/%r";

/// Where templates are put in a generation.
pub(super) const RENDERED: &str = "rendered";

pub(super) fn manifest(text: &[u8], reading: Reading<'_>) -> Result<Manifest, Vec<ManifestFault>> {
    let json = match reading.dialect {
        Dialect::Native => Json::parse(text),
        Dialect::SopsInstallSecrets => Json::parse_first(text),
    };
    let json = json.map_err(|error| {
        vec![ManifestFault {
            pointer: String::new(),
            problem: ManifestProblem::Syntax(error.to_string()),
        }]
    })?;
    let faults = Faults::new(reading.dialect);
    let parsed = top_level(&json, reading, &faults, digest::sha256(text));
    let faults = faults.into_vec();
    match parsed {
        Some(manifest) if faults.is_empty() => Ok(manifest),
        _ => Err(faults),
    }
}

/// What every entry needs to know of the whole.
struct Frame<'a> {
    directory: &'a Path,
    dialect: Dialect,
    link_path: String,
    mount_path: String,
    expansion: Expansion<'a>,
    faults: &'a Faults,
}

fn top_level(
    json: &Json,
    reading: Reading<'_>,
    faults: &Faults,
    sha256: [u8; 32],
) -> Option<Manifest> {
    let (directory, dialect) = (reading.directory, reading.dialect);
    // An empty one would make `%r` the root directory.
    let runtime_directory = reading
        .runtime_directory
        .filter(|path| !path.as_os_str().is_empty());
    let mut fields = Fields::of(json, String::new(), faults)?;
    let user_mode = fields.boolean("userMode").unwrap_or(false);
    let expansion = Expansion {
        user_mode,
        dialect,
        runtime_directory: runtime_directory.and_then(Path::to_str),
    };
    let frame = Frame {
        directory,
        dialect,
        mount_path: place(&mut fields, "secretsMountPoint", expansion),
        link_path: place(&mut fields, "symlinkPath", expansion),
        expansion,
        faults,
    };
    let secrets = entries(&mut fields, "secrets", |item, pointer| {
        secret(item, pointer, &frame)
    });
    let templates = entries(&mut fields, "templates", |item, pointer| {
        template(item, pointer, &frame)
    });
    let placeholders = placeholders(&mut fields, faults);
    let keep_generations = count(&mut fields, "keepGenerations");
    let keys = key_sources(&mut fields, &frame);
    let logging = logging(&mut fields, faults);
    let is_lenient = dialect.is_lenient();
    let checks = checks::read(&mut fields, &secrets, faults);
    let manifest = Manifest {
        dialect,
        sha256,
        secrets,
        templates,
        placeholders: placeholders
            .iter()
            .map(|(_, secret, text)| Placeholder {
                secret: secret.clone(),
                text: text.clone(),
            })
            .collect(),
        mount_path: frame.mount_path,
        link_path: frame.link_path,
        keep_generations,
        keys,
        use_tmpfs: fields.boolean("useTmpfs").unwrap_or(false),
        allow_swap: fields.boolean("allowSwap").unwrap_or(is_lenient),
        mount: fields.word("mount", MOUNT_WISHES).unwrap_or_default(),
        user_mode,
        runtime_directory: runtime_directory.map(Path::to_owned),
        logging,
        idempotent: fields.boolean("idempotent").unwrap_or(!is_lenient),
        on_first_boot: fields.word("onFirstBoot", FIRST_BOOT).unwrap_or_default(),
        credentials: credentials::read(&mut fields, faults),
        checks,
    };
    fields.finish();
    rules::check(&manifest, &placeholders, faults);
    Some(manifest)
}

const MOUNT_WISHES: &[(&str, MountWish)] = &[("auto", MountWish::Auto), ("none", MountWish::None)];
const FIRST_BOOT: &[(&str, OnFirstBoot)] = &[
    ("partial", OnFirstBoot::Partial),
    ("refuse", OnFirstBoot::Refuse),
];
const ON_CONFLICT: &[(&str, OnConflict)] = &[
    ("backup", OnConflict::Backup),
    ("refuse", OnConflict::Refuse),
    ("replace", OnConflict::Replace),
];
/// The kinds of key that may start a program.
const KEY_PROGRAMS: [&str; 3] = ["command", "gpg", "plugin"];
const SCALARS: &[(&str, bool)] = &[("any", true), ("string", false)];
const FORMATS: &[(&str, Format)] = &[
    ("binary", Format::Binary),
    ("dotenv", Format::Dotenv),
    ("ini", Format::Ini),
    ("json", Format::Json),
    ("yaml", Format::Yaml),
];

/// `mount` or link path.
fn place(fields: &mut Fields<'_>, name: &'static str, expansion: Expansion<'_>) -> String {
    let Some(text) = fields.required_text(name) else {
        return String::new();
    };
    let path = expansion.expand(text);
    let path = expansion.dialect.one_spelling(&path).into_owned();
    if let Err(problem) = names::check_path(&path) {
        fields.fault(name, problem);
    }
    path
}

/// `%r` and `%%`, in user mode only.
#[derive(Clone, Copy)]
struct Expansion<'a> {
    user_mode: bool,
    dialect: Dialect,
    runtime_directory: Option<&'a str>,
}

impl Expansion<'_> {
    fn expand(self, text: &str) -> String {
        if !self.user_mode {
            return text.into();
        }
        let mut expanded = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('%') {
            expanded.push_str(before);
            if let Some(after) = after.strip_prefix('r') {
                let directory = self.runtime_directory.unwrap_or(RUNTIME_DIRECTORY);
                expanded.push_str(directory.trim_end_matches('/'));
                rest = after;
            } else {
                expanded.push('%');
                rest = after.strip_prefix('%').unwrap_or(after);
            }
        }
        expanded.push_str(rest);
        expanded
    }
}

fn entries<T>(
    fields: &mut Fields<'_>,
    name: &'static str,
    read: impl Fn(&Json, String) -> Option<T>,
) -> Vec<T> {
    let items = fields.items(name);
    items
        .into_iter()
        .filter_map(|(pointer, item)| read(item, pointer))
        .collect()
}

fn secret(json: &Json, pointer: String, frame: &Frame<'_>) -> Option<SecretEntry> {
    let mut fields = Fields::of(json, pointer.clone(), frame.faults)?;
    let file = file(&mut fields, pointer, "", frame);
    let format = fields.word("format", FORMATS).unwrap_or(Format::Yaml);
    let sops_file = fields.required_text("sopsFile").map(|text| {
        if text.is_empty() {
            fields.fault("sopsFile", ManifestProblem::EmptyText);
        }
        frame.directory.join(text)
    });
    let key = key_choice(&mut fields, format);
    let for_users = fields.boolean("neededForUsers").unwrap_or(false);
    // The NixOS module writes it for itself.
    let _ = fields.text("sopsFileHash");
    let public = fields.boolean("public").unwrap_or(false);
    let any_scalar = fields.word("scalar", SCALARS).unwrap_or(false);
    let is_lenient = frame.dialect.is_lenient();
    let allow_clear = fields.boolean("allowClear").unwrap_or(is_lenient);
    fields.finish();
    Some(SecretEntry {
        file,
        sops_file: sops_file.unwrap_or_default(),
        format,
        key,
        any_scalar,
        allow_clear,
        public,
        for_users,
    })
}

fn key_choice(fields: &mut Fields<'_>, format: Format) -> KeyChoice {
    let key = fields.text("key").unwrap_or_default();
    let given = fields.value("keyPath").is_some();
    let parts = fields.texts("keyPath");
    if given && parts.is_empty() {
        fields.fault("keyPath", ManifestProblem::EmptyText);
    }
    match format {
        Format::Json | Format::Yaml if !parts.is_empty() => {
            KeyChoice::Parts(parts.into_iter().map(str::to_owned).collect())
        }
        Format::Json | Format::Yaml if !key.is_empty() => {
            KeyChoice::Parts(key.split('/').map(str::to_owned).collect())
        }
        // The other formats are always taken whole, whatever the key says (reference, section 2).
        _ => KeyChoice::WholeFile,
    }
}

fn template(json: &Json, pointer: String, frame: &Frame<'_>) -> Option<TemplateEntry> {
    let mut fields = Fields::of(json, pointer.clone(), frame.faults)?;
    let file = file(&mut fields, pointer, RENDERED, frame);
    let content = fields.text("content").unwrap_or_default();
    let source = fields.text("file").unwrap_or_default();
    if content.is_empty() && source.is_empty() {
        fields.fault("content", ManifestProblem::Missing);
    }
    fields.finish();
    let source = match content {
        "" => TemplateSource::File(frame.directory.join(source)),
        _ => TemplateSource::Content(content.into()),
    };
    Some(TemplateEntry { file, source })
}

/// What secrets and templates have in common.
fn file(
    fields: &mut Fields<'_>,
    pointer: String,
    below: &'static str,
    frame: &Frame<'_>,
) -> FileEntry {
    let name = fields.required_text("name").unwrap_or_default();
    // A missing name was reported; an empty one was not.
    if fields.value("name").is_some()
        && let Err(problem) = names::check_name(name)
    {
        fields.fault("name", problem);
    }
    let mode = fields.required_text("mode").and_then(|text| {
        let mode = frame.dialect.parse_mode(text);
        if let Err(problem) = &mode {
            fields.fault("mode", problem.clone());
        }
        mode.ok()
    });
    let owner = account(fields, "owner", "uid");
    let group = account(fields, "group", "gid");
    let name = if below.is_empty() {
        name.to_owned()
    } else {
        format!("{below}/{name}")
    };
    FileEntry {
        pointer,
        target: target(fields, &name, frame),
        name,
        mode: mode.unwrap_or_default(),
        owner,
        group,
        restart_units: units(fields, "restartUnits", frame.dialect),
        reload_units: units(fields, "reloadUnits", frame.dialect),
        required: fields.boolean("required").unwrap_or(true),
        on_conflict: fields
            .word("onConflict", ON_CONFLICT)
            .unwrap_or(frame.dialect.on_conflict()),
        directories: directory_wish(fields, frame.dialect),
    }
}

/// Names of units. What sops-install-secrets hands on unseen is handed on by its name too.
fn units(fields: &mut Fields<'_>, field: &'static str, dialect: Dialect) -> Vec<String> {
    let names = owned(fields.texts(field));
    if dialect == Dialect::Native {
        for name in &names {
            if let Err(problem) = names::check_unit(name) {
                fields.fault(field, problem);
            }
        }
    }
    names
}

fn owned(texts: Vec<&str>) -> Vec<String> {
    texts.into_iter().map(str::to_owned).collect()
}

/// A name wins over a number; neither is number 0.
fn account(fields: &mut Fields<'_>, name: &'static str, number: &'static str) -> Account {
    let text = fields.text(name);
    if text == Some("") {
        fields.fault(name, ManifestProblem::EmptyText);
    }
    let id = fields.whole(number).map(names::parse_id);
    if let Some(Err(problem)) = &id {
        fields.fault(number, problem.clone());
    }
    match text {
        Some(text) => Account::Name(text.into()),
        None => Account::Number(id.and_then(Result::ok).unwrap_or_default()),
    }
}

fn directory_wish(fields: &mut Fields<'_>, dialect: Dialect) -> DirectoryWish {
    let mode = fields.text("dirMode").and_then(|text| {
        let mode = names::parse_mode(text);
        if let Err(problem) = &mode {
            fields.fault("dirMode", problem.clone());
        }
        mode.ok()
    });
    let mut name = |field| {
        let text = fields.text(field);
        if text == Some("") {
            fields.fault(field, ManifestProblem::EmptyText);
        }
        text.map(str::to_owned)
    };
    DirectoryWish {
        mode: mode.or(dialect.target_directory_mode()),
        owner: name("dirOwner"),
        group: name("dirGroup"),
    }
}

fn target(fields: &mut Fields<'_>, name: &str, frame: &Frame<'_>) -> Target {
    let Some(text) = fields.text("path") else {
        return Target::Own;
    };
    let text = frame.expansion.expand(text);
    let path = frame.dialect.one_spelling(&text).into_owned();
    let below_link = names::below(&path, &frame.link_path);
    // Another spelling of a place inside is where the reference destroys secrets.
    let checked = match below_link.is_some() || names::below(&path, &frame.mount_path).is_some() {
        true => names::check_path(&text),
        false => names::check_path(&path),
    };
    if let Err(problem) = checked {
        fields.fault("path", problem);
        return Target::Own;
    }
    match below_link {
        Some(rest) if rest == name => Target::Own,
        Some(rest) => Target::Inside(rest.into()),
        None => Target::Outside(path),
    }
}

/// Pairs of secret name and placeholder, with their pointers.
pub(super) type Placeholders = Vec<(String, String, String)>;

fn placeholders(fields: &mut Fields<'_>, faults: &Faults) -> Placeholders {
    let mut found = Vec::new();
    for (pointer, name, value) in fields.entries_of("placeholderBySecretName") {
        match value {
            Json::Text(text) => found.push((pointer, name.to_owned(), text.clone())),
            other => faults.add(pointer, wrong_type("a string", other)),
        }
    }
    found
}

fn count(fields: &mut Fields<'_>, name: &'static str) -> u64 {
    let Some(number) = fields.whole(name) else {
        return 0;
    };
    if number < 0 {
        fields.fault(name, ManifestProblem::Negative(number));
    }
    u64::try_from(number).unwrap_or_default()
}

fn key_sources(fields: &mut Fields<'_>, frame: &Frame<'_>) -> KeySources {
    let path = |text: &str| frame.directory.join(frame.expansion.expand(text));
    let one = |fields: &mut Fields<'_>, name| fields.filled_text(name).map(path);
    let many = |fields: &mut Fields<'_>, name| -> Vec<PathBuf> {
        let texts = fields.texts(name);
        if texts.contains(&"") {
            fields.fault(name, ManifestProblem::EmptyText);
        }
        texts.into_iter().map(path).collect()
    };
    let programs = key_programs(fields, frame.dialect);
    let sources = KeySources {
        age_key_file: one(fields, "ageKeyFile"),
        age_key_file_optional: fields.boolean("ageKeyFileOptional").unwrap_or(false),
        age_ssh_key_paths: many(fields, "ageSshKeyPaths"),
        strict_modes: fields.boolean("strictKeyModes").unwrap_or(false),
        gpg_ssh_key_paths: many(fields, "sshKeyPaths"),
        gnupg_home: one(fields, "gnupgHome"),
        allow_commands: programs.command,
        allow_gnupg: programs.gnupg,
        allow_plugins: programs.plugin,
    };
    // The reference refuses these two pairs; `ageSshKeyPaths` goes with everything.
    if sources.gnupg_home.is_some() {
        if !sources.gpg_ssh_key_paths.is_empty() {
            fields.fault("gnupgHome", ManifestProblem::Excludes("sshKeyPaths"));
        }
        if sources.age_key_file.is_some() {
            fields.fault("gnupgHome", ManifestProblem::Excludes("ageKeyFile"));
        }
    }
    sources
}

/// Which programs may be started for a key.
struct KeyPrograms {
    command: bool,
    gnupg: bool,
    plugin: bool,
}

fn key_programs(fields: &mut Fields<'_>, dialect: Dialect) -> KeyPrograms {
    let is_given = fields.value("allowKeyPrograms").is_some();
    let allowed = fields.texts("allowKeyPrograms");
    for text in &allowed {
        if !KEY_PROGRAMS.contains(text) {
            fields.fault(
                "allowKeyPrograms",
                ManifestProblem::NotOneOf {
                    found: (*text).into(),
                    expected: KEY_PROGRAMS.to_vec(),
                },
            );
        }
    }
    let allows = |program| match is_given {
        true => allowed.contains(&program),
        false => dialect.is_lenient(),
    };
    KeyPrograms {
        command: allows("command"),
        gnupg: allows("gpg"),
        plugin: allows("plugin"),
    }
}

fn logging(fields: &mut Fields<'_>, faults: &Faults) -> Logging {
    let pointer = fields.pointer_to("logging");
    let logging = fields
        .value("logging")
        .and_then(|json| Fields::of(json, pointer, faults));
    let Some(mut logging) = logging else {
        return Logging::default();
    };
    let read = Logging {
        key_import: logging.boolean("keyImport").unwrap_or(false),
        secret_changes: logging.boolean("secretChanges").unwrap_or(false),
    };
    logging.finish();
    read
}
