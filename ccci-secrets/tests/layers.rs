//! An arrow from one module to another points to a lower layer, or is listed here.
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "a test reads the sources"
)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

const LAYERS: [&[&str]; 11] = [
    &["large"],
    &["digest", "error", "fs", "nearest", "secret", "words"],
    &[
        "atomic",
        "certificate",
        "crypto",
        "env",
        "path",
        "value",
        "wrapped",
    ],
    &["document", "envelope", "hmac_key"],
    &["key", "leaf", "mac", "metadata", "selection", "tree"],
    &["config", "keyring", "repository"],
    &["dangerous", "file"],
    &["finding"],
    &["audit"],
    &["survey"],
    // The manual is text, and speaks of all the others.
    &["activation", "doctor", "drill", "manual"],
];

/// Arrows inside a layer.
const BESIDE: [(&str, &str); 5] = [
    // The name of a temporary file is random.
    ("atomic", "crypto"),
    ("dangerous", "file"),
    ("mac", "leaf"),
    // Whether the MAC covers clear values is a field of the metadata.
    ("metadata", "mac"),
    ("metadata", "selection"),
];

/// Arrows that point down and must not be there all the same. One is an exception by halves: a manifest spells out the
/// format of a secret, so `activation` may name `document::Format`, and nothing else there.
const NEVER: [(&str, &[&str]); 10] = [
    (
        "activation",
        &[
            "config",
            "crypto",
            "dangerous",
            "envelope",
            "key",
            "leaf",
            "mac",
            "tree",
        ],
    ),
    ("document", &["crypto"]),
    ("envelope", &["crypto"]),
    ("key", &["document"]),
    ("leaf", &["document"]),
    ("mac", &["document"]),
    ("metadata", &["crypto"]),
    ("repository", &["document", "key"]),
    ("selection", &["crypto", "document"]),
    ("tree", &["crypto"]),
];

/// Modules for tests only, by name.
const TEST_MODULES: [&str; 4] = ["samples", "test_data", "testing", "tests"];

#[test]
fn every_module_has_one_layer() {
    let mut layered: Vec<&str> = LAYERS.concat();
    layered.sort_unstable();
    assert_eq!(modules().into_keys().collect::<Vec<_>>(), layered);
}

#[test]
fn arrows_point_down() {
    let mut faults = Vec::new();
    for (module, files) in modules() {
        for file in files.iter().flat_map(|file| sources(file)) {
            // In these, `super` is the crate.
            let is_root = files.contains(&file)
                || file
                    .parent()
                    .is_some_and(|up| files.contains(&up.to_owned()) && file.ends_with("mod.rs"));
            for line in code(&file) {
                if fault(&module, &line, is_root) {
                    faults.push(format!("{}: {}", file.display(), line.trim()));
                }
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// Whether a line names what its module must not name, or names it in a way that this test does not see through.
fn fault(module: &str, line: &str, is_root: bool) -> bool {
    let arrow = |path: &str| {
        let end = path.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        let used = path.split_at(end.unwrap_or(path.len())).0;
        let only_format = module == "activation" && used == "document";
        !may_use(module, used) || only_format && !path.starts_with("document::Format")
    };
    line.contains("super::super")
        || is_root && line.contains("super::")
        || line.split("crate::").skip(1).any(arrow)
}

fn may_use(module: &str, used: &str) -> bool {
    let layer = |name| LAYERS.iter().position(|layer| layer.contains(&name));
    let never = NEVER
        .iter()
        .any(|(from, to)| *from == module && to.contains(&used));
    let down = layer(used).is_some() && layer(used) < layer(module);
    module == used || BESIDE.contains(&(module, used)) || down && !never
}

/// The modules at the top, each a file, a directory or both.
fn modules() -> BTreeMap<String, Vec<PathBuf>> {
    let mut modules = BTreeMap::<String, Vec<PathBuf>>::new();
    for path in children(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src")) {
        let name = stem(&path);
        if name != "lib" {
            modules.entry(name).or_default().push(path);
        }
    }
    modules
}

fn sources(path: &Path) -> Vec<PathBuf> {
    match path.is_dir() {
        _ if TEST_MODULES.contains(&stem(path).as_str()) => Vec::new(),
        true => children(path)
            .iter()
            .flat_map(|path| sources(path))
            .collect(),
        false => vec![path.to_owned()],
    }
}

fn children(directory: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).unwrap();
    entries.map(|entry| entry.unwrap().path()).collect()
}

fn stem(path: &Path) -> String {
    path.file_stem().unwrap().to_str().unwrap().to_owned()
}

/// The lines before the test module, without comments.
fn code(file: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(file).unwrap();
    let (code, _) = text.split_once("\nmod tests {").unwrap_or((&text, ""));
    let lines = code
        .lines()
        .map(|line| line.split("//").next().unwrap_or_default());
    lines.map(str::to_owned).collect()
}
