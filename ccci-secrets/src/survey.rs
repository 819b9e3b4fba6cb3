//! Every sops file of a repository, and what is wrong there, found without any key.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::audit::{self, Recognised};
use crate::config::Config;
use crate::digest;
use crate::document::Format;
use crate::error::PathError;
use crate::file::{FileError, SealedFile};
use crate::finding::Finding;
use crate::repository::{self, Tree};
use crate::secret::Secret;
use crate::wrapped::Names;

/// What a repository holds.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Survey {
    /// The top of the repository, with symbolic links resolved.
    pub root: PathBuf,
    /// The sops files, in the order of their paths.
    pub files: Vec<SurveyedFile>,
    /// What is wrong, or worth a look.
    pub findings: Vec<Finding>,
    /// What the configurations of the repository call its recipients.
    pub names: Names,
}

/// One sops file.
#[derive(Debug)]
#[non_exhaustive]
pub struct SurveyedFile {
    /// Its path below the top.
    pub path: PathBuf,
    /// SHA-256 of the file as it stands, in hexadecimal.
    pub digest: String,
    /// The labels of its recipients.
    pub recipients: Vec<String>,
    /// Why nobody can open it as it stands.
    pub fault: Option<String>,
    format: Format,
    bytes: Secret,
}

impl SurveyedFile {
    /// Parses it once more: whoever opens a file uses it up.
    ///
    /// # Errors
    /// [`FileError`] for one that has a fault.
    pub fn sealed(&self) -> Result<SealedFile, FileError> {
        // EXPOSE: to the parser, which keeps its own wiping copy.
        SealedFile::parse(self.format, Secret::from_slice(self.bytes.expose()))
    }
}

/// Looks at everything below a directory that belongs to the repository there: submodules included, what git ignores
/// left out.
///
/// # Errors
/// [`PathError`] when the directory cannot be listed.
pub fn survey(root: &Path) -> Result<Survey, PathError> {
    let tree = repository::tree(root)?;
    let mut survey = Survey {
        root: tree.root.clone(),
        ..Survey::default()
    };
    survey.add_tree(&tree);
    let mut configs = Configs::default();
    for relative in &tree.files {
        survey.add_file(relative, &mut configs);
    }
    for relative in &tree.missing {
        if configs.due(&survey.root.join(relative)).is_some() {
            survey.findings.push(Finding::Missing {
                path: relative.clone(),
            });
        }
    }
    survey.findings.extend(configs.findings);
    survey.names = configs.names;
    Ok(survey)
}

impl Survey {
    fn add_tree(&mut self, tree: &Tree) {
        let absent = tree.uninitialised.iter().cloned();
        self.findings
            .extend(absent.map(Finding::SubmoduleNotInitialised));
        let unreadable = tree.unreadable.iter();
        self.findings
            .extend(unreadable.map(|error| Finding::Unreadable {
                path: error.path.clone(),
                text: error.source.to_string(),
            }));
        self.findings
            .extend(tree.work_trees.iter().flat_map(audit::of_work_tree));
    }

    fn add_file(&mut self, relative: &Path, configs: &mut Configs) {
        let absolute = self.root.join(relative);
        let due = configs.due(&absolute);
        let bytes = match repository::read_file(&absolute) {
            Ok(bytes) => bytes,
            // Larger than any sops file, and nobody says that it should be one.
            Err(error) if due.is_none() && error.source.kind() == ErrorKind::FileTooLarge => return,
            Err(error) => {
                self.findings.push(Finding::Unreadable {
                    path: relative.to_owned(),
                    text: error.source.to_string(),
                });
                return;
            }
        };
        match audit::recognise(relative, &bytes, due.is_some()) {
            Recognised::Sealed(file) => {
                let stale = configs.staleness(&absolute, relative, &file);
                self.findings.extend(stale);
                self.push(relative, bytes, Ok(&file));
            }
            Recognised::Broken(finding) => {
                self.push(relative, bytes, Err(finding.describe(&Names::default())));
                self.findings.push(finding);
            }
            Recognised::Other => {
                if let Some(rule) = due.filter(|_| !speaks_of_secrets(relative)) {
                    self.findings.push(Finding::PlaintextDue {
                        path: relative.to_owned(),
                        rule,
                    });
                }
            }
        }
    }

    fn push(&mut self, relative: &Path, bytes: Secret, file: Result<&SealedFile, String>) {
        // EXPOSE: only its digest goes on, and a sealed file is no secret.
        let digest = digest::hex(&digest::sha256(bytes.expose()));
        let format = match file {
            Ok(file) => file.format(),
            Err(_) => Format::of_file_name(&relative.to_string_lossy()),
        };
        self.files.push(SurveyedFile {
            path: relative.to_owned(),
            digest,
            recipients: file
                .as_ref()
                .map(|file| file.recipients())
                .unwrap_or_default(),
            fault: file.err(),
            format,
            bytes,
        });
    }
}

/// What may stand in the clear anywhere: the configuration, files of git's own, and texts for people.
fn speaks_of_secrets(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name == ".sops.yaml"
        || [".git", "README", "LICENSE"]
            .iter()
            .any(|start| name.starts_with(start))
        || name.ends_with(".md")
}

/// The configurations of a repository, each read once.
#[derive(Default)]
struct Configs {
    by_directory: BTreeMap<PathBuf, Option<PathBuf>>,
    by_path: BTreeMap<PathBuf, Config>,
    findings: Vec<Finding>,
    names: Names,
}

impl Configs {
    /// Where the nearest configuration says that a file is to be sealed.
    fn due(&mut self, absolute: &Path) -> Option<String> {
        let config = self.of(absolute)?;
        let due = audit::due(config, absolute);
        self.noted(due)
    }

    /// In what a file is not what the nearest configuration would make of it.
    fn staleness(&mut self, absolute: &Path, shown: &Path, file: &SealedFile) -> Option<Finding> {
        let config = self.of(absolute)?;
        let stale = audit::staleness(config, absolute, shown, file);
        self.noted(stale)
    }

    /// Each fault of a configuration is one, however many files it is for.
    fn noted<T>(&mut self, result: Result<Option<T>, Finding>) -> Option<T> {
        result.unwrap_or_else(|fault| {
            if !self.findings.contains(&fault) {
                self.findings.push(fault);
            }
            None
        })
    }

    fn of(&mut self, absolute: &Path) -> Option<&Config> {
        let directory = absolute.parent().unwrap_or(Path::new("/"));
        let path = self.nearest(directory)?;
        self.by_path.get(&path)
    }

    fn nearest(&mut self, directory: &Path) -> Option<PathBuf> {
        if let Some(known) = self.by_directory.get(directory) {
            return known.clone();
        }
        let found = match Config::discover(directory) {
            Ok(found) => found.config,
            Err(error) => {
                let path = directory.join(".sops.yaml");
                let fault = Finding::ConfigInvalid {
                    path,
                    text: error.to_string(),
                };
                if !self.has(&fault) {
                    self.findings.push(fault);
                }
                None
            }
        };
        let path = found.map(|config| self.add(config));
        self.by_directory.insert(directory.to_owned(), path.clone());
        path
    }

    /// Whether the same was said of another directory below the same configuration.
    fn has(&self, fault: &Finding) -> bool {
        let text = fault.describe(&Names::default());
        let said = |known: &Finding| known.describe(&Names::default()) == text;
        self.findings.iter().any(said)
    }

    fn add(&mut self, config: Config) -> PathBuf {
        let path = config.path().to_owned();
        if !self.by_path.contains_key(&path) {
            let notes = config.notes().iter();
            self.findings.extend(notes.map(|note| Finding::ConfigNote {
                path: path.clone(),
                text: note.to_string(),
            }));
            self.names.extend(config.names());
            self.by_path.insert(path.clone(), config);
        }
        path
    }
}
